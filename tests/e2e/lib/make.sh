# Plain make and make under the gate, compared: files, exit status, output. Sourced after lib.sh.
# shellcheck shell=bash
#
# A test defines `files`, which writes the tree into the current directory, and calls `conforms`
# with the arguments of make; or it defines `build` as well, which runs "${MAKE[@]}".
# Both run in one and the same directory, one after the other, so that paths are the same.

LEVELS=${LEVELS:-"1 4 32"}
STDIN=/dev/null
T=$WORK/t
GATED=(--plain=raw "--json=$WORK/events") # the events show that the gate was there at all

build() {
    "${MAKE[@]}" "$@"
}

# What is in the tree: kind, permissions, name, link and contents.
listing() {
    find . -name .gantry -prune -o -printf '%y %m %p %l\n' | sort
    find . -name .gantry -prune -o -type f -print0 | sort -z | xargs -0r sha256sum
}

# once WAY ARGS...: one run in a fresh tree, into WAY.out, WAY.err, WAY.status, WAY.files.
once() {
    local way=$WORK/$1
    shift
    rm -rf "$T"
    mkdir "$T"
    cd "$T" || exit 1
    files
    build "$@" >"$way.out" 2>"$way.err" <"$STDIN"
    echo $? >"$way.status"
    listing >"$way.files"
    cd "$WORK" || exit 1
}

same() {
    local what=$1
    shift
    if [ "$what" = out ] || [ "$what" = err ]; then
        # Whether others still run when one fails is a matter of luck.
        grep -av 'Waiting for unfinished jobs' "$WORK/plain.$what" | sort >"$WORK/a"
        grep -av 'Waiting for unfinished jobs' "$WORK/gate.$what" | sort >"$WORK/b"
    else
        cp "$WORK/plain.$what" "$WORK/a"
        cp "$WORK/gate.$what" "$WORK/b"
    fi
    cmp -s "$WORK/a" "$WORK/b" && return
    diff -a "$WORK/a" "$WORK/b" | head -40
    tail -n 15 "$WORK"/{plain,gate}.{out,err}; fail "$what is not plain make's: $*"
}

# conforms ARGS...: at every level, and where make itself says how many jobs, or none.
conforms() {
    local level
    for level in $LEVELS; do
        MAKE=(make "-j$level")
        once plain "$@"
        MAKE=("$GANTRY" build "-j$level" "${GATED[@]}" -- make)
        once gate "$@"
        compare_runs "-j$level $*"
    done
    [ "${ONLY_LEVELS:-}" ] && return
    MAKE=(make)
    once plain "$@"
    MAKE=("$GANTRY" build "${GATED[@]}" -- make)
    once gate "$@"
    compare_runs "$*"
    case " $* " in *' -j'*) return ;; esac
    for way in out err; do # one recipe at a time: the order is the same, too
        cmp -s "$WORK/plain.$way" "$WORK/gate.$way" || fail "the order of std$way is not plain make's: $*"
    done
    MAKE=(make -j4)
    once plain "$@"
    MAKE=("$GANTRY" build "${GATED[@]}" -- make -j4)
    once gate "$@"
    compare_runs "(make's own -j4) $*"
}

compare_runs() {
    for what in status files out err; do
        same $what "$@"
    done
}

# exits N: what the last run of `conforms` ended with: a test that fails early proves little.
exits() {
    [ "$(cat "$WORK/gate.status")" = "$1" ] || fail "exit $(cat "$WORK/gate.status"), not $1"
}

# printed TEXT: a line of the last run.
printed() {
    grep -qF -e "$1" "$WORK/gate.out" "$WORK/gate.err" || fail "'$1' was not printed"
}

# stepped TARGET [OUTCOME]: a step of that name was seen in the last run of `conforms`.
stepped() {
    grep -F '"event":"step-end"' "$WORK/events" | grep -F "\"target\":\"$1\"" |
        grep -qF "\"outcome\":\"${2:-ran}\"" || fail "no step $1 ${2:-ran}"
}

# steps N: so many steps ran or failed in the last run.
steps() {
    local seen
    seen=$(grep -F '"event":"step-end"' "$WORK/events" | grep -cE '"outcome":"(ran|failed)"')
    [ "$seen" = "$1" ] || fail "$seen steps, not $1"
}
