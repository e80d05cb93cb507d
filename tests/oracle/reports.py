"""Reads and checks the reports beside presence and visitors: residence, dwell, frequency, flows, occasions and context.

Their numbers come from reports.sql (or, for small inputs, from brute.py); rules.sql compares them with the release.
"""
import collections
import csv
import datetime as dt
import glob
import os
import re

import check
from check import LEVELS, MICROS, Unusable, make_table, named, quoted

ALL, OTHER = 0, 1
DWELL = ["0-15min", "15-30min", "30-60min", "1-2h", "2-4h", "4-8h", "8h+"]
DAYS = ["all", "1", "2-3", "4-7", "8-14", "15+"]
# (report, measure, period) of each series; presence and visitors, which oracle.sql computes, are 1 to 3.
SERIES = {
    1: ("presence", "", "instant"), 2: ("visitors", "", "hour"), 3: ("visitors", "", "day"),
    4: ("residence", "presence", "hour"), 5: ("residence", "visitors", "day"), 6: ("dwell", "", "day"), 7: ("frequency", "", "window"),
    8: ("flows", "", "hour"), 9: ("flows", "", "day"),
    10: ("occasions", "presence", "step"), 11: ("occasions", "typical", "step"), 12: ("occasions", "visitors", "window"),
    13: ("occasions", "arrivals", "step"), 14: ("occasions", "departures", "step"), 15: ("occasions", "residence", "window"),
    16: ("occasions", "dwell", "window"), 17: ("context", "", "day"),
}
NEW = ["residence", "dwell", "frequency", "flows", "occasions", "context"]
# Which kind of class a series has.
CLASS_KIND = {4: "residence", 5: "residence", 6: "dwell", 7: "days", 8: "place", 9: "place", 15: "residence", 16: "dwell"}
ONE_FILE = ("frequency", "occasions")
Occasion = collections.namedtuple("Occasion", "name title start end w0 w1 codes cells")


def find(release):
    """The reports that the release holds."""
    def there(report):
        tail = "part.parquet" if report in ONE_FILE else "date=*/part.parquet"
        return glob.glob(os.path.join(release, report, tail))
    return [r for r in ["presence", "visitors", *NEW] if there(r)]


def needed(reports):
    """The reports whose numbers are to be computed, to check these and the sums they must agree with."""
    out = set(reports)
    if out & {"residence", "context"}:
        out |= {"presence", "visitors"}
    if "dwell" in out:
        out.add("visitors")
    if "occasions" in out:
        out.add("presence")
    return out


class Names:
    """Every place, class and occasion by number."""

    def __init__(self, lines, mcc, occasions):
        self.lines = lines
        self.rows = [(ALL, "any", "all", "all"), (OTHER, "any", "other", "other")]
        self.place, self.residence, self.occasion = {}, {}, {}
        for level in LEVELS:
            for lv, name in sorted(lines):
                if lv == level:
                    self.place[lv, name] = self.add("place", lv, name)
        countries = {name for level, name in lines if level == "country"} | set(mcc.values()) | {"ZZ"}
        for name in sorted(countries):
            self.residence["country", name] = self.add("residence", "country", name)
        for level, name in sorted(lines):
            if level in ("region", "province", "commune"):
                self.residence[level, name] = self.add("residence", level, name)
        self.dwell_0 = len(self.rows)
        for name in DWELL:
            self.add("dwell", "dwell", name)
        self.days_0 = len(self.rows)
        for name in DAYS:
            self.add("days", "days", name)
        for o in occasions:
            self.occasion[o.name] = self.add("occasion", "occasion", o.name)

    def add(self, kind, level, name):
        self.rows.append((len(self.rows), kind, level, name))
        return len(self.rows) - 1

    def class_line(self, level, name):
        """The classes of residence that hold one, upward: its own first, `all` last."""
        if (level, name) not in self.lines:
            return [self.residence[level, name], ALL]
        line = self.lines[level, name]
        return [self.residence[up, line[up]] for up in reversed(LEVELS[:-1]) if up in line] + [ALL]

    def place_line(self, level, name):
        line = self.lines[level, name]
        return [self.place[up, line[up]] for up in reversed(LEVELS) if up in line] + [ALL]

    def leaves(self):
        """(level, name of the residence table, number of the finest class) of every code that may be listed, and of every country."""
        out = [("country", name, no) for (level, name), no in self.residence.items() if level == "country"]
        for (level, name), line in self.lines.items():
            if level in ("postal_code", "commune"):
                finest = next((up for up in reversed(LEVELS[:-1]) if up in line), None)
                if finest:
                    out.append((level, name, self.residence[finest, line[finest]]))
        return out


def mcc_table(settings):
    """The country of each mobile country code."""
    with open(settings.mcc, encoding="utf-8", newline="") as f:
        return {int(row["mcc"]): row["country"] for row in csv.DictReader(f) if row["country"]}


def read_occasions(con, settings, tree):
    """The occasions of the table; a moment without a zone is on the local clock."""
    out = []
    for path in settings.occasions:
        clause, columns = check.table_of(con, path)
        missing = [c for c in ("occasion", "start", "end") if c not in columns]
        if missing:
            raise Unusable(f"{path}: no column {', '.join(missing)}")

        def text(*options):
            return next((check.as_text(*columns[c]) for c in options if c in columns), "NULL")
        times = [check.time_parts(*columns[c], settings.time_unit) for c in ("start", "end")]
        moments = ", ".join(f"coalesce({utc}, zone_utc({local}))" for _, utc, local in times)
        for name, title, start, end, codes, cells in con.execute(
                f"SELECT {text('occasion')}, {text('name')}, {moments}, {text('postal_codes', 'postal_code')}, {text('cells', 'cell_id')} "
                f"FROM {clause}").fetchall():
            codes, cells = ([part for part in re.split(r"[;,|\s]+", t or "") if part] for t in (codes, cells))
            if not name or start is None or end is None or start >= end:
                raise Unusable(f"{path}: an occasion without name, start or end, or that ends before it starts")
            if not codes and not cells:
                raise Unusable(f"{path}: an occasion with neither postal_codes nor cells (polygons are not checked)")
            if set(codes) - set(tree):
                raise Unusable(f"{path}: an occasion names a postal code that is not a place")
            out.append(Occasion(name, title, start, end, max(start, settings.from_us), min(end, settings.end_us),
                                sorted(set(codes)), sorted({c.encode() for c in cells})))
    if len({o.name for o in out}) != len(out):
        raise Unusable("the table of occasions names one twice")
    return sorted(out)


def typical_moments(settings, us):
    """The instants at the same local clock time of the same weekday in the weeks before, within the run's window."""
    def clock(at):
        moment = (check.EPOCH + dt.timedelta(microseconds=at)).astimezone(settings.zone)
        return moment.replace(tzinfo=None), moment.fold
    here, fold = clock(us)
    out = []
    while True:
        here -= 7 * check.ONE_DAY
        if here.date() < settings.first:
            return out
        # A clock time that the day shows once has one reading for both folds; one that it skips has none.
        at = check.to_us(here.replace(tzinfo=settings.zone, fold=fold).astimezone(check.UTC))
        if clock(at)[0] == here:
            out.append(at)


class World:
    """The small tables that the numbers and the comparison stand on."""

    def __init__(self, con, settings, tree, plan, wanted):
        self.lines = check.place_lines(con, settings.release)
        self.mcc = mcc_table(settings) if wanted & {"residence", "occasions"} else {}
        con.execute(check.sections()["macros"])
        con.execute(check.zone_macro(settings))
        if "occasions" in wanted and not settings.occasions:
            raise Unusable("the release has occasions; --occasions is missing")
        if "context" in wanted and not settings.census:
            raise Unusable("the release has context; --census is missing")
        self.occasions = read_occasions(con, settings, tree) if "occasions" in wanted else []
        self.names = Names(self.lines, self.mcc, self.occasions)
        self.plan = [r for r in plan if r[1] in tree]

    def fill(self, con, settings, tree):
        names = self.names
        variables = {"dwell_0": names.dwell_0, "days_0": names.days_0, "unknown_home": names.residence["country", "ZZ"],
                     "k": settings.k, "min_stay": settings.min_stay, "from_us": settings.from_us, "end_us": settings.end_us}
        for name, value in variables.items():
            con.execute(f"SET VARIABLE {name} = {value}::BIGINT")
        con.execute(f"SET VARIABLE factor = {settings.factor!r}::DOUBLE")
        make_table(con, "names", "no INTEGER, kind VARCHAR, level VARCHAR, name VARCHAR", names.rows)
        make_table(con, "series", "series INTEGER, report VARCHAR, measure VARCHAR, period VARCHAR", [(n, *s) for n, s in SERIES.items()])
        make_table(con, "lines", "pc_no INTEGER, level VARCHAR, place_no INTEGER",
                   [(n, level, names.place[level, place]) for n, pc in enumerate(sorted(tree)) for level, place in tree[pc].items()])
        make_table(con, "class_lines", "leaf_no INTEGER, class_no INTEGER",
                   [(no, up) for (level, name), no in names.residence.items() for up in names.class_line(level, name)])
        make_table(con, "residence_leaves", "level VARCHAR, name VARCHAR, leaf_no INTEGER", names.leaves())
        make_table(con, "mcc", "mcc INTEGER, country VARCHAR", self.mcc.items())
        make_table(con, "day_bounds", "day_no INTEGER, us BIGINT, past BIGINT",
                   [(n, us, past) for n, ((_, us), (_, past)) in enumerate(zip(settings.midnights, settings.midnights[1:]))])
        make_clock(con, settings)
        number = {pc: n for n, pc in enumerate(sorted(tree))}
        at = names.occasion
        make_table(con, "occasions", "o_no INTEGER, start_us BIGINT, w0 BIGINT, w1 BIGINT", [(at[o.name], o.start, o.w0, o.w1) for o in self.occasions])
        make_table(con, "occasion_pcs", "o_no INTEGER, pc_no INTEGER", [(at[o.name], number[pc]) for o in self.occasions for pc in o.codes])
        make_table(con, "occasion_cells", "o_no INTEGER, cell BLOB", [(at[o.name], c) for o in self.occasions for c in o.cells])
        make_table(con, "typical_days", "o_no INTEGER, us BIGINT, before_us BIGINT",
                   [(at[o.name], us, before) for o in self.occasions for us in steps_of(settings, o) for before in typical_moments(settings, us)])
        con.execute("CREATE TABLE listed_rows (sub BLOB, pc VARCHAR, commune VARCHAR)")

    def listed(self, con, settings):
        """The residence table as it stands, into listed_rows."""
        for path in settings.residence:
            clause, columns = check.table_of(con, path)
            sub = columns.get("subscriber_id") or columns.get(settings.event_columns["subscriber_id"][0])
            if not sub or not {"postal_code", "commune"} & set(columns):
                raise Unusable(f"{path}: the residence table needs subscriber_id and postal_code or commune")
            pc, commune = (check.as_text(*columns[c]) if c in columns else "NULL" for c in ("postal_code", "commune"))
            con.execute(f"INSERT INTO listed_rows SELECT {check.as_blob(*sub)}, {pc}, {commune} FROM {clause} WHERE {check.as_blob(*sub)} IS NOT NULL")


def make_clock(con, settings):
    make_table(con, "instants", "i INTEGER, us BIGINT, day DATE", [(n, us, d) for n, (us, d) in enumerate(settings.grid(settings.step))])
    make_table(con, "hours", "h INTEGER, us BIGINT, day DATE", [(n, us, d) for n, (us, d) in enumerate(settings.grid(3600 * MICROS))])
    make_table(con, "days", "day_no INTEGER, us BIGINT, day DATE", [(n, us, d) for n, (d, us) in enumerate(settings.midnights[:-1])])


def steps_of(settings, occasion):
    """The instants of the run that lie in the occasion's window."""
    return [us for us, _ in settings.grid(settings.step) if occasion.w0 <= us < occasion.w1]


def numbers_sql(con, settings, world, tree, wanted, clock):
    """Fills `numbers` for the reports wanted, from the intervals of oracle.sql."""
    sql = check.sections("reports.sql")

    def each_level(section):
        for level in LEVELS:
            con.execute(f"SET VARIABLE level = {quoted(level)}")
            con.execute(sql[section])

    con.execute(sql["grounds"])
    from_expected(con)
    if wanted & {"dwell", "frequency", "residence"}:
        con.execute(sql["day_time"])
        clock("time by day")
    if "dwell" in wanted:
        each_level("dwell")
        clock("dwell")
    if "frequency" in wanted:
        each_level("frequency")
        clock("frequency")
    if wanted & {"residence", "occasions"}:
        world.listed(con, settings)
        con.execute(sql["homes"])
    if "residence" in wanted:
        con.execute(sql["residence_presence"])
        each_level("residence_visitors")
        clock("residence")
    if "flows" in wanted:
        con.execute(sql["trips"])
        for level in [*LEVELS, "all"]:
            con.execute(f"SET VARIABLE level = {quoted(level)}")
            for to_level in [*LEVELS, "all"]:
                con.execute(f"SET VARIABLE to_level = {quoted(to_level)}")
                con.execute(sql["flows_by_day"])
        clock("flows")
    if "occasions" in wanted:
        con.execute(sql["occasions"])
        clock("occasions")
    agreeing = [n for n, (report, _, _) in SERIES.items() if report in wanted] + [40, 50] * ("residence" in wanted)
    con.execute(f"SET VARIABLE agreeing = {agreeing}")
    con.execute(sql["agreement"])
    clock("sums that must agree")


def from_expected(con):
    """Presence and visitors, as oracle.sql gives them, among the other numbers."""
    con.execute("""INSERT INTO numbers SELECT s.series, e.us, n.no, 0, e.devices, e.devices, NULL
        FROM expected e JOIN series s ON s.report = e.report AND s.period = e.period
        JOIN names n ON n.kind = 'place' AND n.level = e.level AND n.name = e.place""")


def numbers_brute(con, more):
    con.execute(check.sections("reports.sql")["grounds"])
    from_expected(con)
    make_table(con, "by_hand", "series INTEGER, us BIGINT, level VARCHAR, place VARCHAR, class_level VARCHAR, class VARCHAR, n BIGINT, devices BIGINT, due BIGINT",
               [(*key, *value) for key, value in more.items()])
    con.execute("""INSERT INTO numbers SELECT series, us, p.no, c.no, h.n, devices, due FROM by_hand h
        JOIN names p ON p.level = h.level AND p.name = h.place AND p.kind = CASE WHEN h.level = 'all' THEN 'any' WHEN h.series BETWEEN 10 AND 16 THEN 'occasion' ELSE 'place' END
        JOIN names c ON c.level = h.class_level AND c.name = h.class
          AND c.kind = CASE WHEN h.class_level = 'all' THEN 'any' WHEN h.series IN (8, 9) THEN 'place' WHEN h.series IN (6, 16) THEN 'dwell' WHEN h.series = 7 THEN 'days' ELSE 'residence' END""")
    con.execute("CREATE TABLE agreement (what VARCHAR, series INTEGER, us BIGINT, place_no INTEGER, class_no INTEGER, parts BIGINT, whole BIGINT)")


def numbers_by_name(con):
    """The numbers of the reports beside presence and visitors as {(series, us, level, place, class level, class): (n, devices, due)}."""
    rows = con.execute("""SELECT series, us, p.level, p.name, c.level, c.name, n, devices, due
        FROM numbers JOIN names p ON p.no = place_no JOIN names c ON c.no = class_no WHERE series > 3""").fetchall()
    out = {r[:6]: r[6:] for r in rows}
    assert len(out) == len(rows)
    return out


# ---------------------------------------------------------------- the release

def described(con, clause, report, need, faults):
    kinds = {r[0]: r[1] for r in con.execute(f"DESCRIBE SELECT * FROM {clause}").fetchall()}
    absent = [c for c in need if c not in kinds]
    if absent:
        raise Unusable(f"{report} has no column {', '.join(absent)}")
    for column in ("instant", "period_start", "at", "start", "end"):
        if column in need and "TIME ZONE" not in kinds[column]:
            faults.append(f"{report}: {column} is a {kinds[column]}, without its zone")
    if "people" in need and kinds["people"] != "BIGINT":
        faults.append(f"{report}: people is a {kinds['people']}, not Int64")
    if "finest" in need and kinds["finest"] != "BOOLEAN":
        faults.append(f"{report}: finest is a {kinds['finest']}, not a boolean")
    return kinds


def parquet_of(settings, report):
    folder = os.path.join(settings.release, report)
    if report in ONE_FILE:
        return f"read_parquet({quoted(folder + '/part.parquet')}, hive_partitioning = false)"
    return f"read_parquet({quoted(folder + '/date=*/part.parquet')}, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"


COLUMNS = {
    "residence": ["measure", "period_start", "period", "level", "place", "residence_level", "residence", "finest", "people", "status"],
    "dwell": ["period_start", "period", "level", "place", "dwell", "people", "status"],
    "frequency": ["period_start", "period", "level", "place", "days", "people", "status"],
    "flows": ["period_start", "period", "level", "place", "destination_level", "destination", "people", "status"],
    "occasions": ["occasion", "measure", "at", "class_level", "class", "people", "status"],
}
# How each report says (measure, period, microseconds, level, place, class level, class).
READING = {
    "residence": "measure, period, epoch_us(period_start), level, place, residence_level, residence",
    "dwell": "'', period, epoch_us(period_start), level, place, 'dwell', dwell",
    "frequency": "'', period, epoch_us(period_start), level, place, 'days', days",
    "flows": "'', period, epoch_us(period_start), level, place, destination_level, destination",
    "occasions": "measure, NULL, epoch_us(\"at\"), 'occasion', occasion, CASE WHEN measure = 'dwell' THEN 'dwell' ELSE class_level END, class",
}


def load(con, settings, reports, faults):
    """Reads the rows of the release into `shown_rows`, by number; those that name what is nowhere become faults."""
    con.execute("CREATE TABLE shown_rows (series INTEGER, us BIGINT, day DATE, place_no INTEGER, class_no INTEGER, people BIGINT, status VARCHAR, finest BOOLEAN)")
    for report in [r for r in reports if r in COLUMNS]:
        clause = parquet_of(settings, report)
        described(con, clause, report, COLUMNS[report], faults)
        day = "NULL::DATE" if report in ONE_FILE else "try_cast(date AS DATE)"
        kinds = ", ".join(f"WHEN {n} THEN {quoted(kind)}" for n, kind in CLASS_KIND.items()).replace(",", "")
        con.execute(f"CREATE OR REPLACE TEMP VIEW raw (measure, period, us, level, place, class_level, class, day, people, status, finest) AS "
                    f"SELECT {READING[report]}, {day}, people::BIGINT, status::VARCHAR, {'finest' if report == 'residence' else 'NULL::BOOLEAN'} FROM {clause}")
        con.execute(f"""CREATE OR REPLACE TEMP TABLE mapped AS
            SELECT s.series, r.us, r.day, p.no AS place_no, c.no AS class_no, r.people, r.status, r.finest, r.level, r.place, r.class_level, r.class, r.measure, r.period
            FROM raw r
            LEFT JOIN series s ON s.report = {quoted(report)} AND s.measure = r.measure::VARCHAR AND coalesce(s.period = r.period::VARCHAR, {report == 'occasions'})
            LEFT JOIN names p ON p.level = r.level::VARCHAR AND p.name = r.place::VARCHAR
              AND p.kind = CASE WHEN r.level::VARCHAR = 'all' AND {report == 'flows'} THEN 'any' WHEN {report == 'occasions'} THEN 'occasion' ELSE 'place' END
            LEFT JOIN names c ON c.level = r.class_level::VARCHAR AND c.name = r.class::VARCHAR
              AND (c.kind = 'any' OR c.kind = CASE s.series {kinds} END)""")
        con.execute("INSERT INTO shown_rows SELECT series, us, day, place_no, class_no, people, status, finest FROM mapped "
                    "WHERE series IS NOT NULL AND us IS NOT NULL AND place_no IS NOT NULL AND class_no IS NOT NULL")
        for row in con.execute("SELECT measure, period, level, place, class_level, class, count(*) FROM mapped "
                               "WHERE series IS NULL OR us IS NULL OR place_no IS NULL OR class_no IS NULL GROUP BY ALL ORDER BY ALL LIMIT 20").fetchall():
            faults.append(f"{report}: {row[-1]} rows that name a place, class, measure or period that is none: " + " ".join(map(str, row[:-1])))
        con.execute("DROP TABLE mapped")


def fill_must(con, settings, world, reports):
    """The rows that must stand, and what is above what."""
    names = world.names
    covered = sorted({names.place[item] for pc in {r[1] for r in world.plan} for item in world.lines["postal_code", pc].items()} | {ALL})
    served_cells, served = {r[0] for r in world.plan}, {r[1] for r in world.plan}
    covered += [names.occasion[o.name] for o in world.occasions if set(o.codes) & served or set(o.cells) & served_cells]
    make_table(con, "covered_no", "place_no INTEGER", [(n,) for n in covered])
    times = []
    for n, (report, _, period) in SERIES.items():
        if report in ("residence", "flows", "dwell") and report in reports:
            times += [(n, us, d) for us, d in (settings.grid(3600 * MICROS) if period == "hour" else [(us, d) for d, us in settings.midnights[:-1]])]
    if "frequency" in reports:
        times.append((7, settings.from_us, None))
    make_table(con, "must_times", "series INTEGER, us BIGINT, day DATE", times)
    con.execute("CREATE TABLE must (series INTEGER, us BIGINT, day DATE, place_no INTEGER, class_no INTEGER)")
    con.execute(f"""INSERT INTO must
        SELECT t.series, us, day, p.no, c.no FROM must_times t CROSS JOIN names p JOIN names c
          ON (t.series IN (4, 5) AND c.no = {ALL}) OR (t.series = 6 AND c.kind = 'dwell') OR (t.series = 7 AND c.kind = 'days')
        WHERE p.kind = 'place'
        UNION ALL
        SELECT t.series, us, day, v.place_no, {OTHER} FROM must_times t CROSS JOIN covered_no v JOIN names p ON p.no = v.place_no
        WHERE t.series IN (4, 5, 8, 9) AND (p.kind = 'place' OR (t.series IN (8, 9) AND p.no = {ALL}))""")
    occasion_rows = []
    if "occasions" in reports:
        for o in world.occasions:
            no = names.occasion[o.name]
            occasion_rows += [(series, us, None, no, ALL) for series in (10, 11, 13, 14) for us in steps_of(settings, o)]
            occasion_rows += [(12, o.start, None, no, ALL), (15, o.start, None, no, ALL)]
            occasion_rows += [(15, o.start, None, no, OTHER)] * (no in covered)
            occasion_rows += [(16, o.start, None, no, names.dwell_0 + c) for c in range(len(DWELL))]
    make_table(con, "occasion_must", "series INTEGER, us BIGINT, day DATE, place_no INTEGER, class_no INTEGER", occasion_rows)
    con.execute("INSERT INTO must SELECT * FROM occasion_must")


def fill_above(con, settings, world):
    names = world.names
    for table, numbers, line in (("place", names.place, names.place_line), ("class", names.residence, names.class_line)):
        lines = [line(*key) for key in numbers]
        make_table(con, f"{table}_up", "no INTEGER, up INTEGER", [(x[0], x[1]) for x in lines])
        # Above the places stands `all` in flows alone, where one step up is all that is asked.
        make_table(con, f"{table}_above", "no INTEGER, up INTEGER", [(x[0], up) for x in lines for up in x[1:] if table == "class" or up != ALL])
    holds = [(7, settings.from_us, 7, settings.from_us)]
    for (_, day), (_, past) in zip(settings.midnights, settings.midnights[1:]):
        hours = [us for us, _ in settings.grid(3600 * MICROS) if day <= us < past]
        holds += [(3, day, 3, day), (3, day, 7, settings.from_us)]
        holds += [row for us in hours for row in ((2, us, 2, us), (2, us, 3, day), (2, us, 7, settings.from_us))]
    make_table(con, "holds", "series INTEGER, us BIGINT, up_series INTEGER, up_us BIGINT", holds)
    touches, wholes = [], []
    for o in world.occasions:
        def inside(cell, pc):
            return pc in o.codes or cell in o.cells
        no = names.occasion[o.name]
        touched = set(o.codes) | {pc for cell, pc, *_ in world.plan if cell in o.cells}
        touches += [(no, names.place["postal_code", pc]) for pc in touched]
        wholes += [(no, names.place["postal_code", pc]) for pc in touched if all(inside(cell, p) for cell, p, *_ in world.plan if p == pc)]
    make_table(con, "occasion_touches", "o_no INTEGER, place_no INTEGER", touches)
    make_table(con, "occasion_wholes", "o_no INTEGER, place_no INTEGER", wholes)


def check_occasion_table(con, settings, world, faults):
    """occasions.parquet against the table that declared them."""
    path = os.path.join(settings.release, "occasions.parquet")
    if not os.path.exists(path):
        faults.append("the release has occasions, but no occasions.parquet")
        return
    clause = f"read_parquet({quoted(path)})"
    described(con, clause, "occasions.parquet", ["occasion", "name", "start", "end", "postal_code", "part", "parts"], faults)
    rows = con.execute(f'SELECT occasion, name, epoch_us(start), epoch_us("end"), postal_code, part, parts FROM {clause}').fetchall()
    for name in sorted({r[0] for r in rows} ^ {o.name for o in world.occasions}):
        faults.append(f"occasions.parquet: {name} is in one of the release and the table alone")
    for o in world.occasions:
        mine = [r for r in rows if r[0] == o.name]
        if not mine:
            continue
        if {r[1:4] for r in mine} != {(o.title, o.start, o.end)}:
            faults.append(f"occasions.parquet: {o.name}: name, start or end differ")
        touched = set(o.codes) | {pc for cell, pc, *_ in world.plan if cell in o.cells}
        codes = {r[4] for r in mine}
        if not set(o.codes) <= codes <= touched:
            faults.append(f"occasions.parquet: {o.name}: its postal codes are not those of its area")
        if len({r[4:6] for r in mine}) != len(mine):
            faults.append(f"occasions.parquet: {o.name}: a part of a postal code stands twice")
        if any(sum(r[4] == pc for r in mine) != max(r[6] for r in mine if r[4] == pc) for pc in codes & set(o.codes)):
            faults.append(f"occasions.parquet: {o.name}: a postal code that it holds whole is not there in all parts")


def load_context(con, settings, faults):
    """Reads context into `context_rows` and the census beside it; returns whether presence is a whole number."""
    clause = parquet_of(settings, "context")
    shares = ["visitors_per_1000", "visitors_per_km2", "presence_per_1000", "presence_per_km2"]
    need = ["period_start", "period", "level", "place", "visitors", "presence", "population", "area_km2", *shares, "status"]
    kinds = described(con, clause, "context", need, faults)
    con.execute(f"CREATE TABLE context_rows AS SELECT epoch_us(period_start) AS us, try_cast(date AS DATE) AS day, level::VARCHAR AS level, place::VARCHAR AS place, "
                f"visitors::BIGINT AS visitors, presence::DOUBLE AS presence, population::DOUBLE AS population, area_km2::DOUBLE AS area_km2, "
                f"visitors_per_1000::DOUBLE AS v1000, visitors_per_km2::DOUBLE AS vkm2, presence_per_1000::DOUBLE AS p1000, presence_per_km2::DOUBLE AS pkm2, "
                f"status::VARCHAR AS status FROM {clause}")
    if con.execute(f"SELECT count(*) FROM {clause} WHERE period::VARCHAR IS DISTINCT FROM 'day'").fetchone()[0]:
        faults.append("context: a period that is not `day`")
    con.execute("CREATE TABLE census (level VARCHAR, place VARCHAR, population DOUBLE, area_km2 DOUBLE)")
    for path in settings.census:
        table, columns = check.table_of(con, path)
        if not {"level", "place"} <= set(columns):
            raise Unusable(f"{path}: the census needs place and level")

        def text(name):
            return check.as_text(*columns[name]) if name in columns else "NULL"
        con.execute(f"INSERT INTO census SELECT {text('level')}, {text('place')}, try_cast({text('population')} AS DOUBLE), try_cast({text('area_km2')} AS DOUBLE) FROM {table}")
        for extra in sorted(set(kinds) & set(columns) - set(need)):
            # A further column of the census, passed through as it is.
            wrong = con.execute(f"SELECT count(*) FROM {clause} r LEFT JOIN (SELECT {text('level')} AS l, {text('place')} AS p, {text(extra)} AS x FROM {table}) c "
                                f"ON c.l = r.level AND c.p = r.place WHERE r.{named(extra)}::VARCHAR IS DISTINCT FROM c.x "
                                f"AND try_cast(r.{named(extra)} AS DOUBLE) IS DISTINCT FROM try_cast(c.x AS DOUBLE)").fetchone()[0]
            if wrong:
                faults.append(f"context: {extra} differs from the census in {wrong} rows")
    return kinds["presence"] in ("BIGINT", "INTEGER")


def compare(con, settings, world, reports, clock):
    """Compares and applies the rules. Returns (rows for the table of counts, faults as (text, how many), lines that show some)."""
    sql, names, texts = check.sections("rules.sql"), world.names, []
    load(con, settings, reports, texts)
    clock("reading the release")
    if "occasions" in reports:
        check_occasion_table(con, settings, world, texts)
    fill_must(con, settings, world, reports)
    con.execute(sql["compare"])
    clock("comparison of the other reports")
    table = [(s[0], f"{s[1] + '/' if s[1] else ''}{s[2]}", level, *counts) for s, level, *counts in
             ((SERIES[n], *rest) for n, *rest in con.execute("""
        WITH seen AS (
          SELECT series, p.level, count(*) FILTER (status IS NOT NULL) AS cells, count(*) FILTER (status = 'published') AS published, count(*) FILTER (status = 'withheld') AS withheld,
                 count(*) FILTER (status = 'no_coverage') AS bare, count(fault) AS faults
          FROM compared_rows JOIN names p ON p.no = place_no GROUP BY ALL),
        fit AS (SELECT series, p.level, count(*) AS n FROM numbers x JOIN names p ON p.no = place_no WHERE devices >= getvariable('k') GROUP BY ALL)
        SELECT series, level, cells, published, withheld, greatest(0, coalesce(fit.n, 0) - published), bare, faults
        FROM seen LEFT JOIN fit USING (series, level)""").fetchall())]
    order = ["all", *LEVELS, "occasion"]
    table.sort(key=lambda row: (NEW.index(row[0]), row[1], order.index(row[2])))
    kinds = con.execute("SELECT fault, count(*) FROM compared_rows WHERE fault IS NOT NULL GROUP BY ALL ORDER BY 2 DESC, 1").fetchall()
    lines = texts[:20]
    kinds = [("a file or table that is not as it should be", len(texts))] * bool(texts) + kinds

    def label(series, us, place_no, class_no):
        report, measure, period = SERIES[series % 100 if series < 40 else series // 10]
        p = names.rows[place_no]
        c = names.rows[class_no] if class_no is not None else None
        return " ".join([report, measure, period, check.local_text(us, settings.zone), p[2], p[3], *([c[2], c[3]] if c and c[0] != ALL else [])])

    for series, us, place_no, class_no, status, people, devices, due, fault in con.execute(
            "SELECT series, us, place_no, class_no, status, people, devices, people_due, fault FROM compared_rows WHERE fault IS NOT NULL ORDER BY ALL LIMIT 20").fetchall():
        lines.append(f"{label(series, us, place_no, class_no)}: {fault} (status {status}, people {people}; devices {devices}, people due {due})")
    for what, n in con.execute("SELECT what, count(*) FROM agreement GROUP BY ALL ORDER BY ALL").fetchall():
        kinds.append((f"the query's own sums disagree: {what}", n))
    for what, series, us, place_no, class_no, parts, whole in con.execute("SELECT * FROM agreement ORDER BY ALL LIMIT 20").fetchall():
        lines.append(f"{label(series, us, place_no, class_no)}: {what} disagree in the query itself ({parts}, {whole})")
    if settings.rules:
        fill_above(con, settings, world)
        con.execute(f"SET VARIABLE visitors_shown = {'visitors' in reports or 'residence' in reports}")
        con.execute(sql["published"])
        con.execute(sql["rules"])
        clock("rules of protection")
        kinds += [(f"rule: {rule}", n) for rule, n in con.execute("SELECT rule, count(*) FROM broken GROUP BY ALL ORDER BY 2 DESC, 1").fetchall()]
        for rule, series, us, place_no, class_no, rest in con.execute("SELECT * FROM broken ORDER BY ALL LIMIT 20").fetchall():
            lines.append(f"{label(series, us, place_no, class_no)}: rule: {rule}" + (f" ({rest} devices or trips)" if rest is not None else ""))
    if "context" in reports:
        more_table, more_kinds, more_lines = compare_context(con, settings, reports, sql)
        table, kinds, lines = table + more_table, kinds + more_kinds, lines + more_lines
    return table, kinds, lines


def compare_context(con, settings, reports, sql):
    texts = []
    whole = load_context(con, settings, texts)
    starts = {d: us for d, us in settings.midnights}
    make_table(con, "instant_days", "us BIGINT, day_us BIGINT", [(us, starts[d]) for us, d in settings.grid(settings.step)])
    for name, value in (("has_visitors", "visitors" in reports), ("has_presence", "presence" in reports), ("whole_presence", whole)):
        con.execute(f"SET VARIABLE {name} = {value}")
    con.execute(sql["context"])
    table = con.execute("""SELECT 'context', 'day', level, count(status), count(*) FILTER (status = 'published'), count(*) FILTER (status = 'withheld'),
        count(*) FILTER (status = 'withheld' AND devices >= getvariable('k')), count(*) FILTER (status = 'no_coverage'), count(fault)
        FROM context_compared GROUP BY ALL""").fetchall()
    kinds = [("a file or table that is not as it should be", len(texts))] * bool(texts)
    kinds += con.execute("SELECT 'context: ' || fault, count(*) FROM context_compared WHERE fault IS NOT NULL GROUP BY ALL ORDER BY 2 DESC, 1").fetchall()
    lines = texts + [f"context day {check.local_text(us, settings.zone)} {level} {place}: {fault} (visitors {v}, due {vd}; presence {p}, due {pd})"
                     for us, level, place, v, vd, p, pd, fault in con.execute(
                         "SELECT us, level, place, visitors, visitors_due, presence, presence_due, fault FROM context_compared "
                         "WHERE fault IS NOT NULL ORDER BY ALL LIMIT 20").fetchall()]
    return sorted(table, key=lambda row: LEVELS.index(row[2]) if row[2] in LEVELS else 9), kinds, lines
