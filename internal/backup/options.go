// Package backup tells the story of a backup: discover, look, decide, order, follow, deliver. It holds the plugin's half;
// the other half runs in internal/agent, on the manager.
//
// Whatever happens, the output is whole or not there, and what was made on the engine is removed. The package does not
// promise that UCP is healthy afterwards, only that its containers run; and when the connection to the engine is lost
// for good, it is the agent alone that brings UCP back.
package backup

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// Clone says whether volumes are cloned before they are read.
type Clone string

// The ways of cloning.
const (
	CloneAuto   Clone = "auto"   // where the file system can
	CloneAlways Clone = "always" // or refuse
	CloneNever  Clone = "never"
)

// DefaultSpool is the volume in which the sealed archive waits when the operator names none; it is made and removed.
const DefaultSpool = "docker-ucp-spool"

// DefaultSocket is where an engine's socket usually is on its machine.
const DefaultSocket = "/var/run/docker.sock"

// Options is what the operator may choose.
type Options struct {
	ID   string // the UCP instance; empty for the one that is there
	Path string // the file to write; empty for Stdout
	// Lock says who can open the archive; a nil Lock is an archive that is not sealed. It is called when the engine has
	// been found to hold what is to be backed up, so that nobody is asked for a passphrase in vain. Nil for a dry run.
	Lock func(ctx context.Context) (*seal.Lock, error)

	Stdout       io.Writer
	Compress     bool
	Exclude      []string       // volumes to leave out
	Quiesce      quiesce.Action // how UCP's own containers are brought to rest; empty for a stop
	Resume       bool           // fetch what an interrupted run left on the manager, and take no backup
	Force        bool           // also where UCP loses its quorum while this manager rests
	FixShm       bool           // take the piled-up mounts of /dev/shm away first
	Attended     bool           // somebody can be told what to type; nobody is there for a cron job
	Clone        Clone
	Spool        string
	StopTimeout  *time.Duration // per container; nil for the container's own
	SecurityOpt  []string
	EngineSocket string // on the manager; empty to try where it usually is
	DryRun       bool   // stop after Approve

	Program   string // this program's file, of which the agent's image is made
	Version   string // this program's version
	StartedBy string // who runs this, for the refusal that a second run gets
	Log       *slog.Logger

	// Approve is shown the plan before anything is touched; its error ends the run.
	Approve func(ctx context.Context, plan *Plan) error
}

// Result is a backup that was made.
type Result struct {
	File     string   `json:"file,omitempty"` // empty for standard output
	Size     int64    `json:"size"`
	Entries  int64    `json:"entries"`
	SHA256   string   `json:"sha256"`
	ID       string   `json:"id"`
	Version  string   `json:"version"`
	Downtime int64    `json:"downtime_ms"`
	Cloned   bool     `json:"cloned"`
	Sealed   bool     `json:"sealed"`
	Sockets  int64    `json:"sockets_left_out,omitempty"`
	Excluded []string `json:"excluded_volumes,omitempty"`
	Missing  []string `json:"missing,omitempty"` // what the swarm could not give
	Resumed  bool     `json:"resumed,omitempty"` // an earlier run took it, and this one fetched it
}
