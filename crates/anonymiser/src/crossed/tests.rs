use std::collections::{BTreeSet, HashMap};

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;

use super::*;

/// Everybody, two groups, theirs, and the finest.
fn rows() -> Axis {
    Axis::new(vec![0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6])
}

fn columns() -> Axis {
    Axis::new(vec![0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 6])
}

const ROW_LEAVES: std::ops::Range<u32> = 7..14;
const COLUMN_LEAVES: std::ops::Range<u32> = 7..15;

fn tallied(devices: u64) -> Tallied {
    Tallied { devices, weight: 0 }
}

fn crossing<'a>(rows: &'a Axis, columns: &'a Axis, side: Side, k: u64) -> Crossing<'a> {
    Crossing { rows, columns, side, k, goal: k, totals_given: false }
}

fn table(atoms: &[u64], rows: &Axis, columns: &Axis) -> CrossedTable {
    let leaves = ROW_LEAVES.flat_map(|row| COLUMN_LEAVES.map(move |column| pair(row, column)));
    CrossedTable::of_sums(leaves.zip(atoms.iter().map(|count| tallied(*count))), rows, columns)
}

/// Counts as they are in such tables: mostly nobody or few, some many.
fn atoms() -> impl Strategy<Value = Vec<u64>> {
    let count = prop_oneof![4 => Just(0_u64), 4 => 1..6_u64, 2 => 6..30_u64, 1 => 30..200_u64];
    prop::collection::vec(count, 56)
}

/// The most and the least that a reader can say a number may be.
fn most(table: &CrossedTable, of: (u32, u32), rows: &Axis, columns: &Axis) -> f64 {
    let mut programme = Problem::new(OptimizationDirection::Maximize);
    let within = |leaf: u32, node: u32, axis: &Axis| axis.chain(leaf).any(|above| above == node);
    let mut variables = Vec::new();
    for row in ROW_LEAVES {
        for column in COLUMN_LEAVES {
            let counts = within(row, of.0, rows) && within(column, of.1, columns);
            let weight = if counts { 1.0 } else { 0.0 };
            variables.push((row, column, programme.add_var(weight, (0.0, f64::INFINITY))));
        }
    }
    for number in table.shown() {
        let sum: Vec<_> = variables
            .iter()
            .filter(|(row, column, _)| {
                within(*row, number.row, rows) && within(*column, number.column, columns)
            })
            .map(|(_, _, variable)| (*variable, 1.0))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        programme.add_constraint(&sum, ComparisonOp::Eq, number.count as f64);
    }
    match programme.solve() {
        Ok(SolveOutcome::Solution(solution)) => solution.objective(),
        Err(Error::Unbounded) => f64::INFINITY,
        other => panic!("a programme that has the true table: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// No withheld number of somebody can be shown to be small, whatever a reader adds, subtracts and excludes.
    #[test]
    fn nothing_small_can_be_shown(atoms in atoms()) {
        let (rows, columns, k) = (rows(), columns(), 6);
        let mut table = table(&atoms, &rows, &columns);
        protect(&mut table, &crossing(&rows, &columns, Side::Sums, k), |_| true, &|_, _| false);
        for number in &table.numbers {
            if !number.shown && number.count < k {
                let most = most(&table, (number.row, number.column), &rows, &columns);
                prop_assert!(most >= 5.999, "{} of {}, {} can be shown to be at most {most}", number.count, number.row, number.column);
            }
        }
    }

    #[test]
    fn what_is_shown_stands_on_what_is_shown_and_leaves_enough(atoms in atoms(), nested: bool) {
        let (rows, columns, k) = (rows(), columns(), 6);
        let side = if nested { Side::Nested } else { Side::Sums };
        let mut table = table(&atoms, &rows, &columns);
        protect(&mut table, &crossing(&rows, &columns, side, k), |_| true, &|_, _| false);
        for number in table.shown() {
            prop_assert!(number.count >= k);
            if let Some(above) = columns.parent(number.column) {
                prop_assert!(table.is_shown(number.row, above));
            }
            let parts = |of: &dyn Fn(&Number) -> bool| table.shown().filter(|n| of(n)).map(|n| n.count).sum::<u64>();
            let along = parts(&|n| n.row == number.row && columns.parent(n.column) == Some(number.column));
            prop_assert!(number.count == along || number.count - along >= k);
            let across = parts(&|n| n.column == number.column && rows.parent(n.row) == Some(number.row));
            if nested {
                for above in rows.chain(number.row).skip(1) {
                    let larger = table.count(above, number.column);
                    let shown = table.is_shown(above, number.column);
                    prop_assert!(!shown || larger == number.count || larger - number.count >= k);
                }
            } else {
                prop_assert!(number.count == across || number.count - across >= k);
                prop_assert!(rows.parent(number.row).is_none_or(|above| table.is_shown(above, number.column)));
            }
        }
    }
}

#[test]
fn a_crossing_in_the_way_is_withheld() {
    // Two rows, two columns: with three of the four numbers shown, the fourth would be known.
    let (rows, columns) = (Axis::new(vec![0, 0, 0, 0]), Axis::new(vec![0, 0, 0, 0]));
    let counts =
        [((1, 1), 2), ((1, 2), 9), ((1, 3), 40), ((2, 1), 9), ((2, 2), 50), ((2, 3), 40), ((3, 3), 40)];
    let atoms = counts.map(|((row, column), count)| (pair(row, column), tallied(count)));
    let mut table = CrossedTable::of_sums(atoms.into_iter(), &rows, &columns);
    protect(&mut table, &crossing(&rows, &columns, Side::Sums, 10), |_| true, &|_, _| false);
    assert!(!table.is_shown(2, 2), "50 crosses what 2 would need");
    assert!(table.is_shown(1, 3) && table.is_shown(2, 3) && table.is_shown(3, 3));
}

/// What stands in the way of the first of nine numbers in three rows, of which some are shown, when it lacks so many.
fn in_the_way(counts: [u64; 9], shown: &[usize], lacks: u64) -> Option<usize> {
    let (rows, columns) = (Axis::new(vec![0; 4]), Axis::new(vec![0; 4]));
    let cells = (0..9_u32).zip(counts).map(|(at, count)| (pair(1 + at / 3, 1 + at % 3), tallied(count)));
    let mut table = CrossedTable::new(cells);
    let crossing = crossing(&rows, &columns, Side::Sums, 10);
    let work = Work::new(&mut table, &crossing, &|_, _| false);
    // Each shown number by its own place.
    let number = |at: usize| {
        shown.contains(&at).then(|| work.table.find(1 + at as u32 / 3, 1 + at as u32 % 3)).flatten()
    };
    let block = Block { rows: 3, columns: 3, counts: counts.to_vec(), shown: (0..9).map(number).collect() };
    block.blocking(0, 0, lacks, &work)
}

#[test]
fn what_a_number_gives_in_exchange_it_gives_once() {
    // It lacks nine. Five stand beside it that could go down by either row; twenty, but what they cross is shown.
    let beside = |five: u64| [1, five, 20, 5, 5, 50, 6, 4, 60];
    assert!(in_the_way(beside(5), &[5, 8], 9).is_some());
    assert_eq!(in_the_way(beside(15), &[5, 8], 9), None, "fifteen are enough");
    assert_eq!(in_the_way(beside(5), &[5, 8], 5), None, "and five where it lacks five");
    // Four stand below it that both of those beside it could take, and twelve whose crossings are shown.
    assert!(in_the_way([1, 5, 5, 4, 6, 6, 12, 50, 60], &[7, 8], 9).is_some());
    // Nobody stands below it in the row of what is shown.
    assert_eq!(in_the_way([1, 5, 20, 5, 5, 50, 0, 4, 60], &[8], 30), None);
}

/// Groups of people of one class who visited the same places: the class, the places as bits, and how many they are.
fn visitors() -> impl Strategy<Value = Vec<(u32, u8, u64)>> {
    let many = prop_oneof![3 => 1..6_u64, 2 => 6..30_u64, 1 => 30..200_u64];
    // Few classes, so that places share them.
    prop::collection::vec((7..11_u32, prop_oneof![0..7_u8, 1..128_u8], many), 0..30)
}

/// How many distinct people of each class visited each place, and whatever lies around it.
fn visited(groups: &[(u32, u8, u64)], rows: &Axis, columns: &Axis) -> CrossedTable {
    let mut numbers: HashMap<u64, Tallied> = HashMap::new();
    for (class, places, people) in groups {
        let leaves = ROW_LEAVES.filter(|leaf| places >> (leaf - ROW_LEAVES.start) & 1 == 1);
        let around: BTreeSet<u32> = leaves.flat_map(|leaf| rows.chain(leaf)).collect();
        for row in around {
            *numbers.entry(pair(row, *class)).or_default() += tallied(*people);
        }
    }
    CrossedTable::of_classes(numbers.into_iter(), columns)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Differences of distinct visitors of nested places are nobody or enough: those of one class, of what totals have
    /// beside the classes shown of both, and who is in several of the places that fill one, or not in all of them.
    #[test]
    fn distinct_visitors_are_nobody_or_enough_apart(groups in visitors(), totals_given: bool) {
        let (rows, columns, k) = (rows(), columns(), 6);
        let mut table = visited(&groups, &rows, &columns);
        let crossing = Crossing { totals_given, ..crossing(&rows, &columns, Side::Nested, k) };
        protect(&mut table, &crossing, |_| true, &|_, _| false);
        let few = |people: u64| people > 0 && people < k;
        for number in &table.numbers {
            let Number { row, column, count, shown, .. } = *number;
            if column == 0 && totals_given {
                prop_assert!(shown == (count >= k), "another table decides about totals");
                continue;
            }
            if !shown {
                continue;
            }
            let classes: Vec<&Number> =
                table.numbers.iter().filter(|n| n.row == row && columns.parent(n.column) == Some(column)).collect();
            for above in rows.chain(row).skip(1).filter(|above| table.is_shown(*above, column)) {
                let apart = table.count(above, column) - count;
                prop_assert!(!few(apart), "{apart} of {column} in {above} and not in {row}");
                let shown_of_both = classes.iter().filter(|n| n.shown && table.is_shown(above, n.column));
                let of_classes: u64 = shown_of_both.map(|n| table.count(above, n.column) - n.count).sum();
                prop_assert!(!few(apart - of_classes), "{apart} of {column} in {above} and not in {row}, {of_classes} by class");
            }
            let parts: Vec<&Number> =
                table.numbers.iter().filter(|n| n.column == column && rows.parent(n.row) == Some(row)).collect();
            if parts.len() > 1 && parts.iter().all(|part| part.shown) {
                let sum: u64 = parts.iter().map(|part| part.count).sum();
                let all = parts.len() as u64 * count;
                prop_assert!(!few(sum - count) && !few(all - sum), "{sum} in parts of {count}");
            }
        }
    }
}

#[test]
fn no_more_visitors_are_withheld_than_would_tell_of_few() {
    // Everywhere and in place 1: people of classes 7, 8 and 9, which class 3 is made of.
    let (rows, columns) = (rows(), columns());
    let withheld = |everywhere: [u64; 3], in_one: [u64; 3]| {
        let of = |row: u32, counts: [u64; 3]| {
            (7..).zip(counts).map(move |(class, n)| (pair(row, class), tallied(n)))
        };
        let numbers = of(0, everywhere).chain(of(1, in_one));
        let mut table = CrossedTable::of_classes(numbers, &columns);
        protect(&mut table, &crossing(&rows, &columns, Side::Nested, 6), |_| true, &|_, _| false);
        let hidden = table.numbers.iter().filter(|number| !number.shown);
        hidden.map(|number| (number.row, number.column)).collect::<Vec<_>>()
    };
    assert!(withheld([100, 60, 40], [55, 54, 40]).is_empty(), "45, six and nobody are apart");
    assert!(withheld([100, 60, 40], [100, 60, 40]).is_empty());
    assert_eq!(withheld([100, 60, 40], [55, 53, 40]), [], "seven");
    // Five of class 8 are apart, so it is withheld in place 1; those of all classes less those of 7 would be the five.
    assert_eq!(withheld([100, 60, 40], [55, 55, 40]), [(1, 7), (1, 8)]);
    assert_eq!(withheld([100, 60, 40], [94, 55, 40]), [(1, 7), (1, 8)]);
    assert_eq!(withheld([100, 66, 40], [100, 60, 35]), [(1, 8), (1, 9)]);
    // Five of class 8, and another with them; who is in neither is six more people everywhere.
    assert_eq!(withheld([100, 11, 40], [55, 5, 40]), [(1, 8), (1, 9)]);
}

#[test]
fn places_that_fill_one_tell_of_nobody_who_was_in_several() {
    let (rows, columns) = (Axis::new(vec![0, 0, 0]), Axis::new(vec![0]));
    let withheld = |whole: u64, parts: [u64; 2]| {
        let numbers = [(0, whole), (1, parts[0]), (2, parts[1])];
        let numbers = numbers.map(|(row, count)| (pair(row, 0), tallied(count)));
        let mut table = CrossedTable::of_classes(numbers.into_iter(), &columns);
        protect(&mut table, &crossing(&rows, &columns, Side::Nested, 6), |_| true, &|_, _| false);
        table.numbers.iter().filter(|number| !number.shown).map(|number| number.row).collect::<Vec<_>>()
    };
    assert_eq!([withheld(100, [60, 40]), withheld(100, [60, 46])], [[0; 0]; 2]);
    assert_eq!(withheld(100, [60, 45]), [2], "five were in both");
    assert_eq!(
        [withheld(40, [34, 40]), withheld(40, [40, 40])],
        [[0; 0]; 2],
        "all but six were in both, or all"
    );
}
