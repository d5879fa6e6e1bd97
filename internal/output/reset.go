package output

import (
	"fmt"
	"io"
)

// Reset drops what was written so far, so that Write begins at the start of an empty FILE.part again.
func (f *File) Reset() error {
	if err := f.file.Truncate(0); err != nil {
		return fmt.Errorf("empty %s: %w", f.part, cause(err))
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind %s: %w", f.part, cause(err))
	}
	return nil
}
