package standin

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// The services of UCP 2.2 to 3.1, and one of a user.
const (
	authAPI    = "ucp-auth-api"
	authWorker = "ucp-auth-worker"
	agent      = "ucp-agent"
	webService = "shop-web"
)

func (u *UCP) serviceNames() []string {
	names := []string{authAPI, authWorker, agent}
	if u.opts.Minimal {
		return names
	}
	return append(names, webService)
}

func (u *UCP) startServices(ctx context.Context) error {
	specs, err := u.services(ctx)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		if _, err := u.engine.ServiceCreate(ctx, spec, swarm.ServiceCreateOptions{}); err != nil {
			return fmt.Errorf("create service %s: %w", spec.Name, err)
		}
	}
	return nil
}

func (u *UCP) services(ctx context.Context) ([]swarm.ServiceSpec, error) {
	secret, _, err := u.engine.SecretInspectWithRaw(ctx, layout.Secret)
	if err != nil {
		return nil, err
	}
	key := []*swarm.SecretReference{{
		SecretID: secret.ID, SecretName: layout.Secret,
		File: &swarm.SecretReferenceFileTarget{Name: layout.Secret, UID: "65534", GID: "65534", Mode: 0o400},
	}}
	api := u.service(authAPI, "ucp-auth", "auth-api", "ucp-auth-api-certs:"+layout.CertDir)
	api.TaskTemplate.ContainerSpec.User, api.TaskTemplate.ContainerSpec.Secrets = "65534:65534", key
	publish(&api, layout.PortAuthAPI, 4443)
	worker := u.service(authWorker, "ucp-auth", "auth-worker", "ucp-auth-worker-certs:"+layout.CertDir, "ucp-auth-worker-data:"+layout.WorkerDir)
	worker.TaskTemplate.ContainerSpec.User, worker.TaskTemplate.ContainerSpec.Secrets = "65534:65534", key
	publish(&worker, layout.PortAuthWorker, 4443)
	reconciler := u.service(agent, "ucp-agent", "agent", socketMount)
	if reconciler.TaskTemplate.ContainerSpec.Configs, err = u.configMounts(ctx); err != nil {
		return nil, err
	}
	specs := []swarm.ServiceSpec{api, worker, reconciler}
	if u.opts.Minimal {
		return specs, nil
	}
	return append(specs, u.userService()), nil
}

// service is a global service of UCP.
func (u *UCP) service(name, image, role string, mounts ...string) swarm.ServiceSpec {
	spec := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: name, Labels: u.labels()},
		Mode:        swarm.ServiceMode{Global: &swarm.GlobalService{}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{
			Image: u.image(image), Args: []string{role}, Env: u.environment(), Labels: u.labels(),
		}},
	}
	for _, m := range mounts {
		source, target, _ := strings.Cut(m, ":")
		kind := mount.TypeVolume
		if strings.HasPrefix(source, "/") {
			kind = mount.TypeBind
		}
		spec.TaskTemplate.ContainerSpec.Mounts = append(spec.TaskTemplate.ContainerSpec.Mounts, mount.Mount{Type: kind, Source: source, Target: target})
	}
	spec.TaskTemplate.Placement = u.placement()
	return spec
}

// placement keeps a service on the one node that has its image and its volumes, where the swarm has more.
func (u *UCP) placement() *swarm.Placement {
	if u.node.Swarm.Nodes == 1 {
		return nil
	}
	return &swarm.Placement{Constraints: []string{"node.id==" + u.node.Swarm.NodeID}}
}

// publish opens a port on the node itself: the kernel of a test machine may have no routing mesh.
func publish(spec *swarm.ServiceSpec, outside, inside uint32) {
	spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{
		Protocol: swarm.PortConfigProtocolTCP, PublishMode: swarm.PortConfigPublishModeHost,
		PublishedPort: outside, TargetPort: inside,
	}}}
}

// configMounts gives the agent the configuration in force and the licence.
func (u *UCP) configMounts(ctx context.Context) ([]*swarm.ConfigReference, error) {
	var mounts []*swarm.ConfigReference
	for name, file := range map[string]string{layout.ConfigCurrent: "/etc/ucp/ucp.toml", layout.License: "/etc/ucp/docker.lic"} {
		config, _, err := u.engine.ConfigInspectWithRaw(ctx, name)
		if err != nil {
			return nil, err
		}
		target := &swarm.ConfigReferenceFileTarget{Name: file, UID: "0", GID: "0", Mode: fs.FileMode(0o444)}
		mounts = append(mounts, &swarm.ConfigReference{ConfigID: config.ID, ConfigName: name, File: target})
	}
	return mounts, nil
}

func (u *UCP) userService() swarm.ServiceSpec {
	replicas := uint64(1)
	return swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: webService, Labels: map[string]string{"com.example.shop": "web"}},
		Mode:        swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: webImage, Args: []string{"idle"}},
			Placement:     u.placement(),
		},
	}
}
