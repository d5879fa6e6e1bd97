package main

import (
	"archive/tar"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// growSnapshot copies a plain archive of the vendor's shape from 3.2 on, with so many more keys in etcd's snapshot that it
// has at least size bytes, and ends in the digest of what it is then.
func growSnapshot(from, to string, size int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		if path.Base(h.Name) == "etcd.backup.db" {
			err = copyGrown(w, h, r, to+".db", size)
		} else if err = w.WriteHeader(h); err == nil {
			_, err = io.Copy(w, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func copyGrown(w *tar.Writer, h *tar.Header, snapshot io.Reader, database string, size int64) (err error) {
	content, err := io.ReadAll(snapshot)
	if err != nil {
		return err
	}
	if err := os.WriteFile(database, content[:len(content)-sha256.Size], 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(database)) }()
	db, err := bbolt.Open(database, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := addKeys(db, size); err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		h.Size = tx.Size() + sha256.Size
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		digest := sha256.New()
		if _, err := tx.WriteTo(io.MultiWriter(w, digest)); err != nil {
			return err
		}
		_, err := w.Write(digest.Sum(nil))
		return err
	})
}

// addKeys adds revisions after those that there are, as etcd writes them, until their values come to size bytes.
func addKeys(db *bbolt.DB, size int64) error {
	const valueSize, batch = 8 << 10, 4000
	value := make([]byte, valueSize)
	if _, err := rand.Read(value); err != nil {
		return err
	}
	revision := uint64(1 << 32)
	for added := int64(0); added < size; {
		err := db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte("key"))
			bucket.FillPercent = 0.9 // as etcd has it
			for range batch {
				revision++
				kv := mvccpb.KeyValue{
					Key: fmt.Appendf(nil, "/registry/large/%d", revision), Value: value,
					CreateRevision: int64(revision), ModRevision: int64(revision), Version: 1,
				}
				raw, err := kv.Marshal()
				if err != nil {
					return err
				}
				key := binary.BigEndian.AppendUint64(nil, revision)
				key = binary.BigEndian.AppendUint64(append(key, '_'), 0)
				if err := bucket.Put(key, raw); err != nil {
					return err
				}
				added += valueSize
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
