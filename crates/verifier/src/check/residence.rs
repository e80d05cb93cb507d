//! Residence: everybody as presence and visitors have it, and below it classes that tell of no small group.

use rayon::prelude::*;
use throng_schema::Period;

use crate::{
    check::{
        Verdict,
        classes::COVERAGE,
        crossed::{Crossed, Side},
        exact, rows,
    },
    crossing::{Crossing, Entry, Table},
    fault::Faults,
    found::Found,
    node::Node,
    number::Number,
    part::{Cell, INSTANT, Row, Time},
    release::{Day, Release},
};

pub(crate) const FINEST: &str = "a row is the finest where it is published and nothing finer is";
pub(crate) const NESTED: &str =
    "visitors of a class in a place without those in a smaller place in it are nobody or at least k";
pub(crate) const FINEST_LEFT: &str = "everybody without the finest classes is nobody or at least k";
pub(crate) const OTHER: &str =
    "every place with coverage, and no other, has a row of what is withheld together";
const HOLDS: &str = "visitors of a class in a place hold those in a smaller place in it";
const PRESENT: &str = "visitors of a class hold those of it who are present at an hour of the day";
const FINEST_HOLDS: &str = "everybody holds the finest classes";
const SAME: &str = "everybody is as many as in presence and in visitors";

/// Looks at everything that a day's residence says.
pub(crate) fn check(
    part: &Crossing,
    day: &Day,
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
) {
    rows::count(&part.name, part.read, release, faults, verdict);
    let covered = covered(part, day, release);
    for (time, table) in &part.tables {
        dense(part, *time, table, &covered, release, faults);
        let same = same_as(*time, day);
        for (place, cell) in table.all.iter().enumerate() {
            if same.is_some_and(|row| row[place] != *cell) {
                faults.add(&part.name, SAME, || release.cell_said(place, *time));
            }
        }
        for (key, entry) in &table.published {
            let at = || part.said(*key, *time, release);
            rows::number(&part.name, entry.cell, release, faults, verdict, at);
        }
    }
    let mut found = Found::default();
    rules(part, &covered, release, &mut found);
    finest(part, release, &mut found);
    present(part, release, &mut found);
    found.into_faults(&part.name, faults);
    exact::check(part, &covered, release, faults, verdict);
}

/// What can be worked out from it by subtraction.
pub(crate) fn rules(part: &Crossing, covered: &[bool], release: &Release, found: &mut Found) {
    let of_tables: Vec<Found> = part
        .tables
        .par_iter()
        .map(|(time, table)| {
            let mut found = Found::default();
            let crossed = Crossed { part, time: *time, table, release, trips: false, covered, k: release.k };
            if is_day(*time) {
                crossed.up(&[Side::Classes], &mut found);
                crossed.left(Side::Classes, &mut found);
                nested(&crossed, &mut found);
            } else {
                crossed.up(&Side::BOTH, &mut found);
                Side::BOTH.iter().for_each(|side| crossed.left(*side, &mut found));
                crossed.corners(&mut found);
            }
            finest_left(&crossed, &mut found);
            found
        })
        .collect();
    of_tables.into_iter().for_each(|of_table| found.merge(of_table));
}

/// Which places have coverage: as other reports tell, or else as this does.
pub(crate) fn covered(part: &Crossing, day: &Day, release: &Release) -> Vec<bool> {
    let own = || part.tables.values().next().map(|table| &table.all);
    let of_row = |row: &Row| row.iter().map(|cell| *cell != Cell::NoCoverage).collect();
    let none = || vec![false; release.places.len()];
    day.covered().or_else(|| own().map(of_row)).unwrap_or_else(none)
}

fn is_day(time: Time) -> bool {
    time.0 == Period::Day.as_str()
}

/// The rows that must be there.
fn dense(
    part: &Crossing,
    time: Time,
    table: &Table,
    covered: &[bool],
    release: &Release,
    faults: &mut Faults,
) {
    for (place, cell) in table.all.iter().enumerate() {
        let at = || release.cell_said(place, time);
        if *cell == Cell::Missing {
            faults.add(&part.name, "every place has a row at every time", at);
        } else if (*cell != Cell::NoCoverage) != covered[place] {
            faults.add(&part.name, COVERAGE, at);
        }
        if table.other[place] != covered[place] {
            faults.add(&part.name, OTHER, at);
        }
    }
}

/// What everybody at a time is in presence or visitors.
fn same_as(time: Time, day: &Day) -> Option<&Row> {
    if is_day(time) {
        return day.came();
    }
    day.presence.as_ref()?.rows.get(&(INSTANT, time.1))
}

/// Visitors of a class in places within places.
fn nested(crossed: &Crossed, found: &mut Found) {
    let Crossed { table, release, .. } = crossed;
    for ((place, class), entry) in &table.published {
        for above in release.places.chain(*place).skip(1) {
            let Some(larger) = table.number(above, *class) else { continue };
            let left = larger.without(entry.number, release);
            let at = || {
                let smaller = crossed.part.said((*place, *class), crossed.time, release);
                format!("{smaller} in {}", release.places.said(above))
            };
            found.look(NESTED, left.is_few(release.k), at);
            found.look(HOLDS, left.is_negative(), at);
        }
    }
}

/// What is left of everybody in a place without the rows that are to be added up.
fn finest_left(crossed: &Crossed, found: &mut Found) {
    let Crossed { table, release, .. } = crossed;
    let all = release.places.all_node();
    let mut finest = vec![Number::NOBODY; release.places.len()];
    for ((place, class), entry) in &table.published {
        if entry.finest && *class != all {
            finest[*place] += entry.number;
        }
    }
    for (place, finest) in finest.into_iter().enumerate().filter(|(_, finest)| !finest.is_nothing()) {
        let Some(everybody) = table.number(place, all) else { continue };
        let left = everybody.without(finest, release);
        let at = || release.cell_said(place, crossed.time);
        found.look(FINEST_LEFT, left.is_few(release.k), at);
        found.look(FINEST_HOLDS, left.is_negative(), at);
    }
}

fn finest(part: &Crossing, release: &Release, found: &mut Found) {
    for (time, table) in &part.tables {
        let published = &table.published;
        let coarser: std::collections::HashSet<(Node, Node)> = published
            .keys()
            .filter_map(|(place, class)| Some((*place, release.places.above(*class)?)))
            .collect();
        for (key, Entry { finest, .. }) in published {
            let wrong = *finest == coarser.contains(key);
            found.look(FINEST, wrong, || part.said(*key, *time, release));
        }
    }
}

/// Who is there at an hour has come on the day.
fn present(part: &Crossing, release: &Release, found: &mut Found) {
    let Some((_, day)) = part.tables.iter().find(|(time, _)| is_day(**time)) else { return };
    for (time, table) in part.tables.iter().filter(|(time, _)| !is_day(**time)) {
        for (key, entry) in &table.published {
            let Some(came) = day.number(key.0, key.1) else { continue };
            let left = came.without(entry.number, release);
            found.look(PRESENT, left.is_negative(), || part.said(*key, *time, release));
        }
    }
}
