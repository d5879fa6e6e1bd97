package ucp_test

import (
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestARestoreNeedsEveryVolumeWithKeysOrState(t *testing.T) {
	const first = "ucp-client-root-ca ucp-cluster-root-ca ucp-controller-client-certs ucp-controller-server-certs ucp-kv ucp-kv-certs ucp-node-certs"
	const later = "ucp-auth-api-certs ucp-auth-store-certs ucp-auth-store-data ucp-auth-worker-certs " + first
	for version, want := range map[string]string{"1.1.4": first, "2.2.4": later, "3.1.4": later, "3.7.14": later, "": later, "10.0.0": later} {
		assert.Equal(t, strings.Join(ucp.NeededVolumes(version), " "), want, "of version %q", version)
	}
}

func TestEveryKnownVolumeIsNeededOrSaidToBeDispensable(t *testing.T) {
	needed := ucp.NeededVolumes("3.1.4")
	for _, name := range ucp.KnownVolumes() {
		assert.Assert(t, slices.Contains(needed, name) != (ucp.Dispensable(name) != ""), name)
	}
	assert.Equal(t, ucp.Dispensable("web-data"), "", "a volume that is not UCP's is not judged")
}
