package pki

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// WriteBundle writes the client bundle of the admin: certificates for the cluster, and the environment that uses them.
func WriteBundle(dir string, roots map[string]*Authority, address, instance string) error {
	cluster, err := roots[ClusterRoot].PEM()
	if err != nil {
		return err
	}
	client, err := roots[ClientRoot].PEM()
	if err != nil {
		return err
	}
	admin, err := roots[ClusterRoot].Issue(Leaf{Name: "admin", Unit: layout.Banner})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "ca.pem"), slices.Concat(cluster.Cert, client.Cert), 0o644),
		os.WriteFile(filepath.Join(dir, "cert.pem"), admin.Cert, 0o644),
		os.WriteFile(filepath.Join(dir, "key.pem"), admin.Key, 0o600),
		os.WriteFile(filepath.Join(dir, "cert.pub"), admin.Public, 0o644),
		os.WriteFile(filepath.Join(dir, "env.sh"), []byte(environment(address, instance)), 0o644))
}

func environment(address, instance string) string {
	return fmt.Sprintf(`export DOCKER_TLS_VERIFY=1
export COMPOSE_TLS_VERSION=TLSv1_2
export DOCKER_CERT_PATH=$PWD
export DOCKER_HOST=tcp://%s:%d
# Bundle for user admin of a %s
# UCP Instance ID %s
# Run this command from within this directory to configure your shell:
# eval "$(<env.sh)"
`, address, layout.PortController, layout.Banner, instance)
}
