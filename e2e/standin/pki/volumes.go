package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// The two root CAs, by the volumes that hold them.
const (
	ClusterRoot = "ucp-cluster-root-ca" // members of the cluster, and admins
	ClientRoot  = "ucp-client-root-ca"  // users, and the web server
)

// Volume is what a volume of certificates must look like.
type Volume struct {
	Name   string
	Issuer string // volume of the CA; a root has none
	RSA    bool
	Owner  int
	Extra  []string // empty files beside ca.pem, cert.pem and key.pem
}

// Volumes is all volumes of certificates, the roots first.
var Volumes = []Volume{
	{Name: ClusterRoot},
	{Name: ClientRoot},
	{Name: "ucp-node-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-kv-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-auth-store-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-auth-api-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-auth-worker-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-controller-client-certs", Issuer: ClusterRoot, Owner: layout.Nobody},
	{Name: "ucp-controller-server-certs", Issuer: ClientRoot, Owner: layout.Nobody, RSA: true, Extra: []string{"client_ca.pem"}},
}

// Install fills the folders of all volumes of certificates under dir. hosts is what the node is called.
// It returns the two roots, for a client bundle.
func Install(dir string, hosts []string) (map[string]*Authority, error) {
	roots := map[string]*Authority{}
	for _, v := range Volumes {
		if v.Issuer == "" {
			root, err := NewAuthority("UCP stand-in " + v.Name)
			if err != nil {
				return nil, err
			}
			roots[v.Name] = root
		}
		if err := v.fill(filepath.Join(dir, v.Name), roots, hosts); err != nil {
			return nil, fmt.Errorf("fill volume %s: %w", v.Name, err)
		}
	}
	return roots, nil
}

func (v Volume) fill(dir string, roots map[string]*Authority, hosts []string) error {
	files := map[string][]byte{}
	var pair Pair
	var err error
	if v.Issuer == "" {
		pair, err = roots[v.Name].PEM()
	} else {
		var root Pair
		if root, err = roots[v.Issuer].PEM(); err != nil {
			return err
		}
		files["ca.pem"] = root.Cert
		pair, err = roots[v.Issuer].Issue(Leaf{Name: v.Name, Unit: layout.Banner, Hosts: hosts, RSA: v.RSA})
	}
	if err != nil {
		return err
	}
	files["cert.pem"], files["key.pem"] = pair.Cert, pair.Key
	for _, name := range v.Extra {
		files[name] = nil
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chmod(path, mode(name)), os.Chown(path, v.Owner, v.Owner)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

func mode(name string) fs.FileMode {
	if name == "key.pem" {
		return 0o600
	}
	return 0o644
}
