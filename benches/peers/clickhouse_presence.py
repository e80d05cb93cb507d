"""Measures how fast ClickHouse computes presence alone: devices per postal code and instant of one local day, from Parquet events.

    python benches/peers/clickhouse_presence.py --events DIR --cells cells.csv --from 2026-10-15 --threads 2 --repeat 5

ClickHouse runs in this process, through the package chdb. The time runs from the first byte read of events and plan to the
finished table; start-up of Python and ClickHouse is left out.
Prints one line of JSON. The README beside this file says what is computed and how it was tuned.
"""
import json
import pathlib
import statistics
import sys
import time

import chdb
from chdb import session

from peer import arguments, day_bounds, peak_bytes

PRESENCE = """
CREATE TABLE presence ENGINE = Memory AS
WITH plan AS (
  SELECT cell_id, toInt64(row_number() OVER (ORDER BY cell_id)) AS cell_no, toInt32(dense_rank() OVER (ORDER BY postal_code) - 1) AS place
  FROM file('{cells}', CSVWithNames, 'cell_id String, postal_code String')),
marks AS (
  SELECT {subscriber} AS s, toUnixTimestamp64Micro(event_time) AS t, cell_no, place
  FROM file('{events}', Parquet) AS e INNER JOIN plan USING (cell_id)
  WHERE event_time >= fromUnixTimestamp64Micro({lo}) AND event_time < fromUnixTimestamp64Micro({hi})),
{beside},
bounds AS (
  SELECT place,
    if(t - before <= {hold2}, before + intDiv(t - before, 2), t - {hold}) AS a,
    if(after - t <= {hold2}, t + intDiv(after - t, 2), t + {hold}) AS b
  FROM beside),
spans AS (
  -- The instants i with a <= start + i * step < b: from the first at or after a up to the first at or after b.
  SELECT place,
    toInt32(greatest(intDiv(a - {start} + {step} - 1, {step}), 0)) AS first,
    toInt32(least(intDiv(b - {start} + {step} - 1, {step}), {instants})) AS past
  FROM bounds WHERE b > {start} AND a < {end})
{count}
"""
# No event before or after stands as one so far away that nothing is held until it.
NEVER = 2**61
# Three ways to find the neighbours, the same rows: a window; arrays of tuples; arrays of one number an event, whose lowest 20 bits
# are the cell (plans of up to a million cells) and whose other bits are the time.
WINDOW = """beside AS (
  SELECT place, t, lagInFrame(t, 1, toInt64(-{never})) OVER w AS before, leadInFrame(t, 1, toInt64({never})) OVER w AS after
  FROM marks WINDOW w AS (PARTITION BY s ORDER BY t, cell_no ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"""
TUPLES = """rows AS (SELECT arraySort(groupArray((t, cell_no, place))) AS m, m.1 AS ts FROM marks GROUP BY s),
beside AS (
  SELECT x.1 AS place, x.2 AS t, x.3 AS before, x.4 AS after
  FROM (SELECT arrayJoin(arrayZip(m.3, ts, arrayPopBack(arrayPushFront(ts, toInt64(-{never}))),
                                  arrayPopFront(arrayPushBack(ts, toInt64({never}))))) AS x FROM rows))"""
PACKED = """rows AS (
  SELECT arraySort(groupArray((t - {lo}) * 1048576 + cell_no)) AS m, arrayMap(x -> bitShiftRight(x, 20) + {lo}, m) AS ts FROM marks GROUP BY s),
beside AS (
  SELECT (SELECT groupArray(place) FROM (SELECT place FROM plan ORDER BY cell_no))[bitAnd(x, 1048575)] AS place, t, before, after
  FROM rows ARRAY JOIN m AS x, ts AS t, arrayPopBack(arrayPushFront(ts, toInt64(-{never}))) AS before,
                       arrayPopFront(arrayPushBack(ts, toInt64({never}))) AS after)"""
# Three ways to count, the same table.
UNNEST = """SELECT place, i, count() AS devices FROM (SELECT place, arrayJoin(range(first, past)) AS i FROM spans WHERE past > first) GROUP BY place, i"""
GROUPED = """SELECT place, i, sum(n) AS devices
  FROM (SELECT place, n, arrayJoin(range(first, past)) AS i FROM (SELECT place, first, past, count() AS n FROM spans WHERE past > first
        GROUP BY place, first, past)) GROUP BY place, i"""
CHANGES = """, changes AS (
  SELECT place, c.1 AS i, sum(c.2) AS d
  FROM (SELECT place, arrayJoin([(first, toInt64(1)), (past, toInt64(-1))]) AS c FROM spans WHERE past > first) GROUP BY place, i),
  summed AS (SELECT place, arraySort(groupArray((i, d))) AS c, arrayCumSum(c.2) AS held FROM changes GROUP BY place)
  SELECT place, i, devices FROM (
    SELECT place, h AS devices, arrayJoin(range(f, p)) AS i FROM (
      SELECT place, f, p, h FROM summed ARRAY JOIN c.1 AS f, arrayPopFront(arrayPushBack(c.1, toInt32({instants}))) AS p, held AS h)) WHERE devices > 0"""


def main():
    args = arguments(__doc__.splitlines()[0], ["packed", "packed-hash", "string", "hash", "siphash", "tuples", "tuples-hash"],
                     ["unnest", "grouped", "changes"])
    start, end = day_bounds(args)
    con = session.Session()
    settings = dict(max_threads=args.threads, max_memory_usage=8_000_000_000, use_hive_partitioning=0, session_timezone="'UTC'")
    for name, value in settings.items():
        con.query(f"SET {name} = {value}")
    paths = pathlib.Path(args.events).resolve() / "**/*.parquet", pathlib.Path(args.cells).resolve()
    quoted = [str(path).replace("\\", "\\\\").replace("'", "\\'") for path in paths]
    subscriber = "subscriber_id"
    if args.key.endswith("hash"):
        subscriber = "sipHash64(subscriber_id)" if args.key == "siphash" else "cityHash64(subscriber_id)"
    values = dict(events=quoted[0], cells=quoted[1], start=start, end=end, hold=args.hold, hold2=2 * args.hold, step=args.step,
                  lo=start - 2 * args.hold, hi=end + 2 * args.hold, instants=-(-(end - start) // args.step), never=NEVER, subscriber=subscriber)
    beside = {"tuples": TUPLES, "packed": PACKED}.get(args.key.split("-")[0], WINDOW)
    count = {"unnest": UNNEST, "grouped": GROUPED, "changes": CHANGES}[args.count]
    sql = PRESENCE.format(beside=beside.format(**values), count=count.format(**values), **values)
    seconds = []
    for _ in range(args.repeat):
        con.query("DROP TABLE IF EXISTS presence")
        begun = time.perf_counter()
        con.query(sql)
        seconds.append(round(time.perf_counter() - begun, 3))
    rows, total, checksum = json.loads(con.query(
        "SELECT count(), sum(devices), sum(devices * (131 * (place + 1) + 7 * (i + 1))) FROM presence "
        "SETTINGS output_format_json_quote_64bit_integers = 0", "JSONCompactEachRow").bytes())
    total_events = int(con.query(f"SELECT count() FROM file('{values['events']}', Parquet)", "TSV").bytes())
    print(json.dumps({"peer": "clickhouse", "version": chdb.engine_version, "threads": args.threads, "key": args.key, "count": args.count,
                      "events": total_events, "seconds": statistics.median(seconds), "all_seconds": seconds, "rows": rows,
                      "person_instants": total, "checksum": checksum, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main())
