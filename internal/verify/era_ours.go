package verify

import (
	"slices"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// ours judges an archive of docker ucp backup: UCP comes back from the files of its volumes alone. A nil manifest could
// not be read, which the level below says.
func (r *rules) ours(l *level, manifest *archive.Manifest) {
	if manifest == nil {
		manifest = &archive.Manifest{}
	}
	for _, name := range ucp.NeededVolumes(manifest.UCP.Version) {
		r.needed(l, name, slices.Contains(manifest.ExcludedVolumes, name))
	}
	for _, name := range manifest.ExcludedVolumes {
		holds := ucp.Dispensable(name)
		switch {
		case holds != "":
			l.note("./"+name, "left out on purpose: %s", holds)
		case !slices.Contains(ucp.NeededVolumes(manifest.UCP.Version), name):
			l.warn("./"+printable(name, 255), "left out on purpose, and it is none of the volumes that a restore is known to do without")
		}
	}
	r.swarm(l, manifest.Missing)
}

// needed judges a volume that no restore can do without.
func (r *rules) needed(l *level, name string, excluded bool) {
	f := r.folders[name]
	switch {
	case f == nil && excluded:
		l.fault("./"+name, "left out on purpose: no restore can be made from this archive alone")
	case f == nil:
		l.fault("./"+name, "this volume is missing, and a restore needs it")
	case f.inside == 0:
		l.fault("./"+name, "this volume is empty, and a restore needs what was in it")
	}
}

// swarm judges what the swarm held for UCP.
func (r *rules) swarm(l *level, missing []string) {
	for _, what := range missing {
		l.warn("", "without %s: the swarm had no quorum when the backup was made", printable(what, 100))
	}
	const configs = "swarm configs"
	if slices.Contains(missing, configs) {
		l.warn("", "so neither UCP's settings nor its license are in it: load the license again after a restore")
		return
	}
	if !r.settings {
		l.warn("", "no config with UCP's settings (com.docker.ucp.config-N): after a restore they are UCP's defaults")
	}
	if !r.licensed {
		l.warn("", "no config with a license (com.docker.license-N): load it again after a restore")
	}
}
