"""How far are the reports from where people really were? Made-up people have a truth; real ones do not.

    python3 benches/accuracy.py target/release/throng WORK [SUBSCRIBERS [DAYS]]

WORK is a folder for about a gigabyte. Python has duckdb. Every number is counted with k = 1, so that nothing is
withheld but nobody, and is held against the same number of the ground truth: the error is the sum of all absolute
differences, divided by the sum of the truth.
"""

import subprocess
import sys
from pathlib import Path

import duckdb

LEVELS = ["country", "region", "province", "commune", "postal_code"]
CASES = [
    ("as operators' files are", []),
    ("no event at a neighbouring cell", ["--clean"]),
    ("the same, ten times the events", ["--clean", "--events-per-day", "500"]),
]
DWELL = "CASE WHEN us < 900e6 THEN '0-15min' WHEN us < 1800e6 THEN '15-30min' WHEN us < 3600e6 THEN '30-60min' " \
        "WHEN us < 7200e6 THEN '1-2h' WHEN us < 14400e6 THEN '2-4h' WHEN us < 28800e6 THEN '4-8h' ELSE '8h+' END"
DAYS = "CASE WHEN n < 2 THEN '1' WHEN n < 4 THEN '2-3' WHEN n < 8 THEN '4-7' WHEN n < 15 THEN '8-14' ELSE '15+' END"


def truth(con, folder, zone="Europe/Brussels"):
    """The true numbers, by report, time, level, place and class."""
    con.execute(f"SET TimeZone = '{zone}'")
    con.execute(f"""
      CREATE TABLE visits AS SELECT subscriber_id AS s, postal_code AS pc, epoch_us("start") AS a, epoch_us("end") AS b
      FROM '{folder}/truth/**/*.parquet' WHERE subscriber_id NOT IN
        (SELECT subscriber_id FROM read_csv('{folder}/opt_out.csv', all_varchar = true))""")
    con.execute(f"""
      CREATE TABLE days AS SELECT d::DATE AS day, epoch_us(timezone('{zone}', d)) AS a, epoch_us(timezone('{zone}', d + INTERVAL 1 DAY)) AS b
      FROM (SELECT unnest(generate_series((SELECT min(day) FROM window_days)::TIMESTAMP, (SELECT max(day) FROM window_days)::TIMESTAMP, INTERVAL 1 DAY)) AS d)""")
    # One stay is what touches in one place.
    con.execute("""
      CREATE TABLE stays AS SELECT s, pc, min(a) AS a, max(b) AS b FROM (
        SELECT *, sum(fresh) OVER (PARTITION BY s ORDER BY a) AS nth FROM (
          SELECT *, CASE WHEN lag(pc) OVER w = pc AND lag(b) OVER w = a THEN 0 ELSE 1 END AS fresh FROM visits WINDOW w AS (PARTITION BY s ORDER BY a)))
      GROUP BY s, pc, nth""")
    con.execute("CREATE TABLE placed AS SELECT * FROM stays JOIN lines USING (pc)")
    con.execute("""
      CREATE TABLE parts AS SELECT s, level, place, day, sum(least(p.b, d.b) - greatest(p.a, d.a)) AS us
      FROM placed p JOIN days d ON p.a < d.b AND p.b > d.a GROUP BY ALL""")
    con.execute(f"""
      CREATE TABLE really AS
      SELECT 'presence' AS report, t, level, place, '' AS class, count(*) AS n FROM (
        SELECT level, place, unnest(range(((a + 899999999) // 900000000 * 900000000)::BIGINT, b::BIGINT, 900000000::BIGINT)) AS t FROM placed)
      WHERE t >= (SELECT min(a) FROM days) AND t < (SELECT max(b) FROM days) GROUP BY ALL
      UNION ALL SELECT 'visitors', a, level, place, '', count(DISTINCT s) FROM parts JOIN days USING (day) GROUP BY ALL
      UNION ALL SELECT 'dwell', a, level, place, {DWELL}, count(*) FROM parts JOIN days USING (day) GROUP BY ALL
      UNION ALL SELECT 'frequency', (SELECT min(a) FROM days), level, place, {DAYS}, count(*)
        FROM (SELECT s, level, place, count(*) AS n FROM parts GROUP BY ALL) GROUP BY ALL
      UNION ALL
      SELECT 'flows', d.a, x.level, x.place, y.place, count(*) FROM (
        SELECT s, pc, a, lag(pc) OVER (PARTITION BY s ORDER BY a) AS before FROM stays WHERE b - a >= 900000000) t
      JOIN days d ON t.a >= d.a AND t.a < d.b JOIN lines x ON x.pc = t.before JOIN lines y ON y.pc = t.pc AND y.level = x.level
      WHERE t.pc <> t.before GROUP BY ALL""")


def counted(con, release):
    """The numbers of the release, by the same columns; pairs of one level alone, of flows."""
    read = lambda report: f"read_parquet('{release}/{report}/**/*.parquet', hive_partitioning = false)"
    con.execute(f"""
      CREATE TABLE said AS
      SELECT 'presence' AS report, epoch_us(instant) AS t, level, place, '' AS class, people AS n FROM {read('presence')} WHERE people > 0
      UNION ALL SELECT 'visitors', epoch_us(period_start), level, place, '', people FROM {read('visitors')} WHERE people > 0 AND period = 'day'
      UNION ALL SELECT 'dwell', epoch_us(period_start), level, place, dwell, people FROM {read('dwell')} WHERE people > 0
      UNION ALL SELECT 'frequency', epoch_us(period_start), level, place, days, people FROM {read('frequency')} WHERE people > 0 AND days <> 'all'
      UNION ALL SELECT 'flows', epoch_us(period_start), level, place, destination, people FROM {read('flows')}
        WHERE people > 0 AND period = 'day' AND level = destination_level AND level <> 'all'""")


def errors(throng, work, flags, subscribers, days):
    """The error and the bias of each report at each level."""
    folder = work / ("_".join(flags).replace("-", "") or "plain")
    if not (folder / "throng.toml").exists():
        subprocess.run([throng, "synth", "--out", folder, "--subscribers", str(subscribers), "--days", str(days), "--seed", "3",
                        *flags], check=True, stdout=subprocess.DEVNULL)
    release = folder / "truth-release" / "release"
    subprocess.run([throng, "run", "--config", folder / "throng.toml", "--out", release, "--k", "1", "--accept-small-k",
                    "--reports", "presence,visitors,dwell,frequency,flows"], check=True, stdout=subprocess.DEVNULL)
    con = duckdb.connect()
    con.execute(f"""CREATE TABLE lines AS WITH RECURSIVE up AS (
        SELECT place AS pc, level, place, parent FROM '{release}/places.parquet' WHERE level = 'postal_code'
        UNION ALL SELECT u.pc, p.level, p.place, p.parent FROM up u JOIN '{release}/places.parquet' p ON p.place = u.parent
          AND p.level = CASE u.level WHEN 'postal_code' THEN 'commune' WHEN 'commune' THEN 'province' WHEN 'province' THEN 'region' ELSE 'country' END)
      SELECT pc, level, place FROM up""")
    con.execute(f"CREATE TABLE window_days AS SELECT DISTINCT instant::DATE AS day FROM (SELECT timezone('Europe/Brussels', instant) AS instant FROM read_parquet('{release}/presence/**/*.parquet'))")
    truth(con, folder)
    counted(con, release)
    rows = con.execute("""
      SELECT report, level, sum(abs(coalesce(s.n, 0) - coalesce(r.n, 0))) / sum(coalesce(r.n, 0)), sum(coalesce(s.n, 0)) / sum(coalesce(r.n, 0)) - 1
      FROM said s FULL JOIN really r USING (report, t, level, place, class) GROUP BY ALL""").fetchall()
    return {(report, level): (error, bias) for report, level, error, bias in rows}


def main():
    throng, work = sys.argv[1], Path(sys.argv[2])
    subscribers, days = (int(sys.argv[3]) if len(sys.argv) > 3 else 20_000), (int(sys.argv[4]) if len(sys.argv) > 4 else 3)
    work.mkdir(parents=True, exist_ok=True)
    for name, flags in CASES:
        found = errors(throng, work, flags, subscribers, days)
        print(f"\n{name} ({subscribers:,} subscribers, {days} days): error (bias)\n")
        print("| report | " + " | ".join(LEVELS) + " |\n| --- |" + " ---: |" * len(LEVELS))
        for report in ["presence", "visitors", "dwell", "frequency", "flows"]:
            cells = [found.get((report, level)) for level in LEVELS]
            print(f"| {report} | " + " | ".join(f"{100 * c[0]:.1f} % ({100 * c[1]:+.1f})" if c and c[0] is not None else "-" for c in cells) + " |")


main()
