package backup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-connections/nat"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// told is a manager of which the plugin is told something else than it is.
type told struct {
	*manager

	nodes   []swarm.Node
	version string                                                           // UCP's
	inspect func(id string, answer *container.InspectResponse, started bool) // started: the run has brought it back
}

func (m *told) NodeList(ctx context.Context, options swarm.NodeListOptions) ([]swarm.Node, error) {
	_, err := m.manager.NodeList(ctx, options)
	return m.nodes, err
}

func (m *told) ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error) {
	list, err := m.manager.ContainerList(ctx, options)
	for i := range list {
		if list[i].Labels["com.docker.ucp.version"] != "" && m.version != "" {
			list[i].Labels["com.docker.ucp.version"] = m.version
		}
	}
	return list, err
}

func (m *told) ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error) {
	answer, err := m.manager.ContainerInspect(ctx, id)
	if err == nil && m.inspect != nil {
		m.inspect(id, &answer, slices.Contains(m.seen(), "start "+id))
	}
	return answer, err
}

func node(name string, up bool) swarm.Node {
	n := swarm.Node{ID: name, Spec: swarm.NodeSpec{Role: swarm.NodeRoleManager}}
	n.Description.Hostname = name
	n.Status.State, n.ManagerStatus = swarm.NodeStateDown, &swarm.ManagerStatus{Reachability: swarm.ReachabilityUnreachable}
	if up {
		n.Status.State, n.ManagerStatus.Reachability = swarm.NodeStateReady, swarm.ReachabilityReachable
	}
	return n
}

// publishing makes the controller one that can be asked.
func publishing(answer *container.InspectResponse) {
	answer.Config = &container.Config{ExposedPorts: nat.PortSet{"8080/tcp": {}}}
	answer.HostConfig = &container.HostConfig{PortBindings: nat.PortMap{"8080/tcp": {{HostPort: "443"}}}}
	answer.NetworkSettings = &container.NetworkSettings{}
	answer.NetworkSettings.Ports = answer.HostConfig.PortBindings
}

func TestABackupThatCostsUCPItsQuorumMakesNothingOnTheManager(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &told{manager: newManager(t), nodes: []swarm.Node{node("node1", true), node("node2", false), node("node3", true)}}
		r := backUpOver(t, m, nil)
		assertRefused(t, r.err, "repair them (docker node ls), or accept that UCP is down meanwhile: docker ucp backup --force FILE")
		assert.ErrorContains(t, r.err, "down: node2")
		r.assertNoFile(t)
		assert.Check(t, !slices.Contains(m.seen(), "import"))
		m.assertUntouched(t)

		r = backUpOver(t, m, func(r *run) { r.opts.Force = true })
		assert.NilError(t, r.err)
		r.assertArchive(t)
	})
}

func TestAnArchiveIsDeliveredWhileUCPIsNotWellAndAPersonIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &told{manager: newManager(t), inspect: func(id string, answer *container.InspectResponse, started bool) {
			if id == "ucp-kv" && started {
				answer.State.Health = &container.Health{Status: container.Unhealthy}
			}
		}}
		began := time.Now()
		r := backUpOver(t, m, nil)
		r.assertArchive(t)
		assert.Error(t, r.err, "ucp-kv is unhealthy")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker logs --tail 50 ucp-kv"})
		assert.Check(t, time.Since(began) >= healthLimit)
		m.assertUntouched(t)
	})
}

func TestWhatWasUnhealthyBeforeIsInThePlanAndHoldsNothingUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &told{manager: newManager(t), inspect: func(id string, answer *container.InspectResponse, _ bool) {
			if id == "ucp-kv" {
				answer.State.Health = &container.Health{Status: container.Unhealthy}
			}
		}}
		var warnings []string
		began := time.Now()
		r := backUpOver(t, m, func(r *run) { r.approve(func(p *Plan) error { warnings = p.Warnings; return nil }) })
		assert.NilError(t, r.err)
		assert.DeepEqual(t, warnings, []string{"unhealthy already, so nobody waits for their health afterwards: ucp-kv"})
		assert.Check(t, time.Since(began) < healthLimit)
	})
}

func TestTheControllerIsAskedWhenItIsBack(t *testing.T) {
	for name, well := range map[string]bool{"well": true, "not well": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := &told{manager: newManager(t), inspect: func(id string, answer *container.InspectResponse, _ bool) {
					if id == "ucp-controller" {
						publishing(answer)
					}
				}}
				var asked []string
				m.perform = func(args []string) (string, int) {
					asked = append(asked, strings.Join(args, " "))
					assert.Check(t, slices.Contains(m.seen(), "start ucp-controller"))
					if well {
						return "", 0
					}
					return "", 1
				}
				r := backUpOver(t, m, nil)
				r.assertArchive(t)
				assert.Equal(t, asked[0], "ping 8080")
				m.assertUntouched(t)
				if well {
					assert.NilError(t, r.err)
					assert.Equal(t, len(asked), 1)
					return
				}
				assert.ErrorContains(t, r.err, "UCP's controller does not say that UCP is healthy: ")
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
			})
		})
	}
}

func TestMountsOfShmAreTakenAwayBetweenApprovalAndTheFirstStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &told{manager: newManager(t), version: "3.1.2"}
		mounts := "12"
		m.perform = func(args []string) (string, int) {
			assert.Equal(t, len(m.moved()), 0, "UCP is touched already")
			if args[0] == "fix" {
				mounts = "1"
				return "11\n", 0
			}
			return mounts + "\n", 0
		}
		r := backUpOver(t, m, func(r *run) {
			r.opts.FixShm = true
			r.approve(func(p *Plan) error {
				assert.Equal(t, p.Shm, 12)
				assert.Check(t, p.FixShm)
				assert.Equal(t, mounts, "12", "taken away before anybody approved")
				return nil
			})
		})
		assert.NilError(t, r.err)
		assert.Equal(t, mounts, "1")
		assert.Check(t, cmp.Contains(r.talk.String(), "took 11 of 12 mounts of /dev/shm away on manager1"))
		m.assertUntouched(t)
	})
}

func TestWhoDoesNotApproveKeepsTheMountsOfShm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &told{manager: newManager(t), version: "3.1.2"}
		m.perform = func(args []string) (string, int) {
			assert.Equal(t, args[0], "shm")
			return "12", 0
		}
		no := failure.Cancel(errors.New("not confirmed"))
		r := backUpOver(t, m, func(r *run) { r.opts.FixShm = true; r.approve(func(*Plan) error { return no }) })
		assert.ErrorIs(t, r.err, no)
		m.assertUntouched(t)
	})
}
