//! Dwell and frequency: every place has a row of every class, and what is published in them tells of no small group.

use crate::{
    check::{Verdict, partition, rows, tails, window},
    classes::Classes,
    fault::Faults,
    found::Found,
    part::Cell,
    release::{Day, Release},
};

pub(crate) const COVERAGE: &str = "places have coverage in every report or in none";

/// Looks at the classes of a day's visitors by the time that they spent.
pub(crate) fn dwell(
    part: &Classes,
    day: &Day,
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
) {
    check(part, release, faults, verdict);
    coverage(part, day, release, faults);
    let mut found = Found::default();
    partition::of_dwell(part, day, release, &mut found);
    tails::look(part, release, &mut found);
    found.into_faults(&part.name, faults);
}

/// Looks at the classes of the window's visitors by the days on which they came.
pub(crate) fn frequency(part: &Classes, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    check(part, release, faults, verdict);
    let mut found = Found::default();
    partition::of_frequency(part, release, &mut found);
    tails::look(part, release, &mut found);
    window::Window::of(part, release).within(release, &mut found);
    found.into_faults(&part.name, faults);
}

/// Compares the window's visitors with those of a day.
pub(crate) fn frequency_and_day(part: &Classes, day: &Day, release: &Release, faults: &mut Faults) {
    coverage(part, day, release, faults);
    let Some(visitors) = &day.visitors else { return };
    let mut found = Found::default();
    window::Window::of(part, release).with(visitors, release, &mut found);
    found.into_faults(&part.name, faults);
}

fn coverage(part: &Classes, day: &Day, release: &Release, faults: &mut Faults) {
    let Some(covered) = day.covered() else { return };
    for (place, (cells, covered)) in part.cells.iter().zip(covered).enumerate() {
        if cells[0] != Cell::Missing && (cells[0] != Cell::NoCoverage) != covered {
            faults.add(&part.name, COVERAGE, || release.cell_said(place, part.time));
        }
    }
}

fn check(part: &Classes, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    rows::count(&part.name, part.read, release, faults, verdict);
    for (place, cells) in part.cells.iter().enumerate() {
        for (class, cell) in cells.iter().enumerate() {
            let at = || part.said(place, class, release);
            rows::number(&part.name, *cell, release, faults, verdict, at);
            if *cell == Cell::Missing {
                faults.add(&part.name, "every place has a row of every class", at);
            }
        }
        let covered = cells.iter().filter(|cell| **cell != Cell::NoCoverage).count();
        if covered != 0 && covered != cells.len() {
            faults.add(&part.name, COVERAGE, || release.cell_said(place, part.time));
        }
    }
}
