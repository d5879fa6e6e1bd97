package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
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
