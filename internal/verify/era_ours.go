package verify

import (
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// ours judges an archive of docker ucp backup: UCP comes back from the files of its volumes alone. A nil manifest could
// not be read, which the level below says.
func (r *rules) ours(l *level, manifest *archive.Manifest) {
	if manifest == nil {
		manifest = &archive.Manifest{}
	}
	volumes := ucp.NeededVolumes(r.version(manifest.UCP.Version))
	for _, name := range volumes {
		r.needed(l, name, slices.Contains(manifest.ExcludedVolumes, name))
	}
	for _, name := range manifest.ExcludedVolumes {
		holds := ucp.Dispensable(name)
		switch {
		case r.folders[name] != nil:
			l.warn("./"+printable(name, 255), "is here, and the manifest says that it was left out")
		case holds != "":
			l.note("./"+name, "left out on purpose: %s", holds)
		case !slices.Contains(volumes, name):
			l.warn("./"+printable(name, 255), "left out on purpose, and it is none of the volumes that a restore is known to do without")
		}
	}
	r.leftBehind(l)
	r.swarm(l, manifest.Missing)
}

// version is a version of UCP that needs the volumes of this archive. That it is UCP 1, which needs fewer, is believed
// where the archive looks like it.
func (r *rules) version(claimed string) string {
	if strings.HasPrefix(claimed, "1.") && !r.isFirst() {
		return laterVolumes
	}
	return claimed
}

// leftBehind notes dumps in an archive that holds the databases as files.
func (r *rules) leftBehind(l *level) {
	if len(r.dumps) > 0 {
		l.note("./ucp-backup", "holds what a backup of UCP 3.2 or later left behind; a restore takes the databases from their own volumes")
	}
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
	case f.Bytes == 0: // each of them is known for keys or for a database
		l.fault("./"+name, "this volume holds no data: none of its entries is a file with content, and a restore needs what was in it")
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
