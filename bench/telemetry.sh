#!/usr/bin/env bash
# What telemetry costs the driver: the same queries with telemetry on and off, by time and by instruction count.
#
#   bench/telemetry.sh            all of it, a few minutes
#   bench/telemetry.sh time       wall-clock time, under a healthy endpoint and under broken ones
#   bench/telemetry.sh count      instructions of the client's process (needs valgrind)
#   bench/telemetry.sh profile    which functions the difference is in
#   bench/telemetry.sh records    instructions of telemetry alone, without driver, workspace and HTTP; builds in a minute
#
# The client is a release build without DataFusion. The workspace is the dev build of `dbsql serve` in a process of its own: it
# is not what is measured. CARGO_TARGET_DIR is honoured for the client.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
rounds=${ROUNDS:-9} queries=${QUERIES:-200} repeats=${REPEATS:-5}
select1="SELECT 1" read="SELECT * FROM samples.tpch.lineitem"
work=$(mktemp -d)
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# Instructions for each query: of what 500 more of them take, so that starting and ending count for nothing.
records() {
  cargo build -q --release -p databricks-telemetry --example records
  local client=${CARGO_TARGET_DIR:-target}/release/examples/records few many
  few=$(instructions "$work/few" "$client" 100) many=$(instructions "$work/many" "$client" 600)
  echo "telemetry alone: $(((many - few) / 500)) instructions a query, which leaves two records"
  callgrind_annotate --inclusive=yes --threshold=99.9 "$work/many" | grep -E 'PROGRAM TOTALS|databricks_|activity::' | head -n 30
}

# Instructions of a command, all threads: the file for its profile, the command.
instructions() {
  local profile=$1
  shift
  valgrind --tool=callgrind --callgrind-out-file="$profile" "$@" 2>&1 | awk '/Collected/ {print $NF}'
}

if [ "$what" = records ]; then
  records
  exit
fi
(unset CARGO_TARGET_DIR && cargo build -q -p dbsql)
cargo build -q --release -p adbc-databricks --example telemetry_overhead
client=${CARGO_TARGET_DIR:-target}/release/examples/telemetry_overhead

# Starts a workspace whose endpoints fail like this; leaves its URL in $url.
serve() {
  local log=$work/serve.${#servers[@]}
  target/debug/dbsql serve --port 0 --token bench --scale-factor 0.1 "$@" >"$log" &
  servers+=($!)
  until url=$(grep -o 'databricks://[^"]*' "$log" | head -n 1) && [ -n "$url" ]; do sleep 0.1; done
}

time_it() {
  echo "== $select1, $queries a round, $rounds rounds of each kind in turns: median time of a query (on/off: quartiles of the rounds)"
  local fault
  for fault in healthy telemetry=drop telemetry=delay:100ms telemetry=hang telemetry=status:401 telemetry=status:429:30 \
    telemetry=garbage; do
    if [ $fault = healthy ]; then serve; else serve --fault $fault; fi
    printf '%-24s %s\n' "$fault" "$("$client" "$url" compare "$queries" "$rounds" "$select1")"
  done
  serve
  echo "== 600,572 rows by links, 1 a round"
  printf '%-24s %s\n' healthy "$("$client" "$url" compare 1 "$rounds" "$read")"
}

# Instructions of one run, all threads: mode, queries, SQL.
count() {
  instructions "$work/callgrind.$1" "$client" "$url" "$@"
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

# Name, queries, SQL: the median of the runs of each kind, which alternate.
count_pair() {
  local name=$1 n=$2 sql=$3 i
  : >"$work/on" && : >"$work/off"
  for ((i = 0; i < repeats; i++)); do
    for mode in on off; do count $mode "$n" "$sql" >>"$work/$mode"; done
  done
  awk -v name="$name" -v n="$n" -v on="$(median <"$work/on")" -v off="$(median <"$work/off")" \
    -v low="$(sort -n "$work/off" | head -n 1)" -v high="$(sort -n "$work/off" | tail -n 1)" 'BEGIN {
      printf "%-34s off %.0f  on %.0f  difference %.0f (%.3f %%), %.0f a query; off varies by %.3f %%\n",
        name, off, on, on - off, (on - off) / off * 100, n ? (on - off) / n : 0, (high - low) / off * 100 }'
}

count_it() {
  serve
  echo "== instructions of the client's process, medians of $repeats runs of each kind in turns"
  count_pair "connect and close" 0 "$select1"
  count_pair "$select1, 100 times" 100 "$select1"
  count_pair "$select1, 500 times" 500 "$select1"
  count_pair "600,572 rows by links, 4 times" 4 "$read"
}

profile() {
  serve
  count on 500 "$select1" >/dev/null
  echo "== $select1, 500 times, telemetry on: inclusive instructions of telemetry's functions"
  callgrind_annotate --inclusive=yes --threshold=99.9 "$work/callgrind.on" |
    grep -E 'PROGRAM TOTALS|databricks_telemetry|activity::|post_telemetry' | head -n 40
}

case $what in
time) time_it ;;
count) count_it ;;
profile) profile ;;
all) time_it && count_it ;;
*) echo "bench/telemetry.sh [time|count|profile|records]" >&2 && exit 2 ;;
esac
