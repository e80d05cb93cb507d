//! Published numbers agree with each other, parent by parent: presence adds up, and visitors hold those in them.

use throng_schema::Report;

use crate::{
    bounds::Bounds,
    fault::Faults,
    part::{Cell, Part, Row},
    release::Release,
};

pub(crate) fn check(part: &Part, release: &Release, faults: &mut Faults) {
    for (time, row) in &part.rows {
        let known = Known::of_all(row, release);
        for (parent, inside) in release.places.children.iter().enumerate() {
            if inside.is_empty() {
                continue;
            }
            let place = || release.cell_said(parent, *time);
            let none_below = inside.iter().all(|child| row[*child] == Cell::NoCoverage);
            let mut found = Vec::new();
            if (row[parent] == Cell::NoCoverage) != none_below {
                found.push("a place has coverage where a place in it has");
            }
            found.extend(match part.report {
                Report::Presence => sum_fault(row[parent], known[parent], release),
                Report::Visitors => {
                    let cells: Vec<Cell> = inside.iter().map(|child| row[*child]).collect();
                    union_fault(row[parent], &cells, release)
                }
                _ => None,
            });
            for check in found {
                faults.add(&part.name, check, place);
            }
        }
    }
}

/// What is published below a place: the topmost numbers, through withheld places down to the finest.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) people: i64,
    /// What stands behind them: each was rounded by itself.
    pub(crate) devices: Bounds,
    /// How many numbers that is.
    pub(crate) terms: u32,
    /// Whether something below is withheld.
    pub(crate) hidden: bool,
}

impl Known {
    const NOTHING: Self = Self { people: 0, devices: Bounds { least: 0, most: 0 }, terms: 0, hidden: false };

    /// Of every place.
    pub(crate) fn of_all(row: &Row, release: &Release) -> Vec<Self> {
        let mut known: Vec<Option<Self>> = vec![None; row.len()];
        (0..row.len()).map(|place| Self::of(place, row, release, &mut known)).collect()
    }

    fn of(place: usize, row: &Row, release: &Release, known: &mut [Option<Self>]) -> Self {
        let places = &release.places;
        if let Some(known) = known[place] {
            return known;
        }
        let mut sum = Self::NOTHING;
        for child in &places.children[place] {
            let part = match row[*child] {
                Cell::Published(people) => {
                    let devices = release.factor.devices(people).unwrap_or(Bounds::ANY);
                    Self { people, devices, terms: 1, hidden: false }
                }
                Cell::NoCoverage => Self::NOTHING,
                Cell::Withheld | Cell::Missing if places.children[*child].is_empty() => {
                    Self { hidden: true, ..Self::NOTHING }
                }
                Cell::Withheld | Cell::Missing => Self::of(*child, row, release, known),
            };
            sum.people = sum.people.saturating_add(part.people);
            sum.devices.least = sum.devices.least.saturating_add(part.devices.least);
            sum.devices.most = sum.devices.most.saturating_add(part.devices.most);
            sum.terms += part.terms;
            sum.hidden |= part.hidden;
        }
        known[place] = Some(sum);
        sum
    }
}

/// Presence adds up: what is left of a place is what is withheld below, and must be nobody or at least k.
fn sum_fault(parent: Cell, below: Known, release: &Release) -> Option<&'static str> {
    // Each number was rounded by itself: exact for a whole factor, else off by half a person each.
    let slack = if release.factor.is_whole() { 0.0 } else { f64::from(below.terms + 1) / 2.0 };
    let Some(sum) = parent.people() else {
        let told = parent == Cell::Withheld && !below.hidden && below.people > 0;
        return told.then_some("places do not add up to a withheld parent");
    };
    #[expect(clippy::cast_precision_loss, reason = "people are under 2^53")]
    let (left, k) =
        (sum.saturating_sub(below.people) as f64, release.k as f64 * release.factor.0.unwrap_or(0.0));
    if left < -slack || (!below.hidden && left > slack) {
        Some("places add up to their parent")
    } else {
        let small = below.hidden && left > slack && left + slack < k;
        small.then_some("a place without what is published in it is nobody or at least k")
    }
}

/// Visitors do not add, but a parent has at least the visitors of each place in it, and at most all of theirs.
fn union_fault(parent: Cell, below: &[Cell], release: &Release) -> Option<&'static str> {
    let visitors = parent.people()?;
    let most = below.iter().filter_map(|cell| cell.people()).max().unwrap_or(0);
    let all = below.iter().filter_map(|cell| cell.people()).fold(0, i64::saturating_add);
    let hidden = below.contains(&Cell::Withheld);
    let whole = release.factor.is_whole();
    let rounding = if whole { 0 } else { i64::try_from(below.len()).unwrap_or(i64::MAX) };
    (visitors < most || (!hidden && visitors > all.saturating_add(rounding)))
        .then_some("visitors of a place are between the most and the sum of those in it")
}
