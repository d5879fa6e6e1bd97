package lab

import "net"

type proxy struct{}

func (n *Node) stopWire() error { return nil }

// reach returns where a client on the host finds a port of the node.
func (n *Node) reach(port string) string { return net.JoinHostPort(n.Address, port) }
