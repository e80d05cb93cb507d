//! The lattice of a table: which atoms each of its numbers is the sum of.

use std::collections::HashMap;

use throng_schema::{Level, PlaceTree};

/// Sets of numbers, one after the other.
pub(crate) struct Sets {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Sets {
    pub(crate) fn new<S: AsRef<[u32]>>(sets: impl IntoIterator<Item = S>) -> Self {
        let mut all = Self { starts: vec![0], items: Vec::new() };
        for set in sets {
            all.items.extend_from_slice(set.as_ref());
            all.starts.push(index(all.items.len()));
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    #[inline]
    pub(crate) fn of(&self, set: usize) -> &[u32] {
        &self.items[self.starts[set] as usize..self.starts[set + 1] as usize]
    }

    /// The sets that each of `n` items stands in.
    fn inverted(&self, n: usize) -> Self {
        let mut sets: Vec<Vec<u32>> = vec![Vec::new(); n];
        for set in 0..self.len() {
            for item in self.of(set) {
                sets[*item as usize].push(index(set));
            }
        }
        Self::new(sets)
    }
}

/// There are fewer than 2^32 of anything that is numbered: columns and atoms of a table, people and blocks of a shard.
/// They would not fit the memory otherwise.
#[inline]
pub(crate) fn index(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32 of anything that is numbered")
}

/// How the numbers of a table hang together: each column is the sum of some atoms.
///
/// *Atoms* are the finest groups there are: a postal code, or the part of it that an occasion cuts out, by the
/// finest class of residence. *Columns* are the numbers that a report shows. Places of all levels, margins over
/// classes and overlapping occasions are all just columns, so that one mechanism protects them all.
///
/// Columns over the same atoms are the same number and share one *class*: they are shown or withheld together. An
/// atom that no column shows by itself is a class all the same, for subtraction could show it.
pub struct Lattice {
    /// The class of a column; none for a column without atoms.
    class_of: Vec<Option<u32>>,
    /// How many columns show each class; none for an atom that is never shown.
    shown: Vec<u32>,
    pub(crate) atoms_of: Sets,
    pub(crate) classes_of: Sets,
    /// Where each atom is counted.
    slots: Vec<u32>,
    slots_len: usize,
    /// The class of each atom alone.
    own: Vec<u32>,
}

impl Lattice {
    /// The lattice of columns over `atoms` atoms, each column given by the atoms that it sums up.
    ///
    /// A column without atoms is a place that nobody can be in: it has no number to protect. Columns go from coarse
    /// to fine: an atom is counted in the last column that shows it alone, or in a slot behind all columns.
    ///
    /// # Panics
    /// When a column names an atom that is not there.
    #[must_use]
    pub fn new(atoms: usize, columns: &[Vec<u32>]) -> Self {
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut sets: Vec<Vec<u32>> = Vec::new();
        let mut shown: Vec<u32> = Vec::new();
        let mut class = |mut set: Vec<u32>, columns: u32| {
            set.sort_unstable();
            set.dedup();
            assert!(set.last().is_none_or(|last| (*last as usize) < atoms), "a column of an unknown atom");
            let class = *known.entry(set).or_insert_with_key(|set| {
                sets.push(set.clone());
                shown.push(0);
                index(sets.len() - 1)
            });
            shown[class as usize] += columns;
            class
        };
        let class_of: Vec<_> =
            columns.iter().map(|atoms| (!atoms.is_empty()).then(|| class(atoms.clone(), 1))).collect();
        let own = (0..atoms).map(|atom| class(vec![index(atom)], 0)).collect();
        let mut slots = vec![None; atoms];
        for (column, atoms) in columns.iter().enumerate() {
            if let [atom] = atoms[..] {
                // The last: a commune of one postal code comes before it.
                slots[atom as usize] = Some(index(column));
            }
        }
        let mut slots_len = columns.len();
        let slots = slots
            .into_iter()
            .map(|slot| {
                slot.unwrap_or_else(|| {
                    slots_len += 1;
                    index(slots_len - 1)
                })
            })
            .collect();
        let atoms_of = Sets::new(sets);
        let classes_of = atoms_of.inverted(atoms);
        Self { class_of, shown, atoms_of, classes_of, slots, slots_len, own }
    }

    /// The lattice of a tree of places: postal codes that some cell serves are atoms, every place is a column.
    #[must_use]
    pub fn of_places(tree: &PlaceTree, covered: &[bool]) -> Self {
        let mut columns: Vec<Vec<u32>> = vec![Vec::new(); tree.len()];
        let atoms = tree.of_level(Level::PostalCode).filter(|place| covered[place.index()]);
        let mut n = 0;
        for (atom, place) in atoms.enumerate() {
            for above in tree.chain(place) {
                columns[above.index()].push(index(atom));
            }
            n = atom + 1;
        }
        Self::new(n, &columns)
    }

    /// Every column of this lattice by every column of another: places by classes of residence, say.
    ///
    /// Column `(a, b)` is number `a * other.columns() + b`; atoms are numbered alike.
    #[must_use]
    pub fn product(&self, other: &Self) -> Self {
        let (width, breadth) = (index(other.atoms()), other.columns());
        let columns: Vec<Vec<u32>> = (0..self.columns() * breadth)
            .map(|column| {
                let inner = other.atoms_of_column(column % breadth);
                let outer = self.atoms_of_column(column / breadth).iter();
                outer.flat_map(|a| inner.iter().map(move |b| a * width + b)).collect()
            })
            .collect();
        Self::new(self.atoms() * other.atoms(), &columns)
    }

    /// How many columns there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.class_of.len()
    }

    /// How many atoms there are.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.slots.len()
    }

    /// How many slots a table of counts has at one time: its columns, and the atoms that no column shows.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots_len
    }

    /// Where an atom is counted.
    #[must_use]
    pub fn slot(&self, atom: usize) -> usize {
        self.slots[atom] as usize
    }

    /// The atoms that a column sums up.
    #[must_use]
    pub fn atoms_of_column(&self, column: usize) -> &[u32] {
        self.class_of[column].map_or(&[], |class| self.atoms_of.of(class as usize))
    }

    pub(crate) fn class_of(&self, column: usize) -> Option<usize> {
        self.class_of[column].map(|class| class as usize)
    }

    pub(crate) fn classes(&self) -> usize {
        self.shown.len()
    }

    /// The class of an atom alone.
    #[inline]
    pub(crate) fn own(&self, atom: u32) -> usize {
        self.own[atom as usize] as usize
    }

    /// How many columns show a class.
    pub(crate) fn shown(&self, class: usize) -> u32 {
        self.shown[class]
    }

    /// Whether of any two classes one holds the other, or they have nothing in common.
    pub(crate) fn is_tree(&self) -> bool {
        let mut above: Vec<Option<u32>> = vec![None; self.classes()];
        (0..self.atoms()).all(|atom| {
            let mut chain = self.classes_of.of(atom).to_vec();
            chain.sort_by_key(|class| (self.atoms_of.of(*class as usize).len(), *class));
            // The next larger class of an atom must be that of all atoms in the smaller one.
            chain.windows(2).all(|pair| *above[pair[0] as usize].get_or_insert(pair[1]) == pair[1])
                && chain.last().is_none_or(|top| *above[*top as usize].get_or_insert(u32::MAX) == u32::MAX)
        })
    }

    /// The sum of every class.
    pub(crate) fn sums(&self, atoms: &[u64]) -> Vec<u64> {
        assert_eq!(atoms.len(), self.atoms(), "counts of another lattice");
        (0..self.classes()).map(|c| self.atoms_of.of(c).iter().map(|a| atoms[*a as usize]).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_schema::{PlaceId, PlaceRow};

    #[test]
    fn columns_over_the_same_atoms_are_one_number() {
        let lattice = Lattice::new(3, &[vec![0, 1, 2], vec![0], vec![0], vec![1, 2], vec![]]);
        assert_eq!(lattice.class_of(1), lattice.class_of(2));
        assert_eq!(lattice.class_of(4), None);
        assert_eq!(lattice.shown(lattice.class_of(1).expect("a class")), 2);
        // Atoms 1 and 2 are shown by no column, and are counted behind all of them.
        assert_eq!((lattice.columns(), lattice.slots()), (5, 7));
        assert_eq!([0, 1, 2].map(|atom| lattice.slot(atom)), [2, 5, 6]);
        assert_eq!(lattice.classes(), 5);
    }

    #[test]
    fn a_product_has_every_pair_of_columns() {
        let rows = ["1", "2"].map(|code| PlaceRow {
            codes: ["BE", "R", "P", "C", code].map(str::to_owned),
            ..PlaceRow::default()
        });
        let tree = PlaceTree::new(&rows).expect("tree");
        let places = Lattice::of_places(&tree, &vec![true; tree.len()]);
        for atom in 0..places.atoms() {
            assert_eq!(tree.level(PlaceId(index(places.slot(atom)))), Level::PostalCode);
        }
        let classes = Lattice::new(2, &[vec![0, 1], vec![0], vec![1]]);
        let product = places.product(&classes);
        assert_eq!((product.columns(), product.atoms()), (tree.len() * 3, 4));
        for place in 0..tree.len() {
            for class in 0..3 {
                let (a, b) = (places.atoms_of_column(place).len(), classes.atoms_of_column(class).len());
                assert_eq!(product.atoms_of_column(place * 3 + class).len(), a * b);
            }
        }
        assert_eq!(product.sums(&[1, 2, 3, 4])[product.class_of(0).expect("all")], 10);
        assert!(places.is_tree() && classes.is_tree() && !product.is_tree());
        assert!(!Lattice::new(3, &[vec![0, 1], vec![1, 2]]).is_tree(), "they overlap");
    }
}
