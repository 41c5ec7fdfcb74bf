#!/bin/sh
# Installs the Debian packages among the arguments that are missing; quiet where none is.
set -eu
if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is no Debian system (no dpkg-query): install what corresponds to: $*" >&2
    exit 2
fi
missing=
for package in "$@"; do
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
    'install ok installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
echo "deps: installing$missing"
if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null; then
    sudo=sudo
else
    echo "deps: this needs root, and there is no sudo: apt-get install$missing" >&2
    exit 2
fi
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
