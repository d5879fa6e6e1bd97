package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshPort is not the usual one, so that a port in ssh:// is tested as well.
const sshPort = "2222"

// SSH returns the node's ssh:// address and the environment in which the docker CLI can use it: ssh looks for its
// settings in the home of the account, whatever HOME says, so a program of the same name comes first in PATH and gives
// ssh the lab's settings.
func (n *Node) SSH() (host string, env []string, err error) {
	if !installed("sshd") || !installed("ssh") {
		return "", nil, errors.New("the lab misses ssh or sshd: run e2e/setup.sh, it installs them")
	}
	path := n.lab.sshFile("bin") + ":" + os.Getenv("PATH")
	return "ssh://root@" + n.reach(sshPort), []string{"PATH=" + path}, nil
}

// SSHConfig returns the settings for programs that start ssh themselves: ssh -F FILE.
func (l *Lab) SSHConfig() string { return l.sshFile("config") }

func (l *Lab) sshFile(name string) string { return filepath.Join(l.Dir, "ssh", name) }

// makeSSHClient makes the client's key and settings, and what each node's sshd needs.
func (l *Lab) makeSSHClient() error {
	if err := os.MkdirAll(l.sshFile("bin"), 0o755); err != nil {
		return err
	}
	admitted, err := makeKey(l.sshFile("key"))
	if err != nil {
		return err
	}
	var known strings.Builder
	for _, node := range l.Nodes {
		if err := os.MkdirAll(node.sshFile(""), 0o755); err != nil {
			return err
		}
		host, err := makeKey(node.sshFile("host_key"))
		if err != nil {
			return err
		}
		// Through the slow wire the same host answers at 127.0.0.1, at a port that nobody knows yet.
		fmt.Fprintf(&known, "[%s]:%s,[127.0.0.1]:* %s", node.Address, sshPort, host)
		err = errors.Join(
			os.WriteFile(node.sshFile("authorized_keys"), []byte(admitted), 0o644),
			os.WriteFile(node.sshFile("sshd_config"), []byte(node.sshdConfig()), 0o644))
		if err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(l.sshFile("known_hosts"), []byte(known.String()), 0o644),
		os.WriteFile(l.sshFile("config"), []byte(l.sshConfig()), 0o644),
		os.WriteFile(l.sshFile("bin/ssh"), []byte(l.sshWrapper()), 0o755))
}

func (l *Lab) sshConfig() string {
	return fmt.Sprintf(`Host *
	IdentityFile %s
	IdentitiesOnly yes
	UserKnownHostsFile %s
	GlobalKnownHostsFile /dev/null
	StrictHostKeyChecking yes
	BatchMode yes
`, l.sshFile("key"), l.sshFile("known_hosts"))
}

func (l *Lab) sshWrapper() string {
	return fmt.Sprintf("#!/bin/sh\nexec %s -F '%s' \"$@\"\n", program("ssh"), l.SSHConfig())
}

func (n *Node) sshFile(name string) string { return filepath.Join(n.Dir, "ssh", name) }

// sshdConfig: the folder that holds the keys lies below /var/tmp, which everybody may write to and StrictModes refuses.
func (n *Node) sshdConfig() string {
	return fmt.Sprintf(`ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PidFile none
SetEnv PATH=%s:%s
`, net.JoinHostPort(n.Address, sshPort), n.sshFile("host_key"), n.sshFile("authorized_keys"),
		filepath.Dir(program("docker")), searchPath)
}

// startSSH starts the node's sshd, where one is installed.
func (n *Node) startSSH(ctx context.Context) error {
	if !installed("sshd") {
		return nil
	}
	_, err := n.spawn(ctx, "sshd", []string{program("sshd"), "-D", "-e", "-f", n.sshFile("sshd_config")})
	return err
}

// awaitSSH returns when the node's sshd listens, where there is one.
func (n *Node) awaitSSH(ctx context.Context) error {
	if !installed("sshd") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineStartLimit)
	defer cancel()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(n.Address, sshPort))
		if err == nil {
			return connection.Close()
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("wait for sshd on node %s: %w: %s", n.Name, err, lastLines(n.logPath("sshd")))
		}
	}
}

// makeKey writes a private key and returns its public half as ssh writes it.
func makeKey(path string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	half, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return string(ssh.MarshalAuthorizedKey(half)), nil
}
