//! Numbers that do not add: distinct people in nested places and periods.
//!
//! Where one group holds another and both are published, their difference counts the people who were in the larger
//! alone. It must be nobody, or at least k; otherwise the smaller number is withheld. A postal code lies in its
//! commune, an hour in its day, and who is present at an instant has visited in that hour.
//!
//! That is enough, for nothing else is exact: two published parts may share people, so what a place has beside both
//! is known between bounds only, and the upper one is such a difference.

use std::ops::Range;

use throng_schema::{Grid, PlaceId, PlaceTree};

use crate::{
    count_table::CountTable,
    protect::Done,
    protected_table::{Account, Cell, ProtectedTable},
};

/// The places of a table.
pub(crate) struct Places<'a> {
    pub(crate) tree: &'a PlaceTree,
    pub(crate) covered: &'a [bool],
    pub(crate) groups: &'a [usize],
}

/// What a table is nested with.
pub(crate) struct Nest<'a> {
    pub(crate) k: u64,
    pub(crate) places: Places<'a>,
    /// Longer periods, and in which of them each time lies.
    pub(crate) within: Option<(&'a Done, &'a [usize])>,
    /// Instants, and which of them lie in each time.
    pub(crate) holding: Option<(&'a Done, &'a [Range<usize>])>,
}

/// Protects a table at all its times, places from the top of the tree down.
pub(crate) fn protect(table: &CountTable, nest: &Nest<'_>) -> Done {
    let grid = table.shape.grid;
    let Places { tree, covered, groups } = nest.places;
    assert_eq!((grid.places(), covered.len()), (tree.len(), tree.len()), "a table over other places");
    let mut account = Account::new(groups);
    let mut cells: Vec<Cell> = Vec::with_capacity(grid.len());
    for time in 0..grid.times() {
        for place in tree.ids() {
            let devices = table.devices[grid.slot(time, place.index()).0];
            if !covered[place.index()] {
                cells.push(Cell::NoCoverage);
                continue;
            }
            let small = devices < nest.k;
            let here = &cells[time * grid.places()..];
            let shown = !small
                && nest.is_apart_from_larger(devices, time, place, here)
                && nest.is_apart_from_smaller(devices, time, place);
            account.add(groups[place.index()], devices, !shown, small);
            cells.push(if shown { Cell::Published(devices) } else { Cell::Withheld });
        }
    }
    let grid = Grid::new(grid.times(), grid.places());
    let truth = table.devices.clone();
    Done { table: ProtectedTable { grid, cells, account }, truth, witnesses: Vec::new() }
}

impl Nest<'_> {
    /// A difference between two published numbers: nobody, or a crowd.
    fn is_safe(&self, larger: u64, smaller: u64) -> bool {
        larger == smaller || larger.abs_diff(smaller) >= self.k
    }

    /// Whether the number tells of nobody who was in a larger published group alone.
    fn is_apart_from_larger(&self, devices: u64, time: usize, place: PlaceId, here: &[Cell]) -> bool {
        let above =
            |place: PlaceId| std::iter::successors(Some(place), |below| self.places.tree.parent(*below));
        let safe = |cell: Cell| match cell {
            Cell::Published(larger) => self.is_safe(larger, devices),
            Cell::Withheld | Cell::NoCoverage => true,
        };
        above(place).skip(1).all(|larger| safe(here[larger.index()]))
            && self.within.is_none_or(|(longer, period)| {
                above(place).all(|larger| {
                    let slot = longer.table.grid.slot(period[time], larger.index());
                    safe(longer.table.cells[slot.0])
                })
            })
    }

    /// Whether the number tells of nobody who was in the place, but not at one of the instants.
    ///
    /// Where presence is withheld, as many people as are needed to hide in must fit in beside the present ones.
    fn is_apart_from_smaller(&self, devices: u64, time: usize, place: PlaceId) -> bool {
        self.holding.is_none_or(|(present, instants)| {
            instants[time].clone().all(|instant| {
                let slot = present.table.grid.slot(instant, place.index()).0;
                let there = present.truth[slot];
                match present.table.cells[slot] {
                    Cell::Published(_) => self.is_safe(devices, there),
                    Cell::Withheld | Cell::NoCoverage => devices >= there.saturating_add(self.k),
                }
            })
        })
    }
}
