package verify

import (
	"archive/tar"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// The bounds of what is kept of certificate volumes. The names that UCP itself uses have room of their own, so that other
// files cannot crowd them out.
const (
	maxPEM       = 256 << 10 // a bundle of all public CAs has some 220 KiB
	maxOtherPEM  = 1 << 20   // of all files with other names together
	maxPEMFiles  = 256       // files with other names
	maxEntryName = 4096
)

// The volumes of the two root CAs, and of the web server's certificate.
const (
	clusterRoot = "ucp-cluster-root-ca"
	clientRoot  = "ucp-client-root-ca"
	serverCerts = "ucp-controller-server-certs"
)

// certificateVolumes are those whose files are watched, the roots first (ucp-facts 1.1).
func certificateVolumes() []string {
	return []string{
		clusterRoot, clientRoot, serverCerts, "ucp-auth-api-certs", "ucp-auth-store-certs", "ucp-auth-worker-certs",
		"ucp-controller-client-certs", "ucp-kv-certs", "ucp-node-certs",
	}
}

// certificates keeps the files of UCP's certificate volumes until all of them are there to be held against each other:
// those that are no PEM files by their names too, for a link may lead to any.
type certificates struct {
	volumes map[string]bool     // those of which anything was seen
	files   map[string]*pemFile // by place
	others  int                 // files whose names UCP does not use
	room    int64               // for their content
	dropped int                 // of them, for want of room
}

// pemFile is one file, or the link that stands in its place.
type pemFile struct {
	entry   string // as the archive writes it
	content []byte
	size    int64
	link    string // the place that a link leads to
	state   pemState
}

type pemState int

const (
	pemBegun pemState = iota // its end has not come, and never will if the archive breaks off
	pemWhole
	pemTooLong
	pemLink
	pemNoFile // a folder or a device
)

func newCertificates() *certificates {
	return &certificates{volumes: map[string]bool{}, files: map[string]*pemFile{}, room: maxOtherPEM}
}

// watch returns what takes the content of a PEM file, nil for every other entry. It wants to see links and folders too.
func (c *certificates) watch(h *tar.Header) io.WriteCloser {
	place := archive.Path(h.Name)
	volume, rest, _ := strings.Cut(place, "/")
	if !slices.Contains(certificateVolumes(), volume) {
		return nil
	}
	c.volumes[volume] = true
	if rest == "" || h.Typeflag == tar.TypeDir && !strings.HasSuffix(rest, ".pem") || !c.fits(place, h) {
		return nil
	}
	if before := c.files[place]; before != nil {
		before.forget() // of a name that comes twice, the last is what extraction leaves
	}
	f, target := &pemFile{entry: h.Name, size: h.Size}, h.Linkname
	if len(target) > maxEntryName {
		target = "" // no system follows it
	}
	c.files[place] = f
	switch {
	case h.Typeflag == tar.TypeLink:
		f.state, f.link = pemLink, archive.Path(target)
	case h.Typeflag == tar.TypeSymlink:
		f.state, f.link = pemLink, symlinkPlace(place, target)
	case h.Typeflag != tar.TypeReg:
		f.state = pemNoFile
	case h.Size > maxPEM:
		f.state = pemTooLong
	case h.Size == 0:
		f.state = pemWhole
	default:
		f.content = make([]byte, 0, h.Size) // never grown, so that no copy of a key stays behind
		return f
	}
	return nil
}

// fits tells whether there is room for a file, which the names that UCP uses always have.
func (c *certificates) fits(place string, h *tar.Header) bool {
	if isUCPs(place) {
		return true
	}
	size := h.Size
	if size > maxPEM {
		size = 0 // nothing of it is kept
	}
	if c.others == maxPEMFiles || size > c.room || len(place) > maxEntryName {
		if strings.HasSuffix(place, ".pem") {
			c.dropped++
		}
		return false
	}
	c.others, c.room = c.others+1, c.room-size
	return true
}

// isUCPs knows the files that UCP's components read.
func isUCPs(place string) bool {
	_, file, _ := strings.Cut(place, "/")
	return slices.Contains([]string{"ca.pem", "cert.pem", "client_ca.pem", "key.pem"}, file)
}

// Write implements io.Writer.
func (f *pemFile) Write(p []byte) (int, error) {
	if len(p) > cap(f.content)-len(f.content) {
		f.state = pemTooLong
		return len(p), nil
	}
	f.content = append(f.content, p...)
	return len(p), nil
}

// Close implements io.Closer.
func (f *pemFile) Close() error {
	if f.state == pemBegun {
		f.state = pemWhole
	}
	return nil
}

// follow returns the file that a place comes to through links, of folders too, nil when there is none that was kept.
func (c *certificates) follow(place string) *pemFile {
	for range 8 {
		switch f := c.files[place]; {
		case f == nil:
			folder := c.linkAbove(place)
			if folder == "" {
				return nil
			}
			place = path.Join(c.files[folder].link, strings.TrimPrefix(place, folder))
		case f.state == pemLink:
			place = f.link
		default:
			return f
		}
	}
	return nil
}

// linkAbove finds the first folder on the way to a place that is a link.
func (c *certificates) linkAbove(place string) string {
	if len(place) > maxEntryName {
		return ""
	}
	for i, letter := range place {
		if letter != '/' {
			continue
		}
		if f := c.files[place[:i]]; f != nil && f.state == pemLink {
			return place[:i]
		}
	}
	return ""
}

// forget overwrites what was kept, private keys among it.
func (c *certificates) forget() {
	for _, f := range c.files {
		f.forget()
	}
	c.files = map[string]*pemFile{}
}

func (f *pemFile) forget() { clear(f.content[:cap(f.content)]) }

// symlinkPlace is where a symlink leads to; an absolute one leads out of what the archive holds.
func symlinkPlace(place, target string) string {
	if path.IsAbs(target) {
		return target
	}
	return path.Join(path.Dir(place), target)
}
