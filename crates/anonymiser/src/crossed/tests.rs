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
