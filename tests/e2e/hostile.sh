# Circumstances that nobody wishes for, met by the program as it is used: a full disk, kill -9 at any
# time, two at once, sources that change, links that lead elsewhere. The old image stays, or the new
# one is whole. (tests/engine/image/hostile_test.c has each source and limit by itself.)
. "$(dirname "$0")/lib.sh"
INSTANTS=${INSTANTS:-12}

mkdir -p src/d
seq 1 300000 >src/d/numbers
head -c 6000000 /dev/urandom >src/noise
for n in $(seq 1 300); do echo "$n" >"src/d/file$n"; done
printf '/**: src/**\n' >usr.manifest
pack=("$GANTRY" image pack --layout=bare --manifest usr.manifest)
nothing_beside() {
    [ -z "$(find "${1:-.}" -maxdepth 1 -name 'image*.tmp')" ] || fail "left: $(ls "${1:-.}")"
}

say "no space left: the old image stays"
for fs in rofs zfs ext ramfs; do
    mkdir -p small
    # The old image and half of the new one fit.
    if ! unshare -rm true 2>/dev/null; then
        echo "no mounts here: skipped"
        break
    fi
    # shellcheck disable=SC2016 # the inner shell's
    ok unshare -rm sh -c 'mount -t tmpfs -o size=4m none small && echo old >small/image || exit 9
        shift; "$@" -o small/image 2>refused; status=$?
        ls small >left; cat small/image >kept; exit $((status != 2))' - x "${pack[@]}" --fs=$fs
    grep -q "No space left on device" refused || fail "$fs: $(cat refused)"
    [ "$(wc -l <refused)" = 1 ] || fail "$fs: not one line"
    [ "$(cat left) $(cat kept)" = "image old" ] || fail "$fs: left $(cat left), $(cat kept)"
done

say "kill -9 at any time: the old image or the new one, and it can be packed again"
for fs in rofs zfs ext ramfs; do
    ok "${pack[@]}" --fs=$fs -o wanted.$fs
done
for ((n = 0; n < INSTANTS; n++)); do
    fs=$(echo rofs zfs ext ramfs | cut -d ' ' -f $((n % 4 + 1)))
    echo old >image
    "${pack[@]}" --fs=$fs -o image >/dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $(((n * 37 + 3) % 120)))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ "$(head -c 3 image | tr -d '\0')" = old ] || cmp -s image wanted.$fs || fail "killed at instant $n: half an image"
    ok "${pack[@]}" --fs=$fs -o image
    cmp image wanted.$fs || fail "another image than before"
    nothing_beside
done

say "what a killed one left goes with the next; what is anything else stays"
sh -c 'echo $$' >gone # it has ended
gone=$(cat gone)
: >image."$gone"-0.tmp
for other in image."$gone".tmp image."$gone"-.tmp image."$gone"-0.tmp.1 image.$$-0.tmp image2."$gone"-0.tmp image.x-0.tmp; do
    : >"$other"
done
ok "${pack[@]}" --fs=rofs -o image
[ -e image."$gone"-0.tmp ] && fail "it is still there"
for other in image."$gone".tmp image."$gone"-.tmp image."$gone"-0.tmp.1 image.$$-0.tmp image2."$gone"-0.tmp image.x-0.tmp; do
    rm "$other" || fail "$other was none of ours"
done
: >image."$gone"-1.tmp
exec 8<image."$gone"-1.tmp
flock -s 8
ok "${pack[@]}" --fs=rofs -o image
rm image."$gone"-1.tmp || fail "one that is being written was removed"
exec 8<&-

say "stopped by a signal: the old image, nothing beside it, and the signal's status"
head -c 600M /dev/zero | tr '\0' x >src/endless
for fs in rofs zfs ext ramfs; do
    echo old >image
    # A shell's background jobs do not take SIGINT.
    "${pack[@]}" --fs=$fs -o image >out 2>err &
    pid=$!
    until ls image.*.tmp >/dev/null 2>&1; do
        kill -0 $pid 2>/dev/null || fail "$fs: it never began: $(cat out err)"
        sleep 0.005
    done
    kill -TERM $pid
    wait $pid
    status=$?
    if [ $status != 0 ]; then # else it was quicker
        [ $status = 143 ] || fail "$fs: exit $status"
        [ "$(cat image)" = old ] || fail "$fs: the old image is gone"
    fi
    nothing_beside
done
rm src/endless

say "two at once, and a name that a killed one left behind"
for fs in rofs zfs ext ramfs; do
    "${pack[@]}" --fs=$fs -o image >/dev/null 2>&1 &
    one=$!
    "${pack[@]}" --fs=$fs -o image >/dev/null 2>&1 &
    two=$!
    wait $one || fail "$fs: the first failed"
    wait $two || fail "$fs: the second failed"
    cmp image wanted.$fs || fail "$fs: the two mixed"
    nothing_beside
done

echo old >image
# shellcheck disable=SC2016 # the inner shell's
ok sh -c ': >image.$$-0.tmp; : >image.$$-1.tmp; exec "$@"' - "${pack[@]}" --fs=rofs -o image
cmp image wanted.rofs || fail "another image"
rm image.*.tmp

say "two composes of one tree: one at a time"
demo_tree
"$GANTRY" -C tree compose ARCH=x64 image=default >one 2>&1 &
one=$!
run "$GANTRY" -C tree compose ARCH=x64 image=default
two=$status
wait $one
one=$?
[ "$one$two" = 00 ] || [ "$one$two" = 02 ] || [ "$one$two" = 20 ] || fail "exits $one and $two"
[ "$one$two" = 00 ] || grep -q "held by pid" one err || fail "neither says who holds the tree"
ok "$GANTRY" -C tree compose ARCH=x64 image=default
ok "$GANTRY" image check tree/build/release.x64/usr.img
ok "$GANTRY" demo again
ok "$GANTRY" -C again compose ARCH=x64 image=default
cmp tree/build/release.x64/usr.img again/build/release.x64/usr.img || fail "another image"

say "a source that changes all the time: refused, or one moment's bytes"
mkdir changing
echo 0 >changing/file
printf '/file: changing/file\n/noise: src/noise\n' >changing.manifest
(
    trap 'exit 0' TERM
    n=0
    while :; do
        n=$((n + 1))
        seq $n $((n % 7 * 1000 + n)) >changing/file
    done
) &
writer=$!
for fs in rofs zfs ext ramfs rofs zfs ext ramfs; do
    rm -f image
    run "$GANTRY" image pack --layout=bare --fs=$fs --manifest changing.manifest -o image
    [ $status = 0 ] || { [ $status = 2 ] && grep -q "changing.manifest:1: /file: .*; try again" err; } || {
        kill $writer
        fail "$fs: exit $status"
    }
    [ $status != 0 ] || "$GANTRY" image check image >/dev/null || fail "$fs: unsound"
    nothing_beside
done
kill $writer
wait $writer 2>/dev/null

say "links: their own tree first, then this machine; never what is no file"
mkdir -p root/usr/lib root/etc
echo "of the tree" >root/etc/hostname
ln -s /etc/hostname root/usr/lib/absolute
ln -s /dev/zero root/usr/lib/device
ln -s ../../../../../../../../dev/zero root/usr/lib/far
mkfifo root/fifo
ln -s ../../fifo root/usr/lib/fifo
ln -s loop root/usr/lib/loop
printf '/a: root/usr/lib/absolute\n' >links.manifest
ok "$GANTRY" image pack --layout=bare --fs=rofs --manifest links.manifest -o image
ok "$GANTRY" image cat image /a
[ "$(cat out)" = "of the tree" ] || fail "a file of this machine"
for name in device far fifo loop; do
    printf '/a: root/usr/lib/%s\n' $name >links.manifest
    for fs in rofs zfs ext ramfs; do
        cp wanted.rofs image
        refuses "links.manifest:1: /a: " timeout 10 "$GANTRY" image pack --layout=bare --fs=$fs \
            --manifest links.manifest -o image
        cmp image wanted.rofs || fail "the old image is gone"
    done
done
printf '/**: root/**\n' >links.manifest
refuses "links.manifest:1: " timeout 10 "$GANTRY" image pack --layout=bare --fs=rofs \
    --manifest links.manifest -o image
