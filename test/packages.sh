#!/bin/sh
# Installs what only the tests need, and says so: a dockerd to compare with, a registry, other clients.
set -eu

missing=''
need() { # PROGRAM PACKAGE
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need dockerd docker.io
need docker docker.io
need docker-compose docker-compose
need docker-registry docker-registry
need skopeo skopeo
need iptables iptables
need curl curl
need ps procps
need ip iproute2
need nft nftables
need script bsdutils
need busybox busybox-static
need git git
need openssl openssl
need python3 python3
need mkfs.ext4 e2fsprogs
need fuse-overlayfs fuse-overlayfs
need mmdebstrap mmdebstrap
case " $* " in
  *' cgroup2 '* | *' links '* | *' disks '*)
    need qemu-system-x86_64 qemu-system-x86
    need modprobe kmod
    ;;
esac
case " $* " in
  *' disks '*)
    need mkfs.xfs xfsprogs
    need rpc.nfsd nfs-kernel-server
    ;;
esac
missing=$(printf '%s\n' $missing | sort -u)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "test: not root; install these first:" $missing >&2
  exit 1
fi
echo "test: installing" $missing
export DEBIAN_FRONTEND=noninteractive
# Installing docker.io must not start a daemon on this machine: the tests start their own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1 ||
  { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null; }
# From Debian 13 on the client is a package of its own.
command -v docker >/dev/null 2>&1 || apt-get install -qq -y --no-install-recommends docker-cli >/dev/null
