package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestOnlyWhatIsMountedOnDevShmItselfIsCounted(t *testing.T) {
	const once = "tmpfs /dev/shm tmpfs rw,nosuid,nodev,size=1024k 0 0\n"
	tests := map[string]struct {
		table string
		want  int
	}{
		"an empty table":                  {"", 0},
		"none":                            {"proc /proc proc rw 0 0\ntmpfs /run tmpfs rw 0 0\n", 0},
		"one":                             {"proc /proc proc rw 0 0\n" + once + "tmpfs /run tmpfs rw 0 0\n", 1},
		"a pile":                          {strings.Repeat(once, 32000), 32000},
		"of another source":               {"shm /dev/shm tmpfs rw 0 0\n", 1},
		"of another kind":                 {once + "/dev/sda1 /dev/shm ext4 rw 0 0\n", 2},
		"a folder that begins alike":      {"tmpfs /dev/shm2 tmpfs rw 0 0\ntmpfs /dev/shm/inner tmpfs rw 0 0\n", 0},
		"a folder of that name elsewhere": {"tmpfs /srv/dev/shm tmpfs rw 0 0\n", 0},
		"a blank in the mount point":      {`tmpfs /dev/shm\040x tmpfs rw 0 0` + "\n", 0},
		"a blank in the source":           {`my\040tmpfs /dev/shm tmpfs rw 0 0` + "\n", 1},
		"a mount point that was removed":  {`tmpfs /dev/shm\040(deleted) tmpfs rw 0 0` + "\ntmpfs /dev/shm//deleted tmpfs rw 0 0\n", 0},
		"its name as a source":            {"/dev/shm /mnt none rw,bind 0 0\n", 0},
		"a line that is cut off":          {once + "tmpfs /dev/shm", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := shm{table: func() (string, error) { return test.table, nil }}.count()
			assert.NilError(t, err)
			assert.Equal(t, n, test.want)
		})
	}
}

// fakePile is a machine with a pile of file systems on /dev/shm.
type fakePile struct {
	kinds     []string // the lowest first
	reads     int
	unmounted int
	meanwhile func(*fakePile) // what somebody else does after each unmount
	busy      int             // so many cannot be unmounted
	mounted   []shmMount
	fails     error // of mount
}

func (p *fakePile) shm() shm {
	return shm{
		table: func() (string, error) {
			p.reads++
			var table strings.Builder
			for i, kind := range p.kinds {
				fmt.Fprintf(&table, "s%d /dev/shm %s rw,size=%dk 0 0\n", i, kind, i+1)
			}
			return table.String(), nil
		},
		unmount: func() error {
			if len(p.kinds) <= p.busy {
				return errors.New("device or resource busy")
			}
			p.kinds = p.kinds[:len(p.kinds)-1]
			p.unmounted++
			if p.meanwhile != nil {
				p.meanwhile(p)
			}
			return nil
		},
		mount: func(entry shmMount) error {
			p.mounted = append(p.mounted, entry)
			return p.fails
		},
	}
}

func pileOf(n int) *fakePile { return &fakePile{kinds: strings.Fields(strings.Repeat("tmpfs ", n))} }

func TestAllButOneAreTakenAway(t *testing.T) {
	for high, want := range map[int]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 64: 63, 32000: 31999} {
		pile := pileOf(high)
		taken, err := pile.shm().fix()
		assert.NilError(t, err)
		assert.Equal(t, taken, want)
		assert.Equal(t, len(pile.kinds), high-want)
		assert.Equal(t, len(pile.mounted), 0)
		assert.Check(t, pile.reads <= 17, "a table of %d lines was read %d times", high, pile.reads)
	}
}

func TestWhereTheVendorsScriptTakesTheLastItIsMountedAgain(t *testing.T) {
	gone := func(p *fakePile) { p.kinds = nil }
	pile := pileOf(2)
	pile.meanwhile = gone
	taken, err := pile.shm().fix()
	assert.NilError(t, err)
	assert.Equal(t, taken, 1)
	assert.Equal(t, len(pile.mounted), 1)
	assert.Equal(t, pile.mounted[0], shmMount{source: "s0", kind: "tmpfs", options: "rw,size=1k"})

	pile = pileOf(2)
	pile.meanwhile, pile.fails = gone, errors.New("no memory")
	taken, err = pile.shm().fix()
	assert.Error(t, err, "mount /dev/shm again, where somebody else unmounted at the same time: no memory; taken away before: 1")
	assert.Equal(t, taken, 1)
}

func TestAFixThatCannotGoOnSaysHowFarItCame(t *testing.T) {
	busy := pileOf(8)
	busy.busy = 3
	other := pileOf(4)
	other.kinds[1] = "ext4"
	racing := pileOf(2)
	racing.meanwhile = func(p *fakePile) { p.kinds = append(p.kinds, "tmpfs") }
	tests := map[string]struct {
		pile  *fakePile
		words string
		left  int
	}{
		"one is used":                  {busy, "unmount /dev/shm: device or resource busy; taken away before: 5", 3},
		"one is of another kind":       {other, "unmount /dev/shm: ext4 is mounted there too, which UCP did not do; taken away before: 0", 4},
		"somebody mounts just as fast": {racing, "unmount /dev/shm: somebody mounts it as fast; taken away before: 1", 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			taken, err := test.pile.shm().fix()
			assert.Error(t, err, test.words)
			assert.Equal(t, taken, test.pile.unmounted)
			assert.Equal(t, len(test.pile.kinds), test.left)
		})
	}
}

func TestATableThatCannotBeReadChangesNothing(t *testing.T) {
	pile := shm{table: func() (string, error) { return "", errors.New("permission denied") }}
	_, err := pile.count()
	assert.Error(t, err, "read the machine's mounts: permission denied")
	taken, err := pile.fix()
	assert.Error(t, err, "read the machine's mounts: permission denied; taken away before: 0")
	assert.Equal(t, taken, 0)
}
