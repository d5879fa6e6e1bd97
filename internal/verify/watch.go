package verify

import (
	"archive/tar"
	"io"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// watcher hands each entry to whoever wants to know what is in it.
type watcher struct {
	lister       *archive.Lister // nil when nothing is listed
	rules        *rules
	certificates *certificates
	records      *records
	stores       *stores
	kept         level // what is odd in a volume, and in the archive as it was there
}

func newWatcher(list io.Writer) *watcher {
	w := &watcher{rules: newRules(), certificates: newCertificates(), records: newRecords(), stores: newStores()}
	if list != nil {
		w.lister = archive.NewLister(list)
	}
	return w
}

// Entry implements archive.Watcher.
func (w *watcher) Entry(h *tar.Header) (io.WriteCloser, error) {
	if err := w.list(h); err != nil {
		return nil, err
	}
	w.rules.entry(h)
	if w.rules.manifest {
		w.odd(h)
	}
	for _, watch := range []func(*tar.Header) io.WriteCloser{w.certificates.watch, w.records.watch, w.stores.watch} {
		if content := watch(h); content != nil {
			return content, nil
		}
	}
	return nil, nil
}

// Refused implements archive.Onlooker: a list leaves nothing out.
func (w *watcher) Refused(h *tar.Header) error { return w.list(h) }

func (w *watcher) list(h *tar.Header) error {
	if w.lister == nil {
		return nil
	}
	return w.lister.Entry(h)
}

// odd notes what is refused in a stranger's archive. One of ours has it because
// the volume had; the order of its entries keeps anything from being written
// through a link.
func (w *watcher) odd(h *tar.Header) {
	if err := archive.LeadsOut(h); err != nil {
		w.kept.note(h.Name, "%s; it was so in the volume", err)
	}
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		w.kept.note(h.Name, "a device node; it was so in the volume")
	}
}

// close releases what the watchers hold, on every way out.
func (w *watcher) close() error {
	w.certificates.forget()
	return w.stores.close()
}
