# The console's screens at work on the bundled tree: what the pictures of tests/views cannot show,
# since their actions are written down instead of done.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

# Esc, and time for it to be one: what follows at once would be taken for Alt.
leave_field() {
    keys Escape
    within 5 not_on_screen ' EDIT ' || fail "Esc does not leave the field"
}

say "lanes: processor and memory of what runs"
held_build lanes 120 40
wait_for 'held.txt .* [0-9]+% +[0-9.]+[KM]' 20
touch go
wait_for 'uush   ✓ [0-9]+ done' 60

say "target: what is picked gets a name, and is picked by it; what is marked is built"
keys 6
wait_for 'profiles'
keys IC
wait_for ' EDIT '
type_text 'arm'
keys Enter
wait_for 'gantry profile=arm picks it, too'
wait_for 'profiles +▸ arm'
keys Escape
within 5 not_on_screen 'under a name' || fail "Esc does not leave the profiles"
keys / ; type_text 'x64 release uush'; keys Enter Enter
wait_for 'x64 release uush   '
wait_for 'profiles +arm'
ok "$GANTRY" profile=arm config arch
has "$WORK/out" 'arch = aarch64'
refuses "no profile is called 'am'" "$GANTRY" profile=am config arch
keys Tab Home Enter
wait_for 'profiles +▸ arm'
keys Escape
within 5 not_on_screen 'under a name' || fail "Esc does not leave the profiles"
keys / ; type_text 'aarch64 debug uush'; keys Enter Space
wait_for '•1 marked'
keys / ; type_text 'x64 debug uush'; keys Enter Space
wait_for '•2 marked'
keys b
wait_for '2 built' 90
[ -e build/debug.aarch64/images/uush/loader.img ] && [ -e build/debug.x64/images/uush/loader.img ] ||
    fail "what was marked was not built"
keys b
wait_for 'aarch64 release uush   ✓ [0-9] done' 30 # not the build before, which had more

say "graph: what a step declares against what it used"
keys 1 / ; type_text 'held.txt'; keys Enter g d
wait_for 'declared and used: .*held.txt'
wait_for '(prerequisites used|all that it uses is declared)'

say "compose: what an entry would put in is shown while it is typed"
keys 7
wait_for '/bin/sh'
keys Home
keys End Enter
wait_for 'EDIT'
type_text 'data/hello.txt'
keys Enter
type_text 'hello.txt'
wait_for '31 bytes of hello.txt'
keys C-u
type_text 'no-such-file'
wait_for 'no-such-file'
wait_for 'not found|is not there|no file'
leave_field
keys End Enter
wait_for 'EDIT'
type_text 'data/**'
keys Enter
type_text 'data/bootfs/**'
wait_for '[0-9]+ entries, .*/data/'
leave_field

say "compose: an entry moves in its file; the comments stay"
before=$(cat manifests/bootfs.manifest.skel)
keys s s
wait_for "in the files' order"
keys Home J
wait_for '•[0-9] staged'
keys W
wait_for 'write\?'
keys Enter
wait_for 'written: manifests/'
[ "$(sort manifests/bootfs.manifest.skel)" = "$(printf '%s\n' "$before" | sort)" ] ||
    fail "lines were lost or changed"

say "args: put into the image at once, and kept"
keys Tab i C-u
type_text '--rootf'
keys Tab
wait_for 'rootfs='
type_text 'ram'
keys Tab
type_text ' /tools/uush.so at-once'
keys Enter
wait_for '•staged'
keys A
wait_for 'apply\?'
keys Enter
wait_for 'written into the image'
run "$GANTRY" image args build/release.aarch64/images/uush/loader.img
has "$WORK/out" '--rootfs=ramfs /tools/uush.so at-once'
keys i Up
wait_for 'EDIT'
leave_field
keys q
wait_for 'ready>'
close_screen
within 10 none_left || fail "still running: $(left)"
