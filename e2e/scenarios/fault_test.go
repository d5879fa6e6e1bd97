package scenarios

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// The fault matrix: whatever dies during a backup, UCP comes back. "make faults" plays all of it.
var (
	faultsFlag  = flag.String("faults", "some", "rows of the fault matrix to play: some, all, or those whose name matches this regular expression")
	faultsTable = flag.String("faults-table", "", "file that gets a table of what the rows came to")
)

// row is one fault in one phase of a backup, and what must come of it.
type row struct {
	fault string
	at    phase
	some  bool // played by make test too

	flags    []string                    // of the backup, besides the usual
	terminal bool                        // a person has typed it
	setUp    func(t *testing.T, p *play) // before the world is looked at; may change archive, flags and where
	act      func(t *testing.T, p *play) // while the phase is held, which ends behind it
	codes    []int                       // exit status: any of these
	words    []string                    // in the last words of a run that failed
	file     bool                        // the archive is there and whole, although the run did not end with 0
	replaced bool                        // the swarm makes its tasks anew
	help     func(t *testing.T, p *play) // what a person must do before UCP is as it was
	repair   func(t *testing.T, p *play) // what a person does before the next run
	next     func(t *testing.T, p *play) // the run behind it
}

func (r row) name() string { return r.fault + ", " + r.at.name }

// play is one row under way.
type play struct {
	*tapped

	row     row
	before  world
	keys    layout.Keys
	hold    *hold
	running *running
	calls   *tap.Recording // of the agent, told when the row fails

	archive string   // where the operator wants it
	host    string   // the same as the test sees it, where that differs
	flags   []string // of the backup, besides those of the row
	prefix  []string // a command that runs the docker CLI somewhere else
	stdout  *os.File // nil for nowhere, or the terminal where there is one

	filled       string // a disk that can be filled, as the test sees it
	brittle      string // the image of a disk that can be broken
	rival        *running
	rivalArchive string
}

func TestFaultsOnTheInstalledEngine(t *testing.T) { playFaults(t, lab.Installed) }

func TestFaultsOnTheCurrentEngine(t *testing.T) { playFaults(t, lab.Current) }

func playFaults(t *testing.T, version string) {
	t.Helper()
	s := newTapped(t, lab.Options{Version: version}, standin.Options{DataBytes: 96 << 20})
	table := &faultTable{engine: version}
	defer table.print(t)
	for _, r := range chosen(faults()) {
		t.Run(r.name(), func(t *testing.T) {
			result := table.begin(r)
			s.playRow(t, r, result)
		})
	}
}

// faults is the whole matrix.
func faults() []row {
	return slices.Concat(clientFaults(), connectionFaults(), agentFaults(), engineFaults(), containerFaults(), diskFaults(), rivalFaults())
}

func chosen(all []row) []row {
	switch *faultsFlag {
	case "all":
		return all
	case "some":
		return slices.DeleteFunc(all, func(r row) bool { return !r.some })
	}
	wanted := regexp.MustCompile(*faultsFlag)
	return slices.DeleteFunc(all, func(r row) bool { return !wanted.MatchString(r.name()) })
}

// How long a run may take that waits for whatever it waits for, and UCP to be as it was once nobody hinders it.
const (
	runLimit    = 5 * time.Minute
	settleLimit = 90 * time.Second
)

func (s *tapped) playRow(t *testing.T, r row, result *outcome) {
	t.Helper()
	p := &play{tapped: s, row: r, archive: output(t)}
	t.Cleanup(func() { p.tidy(t) })
	p.calls = s.agent.Record(t.TempDir())
	if r.at.spooled {
		p.hide(t)
	}
	if r.setUp != nil {
		r.setUp(t, p)
	}
	p.before, p.keys = s.look(t), s.keys(t)
	down := s.watch(t, p.before)
	p.hold = r.at.hold(t, p)
	p.start(t)
	p.hold.reach(t)
	if r.act != nil {
		r.act(t, p)
	}
	p.hold.release(t)
	a := p.running.end(t, runLimit)
	result.code = a.code
	p.judge(t, a)
	if r.help != nil {
		r.help(t, p)
	}
	p.settles(t)
	result.down = down.stop()
	if r.repair != nil {
		r.repair(t, p)
	}
	if r.next != nil {
		r.next(t, p)
	}
	p.isAsBefore(t)
	result.passed = true
}

// start begins the backup through the taps.
func (p *play) start(t *testing.T) {
	t.Helper()
	command := p.through(t, slices.Concat([]string{"--passphrase-file", p.pass}, p.row.flags, []string{p.archive})...)
	if p.stdout != nil {
		command.Stdout = p.stdout
	}
	if p.row.terminal {
		p.running = runOnTerminal(t, command)
		return
	}
	p.running = run(t, command)
}

// through is a backup whose calls, and those of its agent, go through the taps.
func (p *play) through(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	variables, flags := p.throughTaps()
	args = slices.Concat([]string{"ucp", "backup", "--progress", "plain"}, flags, p.flags, args)
	command := p.command(t.Context(), variables, args...)
	if len(p.prefix) > 0 {
		path, err := exec.LookPath(p.prefix[0])
		assert.NilError(t, err)
		command.Path, command.Args = path, slices.Concat(p.prefix, command.Args)
	}
	return command
}

// judge looks at what the operator sees.
func (p *play) judge(t *testing.T, a answer) {
	t.Helper()
	assert.Assert(t, slices.Contains(p.row.codes, a.code), "exit status %d, not one of %v:\n%s", a.code, p.row.codes, a.stderr)
	if a.code > 0 {
		mentions(t, a.lastWords(), p.row.words...)
	}
	if a.code == 0 || p.row.file {
		p.isWhole(t)
		return
	}
	if p.rival == nil {
		assert.Assert(t, !slices.Contains(p.files(t), "ucp.tar"))
	}
}
