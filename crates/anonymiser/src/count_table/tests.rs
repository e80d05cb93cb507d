//! Counters beside sets of who was where.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::key::unpair;

/// What one person does with a ballot: a weight, marks and holds of a stretch of times and a place, keys, places.
#[derive(Clone, Debug)]
struct Person {
    weight: u32,
    marks: Vec<(usize, usize, Vec<usize>)>,
    holds: Vec<(usize, usize, usize)>,
    keys: Vec<u64>,
    /// Pairs of leaves, and times at which one of these is held.
    pairs: Vec<(u32, u32)>,
    held_pairs: Vec<(usize, usize, (u32, u32))>,
    visits: Vec<u32>,
    remembered: Option<u32>,
}

/// Two trees whose nodes lie at several depths.
fn trees() -> (Arc<Axis>, Arc<Axis>) {
    let rows = Axis::new(vec![0, 0, 1, 1, 2, 2, 3, 3, 0, 8, 9, 9]);
    (Arc::new(rows), Arc::new(Axis::new(vec![0, 0, 0, 1, 1, 2, 5])))
}

/// How many times the pairs have that are held.
const TIMES_OF_PAIRS: usize = 5;

fn person(times: usize, places: usize) -> impl Strategy<Value = Person> {
    let stretch = (0..=times, 0..=times).prop_map(|(a, b)| (a.min(b), a.max(b)));
    // Nobody can be marked where there is no place.
    let few = if places == 0 { 0..1_usize } else { 0..4 };
    let mark =
        (stretch.clone(), prop::collection::vec(0..places.max(1), 1..3)).prop_map(|((a, b), at)| (a, b, at));
    let hold = (stretch, 0..places.max(1)).prop_map(|((a, b), at)| (a, b, at));
    let weight = prop_oneof![Just(0), Just(u32::MAX), Just(1_000_000), any::<u32>()];
    let pair = || (0..12_u32, 0..7_u32);
    let times_of_pairs = (0..=TIMES_OF_PAIRS, 0..=TIMES_OF_PAIRS);
    let held_pair = (times_of_pairs, pair()).prop_map(|((a, b), pair)| (a.min(b), a.max(b), pair));
    let pairs = (prop::collection::vec(pair(), 0..8), prop::collection::vec(held_pair, 0..5));
    (
        weight,
        prop::collection::vec(mark, few.clone()),
        prop::collection::vec(hold, few),
        prop::collection::vec(0..5_u64, 0..6),
        pairs,
        prop::collection::vec(prop_oneof![0..4_u32, Just(u32::MAX)], 0..6),
        any::<Option<u32>>(),
    )
        .prop_map(|(weight, marks, holds, keys, (pairs, held_pairs), visits, remembered)| Person {
            weight,
            marks,
            holds,
            keys,
            pairs,
            held_pairs,
            visits,
            remembered,
        })
}

fn people() -> impl Strategy<Value = (usize, usize, Vec<Person>)> {
    let times = prop_oneof![0..3_usize, 60..70_usize, 126..131_usize];
    (times, 0..4_usize).prop_flat_map(|(times, places)| {
        prop::collection::vec(person(times, places), 0..8).prop_map(move |people| (times, places, people))
    })
}

/// Lets the people of one thread vote, in this order.
fn count(shapes: &[Shape], people: &[Person], weighed: bool) -> Counted {
    let (rows, columns) = trees();
    let sparse = [
        SparseShape::Keys,
        SparseShape::Held { times: TIMES_OF_PAIRS },
        SparseShape::Above { rows: Arc::clone(&rows), columns: None },
        SparseShape::Above { rows, columns: Some(columns) },
    ];
    let mut counters = Counters::new(shapes, &sparse, weighed);
    for person in people {
        let mut ballot = counters.next_ballot();
        ballot.weigh(person.weight);
        for (from, until, places) in &person.marks {
            ballot.mark_all(0, *from..*until, places.iter().copied());
        }
        for (from, until, place) in &person.holds {
            ballot.hold(2, *from..*until, *place);
        }
        person.keys.iter().for_each(|key| ballot.mark_key(0, *key));
        person.held_pairs.iter().for_each(|(from, until, pair)| ballot.hold_pair(1, *from..*until, *pair));
        for (row, column) in &person.pairs {
            ballot.mark_pair(2, *row, *column);
            ballot.mark_pair(3, *row, *column);
        }
        person.visits.iter().for_each(|place| ballot.visit(*place));
        ballot.remember(person.remembered);
        let said = counters.close_ballot();
        let visited: BTreeSet<u32> = person.visits.iter().copied().collect();
        assert_eq!(said.visited, visited.into_iter().collect::<Vec<_>>(), "each once, in order");
        assert_eq!((said.remembered, said.weight), (person.remembered, person.weight));
    }
    let (tables, sparse) = counters.into_tables();
    Counted { devices: people.len() as u64, found: Found::ALL.map(|_| vec![1, 2]), tables, sparse }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Each person counts once in each slot, whatever is said again, in dense tables and in sparse ones, with all that
    /// each weighs; in any number of threads.
    #[test]
    fn counters_are_what_sets_say((times, places, people) in people(), cut: prop::sample::Index, weighed: bool) {
        let grid = Grid::new(times, places);
        let shapes = [Shape::marked(grid), Shape::any_time(0, places), Shape::held(grid)];
        let cut = cut.index(people.len() + 1);
        let parts = [&people[..cut], &people[cut..]].map(|part| count(&shapes, part, weighed));
        let [first, second] = parts;
        let Counted { devices, found, tables, sparse } = first.absorb(second);
        prop_assert_eq!(devices, people.len() as u64);
        prop_assert!(found.iter().all(|found| found == &[2, 4]));
        let mut marked = BTreeSet::new();
        let mut at_any_time = BTreeSet::new();
        let mut held = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for (who, person) in people.iter().enumerate() {
            for (from, until, places) in &person.marks {
                for place in places {
                    marked.extend((*from..*until).map(|time| (time, *place, who)));
                    at_any_time.extend((from < until).then_some((0, *place, who)));
                }
            }
            let mut told = 0;
            for (from, until, place) in &person.holds {
                for time in told.max(*from)..*until {
                    held.entry((time, who)).or_insert(*place);
                }
                told = told.max(*until).max(*from);
            }
            keys.extend(person.keys.iter().map(|key| (*key, who)));
        }
        let held: BTreeSet<_> = held.into_iter().map(|((time, who), place)| (time, place, who)).collect();
        for (table, expected) in tables.iter().zip([marked, at_any_time, held]) {
            let grid = table.shape.grid;
            let (mut devices, mut weights) = (vec![0_u64; grid.len()], vec![0_u64; grid.len()]);
            for (time, place, who) in expected {
                devices[grid.slot(time, place).0] += 1;
                weights[grid.slot(time, place).0] += u64::from(people[who].weight);
            }
            prop_assert_eq!(&table.devices, &devices);
            prop_assert_eq!(&table.weights, &if weighed { weights } else { Vec::new() });
        }
        let counted: BTreeMap<u64, (u64, u64)> =
            sparse[0].devices.iter().map(|(key, all)| (*key, (all.devices, all.weight))).collect();
        prop_assert_eq!(counted, tallied(&people, keys, weighed));
        pairs_are_what_sets_say(&people, &sparse, weighed)?;
    }
}

/// What is counted of each of these, and what it weighs.
fn tallied<K: Ord>(people: &[Person], of: BTreeSet<(K, usize)>, weighed: bool) -> BTreeMap<K, (u64, u64)> {
    let mut all = BTreeMap::new();
    for (key, who) in of {
        let sum: &mut (u64, u64) = all.entry(key).or_default();
        *sum = (sum.0 + 1, sum.1 + if weighed { u64::from(people[who].weight) } else { 0 });
    }
    all
}

/// A pair that is held at a time is one person's, and who has several pairs is counted once in each that lies above any.
fn pairs_are_what_sets_say(
    people: &[Person],
    sparse: &[SparseTable],
    weighed: bool,
) -> Result<(), TestCaseError> {
    let (rows, columns) = trees();
    let (mut held, mut by_row, mut by_both) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (who, person) in people.iter().enumerate() {
        let mut told = 0;
        for (from, until, pair) in &person.held_pairs {
            for time in told.max(*from)..*until {
                held.entry((time, who)).or_insert(*pair);
            }
            told = if *from < *until { told.max(*until) } else { told };
        }
        for (row, column) in &person.pairs {
            for row in rows.chain(*row) {
                by_row.insert(((row, *column), who));
                by_both.extend(columns.chain(*column).map(|column| ((row, column), who)));
            }
        }
    }
    let somebody =
        |(key, all): (u64, Tallied)| (all.devices > 0).then_some((unpair(key), (all.devices, all.weight)));
    for (table, columns, expected) in [(2, None, by_row), (3, Some(&*columns), by_both)] {
        let counted: BTreeMap<_, _> =
            sparse[table].distinct(&rows, columns).into_iter().filter_map(somebody).collect();
        prop_assert_eq!(counted, tallied(people, expected, weighed));
    }
    let expected =
        tallied(people, held.into_iter().map(|((time, who), pair)| ((time, pair), who)).collect(), weighed);
    let by_time = sparse[1].by_time(TIMES_OF_PAIRS).into_iter().enumerate();
    let counted: Vec<_> = by_time
        .flat_map(|(time, atoms)| {
            atoms.into_iter().filter_map(somebody).map(move |(pair, all)| ((time, pair), all))
        })
        .collect();
    let by_pair: BTreeMap<_, _> = counted.iter().copied().collect();
    prop_assert_eq!(counted.len(), by_pair.len(), "each pair once at each time");
    prop_assert_eq!(by_pair, expected);
    Ok(())
}

#[test]
fn the_last_person_of_a_thread_is_counted_and_one_more_refused() {
    let mut counters = Counters::new(&[Shape::marked(Grid::new(1, 1))], &[], true);
    counters.person = u32::MAX - 1;
    let mut ballot = counters.next_ballot();
    ballot.weigh(u32::MAX);
    ballot.mark(0, 0, 0);
    counters.close_ballot();
    let beyond = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| _ = counters.next_ballot()));
    assert!(beyond.is_err(), "a number used twice would count two people as one");
    let (tables, _) = counters.into_tables();
    assert_eq!((&tables[0].devices[..], &tables[0].weights[..]), (&[1][..], &[u64::from(u32::MAX)][..]));
}

#[test]
fn no_count_of_a_thread_can_wrap() {
    // As many changes as there can be people: the largest count, and the largest weight.
    let mut counter = Counter::new(Shape::held(Grid::new(2, 1)), true);
    counter.changes = vec![u32::MAX, u32::MAX.wrapping_neg(), 0];
    let most = u64::from(u32::MAX) * u64::from(u32::MAX);
    counter.weights = vec![most, most.wrapping_neg(), 0];
    let table = counter.into_table();
    assert_eq!((table.devices, table.weights), (vec![u64::from(u32::MAX), 0], vec![most, 0]));
}

#[test]
fn what_does_not_exist_is_not_marked() {
    let refused = |does: fn(&mut Ballot<'_>)| {
        let grid = Grid::new(2, 3);
        let above = |columns| SparseShape::Above { rows: trees().0, columns };
        let sparse = [SparseShape::Keys, SparseShape::Held { times: 2 }, above(None), above(Some(trees().1))];
        let mut counters = Counters::new(&[Shape::marked(grid), Shape::held(grid)], &sparse, false);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| does(&mut counters.next_ballot()))).is_err()
    };
    assert!(!refused(|ballot| ballot.mark(0, 1, 2)) && !refused(|ballot| ballot.hold(1, 0..2, 2)));
    assert!(refused(|ballot| ballot.mark(0, 2, 0)) && refused(|ballot| ballot.mark(0, 0, 3)));
    assert!(refused(|ballot| ballot.mark(1, 0, 0)), "what is held is not marked");
    assert!(refused(|ballot| ballot.hold(0, 0..1, 0)), "what is marked is not held");
    assert!(refused(|ballot| ballot.hold(1, 0..3, 0)) && refused(|ballot| ballot.hold(1, 0..1, 3)));
    assert!(!refused(|ballot| ballot.mark_key(0, 0)) && refused(|ballot| ballot.mark_key(4, 0)));
    assert!(!refused(|ballot| ballot.hold_pair(1, 0..2, (0, 0))));
    assert!(refused(|ballot| ballot.hold_pair(1, 0..3, (0, 0))), "there are two times");
    assert!(!refused(|ballot| ballot.mark_pair(2, 11, 70)) && refused(|ballot| ballot.mark_pair(2, 12, 0)));
    assert!(!refused(|ballot| ballot.mark_pair(3, 11, 6)) && refused(|ballot| ballot.mark_pair(3, 11, 7)));
    assert!(refused(|ballot| ballot.mark_key(1, 0)) && refused(|ballot| ballot.mark_key(2, 0)));
    assert!(refused(|ballot| ballot.mark_pair(0, 0, 0)) && refused(|ballot| ballot.mark_pair(1, 0, 0)));
    assert!(
        refused(|ballot| ballot.hold_pair(0, 0..1, (0, 0)))
            && refused(|ballot| ballot.hold_pair(2, 0..1, (0, 0)))
    );
}

#[test]
fn counts_of_other_shapes_do_not_add() {
    let of = |places: usize| {
        count(
            &[
                Shape::marked(Grid::new(1, places)),
                Shape::any_time(0, places),
                Shape::held(Grid::new(1, places)),
            ],
            &[],
            false,
        )
    };
    assert!(std::panic::catch_unwind(|| _ = of(2).absorb(of(3))).is_err());
}
