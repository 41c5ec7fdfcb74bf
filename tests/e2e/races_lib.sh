# Helpers of the tests of races; sourced.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# tree NAME: a new tree, whose Makefile is standard input.
tree() {
    mkdir -p "$WORK/$1"
    cd "$WORK/$1" || exit 1
    sed 's/^    /\t/' >Makefile
}

# finding: the id of the first finding that is no hint.
finding() {
    "$GANTRY" races | sed -n 's/^[!?] \([0-9a-f]*\) .*/\1/p' | head -1
}

# clean_tree: the source files alone.
clean_tree() {
    make -s clean >/dev/null 2>&1
}
