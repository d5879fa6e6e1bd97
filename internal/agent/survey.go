package agent

import (
	"context"
	"errors"
	"os"

	"github.com/docker-ucp/docker-ucp/internal/snapshot"
)

// survey looks at all that the plugin needs for its decision, and leaves nothing behind but a tidy spool. The file
// returned is the operator's own, opened, where the archive can go straight into it; else nil.
func (r *runner) survey(ctx context.Context, job *Job) (_ *Survey, output *os.File, err error) {
	if err := r.spool.prepare(); err != nil {
		return nil, nil, err
	}
	survey := &Survey{Clone: true}
	live := snapshot.Live{Root: r.host.Volumes}
	for _, volume := range job.Volumes {
		totals, err := snapshot.Survey(ctx, live, volume)
		if err != nil {
			return nil, nil, err
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
		return nil, nil, err
	}
	output, err = openOutput(r.host.Output, job.Nonce)
	survey.Direct = output != nil
	survey.OneDisk = survey.Direct && r.spool.shares(output)
	return survey, output, errors.Join(err, context.Cause(ctx))
}
