//! Occasions: every row is there, classes tell of no small group, and nobody is counted who was not a visitor.

use std::collections::{BTreeSet, HashMap};

use crate::{
    check::{
        Verdict,
        crossed::UP,
        partition,
        residence::{FINEST_LEFT, OTHER},
        rows,
    },
    classes::DWELL,
    fault::Faults,
    found::Found,
    node::Node,
    number::Number,
    occasions::{Class, Measure, Occasions},
    part::Cell,
    release::Release,
};

pub(crate) const CLASS_LEFT: &str =
    "visitors of an occasion without the published finer classes are nobody or at least k";
const TOGETHER: &str = "arrivals and departures of a step are published together or not at all";
const ROWS: &str = "every occasion has a row of every measure and time";
const TIMES: &str = "times of an occasion lie in its window";
const COVERAGE: &str = "an occasion has coverage in all its rows or in none";
const EVERYBODY: &str = "residence says of everybody what visitors do";
const SPARSE: &str =
    "only published numbers have a row below the total, and what is withheld has one together";
const HOLDS: &str = "visitors of an occasion hold those present, arriving and departing, and every class";

/// Looks at everything that the report says.
pub(crate) fn check(report: &Occasions, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    rows::count(&report.name, report.read, release, faults, verdict);
    for (key, cell) in &report.cells {
        let at = || report.said(*key, release);
        if key.1 == Measure::Typical {
            // A mean of numbers: it stands for no number of devices.
            verdict.published += u64::from(cell.people().is_some());
            if cell.people().is_some_and(|people| people < release.people_min()) {
                faults.add(&report.name, "no published number is under k times the factor", at);
            }
        } else {
            rows::number(&report.name, *cell, release, faults, verdict, at);
        }
    }
    let instants: BTreeSet<i64> = release.dates.iter().flat_map(|date| release.instants(*date)).collect();
    for occasion in 0..report.all.len() {
        dense(report, occasion, &instants, release, faults);
        sparse(report, occasion, release, faults);
    }
    let mut found = Found::default();
    rules(report, release, &mut found);
    found.into_faults(&report.name, faults);
}

/// What can be worked out from it by subtraction.
pub(crate) fn rules(report: &Occasions, release: &Release, found: &mut Found) {
    for occasion in 0..report.all.len() {
        let start_ms = report.all[occasion].start_ms;
        let everybody = Class::Residence(release.places.all_node());
        let total = report.cell(occasion, Measure::Visitors, start_ms, everybody);
        let times: Vec<Cell> = (0..DWELL.len())
            .map(|class| report.cell(occasion, Measure::Dwell, start_ms, Class::Dwell(class)))
            .collect();
        let at = |measure, class| move || report.said((occasion, measure, start_ms, class), release);
        partition::look(Some(total), &times, release, found, at(Measure::Dwell, everybody));
        residence(report, occasion, release, found);
        for (at_ms, class, arrivals) in report.of(occasion, Measure::Arrivals) {
            let departures = report.cell(occasion, Measure::Departures, at_ms, class);
            let apart = arrivals.people().is_some() != departures.people().is_some();
            let key = (occasion, Measure::Arrivals, at_ms, class);
            found.look(TOGETHER, apart, || report.said(key, release));
        }
        let Some(total) = Number::of_cell(total, release) else { continue };
        for measure in [Measure::Presence, Measure::Arrivals, Measure::Departures, Measure::Residence] {
            for (at_ms, class, cell) in report.of(occasion, measure) {
                let Some(number) = Number::of_cell(cell, release) else { continue };
                let negative = total.without(number, release).is_negative();
                found.look(HOLDS, negative, || report.said((occasion, measure, at_ms, class), release));
            }
        }
    }
}

/// The tree of classes of the visitors of an occasion.
fn residence(report: &Occasions, occasion: usize, release: &Release, found: &mut Found) {
    let places = &release.places;
    let start_ms = report.all[occasion].start_ms;
    let numbers: HashMap<Node, Number> = report
        .of(occasion, Measure::Residence)
        .filter_map(|(_, class, cell)| match class {
            Class::Residence(node) => Some((node, Number::of_cell(cell, release)?)),
            _ => None,
        })
        .collect();
    let mut parts: HashMap<Node, Number> = HashMap::new();
    let said = |node| report.said((occasion, Measure::Residence, start_ms, Class::Residence(node)), release);
    for (node, number) in &numbers {
        let Some(above) = places.above(*node) else { continue };
        found.look(UP, !numbers.contains_key(&above), || said(*node));
        *parts.entry(above).or_insert(Number::NOBODY) += *number;
    }
    let mut finest = Number::NOBODY;
    for (node, number) in &numbers {
        match parts.get(node) {
            Some(sum) => {
                let left = number.without(*sum, release);
                found.look(CLASS_LEFT, left.is_few(release.k), || said(*node));
                found.look(HOLDS, left.is_negative(), || said(*node));
            }
            None => finest += *number,
        }
    }
    let all = places.all_node();
    if let Some(everybody) = numbers.get(&all).filter(|_| parts.contains_key(&all)) {
        let left = everybody.without(finest, release);
        found.look(FINEST_LEFT, left.is_few(release.k), || said(all));
    }
}

/// The rows that must be there.
fn dense(
    report: &Occasions,
    occasion: usize,
    instants: &BTreeSet<i64>,
    release: &Release,
    faults: &mut Faults,
) {
    let of = &report.all[occasion];
    let everybody = Class::Residence(release.places.all_node());
    let steps: BTreeSet<i64> = instants.range(of.start_ms..of.end_ms).copied().collect();
    // The step in which the window begins may begin before it.
    let first = instants.range(..=of.start_ms).next_back().copied();
    let once = BTreeSet::from([of.start_ms]);
    for (measure, _) in Measure::ALL {
        let times = match measure {
            Measure::Visitors | Measure::Residence | Measure::Dwell => &once,
            _ => &steps,
        };
        let classes: Vec<Class> = match measure {
            Measure::Dwell => (0..DWELL.len()).map(Class::Dwell).collect(),
            _ => vec![everybody],
        };
        for at_ms in times {
            for class in &classes {
                if report.cell(occasion, measure, *at_ms, *class) == Cell::Missing {
                    let key = (occasion, measure, *at_ms, *class);
                    faults.add(&report.name, ROWS, || report.said(key, release));
                }
            }
        }
        let begins = matches!(measure, Measure::Arrivals | Measure::Departures);
        for (at_ms, class, _) in report.of(occasion, measure) {
            let fits = times.contains(&at_ms) || (begins && Some(at_ms) == first);
            if !fits {
                let key = (occasion, measure, at_ms, class);
                faults.add(&report.name, TIMES, || report.said(key, release));
            }
        }
    }
}

/// Coverage, and the rows of residence.
fn sparse(report: &Occasions, occasion: usize, release: &Release, faults: &mut Faults) {
    let start_ms = report.all[occasion].start_ms;
    let all = release.places.all_node();
    let total = report.cell(occasion, Measure::Visitors, start_ms, Class::Residence(all));
    let covered = total != Cell::NoCoverage;
    for (key, cell) in report.cells.iter().filter(|(key, _)| key.0 == occasion) {
        let at = || report.said(*key, release);
        if (*cell != Cell::NoCoverage) != covered {
            faults.add(&report.name, COVERAGE, at);
        }
        match key.3 {
            Class::Other if *cell != Cell::Withheld => faults.add(&report.name, SPARSE, at),
            Class::Residence(node)
                if key.1 == Measure::Residence && node != all && cell.people().is_none() =>
            {
                faults.add(&report.name, SPARSE, at);
            }
            _ => {}
        }
    }
    let said = |class| report.said((occasion, Measure::Residence, start_ms, class), release);
    let everybody = Class::Residence(all);
    if report.cell(occasion, Measure::Residence, start_ms, everybody) != total {
        faults.add(&report.name, EVERYBODY, || said(everybody));
    }
    let other = report.cell(occasion, Measure::Residence, start_ms, Class::Other);
    if (other != Cell::Missing) != covered {
        faults.add(&report.name, OTHER, || said(Class::Other));
    }
}
