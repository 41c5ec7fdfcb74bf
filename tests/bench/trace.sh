#!/bin/bash
# What tracing costs: gcc compiles of 16 of our own sources by Gantry at -j2, traced or not, the
# supervisor included; strace as the peer that sees the same. tests/bench/trace.sh GANTRY
# OPTIMISE (levels), ROUNDS and CASES (words of: on bare stops nosync strace) may be set; bare is without the
# memory that compilers are given at once, which spares them some of what the rest costs.
set -eu
gantry=$1
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-9}
bench=${BENCH_DIR:-$PWD/out/bench}
mkdir -p "$bench"
gcc -std=gnu17 -O2 -o "$bench/measure" tests/bench/measure.c
sources=$(find engine -name '*.c' | LC_ALL=C sort | grep -v 'load/\(gate\|hook\)\|embed_tool' | awk 'NR % 8 == 1' | head -16)
# A version that needs no quotes.
flags="-std=gnu17 -D_GNU_SOURCE -DGANTRY_VERSION=__FILE__ -I$PWD/engine"
for level in ${OPTIMISE:--O2 -O0}; do
    tree=$bench/trace$level
    rm -rf "$tree"
    "$gantry" demo "$tree" >/dev/null
    goals=
    for source in $sources; do
        name=$(echo "$source" | tr / _).o
        printf 'targets += %s\n%s: rule = tool\n%s: command = gcc %s %s -c -o $@ %s\n' \
            "$name" "$name" "$name" "$level" "$flags" "$PWD/$source" >>"$tree/module.mk"
        goals+=" $name"
    done
    build="'$gantry' -C '$tree' build -j2 ARCH=x64 $goals >/dev/null"
    # What was hashed once (the compiler) is not hashed again: the objects alone go.
    clean="rm -f '$tree'/build/*/*.o"
    # Where no step can be traced all figures would be alike.
    if ! eval "$clean; '$gantry' -C '$tree' build -j2 ARCH=x64 --json $goals" |
        grep -c '"traced":true' | grep -qx 16; then
        echo "$0: the steps do not run traced here (gantry doctor): nothing to measure" >&2
        exit 1
    fi
    words=(untraced "$clean" "$build --trace=off")
    for case in ${CASES:-on bare stops nosync strace}; do
        case $case in
        on) words+=(traced "$clean" "$build") ;;
        bare) words+=(bare "$clean" "GANTRY_TRACE=no-populate $build") ;;
        nosync) words+=(no-sync "$clean" "GANTRY_TRACE=no-wake-up $build") ;;
        stops) words+=(stops "$clean" "GANTRY_TRACE=no-accelerator $build") ;;
        strace) words+=(strace "$clean" "strace -f -o /dev/null -e trace=%file $build --trace=off") ;;
        esac
    done
    "$bench/measure" "$rounds" "gcc $level, 16 files, -j2" "${words[@]}" 3>>"$bench/bench.json"
done
