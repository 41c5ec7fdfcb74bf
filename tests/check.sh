#!/bin/bash
# Runs checks in parallel and counts: tests/check.sh [-jN] KIND:NAME...
#   unit|asan|tsan:tests/x/y_test   a cmocka program of that variant
#   fuzz:tests/fuzz/x_fuzz          for FUZZ_SECONDS, from its seeds
#   e2e:NAME                        tests/e2e/NAME.sh
#   lint:format|man|words|arch      the sources, the man pages, help against man and completions,
#                                   names of arches where none may be known
# Each check's output is kept in out/check/; what failed is printed. The last line is
# "N passed, N failed"; the exit status is 1 where anything failed.
set -u
cd "$(dirname "$0")/.." || exit 2
results=$PWD/out/check

# One passed or failed test a line: "ok NAME" or "not ok NAME".
cmocka() {
    variant=$1 program=$2
    shift 2
    GANTRY=$PWD/out/gantry "$@" "$variant/$program"
}

lint_format() {
    git ls-files -coz --exclude-standard '*.[ch]' | xargs -0 clang-format --dry-run -Werror
}

# mandoc's errors and warnings; style remarks are taste.
lint_man() {
    mandoc -T lint -W warning man/*.[1-8]
}

# Every command and option of the program stands in the man page. (Completions ask the program.) So do
# the rules and functions of conf in theirs.
lint_words() {
    for word in $(grep -ohE '\{"[a-z]+", make_' engine/load/tree*.c | cut -d '"' -f 2); do
        grep -qE "^\.It Cm ([a-z]+ , )*$word( |\$)" man/gantry-conf.5 || echo "gantry-conf(5) has no rule $word"
    done >"$results/rules.bad"
    for word in $(sed -nE 's/^ *\{"([a-z-]+)", [0-9].*/\1/p' engine/conf/function.c); do
        grep -qE "^\.Ic (.* )?$word( |\$)" man/gantry-conf.5 || echo "gantry-conf(5) has no function $word"
    done >>"$results/rules.bad"
    cat "$results/rules.bad"
    out/gantry help --words | cut -f 1 >"$results/words"
    sed -n '/^\.Sh COMMANDS/,/^\.Sh OPTIONS/p' man/gantry.1 >"$results/commands"
    while read -r word; do
        case $word in
        # mandoc writes --name as Fl -name, and -n as Fl n.
        -*) grep -qE "Fl ${word#-}( |\$)" man/gantry.1 ;;
        *) grep -qE "^\.It (Xo )?Cm $word( |\$)" "$results/commands" ;;
        esac || echo "man/gantry.1 does not tell of $word"
    done <"$results/words" >"$results/words.bad"
    cat "$results/words.bad"
    [ ! -s "$results/words.bad" ] && [ ! -s "$results/rules.bad" ] && [ -s "$results/words" ]
}

# An arch is conf/<arch>.mk and arch/<arch>/ of its tree; nothing else knows one by name. Comments
# may, and these, which speak of the machine that Gantry itself runs on, not of a target: the gate and
# the tracer (system calls have numbers). ARCH=aarch64 in the help is an example.
lint_arch() {
    names='(^|[^[:alnum:]])(x64|x86([-_]64)?|i386|amd64|aarch64|arm64|riscv(64)?|ppc64|s390x)([^[:alnum:]]|$)'
    # Comments go, as does the second half of an escape like "\x64".
    found=$(git grep -nE "$names" -- engine tui views completions tests/demo ':!tests/demo/arch' \
        ':!tests/demo/README.md' ':!engine/base/bare.h' ':!engine/load/gate*.c' ':!engine/load/hook*.c' ':!engine/trace' |
        sed -E 's,/\*.*,,; s,//.*,,; s,^([^:]*:[0-9]+:) *\*.*,\1,; s,^([^:]*:[0-9]+:) *# .*,\1,
            s,\\x[0-9a-f]{2},,g; s/ARCH=aarch64 image=uush//' |
        grep -E "^[^:]*:[0-9]+:.*$names")
    [ -z "$found" ] || { echo "arches are known by name:" && echo "$found" && return 1; }
}

run_check() {
    kind=${1%%:*} name=${1#*:}
    case $kind in
    unit) cmocka out "$name" env ;;
    asan) cmocka out/asan "$name" env ;;
    # ThreadSanitizer cannot lay out its memory where addresses are very random.
    tsan) if setarch -R true 2>/dev/null; then cmocka out/tsan "$name" setarch -R; else cmocka out/tsan "$name" env; fi ;;
    fuzz) fuzz "$name" ;;
    e2e) GANTRY=$PWD/out/gantry bash "tests/e2e/$name.sh" ;;
    lint) "lint_$name" ;;
    *) echo "no such check: $1" && return 2 ;;
    esac
}

fuzz() {
    short=${1##*/}
    seeds=tests/fuzz/seed/${short%_fuzz}
    [ -d "$seeds" ] || seeds=
    corpus=$(mktemp -d)
    out/fuzz/"$1" -max_total_time="${FUZZ_SECONDS:-10}" -rss_limit_mb=2048 -timeout=10 -close_fd_mask=1 \
        -artifact_prefix="$results/$short-" "$corpus" ${seeds:+"$seeds"}
    status=$?
    rm -rf "$corpus"
    return $status
}

# One check: its log, its time, its counts.
one() {
    log=$results/$(printf '%s' "$1" | tr '/:' '__').log
    start=$(date +%s%N)
    timeout -k 10 "${CHECK_SECONDS:-600}" "$0" --run "$1" >"$log" 2>&1
    status=$?
    took=$((($(date +%s%N) - start) / 100000000))
    # cmocka counts its own tests; everything else is one.
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s), listed below:$/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    passed=${passed:-0} failed=${failed:-0}
    if [ $status != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
    if [ $status = 0 ] && [ "$passed" = 0 ]; then passed=1; fi
    echo "$passed $failed" >"$log.count"
    if [ $status = 0 ]; then
        printf 'ok      %-52s %4d  %3d.%ds\n' "$1" "$passed" $((took / 10)) $((took % 10))
    else
        # As one write, so that two failures do not mix.
        printf 'FAILED  %-52s exit %d, see %s\n%s\n' "$1" $status "${log#"$PWD"/}" \
            "$(tail -n 400 "$log" | sed 's/^/    /')"
    fi
}

case ${1-} in
--run)
    run_check "$2"
    exit
    ;;
--one)
    one "$2"
    exit 0
    ;;
esac
jobs=2
case ${1-} in -j*) jobs=${1#-j} && shift ;; esac
rm -rf "$results"
mkdir -p "$results"
printf '%s\n' "$@" | xargs -r -P "$jobs" -n 1 "$0" --one
cat "$results"/*.count 2>/dev/null |
    awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
