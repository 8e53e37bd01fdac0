# shellcheck shell=bash
# Shared by the scripts in bin/: sourced, never run. It finds the project's folders and brings in what a script needs on
# Debian or Ubuntu: packages, a running Docker Engine, buildx. Everything is idempotent, and quick once it is there.
#
#   say WORDS…             a progress line on stderr
#   die WORDS…             an error line on stderr, then exit 1
#   need_root              root on Debian or Ubuntu, or die
#   need_packages NAME…    install these packages where they are missing
#   need_commands CMD:PACKAGE…  install the package where the command is missing
#   need_docker            client, buildx and an Engine that answers
#   archive_mirror         the address of the distribution's archive, as this machine's apt knows it

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
FLEET_DIR=$ROOT/.fleet
DOCKERD_LOG=/var/log/dhow-dockerd.log
BUILDX_PLUGIN=/usr/local/lib/docker/cli-plugins/docker-buildx

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

need_root() {
    # shellcheck disable=SC1091
    OS_ID=$(. /etc/os-release 2>/dev/null && echo "${ID:-}") || true
    # shellcheck disable=SC1091
    OS_CODENAME=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}") || true
    case $OS_ID in
        debian | ubuntu) ;;
        *) die "needs Debian or Ubuntu, and this is \`${OS_ID:-unknown}\`" ;;
    esac
    [ "$(id -u)" = 0 ] || die "needs root: it installs packages and runs a Docker Engine"
}

need_packages() {
    local package missing=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

need_commands() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

install_packages() {
    need_root
    say "installing $*"
    apt_quiet update
    # --no-install-recommends: the Engine recommends AppArmor, git and other things that the tests must not depend on.
    apt_quiet install --yes --no-install-recommends "$@"
}

# apt-get with its output shown only when it fails.
apt_quiet() {
    local log
    log=$(mktemp)
    if ! DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        die "\`apt-get $*\` failed"
    fi
    rm -f "$log"
}

archive_mirror() {
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$OS_CODENAME" '$2 == suite && $3 == "main" { print $1; exit }')
    [ -n "$mirror" ] || die "apt on this machine knows no archive for \`$OS_CODENAME\`: run apt-get update"
    printf '%s\n' "$mirror"
}

need_docker() {
    need_root
    # The package is asked for by its daemon: a client may have come from elsewhere, an Engine of another make is as good.
    need_commands dockerd:docker.io docker:docker.io iptables:iptables
    need_buildx
    docker version >/dev/null 2>&1 || start_docker
}

# Debian 12 has no docker-buildx. It is a single program, so the next release's package is unpacked as a plugin, with lists
# and sources of its own: the machine's apt never hears of the other release.
need_buildx() {
    docker buildx version >/dev/null 2>&1 && return
    if [ -n "$(apt-cache madison docker-buildx 2>/dev/null)" ]; then
        need_packages docker-buildx
        return
    fi
    [ "$OS_CODENAME" = bookworm ] || die "no docker-buildx for \`$OS_CODENAME\`"
    say "unpacking docker-buildx"
    local work mirror
    mirror=$(archive_mirror)
    work=$(mktemp -d)
    mkdir -p "$work"/{lists/partial,archives/partial,parts,tree} "$(dirname "$BUILDX_PLUGIN")"
    # apt's own unprivileged user does the download.
    chmod -R a+rwX "$work"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
    local apart=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts"
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o APT::Default-Release=)
    apt_quiet "${apart[@]}" update
    (cd "$work/archives" && apt_quiet "${apart[@]}" download docker-buildx)
    dpkg-deb -x "$work"/archives/docker-buildx_*.deb "$work/tree"
    install -m 755 "$(find "$work/tree" -name docker-buildx -type f -perm -u+x | head -1)" "$BUILDX_PLUGIN"
    rm -rf "$work"
    docker buildx version >/dev/null 2>&1 || die "the unpacked docker-buildx does not run here"
}

start_docker() {
    say "starting the Docker Engine (log: $DOCKERD_LOG)"
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    else
        remove_stale_pid /run/docker.pid dockerd
        remove_stale_pid /run/docker/containerd/containerd.pid containerd
        # Descriptors above 2 are closed: an inherited lock would be held for as long as the Engine runs.
        (
            close_descriptors
            cd /
            exec setsid nohup dockerd >>"$DOCKERD_LOG" 2>&1 </dev/null
        ) &
    fi
    local tries
    for tries in $(seq 120); do
        docker version >/dev/null 2>&1 && return
        sleep 0.5
    done
    tail -20 "$DOCKERD_LOG" >&2 || true
    die "the Docker Engine did not answer within $((tries / 2)) s"
}

close_descriptors() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null || true
    done
}

# A pid file from before a crash or a reboot keeps the daemon from starting when another program has its number now.
remove_stale_pid() {
    [ -f "$1" ] || return 0
    local name
    name=$(cat "/proc/$(cat "$1")/comm" 2>/dev/null) || true
    [ "$name" = "$2" ] || rm -f "$1"
}
