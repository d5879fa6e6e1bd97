package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const rehashChunk = 1 << 20

// Rehash reads FILE.part from its start, writes it to tee, such as a checksum to be compared with that of whoever wrote
// it, and returns its SHA-256 and size. Where Write goes on is not changed.
func (f *File) Rehash(ctx context.Context, tee io.Writer) (digest string, size int64, err error) {
	hash, chunk := sha256.New(), make([]byte, rehashChunk)
	for {
		if err := ctx.Err(); err != nil {
			return "", size, fmt.Errorf("read %s again: %w", f.part, err)
		}
		n, err := f.file.ReadAt(chunk, size)
		_, _ = hash.Write(chunk[:n]) // never fails: package hash promises it
		size += int64(n)
		if _, err := tee.Write(chunk[:n]); err != nil {
			return "", size, fmt.Errorf("read %s again: %w", f.part, err)
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), size, nil
		}
		if err != nil {
			return "", size, fmt.Errorf("read %s again: %w", f.part, cause(err))
		}
	}
}
