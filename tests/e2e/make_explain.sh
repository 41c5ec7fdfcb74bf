# explain in a tree of make: down to the change that started it, by what its builds recorded; and what
# $(shell) cost, in log and explain as at the build's end.
. "$(dirname "$0")/lib.sh"
mkdir -p tree/sub
cd tree || exit 1
cat >Makefile <<'M'
SLOW = $(shell sleep 0.3; echo some quite long command that says little)
all: app sub/x.o
	@true
app: a.o b.o
	cat a.o b.o >$@ # $(SLOW)
%.o: %.c gen.h
	cat gen.h $< common.h >$@ # $(SLOW)
gen.h: gen.in
	cp gen.in gen.h # $(SLOW)
sub/x.o: FORCE
	$(MAKE) -C sub x.o
FORCE:
.PHONY: all FORCE
M
printf 'x.o: x.c ; cp x.c x.o\n' >sub/Makefile
for file in a.c b.c common.h gen.in sub/x.c; do echo $file >$file; done
sleep 0.05
explain() {
    ok "$GANTRY" explain "$@"
}

say "before any build"
refuses "nothing is known of" "$GANTRY" explain app
ok "$GANTRY" build --plain -j1 -- make
grep -qE '^make spent [0-9.]+s in [0-9]+ calls, .* of sleep 0.3; echo .* from Makefile:1$' "$WORK/out" ||
    fail "no cost of \$(shell)"

say "up to date; by target, by a part of its path, in a directory below"
explain app
has "$WORK/out" "up to date"
has "$WORK/out" "built last at"
grep -qE '^make spent .* from Makefile:1$' "$WORK/out" || fail "explain does not tell the cost of \$(shell)"
explain x.o
has "$WORK/out" "copy sub/x.o"
explain all
has "$WORK/out" "make runs it each time"
explain gen.in
has "$WORK/out" "gen.in is a source: nothing makes it"
refuses "did you mean a.o?" "$GANTRY" explain aa.o
ok "$GANTRY" log
grep -qE '^make spent .* from Makefile:1$' "$WORK/out" || fail "log does not tell the cost of \$(shell)"

say "what no rule declares, a generator behind another, an output"
sleep 0.05
echo more >>common.h
explain a.o
has "$WORK/out" "an input changed: common.h"
explain app
[ "$(sed -n 3p "$WORK/out")" = "  a.o will be built again, since" ] || fail "not down to what started it"
has "$WORK/out" "an input changed: common.h"
echo more >>gen.in
ok "$GANTRY" explain --json b.o
grep -q '"chain":\[{"target":"b.o"' "$WORK/out" || fail "no chain"
has "$WORK/out" '"state":"stale"'
has "$WORK/out" '"shell":[{"command":"sleep 0.3; echo'
explain gen.h
has "$WORK/out" "an input changed: gen.in"
ok "$GANTRY" build --plain -j1 -- make
explain app
has "$WORK/out" "up to date"
echo x >gen.h
explain gen.h
has "$WORK/out" "its output is missing or was changed by something else: gen.h"
ok "$GANTRY" build --plain -j1 -- make
explain gen.h
has "$WORK/out" "since"
has "$WORK/out" "its output is missing or was changed by something else: gen.h"

say "what make reads"
echo '# a comment' >>Makefile
explain app
has "$WORK/out" "what make reads has changed (Makefile): make is asked, and decides"

say "nothing was written by any of that"
before=$(find .gantry -type f -exec md5sum {} + | sort)
explain app
[ "$(find .gantry -type f -exec md5sum {} + | sort)" = "$before" ] || fail "explain writes"
