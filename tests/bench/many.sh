#!/bin/bash
# Many steps that read many headers: MANY steps (5,000 unless set; the yardstick is 50,000), each a source
# with 20 of 2,000 headers, ninja as the peer. Called by run.sh with BENCH_DIR; ROUNDS may be set.
set -eu
gantry=$1
bench=${BENCH_DIR:?} rounds=${ROUNDS:-5} many=${MANY:-5000}
here=$(cd "$(dirname "$0")" && pwd)
tree=$bench/many
"$gantry" demo "$tree" >/dev/null
cd "$tree"
mkdir -p sources headers made/ninja
gcc -std=gnu17 -O2 -static -o step "$here/step.c"
awk -v many="$many" 'BEGIN {
    for (i = 0; i < 2000; i++) {
        file = "headers/h" i
        print "header", i >file
        close(file)
    }
    print "rule step\n  command = ./step $in $out $out.d\n  depfile = $out.d\n  deps = gcc" >"build.ninja"
    for (i = 0; i < many; i++) {
        file = "sources/s" i
        print i >file
        for (k = 0; k < 20; k++)
            print "headers/h" (i * 7 + k * 13) % 2000 >file
        close(file)
        print "build made/ninja/t" i ": step sources/s" i >"build.ninja"
        printf "targets += t%d\nt%d: rule = tool\nt%d: inputs = sources/s%d\n", i, i, i, i >"module.mk"
        printf "t%d: command = ./step $< $@\n", i >"module.mk"
        goals = goals " t" i
    }
    print "goals =" goals >"module.mk"
}'
measure() {
    "$bench/measure" "$@" 3>>"$bench/bench.json"
}
build="'$gantry' -C '$tree' build -j2 ARCH=x64 image=uush >/dev/null"
change() {
    echo "sed -i \"1s/.*/\$\$/\" sources/s$1"
}
ninja -j2 >/dev/null
eval "$build"
eval "$build" # whatever the first one made for the first time is there now
measure "$rounds" "$many steps of 20 headers, null" ninja true "ninja -j2 >/dev/null" \
    gantry true "$build"
measure "$rounds" "the same, one source changed" ninja "$(change 7)" "ninja -j2 >/dev/null" \
    gantry "$(change 8)" "$build"
measure "$rounds" "the same, one header changed" ninja "$(change 7); echo \$\$ >headers/h9" \
    "ninja -j2 >/dev/null" gantry "$(change 8); echo \$\$ >headers/h9" "$build"
