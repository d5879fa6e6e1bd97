package backup

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// Plan is what a backup would do, decided before anything is touched.
type Plan struct {
	ID       string             `json:"id"`
	Version  string             `json:"version"`
	Node     string             `json:"node"`
	Mode     quiesce.Action     `json:"mode"` // how UCP's own containers are brought to rest
	Hold     bool               `json:"hold"` // UCP's reconcilers are told to hold still, by a label on the node
	Quiesce  quiesce.Plan       `json:"quiesce"`
	Resting  []string           `json:"resting"` // containers that do not run now and stay so
	Volumes  []agent.VolumeSize `json:"volumes"`
	Excluded []string           `json:"excluded_volumes,omitempty"`
	Clone    bool               `json:"clone"`
	NoClone  string             `json:"no_clone,omitempty"` // why not
	Direct   bool               `json:"direct"`             // straight into the output file, and else through the spool
	Spool    string             `json:"spool,omitempty"`
	Output   string             `json:"output,omitempty"`
	Replaces bool               `json:"replaces,omitempty"`   // there is a file at Output now
	Needed   int64              `json:"needed"`               // bytes of room, at most
	Free     int64              `json:"free"`                 // bytes of room where the archive is sealed
	Shm      int                `json:"shm_mounts,omitempty"` // on the manager's /dev/shm; zero where nobody had to look
	FixShm   bool               `json:"fix_shm,omitempty"`    // all but one of them are taken away
	Warnings []string           `json:"warnings,omitempty"`
}

func restingNames(instance *ucp.Instance, plan *quiesce.Plan) []string {
	moving := slices.Concat(plan.Names(quiesce.Stop), plan.Names(quiesce.Pause))
	var names []string
	for _, c := range instance.Containers {
		if !slices.Contains(moving, c.Name) {
			names = append(names, c.Name+" ("+c.State+")")
		}
	}
	return names
}

// Write prints the plan, one step a line with its cause.
func (p *Plan) Write(w io.Writer) error {
	out := &lines{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	out.add("UCP %s, instance %s, on %s", orUnknown(p.Version), p.ID, p.Node)
	if p.FixShm {
		out.next("unmount\t/dev/shm\t%d of %d mounts, by --fix-shm", p.Shm-1, p.Shm)
	}
	if p.Hold {
		out.next("hold\tUCP's reconcilers\tby a label on the node")
	}
	for _, wave := range p.Quiesce.Waves {
		out.step++
		for _, target := range wave {
			out.add("%d\t%s\t%s\t%s", out.step, target.Action, target.Name, cause(target))
		}
	}
	p.addCapture(out)
	for _, name := range p.Resting {
		out.add("\tstays\t%s\tas it is", name)
	}
	if p.Mode == quiesce.Pause {
		out.add("the archive will hold what a crash of UCP would leave")
	}
	for _, name := range p.Excluded {
		out.add("\tleft out\t%s\tby --exclude-volume", name)
	}
	if p.Replaces {
		out.add("the file that is at %s now is replaced when the new one is whole", p.Output)
	}
	out.add("room: at most %s needed, %s free", human(p.Needed), human(p.Free))
	for _, warning := range p.Warnings {
		out.add("warning: %s", warning)
	}
	return out.end()
}

// addCapture is what stands between the last container that stops and the archive in its place.
func (p *Plan) addCapture(out *lines) {
	into := "into volume " + p.Spool
	if p.Direct {
		into = "into " + p.Output + ", which the manager sees"
	}
	resume := func() {
		if p.Quiesce.Len() > 0 {
			out.next("resume\tall of the above\tin reverse order")
		}
		if p.Hold {
			out.next("release\tUCP's reconcilers\tthe label comes off")
		}
	}
	switch {
	case p.Clone:
		out.next("clone\tvolumes\tinside their file system")
		p.addVolumes(out)
		resume()
		out.next("archive\tclones\t%s", into)
	case p.NoClone != "":
		out.next("archive\tvolumes\t%s; no clone: %s", into, p.NoClone)
		p.addVolumes(out)
		resume()
	default:
		out.next("archive\tvolumes\t%s", into)
		p.addVolumes(out)
		resume()
	}
	switch {
	case p.Direct:
	case p.Output == "":
		out.next("fetch\tthe archive\tto standard output")
	default:
		out.next("fetch\tthe archive\tinto %s", p.Output)
	}
}

func (p *Plan) addVolumes(out *lines) {
	for _, volume := range p.Volumes {
		out.add("\t\t%s\t%s", volume.Name, sizeOf(volume))
	}
}

// sizeOf tells what a volume holds; where much of it is holes, also how little of that goes into the archive.
func sizeOf(volume agent.VolumeSize) string {
	size := human(volume.Bytes)
	if volume.Allocated < volume.Bytes/10*9 {
		size += " (" + human(volume.Allocated) + " of it data)"
	}
	return fmt.Sprintf("%s, %d entries", size, volume.Entries)
}

func cause(target quiesce.Target) string {
	switch {
	case target.Owned:
		return "its owner would act on a stop"
	case target.Action == quiesce.Pause:
		return "by --quiesce pause"
	default:
		return "started again afterwards"
	}
}

func orUnknown(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}

// lines writes lines and keeps the first error. Names come from the manager, and may not reach a terminal that would
// obey them.
type lines struct {
	w    *tabwriter.Writer
	step int
	err  error
}

// next adds a line for the next step.
func (l *lines) next(format string, args ...any) {
	l.step++
	l.add("%d\t"+format, append([]any{l.step}, args...)...)
}

func (l *lines) add(format string, args ...any) {
	for i, arg := range args {
		if name, ok := arg.(string); ok {
			args[i] = archive.Printable(name)
		}
	}
	if l.err == nil {
		_, l.err = fmt.Fprintln(l.w, strings.TrimRight(fmt.Sprintf(format, args...), "\t "))
	}
}

func (l *lines) end() error {
	if l.err != nil {
		return fmt.Errorf("print the plan: %w", l.err)
	}
	return l.w.Flush()
}
