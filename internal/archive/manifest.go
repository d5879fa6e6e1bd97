package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Version is the format version that this package writes, and the newest that
// it reads.
const Version = 1

// maxManifest bounds what a reader takes into memory for manifest and report.
const maxManifest = 4 << 20

// maxItems bounds the elements of all of a manifest's lists and maps together:
// in 4 MiB there is room for many, and each takes a hundred bytes of memory.
const maxItems = 100_000

// maxBytes is an exbibyte: what volumes cannot have, and sums cannot overflow.
const maxBytes = 1 << 60

// Manifest is the archive's first entry: where the backup comes from, how it
// was taken, and what must follow.
type Manifest struct {
	FormatVersion   int       `json:"format_version"` // set by WriteManifest
	Tool            Tool      `json:"tool"`
	Created         time.Time `json:"created"`
	UCP             UCP       `json:"ucp"`
	Node            Node      `json:"node"`
	Engine          Engine    `json:"engine"`
	Swarm           Swarm     `json:"swarm"`
	KVMembers       []string  `json:"kv_members"`
	Quiesce         Quiesce   `json:"quiesce"`
	Snapshot        Snapshot  `json:"snapshot"`
	Seal            Seal      `json:"seal"`
	Volumes         []Volume  `json:"volumes"`          // sorted by name, bytewise
	ExcludedVolumes []string  `json:"excluded_volumes"` // UCP volumes left out on purpose
	Missing         []string  `json:"missing"`          // what could not be had, such as the configs of a swarm without quorum
}

// Tool names the program that wrote the archive.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// UCP identifies the UCP that was backed up.
type UCP struct {
	InstanceID string `json:"instance_id"`
	Version    string `json:"version"`
	Era        string `json:"era"`
}

// Node is the manager that the volumes were read on.
type Node struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Role    string `json:"role"`
}

// Engine is the Docker engine of that manager.
type Engine struct {
	Version    string `json:"version"`
	APIVersion string `json:"api_version"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	SELinux    bool   `json:"selinux"`
}

// Swarm is the cluster that the manager belonged to.
type Swarm struct {
	ClusterID string   `json:"cluster_id"`
	Managers  []Member `json:"managers"`
}

// Member is one manager of a swarm.
type Member struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Quiesce says how UCP was held still, and which containers that touched.
type Quiesce struct {
	Mode    string   `json:"mode"`
	Stopped []string `json:"stopped"`
	Paused  []string `json:"paused"`
}

// Snapshot says what the files were read from: "clone" or "none".
type Snapshot struct {
	Mode string `json:"mode"`
}

// Seal says what the archive was locked with, so that a lock that was damaged
// since shows although another one opens the message.
type Seal struct {
	LocksSHA256 string `json:"locks_sha256"` // in hexadecimal, of all that stands before the encrypted data; empty where nothing is sealed
}

// Volume is one volume of the archive, and what it must hold.
type Volume struct {
	Name    string            `json:"name"`
	Driver  string            `json:"driver"`
	Options map[string]string `json:"options"`
	Labels  map[string]string `json:"labels"`
	Entries int64             `json:"entries"` // tar entries, the volume's root among them
	Bytes   int64             `json:"bytes"`   // logical size of the regular files, hard links once
	Sockets int64             `json:"sockets"` // left out
}

// Report is what is known only after UCP runs again: it stands last but one.
type Report struct {
	QuiescedAt time.Time `json:"quiesced_at"`
	ResumedAt  time.Time `json:"resumed_at"`
	DowntimeMS int64     `json:"downtime_ms"`
	// HeadersSHA256 is the digest of every byte of the tar before the report's
	// own header that is not content of a regular file. WriteReport sets it;
	// the archives of earlier releases have none.
	HeadersSHA256 string `json:"headers_sha256"`
}

// volumeName is what the engine accepts as a volume's name.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// validate refuses what the rest of the archive could not be held against.
func (m *Manifest) validate() error {
	previous, bytes := "", int64(0)
	for _, v := range m.Volumes {
		switch {
		case !volumeName.MatchString(v.Name):
			return fmt.Errorf("manifest: %q is no volume name", v.Name)
		case v.Name == ownFolder:
			return fmt.Errorf("manifest: a volume named %q would stand in the archive's own folder", v.Name)
		case v.Name <= previous:
			return fmt.Errorf("manifest: volume %q comes after %q: volumes are sorted, each named once", v.Name, previous)
		case v.Entries < 1 || v.Sockets < 0 || v.Bytes < 0 || v.Bytes > maxBytes-bytes:
			return fmt.Errorf("manifest: volume %q has impossible counts", v.Name)
		}
		previous, bytes = v.Name, bytes+v.Bytes
	}
	return nil
}

// encodeManifest stamps the version and renders the first entry's content.
func encodeManifest(m *Manifest) ([]byte, error) {
	stamped := m.filled()
	stamped.FormatVersion = Version
	if err := stamped.validate(); err != nil {
		return nil, err
	}
	content, err := encodeJSON("manifest", &stamped)
	if err != nil {
		return nil, err
	}
	return content, countItems(content)
}

// filled returns a copy in which every list and map is there, so that a reader
// in any language meets an empty one and never a null.
func (m *Manifest) filled() Manifest {
	list := func(l []string) []string { return append([]string{}, l...) }
	f := *m
	f.Swarm.Managers = append([]Member{}, m.Swarm.Managers...)
	f.KVMembers, f.ExcludedVolumes, f.Missing = list(m.KVMembers), list(m.ExcludedVolumes), list(m.Missing)
	f.Quiesce.Stopped, f.Quiesce.Paused = list(m.Quiesce.Stopped), list(m.Quiesce.Paused)
	f.Volumes = append([]Volume{}, m.Volumes...)
	for i := range f.Volumes {
		v := &f.Volumes[i]
		if v.Options == nil {
			v.Options = map[string]string{}
		}
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
	}
	return f
}

// countItems refuses what would take far more memory than it is long. Every
// element but the first has a comma before it.
func countItems(content []byte) error {
	if n := bytes.Count(content, []byte(",")); n > maxItems {
		return fmt.Errorf("manifest: %d elements are more than %d", n, maxItems)
	}
	return nil
}

// encodeJSON renders what an operator may read with less.
func encodeJSON(what string, v any) ([]byte, error) {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the %s: %w", what, err)
	}
	if len(content) >= maxManifest {
		return nil, fmt.Errorf("%s of %d bytes is longer than the %d that a reader accepts", what, len(content), maxManifest)
	}
	return append(content, '\n'), nil
}

// errNoVersion is met in a manifest that some other program wrote.
var errNoVersion = errors.New("manifest: no format_version")

// decodeManifest reads the version before anything else, since a newer format
// may have changed the meaning of every other field.
func decodeManifest(content []byte) (*Manifest, error) {
	if err := countItems(content); err != nil {
		return nil, err
	}
	var head struct {
		FormatVersion int  `json:"format_version"`
		Tool          Tool `json:"tool"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if head.FormatVersion > Version {
		return nil, fmt.Errorf("archive format %d is newer than this release reads (%d): use %q %q, which wrote it, or later",
			head.FormatVersion, Version, head.Tool.Name, head.Tool.Version)
	}
	if head.FormatVersion < 1 {
		return nil, errNoVersion
	}
	m := new(Manifest)
	if err := json.Unmarshal(content, m); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	return m, nil
}
