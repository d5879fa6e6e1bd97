package output

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"path/filepath"
)

// Free returns how many bytes the caller may still write where path lies: a folder, or a file that need not exist in a
// folder that does. A quota can make it less.
func Free(path string) (int64, error) {
	folder := path
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		folder = filepath.Dir(path)
	}
	blocks, size, err := available(folder)
	if err != nil {
		return 0, fmt.Errorf("measure free space in %s: %w", folder, err)
	}
	high, low := bits.Mul64(blocks, size)
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return int64(low), nil
}
