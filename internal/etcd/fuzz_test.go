package etcd

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
	"gotest.tools/v3/assert"
)

// bounded fails when work takes more memory than the input explains.
func bounded(t *testing.T, most uint64, work func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > most {
		t.Fatalf("took %d bytes", taken)
	}
}

func FuzzDatabase(f *testing.F) {
	small := bolt.Options{PageSize: 512}
	for _, b := range [][]byte{
		makeBolt(f, small, func(db *bolt.DB) { update(f, db, func(b *bolt.Bucket) { put(f, b, 0, 40, 9) }) }),
		makeBolt(f, small, func(db *bolt.DB) { update(f, db, func(b *bolt.Bucket) { nest(f, b, 1) }) }),
		etcdLike(f, "members", []byte("9"), []byte(`{"id":9,"name":"a","peerURLs":["b"]}`)),
	} {
		head, err := ReadHead(b[:min(HeadSize, len(b))])
		assert.NilError(f, err)
		f.Add(b[:head.Bytes])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = rightMeta(bytes.Clone(b))
		bounded(t, 4<<20+100*uint64(len(b)), func() {
			database, err := check(b)
			if (err == nil) == (database == nil) {
				t.Fatalf("%v and %v", database, err)
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("an error of reading: %v", err)
			}
		})
	})
}

// rightMeta sets the checksum of the first meta page, which no chance would find.
func rightMeta(b []byte) []byte {
	if len(b) >= pageHeaderSize+metaSize {
		page := b[pageHeaderSize:]
		sum := metaSum(page)
		for i := range 8 {
			page[metaSummed+i] = byte(sum >> (8 * i))
		}
	}
	return b
}

func FuzzWAL(f *testing.F) {
	f.Add(newLog(0).entry(1, 1, "a").state(1, 1).mark(1, 1).Bytes(), uint8(7))
	f.Add(append(newLog(5).entry(1, 1, "a").Bytes(), make([]byte, 600)...), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		bounded(t, 1<<20+100*uint64(len(b)), func() {
			one, err1 := readSegment(t, firstName, b, len(b)+1)
			two, err2 := readSegment(t, firstName, b, int(piece)+1)
			if (err1 == nil) != (err2 == nil) || err1 == nil && one.LastCRC != two.LastCRC || one.Torn != two.Torn {
				t.Fatalf("in one piece %v, %v; in pieces of %d %v, %v", one, err1, int(piece)+1, two, err2)
			}
			if err1 == nil {
				_ = Chain([]Segment{one, two}) // whatever it finds
			}
		})
	})
}

func FuzzRaftSnapshot(f *testing.F) {
	place := slices.Concat(block(1, varint(1, 9)), varint(2, 77), varint(3, 5))
	f.Add(slices.Concat(varint(1, 5), block(2, slices.Concat(block(1, bytes.Repeat([]byte("{}"), 50)), block(2, place)))), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		bounded(t, 1<<20+100*uint64(len(b)), func() {
			one, err1 := readRaftSnapshot(t, b, len(b)+1)
			two, err2 := readRaftSnapshot(t, b, int(piece)+1)
			if (err1 == nil) != (err2 == nil) || one != two {
				t.Fatalf("in one piece %v, %v; in pieces of %d %v, %v", one, err1, int(piece)+1, two, err2)
			}
		})
	})
}
