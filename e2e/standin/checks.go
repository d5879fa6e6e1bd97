package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/pki"
	"github.com/docker-ucp/docker-ucp/e2e/standin/store"
)

// Keys reads all keys of the running etcd, and fails when they contradict their seal.
func (u *UCP) Keys(ctx context.Context) (layout.Keys, error) {
	var keys layout.Keys
	out, err := u.exec(ctx, "ucp-kv", "kv-keys")
	if err != nil {
		return keys, fmt.Errorf("read keys: %w", err)
	}
	err = json.Unmarshal(out, &keys)
	return keys, err
}

// PutKeys adds n keys to the running etcd.
func (u *UCP) PutKeys(ctx context.Context, n int) error {
	if _, err := u.exec(ctx, "ucp-kv", "kv-put", strconv.Itoa(n)); err != nil {
		return fmt.Errorf("put keys: %w", err)
	}
	return nil
}

// Cluster asks the running etcd who it is.
func (u *UCP) Cluster(ctx context.Context) (layout.Cluster, error) {
	var cluster layout.Cluster
	out, err := u.exec(ctx, "ucp-kv", "kv-cluster")
	if err != nil {
		return cluster, fmt.Errorf("ask etcd: %w", err)
	}
	err = json.Unmarshal(out, &cluster)
	return cluster, err
}

// Snapshot has the running etcd make a snapshot of itself, with the digest at its end that etcd puts there.
func (u *UCP) Snapshot(ctx context.Context) ([]byte, error) {
	out, err := u.exec(ctx, "ucp-kv", "kv-snapshot")
	if err != nil {
		return nil, fmt.Errorf("snapshot of etcd: %w", err)
	}
	return out, nil
}

// Store asks the running auth store how many records it has acknowledged.
func (u *UCP) Store(ctx context.Context) (layout.StoreStatus, error) {
	var status layout.StoreStatus
	out, err := u.exec(ctx, "ucp-auth-store", "store-status")
	if err != nil {
		return status, fmt.Errorf("ask auth store: %w", err)
	}
	err = json.Unmarshal(out, &status)
	return status, err
}

// CheckStoreDir is the auth store's own check of an extracted copy: of the volume ucp-auth-store-data, or of the folder
// store in it. A copy whose files do not stem from one instant is store.ErrTorn.
func CheckStoreDir(dir string) (store.Report, error) {
	return store.Check(layout.Inside(dir, layout.StoreDir))
}

// CheckKVDir opens an extracted copy of the volume ucp-kv, or of the data directory in it, as a cluster of one, and reads
// all keys. It fails on damage, and when the keys contradict their seal. The copy itself stays as it is.
func (u *UCP) CheckKVDir(ctx context.Context, dir string) (layout.Keys, error) {
	var keys layout.Keys
	// Another process, since etcd ends its own on a damaged log.
	check := exec.CommandContext(ctx, u.Program, "check-kv", dir)
	var stdout, stderr bytes.Buffer
	check.Stdout, check.Stderr = &stdout, &stderr
	if err := check.Run(); err != nil {
		return keys, fmt.Errorf("check etcd in %s: %w: %s", dir, err, verdict(stderr.String()))
	}
	err := json.Unmarshal(stdout.Bytes(), &keys)
	return keys, err
}

// CheckCertsDir checks an extracted copy of a volume of certificates, whose name is that of the folder: files, owners,
// modes, key, chain.
func CheckCertsDir(dir string) error {
	v, err := pki.ByName(filepath.Base(dir))
	if err != nil {
		return err
	}
	return v.Check(dir)
}

// CheckTree checks an extracted archive, with a folder for each volume: every store, every certificate, and whether they
// stem from the same time.
func (u *UCP) CheckTree(ctx context.Context, dir string) (layout.Keys, error) {
	keys, err := u.CheckKVDir(ctx, filepath.Join(dir, "ucp-kv"))
	wrong := []error{err}
	report, err := CheckStoreDir(filepath.Join(dir, "ucp-auth-store-data"))
	wrong = append(wrong, err)
	if err == nil {
		wrong = append(wrong, checkWitness(filepath.Join(dir, "ucp-auth-worker-data"), report))
	}
	for _, v := range pki.Volumes {
		wrong = append(wrong, v.Check(filepath.Join(dir, v.Name)))
	}
	wrong = append(wrong, pki.CheckRoots(dir))
	return keys, errors.Join(wrong...)
}

// checkWitness fails when the auth worker heard of more records than the auth store holds.
func checkWitness(dir string, report store.Report) error {
	b, err := os.ReadFile(filepath.Join(dir, layout.WitnessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var witness layout.Witness
	if err := json.Unmarshal(b, &witness); err != nil {
		return fmt.Errorf("%s: %w", layout.WitnessFile, err)
	}
	if witness.Acknowledged > report.Acknowledged {
		return fmt.Errorf("ucp-auth-store-data is older than ucp-auth-worker-data: %d records acknowledged, %d known", report.Acknowledged, witness.Acknowledged)
	}
	return nil
}

// exec runs the program in a container and returns what it printed.
func (u *UCP) exec(ctx context.Context, name string, args ...string) ([]byte, error) {
	created, err := u.engine.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: append([]string{layout.Program}, args...), AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, err
	}
	stream, err := u.engine.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, stream.Reader); err != nil {
		return nil, err
	}
	status, err := u.engine.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return nil, err
	}
	if status.ExitCode != 0 {
		return nil, fmt.Errorf("%s in %s: status %d: %s", args[0], name, status.ExitCode, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// verdict finds in what a program said before it ended the line that says why.
func verdict(said string) string {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "standin: ") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(said)
}
