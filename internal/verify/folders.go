package verify

import (
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxCertificates bounds those that the result lists.
const maxCertificates = 1000

// judge holds the files of the certificate volumes against each other and lists the certificates. Files that are not
// where UCP looks for its own bring warnings where UCP's bring faults. What was kept is overwritten.
func (c *certificates) judge(l *level, era Era, now time.Time) []Certificate {
	defer c.forget()
	if era == EraNone {
		return nil
	}
	j := &certificateJudge{kept: c, level: l, must: true, now: now, era: era, said: map[string]bool{}, root: map[string]*x509.Certificate{}}
	places := slices.Sorted(maps.Keys(c.files))
	for _, volume := range certificateVolumes() {
		switch {
		case !c.volumes[volume]:
		case asksFor(era, volume):
			j.volume(volume)
		default:
			j.stray(volume)
		}
		for _, place := range places {
			if strings.HasPrefix(place, volume+"/") && strings.HasSuffix(place, ".pem") && !isUCPs(place) {
				j.other(place)
			}
		}
	}
	if c.dropped > 0 {
		l.warn("", "%d more PEM files of the certificate volumes were not looked at: there are too many, or they are too long", c.dropped)
	}
	return j.found
}

// certificateJudge is what is known while one volume after the other is judged.
type certificateJudge struct {
	kept  *certificates
	level *level
	now   time.Time
	era   Era
	must  bool                         // that a restore needs the volume's files
	root  map[string]*x509.Certificate // of the archive, by volume
	said  map[string]bool              // certificates whose time was judged: a root's stands in many files
	found []Certificate
}

// asksFor tells whether a restore of an era's archive puts a volume of certificates back. From 3.2 on UCP makes all but
// three anew (ucp-facts 4.1).
func asksFor(era Era, volume string) bool {
	return era != EraOnline || volume == clusterRoot || volume == clientRoot || volume == serverCerts
}

// stray judges a volume that no restore puts back: it may be empty, and what is wrong with it calls for a warning at most.
func (j *certificateJudge) stray(volume string) {
	apart := *j
	apart.level, apart.must = &level{}, false
	apart.volume(volume)
	j.found = apart.found
	for _, f := range apart.level.findings {
		j.level.warn(f.Entry, "%s", f.Text)
	}
}

// volume judges the files that UCP reads in one volume.
func (j *certificateJudge) volume(volume string) {
	isRoot := volume == clusterRoot || volume == clientRoot
	var beside []*x509.Certificate
	if !isRoot || j.kept.files[volume+"/ca.pem"] != nil {
		beside = j.read(volume+"/ca.pem", j.must)
	}
	certs := j.read(volume+"/cert.pem", j.must)
	j.key(volume+"/key.pem", certs)
	if j.kept.files[volume+"/client_ca.pem"] != nil {
		j.read(volume+"/client_ca.pem", false)
	}
	switch {
	case len(certs) == 0:
	case isRoot:
		j.isRoot(volume, certs[0])
	default:
		j.chain(volume, certs, beside)
	}
}

// file returns a file that was kept whole. must says that its absence is a fault.
func (j *certificateJudge) file(place string, must bool) *pemFile {
	f := j.kept.follow(place)
	entry := "./" + place
	switch listed := j.kept.files[place]; {
	case listed == nil && must:
		if place != decidingPlace(j.era) { // which the era's rule names already
			j.level.fault(entry, "is missing")
		}
	case listed == nil:
	case f == nil && must:
		j.level.fault(listed.entry, "is a link to %s, where this archive has no file", printable(listed.link, 100))
	case f == nil:
		j.level.warn(listed.entry, "is a link to %s, where this archive has no file", printable(listed.link, 100))
	case f.state == pemNoFile:
		j.level.fault(listed.entry, "is no file")
	case f.state == pemTooLong:
		j.level.fault(listed.entry, "has %d bytes; of a PEM file %d are read at most", f.size, maxPEM)
	case f.state == pemWhole:
		return f
	}
	return nil
}

// read returns the certificates of a file, and lists them.
func (j *certificateJudge) read(place string, must bool) []*x509.Certificate {
	f := j.file(place, must)
	if f == nil || len(f.content) == 0 && !must {
		return nil
	}
	certs, err := readCertificates(f.content)
	switch {
	case errors.Is(err, errOddCertificate):
		j.level.warn(j.kept.files[place].entry, "%s", err)
		certs = nil // no chain is judged by half
	case err != nil:
		j.level.fault(j.kept.files[place].entry, "%s", err)
		return nil
	}
	j.list(j.kept.files[place].entry, certs)
	return certs
}

func (j *certificateJudge) list(entry string, certs []*x509.Certificate) {
	for _, c := range certs {
		if len(j.found) < maxCertificates {
			j.found = append(j.found, Certificate{
				Entry: entry, Subject: subject(c), Issuer: printable(c.Issuer.String(), 200), NotAfter: c.NotAfter.UTC(), CA: c.IsCA,
			})
		}
	}
}

func subject(c *x509.Certificate) string { return printable(c.Subject.String(), 200) }

// key holds the private key against the certificate beside it.
func (j *certificateJudge) key(place string, certs []*x509.Certificate) {
	f := j.file(place, j.must)
	if f == nil {
		return
	}
	entry := j.kept.files[place].entry
	public, err := readKey(f.content)
	switch {
	case err != nil:
		j.level.fault(entry, "%s", err)
	case len(certs) > 0 && !belongs(public, certs[0]):
		j.level.fault(entry, "does not belong to the certificate in cert.pem beside it (%s)", subject(certs[0]))
	}
}

// other judges a file with a name that UCP does not use, in which anything may stand that an operator put there.
func (j *certificateJudge) other(place string) {
	f := j.kept.files[place]
	if f.state != pemWhole {
		return
	}
	blocks, err := decodePEM(f.content)
	wipe(blocks)
	if err != nil {
		j.level.warn(f.entry, "%s; UCP has no file of this name", err)
	}
}
