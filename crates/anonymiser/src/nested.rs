//! Numbers that do not add: distinct people in nested places and periods.
//!
//! Where one group holds another and both are published, their difference counts the people who were in the larger
//! alone. It must be nobody, or at least k; otherwise the smaller number is withheld. A postal code lies in its
//! commune, an hour in its day, and who is present at an instant has visited in that hour.
//!
//! Two published parts may share people, so what a place has beside both is known between bounds only, and the upper
//! one is such a difference. But where all parts of a group are published, their sum less the group tells how many are
//! in several of them: that must be nobody or at least k too, and so must be who is not in all of them.

use std::{collections::BTreeSet, ops::Range};

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
    /// Shorter periods that are out already, each with a cell for every place.
    pub(crate) parts: &'a [Vec<Cell>],
    /// By place, published groups that lie in it and in the period, as far as they are near the largest.
    pub(crate) inside: &'a [BTreeSet<u64>],
}

/// Protects a table at all its times, places from the top of the tree down.
pub(crate) fn protect(table: &CountTable, nest: &Nest<'_>) -> Done {
    let grid = table.shape.grid;
    let Places { tree, covered, groups } = nest.places;
    assert_eq!((grid.places(), covered.len()), (tree.len(), tree.len()), "a table over other places");
    let mut cells: Vec<Cell> = Vec::with_capacity(grid.len());
    for time in 0..grid.times() {
        for place in tree.ids() {
            let devices = table.devices[grid.slot(time, place.index()).0];
            if !covered[place.index()] {
                cells.push(Cell::NoCoverage);
                continue;
            }
            let here = &cells[time * grid.places()..];
            let shown = devices >= nest.k
                && nest.is_apart_from_larger(devices, time, place, here)
                && nest.is_apart_from_smaller(devices, time, place)
                && nest.is_apart_from_parts(devices, place);
            cells.push(if shown { Cell::Published(devices) } else { Cell::Withheld });
        }
    }
    nest.hide_overlaps_of_places(grid, &mut cells);
    // The places within one that gives way to its day stand in its stead, and may tell of a few in their turn.
    while nest.hide_overlaps_of_times(grid, &mut cells) {
        nest.hide_overlaps_of_places(grid, &mut cells);
    }
    let mut account = Account::new(groups);
    for (slot, cell) in cells.iter().enumerate() {
        if *cell != Cell::NoCoverage {
            let devices = table.devices[slot];
            account.add(groups[slot % grid.places()], devices, *cell == Cell::Withheld, devices < nest.k);
        }
    }
    let (truth, weights) = (table.devices.clone(), table.weights.clone());
    Done { table: ProtectedTable { grid, cells, weights, account }, truth, witnesses: Vec::new() }
}

/// Published parts that together are all of a published whole: who is in several of them can be counted.
///
/// The sum of the parts less the whole counts everybody once for each part beyond the first. Where that is under k but
/// not nobody, there are few such people; the part to be withheld for it is the smallest.
fn overlap_to_hide(k: u64, whole: Cell, parts: impl Iterator<Item = (usize, Cell)>) -> Option<usize> {
    let Cell::Published(whole) = whole else { return None };
    let (mut sum, mut n, mut smallest) = (0_u64, 0_u64, None::<(u64, usize)>);
    for (part, cell) in parts {
        let Cell::Published(devices) = cell else { return None };
        sum += devices;
        n += 1;
        smallest = Some(smallest.map_or((devices, part), |other| other.min((devices, part))));
    }
    tells_of_few(k, whole, sum, n).then_some(smallest?.1)
}

/// Whether `n` parts that fill a whole, and add up to `sum`, tell of a few people who are in several of them, or not in
/// all.
pub(crate) fn tells_of_few(k: u64, whole: u64, sum: u64, n: u64) -> bool {
    let few = |people: u64| people > 0 && people < k;
    let (more_than_once, not_in_all) = (sum.checked_sub(whole), (n * whole).checked_sub(sum));
    // One part is all of the whole, and nobody is in two.
    n > 1 && more_than_once.zip(not_in_all).is_some_and(|(several, not_all)| few(several) || few(not_all))
}

impl Nest<'_> {
    /// Of places that fill a larger one; those of a withheld place stand in its stead.
    fn hide_overlaps_of_places(&self, grid: Grid, cells: &mut [Cell]) {
        let tree = self.places.tree;
        for time in 0..grid.times() {
            for whole in tree.ids() {
                let slot = grid.slot(time, whole.index()).0;
                // Withheld parts are looked through again, until none tells of a few.
                while let Some(part) = self.parts_of(whole, time, grid, cells).and_then(|parts| {
                    let parts = parts.into_iter().map(|part| (part, cells[part]));
                    overlap_to_hide(self.k, cells[slot], parts)
                }) {
                    cells[part] = Cell::Withheld;
                }
            }
        }
    }

    /// The slots of the published places that fill one, if they do.
    fn parts_of(&self, whole: PlaceId, time: usize, grid: Grid, cells: &[Cell]) -> Option<Vec<usize>> {
        let mut parts = Vec::new();
        let mut children = self.places.tree.children(whole).peekable();
        children.peek()?;
        for child in children {
            let slot = grid.slot(time, child.index()).0;
            match cells[slot] {
                Cell::Published(_) => parts.push(slot),
                Cell::NoCoverage => {}
                Cell::Withheld => parts.extend(self.parts_of(child, time, grid, cells)?),
            }
        }
        Some(parts)
    }

    /// Of periods that fill a longer one. Says whether anything more is withheld.
    fn hide_overlaps_of_times(&self, grid: Grid, cells: &mut [Cell]) -> bool {
        let Some((longer, period)) = self.within else { return false };
        let mut hidden = false;
        for place in 0..grid.places() {
            for whole in 0..longer.table.grid.times() {
                let times = (0..grid.times()).filter(|time| period[*time] == whole);
                let parts = times.map(|time| grid.slot(time, place).0).map(|slot| (slot, cells[slot]));
                let whole = longer.table.cells[longer.table.grid.slot(whole, place).0];
                if let Some(part) = overlap_to_hide(self.k, whole, parts) {
                    cells[part] = Cell::Withheld;
                    hidden = true;
                }
            }
        }
        hidden
    }

    /// Whether a longer period's number tells of nobody beside those of shorter ones that are out already.
    fn is_apart_from_parts(&self, devices: u64, place: PlaceId) -> bool {
        let cell = |part: &Vec<Cell>| part[place.index()];
        let apart = |part: &Vec<Cell>| match cell(part) {
            Cell::Published(part) => self.is_safe(devices, part),
            Cell::Withheld | Cell::NoCoverage => true,
        };
        let overlap = || {
            let parts = self.parts.iter().map(cell).enumerate();
            overlap_to_hide(self.k, Cell::Published(devices), parts).is_some()
        };
        let inside = || self.inside.get(place.index()).into_iter().flatten();
        self.parts.iter().all(apart) && !overlap() && inside().all(|inside| self.is_safe(devices, *inside))
    }

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
