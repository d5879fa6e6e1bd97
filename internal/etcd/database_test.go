package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	bolt "go.etcd.io/bbolt"
	"gotest.tools/v3/assert"
)

func TestDatabaseOfARealEtcdIsWhole(t *testing.T) {
	want := Database{
		PageSize: 4096, Pages: 60, Keys: 445, Revision: 754, ConsistentIndex: 759, Term: 2, ClusterVersion: "3.5.0",
		Members: []Member{{fixtureMember, "orca-kv-192.0.2.1", []string{"http://127.0.0.1:22380"}}},
	}
	got, err := check(dataFolder(t)["member/snap/db"])
	assert.NilError(t, err)
	assert.DeepEqual(t, *got, want)

	snapshot, err := check(unzipped(t, "snapshot.db.gz"))
	assert.NilError(t, err)
	want.Keys, want.Revision, want.ConsistentIndex = 435, 744, 749
	assert.DeepEqual(t, *snapshot, want)
}

// revisionKey is a key in etcd's bucket of keys.
func revisionKey(main uint64) []byte {
	return binary.BigEndian.AppendUint64(append(binary.BigEndian.AppendUint64(nil, main), '_'), 0)
}

// etcdLike makes a database as etcd has it, and one thing more in a bucket.
func etcdLike(t testing.TB, bucket string, key, value []byte) []byte {
	t.Helper()
	return makeBolt(t, bolt.Options{NoFreelistSync: true}, func(db *bolt.DB) {
		assert.NilError(t, db.Update(func(tx *bolt.Tx) error {
			for _, name := range []string{"key", "meta", "members", bucket} {
				_, err := tx.CreateBucketIfNotExists([]byte(name))
				assert.NilError(t, err)
			}
			modified := append(block(1, []byte("/a")), varint(3, 2)...)
			return errors.Join(
				tx.Bucket([]byte("key")).Put(revisionKey(2), modified),
				tx.Bucket([]byte("meta")).Put([]byte("consistent_index"), binary.BigEndian.AppendUint64(nil, 7)),
				tx.Bucket([]byte(bucket)).Put(key, value))
		}))
	})
}

func TestWhatEtcdKeepsIsReadableToIt(t *testing.T) {
	for name, test := range map[string]struct {
		bucket     string
		key, value []byte
		want       string // empty for what is right
	}{
		"a deletion":                        {"key", append(revisionKey(3), 't'), block(1, []byte("/a")), ""},
		"a value of more than a page":       {"key", revisionKey(3), bytes.Join([][]byte{block(1, []byte("/a")), varint(3, 3), block(5, make([]byte, 20_000)), varint(6, 1)}, nil), ""},
		"a revision without a value":        {"key", revisionKey(3), nil, ""},
		"a compaction":                      {"meta", []byte("finishedCompactRev"), revisionKey(1), ""},
		"a bucket that is not known":        {"what comes next", []byte("a"), []byte("b"), ""},
		"a key that is no revision":         {"key", []byte("/a"), []byte("b"), "is not the key of a revision"},
		"a revision with another mark":      {"key", append(revisionKey(3), 'u'), nil, "is not the key of a revision"},
		"a revision without its line":       {"key", make([]byte, revisionSize), nil, "is not the key of a revision"},
		"revision 0":                        {"key", revisionKey(0), nil, "0 is not a revision"},
		"a revision beyond etcd's numbers":  {"key", revisionKey(1 << 63), nil, "is not a revision"},
		"a value of another revision":       {"key", revisionKey(3), varint(3, 4), "revision 3 holds a key of revision 4"},
		"a value that is no message":        {"key", revisionKey(3), []byte{0xff, 0xff}, "a revision's value is broken at its byte 0"},
		"a value with a field of no number": {"key", revisionKey(3), []byte{0, 0}, "is broken"},
		"a value with a field of odd kind":  {"key", revisionKey(3), varint(1, 4), "is broken"},
		"a value that was cut off":          {"key", revisionKey(3), []byte{0x0a, 100, 'x'}, "ends within a field"},
		"a field of all the world":          {"key", revisionKey(3), binary.AppendUvarint([]byte{0x0a}, math.MaxInt64), "ends within a field"},
		"a field of more than that":         {"key", revisionKey(3), binary.AppendUvarint([]byte{0x0a}, 1<<63), "is broken"},
		"an index of other size":            {"meta", []byte("consistent_index"), []byte{1}, "consistent_index has 1 bytes, not 8"},
		"a term of other size":              {"meta", []byte("term"), make([]byte, 9), "term has 9 bytes"},
		"a compaction to no revision":       {"meta", []byte("scheduledCompactRev"), make([]byte, revisionSize), "is not a revision"},
		"a member without an ID":            {"members", []byte("member"), []byte("{}"), `"member" is not the ID of a member`},
		"a member that is no JSON":          {"members", []byte("9"), []byte("{"), "member 9: unexpected end of JSON"},
		"a member with the ID of another":   {"members", []byte("9"), []byte(`{"id":8}`), "member 9 says that it is member 8"},
		"a member of great size":            {"members", []byte("9"), make([]byte, maxMember+1), "has 8193 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			database, err := check(etcdLike(t, test.bucket, test.key, test.value))
			if test.want == "" {
				assert.NilError(t, err)
				assert.Equal(t, database.ConsistentIndex, uint64(7))
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "page ")
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}

func TestRevisionIsTheNewestThereWas(t *testing.T) {
	database, err := check(etcdLike(t, "meta", []byte("finishedCompactRev"), revisionKey(40)))
	assert.NilError(t, err)
	assert.Equal(t, database.Revision, int64(40), "compaction has removed the newest key")
	assert.Equal(t, database.Keys, int64(1))
}

func TestNumberOfMembersIsBounded(t *testing.T) {
	b := makeBolt(t, bolt.Options{}, func(db *bolt.DB) {
		assert.NilError(t, db.Update(func(tx *bolt.Tx) error {
			members, err := tx.CreateBucket([]byte("members"))
			for i := range maxMembers + 1 {
				err = errors.Join(err, members.Put(fmt.Appendf(nil, "%04x", i), fmt.Appendf(nil, `{"id":%d}`, i)))
			}
			return err
		}))
	})
	_, err := check(b)
	assert.ErrorContains(t, err, "as number 101")
}

func TestWhatIsNotEtcdsIsToldFromDamage(t *testing.T) {
	for name, b := range map[string][]byte{
		"no buckets":     makeBolt(t, bolt.Options{}, func(*bolt.DB) {}),
		"other buckets":  makeBolt(t, bolt.Options{}, func(db *bolt.DB) { update(t, db, func(b *bolt.Bucket) { put(t, b, 0, 9, 9) }) }),
		"nested buckets": makeBolt(t, bolt.Options{}, func(db *bolt.DB) { update(t, db, func(b *bolt.Bucket) { nest(t, b, 2) }) }),
	} {
		_, err := check(b)
		assert.ErrorIs(t, err, ErrNotEtcd, name)
		assert.Assert(t, !errors.Is(err, ErrNotBolt), name)
	}
	for name, b := range map[string][]byte{
		"nothing":       nil,
		"a few bytes":   []byte("bbolt"),
		"only zeros":    make([]byte, 10_000),
		"something":     bytes.Repeat([]byte("RethinkDB"), 10_000),
		"a big machine": bigEndian(makeBolt(t, bolt.Options{}, func(*bolt.DB) {})),
	} {
		_, err := check(b)
		assert.ErrorIs(t, err, ErrNotBolt, name)
		assert.ErrorIs(t, err, ErrDamaged, name)
		if name == "a big machine" {
			assert.ErrorContains(t, err, "of a big-endian machine")
		}
	}
}

// bigEndian turns the magic numbers of a database around.
func bigEndian(b []byte) []byte {
	b = bytes.Clone(b)
	for _, page := range []int{0, 4096} {
		binary.BigEndian.PutUint32(b[page+pageHeaderSize:], boltMagic)
	}
	return b
}

func TestOneMetaPageIsEnoughAndItIsSaid(t *testing.T) {
	whole := dataFolder(t)["member/snap/db"]
	for page := range 2 {
		for _, at := range []int{0, 8, 16, 24, 56, 72, 79} {
			b := bytes.Clone(whole[:61*4096])
			b[page*4096+at] ^= 0x10
			database, err := check(b)
			assert.NilError(t, err)
			assert.Assert(t, database.MetaTorn, "byte %d of page %d", at, page)
			b[4096-page*4096+79] ^= 0x10
			if at >= pageHeaderSize {
				_, err = check(b)
				assert.ErrorIs(t, err, ErrDamaged, "both")
			}
		}
	}
}

func TestDatabaseThatWasCutOff(t *testing.T) {
	b := unzipped(t, "snapshot.db.gz")
	for _, size := range []int{2 * 4096, HeadSize - 1, HeadSize, 60*4096 - 1} {
		_, err := check(b[:size])
		assert.Error(t, err, fmt.Sprintf("the database has 245760 bytes, and the file ends after %d", size))
		assert.ErrorIs(t, err, ErrDamaged)
	}
}

func TestNewEtcdHasNoKeys(t *testing.T) {
	b := makeBolt(t, bolt.Options{}, func(db *bolt.DB) {
		assert.NilError(t, db.Update(func(tx *bolt.Tx) error {
			_, err1 := tx.CreateBucket([]byte("key"))
			_, err2 := tx.CreateBucket([]byte("meta"))
			return errors.Join(err1, err2)
		}))
	})
	database, err := check(b)
	assert.NilError(t, err)
	assert.DeepEqual(t, *database, Database{PageSize: os.Getpagesize(), Pages: 6, Revision: 1})
}

func TestEtcdNestsNoBuckets(t *testing.T) {
	b := makeBolt(t, bolt.Options{}, func(db *bolt.DB) {
		assert.NilError(t, db.Update(func(tx *bolt.Tx) error {
			_, err1 := tx.CreateBucket([]byte("meta"))
			keys, err2 := tx.CreateBucket([]byte("key"))
			_, err3 := keys.CreateBucket(revisionKey(2))
			return errors.Join(err1, err2, err3)
		}))
	})
	_, err := check(b)
	assert.ErrorContains(t, err, `a bucket lies within bucket "key"`)
	assert.ErrorIs(t, err, ErrNotEtcd)
}

// failing fails to read from an offset on.
type failing struct {
	io.ReaderAt
	from int64
	err  error
}

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.from {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, at)
}

func TestReadErrorIsNotAVerdict(t *testing.T) {
	b := unzipped(t, "snapshot.db.gz")
	broken := errors.New("input/output error")
	for _, from := range []int64{0, HeadSize, 30 * 4096} {
		_, err := CheckDatabase(failing{bytes.NewReader(b), from, broken}, int64(len(b)))
		assert.ErrorIs(t, err, broken)
		assert.Assert(t, !errors.Is(err, ErrDamaged))
		assert.ErrorContains(t, err, "read the database at offset ")
	}
	_, err := CheckDatabase(bytes.NewReader(b[:30*4096]), int64(len(b)))
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "shorter than was said")
	assert.Assert(t, !errors.Is(err, ErrDamaged))
}

// TestDatabaseClaimsTakeNoMemory changes what says how much there is: nothing is made ready for it.
func TestDatabaseClaimsTakeNoMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	whole := unzipped(t, "snapshot.db.gz")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for page := range 60 {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[page*4096+12:], math.MaxUint32-uint32(random.IntN(1000))) // pages it runs on
		_, _ = check(b)                                                                           // whatever it finds
		binary.LittleEndian.PutUint16(b[page*4096+10:], math.MaxUint16)                           // elements
		for at := 24; at < 64; at += elementSize {
			binary.LittleEndian.PutUint64(b[page*4096+at:], math.MaxUint64>>1) // sizes of keys and values
		}
		_, _ = check(b) // whatever it finds
	}
	runtime.ReadMemStats(&after)
	taken := after.TotalAlloc - before.TotalAlloc - 60*uint64(len(whole))
	assert.Assert(t, taken < 120*1<<20, "%d bytes", taken)
}
