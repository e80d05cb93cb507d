"""Writes releases by hand, from the numbers of brute.py, so that the check can be tested before and beside the program.

Every number of k devices or more is published and nothing else is protected, unless a test changes the rows.
"""
import math
import pathlib

import duckdb

import check
import reports

FIELDS = {
    "presence": ["instant", "level", "place", "people", "status"],
    "visitors": ["period_start", "period", "level", "place", "people", "status"],
    **reports.COLUMNS,
    "context": ["period_start", "period", "level", "place", "visitors", "presence", "population", "area_km2", "visitors_per_1000",
                "visitors_per_km2", "presence_per_1000", "presence_per_km2", "status"],
}
KINDS = {"people": "BIGINT", "instant": "BIGINT", "period_start": "BIGINT", "at": "BIGINT", "finest": "BOOLEAN", "visitors": "BIGINT"}
MOMENTS = ("instant", "period_start", "at")


def people(n, factor):
    return math.floor(n * factor + 0.5)


class Maker:
    """The rows of a release as {report: [row as a dict with `day`]}."""

    def __init__(self, settings, world, expected, more, census=()):
        self.settings, self.world, self.expected, self.more, self.census = settings, world, expected, more, dict(census)
        lines = world.lines
        self.covered = {item for pc in {r[1] for r in world.plan} for item in lines["postal_code", pc].items()}
        self.hours = settings.grid(3600 * check.MICROS)
        self.midnights = [(us, d) for d, us in settings.midnights[:-1]]
        self.rows = {"presence": [], "visitors": [], "residence": self.residence(), "dwell": self.dwell(), "frequency": self.frequency(),
                     "flows": self.flows(), "occasions": self.occasions()}
        for report, period, us, day in settings.times():
            for place in lines:
                shown = self.shown(place, expected.get((report, period, us, *place), 0))
                time = {"instant": us} if report == "presence" else {"period_start": us, "period": period}
                self.rows[report].append({"day": day, **time, "level": place[0], "place": place[1], **shown})
        self.rows["context"] = self.context()

    def shown(self, place, n, devices=None, due=None):
        if place not in self.covered:
            return {"people": None, "status": "no_coverage"}
        if (n if devices is None else devices) < self.settings.k:
            return {"people": None, "status": "withheld"}
        return {"people": people(n, self.settings.factor) if due is None else due, "status": "published"}

    def of(self, series):
        """{(us, level, place): {(class level, class): (n, devices, due)}} of one series."""
        out = {}
        for (s, us, level, place, *cls), value in self.more.items():
            if s == series:
                out.setdefault((us, level, place), {})[tuple(cls)] = value
        return out

    def classes(self, place, its):
        """The rows of residence at one place: all, what is published below, and the rest."""
        public = {cls: v for cls, v in its.items() if v[1] >= self.settings.k and cls != ("all", "all")}
        out = []
        total = its.get(("all", "all"), (0, 0, None))
        for cls, value in [(("all", "all"), total), *sorted(public.items())]:
            shown = self.shown(place, value[0])
            within = [o for o in public if o != cls and cls in self.line(o)]
            out.append((cls, shown, shown["status"] == "published" and not within))
        if place in self.covered or place[0] == "occasion":
            out.append((("other", "other"), {"people": None, "status": "withheld"}, False))
        return out

    def line(self, cls):
        return [self.world.names.rows[no][2:4] for no in self.world.names.class_line(*cls)]

    def residence(self):
        out = []
        for series, measure, period, times in ((4, "presence", "hour", self.hours), (5, "visitors", "day", self.midnights)):
            its = self.of(series)
            for us, day in times:
                for place in self.world.lines:
                    for (level, name), shown, finest in self.classes(place, its.get((us, *place), {})):
                        out.append({"day": day, "measure": measure, "period_start": us, "period": period, "level": place[0], "place": place[1],
                                    "residence_level": level, "residence": name, "finest": finest, **shown})
        return out

    def dwell(self):
        its = self.of(6)
        return [{"day": day, "period_start": us, "period": "day", "level": place[0], "place": place[1], "dwell": c,
                 **self.shown(place, its.get((us, *place), {}).get(("dwell", c), (0,))[0])}
                for us, day in self.midnights for place in self.world.lines for c in reports.DWELL]

    def frequency(self):
        its, us = self.of(7), self.settings.from_us
        return [{"day": None, "period_start": us, "period": "window", "level": place[0], "place": place[1], "days": c,
                 **self.shown(place, its.get((us, *place), {}).get(("days", c), (0,))[0])}
                for place in self.world.lines for c in reports.DAYS]

    def flows(self):
        out = []
        for series, period, times in ((8, "hour", self.hours), (9, "day", self.midnights)):
            its = self.of(series)
            for us, day in times:
                for place in [*self.world.lines, ("all", "all")]:
                    if place not in self.covered and place != ("all", "all"):
                        continue
                    row = {"day": day, "period_start": us, "period": period, "level": place[0], "place": place[1]}
                    for (level, name), (n, devices, _) in its.get((us, *place), {}).items():
                        if devices >= self.settings.k:
                            out.append({**row, "destination_level": level, "destination": name,
                                        "people": people(n, self.settings.factor), "status": "published"})
                    out.append({**row, "destination_level": "other", "destination": "other", "people": None, "status": "withheld"})
        return out

    def occasions(self):
        out = []
        for o in self.world.occasions:
            place = ("occasion", o.name)
            self.covered.add(place)
            for series in range(10, 17):
                its, measure = self.of(series), reports.SERIES[series][1]
                for us in reports.steps_of(self.settings, o) if series in (10, 11, 13, 14) else [o.start]:
                    here = its.get((us, *place), {})
                    row = {"day": None, "occasion": o.name, "measure": measure, "at": us}
                    if series == 15:
                        cells = [(cls, shown) for cls, shown, _ in self.classes(place, here)]
                    elif series == 16:
                        cells = [(("dwell", c), self.shown(place, here.get(("dwell", c), (0,))[0])) for c in reports.DWELL]
                    else:
                        cells = [(("all", "all"), self.shown(place, *here.get(("all", "all"), (0, 0, None))))]
                    out += [{**row, "class_level": level, "class": name, **shown} for (level, name), shown in cells]
        return out

    def context(self):
        out, by_day = [], {}
        for row in self.rows["presence"]:
            by_day.setdefault((row["day"], row["level"], row["place"]), []).append(row["people"])
        for row in self.rows["visitors"]:
            if row["period"] != "day":
                continue
            key = row["level"], row["place"]
            presence = by_day[row["day"], *key]
            presence = None if None in presence else sum(presence) / len(presence)
            population, area = self.census.get(key, (None, None))
            visitors = row["people"]
            out.append({"day": row["day"], "period_start": row["period_start"], "period": "day", "level": key[0], "place": key[1],
                        "visitors": visitors, "presence": presence, "population": population, "area_km2": area,
                        "visitors_per_1000": visitors * 1000 / population if visitors is not None and population else None,
                        "visitors_per_km2": visitors / area if visitors is not None and area else None,
                        "presence_per_1000": presence * 1000 / population if presence is not None and population else None,
                        "presence_per_km2": presence / area if presence is not None and area else None,
                        "status": "published" if presence is not None else row["status"]})
        return out

    def write(self, only=None):
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        for report, rows in self.rows.items():
            if only is not None and report not in only or not rows:
                continue
            fields = FIELDS[report]
            of_double = report == "context"
            shape = ", ".join(f"f_{f} {KINDS.get(f, 'DOUBLE' if of_double and f not in ('period', 'level', 'place', 'status') else 'VARCHAR')}" for f in fields)
            check.make_table(con, "r", shape + ", day DATE", [[*(row[f] for f in fields), row["day"]] for row in rows])
            picked = ", ".join((f"make_timestamp(f_{f}) AT TIME ZONE 'UTC'" if f in MOMENTS else f"f_{f}") + f' AS "{f}"' for f in fields)
            if report in reports.ONE_FILE:
                (self.folder() / report).mkdir(parents=True, exist_ok=True)
                con.execute(f"COPY (SELECT {picked} FROM r) TO '{self.folder()}/{report}/part.parquet'")
                continue
            for (day,) in con.execute("SELECT DISTINCT day FROM r").fetchall():
                folder = self.folder() / report / f"date={day}"
                folder.mkdir(parents=True, exist_ok=True)
                con.execute(f"COPY (SELECT {picked} FROM r WHERE day = '{day}') TO '{folder}/part.parquet'")
        if self.world.occasions and (only is None or "occasions" in only):
            rows = [(o.name, o.title, o.start, o.end, pc, 1, 1) for o in self.world.occasions
                    for pc in sorted(set(o.codes) | {p for cell, p, *_ in self.world.plan if cell in o.cells})]
            check.make_table(con, "r", "occasion VARCHAR, name VARCHAR, start BIGINT, past BIGINT, postal_code VARCHAR, part INTEGER, parts INTEGER", rows)
            con.execute(f"COPY (SELECT occasion, name, make_timestamp(start) AT TIME ZONE 'UTC' AS start, make_timestamp(past) AT TIME ZONE 'UTC' AS \"end\", "
                        f"postal_code, part, parts FROM r) TO '{self.folder()}/occasions.parquet'")
        con.close()

    def folder(self):
        return pathlib.Path(self.settings.release)
