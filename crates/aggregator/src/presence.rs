//! Presence: how many people were in a place at an instant.

use throng_anonymiser::{Ballot, Shape};
use throng_schema::{Calendar, Grid, PlaceTree};

use crate::stay::Stay;

/// Where the table of presence stands.
pub(crate) struct Presence {
    pub(crate) table: usize,
    grid: Grid,
}

impl Presence {
    pub(crate) fn lay_out(calendar: &Calendar, tree: &PlaceTree, shapes: &mut Vec<Shape>) -> Self {
        let grid = Grid::new(calendar.instants().at_us().len(), tree.len());
        shapes.push(Shape { grid });
        Self { table: shapes.len() - 1, grid }
    }

    /// The instants in the stay: `from <= instant < until`. Postal codes alone are marked, for presence adds up.
    pub(crate) fn mark(&self, stay: &Stay, calendar: &Calendar, ballot: &mut Ballot<'_>) {
        let instants = calendar.instants();
        for instant in instants.before(stay.from_us)..instants.before(stay.until_us) {
            ballot.mark(self.table, self.grid.slot(instant, stay.place.index()));
        }
    }
}
