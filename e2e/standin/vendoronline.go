package standin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// OnlineVersion is the version that VendorOnline's archives name.
const OnlineVersion = "3.4.5"

// VendorOnline writes into file an archive of the shape of the vendor's backups from UCP 3.2 on: the 27 entries that are
// publicly known of one of MKE 3.4.5, in its order, owners and times as there. The snapshot is one that etcd makes, the
// certificates are those of the volumes, and so are eight of the container files; the stand-in has no Kubernetes, so
// the files of these containers are copies under their names. root is as for VendorStopped.
//
// What is inside the dump of the auth store is not publicly known of UCP: it has the shape of any rethinkdb dump.
func (u *UCP) VendorOnline(ctx context.Context, root, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := &onlineWriter{tar: tar.NewWriter(f), now: time.Now()}
	if err := u.onlineContainers(ctx, w); err != nil {
		return err
	}
	if err := u.onlineDatabases(ctx, w); err != nil {
		return err
	}
	for _, name := range []string{"ucp-client-root-ca", "ucp-cluster-root-ca", "ucp-controller-server-certs"} {
		dir, err := u.mountpoint(ctx, root, name)
		if err != nil {
			return err
		}
		if err := w.volume(name, dir); err != nil {
			return err
		}
	}
	return w.tar.Close()
}

// onlineNames is the containers of an MKE 3.4.5 in the order of its archive, and what stands for each here.
var onlineNames = []struct{ name, of string }{
	{"ucp-auth-store", "ucp-auth-store"},
	{"ucp-kube-apiserver", "ucp-proxy"},
	{"ucp-kube-controller-manager", "ucp-proxy"},
	{"ucp-kubelet", "ucp-proxy"},
	{"ucp-kube-proxy", "ucp-proxy"},
	{"ucp-kube-scheduler", "ucp-proxy"},
	{"ucp-controller", "ucp-controller"},
	{"ucp-swarm-manager", "ucp-proxy"}, // a minimal stand-in has no other
	{"ucp-kv", "ucp-kv"},
	{"ucp-proxy", "ucp-proxy"},
	{"ucp-client-root-ca", "ucp-client-root-ca"},
	{"ucp-cluster-root-ca", "ucp-cluster-root-ca"},
	{"ucp-manager-agent", agent},
}

func (u *UCP) onlineContainers(ctx context.Context, w *onlineWriter) error {
	states, err := u.Containers(ctx)
	if err != nil {
		return err
	}
	task := func(name string) string { // the name of the one task of a service
		for _, s := range states {
			if strings.HasPrefix(s.Name, name+".") {
				return s.Name
			}
		}
		return name
	}
	for _, c := range onlineNames {
		of, name := c.of, c.name
		if c.of == agent {
			of = task(agent)
			name += strings.TrimPrefix(of, agent)
		}
		_, raw, err := u.engine.ContainerInspectWithRaw(ctx, of, false)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(strings.ReplaceAll(string(raw), of, name), u.Version, OnlineVersion)
		if err := w.write(&tar.Header{Name: "./" + name + ".json", Mode: 0o644}, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

func (u *UCP) onlineDatabases(ctx context.Context, w *onlineWriter) error {
	snapshot, err := u.Snapshot(ctx)
	if err != nil {
		return err
	}
	dump, err := rethinkDump(w.now)
	if err != nil {
		return err
	}
	dir := fmt.Sprintf("./ucp-backup/%d/", w.now.UnixMilli())
	of := func(name string, mode int64) *tar.Header {
		return &tar.Header{Name: dir + name, Mode: mode, Uid: layout.Nobody, Gid: layout.Nobody, Uname: "nobody", Gname: "nobody", ModTime: w.now}
	}
	return errors.Join(w.write(of("", 0o755), nil), w.write(of("auth-store.tar.gz", 0o644), dump), w.write(of("etcd.backup.db", 0o600), snapshot))
}

// onlineWriter writes entries as Go programs do.
type onlineWriter struct {
	tar *tar.Writer
	now time.Time
}

func (w *onlineWriter) write(h *tar.Header, content []byte) error {
	h.Size = int64(len(content))
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	_, err := w.tar.Write(content)
	return err
}

// volume writes a volume with its own folder, which belongs to root, and the files in it.
func (w *onlineWriter) volume(name, dir string) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		within, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		h.Name = "./" + path.Join(name, filepath.ToSlash(within))
		h.Uname, h.Gname = "root", "root"
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == layout.Nobody {
			h.Uname, h.Gname = "nobody", "nobody"
		}
		if entry.IsDir() {
			h.Name += "/"
			return w.write(h, nil)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return w.write(h, content)
	})
}

// rethinkDump is what rethinkdb dump would make of a small auth store: a folder for each database, two files for each table.
func rethinkDump(now time.Time) ([]byte, error) {
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := &onlineWriter{tar: tar.NewWriter(zipped), now: now}
	for _, table := range []string{"enzi/accounts", "enzi/sessions", "enzi/team_memberships", "ucp/grants"} {
		db, name := path.Split(table)
		for suffix, content := range map[string]string{
			".info": fmt.Sprintf(`{"db":{"name":%q},"indexes":[],"name":%q,"primary_key":"id","type":"TABLE"}`, path.Clean(db), name),
			".json": fmt.Sprintf("[\n{\"id\":%q,\"about\":%q}\n]\n", name+"-1", layout.Banner),
		} {
			h := &tar.Header{Name: "auth-store/" + table + suffix, Mode: 0o644, Uid: layout.Nobody, Gid: layout.Nobody, ModTime: now}
			if err := w.write(h, []byte(content)); err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(w.tar.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
