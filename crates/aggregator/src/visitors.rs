//! Visitors: how many distinct people had a stay in a place during an hour or a day.

use std::ops::Range;

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid, PlaceTree, Ticks};

use crate::stay::Stay;

/// Where the tables of visitors stand.
pub(crate) struct Visitors {
    pub(crate) hours: usize,
    pub(crate) days: usize,
    hour_grid: Grid,
    day_grid: Grid,
}

impl Visitors {
    pub(crate) fn lay_out(calendar: &Calendar, tree: &PlaceTree, shapes: &mut Vec<Shape>) -> Self {
        let hour_grid = Grid::new(calendar.hours().at_us().len(), tree.len());
        let day_grid = Grid::new(calendar.days().len(), tree.len());
        shapes.extend([Shape::marked(hour_grid), Shape::marked(day_grid)]);
        Self { hours: shapes.len() - 2, days: shapes.len() - 1, hour_grid, day_grid }
    }

    /// Every hour and day that the stay overlaps for more than zero time, in the postal code and all above it.
    ///
    /// The stay must overlap the window.
    pub(crate) fn mark(&self, stay: &Stay, calendar: &Calendar, tree: &PlaceTree, ballot: &mut Ballot<'_>) {
        let (hours, days) = (overlapped(calendar.hours(), stay), overlapped(calendar.day_starts(), stay));
        for place in tree.chain(stay.place) {
            for hour in hours.clone() {
                ballot.mark(self.hours, self.hour_grid.slot(hour, place.index()));
            }
            for day in days.clone() {
                ballot.mark(self.days, self.day_grid.slot(day, place.index()));
            }
        }
    }
}

/// The periods, given by their starts, that a stay overlaps: from the last that starts at or before its first
/// moment, to the last that starts before its end.
fn overlapped(starts: &Ticks, stay: &Stay) -> Range<usize> {
    starts.before(stay.from_us + 1).saturating_sub(1)..starts.before(stay.until_us)
}
