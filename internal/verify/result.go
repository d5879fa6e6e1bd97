package verify

import (
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// Verdict is what a level, or all of them, come to.
type Verdict string

const (
	// Sound means that nothing is wrong, and nothing calls for attention.
	Sound Verdict = "sound"
	// SoundWithWarnings means that nothing is wrong, and somebody should read the warnings.
	SoundWithWarnings Verdict = "warnings"
	// Unsound means that something is wrong.
	Unsound Verdict = "unsound"
	// NotJudged means that a level below it broke off what this one would have looked at.
	NotJudged Verdict = "not judged"
	// NotSealed is the verdict of the level sealed on a plain tar.
	NotSealed Verdict = "not sealed"
)

// The levels, lowest first.
const (
	LevelSealed = "sealed"
	LevelTar    = "tar"
	LevelUCP    = "ucp"
)

// Severity says how grave a finding is.
type Severity string

const (
	// Note is worth knowing: above all what cannot be known of an archive of this kind.
	Note Severity = "note"
	// Warning asks for attention; the archive is sound all the same.
	Warning Severity = "warning"
	// Fault makes its level unsound.
	Fault Severity = "fault"
)

// Finding is one thing that was found, at one entry or about the whole.
type Finding struct {
	Severity Severity `json:"severity"`
	Entry    string   `json:"entry"` // as it stands in the archive, such as "./ucp-kv-certs/key.pem"; empty for the whole
	Text     string   `json:"text"`
}

// Level is one level's verdict and what it rests on, findings in the order in which they were met.
type Level struct {
	Name     string    `json:"name"`
	Verdict  Verdict   `json:"verdict"`
	Summary  string    `json:"summary"` // in one line what was found right, or first found wrong
	Findings []Finding `json:"findings"`
	More     int       `json:"more"` // findings beyond those that are kept
}

// Era says whose format an archive has.
type Era string

const (
	// EraOurs is an archive of docker ucp backup.
	EraOurs Era = "docker-ucp"
	// EraStopped is an archive of the vendor's backup up to UCP 3.1: files of volumes.
	EraStopped Era = "vendor up to 3.1"
	// EraOnline is one of the vendor's backup from UCP 3.2 on, MKE included: dumps of the databases.
	EraOnline Era = "vendor 3.2 and later"
	// EraNone is a tar that is no backup of UCP.
	EraNone Era = "none"
)

// Certificate is one certificate of the archive.
type Certificate struct {
	Entry    string    `json:"entry"`
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	CA       bool      `json:"ca"`
}

// Etcd is what the key-value store's files say of themselves. IDs are in hexadecimal, as etcdctl prints them.
type Etcd struct {
	Source    string       `json:"source"` // "data folder" or "snapshot"
	Entry     string       `json:"entry"`  // its database
	MemberID  string       `json:"member_id"`
	ClusterID string       `json:"cluster_id"`
	Members   []EtcdMember `json:"members"`
	Keys      int64        `json:"keys"`     // entries of the key bucket: revisions of keys, deleted ones among them
	Revision  int64        `json:"revision"` // the newest
}

// EtcdMember is one member of the cluster that the store belonged to.
type EtcdMember struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	URLs []string `json:"peer_urls"`
}

// Volume is one volume of the archive.
type Volume struct {
	Name    string `json:"name"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
}

// Result is everything that verify has found. Its JSON is the documented form of --format json: a name that is there
// stays, new ones may come.
type Result struct {
	File         string        `json:"file"` // empty for standard input
	Size         int64         `json:"size"` // bytes read
	Verdict      Verdict       `json:"verdict"`
	Words        string        `json:"words"`   // the verdict in a sentence
	Wrapped      []string      `json:"wrapped"` // what stands around the tar, outermost first: "gzip", "openpgp"
	Levels       []Level       `json:"levels"`
	Era          Era           `json:"era"`
	Version      string        `json:"ucp_version"`
	InstanceID   string        `json:"instance_id"`
	Created      *time.Time    `json:"created"` // null where the archive does not say
	Node         string        `json:"node"`
	Entries      int64         `json:"entries"`
	Files        int64         `json:"files"`
	Bytes        int64         `json:"bytes"` // of the files' content, holes included
	Volumes      []Volume      `json:"volumes"`
	Certificates []Certificate `json:"certificates"`
	Etcd         *Etcd         `json:"etcd"`    // null where there is none, or it cannot be read
	License      string        `json:"license"` // "there", "absent", "not in archives of this kind"

	Manifest *archive.Manifest `json:"-"` // of an archive of ours
}
