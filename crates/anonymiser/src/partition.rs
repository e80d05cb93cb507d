//! Classes that divide the people of a place: by how long they stayed, or on how many days they came.
//!
//! Nothing is shown below a total that is withheld. A class of fewer than k is withheld, nobody's among them, and what
//! is withheld together must be nobody or at least k: then each of the withheld classes may be all of them.
//!
//! Classes of nested places hang together as well. Who stayed so long in a postal code stayed as long in its commune,
//! so the people "of this class or above" of the one lie within those "of this class, or a lower one, or above" of the
//! other, and where both can be known, their difference must be nobody or at least k.

use throng_schema::Grid;

use crate::{
    count_table::CountTable,
    nested::Places,
    protect::Done,
    protected_table::{Account, Cell, ProtectedTable},
};

/// A table of classes by place, and the table of their totals.
pub(crate) struct Partition<'a> {
    pub(crate) k: u64,
    pub(crate) places: Places<'a>,
    pub(crate) classes: usize,
    /// Distinct people by the same times and places.
    pub(crate) totals: &'a Done,
}

/// The classes of one place, as they stand.
#[derive(Clone)]
pub(crate) struct Classes {
    counts: Vec<u64>,
    pub(crate) shown: Vec<bool>,
    total: Option<u64>,
}

/// Protects a table at all its times, places from the top of the tree down.
pub(crate) fn protect(table: &CountTable, partition: &Partition<'_>) -> Done {
    let (n, Places { tree, covered, groups }) = (partition.classes, &partition.places);
    let times = table.shape.grid.times();
    assert_eq!(table.shape.grid.places(), tree.len() * n, "a table of other classes");
    let mut account = Account::new(groups);
    let mut cells = Vec::with_capacity(table.devices.len());
    for time in 0..times {
        let mut known: Vec<Classes> = Vec::with_capacity(tree.len());
        for place in tree.ids() {
            let slot = table.shape.grid.slot(time, place.index() * n).0;
            let counts = &table.devices[slot..slot + n];
            let total =
                match partition.totals.table.cells[partition.totals.table.grid.slot(time, place.index()).0] {
                    Cell::Published(total) => Some(total),
                    Cell::Withheld | Cell::NoCoverage => None,
                };
            let mut classes = Classes::new(counts, total, partition.k);
            let above = std::iter::successors(tree.parent(place), |above| tree.parent(*above));
            classes.protect(partition.k, &above.map(|above| &known[above.index()]).collect::<Vec<_>>());
            known.push(classes);
        }
        for (place, classes) in tree.ids().zip(&known) {
            for (count, shown) in classes.counts.iter().zip(&classes.shown) {
                if covered[place.index()] {
                    account.add(groups[place.index()], *count, !shown, *count < partition.k);
                    cells.push(if *shown { Cell::Published(*count) } else { Cell::Withheld });
                } else {
                    cells.push(Cell::NoCoverage);
                }
            }
        }
    }
    let grid = Grid::new(times, tree.len() * n);
    let (truth, weights) = (table.devices.clone(), table.weights.clone());
    Done { table: ProtectedTable { grid, cells, weights, account }, truth, witnesses: Vec::new() }
}

impl Classes {
    /// Classes of which the small are withheld, and all where their total is.
    pub(crate) fn new(counts: &[u64], total: Option<u64>, k: u64) -> Self {
        let shown = counts.iter().map(|count| total.is_some() && *count >= k).collect();
        Self { counts: counts.to_vec(), shown, total }
    }

    /// Withholds classes until what is withheld together is enough, here and beside the larger places.
    pub(crate) fn protect(&mut self, k: u64, above: &[&Self]) {
        loop {
            self.widen(k);
            let Some(close) = above.iter().find_map(|larger| self.too_close(larger, k)) else { return };
            self.shown[close] = false;
        }
    }

    /// What is withheld together becomes nobody, or at least k.
    fn widen(&mut self, k: u64) {
        let Some(total) = self.total else { return };
        let sum = |of: &Self| -> u64 { of.shown_classes().map(|class| of.counts[class]).sum() };
        let mut rest = total - sum(self);
        while rest > 0 && rest < k {
            let Some(class) = self.shown_classes().min_by_key(|class| (self.counts[*class], *class)) else {
                return;
            };
            self.shown[class] = false;
            rest += self.counts[class];
        }
    }

    fn shown_classes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.counts.len()).filter(|class| self.shown[*class])
    }

    /// How many there are of this class or above, where a reader can know it.
    fn at_least(&self, class: usize) -> Option<u64> {
        let known = |classes: std::ops::Range<usize>| classes.into_iter().all(|class| self.shown[class]);
        let knows = known(class..self.counts.len()) || (self.total.is_some() && known(0..class));
        knows.then(|| self.counts[class..].iter().sum())
    }

    /// A shown class that gives away a few who reached a class in the larger place and not in this one.
    fn too_close(&self, larger: &Self, k: u64) -> Option<usize> {
        // Who reached a class here has reached every lower one in the larger place. All of both are totals, which are
        // groups of distinct people and protected as such.
        let n = self.counts.len();
        let pairs = (1..n).flat_map(|class| (0..=class).map(move |lower| (lower, class)));
        let (_, close) = pairs.into_iter().find(|(lower, class)| {
            let difference = larger.at_least(*lower).zip(self.at_least(*class)).map(|(a, b)| a.abs_diff(b));
            difference.is_some_and(|difference| difference > 0 && difference < k)
        })?;
        let from_there = self.shown_classes().filter(|class| *class >= close);
        let class = from_there.min_by_key(|class| (self.counts[*class], *class));
        class.or_else(|| self.shown_classes().min_by_key(|class| (self.counts[*class], *class)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(counts: &[u64], above: &[&Classes]) -> Vec<bool> {
        let mut classes = Classes::new(counts, Some(counts.iter().sum()), 10);
        classes.protect(10, above);
        classes.shown
    }

    #[test]
    fn what_is_withheld_together_is_nobody_or_a_crowd() {
        assert_eq!(protected(&[40, 50, 3], &[]), [false, true, false], "3 would be the difference");
        assert_eq!(protected(&[40, 50, 3, 8], &[]), [true, true, false, false], "eleven may be either");
        assert_eq!(protected(&[40, 50, 5, 5], &[]), [true, true, false, false], "ten are k");
        assert_eq!(protected(&[40, 0, 50], &[]), [true, false, true], "nobody is no group");
        let mut withheld = Classes::new(&[40, 50], None, 10);
        withheld.protect(10, &[]);
        assert_eq!(withheld.shown, [false, false], "nothing stands below a withheld total");
    }

    #[test]
    fn a_few_who_stayed_longer_in_the_larger_place_are_not_told() {
        // 43 stayed long in the commune and 40 in the postal code: three did so elsewhere.
        let commune = Classes::new(&[100, 43], Some(143), 10);
        assert_eq!(protected(&[60, 40], &[&commune]), [false, false]);
        let far = Classes::new(&[100, 80], Some(180), 10);
        assert_eq!(protected(&[60, 40], &[&far]), [true, true]);
        let just_enough = Classes::new(&[100, 50], Some(150), 10);
        assert_eq!(protected(&[60, 40], &[&just_enough]), [true, true]);
        // Whoever reached that class gives way first, then the smallest of those whom the total tells them by.
        let commune = Classes::new(&[200, 130, 43], Some(373), 10);
        assert_eq!(protected(&[60, 30, 40], &[&commune]), [true, false, false]);
        // 50 stayed a while in the commune, 45 stayed longer than that in the postal code.
        let commune = Classes::new(&[100, 5, 45], Some(150), 10);
        assert_eq!(protected(&[60, 0, 45], &[&commune]), [false; 3]);
    }
}
