#!/bin/sh
# Installs docker-ucp where the docker command finds its plugins.
#
# From a release folder (--from DIR) the checksum in its SHA256SUMS is always verified; nothing is downloaded, so this
# works on a machine without a network. Without --from it builds the checkout that this script lies in.
#
# Environment:
#   DOCKER_CONFIG  where docker keeps a user's settings, if not in ~/.docker
#   DESTDIR        put before the system folder, for those who make packages
#
# Everything is a function and the call is the last line, so a script that was cut short does nothing.
set -eu

program=docker-ucp
system_plugins=/usr/local/lib/docker/cli-plugins

usage() {
	cat <<'USAGE'
usage: ./install.sh [--user | --system] [--from DIR] [--uninstall]

  --system      for every user, in /usr/local/lib/docker/cli-plugins (the default for root)
  --user        for this user, in $DOCKER_CONFIG or ~/.docker (the default for anybody else)
  --from DIR    install a release: DIR holds docker-ucp-OS-ARCH and SHA256SUMS
  --uninstall   remove what was installed
  --help        this text

Without --from the checkout that this script lies in is built; that needs Go.
USAGE
}

main() {
	scope='' from='' action=install work='' staged=''
	while [ $# -gt 0 ]; do
		case $1 in
		--user | --system)
			[ -z "$scope" ] || [ "$scope" = "${1#--}" ] || fail_usage "--user and --system exclude each other"
			scope=${1#--}
			;;
		--from)
			[ $# -gt 1 ] || fail_usage "--from needs a folder"
			from=$2
			shift
			;;
		--from=*) from=${1#--from=} ;;
		--uninstall) action=uninstall ;;
		-h | --help)
			usage
			return
			;;
		*) fail_usage "unknown option $1" ;;
		esac
		shift
	done
	trap clean_up EXIT
	trap 'exit 130' HUP INT TERM
	choose_folder
	"$action"
}

# choose_folder sets scope, folder and target.
choose_folder() {
	if [ -z "$scope" ]; then
		if [ "$(id -u)" -eq 0 ]; then scope=system; else scope=user; fi
	fi
	if [ "$scope" = user ] && [ -z "${DOCKER_CONFIG:-}${HOME:-}" ]; then
		fail "find the user's plugins: neither HOME nor DOCKER_CONFIG is set"
	fi
	user_plugins=${DOCKER_CONFIG:-${HOME:-/}/.docker}/cli-plugins
	case $scope in
	user) folder=$user_plugins other=${DESTDIR:-}$system_plugins ;;
	system) folder=${DESTDIR:-}$system_plugins other=$user_plugins ;;
	esac
	target=$folder/$program
	[ ! -d "$target" ] || fail "replace $target: it is a folder"
}

install() {
	make_folder
	staged=$(mktemp "$folder/.$program.XXXXXX") || fail "write to $folder: choose --user, or run with sudo"
	if [ -n "$from" ]; then
		copy_release
	else
		build_checkout
	fi
	chmod 0755 "$staged"
	# Asked before the old one is replaced: a program for another machine changes nothing.
	metadata=$("$staged" docker-cli-plugin-metadata) || fail "run the new $program: it does not work on this machine"
	mv -f "$staged" "$target"
	report "$metadata"
}

make_folder() {
	[ -d "$folder" ] && return
	# docker keeps credentials beside a user's plugins: nobody else's business.
	if [ "$scope" = user ]; then mask=077; else mask=022; fi
	(umask "$mask" && mkdir -p "$folder") || fail "make $folder: choose --user, or run with sudo"
}

# copy_release verifies the copy and not the original, which could change in between.
copy_release() {
	file=$program-$(platform)
	source=$from/$file
	sums=$from/SHA256SUMS
	[ -f "$source" ] || fail "find $source: this release has nothing for this machine"
	[ -f "$sums" ] || fail "find $sums: nothing is installed without its checksum"
	cp "$source" "$staged" || fail "copy $source to $folder"
	want=$(awk -v file="$file" '$2 == file || $2 == "*" file { print $1 }' "$sums")
	[ -n "$want" ] || fail "find $file in $sums: nothing is installed without its checksum"
	have=$(digest "$staged")
	[ "$have" = "$want" ] || fail "verify $source: its SHA-256 is $have, and $sums says $want"
}

platform() {
	case $(uname -s) in
	Linux) os=linux ;;
	Darwin) os=darwin ;;
	*) fail "install on $(uname -s): there is a $program for Linux, macOS and Windows only" ;;
	esac
	case $(uname -m) in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	*) fail "install on $(uname -m): there is a $program for amd64 and arm64 only" ;;
	esac
	echo "$os-$arch"
}

digest() {
	if command -v sha256sum >/dev/null; then
		sha256sum <"$1"
	elif command -v shasum >/dev/null; then
		shasum -a 256 <"$1"
	else
		openssl dgst -sha256 -r <"$1"
	fi | cut -d ' ' -f 1
}

build_checkout() {
	checkout=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
	grep -q "^module github.com/docker-ucp/docker-ucp\$" "$checkout/go.mod" 2>/dev/null ||
		fail "build $program: $checkout is no checkout of it; install a release with --from DIR"
	go=$(find_go) || fail "build $program: there is no Go; get it from https://go.dev/dl, or install a release with --from DIR"
	say "building $program from $checkout"
	work=$(mktemp -d)
	version=$(git -c safe.directory="$checkout" -C "$checkout" describe --tags --always --dirty 2>/dev/null) || version=unknown
	(cd "$checkout" && CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$version" -o "$work/$program" .) || fail "build $program: see above"
	cp "$work/$program" "$staged" || fail "copy $program to $folder"
}

# find_go also looks where Go's own instructions put it, since sudo does not pass on a user's PATH.
find_go() {
	command -v go && return
	[ -x /usr/local/go/bin/go ] && echo /usr/local/go/bin/go
}

report() {
	version=$(printf '%s' "$1" | sed -n 's/.*"Version": *"\([^"]*\)".*/\1/p')
	say "installed $program $version as $target"
	if [ "$scope" = system ] && [ -e "$other/$program" ]; then
		say "warning: docker takes $other/$program before it; remove that one with: ./install.sh --user --uninstall"
	fi
	if [ "$scope" = user ]; then
		say "warning: 'sudo docker' does not look there; if you use that, install it with: sudo ./install.sh --system"
	fi
	if command -v docker >/dev/null; then
		say "try it: docker ucp --help"
	else
		say "there is no docker command on this machine; without it, try: $target --help"
	fi
}

uninstall() {
	if [ -e "$target" ] || [ -L "$target" ]; then
		rm -f "$target" || fail "remove $target: run with sudo"
		say "removed $target"
	else
		say "nothing to remove: there is no $target"
	fi
	[ ! -e "$other/$program" ] || say "there is another one: $other/$program"
}

clean_up() {
	[ -z "$staged" ] || rm -f "$staged"
	[ -z "$work" ] || rm -rf "$work"
}

say() { printf '%s\n' "$*"; }

fail() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}

fail_usage() {
	printf 'install.sh: %s\n' "$*" >&2
	usage >&2
	exit 125
}

main "$@"
