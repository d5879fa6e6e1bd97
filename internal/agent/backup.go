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

// backup carries an order out, and returns the last word of one that went well. UCP is down between rest and resume and
// not a moment longer; what can be done before or after is done before or after. The output is the operator's own file,
// or nil.
func (r *runner) backup(ctx context.Context, order *Order, output *os.File) (finished *Event, err error) {
	file, err := order.destination(r.spool, output)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && !isSilence(err) {
			finished, err = nil, errors.Join(err, r.spool.discard())
		}
	}()
	defer func() { err = errors.Join(err, closeFile(file)) }()
	way, err := newPipeline(file, r.spool.dir, order)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, way.abort()) }()
	records, err := r.records(ctx, order)
	if err != nil {
		return nil, err
	}
	live := snapshot.Live{Root: r.host.Volumes}
	if order.Clone {
		if err := snapshot.Flush(ctx, live, volumesOf(order.Manifest)); err != nil {
			return nil, err
		}
	}
	down, err := r.atRest(ctx, order, capture{records: records, live: live, way: way})
	if err != nil {
		return nil, err
	}
	result, err := way.finish()
	if err != nil {
		return nil, errors.Join(err, down.resume())
	}
	result.Downtime = MillisOf(down.length())
	result.Sockets, result.Missing = socketsOf(order.Manifest), order.Manifest.Missing
	r.leaveReceipt(order, result)
	return &Event{Type: Finished, Result: &result, NotResumed: down.notResumed, Held: down.held}, nil
}

// destination opens what the archive is written to. It refuses an order that cannot be followed, while nothing is
// touched.
func (o *Order) destination(spool spool, output *os.File) (*os.File, error) {
	switch {
	case o.Manifest == nil:
		return nil, errors.New("the order has no manifest")
	case o.Direct && output == nil:
		return nil, errors.New("the order wants the archive in a file that the agent does not see")
	}
	if err := spool.discard(); err != nil { // what an earlier run left, and the operator gives up for a new one
		return nil, err
	}
	if err := spool.prepare(); err != nil {
		return nil, err
	}
	if !o.Direct {
		return spool.create()
	}
	if err := output.Truncate(0); err != nil { // the nonce
		return nil, fmt.Errorf("empty the output file: %w", err)
	}
	return output, nil
}

// How often a swarm that has no leader is asked for UCP's configs and services, and the pause between: an election takes
// some seconds.
const (
	swarmTries = 4
	swarmPause = 3 * time.Second
)

// records reads what belongs into the archive beside the volumes. Only of a swarm that has lost its quorum may configs
// and services be missing, and then the manifest says so: the backup of a survivor is worth more than none.
func (r *runner) records(ctx context.Context, order *Order) ([]ucp.Record, error) {
	for try := 1; ; try++ {
		records, swarmErr, err := ucp.Records(ctx, r.host.Records, order.Instance.ID, order.Instance.Containers)
		switch {
		case err != nil, swarmErr == nil:
			return records, err
		case !ucp.IsLeaderless(swarmErr):
			return nil, swarmErr
		case try == swarmTries:
			order.Manifest.Missing = []string{"swarm configs", "swarm services"}
			r.emit(Event{Type: Warning, Message: fmt.Sprintf("the archive will lack UCP's swarm configs and services: %v", swarmErr)})
			return records, nil
		}
		if err := pause(ctx, swarmPause); err != nil {
			return nil, err
		}
	}
}

type capture struct {
	records []ucp.Record
	live    snapshot.Live
	way     *pipeline
	down    *downtime
}

// atRest captures UCP while it rests, and brings it back on every way out, a panic included.
func (r *runner) atRest(ctx context.Context, order *Order, c capture) (down *downtime, err error) {
	// What has ended while somebody was asked stays down, whoever brings UCP back.
	running, err := order.Plan.Running(ctx, r.host.Engine)
	if err != nil {
		return nil, err
	}
	order.Plan = *running
	if err := r.refuseAwake(ctx, order, order.Plan.IDs()); err != nil {
		return nil, fmt.Errorf("%w since the plan was made; nothing was touched", err)
	}
	if err := r.announce(order); err != nil {
		return nil, err
	}
	down = r.rest(ctx, order)
	ctx, watched := r.watch(ctx, down)
	defer func() {
		resumeErr := down.resume()
		stalled := watched()
		if err != nil && !errors.Is(err, resumeErr) {
			err = errors.Join(err, resumeErr)
		}
		if err != nil && stalled != nil && !errors.Is(err, stalled) {
			err = fmt.Errorf("%w: %w", stalled, err)
		}
	}()
	if down.err != nil {
		return down, down.err
	}
	if err := r.refuseAwake(ctx, order, nil); err != nil {
		return down, fmt.Errorf("%w while UCP was brought to rest", err)
	}
	c.down = down
	return down, r.capture(ctx, order, c)
}

// capture reads the volumes while UCP rests: into the archive, or, where the file system can, into clones that are read
// into the archive when UCP is already back.
func (r *runner) capture(ctx context.Context, order *Order, c capture) (err error) {
	source, release, err := r.source(ctx, order, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := c.way.writeHead(order.Manifest, c.records); err != nil {
		return err
	}
	if err := r.writeVolumes(ctx, order.Manifest, source, c.way); err != nil {
		return err
	}
	if !order.Clone {
		if err := r.wake(ctx, order, c.down); err != nil {
			return err
		}
	}
	return c.way.writeTail(c.down)
}

// source returns what the volumes are read from, and what lets go of it. A clone costs UCP no more time once it is made.
func (r *runner) source(ctx context.Context, order *Order, c capture) (_ snapshot.Source, release func() error, err error) {
	if !order.Clone {
		return c.live, func() error { return nil }, countVolumes(ctx, order.Manifest, func(volume string) (snapshot.Totals, error) {
			r.moves()
			return snapshot.Survey(ctx, c.live, volume)
		})
	}
	cloned, err := r.clone(ctx, order, c)
	if err != nil {
		return nil, nil, err
	}
	if err := r.wake(ctx, order, c.down); err != nil {
		return nil, nil, errors.Join(err, cloned.Remove())
	}
	return cloned, cloned.Remove, nil
}

func (r *runner) clone(ctx context.Context, order *Order, c capture) (cloned *snapshot.Cloned, err error) {
	bytes, end := r.count(Cloning, 0)
	defer func() { end(err) }()
	cloned, err = snapshot.Clone(ctx, c.live, volumesOf(order.Manifest), r.spool.clones(), func(n int64) {
		bytes.Store(n)
		r.moves()
	})
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
