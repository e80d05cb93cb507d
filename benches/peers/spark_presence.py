"""Measures how fast Spark computes presence alone: devices per postal code and instant of one local day, from Parquet events.

    python benches/peers/spark_presence.py --events DIR --cells cells.csv --from 2026-10-15 --threads 2 --repeat 5

Spark runs on this machine alone, with one worker thread for each of --threads. The time runs from the first byte read of events
and plan to the finished table, collected; start-up of Python, the JVM and the session is left out.
Prints one line of JSON. The README beside this file says what is computed and how it was tuned.
"""
import json
import pathlib
import statistics
import sys
import time

import pyarrow.compute as pc
import pyspark
from pyspark.sql import SparkSession

from peer import arguments, day_bounds

PRESENCE = """
WITH plan AS (
  SELECT cell_id, row_number() OVER (ORDER BY cell_id) AS cell_no, dense_rank() OVER (ORDER BY postal_code) - 1 AS place FROM cells),
marks AS (
  SELECT /*+ BROADCAST(plan) */ {subscriber}, unix_micros(event_time) AS t, cell_no, place
  FROM events JOIN plan USING (cell_id)
  WHERE event_time >= timestamp_micros({lo}) AND event_time < timestamp_micros({hi})),
beside AS (
  SELECT place, t, lag(t) OVER w AS before, lead(t) OVER w AS after
  FROM marks WINDOW w AS (PARTITION BY {partition} ORDER BY t, cell_no)),
bounds AS (
  SELECT place,
    CASE WHEN t - before <= {hold2} THEN before + (t - before) div 2 ELSE t - {hold} END AS a,
    CASE WHEN after - t <= {hold2} THEN t + (after - t) div 2 ELSE t + {hold} END AS b
  FROM beside),
spans AS (
  -- The instants i with a <= start + i * step < b: from the first at or after a up to the first at or after b.
  SELECT place,
    CAST(greatest((a - {start} + {step} - 1) div {step}, 0) AS INT) AS first,
    CAST(least((b - {start} + {step} - 1) div {step}, {instants}) AS INT) AS past
  FROM bounds WHERE b > {start} AND a < {end})
{count}
"""
# What subscribers are told apart by: hash and id, so that ids are compared only where the hashes are equal; the hash; or the id.
KEYS = {"both": ("xxhash64(subscriber_id) AS h, subscriber_id AS s", "h, s"),
        "hash": ("xxhash64(subscriber_id) AS s", "s"), "string": ("subscriber_id AS s", "s")}
# Four ways to count, the same table.
UNNEST = """SELECT place, i, count(*) AS devices
  FROM (SELECT place, explode(sequence(first, past - 1)) AS i FROM spans WHERE past > first) GROUP BY place, i"""
GROUPED = """SELECT place, i, sum(n) AS devices FROM (
    SELECT place, n, explode(sequence(first, past - 1)) AS i FROM (
      SELECT place, first, past, count(*) AS n FROM spans WHERE past > first GROUP BY place, first, past)) GROUP BY place, i"""
CHANGES = """, changes AS (
  SELECT place, i, sum(d) AS d FROM (SELECT place, stack(2, first, 1, past, -1) AS (i, d) FROM spans WHERE past > first) GROUP BY place, i),
  held AS (
    SELECT place, i, lead(i, 1, {instants}) OVER w AS past, sum(d) OVER w AS devices FROM changes WINDOW w AS (PARTITION BY place ORDER BY i))
  SELECT place, explode(sequence(i, past - 1)) AS i, devices FROM held WHERE devices > 0 AND past > i"""
# As one writes it down from the definition: every interval joined to the instants that it holds.
JOIN = """, instants AS (SELECT CAST(id AS INT) AS i, {start} + id * {step} AS instant FROM range({instants}))
  SELECT /*+ BROADCAST(instants) */ place, i, count(*) AS devices FROM bounds JOIN instants ON a <= instant AND instant < b GROUP BY place, i"""


def main():
    args = arguments(__doc__.splitlines()[0], list(KEYS), ["unnest", "grouped", "changes", "join"])
    start, end = day_bounds(args)
    settings = {
        "spark.driver.memory": "12g", "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "16", "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.parquet.inferTimestampNTZ.enabled": "false",  # events without a zone are taken as UTC
    }
    builder = SparkSession.builder.master(f"local[{args.threads}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1000).selectExpr("sum(id)").collect()  # the session's own start
    count = {"unnest": UNNEST, "grouped": GROUPED, "changes": CHANGES, "join": JOIN}[args.count]
    subscriber, partition = KEYS[args.key]
    values = dict(start=start, end=end, hold=args.hold, hold2=2 * args.hold, step=args.step, lo=start - 2 * args.hold, hi=end + 2 * args.hold,
                  instants=-(-(end - start) // args.step), subscriber=subscriber, partition=partition)
    sql = PRESENCE.format(count=count.format(**values), **values)
    events, cells = str(pathlib.Path(args.events).resolve()), str(pathlib.Path(args.cells).resolve())
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        spark.read.option("recursiveFileLookup", True).parquet(events).createOrReplaceTempView("events")
        spark.read.csv(cells, header=True).createOrReplaceTempView("cells")
        table = spark.sql(sql).toArrow()
        seconds.append(round(time.perf_counter() - begun, 3))
    devices, place, i = (table[c].cast("int64") for c in ("devices", "place", "i"))
    weight = pc.add(pc.multiply(pc.add(place, 1), 131), pc.multiply(pc.add(i, 1), 7))
    print(json.dumps({"peer": "spark", "version": pyspark.__version__, "threads": args.threads, "key": args.key, "count": args.count,
                      "events": spark.table("events").count(), "seconds": statistics.median(seconds), "all_seconds": seconds,
                      "rows": table.num_rows, "person_instants": pc.sum(devices).as_py(), "checksum": pc.sum(pc.multiply(devices, weight)).as_py()}))
    spark.stop()


if __name__ == "__main__":
    sys.exit(main())
