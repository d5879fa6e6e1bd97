package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
)

// maxPath is the longest path that Linux takes (PATH_MAX).
const maxPath = 4096

// cleanPath returns a name of an archive that is not ours as Path does, and
// refuses names that lead anywhere else or can be written in two ways. The
// archive's own folder, "./", is "".
func cleanPath(name string, folder bool) (string, error) {
	switch {
	case name == "":
		return "", errors.New("has no name")
	case len(name) > maxPath:
		return "", fmt.Errorf("has a name of %d bytes, more than %d", len(name), maxPath)
	case strings.IndexByte(name, 0) >= 0:
		return "", errors.New("holds a zero byte")
	case name[0] == '/':
		return "", errors.New("is absolute")
	case name == "." || name == "./":
		if !folder {
			return "", errors.New("is the archive's own folder, but no folder")
		}
		return "", nil
	}
	path := strings.TrimPrefix(name, "./")
	if folder {
		path = strings.TrimSuffix(path, "/")
	}
	unclean := false
	for rest, more := path, true; more; {
		var element string
		element, rest, more = strings.Cut(rest, "/")
		if element == ".." {
			return "", errors.New("leads out: \"..\" is in it")
		}
		unclean = unclean || element == "" || element == "."
	}
	if unclean {
		return "", errors.New("is no clean path: others can be written for the same file")
	}
	return path, nil
}

// LeadsOut says why an entry's symlink leads out of its volume; nil is every
// other entry.
func LeadsOut(h *tar.Header) error {
	if h.Typeflag != tar.TypeSymlink {
		return nil
	}
	return symlink(Path(h.Name), h.Linkname)
}

// symlink says whether a symlink leads out of its volume, which is the first
// folder of its path, by what is written in it alone. What does not exist is
// not looked for.
func symlink(path, target string) error {
	if target == "" {
		return errors.New("a symlink to nothing")
	}
	if target[0] == '/' {
		return fmt.Errorf("a symlink to %q, which is absolute", target)
	}
	depth := strings.Count(path, "/")
	floor := min(depth, 1)
	for element := range strings.SplitSeq(target, "/") {
		switch element {
		case "", ".":
		case "..":
			if depth--; depth < floor {
				return fmt.Errorf("a symlink to %q, which leads out of its volume", target)
			}
		default:
			depth++
		}
	}
	return nil
}

// link says whether a hard link leads to a regular file that came before it.
func (f *foreign) link(target string) error {
	path, err := cleanPath(target, false)
	if err != nil {
		return fmt.Errorf("a hard link to %q, which %w", target, err)
	}
	switch k, found := f.names.get(path); {
	case found && k == regularFile:
		return nil
	case !found && f.names.full():
		return nil // nobody knows
	default:
		return fmt.Errorf("a hard link to %q, which is no file that came before", target)
	}
}

// remember notes a name. It must be new, and must be reached through folders
// only: what is written through a link goes where the link says.
func (f *foreign) remember(path string, k kind) error {
	var through error
	// Whatever replaces a folder stands in the folder above it, so that this is the last one then.
	if parent := parentOf(path); parent != f.parent {
		if through = f.folders(parent); through == nil {
			f.parent = parent
		}
	}
	before, found := f.names.get(path)
	switch {
	case !found:
		f.names.put(path, k)
		return through
	case before == impliedFolder && k == folder:
		f.names.put(path, k) // now it is really there
		return through
	}
	f.names.put(path, max(before, k))
	switch {
	case through != nil:
		return through
	case before == impliedFolder:
		return errors.New("stands where a folder was, in which there are files")
	default:
		return errors.New("comes twice")
	}
}

// folders says whether each part of a path is a folder, or not in the archive
// yet: then it is to be a folder.
func (f *foreign) folders(path string) error {
	for at := 0; at < len(path); at++ {
		i := strings.IndexByte(path[at:], '/')
		if at += i; i < 0 {
			at = len(path)
		}
		switch k, found := f.names.get(path[:at]); {
		case !found:
			f.names.put(path[:at], impliedFolder)
		case k != folder && k != impliedFolder:
			return fmt.Errorf("leads through %q, which is no folder", path[:at])
		}
	}
	return nil
}

// kindOf is what is remembered of an entry.
func kindOf(typeflag byte) kind {
	switch typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse, tar.TypeLink:
		return regularFile
	case tar.TypeDir:
		return folder
	default:
		return other
	}
}
