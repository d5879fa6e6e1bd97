package lab

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxNodes keeps addresses and names of interfaces short; a swarm of more tells nothing new.
const maxNodes = 9

// A lab's name holds its network: "ul" and four hex digits, of which 15 bits choose a /24 in 10.64.0.0 to 10.191.255.0.
// So the kernel, which refuses a second bridge of one name, keeps two labs from sharing a network as well.
var labID = regexp.MustCompile(`^ul[0-7][0-9a-f]{3}$`)

func validID(id string) bool { return labID.MatchString(id) }

// address returns the lab's address number host.
func (s state) address(host int) string {
	bits, err := strconv.ParseUint(s.ID[2:], 16, 16)
	if err != nil {
		panic("a lab's name was not checked: " + s.ID)
	}
	return fmt.Sprintf("10.%d.%d.%d", 64+bits>>8, bits&0xff, host)
}

// network returns the lab's /24.
func (s state) network() netip.Prefix {
	return netip.MustParsePrefix(s.address(0) + "/24")
}

// makeBridge chooses a free network and makes the lab's bridge in it.
func (l *Lab) makeBridge(ctx context.Context) error {
	for range 20 {
		var draw [2]byte
		if _, err := rand.Read(draw[:]); err != nil {
			return err
		}
		l.state.ID = fmt.Sprintf("ul%04x", binary.BigEndian.Uint16(draw[:])&0x7fff)
		if taken, err := overlaps(ctx, l.state.network()); err != nil {
			return err
		} else if taken {
			continue
		}
		if _, err := net.InterfaceByName(l.state.ID); err == nil {
			continue
		}
		if err := l.save(); err != nil {
			return err
		}
		return l.raiseBridge(ctx)
	}
	return errors.New("no free network in 10.64.0.0 to 10.191.255.0")
}

func (l *Lab) raiseBridge(ctx context.Context) error {
	bridge := l.state.ID
	for _, args := range [][]string{
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "address", "add", l.state.address(1) + "/24", "dev", bridge},
		{"ip", "link", "set", bridge, "up"},
		// An engine on the host sets the policy of FORWARD to DROP, and bridged packets pass there too.
		append([]string{"iptables", "-w", "-I"}, l.forwardRule()...),
	} {
		if err := run(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) forwardRule() []string {
	return []string{"FORWARD", "-i", l.state.ID, "-o", l.state.ID, "-j", "ACCEPT"}
}

// overlaps tells whether this machine has a route into a network.
func overlaps(ctx context.Context, wanted netip.Prefix) (bool, error) {
	routes, err := output(ctx, "ip", "-4", "-o", "route", "show", "table", "all")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(routes) {
		fields := strings.Fields(line)
		for _, field := range fields[:min(2, len(fields))] { // "local 10.0.0.1 …" or "10.0.0.0/24 …"
			route, err := parsePrefix(field)
			if err == nil && route.Bits() > 0 && route.Overlaps(wanted) {
				return true, nil
			}
		}
	}
	return false, nil
}

// parsePrefix takes a lone address for a network of one.
func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	address, err := netip.ParseAddr(text)
	return netip.PrefixFrom(address, address.BitLen()), err
}

// plug gives a node its network card and the host the other end of the cable.
func (n *Node) plug(ctx context.Context) error {
	pid := strconv.Itoa(n.kept.First.Pid)
	inside := []string{"nsenter", "--target", pid, "--net", "ip"}
	for _, args := range [][]string{
		{"ip", "link", "add", n.cable(), "type", "veth", "peer", "name", "eth0", "netns", pid},
		{"ip", "link", "set", n.cable(), "master", n.lab.state.ID, "up"},
		slices.Concat(inside, []string{"address", "add", n.Address + "/24", "dev", "eth0"}),
		slices.Concat(inside, []string{"link", "set", "eth0", "up"}),
	} {
		if err := run(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// cable names the host's end of the node's cable.
func (n *Node) cable() string { return n.lab.state.ID + n.Name }

// removeNetwork deletes what the lab has in the host's own network, as far as it is there.
func (l *Lab) removeNetwork() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for _, node := range l.Nodes {
		errs = append(errs, deleteLink(ctx, node.cable()))
	}
	for l.hasForwardRule(ctx) {
		if err := run(ctx, "iptables", append([]string{"-w", "-D"}, l.forwardRule()...)...); err != nil {
			errs = append(errs, err)
			break
		}
	}
	return errors.Join(append(errs, deleteLink(ctx, l.state.ID))...)
}

func (l *Lab) hasForwardRule(ctx context.Context) bool {
	return run(ctx, "iptables", append([]string{"-w", "-C"}, l.forwardRule()...)...) == nil
}

func deleteLink(ctx context.Context, name string) error {
	if _, err := os.Stat(filepath.Join("/sys/class/net", name)); err != nil {
		return nil
	}
	err := run(ctx, "ip", "link", "delete", name)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if _, gone := os.Stat(filepath.Join("/sys/class/net", name)); gone != nil {
			return nil // the other end went away with its node while we asked
		}
	}
	return err
}
