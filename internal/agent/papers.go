package agent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// Files in our folder of the spool, seen from the spool's root. Each is JSON on a line of its own. They are written whole
// or not at all, so a journal of which the content is damaged was damaged by the disk: no later life can do anything with
// it, so the agent leaves it as an orphan, says so in a Failed, and ends with 0.
const (
	JournalInSpool = spoolFolder + "/journal" // a Journal: UCP may be at rest, by an agent at work or one that died
	OrphanInSpool  = spoolFolder + "/orphan"  // a Journal that the next life of a dead agent is putting right
	ReceiptInSpool = spoolFolder + "/receipt" // a Receipt: a finished archive waits
)

// Journal is what must be put right: enough for anybody with the engine's socket.
type Journal struct {
	EngineID string       `json:"engine_id"`
	Node     string       `json:"node"`             // the swarm node whose reconcilers were told to hold still
	By       string       `json:"by"`               // who wanted the backup
	Output   string       `json:"output,omitempty"` // the operator's file in whose .part there is what was written; empty for the spool
	Since    time.Time    `json:"since"`
	Plan     quiesce.Plan `json:"plan"`
}

// Receipt says what a finished archive holds that nobody has fetched yet.
type Receipt struct {
	Result   Result            `json:"result"`
	Output   string            `json:"output,omitempty"` // the operator's file whose .part it is in; empty for the spool
	Sealed   bool              `json:"sealed"`
	Cloned   bool              `json:"cloned"`
	Manifest *archive.Manifest `json:"manifest"` // without the options of volumes, which may hold a password
}

// What a Task of the agent's image can be asked, as its first argument.
const (
	TaskPing  = "ping"  // with a port: GET /_ping over TLS from 127.0.0.1; prints nothing when the answer is 200 OK
	TaskShm   = "shm"   // prints how many file systems are mounted on the machine's /dev/shm
	TaskFix   = "fix"   // takes all of these but one away, and prints how many it took
	TaskClean = "clean" // empties our folder in the spool
	TaskHand  = "hand"  // with a nonce: hands the operator's file to the agent, and prints a Handed
)

// announce writes down how somebody else brings UCP back should this program die: in the journal, and for a person in the
// log. Nothing stops without both.
func (r *runner) announce(order *Order) error {
	journal := Journal{
		EngineID: r.engineID, Output: order.Output, Node: order.Instance.Node.ID, By: order.By, Since: time.Now().UTC(), Plan: order.Plan,
	}
	if err := r.spool.write(r.spool.journal(), journal); err != nil {
		return fmt.Errorf("%w; nothing was touched", err)
	}
	r.emit(Event{Type: Quiescing, Plan: &order.Plan})
	if err := r.failed(); err != nil {
		return errors.Join(err, r.spool.settle())
	}
	return nil
}

// leaveReceipt says on the disk that the archive is whole, for a plugin that does not hear it any more. Without it the
// archive is as good to one that does.
func (r *runner) leaveReceipt(order *Order, result Result) {
	manifest := *order.Manifest
	manifest.Volumes = slices.Clone(manifest.Volumes)
	for i := range manifest.Volumes {
		manifest.Volumes[i].Options = nil
	}
	receipt := Receipt{Result: result, Sealed: len(order.Key) > 0, Cloned: order.Clone, Manifest: &manifest}
	if order.Direct {
		receipt.Output = order.Output
	}
	if err := r.spool.write(r.spool.receipt(), receipt); err != nil {
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("the archive could not be fetched later: %v", err)})
	}
}
