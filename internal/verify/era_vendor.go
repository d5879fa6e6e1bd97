package verify

import (
	"maps"
	"slices"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// The counts of the vendor's rules (ucp-facts 3.5): guides of 2.1 and 2.2, and docs of 3.2 and later.
const (
	overStopped   = 100
	leastOnline   = 27
	kubeRecords   = 5 // of the 27, in the one complete listing that is public (ucp-facts 4.1)
	firstVolumes  = "1.1"
	laterVolumes  = "2.2"
	noLicenseHere = "the vendor's archives hold no license as a file: it may have to be loaded again after a restore"
)

// judge holds the archive against its era's rule.
func (r *rules) judge(l *level, era Era, manifest *archive.Manifest) {
	switch era {
	case EraOurs:
		r.ours(l, manifest)
	case EraOnline:
		r.online(l)
	case EraStopped:
		r.stopped(l)
	case EraNone:
		r.none(l)
	}
}

func (r *rules) none(l *level) {
	switch {
	case r.entries == 0:
		l.fault("", "no backup of UCP: it is an empty tar")
	case r.below != "" && !isVolume(r.below):
		l.fault("", "no backup of UCP as it stands: its volumes are in the folder %q, and belong at the top", printable(r.below, 255))
	case r.strange != "":
		l.fault("", "no backup of UCP: none of UCP's volumes and databases is in it; it looks like a backup %s", r.strange)
	default:
		l.fault("", "no backup of UCP: none of UCP's volumes and databases is in it")
	}
}

// decidingPlace is the file that the vendor's rule for an era asks for.
func decidingPlace(era Era) string {
	switch era {
	case EraOnline:
		return serverCerts + "/key.pem"
	case EraStopped:
		return "ucp-node-certs/key.pem"
	case EraOurs, EraNone:
	}
	return ""
}

func (r *rules) deciding(l *level, era Era, whose string) {
	if place := decidingPlace(era); !r.decides[place] {
		l.fault("./"+place, "is missing, by which %s knows a good backup", whose)
	}
}

// online judges an archive of UCP 3.2 or later, MKE among it.
func (r *rules) online(l *level) {
	const whose = "the vendor's rule for UCP 3.2 and later"
	r.deciding(l, EraOnline, whose)
	for _, name := range []string{clientRoot, clusterRoot} {
		r.needed(l, name, false)
	}
	switch {
	case r.entries >= leastOnline:
	case r.kube == 0 && r.entries >= leastOnline-kubeRecords:
		l.warn("", "%d entries, fewer than the %d of %s; of these %d are of Kubernetes, of which this archive has none",
			r.entries, leastOnline, whose, kubeRecords)
	default:
		l.fault("", "%d entries, and %s is %d or more, folders counted", r.entries, whose, leastOnline)
	}
	r.dumped(l)
	l.note("", noLicenseHere)
}

// dumped judges whether both databases were dumped, by one backup.
func (r *rules) dumped(l *level) {
	stamps := slices.Sorted(maps.Keys(r.dumps))
	if len(stamps) == 0 {
		l.fault("./ucp-backup", "is missing: no dump of etcd and none of the auth store, which hold all that UCP knows")
		return
	}
	if len(stamps) > 1 {
		l.warn("./ucp-backup", "holds the dumps of %d backups; which of them a restore takes is not known", len(stamps))
	}
	say := l.fault
	if slices.ContainsFunc(stamps, func(stamp string) bool { return r.dumps[stamp][authDump] > 0 && r.dumps[stamp][etcdDump] > 0 }) {
		say = l.warn // of another one
	}
	for _, stamp := range stamps {
		for _, name := range []string{authDump, etcdDump} {
			switch size, there := r.dumps[stamp][name]; {
			case !there:
				say("./ucp-backup/"+stamp+"/"+name, "is missing: a restore needs the dumps of both databases")
			case size == noFile:
				say("./ucp-backup/"+stamp+"/"+name, "is no file: a restore needs the dumps of both databases")
			case size == 0:
				say("./ucp-backup/"+stamp+"/"+name, "is empty")
			}
		}
	}
}

// stopped judges an archive of UCP up to 3.1.
func (r *rules) stopped(l *level) {
	const whose = "the vendor's rule for UCP up to 3.1"
	r.deciding(l, EraStopped, whose)
	version := laterVolumes
	if r.isFirst() && r.records == 0 { // no archive of UCP 1 is known to hold any
		version = firstVolumes
	}
	for _, name := range ucp.NeededVolumes(version) {
		r.needed(l, name, false)
	}
	switch {
	case version == firstVolumes:
		l.note("", "by its volumes a backup of UCP 1, for which the vendor has printed no rule on the number of entries; it has %d", r.entries)
	case r.entries <= overStopped:
		l.fault("", "%d entries, and %s is more than %d, folders counted", r.entries, whose, overStopped)
	}
	r.leftBehind(l)
	l.note("", noLicenseHere)
}

// isFirst knows the volumes of UCP 1: a root CA's settings beside its key, as the docs list them (ucp-facts 1.2 and 4.2),
// and nothing that came later, neither another volume nor etcd 3.
func (r *rules) isFirst() bool {
	seven := ucp.NeededVolumes(firstVolumes)
	for name := range r.folders {
		if isVolume(name) && !slices.Contains(seven, name) {
			return false
		}
	}
	return r.caConfig && !r.etcd3
}
