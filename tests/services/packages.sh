#!/bin/sh
# Install the servers and the browser that `make services` starts; says what is missing where it may not.
set -eu
PATH="$PATH:/usr/sbin"
missing=
need() { # PROGRAM PACKAGE
    command -v "$1" > /dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need systemd-analyze systemd
need curl curl
need munged munge
need slurmctld slurm-wlm
ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing="$missing postgresql"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null 2>&1; then
    echo "make services needs these packages of Debian:$missing" >&2
    exit 1
fi
apt-get update -qq
# Servers are started by the tests, with settings of their own, and not by the packages.
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing > /dev/null
