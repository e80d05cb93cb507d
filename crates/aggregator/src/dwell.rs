//! Dwell: the day's visitors of a place by the time that each spent there.

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Day, Grid, MICROS_PER_SECOND, PlaceTree};

use crate::stay::Stay;

const MINUTE_US: i64 = 60 * MICROS_PER_SECOND;

/// The classes by their words, each with its lower bound, which is included.
pub(crate) const CLASSES: [(&str, i64); 7] = [
    ("0-15min", 0),
    ("15-30min", 15 * MINUTE_US),
    ("30-60min", 30 * MINUTE_US),
    ("1-2h", 60 * MINUTE_US),
    ("2-4h", 120 * MINUTE_US),
    ("4-8h", 240 * MINUTE_US),
    ("8h+", 480 * MINUTE_US),
];

/// The class of a length of time.
pub(crate) fn class_of(spent_us: i64) -> usize {
    CLASSES.iter().rposition(|(_, from_us)| spent_us >= *from_us).unwrap_or(0)
}

/// Where the table of dwell stands.
#[derive(Clone, Copy)]
pub(crate) struct Dwell {
    pub(crate) table: usize,
}

impl Dwell {
    pub(crate) fn lay_out(tree: &PlaceTree, shapes: &mut Vec<Shape>) -> Self {
        let grid = Grid::new(1, tree.len() * CLASSES.len());
        shapes.push(Shape::marked(grid));
        Self { table: shapes.len() - 1 }
    }

    /// One person's stays that overlap the day: what they add up to in every place.
    pub(crate) fn mark(&self, stays: &[Stay], day: &Day, tree: &PlaceTree, ballot: &mut Ballot<'_>) {
        let mut spent: Vec<(usize, i64)> = Vec::with_capacity(5 * stays.len());
        for stay in stays {
            let time_us = stay.until_us.min(day.end_us) - stay.from_us.max(day.start_us);
            spent.extend(tree.chain(stay.place).map(|place| (place.index(), time_us)));
        }
        spent.sort_unstable();
        for times in spent.chunk_by(|a, b| a.0 == b.0) {
            let class = class_of(times.iter().map(|(_, time_us)| time_us).sum());
            ballot.mark(self.table, 0, times[0].0 * CLASSES.len() + class);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_bounds_are_included() {
        let class = |us| CLASSES[class_of(us)].0;
        assert_eq!([1, 15 * MINUTE_US - 1, 15 * MINUTE_US].map(class), ["0-15min", "0-15min", "15-30min"]);
        assert_eq!([480 * MINUTE_US - 1, 480 * MINUTE_US, i64::MAX].map(class), ["4-8h", "8h+", "8h+"]);
    }
}
