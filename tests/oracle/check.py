"""Checks a release against an independent computation of its numbers, straight from the event files.

The computation is oracle.sql and reports.sql, run by DuckDB; with --brute it is brute.py, plain Python for small inputs.
rules.sql then holds the release against it, and against what DISCLOSURE.md promises as far as the true numbers show it.
Nothing here shares code with the program that made the release. No identifier is ever printed.

    python tests/oracle/check.py --config throng.toml --release DIR [--ledger DIR]
    python tests/oracle/check.py --events DIR --cells cells.csv --from 2026-10-15 --as-of 2026-10-16 --release DIR

Exit codes: 0 all agree; 1 something differs (the first 20 differences are shown); 2 wrong usage or inputs.
"""
import argparse
import csv
import datetime as dt
import glob
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import tomllib
import zoneinfo

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
LEVELS = ["country", "region", "province", "commune", "postal_code"]
REASONS = ["malformed", "missing_field", "wrong_type", "expired", "outside_window", "opted_out", "unknown_cell", "duplicate"]
EVENT_COLUMNS = ["event_time", "subscriber_id", "cell_id", "end_time", "event_type", "home_plmn"]
PLAN_COLUMNS = ["cell_id", "postal_code", "valid_from", "valid_to"]
ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".parquet")
MICROS = 1_000_000
FAR = 1 << 62
UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
ONE_DAY = dt.timedelta(days=1)


class Unusable(Exception):
    """Inputs or flags that cannot be used; the message names no identifier."""


# ---------------------------------------------------------------- configuration

def duration(text):
    """Microseconds of '30min', '1h', '1h30min', '90s'."""
    units = {"h": 3600, "hour": 3600, "hours": 3600, "min": 60, "m": 60, "minutes": 60, "s": 1, "sec": 1}
    parts = re.findall(r"(\d+)\s*([a-z]+)", str(text).strip().lower())
    if not parts or "".join(n + u for n, u in parts) != re.sub(r"\s", "", str(text).lower()) or any(u not in units for _, u in parts):
        raise Unusable(f"not a duration: {text!r}; expected such as 15min")
    return sum(int(n) * units[u] for n, u in parts) * MICROS


def flags(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--release", help="the release to check")
    p.add_argument("--ledger", help="folder of run.json, to check its sums too")
    p.add_argument("--config", help="a throng.toml; flags win over it")
    p.add_argument("--events", nargs="+", help="files, folders, globs")
    p.add_argument("--cells", nargs="+", help="the cell plan")
    p.add_argument("--cell-places", nargs="+", dest="cell_places",
                   help="cell_id,postal_code (and valid_from,valid_to), for a plan that has only geometry")
    p.add_argument("--opt-out", nargs="+", dest="opt_out")
    p.add_argument("--residence", nargs="+", help="where subscribers live: subscriber_id with postal_code or commune")
    p.add_argument("--occasions", nargs="+", help="occasion,name,start,end and postal_codes or cells (several with ; between)")
    p.add_argument("--census", nargs="+", help="place,level,population,area_km2")
    p.add_argument("--mcc", help="mcc,country: the countries of mobile country codes (default: the table of this repository)")
    p.add_argument("--min-stay", dest="min_stay")
    p.add_argument("--subscriber-id-kind", dest="subscriber_id_kind", choices=["opaque", "imsi"])
    p.add_argument("--reports", help="reports that must be there, with commas (default: those of the config, if it names any)")
    p.add_argument("--no-rules", action="store_true", help="compare numbers alone; leave out the rules of protection")
    p.add_argument("--from", dest="from_")
    p.add_argument("--to")
    p.add_argument("--as-of", dest="as_of")
    p.add_argument("--timezone")
    p.add_argument("--hold")
    p.add_argument("--step")
    p.add_argument("--k", type=int)
    p.add_argument("--factor", "--expansion", type=float, dest="factor")
    p.add_argument("--column", action="append", default=[], metavar="NAME=COLUMN[,COLUMN]",
                   help="where an event column stands, such as cell_id=lac,ci; plan columns as cells.NAME=COLUMN")
    p.add_argument("--separator", help="between joined columns (default -)")
    p.add_argument("--delimiter", help="of CSV events (default ,)")
    p.add_argument("--no-header", action="store_true", help="event CSV has no header; give --csv-columns")
    p.add_argument("--csv-columns", help="the columns of event CSV without header, in order, with commas")
    p.add_argument("--time-unit", choices=["auto", "s", "ms", "us", "ns"], help="of integer times (default auto, by size)")
    p.add_argument("--keep-types", help="event types kept, with commas")
    p.add_argument("--drop-types", help="event types dropped, with commas")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--memory", default="12GB")
    p.add_argument("--brute", action="store_true", help="compute in plain Python instead of SQL; small inputs only")
    p.add_argument("--timings", action="store_true", help="show the time each part takes")
    return p.parse_args(argv)


def flatten(table, path=()):
    for key, value in table.items():
        here = path + (key.replace("-", "_"),)
        if isinstance(value, dict):
            yield from flatten(value, here)
        else:
            yield here, value


def listed(value):
    return [value] if isinstance(value, (str, pathlib.Path)) else list(value or [])


class Settings:
    """What a run is asked to do: flags first, then the config, then the defaults of SPEC."""

    def __init__(self, args):
        leaves, base = [], None
        if args.config:
            with open(args.config, "rb") as f:
                leaves = list(flatten(tomllib.load(f)))
            base = pathlib.Path(args.config).resolve().parent

        def pick(given, *names, default=None):
            if given not in (None, [], ""):
                return given
            found = [(len(path), value) for path, value in leaves if path[-1] in names
                     or (len(path) > 1 and path[-2] in names and path[-1] in ("path", "paths", "files"))]
            return min(found, key=lambda f: f[0])[1] if found else default

        def paths(given, *names):
            out = []
            for text in listed(pick(given, *names)):
                if not given and base and not os.path.isabs(text) and not glob.glob(text):
                    text = str(base / text)
                out.append(text)
            return out

        self.release, self.ledger = args.release, args.ledger
        self.events = find_files(paths(args.events, "events"), "--events")
        self.cells = find_files(paths(args.cells, "cells"), "--cells")
        self.cell_places = find_files(paths(args.cell_places, "cell_places"), "--cell-places", need=False)
        self.opt_out = find_files(paths(args.opt_out, "opt_out"), "--opt-out", need=False)
        self.residence = find_files(paths(args.residence, "residence"), "--residence", need=False)
        self.occasions = find_files(paths(args.occasions, "occasions"), "--occasions", need=False)
        self.census = find_files(paths(args.census, "census"), "--census", need=False)
        self.mcc = args.mcc or str(HERE.parents[1] / "crates/ingest/data/mcc/mcc.csv")
        self.min_stay = duration(pick(args.min_stay, "min_stay", default="15min"))
        self.imsi = pick(args.subscriber_id_kind, "subscriber_id_kind", default="opaque") == "imsi"
        self.reports = args.reports.split(",") if args.reports else listed(pick(None, "reports"))
        self.rules = not args.no_rules
        first = pick(args.from_, "from")
        if first is None:
            raise Unusable("--from is missing")
        self.first = day_of(first)
        self.last = day_of(pick(args.to, "to", default=first))
        if self.last < self.first:
            raise Unusable("--to lies before --from")
        zone_name = pick(args.timezone, "timezone", default="Europe/Brussels")
        self.zone = zoneinfo.ZoneInfo(zone_name)
        as_of = pick(args.as_of, "as_of")
        self.as_of = day_of(as_of) if as_of else dt.datetime.now(self.zone).date()
        self.hold = duration(pick(args.hold, "hold", default="30min"))
        self.step = duration(pick(args.step, "step", default="15min"))
        self.k = int(pick(args.k, "k", default=30))
        factor = pick(args.factor, "factor", "expansion", default=1.0)
        try:
            self.factor = float(factor)
        except ValueError:
            raise Unusable("one expansion factor is checked, not a table; give --factor NUMBER")
        self.separator = pick(args.separator, "separator", "cell_id_separator", default="-")
        self.delimiter = pick(args.delimiter, "delimiter", default=",")
        self.time_unit = pick(args.time_unit, "time_unit", default="auto")
        self.csv_columns = args.csv_columns.split(",") if args.csv_columns else None
        self.no_header = args.no_header or pick(None, "header", default=True) is False
        if self.no_header and not self.csv_columns:
            raise Unusable("without a header, --csv-columns names the columns")
        self.keep_types = set(args.keep_types.split(",")) if args.keep_types else set(listed(pick(None, "keep_types", "event_types")))
        self.drop_types = set(args.drop_types.split(",")) if args.drop_types else set(listed(pick(None, "drop_types")))
        self.threads, self.memory, self.brute = args.threads, args.memory, args.brute
        # Columns: of the plan where the config's path speaks of cells, of the events elsewhere.
        self.event_columns = {name: [name] for name in EVENT_COLUMNS}
        self.plan_columns = {name: [name] for name in PLAN_COLUMNS}
        for path, value in leaves:
            if len(path) < 2 or any(part.startswith(("residence", "occasion", "census", "opt_out")) for part in path[:-1]):
                continue
            of_plan = any(part.startswith(("cell", "plan", "network")) for part in path[:-1])
            target = self.plan_columns if of_plan else self.event_columns
            if path[-1] in target and not isinstance(value, bool):
                target[path[-1]] = [str(v) for v in listed(value)]
        for text in args.column:
            name, _, columns = text.partition("=")
            target = self.plan_columns if name.startswith("cells.") else self.event_columns
            name = name.removeprefix("cells.")
            if name not in target or not columns:
                raise Unusable(f"not a column: {text!r}")
            target[name] = columns.split(",")
        # The clock.
        self.midnights = [(d, midnight(d, self.zone)) for d in days(self.first, self.last + ONE_DAY)]
        self.from_us, self.end_us = self.midnights[0][1], self.midnights[-1][1]
        self.lo_us, self.hi_us = self.from_us - 2 * self.hold, self.end_us + 2 * self.hold
        self.expired_us = midnight(self.as_of - 92 * ONE_DAY, self.zone)

    def grid(self, every):
        """(microseconds, local day) every so often from each local midnight to the next."""
        out = []
        for (day, start), (_, end) in zip(self.midnights, self.midnights[1:]):
            out += [(us, day) for us in range(start, end, every)]
        return out

    def times(self):
        """(report, period, microseconds, local day) of every row a place must have."""
        out = [("presence", "instant", us, d) for us, d in self.grid(self.step)]
        out += [("visitors", "hour", us, d) for us, d in self.grid(3600 * MICROS)]
        return out + [("visitors", "day", us, d) for d, us in self.midnights[:-1]]

    def day_at(self, us):
        """The local day that holds a moment of the window."""
        return max(d for d, start in self.midnights if start <= us)


def day_of(value):
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise Unusable(f"not a date: {value!r}")


def days(first, last):
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


def to_us(moment):
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def midnight(day, zone):
    return to_us(dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def find_files(paths, what, need=True):
    """Files, folders with their subfolders, and globs, each file once."""
    found = {}
    for text in paths:
        hits = [text] if os.path.exists(text) else sorted(glob.glob(text, recursive=True))
        if not hits:
            raise Unusable(f"{what}: nothing at {text}")
        for hit in hits:
            if os.path.isdir(hit):
                inner = sorted(str(p) for p in pathlib.Path(hit).rglob("*")
                               if p.is_file() and p.name.lower().endswith(ENDINGS) and not p.name.startswith((".", "_")))
                if not inner:
                    raise Unusable(f"{what}: no .csv, .csv.gz, .csv.zst or .parquet in {hit}")
            else:
                inner = [hit]
            for file in inner:
                found.setdefault(os.path.realpath(file), file)
    if need and not found:
        raise Unusable(f"{what} is missing")
    return list(found.values())


# ---------------------------------------------------------------- DuckDB

def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def named(text):
    return '"' + str(text).replace('"', '""') + '"'


def is_parquet(path):
    return path.lower().endswith(".parquet")


def connect(settings):
    con = duckdb.connect()
    con.execute(f"SET threads = {settings.threads}")
    con.execute(f"SET memory_limit = {quoted(settings.memory)}")
    con.execute("SET preserve_insertion_order = false")
    scratch = tempfile.TemporaryDirectory(prefix="oracle-")
    con.execute(f"SET temp_directory = {quoted(scratch.name)}")
    return con, scratch


def csv_header(con, path, delimiter):
    row = con.execute(
        f"SELECT l FROM read_csv({quoted(path)}, auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', "
        "columns = {'l': 'VARCHAR'}, parallel = false, ignore_errors = true) LIMIT 1").fetchone()
    if row is None or row[0] is None:
        return []
    return next(csv.reader([row[0].lstrip("\ufeff")], delimiter=delimiter))


def csv_table(con, path, delimiter=",", columns=None, rejects=False):
    """A FROM clause for a CSV file read as text, and its columns as {name: column of the clause}."""
    names = columns or csv_header(con, path, delimiter)
    shape = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(names)))
    extra = ", store_rejects = true, rejects_table = 'refused', rejects_scan = 'refused_scans'" if rejects else ""
    clause = (f"read_csv({quoted(path)}, auto_detect = false, header = {'false' if columns else 'true'}, delim = {quoted(delimiter)}, "
              f"quote = '\"', escape = '\"', columns = {{{shape}}}{extra})")
    mapped = {}
    for n, name in enumerate(names):
        mapped.setdefault(name, (f"c{n}", "VARCHAR"))
    return clause, mapped


def parquet_table(con, path):
    clause = f"read_parquet({quoted(path)}, hive_partitioning = false, union_by_name = false)"
    return clause, {r[0]: (named(r[0]), r[1]) for r in con.execute(f"DESCRIBE SELECT * FROM {clause}").fetchall()}


def table_of(con, path, **csv_options):
    return parquet_table(con, path) if is_parquet(path) else csv_table(con, path, **csv_options)


def as_blob(column, kind):
    if kind == "BLOB":
        return f"CASE WHEN octet_length({column}) > 0 THEN {column} END"
    return f"encode(nullif({column}::VARCHAR, ''))"


def as_text(column, kind):
    return f"decode({column})" if kind == "BLOB" else f"nullif({column}::VARCHAR, '')"


def joined_blob(columns, separator):
    if len(columns) == 1:
        return as_blob(*columns[0])
    return "encode(" + f" || {quoted(separator)} || ".join(as_text(*c) for c in columns) + ")"


def time_parts(column, kind, unit):
    """SQL for (given, utc, local) of a time column: one of utc and local is set where the value can be read."""
    none = "NULL::BIGINT"
    if kind in ("VARCHAR", "BLOB"):
        text = as_text(column, kind)
        zone, given = f"iso_zone({text})", f"{text} IS NOT NULL"
        number = f"regexp_full_match({text}, '-?[0-9]{{1,18}}|-?[0-9]{{19}}')"
        utc = (f"CASE WHEN is_iso({text}) THEN CASE WHEN {zone} <> '' THEN iso_local({text}, {zone}) - zone_offset({zone}) END "
               f"WHEN {number} THEN epoch_int(try_cast({text} AS BIGINT), '{unit}') END")
        return given, utc, f"CASE WHEN is_iso({text}) AND {zone} = '' THEN iso_local({text}, '') END"
    given = f"{column} IS NOT NULL"
    if kind.endswith("INT") or kind.endswith("INTEGER"):
        return given, f"epoch_int({column}::BIGINT, '{unit}')", none
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        return given, f"epoch_us({column})", none
    if kind == "TIMESTAMP_NS":
        return given, none, f"floor_div(epoch_ns({column}), 1000)"
    if "NS" in kind and "TIME ZONE" in kind:
        return given, f"floor_div(epoch_ns({column}), 1000)", none
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return given, none, f"epoch_us({column}::TIMESTAMP)"
    raise Unusable(f"a time column of type {kind}")


def zone_changes(zone):
    """(UTC microseconds, offset before, offset after) of every change of the zone's offset from 1970 to 2100."""
    def offset(us):
        return (EPOCH + dt.timedelta(microseconds=us)).astimezone(zone).utcoffset() // dt.timedelta(microseconds=1)

    out, day = [], 86_400 * MICROS
    at, end = 0, to_us(dt.datetime(2100, 1, 1, tzinfo=UTC))
    before = offset(at)
    while at < end:
        after = offset(at + day)
        if after != before:
            low, high = at // MICROS, (at + day) // MICROS
            while high - low > 1:
                mid = (low + high) // 2
                low, high = (mid, high) if offset(mid * MICROS) == before else (low, mid)
            out.append((high * MICROS, before, after))
        at, before = at + day, after
    return out, offset(0)


def zone_macro(settings):
    """SQL of zone_utc(local): the earlier of two readings; in a skipped hour, the offset before the skip."""
    changes, first = zone_changes(settings.zone)
    steps = [(us + max(before, after), after) for us, before, after in changes]
    near_lo = min(settings.lo_us, settings.expired_us) - 3 * 86_400 * MICROS
    near_hi = settings.hi_us + 3 * 86_400 * MICROS

    def chain(some, start):
        arms = "".join(f" WHEN l >= {us} THEN {off}" for us, off in reversed(some))
        return f"(CASE{arms} ELSE {start} END)" if some else str(start)

    near = [s for s in steps if near_lo <= s[0] <= near_hi]
    earlier = [s for s in steps if s[0] < near_lo]
    start = earlier[-1][1] if earlier else first
    return ("CREATE OR REPLACE TEMP MACRO zone_utc(l) AS l - CASE "
            f"WHEN l BETWEEN {near_lo} AND {near_hi} THEN {chain(near, start)} ELSE {chain(steps, first)} END")


def sections(file="oracle.sql"):
    """A file of SQL as {name: SQL}."""
    out, name = {}, None
    for line in (HERE / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("-- section: "):
            name = line.split()[2]
            out[name] = []
        elif name:
            out[name].append(line)
    return {name: "\n".join(lines) for name, lines in out.items()}


def plan_rows(con, settings):
    """The plan as rows (cell bytes, postal code, valid from, valid to): borders in microseconds, half-open."""
    rows = []
    for path in settings.cell_places or settings.cells:
        clause, columns = table_of(con, path)
        wanted = {name: [columns.get(c) for c in settings.plan_columns[name]] for name in PLAN_COLUMNS}
        if None in wanted["cell_id"]:
            event_names = settings.event_columns["cell_id"]
            wanted["cell_id"] = [columns.get(c) for c in event_names]
        if None in wanted["cell_id"]:
            raise Unusable(f"{path}: no column cell_id")
        if None in wanted["postal_code"]:
            raise Unusable(f"{path}: no column postal_code; give --cell-places for a plan of geometry alone")
        dates = [as_text(*wanted[n][0]) if wanted[n][0] else "NULL" for n in ("valid_from", "valid_to")]
        rows += con.execute(
            f"SELECT {joined_blob(wanted['cell_id'], settings.separator)}, {as_text(*wanted['postal_code'][0])}, "
            f"{dates[0]}, {dates[1]} FROM {clause}").fetchall()
    out = set()
    for cell, pc, first, last in rows:
        if cell is not None and pc is not None:
            out.add((cell, pc,
                     midnight(day_of(first[:10]), settings.zone) if first else -FAR,
                     midnight(day_of(last[:10]), settings.zone) if last else FAR))
    return [r for r in out if r[2] < r[3]]


def opt_outs(con, settings):
    out = set()
    for path in settings.opt_out:
        clause, columns = table_of(con, path)
        column = columns.get("subscriber_id") or columns.get(settings.event_columns["subscriber_id"][0])
        if not column:
            raise Unusable(f"{path}: no column subscriber_id")
        out |= {r[0] for r in con.execute(f"SELECT DISTINCT {as_blob(*column)} FROM {clause}").fetchall() if r[0]}
    return out


def place_lines(con, release):
    """For each place of the five levels, its place at each level from its own upward, from places.parquet."""
    path = os.path.join(release, "places.parquet")
    if not os.path.exists(path):
        raise Unusable("the release has no places.parquet")
    rows = [r for r in con.execute(f"SELECT level, place, parent FROM read_parquet({quoted(path)})").fetchall() if r[0] in LEVELS]
    parents = {(level, place): parent for level, place, parent in rows}
    if len(parents) != len(rows):
        raise Unusable("places.parquet names a place twice at one level")
    lines = {}
    for level, place, _ in rows:
        line, here = {level: place}, (level, place)
        while parents[here] is not None:
            above = LEVELS[:LEVELS.index(here[0])]
            # A level may be passed over: a commune may hang on its region.
            here = next(((up, parents[here]) for up in reversed(above) if (up, parents[here]) in parents), None)
            if here is None:
                raise Unusable(f"places.parquet: the parent of a place above {level} {place} is not in it")
            line[here[0]] = here[1]
        lines[level, place] = line
    return lines


def place_tree(con, release):
    """All places of the five levels, and for each postal code its place at each level."""
    lines = place_lines(con, release)
    return sorted(lines), {place: line for (level, place), line in lines.items() if level == "postal_code"}


def make_table(con, name, columns, rows):
    """A table from Python rows, by way of a JSON file, which is far faster than row by row."""
    con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    rows = list(rows)
    if not rows:
        return
    names = [c.split()[0] for c in columns.split(", ")]
    kinds = [c.split()[1] for c in columns.split(", ")]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps({n: v.hex() if isinstance(v, bytes) else v.isoformat() if isinstance(v, dt.date) else v
                                for n, v in zip(names, row)}) + "\n")
        f.flush()
        shape = ", ".join(f"{n}: '{'VARCHAR' if k == 'BLOB' else k}'" for n, k in zip(names, kinds))
        picked = ", ".join(f"unhex({n})" if k == "BLOB" else n for n, k in zip(names, kinds))
        con.execute(f"INSERT INTO {name} SELECT {picked} FROM read_json({quoted(f.name)}, format = 'newline_delimited', columns = {{{shape}}})")


class Clock:
    def __init__(self, show):
        self.show, self.at = show, time.monotonic()

    def __call__(self, what):
        now = time.monotonic()
        if self.show:
            print(f"  {now - self.at:7.1f} s  {what}", file=sys.stderr)
        self.at = now


def expect_sql(con, settings, tree, plan, clock, wanted=("presence", "visitors"), world=None):
    """Fills `expected`, and `numbers` for the other reports, by SQL. Returns the rows by (file, reason); duplicates stand under file None."""
    import reports
    sql = sections()
    con.execute(sql["macros"])
    con.execute(zone_macro(settings))
    for name in ("from_us", "end_us", "lo_us", "hi_us", "expired_us", "hold"):
        con.execute(f"SET VARIABLE {name} = {getattr(settings, name)}::BIGINT")
    make_table(con, "plan_rows", "cell BLOB, pc VARCHAR, vf BIGINT, vt BIGINT", [r for r in plan if r[1] in tree])
    make_table(con, "tree", "pc_no INTEGER, pc VARCHAR, commune VARCHAR, province VARCHAR, region VARCHAR, country VARCHAR",
               [(n, pc, *(tree[pc].get(x) for x in ("commune", "province", "region", "country"))) for n, pc in enumerate(sorted(tree))])
    make_table(con, "optout", "sub BLOB", [(s,) for s in opt_outs(con, settings)])
    con.execute(sql["tables"])
    clock("plan and places")
    for number, path in enumerate(settings.events):
        read_file(con, settings, number, path, sql["file_rows"], homes=bool(world and world.mcc))
    clock("event files")
    con.execute(sql["intervals"])
    clock("intervals")
    reports.make_clock(con, settings)
    con.execute(sql["grounds"])
    if {"presence", "visitors"} & set(wanted):
        con.execute(sql["measures"])
        clock("presence and visits")
    if "visitors" in wanted:
        for level in LEVELS:
            con.execute(f"SET VARIABLE level = {quoted(level)}")
            con.execute(sql["visitors"])
        clock("visitors")
    if world:
        reports.numbers_sql(con, settings, world, tree, set(wanted), clock)
    return {(f, reason): n for f, reason, n in con.execute("SELECT file_no, reason, sum(n) FROM counts GROUP BY ALL").fetchall()}


def read_file(con, settings, number, path, sql, homes=False):
    rejects = not is_parquet(path)
    if rejects:
        clause, columns = csv_table(con, path, settings.delimiter, settings.csv_columns if settings.no_header else None, rejects=True)
        con.execute("DROP TABLE IF EXISTS refused; DROP TABLE IF EXISTS refused_scans")
        if not columns:
            return  # a file without a line has no rows
    else:
        clause, columns = parquet_table(con, path)
    found = {name: [columns.get(c) for c in settings.event_columns[name]] for name in EVENT_COLUMNS}
    for name in ("event_time", "subscriber_id", "cell_id"):
        if None in found[name]:
            raise Unusable(f"{path}: no column for {name}")
    t = time_parts(*found["event_time"][0], settings.time_unit)
    e = time_parts(*found["end_time"][0], settings.time_unit) if found["end_time"][0] else ("false", "NULL::BIGINT", "NULL::BIGINT")
    kind_ok = "true"
    if (settings.keep_types or settings.drop_types) and found["event_type"][0]:
        text = as_text(*found["event_type"][0])
        if settings.keep_types:
            kind_ok += f" AND coalesce({text} IN ({', '.join(quoted(x) for x in sorted(settings.keep_types))}), false)"
        if settings.drop_types:
            kind_ok += f" AND coalesce({text} NOT IN ({', '.join(quoted(x) for x in sorted(settings.drop_types))}), true)"
    codes = []
    if homes and found["home_plmn"][0]:
        codes.append(mcc_of(as_text(*found["home_plmn"][0]), "[0-9]{5,6}"))
    if homes and settings.imsi:
        codes.append(mcc_of(as_text(*found["subscriber_id"][0]), "[0-9]{6,15}"))
    con.execute(f"""CREATE OR REPLACE TEMP VIEW stage AS SELECT
        {t[0]} AS t_given, {t[1]} AS t_utc, {t[2]} AS t_local, {e[0]} AS e_given, {e[1]} AS e_utc, {e[2]} AS e_local,
        {as_blob(*found['subscriber_id'][0])} AS sub, {joined_blob(found['cell_id'], settings.separator)} AS cell, {kind_ok} AS kind_ok,
        coalesce({', '.join(codes + ['NULL::INTEGER'])}) AS mcc
        FROM {clause}""")
    con.execute(f"SET VARIABLE file_no = {number}")
    con.execute(sql)
    if rejects and con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'refused'").fetchone()[0]:
        con.execute(f"INSERT INTO counts SELECT {number}, 'malformed', count(DISTINCT line_byte_position) FROM refused")


def mcc_of(text, shape):
    """The country code that a home network, or an IMSI, begins with; null where it is not of that shape."""
    return f"CASE WHEN regexp_full_match({text}, '{shape}') THEN left({text}, 3)::INTEGER END"


# ---------------------------------------------------------------- the release

def local_text(us, zone):
    return (EPOCH + dt.timedelta(microseconds=us)).astimezone(zone).isoformat(timespec="minutes")


def load_released(con, settings, notes, there):
    """Reads the rows of presence and visitors into `released`; returns which of them are there and any fault of their columns."""
    con.execute("CREATE TABLE released (report VARCHAR, period VARCHAR, us BIGINT, day DATE, level VARCHAR, place VARCHAR, people BIGINT, status VARCHAR)")
    faults, reports = [], []
    for report, column in (("presence", "instant"), ("visitors", "period_start")):
        folder = os.path.join(settings.release, report)
        if report not in there:
            notes.append(f"the release has no {report}")
            continue
        reports.append(report)
        clause = f"read_parquet({quoted(folder + '/date=*/part.parquet')}, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
        kinds = {r[0]: r[1] for r in con.execute(f"DESCRIBE SELECT * FROM {clause}").fetchall()}
        need = [column, "level", "place", "people", "status"] + (["period"] if report == "visitors" else [])
        absent = [c for c in need if c not in kinds]
        if absent:
            raise Unusable(f"{report} has no column {', '.join(absent)}")
        if "TIME ZONE" not in kinds[column]:
            faults.append(f"{report}: {column} is a {kinds[column]}, without its zone")
        if kinds["people"] != "BIGINT":
            faults.append(f"{report}: people is a {kinds['people']}, not Int64")
        con.execute(f"""INSERT INTO released SELECT {quoted(report)}, {"'instant'" if report == "presence" else "period::VARCHAR"}, epoch_us({named(column)}),
            try_cast(date AS DATE), level::VARCHAR, place::VARCHAR, people::BIGINT, status::VARCHAR FROM {clause}""")
    others = con.execute(f"SELECT level, count(*) FROM released WHERE level IS NULL OR level NOT IN ({', '.join(map(quoted, LEVELS))}) GROUP BY ALL ORDER BY ALL").fetchall()
    for level, n in others:
        notes.append(f"{n} rows of level {level} are not checked")
    con.execute(f"DELETE FROM released WHERE level IS NULL OR level NOT IN ({', '.join(map(quoted, LEVELS))})")
    return reports, faults


def compare(con, settings, reports, places, tree, plan, sql):
    """Fills `compared`; returns the table of counts and the number of faults."""
    make_table(con, "places", "level VARCHAR, place VARCHAR", places)
    make_table(con, "times", "report VARCHAR, period VARCHAR, us BIGINT, day DATE", [t for t in settings.times() if t[0] in reports])
    make_table(con, "covered", "level VARCHAR, place VARCHAR",
               sorted({item for pc in {r[1] for r in plan} if pc in tree for item in tree[pc].items()}))
    con.execute(f"SET VARIABLE k = {settings.k}::BIGINT")
    con.execute(f"SET VARIABLE factor = {settings.factor!r}::DOUBLE")
    con.execute(sql["compare"])
    table = con.execute("""SELECT report, period, level, count(*), count(*) FILTER (status = 'published'), count(*) FILTER (status = 'withheld'),
        count(*) FILTER (status = 'withheld' AND devices >= getvariable('k')), count(*) FILTER (status = 'no_coverage'), count(fault)
        FROM compared GROUP BY ALL""").fetchall()
    return sorted(table, key=lambda row: (row[0], row[1] == "day", row[1], LEVELS.index(row[2])))


def check_ledger(settings, counts):
    """Differences between the sums of run.json and the rows counted here."""
    path = os.path.join(settings.ledger, "run.json")
    try:
        with open(path, encoding="utf-8") as f:
            run = json.load(f)
    except OSError:
        raise Unusable(f"no ledger at {path}")
    faults = []

    def differ(what, said, found):
        if said != found:
            faults.append(f"ledger: {what} is {said}, counted {found}")

    totals = {reason: sum(n for (_, r), n in counts.items() if r == reason) for reason in ["used", *REASONS]}
    totals["used"] -= totals["duplicate"]
    rejected = run.get("rejected", {})
    differ("rows_read", run.get("rows_read"), sum(totals.values()))
    differ("rows_used", run.get("rows_used"), totals["used"])
    for reason in REASONS:
        differ(f"rejected {reason}", rejected.get(reason, 0), totals[reason])
    # What only the operator's own lists and rules reject; they are not asked for here.
    for reason in sorted(set(rejected) - set(REASONS)):
        differ(f"rejected {reason}", rejected[reason], 0)
    files = run.get("files", [])
    for n, file in enumerate(files):
        if file["rows_read"] != file["rows_used"] + sum(file.get("rejected", {}).values()):
            faults.append(f"ledger: file {n + 1}: rows_read is not rows_used and the rejected")
    if files:
        for key in ("rows_read", "rows_used"):
            differ(f"sum of {key} over files", sum(f[key] for f in files), run.get(key))
        for reason in REASONS:
            differ(f"sum of {reason} over files", sum(f.get("rejected", {}).get(reason, 0) for f in files), rejected.get(reason, 0))
        differ("number of files", len(files), len(settings.events))
    # File by file, where one file alone can be meant. Which of two equal rows is the duplicate is left open.
    for number, path in enumerate(settings.events):
        mine = pathlib.PurePath(os.path.realpath(path)).parts
        near = [f for f in files if f.get("path") and ends_with(mine, strip_root(f["path"]))]
        if len(near) != 1:
            continue
        here = {reason: counts.get((number, reason), 0) for reason in ["used", *REASONS[:-1]]}
        said = near[0].get("rejected", {})
        differ(f"{path}: rows_used and duplicates", near[0]["rows_used"] + said.get("duplicate", 0), here["used"])
        for reason in REASONS[:-1]:
            differ(f"{path}: {reason}", said.get(reason, 0), here[reason])
    return faults, totals


def ends_with(whole, tail):
    return bool(tail) and whole[-len(tail):] == tail


def strip_root(text):
    return tuple(p for p in pathlib.PurePath(text).parts if p not in ("/", ".", ".."))


# ---------------------------------------------------------------- the whole

def run(argv=None, out=sys.stdout):
    import reports as other
    args = flags(argv)
    settings = Settings(args)
    if not settings.release:
        raise Unusable("--release is missing")
    clock, notes = Clock(args.timings), []
    con, scratch = connect(settings)
    with scratch:
        places, tree = place_tree(con, settings.release)
        plan = plan_rows(con, settings)
        if not plan:
            raise Unusable("the cell plan gives no cell a postal code")
        stray = len({r[1] for r in plan} - set(tree))
        if stray:
            notes.append(f"{stray} postal codes of the plan are not in places.parquet: their cells count as unknown")
        there = other.find(settings.release)
        if not there:
            raise Unusable("the release has no report")
        wanted = other.needed(there)
        world = other.World(con, settings, tree, plan, wanted)
        world.fill(con, settings, tree)
        if settings.brute:
            import brute
            read = brute.read(con, settings, tree, plan, opt_outs(con, settings))
            counts, expected = read.counts, brute.expect(settings, tree, read)
            con.execute(sections()["grounds"])
            fill = [(*key, n) for key, n in expected.items()]
            make_table(con, "expected", "report VARCHAR, period VARCHAR, us BIGINT, level VARCHAR, place VARCHAR, devices BIGINT", fill)
            other.numbers_brute(con, brute.more(con, settings, tree, read, world, wanted))
        else:
            counts = expect_sql(con, settings, tree, plan, clock, wanted, world)
        reports, faults = load_released(con, settings, notes, there)
        table = compare(con, settings, reports, places, tree, plan, sections())
        clock("comparison")
        more_table, more_kinds, more_lines = other.compare(con, settings, world, there, clock)
        missing = [r for r in settings.reports if r not in there and r != "all"]
        if missing and args.reports:
            faults.append(f"the release has no {', '.join(missing)}")
        elif missing:
            notes.append(f"the config names {', '.join(missing)}, which the release has not")
        count = sum(row[-1] for row in table) + sum(n for _, n in more_kinds)
        totals = None
        if settings.ledger:
            ledger_faults, totals = check_ledger(settings, counts)
            faults += ledger_faults
        count += len(faults)

        heads = ("report", "period", "level", "cells", "published", "withheld", "protective", "no_coverage", "mismatches")
        wide = "{:<9} {:<8} {:<12} {:>9} {:>10} {:>9} {:>11} {:>12} {:>11}" if not more_table else "{:<9} {:<16} {:<12} {:>9} {:>10} {:>9} {:>11} {:>12} {:>11}"
        for row in [heads, *table, *more_table]:
            print(wide.format(*row), file=out)
        if totals:
            print("ledger    rows " + ", ".join(f"{r} {n}" for r, n in totals.items()), file=out)
        for note in notes:
            print(f"note: {note}", file=out)
        if count:
            kinds = con.execute("SELECT fault, count(*) FROM compared WHERE fault IS NOT NULL GROUP BY ALL ORDER BY 2 DESC, 1").fetchall()
            for fault, n in kinds + more_kinds:
                print(f"{n:>9} x {fault}", file=out)
            print(f"{count} differences; the first 20 of each kind of table:" if more_kinds else f"{count} differences; the first 20:", file=out)
            rest = con.execute("""SELECT report, period, level, place, us, fault, status, people, devices, due FROM compared WHERE fault IS NOT NULL
                ORDER BY report, us, period, level, place LIMIT 20""").fetchall()
            lines = faults + [f"{report} {period} {local_text(us, settings.zone)} {level} {place}: {fault} "
                              f"(status {status}, people {people}; devices {devices}, people due {due})"
                              for report, period, level, place, us, fault, status, people, devices, due in rest]
            for line in lines[:20] + more_lines:
                print("  " + line, file=out)
            return 1
        print("all agree", file=out)
        return 0


def main():
    try:
        return run()
    except Unusable as e:
        print(f"error: {e}", file=sys.stderr)
    except duckdb.Error as e:
        # The message of the engine may quote a row: its kind alone is shown.
        print(f"error: DuckDB could not do it ({type(e).__name__}); check that every file can be read", file=sys.stderr)
    return 2


if __name__ == "__main__":
    import check  # the same module that brute.py sees
    sys.exit(check.main())
