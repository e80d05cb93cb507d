//! Groups of distinct people within others: who was in the larger and not in the smaller is nobody or at least k.

use rayon::prelude::*;
use throng_schema::Period;

use crate::{
    bounds::{Bounds, bounds},
    check::{Verdict, hidden::covered, sums::Known},
    fault::Faults,
    part::{Cell, Part, Row, Time},
    release::{Day, Release},
};

pub(crate) const VISITORS: &str =
    "visitors of a place and period without those of a smaller one in it are nobody or at least k";
pub(crate) const PRESENCE: &str =
    "visitors of a period without those present at an instant of it are nobody or at least k";
pub(crate) const TOLD: &str = "visitors of a period do not tell a withheld presence";
pub(crate) const SEVERAL: &str = "visitors of all parts of a place or period tell of nobody, or of at least k, who are in several or not in all";
const TOGETHER: &str = "visitors and presence together show no withheld presence to be under k";
const HOLDS: &str = "visitors of a place and period hold those of a smaller one in it";
const HOLDS_PRESENCE: &str = "visitors of a period hold those present at an instant of it";

/// What a pair of nested groups tells: a check that fails, the smaller group, and the larger one.
pub(crate) struct Slip {
    pub(crate) check: &'static str,
    pub(crate) smaller: (usize, Time),
    pub(crate) larger: (usize, Time),
}

/// How many pairs were looked at, and those that tell something.
#[derive(Default)]
pub(crate) struct Pairs {
    pub(crate) looked_at: u64,
    pub(crate) slips: Vec<Slip>,
}

pub(crate) fn check(day: &Day, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    let Some(visitors) = &day.visitors else { return };
    let mut found = of_visitors(visitors, release);
    verdict.pairs_of_visitors += found.looked_at;
    if let Some(presence) = &day.presence {
        let of_presence = of_presence(presence, visitors, release);
        verdict.pairs_of_presence += of_presence.looked_at;
        found.slips.extend(of_presence.slips);
        for (place, time) in together(presence, visitors, release) {
            faults.add(&presence.name, TOGETHER, || release.cell_said(place, time));
        }
    }
    for (place, time) in overlaps(visitors, release) {
        faults.add(&visitors.name, SEVERAL, || release.cell_said(place, time));
    }
    for Slip { check, smaller, larger } in found.slips {
        faults.add(&visitors.name, check, || {
            let said = |(place, time)| release.cell_said(place, time);
            format!("{} in {}", said(smaller), said(larger))
        });
    }
}

/// By how much a group is larger than one in it, as far as rounding tells.
struct Apart {
    least: i128,
    most: i128,
}

impl Apart {
    fn of(larger: Bounds, smaller: Bounds) -> Self {
        let apart = |a: u64, b: u64| i128::from(a) - i128::from(b);
        Self { least: apart(larger.least, smaller.most), most: apart(larger.most, smaller.least) }
    }

    fn small(&self, k: u64) -> bool {
        self.least > 0 && self.most < i128::from(k)
    }
}

/// Places and periods that are published with all of their parts, where these tell of a few: the sum of the parts less
/// the whole counts everybody once for each part beyond the first, and so many times the whole less the sum counts the
/// parts in which everybody is missing.
pub(crate) fn overlaps(visitors: &Part, release: &Release) -> Vec<(usize, Time)> {
    let few = |devices: Option<u64>| devices.is_some_and(|devices| devices > 0 && devices < release.k);
    let exact = |cell: Cell| devices(cell, release).filter(|d| d.least == d.most).map(|d| d.least);
    let tells = |whole: Cell, parts: &[Cell]| {
        let sum: Option<u64> = parts.iter().map(|part| exact(*part)).sum();
        let (Some(whole), Some(sum)) = (exact(whole), sum) else { return false };
        let n = parts.len() as u64;
        n > 1 && (few(sum.checked_sub(whole)) || few((n * whole).checked_sub(sum)))
    };
    let day = visitors.rows.iter().find(|((period, _), _)| *period == Period::Day.as_str());
    let hours = || visitors.rows.iter().filter(|((period, _), _)| *period != Period::Day.as_str());
    let mut found = Vec::new();
    for (time, row) in &visitors.rows {
        for place in 0..row.len() {
            let parts = release.places.children[place].iter().map(|child| row[*child]);
            let parts: Vec<Cell> = parts.filter(|part| *part != Cell::NoCoverage).collect();
            if tells(row[place], &parts) {
                found.push((place, *time));
            }
        }
    }
    if let Some((time, row)) = day {
        for place in 0..row.len() {
            let parts: Vec<Cell> = hours().map(|(_, hour)| hour[place]).collect();
            if tells(row[place], &parts) {
                found.push((place, *time));
            }
        }
    }
    found
}

/// Published visitors in published visitors: a place in those above it, an hour in its day.
pub(crate) fn of_visitors(visitors: &Part, release: &Release) -> Pairs {
    let day = visitors.rows.iter().find(|((period, _), _)| *period == Period::Day.as_str());
    let mut pairs = Pairs::default();
    for (time, row) in &visitors.rows {
        let is_day = time.0 == Period::Day.as_str();
        for place in 0..row.len() {
            let Some(smaller) = devices(row[place], release) else { continue };
            let same_time = release.places.chain(place).skip(1).map(|above| (above, *time, row));
            let in_day = day.filter(|_| !is_day).into_iter();
            let in_day = in_day
                .flat_map(|(time, row)| release.places.chain(place).map(move |above| (above, *time, row)));
            for (above, at, row) in same_time.chain(in_day) {
                let Some(larger) = devices(row[above], release) else { continue };
                pairs.looked_at += 1;
                let apart = Apart::of(larger, smaller);
                let check = match () {
                    () if apart.most < 0 => HOLDS,
                    () if apart.small(release.k) => VISITORS,
                    () => continue,
                };
                pairs.slips.push(Slip { check, smaller: (place, *time), larger: (above, at) });
            }
        }
    }
    pairs
}

/// Presence in published visitors of the same place: who came in the period but was not there at the instant.
///
/// Where presence is withheld, what is published below it is known of it all the same, and the visitors then bound
/// what is withheld: the rest must be k or more.
pub(crate) fn of_presence(presence: &Part, visitors: &Part, release: &Release) -> Pairs {
    let periods: Vec<(&Time, &Row, i64)> = periods(visitors);
    let of_instants: Vec<Pairs> = presence
        .rows
        .par_iter()
        .map(|(instant, present)| {
            let mut pairs = Pairs::default();
            let below = Known::of_all(present, release);
            for (period, row, end_ms) in &periods {
                if !(period.1..*end_ms).contains(&instant.1) {
                    continue;
                }
                for place in 0..row.len() {
                    let Some(larger) = devices(row[place], release) else { continue };
                    let Some(known) = known(present[place], below[place], release) else { continue };
                    pairs.looked_at += 1;
                    let apart = Apart::of(larger, known);
                    let told = present[place] == Cell::Withheld && apart.most < i128::from(release.k);
                    let check = match () {
                        () if apart.most < 0 => HOLDS_PRESENCE,
                        () if apart.small(release.k) => PRESENCE,
                        () if told => TOLD,
                        () => continue,
                    };
                    pairs.slips.push(Slip { check, smaller: (place, *instant), larger: (place, **period) });
                }
            }
            pairs
        })
        .collect();
    of_instants.into_iter().fold(Pairs::default(), |mut all, pairs| {
        all.looked_at += pairs.looked_at;
        all.slips.extend(pairs.slips);
        all
    })
}

/// The withheld presence that is under k once nobody is there who did not come in its hour and day: the bounds of the
/// table, with the visitors of each place as its most.
fn together(presence: &Part, visitors: &Part, release: &Release) -> Vec<(usize, Time)> {
    let Some(first) = presence.rows.values().next() else { return Vec::new() };
    let sums = release.places.sums(&covered(first));
    let periods: Vec<(&Time, &Row, i64)> = periods(visitors);
    let rows: Vec<_> = presence.rows.iter().filter(|(_, row)| covered(row) == sums.covered).collect();
    let of_instants: Vec<Vec<(usize, Time)>> =
        rows.par_iter()
            .map(|(instant, present)| {
                let around =
                    periods.iter().filter(|(period, _, end_ms)| (period.1..*end_ms).contains(&instant.1));
                let around: Vec<&Row> = around.map(|(_, row, _)| *row).collect();
                let known: Vec<Option<Bounds>> = sums
                    .places
                    .iter()
                    .map(|place| {
                        let came = around.iter().filter_map(|row| devices(row[*place], release));
                        devices(present[*place], release)
                            .or_else(|| Some(Bounds { least: 0, most: came.map(|came| came.most).min()? }))
                    })
                    .collect();
                // Numbers that cannot stand together are other faults.
                let Ok(bounds) = bounds(&sums.incidence, &known) else { return Vec::new() };
                let small =
                    sums.places.iter().zip(bounds).filter(|(place, bounds)| {
                        present[**place] == Cell::Withheld && bounds.most < release.k
                    });
                small.map(|(place, _)| (*place, **instant)).collect()
            })
            .collect();
    of_instants.into_iter().flatten().collect()
}

/// The periods of a day with their ends.
fn periods(visitors: &Part) -> Vec<(&Time, &Row, i64)> {
    const HOUR_MS: i64 = 3_600_000;
    let hour = |period: &str| period == Period::Hour.as_str();
    let last = visitors.rows.keys().filter(|time| hour(time.0)).map(|time| time.1).max();
    let end = |time: &Time| if hour(time.0) { time.1 + HOUR_MS } else { last.unwrap_or(time.1) + HOUR_MS };
    visitors.rows.iter().map(|(time, row)| (time, row, end(time))).collect()
}

/// What is known of a presence: its number, or the topmost numbers below it.
fn known(cell: Cell, below: Known, release: &Release) -> Option<Bounds> {
    match cell {
        Cell::Published(people) => release.factor.devices(people),
        Cell::Withheld if below.terms > 0 => Some(below.devices),
        _ => None,
    }
}

fn devices(cell: Cell, release: &Release) -> Option<Bounds> {
    release.factor.devices(cell.people()?)
}
