package verify

import (
	"archive/tar"
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// The bounds of what is read of records, one at a time, and of what is kept of all.
const (
	maxRecord      = 1 << 20 // an inspected container has some ten KiB
	maxSwarmRecord = 4 << 20 // a swarm config holds at most 1000 KiB, and base64 makes 4/3 of it
	maxIdentities  = 64
	maxIdentity    = 128
)

// What is seen as a record: a container's inspect data at the top, and the swarm's objects in the archive's own folder.
var (
	containerRecord = regexp.MustCompile(`^[^/]+\.json$`)
	swarmRecord     = regexp.MustCompile(`^docker-ucp/(configs|services)/[^/]+\.json$`)
	versionedImage  = regexp.MustCompile(`(?:^|/)ucp-[a-z0-9-]+:([0-9]+\.[0-9]+\.[0-9][0-9A-Za-z.-]*)$`)
)

// records keeps what the JSON documents of an archive say of the UCP that it comes from.
type records struct {
	level    level // what was found on the way; judge hands it on
	versions said  // by label
	tags     said  // by image
	ids      said
}

func newRecords() *records { return &records{} }

// watch returns what takes the content of a record, nil for every other entry.
func (r *records) watch(h *tar.Header) io.WriteCloser {
	place, most := archive.Path(h.Name), int64(maxRecord)
	if len(place) > maxEntryName || h.Typeflag != tar.TypeReg {
		return nil
	}
	inSwarm := swarmRecord.MatchString(place)
	switch {
	case inSwarm:
		most = maxSwarmRecord
	case !containerRecord.MatchString(place):
		return nil
	}
	if h.Size > most {
		r.level.warn(h.Name, "has %d bytes, and was not looked at: a record is shorter than %d", h.Size, most)
		return nil
	}
	return &recordFile{records: r, entry: h.Name, place: place, swarm: inSwarm, content: make([]byte, 0, h.Size)}
}

// recordFile is one record on its way.
type recordFile struct {
	records *records
	entry   string
	place   string
	swarm   bool
	content []byte
}

// Write implements io.Writer.
func (f *recordFile) Write(p []byte) (int, error) {
	f.content = append(f.content, p[:min(len(p), maxSwarmRecord-len(f.content))]...)
	return len(p), nil
}

// Close implements io.Closer.
func (f *recordFile) Close() error {
	l := &f.records.level
	switch {
	case !json.Valid(f.content):
		l.fault(f.entry, "is not JSON")
	case f.swarm:
		f.object(l)
	default:
		f.container()
	}
	clear(f.content) // configs hold secrets
	return nil
}

// object holds a config against its name; services are JSON, and UCP makes them anew.
func (f *recordFile) object(l *level) {
	name, isConfig := strings.CutPrefix(strings.TrimSuffix(f.place, ".json"), configFolder)
	if !isConfig {
		return
	}
	var config struct {
		Spec struct {
			Name string
			Data []byte
		}
	}
	switch err := json.Unmarshal(f.content, &config); {
	case err != nil:
		l.fault(f.entry, "is not what the engine says of a swarm config")
	case config.Spec.Name != name:
		l.fault(f.entry, "is the swarm config %q, and not what its name says", printable(config.Spec.Name, 100))
	case len(config.Spec.Data) == 0:
		l.warn(f.entry, "is a swarm config without content")
	}
	clear(config.Spec.Data)
}

// container notes which UCP a container says that it belongs to. JSON of another shape says nothing.
func (f *recordFile) container() {
	type container struct {
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	var all []container
	if json.Unmarshal(f.content, &all) != nil {
		var one container
		if json.Unmarshal(f.content, &one) != nil {
			return
		}
		all = []container{one}
	}
	if len(all) != 1 {
		return
	}
	r, leads := f.records, f.place == "ucp-controller.json" || f.place == "ucp-proxy.json"
	labels := all[0].Config.Labels
	r.versions.add(labels[ucp.LabelVersion], f.entry, leads)
	r.ids.add(labels[ucp.LabelInstance], f.entry, leads)
	if tag := versionedImage.FindStringSubmatch(all[0].Config.Image); tag != nil {
		r.tags.add(tag[1], f.entry, leads)
	}
}
