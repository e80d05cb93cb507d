//! Presence: how many people were in a place at an instant.

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid};

use crate::{areas::Areas, stay::Stay};

/// Where the table of presence stands.
pub(crate) struct Presence {
    pub(crate) table: usize,
}

impl Presence {
    pub(crate) fn lay_out(calendar: &Calendar, areas: &Areas, shapes: &mut Vec<Shape>) -> Self {
        let grid = Grid::new(calendar.instants().at_us().len(), areas.lattice.slots());
        shapes.push(Shape::held(grid));
        Self { table: shapes.len() - 1 }
    }

    /// The instants in the stay: `from <= instant < until`. Only the part of the postal code is marked, for presence
    /// adds up.
    #[inline]
    pub(crate) fn mark(&self, stay: &Stay<u32>, calendar: &Calendar, areas: &Areas, ballot: &mut Ballot<'_>) {
        let (instants, slot) = (calendar.instants(), areas.lattice.slot(stay.place as usize));
        ballot.hold(self.table, instants.before(stay.from_us)..instants.before(stay.until_us), slot);
    }
}
