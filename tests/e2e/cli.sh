# The command line as a whole: help, version, near misses, the bundled tree.
. "$(dirname "$0")/lib.sh"

say "help fits 80 columns, and every command has a page"
ok "$GANTRY" --help
[ -z "$(awk 'length > 80' out)" ] || fail "lines longer than 80 columns"
[ "$(wc -l <out)" -lt 60 ] || fail "the overview is too long"
for command in $("$GANTRY" help --words | cut -f 1 | grep -v '^-'); do
    ok "$GANTRY" help "$command"
    has out "gantry $command"
    ok "$GANTRY" "$command" --help
done

say "the version is told without libgit2 and without a tree"
ok strace -f -e trace=openat -o trace "$GANTRY" --version
has out "gantry "
grep -q libgit2 trace && fail "--version opens libgit2"

say "near misses are named"
refuses "did you mean 'demo'" "$GANTRY" dmeo
refuses "did you mean --plain" "$GANTRY" --plian
refuses "did you mean image=uush" "$GANTRY" iamge=uush
refuses "unknown option -z" "$GANTRY" -z
refuses "No such file" "$GANTRY" -C nowhere help
refuses "lanes" "$GANTRY" -j0

say "-C is taken before a command, behind it, and behind its action"
mkdir there
printf '/a: here\n' >there/m
echo text >there/here
for words in "-C there manifest show m" "manifest -C there show m" "manifest show -C there m" "manifest show m -Cthere"; do
    # shellcheck disable=SC2086 # words
    ok "$GANTRY" $words
    has out "/a "
done
for words in "-C there image pack" "image -C there pack" "image pack -C there"; do
    # shellcheck disable=SC2086 # words
    ok "$GANTRY" $words --layout=bare --fs=rofs --manifest m -o made
    cmp there/here <("$GANTRY" image cat there/made /a) || fail "$words: another file"
    rm there/made
done
refuses "there/.gantry" "$GANTRY" races -C there list
refuses "No such file" "$GANTRY" races list -C nowhere
refuses "-C wants a directory" "$GANTRY" image -C

say "demo writes a tree that stands by itself, and spoils nothing"
ok "$GANTRY" demo tree
[ -f tree/module.mk ] && [ -f tree/conf/base.mk ] && [ -f tree/manifests/usr.manifest.skel ] ||
    fail "files are missing"
refuses "not empty" "$GANTRY" demo tree
mkdir empty
ok "$GANTRY" demo empty
refuses "usage" "$GANTRY" demo
