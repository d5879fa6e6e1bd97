package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// The first page of every data file is its clock page. A goroutine of its own counts in all of them, file after file, a
// thousand times a second, through shared memory, so that no slow write to disk holds it up. At any instant the clocks
// show one value up to some file, and one less after it; files copied a few milliseconds apart show something else.
const clockSize = pageSize

// clocks is the clock pages of an open store.
type clocks struct {
	pages [][]byte
	tick  uint64
}

func openClocks(files []*os.File) (*clocks, error) {
	c := &clocks{pages: make([][]byte, len(files))}
	for i, f := range files {
		page, err := syscall.Mmap(int(f.Fd()), 0, clockSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("map the clock of %s: %w", f.Name(), err), c.close())
		}
		c.pages[i] = page
		c.tick = max(c.tick, readClock(page))
	}
	return c, nil
}

// run counts until the context ends, and never stops half way through the files.
func (c *clocks) run(ctx context.Context) error {
	for ctx.Err() == nil {
		c.count()
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (c *clocks) count() {
	c.tick++
	for _, page := range c.pages {
		binary.LittleEndian.PutUint64(page, c.tick)
	}
}

func (c *clocks) close() (err error) {
	for i, page := range c.pages {
		if page != nil {
			err = errors.Join(err, syscall.Munmap(page))
			c.pages[i] = nil
		}
	}
	return err
}

func readClock(page []byte) uint64 { return binary.LittleEndian.Uint64(page) }

// checkClocks holds the rule of one instant against the clocks of all files, in their order.
func checkClocks(ticks []uint64) error {
	first, before := ticks[0], ticks[0]
	for file, tick := range ticks {
		if tick > before || first-tick > 1 {
			return fmt.Errorf("%s: its clock shows %d, that of %s %d: %w", dataName(file), tick, dataName(0), first, ErrTorn)
		}
		before = tick
	}
	return nil
}
