//! Exact safety by elimination: no withheld number is a sum or difference of published ones.
//!
//! The greedy of Gauss suppression (Langsrud, Statistics Norway; the R package `GaussSuppression`), turned on its
//! side. The rows kept here are a basis of all the ways in which the atoms can change while every number published
//! so far stays as it is. Publishing one more number takes one row away: the pivot, which is subtracted from the
//! other rows until none of them changes that number. A primary number is given away where no row changes it any
//! more; so a number must not be published if a primary one changes, in every row, in proportion to it.
//!
//! Arithmetic is exact modulo the prime 2^61 - 1. That a determinant of zeros and ones vanishes modulo that prime by
//! accident is less likely than a fault of the machine; a check of a release uses other primes.

use crate::lattice::{Lattice, Sets, index};

const PRIME: u64 = (1 << 61) - 1;

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // 2^61 is 1 modulo the prime, so the upper bits are added to the lower ones.
    #[expect(clippy::cast_possible_truncation, reason = "both parts are under 2^62")]
    let folded = (product & u128::from(PRIME)) as u64 + (product >> 61) as u64;
    if folded >= PRIME { folded - PRIME } else { folded }
}

fn subtract(a: u64, b: u64) -> u64 {
    if a >= b { a - b } else { a + PRIME - b }
}

/// The inverse, by Fermat's little theorem.
fn invert(a: u64) -> u64 {
    if a == 1 || a == PRIME - 1 {
        return a;
    }
    let (mut base, mut exponent, mut power) = (a, PRIME - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiply(power, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    power
}

/// One way in which atoms can change: by how much each class then changes, in the order of the classes.
type Row = Vec<(u32, u64)>;

fn change(row: &Row, class: u32) -> Option<u64> {
    row.binary_search_by_key(&class, |entry| entry.0).ok().map(|at| row[at].1)
}

/// Which classes to withhold so that no primary one is a linear combination of published ones.
///
/// Classes are offered for publication in `order`; every primary class is withheld. With `group_sums`, the primary
/// atoms of each class together count as primary where they are fewer than `k`: otherwise it may show that there are
/// few of them, though not how many each.
pub(crate) fn eliminate(
    lattice: &Lattice,
    atoms: &[u64],
    primary: &[bool],
    order: &[u32],
    group_sums: Option<u64>,
) -> Vec<bool> {
    let groups = group_sums.map_or_else(Vec::new, |k| virtual_primaries(lattice, atoms, k));
    let classes = lattice.classes() + groups.len();
    let real = (0..lattice.classes()).map(|class| lattice.atoms_of.of(class));
    let columns = Sets::new(real.chain(groups.iter().map(Vec::as_slice)));
    let mut primary = primary.to_vec();
    primary.resize(classes, true);
    let mut withheld = primary.clone();
    let mut space = Space::new(&columns, lattice.atoms(), primary);
    for class in order {
        if !withheld[*class as usize] {
            withheld[*class as usize] = !space.publish(*class);
        }
    }
    withheld.truncate(lattice.classes());
    withheld
}

/// The small atoms of each class together, where they are fewer than k and no class by themselves.
fn virtual_primaries(lattice: &Lattice, atoms: &[u64], k: u64) -> Vec<Vec<u32>> {
    let mut groups = Vec::new();
    for class in 0..lattice.classes() {
        let all = lattice.atoms_of.of(class);
        let small: Vec<u32> = all.iter().copied().filter(|atom| atoms[*atom as usize] < k).collect();
        let sum: u64 = small.iter().map(|atom| atoms[*atom as usize]).sum();
        if small.len() > 1 && small.len() < all.len() && sum < k {
            groups.push(small);
        }
    }
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// All the ways in which the atoms can still change.
struct Space {
    primary: Vec<bool>,
    rows: Vec<Row>,
    /// Rows that may change each class: a superset, tidied when it is looked at.
    candidates: Vec<Vec<u32>>,
    /// How many rows change each class.
    count: Vec<u32>,
    /// How many primary classes each row changes.
    primaries: Vec<u32>,
    scratch: Row,
}

impl Space {
    fn new(columns: &Sets, atoms: usize, primary: Vec<bool>) -> Self {
        let mut rows: Vec<Row> = vec![Vec::new(); atoms];
        for class in 0..columns.len() {
            for atom in columns.of(class) {
                rows[*atom as usize].push((index(class), 1));
            }
        }
        let primaries =
            rows.iter().map(|row| index(row.iter().filter(|entry| primary[entry.0 as usize]).count()));
        Self {
            primaries: primaries.collect(),
            candidates: (0..columns.len()).map(|class| columns.of(class).to_vec()).collect(),
            count: (0..columns.len()).map(|class| index(columns.of(class).len())).collect(),
            rows,
            primary,
            scratch: Vec::new(),
        }
    }

    /// Publishes a class, if that gives no primary one away.
    fn publish(&mut self, class: u32) -> bool {
        let mut changing = std::mem::take(&mut self.candidates[class as usize]);
        changing.sort_unstable();
        changing.dedup();
        changing.retain(|row| change(&self.rows[*row as usize], class).is_some());
        // The row that touches the fewest primaries: the least is to be looked at, and to be mended.
        let Some(pivot) = changing
            .iter()
            .copied()
            .min_by_key(|row| (self.primaries[*row as usize], self.rows[*row as usize].len(), *row))
        else {
            return true; // it follows from what is published
        };
        if self.gives_away(class, pivot, &changing) {
            for row in changing {
                let row = &mut self.rows[row as usize];
                row.retain(|entry| entry.0 != class);
            }
            return false;
        }
        self.take_away(class, pivot, &changing);
        true
    }

    /// Whether some primary class changes in proportion to this one.
    fn gives_away(&self, class: u32, pivot: u32, changing: &[u32]) -> bool {
        let row = &self.rows[pivot as usize];
        let inverse = change(row, class).map_or(0, invert);
        row.iter().filter(|(other, _)| self.primary[*other as usize]).any(|(other, by)| {
            let ratio = multiply(*by, inverse);
            self.count[*other as usize] as usize == changing.len()
                && changing.iter().all(|row| {
                    let row = &self.rows[*row as usize];
                    let pair = change(row, class).zip(change(row, *other));
                    pair.is_some_and(|(a, b)| b == multiply(ratio, a))
                })
        })
    }

    /// Subtracts the pivot from the other rows so that none changes the class, and drops it.
    fn take_away(&mut self, class: u32, pivot: u32, changing: &[u32]) {
        let gone = std::mem::take(&mut self.rows[pivot as usize]);
        for (other, _) in &gone {
            self.count[*other as usize] -= 1;
        }
        let inverse = change(&gone, class).map_or(0, invert);
        for row in changing.iter().copied().filter(|row| *row != pivot) {
            let by = change(&self.rows[row as usize], class).map_or(0, |by| multiply(by, inverse));
            self.subtract(row, &gone, by);
        }
    }

    /// `row - factor * gone`, in the order of the classes.
    fn subtract(&mut self, row: u32, gone: &Row, factor: u64) {
        let old = std::mem::take(&mut self.rows[row as usize]);
        let mut gone = gone.iter().copied().peekable();
        self.scratch.clear();
        for (class, value) in &old {
            while let Some((other, by)) = gone.next_if(|(other, _)| other < class) {
                self.fill(row, other, multiply(factor, by));
            }
            match gone.next_if(|(other, _)| other == class) {
                None => self.scratch.push((*class, *value)),
                Some((_, by)) => match subtract(*value, multiply(factor, by)) {
                    0 => {
                        self.count[*class as usize] -= 1;
                        self.primaries[row as usize] -= u32::from(self.primary[*class as usize]);
                    }
                    left => self.scratch.push((*class, left)),
                },
            }
        }
        for (other, by) in gone {
            self.fill(row, other, multiply(factor, by));
        }
        let mut new = old;
        new.clear();
        new.extend_from_slice(&self.scratch);
        self.rows[row as usize] = new;
    }

    /// The row now changes a class that it did not change before.
    fn fill(&mut self, row: u32, class: u32, by: u64) {
        self.scratch.push((class, subtract(0, by)));
        self.count[class as usize] += 1;
        self.candidates[class as usize].push(row);
        self.primaries[row as usize] += u32::from(self.primary[class as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arithmetic_is_that_of_a_field(a in 1..PRIME, b in 0..PRIME) {
            prop_assert_eq!(multiply(a, invert(a)), 1);
            prop_assert_eq!(u128::from(multiply(a, b)), u128::from(a) * u128::from(b) % u128::from(PRIME));
            prop_assert_eq!((u128::from(subtract(a, b)) + u128::from(b)) % u128::from(PRIME), u128::from(a));
        }
    }
}
