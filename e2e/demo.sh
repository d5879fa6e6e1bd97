#!/bin/sh
# Shows a whole backup on this machine and cleans up: a private engine with a stand-in UCP (not the real product), a
# backup with the plugin in bin/, the archive through gpg and tar.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
work=
lab_dir=

say() { printf '\n== %s\n' "$*"; }

# show prints a command as an operator would type it, and runs it.
show() {
	printf '$ %s\n' "$*"
	"$@"
}

clean_up() {
	status=$?
	trap - EXIT
	if [ -n "$lab_dir" ]; then
		say "cleaning up"
		"$root/bin/lab" down --dir "$lab_dir" || status=1
	fi
	[ -z "$work" ] || rm -rf "$work"
	exit "$status"
}

install_plugin() {
	mkdir -p "$DOCKER_CONFIG/cli-plugins" "$GNUPGHOME"
	chmod 700 "$GNUPGHOME"
	cp "$root/bin/docker-ucp" "$DOCKER_CONFIG/cli-plugins/"
}

look_inside() {
	printf '$ gpg --decrypt ucp.tar | tar --list | head -n 12\n'
	gpg --batch --quiet --pinentry-mode loopback --passphrase-file "$work/passphrase" --decrypt "$work/ucp.tar" |
		tar --list >"$work/list"
	head -n 12 "$work/list"
	printf '... %s entries in all; the last one: %s\n' "$(wc -l <"$work/list")" "$(tail -n 1 "$work/list")"

	printf '$ gpg --decrypt ucp.tar | tar --extract && sha256sum --check docker-ucp/SHA256SUMS\n'
	mkdir "$work/extracted"
	gpg --batch --quiet --pinentry-mode loopback --passphrase-file "$work/passphrase" --decrypt "$work/ucp.tar" |
		tar --extract --directory "$work/extracted"
	(cd "$work/extracted" && sha256sum --check --quiet --strict docker-ucp/SHA256SUMS && echo "every checksum is right")
}

main() {
	work=$(mktemp -d)
	trap clean_up EXIT
	trap 'exit 130' HUP INT TERM
	export DOCKER_CONFIG="$work/docker" GNUPGHOME="$work/gnupg"
	unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH
	install_plugin

	say "starting a private engine with a stand-in UCP (not the real product)"
	lab_dir="$work/lab"
	"$root/bin/lab" up --dir "$lab_dir" --data 256
	export DOCKER_HOST="unix://$lab_dir/n1/docker.sock"

	say "UCP's containers before"
	show docker ps --all --filter label=com.docker.ucp.InstanceID --format 'table {{.Names}}\t{{.Status}}'

	say "the backup"
	echo 'correct horse battery staple' >"$work/passphrase"
	show docker ucp backup --passphrase-file "$work/passphrase" --yes "$work/ucp.tar"
	ls -l "$work/ucp.tar"

	say "is it good?"
	show docker ucp verify --passphrase-file "$work/passphrase" "$work/ucp.tar"

	say "the archive, with gpg, tar and sha256sum alone"
	look_inside

	say "UCP's containers after"
	show docker ps --all --filter label=com.docker.ucp.InstanceID --format 'table {{.Names}}\t{{.Status}}'
}

main
