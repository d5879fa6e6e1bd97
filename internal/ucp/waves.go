package ucp

import (
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// rank orders UCP's containers for a stop: lower ranks go first and come back last.
type rank int

const (
	reconcilers rank = iota // start what somebody stopped, so they must rest before anything else
	components              // everything that reads and writes the stores
	stores                  // must still be there when the last writer ends
	ranks
)

// rankOf follows the order in which the vendor's installer brings UCP up (UCP 3.2 installation logs, ucp-facts 2.7):
// stores, then components, then agents. Components come up in any order after a reboot of the host, and wait for each
// other by themselves, so they need no finer order, which would only make UCP's down time longer.
func rankOf(name string) rank {
	base, _, _ := strings.Cut(name, ".")
	switch {
	case base == "ucp-kv", base == "ucp-auth-store":
		return stores
	case base == "ucp-reconcile", strings.HasPrefix(base, "ucp-agent"), strings.HasPrefix(base, "ucp-manager-agent"),
		strings.HasPrefix(base, "ucp-cluster-agent"), strings.HasPrefix(base, "ucp-worker-agent"):
		return reconcilers
	default:
		return components
	}
}

// QuiescePlan returns how to bring the instance's running containers to rest: UCP's own by the action given, and by a
// pause those that must not be stopped. Those that do not run are not in it, and so stay as they are.
//
// A container that waits for its next start has nothing to freeze, and an engine refuses to: one of UCP's own is stopped
// whatever the action, so that it does not wake up while its volumes are read, and any other is left out.
func (i *Instance) QuiescePlan(own quiesce.Action) quiesce.Plan {
	waves := make([][]quiesce.Target, ranks)
	for _, c := range i.Containers {
		action := own
		switch {
		case c.State == "running" && (c.replaced() || !c.Ours):
			action = quiesce.Pause
		case c.State == "running":
		case c.State == "restarting" && c.Ours && !c.replaced():
			action = quiesce.Stop
		default:
			continue
		}
		r := rankOf(c.Name)
		waves[r] = append(waves[r], quiesce.Target{ID: c.ID, Name: c.Name, Action: action, Owned: c.replaced(), Grace: c.Grace})
	}
	var plan quiesce.Plan
	for _, wave := range waves {
		if len(wave) > 0 {
			plan.Waves = append(plan.Waves, wave)
		}
	}
	return plan
}

// replaced tells what somebody would act on if it ended: the swarm replaces a task and kubelet a pod, and the engine
// removes a container that was started with --rm. What is not UCP's own, such as a user's container on a volume of UCP,
// has nobody of that kind, but an owner who did not ask us to end it.
func (c *Container) replaced() bool { return c.Task || c.Pod || c.AutoRemove }

// Down returns the names of those containers that UCP cannot be without (ucp-facts 2.1, 2.7) and that do not run.
func (i *Instance) Down() []string {
	var names []string
	for _, c := range i.Containers {
		essential := c.Name == "ucp-kv" || c.Name == "ucp-auth-store" || c.Name == "ucp-controller"
		if essential && c.State != "running" {
			names = append(names, c.Name+" ("+c.State+")")
		}
	}
	return names
}
