"""Times a whole run of throng beside the peers on the same folder, in turn, and prints medians and ratios.

    pip install duckdb polars
    throng synth --out day --subscribers 200000 --cells 26667 --seed 1 --no-truth
    python benches/peers/compare.py --throng target/release/throng --folder day --rounds 5

Throng's time is that of the whole process: start, places and cell plan, reading, presence and visitors by hour and
day, protection, and the release on disk. A peer's time is presence alone, without start-up. See README.md.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
PEERS = {
    "DuckDB, the definition as a query": ["duckdb_presence.py", "--key", "string", "--count", "join"],
    "DuckDB, tuned by hand, exact": ["duckdb_presence.py", "--key", "string"],
    "DuckDB, tuned by hand, hashed ids": ["duckdb_presence.py", "--key", "hash"],
    "Polars, tuned by hand": ["polars_presence.py"],
}


def run_throng(args, out):
    command = [args.throng, "run", "--events", f"{args.folder}/events", "--cells", f"{args.folder}/cells.csv",
               "--opt-out", f"{args.folder}/opt_out.csv", "--from", args.date, "--as-of", args.date,
               "--threads", str(args.threads), "--out", out]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def run_peer(args, script):
    command = [sys.executable, str(HERE / script[0]), "--events", f"{args.folder}/events", "--cells", f"{args.folder}/cells.csv",
               "--from", args.date, "--threads", str(args.threads), "--repeat", "1", *script[1:]]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
    return json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--throng", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--date", default="2026-10-15")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    ours, theirs, tables, events = [], {name: [] for name in PEERS}, set(), 0
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/release"
        run_throng(args, out)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        for _ in range(args.rounds):
            ours.append(run_throng(args, out))
            for name, script in PEERS.items():
                found = run_peer(args, script)
                theirs[name].append(found["seconds"])
                tables.add((found["rows"], found["person_instants"], found["checksum"]))
                events = found["events"]
    if len(tables) != 1:
        sys.exit("the peers do not give the same table")
    median = statistics.median(ours)
    print(f"{events:,} events, {args.threads} threads, medians of {args.rounds} rounds in turn\n")
    print("| what | median s | min to max s | throng is faster by |\n| --- | ---: | ---: | ---: |")
    print(f"| throng, everything ({peak:.0f} MiB at the peak) | {median:.2f} | {min(ours):.2f} to {max(ours):.2f} | |")
    for name, seconds in theirs.items():
        ratio = statistics.median(theirs / throng for theirs, throng in zip(seconds, ours))
        print(f"| {name}, presence alone | {statistics.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} | {ratio:.1f} times |")


if __name__ == "__main__":
    main()
