//! The exit: the one place where it is decided which numbers are shown.
//!
//! Each time is protected by itself, in three steps.
//!
//! 1. A cell with fewer than k devices is withheld; nobody counts as few.
//! 2. In every parent of the place tree, the smallest further child is withheld until what is withheld there adds
//!    up to nobody or to at least k, so that parent minus siblings tells nothing smaller.
//! 3. A parent that is itself withheld hides only if its children do not add up to it: there, too, at least k
//!    must be withheld below.
//!
//! Ties go to the child that comes first in the tree, so the same counts give the same pattern.

use throng_schema::{Grid, PlaceId, PlaceTree};

use crate::{
    count_table::{CountTable, Measure},
    policy::Policy,
    protected_table::{Cell, ProtectedTable, Withheld},
};

impl CountTable {
    /// Withholds what could point at a small group. Small groups end here.
    ///
    /// `covered` says of each place of the tree whether any cell of the plan serves it.
    ///
    /// # Panics
    /// When the table's places are not those of the tree.
    #[must_use]
    pub fn protect(mut self, policy: &Policy, tree: &PlaceTree, covered: &[bool]) -> ProtectedTable {
        let grid = self.shape.grid;
        assert_eq!((grid.places(), covered.len()), (tree.len(), tree.len()), "a table over other places");
        let mut cells = Vec::with_capacity(grid.len());
        let mut withheld = Withheld::default();
        for devices in self.devices.chunks_exact_mut(grid.places().max(1)) {
            if self.shape.measure == Measure::Additive {
                roll_up(devices, tree);
            }
            let at_once = Pattern::new(devices, policy.threshold.k(), tree, covered).protect();
            for (place, (devices, hidden)) in devices.iter().zip(at_once).enumerate() {
                cells.push(match (covered[place], hidden) {
                    (false, _) => Cell::NoCoverage,
                    (true, false) => Cell::Published(*devices),
                    (true, true) => {
                        let too_few = *devices < policy.threshold.k();
                        *(if too_few { &mut withheld.too_few } else { &mut withheld.protective }) += 1;
                        Cell::Withheld
                    }
                });
            }
        }
        ProtectedTable { grid: Grid::new(grid.times(), grid.places()), cells, withheld }
    }
}

/// Adds the postal codes up to everything above them.
fn roll_up(devices: &mut [u64], tree: &PlaceTree) {
    for place in tree.ids().rev() {
        if let Some(parent) = tree.parent(place) {
            devices[parent.index()] += devices[place.index()];
        }
    }
}

/// Which places are hidden at one time.
struct Pattern<'a> {
    devices: &'a [u64],
    k: u64,
    tree: &'a PlaceTree,
    covered: &'a [bool],
    hidden: Vec<bool>,
}

impl<'a> Pattern<'a> {
    fn new(devices: &'a [u64], k: u64, tree: &'a PlaceTree, covered: &'a [bool]) -> Self {
        let hidden = devices.iter().map(|devices| *devices < k).collect();
        Self { devices, k, tree, covered, hidden }
    }

    /// From the top of the tree down, for what is withheld above decides what must be withheld below.
    fn protect(mut self) -> Vec<bool> {
        for parent in self.tree.ids() {
            while let Some(child) = self.further(parent) {
                self.hidden[child.index()] = true;
            }
        }
        self.hidden
    }

    /// The smallest child still shown, if what is withheld among the children is too little to hide in.
    fn further(&self, parent: PlaceId) -> Option<PlaceId> {
        let children = || self.tree.children(parent).filter(|child| self.covered[child.index()]);
        let withheld: u64 = children()
            .filter(|child| self.hidden[child.index()])
            .map(|child| self.devices[child.index()])
            .sum();
        let enough = withheld >= self.k || (withheld == 0 && !self.hidden[parent.index()]);
        let shown = children().filter(|child| !self.hidden[child.index()]);
        if enough { None } else { shown.min_by_key(|child| (self.devices[child.index()], *child)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{count_table::Shape, policy::Threshold};
    use proptest::prelude::*;
    use throng_schema::{Level, PlaceRow, Status};

    const K: u64 = 20;

    /// Two provinces, communes of one to four postal codes.
    fn tree(sizes: &[usize]) -> PlaceTree {
        let mut rows = Vec::new();
        for (commune, size) in sizes.iter().enumerate() {
            for code in 0..*size {
                let province = format!("P{}", commune % 2);
                let codes =
                    ["BE".into(), "R".into(), province, format!("C{commune}"), format!("{commune}{code}")];
                rows.push(PlaceRow { codes, ..PlaceRow::default() });
            }
        }
        PlaceTree::new(&rows).expect("tree")
    }

    fn presence(tree: &PlaceTree, atoms: &[u64]) -> CountTable {
        let mut devices = vec![0; tree.len()];
        for (place, atom) in tree.of_level(Level::PostalCode).zip(atoms.iter().cycle()) {
            devices[place.index()] = *atom;
        }
        CountTable { shape: Shape { grid: Grid::new(1, tree.len()), measure: Measure::Additive }, devices }
    }

    fn protect(tree: &PlaceTree, atoms: &[u64]) -> ProtectedTable {
        let policy = Policy { threshold: Threshold::new(K).expect("safe") };
        presence(tree, atoms).protect(&policy, tree, &vec![true; tree.len()])
    }

    fn shown(table: &ProtectedTable, tree: &PlaceTree, level: Level) -> Vec<Option<u64>> {
        tree.of_level(level).map(|place| table.published(0, place.index())).collect()
    }

    #[test]
    fn a_small_sibling_takes_the_next_smallest_with_it() {
        let tree = tree(&[4]);
        let table = protect(&tree, &[100, 30, 3, 50]);
        assert_eq!(shown(&table, &tree, Level::PostalCode), [Some(100), None, None, Some(50)]);
        assert_eq!(shown(&table, &tree, Level::Country), [Some(183)]);
        assert_eq!(table.withheld(), Withheld { too_few: 1, protective: 1 });
    }

    #[test]
    fn nobody_needs_no_protection_but_is_not_told_apart() {
        let tree = tree(&[3]);
        let table = protect(&tree, &[100, 0, 50]);
        assert_eq!(shown(&table, &tree, Level::PostalCode), [Some(100), None, Some(50)]);
        let zero = tree.of_level(Level::PostalCode).nth(1).expect("three");
        assert_eq!(table.status(0, zero.index()), Status::Withheld);
    }

    #[test]
    fn a_withheld_parent_is_not_given_away_by_its_children() {
        // Commune C2 (40) hides the small C0 within its province, so its only postal code must hide too.
        let tree = tree(&[1, 1, 1, 1]);
        let table = protect(&tree, &[3, 40, 500, 600]);
        assert_eq!(shown(&table, &tree, Level::Commune), [None, None, Some(500), Some(600)]);
        assert_eq!(shown(&table, &tree, Level::PostalCode), [None, None, Some(500), Some(600)]);
    }

    #[test]
    fn a_place_that_no_cell_serves_is_no_coverage_and_hides_nobody() {
        let tree = tree(&[3]);
        let places: Vec<_> = tree.of_level(Level::PostalCode).collect();
        let covered = tree.covered([places[0], places[2]]);
        let policy = Policy { threshold: Threshold::new(K).expect("safe") };
        let table = presence(&tree, &[100, 0, 3]).protect(&policy, &tree, &covered);
        assert_eq!(table.status(0, places[1].index()), Status::NoCoverage);
        assert_eq!(shown(&table, &tree, Level::PostalCode), [None, None, None]);
    }

    proptest! {
        #[test]
        fn no_parent_minus_its_children_tells_a_small_group(
            sizes in prop::collection::vec(1..5_usize, 1..8),
            atoms in prop::collection::vec(prop_oneof![Just(0_u64), Just(1), Just(K - 1), Just(K), 0..200_u64], 40),
        ) {
            let tree = tree(&sizes);
            let table = protect(&tree, &atoms);
            let mut truth = presence(&tree, &atoms).devices;
            roll_up(&mut truth, &tree);
            for place in tree.ids() {
                let cell = table.published(0, place.index());
                prop_assert!(cell.is_none_or(|devices| devices >= K && devices == truth[place.index()]));
                let hidden = |p: &PlaceId| table.published(0, p.index()).is_none();
                let below: Vec<_> = tree.children(place).filter(hidden).collect();
                let sum: u64 = below.iter().map(|p| truth[p.index()]).sum();
                if cell.is_some() {
                    prop_assert!(sum == 0 || sum >= K, "parent minus children gives {sum}");
                } else if truth[place.index()] >= K && tree.level(place) != Level::PostalCode {
                    prop_assert!(sum >= K, "children give a withheld parent back");
                }
            }
        }
    }
}
