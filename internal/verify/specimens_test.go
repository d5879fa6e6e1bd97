package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/etcd"
	"github.com/docker-ucp/docker-ucp/internal/seal"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

const instanceID = "isf0dbkbykcrvkiu96yshx1eg"

func hexOf(digest []byte) string { return hex.EncodeToString(digest) }

// etcdFolder is a real etcd's data folder, at the place it has in ucp-kv.
func etcdFolder(t testing.TB) map[string][]byte {
	t.Helper()
	packed := tar.NewReader(bytes.NewReader(unpacked(t, filepath.Join("..", "etcd", "testdata", "data.tar.gz"))))
	files := map[string][]byte{}
	for {
		h, err := packed.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		assert.NilError(t, err)
		if _, rest, found := strings.Cut(h.Name, "member/"); found && h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(packed)
			assert.NilError(t, err)
			if rest == "snap/db" { // without the room that bbolt makes ahead
				head, err := etcd.ReadHead(content[:etcd.HeadSize])
				assert.NilError(t, err)
				content = content[:head.Bytes]
			}
			files["ucp-kv/datav3/member/"+rest] = content
		}
	}
}

// volumesOf is a whole UCP's volumes.
func volumesOf(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for name, content := range newSet(t).entries {
		files[strings.TrimPrefix(name, "./")] = content
	}
	maps.Copy(files, etcdFolder(t))
	for _, volume := range ucp.NeededVolumes("3.1.4") {
		files[volume+"/.keep"] = nil
	}
	for i := range 70 {
		files[fmt.Sprintf("ucp-auth-store-data/table-%02d", i)] = bytes.Repeat([]byte{byte(i)}, i*7)
	}
	return files
}

// records are what docker ucp backup puts before the volumes.
func recordsOf() []node {
	return []node{
		{"docker-ucp/configs/com.docker.license-1.json", []byte(`{"ID":"x","Spec":{"Name":"com.docker.license-1","Data":"e30="}}`)},
		{"docker-ucp/configs/com.docker.ucp.config-1.json", []byte(`{"ID":"y","Spec":{"Name":"com.docker.ucp.config-1","Data":"e30="}}`)},
		{"ucp-kv.json", inspectOf("3.1.4")},
	}
}

// inspectOf is the part of a container's inspect data that is read.
func inspectOf(version string) []byte {
	return fmt.Appendf(nil, `{"Name":"/x","Config":{"Image":"docker/x:%s","Labels":{"com.docker.ucp.version":%q,"com.docker.ucp.InstanceID":%q}}}`,
		version, version, instanceID)
}

// online is an archive of the vendor's newer shape: the listing of ucp-facts 4.1.
func online(t testing.TB) []node {
	t.Helper()
	var nodes []node
	for _, name := range []string{
		"auth-store", "kube-apiserver", "kube-controller-manager", "kubelet", "kube-proxy", "kube-scheduler", "controller", "swarm-manager",
		"kv", "proxy", "client-root-ca", "cluster-root-ca", "manager-agent." + instanceID + "." + instanceID,
	} {
		nodes = append(nodes, node{"ucp-" + name + ".json", inspectOf("3.2.5")})
	}
	const dumps = "ucp-backup/1631549510183/"
	nodes = append(nodes, node{dumps, nil}, node{dumps + "auth-store.tar.gz", authStore(t)},
		node{dumps + "etcd.backup.db", unpacked(t, filepath.Join("..", "etcd", "testdata", "snapshot.db.gz"))})
	set := newSet(t).entries
	for _, volume := range []string{clientRoot, clusterRoot, serverCerts} {
		nodes = append(nodes, node{volume + "/", nil})
		for _, file := range []string{"ca.pem", "cert.pem", "client_ca.pem", "key.pem"} {
			content, found := set[volume+"/"+file]
			if found || volume == serverCerts {
				nodes = append(nodes, node{volume + "/" + file, content})
			}
		}
	}
	return nodes
}

// authStore is a dump as rethinkdb makes it.
func authStore(t testing.TB) []byte {
	t.Helper()
	var dump bytes.Buffer
	w := tar.NewWriter(&dump)
	for _, name := range []string{"enzi/accounts.json", "enzi/accounts.info"} {
		content := []byte(`[{"name":"admin"}]`)
		assert.NilError(t, w.WriteHeader(&tar.Header{Name: "rethinkdb_dump/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	return gzipped(t, dump.Bytes())
}

// recipient is a key that a backup can be sealed for.
func recipient(t testing.TB) openpgp.EntityList {
	t.Helper()
	entity, err := openpgp.NewEntity("ops", "", "ops@example.com", nil)
	assert.NilError(t, err)
	return openpgp.EntityList{entity}
}

// specimens are one of each kind that verify proves whole.
func specimens(t testing.TB) []*specimen {
	t.Helper()
	nodes := walk(volumesOf(t))
	packed := func(locks string) []byte { return ours(t, locks, recordsOf(), nodes, nil) }
	keys, gpg := recipient(t), newGPG(t)
	all := []*specimen{{kind: "ours plain", data: packed("")}}
	for kind, lock := range map[string]seal.Lock{
		"ours for a passphrase":           {Passphrase: []byte(passphrase)},
		"ours for a key":                  {Recipients: keys},
		"ours for a passphrase and a key": {Passphrase: []byte(passphrase), Recipients: keys},
	} {
		data, key := sealedWith(t, lock, seal.Options{}, packed)
		all = append(all, &specimen{kind: kind, data: data, key: key, head: headOf(lock)})
	}
	lock := seal.Lock{Passphrase: []byte(passphrase)}
	data, key := sealedWith(t, lock, seal.Options{Compress: seal.Zlib}, packed)
	all = append(all, &specimen{kind: "ours compressed", data: data, key: key, head: headOf(lock)})
	old, dumps := vendors(t, nodes), vendors(t, online(t))
	for _, algorithm := range []string{"none", "zip", "zlib", "bzip2"} {
		all = append(all,
			ofVendor(t, "vendor up to 3.1, gpg "+algorithm, gpg.seal(t, old, "--compress-algo", algorithm)),
			ofVendor(t, "vendor 3.2, gpg "+algorithm, gpg.seal(t, dumps, "--compress-algo", algorithm)),
		)
	}
	for _, cipher := range []string{"CAST5", "3DES", "AES", "AES192"} {
		all = append(all, ofVendor(t, "vendor 3.2, gpg "+cipher, gpg.seal(t, dumps, "--cipher-algo", cipher)))
	}
	packedAgain := ofVendor(t, "vendor 3.2, gpg in gzip", gpg.seal(t, dumps))
	packedAgain.data, packedAgain.free = gzipped(t, packedAgain.data), [2]int{4, 10}
	return append(all, packedAgain)
}

// ofVendor is an archive that gpg sealed, with its session key.
func ofVendor(t testing.TB, kind string, data []byte) *specimen {
	t.Helper()
	key, err := seal.Unlock(bytes.NewReader(data), seal.Keys{Passphrase: []byte(passphrase)})
	assert.NilError(t, err)
	return &specimen{kind: kind, data: data, key: key, head: 15}
}

// headOf is how much of a message the lock may take; a little more does not matter.
func headOf(lock seal.Lock) int {
	if len(lock.Passphrase) == 0 {
		return 0
	}
	return 64 + 600*len(lock.Recipients)
}

// unpacked reads a compressed file of testdata.
func unpacked(t testing.TB, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	assert.NilError(t, err)
	zipped, err := gzip.NewReader(file)
	assert.NilError(t, err)
	content, err := io.ReadAll(zipped)
	assert.NilError(t, err)
	assert.NilError(t, file.Close())
	return content
}
