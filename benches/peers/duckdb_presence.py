"""Measures how fast DuckDB computes presence alone: devices per postal code and instant of one local day, from Parquet events.

    python benches/peers/duckdb_presence.py --events DIR --cells cells.csv --from 2026-10-15 --threads 2 --repeat 5

The time runs from the first byte read of events and plan to the finished table; start-up of Python and DuckDB is left out.
Prints one line of JSON. The README beside this file says what is computed and how it was tuned.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import duckdb

from peer import arguments, day_bounds, peak_bytes

PRESENCE = """
CREATE OR REPLACE TEMP TABLE presence AS
WITH plan AS (
  SELECT cell_id, (row_number() OVER (ORDER BY cell_id))::INTEGER AS cell_no,
         (dense_rank() OVER (ORDER BY postal_code) - 1)::INTEGER AS place
  FROM read_csv('{cells}', header = true, all_varchar = true)),
marks AS MATERIALIZED (
  SELECT {subscriber} AS s, epoch_us(event_time) AS t, cell_no, place
  FROM read_parquet('{events}', hive_partitioning = false) JOIN plan USING (cell_id)
  WHERE event_time >= {lo} AND event_time < {hi}),
beside AS (
  SELECT place, t, lag(t) OVER w AS before, lead(t) OVER w AS after
  FROM marks WINDOW w AS (PARTITION BY s ORDER BY t, cell_no)),
bounds AS (
  SELECT place,
    CASE WHEN t - before <= {hold2} THEN before + (t - before) // 2 ELSE t - {hold} END AS a,
    CASE WHEN after - t <= {hold2} THEN t + (after - t) // 2 ELSE t + {hold} END AS b
  FROM beside),
spans AS (
  -- The instants i with a <= start + i * step < b: from the first at or after a up to the first at or after b.
  SELECT place,
    greatest((a - {start} + {step} - 1) // {step}, 0) AS first,
    least((b - {start} + {step} - 1) // {step}, {instants}) AS past
  FROM bounds WHERE b > {start} AND a < {end})
{count}
"""
# Two ways to count, the same table: one row per instant held, or one row per change summed up.
UNNEST = """SELECT place, i, count(*) AS devices
  FROM (SELECT place, unnest(range(first, past))::INTEGER AS i FROM spans WHERE past > first) GROUP BY place, i"""
CHANGES = """, changes AS (
  SELECT place, i, sum(d) AS d FROM (
    SELECT place, first AS i, 1 AS d FROM spans WHERE past > first
    UNION ALL SELECT place, past, -1 FROM spans WHERE past > first) GROUP BY place, i),
  places AS (SELECT DISTINCT place FROM changes)
  SELECT place, i, devices FROM (
    SELECT place, i, sum(coalesce(d, 0)) OVER (PARTITION BY place ORDER BY i) AS devices
    FROM places CROSS JOIN range({instants}) g(i) LEFT JOIN changes USING (place, i)) WHERE devices > 0"""

# As one writes it down from the definition: every interval joined to the instants that it holds.
JOIN = """, instants AS (SELECT i::INTEGER AS i, {start} + i * {step} AS instant FROM range({instants}) g(i))
  SELECT place, i, count(*) AS devices FROM bounds JOIN instants ON a <= instant AND instant < b GROUP BY place, i"""


def main():
    args = arguments(__doc__.splitlines()[0], ["hash", "string"], ["unnest", "changes", "join"])
    start, end = day_bounds(args)
    con = duckdb.connect()
    con.execute(f"SET threads = {args.threads}")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET memory_limit = '8GB'")
    count = {"unnest": UNNEST, "changes": CHANGES, "join": JOIN}[args.count]
    events = str(pathlib.Path(args.events) / "**/*.parquet").replace("'", "''")
    # Events without a zone are taken as UTC.
    kind = con.execute(f"SELECT typeof(event_time) FROM read_parquet('{events}', hive_partitioning = false) LIMIT 1").fetchone()[0]
    moment = "to_timestamp({} / 1e6)" if "TIME ZONE" in kind else "make_timestamp({})"
    values = dict(events=events, cells=args.cells.replace("'", "''"), start=start, end=end, hold=args.hold, hold2=2 * args.hold, step=args.step,
                  lo=moment.format(start - 2 * args.hold), hi=moment.format(end + 2 * args.hold),
                  instants=-(-(end - start) // args.step), subscriber="subscriber_id" if args.key == "string" else "hash(subscriber_id)")
    sql = PRESENCE.format(count=count.format(**values), **values)
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        con.execute(sql)
        seconds.append(round(time.perf_counter() - begun, 3))
    rows, total, checksum = con.execute(
        "SELECT count(*), sum(devices)::BIGINT, sum(devices * (131 * (place + 1) + 7 * (i + 1)))::BIGINT FROM presence").fetchone()
    total_events = con.execute(f"SELECT count(*) FROM read_parquet('{values['events']}', hive_partitioning = false)").fetchone()[0]
    print(json.dumps({"peer": "duckdb", "version": duckdb.__version__, "threads": args.threads, "key": args.key, "count": args.count,
                      "events": total_events, "seconds": statistics.median(seconds), "all_seconds": seconds, "rows": rows,
                      "person_instants": total, "checksum": checksum, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main())
