package agent

import (
	"context"
	"fmt"

	"github.com/docker-ucp/docker-ucp/internal/snapshot"
)

// survey looks at all that the plugin needs for its decision, and changes nothing.
func (r *runner) survey(ctx context.Context, job *Job) (_ *Survey, err error) {
	survey := &Survey{Clone: true}
	live := snapshot.Live{Root: r.host.Volumes}
	for _, volume := range job.Volumes {
		totals, err := snapshot.Survey(ctx, live, volume)
		if err != nil {
			return nil, err
		}
		survey.Volumes = append(survey.Volumes, VolumeSize{
			Name: volume, Entries: totals.Entries, Bytes: totals.Bytes,
			Allocated: totals.AllocatedBytes, Cloning: totals.CloneBytes,
		})
		if err := snapshot.Clonable(r.host.Volumes, volume, r.spool.dir); err != nil && survey.Clone {
			survey.Clone, survey.NoClone = false, err.Error()
		}
	}
	if survey.SpoolFree, err = r.spool.free(); err != nil {
		return nil, err
	}
	if survey.Waits, err = r.spool.readReceipt(); err != nil { // no reason to keep UCP without a backup
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("an archive that nobody can fetch waits on the manager: %v", err)})
	}
	return survey, context.Cause(ctx)
}
