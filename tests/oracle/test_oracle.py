"""Tests the oracle itself: on small random inputs its SQL must give what plain Python gives, and its check must find faults.

    python -m unittest discover -s tests/oracle
"""
import datetime as dt
import gzip
import io
import json
import os
import pathlib
import random
import sys
import tempfile
import unittest

import duckdb

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import brute  # noqa: E402
import check  # noqa: E402

PLACES = [
    ("country", "BE", None), ("region", "R1", "BE"), ("region", "R2", "BE"), ("province", "P1", "R1"),
    ("commune", "C1", "P1"), ("commune", "C2", "P1"), ("commune", "C3", "R2"),  # C3 hangs on its region, without a province
    ("postal_code", "1000", "C1"), ("postal_code", "1001", "C1"), ("postal_code", "2000", "C2"),
    ("postal_code", "3000", "C3"), ("postal_code", "3001", "C3"),  # 3001 has no cell
]
CELLS = ["a1", "a10", "a2", "b", "B", "é"]
DAYS = ["2026-03-29", "2026-10-25", "2026-10-15"]


class Case:
    """A folder with places, a plan, opt-outs and events, and the flags to check it with."""

    def __init__(self, folder, rng, day, last=None, hold="30min", step="15min", extra=()):
        self.folder, self.rng = pathlib.Path(folder), rng
        self.release = self.folder / "release"
        self.release.mkdir(parents=True)
        (self.folder / "events").mkdir()
        con = duckdb.connect()
        con.execute("CREATE TABLE p (level VARCHAR, place VARCHAR, parent VARCHAR)")
        con.executemany("INSERT INTO p VALUES (?, ?, ?)", PLACES)
        con.execute(f"COPY p TO '{self.release}/places.parquet'")
        con.close()
        (self.folder / "cells.csv").write_text(
            "cell_id,postal_code,valid_from,valid_to\n"
            f"a1,1000,,\na10,1001,,{day}\na10,2000,{day},\na2,1001,,\na2,1000,,\nb,2000,{day},\nB,3000,,\né,1000,2026-01-01,2027-01-01\n",
            encoding="utf-8")
        (self.folder / "opt-out.csv").write_text("subscriber_id\ns0\n", encoding="utf-8")
        self.argv = ["--release", str(self.release), "--events", str(self.folder / "events"), "--cells", str(self.folder / "cells.csv"),
                     "--opt-out", str(self.folder / "opt-out.csv"), "--from", day, "--to", last or day, "--as-of", last or day,
                     "--hold", hold, "--step", step, "--k", "2", "--threads", "1", "--no-rules", *extra]

    def settings(self):
        return check.Settings(check.flags(self.argv))

    def write_csv(self, name, rows, header):
        text = io.StringIO()
        text.write(header + "\n")
        for row in rows:
            text.write(row + "\n")
        path = self.folder / "events" / name
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    def moments(self, n, day):
        """Times in microseconds: ties, exact gaps of 2 hold and a microsecond beside, odd differences, both sides of the window."""
        zone = check.zoneinfo.ZoneInfo("Europe/Brussels")
        start = check.midnight(day, zone)
        hold = 1800 * check.MICROS
        us = start + self.rng.randrange(-3 * hold, 52 * hold)
        out = []
        for _ in range(n):
            out.append(us)
            us += self.rng.choice([0, 1, 2 * hold, 2 * hold - 1, 2 * hold + 1, hold, 7, self.rng.randrange(0, 6 * hold),
                                   900 * check.MICROS, self.rng.randrange(0, hold)])
            if self.rng.random() < 0.05:
                us = start + self.rng.choice([-2 * hold, -2 * hold - 1, 0, -1, 48 * hold, 50 * hold, 52 * hold, -92 * 48 * hold])
            if self.rng.random() < 0.1:
                us -= us % (900 * check.MICROS)
        return out

    def fill(self, day, sessions=False):
        rng, zone = self.rng, check.zoneinfo.ZoneInfo("Europe/Brussels")
        rows = []
        for s in range(8):
            for us in self.moments(rng.randrange(1, 25), day):
                end = None
                if rng.random() < 0.6:
                    end = us + rng.choice([0, 1, 1800, 1801, 3600, 7200, 20000, 100000, rng.randrange(9000)]) * check.MICROS
                rows.append((us, f"s{s}", rng.choice(CELLS + ["zz"] * (rng.random() < 0.2)), end))
        for _ in range(15):
            us, s, cell, end = rng.choice(rows)
            if end is not None and rng.random() < 0.7:
                end += rng.choice([0, 600, 4000]) * check.MICROS
            rows.append((us, s, cell, end))
        rng.shuffle(rows)
        thirds = [rows[0::3], rows[1::3], rows[2::3]]
        header = "cell_id,event_time,subscriber_id" + (",end_time" if sessions else "")

        def line(row, naive):
            us, s, cell, end = row
            parts = [cell, self.text(us, zone, naive), s] + ([self.text(end, zone, naive) if end is not None else ""] if sessions else [])
            return ",".join(parts)
        bad = ["a1,08:31.0,s1", "a1,,s1", ",2026-10-15T10:00:00Z,s1", "a1,2026-10-15T10:00:00Z,", "a1,2026-10-15T10:00:00Z,s1,x,y,z,more",
               "a1", "a1,2026-02-30T10:00:00Z,s1", "a1,2026-10-15T24:00:00Z,s1", "a1,2026-10-15T10:00:60Z,s1", ",nonsense,", '"a1","2026-01-01 10:00",s1']
        if sessions:
            bad = [b + "," if b.count(",") == 2 else b for b in bad] + ["a1,2026-10-15T10:00:00Z,s1,2026-10-15T09:00:00Z", "a1,2026-10-15T10:00:00Z,s1,soon"]
        self.write_csv("one.csv", [line(r, False) for r in thirds[0]] + bad, header)
        (self.folder / "events" / "deep").mkdir(exist_ok=True)
        self.write_csv("deep/two.csv.gz", bad + [line(r, True) for r in thirds[1]], header)
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CREATE TABLE e (t BIGINT, subscriber_id VARCHAR, cell_id VARCHAR, e BIGINT)")
        if thirds[2]:
            con.executemany("INSERT INTO e VALUES (?, ?, ?, ?)", thirds[2])
        end = ", make_timestamp(e) AT TIME ZONE 'UTC' AS end_time" if sessions else ""
        con.execute(f"COPY (SELECT make_timestamp(t) AT TIME ZONE 'UTC' AS event_time, encode(subscriber_id) AS subscriber_id, cell_id{end} FROM e) "
                    f"TO '{self.folder}/events/three.parquet'")
        con.close()

    def text(self, us, zone, naive):
        kind = self.rng.randrange(6)
        moment = (check.EPOCH + dt.timedelta(microseconds=us)).astimezone(zone)
        if naive and kind == 0 and moment.fold == 0:
            return moment.replace(tzinfo=None).isoformat(timespec="microseconds", sep=" ")
        if kind == 1:
            return str(us)
        if kind == 2:
            return moment.astimezone(check.UTC).isoformat(timespec="microseconds").replace("+00:00", "789Z")
        if kind == 3:
            return moment.isoformat(timespec="microseconds").replace("+01:00", "+0100").replace("+02:00", "+02")
        return moment.isoformat(timespec="microseconds")

    def both(self):
        """(counts, expected) by SQL and by Python."""
        out = []
        for how in ("sql", "brute"):
            settings = self.settings()
            con, scratch = check.connect(settings)
            with scratch:
                _, tree = check.place_tree(con, settings.release)
                plan = check.plan_rows(con, settings)
                if how == "sql":
                    counts = check.expect_sql(con, settings, tree, plan, check.Clock(False))
                    rows = con.execute("SELECT report, period, us, level, place, devices FROM expected").fetchall()
                    assert len({r[:5] for r in rows}) == len(rows)
                    expected = {r[:5]: r[5] for r in rows}
                else:
                    read = brute.read(con, settings, tree, plan, check.opt_outs(con, settings))
                    counts, expected = read.counts, brute.expect(settings, tree, read)
                con.close()
            out.append(({k: v for k, v in counts.items() if v}, expected))
        return out

    def write_release(self, expected, change=lambda rows: rows):
        """A release that publishes every number of k or more, as rows (report, period, us, day, level, place, people, status)."""
        settings = self.settings()
        covered = {("country", "BE"), ("region", "R1"), ("region", "R2"), ("province", "P1"), ("commune", "C1"), ("commune", "C2"),
                   ("commune", "C3"), ("postal_code", "1000"), ("postal_code", "1001"), ("postal_code", "2000"), ("postal_code", "3000")}
        rows = []
        for report, period, us, day in settings.times():
            for level, place, _ in PLACES:
                n = expected.get((report, period, us, level, place), 0)
                status = "no_coverage" if (level, place) not in covered else "published" if n >= settings.k else "withheld"
                people = int(n * settings.factor + 0.5) if status == "published" else None
                rows.append([report, period, us, day, level, place, people, status])
        rows = change(rows)
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        check.make_table(con, "r", "report VARCHAR, period VARCHAR, us BIGINT, day DATE, level VARCHAR, place VARCHAR, people BIGINT, status VARCHAR", rows)
        for report, time in (("presence", "instant"), ("visitors", "period_start")):
            for (day,) in con.execute("SELECT DISTINCT day FROM r WHERE report = ?", [report]).fetchall():
                folder = self.release / report / f"date={day}"
                folder.mkdir(parents=True, exist_ok=True)
                period = "" if report == "presence" else "period, "
                con.execute(f"COPY (SELECT make_timestamp(us) AT TIME ZONE 'UTC' AS {time}, {period}level, place, people, status FROM r "
                            f"WHERE report = '{report}' AND day = '{day}') TO '{folder}/part.parquet'")
        con.close()

    def run(self, *extra):
        out = io.StringIO()
        return check.run(self.argv + list(extra), out), out.getvalue()


class SqlAgainstPython(unittest.TestCase):
    def agree(self, seeds, sessions=False, **options):
        for seed in seeds:
            day = DAYS[seed % len(DAYS)]
            with self.subTest(seed=seed, day=day), tempfile.TemporaryDirectory() as folder:
                case = Case(folder, random.Random(seed), day, **options)
                case.fill(dt.date.fromisoformat(day), sessions)
                (counts, expected), (brute_counts, brute_expected) = case.both()
                self.assertEqual(counts, brute_counts)
                self.assertEqual(expected, brute_expected)
                self.assertTrue(expected)

    def test_events(self):
        self.agree(range(30))

    def test_sessions(self):
        self.agree(range(100, 130), sessions=True)

    def test_odd_hold_and_step(self):
        self.agree(range(200, 206), sessions=True, hold="17min", step="7min")

    def test_several_days(self):
        for seed, (day, last) in enumerate([("2026-03-28", "2026-03-30"), ("2026-10-24", "2026-10-26")]):
            with tempfile.TemporaryDirectory() as folder:
                case = Case(folder, random.Random(seed), day, last=last)
                case.fill(dt.date.fromisoformat(day) + check.ONE_DAY, sessions=True)
                (counts, expected), (brute_counts, brute_expected) = case.both()
                self.assertEqual(counts, brute_counts)
                self.assertEqual(expected, brute_expected)


class ByHand(unittest.TestCase):
    """A few cases worked out on paper, so that SQL and Python cannot be wrong together."""

    def presence(self, lines, day="2026-10-15", header="event_time,subscriber_id,cell_id", **options):
        with tempfile.TemporaryDirectory() as folder:
            case = Case(folder, random.Random(0), day, **options)
            case.write_csv("e.csv", lines, header)
            (counts, expected), (brute_counts, brute_expected) = case.both()
            self.assertEqual((counts, expected), (brute_counts, brute_expected))
            zone = case.settings().zone
            return counts, {(r, p, check.local_text(us, zone)[11:16], place): n for (r, p, us, level, place), n in expected.items() if level == "postal_code"}

    def test_one_event_holds_half_an_hour_each_way(self):
        _, seen = self.presence(["2026-10-15T12:00:00+02:00,s1,a1"])
        self.assertEqual(sorted(t for r, _, t, _ in seen if r == "presence"), ["11:30", "11:45", "12:00", "12:15"])
        self.assertEqual(sorted(t for _, p, t, _ in seen if p == "hour"), ["11:00", "12:00"])

    def test_a_gap_of_two_holds_is_closed_and_one_microsecond_more_is_not(self):
        _, seen = self.presence(["2026-10-15T12:00:00+02:00,s1,a1", "2026-10-15T13:00:00+02:00,s1,B"])
        self.assertEqual([p for r, _, t, p in seen if r == "presence" and t == "12:30"], ["3000"])
        _, seen = self.presence(["2026-10-15T12:00:00+02:00,s1,a1", "2026-10-15T13:00:00.000001+02:00,s1,B"])
        self.assertEqual([p for r, _, t, p in seen if r == "presence" and t == "12:30"], [])
        self.assertEqual([p for r, _, t, p in seen if r == "presence" and t == "12:45"], ["3000"])

    def test_a_tie_goes_by_the_bytes_of_the_cell(self):
        # B comes before a1: B has the time before, a1 the time from 12:00 on.
        _, seen = self.presence(["2026-10-15T12:00:00+02:00,s1,a1", "2026-10-15T12:00:00+02:00,s1,B"])
        self.assertEqual({t: p for r, _, t, p in seen if r == "presence"}, {"11:30": "3000", "11:45": "3000", "12:00": "1000", "12:15": "1000"})

    def test_of_three_in_a_tie_the_middle_one_visits_nothing(self):
        _, seen = self.presence([f"2026-10-15T12:00:00+02:00,s1,{c}" for c in ("a1", "B", "a10")])
        self.assertEqual({p for _, _, _, p in seen}, {"3000", "2000"})

    def test_context_is_half_open(self):
        counts, _ = self.presence(["2026-10-14T23:00:00+02:00,s1,a1", "2026-10-14T22:59:59.999999+02:00,s1,a1",
                                   "2026-10-16T00:59:59.999999+02:00,s1,a1", "2026-10-16T01:00:00+02:00,s1,a1"])
        self.assertEqual(counts, {(0, "used"): 2, (0, "outside_window"): 2})

    def test_expired_comes_before_outside(self):
        counts, _ = self.presence(["2026-07-15T00:00:00+02:00,s1,a1", "2026-07-14T23:59:59.999999+02:00,s1,a1", "2020-01-01T00:00:00Z,s0,"])
        self.assertEqual(counts, {(0, "outside_window"): 1, (0, "expired"): 1, (0, "missing_field"): 1})

    def test_a_session_holds_its_length(self):
        lines = ["2026-10-15T12:00:00+02:00,s1,a1,2026-10-15T13:10:00+02:00", "2026-10-15T12:00:00+02:00,s1,a1,"]
        counts, seen = self.presence(lines, header="event_time,subscriber_id,cell_id,end_time")
        self.assertEqual(counts, {(0, "used"): 2, (None, "duplicate"): 1})
        self.assertEqual(sorted(t for r, _, t, _ in seen if r == "presence"),
                         ["11:30", "11:45", "12:00", "12:15", "12:30", "12:45", "13:00", "13:15", "13:30"])

    def test_days_of_23_and_25_hours(self):
        for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-15", 24)):
            with tempfile.TemporaryDirectory() as folder:
                case = Case(folder, random.Random(0), day)
                case.write_csv("e.csv", [], "event_time,subscriber_id,cell_id")
                times = case.settings().times()
                self.assertEqual(sum(t[1] == "hour" for t in times), hours)
                self.assertEqual(sum(t[0] == "presence" for t in times), 4 * hours)

    def test_an_hour_shown_twice_is_the_earlier_and_a_skipped_one_moves_on(self):
        _, seen = self.presence(["2026-10-25 02:30:00,s1,a1", "2026-10-25T02:30:00+01:00,s2,B"], day="2026-10-25")
        self.assertEqual(sorted(n for (r, _, t, _), n in seen.items() if r == "presence" and t == "02:30"), [1, 1])
        zone = check.zoneinfo.ZoneInfo("Europe/Brussels")
        self.assertEqual(brute.naive_us(dt.datetime(2026, 3, 29, 2, 30), zone), check.to_us(dt.datetime(2026, 3, 29, 1, 30, tzinfo=check.UTC)))


class TheCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.case = Case(self.folder.name, random.Random(7), "2026-10-25", extra=["--factor", "2.5"])
        self.case.fill(dt.date(2026, 10, 25), sessions=True)
        (self.counts, self.expected), _ = self.case.both()

    def release(self, change=lambda rows: rows):
        self.case.write_release(self.expected, change)
        return self.case.run()

    def test_a_right_release_passes_in_both_modes(self):
        code, text = self.release()
        self.assertEqual(code, 0, text)
        self.assertEqual(self.case.run("--brute")[0], 0)

    def test_protective_cells_are_counted(self):
        def hide(rows):
            row = next(r for r in rows if r[7] == "published")
            row[6], row[7] = None, "withheld"
            return rows
        code, text = self.release(hide)
        self.assertEqual(code, 0, text)
        self.assertEqual(sum(int(line.split()[6]) for line in text.splitlines() if line.startswith(("presence ", "visitors "))), 1)

    def test_every_fault_is_found(self):
        def published(rows):
            return next(r for r in rows if r[7] == "published")

        def edit(pick, at, value):
            def change(rows):
                row = pick(rows)
                row[at] = value(row[at]) if callable(value) else value
                return rows
            return change

        def below(rows):
            row = next(r for r in rows if r[7] == "withheld" and self.expected.get((r[0], r[1], r[2], r[4], r[5])) == 1)
            row[6], row[7] = 3, "published"
            return rows

        faults = {
            "people differ": edit(published, 6, lambda n: n + 1),
            "no people": edit(published, 6, None),
            "published below k": below,
            "no row": lambda rows: rows[1:],
            "more than one row": lambda rows: rows + [rows[0]],
            "off the grid": lambda rows: rows + [[*rows[0][:2], rows[0][2] + 1, *rows[0][3:]]],
            "none of the three": edit(published, 7, "hidden"),
            "the status is no_coverage": edit(published, 7, "no_coverage"),
            "not no_coverage": edit(lambda rows: next(r for r in rows if r[7] == "no_coverage"), 7, "withheld"),
            "not published": edit(lambda rows: next(r for r in rows if r[7] == "withheld"), 6, 0),
            "folder of another date": edit(published, 3, dt.date(2026, 10, 24)),
        }
        for fault, change in faults.items():
            with self.subTest(fault):
                code, text = self.release(change)
                self.assertEqual(code, 1, text)
                self.assertIn(fault, text)
                self.assertIn("1 differences", text)

    def test_the_ledger(self):
        self.case.write_release(self.expected)
        ledger = pathlib.Path(self.folder.name) / "ledger"
        ledger.mkdir()
        files = []
        for number, path in enumerate(self.case.settings().events):
            rejected = {r: self.counts.get((number, r), 0) for r in check.REASONS}
            used = self.counts.get((number, "used"), 0)
            if number == 0:
                rejected["duplicate"] = self.counts.get((None, "duplicate"), 0)
                used -= rejected["duplicate"]
            files.append({"path": os.path.relpath(path, self.folder.name), "rows_read": used + sum(rejected.values()), "rows_used": used, "rejected": rejected})
        run = {"rows_read": sum(f["rows_read"] for f in files), "rows_used": sum(f["rows_used"] for f in files),
               "rejected": {r: sum(f["rejected"][r] for f in files) for r in check.REASONS}, "files": files}
        (ledger / "run.json").write_text(json.dumps(run))
        code, text = self.case.run("--ledger", str(ledger))
        self.assertEqual(code, 0, text)
        run["rejected"]["expired"] += 1
        (ledger / "run.json").write_text(json.dumps(run))
        code, text = self.case.run("--ledger", str(ledger))
        self.assertEqual(code, 1)
        self.assertIn("rejected expired", text)

    def test_a_config_serves_as_flags(self):
        self.case.write_release(self.expected)
        config = pathlib.Path(self.folder.name) / "throng.toml"
        config.write_text('events = ["events"]\ncells = "cells.csv"\nopt-out = "opt-out.csv"\nfrom = 2026-10-25\nas-of = "2026-10-25"\n'
                          'k = 2\nexpansion = 2.5\nhold = "30min"\n[events_columns]\nevent_time = "event_time"\n')
        out = io.StringIO()
        self.assertEqual(check.run(["--config", str(config), "--release", str(self.case.release), "--no-rules"], out), 0, out.getvalue())


if __name__ == "__main__":
    unittest.main()
