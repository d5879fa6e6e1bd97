# The first process of a node. It makes the node's view of the file systems, says "ready", and from then on only reaps
# orphans until the lab ends it. Arguments: the node's folder, its host name, the image of its disk or nothing.
set -eu
folder=$1 name=$2 disk=$3

# The lab writes down who we are before it says go. If it dies before that, nobody would ever end us.
read -r _ || exit 0

# What the host mounts and unmounts is followed; what is mounted here stays here.
mount --make-rslave /
mount -t proc proc /proc

# This copy must not keep alive what other engines have mounted. The list is read as a whole before it shrinks.
mounts=$(cat /proc/mounts)
while read -r _ where kind _; do
	case $kind:$where in
	nsfs:/run/* | overlay:/*/merged | fuse.fuse-overlayfs:/*/merged | tmpfs:/*/mounts/shm)
		umount -l "$where" || :
		;;
	esac
done <<END
$mounts
END

echo "$name" >/proc/sys/kernel/hostname
ip link set lo up

# A private /run gives a private docker.sock, containerd and lock of the packet filter. /etc/resolv.conf often points
# into /run, so it is made there anew.
target=$(readlink -f /etc/resolv.conf || :)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock
case $target in
/run/*) mkdir -p "${target%/*}" && : >"$target" ;;
esac

for file in hosts passwd shadow resolv.conf; do
	if [ -e "/etc/$file" ]; then
		mount --bind "$folder/etc/$file" "$(readlink -f "/etc/$file")"
	fi
done

if [ -n "$disk" ]; then
	mount -o loop "$disk" "$folder/data"
fi

echo ready
exec </dev/null >/dev/null 2>&1
while :; do
	sleep 3600 &
	wait "$!" || :
done
