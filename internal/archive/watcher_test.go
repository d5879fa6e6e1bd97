package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"gotest.tools/v3/assert"
)

// recorder takes all content and notes what it was told.
type recorder struct {
	names  []string
	kinds  []byte
	sums   map[string][sha256.Size]byte // of what was closed
	refuse func(name, step string) error
}

// Entry implements Watcher.
func (r *recorder) Entry(h *tar.Header) (io.WriteCloser, error) {
	r.names, r.kinds = append(r.names, h.Name), append(r.kinds, h.Typeflag)
	return &recording{of: r, name: h.Name}, r.refused(h.Name, "entry")
}

func (r *recorder) refused(name, step string) error {
	if r.refuse == nil {
		return nil
	}
	return r.refuse(name, step)
}

type recording struct {
	of      *recorder
	name    string
	content []byte
}

func (r *recording) Write(p []byte) (int, error) {
	r.content = append(r.content, p...)
	return len(p), r.of.refused(r.name, "write")
}

func (r *recording) Close() error {
	if r.of.sums == nil {
		r.of.sums = map[string][sha256.Size]byte{}
	}
	if _, found := r.of.sums[r.name]; found {
		return errors.New("closed twice")
	}
	r.of.sums[r.name] = sha256.Sum256(r.content)
	return r.of.refused(r.name, "close")
}

func TestWhoLooksOnSeesEveryByteInOrder(t *testing.T) {
	for name, archive := range map[string][]byte{
		"an archive of ours": rich(t),
		"a foreign one":      append(rich(t)[:0:0], foreignRich(t)...),
	} {
		t.Run(name, func(t *testing.T) {
			var seen recorder
			s, err := Check(bytes.NewReader(archive), &seen)
			assert.NilError(t, err)
			assert.NilError(t, s.Err())
			assert.Equal(t, s.Entries, int64(len(seen.names)))
			r := tar.NewReader(bytes.NewReader(archive))
			for i, name := range seen.names {
				h, err := r.Next()
				assert.NilError(t, err)
				assert.Equal(t, h.Name, name)
				assert.Equal(t, seen.kinds[i], h.Typeflag)
				content, err := io.ReadAll(r)
				assert.NilError(t, err)
				assert.Equal(t, seen.sums[name], sha256.Sum256(content), name)
			}
			_, err = r.Next()
			assert.ErrorIs(t, err, io.EOF)
		})
	}
}

// foreignRich is the volume of the rich archive alone, as a tar of somebody
// else, but for what is no part of a backup.
func foreignRich(t *testing.T) []byte {
	t.Helper()
	var members []member
	for _, m := range takeApart(t, rich(t)) {
		if Path(m.header.Name) == "v" || len(members) > 0 && m.header.Name != reportName && m.header.Name != sumsName {
			if m.header.Typeflag != tar.TypeBlock && m.header.Typeflag != tar.TypeSymlink {
				members = append(members, m)
			}
		}
	}
	return putTogether(t, members)
}

func TestAnErrorOfWhoLooksOnEndsThePass(t *testing.T) {
	cause := errors.New("no space left on device")
	for kind, c := range map[string]struct {
		archive []byte
		at      string
	}{
		"a file of ours": {sample(t), "./ucp-kv/data/s"}, "the manifest": {sample(t), manifestName},
		"the report": {sample(t), reportName}, "the checksums": {sample(t), sumsName},
		"a foreign file": {putTogether(t, vendors()), "./ucp-kv/data/db"},
	} {
		for _, step := range []string{"entry", "write", "close"} {
			t.Run(kind+" at "+step, func(t *testing.T) {
				seen := recorder{refuse: func(name, at string) error {
					if name == c.at && at == step {
						return cause
					}
					return nil
				}}
				s, err := Check(bytes.NewReader(c.archive), &seen)
				assert.ErrorIs(t, err, cause)
				assert.ErrorContains(t, err, c.at)
				assert.Equal(t, len(s.Problems), 0)
				assert.Assert(t, !s.Complete)
				assert.Equal(t, seen.names[len(seen.names)-1], c.at, "nothing is shown after it")
			})
		}
	}
}
