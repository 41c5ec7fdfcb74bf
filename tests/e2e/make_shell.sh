# $(shell) that each recipe expands: what is the same again is not run again, and all else is.
. "$(dirname "$0")/lib.sh"
mkdir tree
cd tree || exit 1

# calls LINE [repeated]: how many calls of that line of the makefile there were.
calls() {
    grep '"event":"shell-call"' "$WORK/out" | grep "\"line\":$1," | grep -c "\"repeated\":${2:-}"
}

# The recipes 1 to 9 expand X, one after the other; WHAT they do beside that. Sets $plain to what plain
# make makes of them.
tree() {
    rm -rf .gantry r? ./*.d dir flag count
    mkdir dir
    echo one >config
    {
        echo "X = \$(shell $1)"
        echo 'all: r1 r2 r3 r4 r5 r6 r7 r8 r9'
        echo 'r%: ; @'"${2:-:}; echo '\$(X)' >\$@"
    } >Makefile
}
results() {
    cat r? | tr '\n' ' '
}
plain_and_ours() {
    tree "$@"
    make -s -j1 >plain.out 2>plain.err || fail "make itself fails"
    plain=$(results)
    tree "$@"
    sleep 0.05 # what was written within the tick in which it is read may change unseen
    ok "$GANTRY" build --json -j1 -- make -s -j1
    [ "$(results)" = "$plain" ] || fail "plain make: $plain; ours: $(results)"
    [ "$(calls 1)" = 9 ] || fail "$(calls 1) calls are told, not 9"
}
runs_each_time() {
    plain_and_ours "$@"
    [ "$(calls 1 true)" = 0 ] || fail "$(calls 1 true) calls of '$1' were not run"
}

say "the same files, the same bytes: the third and all later ones do not run"
plain_and_ours 'tr a-z A-Z <config | cat; ls dir; [ -e flag ] && echo there'
runs_each_time 'cat config; [ -e flag ] && echo there; false' # it fails: not to be had without running
plain_and_ours 'tr a-z A-Z <config | cat; ls dir; [ -e flag ] && echo there; :'
[ "$(calls 1 true)" = 7 ] || fail "$(calls 1 true) calls were not run, not 7"
ok "$GANTRY" replay --plain .gantry/journal/*
rm -rf .gantry r?
ok env GANTRY_TRACE=no-repeat "$GANTRY" build --json -j1 -- make -s -j1
[ "$(calls 1 true)" = 0 ] || fail "no-repeat repeats"
[ "$(results)" = "$plain" ] || fail "no-repeat: $(results)"

say "a recipe changes what it reads, lists, or looks for"
plain_and_ours 'cat config' 'if [ $@ = r6 ]; then echo two >config; fi'
[ "$(calls 1 true)" -ge 3 ] || fail "only $(calls 1 true) calls were not run"
plain_and_ours 'cat config' 'if [ $@ = r6 ]; then mv config c; echo one >config; rm c; fi'
plain_and_ours 'echo dir/*' 'if [ $@ = r5 ]; then : >dir/new; fi'
plain_and_ours '[ -e flag ] && echo yes || echo no' 'if [ $@ = r5 ]; then : >flag; fi'
plain_and_ours 'cat dir/lost 2>/dev/null || echo no' 'if [ $@ = r5 ]; then echo yes >dir/lost; fi'
plain_and_ours 'readlink dir/link || :' \
    'if [ $@ = r4 ]; then ln -s a dir/link; elif [ $@ = r8 ]; then ln -sfn b dir/link; fi'
plain_and_ours 'cat dir/link 2>/dev/null || :' \
    'if [ $@ = r4 ]; then ln -s ../config dir/link; elif [ $@ = r8 ]; then echo three >config; fi'

say "what changes something, or tells what is in no file, runs each time"
runs_each_time 'echo x >>count; wc -l <count'
runs_each_time 'mkdir -p dir/d; ls dir'
plain_and_ours 'rm -f gone; cat config' 'if [ $@ = r5 ]; then : >gone; elif [ -e gone ]; then exit 1; fi'
runs_each_time 'touch -r config there; cat config'
runs_each_time 'echo warning >&2; cat config'
[ "$(grep -c '^warning$' .gantry/make.log)" = 9 ] || fail "not all that it says is in the log"
tree 'date +%N; :' ; ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(calls 1 true)" = 0 ] || fail "the date of another call"
tree 'cat /proc/self/stat | cut -c 1-2'; ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(calls 1 true)" = 0 ] || fail "what /proc says is taken for a file"
tree 'echo $$$$ | cut -c 1'; ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(calls 1 true)" = 0 ] || fail "another process's number"
printf '#!/bin/sh\necho script\n' >script
chmod +x script
runs_each_time './script'
runs_each_time '$(MAKE) -s -f sub.mk 2>/dev/null; :'

say "words, environment and output: as they are"
tree 'printf "a  b\\n\\nc%s\\n" "$$V"' ; export V=1
sed -i '1i export V = $(words $(wildcard r?))' Makefile
make -s -j1 >plain.out 2>plain.err
plain=$(results)
rm -f r?
ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(results)" = "$plain" ] || fail "plain make: $plain; ours: $(results)"
unset V
plain_and_ours ': ; true'
plain_and_ours 'head -c 50000 /dev/zero | tr "\\0" x | tail -c 3'
tree 'head -c 200000 /dev/zero | tr "\\0" x; :' '[ "$$(echo "$(X)" | wc -c)" -gt 1 ]'
sed -i "s/^r%:.*/r%: ; @echo '\$(words \$(X))' >\$@/" Makefile
ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(results)" = "1 1 1 1 1 1 1 1 1 " ] || fail "a long output: $(results)"
[ "$(calls 1 true)" = 0 ] || fail "a long output is remembered"

say "after an edit of the makefile, when all commands are compared"
plain_and_ours 'cat config'
sleep 0.05
echo 'UNUSED = an edit' >>Makefile
ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(steps_run)" = 0 ] || fail "$(steps_run) steps ran after a variable that nobody uses"
[ "$(calls 1 true)" = 7 ] || fail "$(calls 1 true) calls were not run when commands were compared"
echo two >config
ok "$GANTRY" build --json -j1 -- make -s -j1
[ "$(results)" = "two two two two two two two two two " ] || fail "$(results)"
