package verify

import (
	"archive/tar"
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// The places by which an archive's era is known and judged.
const (
	manifestEntry = "./docker-ucp/manifest.json"
	configFolder  = "docker-ucp/configs/"
	ownFolder     = "docker-ucp"
	etcdDump      = "etcd.backup.db"
	authDump      = "auth-store.tar.gz"
)

// The bounds of what is kept of a stranger's archive.
const (
	maxFolders = 1024 // top folders beside UCP's own volumes
	maxDumps   = 16
)

// noFile is the size of a dump in whose place stands something else than a file.
const noFile = -1

// The names that say more than which volume something is in.
var (
	// dumpFolder is where the vendor's backup of 3.2 and later keeps its dumps: the time in milliseconds (ucp-facts 4.1).
	dumpFolder = regexp.MustCompile(`^ucp-backup/([0-9]{1,20})(?:/([^/]+))?$`)
	// laterStore is what etcd 3 keeps, and etcd 2 of UCP 1 does not.
	laterStore     = regexp.MustCompile(`^ucp-kv/(?:datav3(?:/|$)|(?:.*/)?member/snap/db$)`)
	licenseConfig  = regexp.MustCompile(`^docker-ucp/configs/com\.docker\.license-[0-9]+\.json$`)
	settingsConfig = regexp.MustCompile(`^docker-ucp/configs/com\.docker\.ucp\.config-[0-9]+\.json$`)
)

// rules sees by its entries' names of which era an archive is, and whether it is all there by that era's rule.
type rules struct {
	entries  int64
	folders  map[string]*folder          // by name, those at the top
	dumps    map[string]map[string]int64 // sizes of the two dumps, by the backup's time
	decides  map[string]bool             // the files that the vendor's rules ask for, and links in their place
	records  int                         // ./ucp-*.json
	kube     int                         // of these, of Kubernetes' containers
	manifest bool                        // in the one place where it makes an archive one of ours
	licensed bool
	settings bool // ucp.toml
	caConfig bool // as UCP 1 kept it in the volumes of the root CAs
	etcd3    bool // what UCP 1 had not
	strange  string
	below    string // the folder that UCP's volumes are in, where they are not at the top
}

// folder is one at the top, which is a volume in a backup of UCP.
type folder struct {
	Volume
	inside int64 // entries below its own, which a vendor's archive need not have
}

func newRules() *rules {
	return &rules{folders: map[string]*folder{}, dumps: map[string]map[string]int64{}, decides: map[string]bool{}}
}

// entry counts each entry, folders too, as the vendor's rules do.
func (r *rules) entry(h *tar.Header) {
	r.entries++
	place := archive.Path(h.Name)
	top, rest, nested := strings.Cut(place, "/")
	if !nested && h.Typeflag != tar.TypeDir {
		r.atTop(place, h)
		return
	}
	r.count(top, nested, h)
	if top == ownFolder {
		r.own(place, h)
		return
	}
	if second, _, _ := strings.Cut(rest, "/"); r.below == "" && isVolume(second) {
		r.below = strings.Clone(top)
	}
	if dump := dumpFolder.FindStringSubmatch(place); dump != nil {
		r.dump(dump[1], dump[2], h)
	}
	r.etcd3 = r.etcd3 || laterStore.MatchString(place)
	switch rest {
	case "key.pem": // the certificates' judge reads it, and goes where a link leads
		if place == decidingPlace(EraOnline) || place == decidingPlace(EraStopped) {
			r.decides[place] = h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink
		}
	case "config.json":
		r.caConfig = r.caConfig || (top == clientRoot || top == clusterRoot) && holdsData(h)
	}
}

// holdsData tells a file with content from all else: a link says only that its content should be somewhere.
func holdsData(h *tar.Header) bool { return h.Typeflag == tar.TypeReg && h.Size > 0 }

// atTop looks at a file that is in no folder.
func (r *rules) atTop(place string, h *tar.Header) {
	if strings.HasPrefix(place, "ucp-") && strings.HasSuffix(place, ".json") && h.Typeflag == tar.TypeReg {
		r.records++
		if strings.HasPrefix(place, "ucp-kube") {
			r.kube++
		}
	}
	if place == "docker-state.json" { // a manager's folder of the swarm, packed as it is
		r.strange = "of a swarm"
	}
}

// own looks at the folder of an archive of ours.
func (r *rules) own(place string, h *tar.Header) {
	r.manifest = r.manifest || r.entries == 1 && h.Name == manifestEntry && h.Typeflag == tar.TypeReg
	r.licensed = r.licensed || holdsData(h) && licenseConfig.MatchString(place)
	r.settings = r.settings || holdsData(h) && settingsConfig.MatchString(place)
}

func (r *rules) count(top string, nested bool, h *tar.Header) {
	f := r.folders[top]
	if f == nil {
		if len(r.folders) >= maxFolders && !isVolume(top) || len(top) > 255 {
			return
		}
		f = &folder{Volume: Volume{Name: strings.Clone(top)}}
		r.folders[f.Name] = f
		r.guess(top)
	}
	f.Entries++
	if nested {
		f.inside++
	}
	if holdsData(h) {
		f.Bytes += min(h.Size, math.MaxInt64-f.Bytes)
	}
}

// guess remembers what else an archive may be a backup of (ucp-facts 7.2 and 7.4).
func (r *rules) guess(top string) {
	switch {
	case strings.HasPrefix(top, "dtr-backup-") || top == "rethink":
		r.strange = "of DTR"
	case top == "raft" || top == "swarm":
		r.strange = "of a swarm"
	}
}

func (r *rules) dump(stamp, file string, h *tar.Header) {
	if r.dumps[stamp] == nil {
		if len(r.dumps) == maxDumps {
			return
		}
		r.dumps[strings.Clone(stamp)] = map[string]int64{}
	}
	if file != etcdDump && file != authDump {
		return
	}
	r.dumps[stamp][file] = noFile
	if h.Typeflag == tar.TypeReg {
		r.dumps[stamp][file] = h.Size
	}
}

func isVolume(name string) bool { return slices.Contains(ucp.KnownVolumes(), name) }

// era is of which era a stranger's archive is, by what is in it: one of ours is known by its manifest alone, which its
// reader has judged.
//
// Both databases as files are of the older era, and a dump beside them is one that was left behind. The three volumes that
// an archive of 3.2 and later has are in every older one too; there the records decide, which no older one is known to hold.
func (r *rules) era() Era {
	onlyNew := []string{clientRoot, clusterRoot, serverCerts, "ucp-backup"}
	old, some := false, false
	for name := range r.folders {
		some = some || isVolume(name)
		old = old || isVolume(name) && !slices.Contains(onlyNew, name)
	}
	switch {
	case len(r.dumps) > 0 && (!r.full("ucp-kv") || !r.full("ucp-auth-store-data")):
		return EraOnline
	case old:
		return EraStopped
	case r.records > 0:
		return EraOnline
	case some:
		return EraStopped
	default:
		return EraNone
	}
}

// full tells whether a volume holds any data.
func (r *rules) full(volume string) bool {
	f := r.folders[volume]
	return f != nil && f.Bytes > 0
}

// volumes lists the volumes of a backup of UCP by name.
func (r *rules) volumes() []Volume {
	if r.era() == EraNone && !r.manifest {
		return nil
	}
	var all []Volume
	for _, f := range r.folders {
		if f.Name != ownFolder {
			all = append(all, f.Volume)
		}
	}
	slices.SortFunc(all, func(a, b Volume) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// The answers to where UCP's license is.
const (
	licenseThere   = "there"
	licenseAbsent  = "absent"
	licenseUnknown = "not in archives of this kind"
)

// license tells whether UCP's license is in the archive.
func (r *rules) license(era Era) string {
	switch {
	case era != EraOurs:
		return licenseUnknown
	case r.licensed:
		return licenseThere
	default:
		return licenseAbsent
	}
}
