# The console on a tree of OSv's shape: what is picked and what exists, build, compose, boot.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"
cp -r "$E2E/../osv_tree" tree && cd tree || exit 1
OUT=build/release.x64

# on_option NAME: the cursor, which is shown in reverse, is on that row.
on_option() {
    mux capture-pane -e -p -t t | grep -aE $'\e\\[([0-9;]*;)?7m' | grep -qE "[ m](• )?.*$1 "
}

# to_option NAME: the cursor goes to that row of the options, which have the focus.
to_option() {
    keys Home
    for _ in $(seq 40); do
        sleep 0.2
        on_option "$1" && return
        keys Down
    done
    fail "the cursor does not come to the option $1"
}

# type_value TEXT: in place of the value under the cursor.
type_value() {
    keys i C-u
    type_text "$1"
    keys Enter
}

say "target: arch and mode, image and file system, and the options of the tree"
open_screen 110 44 "$PWD"
type_command "$GANTRY ARCH=x64 mode=release image=native-example fs=rofs"
wait_for 'x64 release [a-z].*✓ [0-9]+ done' 60

[ -f $OUT/usr.img ] || fail "no image was composed"
keys 6
wait_for '▸ native-exam[^ ]* +✓ [0-9:]+ rofs'
wait_for 'other images: the option image takes any list of modules'
wait_for 'conf_greeting +1 +'
wait_for 'fs +rofs +command line'

say "a misspelt image is told and not picked; a right list is, and composed by c"
keys Tab
to_option image
type_value 'greet.lod'
wait_for "did you mean 'loud'"
on_screen 'x64 release native-example' || fail "it was picked"
type_value 'greet.loud,native-example'
wait_for 'x64 release greet.loud,native-example'
to_option fs
type_value 'zfs'
wait_for 'fs +zfs +screen'
touch $OUT/libsolaris.so
keys 7
wait_for '/hello +'
wait_for 'usr'
on_screen '--rootfs=' || fail "no arguments are shown"
keys c
wait_for 'x64 release [a-z].*✓ [0-9]+ done' 60
within 20 eval '"$GANTRY" image args $OUT/usr.img | grep -qx -e "--rootfs=zfs /greet.so --loud&/hello"' ||
    fail "not what was picked: $("$GANTRY" image args $OUT/usr.img)"
wait_for '/greet.so'
wait_for 'zfs'
wait_for 'next +changes nothing' # nor in the bootfs: each is compared with its own file
keys 6
wait_for '✓ [0-9:]+ zfs'

say "what module.py says is shown, and not edited"
keys 7 Home
wait_for '/dev'
keys Delete
wait_for "is what module.py says"

say "boot: the guest, and where its crash is"
keys r
wait_for 'Cmdline: --rootfs=zfs /greet.so --loud&/hello' 90
wait_for '0x0000000040200004 fall_over at loader.c:' 30
wait_for '✓ ok' 30
keys q
wait_for 'ready> *$'
close_screen
