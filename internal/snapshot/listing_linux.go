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
	return l.arena[at+2 : at+2+uint32(l.arena[at+1])]
}

// list reads those names of an open folder that come behind after (all, if it
// is empty), and of these the lowest that fit into window bytes.
func list(fd int, after []byte, window int, buf []byte) (*listing, error) {
	l := new(listing)
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, fmt.Errorf("rewind the folder: %w", err)
	}
	var bound []byte
	for {
		n, err := readDirent(fd, buf)
		if err != nil {
			return nil, fmt.Errorf("list the folder: %w", err)
		}
		if n <= 0 {
			l.sort()
			return l, nil
		}
		for rest := buf[:n]; len(rest) > direntName; {
			size := int(binary.NativeEndian.Uint16(rest[direntLength:]))
			if size <= direntName || size > len(rest) {
				return nil, fmt.Errorf("list the folder: %w", unix.EIO)
			}
			kind, name := rest[direntKind], rest[direntName:size]
			rest = rest[size:]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			if skipped(name, after) {
				continue
			}
			if l.more && bytes.Compare(name, bound) > 0 {
				continue
			}
			l.add(kind, name)
			if len(l.arena) > window && len(l.at) > 1 {
				bound = l.halve()
			}
		}
	}
}

func readDirent(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.ReadDirent(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func skipped(name, after []byte) bool {
	return len(name) == 0 || len(name) > 255 || string(name) == "." || string(name) == ".." ||
		len(after) > 0 && bytes.Compare(name, after) <= 0
}

func (l *listing) add(kind byte, name []byte) {
	l.at = append(l.at, uint32(len(l.arena)))
	l.arena = append(l.arena, kind, byte(len(name)))
	l.arena = append(l.arena, name...)
}

func (l *listing) sort() {
	slices.SortFunc(l.at, func(a, b uint32) int { return bytes.Compare(l.nameAt(a), l.nameAt(b)) })
}

// halve gives up the higher half of the names to a later window and returns
// the highest that stays.
func (l *listing) halve() []byte {
	l.sort()
	kept := listing{more: true, arena: make([]byte, 0, cap(l.arena)), at: make([]uint32, 0, cap(l.at))}
	for i := range len(l.at) / 2 {
		kept.add(l.kind(i), l.name(i))
	}
	*l = kept
	return bytes.Clone(l.name(len(l.at) - 1))
}
