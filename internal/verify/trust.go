package verify

import (
	"crypto/x509"
	"fmt"
	"time"
)

// soon is how long before its end a certificate calls for attention.
const soon = 30 * 24 * time.Hour

// isRoot judges the certificate of a root CA, and keeps it for those that it issued.
func (j *certificateJudge) isRoot(volume string, c *x509.Certificate) {
	entry := j.kept.files[volume+"/cert.pem"].entry
	j.root[volume] = c
	j.time(entry, c)
	switch {
	case !c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		j.level.fault(entry, "is not the certificate of a CA that may issue others (%s)", subject(c))
	case rsaBits(c.PublicKey) > maxRSABits:
		j.level.warn(entry, "has an RSA key of %d bits, with which nothing is checked here", rsaBits(c.PublicKey))
	default:
		j.selfSigned(entry, c)
	}
}

// selfSigned judges a root's signature, which Verify takes on trust.
func (j *certificateJudge) selfSigned(entry string, c *x509.Certificate) {
	issuer, why := issuerOf(c, []*x509.Certificate{c})
	switch {
	case issuer != nil && !isSHA1(c):
	case issuer != nil, why == weak:
		j.level.warn(entry, "is signed with %s, which is not trusted any more", c.SignatureAlgorithm)
	case why == unlinked:
		j.level.fault(entry, "is no root: it was issued by another (%s)", printable(c.Issuer.String(), 200))
	default:
		j.level.fault(entry, "its signature is wrong (%s)", subject(c))
	}
}

// chain judges who issued the certificate of a component: the CAs in ca.pem beside it, or else the archive's root CAs.
func (j *certificateJudge) chain(volume string, certs, beside []*x509.Certificate) {
	entry := j.kept.files[volume+"/cert.pem"].entry
	leaf, between := certs[0], certs[1:]
	found := findChain(leaf, between, beside)
	byRoot := findChain(leaf, append(between[:len(between):len(between)], beside...), j.roots())
	switch {
	case found.linkage == linked && byRoot.linkage != linked && byRoot.linkage != weak && volume != serverCerts && len(j.root) == 2:
		j.level.warn(entry, "was issued by a CA that is in the ca.pem beside it, and is neither of UCP's root CAs in this archive")
	case found.linkage != linked && byRoot.linkage == linked && len(beside) > 0:
		j.level.warn(entry, "was issued by one of UCP's root CAs, which is not in the ca.pem beside it")
	}
	if found.linkage != linked && (byRoot.linkage == linked || found.linkage == unlinked) {
		found = byRoot // where nothing beside it knows the issuer, the roots may say more
	}
	if found.linkage != linked {
		found.chain = []*x509.Certificate{leaf}
		j.unchained(volume, entry, found, len(beside) > 0 && len(j.root) > 0)
	}
	if byRoot.linkage == linked {
		j.ofItsKind(volume, entry, leaf, append(between[:len(between):len(between)], beside...))
	}
	for _, c := range found.chain {
		j.time(entry, c)
	}
}

// ofItsKind warns of a certificate that the other root CA has issued. Components trust the cluster's, and browsers and
// users the clients', which by the sizes of a published listing has issued the web server's (ucp-facts 1.1 and 4.1); since
// that is no word of the vendor's, it is no fault.
func (j *certificateJudge) ofItsKind(volume, entry string, leaf *x509.Certificate, between []*x509.Certificate) {
	signs, other := "cluster", "client"
	right := j.root[clusterRoot]
	if volume == serverCerts {
		signs, other, right = other, signs, j.root[clientRoot]
	}
	if right != nil && findChain(leaf, between, []*x509.Certificate{right}).linkage != linked {
		j.level.warn(entry, "was issued by the %s root CA, where UCP has the %s root CA issue it: were the two exchanged?", other, signs)
	}
}

func (j *certificateJudge) roots() []*x509.Certificate {
	var all []*x509.Certificate
	for _, volume := range []string{clusterRoot, clientRoot} {
		if c := j.root[volume]; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// unchained says why nobody who counts has issued a certificate. complete says that all CAs were there to be asked.
//
// A certificate whose issuer is not in the archive is a fault, for UCP's components trust its CAs alone. The web server's
// is not: an operator may put in its place one that a CA of his own issued, whose root only browsers have to know.
func (j *certificateJudge) unchained(volume, entry string, found way, complete bool) {
	issuer := printable(found.end.Issuer.String(), 200)
	switch found.linkage {
	case unlinked:
		switch {
		case !complete: // said already: a CA is missing or cannot be read
		case volume == serverCerts:
			j.level.warn(entry, "was issued by %s, which is not in this archive: whoever connects has to know that CA from elsewhere", issuer)
		default:
			j.level.fault(entry, "was issued by %s, which is neither in the ca.pem beside it nor a root CA of this archive", issuer)
		}
	case forged:
		j.level.fault(entry, "says that %s issued it, and what has that name in this archive did not sign it, or is no CA", issuer)
	case weak:
		j.level.warn(entry, "%s: its chain is not trusted any more, or cannot be checked", signature(found.end))
	case neverAtOnce:
		j.level.warn(entry, "was never valid at the same time as the CA that issued it (%s)", issuer)
	case refused:
		j.level.warn(entry, "its chain is right by its signatures, and refused all the same: %s", printable(found.err.Error(), 200))
	case linked:
	}
}

// signature describes what makes a chain weak.
func signature(c *x509.Certificate) string {
	if bits := rsaBits(c.PublicKey); bits > maxRSABits {
		return fmt.Sprintf("there is an RSA key of %d bits in the chain", bits)
	}
	return fmt.Sprintf("signed with %s by %s", c.SignatureAlgorithm, printable(c.Issuer.String(), 200))
}

// time judges once for each certificate whether it is valid now, and for how long.
func (j *certificateJudge) time(entry string, c *x509.Certificate) {
	if j.said[string(c.Raw)] {
		return
	}
	j.said[string(c.Raw)] = true
	const day = time.DateOnly
	left := c.NotAfter.Sub(j.now)
	switch {
	case j.now.Before(c.NotBefore):
		j.level.warn(entry, "%s is not valid before %s; is the clock right?", subject(c), c.NotBefore.UTC().Format(day))
	case left < 0:
		j.level.warn(entry, "%s expired on %s: the backup is none the worse for its age, but after a restore this certificate must be renewed",
			subject(c), c.NotAfter.UTC().Format(day))
	case left <= soon:
		j.level.warn(entry, "%s expires on %s, in %d days: renew it, and back up again", subject(c), c.NotAfter.UTC().Format(day), int(left.Hours()/24))
	}
}
