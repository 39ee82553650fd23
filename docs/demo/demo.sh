#!/usr/bin/env bash
# Moves the flights that left New York City in 2013, and the weather there, from CSV through SQLite into DuckDB
# and Parquet, in two parts a half-year apart. `./dev demo` runs it.
#
#   DXT_DEMO_DATA=FOLDER docs/demo/demo.sh DIRECTORY     dxtctl must be in PATH
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:?usage: demo.sh DIRECTORY}
source_data=${DXT_DEMO_DATA:?is not set: run ./dev demo}

bold='' dim='' reset=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' reset=$'\e[0m'; fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$reset"; }
run() {
  printf '%s$ %s%s\n' "$dim" "$*" "$reset"
  "$@"
}

if [ -d "$target" ] && [ ! -f "$target/.dxt-demo" ] && [ -n "$(ls -A "$target")" ]; then
  printf 'demo: %s is not empty and was not made by the demo; name another directory\n' "$target" >&2
  exit 2
fi
rm -rf "$target"
mkdir -p "$target/data/flights"
touch "$target/.dxt-demo"
cp "$here"/*.yaml "$target/"
cp "$source_data"/{weather,airlines,airports,planes}.csv "$target/data/"
cd "$target"
# Month is the second column. The second half-year arrives later.
half_year() { awk -F, -v from="$1" 'NR == 1 || ($2 > from && $2 <= from + 6)' "$source_data/flights.csv"; }
half_year 0 >data/flights/2013-first.csv

title "1. CSV files into SQLite: the flights of January to June"
run dxtctl run 1_load.yaml

title "2. SQLite into DuckDB, and into Parquet"
run dxtctl run 2_warehouse.yaml
run dxtctl run 3_lake.yaml

title "3. July to December arrive"
half_year 6 >data/flights/2013-second.csv
run dxtctl run 1_load.yaml --select flights

title "4. The same two pipelines again: only the new flights move"
run dxtctl run 2_warehouse.yaml
run dxtctl run 3_lake.yaml

title "5. What arrived in DuckDB"
run dxtctl preview 4_look.yaml flights
run dxtctl preview 4_look.yaml airlines
run dxtctl preview 4_look.yaml storms
title "   and in Parquet: a file for each run, and one made from SQL"
run ls -sh lake/flights lake/delays.parquet
run dxtctl preview lake#delays.parquet --limit 3

title "Try next"
printf "  cd %q\n  export PATH=%q:\$PATH\n" "$PWD" "$(dirname "$(command -v dxtctl)")"
cat <<'NEXT'
  dxtctl run 2_warehouse.yaml --select flights   nothing is new, so nothing moves
  dxtctl plan 2_warehouse.yaml                   queries, watermarks and types of a run, without running
  dxtctl state show 2_warehouse.yaml             where each stream stands
  dxtctl copy ops#planes lake#planes.parquet     a pipeline in one line
  dxtctl discover ops --to warehouse             a pipeline written for you
  dxtctl init shop                               a project of your own
NEXT
