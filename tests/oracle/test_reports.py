"""Tests the check of the reports beside presence and visitors: SQL against plain Python, and faults put into releases made by hand.

    python -m unittest discover -s tests/oracle
"""
import datetime as dt
import io
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import brute  # noqa: E402
import check  # noqa: E402
import made  # noqa: E402
import reports  # noqa: E402
from test_oracle import CELLS, Case  # noqa: E402

WANTED = {"presence", "visitors", *reports.NEW}
# Home networks: the own country, abroad, six digits, of no country, of no shape, none.
PLMNS = ["20601", "20610", "20404", "20801", "310410", "90128", "99999", "abc", "20", ""]


class Whole(Case):
    """A case with home networks, residence, occasions and census beside it."""

    def __init__(self, folder, rng, day, last=None, extra=(), **options):
        super().__init__(folder, rng, day, last=last, extra=extra, **options)
        f = self.folder
        (f / "residence.csv").write_text("subscriber_id,postal_code,commune\ns1,1000,\ns2,,C2\ns3,3001,\ns3,2000,\ns4,9999,\ns5,,C9\n", encoding="utf-8")
        noon = f"{last or day}T12:00:00"
        (f / "occasions.csv").write_text(
            "occasion,name,start,end,postal_codes,cells\n"
            f"fair,A fair,{noon},{last or day}T20:00:00,1000;2000,\n"
            f"match,A match,{last or day}T13:07:00+02:00,{last or day}T19:22:00+02:00,,B;a1\n"
            f"dawn,At dawn,{day}T00:00:00,{day}T06:00:00,1001,b\n", encoding="utf-8")
        (f / "census.csv").write_text("place,level,population,area_km2\nBE,country,11000,300.5\n1000,postal_code,77,2.25\n1001,postal_code,0,1\n", encoding="utf-8")
        self.argv += ["--residence", str(f / "residence.csv"), "--occasions", str(f / "occasions.csv"), "--census", str(f / "census.csv")]

    def walk(self, days, people=8, copies=1, homes=True):
        """Events of a few walkers over some days; each walker stands `copies` times, with a number of its own."""
        rng, zone = self.rng, check.zoneinfo.ZoneInfo("Europe/Brussels")
        start, rows = check.midnight(days[0], zone), []
        for s in range(people):
            us, plmns = start - rng.randrange(8) * 1800 * check.MICROS, rng.sample(PLMNS, 2)
            end = check.midnight(days[-1], zone) + 28 * 3600 * check.MICROS
            cell = rng.choice(CELLS)
            while us < end:
                cell = cell if rng.random() < 0.6 else rng.choice(CELLS)
                plmn = rng.choice(plmns) if rng.random() < 0.3 else plmns[0]
                rows += [(us, f"s{s}" if not n else f"s{s}x{n}", cell, plmn) for n in range(copies)]
                us += rng.choice([0, 1, 3600, 3600, 1800, 900, 450, 1799, rng.randrange(9000), rng.choice([5000, 40000])]) * check.MICROS
        half = len(rows) // 2
        self.write_csv("walk.csv", [f"{s},{us},{c},{p}" for us, s, c, p in rows[:half]], "subscriber_id,event_time,cell_id,home_plmn")
        self.write_csv("walk2.csv.gz", [f"{us},{s},{c},{p}" for us, s, c, p in rows[half:]] + ["x", "1,s1,a1,"], "event_time,subscriber_id,cell_id,home_plmn")

    def all_numbers(self):
        """Presence, visitors and the other numbers, by SQL and by Python; and what made them."""
        out = []
        for how in ("sql", "brute"):
            settings = self.settings()
            con, scratch = check.connect(settings)
            with scratch:
                _, tree = check.place_tree(con, settings.release)
                world = reports.World(con, settings, tree, check.plan_rows(con, settings), WANTED)
                if how == "sql":
                    world.fill(con, settings, tree)
                    counts = check.expect_sql(con, settings, tree, check.plan_rows(con, settings), check.Clock(False), WANTED, world)
                    expected = {tuple(r[:5]): r[5] for r in con.execute("SELECT report, period, us, level, place, devices FROM expected").fetchall()}
                    assert not con.execute("SELECT * FROM agreement").fetchall()
                    out.append((counts, expected, reports.numbers_by_name(con)))
                else:
                    read = brute.read(con, settings, tree, check.plan_rows(con, settings), check.opt_outs(con, settings))
                    out.append((read.counts, brute.expect(settings, tree, read), brute.more(con, settings, tree, read, world, WANTED)))
                con.close()
        return out, settings, world

    def maker(self):
        numbers, settings, world = self.all_numbers()
        census = {("country", "BE"): (11000, 300.5), ("postal_code", "1000"): (77, 2.25), ("postal_code", "1001"): (0, 1)}
        return made.Maker(settings, world, *numbers[1][1:], census=census)


class SqlAgainstPython(unittest.TestCase):
    def agree(self, seed, first, last, **options):
        with self.subTest(seed=seed, first=first), tempfile.TemporaryDirectory() as folder:
            case = Whole(folder, random.Random(seed), first, last=last, extra=["--factor", "1.5"], **options)
            days = check.days(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
            case.walk(days)
            (sql, python), *_ = case.all_numbers()
            self.assertEqual({k: v for k, v in sql[0].items() if v}, {k: v for k, v in python[0].items() if v})
            self.assertEqual(sql[1], python[1])
            for series, name in reports.SERIES.items():
                left, right = ({k: v for k, v in x[2].items() if k[0] == series} for x in (sql, python))
                self.assertEqual(left, right, name)
            return {k[0] for k in sql[2]}

    def test_days(self):
        for seed, day in enumerate(["2026-10-15", "2026-03-29", "2026-10-25"] * 4):
            self.agree(seed, day, day)

    def test_several_days(self):
        for seed, (first, last) in enumerate([("2026-03-28", "2026-03-30"), ("2026-10-23", "2026-10-26"), ("2026-05-01", "2026-05-03")]):
            self.agree(seed + 50, first, last)

    def test_weeks(self):
        seen = self.agree(60, "2026-10-11", "2026-10-26") | self.agree(61, "2026-10-04", "2026-10-25", hold="17min")
        self.assertEqual(seen, set(range(4, 17)))

    def test_short_stays(self):
        for seed in range(70, 74):
            with tempfile.TemporaryDirectory() as folder:
                case = Whole(folder, random.Random(seed), "2026-10-15", extra=["--min-stay", "40min", "--subscriber-id-kind", "imsi"])
                case.fill(dt.date(2026, 10, 15), sessions=True)
                (sql, python), *_ = case.all_numbers()
                self.assertEqual(sql[1:], python[1:])


class ByHand(unittest.TestCase):
    """Cases worked out on paper."""

    def numbers(self, lines, series, day="2026-10-15", last=None, **options):
        with tempfile.TemporaryDirectory() as folder:
            case = Whole(folder, random.Random(0), day, last=last, **options)
            case.write_csv("e.csv", lines, "event_time,subscriber_id,cell_id,home_plmn")
            (sql, python), settings, _ = case.all_numbers()
            self.assertEqual(sql[1:], python[1:])
            return {(check.local_text(k[1], settings.zone)[5:16], *k[2:]): v for k, v in sql[2].items() if k[0] == series}

    def trips(self, lines, **options):
        its = self.numbers(lines, 8, **options)
        return {(k[0], k[2], k[4]): v[0] for k, v in its.items() if k[1] == k[3] == "postal_code"}

    def test_a_trip_counts_in_the_hour_in_which_the_second_stay_begins(self):
        # 1000 until 12:30, then 3000.
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,", "2026-10-15T13:00:00+02:00,s1,B,"]
        self.assertEqual(self.trips(lines), {("10-15T12:00", "1000", "3000"): 1})

    def test_a_short_stay_is_passed_over_and_coming_back_is_no_trip(self):
        # 1000, then ten minutes of 3000, then 1000 again; a second subscriber goes on to 2000.
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,", "2026-10-15T12:10:00+02:00,s1,B,", "2026-10-15T12:20:00+02:00,s1,a1,",
                 "2026-10-15T12:00:00+02:00,s2,a1,", "2026-10-15T12:10:00+02:00,s2,B,", "2026-10-15T12:20:00+02:00,s2,a10,"]
        self.assertEqual(self.trips(lines), {("10-15T12:00", "1000", "2000"): 1})

    def test_the_last_trip_of_an_hour_alone_counts(self):
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,", "2026-10-15T12:20:00+02:00,s1,B,", "2026-10-15T12:40:00+02:00,s1,a10,"]
        self.assertEqual(self.trips(lines), {("10-15T12:00", "3000", "2000"): 1})

    def test_a_stay_before_midnight_is_the_origin_of_a_trip_after_it(self):
        lines = ["2026-10-14T23:10:00+02:00,s1,a1,", "2026-10-15T01:40:00+02:00,s1,B,"]
        self.assertEqual(self.trips(lines), {("10-15T01:00", "1000", "3000"): 1})
        # Begun before midnight: no trip of this window.
        lines = ["2026-10-14T23:10:00+02:00,s1,a1,", "2026-10-14T23:50:00+02:00,s1,B,", "2026-10-15T00:30:00+02:00,s1,B,"]
        self.assertEqual(self.trips(lines), {})

    def test_dwell_adds_stays_and_a_border_belongs_to_the_class_above(self):
        # An hour around each of two events: two hours in all, of which one lies in another commune.
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,", "2026-10-15T18:00:00+02:00,s1,a1,", "2026-10-15T09:00:00+02:00,s1,B,"]
        its = self.numbers(lines, 6)
        found = {(k[1], k[2]): k[4] for k in its}
        self.assertEqual((found["postal_code", "1000"], found["postal_code", "3000"], found["country", "BE"]), ("2-4h", "1-2h", "2-4h"))

    def test_frequency_counts_days(self):
        lines = [f"2026-10-{d}T12:00:00+02:00,s1,{c}," for d, c in ((15, "a1"), (16, "B"), (17, "a1"), (18, "B"))]
        its = self.numbers(lines, 7, last="2026-10-18")
        found = {(k[2], k[4]) for k in its}
        self.assertEqual({f for f in found if f[0] in ("1000", "BE")}, {("1000", "all"), ("1000", "2-3"), ("BE", "all"), ("BE", "4-7")})

    def test_residence_is_the_list_then_the_network_then_nothing(self):
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,20801", "2026-10-15T12:00:00+02:00,s6,a1,20801", "2026-10-15T12:00:01+02:00,s6,a1,20404",
                 "2026-10-15T12:00:00+02:00,s7,a1,20601", "2026-10-15T12:00:00+02:00,s8,a1,90128", "2026-10-15T12:00:00+02:00,s9,a1,",
                 "2026-10-15T12:00:00+02:00,s4,a1,23410"]
        its = {k[3:]: v[0] for k, v in self.numbers(lines, 5).items() if k[1] == "postal_code" and k[2] == "1000"}
        self.assertEqual(its, {("all", "all"): 6, ("country", "BE"): 2, ("region", "R1"): 1, ("province", "P1"): 1, ("commune", "C1"): 1,
                               ("country", "NL"): 1, ("country", "ZZ"): 2, ("country", "GB"): 1})

    def test_an_occasion(self):
        # In the fair (1000 and 2000, 12:00 to 20:00) from 13:30 to 15:30, changing cell at 14:30: one arrival, one departure.
        lines = ["2026-10-15T14:00:00+02:00,s1,a1,", "2026-10-15T15:00:00+02:00,s1,a10,", "2026-10-15T11:40:00+02:00,s2,a1,"]
        for series, want in ((13, ["13:30"]), (14, ["12:00", "15:30"]), (10, ["12:00", *[f"{h}:{m:02}" for h in (13, 14) for m in (0, 15, 30, 45)][2:], "15:00", "15:15"])):
            its = [k[0][6:] for k in self.numbers(lines, series) if k[2] == "fair"]
            self.assertEqual(sorted(its), want, series)
        its = {k[4]: v[0] for k, v in self.numbers(lines, 16).items() if k[2] == "fair"}
        self.assertEqual(its, {"2-4h": 1, "0-15min": 1})


class TheCheck(unittest.TestCase):
    """Releases made by hand: walkers that stand three times each, so that with k = 3 every group is nobody or enough."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.case = Whole(cls.folder.name, random.Random(3), "2026-10-15", last="2026-10-16", extra=["--factor", "2.5"])
        cls.case.argv[cls.case.argv.index("--k") + 1] = "3"
        cls.case.argv.remove("--no-rules")
        cls.case.walk(check.days(dt.date(2026, 10, 15), dt.date(2026, 10, 16)), people=9, copies=3)
        # The copies of a walker live where it lives.
        path = pathlib.Path(cls.folder.name) / "residence.csv"
        head, *rows = path.read_text().splitlines()
        rows += [r.replace(",", f"x{n},", 1) for r in rows for n in (1, 2)]
        path.write_text("\n".join([head, *rows]) + "\n")
        (pathlib.Path(cls.folder.name) / "opt-out.csv").write_text("subscriber_id\ns0\ns0x1\ns0x2\n")
        cls.maker = cls.case.maker()
        cls.rows = cls.maker.rows

    def check(self, *flags):
        out = io.StringIO()
        return check.run(self.case.argv + list(flags), out), out.getvalue()

    def changed(self, report, change):
        """The check's answer to a release with one report changed."""
        import copy
        kept = self.maker.rows[report]
        self.maker.rows[report] = copy.deepcopy(kept)
        try:
            self.maker.rows[report] = change(self.maker.rows[report]) or self.maker.rows[report]
            self.maker.write([report])
            return self.check()
        finally:
            self.maker.rows[report] = kept
            self.maker.write([report])

    def setUp(self):
        self.maker.write()

    def test_a_right_release_passes_in_both_modes(self):
        for flags in ([], ["--brute"], ["--reports", ",".join(reports.NEW)]):
            code, text = self.check(*flags)
            self.assertEqual(code, 0, text)
        for report in reports.NEW:
            self.assertIn(report, text)

    def test_a_number_changed_by_one_is_found(self):
        for report in reports.COLUMNS:
            measures = sorted({(r.get("measure"), r.get("period")) for r in self.rows[report] if r["people"]}, key=str)
            for key in measures:
                with self.subTest(report=report, key=key):
                    def change(rows):
                        its = [r for r in rows if r["people"] and (r.get("measure"), r.get("period")) == key]
                        its[len(its) // 2]["people"] += 1
                    code, text = self.changed(report, change)
                    self.assertEqual(code, 1)
                    self.assertIn("1 x people differ", text)
                    self.assertIn("1 differences", text)
        for field, fault in (("visitors", "visitors differ"), ("presence", "presence differs"), ("visitors_per_1000", "visitors_per_1000 differs"), ("population", "census")):
            with self.subTest(field):
                def change(rows):
                    next(r for r in rows if r[field])[field] += 1
                code, text = self.changed("context", change)
                self.assertEqual(code, 1)
                self.assertIn(fault, text)

    def test_rows_that_are_missing_twice_or_too_many(self):
        for report in reports.COLUMNS:
            with self.subTest(report):
                code, text = self.changed(report, lambda rows: rows + [next(r for r in rows if r["people"])])
                self.assertIn("1 x more than one row", text)
                must = {"residence": "other", "flows": "other"}.get(report)

                def less(rows):
                    rows.remove(next(r for r in rows if not must or must in (r.get("residence"), r.get("destination"))))
                code, text = self.changed(report, less)
                self.assertIn(" x no row", text)
        for report, field in (("residence", "residence"), ("flows", "destination"), ("dwell", "dwell"), ("frequency", "days"), ("flows", "place")):
            def odd(rows):
                next(r for r in rows if r["people"])[field] = "nowhere"
            with self.subTest(report=report, field=field):
                self.assertIn("that is none", self.changed(report, odd)[1])

        def below(rows):
            row = next(r for r in rows if r["people"] and r["residence_level"] == "country")
            row.update(people=None, status="withheld", finest=False)
        self.assertIn("a row below the total that is not published", self.changed("residence", below)[1])

        def small(rows):
            row = next(r for r in rows if r["status"] == "withheld")
            row.update(people=8, status="published")
        for report in ("dwell", "frequency"):
            self.assertIn("1 x published below k", self.changed(report, small)[1])

    def test_the_finest_flag(self):
        def flip(rows):
            row = next(r for r in rows if r["people"])
            row["finest"] = not row["finest"]
        self.assertIn("1 x rule: finest is wrong", self.changed("residence", flip)[1])

    def hidden(self, report, pick, drop=False):
        """Withholds the first row that fits."""
        def change(rows):
            row = next(r for r in rows if r["people"] and pick(r))
            if drop:
                rows.remove(row)
            else:
                row.update(people=None, status="withheld")
        return self.changed(report, change)[1]

    def test_what_stands_below_what_is_hidden(self):
        self.assertIn("a class below a withheld total", self.hidden("frequency", lambda r: r["days"] == "all"))
        self.assertIn("a class below a withheld total", self.hidden("occasions", lambda r: r["measure"] == "visitors"))
        self.assertIn("shown in one report and withheld in another", self.hidden("residence", lambda r: r["residence_level"] == "all"))
        self.assertIn("shown below a class that is not", self.hidden("residence", lambda r: r["residence_level"] == "region", drop=True))
        self.assertIn("shown below a place that is not",
                      self.hidden("residence", lambda r: r["residence_level"] == "country" and r["level"] == "commune" and r["measure"] == "presence", drop=True))
        self.assertIn("shown below a place that is not", self.hidden("flows", lambda r: r["level"] == "all" and r["destination_level"] == "postal_code", drop=True))
        self.assertIn("shown below a class that is not", self.hidden("flows", lambda r: r["level"] == "postal_code" and r["destination_level"] == "all", drop=True))


class Rules(unittest.TestCase):
    """With one walker more than k allows, plain thresholds break each rule; the faults are those that Python finds."""

    def test_differences(self):
        found = set()
        for seed in range(4):
            with tempfile.TemporaryDirectory() as folder:
                case = Whole(folder, random.Random(seed), "2026-10-15", last="2026-10-16")
                case.argv[case.argv.index("--k") + 1] = "2"
                case.argv.remove("--no-rules")
                case.walk(check.days(dt.date(2026, 10, 15), dt.date(2026, 10, 16)), people=14)
                maker = case.maker()
                maker.write()
                out = io.StringIO()
                check.run(case.argv, out)
                said = {line.split(" x rule: ")[1]: int(line.split(" x ")[0]) for line in out.getvalue().splitlines() if " x rule: " in line}
                self.assertNotIn(" x people differ", out.getvalue())
                self.assertEqual(said.get("classes not shown", 0) + 0, self.classes_not_shown(maker), seed)
                self.assertEqual(said.get("hours not shown", 0), self.hours_not_shown(maker), seed)
                self.assertEqual(said.get("visitors of nested groups", 0), self.nested(maker), seed)
                found |= set(said)
        for rule in ("classes not shown", "places not shown", "hours not shown", "visitors of nested groups", "visitors by residence of nested places",
                     "at least so much in nested places", "around the occasion", "the rest of the occasion"):
            self.assertIn(rule, found)

    def published(self, maker, series):
        k = maker.settings.k
        return {key[1:]: v[0] for key, v in maker.more.items() if key[0] == series and v[1] >= k}

    def odd(self, rest, k):
        return 0 < rest < k

    def classes_not_shown(self, maker):
        k, n = maker.settings.k, 0
        totals = {key[2:]: v for key, v in maker.expected.items() if key[:2] == ("visitors", "day") and v >= k}
        for series in (6, 7, 16):
            its = self.published(maker, series)
            sums = {}
            for (us, level, place, _, name), v in its.items():
                if name != "all":
                    sums[us, level, place] = sums.get((us, level, place), 0) + v
            for key, v in sums.items():
                total = (totals[key] if series == 6 else its[(*key, "days", "all")] if series == 7
                         else maker.more[(12, *key, "all", "all")][0])
                n += self.odd(total - v, k)
        for series in (4, 5, 8, 9, 15):
            its = self.published(maker, series)
            for (us, level, place, c_level, name), v in its.items():
                def above(c):
                    if series in (8, 9):
                        names = maker.world.names
                        line = [names.rows[no][2:4] for no in names.place_line(*c)] if c != ("all", "all") else [c]
                    else:
                        line = maker.line(c) if c != ("all", "all") else [c]
                    return tuple(line[1]) if len(line) > 1 else None
                parts = [w for (us2, l2, p2, *c), w in its.items() if (us2, l2, p2) == (us, level, place) and above(tuple(c)) == (c_level, name)]
                hours = sum(1 for u, d in maker.hours if d == maker.settings.day_at(us)) if series == 9 else 1
                n += bool(parts) and self.odd(v - sum(parts), k * hours)
        return n

    def hours_not_shown(self, maker):
        k, n = maker.settings.k, 0
        day, hour = self.published(maker, 9), self.published(maker, 8)
        for (us, *rest), v in day.items():
            hours = [u for u, d in maker.hours if d == maker.settings.day_at(us)]
            parts = [hour[(u, *rest)] for u in hours if (u, *rest) in hour]
            n += bool(parts) and self.odd(v - sum(parts), k * (len(hours) - len(parts)))
        return n

    def nested(self, maker):
        k, settings = maker.settings.k, maker.settings
        groups = []
        for (report, period, us, level, place), v in maker.expected.items():
            if report == "visitors" and v >= k:
                past = next(end for p, first, end in brute.periods(settings) if p == period and first == us)
                groups.append((us, past, level, place, v))
        groups += [(settings.from_us, settings.end_us, level, place, v) for (us, level, place, _, name), v in self.published(maker, 7).items() if name == "all"]
        n = 0
        for a, b, level, place, v in groups:
            line = maker.world.lines[level, place]
            for a2, b2, level2, place2, v2 in groups:
                n += a2 <= a and b <= b2 and line.get(level2) == place2 and self.odd(v2 - v, k)
        return n


if __name__ == "__main__":
    unittest.main()
