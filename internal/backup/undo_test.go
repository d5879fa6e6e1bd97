package backup

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

func TestTheLastThingMadeIsUndoneFirstAndOnce(t *testing.T) {
	var undo undoing
	var done []string
	for _, name := range []string{"image", "volume", "container"} {
		undo.add("docker rm "+name, func(context.Context) error { done = append(done, name); return nil })
	}
	assert.NilError(t, undo.run(t.Context()))
	assert.NilError(t, undo.run(t.Context()))
	assert.DeepEqual(t, done, []string{"container", "volume", "image"})
}

func TestAStepThatFailsIsTriedAgainAndKeepsNoOtherFromBeingDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo undoing
		tries := map[string]int{}
		step := func(name, byHand string, failures int) {
			undo.add(byHand, func(context.Context) error {
				if tries[name]++; tries[name] <= failures {
					return errors.New(name + " is busy")
				}
				return nil
			})
		}
		step("image", "docker image rm x", 1)
		step("volume", "docker volume rm y", 9)
		step("key", "", 9)
		step("container", "docker rm z", 9)
		err := undo.run(t.Context())
		assert.Error(t, err, "clean up on the manager: container is busy\nkey is busy\nvolume is busy")
		assert.Equal(t, failure.KindOf(err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(err), []string{"docker rm z; docker volume rm y"})
		assert.DeepEqual(t, tries, map[string]int{"image": 2, "volume": 3, "key": 3, "container": 3})
	})
}

func TestTheCleanUpOutlivesTheCancelAndNotItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var undo undoing
		var left time.Duration
		undo.add("", func(ctx context.Context) error {
			assert.NilError(t, ctx.Err())
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			<-ctx.Done()
			return ctx.Err()
		})
		assert.ErrorIs(t, undo.run(ctx), context.DeadlineExceeded)
		assert.Equal(t, left, undoTimeout)
	})
}

func TestEachContainerThatIsDownGetsTheCommandForIt(t *testing.T) {
	plan := &quiesce.Plan{Waves: [][]quiesce.Target{
		{{Name: "ucp-agent.x1", Action: quiesce.Pause, Owned: true}, {Name: "pod", Action: quiesce.Pause}, {Name: "ucp-dns", Action: quiesce.Pause}},
		{{Name: "ucp-controller", Action: quiesce.Stop}, {Name: "ucp-kv", Action: quiesce.Stop}},
	}}
	tests := map[string][]string{
		"":                            nil,
		"docker start ucp-kv":         {"ucp-kv"},
		"docker unpause ucp-agent.x1": {"ucp-agent.x1"}, // a stopped one its owner replaces
		"docker unpause pod ucp-dns || docker start pod ucp-dns": {"pod", "ucp-dns"}, // an engine that was started anew has stopped it
		"docker start elsewhere":                                 {"elsewhere"},
		"docker start ucp-kv ucp-controller; docker unpause ucp-agent.x1; docker unpause pod || docker start pod": {"ucp-kv", "ucp-agent.x1", "ucp-controller", "pod"},
	}
	for want, names := range tests {
		err := notResumed(plan, names)
		if want == "" {
			assert.NilError(t, err)
			continue
		}
		assert.Equal(t, failure.KindOf(err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(err), []string{want})
	}
	assert.DeepEqual(t, failure.Hints(notResumed(nil, []string{"ucp-kv"})), []string{"docker start ucp-kv"})
}
