#!/bin/bash
# What `make demo` shows: tests/demo.sh GANTRY DIR writes the bundled tree to DIR, builds, composes and
# boots it for two arches, and ends with 1 at the first thing that is not as it should be. On a
# terminal the console opens then.
set -eu
gantry=$1 dir=$2
console=$(mktemp)
trap 'rm -f "$console"' EXIT
unset ARCH mode image CROSS_PREFIX HOST_CC cmdline fs MAKEFLAGS MAKELEVEL MFLAGS

fail() {
    echo "demo: $*" >&2
    exit 1
}

# prints TEXT: a line of the booted console is that.
prints() {
    tr -d '\r' <"$console" | grep -qxF -e "$1" || fail "the guest did not print: $1"
}

# boot ARCH IMAGE FILE: everything from source to a file that the guest read, FILE of the tree.
boot() {
    local selection=(ARCH="$1" image="$2") file="$dir/$3" args base
    echo
    echo "== $1 $2: build and compose"
    "$gantry" -C "$dir" compose "${selection[@]}"
    args=$("$gantry" image args "$("$gantry" -C "$dir" compose --json "${selection[@]}" |
        sed -n 's/.*"event":"compose".*"part":"\(.*\.img\)".*/\1/p')")
    base=$("$gantry" -C "$dir" config kernel_base "${selection[@]}" | sed -n '1s/.* = //p')
    echo
    echo "== $1 $2: boot"
    # The file is the last thing that the boot arguments ask for.
    "$gantry" -C "$dir" run "${selection[@]}" --timeout=120 --expect="\\Q$(cat "$file")\\E" </dev/null |
        tee "$console"
    grep -q '^uush [0-9.]* on ' "$console" || fail "the shell did not say that it is there"
    prints "kernel base $base"
    prints "boot arguments: $args"
    prints "$(cat "$file")"
}

# Only a tree that an earlier demo wrote is written anew.
[ ! -f "$dir/module.mk" ] || rm -rf "$dir"
"$gantry" demo "$dir"
boot x64 default data/disk/motd
boot aarch64 uush data/bootfs/motd
echo
echo "demo: two arches built, composed and booted; each read a file from its file system."
if [ -t 0 ] && [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    echo "The console on that tree opens now: b builds, r boots, ? tells the keys, q leaves."
    sleep 2
    rm -f "$console"
    exec "$gantry" -C "$dir"
fi
echo "next: cd $dir && $gantry"
