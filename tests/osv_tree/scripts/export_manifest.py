#!/bin/sh
# In the shape of OSv's: export_manifest.py -m MANIFEST -e DIRECTORY -D NAME=VALUE.
while [ $# -gt 0 ]; do
    case $1 in
    -m) manifest=$2 ;;
    -e) dir=$2 ;;
    esac
    shift 2
done
mkdir -p "$dir"
sed -n 's,^\(/[^:&*]*\): \([^-!].*\)$,\1 \2,p' "$manifest" | while read -r guest host; do
    [ -f "$host" ] || continue
    mkdir -p "$dir/${guest%/*}" && cp "$host" "$dir$guest"
done
