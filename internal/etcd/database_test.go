package etcd

import (
	"testing"

	"gotest.tools/v3/assert"
)

func TestDatabaseOfARealEtcdIsWhole(t *testing.T) {
	want := Database{
		PageSize: 4096, Pages: 60, Keys: 445, Revision: 754, ConsistentIndex: 759, Term: 2, ClusterVersion: "3.5.0",
		Members: []Member{{fixtureMember, "orca-kv-192.0.2.1", []string{"http://127.0.0.1:22380"}}},
	}
	got, err := check(dataFolder(t)["member/snap/db"])
	assert.NilError(t, err)
	assert.DeepEqual(t, *got, want)
}
