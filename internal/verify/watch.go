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
	if w.lister != nil {
		if err := w.lister.Entry(h); err != nil {
			return nil, err
		}
	}
	w.rules.entry(h)
	for _, watch := range []func(*tar.Header) io.WriteCloser{w.certificates.watch, w.records.watch, w.stores.watch} {
		if content := watch(h); content != nil {
			return content, nil
		}
	}
	return nil, nil
}

// close releases what the watchers hold, on every way out.
func (w *watcher) close() error {
	w.certificates.forget()
	return w.stores.close()
}
