package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// The bounds of what is tried. A stranger can fill a bundle with CAs of one name.
const (
	maxChainTimes = 16
	maxIssuers    = 32
	maxChainSteps = 8
)

// linkage is how a certificate hangs together with those that should have issued it.
type linkage int

const (
	linked      linkage = iota // signature by signature up to a trusted one, all valid at one time
	unlinked                   // its issuer, or its issuer's, is not there
	forged                     // one of the issuer's name is there, and did not sign it
	weak                       // signed in a way that is not trusted any more, or not checked here
	neverAtOnce                // signed rightly, and never were all valid at one time
	refused                    // signed rightly, and against another rule, which err tells
)

// way is what findChain comes to.
type way struct {
	linkage linkage
	chain   []*x509.Certificate // of a certificate that is linked: itself, and those above
	end     *x509.Certificate   // of every other: where it ends
	err     error
}

// findChain looks for a way from a certificate to one of the roots, over certificates sent with it.
//
// A chain holds if there was a time at which all of it was valid: that it has expired since is another matter.
func findChain(leaf *x509.Certificate, between, roots []*x509.Certificate) way {
	for _, c := range slices.Concat([]*x509.Certificate{leaf}, between, roots) {
		if rsaBits(c.PublicKey) > maxRSABits {
			return way{linkage: weak, end: c}
		}
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range roots {
		opts.Roots.AddCert(c)
	}
	for _, c := range between {
		opts.Intermediates.AddCert(c)
	}
	var rule error
	for _, opts.CurrentTime = range beginnings(leaf, between, roots) {
		chains, err := leaf.Verify(opts)
		if err == nil {
			return way{linkage: linked, chain: chains[0]}
		}
		if !isAbout(err, x509.Expired) && !errors.As(err, new(x509.UnknownAuthorityError)) {
			rule = err
		}
	}
	return whereItEnds(leaf, between, roots, rule)
}

func isAbout(err error, reason x509.InvalidReason) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == reason
}

// beginnings are the times that can be the first at which a chain is valid, the certificate's own first.
func beginnings(leaf *x509.Certificate, others ...[]*x509.Certificate) []time.Time {
	var later []time.Time
	for _, c := range slices.Concat(others...) {
		if c.NotBefore.After(leaf.NotBefore) && !c.NotBefore.After(leaf.NotAfter) {
			later = append(later, c.NotBefore)
		}
	}
	slices.SortFunc(later, time.Time.Compare)
	times := append([]time.Time{leaf.NotBefore}, slices.CompactFunc(later, time.Time.Equal)...)
	return times[:min(len(times), maxChainTimes)]
}

// whereItEnds goes the way by names and signatures alone, and says why Verify has found none. rule is what Verify had
// against it beyond missing issuers and expiry.
func whereItEnds(leaf *x509.Certificate, between, roots []*x509.Certificate, rule error) way {
	at, sha1 := leaf, false
	for range maxChainSteps {
		sha1 = sha1 || isSHA1(at)
		root, why := issuerOf(at, roots)
		switch {
		case root != nil && sha1:
			return way{linkage: weak, end: at}
		case root != nil && rule != nil:
			return way{linkage: refused, end: at, err: rule}
		case root != nil:
			return way{linkage: neverAtOnce, end: at}
		}
		next, whyNext := issuerOf(at, between)
		if next == nil || next == at {
			return way{linkage: max(why, whyNext), end: at} // the one that says more
		}
		at = next
	}
	return way{linkage: unlinked, end: at}
}

// issuerOf finds who signed a certificate; without one, why none of these did.
func issuerOf(c *x509.Certificate, among []*x509.Certificate) (*x509.Certificate, linkage) {
	why, tried := unlinked, 0
	for _, issuer := range among {
		if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
			continue
		}
		if tried++; tried > maxIssuers {
			break
		}
		err := c.CheckSignatureFrom(issuer)
		if err != nil && isSHA1(c) {
			err = issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) // which takes SHA-1
		}
		switch {
		case err == nil:
			return issuer, linked
		case isUnchecked(issuer, err):
			why = weak
		case why == unlinked:
			why = forged
		}
	}
	return nil, why
}

func isSHA1(c *x509.Certificate) bool {
	return c.SignatureAlgorithm == x509.SHA1WithRSA || c.SignatureAlgorithm == x509.ECDSAWithSHA1
}

// isUnchecked tells a signature that the standard library does not look at from a wrong one: MD5, DSA, keys too short.
func isUnchecked(issuer *x509.Certificate, err error) bool {
	var insecure x509.InsecureAlgorithmError
	bits := rsaBits(issuer.PublicKey)
	return errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm) || bits > 0 && bits < 1024
}
