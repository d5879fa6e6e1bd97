package verify

import (
	"archive/tar"
	"errors"
	"fmt"
	"strconv"

	"github.com/docker/go-units"

	"github.com/docker-ucp/docker-ucp/internal/etcd"
)

// maxDatabase bounds the temporary file. Etcd's own documents know no database
// beyond 8 GiB.
const maxDatabase = 16 << 30

// databaseFile gathers a database in a temporary file, since bbolt's tree
// cannot be read from front to back, and looks at it when it is there.
type databaseFile struct {
	stores  *stores
	level   *level // takes what is wrong with it
	entry   string
	size    int64
	head    []byte
	counts  int64 // bytes that mean something; -1 when it is not to be looked at
	spool   *spool
	spooled int64
	trailer *etcd.Trailer // of a dump with a hash at its end
	found   *etcd.Database
}

func (s *stores) newDatabase(h *tar.Header, l *level) *databaseFile {
	f := &databaseFile{stores: s, level: l, entry: h.Name, size: h.Size}
	s.open = f
	return f
}

// Write implements io.Writer.
func (f *databaseFile) Write(p []byte) (int, error) {
	if f.trailer != nil {
		if _, err := f.trailer.Write(p); err != nil {
			return 0, err
		}
	}
	if f.counts >= 0 {
		if err := f.take(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// take keeps what counts, which the head tells.
func (f *databaseFile) take(p []byte) error {
	if f.spool == nil {
		need := int(min(etcd.HeadSize, f.size)) - len(f.head)
		f.head = append(f.head, p[:min(need, len(p))]...)
		if p = p[min(need, len(p)):]; len(f.head) < int(min(etcd.HeadSize, f.size)) {
			return nil
		}
		if err := f.begin(); err != nil || f.counts < 0 {
			return err
		}
		if err := f.keep(f.head); err != nil {
			return err
		}
		f.head = nil
	}
	return f.keep(p)
}

func (f *databaseFile) begin() (err error) {
	head, err := etcd.ReadHead(f.head)
	switch {
	case err != nil:
		f.refuse("%s", err)
	case head.Bytes > maxDatabase:
		f.refuse("a database of %s was not looked at; etcd's own limit is 8 GiB", units.BytesSize(float64(head.Bytes)))
	default:
		f.counts = head.Bytes
		f.spool, err = newSpool()
		return err
	}
	return nil
}

// refuse gives a verdict before the end.
func (f *databaseFile) refuse(format string, args ...any) {
	f.level.fault(f.entry, format, args...)
	f.counts, f.head = -1, nil
}

func (f *databaseFile) keep(p []byte) error {
	p = p[:min(int64(len(p)), f.counts-f.spooled)]
	at := f.spooled
	f.spooled += int64(len(p))
	return f.spool.put(p, at)
}

// Close looks at the database, and releases its file.
func (f *databaseFile) Close() error {
	if f.size == 0 {
		f.refuse("the database is empty")
	}
	var err error
	if f.spool != nil {
		f.found, err = etcd.CheckDatabase(f.spool.file, f.spooled)
		if errors.Is(err, etcd.ErrDamaged) {
			f.level.fault(f.entry, "%s", err)
			err = nil
		} else if err != nil {
			err = fmt.Errorf("look at the copy of %s: %w", f.entry, err)
		}
	}
	f.judgeTrailer()
	return errors.Join(err, f.release())
}

func (f *databaseFile) judgeTrailer() {
	if f.trailer == nil {
		return
	}
	switch err := f.trailer.Verdict(); {
	case errors.Is(err, etcd.ErrNoTrailer):
		f.level.fault(f.entry, "%s; etcd restores it only with --skip-hash-check", err)
	case err != nil:
		f.level.fault(f.entry, "%s", err)
	}
}

// release lets the temporary file go. It may be called again.
func (f *databaseFile) release() error {
	f.stores.open = nil
	if f.spool == nil {
		return nil
	}
	file := f.spool
	f.spool, f.counts = nil, -1
	return file.close()
}

// hexID writes an ID as etcdctl does.
func hexID(id uint64) string { return strconv.FormatUint(id, 16) }
