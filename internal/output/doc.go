// Package output writes a file whole or not at all.
//
// The bytes go to FILE.part in the folder of FILE, mode 0600 whatever the umask. Commit brings them to the disk, gives
// the file its name in one step, and brings that step to the disk; until then a file that already had the name is
// untouched, and after an error there is neither a new FILE nor a FILE.part.
//
// FILE.part is also a lock: it is held with flock (LockFileEx on Windows) for as long as the run lives. A second run on
// the same FILE is refused; what a run that was killed left behind is removed and begun anew under a new inode, so that
// a writer which outlived its run, such as an agent, can never write into the file of the next one.
//
// FILE itself is never followed: a symbolic link, a device, a pipe and a folder are refused when the file is created,
// since renaming onto them would not do what was asked. Links on the way to its folder are followed.
//
// It does not promise that a file system which lies about fsync keeps the file, nor that two runs are kept apart on
// file systems without locks that both create FILE.part anew at the same moment: there the second is refused by the
// name alone.
package output
