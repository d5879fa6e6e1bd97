package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// sealKey holds the number of all other keys and a digest of them. Every transaction that adds keys renews it, so a
// key-value store that lost a key, or got a value of another time, contradicts itself.
const (
	sealKey  = "/standin/seal"
	batch    = 100 // etcd takes 128 operations in a transaction
	seedKeys = 300
)

type sealed struct {
	Keys   int
	Digest string // all keys' hashes, combined by XOR, which needs no order
}

var errSeal = errors.New("key-value store contradicts its seal")

func hashOf(key string, value []byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(key), key, value))
}

// add takes one more key into the seal.
func (s sealed) add(key string, value []byte) (sealed, error) {
	sum, err := hex.DecodeString(s.Digest)
	if err != nil {
		return s, err
	}
	if len(sum) == 0 {
		sum = make([]byte, sha256.Size)
	}
	for i, b := range hashOf(key, value) {
		sum[i] ^= b
	}
	return sealed{s.Keys + 1, hex.EncodeToString(sum)}, nil
}

// readKeys reads everything at one revision and holds it against the seal.
func readKeys(ctx context.Context, client *clientv3.Client) (layout.Keys, error) {
	got, err := client.Get(ctx, "\x00", clientv3.WithFromKey())
	if err != nil {
		return layout.Keys{}, fmt.Errorf("read keys: %w", err)
	}
	keys := layout.Keys{Revision: got.Header.Revision, Values: map[string]string{}}
	var want, found sealed
	for _, kv := range got.Kvs {
		if string(kv.Key) == sealKey {
			if err := json.Unmarshal(kv.Value, &want); err != nil {
				return keys, fmt.Errorf("read %s: %w", sealKey, err)
			}
			continue
		}
		if found, err = found.add(string(kv.Key), kv.Value); err != nil {
			return keys, err
		}
		sum := sha256.Sum256(kv.Value)
		keys.Values[string(kv.Key)] = hex.EncodeToString(sum[:])
	}
	keys.Digest = digest(keys.Values)
	if found != want {
		return keys, fmt.Errorf("%w: %d keys, digest %.8s; sealed were %d keys, digest %.8s", errSeal, found.Keys, found.Digest, want.Keys, want.Digest)
	}
	return keys, nil
}

func digest(values map[string]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		h.Write(fmt.Appendf(nil, "%d %s %s\n", len(key), key, values[key]))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// seed fills a new key-value store with what UCP keeps there by and large: nodes, configuration, objects of Kubernetes.
func seed(ctx context.Context, client *clientv3.Client) error {
	got, err := client.Get(ctx, sealKey)
	if err != nil || len(got.Kvs) > 0 {
		return err
	}
	keys := map[string][]byte{
		nodeKey():        []byte(nodeAddress(layout.PortProxy)),
		"/standin/about": []byte(layout.Banner),
	}
	for i := range seedKeys {
		kind := []string{"/docker/config", "/orca/v1/accounts", "/registry/pods/kube-system", "/registry/secrets/default"}[i%4]
		keys[fmt.Sprintf("%s/%04d", kind, i)] = []byte(rand.Text() + rand.Text() + rand.Text())
	}
	return putSealed(ctx, client, keys)
}

// nodeKey is the key under which classic swarm finds this node.
func nodeKey() string { return "/docker/nodes/" + os.Getenv("UCP_NODE_ID") }

// putSealed adds new keys, in transactions of which each leaves a true seal.
func putSealed(ctx context.Context, client *clientv3.Client, keys map[string][]byte) error {
	for names := range slices.Chunk(slices.Sorted(maps.Keys(keys)), batch) {
		for done := false; !done; {
			var err error
			if done, err = putBatch(ctx, client, names, keys); err != nil {
				return fmt.Errorf("put keys: %w", err)
			}
		}
	}
	return nil
}

// putBatch is false when somebody else renewed the seal meanwhile.
func putBatch(ctx context.Context, client *clientv3.Client, names []string, keys map[string][]byte) (bool, error) {
	got, err := client.Get(ctx, sealKey)
	if err != nil {
		return false, err
	}
	var seal sealed
	var at int64
	if len(got.Kvs) > 0 {
		kv := got.Kvs[0]
		at = kv.ModRevision
		if err := json.Unmarshal(kv.Value, &seal); err != nil {
			return false, err
		}
	}
	puts := make([]clientv3.Op, 0, len(names)+1)
	for _, name := range names {
		if seal, err = seal.add(name, keys[name]); err != nil {
			return false, err
		}
		puts = append(puts, clientv3.OpPut(name, string(keys[name])))
	}
	value, err := json.Marshal(seal)
	if err != nil {
		return false, err
	}
	puts = append(puts, clientv3.OpPut(sealKey, string(value)))
	reply, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(sealKey), "=", at)).Then(puts...).Commit()
	if err != nil {
		return false, err
	}
	return reply.Succeeded, nil
}
