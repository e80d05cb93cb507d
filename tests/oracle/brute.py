"""Computes presence and visitors in plain Python for tiny inputs, to test oracle.sql and to settle a dispute by hand.

It follows SPEC sections 3 and 4 sentence by sentence, event by event and instant by instant, and shares with the SQL
only the flags, the tree of places and the rows of the cell plan.
"""
import csv
import datetime as dt
import gzip
import math
import re
from fractions import Fraction

import check

SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)
UNITS = {"s": Fraction(1_000_000), "ms": Fraction(1000), "us": Fraction(1), "ns": Fraction(1, 1000)}


class Malformed(Exception):
    pass


def naive_us(moment, zone):
    return check.to_us(moment.replace(tzinfo=zone, fold=0).astimezone(dt.timezone.utc))


def number_us(value, unit):
    if unit == "auto":
        size = abs(value)
        unit = "s" if size < 10**11 else "ms" if size < 10**14 else "us" if size < 10**17 else "ns"
    us = math.floor(value * UNITS[unit])
    if abs(us) >= 2**63:
        raise Malformed
    return us


def time_us(value, settings):
    if value is None or value == "":
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, int):
        return number_us(value, settings.time_unit)
    if isinstance(value, dt.datetime):
        return check.to_us(value) if value.tzinfo else naive_us(value, settings.zone)
    found = SHAPE.fullmatch(value)
    if not found:
        if NUMBER.fullmatch(value):
            return number_us(int(value), settings.time_unit)
        raise Malformed
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = dt.datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0),
                             int(((fraction or "") + "000000")[:6]))
    except ValueError:
        raise Malformed
    if zone is None:
        return naive_us(moment, settings.zone)
    if zone in "Zz":
        shift = 0
    else:
        digits = zone[1:].replace(":", "")
        hours, minutes = int(digits[:2]), int(digits[2:] or 0)
        if hours > 23 or minutes > 59:
            raise Malformed
        shift = (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
    return check.to_us(moment.replace(tzinfo=dt.timezone.utc)) - shift * 60_000_000


def to_bytes(value):
    if value is None or value == "" or value == b"":
        return None
    return value if isinstance(value, bytes) else str(value).encode()


def rows_of(con, settings, path):
    """Each row as {column: value}, or None where its fields do not fit the header."""
    if check.is_parquet(path):
        clause, columns = check.parquet_table(con, path)
        zoned = [name for name, (_, kind) in columns.items() if "TIME ZONE" in kind]
        picked = ", ".join(f"make_timestamp(epoch_us({column}))" if name in zoned else column for name, (column, _) in columns.items())
        for values in con.execute(f"SELECT {picked} FROM {clause}").fetchall():
            row = dict(zip(columns, values))
            for name in zoned:
                row[name] = row[name] and row[name].replace(tzinfo=dt.timezone.utc)
            yield row
        return
    if path.endswith(".zst"):
        raise check.Unusable("--brute reads .csv, .csv.gz and .parquet")
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as f:
        reader = csv.reader(f, delimiter=settings.delimiter)
        names = settings.csv_columns if settings.no_header else next(reader, [])
        for row in reader:
            if row:
                broken = len(row) != len(names) or any("\udc80" <= c <= "\udcff" for field in row for c in field)
                yield None if broken else dict(zip(names, row))


def place_at(plan, cell, us):
    codes = [pc for pc, first, past in plan.get(cell, ()) if first <= us < past]
    return min(codes) if codes else None


def judge(row, settings, plan, opted_out):
    """The reason a row is rejected for, or its (subscriber, start, end, cell)."""
    if row is None:
        return "malformed", None
    try:
        start = time_us(row[settings.event_columns["event_time"][0]], settings)
        end = time_us(row.get(settings.event_columns["end_time"][0]), settings)
    except Malformed:
        return "malformed", None
    if start is not None and end is not None and end < start:
        return "malformed", None
    subscriber = to_bytes(row[settings.event_columns["subscriber_id"][0]])
    parts = [to_bytes(row[c]) for c in settings.event_columns["cell_id"]]
    if start is None or subscriber is None or None in parts:
        return "missing_field", None
    cell = settings.separator.encode().join(parts)
    type_column = settings.event_columns["event_type"][0]
    if type_column in row:
        kind = to_bytes(row[type_column])
        kind = kind.decode() if kind else None
        if (settings.keep_types and kind not in settings.keep_types) or kind in settings.drop_types:
            return "wrong_type", None
    if start < settings.expired_us:
        return "expired", None
    if start >= settings.hi_us or (start if end is None else end) < settings.lo_us:
        return "outside_window", None
    if subscriber in opted_out:
        return "opted_out", None
    if place_at(plan, cell, start) is None:
        return "unknown_cell", None
    return "used", (subscriber, start, end, cell)


def expect(con, settings, tree, plan_list, opted_out):
    """The rows by (file, reason), and every number by (report, period, microseconds, level, place)."""
    plan, counts, sessions = {}, {}, {}
    for cell, pc, first, past in plan_list:
        if pc in tree:
            plan.setdefault(cell, []).append((pc, first, past))
    for number, path in enumerate(settings.events):
        for row in rows_of(con, settings, path):
            reason, event = judge(row, settings, plan, opted_out)
            counts[number, reason] = counts.get((number, reason), 0) + 1
            if reason == "used":
                subscriber, start, end, cell = event
                key = subscriber, start, cell
                if key in sessions:
                    counts[None, "duplicate"] = counts.get((None, "duplicate"), 0) + 1
                    sessions[key] = max((e for e in (sessions[key], end) if e is not None), default=None)
                else:
                    sessions[key] = end

    events = {}
    for (subscriber, start, cell), end in sessions.items():
        moments = {start}
        if end is not None:
            moments |= {end, *range(start, end, settings.hold)}
        for us in moments:
            if settings.lo_us <= us < settings.hi_us and place_at(plan, cell, us) is not None:
                events.setdefault(subscriber, set()).add((us, cell))

    hold = settings.hold
    intervals = {}  # subscriber: [(a, b, postal code)]
    for subscriber, its in events.items():
        its = sorted(its)
        line = []
        for n, (us, cell) in enumerate(its):
            a, b = us - hold, us + hold
            if n > 0 and us - its[n - 1][0] <= 2 * hold:
                a = math.floor(Fraction(its[n - 1][0] + us, 2))
            if n + 1 < len(its) and its[n + 1][0] - us <= 2 * hold:
                b = math.floor(Fraction(us + its[n + 1][0], 2))
            line.append((a, b, place_at(plan, cell, us)))
        for (_, b, _), (a, _, _) in zip(line, line[1:]):
            assert b <= a, "intervals overlap"
        intervals[subscriber] = [i for i in line if i[0] < i[1]]

    expected, who = {}, {}

    def seen(report, period, us, pc, subscriber):
        for level, place in tree[pc].items():
            who.setdefault((report, period, us, level, place), set()).add(subscriber)

    hours = [us for us, _ in settings.grid(3600 * check.MICROS)] + [settings.end_us]
    midnights = [us for _, us in settings.midnights]
    periods = [("hour", *p) for p in zip(hours, hours[1:])] + [("day", *p) for p in zip(midnights, midnights[1:])]
    instants = [us for us, _ in settings.grid(settings.step)]
    for subscriber, line in intervals.items():
        stays = []
        for a, b, pc in line:
            if stays and stays[-1][1] == a and stays[-1][2] == pc:
                stays[-1][1] = b
            else:
                stays.append([a, b, pc])
        for us in instants:
            here = [pc for a, b, pc in line if a <= us < b]
            assert len(here) <= 1, "two places at once"
            for pc in here:
                seen("presence", "instant", us, pc, subscriber)
        for period, first, past in periods:
            for a, b, pc in stays:
                if min(b, past) - max(a, first) > 0:
                    seen("visitors", period, first, pc, subscriber)
    for key, subscribers in who.items():
        expected[key] = len(subscribers)
    return counts, expected
