# make's own options under the gate.
. "$(dirname "$0")/lib.sh"
. "$E2E/lib/make.sh"

files() {
    cat >Makefile <<'M'
all: out/prog doc sub.d
out/prog: a.o b.o ; cat $^ >$@
%.o: %.c common.h ; @echo CC $<; cat $< common.h >$@
doc: doc.txt ; -echo 'doc: no none' >&2; touch $@
sub.d: ; +@$(MAKE) -C sub V=$(V)
.PHONY: sub.d
M
    mkdir out sub
    echo 'all: s ; @echo sub $(V) "$(filter-out -j% --jobserver%,$(MAKEFLAGS))"' >sub/Makefile
    echo 's: ; touch $@' >>sub/Makefile
    cp Makefile other.mk
    echo 'only: ; @echo only in $(firstword $(MAKEFILE_LIST))' >>other.mk
    echo a >a.c
    echo b >b.c
    echo h >common.h
    echo doc >doc.txt
    touch -d 2020-01-01 ./*
    eval "${PREPARE:-}"
}

for flags in '' -k -i -n -t -q -B -s -w --no-print-directory -r -R -e --trace -O -Oline -Orecurse \
    '-f other.mk only' '-C sub' '-C sub -w' '-W a.c' '-o common.h' '-n -W b.c' '--warn-undefined-variables' \
    '-I sub' 'V=1' 'V=1 -e doc' '-kn' '-j' '-l 1000' '-S -k' '--eval=V:=evaluated' '-p -q' '-d -q' \
    '-h' '-v' '--no-such-option' '-C nowhere' '-f nowhere.mk' '-L' '-nB --trace'; do
    say "make $flags"
    # shellcheck disable=SC2086
    FLAGS=($flags)
    # What -p and -d print tells times and numbers of this very run.
    case $flags in -p* | -d*) build() { "${MAKE[@]}" "$@" >full; status=$?; wc -l <full | sed 's/..$//'; rm -f full; return $status; } ;; esac
    conforms "${FLAGS[@]}"
    unset -f build
    build() { "${MAKE[@]}" "$@"; }
done

say "what is built already"
PREPARE='make -s >/dev/null 2>&1'
for flags in '' -q -t -n -B '-W a.c' '-o a.o -W a.c'; do
    # shellcheck disable=SC2086
    conforms $flags
done
say "one file newer"
PREPARE='make -s >/dev/null 2>&1; touch b.c; touch -d 2021-01-01 a.o b.o out/prog'
for flags in '' -q -t -n; do
    # shellcheck disable=SC2086
    conforms $flags out/prog
done
conforms -q out/prog
exits 1

say "options from the environment"
PREPARE=
export MAKEFLAGS=k GNUMAKEFLAGS=-w
conforms all none
unset GNUMAKEFLAGS
MAKEFLAGS='--no-print-directory -i' conforms
MAKEFLAGS='s -- V=env' conforms
unset MAKEFLAGS
MAKELEVEL=3 conforms
MAKEFILES=pre.mk
export MAKEFILES
PREPARE='echo "V = from MAKEFILES" >pre.mk'
conforms -k
unset MAKEFILES
PREPARE=

say "gantry's own -k and -n"
MAKE=(make -k)
once plain all none
MAKE=("$GANTRY" build "${GATED[@]}" -k -- make)
once gate all none
compare_runs -k
MAKE=(make -n)
once plain
MAKE=("$GANTRY" build "${GATED[@]}" -n -- make)
once gate
compare_runs -n
MAKE=(env -C sub make)
once plain
MAKE=("$GANTRY" -C sub build "${GATED[@]}" -- make)
once gate
compare_runs -C
stepped s
