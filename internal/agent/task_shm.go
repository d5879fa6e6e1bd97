package agent

import (
	"fmt"
	"strings"
)

// shmPath is where UCP 3.1.0 to 3.1.2 pile up one file system upon the other.
const shmPath = "/dev/shm"

// shm is a machine's pile of file systems on /dev/shm.
type shm struct {
	table   func() (string, error) // the machine's mounts, as /proc/mounts has them
	unmount func() error           // takes the uppermost away
	mount   func(shmMount) error   // mounts one anew
}

// shmMount is one file system on /dev/shm, in the words of /proc/mounts.
type shmMount struct{ source, kind, options string }

// count returns how many file systems lie upon each other.
func (s shm) count() (int, error) {
	pile, err := s.read()
	return len(pile), err
}

func (s shm) read() ([]shmMount, error) {
	table, err := s.table()
	if err != nil {
		return nil, fmt.Errorf("read the machine's mounts: %w", err)
	}
	return parseShm(table), nil
}

// fix takes all but one away, as the vendor's script does: unmount while there is more than one. The script may run at
// the same time, from its cron job; if then none is left, what was there is mounted again. A pile can be tens of
// thousands high, and the table is as long: so between two looks at it half of what is there goes, and never the last.
func (s shm) fix() (taken int, err error) {
	pile, err := s.read()
	for err == nil && len(pile) > 1 {
		var now int
		now, err = s.half(pile)
		taken += now
		if err != nil {
			break
		}
		last, before := pile[0], len(pile)
		pile, err = s.read()
		switch {
		case err != nil:
		case len(pile) == 0:
			if err = s.mount(last); err != nil {
				err = fmt.Errorf("mount %s again, where somebody else unmounted at the same time: %w", shmPath, err)
			}
		case len(pile) >= before:
			err = fmt.Errorf("unmount %s: somebody mounts it as fast", shmPath)
		}
	}
	if err != nil {
		return taken, fmt.Errorf("%w; taken away before: %d", err, taken)
	}
	return taken, nil
}

// half takes the upper half of a pile away.
func (s shm) half(pile []shmMount) (taken int, err error) {
	for _, file := range pile {
		if file.kind != "tmpfs" {
			return 0, fmt.Errorf("unmount %s: %s is mounted there too, which UCP did not do", shmPath, file.kind)
		}
	}
	for range len(pile) / 2 {
		if err := s.unmount(); err != nil {
			return taken, fmt.Errorf("unmount %s: %w", shmPath, err)
		}
		taken++
	}
	return taken, nil
}

// parseShm finds the file systems on /dev/shm in the text of /proc/mounts, the lowest first.
func parseShm(table string) []shmMount {
	var pile []shmMount
	for entry := range strings.Lines(table) {
		// Source, mount point, type, options, and two zeros. A blank in a name is written as \040, and a mount point that
		// was removed has a suffix.
		fields := strings.Fields(entry)
		if len(fields) >= 4 && fields[1] == shmPath {
			pile = append(pile, shmMount{source: fields[0], kind: fields[2], options: fields[3]})
		}
	}
	return pile
}
