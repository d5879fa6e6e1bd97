package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
)

// handLimit is how long the manager may take to hand FILE.part to the agent.
const handLimit = time.Minute

// survey asks the agent what it sees, and meanwhile hands it FILE.part, where that may be a file on its machine.
func (b *backup) survey(ctx context.Context) (*agent.Survey, error) {
	limited, cancel := context.WithTimeout(ctx, handLimit)
	defer cancel()
	handed := make(chan agent.Handed, 1)
	go func() { handed <- b.handOver(limited) }()
	survey, err := b.agent.surveyed(ctx)
	if err != nil {
		cancel() // there is no agent that takes it
	}
	b.handed = <-handed
	return survey, err
}

// handOver finds out by trying whether the agent can have FILE.part. Where it cannot, the archive is fetched.
func (b *backup) handOver(ctx context.Context) agent.Handed {
	if b.nonce == "" {
		return agent.Handed{}
	}
	task := agent.HandTask(b.image, b.opts.StartedBy, b.opts.Spool, b.out.Part(), os.Geteuid(), b.nonce)
	var handed agent.Handed
	output, err := b.tasks.RunTask(ctx, b.small(task))
	if err == nil {
		if err = json.Unmarshal(output, &handed); err != nil {
			err = fmt.Errorf("read what %s printed: %w", task, err)
		}
	}
	if err != nil {
		b.opts.Log.Debug("the archive is to be fetched: FILE was not handed to the agent", "error", err)
		return agent.Handed{}
	}
	return handed
}
