package etcd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"gotest.tools/v3/assert"
)

// quiet visits a database that need not be etcd's.
type quiet struct{}

func (quiet) bucket(int, []byte, *run) error   { return nil }
func (quiet) entry(int, []byte, content) error { return nil }

// checkBolt is CheckDatabase without what is etcd's.
func checkBolt(b []byte) (torn bool, err error) {
	m, torn, err := newestMeta(b[:min(HeadSize, len(b))])
	if err != nil {
		return torn, err
	}
	if m.bytes() > int64(len(b)) {
		return torn, damaged("cut off")
	}
	return torn, checkTree(bytes.NewReader(b), m, quiet{})
}

// makeBolt makes a database with bbolt and gives its bytes.
func makeBolt(t testing.TB, options bolt.Options, fill func(db *bolt.DB)) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "db")
	options.NoSync = true
	db, err := bolt.Open(name, 0o600, &options)
	assert.NilError(t, err)
	fill(db)
	assert.NilError(t, db.Close())
	b, err := os.ReadFile(name)
	assert.NilError(t, err)
	return b
}

// update is a transaction that must succeed.
func update(t testing.TB, db *bolt.DB, work func(b *bolt.Bucket)) {
	t.Helper()
	assert.NilError(t, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("bucket"))
		assert.NilError(t, err)
		work(b)
		return nil
	}))
}

// put fills a bucket with keys of a number, in random order.
func put(t testing.TB, b *bolt.Bucket, from, to, size int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(from), uint64(to)))
	for _, i := range random.Perm(to - from) {
		key := fmt.Appendf(nil, "key-%06d", from+i)
		assert.NilError(t, b.Put(key, bytes.Repeat([]byte{byte(i)}, size)))
	}
}

// nest makes buckets within buckets, the last of them inline.
func nest(t testing.TB, b *bolt.Bucket, depth int) {
	t.Helper()
	put(t, b, 0, 10*depth, 20)
	if depth == 0 {
		return
	}
	for i := range 3 {
		child, err := b.CreateBucketIfNotExists(fmt.Appendf(nil, "nested-%d", i))
		assert.NilError(t, err)
		nest(t, child, depth-1)
	}
}

// wear makes free pages: transactions that change and remove.
func wear(t testing.TB, db *bolt.DB, size int) {
	t.Helper()
	update(t, db, func(b *bolt.Bucket) { put(t, b, 0, 1500, size) })
	for i := range 10 {
		update(t, db, func(b *bolt.Bucket) {
			put(t, b, 150*i, 150*i+30, 2*size)
			for k := range 60 {
				assert.NilError(t, b.Delete(fmt.Appendf(nil, "key-%06d", 150*i+60+k)))
			}
		})
	}
}

// boltDatabases is databases of every shape, by what is special about them.
func boltDatabases(t testing.TB) map[string][]byte {
	t.Helper()
	shapes := map[string][]byte{
		"empty":       makeBolt(t, bolt.Options{}, func(*bolt.DB) {}),
		"a few keys":  makeBolt(t, bolt.Options{}, func(db *bolt.DB) { update(t, db, func(b *bolt.Bucket) { put(t, b, 0, 3, 5) }) }),
		"worn, 4096":  makeBolt(t, bolt.Options{}, func(db *bolt.DB) { wear(t, db, 60) }),
		"worn, 1024":  makeBolt(t, bolt.Options{PageSize: 1024}, func(db *bolt.DB) { wear(t, db, 60) }),
		"worn, 512":   makeBolt(t, bolt.Options{PageSize: 512}, func(db *bolt.DB) { wear(t, db, 10) }),
		"worn, 65536": makeBolt(t, bolt.Options{PageSize: 65536}, func(db *bolt.DB) { wear(t, db, 200) }),
		"nested":      makeBolt(t, bolt.Options{PageSize: 1024}, func(db *bolt.DB) { update(t, db, func(b *bolt.Bucket) { nest(t, b, 4) }) }),
		"no list of free pages": makeBolt(t, bolt.Options{PageSize: 1024, NoFreelistSync: true}, func(db *bolt.DB) {
			wear(t, db, 60)
		}),
		"large keys and values": makeBolt(t, bolt.Options{}, func(db *bolt.DB) {
			update(t, db, func(b *bolt.Bucket) {
				put(t, b, 0, 20, 30_000)
				for i := range 20 {
					key := append(bytes.Repeat([]byte{'k'}, 6000), byte(i))
					assert.NilError(t, b.Put(key, bytes.Repeat(key, 1+i%3)))
				}
			})
		}),
	}
	shapes["compacted"] = makeBolt(t, bolt.Options{PageSize: 1024}, func(db *bolt.DB) {
		name := filepath.Join(t.TempDir(), "worn")
		assert.NilError(t, os.WriteFile(name, shapes["worn, 1024"], 0o600))
		from, err := bolt.Open(name, 0o600, &bolt.Options{ReadOnly: true})
		assert.NilError(t, err)
		assert.NilError(t, bolt.Compact(db, from, 10_000))
		assert.NilError(t, from.Close())
	})
	return shapes
}

func TestDatabasesOfEveryShapeAreWhole(t *testing.T) {
	shapes := boltDatabases(t)
	shapes["more free pages than a page can count"] = makeBolt(t, bolt.Options{PageSize: 512}, func(db *bolt.DB) {
		update(t, db, func(b *bolt.Bucket) { assert.NilError(t, b.Put([]byte("large"), make([]byte, 512*70_000))) })
		update(t, db, func(b *bolt.Bucket) { assert.NilError(t, b.Delete([]byte("large"))) })
		update(t, db, func(b *bolt.Bucket) { put(t, b, 0, 10, 10) })
	})
	for name, b := range shapes {
		t.Run(name, func(t *testing.T) {
			torn, err := checkBolt(b)
			assert.NilError(t, err)
			assert.Assert(t, !torn)
			head, err := ReadHead(b[:min(HeadSize, len(b))])
			assert.NilError(t, err)
			assert.Equal(t, head.PageSize, int(binary.LittleEndian.Uint32(b[24:])))
			_, err = checkBolt(b[:head.Bytes])
			assert.NilError(t, err, "without what does not count")
			_, err = checkBolt(b[:head.Bytes-1])
			assert.ErrorContains(t, err, "cut off")
			_, err = check(b)
			assert.ErrorIs(t, err, ErrNotEtcd)
		})
	}
}
