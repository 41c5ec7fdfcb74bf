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

say "steps that no goal wants any more, and other goals, say nothing of those that are wanted"
mkdir ../left && cd ../left || exit 1
cat >Makefile <<'M'
$(shell test -e conf/made.mk || $(MAKE) -f conf.mk >/dev/null)
include conf/made.mk
x.o: x.c
	cat conf/made.mk $< >$@ # $(V)
M
printf 'conf/made.mk: conf.in ; mkdir -p conf && cp conf.in $@\n' >conf.mk
echo 'V = 1' >conf.in
echo x >x.c
sleep 0.05
ok "$GANTRY" build --plain -j1 -- make
echo '# more' >>conf.in
ok "$GANTRY" build --plain -j1 -- make
ok "$GANTRY" build --plain -j1 -- make
has "$WORK/out" "nothing to do"
explain x.o
has "$WORK/out" "up to date"
explain conf/made.mk
has "$WORK/out" "an input changed: conf.in"
explain x.o
has "$WORK/out" "up to date"
ok "$GANTRY" build --plain -j1 -- make other=1
echo y >>x.c
ok env LIBRARY_PATH=/xy "$GANTRY" build --plain -j1 -- make
ok env LIBRARY_PATH=/xy "$GANTRY" explain x.o
has "$WORK/out" "up to date"
grep -q "what make reads has changed" "$WORK/out" && fail "another goal's environment counts"
ok env LIBRARY_PATH=/zz "$GANTRY" explain x.o
has "$WORK/out" "what make reads has changed (the environment)"
cd ../tree || exit 1

say "nothing was written by any of that"
before=$(find .gantry -type f -exec md5sum {} + | sort)
explain app
[ "$(find .gantry -type f -exec md5sum {} + | sort)" = "$before" ] || fail "explain writes"
