package archive

import "strconv"

// appendRegions renders a sparse file's regions of data as the content begins
// with them: a decimal number a line, their count first. GNU tar needs an
// empty region at the end of a file that ends with a hole.
func appendRegions(dst []byte, e *Entry) []byte {
	n := len(e.Extents)
	tail := n == 0 || e.Extents[n-1].Offset+e.Extents[n-1].Length < e.Size
	count := n
	if tail {
		count++
	}
	dst = appendLine(dst, int64(count))
	for _, x := range e.Extents {
		dst = appendLine(dst, x.Offset)
		dst = appendLine(dst, x.Length)
	}
	if tail {
		dst = appendLine(dst, e.Size)
		dst = appendLine(dst, 0)
	}
	return padded(dst)
}

func appendLine(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(dst, n, 10), '\n')
}
