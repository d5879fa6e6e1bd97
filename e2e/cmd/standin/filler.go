package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// fill writes as many random bytes and small files as asked for, so that a backup has something to carry.
func fill(dir string, job layout.Job) error {
	const table = 128 << 20
	random := rand.NewChaCha8([32]byte([]byte("filler of a stand-in for the UCP")))
	for i := 0; int64(i)*table < job.DataBytes; i++ {
		size := min(table, job.DataBytes-int64(i)*table)
		if err := writeRandom(filepath.Join(dir, "tables", fmt.Sprintf("table-%03d", i)), random, size); err != nil {
			return fmt.Errorf("write filler: %w", err)
		}
	}
	for i := range job.SmallFiles {
		name := filepath.Join(dir, "small", fmt.Sprintf("%03d", i/1000), fmt.Sprintf("%06d", i))
		if err := writeRandom(name, random, int64(100+i%900)); err != nil {
			return fmt.Errorf("write filler: %w", err)
		}
	}
	return nil
}

func writeRandom(path string, random io.Reader, size int64) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.CopyN(f, random, size)
	return err
}
