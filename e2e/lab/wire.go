package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// CutNetwork pulls the node's cable out of the switch. Nobody is told: packets vanish, connections hang.
func (n *Node) CutNetwork(ctx context.Context) error {
	return run(ctx, "ip", "link", "set", n.cable(), "nomaster")
}

// HealNetwork plugs the cable in again.
func (n *Node) HealNetwork(ctx context.Context) error {
	return run(ctx, "ip", "link", "set", n.cable(), "master", n.lab.state.ID)
}

// RateLimit slows the node's link down, each way, to so many bytes a second; 0 makes it fast again. The unix socket is
// no link and stays fast. Ask TLS and SSH for the node's addresses afterwards: where the kernel cannot limit a link, they
// lead through a slow proxy, which this process runs.
func (n *Node) RateLimit(ctx context.Context, bytesPerSecond int) error {
	if bytesPerSecond < 0 {
		return fmt.Errorf("limit the link of node %s: %d bytes a second", n.Name, bytesPerSecond)
	}
	if err := errors.Join(n.stopWire(), n.unshape(ctx)); err != nil || bytesPerSecond == 0 {
		return err
	}
	inKernel := n.shape(ctx, bytesPerSecond)
	if inKernel == nil {
		return nil
	}
	if err := n.unshape(ctx); err != nil { // one of the two ends may have taken it
		return errors.Join(inKernel, err)
	}
	wire, err := startProxy(ctx, n.Address, bytesPerSecond, tlsPort, sshPort)
	if err != nil {
		return errors.Join(inKernel, err)
	}
	n.wire = wire
	return nil
}

// shape has the kernel limit what leaves either end of the cable.
func (n *Node) shape(ctx context.Context, bytesPerSecond int) error {
	for _, end := range n.ends() {
		_, err := end.tc(ctx, "qdisc", "replace", "dev", end.device, "root", "tbf",
			"rate", strconv.Itoa(8*bytesPerSecond)+"bit",
			"burst", strconv.Itoa(max(64<<10, bytesPerSecond/50)), // a packet of 64 KiB must fit
			"latency", "400ms")
		if err != nil {
			return err
		}
	}
	return nil
}

// unshape takes a limit away where there is one.
func (n *Node) unshape(ctx context.Context) error {
	if !installed("tc") {
		return nil
	}
	for _, end := range n.ends() {
		shown, err := end.tc(ctx, "qdisc", "show", "dev", end.device)
		if err != nil {
			return err
		}
		if !strings.Contains(shown, "qdisc tbf ") {
			continue
		}
		if _, err := end.tc(ctx, "qdisc", "delete", "dev", end.device, "root"); err != nil {
			return err
		}
	}
	return nil
}

// end is one end of a node's cable.
type end struct {
	device string
	tc     func(ctx context.Context, args ...string) (string, error)
}

func (n *Node) ends() []end {
	return []end{
		{n.cable(), func(ctx context.Context, args ...string) (string, error) { return output(ctx, "tc", args...) }},
		{"eth0", func(ctx context.Context, args ...string) (string, error) {
			return n.Run(ctx, append([]string{"tc"}, args...)...)
		}},
	}
}

// stopWire ends the slow proxy, if there is one.
func (n *Node) stopWire() error {
	if n.wire == nil {
		return nil
	}
	wire := n.wire
	n.wire = nil
	return wire.stop()
}

// reach returns where a client on the host finds a port of the node.
func (n *Node) reach(port string) string {
	if n.wire != nil {
		return n.wire.address(port)
	}
	return net.JoinHostPort(n.Address, port)
}
