//! Flows: trips from everywhere to everywhere that are published add up, by hour and by day, and tell of no small group.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use throng_schema::{Level, Period};

use crate::{
    check::{
        Verdict,
        crossed::{Crossed, Side},
        exact,
        residence::OTHER,
        rows,
    },
    crossing::{Crossing, Table},
    fault::Faults,
    found::Found,
    node::Node,
    number::Number,
    part::Time,
    release::{Day, Release},
};

pub(crate) const HOURS: &str =
    "trips of a day without those of its published hours are none or at least k for every other hour";
const HOLDS: &str = "trips of a day hold those of its hours";
const ADDS: &str = "hours that are all published add up to their day";
const ELSEWHERE: &str = "a trip ends in another postal code than it begins in";

/// Looks at everything that a day's flows say.
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
        for (place, covered) in covered.iter().chain([&true]).enumerate() {
            if table.other[place] != *covered {
                let place = || release.places.node_said(place);
                faults.add(&part.name, OTHER, || format!("{}, {}", place(), release.said(*time)));
            }
        }
        for (key, entry) in &table.published {
            let at = || part.said(*key, *time, release);
            rows::number(&part.name, entry.cell, release, faults, verdict, at);
            let level = release.places.all.get(key.0).map(|place| place.level.as_str());
            if key.0 == key.1 && level == Some(Level::PostalCode.as_str()) {
                faults.add(&part.name, ELSEWHERE, at);
            }
        }
    }
    let mut found = Found::default();
    rules(part, &covered, release, &mut found);
    found.into_faults(&part.name, faults);
    exact::check(part, &covered, release, faults, verdict);
}

/// What can be worked out from them by subtraction.
pub(crate) fn rules(part: &Crossing, covered: &[bool], release: &Release, found: &mut Found) {
    let hours = part.tables.keys().filter(|time| !is_day(time)).count() as u64;
    let of_tables: Vec<Found> = part
        .tables
        .par_iter()
        .map(|(time, table)| {
            let mut found = Found::default();
            // A device counts once in each hour: in so many trips of a day there may be that much fewer devices.
            let k = if is_day(time) { release.k.saturating_mul(hours) } else { release.k };
            let crossed = Crossed { part, time: *time, table, release, trips: true, covered, k };
            crossed.up(&Side::BOTH, &mut found);
            Side::BOTH.iter().for_each(|side| crossed.left(*side, &mut found));
            crossed.corners(&mut found);
            found
        })
        .collect();
    of_tables.into_iter().for_each(|of_table| found.merge(of_table));
    by_hours(&part.tables, part, hours, release, found);
}

/// Which places have coverage: as other reports tell, or else as this does.
pub(crate) fn covered(part: &Crossing, day: &Day, release: &Release) -> Vec<bool> {
    let places = release.places.len();
    let own = || part.tables.values().next().map(|table| table.other[..places].to_vec());
    day.covered().or_else(own).unwrap_or_else(|| vec![false; places])
}

fn is_day(time: &Time) -> bool {
    time.0 == Period::Day.as_str()
}

/// The trips of a day without those of its published hours.
fn by_hours(
    tables: &BTreeMap<Time, Table>,
    part: &Crossing,
    hours: u64,
    release: &Release,
    found: &mut Found,
) {
    let Some((time, day)) = tables.iter().find(|(time, _)| is_day(time)) else { return };
    let mut sums: HashMap<(Node, Node), (Number, u64)> = HashMap::new();
    for (_, table) in tables.iter().filter(|(time, _)| !is_day(time)) {
        for (key, entry) in table.published.iter().filter(|(key, _)| day.published.contains_key(*key)) {
            let (sum, count) = sums.entry(*key).or_insert((Number::NOBODY, 0));
            *sum += entry.number;
            *count += 1;
        }
    }
    for (key, (sum, count)) in sums {
        let left = day.published[&key].number.without(sum, release);
        let at = || part.said(key, *time, release);
        found.look(HOURS, left.is_few(release.k.saturating_mul(hours - count)), at);
        found.look(HOLDS, left.is_negative(), at);
        found.look(ADDS, count == hours && left.is_somebody(), at);
    }
}
