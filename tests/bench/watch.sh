#!/bin/bash
# How long it takes in watch mode to say that a saved file changes nothing, with ninja's null build as the
# peer: watch.sh GANTRY, in the tree that many.sh made (BENCH_DIR). From the start of such a build to its
# end, as it tells; and all processor time from save to save, which has the watching itself in it.
set -eu
gantry=$1
bench=${BENCH_DIR:?} rounds=${ROUNDS:-5} saves=${SAVES:-20}
tree=$bench/many out=$bench/watch.json
cd "$tree"
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
ended() { grep -c '"event":"build-end"' "$out" || true; }
until_ended() { while [ "$(ended)" -lt "$1" ]; do sleep 0.02; done; }
: >"$out"
"$gantry" -C "$tree" build --watch -j2 --json ARCH=x64 image=uush >"$out" &
watcher=$!
trap 'kill $watcher 2>/dev/null || true' EXIT
until_ended 1
before=$(ticks $watcher)
for ((i = 1; i <= saves; i++)); do
    echo $i >notes.txt
    until_ended $((1 + i))
done
after=$(ticks $watcher)
ran=$(grep -c '"event":"step-begin"' "$out") || true
[ "$ran" = 0 ] || { echo "watch.sh: $ran steps ran for a file that decides nothing" >&2; exit 1; }
wall_ns=$(sed -n 's/.*"event":"build-end".*"wall_ns":\([0-9]*\).*/\1/p' "$out" | tail -n $saves | sort -n |
    sed -n "$((saves / 2 + 1))p")
cpu_ms=$(awk "BEGIN { print ($after - $before) * 1000 / $(getconf CLK_TCK) / $saves }")
peer=$("$bench/measure" "$rounds" "watched, a save changes nothing" ninja true "ninja -j2 >/dev/null" \
    3>>"$bench/bench.json")
echo "$peer"
echo "$peer" | awk -v wall=$wall_ns -v cpu=$cpu_ms -v json="$bench/bench.json" -v rounds=$saves '
    { for (i = 1; i <= NF; i++) { if ($i == "wall") peer_wall = $(i + 1); if ($i == "cpu") peer_cpu = $(i + 1) } }
    END { printf "%-34s %-8s wall %8.1f ms %5.3fx   cpu %8.1f ms %5.3fx\n", "", "gantry", wall / 1e6,
          wall / 1e6 / peer_wall, cpu, cpu / peer_cpu
          printf "{\"work\":\"watched, a save changes nothing\",\"name\":\"gantry\",\"rounds\":%d,\"wall_s\":%.6f," \
              "\"cpu_s\":%.6f,\"wall_ratio\":%.4f,\"cpu_ratio\":%.4f,\"units\":0}\n", rounds, wall / 1e9, cpu / 1e3,
              wall / 1e6 / peer_wall, cpu / peer_cpu >>json }'
