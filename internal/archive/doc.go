// Package archive writes and checks the tar that a backup is: the manifest
// first, what describes UCP after it, every file of every volume, a report,
// and the checksums last. docs/archive-format.md is its specification.
//
// The tar is PAX and nothing else, so that GNU tar, bsdtar and Go's reader
// agree on names of any bytes and any length, sizes beyond 8 GiB, times in
// nanoseconds, extended attributes and holes. Headers are rendered here and not
// by archive/tar, which drops the GNU.sparse records that holes need and takes
// a third of the time that a small file needs.
//
// Writer and Check share one judge of order and names (layout), so that what
// Check would refuse is not written in the first place. Memory is constant in
// the number and the size of the files: checksum lines wait in an unlinked
// scratch file, and sorted order makes a name that comes twice visible without
// remembering any.
//
// Check reads any other tar as well, such as the vendor's backups are, and says
// what of it would escape or mislead at extraction. There a bounded set of
// hashes stands in for the order that nobody promises.
//
// Not promised: access and change times, names of owners (numbers only),
// trusted.* attributes, and sockets, which mean nothing once their process is
// gone. The package knows no Docker and no encryption.
package archive
