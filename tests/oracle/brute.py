"""Computes every report in plain Python for tiny inputs, to test the SQL and to settle a dispute by hand.

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
    return "used", (subscriber, start, end, cell, home_code(row, subscriber, settings))


def home_code(row, subscriber, settings):
    """The country code of the row's home network, or of the subscriber's IMSI; None where there is none."""
    texts = [(row.get(settings.event_columns["home_plmn"][0]), (5, 6))] + [(subscriber, (6, 15))] * settings.imsi
    for value, (least, most) in texts:
        value = to_bytes(value) or b""
        if least <= len(value) <= most and all(48 <= c <= 57 for c in value):
            return int(value[:3])
    return None


class Read:
    """What the event files say: rows by (file, reason), each subscriber's intervals (a, b, postal code, cell) and home code."""

    def __init__(self):
        self.counts, self.intervals, self.homes = {}, {}, {}


def read(con, settings, tree, plan_list, opted_out):
    out = Read()
    plan, counts, sessions = {}, out.counts, {}
    for cell, pc, first, past in plan_list:
        if pc in tree:
            plan.setdefault(cell, []).append((pc, first, past))
    for number, path in enumerate(settings.events):
        for row in rows_of(con, settings, path):
            reason, event = judge(row, settings, plan, opted_out)
            counts[number, reason] = counts.get((number, reason), 0) + 1
            if reason == "used":
                subscriber, start, end, cell, code = event
                if code is not None:
                    out.homes[subscriber] = min(code, out.homes.get(subscriber, code))
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
    for subscriber, its in events.items():
        its = sorted(its)
        line = []
        for n, (us, cell) in enumerate(its):
            a, b = us - hold, us + hold
            if n > 0 and us - its[n - 1][0] <= 2 * hold:
                a = math.floor(Fraction(its[n - 1][0] + us, 2))
            if n + 1 < len(its) and its[n + 1][0] - us <= 2 * hold:
                b = math.floor(Fraction(us + its[n + 1][0], 2))
            line.append((a, b, place_at(plan, cell, us), cell))
        for (_, b, *_), (a, *_) in zip(line, line[1:]):
            assert b <= a, "intervals overlap"
        out.intervals[subscriber] = [i for i in line if i[0] < i[1]]
    return out


def stays_of(line, key):
    """Maximal runs of touching intervals with the same key, as (a, b, key)."""
    stays = []
    for a, b, *rest in line:
        if stays and stays[-1][1] == a and stays[-1][2] == key(*rest):
            stays[-1][1] = b
        else:
            stays.append([a, b, key(*rest)])
    return stays


def expect(settings, tree, read):
    """Every number of presence and visitors by (report, period, microseconds, level, place)."""
    expected, who = {}, {}

    def seen(report, period, us, pc, subscriber):
        for level, place in tree[pc].items():
            who.setdefault((report, period, us, level, place), set()).add(subscriber)

    instants = [us for us, _ in settings.grid(settings.step)]
    for subscriber, line in read.intervals.items():
        stays = stays_of(line, lambda pc, cell: pc)
        for us in instants:
            here = [pc for a, b, pc, _ in line if a <= us < b]
            assert len(here) <= 1, "two places at once"
            for pc in here:
                seen("presence", "instant", us, pc, subscriber)
        for period, first, past in periods(settings):
            for a, b, pc in stays:
                if min(b, past) - max(a, first) > 0:
                    seen("visitors", period, first, pc, subscriber)
    for key, subscribers in who.items():
        expected[key] = len(subscribers)
    return expected


def periods(settings):
    hours = [us for us, _ in settings.grid(3600 * check.MICROS)] + [settings.end_us]
    midnights = [us for _, us in settings.midnights]
    return [("hour", *p) for p in zip(hours, hours[1:])] + [("day", *p) for p in zip(midnights, midnights[1:])]


# ---------------------------------------------------------------- the reports beside presence and visitors

MINUTE = 60 * check.MICROS
DWELL_FROM = [("8h+", 480), ("4-8h", 240), ("2-4h", 120), ("1-2h", 60), ("30-60min", 30), ("15-30min", 15), ("0-15min", 0)]
OFTEN_FROM = [("15+", 15), ("8-14", 8), ("4-7", 4), ("2-3", 2), ("1", 1)]


def dwell_of(us):
    return next(name for name, minutes in DWELL_FROM if us >= minutes * MINUTE)


def homes(con, settings, read, world):
    """Each subscriber's classes of residence: `all`, the country, and what is finer where it is known."""
    by_commune = {place: line for (level, place), line in world.lines.items() if level == "commune"}
    by_code = {place: line for (level, place), line in world.lines.items() if level == "postal_code"}
    listed = {}
    for path in settings.residence:
        for row in rows_of(con, settings, path):
            subscriber, code, commune = (to_bytes(row.get(c)) for c in ("subscriber_id", "postal_code", "commune"))
            line = code and by_code.get(code.decode()) or commune and by_commune.get(commune.decode())
            if subscriber and line:
                listed.setdefault(subscriber, []).append((code or commune, line))
    out = {}
    for subscriber in read.intervals:
        if subscriber in listed:
            line = min(listed[subscriber], key=lambda x: x[0])[1]
        else:
            line = {"country": world.mcc.get(read.homes.get(subscriber), "ZZ")}
        out[subscriber] = [("all", "all")] + [(level, line[level]) for level in ("country", "region", "province", "commune") if level in line]
    return out


def more(con, settings, tree, read, world, wanted):
    """{(series, microseconds, level, place, class level, class): (n, devices, due)}, by the sentences of SPEC 4, one after the other."""
    counted = {}  # key: [subscriber, ...], one entry each time that a subscriber counts

    def count(series, us, place, cls, subscriber):
        counted.setdefault((series, us, *place, *cls), []).append(subscriber)

    home = homes(con, settings, read, world) if wanted & {"residence", "occasions"} else {}
    days = [p[1:] for p in periods(settings) if p[0] == "day"]
    hours = [p[1:] for p in periods(settings) if p[0] == "hour"]
    for subscriber, line in read.intervals.items():
        on_days = {}
        for first, past in days:
            spent = {}
            for a, b, pc, _ in line:
                time = min(b, past) - max(a, first)
                if time > 0:
                    for place in tree[pc].items():
                        spent[place] = spent.get(place, 0) + time
            for place, time in spent.items():
                on_days[place] = on_days.get(place, 0) + 1
                if "dwell" in wanted:
                    count(6, first, place, ("dwell", dwell_of(time)), subscriber)
                if "residence" in wanted:
                    for cls in home[subscriber]:
                        count(5, first, place, cls, subscriber)
        if "frequency" in wanted:
            for place, n in on_days.items():
                count(7, settings.from_us, place, ("days", "all"), subscriber)
                count(7, settings.from_us, place, ("days", next(name for name, least in OFTEN_FROM if n >= least)), subscriber)
        if "residence" in wanted:
            for us, _ in hours:
                for a, b, pc, _ in line:
                    if a <= us < b:
                        for place in tree[pc].items():
                            for cls in home[subscriber]:
                                count(4, us, place, cls, subscriber)
        if "flows" in wanted:
            long = [s for s in stays_of(line, lambda pc, cell: pc) if s[1] - s[0] >= settings.min_stay]
            for first, past in hours:
                last = None
                for (_, _, origin), (a, _, destination) in zip(long, long[1:]):
                    if first <= a < past and origin != destination:
                        last = origin, destination
                if last:
                    day = next(d for d, end in days if d <= first < end)
                    for origin in [*tree[last[0]].items(), ("all", "all")]:
                        for destination in [*tree[last[1]].items(), ("all", "all")]:
                            count(8, first, origin, destination, subscriber)
                            count(9, day, origin, destination, subscriber)
    out = {key: (len(who), len(set(who)), None) for key, who in counted.items()}
    for occasion in world.occasions if "occasions" in wanted else []:
        out.update(at_occasion(settings, read, home, occasion))
    return out


def at_occasion(settings, read, home, occasion):
    instants = [us for us, _ in settings.grid(settings.step)]
    nexts = dict(zip(instants, instants[1:] + [settings.end_us]))
    steps = [us for us in instants if occasion.w0 <= us < occasion.w1]
    stays = {s: [(a, b) for a, b, inside in stays_of(line, lambda pc, cell: pc in occasion.codes or cell in occasion.cells) if inside]
             for s, line in read.intervals.items()}
    place, none, out, who = ("occasion", occasion.name), ("all", "all"), {}, {}

    def present(us):
        return sum(any(a <= us < b for a, b in its) for its in stays.values())

    for us in steps:
        out[10, us, *place, *none] = present(us)
        before = [i for i in instants if i < us and same_time_of_week(settings.zone, i, us)]
        if before:
            people = [math.floor(present(i) * settings.factor + 0.5) for i in before]
            out[11, us, *place, *none] = (None, min(map(present, before)), math.floor(Fraction(sum(people), len(people)) + Fraction(1, 2)))
        for series, side in ((13, 0), (14, 1)):
            out[series, us, *place, *none] = sum(
                any(us <= stay[side] < nexts[us] and occasion.w0 <= stay[side] < occasion.w1 for stay in its) for its in stays.values())
    for subscriber, its in stays.items():
        time = sum(max(0, min(b, occasion.w1) - max(a, occasion.w0)) for a, b in its)
        if time > 0:
            for series, cls in [(12, none), (16, ("dwell", dwell_of(time)))] + [(15, cls) for cls in home[subscriber]]:
                who.setdefault((series, occasion.start, *place, *cls), set()).add(subscriber)
    out.update({key: len(subscribers) for key, subscribers in who.items()})
    return {key: n if isinstance(n, tuple) else (n, n, None) for key, n in out.items() if n}


def same_time_of_week(zone, early, late):
    first, second = ((check.EPOCH + dt.timedelta(microseconds=us)).astimezone(zone) for us in (early, late))
    if first.weekday() != second.weekday() or first.time() != second.time():
        return False
    # Of an hour that a day shows twice, the reading that the later day has; a plain day's hour answers to the first.
    return first.fold == second.fold or check.to_us(first.replace(fold=second.fold).astimezone(dt.timezone.utc)) == early
