//! Classes that split the visitors of one place: nothing below a withheld total, and what is left of it is no small group.

use crate::{
    classes::Classes,
    found::Found,
    number::Number,
    part::{Cell, Row},
    release::{Day, Release},
};

pub(crate) const BELOW: &str = "nothing is published below a withheld total";
pub(crate) const LEFT: &str = "a total without its published classes is nobody or at least k";
const HOLDS: &str = "classes are no more than their total";
const ADDS: &str = "classes that are all published add up to their total";

/// The split of one total, which may not be known.
pub(crate) fn look(
    total: Option<Cell>,
    classes: &[Cell],
    release: &Release,
    found: &mut Found,
    at: impl Fn() -> String,
) {
    let Some(total) = total else { return };
    let published: Vec<Number> = classes.iter().filter_map(|cell| Number::of_cell(*cell, release)).collect();
    let Some(whole) = Number::of_cell(total, release) else {
        found.look(BELOW, !published.is_empty(), at);
        return;
    };
    let mut parts = Number::NOBODY;
    published.iter().for_each(|number| parts += *number);
    let left = whole.without(parts, release);
    found.look(LEFT, left.is_few(release.k), &at);
    found.look(HOLDS, left.is_negative(), &at);
    found.look(ADDS, published.len() == classes.len() && left.is_somebody(), at);
}

/// The split of the day's visitors of every place by the time that they spent there.
pub(crate) fn of_dwell(part: &Classes, day: &Day, release: &Release, found: &mut Found) {
    let came: Option<&Row> = day.came();
    for (place, classes) in part.cells.iter().enumerate() {
        let at = || release.cell_said(place, part.time);
        look(came.map(|row| row[place]), classes, release, found, at);
    }
}

/// The split of the window's visitors of every place by the number of days on which they came.
pub(crate) fn of_frequency(part: &Classes, release: &Release, found: &mut Found) {
    for (place, cells) in part.cells.iter().enumerate() {
        look(Some(cells[0]), &cells[1..], release, found, || release.cell_said(place, part.time));
    }
}
