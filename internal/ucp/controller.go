package ucp

import (
	"cmp"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// controllerInside is where UCP's controller listens inside its container, and controllerOutside where it is published
// unless the operator chose otherwise (ucp-facts 2.2, 2.8).
const (
	controllerInside  = 8080
	controllerOutside = "443"
)

// controllerPort chooses among the TCP ports that the controller publishes, or will when it runs again. UCP's Kubernetes
// API is one of them too.
func controllerPort(controller container.InspectResponse) int {
	var host container.HostConfig
	if controller.HostConfig != nil {
		host = *controller.HostConfig
	}
	ports := host.PortBindings
	if controller.NetworkSettings != nil && len(controller.NetworkSettings.Ports) > 0 {
		ports = controller.NetworkSettings.Ports
	}
	var published []publishedPort
	for port, bindings := range ports {
		if port.Proto() != "tcp" || len(bindings) == 0 {
			continue
		}
		p := publishedPort{inside: port.Int()}
		for _, binding := range bindings {
			p.outside = p.outside || binding.HostPort == controllerOutside
		}
		published = append(published, p)
	}
	if len(published) == 0 {
		return 0
	}
	return slices.MinFunc(published, func(a, b publishedPort) int {
		return cmp.Or(cmp.Compare(a.unlike(), b.unlike()), cmp.Compare(a.inside, b.inside))
	}).inside
}

type publishedPort struct {
	inside  int
	outside bool // published as controllerOutside
}

// unlike says how little the port looks like the controller's own.
func (p publishedPort) unlike() int {
	switch {
	case p.inside == controllerInside:
		return 0
	case p.outside:
		return 1
	default:
		return 2
	}
}
