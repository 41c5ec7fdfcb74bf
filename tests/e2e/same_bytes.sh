# One sha256 for every file system and format, whatever is around it: the order of directories, times,
# modes, umask, user, time zone, locale, place, lanes, and the number of the run. Other content gives
# other bytes, and other ids.
. "$(dirname "$0")/lib.sh"

# sources DIR ORDER: the same files each time, made forwards or backwards.
sources() {
    mkdir -p "$1/bin" "$1/etc/deep/er" "$1/many"
    seq 1 120 | sort "$2" | while read -r n; do
        printf 'file %s\n' "$n" >"$1/many/name-of-some-length-$n"
    done
    seq 1 40000 >"$1/etc/numbers"
    cp "$1/etc/numbers" "$1/etc/deep/er/again"
    printf '#!/bin/sh\n' >"$1/bin/run"
    chmod 755 "$1/bin/run"
    : >"$1/etc/empty"
    printf end | dd of="$1/etc/holes" bs=1 seek=3000000 status=none
    ln "$1/etc/deep/er/again" "$1/etc/linked"
    ln -s deep/er/again "$1/etc/symbolic"
}
order() {
    (cd "$1" && find . -type f | tr '\n' ' ')
}

memory=$(mktemp -d /dev/shm/gantry-e2e-XXXXXX 2>/dev/null) || memory=$WORK/memory
trap 'rm -rf "$memory"; clean_up' EXIT
mkdir -p "$WORK/a/rather/long/way/down"
places=("$WORK/src" "$WORK/a/rather/long/way/down/src" "$memory/src" "$memory/other")
sources "${places[0]}" -n
sources "${places[1]}" -rn
sources "${places[2]}" -n
sources "${places[3]}" -rn
if [ "$memory" != "$WORK/memory" ]; then
    [ "$(order "${places[2]}")" != "$(order "${places[3]}")" ] || fail "directories in one order only"
fi
cat >usr.manifest <<'M'
/**: %(src)s/**
/etc/kept: !%(src)s/etc/symbolic
/void: %(src)s/etc/deep
M
printf '/only/files: %%(src)s/etc/numbers\n/d: %%(src)s/etc\n' >plain.manifest
printf '/var/data: %%(src)s/bin/run\n' >data.manifest
let_nobody

# Each line: a name, then the words of `image pack`.
cat >kinds <<'K'
rofs --layout=bare --fs=rofs --manifest usr.manifest
rofs-options --layout=bare --fs=rofs --align=4096 --dedup --manifest usr.manifest
zfs --layout=bare --fs=zfs --manifest usr.manifest
zfs-lz4 --layout=bare --fs=zfs --compress --manifest usr.manifest
ext --layout=bare --fs=ext --manifest usr.manifest
ramfs --layout=bare --fs=ramfs --manifest usr.manifest
ramfs-reserve --layout=bare --fs=ramfs --size=8M --manifest usr.manifest
ramfs-2014 --layout=bare-2014 --fs=ramfs --manifest plain.manifest
raw --fs=rofs_with_zfs --format=raw --args=/bin/run --manifest usr.manifest --data data.manifest
qcow2 --fs=rofs_with_ext --format=qcow2 --args=/bin/run --manifest usr.manifest --data data.manifest
vmdk --fs=rofs_with_ext --format=vmdk --args=/bin/run --manifest usr.manifest --data data.manifest
vdi --fs=rofs_with_zfs --format=vdi --args=/bin/run --manifest usr.manifest --data data.manifest
vhd --fs=rofs_with_ext --format=vhd --args=/bin/run --manifest usr.manifest --data data.manifest
gce --fs=rofs_with_ext --format=gce --args=/bin/run --manifest usr.manifest --data data.manifest
K

# sums OUT SRC COMMAND...: the sums of all kinds, packed by the command.
sums() {
    local out=$1 src=$2 name words
    shift 2
    while read -r name words; do
        # shellcheck disable=SC2086 # words
        run "$@" image pack $words -D src="$src" -o "$images/$name"
        [ $status = 0 ] || fail "exit $status of $* image pack $words"
        printf '%s %s\n' "$name" "$(sha256sum <"$images/$name" | cut -c 1-64)" >>"$out"
    done <kinds
}
images=$WORK/images
mkdir "$images"
chmod 777 "$images"
sums first "${places[0]}" "$GANTRY"

# variant NAME SRC COMMAND...: must come to the same sums.
variant() {
    local name=$1
    shift
    say "$name"
    rm -f sums "$images"/*
    sums sums "$@"
    cmp -s first sums || fail "$name changes $(diff first sums | sed -n 's/^> \([^ ]*\).*/\1/p' | tr '\n' ' ')"
}

variant "another run" "${places[0]}" "$GANTRY"
variant "one lane" "${places[0]}" "$GANTRY" -j1
variant "many lanes" "${places[0]}" "$GANTRY" -j16
variant "another place and order, a relative path" a/rather/long/way/down/src "$GANTRY"
variant "in memory" "${places[2]}" "$GANTRY"
variant "in memory, in another order" "${places[3]}" "$GANTRY"
find "${places[1]}" -exec touch -h -d '1999-12-31 23:59:59.123456789' {} +
find "${places[1]}" -type f ! -name run -exec chmod 604 {} +
variant "other times and modes" "${places[1]}" "$GANTRY"
variant "another time zone, locale and day's surroundings" "${places[0]}" env TZ=Pacific/Chatham \
    LC_ALL=tr_TR.UTF-8 LANG=de_DE LANGUAGE=fr SOURCE_DATE_EPOCH=86400 USER=somebody HOSTNAME=elsewhere \
    "$GANTRY"
for mask in 000 077; do
    say "umask $mask"
    rm -f sums "$images"/*
    (umask $mask && sums sums "${places[0]}" "$GANTRY") || exit 1
    cmp -s first sums || fail "umask $mask changes them"
done
chmod -R a+rX "$WORK" "$memory"
variant "another user" "${places[2]}" as_nobody env HOME=/ "$WORK/gantry"

say "other content: other bytes, and other ids"
cp "$images/ext" ext.before
cp "$images/vdi" vdi.before
cp "$images/vhd" vhd.before
printf 'file 77!\n' >"${places[0]}/many/name-of-some-length-77"
rm -f sums "$images"/*
sums sums "${places[0]}" "$GANTRY"
[ "$(diff first sums | grep -c '^>')" = "$(($(wc -l <kinds) - 1))" ] || # its manifest names no such file
    fail "the same in spite of another content: $(comm -12 <(sort first) <(sort sums))"
id() {
    tail -c "+$(($2 + 1))" "$1" | head -c 16 | od -An -tx1
}
[ "$(id ext.before 1128)" != "$(id "$images/ext" 1128)" ] || fail "the same UUID of ext4"
[ "$(id vdi.before 392)" != "$(id "$images/vdi" 392)" ] || fail "the same UUID of a vdi"
[ "$(id vhd.before 68)" != "$(id "$images/vhd" 68)" ] || fail "the same UUID of a vhd"
