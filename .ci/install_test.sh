#!/bin/sh
# Tests install.sh in folders of its own: nothing outside of them is touched.
# Each test is a function whose name is the promise; it runs in a subshell, in an empty folder, and fails by exiting.
# shellcheck disable=SC2030,SC2031 # each test has a HOME of its own, on purpose
set -eu

main() {
	checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
	room=$(mktemp -d)
	GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE)
	export GOCACHE GOMODCACHE
	trap 'rm -rf "$room"' EXIT
	prepare_release "$room/a release"
	passed=0 failed=0
	sed -n 's/^\(it_[a-z_0-9]*\)().*/\1/p' "$0" >"$room/promises"
	while read -r promise; do
		run "$promise"
	done <"$room/promises"
	echo "install.sh: $passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

run() {
	box="$room/$1 with spaces"
	mkdir "$box"
	# Not as a condition: inside one, the shell forgets set -e.
	set +e
	(set -e; cd "$box"; HOME="$box/home"; export HOME; unset DOCKER_CONFIG DESTDIR; "$1") >"$box/said" 2>&1
	status=$?
	set -e
	if [ "$status" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok   $1"
	else
		failed=$((failed + 1))
		echo "FAIL $1"
		sed 's/^/     /' "$box/said"
	fi
}

# prepare_release builds the checkout once and plays it as the release for this machine.
prepare_release() {
	release=$1
	mkdir "$release"
	case $(uname -m) in x86_64) arch=amd64 ;; *) arch=arm64 ;; esac
	name=docker-ucp-$(uname -s | tr '[:upper:]' '[:lower:]')-$arch
	(cd "$checkout" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=v1.2.3" -o "$release/$name" .)
	(cd "$release" && sha256sum "$name" >SHA256SUMS)
}

install_sh() { "$checkout/install.sh" "$@"; }

# refused runs install.sh, expects it to fail, and to say so with the given words.
refused() {
	words=$1
	shift
	if install_sh "$@" >out 2>&1; then echo "it was not refused: $*"; exit 1; fi
	cat out
	grep -qF -- "$words" out || { echo "it does not say: $words"; exit 1; }
}

says() { grep -qF -- "$1" out || { cat out; echo "it does not say: $1"; exit 1; }; }
same() { cmp "$1" "$2"; }
absent() { [ ! -e "$1" ] || { echo "$1 is there"; exit 1; }; }
only() { [ "$(ls -A "$1")" = "$2" ] || { ls -A "$1"; echo "there is not only $2"; exit 1; }; }
play_user() { printf '#!/bin/sh\necho %s\n' "$1" >fake/id && chmod +x fake/id; }
own_release() { cp -R "$release" mine; }

it_builds_the_checkout_and_the_plugin_answers() {
	install_sh --user >out
	"$HOME/.docker/cli-plugins/docker-ucp" docker-cli-plugin-metadata | grep -q '"SchemaVersion": *"0.1.0"'
	says "installed docker-ucp"
	says "'sudo docker' does not look there"
	only "$HOME/.docker/cli-plugins" docker-ucp
}

it_installs_a_release_for_a_user() {
	install_sh --user --from "$release" >out
	same "$HOME/.docker/cli-plugins/docker-ucp" "$release/$name"
	says "installed docker-ucp v1.2.3 as $HOME/.docker/cli-plugins/docker-ucp"
	[ "$(find "$HOME/.docker/cli-plugins/docker-ucp" -perm 0755)" ]
	[ "$(find "$HOME/.docker" -prune -perm 0700)" ]
}

it_installs_a_release_for_the_system_whatever_the_umask() {
	umask 077
	DESTDIR=$PWD/root install_sh --system --from="$release" >out
	same root/usr/local/lib/docker/cli-plugins/docker-ucp "$release/$name"
	[ "$(find root/usr/local/lib/docker/cli-plugins -prune -perm 0755)" ]
	[ "$(find root/usr/local/lib/docker/cli-plugins/docker-ucp -perm 0755)" ]
}

it_chooses_the_system_for_root_and_the_user_for_others() {
	mkdir fake
	play_user 0
	PATH="$PWD/fake:$PATH" DESTDIR=$PWD/root install_sh --from "$release" >out
	absent "$HOME/.docker"
	play_user 1000
	PATH="$PWD/fake:$PATH" install_sh --from "$release" >out
	[ -x "$HOME/.docker/cli-plugins/docker-ucp" ]
}

it_follows_docker_config() {
	DOCKER_CONFIG="$PWD/my config" install_sh --user --from "$release" >out
	[ -x "my config/cli-plugins/docker-ucp" ]
	absent "$HOME/.docker"
}

it_warns_of_one_that_docker_would_take_first() {
	install_sh --user --from "$release" >out
	DESTDIR=$PWD/root install_sh --system --from "$release" >out
	says "warning: docker takes $HOME/.docker/cli-plugins/docker-ucp before it"
}

it_refuses_a_wrong_checksum_and_changes_nothing() {
	install_sh --user --from "$release" >out
	own_release
	echo "one more byte" >>"mine/$name"
	refused "its SHA-256 is" --user --from mine
	same "$HOME/.docker/cli-plugins/docker-ucp" "$release/$name"
	only "$HOME/.docker/cli-plugins" docker-ucp
}

it_refuses_a_release_without_checksums() {
	own_release
	rm mine/SHA256SUMS
	refused "nothing is installed without its checksum" --user --from mine
	absent "$HOME/.docker/cli-plugins/docker-ucp"
}

it_refuses_checksums_that_do_not_name_the_file() {
	own_release
	sed "s/docker-ucp/docker-ucp-older/" "$release/SHA256SUMS" >mine/SHA256SUMS
	refused "find $name in mine/SHA256SUMS" --user --from mine
	sed "p; s/^./x/" "$release/SHA256SUMS" >mine/SHA256SUMS
	refused "its SHA-256 is" --user --from mine
	absent "$HOME/.docker/cli-plugins/docker-ucp"
}

it_refuses_a_program_for_another_machine_and_changes_nothing() {
	install_sh --user --from "$release" >out
	own_release
	echo "no program" >"mine/$name"
	(cd mine && sha256sum "$name" >SHA256SUMS)
	refused "it does not work on this machine" --user --from mine
	same "$HOME/.docker/cli-plugins/docker-ucp" "$release/$name"
	only "$HOME/.docker/cli-plugins" docker-ucp
}

it_refuses_a_folder_that_is_no_release() {
	refused "this release has nothing for this machine" --user --from .
	refused "this release has nothing for this machine" --user --from "nowhere at all"
}

it_refuses_to_build_what_is_no_checkout() {
	cp "$checkout/install.sh" .
	if ./install.sh --user >out 2>&1; then exit 1; fi
	says "is no checkout of it; install a release with --from DIR"
	absent "$HOME/.docker/cli-plugins/docker-ucp"
}

it_replaces_a_link_and_not_what_it_points_to() {
	mkdir -p "$HOME/.docker/cli-plugins"
	echo "somebody's" >theirs
	ln -s "$PWD/theirs" "$HOME/.docker/cli-plugins/docker-ucp"
	install_sh --user --from "$release" >out
	[ "$(cat theirs)" = "somebody's" ]
	same "$HOME/.docker/cli-plugins/docker-ucp" "$release/$name"
}

it_removes_what_it_installed_and_nothing_else() {
	install_sh --user --from "$release" >out
	touch "$HOME/.docker/cli-plugins/docker-other"
	install_sh --user --uninstall >out
	says "removed $HOME/.docker/cli-plugins/docker-ucp"
	only "$HOME/.docker/cli-plugins" docker-other
	install_sh --user --uninstall >out
	says "nothing to remove"
}

it_does_nothing_when_it_was_cut_short() {
	lines=$(wc -l <"$checkout/install.sh")
	head -n $((lines - 1)) "$checkout/install.sh" >cut.sh
	sh cut.sh --user --from "$release"
	absent "$HOME/.docker"
}

it_refuses_what_it_does_not_know() {
	refused "unknown option --frmo" --frmo x
	refused "--from needs a folder" --from
	absent "$HOME/.docker"
}

it_explains_itself() {
	install_sh --help >out
	says "usage: ./install.sh"
	absent "$HOME/.docker"
}

main "$@"
