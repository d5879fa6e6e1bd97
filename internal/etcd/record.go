package etcd

import (
	"bytes"
	"hash/crc32"
	"math"
)

// The kinds of records in etcd's log (go.etcd.io/etcd/server/v3/wal).
const (
	kindMetadata = 1
	kindEntry    = 2
	kindState    = 3
	kindCRC      = 4
	kindSnapshot = 5

	frameSize = 8
	// headSize is how much of a record is held: more than its own fields and those of an entry take before the data.
	headSize = 128
	// fieldsSize is how much of it its own fields take at the most.
	fieldsSize = 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [sector]byte
)

// record is one record of the log on its way past: walpb.Record, its kind, the
// sum of everything so far, and its data.
type record struct {
	start int64 // of its frame, in the file
	size  int64
	pad   int64
	at    int64 // bytes taken of both

	head []byte // the first of it
	kind uint64
	sum  uint32
	data int64  // where the data begins
	odd  string // what is wrong with the head

	crc    uint32 // of everything in the log up to here
	padded bool   // the padding holds something

	// A write that was not finished leaves sectors of nothing. That is how etcd tells it from damage.
	blank      bool  // the part of a sector looked at is
	blankFrom  int64 // where that part begins
	blankAny   bool  // a whole part was
	blankFirst bool  // one of those that its fields lie in was
}

// begin starts a record whose frame has been read.
func (r *record) begin(start, size, pad int64, crc uint32) {
	*r = record{start: start, size: size, pad: pad, head: r.head[:0], crc: crc, blank: true}
}

// take takes what belongs to the record from the beginning of p, and says how much that was.
func (r *record) take(p []byte) int {
	p = p[:min(int64(len(p)), r.size+r.pad-r.at)]
	r.scan(p)
	body := p[:min(int64(len(p)), max(r.size-r.at, 0))]
	if bytes.Count(p[len(body):], zeros[:1]) != len(p)-len(body) {
		r.padded = true
	}
	held := int(min(headSize, r.size))
	if missing := held - len(r.head); missing > 0 {
		n := min(missing, len(body))
		r.head = append(r.head, body[:n]...)
		body = body[n:]
		if len(r.head) == held {
			r.parse()
			r.crc = crc32.Update(r.crc, castagnoli, r.head[min(r.data, int64(held)):])
		}
	}
	r.crc = crc32.Update(r.crc, castagnoli, body)
	r.at += int64(len(p))
	return len(p)
}

// done says whether all of the record was taken.
func (r *record) done() bool { return r.at == r.size+r.pad }

// parse reads the record's own fields. They must add up to the size in the frame.
func (r *record) parse() {
	kind, ok := parseField(r.head)
	if !ok || kind.number != 1 || kind.wire != wireVarint {
		r.odd = "it does not begin with its kind"
		return
	}
	sum, ok := parseField(r.head[kind.head:])
	if !ok || sum.number != 2 || sum.wire != wireVarint || sum.value > math.MaxUint32 {
		r.odd = "it has no checksum"
		return
	}
	r.kind, r.sum, r.data = kind.value, uint32(sum.value), int64(kind.head+sum.head)
	if r.data == r.size {
		return // without data, as the one that begins a file
	}
	data, ok := parseField(r.head[r.data:])
	if !ok || data.number != 3 || data.wire != wireBytes {
		r.odd = "its data is not where it belongs"
		return
	}
	r.data += int64(data.head)
	if data.size != r.size-r.data {
		r.odd = "its length and that of its data do not agree"
	}
}

// scan looks for sectors of nothing, or parts of sectors where the record begins or ends in one.
func (r *record) scan(p []byte) {
	for at := r.at; len(p) > 0; {
		here := r.start + frameSize + at
		n := min(int64(len(p)), sector-here%sector)
		r.blank = r.blank && bytes.Equal(p[:n], zeros[:n])
		at, p = at+n, p[n:]
		if (here+n)%sector == 0 || at == r.size+r.pad {
			r.endPart(at)
		}
	}
}

func (r *record) endPart(at int64) {
	if r.blank && at > r.blankFrom {
		r.blankAny = true
		r.blankFirst = r.blankFirst || r.blankFrom < fieldsSize
	}
	r.blank, r.blankFrom = true, at
}

// unfinished says whether a record whose head is odd, or whose checksum is
// wrong, is one that was not written to its end. Etcd looks at all sectors in
// both cases; but a head that is there is right, or was changed later.
func (r *record) unfinished() bool {
	if r.odd != "" {
		return r.blankFirst
	}
	return r.blankAny
}
