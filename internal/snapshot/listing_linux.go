package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// listing is a window of a folder's names, sorted by their bytes. The names
// are packed into one arena, each behind its kind and its length, because a
// million strings would take three times the room.
type listing struct {
	arena []byte
	at    []uint32 // where each name's record begins
	more  bool     // the folder goes on behind the last name

	after, bound []byte // names up to the one, or beyond the other, are of other windows
	window       int    // how long the arena may be
}

// Offsets in the kernel's struct linux_dirent64.
const (
	direntLength = 16
	direntKind   = 18
	direntName   = 19
)

func (l *listing) kind(i int) byte { return l.arena[l.at[i]] }

func (l *listing) name(i int) []byte { return l.nameAt(l.at[i]) }

func (l *listing) nameAt(at uint32) []byte {
	name := l.arena[at+3:]
	return name[:binary.NativeEndian.Uint16(l.arena[at+1:])]
}

// list reads those names of an open folder that come behind after (all, if it
// is empty), and of these the lowest that fit into window bytes.
func list(fd int, after []byte, window int, buf []byte) (*listing, error) {
	l := &listing{after: after, window: window}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, fmt.Errorf("rewind the folder: %w", err)
	}
	for {
		n, err := readDirent(fd, buf)
		if err == nil && n > 0 {
			err = l.take(buf[:n])
		}
		if err != nil {
			return nil, fmt.Errorf("list the folder: %w", err)
		}
		if n == 0 {
			l.sort()
			return l, nil
		}
	}
}

// take parses what the kernel has filled in.
func (l *listing) take(entries []byte) error {
	for len(entries) > direntName {
		size := int(binary.NativeEndian.Uint16(entries[direntLength:]))
		if size <= direntName || size > len(entries) {
			return unix.EIO
		}
		kind, name := entries[direntKind], entries[direntName:size]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		entries = entries[size:]
		if !l.wants(name) {
			continue
		}
		l.add(kind, name)
		if len(l.arena) > l.window && len(l.at) > 1 {
			l.halve()
		}
	}
	return nil
}

// wants says whether a name belongs into this window.
func (l *listing) wants(name []byte) bool {
	return len(name) > 0 && string(name) != "." && string(name) != ".." &&
		(len(l.after) == 0 || bytes.Compare(name, l.after) > 0) &&
		(!l.more || bytes.Compare(name, l.bound) <= 0)
}

func readDirent(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.ReadDirent(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

func (l *listing) add(kind byte, name []byte) {
	l.at = append(l.at, uint32(len(l.arena))) //nolint:gosec // a window is far smaller
	l.arena = append(l.arena, kind)
	l.arena = binary.NativeEndian.AppendUint16(l.arena, uint16(len(name))) //nolint:gosec // as the kernel's own length
	l.arena = append(l.arena, name...)
}

func (l *listing) sort() {
	slices.SortFunc(l.at, func(a, b uint32) int { return bytes.Compare(l.nameAt(a), l.nameAt(b)) })
}

// halve leaves the higher half of the names to a later window.
func (l *listing) halve() {
	l.sort()
	kept := listing{arena: make([]byte, 0, cap(l.arena)), at: make([]uint32, 0, cap(l.at))}
	for i := range len(l.at) / 2 {
		kept.add(l.kind(i), l.name(i))
	}
	l.arena, l.at, l.more = kept.arena, kept.at, true
	l.bound = bytes.Clone(l.name(len(l.at) - 1))
}
