// Package snapshot reads volumes for the archive: as they stand (Live), or from
// a clone that was taken in a moment (Clone), so that UCP need not wait while
// the archive is written.
//
// A walk holds a descriptor of each folder it is in and opens every name
// relative to it, never following a symlink, so that nothing that changes
// underneath can lead it out of the volume. Each folder's names are sorted and
// packed; a folder with more names than fit a window is read again for each
// window. So memory is bounded for any number of files.
//
// A clone is one pass over the tree that writes an index: headers, the content
// of small files, and for each larger file the number of a file that shares
// its blocks (FICLONE: XFS, Btrfs). Owners, modes and attributes are only in
// the index, so the process needs no capability but CAP_DAC_READ_SEARCH.
//
// What cannot be read is an error, never a shorter archive. Not promised:
// consistency between the files of a Live walk, which is the caller's work
// (stop what writes), and the trusted.* attributes. The package knows no
// Docker. It works on Linux; elsewhere every call says so.
package snapshot
