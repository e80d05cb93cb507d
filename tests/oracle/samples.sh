#!/usr/bin/env bash
# The sample, and small synthetic days with and without a change of the clocks, against the independent check.
#
#   tests/oracle/samples.sh [PYTHON [EVENTS]]
#
# PYTHON has duckdb. EVENTS, if given, makes the synthetic days that large, for which a release build is used. THRONG, if
# set, is the program that is checked, and none is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
events=${2:-60000}
profile=debug
if [ "$events" -gt 1000000 ]; then profile=release; fi
throng=${THRONG:-}
if [ -z "$throng" ]; then
    cargo build --quiet --locked $([ $profile = release ] && echo --release)
    throng="${CARGO_TARGET_DIR:-target}/$profile/throng"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # CONFIG RUN-FLAGS... -- CHECK-FLAGS...
    local config=$1 run=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do run+=("$1"); shift; done
    shift || true
    rm -rf "$work/out"
    "$throng" run --config "$config" --out "$work/out/release" "${run[@]}" >/dev/null
    "$throng" verify "$work/out/release"
    "$python" tests/oracle/check.py --config "$config" --release "$work/out/release" --ledger "$work/out/ledger" "$@"
}

echo "-- the bundled sample"
check throng.toml
# The days on which the clocks go forward (23 hours) and back (25), and a plain one; two forms of file.
for day in 2026-03-29 2026-10-25 2026-10-15; do
    for format in parquet csv-zst; do
        [ "$events" -le 1000000 ] || [ $format = parquet ] || continue
        echo "-- $day, $format, about $events events"
        "$throng" synth --out "$work/day" --subscribers $((events / 50)) --from $day --seed 7 --format $format >/dev/null
        check "$work/day/throng.toml"
        check "$work/day/throng.toml" --k 15 --step 5min --hold 7min --expansion 2.5 -- \
            --k 15 --step 5min --hold 7min --factor 2.5
        rm -rf "$work/day"
    done
done

echo "-- three days of sessions, with cells that move"
"$throng" synth --out "$work/day" --subscribers $((events / 150)) --days 3 --from 2026-10-24 --seed 8 --sessions 0.3 --moved-cells 0.2 >/dev/null
check "$work/day/throng.toml" --k 15 -- --k 15

# The reports beside presence and visitors, all on one table of events: roamers and a residence table are in it.
others=presence,visitors,residence,dwell,frequency,flows
echo "-- three days with roamers and residence: $others"
check "$work/day/throng.toml" --k 15 --reports $others -- --k 15 --reports $others
check "$work/day/throng.toml" --k 15 --reports $others --min-stay 40min --hold 20min --expansion 2.5 -- \
    --k 15 --reports $others --min-stay 40min --hold 20min --factor 2.5
rm -rf "$work/day"

# Eight days, so that the last has the same weekday before it: an area of whole postal codes, and one of cells.
echo "-- occasions and context"
"$throng" synth --out "$work/day" --subscribers $((events / 100)) --days 8 --from 2026-10-15 --seed 9 --events-per-day 25 \
    --area 1000,1020,1030,1040,1050,1060,1070,1080,1081,1082,1083,1090 >/dev/null
cells=$(awk -F, '$2 == 1050 || $2 == 1060 { print $1 }' "$work/day/cells.csv" | sort | awk 'NR % 2' | paste -sd ';')
cat > "$work/day/occasions.csv" <<CSV
occasion,name,start,end,postal_codes,cells
market,A market,2026-10-22T08:00:00+02:00,2026-10-22T13:00:00+02:00,1000;1070,
concert,A concert,2026-10-22T18:00:00+02:00,2026-10-22T23:30:00+02:00,,$cells
CSV
cat > "$work/day/census.csv" <<CSV
place,level,population,area_km2
BE,country,11825551,30688
04000,region,1255795,162.4
21001,commune,127283,17.7
1070,postal_code,127283,17.7
1000,postal_code,58000,11.9
CSV
printf 'occasions = "occasions.csv"\ncensus = "census.csv"\n' >> "$work/day/throng.toml"
all=presence,visitors,occasions,context
check "$work/day/throng.toml" --k 15 --reports $all -- --k 15 --reports $all
