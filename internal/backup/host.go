package backup

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// host is what the archive says of the manager's engine.
type host struct {
	engineID string
	os, arch string
	selinux  bool
}

func (b *backup) readHost(ctx context.Context) error {
	info, err := b.engine.API().Info(ctx)
	if err != nil {
		return fmt.Errorf("read the engine's state: %w", err)
	}
	b.host = host{engineID: info.ID, os: info.OSType, arch: info.Architecture, selinux: engine.HasSELinux(info.SecurityOptions)}
	return nil
}

// manifest is the archive's first entry; the agent adds what the volumes hold once UCP rests.
func (b *backup) manifest(plan *Plan) *archive.Manifest {
	i := b.instance
	m := &archive.Manifest{
		FormatVersion:   archive.Version,
		Tool:            archive.Tool{Name: "docker-ucp", Version: b.opts.Version},
		Created:         time.Now().UTC().Truncate(time.Second),
		UCP:             archive.UCP{InstanceID: i.ID, Version: i.Version, Era: string(i.Era)},
		Node:            archive.Node{ID: i.Node.ID, Name: i.Node.Name, Address: i.Node.Address, Role: i.Node.Role},
		Engine:          archive.Engine{Version: b.version.Engine, APIVersion: b.version.API, OS: b.host.os, Arch: b.host.arch, SELinux: b.host.selinux},
		Swarm:           archive.Swarm{ClusterID: i.Swarm.ClusterID},
		KVMembers:       i.KVMembers,
		Quiesce:         archive.Quiesce{Mode: string(plan.Mode), Stopped: plan.Quiesce.Names(quiesce.Stop), Paused: plan.Quiesce.Names(quiesce.Pause)},
		Snapshot:        archive.Snapshot{Mode: "none"},
		ExcludedVolumes: plan.Excluded,
	}
	if plan.Clone {
		m.Snapshot.Mode = "clone"
	}
	if b.packets != nil {
		digest := seal.DigestLocks(b.packets)
		m.Seal.LocksSHA256 = hex.EncodeToString(digest[:])
	}
	for _, member := range i.Swarm.Managers {
		m.Swarm.Managers = append(m.Swarm.Managers, archive.Member{ID: member.ID, Name: member.Name, Address: member.Address})
	}
	for _, volume := range i.Volumes {
		m.Volumes = append(m.Volumes, archive.Volume{Name: volume.Name, Driver: volume.Driver, Options: volume.Options, Labels: volume.Labels})
	}
	return m
}
