package etcd

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged is matched by every verdict on content. An error that does not match it is one of reading.
	ErrDamaged = errors.New("damaged")
	// ErrNotBolt is matched as well when a file is no bbolt database at all.
	ErrNotBolt = errors.New("not a bbolt database")
	// ErrNotEtcd is matched as well when a bbolt database is sound and not etcd's.
	ErrNotEtcd = errors.New("a bbolt database, but not etcd's")
	// ErrNoTrailer is the answer for a database without a hash behind it. It does not match ErrDamaged.
	ErrNoTrailer = errors.New("no hash: taken as a raw copy, not by etcdctl snapshot save")
)

// damage is a verdict in a sentence. What it matches is not repeated in its text.
type damage struct {
	text string
	kind error // nil, ErrNotBolt or ErrNotEtcd
}

func damaged(format string, args ...any) error {
	return damage{text: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (d damage) Error() string { return d.text }

// Is implements what errors.Is asks.
func (d damage) Is(target error) bool {
	return target == ErrDamaged || d.kind != nil && target == d.kind
}
