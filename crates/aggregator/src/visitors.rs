//! Visitors: how many distinct people had a stay in a place during an hour or a day.

use std::ops::Range;

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid, Level, PlaceId, PlaceTree, Ticks};

use crate::stay::Stay;

/// Where the tables of visitors stand.
pub(crate) struct Visitors {
    pub(crate) hours: usize,
    pub(crate) days: usize,
}

impl Visitors {
    /// The calendar is that of one day.
    pub(crate) fn lay_out(calendar: &Calendar, tree: &PlaceTree, shapes: &mut Vec<Shape>) -> Self {
        let hour_grid = Grid::new(calendar.hours().at_us().len(), tree.len());
        let day_grid = Grid::new(calendar.days().len(), tree.len());
        shapes.extend([Shape::marked(hour_grid), Shape::marked(day_grid)]);
        Self { hours: shapes.len() - 2, days: shapes.len() - 1 }
    }

    /// The day, and every hour that the stay overlaps for more than zero time, in the postal code and all above it.
    ///
    /// The stay must overlap the day, and stays come in the order of time. Most follow another in the same commune, or
    /// at least in the same country: what that one has marked is passed over.
    #[inline]
    pub(crate) fn mark(
        &self,
        stay: &Stay,
        calendar: &Calendar,
        tree: &PlaceTree,
        before: &mut Before,
        ballot: &mut Ballot<'_>,
    ) {
        let hours = overlapped(calendar.hours(), stay);
        for (place, last) in tree.chain(stay.place).into_iter().zip(&mut before.0) {
            let marked = match last {
                Some((other, until)) if *other == place => *until,
                _ => {
                    ballot.mark(self.days, 0, place.index());
                    0
                }
            };
            ballot.mark_all(self.hours, hours.start.max(marked)..hours.end, place.index());
            *last = Some((place, hours.end));
        }
    }
}

/// Where one person was last, level by level, and up to which hour that is marked.
#[derive(Default)]
pub(crate) struct Before([Option<(PlaceId, usize)>; Level::ALL.len()]);

/// The periods, given by their starts, that a stay overlaps: from the last that starts at or before its first
/// moment, to the last that starts before its end.
#[inline]
fn overlapped(starts: &Ticks, stay: &Stay) -> Range<usize> {
    starts.before(stay.from_us + 1).saturating_sub(1)..starts.before(stay.until_us)
}
