package etcd

import (
	"crypto/sha256"
	"crypto/subtle"
	"hash"
)

// sector is what the length of a database is a multiple of. Etcd tells by it that a hash follows: etcdctl snapshot
// restore looks at the length modulo 512 (go.etcd.io/etcd/etcdutl/v3/snapshot).
const sector = 512

// Trailer compares the SHA-256 that etcdctl snapshot save puts behind a
// database with that of the database, while the file is written to it.
type Trailer struct {
	sum  hash.Hash
	size int64
	last [sha256.Size]byte // the newest bytes, not summed yet
	held int
}

// NewTrailer begins with an empty file.
func NewTrailer() *Trailer { return &Trailer{sum: sha256.New()} }

// Write implements io.Writer. It never fails.
func (t *Trailer) Write(p []byte) (int, error) {
	t.size += int64(len(p))
	if len(p) >= sha256.Size {
		t.sum.Write(t.last[:t.held])
		t.sum.Write(p[:len(p)-sha256.Size])
		t.held = copy(t.last[:], p[len(p)-sha256.Size:])
		return len(p), nil
	}
	if spill := t.held + len(p) - sha256.Size; spill > 0 {
		t.sum.Write(t.last[:spill])
		t.held = copy(t.last[:], t.last[spill:t.held])
	}
	t.held += copy(t.last[t.held:], p)
	return len(p), nil
}

// Verdict is nil when the hash is right, ErrNoTrailer when there is none, and
// otherwise an error that matches ErrDamaged.
func (t *Trailer) Verdict() error {
	switch {
	case t.size > 0 && t.size%sector == 0:
		return ErrNoTrailer
	case t.size%sector != sha256.Size:
		return damaged("its %d bytes are neither a database nor one with a hash behind it: it was cut off", t.size)
	case subtle.ConstantTimeCompare(t.sum.Sum(nil), t.last[:]) == 0:
		return damaged("the SHA-256 behind the database is not that of the database")
	}
	return nil
}
