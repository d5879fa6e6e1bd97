package backup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// plan decides, from what was discovered and what the agent sees, what the backup does; or refuses.
func (b *backup) plan(survey *agent.Survey) (*Plan, error) {
	quiet := b.instance.QuiescePlan(b.mode())
	quiet.StopTimeout = b.opts.StopTimeout
	plan := &Plan{
		ID: b.instance.ID, Version: b.instance.Version, Node: b.instance.Node.Name,
		Mode: b.mode(), Hold: !b.instance.Swarm.Leaderless && !b.instance.Node.Paused, Shm: b.shm.mounts, FixShm: b.opts.FixShm && b.shm.mounts > 1,
		Quiesce: quiet, Resting: restingNames(b.instance, &quiet),
		Volumes: survey.Volumes, Excluded: b.opts.Exclude,
		Clone: survey.Clone && b.opts.Clone != CloneNever, Direct: b.handed.Direct, Spool: b.opts.Spool,
	}
	if !survey.Clone {
		plan.NoClone = survey.NoClone
	}
	if b.out != nil {
		plan.Output = b.out.Path()
		_, err := os.Lstat(plan.Output)
		plan.Replaces = err == nil
	}
	if b.opts.Clone == CloneAlways && !survey.Clone {
		return nil, failure.Refuse(fmt.Errorf("clone the volumes: %s", survey.NoClone),
			"let UCP rest while its volumes are sealed: docker ucp backup --clone auto")
	}
	plan.Needed = sealedSize(survey)
	if plan.Clone && b.opts.Clone == CloneAuto && survey.SpoolFree < b.spooledSize(plan, survey) {
		plan.Clone, plan.NoClone = false, "there is no room for clones in volume "+plan.Spool
	}
	plan.Warnings = b.warnings(&quiet)
	return plan, b.room(plan, survey)
}

// mode is how UCP's own containers are brought to rest.
func (b *backup) mode() quiesce.Action { return cmp.Or(b.opts.Quiesce, quiesce.Stop) }

// warnings says what an operator should know before UCP is touched: above all that a part of it is down already, which a
// backup leaves as it is.
func (b *backup) warnings(quiet *quiesce.Plan) (warnings []string) {
	if quiet.Len() == 0 {
		return []string{"no container of UCP runs on this manager; its volumes are read as they lie"}
	}
	if down := b.instance.Down(); len(down) > 0 {
		warnings = append(warnings, "UCP is not whole on this manager, and stays so: "+strings.Join(down, ", ")+" not running")
	}
	if len(b.unwell) > 0 {
		warnings = append(warnings, "unhealthy already, so nobody waits for their health afterwards: "+strings.Join(b.unwell, ", "))
	}
	if b.instance.Node.Paused {
		warnings = append(warnings, "UCP's reconcilers on this node have been told to leave it alone, by somebody else's label "+ucp.LabelAgentPause+"; it stays")
	}
	for _, warning := range []string{quorumWarning(b.instance.Quorum()), b.shm.warning(b.opts.FixShm)} {
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// room refuses a backup that would fill a disk: the manager's, which UCP itself lives on, or the one of the output.
func (b *backup) room(plan *Plan, survey *agent.Survey) error {
	plan.Free = survey.SpoolFree
	if needed := b.spooledSize(plan, survey); survey.SpoolFree < needed {
		return failure.Refuse(
			fmt.Errorf("no room on the manager: volume %s needs up to %s and has %s free", plan.Spool, human(needed), human(survey.SpoolFree)),
			"name a volume on a larger disk with: docker ucp backup --spool-volume NAME")
	}
	if b.out == nil {
		return nil
	}
	free, err := output.Free(filepath.Dir(b.out.Path()))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if plan.Direct {
		plan.Free = free
	}
	if free < plan.Needed {
		return failure.Refuse(
			fmt.Errorf("no room for %s: the archive needs up to %s, and its disk has %s free", b.out.Path(), human(plan.Needed), human(free)),
			"choose a larger disk")
	}
	return nil
}

// What an entry and an archive cost beside their content, generously: headers, checksums, the manifest, the seal.
const (
	entryOverhead   = 2 << 10
	archiveOverhead = 16 << 20
)

// sealedSize is the most that the archive may come to. Compression is not counted upon.
func sealedSize(survey *agent.Survey) int64 {
	size := int64(archiveOverhead)
	for _, volume := range survey.Volumes {
		size += volume.Allocated + volume.Entries*entryOverhead
	}
	return size + size>>10
}

// spooledSize is the most that the spool's disk takes up at a time: the archive, where it lies there, beside the clones.
func (b *backup) spooledSize(plan *Plan, survey *agent.Survey) int64 {
	size := int64(0)
	if !plan.Direct || b.handed.OneDisk {
		size = plan.Needed
	}
	if plan.Clone {
		for _, volume := range survey.Volumes {
			size += volume.Cloning
		}
	}
	return size
}

// human writes a size as docker does.
func human(bytes int64) string { return units.HumanSize(float64(bytes)) }
