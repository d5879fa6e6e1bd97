#!/bin/sh
# Installs what the end-to-end tests need and this machine lacks: on Debian and Ubuntu with apt-get, as root or through
# sudo. It says first what and why. Where it cannot install, it says in one line each what is missing.
#
#   setup.sh           install what is missing
#   setup.sh --check   only tell what is missing; exit 1 if something is
#
# It starts no service, and those that come with a package are not enabled either: the tests run programs of their own,
# sshd and Docker's engine among them.
set -eu

# A user's PATH may lack the folders of administrators' programs; looking is allowed to everybody.
PATH=$PATH:/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin

# The program, the package that has it, and what it is for.
needs() {
	cat <<'END'
dockerd      ENGINE           the lab's engines
docker       CLI              the plugin is called through it
ip           iproute2         the lab's network
iptables     iptables         the lab's network
nsenter      util-linux       the lab's namespaces
mount        mount            the lab's namespaces
ssh          openssh-client   engines reached over ssh
sshd         openssh-server   engines reached over ssh
mkfs.xfs     xfsprogs         volumes on a file system that clones files
mkfs.btrfs   btrfs-progs      volumes on a file system that clones files
gpg          gpg              archives opened with GnuPG
gpg-agent    gpg-agent        archives opened with GnuPG
tar          tar              archives listed with tar
setfattr     attr             extended attributes kept in archives
setfacl      acl              access lists kept in archives
END
}

main() {
	missing=$(list_missing)
	if ! has go; then
		echo "missing: go (https://go.dev/dl): compiles the tests" >&2
		[ -z "$missing" ] || report "$missing"
		exit 1
	fi
	[ -n "$missing" ] || exit 0
	if [ "${1-}" = --check ]; then
		report "$missing"
		exit 1
	fi
	if ! has apt-get || ! become_root; then
		report "$missing"
		exit 1
	fi
	install_packages "$missing"
	missing=$(list_missing)
	if [ -n "$missing" ]; then
		report "$missing"
		exit 1
	fi
}

has() {
	command -v "$1" >/dev/null 2>&1
}

list_missing() {
	needs | while read -r program package purpose; do
		has "$program" || echo "$program $(package_of "$package") $purpose"
	done
}

# Docker's packages have other names in Docker's own archive, and the two do not go together.
package_of() {
	case $1 in
	ENGINE) first_known docker-ce docker.io ;;
	CLI) first_known docker-ce-cli docker-cli docker.io ;;
	*) echo "$1" ;;
	esac
}

first_known() {
	for name; do
		if apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [0-9]'; then
			echo "$name"
			return
		fi
	done
	echo "$name"
}

report() {
	echo "$1" | while read -r program package purpose; do
		echo "missing: $program (package $package): $purpose"
	done >&2
}

become_root() {
	root=
	[ "$(id -u)" -ne 0 ] || return 0
	root=sudo
	has sudo
}

install_packages() {
	echo "Installing with ${root:+$root }apt-get what this machine lacks for the end-to-end tests:"
	echo "$1" | while read -r program package purpose; do
		echo "  $package ($program): $purpose"
	done
	echo "No service is started or enabled."
	packages=$(echo "$1" | while read -r _ package _; do echo "$package"; done | sort -u)

	trap allow_services EXIT
	trap 'exit 1' HUP INT TERM
	case $1 in *sshd\ * | *dockerd\ *) forbid_services ;; esac
	$root apt-get update -qq || echo "apt-get update failed: going on with the package lists of last time" >&2
	# shellcheck disable=SC2086 # one word for each package
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
	case $1 in *sshd\ *) disable_services ssh.service ssh.socket ;; esac
	case $1 in *dockerd\ *) disable_services docker.service docker.socket containerd.service ;; esac
}

# While packages install, Debian asks this program whether a service may be started.
policy=/usr/sbin/policy-rc.d
forbidden=

forbid_services() {
	if [ -e "$policy" ]; then
		answer=0
		"$policy" ssh start >/dev/null 2>&1 || answer=$?
		[ "$answer" -ne 101 ] || return 0
		echo "$policy would let services start: install these packages by hand: $(echo "$packages" | tr '\n' ' ')" >&2
		exit 1
	fi
	forbidden=yes
	printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
	$root chmod 755 "$policy"
}

allow_services() {
	[ -z "$forbidden" ] || $root rm -f "$policy"
	forbidden=
}

# A package that was not there before must not run its service after the next boot either. Not every release has all of
# the units, and not every machine the programs.
disable_services() {
	for unit; do
		if has systemctl; then
			$root systemctl disable "$unit"
		else
			$root deb-systemd-helper disable "$unit"
			$root update-rc.d "${unit%.*}" disable
		fi >/dev/null 2>&1 || :
	done
}

main "$@"
