package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// checkRequirements refuses, in one line, a machine on which no lab can start.
func checkRequirements(options Options) error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root for its network and mount namespaces: run it with sudo")
	}
	programs := []string{"ip", "iptables", "mount", "nsenter", "setsid", "containerd", "runc"}
	if options.Version == Installed {
		programs = append(programs, "dockerd")
	}
	if options.FS != "" {
		programs = append(programs, "mkfs."+options.FS)
	}
	var missing []string
	for _, name := range programs {
		if !installed(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the lab misses %s: run e2e/setup.sh, it installs them", strings.Join(missing, ", "))
	}
	return nil
}

func installed(name string) bool {
	_, err := exec.LookPath(program(name))
	return err == nil
}
