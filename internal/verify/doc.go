// Package verify answers whether a backup is good, from its bytes up to etcd
// and the certificates in it, in one pass and without an engine.
//
// Three levels, each with a verdict of its own. Sealed: the OpenPGP message
// opens, its modification detection is right, nothing follows it. Tar: it is
// complete, every checksum is right, nothing in it would escape at extraction.
// UCP: by the rule of the era that wrote it, what a restore needs is there and
// is what it claims to be.
//
// Archives of docker ucp backup, of the vendor's backup of both eras, sealed or
// not, and with gzip around are read. Memory is bounded at any size; of a
// database one copy at a time lies in a temporary file that has no name, or on
// Windows is removed at the end.
//
// Not promised: that a restore will succeed, which depends on the engine it is
// tried on; that anything is right in the files of the auth store and the
// metrics, whose formats are not published, beyond their checksums; and that a
// plain archive of the vendor, which carries no checksums, is unchanged.
package verify
