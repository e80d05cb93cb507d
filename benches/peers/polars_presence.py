"""Measures how fast Polars computes presence alone: devices per postal code and instant of one local day, from Parquet events.

    python benches/peers/polars_presence.py --events DIR --cells cells.csv --from 2026-10-15 --threads 2 --repeat 5

The time runs from the first byte read of events and plan to the finished table; start-up of Python and Polars is left out.
Prints one line of JSON. The README beside this file says what is computed and how it was tuned.
"""
import json
import os
import pathlib
import statistics
import sys
import time

from peer import arguments, day_bounds, peak_bytes

args = arguments(__doc__.splitlines()[0], ["packed", "rank", "string", "hash"], ["changes", "unnest"])
os.environ["POLARS_MAX_THREADS"] = str(args.threads)  # read once, when Polars is imported
import polars as pl  # noqa: E402


def presence(start, end):
    hold, step, instants = args.hold, args.step, -(-(end - start) // args.step)
    plan = pl.scan_csv(args.cells, infer_schema=False).select(
        "cell_id",
        cell_no=pl.col("cell_id").rank("ordinal").cast(pl.Int32),
        place=(pl.col("postal_code").rank("dense") - 1).cast(pl.Int32))
    pattern = str(pathlib.Path(args.events) / "**/*.parquet")
    t = pl.col("event_time").dt.epoch("us")
    events = (pl.scan_parquet(pattern, hive_partitioning=False)
              .with_columns(t=t).filter(pl.col("t") >= start - 2 * hold, pl.col("t") < end + 2 * hold)
              .join(plan, on="cell_id", how="inner"))
    if args.key == "hash":
        events = events.with_columns(s=pl.col("subscriber_id").hash())
    elif args.key in ("packed", "rank"):
        ids = events.select("subscriber_id").unique().with_row_index("s")
        events = events.join(ids, on="subscriber_id", how="inner")
    else:
        events = events.with_columns(s=pl.col("subscriber_id"))
    # Sorted once by subscriber, time and cell; the neighbours are then the rows above and below.
    if args.key == "packed":
        # One wide number to sort by: 37 bits hold a day and its context in microseconds, 20 the cell.
        since = pl.col("t") - (start - 2 * hold)
        events = events.with_columns(order=(pl.col("s").cast(pl.Int128) * 2**37 + since) * 2**20 + pl.col("cell_no"))
        marks = events.select("order", "s", "t", "place").sort("order").select("s", "t", "place")
    else:
        marks = events.select("s", "t", "cell_no", "place").sort("s", "t", "cell_no").select("s", "t", "place")
    same_before, same_after = pl.col("s") == pl.col("s").shift(1), pl.col("s") == pl.col("s").shift(-1)
    gap_before, gap_after = pl.col("t") - pl.col("t").shift(1), pl.col("t").shift(-1) - pl.col("t")
    spans = (marks.select(
                "place",
                a=pl.when(same_before & (gap_before <= 2 * hold)).then(pl.col("t").shift(1) + gap_before // 2).otherwise(pl.col("t") - hold),
                b=pl.when(same_after & (gap_after <= 2 * hold)).then(pl.col("t") + gap_after // 2).otherwise(pl.col("t") + hold))
             # The instants i with a <= start + i * step < b: from the first at or after a up to the first at or after b.
             .select("place",
                     first=((pl.col("a") - start + step - 1) // step).clip(0, instants).cast(pl.Int32),
                     past=((pl.col("b") - start + step - 1) // step).clip(0, instants).cast(pl.Int32))
             .filter(pl.col("past") > pl.col("first")))
    if args.count == "unnest":
        return (spans.select("place", i=pl.int_ranges("first", "past", dtype=pl.Int32)).explode("i")
                .group_by("place", "i").len("devices").collect())
    spans = spans.collect()
    # One row per change, summed up along the instants of each place.
    changes = (pl.concat([spans.lazy().group_by("place", i="first").agg(d=pl.len().cast(pl.Int64)),
                          spans.lazy().group_by("place", i="past").agg(d=-pl.len().cast(pl.Int64))])
               .group_by("place", "i").agg(pl.col("d").sum()))
    grid = spans.lazy().select(pl.col("place").unique()).join(
        pl.LazyFrame({"i": range(instants)}, schema={"i": pl.Int32}), how="cross")
    return (grid.join(changes, on=["place", "i"], how="left").sort("place", "i")
            .with_columns(devices=pl.col("d").fill_null(0).cum_sum().over("place"))
            .filter(pl.col("devices") > 0).select("place", "i", "devices").collect())


def main():
    start, end = day_bounds(args)
    seconds = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        table = presence(start, end)
        seconds.append(round(time.perf_counter() - begun, 3))
    devices, place, i = (pl.col(c).cast(pl.Int64) for c in ("devices", "place", "i"))
    rows, total, checksum = table.select(
        rows=pl.len(), total=devices.sum(), checksum=(devices * (131 * (place + 1) + 7 * (i + 1))).sum()).row(0)
    events = pl.scan_parquet(str(pathlib.Path(args.events) / "**/*.parquet"), hive_partitioning=False).select(pl.len()).collect().item()
    print(json.dumps({"peer": "polars", "version": pl.__version__, "threads": args.threads, "key": args.key, "count": args.count,
                      "events": events, "seconds": statistics.median(seconds), "all_seconds": seconds, "rows": rows,
                      "person_instants": total, "checksum": checksum, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main())
