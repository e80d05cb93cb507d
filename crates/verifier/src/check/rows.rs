//! Every place has a row at every time, coverage does not change, and no number is too small.

use crate::{
    check::Verdict,
    fault::Faults,
    part::{Cell, Part},
    release::Release,
};

pub(crate) fn check(part: &Part, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    let name = &part.name;
    verdict.rows += part.read;
    if release.rows.get(name) != Some(&part.read) {
        faults.add(name, "the file has the rows that the manifest says", || format!("{} rows", part.read));
    }
    let mut no_coverage: Option<Vec<bool>> = None;
    for (time, row) in &part.rows {
        for (place, cell) in row.iter().enumerate() {
            let at = || release.cell_said(place, *time);
            match cell {
                Cell::Missing => faults.add(name, "every place has a row at every time", at),
                Cell::Published(people) => {
                    verdict.published += 1;
                    if *people < release.people_min() {
                        faults.add(name, "no published number is under k times the factor", at);
                    }
                }
                Cell::Withheld | Cell::NoCoverage => {}
            }
        }
        let uncovered: Vec<bool> = row.iter().map(|cell| *cell == Cell::NoCoverage).collect();
        if no_coverage.get_or_insert_with(|| uncovered.clone()) != &uncovered {
            faults.add(name, "a place has coverage always or never", || release.said(*time));
        }
    }
}
