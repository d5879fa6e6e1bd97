package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/wal"
	"go.uber.org/zap"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// kvCheck prints all keys of an extracted data directory. It works on a copy: the database's pages first, then the log
// against the database, then a cluster of one that replays the log.
func kvCheck(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return errors.New("check-kv wants a volume or data directory")
	}
	dir, err := os.MkdirTemp("", "standin-kv-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	data := filepath.Join(dir, "data")
	if err := os.CopyFS(data, os.DirFS(layout.Inside(args[0], layout.KVDir))); err != nil {
		return fmt.Errorf("copy data directory: %w", err)
	}
	applied, err := checkDatabase(filepath.Join(data, "member", "snap", "db"))
	if err != nil {
		return fmt.Errorf("etcd's database: %w", err)
	}
	if err := checkLog(filepath.Join(data, "member", "wal"), applied); err != nil {
		return fmt.Errorf("etcd's log: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	server, err := startKV(ctx, soloConfig(data))
	if err != nil {
		return err
	}
	defer server.Close()
	keys, err := readKeys(ctx, v3client.New(server.Server))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(keys)
}

func soloConfig(dir string) *embed.Config {
	anywhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c := embed.NewConfig()
	c.Dir = dir
	c.ListenClientUrls, c.AdvertiseClientUrls = anywhere, anywhere
	c.ListenPeerUrls, c.AdvertisePeerUrls = anywhere, anywhere
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ForceNewCluster = true
	c.LogLevel = "error"
	return c
}

// checkDatabase reads every page of etcd's database and returns the last entry of the log that it holds.
func checkDatabase(path string) (applied uint64, err error) {
	// bbolt maps the file and dies of one that has been cut.
	if err := checkLength(path); err != nil {
		return 0, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.View(func(tx *bbolt.Tx) error {
		var wrong error
		for err := range tx.Check() {
			wrong = errors.Join(wrong, err)
		}
		if meta := tx.Bucket([]byte("meta")); meta != nil {
			if index := meta.Get([]byte("consistent_index")); len(index) == 8 {
				applied = binary.BigEndian.Uint64(index)
			}
		}
		return wrong
	})
	return applied, err
}

// checkLength compares the length of a bbolt file with the number of pages that its newer root promises.
func checkLength(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const pagesAt, transactionAt = 16 + 40, 16 + 48
	page := uint64(os.Getpagesize())
	var pages, newest uint64
	for i := range int64(2) {
		var root [80]byte
		if _, err := f.ReadAt(root[:], i*int64(page)); err != nil {
			return fmt.Errorf("%s: no root page: %w", filepath.Base(path), err)
		}
		if transaction := binary.LittleEndian.Uint64(root[transactionAt:]); transaction >= newest {
			newest, pages = transaction, binary.LittleEndian.Uint64(root[pagesAt:])
		}
	}
	info, err := f.Stat()
	if err == nil && uint64(info.Size()) < pages*page {
		err = fmt.Errorf("%s: %d bytes long, must be %d", filepath.Base(path), info.Size(), pages*page)
	}
	return err
}

// checkLog reads the log from its last snapshot on. It must reach at least as far as the database, which holds nothing
// that was not written to the log before: a database that is ahead is of another time.
func checkLog(dir string, applied uint64) error {
	if !wal.Exist(dir) {
		return errors.New("there is none")
	}
	quiet := zap.NewNop()
	snapshots, err := wal.ValidSnapshotEntries(quiet, dir)
	if err != nil {
		return err
	}
	if len(snapshots) == 0 {
		return errors.New("no starting point in it")
	}
	start := snapshots[len(snapshots)-1]
	log, err := wal.OpenForRead(quiet, dir, start)
	if err != nil {
		return err
	}
	_, _, entries, err := log.ReadAll() // closes what was opened for reading
	if err != nil {
		return err
	}
	last := start.Index
	if len(entries) > 0 {
		last = entries[len(entries)-1].Index
	}
	if last < applied {
		return fmt.Errorf("it ends at entry %d, and the database holds entry %d: they are of different times", last, applied)
	}
	return nil
}
