package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/golden"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

const (
	testInstance = "UCP:ONE"
	gigabyte     = 1_000_000_000
)

// discovered is a backup before its decision.
func discovered(opts Options) *backup {
	opts.Spool = DefaultSpool
	return &backup{opts: opts, instance: &ucp.Instance{
		ID: testInstance, Version: "3.1.4", Node: ucp.Node{Name: "manager1"},
		Containers: []ucp.Container{
			{ID: "1", Name: "ucp-agent.x1.y2", State: "running", Ours: true, Task: true},
			{ID: "2", Name: "ucp-controller", State: "running", Ours: true},
			{ID: "3", Name: "ucp-kv", State: "running", Ours: true},
			{ID: "4", Name: "ucp-reconcile", State: "exited", Ours: true},
		},
	}}
}

func surveyOf(bytes int64) *agent.Survey {
	return &agent.Survey{
		Volumes: []agent.VolumeSize{
			{Name: "ucp-kv", Entries: 12, Bytes: 2 * bytes, Allocated: bytes},
			{Name: "ucp-node-certs", Entries: 5, Bytes: 4096, Allocated: 4096},
		},
		SpoolFree: 10 * gigabyte,
	}
}

func TestThePlanFollowsTheSurveyAndTheOperator(t *testing.T) {
	tests := map[string]struct {
		clone  Clone
		survey func(*agent.Survey)
		handed agent.Handed
		want   func(*Plan)
		refuse string // and the hint below it
		hint   string
	}{
		"a clone where the disk can": {
			clone:  CloneAuto,
			survey: func(s *agent.Survey) { s.Clone = true },
			want:   func(p *Plan) { p.Clone = true },
		},
		"no clone where it cannot, and why": {
			clone:  CloneAuto,
			survey: func(s *agent.Survey) { s.NoClone = "another file system" },
			want:   func(p *Plan) { p.NoClone = "another file system" },
		},
		"no clone where it could and may not": {
			clone:  CloneNever,
			survey: func(s *agent.Survey) { s.Clone = true },
		},
		"a clone on demand": {
			clone:  CloneAlways,
			survey: func(s *agent.Survey) { s.Clone = true },
			want:   func(p *Plan) { p.Clone = true },
		},
		"a refusal where a clone is demanded and the disk cannot": {
			clone:  CloneAlways,
			survey: func(s *agent.Survey) { s.NoClone = "another file system" },
			refuse: "clone the volumes: another file system",
			hint:   "let UCP rest while its volumes are sealed: docker ucp backup --clone auto",
		},
		"a refusal where the spool is too small": {
			clone:  CloneNever,
			survey: func(s *agent.Survey) { s.SpoolFree = gigabyte },
			refuse: "no room on the manager: volume docker-ucp-spool needs up to 1.018GB and has 1GB free",
			hint:   "name a volume on a larger disk with: docker ucp backup --spool-volume NAME",
		},
		"no clone where only clones find no room": {
			clone: CloneAuto,
			survey: func(s *agent.Survey) {
				s.Clone, s.SpoolFree = true, gigabyte
				s.Volumes[0].Cloning, s.Volumes[1].Cloning = gigabyte, 1
			},
			handed: agent.Handed{Direct: true},
			want:   func(p *Plan) { p.Direct, p.NoClone = true, "there is no room for clones in volume docker-ucp-spool" },
		},
		"a refusal where clones and the archive share a disk that is too small for both": {
			clone: CloneAlways,
			survey: func(s *agent.Survey) {
				s.Clone, s.SpoolFree = true, 2*gigabyte
				s.Volumes[0].Cloning = gigabyte
			},
			handed: agent.Handed{Direct: true, OneDisk: true},
			refuse: "no room on the manager: volume docker-ucp-spool needs up to 2.018GB and has 2GB free",
			hint:   "name a volume on a larger disk with: docker ucp backup --spool-volume NAME",
		},
		"a refusal where clones find no room, though the archive goes elsewhere": {
			clone: CloneAlways,
			survey: func(s *agent.Survey) {
				s.Clone, s.SpoolFree = true, gigabyte
				s.Volumes[0].Cloning, s.Volumes[1].Cloning = gigabyte, 1
			},
			handed: agent.Handed{Direct: true},
			refuse: "no room on the manager: volume docker-ucp-spool needs up to 1GB and has 1GB free",
			hint:   "name a volume on a larger disk with: docker ucp backup --spool-volume NAME",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, survey := discovered(Options{Clone: test.clone}), surveyOf(gigabyte)
			test.survey(survey)
			b.handed = test.handed
			plan, err := b.plan(survey)
			if test.refuse != "" {
				assert.Error(t, err, test.refuse)
				assert.Equal(t, failure.KindOf(err), failure.Refused)
				assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
				return
			}
			assert.NilError(t, err)
			want := &Plan{
				ID: testInstance, Version: "3.1.4", Node: "manager1", Mode: quiesce.Stop, Hold: true, Quiesce: b.instance.QuiescePlan(quiesce.Stop),
				Resting: []string{"ucp-reconcile (exited)"}, Volumes: survey.Volumes, Spool: DefaultSpool,
				Needed: plan.Needed, Free: survey.SpoolFree,
			}
			if test.want != nil {
				test.want(want)
			}
			assert.DeepEqual(t, plan, want)
		})
	}
}

func TestTheRoomThatIsAskedForHoldsTheArchive(t *testing.T) {
	tests := map[string]struct {
		survey  agent.Survey
		atLeast int64
		below   int64
	}{
		"nothing":             {agent.Survey{}, 1 << 20, 32 << 20},
		"many small files":    {agent.Survey{Volumes: []agent.VolumeSize{{Entries: 1_000_000, Allocated: 0}}}, 1_000_000 * 1536, 3_000_000_000},
		"one large file":      {agent.Survey{Volumes: []agent.VolumeSize{{Entries: 2, Bytes: gigabyte, Allocated: gigabyte}}}, gigabyte, 1_050_000_000},
		"a file of holes":     {agent.Survey{Volumes: []agent.VolumeSize{{Entries: 2, Bytes: 1000 * gigabyte, Allocated: 4096}}}, 4096, 32 << 20},
		"more than one holds": {agent.Survey{Volumes: []agent.VolumeSize{{Allocated: gigabyte}, {Allocated: gigabyte}}}, 2 * gigabyte, 2_100_000_000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := sealedSize(&test.survey)
			assert.Check(t, got >= test.atLeast && got < test.below, "%d", got)
		})
	}
}

func TestTheOutputsDiskCountsWhereTheArchiveIsWritten(t *testing.T) {
	const tooMuch = 1 << 60
	for name, direct := range map[string]bool{"straight into it": true, "fetched into it": false} {
		t.Run(name, func(t *testing.T) {
			b, survey := discovered(Options{Clone: CloneNever}), surveyOf(gigabyte)
			path := filepath.Join(t.TempDir(), "ucp.tar")
			var err error
			b.out, err = output.Create(path)
			assert.NilError(t, err)
			defer func() { assert.Check(t, b.out.Discard()) }()
			b.handed.Direct, survey.SpoolFree = direct, 2*tooMuch
			if direct {
				survey.SpoolFree = 0 // does not matter
			}
			plan, err := b.plan(survey)
			assert.NilError(t, err)
			assert.Equal(t, plan.Output, b.out.Path())
			assert.Equal(t, plan.Direct, direct)

			survey.Volumes[0].Allocated = tooMuch
			_, err = b.plan(survey)
			assert.ErrorContains(t, err, "no room for "+b.out.Path()+": the archive needs up to 1.1")
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.DeepEqual(t, failure.Hints(err), []string{"choose a larger disk"})
		})
	}
}

func TestAStopTimeoutGoesIntoThePlan(t *testing.T) {
	minute := time.Minute
	plan, err := discovered(Options{Clone: CloneNever, StopTimeout: &minute}).plan(surveyOf(1))
	assert.NilError(t, err)
	assert.Equal(t, plan.Quiesce.StopTimeout, &minute)
}

func TestUCPThatDoesNotRunIsBackedUpWithAWarning(t *testing.T) {
	b := discovered(Options{Clone: CloneNever})
	b.instance.Containers = b.instance.Containers[3:]
	plan, err := b.plan(surveyOf(1))
	assert.NilError(t, err)
	assert.DeepEqual(t, plan.Warnings, []string{"no container of UCP runs on this manager; its volumes are read as they lie"})
}

func TestThePlanAsItIsPrinted(t *testing.T) {
	tests := map[string]func(*Plan){
		"spool": func(p *Plan) {
			p.NoClone = "the file system cannot share blocks between files: operation not supported"
		},
		"clone":  func(p *Plan) { p.Clone, p.Output = true, "/backup/ucp.tar" },
		"direct": func(p *Plan) { p.Direct, p.Output, p.Excluded = true, "/backup/ucp.tar", []string{"ucp-metrics-data"} },
		"hostile": func(p *Plan) {
			p.Version, p.Node = "3.1\x1b]0;pwned\a", "manager\r\n1 stop everything"
			p.Warnings = []string{"first\nsecond"}
		},
		"unknown": func(p *Plan) { p.Version, p.Quiesce.Waves, p.Resting = "", nil, nil },
		"unheld":  func(p *Plan) { p.Hold = false },
		"shm":     func(p *Plan) { p.Shm, p.FixShm, p.Output = 12, true, "/backup/ucp.tar" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			plan, err := discovered(Options{Clone: CloneNever}).plan(surveyOf(gigabyte))
			assert.NilError(t, err)
			change(plan)
			var text bytes.Buffer
			assert.NilError(t, plan.Write(&text))
			golden.Assert(t, text.String(), "plan-"+name+".golden")
		})
	}
}

func TestThePlanOfAPauseSaysWhoIsPausedWhyAndWhatTheArchiveIs(t *testing.T) {
	plan, err := discovered(Options{Clone: CloneNever, Quiesce: quiesce.Pause}).plan(surveyOf(gigabyte))
	assert.NilError(t, err)
	assert.Equal(t, plan.Mode, quiesce.Pause)
	var text bytes.Buffer
	assert.NilError(t, plan.Write(&text))
	golden.Assert(t, text.String(), "plan-pause.golden")
}

func TestASwarmWithoutALeaderCannotLabelItsNodes(t *testing.T) {
	b := discovered(Options{Clone: CloneNever})
	b.instance.Swarm.Leaderless = true
	plan, err := b.plan(surveyOf(1))
	assert.NilError(t, err)
	assert.Check(t, !plan.Hold)
}

func TestAnOperatorsOwnLabelIsNotInThePlan(t *testing.T) {
	b := discovered(Options{Clone: CloneNever})
	b.instance.Node.Paused = true
	plan, err := b.plan(surveyOf(1))
	assert.NilError(t, err)
	assert.Check(t, !plan.Hold)
	assert.Check(t, cmp.Contains(strings.Join(plan.Warnings, "\n"), "by somebody else's label com.docker.ucp.agent-pause; it stays"))
}

func TestThePlanIsJSONThatSaysHowUCPRests(t *testing.T) {
	plan, err := discovered(Options{Clone: CloneNever, Quiesce: quiesce.Pause}).plan(surveyOf(1))
	assert.NilError(t, err)
	content, err := json.Marshal(plan)
	assert.NilError(t, err)
	var back map[string]any
	assert.NilError(t, json.Unmarshal(content, &back))
	assert.Equal(t, back["mode"], "pause")
	assert.Equal(t, back["hold"], true)
	_, counted := back["shm_mounts"]
	assert.Check(t, !counted, "nobody looked")
}

func TestAPlanThatCannotBePrintedSaysSo(t *testing.T) {
	plan, err := discovered(Options{Clone: CloneNever}).plan(surveyOf(1))
	assert.NilError(t, err)
	assert.ErrorContains(t, plan.Write(full{}), "no space left")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
