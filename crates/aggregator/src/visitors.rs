//! Visitors: how many distinct people had a stay in a place during an hour or a day.

use std::ops::Range;

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid, Level, PlaceId, PlaceTree, Ticks};

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
    /// The stay must overlap the window, and stays come in the order of time. Most follow another in the same
    /// commune, or at least in the same country: what that one has marked is passed over.
    #[inline]
    pub(crate) fn mark(
        &self,
        stay: &Stay,
        calendar: &Calendar,
        tree: &PlaceTree,
        before: &mut Before,
        ballot: &mut Ballot<'_>,
    ) {
        let (hours, days) = (overlapped(calendar.hours(), stay), overlapped(calendar.day_starts(), stay));
        for (place, last) in tree.chain(stay.place).into_iter().zip(&mut before.0) {
            let told = last.as_ref().filter(|(other, ..)| *other == place);
            let (hour, day) = told.map_or((0, 0), |(_, hour, day)| (*hour, *day));
            for hour in hours.start.max(hour)..hours.end {
                ballot.mark(self.hours, self.hour_grid.slot(hour, place.index()));
            }
            for day in days.start.max(day)..days.end {
                ballot.mark(self.days, self.day_grid.slot(day, place.index()));
            }
            *last = Some((place, hours.end, days.end));
        }
    }
}

/// Where one person was last, level by level, and up to which hour and day that is marked.
#[derive(Default)]
pub(crate) struct Before([Option<(PlaceId, usize, usize)>; Level::ALL.len()]);

/// The periods, given by their starts, that a stay overlaps: from the last that starts at or before its first
/// moment, to the last that starts before its end.
fn overlapped(starts: &Ticks, stay: &Stay) -> Range<usize> {
    starts.before(stay.from_us + 1).saturating_sub(1)..starts.before(stay.until_us)
}
