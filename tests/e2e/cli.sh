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

say "demo writes a tree that stands by itself, and spoils nothing"
ok "$GANTRY" demo tree
[ -f tree/module.mk ] && [ -f tree/conf/base.mk ] && [ -f tree/manifests/usr.manifest.skel ] ||
    fail "files are missing"
refuses "not empty" "$GANTRY" demo tree
mkdir empty
ok "$GANTRY" demo empty
refuses "usage" "$GANTRY" demo
