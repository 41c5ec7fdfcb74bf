#!/bin/bash
# Composing images against `cat` of the same 5,000 files, 202 MiB, into one; and boot arguments.
# Called by run.sh with BENCH_DIR; OSV=<a checkout of OSv> measures set-args against its imgedit.py,
# too. CPU time is what counts: the wall is the disk's.
set -eu
gantry=$1
bench=${BENCH_DIR:?} rounds=${ROUNDS:-5}
here=$(cd "$(dirname "$0")" && pwd)
measure() {
    "$bench/measure" "$@" 3>>"$bench/bench.json"
}
gcc -std=gnu17 -O2 -o "$bench/image_files" "$here/image_files.c"
rm -rf "$bench/files"
"$bench/image_files" "$bench/files"
pack="'$gantry' image pack --layout=bare --manifest '$bench/files.manifest'"
gone="rm -f '$bench'/image.*"
measure "$rounds" "5,000 files, 202 MiB, composed" \
    cat "$gone" "xargs cat <'$bench/files.list' >'$bench/image.cat'" \
    rofs "$gone" "$pack --fs=rofs -o '$bench/image.rofs' >/dev/null" \
    zfs "$gone" "$pack --fs=zfs -o '$bench/image.zfs' >/dev/null" \
    zfs+lz4 "$gone" "$pack --fs=zfs --compress -o '$bench/image.lz4' >/dev/null" \
    ext4 "$gone" "$pack --fs=ext -o '$bench/image.ext' >/dev/null"
[ -n "${OSV-}" ] || exit 0
"$gantry" image pack --fs=rofs --manifest "$bench/files.manifest" -o "$bench/image.raw" >/dev/null
measure "$rounds" "boot arguments changed" \
    imgedit true "python3 '$OSV/scripts/imgedit.py' setargs '-f raw $bench/image.raw' a \$\$" \
    gantry true "'$gantry' image set-args '$bench/image.raw' -- a \$\$"
