// Package agent is the program that runs on the manager, in a container of ours beside UCP, and the protocol between
// it and the plugin. It survives the plugin: once ordered to, it brings UCP to rest, captures it and brings it back by
// itself, whether or not anybody still listens.
//
// The plugin writes two lines of JSON to the agent's standard input, a Job and an Order. The agent answers with lines
// of JSON on its standard output, which the engine keeps as the container's log, so that a plugin whose connection
// broke reads them again:
//
//	plugin                          agent
//	Job: look at these volumes  →
//	                            ←   surveyed: sizes, room, can it clone
//	Order: keys, plan, go       →
//	                            ←   quiescing: the plan; progress; resumed: the down time; finished or failed
//	end of input                →
//
// A Job alone changes nothing, and when the input ends before the Order, the agent ends too. One that has finished waits
// for the end of its input: while its container runs, no other backup begins. Only a plugin that has delivered
// everything has the spool emptied; otherwise the archive waits in it, with a receipt.
//
// Before anything is at rest there is a journal in the spool, and when everything is as it was there is none. An agent that
// finds one when it starts is the next life of one that died: it does not read its input, which may not end, but brings
// UCP back, and ends. Where an archive waits it then listens for a minute, as any agent does, for a plugin that wants its
// name held. The exit status is an error while there is a journal, so the engine starts the agent again until there is
// none. Two kinds of journal stay all the same, with a Failed and a status of 0, because no later life could do more: that
// of another engine, and one of which the disk has damaged the content.
//
// The session key comes in the Order, so on standard input alone; no event, journal or receipt holds a secret. The package
// does not promise that an agent of one version understands a plugin of another: both are the same program.
package agent

import (
	"encoding/json"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// Job tells the agent what to look at.
type Job struct {
	EngineID string   `json:"engine_id"` // the engine whose containers this is about; the agent refuses any other
	Volumes  []string `json:"volumes"`
	Nonce    string   `json:"nonce,omitempty"` // what the file holds that a HandTask brings meanwhile; empty for none
	Hold     bool     `json:"hold,omitempty"`  // touch nothing, and hold the agent's name until the input ends
	Clean    bool     `json:"clean,omitempty"` // behind an Order or a Hold: all is delivered and said; empty the spool and end
}

// Order tells the agent what to do. It holds the session key of this one archive, and the packets that lock it.
type Order struct {
	Key      []byte            `json:"key,omitempty"` // empty for an archive that is not sealed
	Packets  []byte            `json:"packets,omitempty"`
	Compress bool              `json:"compress,omitempty"`
	Direct   bool              `json:"direct,omitempty"` // write into the file that was handed over instead of the spool
	Clone    bool              `json:"clone,omitempty"`
	Output   string            `json:"output,omitempty"` // Direct: the file's name for the operator, for the receipt
	By       string            `json:"by"`               // who wants the backup, for the label on the node
	Held     bool              `json:"held,omitempty"`   // an earlier backup's label is still on the node, for want of a leader
	Instance ucp.Instance      `json:"instance"`         // whose containers' inspect data goes into the archive
	Plan     quiesce.Plan      `json:"plan"`
	Manifest *archive.Manifest `json:"manifest"`
}

// EventType names what an Event reports.
type EventType string

// The events, in the order in which they come. Progress and Warning may come between any two of them.
const (
	Surveyed  EventType = "surveyed"
	Quiescing EventType = "quiescing"
	Resumed   EventType = "resumed"
	Finished  EventType = "finished"
	Failed    EventType = "failed"
	Progress  EventType = "progress"
	Warning   EventType = "warning"
)

// Event is one line of the agent's log. A reader that comes again counts the events that it has seen, and skips them.
type Event struct {
	Time time.Time `json:"time"`
	Type EventType `json:"type"`

	Survey   *Survey       `json:"survey,omitempty"`   // Surveyed
	Plan     *quiesce.Plan `json:"plan,omitempty"`     // Quiescing
	Downtime Millis        `json:"downtime,omitempty"` // Resumed
	Result   *Result       `json:"result,omitempty"`   // Finished
	Phase    Phase         `json:"phase,omitempty"`    // Progress
	Done     int64         `json:"done,omitempty"`     // Progress
	Total    int64         `json:"total,omitempty"`    // Progress; zero when nobody knows it
	Complete bool          `json:"complete,omitempty"` // Progress: the last of a phase that went well
	Message  string        `json:"message,omitempty"`  // Warning, Failed
	Hint     string        `json:"hint,omitempty"`     // Failed
	// NotResumed names the containers that could not be brought back: Resumed, Finished, Failed.
	NotResumed []string `json:"not_resumed,omitempty"`
	// Held says that the node's label could not be taken off, for want of a leader: Finished, Failed. The agent stays, and
	// takes it off when there is one.
	Held bool `json:"held,omitempty"`
}

// Phase names what a Progress event counts.
type Phase string

// The phases of a backup on the manager. Stopping counts containers, the others bytes.
const (
	Stopping  Phase = "stop"
	Cloning   Phase = "clone"
	Capturing Phase = "capture"
)

// Millis is a length of time in milliseconds, as the archive's report has it.
type Millis int64

// MillisOf rounds d.
func MillisOf(d time.Duration) Millis { return Millis(d.Round(time.Millisecond).Milliseconds()) }

// Duration returns the length of time.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Survey is what the agent saw before anything was touched.
type Survey struct {
	Volumes   []VolumeSize `json:"volumes"`
	SpoolFree int64        `json:"spool_free"` // bytes that the spool has room for
	Clone     bool         `json:"clone"`      // every volume can be cloned into the spool
	NoClone   string       `json:"no_clone,omitempty"`
	// Waits is a finished archive in the spool that nobody has fetched: an Order removes it.
	Waits *Receipt `json:"waits,omitempty"`
}

// VolumeSize is what one volume holds.
type VolumeSize struct {
	Name      string `json:"name"`
	Entries   int64  `json:"entries"`
	Bytes     int64  `json:"bytes"`     // length of its regular files
	Allocated int64  `json:"allocated"` // what of them is data and no hole
	Cloning   int64  `json:"cloning"`   // what a clone takes in the spool beside shared blocks
}

// Bytes returns the length of all regular files, and what of it is data.
func (s *Survey) Bytes() (length, allocated int64) {
	for _, v := range s.Volumes {
		length += v.Bytes
		allocated += v.Allocated
	}
	return length, allocated
}

// Result is a finished archive.
type Result struct {
	// CRC32C is the checksum (Castagnoli, RFC 3720 B.4) of the sealed archive as it was written, for whoever reads it back.
	// UCP waits for whatever is computed here, and SHA-256 is ten times as dear; against tampering there is the seal.
	CRC32C   uint32   `json:"crc32c"`
	Size     int64    `json:"size"` // of the sealed archive, bytes
	Entries  int64    `json:"entries"`
	Sockets  int64    `json:"sockets"` // files of a kind that no archive can hold, left out
	Downtime Millis   `json:"downtime"`
	Missing  []string `json:"missing,omitempty"` // what the swarm could not give
}

// ParseEvent reads one line of the agent's log; false for a line that is no event.
func ParseEvent(line []byte) (Event, bool) {
	var event Event
	err := json.Unmarshal(line, &event)
	return event, err == nil && event.Type.isKnown() && !event.Time.IsZero()
}

func (t EventType) isKnown() bool {
	switch t {
	case Surveyed, Quiescing, Resumed, Finished, Failed, Progress, Warning:
		return true
	default:
		return false
	}
}
