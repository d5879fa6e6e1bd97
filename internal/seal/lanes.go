package seal

import "context"

// lanes lets several goroutines work on jobs, and hands the results on in the
// order in which the jobs came. Nothing blocks on putting one in, as there are
// no more jobs than the channels hold.
type lanes[J any] struct {
	todo chan *ticket[J] // for whoever is free
	line chan *ticket[J] // in order
}

type ticket[J any] struct {
	job  J
	done chan struct{}
}

func newLanes[J any](jobs int) *lanes[J] {
	return &lanes[J]{todo: make(chan *ticket[J], jobs), line: make(chan *ticket[J], jobs)}
}

func newTicket[J any](job J) *ticket[J] { return &ticket[J]{job, make(chan struct{}, 1)} }

func (l *lanes[J]) put(t *ticket[J]) {
	l.todo <- t
	l.line <- t
}

// close lets the workers go home; whoever puts calls it, on every way out.
func (l *lanes[J]) close() { close(l.todo) }

// work is one worker.
func (l *lanes[J]) work(do func(J)) {
	for t := range l.todo {
		do(t.job)
		t.done <- struct{}{}
	}
}

// take waits for the next in line.
func (l *lanes[J]) take(ctx context.Context) (*ticket[J], error) {
	t, err := next(ctx, l.line)
	if err != nil {
		return nil, err
	}
	if _, err := next(ctx, t.done); err != nil {
		return nil, err
	}
	return t, nil
}
