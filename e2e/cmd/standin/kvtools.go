package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

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

// kvCluster prints what the etcd in whose container it runs says of itself.
func kvCluster(ctx context.Context) error {
	return withKV(ctx, func(ctx context.Context, client *clientv3.Client) error {
		got, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		status, err := client.Status(ctx, client.Endpoints()[0])
		if err != nil {
			return err
		}
		cluster := layout.Cluster{
			ClusterID: strconv.FormatUint(got.Header.ClusterId, 16), MemberID: strconv.FormatUint(status.Header.MemberId, 16),
			Revision: status.Header.Revision,
		}
		for _, m := range got.Members {
			cluster.Members = append(cluster.Members, layout.Member{ID: strconv.FormatUint(m.ID, 16), Name: m.Name, PeerURLs: m.PeerURLs})
		}
		return json.NewEncoder(os.Stdout).Encode(cluster)
	})
}

// kvSnapshot prints a snapshot of the etcd in whose container it runs, as etcdctl snapshot save writes it.
func kvSnapshot(ctx context.Context) error {
	return withKV(ctx, func(ctx context.Context, client *clientv3.Client) error {
		snapshot, err := client.Snapshot(ctx)
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, snapshot)
		return errors.Join(err, snapshot.Close())
	})
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
