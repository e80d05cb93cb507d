//! Adds up pairs along two trees: what is counted of a pair counts for all pairs above it.
//!
//! Pairs are given and taken in the order of rows and columns. So they are added up without a look into a large table:
//! row by row, in a line of counters that has a place for each column.

use crate::{
    axis::Axis,
    count_table::Tallied,
    key::{pair, unpair},
    lattice::index,
};

/// Counts by pair of nodes ([`pair`]).
pub(crate) type Pairs = Vec<(u64, Tallied)>;

/// How counts are added: [`Tallied::add_assign`](std::ops::AddAssign) for people, [`Tallied::change`] for what may fall
/// below zero on the way.
pub(crate) type Add = fn(&mut Tallied, Tallied);

/// Counts in the order of what they are of, pairs or keys, and of each once.
pub(crate) fn in_order(mut pairs: Vec<(u64, Tallied)>, add: Add) -> Vec<(u64, Tallied)> {
    if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
        pairs.sort_unstable_by_key(|(pair, _)| *pair);
        pairs.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                add(&mut first.1, later.1);
            }
            same
        });
    }
    pairs
}

/// Each pair counts in its row and in all rows above it. Pairs are in order, each once, and so are those that are given.
pub(crate) fn along_rows(pairs: &[(u64, Tallied)], rows: &Axis, add: Add) -> Pairs {
    let mut of_row: Vec<Vec<(u32, Tallied)>> = vec![Vec::new(); rows.len()];
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); rows.len()];
    for (key, count) in pairs {
        let (row, column) = unpair(*key);
        of_row[row as usize].push((column, *count));
    }
    let columns = pairs.iter().map(|(key, _)| unpair(*key).1 as usize + 1).max().unwrap_or_default();
    let mut line = Line::new(columns);
    // Parents stand before children: whatever lies below a row is complete when its turn comes.
    for row in (0..of_row.len()).rev() {
        if !parts[row].is_empty() {
            for part in std::mem::take(&mut parts[row]) {
                of_row[part as usize].iter().for_each(|(column, count)| line.add(*column, *count, add));
            }
            of_row[row].iter().for_each(|(column, count)| line.add(*column, *count, add));
            of_row[row].clear();
            line.take(|column, count| of_row[row].push((column, count)));
        }
        if let Some(above) = rows.parent(index(row)).filter(|_| !of_row[row].is_empty()) {
            parts[above as usize].push(index(row));
        }
    }
    let of_rows = of_row.iter().zip(0..);
    of_rows.flat_map(|(of, row)| of.iter().map(move |(column, count)| (pair(row, *column), *count))).collect()
}

/// Each pair counts in its column and in all columns above it. The same holds of their order.
pub(crate) fn along_columns(pairs: &[(u64, Tallied)], columns: &Axis, add: Add) -> Pairs {
    let mut all = Pairs::with_capacity(2 * pairs.len());
    let mut line = Line::new(columns.len());
    for of_row in pairs.chunk_by(|a, b| unpair(a.0).0 == unpair(b.0).0) {
        let row = unpair(of_row[0].0).0;
        of_row.iter().for_each(|(key, count)| line.add(unpair(*key).1, *count, add));
        line.add_up(columns, add);
        line.take(|column, count| all.push((pair(row, column), count)));
    }
    all
}

/// A counter for each column, and which of them have been used.
struct Line {
    counts: Vec<Tallied>,
    used: Vec<u64>,
    /// The words of `used` in which there is any lie from one on, and before another; there are none where it is not so.
    first: usize,
    end: usize,
}

/// Columns in a word of `used`.
const WORD: usize = u64::BITS as usize;

impl Line {
    fn new(columns: usize) -> Self {
        let (counts, used) = (vec![Tallied::default(); columns], vec![0; columns.div_ceil(WORD)]);
        Self { counts, used, first: usize::MAX, end: 0 }
    }

    #[inline]
    fn add(&mut self, column: u32, count: Tallied, add: Add) {
        let column = column as usize;
        add(&mut self.counts[column], count);
        let word = column / WORD;
        self.used[word] |= 1 << (column % WORD);
        (self.first, self.end) = (self.first.min(word), self.end.max(word + 1));
    }

    /// Adds each column to the one above it, from the last to the first.
    fn add_up(&mut self, columns: &Axis, add: Add) {
        let mut next = self.end;
        // What lies above a column lies before it, perhaps before the first.
        while next > self.first {
            next -= 1;
            let (word, mut below) = (next, WORD);
            // What is used may be added to on the way, but only before where it is looked for next.
            while let Some(bit) = highest(self.used[word], below) {
                let column = index(word * WORD + bit);
                if let Some(above) = columns.parent(column) {
                    self.add(above, self.counts[column as usize], add);
                }
                below = bit;
            }
        }
    }

    /// Gives the columns that were used, in order, and clears them.
    fn take(&mut self, mut give: impl FnMut(u32, Tallied)) {
        for word in self.first..self.end {
            let used = &mut self.used[word];
            while *used != 0 {
                let column = word * WORD + used.trailing_zeros() as usize;
                *used &= *used - 1;
                give(index(column), std::mem::take(&mut self.counts[column]));
            }
        }
        (self.first, self.end) = (usize::MAX, 0);
    }
}

/// The highest bit that is set below one.
fn highest(bits: u64, below: usize) -> Option<usize> {
    let lower = if below == WORD { bits } else { bits & ((1 << below) - 1) };
    lower.checked_ilog2().map(|bit| bit as usize)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, ops::AddAssign};

    use proptest::prelude::*;

    use super::*;

    /// A tree of so many nodes, each below an earlier one.
    fn tree(nodes: usize) -> impl Strategy<Value = Axis> {
        prop::collection::vec(any::<prop::sample::Index>(), nodes).prop_map(|above| {
            let parent = |(node, above): (usize, prop::sample::Index)| {
                u32::try_from(if node == 0 { 0 } else { above.index(node) }).expect("few")
            };
            Axis::new(above.into_iter().enumerate().map(parent).collect())
        })
    }

    proptest! {
        /// Whatever pairs are given, in whatever order, each counts once in every pair above it; also where they wrap.
        #[test]
        fn each_pair_counts_in_all_above(rows in tree(9), columns in tree(150),
                                         given in prop::collection::vec((0..9_u32, 0..150_u32, any::<u64>()), 0..40)) {
            let tallied = |devices: u64| Tallied { devices, weight: devices.wrapping_mul(3) };
            let pairs: Pairs = given.iter().map(|(row, column, n)| (pair(*row, *column), tallied(*n))).collect();
            let mut expected: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
            for (row, column, n) in &given {
                for row in rows.chain(*row) {
                    for column in columns.chain(*column) {
                        let sum = expected.entry(pair(row, column)).or_default();
                        *sum = (sum.0.wrapping_add(*n), sum.1.wrapping_add(n.wrapping_mul(3)));
                    }
                }
            }
            let change: Add = Tallied::change;
            let of_rows = along_rows(&in_order(pairs, change), &rows, change);
            let all = along_columns(&of_rows, &columns, change);
            let all: Vec<_> = all.into_iter().map(|(pair, n)| (pair, (n.devices, n.weight))).collect();
            prop_assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn sums_of_people_do_not_wrap() {
        let add: Add = Tallied::add_assign;
        let many = |column| (pair(0, column), Tallied { devices: u64::MAX, weight: 0 });
        let axis = Axis::new(vec![0, 0, 0]);
        let refused =
            |pairs: Pairs| std::panic::catch_unwind(|| along_columns(&pairs, &axis, add).len()).is_err();
        assert!(!refused(vec![many(1)]) && refused(vec![many(1), many(2)]));
    }
}
