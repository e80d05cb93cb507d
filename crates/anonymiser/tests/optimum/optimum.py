#!/usr/bin/env python3
"""Optimal cell suppression for small random frequency tables.

What this is for
----------------
It makes a set of small, seeded, random tables of counts and computes for each
the smallest possible number of cells that have to be withheld.  The result is
a yardstick: a fast heuristic can be run on the same tables, and the number of
cells it leaves out can be compared with the smallest number possible.

The problem
-----------
A table crosses two classifications, each a tree (a total with or without
groups in between).  The leaves crossed are the atoms: counts, integers >= 0.
Every other cell is a sum of atoms.  A cell of any level with a count under k
(zero included) is "primary": it is withheld.  More ("secondary") cells are
withheld, so that somebody who knows the published cells, the sums and that no
count is negative cannot tell that a primary cell is under k.  Every cell costs
1, margins and the grand total included, and any cell may be withheld.

Two versions of the requirement are solved:

  upper   for each primary cell the largest value that fits the published
          cells is at least k;
  both    as "upper", and the smallest value that fits is 0.

In the language of the cell suppression literature: external bounds 0 and
"very large" for all cells, upper protection level k - x, lower protection
level 0 ("upper") or x ("both"), sliding protection level 0, unit costs.
What fits is judged with real numbers, as usual; for a flat or hierarchical
classification crossed by a flat one this is the same as with whole numbers,
since the sums are then those of a network.

How it is solved
----------------
1. "argus": the optimal method of tau-ARGUS (Fischetti and Salazar's branch and
   cut), through the package pytauargus, which brings an open solver with it.
   The problem is handed over as a file in tau-ARGUS's JJ format, straight to
   the optimiser (HiTaSCtrl.full_jj), so each protection level and each cost is
   as said above.  In that format each cell is a line

       number value cost status lower upper lpl upl spl

   with status u (primary) or s (may be published); then come the sums, as
   lines "0.0 terms : cell (coefficient) ...".
2. "milp": a formulation of our own solved with HiGHS (package highspy): one
   yes/no variable a cell, and cuts found by linear programs, one for each
   primary cell and direction.
Every pattern found, by either way, is checked by linear programs that
compute each primary cell's range.

How to repeat it
----------------
    pip install numpy highspy pytauargus
    python3 optimum.py --out tables.json.gz

(--out PATH that ends in .gz is compressed.)  Other options: --only REGEX for
some of the tables, --modes upper or both, --argus-minutes, --milp-seconds (0
leaves that way out), --argus-check-seconds (the time for tau-ARGUS where the
other way has proved the smallest number already).  The tables are always the
same; so are the counts withheld wherever optimality was proved, while the
patterns, and the counts that were not proved, need not be.

The file written
----------------
JSON: {"about": ..., "tables": [...]}; each table has

  id          "a01", ... (a: flat x flat, b: hierarchical x flat,
              c: hierarchical x hierarchical)
  kind        the same in words, and the shape in numbers
  style       how counts were drawn: "independent", or "effects" (rows and
              columns of different size, so that small counts cluster)
  k           the threshold
  rows, cols  the trees: a list of [code, parent code], the parent first and
              null for the total; children follow in order
  atoms       a list of rows of counts: one for each leaf of rows in the order
              of the list, with one count for each leaf of cols
  cells       number of cells, all levels
  primaries   number of cells under k, all levels
  upper, both the results for the two requirements:
     withheld   smallest number of cells withheld found, primaries included
     secondary  withheld - primaries
     bound      proved lower bound of withheld
     proved     the ways by which withheld is proved smallest; empty if not
     disagree   whether a bound is above a valid pattern (never, one hopes)
     pattern    the secondary cells of one such solution, [row code, col code]
     argus, milp  what each way said: withheld, bound, proved, seconds, and
              valid: whether the pattern stood the check (absent, like the
              count, if no pattern was found in time; note then says why);
              rounds: how often "milp" solved its program
"""
import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

K = 20


# ---------------------------------------------------------------- the tables

def tree(prefix, groups):
    """A total, with groups of the given sizes; one number makes a flat list."""
    total = prefix + "00"
    out = [(total, None)]
    if isinstance(groups, int):
        out += [(f"{prefix}{i:02d}", total) for i in range(1, groups + 1)]
        return out
    n = 1
    for size in groups:
        head = f"{prefix}{n:02d}"
        out.append((head, total))
        n += 1
        for _ in range(size):
            out.append((f"{prefix}{n:02d}", head))
            n += 1
    return out


def leaves(t):
    parents = {p for _, p in t}
    return [c for c, _ in t if c not in parents]


def members(t):
    """For each node the numbers of the leaves under it."""
    order = {c: i for i, c in enumerate(leaves(t))}
    under = {c: set() for c, _ in t}
    parent = dict(t)
    for leaf, i in order.items():
        node = leaf
        while node is not None:
            under[node].add(i)
            node = parent[node]
    return [sorted(under[c]) for c, _ in t]


def draw(rng, n, m, style, share):
    """n x m counts of which about the given share are under K."""
    if style == "independent":
        small = rng.random((n, m)) < share
        low = np.minimum(np.floor(rng.exponential(6.0, (n, m))), K - 1)
        low[rng.random((n, m)) < 0.3] = 0
        high = K + np.floor(np.exp(rng.normal(4.6, 1.4, (n, m))))
        return np.where(small, low, np.minimum(high, 20000)).astype(int)
    level = (rng.normal(0, 1.0, (n, 1)) + rng.normal(0, 1.0, (1, m))
             + rng.normal(0, 0.8, (n, m)))
    level = level - np.quantile(level, share)
    value = np.exp(np.log(K) + np.where(level > 0, 1.6, 2.2) * level)
    return np.minimum(np.floor(value), 20000).astype(int)


def make_tables():
    plan = []
    for n, m in [(4, 4), (4, 6), (5, 5), (5, 8), (6, 6), (6, 10), (7, 7),
                 (8, 8), (9, 9), (8, 14), (10, 10), (11, 11), (12, 12),
                 (10, 18), (14, 14), (15, 15), (16, 16), (12, 24), (18, 18),
                 (20, 20), (22, 22), (24, 24), (26, 26), (29, 29)]:
        plan.append(("a", n, m))
    for groups, m in [((3, 3), 4), ((3, 4), 4), ((3, 3, 4), 4),
                      ((3, 4, 5), 5), ((4, 4, 4), 6), ((5, 5, 5), 5),
                      ((3, 5, 6), 6), ((6, 6, 6), 6), ((3, 4, 5, 6), 6),
                      ((5, 6, 4), 8), ((6, 6, 6), 10), ((4, 5, 6, 3), 8),
                      ((5, 5, 5, 5), 8), ((3, 6, 4, 6, 5), 7),
                      ((6, 5, 6, 5, 6), 8), ((6, 6, 6, 6, 6), 10),
                      ((5, 6, 5, 6, 5, 6), 10), ((6,) * 8, 10)]:
        plan.append(("b", groups, m))
    for groups, cols in [((3, 3), (2, 2)), ((3, 3), (4, 4)),
                         ((3, 4), (3, 3)), ((4, 4), (4, 4)),
                         ((3, 3, 4), (2, 3)), ((3, 3, 3), (4, 4)),
                         ((3, 4, 5), (4, 4)), ((4, 4, 4), (4, 4)),
                         ((5, 5, 5), (3, 4)), ((3, 5, 6), (4, 4)),
                         ((6, 6, 6), (4, 4)), ((3, 4, 5, 6), (4, 4)),
                         ((5, 5, 5, 5), (4, 4)), ((6, 6, 6, 6), (4, 4)),
                         ((4, 5, 6, 4, 5), (4, 4)), ((6,) * 5, (4, 4)),
                         ((5,) * 7, (4, 4)), ((6,) * 8, (4, 4))]:
        plan.append(("c", groups, cols))
    words = {"a": "flat x flat", "b": "hierarchical x flat",
             "c": "hierarchical x hierarchical"}
    tables, number = [], {"a": 0, "b": 0, "c": 0}
    for i, (letter, r, c) in enumerate(plan):
        number[letter] += 1
        rng = np.random.default_rng(1000 + i)
        rows, cols = tree("r", r), tree("c", c)
        style = ("independent", "effects")[number[letter] % 2]
        atoms = draw(rng, len(leaves(rows)), len(leaves(cols)), style,
                     rng.uniform(0.10, 0.30))
        if atoms.sum() < K:
            continue
        tables.append({
            "id": f"{letter}{number[letter]:02d}",
            "kind": f"{words[letter]}, {len(rows)} x {len(cols)} cells",
            "style": style, "k": K, "rows": rows, "cols": cols,
            "atoms": atoms.tolist()})
    return tables


class Problem:
    """Values, sums and primaries of a table; cell = row * columns + column."""

    def __init__(self, table):
        self.k = table["k"]
        self.rows, self.cols = table["rows"], table["cols"]
        atoms = np.array(table["atoms"])
        mr, mc = members(self.rows), members(self.cols)
        n, m = len(mr), len(mc)
        self.value = np.array([[int(atoms[np.ix_(a, b)].sum()) for b in mc]
                               for a in mr]).ravel()
        self.size = n * m
        self.primary = [c for c in range(self.size) if self.value[c] < self.k]
        self.sums = []
        for i, kids in self._families(self.rows):
            for j in range(m):
                self.sums.append([(i * m + j, -1)]
                                 + [(h * m + j, 1) for h in kids])
        for j, kids in self._families(self.cols):
            for i in range(n):
                self.sums.append([(i * m + j, -1)]
                                 + [(i * m + h, 1) for h in kids])
        for s in self.sums:
            assert sum(f * self.value[c] for c, f in s) == 0

    @staticmethod
    def _families(t):
        place = {c: i for i, (c, _) in enumerate(t)}
        kids = {}
        for code, parent in t:
            if parent is not None:
                kids.setdefault(place[parent], []).append(place[code])
        return sorted(kids.items())

    def name(self, cell):
        m = len(self.cols)
        return [self.rows[cell // m][0], self.cols[cell % m][0]]

    def levels(self, mode):
        """(cell, direction, distance) of all requirements; direction +1, -1."""
        for c in self.primary:
            x = int(self.value[c])
            yield c, 1, self.k - x
            if mode == "both" and x > 0:
                yield c, -1, x


# ------------------------------------------------------- the attacker's range

class Attacker:
    """Linear program over the changes z of the cells that keep all sums."""

    def __init__(self, problem):
        import highspy
        self.p = problem
        self.inf = highspy.kHighsInf
        self.h = h = highspy.Highs()
        h.setOptionValue("output_flag", False)
        h.setOptionValue("threads", 1)
        h.setOptionValue("presolve", "off")
        for _ in range(problem.size):
            h.addVar(0.0, 0.0)
        for s in problem.sums:
            h.addRow(0.0, 0.0, len(s), np.array([c for c, _ in s], np.int32),
                     np.array([float(f) for _, f in s]))
        h.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self.index = np.arange(problem.size, dtype=np.int32)

    def bounds(self, y, scale=None):
        """Cells may change as far as y (0..1) lets them.

        scale: the most a cell can rise, times y; None for no limit."""
        y = np.where(np.asarray(y) < 1e-9, 0.0, y)
        low = -self.p.value * y
        up = np.where(y > 0, self.inf, 0.0) if scale is None else scale * y
        self.h.changeColsBounds(self.p.size, self.index, low, up)

    def reach(self, cell, direction, limit):
        """Farthest change of the cell in that direction, and a cut.

        The change is limited to limit.  The second result is a vector w with
        direction * z[cell] = sum(w * z) for every z that keeps the sums."""
        h, p = self.h, self.p
        h.changeColCost(cell, float(direction))
        lo, up = h.getLp().col_lower_[cell], h.getLp().col_upper_[cell]
        if direction > 0:
            h.changeColBounds(cell, 0.0, float(limit))
        else:
            h.changeColBounds(cell, -float(limit), 0.0)
        h.run()
        best = h.getInfo().objective_function_value
        dual = np.array(h.getSolution().row_dual)
        h.changeColCost(cell, 0.0)
        h.changeColBounds(cell, lo, up)
        w = np.zeros(p.size)
        w[cell] = direction
        for s, u in zip(p.sums, dual):
            if u:
                for c, f in s:
                    w[c] -= u * f
        return best, w


def ranges_hold(problem, withheld, mode):
    """Whether a set of withheld cells meets all requirements."""
    a = Attacker(problem)
    y = np.zeros(problem.size)
    y[list(withheld)] = 1.0
    a.bounds(y)
    for cell, direction, limit in problem.levels(mode):
        if not y[cell] or a.reach(cell, direction, limit)[0] < limit - 1e-6:
            return False
    return True


# ------------------------------------------------------------- 1. tau-ARGUS

ARGUS = r"""
import sys
from pytauargus import _tauargus as t
h = t.HiTaSCtrl()
code = h.full_jj(in_file_jj="in.jj", out_file="out.jj", max_time=int(sys.argv[1]))
print("code", code, h.error_string(code) if code > 1 else "")
"""


def write_jj(problem, mode, path):
    large = int(problem.value.max()) * 10 + 1000
    with open(path, "w") as f:
        f.write(f"0\n{problem.size}\n")
        for c, x in enumerate(problem.value):
            if x < problem.k:
                f.write(f"{c} {x} 1 u 0 {large} {x if mode == 'both' else 0} "
                        f"{problem.k - x} 0\n")
            else:
                f.write(f"{c} {x} 1 s 0 {large} 0 0 0\n")
        f.write(f"{len(problem.sums)}\n")
        for s in problem.sums:
            f.write(f"0.0 {len(s)} : "
                    + " ".join(f"{c} ({v})" for c, v in s) + "\n")


def solve_argus(problem, mode, minutes, kill_after):
    start = time.time()
    with tempfile.TemporaryDirectory() as d:
        write_jj(problem, mode, os.path.join(d, "in.jj"))
        try:
            r = subprocess.run([sys.executable, "-c", ARGUS, str(minutes)],
                               cwd=d, capture_output=True, text=True,
                               timeout=kill_after)
            said = r.stdout.strip() or f"ended with {r.returncode}"
        except subprocess.TimeoutExpired:
            said = "did not stop in time"
        out = {"seconds": round(time.time() - start, 2)}
        path = os.path.join(d, "out.jj")
        if not said.startswith("code ") or int(said.split()[1]) > 1 \
                or not os.path.exists(path):
            out.update(withheld=None, bound=None, proved=False, note=said)
            return out, None
        cells = {int(w.split()[0]) for w in open(path) if w.strip()}
        cells |= set(problem.primary)
        log = open(os.path.join(d, "FullJJ.log"), errors="replace").read()
        found = re.search(r"Objectvalues:\s*([-\d.e+]+)\s+and\s+([-\d.e+]+)", log)
        low, high = (float(found[1]), float(found[2])) if found else (0, 0)
        if low > high:
            low, high = high, low
    out.update(withheld=len(cells), bound=int(np.ceil(low - 1e-6)),
               proved=bool(found) and abs(high - low) < 1e-6
               and int(said.split()[1]) == 0 and int(round(high)) == len(cells),
               valid=ranges_hold(problem, cells, mode))
    return out, cells


# ------------------------------------------------------------- 2. our own way

def solve_milp(problem, mode, seconds):
    """Cuts first for fractions, then for whole solutions, until none fails."""
    import highspy
    start = time.time()
    p, attacker = problem, Attacker(problem)
    m = highspy.Highs()
    m.setOptionValue("output_flag", False)
    m.setOptionValue("threads", 1)
    fixed = set(p.primary)
    for c in range(p.size):
        m.addVar(1.0 if c in fixed else 0.0, 1.0)
        m.changeColCost(c, 1.0)
    # A sum with one withheld cell gives it away.
    for s in p.sums:
        for c, _ in s:
            others = [e for e, _ in s if e != c]
            m.addRow(0.0, m.getInfinity(), len(s),
                     np.array(others + [c], np.int32),
                     np.array([1.0] * len(others) + [-1.0]))

    wants = list(p.levels(mode))

    def separate(y, least, whole):
        cuts = 0
        for cell, direction, limit in wants:
            attacker.bounds(y, None if whole else float(limit))
            best, w = attacker.reach(cell, direction, limit)
            if best >= limit - 1e-5:
                continue
            # The target moves by sum(w * z).  A cell with w > 0 may rise
            # without limit; one with w < 0 can fall by its value at most.
            # What one cell adds need never count for more than the limit.
            g = np.where(w > 1e-9, 1.0,
                         np.minimum(np.maximum(-w, 0) * p.value / limit, 1.0))
            g[np.abs(w) < 1e-9] = 0.0
            g[cell] = 0.0
            if float(g @ y) < 1 - least:
                at = np.flatnonzero(g > 0).astype(np.int32)
                m.addRow(1.0, m.getInfinity(), len(at), at, g[at])
                cuts += 1
        return cuts

    best_set, bound, rounds = None, len(fixed), 0
    last, still = -1.0, 0
    while time.time() - start < seconds:             # fractional rounds
        m.run()
        y = np.clip(np.array(m.getSolution().col_value), 0, 1)
        value = m.getInfo().objective_function_value
        bound = max(bound, int(np.ceil(value - 1e-6)))
        rounds += 1
        still = still + 1 if value - last < 1e-4 else 0
        last = value
        if still >= 8 or not separate(y, 0.02, False):
            break
    for c in range(p.size):
        m.changeColIntegrality(c, highspy.HighsVarType.kInteger)
    proved = False
    while True:                                      # whole rounds
        left = seconds - (time.time() - start)
        if left < 1:
            break
        m.setOptionValue("time_limit", m.getRunTime() + left)
        m.run()
        info = m.getInfo()
        bound = max(bound, int(np.ceil(info.mip_dual_bound - 1e-6)))
        if m.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            break
        y = np.round(np.array(m.getSolution().col_value))
        rounds += 1
        if not separate(y, 1e-6, True):
            best_set = set(np.flatnonzero(y > 0.5).tolist())
            bound = len(best_set)
            proved = True
            break
    out = {"withheld": len(best_set) if best_set else None, "bound": bound,
           "proved": proved, "rounds": rounds,
           "seconds": round(time.time() - start, 2)}
    if best_set:
        out["valid"] = ranges_hold(p, best_set, mode)
    return out, best_set


# ----------------------------------------------------------------- the report

def solve(problem, mode, minutes, check, seconds):
    results, sets = {}, {}
    kill_after = 60 * minutes + 120
    if seconds:
        results["milp"], sets["milp"] = solve_milp(problem, mode, seconds)
        if results["milp"]["proved"]:
            kill_after = check
    results["argus"], sets["argus"] = solve_argus(problem, mode, minutes,
                                                  kill_after)
    good = [(results[w]["withheld"], w) for w in results
            if sets[w] and results[w].get("valid")]
    out = {"withheld": None, "secondary": None}
    top = min(good)[0] if good else problem.size
    out["bound"] = max([len(problem.primary)]
                       + [r["bound"] for r in results.values() if r["bound"]])
    out["disagree"] = out["bound"] > top
    out["proved"] = [w for w, r in results.items()
                     if r["proved"] and r.get("valid") and r["withheld"] == top]
    if good and not out["proved"] and out["bound"] == top:
        out["proved"] = ["bound of one, pattern of the other"]
    if good:
        count, way = min(good)
        out["withheld"], out["secondary"] = count, count - len(problem.primary)
        out["pattern"] = [problem.name(c) for c in
                          sorted(sets[way] - set(problem.primary))]
    out.update(results)
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--out", default="tables.json.gz")
    a.add_argument("--only", default="", help="tables whose id fits this regex")
    a.add_argument("--modes", default="upper,both")
    a.add_argument("--argus-minutes", type=int, default=1)
    a.add_argument("--argus-check-seconds", type=int, default=20)
    a.add_argument("--milp-seconds", type=float, default=300)
    o = a.parse_args()
    done = []
    for table in make_tables():
        if not re.match(o.only, table["id"]):
            continue
        problem = Problem(table)
        table["cells"] = problem.size
        table["primaries"] = len(problem.primary)
        for mode in o.modes.split(","):
            r = table[mode] = solve(problem, mode, o.argus_minutes,
                                    o.argus_check_seconds, o.milp_seconds)
            say = [f"{w} {r[w]['withheld']} (>= {r[w]['bound']}, "
                   f"{r[w]['seconds']} s"
                   + ("" if r[w].get("valid", True) else ", NOT VALID") + ")"
                   for w in ("argus", "milp") if w in r]
            print(table["id"], table["kind"], mode, "primary",
                  table["primaries"], "withheld", r["withheld"], "proved by",
                  "+".join(r["proved"]) or "none", "|", "; ".join(say),
                  flush=True)
        done.append(table)
        about = ("Random frequency tables with the smallest number of cells "
                 "that must be withheld; made by optimum.py, which describes "
                 "the fields.")
        text = '{"about": ' + json.dumps(about) + ', "tables": [\n' + ",\n".join(
            json.dumps(t, separators=(",", ":")) for t in done) + "\n]}\n"
        with (gzip.open if o.out.endswith(".gz") else open)(o.out, "wt") as f:
            f.write(text)


if __name__ == "__main__":
    main()
