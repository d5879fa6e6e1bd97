package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// maxMemory is what Check may hold of the 128 MiB that verify may, on any
// input; what is dead and waits for the collector counts.
const maxMemory = 64 << 20

// gauge is a source that looks at the memory in use whenever it is read.
type gauge struct {
	from  io.Reader
	base  uint64
	most  uint64
	reads int
}

func newGauge(from io.Reader) *gauge {
	runtime.GC()
	return &gauge{from: from, base: inUse()}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.reads++; g.reads%16 == 0 {
		g.most = max(g.most, inUse())
	}
	return g.from.Read(p)
}

// assertBounded checks an endless or hostile archive, whatever it is worth.
func assertBounded(t *testing.T, archive io.Reader) *Summary {
	t.Helper()
	g := newGauge(archive)
	s, err := Check(g, nil)
	assert.NilError(t, err)
	g.most = max(g.most, inUse())
	t.Logf("%d MiB at most", (g.most-min(g.base, g.most))>>20)
	assert.Assert(t, g.most-min(g.base, g.most) < maxMemory, "%d MiB", (g.most-g.base)>>20)
	return s
}

// repeated is a reader of what a function makes for 0 to n-1.
func repeated(n int, piece func(i int) []byte) io.Reader {
	var left []byte
	i := 0
	return readerFunc(func(p []byte) (int, error) {
		for len(left) == 0 {
			if i == n {
				return 0, io.EOF
			}
			left, i = piece(i), i+1
		}
		k := copy(p, left)
		left = left[k:]
		return k, nil
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// extended renders an extended header, and behind it the block of an entry.
func extended(name string, records records) []byte {
	var u ustar
	u.start([]byte("x"), tar.TypeXHeader, int64(len(records.text)))
	out := padded(append(u.seal(nil), records.text...))
	u.start([]byte(name), tar.TypeReg, 0)
	return u.seal(out)
}

func TestMemoryIsBoundedWhateverIsRead(t *testing.T) {
	long := strings.Repeat("x/", maxExtended/2-100) + "x"
	for name, archive := range map[string]func() io.Reader{
		"names of a megabyte": func() io.Reader {
			return repeated(100, func(i int) []byte {
				var r records
				r.add("path", strconv.Itoa(i)+long)
				return extended("x", r)
			})
		},
		"links of a megabyte": func() io.Reader {
			return repeated(100, func(i int) []byte {
				var r records
				r.add("linkpath", "/"+long)
				b := extended(strconv.Itoa(i), r)
				block := (*ustar)(b[len(b)-blockSize:])
				block[156] = tar.TypeSymlink
				return append(b[:len(b)-blockSize], block.seal(nil)...)
			})
		},
		"a hundred thousand records in each header": func() io.Reader {
			var r records
			for i := 0; len(r.text) < maxExtended-32; i++ {
				r.add(fmt.Sprintf("%x", i), "y")
			}
			b := extended("x", r)
			return repeated(40, func(int) []byte { return b })
		},
		"extended headers without an entry": func() io.Reader {
			var r records
			r.add("path", long)
			b := extended("x", r)
			return repeated(100, func(int) []byte { return b[:len(b)-blockSize] })
		},
		"the largest map of holes": func() io.Reader {
			var r records
			r.add("GNU.sparse.numblocks", "200000")
			r.add("GNU.sparse.realsize", "1")
			r.add("GNU.sparse.map", strings.TrimSuffix(strings.Repeat("0,0,", 200_000), ","))
			return repeated(50, func(i int) []byte { return extended(strconv.Itoa(i), r) })
		},
		"as many names as anybody has": func() io.Reader {
			return repeated(maxNames+100_000, func(i int) []byte {
				var u ustar
				u.start(fmt.Appendf(nil, "./%d", i), tar.TypeReg, 0)
				return u.seal(nil)
			})
		},
		"a manifest of nothing but volumes": func() io.Reader {
			return bytes.NewReader(putTogether(t, []member{file(manifestName, `{"format_version": 1, "volumes": [{}`+strings.Repeat(",{}", 1<<20)+`]}`)}))
		},
		"a manifest that claims exabytes": func() io.Reader {
			var u ustar
			u.start([]byte(manifestName), tar.TypeReg, 1<<32)
			return io.MultiReader(bytes.NewReader(u.seal(nil)), &endless{1 << 22})
		},
		"long files before the volumes": func() io.Reader {
			head := putTogether(t, []member{file(manifestName, `{"format_version": 1}`)})
			return io.MultiReader(bytes.NewReader(head[:len(head)-2*blockSize]), repeated(100, func(i int) []byte {
				var r records
				r.add("path", "./docker-ucp/"+strconv.Itoa(i)+long)
				return extended("x", r)
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := assertBounded(t, archive())
			assert.Assert(t, s.Err() != nil)
			assert.Equal(t, s.Forgotten > 0, name == "as many names as anybody has")
			assert.Equal(t, strings.Contains(s.Problems[0].Text, "more than 1048576 names"), s.Forgotten > 0)
		})
	}
}

func TestNamesAreRememberedUpToALimit(t *testing.T) {
	s := newNameSet(5000)
	kinds := []kind{impliedFolder, folder, regularFile, other}
	for i := range 6000 {
		s.put(strconv.Itoa(i), kinds[i%4])
	}
	assert.Equal(t, s.forgotten, int64(1000))
	assert.Assert(t, s.full())
	for i := range 6000 {
		k, found := s.get(strconv.Itoa(i))
		assert.Equal(t, found, i < 5000, i)
		assert.Assert(t, !found || k == kinds[i%4], i)
	}
	s.put("1", other) // a new kind needs no room
	k, _ := s.get("1")
	assert.Equal(t, k, other)
	assert.Equal(t, s.forgotten, int64(1000))
}

func TestProblemsBeyondAHundredAreCounted(t *testing.T) {
	var members []member
	for i := range maxProblems + 17 {
		members = append(members, file(fmt.Sprintf("/%d", i), ""))
	}
	s, err := Check(bytes.NewReader(putTogether(t, members)), nil)
	assert.NilError(t, err)
	assert.Equal(t, len(s.Problems), maxProblems)
	assert.Equal(t, s.More, 17)
	assert.Error(t, s.Err(), "check the archive: /0: is absolute (and 116 more)")
}
