//! Occasions beside what the rules say of them.

use proptest::prelude::*;

use super::*;
use crate::{
    count_table::{Found, Shape, SparseTable, Tallied},
    key::key,
    policy::Threshold,
};

const K: u64 = 10;

/// What was counted of some occasions: visitors, two classes of dwell, arrivals and departures by step, and people by
/// occasion and class of residence.
#[derive(Clone, Debug, Default)]
struct Told {
    visitors: Vec<u64>,
    dwell: Vec<u64>,
    moves: Vec<u64>,
    residence: Vec<(usize, u32, u64)>,
}

/// Everybody, two groups, and two classes in the first.
fn residences() -> Axis {
    Axis::new(vec![0, 0, 0, 1, 1])
}

fn guard(axis: &Axis, larger: Vec<Vec<usize>>, steps: Vec<usize>) -> GuestGuard<'_> {
    let n = larger.len();
    GuestGuard {
        others: vec![Vec::new(); n],
        classes: vec![HashMap::new(); n],
        larger,
        dwell: 2,
        residences: axis,
        steps,
    }
}

fn run(told: &Told, guard: &GuestGuard<'_>, k: u64) -> Protected {
    let table = |devices: &[u64]| CountTable {
        shape: Shape::marked(Grid::new(1, devices.len())),
        devices: devices.to_vec(),
        weights: devices.iter().map(|n| n * 3).collect(),
    };
    let mut residence = SparseTable::default();
    for (member, class, devices) in told.residence.iter().filter(|told| told.2 > 0) {
        let member = u32::try_from(*member).expect("few");
        residence.devices.push((key(0, member, *class), Tallied { devices: *devices, weight: devices * 3 }));
    }
    let counted = Counted {
        devices: 0,
        found: Found::ALL.map(|_| Vec::new()),
        tables: vec![table(&told.visitors), table(&told.dwell), table(&told.moves)],
        sparse: vec![residence],
    };
    protect_guests(counted, guard, &Policy::certified(Threshold::accept_small(k).expect("a threshold")))
}

fn published(table: &ProtectedTable) -> Vec<Option<u64>> {
    (0..table.grid().places()).map(|slot| table.published(0, slot)).collect()
}

/// Which of some occasions are shown, of visitors alone.
fn shown(visitors: &[u64], larger: &[&[usize]], others: &[&[u64]]) -> Vec<bool> {
    let axis = residences();
    let n = visitors.len();
    let told = Told {
        visitors: visitors.to_vec(),
        dwell: visitors.iter().flat_map(|n| [*n, 0]).collect(),
        moves: Vec::new(),
        residence: Vec::new(),
    };
    let mut guard = guard(&axis, larger.iter().map(|outer| outer.to_vec()).collect(), vec![0; n]);
    guard.others = others.iter().map(|others| others.to_vec()).collect();
    let protected = run(&told, &guard, K);
    let shown: Vec<bool> = published(&protected.tables[0]).iter().map(Option::is_some).collect();
    let of_dwell = |slot: usize| protected.tables[1].published(0, slot);
    assert!((0..n).all(|member| of_dwell(2 * member) == shown[member].then_some(visitors[member])));
    shown
}

#[test]
fn an_occasion_gives_way_to_the_groups_that_are_out() {
    let alone: [&[usize]; 1] = [&[]];
    assert_eq!(shown(&[10], &alone, &[&[]]), [true]);
    assert_eq!(shown(&[9], &alone, &[&[]]), [false]);
    assert_eq!(shown(&[50], &alone, &[&[50, 60, 40]]), [true], "equal is nobody, ten apart a crowd");
    assert_eq!(shown(&[50], &alone, &[&[100, 59]]), [false]);
    assert_eq!(shown(&[50], &alone, &[&[41]]), [false]);
}

#[test]
fn the_smaller_of_two_occasions_gives_way_whatever_its_number() {
    // The second lies in the first, and the other way about.
    assert_eq!(shown(&[50, 45], &[&[], &[0]], &[&[], &[]]), [true, false]);
    assert_eq!(shown(&[45, 50], &[&[1], &[]], &[&[], &[]]), [false, true]);
    assert_eq!(shown(&[50, 40], &[&[], &[0]], &[&[], &[]]), [true, true]);
    assert_eq!(shown(&[50, 50], &[&[], &[0]], &[&[], &[]]), [true, true]);
    // A third beside them is compared with neither; one in the withheld second is compared with the first alone.
    assert_eq!(shown(&[50, 45, 48], &[&[], &[0], &[]], &[&[], &[], &[]]), [true, false, true]);
    assert_eq!(shown(&[50, 45, 40], &[&[], &[0], &[0, 1]], &[&[], &[], &[]]), [true, false, true]);
}

#[test]
fn arrivals_and_departures_of_a_step_are_shown_together_or_not_at_all() {
    let axis = residences();
    let told = Told {
        visitors: vec![100, 40],
        dwell: vec![60, 40, 40, 0],
        // Three steps of the first, one of the second.
        moves: vec![20, 30, 10, 9, 91, 50, 40, 30],
        residence: Vec::new(),
    };
    let protected = run(&told, &guard(&axis, vec![vec![], vec![]], vec![3, 1]), K);
    let moves = published(&protected.tables[2]);
    // Nine left in the second step; nine did not come in the third; forty are all of the second occasion.
    assert_eq!(moves, [Some(20), Some(30), None, None, None, None, Some(40), Some(30)]);
    assert_eq!(published(&protected.tables[1]), [Some(60), Some(40), Some(40), None]);
    let account = protected.tables[2].account();
    assert_eq!((account.too_few, account.protective), (1, 3));
    assert_eq!((&account.devices[..], &account.withheld_devices[..]), (&[280][..], &[160][..]));
    assert_eq!(protected.tables[2].weight(0, 7), Some(90));
    // Of who came to a withheld occasion, nothing is told.
    let told = Told { visitors: vec![9, 40], ..told };
    let protected = run(&told, &guard(&axis, vec![vec![], vec![]], vec![3, 1]), K);
    let moves = published(&protected.tables[2]);
    assert_eq!((&moves[..6], &moves[6..]), (&[None; 6][..], &[Some(40), Some(30)][..]));
    assert_eq!(published(&protected.tables[1]), [None, None, Some(40), None]);
}

#[test]
fn residence_of_occasions_gives_way_to_what_is_out_and_to_each_other() {
    let axis = residences();
    let told = Told {
        visitors: vec![300, 200],
        dwell: vec![300, 0, 200, 0],
        moves: Vec::new(),
        residence: vec![(0, 0, 300), (0, 1, 200), (0, 2, 100), (1, 0, 200), (1, 1, 150), (1, 2, 50)],
    };
    let classes = |guard: &GuestGuard<'_>| {
        let pairs = run(&told, guard, K).pairs.remove(0);
        assert!(pairs.pairs().iter().all(|pair| pair.time == 0 && pair.weight == 3 * pair.devices));
        pairs.pairs().iter().map(|pair| (pair.row, pair.column, pair.devices)).collect::<Vec<_>>()
    };
    let all: Vec<(u32, u32, u64)> = told
        .residence
        .iter()
        .map(|(member, class, n)| (u32::try_from(*member).expect("few"), *class, *n))
        .collect();
    let apart = || guard(&axis, vec![vec![], vec![]], vec![0, 0]);
    assert_eq!(classes(&apart()), all);
    // A published group of class 2 that is nine away: the class is withheld, and its only partner with it.
    let mut near = apart();
    near.classes[0].insert(2, vec![109]);
    assert_eq!(classes(&near), [(0, 0, 300), (0, 1, 200), (1, 0, 200), (1, 1, 150), (1, 2, 50)]);
    let mut far = apart();
    far.classes[0].insert(2, vec![110, 90, 100]);
    far.classes[0].insert(0, vec![301]);
    assert_eq!(classes(&far), all, "all of them are the visitors, who are compared elsewhere");
    // Nested occasions, of which the second has nearly as many of class 1.
    let told = Told {
        residence: vec![(0, 0, 300), (0, 1, 155), (0, 2, 145), (1, 0, 200), (1, 1, 150), (1, 2, 50)],
        ..told
    };
    let classes = |larger: [Vec<usize>; 2]| {
        let pairs = run(&told, &guard(&axis, larger.into(), vec![0, 0]), K).pairs.remove(0);
        pairs
            .pairs()
            .iter()
            .filter(|pair| pair.column > 0)
            .map(|pair| (pair.row, pair.column))
            .collect::<Vec<_>>()
    };
    assert_eq!(classes([vec![], vec![]]), [(0, 1), (0, 2), (1, 1), (1, 2)]);
    assert_eq!(classes([vec![], vec![0]]), [(0, 1), (0, 2), (1, 2)]);
    assert_eq!(classes([vec![1], vec![]]), [(0, 1), (0, 2), (1, 2)], "whichever is the larger");
}

#[test]
fn residence_stands_below_its_occasion_alone() {
    let axis = residences();
    let told = Told {
        visitors: vec![9, 200],
        dwell: vec![9, 0, 200, 0],
        moves: Vec::new(),
        residence: vec![(0, 0, 300), (0, 1, 200), (1, 0, 200), (1, 1, 150), (1, 2, 50)],
    };
    let pairs = run(&told, &guard(&axis, vec![vec![], vec![]], vec![0, 0]), K).pairs.remove(0);
    assert!(pairs.pairs().iter().all(|pair| pair.row == 1) && pairs.pairs().len() == 3);
    assert_eq!((pairs.account().too_few, pairs.account().protective), (0, 2));
}

#[test]
fn no_occasion_is_no_table() {
    let axis = residences();
    let protected = run(&Told::default(), &guard(&axis, Vec::new(), Vec::new()), K);
    assert_eq!(protected.tables.len(), 3);
    assert!(protected.tables.iter().all(|table| table.grid().len() == 0));
}

proptest! {
    /// Occasions in each other, with groups that are out: whatever is shown is k at least, and two numbers of which one
    /// lies in the other are apart by nobody or k at least.
    #[test]
    fn shown_occasions_are_apart_from_all_they_lie_in(
        visitors in prop::collection::vec(0..60_u64, 1..6),
        others in prop::collection::vec(prop::collection::vec(0..60_u64, 0..3), 6),
    ) {
        // Each lies in all before it.
        let mut visitors = visitors;
        visitors.sort_unstable_by(|a, b| b.cmp(a));
        let larger: Vec<Vec<usize>> = (0..visitors.len()).map(|member| (0..member).collect()).collect();
        let larger: Vec<&[usize]> = larger.iter().map(Vec::as_slice).collect();
        let of: Vec<&[u64]> = others[..visitors.len()].iter().map(Vec::as_slice).collect();
        let shown = shown(&visitors, &larger, &of);
        let few = |a: u64, b: u64| a != b && a.abs_diff(b) < K;
        for (member, devices) in visitors.iter().enumerate() {
            let near_other = of[member].iter().any(|other| few(*other, *devices));
            let near_larger = (0..member).any(|outer| shown[outer] && few(visitors[outer], *devices));
            prop_assert_eq!(shown[member], *devices >= K && !near_other && !near_larger);
        }
    }
}
