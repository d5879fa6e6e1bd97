package archive

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// relative returns an entry's name without its leading "./", refusing names
// that could lead anywhere else or be written in two ways.
func relative(name string) (string, error) {
	path, found := strings.CutPrefix(name, "./")
	if !found {
		return "", errors.New("does not begin with \"./\"")
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", errors.New("holds a zero byte")
	}
	for rest, more := path, true; more; {
		var element string
		element, rest, more = strings.Cut(rest, "/")
		if element == "" || element == "." || element == ".." {
			return "", errors.New("is no clean path")
		}
	}
	return path, nil
}

// comparePaths orders paths as a walk meets them: a folder before what is in
// it, and that before the folder's next sibling, as if "/" were the lowest of
// all bytes.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	switch {
	case i == n:
		return len(a) - len(b)
	case a[i] == '/':
		return -1
	case b[i] == '/':
		return 1
	default:
		return int(a[i]) - int(b[i])
	}
}

// parentOf returns the folder that a path is in, "" for the volume's root.
func parentOf(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}

// within says whether path is folder, or is below it.
func within(path, folder string) bool {
	rest, found := strings.CutPrefix(path, folder)
	return found && (rest == "" || folder == "" || rest[0] == '/')
}

// Printable renders a name of any bytes for an error message, as it is where
// that is safe.
func Printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// named puts a file in front of an error.
func named(name string, err error) error {
	return fmt.Errorf("%s: %w", Printable(name), err)
}
