package verify

import (
	"archive/tar"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func TestADumpIsAFile(t *testing.T) {
	const dump = "./ucp-backup/1631549510183/etcd.backup.db"
	for _, kind := range []byte{tar.TypeLink, tar.TypeSymlink, tar.TypeFifo, tar.TypeDir} {
		r, l := published().without(dump).rules(), &level{}
		r.entry(&tar.Header{Name: dump, Typeflag: kind, Size: 4096, Linkname: "./ucp-kv.json"}) // links that claim a size are written by hand
		r.judge(l, EraOnline, nil)
		assertFindings(t, l, "fault "+dump+": is no file", licenseNote)
	}
}

func TestAVolumeThatARestoreNeedsHoldsData(t *testing.T) {
	const data = "./ucp-auth-store-data"
	without := copied(100).without(data + "/key.pem")
	tests := map[string]listing{
		"links alone":       without.with(data + "/table@"),
		"empty folders":     without.with(data + "/a/"),
		"empty files alone": without.with(data+"/a", data+"/b").withEmpty(data + "/a").withEmpty(data + "/b"),
	}
	for name, archived := range tests {
		t.Run(name, func(t *testing.T) {
			l := &level{}
			archived.rules().judge(l, EraStopped, nil)
			assertFindings(t, l, "fault "+data+": this volume holds no data", licenseNote)
		})
	}
}

// spare is a listing of UCP 1's volumes without what tells that they are UCP 1's.
func spare() listing {
	return first().without("ucp-client-root-ca/config.json", "ucp-cluster-root-ca/config.json")
}

func TestTheRuleOfUCP1IsForUCP1(t *testing.T) {
	const config = "ucp-client-root-ca/config.json"
	tests := map[string]struct {
		archive listing
		first   bool
	}{
		"a root CA's settings":            {spare().with(config), true},
		"none":                            {spare(), false},
		"empty settings":                  {spare().with(config).withEmpty(config), false},
		"a link in the settings' place":   {spare().with(config + "@"), false},
		"etcd 3's folder":                 {spare().with(config, "ucp-kv/datav3/"), false},
		"etcd 3's folder, not listed":     {spare().with(config, "ucp-kv/datav3/member/wal/0.wal"), false},
		"etcd 3's database elsewhere":     {spare().with(config, "ucp-kv/data/member/snap/db"), false},
		"etcd 2's log":                    {spare().with(config, "ucp-kv/data/member/wal/0.wal"), true},
		"a volume of the auth service":    {spare().with(config, "ucp-auth-api-certs/"), false},
		"a volume of the metrics":         {spare().with(config, "ucp-metrics-data/"), false},
		"a volume that somebody else has": {spare().with(config, "web/"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := test.archive.rules()
			assert.Equal(t, r.isFirst(), test.first)
			stopped, own := &level{}, &level{}
			r.judge(stopped, EraStopped, nil)
			r.judge(own, EraOurs, &archive.Manifest{UCP: archive.UCP{Version: "1.1.4"}})
			assert.Equal(t, stopped.faults == 0, test.first, "%v", stopped.findings)
			assert.Equal(t, own.faults == 0, test.first, "%v", own.findings)
		})
	}
	l := &level{}
	spare().with(config, "ucp-controller.json").rules().judge(l, EraStopped, nil)
	assert.Assert(t, l.faults > 0, "an archive of UCP 1 holds no records")
}

func TestOnlyAManifestAtTheHeadMakesAnArchiveOneOfOurs(t *testing.T) {
	tests := map[string]struct {
		headers []*tar.Header
		want    bool
	}{
		"a file, first":     {[]*tar.Header{{Name: manifestEntry, Typeflag: tar.TypeReg, Size: 1}}, true},
		"a folder":          {[]*tar.Header{{Name: manifestEntry + "/", Typeflag: tar.TypeDir}}, false},
		"a link":            {[]*tar.Header{{Name: manifestEntry, Typeflag: tar.TypeSymlink, Linkname: "x"}}, false},
		"a file, not first": {[]*tar.Header{{Name: "./x", Typeflag: tar.TypeReg}, {Name: manifestEntry, Typeflag: tar.TypeReg, Size: 1}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRules()
			for _, h := range test.headers {
				r.entry(h)
			}
			assert.Equal(t, r.manifest, test.want)
			assert.Equal(t, r.era(), EraNone, "which archive is ours is for its reader to say")
		})
	}
}

func TestDumpsThatWereLeftBehindAreNoted(t *testing.T) {
	const left = "note ./ucp-backup: holds what a backup of UCP 3.2 or later left behind"
	dump := []string{"./ucp-backup/", "./ucp-backup/1/", "./ucp-backup/1/etcd.backup.db"}
	r, l := copied(100).with(dump...).rules(), &level{}
	assert.Equal(t, r.era(), EraStopped)
	r.judge(l, EraStopped, nil)
	assertFindings(t, l, left, licenseNote)

	r, l = packed().with(dump...).rules(), &level{}
	r.judge(l, EraOurs, &archive.Manifest{})
	assertFindings(t, l, left)

	strays := published().with("./ucp-kv/", "./ucp-kv-certs/", "./ucp-auth-store-data/")
	assert.Equal(t, strays.rules().era(), EraOnline, "folders without data say nothing")
	assert.Equal(t, strays.with("./ucp-kv/x").rules().era(), EraOnline, "nor does one of two databases")
}

func TestAVolumeThatWasLeftOutIsNotHere(t *testing.T) {
	l := &level{}
	packed().with("./audit/", "./ucp-metrics-data/").rules().judge(l, EraOurs,
		&archive.Manifest{ExcludedVolumes: []string{"ucp-kv", "ucp-metrics-data", "audit"}})
	assertFindings(t, l, "warning ./ucp-kv: is here, and the manifest says", "warning ./ucp-metrics-data: is here", "warning ./audit: is here")
}

func TestOnlyALicenseIsALicense(t *testing.T) {
	const license = "./docker-ucp/configs/com.docker.license-1.json"
	packedWith := func(name string) listing { return packed().without(license).with(name) }
	tests := map[string]struct {
		archive listing
		want    string
	}{
		"a config":              {packed(), "there"},
		"of a higher number":    {packedWith(strings.Replace(license, "-1.", "-12.", 1)), "there"},
		"in a folder":           {packedWith("./docker-ucp/configs/com.docker.license-/x.json"), "absent"},
		"in a folder of number": {packedWith("./docker-ucp/configs/com.docker.license-1/1.json"), "absent"},
		"without a number":      {packedWith("./docker-ucp/configs/com.docker.license-x.json"), "absent"},
		"empty":                 {packed().withEmpty(license), "absent"},
		"a link":                {packedWith(license + "@"), "absent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.archive.rules().license(EraOurs), test.want) })
	}
}
