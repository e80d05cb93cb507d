//! Every place has a row at every time, coverage does not change, and no number is too small.

use crate::{
    check::Verdict,
    fault::Faults,
    part::{Cell, Part},
    release::Release,
};

pub(crate) const UNROUNDED: &str = "a whole number of devices gives every published number";

pub(crate) fn check(part: &Part, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    let name = &part.name;
    count(name, part.read, release, faults, verdict);
    let mut no_coverage: Option<Vec<bool>> = None;
    for (time, row) in &part.rows {
        for (place, cell) in row.iter().enumerate() {
            let at = || release.cell_said(place, *time);
            if *cell == Cell::Missing {
                faults.add(name, "every place has a row at every time", at);
            }
            least(name, *cell, release, faults, verdict, at);
        }
        let uncovered: Vec<bool> = row.iter().map(|cell| *cell == Cell::NoCoverage).collect();
        if no_coverage.get_or_insert_with(|| uncovered.clone()) != &uncovered {
            faults.add(name, "a place has coverage always or never", || release.said(*time));
        }
    }
}

/// A file has as many rows as the manifest says.
pub(crate) fn count(name: &str, read: u64, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    verdict.rows += read;
    if release.rows.get(name) != Some(&read) {
        faults.add(name, "the file has the rows that the manifest says", || format!("{read} rows"));
    }
}

/// A published number is neither too small nor one that no devices give.
pub(crate) fn number(
    name: &str,
    cell: Cell,
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
    at: impl Fn() -> String,
) {
    if cell.people().is_some_and(|people| release.factor.refuses(people)) {
        faults.add(name, UNROUNDED, &at);
    }
    least(name, cell, release, faults, verdict, at);
}

fn least(
    name: &str,
    cell: Cell,
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
    at: impl Fn() -> String,
) {
    let Some(people) = cell.people() else { return };
    verdict.published += 1;
    if people < release.people_min() {
        faults.add(name, "no published number is under k times the factor", at);
    }
}
