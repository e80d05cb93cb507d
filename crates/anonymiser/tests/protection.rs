//! Small groups stay hidden: the mistakes of others, and tables that an independent check cannot break.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;
use throng_anonymiser::{Lattice, Numbers, Pattern, Rule, Safety, suppress};

const K: u64 = 20;

/// A table over explicit columns, protected.
struct Table {
    columns: Vec<Vec<u32>>,
    atoms: Vec<u64>,
    lattice: Lattice,
    pattern: Pattern,
}

impl Table {
    fn new(columns: Vec<Vec<u32>>, atoms: Vec<u64>) -> Self {
        Self::with(columns, atoms, Safety::Certified, 1)
    }

    fn with(columns: Vec<Vec<u32>>, atoms: Vec<u64>, safety: Safety, counts_per_device: u64) -> Self {
        let lattice = Lattice::new(atoms.len(), &columns);
        let numbers = Numbers { atoms: &atoms, devices: None, withheld: None };
        let pattern = suppress(&lattice, numbers, Rule { k: K, counts_per_device, safety }, None);
        Self { columns, atoms, lattice, pattern }
    }

    fn number(&self, column: usize) -> u64 {
        self.columns[column].iter().map(|atom| self.atoms[*atom as usize]).sum()
    }

    fn withholds(&self, column: usize) -> bool {
        self.pattern.withholds(&self.lattice, column)
    }

    fn of(&self, withheld: bool) -> Vec<usize> {
        (0..self.columns.len()).filter(|column| self.withholds(*column) == withheld).collect()
    }

    fn published(&self) -> Vec<(Vec<u32>, u64)> {
        self.of(false).into_iter().map(|column| (self.columns[column].clone(), self.number(column))).collect()
    }

    /// Every small number is withheld, and no withheld one is recovered or shown to be small.
    fn holds(&self) -> Result<(), String> {
        let published = self.published();
        if let Some((_, number)) = published.iter().find(|(_, number)| *number < K) {
            return Err(format!("{number} is published"));
        }
        let known: Vec<&[u32]> = published.iter().map(|(atoms, _)| atoms.as_slice()).collect();
        for column in self.of(true) {
            let number = self.number(column);
            if is_combination(&known, &self.columns[column], self.atoms.len()) {
                return Err(format!("column {column} ({number}) is a combination of published ones"));
            }
            let most = most(&published, &self.columns[column], self.atoms.len());
            if most < K as f64 - 1e-6 {
                return Err(format!("column {column} ({number}) can be shown to be {most} at most"));
            }
        }
        Ok(())
    }
}

/// A number as a fraction in lowest terms.
#[derive(Clone, Copy, PartialEq)]
struct Ratio(i128, i128);

impl Ratio {
    fn new(a: i128, b: i128) -> Self {
        let (mut x, mut y) = (a.abs(), b.abs());
        while y != 0 {
            (x, y) = (y, x % y);
        }
        let sign = if b < 0 { -1 } else { 1 };
        Self(sign * a / x.max(1), sign * b / x.max(1))
    }

    /// `self - factor * other`
    fn less(self, factor: Self, other: Self) -> Self {
        let product = Self::new(factor.0 * other.0, factor.1 * other.1);
        Self::new(self.0 * product.1 - product.0 * self.1, self.1 * product.1)
    }
}

/// Whether a set of atoms is a rational combination of others: Gauss's elimination on a dense matrix.
fn is_combination(known: &[&[u32]], wanted: &[u32], atoms: usize) -> bool {
    let dense = |set: &[u32]| -> Vec<Ratio> {
        (0..atoms).map(|atom| Ratio(i128::from(set.contains(&(atom as u32))), 1)).collect()
    };
    let mut pivots: Vec<(usize, Vec<Ratio>)> = Vec::new();
    let reduce = |mut row: Vec<Ratio>, pivots: &[(usize, Vec<Ratio>)]| {
        for (at, pivot) in pivots {
            let factor = Ratio::new(row[*at].0 * pivot[*at].1, row[*at].1 * pivot[*at].0);
            if factor.0 != 0 {
                row = row.iter().zip(pivot).map(|(a, b)| a.less(factor, *b)).collect();
            }
        }
        row
    };
    for set in known {
        let row = reduce(dense(set), &pivots);
        if let Some(at) = row.iter().position(|entry| entry.0 != 0) {
            pivots.push((at, row));
        }
    }
    reduce(dense(wanted), &pivots).iter().all(|entry| entry.0 == 0)
}

/// The most that a set of atoms can hold, knowing the published sums and that nothing is negative.
fn most(published: &[(Vec<u32>, u64)], wanted: &[u32], atoms: usize) -> f64 {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    // Nobody sees whole tables over a hundred thousand here: a bound keeps what nothing bounds finite.
    let variables: Vec<_> = (0..atoms)
        .map(|atom| problem.add_var(if wanted.contains(&(atom as u32)) { 1.0 } else { 0.0 }, (0.0, 1e5)))
        .collect();
    for (set, number) in published {
        let sum: Vec<_> = set.iter().map(|atom| (variables[*atom as usize], 1.0)).collect();
        problem.add_constraint(&sum, ComparisonOp::Eq, *number as f64);
    }
    match problem.solve() {
        Ok(SolveOutcome::Solution(solution)) => solution.objective(),
        other => panic!("the true table is a solution, but: {other:?}"),
    }
}

/// The columns of rows by columns with their margins, and the grand total.
fn two_way(rows: u32, across: u32) -> Vec<Vec<u32>> {
    let mut columns: Vec<Vec<u32>> = (0..rows * across).map(|atom| vec![atom]).collect();
    columns.extend((0..rows).map(|row| (0..across).map(|c| row * across + c).collect()));
    columns.extend((0..across).map(|c| (0..rows).map(|row| row * across + c).collect()));
    columns.push((0..rows * across).collect());
    columns
}

/// A total and its parts.
fn total(parts: u32) -> Vec<Vec<u32>> {
    let mut columns: Vec<Vec<u32>> = (0..parts).map(|atom| vec![atom]).collect();
    columns.push((0..parts).collect());
    columns
}

#[test]
fn siblings_do_not_give_a_withheld_child_back() {
    // MultiMNO 1.0 publishes 35.397 and 30.780, and withholds 4.617.
    let table = Table::new(total(2), vec![31, 4]);
    table.holds().expect("protected");
    assert!(table.withholds(0), "the sibling hides with it");
    assert!(!table.withholds(2), "the total stays");
}

#[test]
fn the_classes_of_a_zone_are_tested_and_not_its_total_alone() {
    // FlowKit 1940.
    let table = Table::new(total(4), vec![100, 17, 2, 1]);
    table.holds().expect("protected");
    assert_eq!([1, 2, 3].map(|class| table.withholds(class)), [true; 3]);
    assert!(!table.withholds(4));
}

#[test]
fn zeros_and_ones_do_not_give_partners_away() {
    // tau-ARGUS, support case 194: 0 = 0+0+0; 15 = 10+5+0+0; 15 = 10+3+1+1, beside others in one table.
    for row in [[0, 0, 0, 0], [10, 5, 0, 0], [10, 3, 1, 1], [40, 0, 0, 0], [20, 19, 0, 1]] {
        let atoms = [row, [60, 70, 80, 90], [35, 45, 55, 65]].concat();
        let table = Table::new(two_way(3, 4), atoms);
        table.holds().unwrap_or_else(|fault| panic!("{row:?}: {fault}"));
        // The same as a table of its own, where the total is small or not.
        Table::new(total(4), row.to_vec()).holds().unwrap_or_else(|fault| panic!("{row:?} alone: {fault}"));
    }
}

#[test]
fn singletons_in_one_table_do_not_undo_each_other() {
    // tau-ARGUS, support case 135: 2 x 5 cells, among them three singletons and two zeros.
    for scale in [1, 3, 10] {
        let atoms: Vec<u64> = [1, 1, 7, 1, 0, 1, 0, 0, 2, 8].map(|n| n * scale).to_vec();
        Table::new(two_way(2, 5), atoms).holds().expect("protected");
    }
}

#[test]
fn linked_tables_are_protected_together() {
    // tau-ARGUS, support case 136: eight regions by two classifications that share their totals.
    let regions = [2, 2, 8, 8, 3, 3, 3, 7].map(|n: u64| n * 6);
    let (first, second) = ([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 2, 3, 0, 1, 2, 3]);
    let mut columns = total(8);
    for classes in [first, second] {
        columns.extend((0..4).map(|class| (0..8_u32).filter(|r| classes[*r as usize] == class).collect()));
    }
    let table = Table::new(columns, regions.to_vec());
    table.holds().expect("protected");
    assert!(!table.withholds(8), "the total of all stays");
}

#[test]
fn an_occasion_cannot_be_subtracted_from_its_postal_code() {
    // 500 people in a postal code, 490 of them at the concert in it; the remainder is no column of its own.
    let columns = vec![vec![0, 1], vec![0], vec![2], vec![3], vec![0, 1, 2, 3]];
    let table = Table::new(columns, vec![490, 10, 300, 40]);
    table.holds().expect("protected");
    assert!(table.withholds(0) || table.withholds(1), "one of the two hides the ten around the concert");
}

#[test]
fn the_same_table_gives_the_same_pattern() {
    // tau-ARGUS, support case 315: the pattern differs from run to run.
    let atoms: Vec<u64> = (0..400_u64).map(|n| n * n % 97).collect();
    let table = || Table::new(two_way(20, 20), atoms.clone()).of(true);
    let first = table();
    for _ in 0..3 {
        assert_eq!(table(), first);
    }
}

#[test]
fn a_pattern_stays_while_it_serves() {
    // Averaging and rotation: partners that change from time to time give a stable small group away.
    let columns = two_way(12, 8);
    let lattice = Lattice::new(96, &columns);
    let rule = Rule { k: K, counts_per_device: 1, safety: Safety::Certified };
    let at = |time: u64| -> Vec<u64> {
        let noise = |n: u64| (n * 31 + time * 17 + n * time) % 7;
        (0..96).map(|n| if n % 7 == 0 { n % 19 } else { 60 + (n * 37) % 100 + noise(n) }).collect()
    };
    let mut before: Option<Pattern> = None;
    for time in 0..40 {
        let atoms = at(time);
        let numbers = Numbers { atoms: &atoms, devices: None, withheld: None };
        let pattern = suppress(&lattice, numbers, rule, before.as_ref());
        if let Some(before) = &before {
            // A partner may turn out not to be needed; none takes the place of another.
            for column in (0..columns.len()).filter(|column| pattern.withholds(&lattice, *column)) {
                assert!(before.withholds(&lattice, column), "column {column} is new at time {time}");
            }
        }
        before = Some(pattern);
    }
}

#[test]
fn a_sum_of_trips_needs_as_many_more() {
    // One device may make 24 trips a day: 30 withheld trips may be those of two devices.
    let table = |counts| Table::with(total(4), vec![25, 10, 200, 900], Safety::Certified, counts);
    assert_eq!(table(1).of(true), [0, 1]);
    let withheld: u64 = {
        let many = table(24);
        many.of(true).into_iter().map(|column| many.number(column)).sum()
    };
    assert!(withheld >= 24 * K, "{withheld} trips hide together");
}

#[test]
fn what_another_report_withholds_is_withheld_here() {
    let columns = total(3);
    let lattice = Lattice::new(3, &columns);
    let atoms = [50, 60, 70];
    let withheld = [false, false, false, true];
    let numbers = Numbers { atoms: &atoms, devices: None, withheld: Some(&withheld) };
    let rule = Rule { k: K, counts_per_device: 1, safety: Safety::Certified };
    let pattern = suppress(&lattice, numbers, rule, None);
    assert!(pattern.withholds(&lattice, 3) && !pattern.is_small(&lattice, 3));
}

/// A tree of places, perhaps by classes, perhaps with occasions across it; counts with many at the edges.
fn tables() -> impl Strategy<Value = (Vec<Vec<u32>>, Vec<u64>)> {
    let count = prop_oneof![
        4 => Just(0_u64),
        3 => Just(1),
        3 => Just(K - 1),
        2 => Just(K),
        6 => 0..200_u64,
        2 => 200..5_000_u64,
    ];
    let tree = prop::collection::vec(1..4_usize, 1..5);
    let occasions = prop::collection::vec(prop::collection::vec(any::<bool>(), 12), 0..3);
    (tree, 1..4_u32, occasions, prop::collection::vec(count, 48)).prop_map(
        |(tree, classes, occasions, counts)| {
            let places: usize = tree.iter().sum();
            let mut sets: Vec<Vec<u32>> = (0..places as u32).map(|place| vec![place]).collect();
            let mut first = 0;
            for size in tree {
                sets.push((first..first + size as u32).collect());
                first += size as u32;
            }
            sets.push((0..places as u32).collect());
            for occasion in occasions {
                let inside =
                    (0..places as u32).filter(|place| occasion[*place as usize % 12]).collect::<Vec<_>>();
                if !inside.is_empty() {
                    sets.push(inside);
                }
            }
            let mut margins: Vec<Vec<u32>> = (0..classes).map(|class| vec![class]).collect();
            margins.push((0..classes).collect());
            let columns = sets.iter().flat_map(|set| {
                let over = |margin: &Vec<u32>| {
                    set.iter()
                        .flat_map(|place| margin.iter().map(move |class| place * classes + class))
                        .collect()
                };
                margins.iter().map(over).collect::<Vec<Vec<u32>>>()
            });
            (columns.collect(), counts.into_iter().take(places * classes as usize).collect())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_independent_check_finds_nothing((columns, atoms) in tables()) {
        let table = Table::new(columns, atoms);
        prop_assert_eq!(table.holds(), Ok(()));
    }

    #[test]
    fn exact_safety_is_exact((columns, atoms) in tables(), groups: bool) {
        let safety = if groups { Safety::ExactWithGroups } else { Safety::Exact };
        let table = Table::with(columns, atoms, safety, 1);
        let published = table.published();
        let known: Vec<&[u32]> = published.iter().map(|(atoms, _)| atoms.as_slice()).collect();
        for column in table.of(true).into_iter().filter(|column| table.number(*column) < K) {
            prop_assert!(!is_combination(&known, &table.columns[column], table.atoms.len()), "column {column}");
        }
        // And no more than that: each protective number, published, would give a small one away.
        if !groups {
            for column in table.of(true).into_iter().filter(|column| table.number(*column) >= K) {
                let more: Vec<&[u32]> = known.iter().copied().chain([table.columns[column].as_slice()]).collect();
                let atoms = (0..table.atoms.len()).filter(|atom| table.atoms[*atom] < K).map(|atom| vec![atom as u32]);
                let small = table.of(true).into_iter().filter(|c| table.number(*c) < K).map(|c| table.columns[c].clone());
                let given = small.chain(atoms).any(|small| is_combination(&more, &small, table.atoms.len()));
                prop_assert!(given, "column {column} is withheld for nothing");
            }
        }
    }

    #[test]
    fn witnesses_agree_with_what_is_published_and_show_all_that_is_certified((columns, atoms) in tables()) {
        let table = Table::new(columns, atoms);
        let mut best: Vec<u64> = (0..table.columns.len()).map(|column| table.number(column)).collect();
        for witness in table.pattern.witnesses(&table.lattice, &table.atoms) {
            let mut other = table.atoms.clone();
            for (atom, devices) in witness {
                other[atom as usize] = devices;
            }
            for (column, best) in best.iter_mut().enumerate() {
                let number: u64 = table.columns[column].iter().map(|atom| other[*atom as usize]).sum();
                prop_assert!(table.withholds(column) || number == table.number(column), "column {column} differs");
                *best = number.max(*best);
            }
        }
        for column in table.of(true) {
            prop_assert!(best[column] >= K, "column {column} is shown at {} at most", best[column]);
        }
    }
}

#[test]
fn witnesses_show_each_withheld_number_at_none_and_at_enough() {
    // Each part is withheld, and the total tells no more than their sum; the last has a part that is in no report.
    let unseen = [vec![vec![0], vec![1], vec![2]], vec![(0..4).collect()]].concat();
    let nested = vec![vec![0], vec![1], vec![0, 1], vec![2], vec![0, 1, 2]];
    let tables = [
        (total(3), vec![5, 9, 200], 2),
        (total(3), vec![0, 9, 200], 2),
        (total(2), vec![19, 19], 2),
        (nested, vec![5, 7, 300], 3),
        (unseen, vec![5, 9, 200, 300], 2),
    ];
    for (columns, atoms, certified) in tables {
        let table = Table::new(columns, atoms);
        assert_eq!(table.pattern.certified(), certified);
        let mut range: Vec<_> = (0..table.columns.len()).map(|column| [table.number(column); 2]).collect();
        for witness in table.pattern.witnesses(&table.lattice, &table.atoms) {
            assert!(!witness.is_empty(), "the true table is no witness");
            let mut other = table.atoms.clone();
            witness.into_iter().for_each(|(atom, devices)| other[atom as usize] = devices);
            for (column, [least, most]) in range.iter_mut().enumerate() {
                let number: u64 = table.columns[column].iter().map(|atom| other[*atom as usize]).sum();
                assert!(table.withholds(column) || number == table.number(column), "column {column} differs");
                (*least, *most) = (number.min(*least), number.max(*most));
            }
        }
        let withheld = table.of(true);
        assert!(!withheld.is_empty());
        for column in withheld {
            assert!(range[column][0] == 0 && range[column][1] >= K, "column {column}: {:?}", range[column]);
        }
    }
}

#[test]
fn small_numbers_of_a_column_are_a_group_together() {
    let withheld = |parts: Vec<u64>, safety| {
        Table::with(total(u32::try_from(parts.len()).expect("few")), parts, safety, 1).of(true)
    };
    // Neither three nor sixteen can be told, but what is left of the total is both of them.
    assert_eq!(withheld(vec![3, 16, 93], Safety::Exact), [0, 1]);
    assert_eq!(withheld(vec![3, 16, 93], Safety::ExactWithGroups), [0, 1, 2]);
    assert_eq!(withheld(vec![3, 17, 93], Safety::ExactWithGroups), [0, 1], "twenty are enough");
    assert_eq!(withheld(vec![3, 3, 3, 93, 95], Safety::ExactWithGroups), [0, 1, 2, 3]);
    assert_eq!(withheld(vec![20, 93, 95], Safety::ExactWithGroups), [0; 0]);
}

#[test]
fn a_sum_that_enough_devices_made_needs_no_exchange() {
    let table = Table::with(total(4), vec![100; 4], Safety::Certified, 24);
    assert_eq!((table.of(true), table.pattern.certified()), (vec![], 0));
}

/// Counts at the ends of what counters of 32 bits and their sums hold.
fn extreme() -> impl Strategy<Value = u64> {
    let most = u64::from(u32::MAX);
    prop_oneof![
        3 => Just(0_u64),
        2 => 1..3_u64,
        3 => most - 2..=most + 1,
        1 => most * 24 - 1..=most * 24 + 1,
        1 => Just(1 << 55),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// The smallest and the largest threshold, with counts that are just under and just over it.
    #[test]
    fn thresholds_and_counts_at_their_limits(
        (columns, atoms) in tables(),
        extremes in prop::collection::vec(extreme(), 48),
        k in prop::sample::select(&[1_u64, 2, u32::MAX as u64][..]),
        counts_per_device in prop::sample::select(&[1_u64, 24][..]),
    ) {
        let atoms = &extremes[..atoms.len()];
        let lattice = Lattice::new(atoms.len(), &columns);
        let rule = Rule { k, counts_per_device, safety: Safety::Certified };
        let pattern = suppress(&lattice, Numbers { atoms, devices: None, withheld: None }, rule, None);
        let number = |atoms: &[u64], column: usize| columns[column].iter().map(|atom| atoms[*atom as usize]).sum::<u64>();
        let goal = if k == 1 { 0 } else { k * counts_per_device };
        let mut best: Vec<u64> = (0..columns.len()).map(|column| number(atoms, column)).collect();
        for witness in pattern.witnesses(&lattice, atoms) {
            let mut other = atoms.to_vec();
            for (atom, devices) in witness {
                other[atom as usize] = devices;
            }
            for (column, best) in best.iter_mut().enumerate() {
                let n = number(&other, column);
                prop_assert!(pattern.withholds(&lattice, column) || n == number(atoms, column));
                *best = n.max(*best);
            }
        }
        for (column, best) in best.into_iter().enumerate() {
            let (n, withheld) = (number(atoms, column), pattern.withholds(&lattice, column));
            prop_assert_eq!(pattern.is_small(&lattice, column), n < k);
            // A number that is withheld for others' sake is no small one, and needs no witness.
            let holds = if withheld { n >= k || best >= goal } else { n >= k };
            prop_assert!(holds, "{} is wrong about {}", withheld, n);
            prop_assert!(k > 1 || withheld == (n == 0), "every device is a group of its own");
        }
    }
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let lattice = Lattice::new(2, &[vec![0, 1], vec![0], vec![1]]);
    let refused = |atoms: [u64; 2], k: u64, counts_per_device: u64| {
        let rule = Rule { k, counts_per_device, safety: Safety::Certified };
        let numbers = Numbers { atoms: &atoms, devices: None, withheld: None };
        std::panic::catch_unwind(|| suppress(&lattice, numbers, rule, None)).is_err()
    };
    assert!(!refused([5, 7], u64::MAX / 2, 1) && !refused([u64::MAX / 2, 7], 10, 1));
    assert!(
        refused([5, 7], u64::MAX / 2 + 1, 1) && refused([5, 7], u64::MAX, 1),
        "no witness could hold so many"
    );
    assert!(refused([5, 7], u64::MAX / 24, 24) && refused([5, 7], 1 << 60, 24));
    assert!(refused([u64::MAX, 1], 10, 1), "the sum has more than 64 bits");
}

#[test]
fn a_table_of_nothing_is_protected() {
    let rule = Rule { k: K, counts_per_device: 1, safety: Safety::Certified };
    for columns in [vec![], vec![vec![]], vec![vec![], vec![]]] {
        let lattice = Lattice::new(0, &columns);
        let pattern = suppress(&lattice, Numbers { atoms: &[], devices: None, withheld: None }, rule, None);
        assert_eq!(
            (lattice.columns(), lattice.slots(), pattern.certified()),
            (columns.len(), columns.len(), 0)
        );
        assert!((0..columns.len()).all(|column| !pattern.withholds(&lattice, column)));
    }
    // One place alone: nobody can hide a few in it.
    for (n, withheld) in [(0, true), (K - 1, true), (K, false)] {
        let lattice = Lattice::new(1, &[vec![0]]);
        let pattern = suppress(&lattice, Numbers { atoms: &[n], devices: None, withheld: None }, rule, None);
        assert_eq!(pattern.withholds(&lattice, 0), withheld);
    }
}
