package etcd

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// What etcd keeps in its database (go.etcd.io/etcd/server/v3, mvcc, mvcc/buckets, etcdserver/cindex and
// etcdserver/api/membership).
const (
	bucketKey     = "key"
	bucketMeta    = "meta"
	bucketMembers = "members"
	bucketCluster = "cluster"

	revisionSize = 17 // the main revision, "_", the one below it
	tombstone    = 't'

	maxMembers = 100     // etcd itself advises against more than seven
	maxMember  = 8 << 10 // bytes of one
)

// records gathers what etcd has written into a database.
type records struct {
	Database
	name             string // the bucket
	hasKeys, hasMeta bool
}

// bucket implements visitor.
func (r *records) bucket(level int, name []byte, in *run) error {
	if level > 1 {
		return damage{in.damaged("a bucket lies within bucket %q", r.name).Error(), ErrNotEtcd}
	}
	r.name = string(name)
	r.hasKeys = r.hasKeys || r.name == bucketKey
	r.hasMeta = r.hasMeta || r.name == bucketMeta
	return nil
}

// entry implements visitor.
func (r *records) entry(_ int, key []byte, value content) error {
	switch r.name {
	case bucketKey:
		return r.revision(key, value)
	case bucketMeta:
		return r.progress(string(key), value)
	case bucketMembers:
		return r.member(string(key), value)
	case bucketCluster:
		if string(key) == "clusterVersion" {
			b, err := value.at(0, maxMember)
			r.ClusterVersion = string(b)
			return err
		}
	}
	return nil
}

// complete sees that it was etcd's at all. Both buckets are there from its first start on.
func (r *records) complete() error {
	if !r.hasKeys || !r.hasMeta {
		return damage{ErrNotEtcd.Error(), ErrNotEtcd}
	}
	r.Revision = max(r.Revision, 1) // what etcd counts from
	return nil
}

// revision is one revision of a key: a change, or a deletion. Etcd reads them all when it starts.
func (r *records) revision(key []byte, value content) error {
	deleted := len(key) == revisionSize+1 && key[revisionSize] == tombstone
	if len(key) != revisionSize && !deleted || key[8] != '_' {
		return value.run.damaged("%x is not the key of a revision", key)
	}
	main := binary.BigEndian.Uint64(key)
	if main == 0 || main > math.MaxInt64 {
		return value.run.damaged("%d is not a revision", main)
	}
	modified, err := readKeyValue(value)
	if err != nil {
		return err
	}
	if modified != 0 && modified != main {
		return value.run.damaged("revision %d holds a key of revision %d", main, modified)
	}
	r.Keys++
	r.Revision = max(r.Revision, int64(main))
	return nil
}

// progress is how far the database has come.
func (r *records) progress(key string, value content) error {
	var into *uint64
	size := int64(8)
	switch key {
	case "consistent_index":
		into = &r.ConsistentIndex
	case "term":
		into = &r.Term
	case "scheduledCompactRev", "finishedCompactRev":
		size = revisionSize
	default:
		return nil
	}
	if value.size != size {
		return value.run.damaged("%s has %d bytes, not %d", key, value.size, size)
	}
	b, err := value.at(0, int(size))
	if err != nil {
		return err
	}
	number := binary.BigEndian.Uint64(b)
	if into != nil {
		*into = number
		return nil
	}
	if b[8] != '_' || number > math.MaxInt64 {
		return value.run.damaged("%s is not a revision", key)
	}
	r.Revision = max(r.Revision, int64(number)) // compacting may have removed all keys of the newest
	return nil
}

// member is one member of the cluster, in etcd's JSON.
func (r *records) member(key string, value content) error {
	id, err := strconv.ParseUint(key, 16, 64)
	if err != nil {
		return value.run.damaged("%q is not the ID of a member", key)
	}
	if value.size > maxMember || len(r.Members) == maxMembers {
		return value.run.damaged("member %x has %d bytes, as number %d", id, value.size, len(r.Members)+1)
	}
	b, err := value.at(0, int(value.size))
	if err != nil {
		return err
	}
	var stored struct {
		ID       uint64   `json:"id"`
		Name     string   `json:"name"`
		PeerURLs []string `json:"peerURLs"`
	}
	if err := json.Unmarshal(b, &stored); err != nil {
		return value.run.damaged("member %x: %s", id, err)
	}
	if stored.ID != id {
		return value.run.damaged("member %x says that it is member %x", id, stored.ID)
	}
	r.Members = append(r.Members, Member(stored))
	return nil
}
