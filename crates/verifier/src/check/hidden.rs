//! Nobody can work out a withheld number of a table whose numbers add up, nor show that it is small.

use rayon::prelude::*;

use crate::{
    bounds::{Bounds, Contradiction, bounds},
    check::{Verdict, rows::UNROUNDED},
    eliminate::{Recovered, recovered},
    fault::Faults,
    incidence::Incidence,
    part::{Cell, Part, Row},
    places::Sums,
    programme::solved,
    release::Release,
};

pub(crate) const RECOVERED: &str = "no withheld number follows from published ones by adding and subtracting";
const SMALL: &str = "no withheld number can be shown to be under k";
const PINNED: &str = "no withheld number can only be one";
const CONTRADICTION: &str = "some table of counts has the published numbers";

/// What a reader can work out from one table.
pub(crate) struct Told {
    /// The withheld columns.
    pub(crate) withheld: Vec<usize>,
    pub(crate) algebra: Recovered,
    pub(crate) bounds: Result<Vec<Bounds>, Contradiction>,
    pub(crate) programmes: Option<(u64, u64)>,
    /// The columns whose number no count of devices gives.
    pub(crate) unrounded: Vec<usize>,
}

impl Told {
    pub(crate) fn by(row: &Row, sums: &Sums, release: &Release, solve: bool) -> Self {
        let cells: Vec<Cell> = sums.places.iter().map(|place| row[*place]).collect();
        Self::of(&sums.incidence, &cells, release, solve)
    }

    /// From the cell of each column.
    pub(crate) fn of(incidence: &Incidence, cells: &[Cell], release: &Release, solve: bool) -> Self {
        let mut unrounded = Vec::new();
        let known: Vec<Option<Bounds>> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let people = cell.people()?;
                if release.factor.refuses(people) {
                    unrounded.push(column);
                }
                release.factor.devices(people)
            })
            .collect();
        let published: Vec<bool> = cells.iter().map(|cell| cell.people().is_some()).collect();
        let withheld = (0..published.len()).filter(|column| !published[*column]).collect();
        let algebra = recovered(incidence, &published);
        let (bounds, programmes) = if solve {
            match solved(incidence, &known, release.k) {
                Ok(solved) => (Ok(solved.bounds), Some((solved.programmes, solved.unsolved))),
                Err(contradiction) => (Err(contradiction), Some((0, 0))),
            }
        } else {
            (bounds(incidence, &known), None)
        };
        Self { withheld, algebra, bounds, programmes, unrounded }
    }

    /// The faults, each with the column that shows it, if it is one.
    fn faults(&self, k: u64) -> Vec<(&'static str, Option<usize>)> {
        let mut faults: Vec<_> =
            self.algebra.columns.iter().map(|column| (RECOVERED, Some(*column))).collect();
        faults.extend(self.unrounded.iter().map(|column| (UNROUNDED, Some(*column))));
        match &self.bounds {
            Err(Contradiction) => faults.push((CONTRADICTION, None)),
            Ok(bounds) => {
                for column in &self.withheld {
                    let bounds = bounds[*column];
                    if bounds.most < k {
                        faults.push((SMALL, Some(*column)));
                    }
                    if bounds.pinned().is_some() {
                        faults.push((PINNED, Some(*column)));
                    }
                }
            }
        }
        faults
    }
}

/// The places that have coverage at a time, which are those that sums are about.
pub(crate) fn covered(row: &Row) -> Vec<bool> {
    row.iter().map(|cell| *cell != Cell::NoCoverage).collect()
}

pub(crate) fn check(part: &Part, release: &Release, solve: bool, faults: &mut Faults, verdict: &mut Verdict) {
    let Some(first) = part.rows.values().next() else { return };
    let sums = release.places.sums(&covered(first));
    // Where coverage changes, which is a fault already, other sums hold.
    let rows: Vec<_> = part.rows.iter().filter(|(_, row)| covered(row) == sums.covered).collect();
    let told: Vec<Told> = rows.par_iter().map(|(_, row)| Told::by(row, &sums, release, solve)).collect();
    verdict.atoms = verdict.atoms.max(sums.atoms.len() as u64);
    for ((time, _), told) in rows.iter().zip(told) {
        verdict.tables += 1;
        verdict.withheld += told.withheld.len() as u64;
        let rank = told.algebra.rank as u64;
        let (least, most) = verdict.ranks.unwrap_or((rank, rank));
        verdict.ranks = Some((least.min(rank), most.max(rank)));
        if let Some((programmes, unsolved)) = told.programmes {
            *verdict.programmes.get_or_insert(0) += programmes;
            verdict.programmes_unsolved += unsolved;
        }
        for (check, column) in told.faults(release.k) {
            faults.add(&part.name, check, || match column {
                Some(column) => release.cell_said(sums.places[column], **time),
                None => release.said(**time),
            });
        }
    }
}
