package agent

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/seal"
	"github.com/docker-ucp/docker-ucp/internal/snapshot"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// pipeline is the way of the bytes: archive → seal → file, with a checksum of what reaches the file. Each layer's Close
// finishes that layer alone, and they are closed from the inside out.
type pipeline struct {
	archive *archive.Writer
	seal    *seal.Writer // nil for an archive that is not sealed
	file    *checkedFile
	durable bool // it must outlive a power cut: the plugin sees to that for the operator's own file
}

func newPipeline(file archiveFile, scratch string, order *Order) (*pipeline, error) {
	p := &pipeline{file: &checkedFile{file: file, table: crc32.MakeTable(crc32.Castagnoli)}, durable: !order.Direct}
	var sink io.Writer = p.file
	if len(order.Key) > 0 {
		key, err := seal.ParseSessionKey(order.Key)
		if err != nil {
			return nil, err
		}
		clear(order.Key)
		options := seal.Options{Compress: seal.None}
		if order.Compress {
			options.Compress = seal.Zlib
		}
		if p.seal, err = seal.NewWriter(p.file, order.Packets, key, options); err != nil {
			return nil, err
		}
		sink = p.seal
	}
	var err error
	if p.archive, err = archive.NewWriter(sink, scratch); err != nil {
		if p.seal != nil {
			p.seal.Abort()
		}
		return nil, err
	}
	return p, nil
}

func (p *pipeline) writeHead(manifest *archive.Manifest, records []ucp.Record) error {
	if err := p.archive.WriteManifest(manifest); err != nil {
		return err
	}
	for _, record := range records {
		if err := p.archive.WriteFile(record.Name, record.Content); err != nil {
			return err
		}
	}
	return nil
}

func (p *pipeline) writeTail(down *downtime) error {
	return p.archive.WriteReport(down.report())
}

// writeVolumes copies the volumes into the archive.
func (r *runner) writeVolumes(ctx context.Context, manifest *archive.Manifest, source snapshot.Source, p *pipeline) (err error) {
	done, end := r.count(Capturing, bytesOf(manifest))
	defer func() { end(err) }()
	for _, volume := range manifest.Volumes {
		err := source.Walk(ctx, volume.Name, func(entry *archive.Entry, content io.Reader) error {
			r.moves()
			before := done.Load()
			if err := p.archive.WriteEntry(entry, &counted{content, done, r.moves}); err != nil {
				return err
			}
			done.Store(before + entry.Size) // a hole counts too, once it is passed
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finish closes the layers from the inside out.
func (p *pipeline) finish() (Result, error) {
	if err := p.archive.Close(); err != nil {
		return Result{}, err
	}
	if p.seal != nil {
		if err := p.seal.Close(); err != nil {
			return Result{}, err
		}
	}
	if p.durable {
		if err := p.file.file.Sync(); err != nil {
			return Result{}, fmt.Errorf("write the archive to the disk: %w", err)
		}
	}
	if err := p.file.file.Close(); err != nil {
		return Result{}, fmt.Errorf("close the archive: %w", err)
	}
	return Result{CRC32C: p.file.checksum, Size: p.file.size, Entries: p.archive.Entries()}, nil
}

// abort ends what finish has not ended, so that neither a goroutine nor a file of the layers outlives the run.
func (p *pipeline) abort() error {
	if p.seal != nil {
		p.seal.Abort()
	}
	return p.archive.Discard()
}

// archiveFile is what the archive is written to.
type archiveFile interface {
	io.WriteCloser
	Sync() error
}

// checkedFile counts and sums up what is written to a file.
type checkedFile struct {
	file     archiveFile
	table    *crc32.Table
	checksum uint32
	size     int64
}

func (f *checkedFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.checksum = crc32.Update(f.checksum, f.table, p[:n])
	f.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write the archive: %w", err)
	}
	return n, nil
}

// counted adds what is read to a counter, and says that it goes on.
type counted struct {
	io.Reader
	done  *atomic.Int64
	moves func()
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done.Add(int64(n))
	c.moves()
	return n, err
}
