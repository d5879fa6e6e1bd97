package verify

import (
	"archive/tar"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// listing is an archive by names and sizes, in their order; a name that ends in "/" is a folder, and in "@" a symlink.
type listing struct {
	names []string
	sizes map[string]int64 // of files; 1 where it does not say
}

func (x listing) without(drop ...string) listing {
	return listing{slices.DeleteFunc(slices.Clone(x.names), func(n string) bool { return slices.Contains(drop, n) }), x.sizes}
}

func (x listing) with(names ...string) listing {
	return listing{append(slices.Clone(x.names), names...), x.sizes}
}

func (x listing) withEmpty(name string) listing {
	sizes := map[string]int64{}
	maps.Copy(sizes, x.sizes)
	sizes[name] = 0
	return listing{x.names, sizes}
}

func (x listing) rules() *rules {
	r := newRules()
	for _, name := range x.names {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1}
		if size, known := x.sizes[name]; known {
			h.Size = size
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if link, isLink := strings.CutSuffix(name, "@"); isLink {
			h.Name, h.Typeflag, h.Size, h.Linkname = link, tar.TypeSymlink, 0, "nowhere"
		}
		r.entry(h)
	}
	return r
}

// published is the complete listing of an MKE 3.4.5 backup of September 2021 (ucp-facts 4.1).
func published() listing {
	return listing{names: []string{
		"./ucp-auth-store.json", "./ucp-kube-apiserver.json", "./ucp-kube-controller-manager.json", "./ucp-kubelet.json",
		"./ucp-kube-proxy.json", "./ucp-kube-scheduler.json", "./ucp-controller.json", "./ucp-swarm-manager.json", "./ucp-kv.json",
		"./ucp-proxy.json", "./ucp-client-root-ca.json", "./ucp-cluster-root-ca.json",
		"./ucp-manager-agent.z5mlmsj7jsrgtblfu3lzdrsoo.m53o7zpxxcoj8lfs2yw1g8uok.json",
		"./ucp-backup/1631549510183/", "./ucp-backup/1631549510183/auth-store.tar.gz", "./ucp-backup/1631549510183/etcd.backup.db",
		"./ucp-client-root-ca/", "./ucp-client-root-ca/cert.pem", "./ucp-client-root-ca/key.pem",
		"./ucp-cluster-root-ca/", "./ucp-cluster-root-ca/cert.pem", "./ucp-cluster-root-ca/key.pem",
		"./ucp-controller-server-certs/", "./ucp-controller-server-certs/ca.pem", "./ucp-controller-server-certs/cert.pem",
		"./ucp-controller-server-certs/client_ca.pem", "./ucp-controller-server-certs/key.pem",
	}, sizes: map[string]int64{
		"./ucp-backup/1631549510183/auth-store.tar.gz": 13543, "./ucp-backup/1631549510183/etcd.backup.db": 5574688,
	}}
}

// copied is an archive of UCP 2.2 to 3.1: all volumes, with as many files of etcd as are wanted.
func copied(files int) listing {
	var x listing
	for _, volume := range ucp.NeededVolumes("3.1.4") {
		x.names = append(x.names, "./"+volume+"/", "./"+volume+"/key.pem")
	}
	for n := range files {
		x.names = append(x.names, fmt.Sprintf("./ucp-kv/datav3/member/%d", n))
	}
	return x
}

// first is an archive of UCP 1.1: seven volumes, without the auth service.
func first() listing {
	var x listing
	for _, volume := range ucp.NeededVolumes("1.1.4") {
		x.names = append(x.names, volume+"/", volume+"/key.pem")
	}
	return x.with("ucp-client-root-ca/config.json", "ucp-cluster-root-ca/config.json")
}

// packed is an archive of docker ucp backup.
func packed() listing {
	x := listing{names: []string{
		"./docker-ucp/manifest.json", "./docker-ucp/configs/com.docker.license-1.json", "./docker-ucp/configs/com.docker.ucp.config-3.json", "./ucp-kv.json",
	}}
	return x.with(copied(3).names...).with("./docker-ucp/report.json", "./docker-ucp/SHA256SUMS")
}

const licenseNote = "note : the vendor's archives hold no license"

func TestAnArchiveOfTheVendorIsJudgedByItsErasRule(t *testing.T) {
	const stamp = "./ucp-backup/1631549510183/"
	kube := []string{
		"./ucp-kube-apiserver.json", "./ucp-kube-controller-manager.json", "./ucp-kubelet.json", "./ucp-kube-proxy.json", "./ucp-kube-scheduler.json",
	}
	tests := map[string]struct {
		archive listing
		era     Era
		want    []string
	}{
		"the published one of MKE 3.4.5": {published(), EraOnline, []string{licenseNote}},
		"one record is missing": {published().without("./ucp-kubelet.json"), EraOnline, []string{
			"fault : 26 entries, and the vendor's rule for UCP 3.2 and later is 27 or more, folders counted", licenseNote,
		}},
		"without Kubernetes": {published().without(kube...), EraOnline, []string{
			"warning : 22 entries, fewer than the 27 of the vendor's rule for UCP 3.2 and later; of these 5 are of Kubernetes", licenseNote,
		}},
		"the deciding key is missing": {published().without("./ucp-controller-server-certs/key.pem").with("./x"), EraOnline, []string{
			"fault ./ucp-controller-server-certs/key.pem: by which the vendor's rule for UCP 3.2 and later knows a good backup", licenseNote,
		}},
		"etcd's dump is missing": {published().without(stamp + "etcd.backup.db").with("./x"), EraOnline, []string{
			"fault " + stamp + "etcd.backup.db: is missing", licenseNote,
		}},
		"the auth store's dump is missing": {published().without(stamp + "auth-store.tar.gz").with("./x"), EraOnline, []string{
			"fault " + stamp + "auth-store.tar.gz: is missing", licenseNote,
		}},
		"a dump is empty": {published().withEmpty(stamp + "auth-store.tar.gz"), EraOnline, []string{"fault " + stamp + "auth-store.tar.gz: is empty", licenseNote}},
		"both dumps are missing": {published().without(stamp, stamp+"auth-store.tar.gz", stamp+"etcd.backup.db").with("./x", "./y", "./z"), EraOnline, []string{
			"fault ./ucp-backup: is missing: no dump", licenseNote,
		}},
		"the dumps of two backups, one broken off": {published().with("./ucp-backup/1631549510999/", "./ucp-backup/1631549510999/etcd.backup.db"), EraOnline, []string{
			"warning ./ucp-backup: holds the dumps of 2 backups", "warning ./ucp-backup/1631549510999/auth-store.tar.gz: is missing", licenseNote,
		}},
		"the dumps of two backups, one of each": {
			published().without(stamp + "auth-store.tar.gz").with("./ucp-backup/1631549510999/auth-store.tar.gz"), EraOnline,
			[]string{
				"warning ./ucp-backup: holds the dumps of 2 backups", "fault " + stamp + "auth-store.tar.gz: is missing",
				"fault ./ucp-backup/1631549510999/etcd.backup.db: is missing", licenseNote,
			},
		},
		"a root CA's volume is missing": {
			published().without("./ucp-client-root-ca/", "./ucp-client-root-ca/cert.pem", "./ucp-client-root-ca/key.pem").with("./a", "./b", "./c"), EraOnline,
			[]string{"fault ./ucp-client-root-ca: this volume is missing", licenseNote},
		},
		"of 3.1":                   {copied(100), EraStopped, []string{licenseNote}},
		"of 3.1, with 101 entries": {copied(79), EraStopped, []string{licenseNote}},
		"of 3.1, with 100 entries": {copied(78), EraStopped, []string{"fault : 100 entries, and the vendor's rule for UCP up to 3.1 is more than 100, folders counted", licenseNote}},
		"of 3.1, without its key":  {copied(100).without("./ucp-node-certs/key.pem").with("./ucp-node-certs/ca.pem"), EraStopped, []string{"fault ./ucp-node-certs/key.pem: is missing, by which the vendor's rule for UCP up to 3.1", licenseNote}},
		"of 3.1, a volume missing": {copied(100).without("./ucp-auth-store-data/", "./ucp-auth-store-data/key.pem"), EraStopped, []string{"fault ./ucp-auth-store-data: this volume is missing", licenseNote}},
		"of 3.1, a volume empty":   {copied(100).without("./ucp-auth-store-data/key.pem"), EraStopped, []string{"fault ./ucp-auth-store-data: this volume is empty", licenseNote}},
		"of 3.1, without folders":  {copied(100).without("./ucp-auth-store-data/"), EraStopped, []string{licenseNote}},
		"of 1.1, in seven volumes": {first(), EraStopped, []string{"note : by its volumes a backup of UCP 1", licenseNote}},
		"of 1.1, a volume missing": {first().without("ucp-kv/", "ucp-kv/key.pem"), EraStopped, []string{"fault ./ucp-kv: this volume is missing", "note : by its volumes a backup of UCP 1", licenseNote}},
		"of 3.1, without the auth service's volumes": {
			listing{names: []string{"./docker/"}}.with(first().names...).without("ucp-client-root-ca/config.json", "ucp-cluster-root-ca/config.json").with(copied(100).names[22:]...),
			EraStopped,
			[]string{
				"fault ./ucp-auth-api-certs: is missing", "fault ./ucp-auth-store-certs: is missing", "fault ./ucp-auth-store-data: is missing",
				"fault ./ucp-auth-worker-certs: is missing", licenseNote,
			},
		},
		"of 3.1, with a config.json in a root CA's volume": {
			copied(5).with("./ucp-client-root-ca/config.json"), EraStopped, []string{"fault : 28 entries", licenseNote},
		},
		"a tar of something else": {listing{names: []string{"./etc/", "./etc/passwd", "ucp-kv"}}, EraNone, []string{"fault : no backup of UCP: none of UCP's volumes and databases is in it"}},
		"an empty tar":            {listing{}, EraNone, []string{"fault : no backup of UCP: it is an empty tar"}},
		"a backup of DTR":         {listing{names: []string{"dtr-backup-v2.9.4-online/rethink/a/0"}}, EraNone, []string{"fault : it looks like a backup of DTR"}},
		"a backup of the swarm":   {listing{names: []string{"./docker-state.json", "./raft/wal"}}, EraNone, []string{"fault : it looks like a backup of a swarm"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, l := test.archive.rules(), &level{}
			assert.Equal(t, r.era(), test.era)
			r.judge(l, test.era, nil)
			assertFindings(t, l, test.want...)
			assert.Equal(t, r.license(test.era), "not in archives of this kind")
		})
	}
}

func TestAnArchiveOfOursHoldsAllThatARestoreNeeds(t *testing.T) {
	const data = "./ucp-auth-store-data"
	excluding := func(names ...string) *archive.Manifest { return &archive.Manifest{ExcludedVolumes: names} }
	tests := map[string]struct {
		archive  listing
		manifest *archive.Manifest
		license  string
		want     []string
	}{
		"whole":                       {packed(), excluding(), "there", nil},
		"its manifest cannot be read": {packed(), nil, "there", nil},
		"a volume is missing": {
			packed().without(data+"/", data+"/key.pem"), excluding(), "there", []string{"fault " + data + ": this volume is missing, and a restore needs it"},
		},
		"a volume is empty": {packed().without(data + "/key.pem"), excluding(), "there", []string{"fault " + data + ": this volume is empty"}},
		"a volume was left out on purpose": {
			packed().without(data+"/", data+"/key.pem"), excluding("ucp-auth-store-data"), "there",
			[]string{"fault " + data + ": left out on purpose: no restore can be made from this archive alone"},
		},
		"a volume that no restore needs was left out": {
			packed(), excluding("ucp-metrics-data"), "there", []string{"note ./ucp-metrics-data: left out on purpose: monitoring data"},
		},
		"a volume that is not known was left out": {
			packed(), excluding("audit-logs"), "there", []string{"warning ./audit-logs: left out on purpose, and it is none"},
		},
		"of UCP 1, which has no auth volumes": {
			listing{names: packed().names[:4]}.with(first().names...), &archive.Manifest{UCP: archive.UCP{Version: "1.1.4"}}, "there", nil,
		},
		"without a license": {
			packed().without("./docker-ucp/configs/com.docker.license-1.json"), excluding(), "absent",
			[]string{"warning : no config with a license (com.docker.license-N): load it again after a restore"},
		},
		"without UCP's settings": {
			packed().without("./docker-ucp/configs/com.docker.ucp.config-3.json"), excluding(), "there",
			[]string{"warning : no config with UCP's settings"},
		},
		"of a swarm without quorum": {
			packed().without("./docker-ucp/configs/com.docker.license-1.json", "./docker-ucp/configs/com.docker.ucp.config-3.json"),
			&archive.Manifest{Missing: []string{"swarm configs", "swarm services"}}, "absent",
			[]string{
				"warning : without swarm configs: the swarm had no quorum when the backup was made", "warning : without swarm services",
				"warning : load the license again after a restore",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, l := test.archive.rules(), &level{}
			assert.Assert(t, r.manifest)
			r.judge(l, EraOurs, test.manifest)
			assertFindings(t, l, test.want...)
			assert.Equal(t, r.license(EraOurs), test.license)
		})
	}
}

func TestTheEraIsSeenInWhatIsLeftOfAnArchive(t *testing.T) {
	tests := map[string]struct {
		archive listing
		want    Era
	}{
		"records and root CAs, no dump":             {published().without(published().names[13:16]...), EraOnline},
		"records alone":                             {listing{names: published().names[:13]}, EraOnline},
		"root CAs alone":                            {listing{names: published().names[16:]}, EraStopped},
		"a dump alone":                              {listing{names: []string{"ucp-backup/1/etcd.backup.db"}}, EraOnline},
		"the volume of the dumps beside all others": {copied(5).with("./ucp-backup/"), EraStopped},
		"all volumes, with records":                 {copied(5).with("./ucp-kv.json"), EraStopped},
		"a file of a volume's name":                 {listing{names: []string{"./ucp-kv", "./web.json"}}, EraNone},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.archive.rules().era(), test.want) })
	}
}

func TestVolumesAreCounted(t *testing.T) {
	r := published().rules()
	assert.DeepEqual(t, r.volumes(), []Volume{
		{Name: "ucp-backup", Entries: 3, Bytes: 13543 + 5574688},
		{Name: "ucp-client-root-ca", Entries: 3, Bytes: 2},
		{Name: "ucp-cluster-root-ca", Entries: 3, Bytes: 2},
		{Name: "ucp-controller-server-certs", Entries: 5, Bytes: 4},
	})
	assert.Equal(t, len(packed().rules().volumes()), len(ucp.NeededVolumes("3.1.4")), "without the archive's own folder")
	assert.Equal(t, len(listing{names: []string{"./etc/", "./etc/passwd"}}.rules().volumes()), 0, "of no backup")
}

func TestStrangersCannotFillTheMemoryOrOverflow(t *testing.T) {
	r := newRules()
	for n := range 3 * maxFolders {
		r.entry(&tar.Header{Name: fmt.Sprintf("./%d/x", n), Typeflag: tar.TypeReg, Size: 1 << 62})
		r.entry(&tar.Header{Name: fmt.Sprintf("./ucp-backup/%d/etcd.backup.db", n), Typeflag: tar.TypeReg, Size: 1 << 62})
	}
	r.entry(&tar.Header{Name: "./ucp-kv/x", Typeflag: tar.TypeReg, Size: 1})
	assert.Equal(t, len(r.folders), maxFolders+1)
	assert.Equal(t, len(r.dumps), maxDumps)
	assert.Assert(t, r.folders["ucp-kv"] != nil, "UCP's own always have room")
	assert.Equal(t, r.folders["ucp-backup"].Bytes, int64(math.MaxInt64))
}
