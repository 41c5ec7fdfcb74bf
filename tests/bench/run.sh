#!/bin/bash
# The yardsticks that exist so far, as ratios to their peers in one interleaved run:
# tests/bench/run.sh GANTRY. Prints a table; out/bench/bench.json has the same, one line each.
# STEPS, ROUNDS and MANY (steps of the large tree, many.sh) may be set.
set -eu
gantry=$1
cd "$(dirname "$0")/../.."
here=$PWD/tests/bench
steps=${STEPS:-2000} rounds=${ROUNDS:-5}
bench=$PWD/out/bench
rm -rf "$bench"
mkdir -p "$bench"
gcc -std=gnu17 -O2 -o "$bench/measure" tests/bench/measure.c
measure() {
    "$bench/measure" "$@" 3>>"$bench/bench.json"
}

# One tree, described three times: STEPS steps that copy one small source each.
tree=$bench/tree
"$gantry" demo "$tree" >/dev/null
cd "$tree"
mkdir sources
{
    echo 'rule copy'
    echo '  command = cp $in $out'
} >build.ninja
echo 'all:' >Makefile
: >module.mk
for ((i = 0; i < steps; i++)); do
    echo "$i" >sources/s$i
    echo "build made/ninja/t$i: copy sources/s$i" >>build.ninja
    printf 'all: made/make/t%d\nmade/make/t%d: sources/s%d\n\tcp $< $@\n' $i $i $i >>Makefile
    printf 'targets += t%d\nt%d: rule = tool\nt%d: inputs = sources/s%d\nt%d: command = cp $< $@\n' \
        $i $i $i $i $i >>module.mk
    goals+=" t$i"
done
echo "goals =$goals" >>module.mk
mkdir -p made/make

build="'$gantry' -C '$tree' build -j2 ARCH=x64 image=uush"
echo "work ($steps steps, median of $rounds)      peer first"
measure "$rounds" "start: --version" ninja true "ninja --version >/dev/null" \
    gantry true "'$gantry' --version >/dev/null"
UNITS=$steps measure "$rounds" "all steps from nothing" ninja "rm -rf made/ninja .ninja_*" "ninja -j2 >/dev/null" \
    make "rm -rf made/make; mkdir made/make" "make -s -j2" \
    untraced "rm -rf build" "$build --trace=off >/dev/null" \
    gantry "rm -rf build" "$build >/dev/null"
measure "$rounds" "nothing to do" ninja true "ninja -j2 >/dev/null" \
    make true "make -s -j2" gantry true "$build >/dev/null"
measure "$rounds" "one source touched, other bytes" \
    ninja "echo \$RANDOM \$\$ >sources/s7" "ninja -j2 >/dev/null" \
    gantry "echo \$RANDOM \$\$ >sources/s8" "$build >/dev/null"

# The same makefile as a make tree of its own: what make itself needs, and what we say from its record.
mkdir "$bench/make"
cp -r sources Makefile "$bench/make"
(
    cd "$bench/make"
    mkdir -p made/make
    UNITS=$steps measure "$rounds" "a make tree from nothing" \
        make "rm -f made/make/*" "make -s -j2" \
        untraced "rm -rf made/make/* .gantry" "'$gantry' build -j2 --trace=off -- make >/dev/null" \
        gantry "rm -rf made/make/* .gantry" "'$gantry' build -j2 -- make >/dev/null"
    measure "$rounds" "a make tree, nothing to do" make true "make -s -j2" \
        gantry true "'$gantry' build -j2 -- make >/dev/null"
    measure "$rounds" "a make tree, one source changed" \
        make "echo \$RANDOM \$\$ >sources/s7" "make -s -j2" \
        gantry "echo \$RANDOM \$\$ >sources/s8" "'$gantry' build -j2 -- make >/dev/null"
)

BENCH_DIR=$bench "$here/many.sh" "$gantry"
BENCH_DIR=$bench "$here/watch.sh" "$gantry"
BENCH_DIR=$bench "$here/compiles.sh" "$gantry"

echo "race analysis"
"$(dirname "$gantry")/tests/bench/race_bench" 50000 10000000 3>>"$bench/bench.json"

echo "frames of the build screen, 100,000 steps, 200x60 (processor time)"
"$(dirname "$gantry")/tests/bench/frame_bench" 100000

mkdir "$bench/console"
"$(dirname "$gantry")/tests/bench/console_bench" "$gantry" "$bench/console" "${FLOOD_SECONDS:-3}" 3>>"$bench/bench.json"

BENCH_DIR=$bench "$here/trace.sh" "$gantry"
BENCH_DIR=$bench "$here/image.sh" "$gantry"
