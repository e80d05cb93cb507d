//! Visitors: how many distinct people had a stay in a place during an hour or a day.

use std::ops::Range;

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid, PlaceTree, Ticks};

use crate::stay::Stay;

/// Where the tables of visitors stand.
pub(crate) struct Visitors {
    pub(crate) hours: usize,
    pub(crate) days: usize,
}

impl Visitors {
    /// The calendar is that of one day.
    pub(crate) fn lay_out(calendar: &Calendar, tree: &PlaceTree, shapes: &mut Vec<Shape>) -> Self {
        let hours = shapes.len();
        shapes.push(Shape::marked(Grid::new(calendar.hours().at_us().len(), tree.len())));
        // Whoever visits a place on a day does so in one of its hours.
        shapes.push(Shape::any_time(hours, tree.len()));
        Self { hours, days: hours + 1 }
    }

    /// Every hour that the stay overlaps for more than zero time, in the postal code and all above it.
    ///
    /// The stay must overlap the day.
    #[inline]
    pub(crate) fn mark(&self, stay: &Stay, calendar: &Calendar, tree: &PlaceTree, ballot: &mut Ballot<'_>) {
        let hours = overlapped(calendar.hours(), stay);
        ballot.mark_all(self.hours, hours, tree.around(stay.place).iter().map(|place| place.index()));
    }
}

/// The periods, given by their starts, that a stay overlaps: from the last that starts at or before its first
/// moment, to the last that starts before its end.
#[inline]
fn overlapped(starts: &Ticks, stay: &Stay) -> Range<usize> {
    starts.before(stay.from_us + 1).saturating_sub(1)..starts.before(stay.until_us)
}
