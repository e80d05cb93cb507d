"""Does memory stay flat, and do file handles, whatever arrives and however?

    python3 benches/load.py target/release/throng WORK [hourly quarter small large ...]

WORK is a folder for some ten gigabytes. Python has pyarrow. Each case makes its input with `throng synth`, runs
Throng, watches the process (its memory at the peak, its open files, ten times a second) and prints a row of a table.

    hourly   the hours of a day arrive one after the other; each hour the day so far is released anew
    quarter  one run over 92 days, beside one over 7 of them: memory must not grow with the days
    small    a day in two thousand files, beside the same day in one
    large    one file of 300 million rows
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

DAY = "2026-10-15"


class Watched:
    """A run that is watched: its account, its most memory (MiB) and its most open files."""

    def __init__(self, throng, work, name, *more):
        out = work / f"out-{name}" / "release"
        begun = time.monotonic()
        process = subprocess.Popen([throng, "run", "--out", out, *map(str, more)], stdout=subprocess.DEVNULL)
        self.handles = 0
        while process.poll() is None:
            try:
                self.handles = max(self.handles, sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir()))
            except OSError:
                pass
            time.sleep(0.1)
        self.seconds = time.monotonic() - begun
        if process.returncode != 0:
            sys.exit(f"{name}: exit code {process.returncode}")
        self.out = out
        self.account = json.loads((out.parent / "ledger/run.json").read_text())
        self.mib = self.account["memory_peak_bytes"] / 2**20

    def row(self, what):
        rows = self.account["rows_read"]
        print(f"| {what} | {len(self.account['files']):,} | {rows:,} | {self.seconds:.1f} | {self.mib:,.0f} "
              f"| {self.handles} |", flush=True)

    def files(self):
        """Every file of the release but the manifest, which says what it supersedes."""
        found = sorted(path for path in self.out.rglob("*") if path.is_file() and path.name != "manifest.json")
        return {path.relative_to(self.out): path.read_bytes() for path in found}


def synth(throng, folder, *more):
    if not (folder / "cells.csv").exists():
        subprocess.run([throng, "synth", "--out", folder, "--seed", "5", "--no-truth", "--progress", "never",
                        *map(str, more)], check=True, stdout=subprocess.DEVNULL)
    return folder


def day(folder, *more):
    return ["--cells", folder / "cells.csv", "--from", DAY, "--as-of", "2026-10-16", *more]


def hourly(throng, work):
    folder = synth(throng, work / "town", "--subscribers", 50_000, "--cells", 5_000, "--format", "parquet")
    hours = work / "hours"
    if not hours.exists():
        table = ds.dataset(folder / "events").to_table()
        since = pc.subtract(table["event_time"].cast(pa.int64()),
                            pa.scalar(1_792_015_200_000_000))  # the local midnight, in microseconds
        hour = pc.floor(pc.divide(since.cast(pa.float64()), 3_600e6)).to_numpy()
        hours.mkdir()
        for h in sorted(set(hour.tolist())):
            pq.write_table(table.filter(pa.array(hour == h)), hours / f"{int(h) + 1:02}.parquet", compression="zstd")
    files, runs = sorted(hours.glob("*.parquet")), []
    for n in range(2, len(files) + 1):
        runs.append(Watched(throng, work, "hourly", "--events", *files[:n], "--supersede",
                            "--reports", "all", *day(folder)))
    runs[0].row("hourly: the first hour")
    runs[len(runs) // 2].row(f"hourly: after {len(runs) // 2 + 1} of {len(runs)}")
    runs[-1].row("hourly: the whole day")
    whole = Watched(throng, work, "whole", "--events", folder / "events", "--reports", "all", *day(folder))
    whole.row("the same day at once")
    assert whole.files() == runs[-1].files(), "the last of the hourly releases is not that of the whole day"


def quarter(throng, work):
    folder = synth(throng, work / "quarter", "--subscribers", 20_000, "--cells", 5_000, "--days", 92, "--from", DAY)
    common = ["--events", folder / "events", "--cells", folder / "cells.csv", "--from", DAY, "--reports", "all",
              "--as-of", "2027-01-15"]
    for name, to in [("7 days", "2026-10-21"), ("28 days", "2026-11-11"), ("92 days", "2027-01-14")]:
        Watched(throng, work, name.replace(" ", "-"), "--to", to, *common).row(f"one run over {name}, all reports")


def small(throng, work):
    folder = synth(throng, work / "town", "--subscribers", 50_000, "--cells", 5_000, "--format", "parquet")
    pieces, one = work / "pieces", work / "one.parquet"
    if not one.exists():
        table = ds.dataset(folder / "events").to_table()
        pq.write_table(table, one, compression="zstd", row_group_size=1_000_000)
        pieces.mkdir()
        step = -(-table.num_rows // 2_000)
        for i in range(2_000):
            pq.write_table(table.slice(i * step, step), pieces / f"{i:04}.parquet", compression="zstd")
    many = Watched(throng, work, "small", "--events", pieces, *day(folder))
    many.row("two thousand small files")
    single = Watched(throng, work, "single", "--events", one, *day(folder))
    single.row("the same day in one file")
    assert many.files() == single.files(), "the release depends on how the rows are divided into files"


def large(throng, work):
    folder = synth(throng, work / "country", "--subscribers", 3_000_000, "--events-per-day", 100,
                   "--cells", 26_667)
    one = work / "large.parquet"
    if not one.exists():
        rows = ds.dataset(folder / "events")
        with pq.ParquetWriter(one, rows.schema, compression="zstd") as writer:
            for batch in rows.to_batches(batch_size=1_000_000):
                writer.write_batch(batch, row_group_size=1_000_000)
    for memory in ["8GiB", "2GiB"]:
        Watched(throng, work, f"large-{memory}", "--events", one, "--memory", memory, *day(folder)).row(
            f"one file, `--memory {memory}`")


def main():
    throng, work, *wanted = sys.argv[1:]
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    cases = {"hourly": hourly, "quarter": quarter, "small": small, "large": large}
    print("| what | files | rows | s | MiB at the peak | open files at the peak |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in wanted or cases:
        cases[name](throng, work)


if __name__ == "__main__":
    main()
