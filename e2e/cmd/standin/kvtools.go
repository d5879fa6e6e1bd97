package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// kvKeys prints all keys of the etcd in whose container it runs.
func kvKeys(ctx context.Context) error {
	return withKV(ctx, func(ctx context.Context, client *clientv3.Client) error {
		keys, err := readKeys(ctx, client)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(keys)
	})
}

// kvPut adds as many keys as its argument says, with values nobody has seen before.
func kvPut(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("kv-put wants the number of keys")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("kv-put: %w", err)
	}
	keys := map[string][]byte{}
	run := rand.Text()
	for i := range n {
		keys[fmt.Sprintf("/docker/put/%s/%06d", run, i)] = []byte(rand.Text())
	}
	return withKV(ctx, func(ctx context.Context, client *clientv3.Client) error { return putSealed(ctx, client, keys) })
}

func withKV(ctx context.Context, use func(context.Context, *clientv3.Client) error) error {
	config, err := memberTLS(layout.CertDir, "ucp-kv-certs")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := dialKV("127.0.0.1:2379", config)
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	return errors.Join(use(ctx, client), client.Close())
}

// kvCheck prints all keys of an extracted data directory. It works on a copy: pages first, then a cluster of one that
// replays the log.
func kvCheck(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return errors.New("kv-check wants a data directory")
	}
	dir, err := os.MkdirTemp("", "standin-kv-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	data := filepath.Join(dir, "data")
	if err := os.CopyFS(data, os.DirFS(args[0])); err != nil {
		return fmt.Errorf("copy data directory: %w", err)
	}
	if err := checkPages(filepath.Join(data, "member", "snap", "db")); err != nil {
		return err
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

// checkPages reads every page of etcd's database.
func checkPages(path string) (err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(tx *bbolt.Tx) error {
		var wrong error
		for err := range tx.Check() {
			wrong = errors.Join(wrong, err)
		}
		return wrong
	})
}
