package etcd

import (
	"encoding/binary"
	"math"
)

// The wire types of protocol buffers that etcd's messages use.
const (
	wireVarint = 0
	wireBytes  = 2
)

// field is the head of one field of a message in protocol buffers.
type field struct {
	number, wire uint64
	value        uint64 // of a varint
	size         int64  // of the bytes that follow the head
	head         int
}

// parseField reads a field's head from the beginning of b. It is not ok when b
// ends before that, or holds what etcd never writes.
func parseField(b []byte) (f field, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return f, false
	}
	f.number, f.wire = tag>>3, tag&7
	value, m := binary.Uvarint(b[n:])
	if m <= 0 || f.number == 0 {
		return f, false
	}
	f.head = n + m
	switch f.wire {
	case wireVarint:
		f.value = value
	case wireBytes:
		if value > math.MaxInt64 {
			return f, false
		}
		f.size = int64(value)
	default:
		return f, false
	}
	return f, true
}
