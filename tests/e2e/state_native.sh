# The bundled tree edit by edit: the outputs have the bytes of a build from clean, and the build after
# that has nothing to do. The table of steps goes to standard output.
. "$(dirname "$0")/lib.sh"
ok "$GANTRY" demo tree
mkdir tools
printf '#!/bin/sh\nexec /usr/bin/gcc "$@"\n' >tools/gcc
chmod +x tools/gcc
PATH=$WORK/tools:$PATH
cd tree || exit 1
goals=(loader.elf rofs.img)
settings=()

build() {
    ok env "${settings[@]}" "$GANTRY" build --json -j2 ARCH=x64 "${goals[@]}"
    steps=$(grep -c '"event":"step-end".*"outcome":"\(ran\|unchanged\)"' "$WORK/out")
}

outputs() {
    (cd build/release.x64 && find . -name .gantry -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
}

# What a build from clean gives, in the same place: its paths may be in it.
compare() {
    outputs >"$WORK/edited"
    mv build "$WORK/kept"
    build
    outputs >"$WORK/clean"
    rm -rf build
    mv "$WORK/kept" build
    # Orphans are what a clean build lacks; all that it has must be the same.
    while read -r line; do
        grep -qxF "$line" "$WORK/edited" || fail "$1: not what a build from clean gives: $line"
    done <"$WORK/clean"
}

# edit NAME LEAST MOST COMMAND: how many steps may run for it. COMPARE=no: bytes were compared by a
# later edit of the same kind.
edit() {
    sleep 0.05
    eval "$4"
    sleep 0.05
    build
    count=$steps
    printf '%-44s %3d steps\n' "$1" "$count"
    { [ "$count" -ge "$2" ] && [ "$count" -le "$3" ]; } || fail "$1: $count steps ran, not $2 to $3"
    ok env "${settings[@]}" "$GANTRY" build --plain -j2 ARCH=x64 "${goals[@]}"
    has "$WORK/out" "nothing to do"
    [ "${COMPARE:-yes}" = no ] || compare "$1"
}

COMPARE=no
edit "first build" 20 99 :
edit "source" 2 9 'echo "int more_a;" >>kernel/alloc.c'
edit "header" 5 99 'echo "#define MORE 1" >>include/kernel_api.h'
edit "comment in a header: same objects" 5 99 'echo "/* nothing */" >>include/kernel_api.h'
COMPARE=yes
edit "asset that only a manifest names" 1 9 'echo "another day" >>data/bootfs/motd'
COMPARE=no
edit "manifest" 1 9 'echo "/etc/poem: data/poem.txt" >>manifests/bootfs.manifest.skel'
edit "new file that shadows an include" 1 99 'cp include/kernel_api.h kernel_api.h; echo "extern int shadow;" >>kernel_api.h'
COMPARE=yes
edit "removed file" 1 99 'rm kernel_api.h'
COMPARE=no
edit "touched only" 0 0 'touch kernel/*.c include/*.h'
edit "changed and changed back" 0 0 'cp kernel/elf.c k; echo "int z;" >>kernel/elf.c; cp k kernel/elf.c; rm k'
edit "removed output" 1 9 'rm build/release.x64/kernel/elf.o'
edit "damaged output" 1 9 'echo damage >build/release.x64/kernel/elf.o'
edit "another flag in module.mk" 5 99 "sed -i 's/^cppflags = /cppflags = -DMORE_FLAGS /' module.mk"
edit "environment of a new terminal" 0 0 'settings+=(TMUX_PANE=%7 SSH_TTY=/dev/pts/9 TERM=dumb)'
edit "a locale, of which compilers take no note" 0 3 'settings+=(LC_ALL=C LANG=C)'
edit "a locale that is not here" 0 0 'settings+=(LANG=xx_XX.UTF-8 LC_ALL=)'
edit "a copy that keeps its time" 1 9 'cp -p kernel/elf.c ../k; echo "int y;" >>../k; touch -r kernel/elf.c ../k; cp -p ../k kernel/elf.c'

# What loading found and what was found in the record stand while nothing that decides them changes.
ids() { stat -c %i build/.gantry/graph-* build/release.x64/.gantry/races.zst; }
edit "source once more" 2 9 'echo "int more_b;" >>kernel/alloc.c'
before=$(ids)
edit "and again" 2 9 'echo "int more_c;" >>kernel/alloc.c'
[ "$(ids)" = "$before" ] || fail "a changed source: the tree was loaded, or the record written, again"
edit "source that includes one header more" 1 9 'echo "#include \"tiny.h\"" >>kernel/alloc.c'
[ "$(ids | head -1)" = "$(echo "$before" | head -1)" ] || fail "another include: the tree was loaded again"
[ "$(ids | tail -1)" != "$(echo "$before" | tail -1)" ] || fail "another include: the record was not written"
edit "comment in module.mk" 0 0 'echo "# more" >>module.mk'
[ "$(ids | head -1)" != "$(echo "$before" | head -1)" ] || fail "module.mk changed: the old graph was taken"
flip() { printf '\7' | dd status=none bs=1 seek=2000 conv=notrunc of="$1"; }
for damage in 'truncate -s -9' 'truncate -s 0' 'truncate -s +9' flip; do
    $damage build/.gantry/graph-* || fail "$damage"
    echo "int d$RANDOM$RANDOM;" >>kernel/alloc.c
    build
    { [ "$steps" -ge 2 ] && [ "$steps" -le 9 ]; } || fail "graph damaged by $damage: $steps steps ran"
    [ ! -s "$WORK/err" ] || fail "graph damaged by $damage: something was said"
done

# So do the records of the steps that are up to date: a journal has one of each, whatever became of them.
recorded() {
    journal=$(ls -v build/release.x64/.gantry/journal/* | tail -1)
    ok "$GANTRY" replay --json "$journal"
    grep '"event":"step",' "$WORK/out" | sed 's/.*\("step":[0-9]*\).*/\1/' | sort -u | wc -l
}
edit "comment in module.mk once more" 0 0 'echo "# more" >>module.mk'
edit "source, all records told anew" 2 9 'echo "int more_d;" >>kernel/alloc.c'
all=$(recorded)
[ "$all" -ge 20 ] || fail "only $all steps are in the journal"
for damage in true 'truncate -s -9' 'truncate -s 0' 'truncate -s +9' flip 'rm'; do
    $damage build/.gantry/told-* || fail "$damage"
    edit "source, records damaged by $damage" 2 9 'echo "int d$RANDOM$RANDOM;" >>kernel/alloc.c'
    [ "$(recorded)" = "$all" ] || fail "records damaged by $damage: not all steps are in the journal"
done
COMPARE=yes
edit "replaced compiler" 20 99 "printf '#!/bin/sh\nexec /usr/bin/gcc -DNEW \"\$@\"\n' >'$WORK/tools/gcc'"
