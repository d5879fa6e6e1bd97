package backup

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/docker/go-units"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
)

// plan decides, from what was discovered and what the agent sees, what the backup does; or refuses.
func (b *backup) plan(survey *agent.Survey) (*Plan, error) {
	quiet := b.instance.QuiescePlan()
	quiet.StopTimeout = b.opts.StopTimeout
	plan := &Plan{
		ID: b.instance.ID, Version: b.instance.Version, Node: b.instance.Node.Name,
		Quiesce: quiet, Resting: restingNames(b.instance, &quiet),
		Volumes: survey.Volumes, Excluded: b.opts.Exclude,
		Clone: survey.Clone && b.opts.Clone != CloneNever, Direct: survey.Direct, Spool: b.opts.Spool,
	}
	if !survey.Clone {
		plan.NoClone = survey.NoClone
	}
	if b.out != nil {
		plan.Output = b.out.Path()
	}
	if b.opts.Clone == CloneAlways && !survey.Clone {
		return nil, failure.Refuse(fmt.Errorf("clone the volumes: %s", survey.NoClone),
			"let UCP rest while its volumes are sealed: docker ucp backup --clone auto")
	}
	if quiet.Len() == 0 {
		plan.Warnings = append(plan.Warnings, "no container of UCP runs on this manager; its volumes are read as they lie")
	}
	return plan, b.room(plan, survey)
}

// room refuses a backup that would fill a disk: the manager's, which UCP itself lives on, or the one of the output.
func (b *backup) room(plan *Plan, survey *agent.Survey) error {
	plan.Needed = sealedSize(survey)
	plan.Free = survey.SpoolFree
	if needed := spooledSize(plan, survey); survey.SpoolFree < needed {
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

// spooledSize is the most that the spool holds at a time: the archive, where it waits there, beside the clones.
func spooledSize(plan *Plan, survey *agent.Survey) int64 {
	size := int64(0)
	if !plan.Direct {
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
