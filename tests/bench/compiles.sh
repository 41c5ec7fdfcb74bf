#!/bin/bash
# A full build of real compiles, untraced, by ninja, by make, by make behind the gate, and native: 48 of our
# own sources at -O0 and -j2. tests/bench/compiles.sh GANTRY; called by run.sh with BENCH_DIR. ROUNDS may be
# set.
set -eu
gantry=$1
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5}
bench=${BENCH_DIR:-$PWD/out/bench}
mkdir -p "$bench"
gcc -std=gnu17 -O2 -o "$bench/measure" tests/bench/measure.c
sources=$(find engine -name '*.c' | LC_ALL=C sort | grep -v 'load/\(gate\|hook\)\|embed_tool' | awk 'NR % 3 == 1' | head -48)
# A version that needs no quotes.
compile="gcc -std=gnu17 -D_GNU_SOURCE -DGANTRY_VERSION=__FILE__ -I$PWD/engine -O0 -c"
tree=$bench/compiles
rm -rf "$tree"
"$gantry" demo "$tree" >/dev/null
mkdir -p "$tree/made/ninja" "$tree/made/make" "$tree/gate/made/make"
printf 'rule cc\n  command = %s -o $out $in\n' "$compile" >"$tree/build.ninja"
echo 'all:' >"$tree/Makefile"
goals=
for source in $sources; do
    name=$(echo "$source" | tr / _).o
    printf 'build made/ninja/%s: cc %s\n' "$name" "$PWD/$source" >>"$tree/build.ninja"
    printf 'all: made/make/%s\nmade/make/%s: %s\n\t%s -o $@ $<\n' "$name" "$name" "$PWD/$source" "$compile" >>"$tree/Makefile"
    printf 'targets += %s\n%s: rule = tool\n%s: command = %s -o $@ %s\n' \
        "$name" "$name" "$name" "$compile" "$PWD/$source" >>"$tree/module.mk"
    goals+=" $name"
done
cp "$tree/Makefile" "$tree/gate"
cd "$tree"
UNITS=$(echo "$sources" | wc -l) "$bench/measure" "$rounds" "48 compiles, -j2, untraced" \
    ninja "rm -rf made/ninja .ninja_*" "ninja -j2 >/dev/null" \
    make "rm -f made/make/*" "make -s -j2" \
    gate "rm -rf gate/made/make/* gate/.gantry" "'$gantry' -C gate build -j2 --trace=off -- make -s >/dev/null" \
    native "rm -rf build" "'$gantry' -C . build -j2 --trace=off ARCH=x64 $goals >/dev/null" \
    3>>"$bench/bench.json"
