package lab

import (
	"context"
	"errors"
	"fmt"
)

// PowerOff ends the node as a power cut would: engine, containers and all at once.
func (n *Node) PowerOff() error {
	if err := n.powerOff(); err != nil {
		return err
	}
	return removeControlGroup(n.controlGroup())
}

// PowerOn boots the node again, with the disk that it had, and waits until its engine answers.
func (n *Node) PowerOn(ctx context.Context) error {
	if n.kept.First.alive() {
		return fmt.Errorf("switch node %s on: it is on", n.Name)
	}
	if err := deleteLink(ctx, n.cable()); err != nil { // the kernel clears the old cable away when it finds time
		return err
	}
	if err := n.boot(ctx); err != nil {
		return err
	}
	return errors.Join(n.awaitEngine(ctx), n.awaitSSH(ctx))
}

// powerOff ends the node's first process, and with it everything in the node.
func (n *Node) powerOff() error {
	if err := n.stopWire(); err != nil {
		return err
	}
	// A paused container of the first version of control groups does not even die while it is paused.
	if err := n.kept.First.end(func() error { return thaw(n.controlGroup()) }); err != nil {
		return fmt.Errorf("end node %s: %w", n.Name, err)
	}
	return nil
}
