#!/bin/sh
# Installs what the lab needs on Debian or Ubuntu. Does nothing where all is there.
# Run as root by hand, or by CI (CI=true); it never runs by itself on somebody's machine.
set -eu

missing=
need() { # program package...
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || { shift; missing="$missing $*"; }
}
compose_is_there() {
    for folder in /usr/libexec /usr/lib /usr/local/lib /usr/local/libexec; do
        [ -e "$folder/docker/cli-plugins/docker-compose" ] && return 0
    done
    return 1
}

need dockerd docker.io
# Debian 13 and Ubuntu 24.04 keep the client in a package of its own; Debian 12 has it in docker.io.
need docker docker-cli
need podman podman
need runc runc
need sshd openssh-server
need ssh openssh-client
need ip iproute2
need iptables iptables
need busybox busybox-static
need sqlite3 sqlite3
need curl curl
need ps procps
need tmux tmux
need sudo sudo
need less less
need fish fish
need vi vim-tiny
need strace strace
need setsid util-linux
need pdftotext poppler-utils
need zbarimg zbar-tools
need python3 python3
[ -x /usr/bin/python3 ] || missing="$missing python3"
# A journal for the tests of its units, and what reads it.
need journalctl systemd
[ -x /lib/systemd/systemd-journal-remote ] || missing="$missing systemd-journal-remote"
# A PDF is made with Pango, in a font of the system.
ls /usr/lib/*/libpangoft2-1.0.so.0 /usr/lib/*/libharfbuzz-subset.so.0 >/dev/null 2>&1 ||
    missing="$missing libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
ls /usr/share/fonts/*/* >/dev/null 2>&1 || missing="$missing fonts-dejavu-core"
# Debian keeps what `python3 -m venv` needs apart.
# One-time codes of a login.
ls /lib/*/security/pam_oath.so >/dev/null 2>&1 || missing="$missing libpam-oath"
python3 -c "import ensurepip, venv" 2>/dev/null || missing="$missing python3-venv"
# A security key (FIDO) in software: one file of OpenSSH's own tests.
key=/usr/local/lib/cockpit-lab/sk-dummy.so
[ -e "$key" ] || missing="$missing openssh-tests"

if [ -z "$missing" ] && compose_is_there; then
    echo "lab: all there"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "lab: needs root to install:$missing$(compose_is_there || echo ' docker compose v2')" >&2
    exit 1
fi
if [ "${CI:-}" != true ] && [ "${1:-}" != --yes ]; then
    echo "lab: would install:$missing$(compose_is_there || echo ' docker compose v2')" >&2
    echo "lab: to do that on this machine: sh tests/lab/install.sh --yes" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
if [ -n "$missing" ]; then
    apt-get update -q
    # A package that does not exist by itself (docker-cli on Debian 12) is part of another.
    wanted=
    for package in $missing; do
        [ "$package" != openssh-tests ] || continue
        if apt-cache show "$package" >/dev/null 2>&1; then wanted="$wanted $package"; fi
    done
    # shellcheck disable=SC2086
    [ -z "$wanted" ] || apt-get install -q -y --no-install-recommends $wanted
fi
if [ ! -e "$key" ]; then
    # Not installed: it would bring several other servers with it.
    apart=$(mktemp -d)
    (cd "$apart" && apt-get -q download openssh-tests && dpkg-deb -x openssh-tests_*.deb .)
    install -D -m 644 "$apart/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so" "$key"
    rm -r "$apart"
fi

compose_is_there && exit 0
# Ubuntu has the plugin by this name.
if apt-get install -q -y --no-install-recommends docker-compose-v2 2>/dev/null; then exit 0; fi
# Debian 12 has only the old Compose: take the plugin from Debian 13. It needs nothing but libc6,
# and its lists are kept apart so that apt goes on seeing one Debian only.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial"
chmod 755 "$work"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$work/sources.list"
apart="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists=$work/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
# shellcheck disable=SC2086
apt-get -q $apart update
# shellcheck disable=SC2086
(cd "$work" && apt-get -q $apart download docker-compose/trixie)
dpkg -i "$work"/docker-compose_*.deb
