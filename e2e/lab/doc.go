// Package lab starts private Docker engines on this machine, for tests that need a real one.
//
// A node is one engine in namespaces of its own: process, network, mount and host name. Its first process is a shell
// that mounts an own /proc and /run over a copy of the host's file systems and then only reaps orphans. Engine,
// containerd, containers and sshd are all below it, so ending that one process ends the node and everything that it
// mounted: the kernel does the cleaning. The nodes of a lab hang on one bridge in a /24 that no one else uses. What lies
// outside of the namespaces (bridge, the host's ends of the cables, one packet filter rule, control groups, the lab's
// folder) is written down in a state file before it is made, so that Close, or the next Start after a crash, removes it.
//
// Engines are reached over a unix socket in the lab's folder, over TLS with real certificates, and over ssh.
//
// Not promised: a node is no security boundary, it shares the host's files; and nothing here works without root, or on
// anything but Linux.
package lab
