"""Makes the table of a day's presence by residence, hour by hour, out of events: input of the bench residence_day.

    python benches/residence_day.py THRONG FOLDER TABLE.csv

THRONG is the program, FOLDER what `throng synth` made. Everybody who does not live in a province is put on the list of
opt-outs, the rest is counted with k = 1, and so on for each province; who lives nowhere in the table is abroad. So the
table is the truth, before any protection, and is for this bench alone. Needs duckdb.
"""
import pathlib
import subprocess
import sys
import tempfile

import duckdb


def main():
    throng, folder, table = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    work = pathlib.Path(tempfile.mkdtemp())
    con = duckdb.connect()

    def count(name, *more):
        out = work / name / "release"
        subprocess.run(
            [throng, "run", "--config", str(folder / "throng.toml"), "--out", str(out), "--reports", "presence",
             "--step", "60min", "--k", "1", "--accept-small-k", *more], check=True, capture_output=True)
        return out

    everybody = count("all")
    con.execute(f"""CREATE TABLE place AS SELECT pc.place pc, com.place com, prov.place prov, prov.parent reg
        FROM '{everybody}/places.parquet' pc JOIN '{everybody}/places.parquet' com ON com.level = 'commune' AND com.place = pc.parent
        JOIN '{everybody}/places.parquet' prov ON prov.level = 'province' AND prov.place = com.parent WHERE pc.level = 'postal_code'""")
    con.execute(f"""CREATE TABLE home AS SELECT subscriber_id, any_value(prov) prov, any_value(reg) reg
        FROM read_csv('{folder}/residence.csv', all_varchar = true) r JOIN place ON pc = r.postal_code GROUP BY 1""")
    con.execute(f"CREATE TABLE out AS SELECT subscriber_id FROM read_csv('{folder}/opt_out.csv', all_varchar = true)")
    con.execute("CREATE TABLE found (t VARCHAR, pc VARCHAR, res VARCHAR, rreg VARCHAR, n BIGINT)")

    def add(release, res, reg):
        con.execute(f"""INSERT INTO found SELECT instant::VARCHAR, place, ?, ?, coalesce(people, 0)
            FROM '{release}/presence/*/*.parquet' WHERE level = 'postal_code' AND status <> 'no_coverage'""", [res, reg])

    for prov, reg in con.execute("SELECT DISTINCT prov, reg FROM place ORDER BY 1").fetchall():
        others = work / f"not-{prov}.csv"
        con.execute(f"COPY (SELECT subscriber_id FROM home WHERE prov <> '{prov}' UNION SELECT subscriber_id FROM out) TO '{others}'")
        # Who has no home stays on this list's other side, and is taken away again below.
        add(count(f"in-{prov}", "--opt-out", str(others)), prov, reg)
    residents = work / "residents.csv"
    con.execute(f"COPY (SELECT subscriber_id FROM home UNION SELECT subscriber_id FROM out) TO '{residents}'")
    add(count("abroad", "--opt-out", str(residents)), "abroad", "abroad")
    con.execute("""UPDATE found SET n = found.n - abroad.n FROM (SELECT t, pc, n FROM found WHERE res = 'abroad') abroad
        WHERE found.t = abroad.t AND found.pc = abroad.pc AND found.res <> 'abroad'""")
    add(everybody, "check", "check")
    wrong = con.execute("""SELECT count(*) FROM (SELECT t, pc, sum(CASE WHEN res = 'check' THEN -n ELSE n END) s
        FROM found GROUP BY 1, 2) WHERE s <> 0""").fetchone()[0]
    if wrong:
        sys.exit(f"{wrong} sums over residences are not the whole")
    con.execute(f"""COPY (SELECT t, pc, com, prov, reg, res, rreg, CASE WHEN res = 'abroad' THEN 'abroad' ELSE 'BE' END nat, n
        FROM found JOIN place USING (pc) WHERE res <> 'check' ORDER BY t, pc, res) TO '{table}' (HEADER)""")


if __name__ == "__main__":
    main()
