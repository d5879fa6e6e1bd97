package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/snapshot"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// backup carries an order out. UCP is down between rest and resume and not a moment longer; what can be done before or
// after is done before or after.
func (r *runner) backup(ctx context.Context, order *Order, spool spool, output *os.File) (err error) {
	if output == nil || !order.Direct {
		err = closeFile(output)
		output, err = createUnless(err, spool)
	} else {
		err = output.Truncate(0)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile(output)) }()

	way, err := newPipeline(output, spool.dir, order)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, way.abort()) }()
	records, err := r.records(ctx, order)
	if err != nil {
		return err
	}
	live := snapshot.Live{Root: r.host.Volumes}
	if order.Clone {
		if err := snapshot.Flush(ctx, live, volumesOf(order.Manifest)); err != nil {
			return err
		}
	}

	down := r.rest(ctx, order)
	if down.err == nil {
		down.err = r.capture(ctx, order, capture{records: records, live: live, spool: spool, way: way, down: down})
	}
	resumeErr := down.resume()
	if down.err != nil {
		return errors.Join(down.err, resumeErr)
	}
	result, err := way.finish()
	if err != nil {
		return errors.Join(err, resumeErr)
	}
	result.Downtime = MillisOf(down.length())
	result.Sockets = socketsOf(order.Manifest)
	r.emit(Event{Type: Finished, Result: &result, NotResumed: down.notResumed})
	return nil
}

func createUnless(err error, spool spool) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	return spool.create()
}

func (r *runner) records(ctx context.Context, order *Order) ([]ucp.Record, error) {
	records, swarmErr, err := ucp.Records(ctx, r.host.Records, order.InstanceID, order.Containers)
	if swarmErr != nil {
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("the archive will lack UCP's swarm configs and services: %v", swarmErr)})
	}
	return records, err
}

type capture struct {
	records []ucp.Record
	live    snapshot.Live
	spool   spool
	way     *pipeline
	down    *downtime
}

// capture reads the volumes while UCP rests: into the archive, or, where the file system can, into clones that are read
// into the archive when UCP is already back.
func (r *runner) capture(ctx context.Context, order *Order, c capture) (err error) {
	var source snapshot.Source = c.live
	if order.Clone {
		cloned, err := r.clone(ctx, order, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cloned.Remove()) }()
		_ = c.down.resume() // what does not come back is in c.down, and the archive is worth finishing all the same
		source = cloned
	} else if err := countVolumes(ctx, order.Manifest, func(volume string) (snapshot.Totals, error) {
		return snapshot.Survey(ctx, c.live, volume)
	}); err != nil {
		return err
	}
	if err := c.way.writeHead(order.Manifest, c.records); err != nil {
		return err
	}
	if err := r.writeVolumes(ctx, order.Manifest, source, c.way); err != nil {
		return err
	}
	_ = c.down.resume()
	return c.way.writeTail(c.down)
}

func (r *runner) clone(ctx context.Context, order *Order, c capture) (*snapshot.Cloned, error) {
	bytes, end := r.count(Cloning, 0)
	defer end()
	if err := os.Mkdir(c.spool.clones(), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for clones in the spool: %w", err)
	}
	cloned, err := snapshot.Clone(ctx, c.live, volumesOf(order.Manifest), c.spool.clones(), func(n int64) { bytes.Store(n) })
	if err != nil {
		return nil, err
	}
	err = countVolumes(ctx, order.Manifest, func(volume string) (snapshot.Totals, error) {
		totals, found := cloned.Totals(volume)
		if !found {
			return totals, fmt.Errorf("volume %s is not among the clones", volume)
		}
		return totals, nil
	})
	if err != nil {
		return nil, errors.Join(err, cloned.Remove())
	}
	return cloned, nil
}

// countVolumes puts into the manifest what the volumes hold now that nobody writes to them.
func countVolumes(ctx context.Context, manifest *archive.Manifest, totals func(volume string) (snapshot.Totals, error)) error {
	for i := range manifest.Volumes {
		volume := &manifest.Volumes[i]
		t, err := totals(volume.Name)
		if err != nil {
			return err
		}
		volume.Entries, volume.Bytes, volume.Sockets = t.Entries, t.Bytes, t.Sockets
	}
	return context.Cause(ctx)
}

func volumesOf(manifest *archive.Manifest) []string {
	names := make([]string, 0, len(manifest.Volumes))
	for _, volume := range manifest.Volumes {
		names = append(names, volume.Name)
	}
	return names
}

func socketsOf(manifest *archive.Manifest) (n int64) {
	for _, volume := range manifest.Volumes {
		n += volume.Sockets
	}
	return n
}

func bytesOf(manifest *archive.Manifest) (n int64) {
	for _, volume := range manifest.Volumes {
		n += volume.Bytes
	}
	return n
}

// report is the archive's last word about the run that made it.
func (d *downtime) report() *archive.Report {
	return &archive.Report{QuiescedAt: d.from.UTC(), ResumedAt: d.until.UTC(), DowntimeMS: d.length().Round(time.Millisecond).Milliseconds()}
}
