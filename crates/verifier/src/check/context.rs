//! Context: the numbers of people are those of the other reports, and rates follow from what stands beside them.

use throng_schema::Status;

use crate::{
    check::{Verdict, rows},
    fault::Faults,
    figures::{Context, Figures, RATES},
    part::Cell,
    release::{Day, Release},
};

const ROW: &str = "every place has a row at every time";
const STATUS: &str = "a row is published where one of its numbers is, and else as visitors are";
const VISITORS: &str = "visitors are those of the report of visitors";
const PRESENCE: &str = "presence is the mean of the day's instants, where all of them are published";
const RATE: &str = "a rate stands where its number and figure do, and follows from them";
const LEAST: &str = "no published number is under k times the factor";

/// How far off the last digits of a rate may be.
const TOLERANCE: f64 = 1e-9;

/// Looks at everything that a day's context says.
pub(crate) fn check(
    part: &Context,
    day: &Day,
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
) {
    rows::count(&part.name, part.read, release, faults, verdict);
    let means = day.presence.as_ref().map(|presence| {
        let rows: Vec<_> = presence.rows.values().collect();
        (0..release.places.len()).map(|place| mean(rows.iter().map(|row| row[place]))).collect::<Vec<_>>()
    });
    for (place, figures) in part.rows.iter().enumerate() {
        let mut wrong = |check| faults.add(&part.name, check, || release.cell_said(place, part.time));
        let Some(figures) = figures else {
            wrong(ROW);
            continue;
        };
        verdict.published += u64::from(figures.visitors.is_some()) + u64::from(figures.presence.is_some());
        let came = day.came().map(|row| row[place]);
        if !status_fits(figures, came) {
            wrong(STATUS);
        }
        if came.is_some_and(|came| came.people() != figures.visitors) {
            wrong(VISITORS);
        }
        if means.as_ref().is_some_and(|means| !same(means[place], figures.presence)) {
            wrong(PRESENCE);
        }
        if !large_enough(figures, release) {
            wrong(LEAST);
        }
        for (rate, (name, expected)) in figures.rates.iter().zip(RATES.iter().zip(rates(figures))) {
            if !same(*rate, expected) {
                faults.add(&part.name, RATE, || format!("{name}, {}", release.cell_said(place, part.time)));
            }
        }
    }
}

fn large_enough(figures: &Figures, release: &Release) -> bool {
    let visitors = figures.visitors.is_none_or(|people| people >= release.people_min());
    #[expect(clippy::cast_precision_loss, reason = "people are under 2^53")]
    let presence = figures.presence.is_none_or(|people| people >= release.people_min() as f64);
    visitors && presence
}

fn status_fits(figures: &Figures, came: Option<Cell>) -> bool {
    let shown = figures.visitors.is_some() || figures.presence.is_some();
    let expected = match came {
        _ if shown => Status::Published,
        Some(Cell::NoCoverage) => Status::NoCoverage,
        Some(_) => Status::Withheld,
        None => return figures.status != Status::Published.as_str() && is_known(&figures.status),
    };
    figures.status == expected.as_str()
}

fn is_known(status: &str) -> bool {
    Status::ALL.iter().any(|known| known.as_str() == status)
}

/// The mean of the published numbers; none where one is not.
#[expect(clippy::cast_precision_loss, reason = "people are under 2^53, and instants few")]
fn mean(cells: impl Iterator<Item = Cell>) -> Option<f64> {
    let people: Vec<i64> = cells.map(Cell::people).collect::<Option<_>>()?;
    let sum: i128 = people.iter().map(|people| i128::from(*people)).sum();
    (!people.is_empty()).then(|| sum as f64 / people.len() as f64)
}

/// What the rates of a row should be.
#[expect(clippy::cast_precision_loss, reason = "people are under 2^53")]
fn rates(figures: &Figures) -> [Option<f64>; 4] {
    let visitors = figures.visitors.map(|people| people as f64);
    let per = |people: Option<f64>, figure: Option<f64>| {
        let figure = figure.filter(|figure| *figure > 0.0)?;
        Some(people? / figure)
    };
    let thousands = figures.population.map(|people| people / 1_000.0);
    let of = |people| [per(people, thousands), per(people, figures.area_km2)];
    let ([a, b], [c, d]) = (of(visitors), of(figures.presence));
    [a, b, c, d]
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
        _ => false,
    }
}
