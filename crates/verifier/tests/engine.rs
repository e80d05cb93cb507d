//! Laws of the engine: what it tells of random small tables is what dense exact algebra and exhaustive search tell.

use proptest::prelude::*;
use throng_verifier::{Bounds, Incidence, bounds, recovered, solved};

/// A fraction of small integers; the tables are small enough for it never to overflow.
#[derive(Clone, Copy, PartialEq)]
struct Fraction(i128, i128);

impl Fraction {
    fn new(top: i128, bottom: i128) -> Self {
        fn divisor(a: i128, b: i128) -> i128 {
            if b == 0 { a.abs() } else { divisor(b, a % b) }
        }
        let by = divisor(top, bottom) * bottom.signum();
        Self(top / by, bottom / by)
    }

    fn minus_times(self, times: Self, other: Self) -> Self {
        let product = Self::new(times.0 * other.0, times.1 * other.1);
        Self::new(self.0 * product.1 - product.0 * self.1, self.1 * product.1)
    }

    fn over(self, other: Self) -> Self {
        Self::new(self.0 * other.1, self.1 * other.0)
    }
}

type Dense = Vec<Vec<Fraction>>;

/// The rank of rows, by dense elimination.
fn rank(mut rows: Dense) -> usize {
    let width = rows.first().map_or(0, Vec::len);
    let mut rank = 0;
    for column in 0..width {
        let Some(pivot) = (rank..rows.len()).find(|row| rows[*row][column].0 != 0) else { continue };
        rows.swap(rank, pivot);
        let pivot = rows[rank].clone();
        for row in rows.iter_mut().skip(rank + 1).filter(|row| row[column].0 != 0) {
            let times = row[column].over(pivot[column]);
            for (entry, above) in row.iter_mut().zip(&pivot) {
                *entry = entry.minus_times(times, *above);
            }
        }
        rank += 1;
    }
    rank
}

fn dense(incidence: &Incidence, column: usize) -> Vec<Fraction> {
    (0..incidence.atoms())
        .map(|atom| Fraction(i128::from(incidence.column(column).contains(&(atom as u32))), 1))
        .collect()
}

/// A table of a few atoms with columns that are any sets of them, its numbers, and which of them are published.
fn tables() -> impl Strategy<Value = (Incidence, Vec<u64>, Vec<bool>)> {
    (2..7_usize)
        .prop_flat_map(|atoms| {
            let columns = prop::collection::vec(prop::collection::vec(any::<bool>(), atoms), 1..14);
            (columns, prop::collection::vec(0..5_u64, atoms))
        })
        .prop_flat_map(|(columns, numbers)| {
            let published = prop::collection::vec(any::<bool>(), columns.len());
            (Just(columns), Just(numbers), published)
        })
        .prop_map(|(columns, numbers, published)| {
            let atoms = numbers.len();
            let sets =
                columns.iter().map(|column| (0..atoms).filter(|atom| column[*atom]).collect::<Vec<_>>());
            let incidence = Incidence::new(atoms, sets);
            (incidence, numbers, published)
        })
}

fn sum(incidence: &Incidence, column: usize, numbers: &[u64]) -> u64 {
    incidence.column(column).iter().map(|atom| numbers[*atom as usize]).sum()
}

/// Calls `visit` with every table of numbers up to `most` each.
fn every_table(atoms: usize, most: u64, visit: &mut impl FnMut(&[u64])) {
    let mut numbers = vec![0; atoms];
    loop {
        visit(&numbers);
        let Some(next) = numbers.iter().position(|number| *number < most) else { return };
        numbers[next] += 1;
        numbers[..next].fill(0);
    }
}

proptest! {
    #[test]
    fn what_is_recovered_is_what_dense_fractions_recover((incidence, _, published) in tables()) {
        let known: Dense =
            (0..incidence.columns()).filter(|c| published[*c]).map(|c| dense(&incidence, c)).collect();
        let rank_known = rank(known.clone());
        let found = recovered(&incidence, &published);
        prop_assert_eq!(found.rank, rank_known);
        for column in (0..incidence.columns()).filter(|c| !published[*c]) {
            let mut with = known.clone();
            with.push(dense(&incidence, column));
            let expected = !incidence.column(column).is_empty() && rank(with) == rank_known;
            prop_assert_eq!(found.columns.contains(&column), expected, "column {}", column);
        }
    }

    /// Intervals hold every table with the published numbers, and programmes lie between intervals and such tables.
    #[test]
    fn bounds_hold_every_table_and_programmes_are_no_looser((incidence, numbers, published) in tables()) {
        let known: Vec<Option<Bounds>> = (0..incidence.columns())
            .map(|c| published[c].then(|| Bounds::exactly(sum(&incidence, c, &numbers))))
            .collect();
        let intervals = bounds(&incidence, &known).expect("there is a table");
        const K: u64 = 3;
        let programmes = solved(&incidence, &known, K).expect("there is a table");
        prop_assert_eq!(programmes.unsolved, 0);
        let mut seen: Vec<Option<Bounds>> = vec![None; incidence.columns()];
        every_table(incidence.atoms(), 6, &mut |other| {
            if (0..incidence.columns()).all(|c| known[c].is_none_or(|k| k.least == sum(&incidence, c, other))) {
                for (c, seen) in seen.iter_mut().enumerate() {
                    let here = sum(&incidence, c, other);
                    let so_far = seen.get_or_insert(Bounds::exactly(here));
                    *so_far = Bounds { least: so_far.least.min(here), most: so_far.most.max(here) };
                }
            }
        });
        for c in 0..incidence.columns() {
            let (seen, interval, programme) = (seen[c].expect("itself"), intervals[c], programmes.bounds[c]);
            prop_assert!(interval.least <= programme.least && programme.most <= interval.most);
            prop_assert!(programme.least <= seen.least && seen.most <= programme.most, "{:?} {:?}", programme, seen);
        }
    }

    /// On a tree, intervals tell all that there is to tell.
    #[test]
    fn intervals_are_exact_on_trees(
        numbers in prop::collection::vec(0..5_u64, 8),
        published in prop::collection::vec(any::<bool>(), 15),
    ) {
        let sets = [1, 2, 4, 8].into_iter().flat_map(|size| (0..8 / size).map(move |i| i * size..(i + 1) * size));
        let incidence = Incidence::new(8, sets);
        let known: Vec<Option<Bounds>> = (0..incidence.columns())
            .map(|c| published[c].then(|| Bounds::exactly(sum(&incidence, c, &numbers))))
            .collect();
        let intervals = bounds(&incidence, &known).expect("there is a table");
        // A k that nothing reaches makes the programmes ask for every most and least.
        let programmes = solved(&incidence, &known, 1_000_000).expect("there is a table");
        let finite = |bounds: Bounds| bounds.most != Bounds::UNBOUNDED;
        for c in (0..incidence.columns()).filter(|c| finite(intervals[*c])) {
            prop_assert_eq!(intervals[c], programmes.bounds[c]);
        }
    }
}
