//! Dwell: the day's visitors of a place by the time that each spent there.

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Day, Grid, MICROS_PER_SECOND, PlaceId, PlaceTree};

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

    /// One person's time on the day in every place.
    pub(crate) fn mark(&self, spent: &[(PlaceId, i64)], ballot: &mut Ballot<'_>) {
        for (place, spent_us) in spent {
            ballot.mark(self.table, 0, place.index() * CLASSES.len() + class_of(*spent_us));
        }
    }
}

/// The time that one person spent in places of a day: room for one after the other.
#[derive(Default)]
pub(crate) struct Spent {
    postal_codes: Vec<(PlaceId, i64)>,
    /// The same by places of every level, each once, in order.
    pub(crate) places: Vec<(PlaceId, i64)>,
}

impl Spent {
    /// Adds up one person's stays that overlap the day.
    pub(crate) fn add_up(&mut self, stays: &[Stay], day: &Day, tree: &PlaceTree) {
        let Self { postal_codes, places } = self;
        let cut = |stay: &Stay| (stay.place, stay.until_us.min(day.end_us) - stay.from_us.max(day.start_us));
        postal_codes.clear();
        postal_codes.extend(stays.iter().map(cut));
        add_up(postal_codes);
        places.clear();
        for (postal_code, us) in postal_codes.iter() {
            places.extend(tree.around(*postal_code).map(|around| (around, *us)));
        }
        add_up(places);
    }
}

/// Each place once, with all the time there.
fn add_up(spent: &mut Vec<(PlaceId, i64)>) {
    spent.sort_unstable();
    spent.dedup_by(|later, first| {
        let same = later.0 == first.0;
        first.1 += if same { later.1 } else { 0 };
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_all_its_time_once() {
        let place = PlaceId;
        let mut spent =
            vec![(place(2), 5), (place(1), 7), (place(2), i64::MAX - 11), (place(1), 1), (place(2), 6)];
        add_up(&mut spent);
        assert_eq!(spent, [(place(1), 8), (place(2), i64::MAX)]);
        spent.clear();
        add_up(&mut spent);
        assert_eq!(spent, []);
    }

    #[test]
    fn lower_bounds_are_included() {
        let class = |us| CLASSES[class_of(us)].0;
        assert_eq!([1, 15 * MINUTE_US - 1, 15 * MINUTE_US].map(class), ["0-15min", "0-15min", "15-30min"]);
        assert_eq!([480 * MINUTE_US - 1, 480 * MINUTE_US, i64::MAX].map(class), ["4-8h", "8h+", "8h+"]);
    }
}
