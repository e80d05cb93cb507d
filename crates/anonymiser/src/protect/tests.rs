//! What leaves through the exit, beside what the rules say of it, on tables small enough to be read.

use std::{collections::BTreeMap, ops::AddAssign};

use proptest::prelude::*;
use throng_schema::{Level, PlaceId, PlaceRow};

use super::*;
use crate::{
    count_table::{Of, Tallied},
    key::{key, nodes_of, parts_of},
    policy::Threshold,
    suppress::Safety,
    upwards,
};

const K: u64 = 10;

fn policy(k: u64) -> Policy {
    Policy::certified(Threshold::accept_small(k).expect("a threshold"))
}

/// One country, region and province; commune A of postal codes 1 and 2, commune B of 3.
fn tree() -> PlaceTree {
    let row = |commune: &str, code: &str| PlaceRow {
        codes: ["BE", "R", "P", commune, code].map(str::to_owned),
        ..PlaceRow::default()
    };
    PlaceTree::new(&[row("A", "1"), row("A", "2"), row("B", "3")]).expect("tree")
}

/// The places of the tree: three around all, the communes, the postal codes.
const PLACES: usize = 8;
const ALL: [bool; PLACES] = [true; PLACES];
const GROUPS: [usize; PLACES] = [0, 1, 2, 3, 3, 4, 4, 4];

fn counts(times: usize, devices: &[u64]) -> CountTable {
    let slots = devices.len() / times.max(1);
    let shape = Shape::marked(Grid::new(times, slots));
    CountTable { shape, devices: devices.to_vec(), weights: devices.iter().map(|n| n * 3).collect() }
}

fn published(table: &ProtectedTable, time: usize) -> Vec<Option<u64>> {
    (0..table.grid().places()).map(|place| table.published(time, place)).collect()
}

/// What stays of the counts of a time, where these places are withheld.
fn without(devices: &[u64], withheld: &[usize]) -> Vec<Option<u64>> {
    devices.iter().enumerate().map(|(at, n)| (!withheld.contains(&at)).then_some(*n)).collect()
}

fn nested<'a>(tree: &'a PlaceTree, within: Option<(usize, Vec<usize>)>) -> Guard<'a> {
    Guard::Nested { tree, covered: &ALL, groups: &GROUPS, within, holding: None }
}

/// Which places of one nested table are withheld.
fn withheld(devices: [u64; PLACES]) -> Vec<usize> {
    let tree = tree();
    let protected = protect(vec![counts(1, &devices)], &[nested(&tree, None)], &policy(K));
    let table = &protected.tables[0];
    let hidden: Vec<usize> =
        (0..PLACES).filter(|place| table.status(0, *place) == throng_schema::Status::Withheld).collect();
    assert_eq!(published(table, 0), without(&devices, &hidden));
    for place in 0..PLACES {
        assert_eq!(
            table.weight(0, place),
            table.published(0, place).map(|n| n * 3),
            "weights go with numbers"
        );
    }
    let few = hidden.iter().filter(|place| devices[**place] < K).count() as u64;
    let account = table.account();
    assert_eq!((account.too_few, account.protective), (few, hidden.len() as u64 - few));
    for group in 0..5 {
        let of = |places: &mut dyn Iterator<Item = usize>| {
            places.filter(|p| GROUPS[*p] == group).map(|p| devices[p]).sum::<u64>()
        };
        assert_eq!(account.devices[group], of(&mut (0..PLACES)));
        assert_eq!(account.withheld_devices[group], of(&mut hidden.iter().copied()));
    }
    hidden
}

#[test]
fn a_group_of_k_is_shown_and_one_of_fewer_is_not() {
    assert_eq!(withheld([10; PLACES]), [0; 0]);
    assert_eq!(withheld([9; PLACES]), (0..PLACES).collect::<Vec<_>>());
    assert_eq!(withheld([0; PLACES]), (0..PLACES).collect::<Vec<_>>());
}

#[test]
fn a_place_is_apart_from_all_that_lie_around_it() {
    // A is nine away from its province and so withheld, but 1 is nine away from that as well, and 2 ten.
    assert_eq!(withheld([100, 100, 90, 81, 80, 81, 80, 80]), [3, 5]);
    // Who is withheld is nobody's neighbour: 1 is five away from A alone.
    assert_eq!(withheld([100, 100, 100, 95, 40, 90, 90, 40]), [3]);
    assert_eq!(withheld([100, 100, 100, 91, 40, 91, 81, 40]), [3, 5]);
}

#[test]
fn a_group_of_k_that_gives_way_is_protective_and_none_of_too_few() {
    assert_eq!(withheld([300, 300, 300, 19, 90, 10, 19, 90]), [5]);
}

#[test]
fn each_time_is_compared_with_itself() {
    let tree = tree();
    let times = [[100; PLACES], [200, 200, 200, 200, 200, 191, 100, 200], [100; PLACES]];
    let protected = protect(vec![counts(3, &times.concat())], &[nested(&tree, None)], &policy(K));
    let hidden: [&[usize]; 3] = [&[], &[5], &[]];
    for (time, hidden) in hidden.into_iter().enumerate() {
        assert_eq!(published(&protected.tables[0], time), without(&times[time], hidden), "at {time}");
    }
}

#[test]
fn who_is_in_two_of_the_places_that_fill_one_is_nobody_or_a_crowd() {
    // 1 and 2 are all of A: five people were in both, then ten, then nobody.
    assert_eq!(withheld([300, 300, 300, 100, 90, 60, 45, 90]), [6]);
    assert_eq!(withheld([300, 300, 300, 100, 90, 45, 60, 90]), [5]);
    assert_eq!(withheld([300, 300, 300, 100, 90, 60, 50, 90]), [0; 0]);
    assert_eq!(withheld([300, 300, 300, 100, 90, 60, 40, 90]), [0; 0]);
    assert_eq!(withheld([300, 300, 300, 100, 90, 60, 30, 90]), [0; 0], "ten were elsewhere in A");
    assert_eq!(
        withheld([300, 300, 300, 100, 90, 60, 31, 90]),
        [0; 0],
        "the sum falls short, which tells of no overlap"
    );
}

#[test]
fn the_parts_of_a_withheld_place_stand_in_its_stead() {
    // A is withheld; 1, 2 and B are all of the province then, and five people were in two of them.
    assert_eq!(withheld([100, 100, 100, 95, 30, 50, 25, 30]), [3, 6]);
    // B gives way as the smallest, and 3 then stands in its stead, and gives way as well.
    assert_eq!(withheld([100, 100, 100, 95, 20, 50, 35, 20]), [3, 4, 7]);
}

#[test]
fn places_without_coverage_have_no_number_and_fill_nothing() {
    let tree = tree();
    let covered = [true, true, true, true, false, true, true, false];
    // A alone fills the province; 1 and 2 fill A.
    let devices = [100, 100, 100, 100, 0, 60, 45, 0];
    let guard =
        Guard::Nested { tree: &tree, covered: &covered, groups: &GROUPS, within: None, holding: None };
    let protected = protect(vec![counts(1, &devices)], &[guard], &policy(K));
    let table = &protected.tables[0];
    assert_eq!(published(table, 0), without(&devices, &[4, 6, 7]));
    let status = |place| table.status(0, place);
    assert!(status(4) == throng_schema::Status::NoCoverage && status(6) == throng_schema::Status::Withheld);
    assert_eq!(
        (table.account().too_few, table.account().protective),
        (0, 1),
        "what has no number is not told of"
    );
}

#[test]
fn an_hour_is_apart_from_its_day_there_and_around() {
    let tree = tree();
    let day = [200, 200, 200, 100, 90, 60, 40, 90];
    let hours = [
        [20; PLACES],
        // 91 of the hundred in A, 60 of 60 in 1, 31 of 40 in 2.
        [200, 200, 190, 91, 80, 60, 31, 80],
    ];
    let all: Vec<u64> = hours.concat();
    let guards = [nested(&tree, Some((1, vec![0, 0]))), nested(&tree, None)];
    let protected = protect(vec![counts(2, &all), counts(1, &day)], &guards, &policy(K));
    assert_eq!(published(&protected.tables[1], 0), without(&day, &[]));
    assert_eq!(published(&protected.tables[0], 0), without(&hours[0], &[]));
    assert_eq!(published(&protected.tables[0], 1), without(&hours[1], &[3, 6]));
    // Of two days, an hour looks at its own.
    let days = [[200, 200, 200, 100, 90, 60, 40, 90], [300, 300, 300, 109, 90, 60, 31, 90]].concat();
    let guards = [nested(&tree, Some((1, vec![0, 1]))), nested(&tree, None)];
    let protected = protect(vec![counts(2, &all), counts(2, &days)], &guards, &policy(K));
    assert_eq!(published(&protected.tables[0], 1), without(&hours[1], &[]));
}

#[test]
fn a_place_in_an_hour_is_apart_from_the_places_around_it_in_the_day() {
    let tree = tree();
    // Nobody but a few was in A on that day and not in 1 in that hour.
    let day = [200, 200, 200, 100, 90, 30, 40, 90];
    let hour = [150, 150, 150, 40, 80, 95, 20, 80];
    let guards = [nested(&tree, Some((1, vec![0]))), nested(&tree, None)];
    let protected = protect(vec![counts(1, &hour), counts(1, &day)], &guards, &policy(K));
    assert_eq!(published(&protected.tables[0], 0), without(&hour, &[5]));
}

#[test]
fn hours_that_fill_a_day_tell_of_nobody_who_stayed_for_several() {
    let tree = tree();
    let day = [200, 200, 200, 100, 90, 60, 40, 90];
    let first = [120, 120, 120, 60, 50, 30, 20, 50];
    let second = [100, 100, 100, 45, 40, 30, 30, 50];
    let all: Vec<u64> = [first, second].concat();
    let guards = [nested(&tree, Some((1, vec![0, 0]))), nested(&tree, None)];
    let protected = protect(vec![counts(2, &all), counts(1, &day)], &guards, &policy(K));
    // In A, five were there in both hours, and the smaller hour gives way; in B nobody was, in 2 ten, in 1 nobody.
    assert_eq!(published(&protected.tables[0], 0), without(&first, &[]));
    assert_eq!(published(&protected.tables[0], 1), without(&second, &[3]));
}

#[test]
fn who_is_present_has_visited_and_those_beside_are_nobody_or_a_crowd() {
    let tree = tree();
    let lattice = Lattice::of_places(&tree, &ALL);
    // Two instants a period. Presence adds up; 3 is small at the first instant.
    let instants =
        [[0, 0, 0, 0, 0, 60, 40, 5], [0, 0, 0, 0, 0, 50, 30, 40], [0, 0, 0, 0, 0, 20, 30, 40]].concat();
    let mut visitors = [200, 200, 200, 150, 60, 69, 40, 60, 200, 200, 200, 150, 60, 30, 40, 40];
    let run = |visitors: &[u64]| {
        let sums = Guard::Sums { lattice: &lattice, others: &[], groups: &GROUPS, counts_per_device: 1 };
        let holding = Some((0, vec![0..2, 2..3]));
        let guard = Guard::Nested { tree: &tree, covered: &ALL, groups: &GROUPS, within: None, holding };
        protect(vec![counts(3, &instants), counts(2, visitors)], &[sums, guard], &policy(K))
    };
    let protected = run(&visitors);
    // At the first instant 3 and B are withheld, and with them one beside; all others are shown.
    let presence = &protected.tables[0];
    assert_eq!([5, 6].map(|place| presence.published(1, place)), [Some(50), Some(30)]);
    assert_eq!(presence.published(0, 7), None);
    let there = published(presence, 0);
    let first = published(&protected.tables[1], 0);
    // 69 visited 1 and 60 were there at the first instant.
    assert_eq!(first[5], if there[5].is_some() { None } else { first[5] });
    assert_eq!(first[7], Some(60), "k more than the 5 whose number is withheld, and 20 more than the 40");
    // Where presence is withheld, k more people must fit in: fourteen are too few beside five.
    visitors[7] = 14;
    visitors[4] = 14;
    assert_eq!(run(&visitors).tables[1].published(0, 7), None);
    // Nobody beside those present is no group; nine are.
    let second = published(&protected.tables[1], 1);
    assert_eq!([6, 7].map(|place| second[place]), [Some(40), Some(40)]);
    assert_eq!(second[5], Some(30));
    visitors[8 + 7] = 49;
    assert_eq!(run(&visitors).tables[1].published(1, 7), None);
    visitors[8 + 7] = 50;
    assert_eq!(run(&visitors).tables[1].published(1, 7), Some(50));
}

#[test]
fn classes_stand_below_their_totals_and_divide_them_safely() {
    let tree = tree();
    let totals = [200, 200, 200, 95, 13, 60, 45, 9];
    let of = |[short, long]: [u64; 2]| [short, long];
    // B has a class of three, so both are withheld; 3 has a total that is withheld; A's long ones are those of 1 and five
    // more, which may not be told.
    let classes = [[120, 80], [120, 80], [120, 80], [50, 45], [10, 3], [20, 40], [35, 10], [4, 5]];
    let all: Vec<u64> = classes.iter().flat_map(|pair| of(*pair)).collect();
    let guards = [
        nested(&tree, None),
        Guard::Classes { tree: &tree, covered: &ALL, groups: &GROUPS, classes: 2, totals: 0 },
    ];
    let protected = protect(vec![counts(1, &totals), counts(1, &all)], &guards, &policy(K));
    assert_eq!(published(&protected.tables[0], 0), without(&totals, &[7]));
    let hidden = [8, 9, 10, 11, 14, 15];
    assert_eq!(published(&protected.tables[1], 0), without(&all, &hidden));
    let account = protected.tables[1].account();
    assert_eq!((account.too_few, account.protective), (3, 3));
    assert_eq!(account.devices, [200, 200, 200, 108, 114]);
    assert_eq!(account.withheld_devices, [0, 0, 0, 13, 69]);
    assert_eq!(protected.tables[1].weight(0, 0), Some(360));
}

#[test]
fn classes_wait_for_their_totals_whatever_the_order_of_tables() {
    let tree = tree();
    let classes = Guard::Classes { tree: &tree, covered: &ALL, groups: &GROUPS, classes: 2, totals: 1 };
    // They divide the people of an hour, which waits for its day.
    let guards = [classes, nested(&tree, Some((2, vec![0]))), nested(&tree, None)];
    let tables = vec![
        counts(1, &[40, 60].repeat(PLACES)),
        counts(1, &[100; PLACES]),
        counts(1, &[105, 200, 200, 200, 200, 200, 200, 200]),
    ];
    let protected = protect(tables, &guards, &policy(K));
    assert!(
        published(&protected.tables[1], 0).iter().all(Option::is_none),
        "five of the country came at another hour"
    );
    assert!(published(&protected.tables[0], 0).iter().all(Option::is_none));
}

#[test]
fn each_time_of_a_table_of_classes_has_its_own_totals() {
    let tree = tree();
    let totals: Vec<u64> = [[100; PLACES], [40; PLACES]].concat();
    let classes: Vec<u64> = [[40, 60].repeat(PLACES), [9, 31].repeat(PLACES)].concat();
    let guards = [
        nested(&tree, None),
        Guard::Classes { tree: &tree, covered: &ALL, groups: &GROUPS, classes: 2, totals: 0 },
    ];
    let protected = protect(vec![counts(2, &totals), counts(2, &classes)], &guards, &policy(K));
    assert!(published(&protected.tables[1], 0).iter().all(Option::is_some));
    assert!(published(&protected.tables[1], 1).iter().all(Option::is_none));
}

#[test]
fn classes_of_places_without_coverage_have_no_number() {
    let tree = tree();
    let covered = [true, true, true, true, false, true, true, false];
    let guards = [
        Guard::Nested { tree: &tree, covered: &covered, groups: &GROUPS, within: None, holding: None },
        Guard::Classes { tree: &tree, covered: &covered, groups: &GROUPS, classes: 2, totals: 0 },
    ];
    let tables = vec![
        counts(1, &[50, 50, 50, 50, 0, 30, 20, 0]),
        counts(1, &[25, 25, 25, 25, 25, 25, 25, 25, 0, 0, 15, 15, 10, 10, 0, 0]),
    ];
    let protected = protect(tables, &guards, &policy(K));
    let status = |slot| protected.tables[1].status(0, slot) == throng_schema::Status::NoCoverage;
    assert_eq!((0..16).filter(|slot| status(*slot)).collect::<Vec<_>>(), [8, 9, 14, 15]);
}

/// A table of the window: each place with as many people of each class, by the fewest days of it.
fn window(exit: Exit, devices: &[u64], lower: &[u64]) -> [Vec<Option<u64>>; 2] {
    let tree = tree();
    let [all, classes] = exit.window(&counts(1, devices), &tree, &ALL, &GROUPS, lower);
    let sums: Vec<u64> = devices.chunks(lower.len()).map(|classes| classes.iter().sum()).collect();
    for (place, sum) in sums.iter().enumerate() {
        assert!(all.published(0, place).is_none_or(|n| n == *sum && all.weight(0, place) == Some(n * 3)));
    }
    [published(&all, 0), published(&classes, 0)]
}

/// An exit through which these days have left, each with one number for all places.
fn exit_after(days: &[u64]) -> Exit {
    let tree = tree();
    let mut exit = Exit::new(policy(K));
    for day in days {
        let protected =
            exit.protect(vec![counts(1, &[*day; PLACES])], &[nested(&tree, None)], Vec::new(), &[]);
        exit.keep_days(&protected.tables[0], &[], PLACES);
    }
    exit
}

#[test]
fn the_window_gives_way_to_each_of_its_days() {
    let hundred = [60_u64, 40].repeat(PLACES);
    let shown = |days: &[u64]| window(exit_after(days), &hundred, &[1, 2])[0].iter().all(Option::is_some);
    let hidden =
        |days: &[u64]| window(exit_after(days), &hundred, &[1, 2]).iter().flatten().all(Option::is_none);
    assert!(shown(&[70, 70]));
    assert!(shown(&[90, 9]), "a withheld day tells nothing");
    assert!(hidden(&[91, 70]) && hidden(&[70, 91]), "nine came on the other day alone");
    assert!(shown(&[100, 100]), "nobody came on one day alone");
    assert!(hidden(&[60, 45]), "five came on both days");
    assert!(shown(&[60, 50]) && shown(&[60, 40]));
}

#[test]
fn the_window_gives_way_to_any_published_group_in_it_and_in_its_places() {
    let hundred = [60_u64, 40].repeat(PLACES);
    let of = |place: usize, group: u64| {
        let mut exit = exit_after(&[50, 20]);
        exit.keep_group(place, group);
        let [all, _] = window(exit, &hundred, &[1, 2]);
        (0..PLACES).filter(|place| all[*place].is_none()).collect::<Vec<_>>()
    };
    assert_eq!(of(5, 91), [0, 1, 2, 3, 5], "1 lies in A and in all that is around it");
    assert_eq!(of(7, 95), [0, 1, 2, 4, 7]);
    assert_eq!(of(0, 99), [0]);
    assert_eq!(of(5, 90), [0; 0]);
    assert_eq!(of(5, 100), [0; 0]);
}

#[test]
fn of_the_groups_in_a_place_those_near_the_largest_are_kept_and_no_others() {
    let mut exit = Exit::new(policy(K));
    for group in [50, 45, 60, 49, 50, 58] {
        exit.keep_group(3, group);
    }
    assert_eq!(exit.inside.len(), 4);
    assert_eq!(exit.inside[3].iter().copied().collect::<Vec<_>>(), [50, 58, 60]);
    assert!(exit.inside[..3].iter().all(BTreeSet::is_empty));
}

#[test]
fn other_tables_of_the_days_are_groups_in_their_places_too() {
    let tree = tree();
    let mut exit = Exit::new(policy(K));
    let hours: Vec<u64> = [[20; PLACES], [95; PLACES]].concat();
    let tables = vec![counts(2, &hours), counts(1, &[50; PLACES])];
    let guards = [nested(&tree, None), nested(&tree, None)];
    let protected = exit.protect(tables, &guards, Vec::new(), &[]);
    exit.keep_days(&protected.tables[1], &[&protected.tables[0]], PLACES);
    assert_eq!(exit.days.len(), 1);
    let [all, _] = window(exit, &[60_u64, 40].repeat(PLACES), &[1, 2]);
    assert!(all.iter().all(Option::is_none), "95 of the hundred were there in one hour");
}

#[test]
fn classes_of_the_window_do_not_tell_of_few_through_the_days() {
    // By the fewest days: one day, two or three, and four.
    let lower = [1, 2, 4];
    let tells = |counts: [u64; 3], days: &[u64], hidden: &[usize]| {
        let cell =
            |at: usize, n: &u64| if hidden.contains(&at) { Cell::Withheld } else { Cell::Published(*n) };
        let cells: Vec<Cell> = counts.iter().enumerate().map(|(at, n)| cell(at, n)).collect();
        let days: Vec<Cell> =
            days.iter().map(|day| if *day < K { Cell::Withheld } else { Cell::Published(*day) }).collect();
        days_tell_of_few(&counts, &cells, &days, &lower, K)
    };
    // 30 came once and 20 twice or thrice, of three days: 70 visits at least, 90 at most.
    assert!(tells([30, 20, 0], &[40, 30, 9], &[]) == tells([30, 20, 0], &[40, 30, 0], &[]));
    assert!(!tells([30, 20, 0], &[40, 30, 9], &[]), "a day is withheld, and the visits are not known");
    assert!(!tells([30, 20, 0], &[30, 30, 10], &[]), "seventy: everybody came as seldom as may be");
    assert!(tells([30, 20, 0], &[30, 30, 11], &[]), "one came thrice");
    assert!(tells([30, 20, 0], &[30, 30, 19], &[]), "nine visits too many");
    assert!(!tells([30, 20, 0], &[30, 30, 20], &[]), "ten");
    assert!(tells([30, 20, 0], &[40, 30, 11], &[]), "nine visits too few");
    assert!(!tells([30, 20, 0], &[40, 30, 20], &[]), "ninety: as often as may be");
    assert!(tells([30, 20, 0], &[40, 30, 19], &[]), "one visit too few");
    // What is withheld of the classes may be anybody.
    assert!(!tells([30, 20, 0], &[30, 30, 11], &[1]));
    assert!(tells([30, 20, 0], &[30, 30, 11], &[2]), "nobody is known all the same");
    // Four days: who came on all of them is among the people of each.
    assert!(tells([30, 20, 50], &[100, 100, 100, 59], &[]));
    assert!(!tells([30, 20, 50], &[100, 100, 100, 50], &[0]));
    assert!(!tells([30, 20, 50], &[100, 100, 100, 60], &[0]));
    assert!(
        !tells([30, 20, 50], &[100, 100, 100, 59], &[0, 2]),
        "of a class that is withheld nobody can say so"
    );
    assert!(
        !tells([30, 20, 50], &[100, 100, 100, 100, 59], &[0]),
        "of five days nobody is known to have come on all"
    );
}

#[test]
fn classes_of_the_window_give_way_in_the_places_whose_days_tell_and_in_no_others() {
    let tree = tree();
    let mut exit = Exit::new(policy(K));
    // 300 came once and 200 twice or thrice: 700 visits at least. In 3, there were five more.
    for (everywhere, in_3) in [(300, 300), (300, 300), (200, 105)] {
        let mut day = [everywhere; PLACES];
        day[7] = in_3;
        let protected = exit.protect(vec![counts(1, &day)], &[nested(&tree, None)], Vec::new(), &[]);
        assert!(published(&protected.tables[0], 0).iter().all(Option::is_some));
        exit.keep_days(&protected.tables[0], &[], PLACES);
    }
    let [all, classes] = window(exit, &[300, 200, 0].repeat(PLACES), &[1, 2, 4]);
    assert!(all.iter().all(|n| *n == Some(500)));
    let expected = [Some(300), Some(200), None].repeat(PLACES - 1);
    assert_eq!((&classes[..21], &classes[21..]), (&expected[..], &[None; 3][..]));
}

/// The published places that fill one, if they do: those of a withheld place stand in its stead.
fn filling(tree: &PlaceTree, whole: PlaceId, at: &[Option<u64>]) -> Option<Vec<u64>> {
    let children: Vec<PlaceId> = tree.children(whole).collect();
    if children.is_empty() {
        return None;
    }
    let parts = children
        .into_iter()
        .map(|child| at[child.index()].map_or_else(|| filling(tree, child, at), |n| Some(vec![n])));
    Some(parts.collect::<Option<Vec<_>>>()?.concat())
}

/// Whether parts that fill a whole tell of a few people who are in several of them.
fn overlap_tells(whole: Option<u64>, parts: Option<Vec<u64>>, k: u64) -> bool {
    let few = |people: i128| people > 0 && people < i128::from(k);
    let (Some(whole), Some(parts)) = (whole.map(i128::from), parts) else { return false };
    let (sum, n) = (parts.iter().copied().map(i128::from).sum::<i128>(), parts.len() as i128);
    n > 1 && sum >= whole && n * whole >= sum && (few(sum - whole) || few(n * whole - sum))
}

#[test]
fn a_place_that_gives_way_to_its_day_leaves_none_within_it_that_tell() {
    let tree = tree();
    let day = [20, 20, 20, 16, 0, 0, 0, 0];
    let (first, second) = ([16, 15, 15, 7, 3, 7, 7, 0], [14, 14, 14, 11, 0, 0, 0, 0]);
    let guards = [nested(&tree, Some((1, vec![0, 0]))), nested(&tree, None)];
    let protected = protect(vec![counts(2, &[first, second].concat()), counts(1, &day)], &guards, &policy(3));
    // Seven and eleven were in A in the hours, sixteen on the day; without A, 1 and 2 and B are all of the country.
    let hour = published(&protected.tables[0], 0);
    assert!(hour[0].is_some() && hour[3].is_none());
    assert!(
        tree.ids().all(|place| !overlap_tells(hour[place.index()], filling(&tree, place, &hour), 3)),
        "{hour:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Visitors of places in places and hours in a day, with those present in them: no two published numbers of which one
    /// holds the other, and no parts that fill a whole, tell of a few people.
    #[test]
    fn published_groups_in_each_other_tell_of_no_few(
        day in prop::array::uniform8(0..16_u64),
        hours in prop::array::uniform2(prop::array::uniform8(0..12_u64)),
        present in prop::collection::vec(prop::array::uniform3(0..8_u64), 2),
    ) {
        let (k, tree) = (3, tree());
        let lattice = Lattice::of_places(&tree, &ALL);
        // Coarse places have as many as all below them at least, more or less.
        let wide = |[a, b, c, d, e, f, g, h]: [u64; 8]| [a + 12, b + 10, c + 8, d + 4, e, f, g, h];
        let (day, hours) = (wide(day), hours.map(wide));
        let guards = [
            Guard::Sums { lattice: &lattice, others: &[], groups: &GROUPS, counts_per_device: 1 },
            Guard::Nested { tree: &tree, covered: &ALL, groups: &GROUPS, within: Some((2, vec![0, 0])), holding: Some((0, vec![0..1, 1..2])) },
            Guard::Nested { tree: &tree, covered: &ALL, groups: &GROUPS, within: None, holding: Some((0, std::iter::once(0..2).collect())) },
        ];
        let tables = vec![sums(&present), counts(2, &hours.concat()), counts(1, &day)];
        let protected = protect(tables, &guards, &policy(k));
        let of_day = published(&protected.tables[2], 0);
        let apart = |a: Option<u64>, b: Option<u64>| a.zip(b).is_none_or(|(a, b)| a == b || a.abs_diff(b) >= k);
        let around = |place: PlaceId| std::iter::successors(Some(place), |place| tree.parent(*place));
        let mut times: Vec<Vec<Option<u64>>> = (0..2).map(|time| published(&protected.tables[1], time)).collect();
        times.push(of_day.clone());
        for (time, at) in times.iter().enumerate() {
            for place in tree.ids() {
                let here = at[place.index()];
                prop_assert!(here.is_none_or(|n| n >= k));
                prop_assert!(around(place).all(|larger| apart(at[larger.index()], here)), "{place:?} at {time}");
                prop_assert!(around(place).all(|larger| apart(of_day[larger.index()], here)), "{place:?} of the day at {time}");
                prop_assert!(!overlap_tells(here, filling(&tree, place, at), k), "parts of {place:?} at {time}");
                for instant in if time == 2 { 0..2 } else { time..time + 1 } {
                    let there = summed(present[instant])[place.index()];
                    let shown = protected.tables[0].published(instant, place.index());
                    prop_assert!(shown.is_none() || apart(shown, here));
                    prop_assert!(shown.is_some() || here.is_none_or(|n| n >= there + k), "room for k beside the withheld");
                }
            }
        }
        for place in 0..PLACES {
            let parts = times[..2].iter().map(|at| at[place]).collect::<Option<Vec<_>>>();
            prop_assert!(!overlap_tells(of_day[place], parts, k), "hours of {place}");
        }
    }
}

/// A table of sums at some times, of the postal codes alone.
fn sums(times: &[[u64; 3]]) -> CountTable {
    let slots: Vec<u64> = times.iter().flat_map(|[a, b, c]| [0, 0, 0, 0, 0, *a, *b, *c]).collect();
    CountTable { shape: Shape::marked(Grid::new(times.len(), PLACES)), ..counts(1, &slots) }
}

/// The numbers of all places, out of those of the postal codes.
fn summed([a, b, c]: [u64; 3]) -> [u64; PLACES] {
    [a + b + c, a + b + c, a + b + c, a + b, c, a, b, c]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// What is published of sums is the true sum and k at least; every witness has the same published numbers and shows,
    /// with the others, each withheld number at k or more.
    #[test]
    fn witnesses_of_a_day_stand_for_what_is_withheld(
        times in prop::collection::vec(prop::array::uniform3(prop_oneof![0..12_u64, 0..100_u64]), 0..60),
        k in prop_oneof![Just(1_u64), Just(2), Just(K), Just(Threshold::K_MAX)],
        groups_only: bool,
    ) {
        let tree = tree();
        let lattice = Lattice::of_places(&tree, &ALL);
        let guard = Guard::Sums { lattice: &lattice, others: &[], groups: &GROUPS, counts_per_device: 1 };
        let safety = if groups_only { Safety::CertifiedGroups } else { Safety::Certified };
        let policy = Policy { witnesses: true, safety, ..policy(k) };
        let protected = protect(vec![sums(&times)], &[guard], &policy);
        let table = &protected.tables[0];
        prop_assert_eq!(table.grid(), Grid::new(times.len(), PLACES));
        let mut shown = vec![[0_u64; PLACES]; times.len()];
        for witness in &protected.witnesses {
            let mut atoms = times[witness.time];
            if witness.number == 0 {
                prop_assert_eq!(witness.devices.len(), atoms.iter().filter(|n| **n > 0).count());
            }
            for (slot, devices) in &witness.devices {
                prop_assert!(witness.number > 0 || atoms[slot - 5] == *devices, "number 0 is the true table");
                atoms[slot - 5] = *devices;
            }
            for (place, n) in summed(atoms).into_iter().enumerate() {
                let published = table.published(witness.time, place);
                prop_assert!(published.is_none_or(|published| published == n), "a witness of other numbers");
                shown[witness.time][place] = shown[witness.time][place].max(n);
            }
        }
        for (time, atoms) in times.iter().enumerate() {
            for (place, n) in summed(*atoms).into_iter().enumerate() {
                let published = table.published(time, place);
                prop_assert!(published.is_none_or(|published| published == n && n >= k));
                let exempt = k == 1 || (groups_only && n == 0);
                prop_assert!(published.is_some() || exempt || shown[time][place] >= k, "no witness for {place} at {time}");
                prop_assert_eq!(table.weight(time, place), published.map(|n| n * 3));
            }
        }
        let account = table.account();
        let numbers: Vec<u64> = times.iter().flat_map(|atoms| summed(*atoms)).collect();
        let few = numbers.iter().filter(|n| **n < k).count() as u64;
        prop_assert_eq!(account.too_few, few);
        let hidden = (0..times.len()).flat_map(|time| published(table, time)).filter(Option::is_none).count() as u64;
        prop_assert_eq!(account.protective, hidden - few);
    }
}

#[test]
fn a_column_that_is_not_shown_at_a_time_has_no_coverage_then() {
    let tree = tree();
    let lattice = Lattice::of_places(&tree, &ALL);
    let mut columns: Vec<Vec<u32>> =
        (0..PLACES).map(|column| lattice.atoms_of_column(column).to_vec()).collect();
    columns[4].clear();
    let others = [(Lattice::new(3, &columns), 1..2)];
    let guard = || Guard::Sums { lattice: &lattice, others: &others, groups: &GROUPS, counts_per_device: 1 };
    let times = [[50, 60, 70]; 3];
    let protected = protect(vec![sums(&times)], &[guard()], &Policy { witnesses: true, ..policy(K) });
    for (time, atoms) in times.into_iter().enumerate() {
        let mut expected: Vec<Option<u64>> = summed(atoms).into_iter().map(Some).collect();
        if time == 1 {
            expected[4] = None;
        }
        assert_eq!(published(&protected.tables[0], time), expected);
    }
    assert!(protected.tables[0].status(1, 4) == throng_schema::Status::NoCoverage);
    assert_eq!((protected.tables[0].account().protective, protected.tables[0].account().too_few), (0, 0));
}

#[test]
fn partners_stay_from_time_to_time_and_from_day_to_day() {
    // One commune of four postal codes.
    let row = |code: &str| PlaceRow {
        codes: ["BE", "R", "P", "A", code].map(str::to_owned),
        ..PlaceRow::default()
    };
    let tree = PlaceTree::new(&["1", "2", "3", "4"].map(row)).expect("tree");
    let lattice = Lattice::of_places(&tree, &ALL);
    let groups = [0, 1, 2, 3, 4, 4, 4, 4];
    let guard = || Guard::Sums { lattice: &lattice, others: &[], groups: &groups, counts_per_device: 1 };
    let withheld = |exit: &mut Exit, times: &[[u64; 4]]| {
        let shape = Shape::marked(Grid::new(times.len(), PLACES));
        let devices = times.iter().flat_map(|codes| [[0; 4], *codes].concat()).collect();
        let table = CountTable { shape, devices, weights: Vec::new() };
        let table = exit.protect(vec![table], &[guard()], Vec::new(), &[]).tables.remove(0);
        let of_time =
            |time| (0..PLACES).filter(|at| table.published(time, *at).is_none()).collect::<Vec<_>>();
        (0..times.len()).map(of_time).collect::<Vec<_>>()
    };
    // 1 is small. Its partner is the smallest of the others, unless it had one before, which may be another.
    let (early, late) = ([5, 60, 70, 80], [5, 80, 70, 60]);
    let fresh = |times: &[[u64; 4]]| withheld(&mut Exit::new(policy(K)), times);
    assert_eq!([fresh(&[early]), fresh(&[late])], [[[4, 5]], [[4, 7]]]);
    let mut exit = Exit::new(policy(K));
    let day: Vec<[u64; 4]> = std::iter::once(early).chain([late; 49]).collect();
    assert!(withheld(&mut exit, &day).iter().all(|at| *at == [4, 5]));
    assert!(withheld(&mut exit, &[late; 50]).iter().all(|at| *at == [4, 5]), "the next day");
    assert!(withheld(&mut exit, &[]).is_empty(), "a day without times");
}

/// Everybody, two groups of two each.
fn axis() -> Axis {
    Axis::new(vec![0, 0, 0, 1, 1, 2, 2])
}

const LEAVES: std::ops::Range<u32> = 3..7;

fn sparse(numbers: impl IntoIterator<Item = (u64, u64)>) -> SparseTable {
    let somebody = numbers.into_iter().filter(|(_, devices)| *devices > 0);
    let tallied = somebody.map(|(key, devices)| (key, Tallied { devices, weight: devices * 3 }));
    SparseTable {
        devices: upwards::in_order(tallied.collect(), Tallied::add_assign),
        ..SparseTable::default()
    }
}

/// The table in which these are the numbers of people who are held at each time, and all others are nobody's.
fn held(numbers: impl IntoIterator<Item = (u64, u64)>) -> SparseTable {
    let numbers: BTreeMap<u64, u64> = numbers.into_iter().collect();
    let mut changes = Vec::new();
    for key_of in numbers.keys() {
        let (row, column) = nodes_of(*key_of);
        for time in [parts_of(*key_of).0, parts_of(*key_of).0 + 1] {
            let at = |time: usize| numbers.get(&key(time, row, column)).copied().unwrap_or_default();
            let before = time.checked_sub(1).map_or(0, at);
            changes.push((key(time, row, column), at(time).wrapping_sub(before)));
        }
    }
    changes.sort_unstable();
    changes.dedup();
    of_changes(Of::Times, changes)
}

/// The table in which these are the numbers of distinct people of pairs of nodes, and all others are nobody's.
fn distinct(numbers: impl IntoIterator<Item = (u64, u64)>, of_columns: bool) -> SparseTable {
    let (axis, mut left) = (axis(), numbers.into_iter().collect::<BTreeMap<u64, u64>>());
    let mut parts = Vec::new();
    // From the finest pair to the coarsest: what the parts below leave of a number is its own.
    for row in (0..7).rev() {
        for column in (0..7).rev() {
            let own = left.get(&key(0, row, column)).copied().unwrap_or_default();
            parts.push((key(0, row, column), own));
            for above in axis.chain(row) {
                for column in axis.chain(column).take(if of_columns { 7 } else { 1 }) {
                    let number = left.entry(key(0, above, column)).or_default();
                    *number = number.wrapping_sub(own);
                }
            }
        }
    }
    parts.sort_unstable();
    of_changes(Of::Parts, parts)
}

fn of_changes(of: Of, changes: Vec<(u64, u64)>) -> SparseTable {
    let change = |(key, devices): (u64, u64)| (key, Tallied { devices, weight: devices.wrapping_mul(3) });
    SparseTable { of, devices: changes.into_iter().filter(|change| change.1 != 0).map(change).collect() }
}

/// What is shown of some pairs, by time, row and column.
fn shown_of(pairs: &ProtectedPairs) -> HashMap<(usize, u32, u32), u64> {
    pairs.pairs().iter().map(|pair| ((pair.time, pair.row, pair.column), pair.devices)).collect()
}

fn in_order(pairs: &ProtectedPairs) -> bool {
    let at = |pair: &Pair| (pair.time, pair.row, pair.column);
    pairs.pairs().windows(2).all(|pair| at(&pair[0]) < at(&pair[1]))
}

/// Counts of the sixteen finest pairs at each of some times.
fn crossed(times: usize) -> impl Strategy<Value = Vec<Vec<u64>>> {
    let count = prop_oneof![4 => Just(0_u64), 3 => 1..10_u64, 3 => 10..40_u64, 2 => 40..300_u64];
    prop::collection::vec(prop::collection::vec(count, 16), times)
}

fn leaves(time: usize, counts: &[u64]) -> impl Iterator<Item = (u64, u64)> + '_ {
    let pairs = LEAVES.flat_map(|row| LEAVES.map(move |column| (row, column)));
    pairs.zip(counts).map(move |((row, column), count)| (key(time, row, column), *count))
}

/// The number of a pair of any nodes at a time.
fn number(counts: &[u64], row: u32, column: u32) -> u64 {
    let axis = axis();
    let within = |leaf: u32, node: u32| axis.chain(leaf).any(|above| above == node);
    let pairs = LEAVES.flat_map(|row| LEAVES.map(move |column| (row, column)));
    pairs.zip(counts).filter(|((r, c), _)| within(*r, row) && within(*c, column)).map(|(_, n)| n).sum()
}

fn trips(
    exit: &mut Exit,
    hours: &[Vec<u64>],
    travellers: SparseTable,
    visitors: Option<CountTable>,
) -> Protected {
    let (axis, tree) = (axis(), six_places());
    let all = hours.iter().enumerate().flat_map(|(hour, counts)| leaves(hour, counts).collect::<Vec<_>>());
    let guard = PairGuard::Trips {
        places: &axis,
        hours: hours.len(),
        travellers: 1,
        visitors: visitors.as_ref().map(|_| 0),
    };
    let (covered, groups) = (vec![true; tree.len()], vec![0; tree.len()]);
    let guards: Vec<Guard<'_>> = visitors
        .iter()
        .map(|_| Guard::Nested {
            tree: &tree,
            covered: &covered,
            groups: &groups,
            within: None,
            holding: None,
        })
        .collect();
    exit.protect(
        visitors.into_iter().collect(),
        &guards,
        vec![sparse(all), travellers],
        &[guard, PairGuard::Silent],
    )
}

/// Six unrelated countries would be six trees; here a tree with as many places as the axis has below its root is wanted,
/// and how they lie in each other is nothing to trips.
fn six_places() -> PlaceTree {
    let row = |code: &str| PlaceRow {
        codes: ["BE", "R", "P", "C", code].map(str::to_owned),
        ..PlaceRow::default()
    };
    let tree = PlaceTree::new(&[row("1"), row("2")]).expect("tree");
    assert_eq!((tree.len(), tree.of_level(Level::PostalCode).count()), (6, 2));
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    /// A day of trips is shown where enough people made them, an hour where its day is, and what the day has beside its
    /// shown hours is nobody's, or k trips for each other hour.
    #[test]
    fn trips_of_hours_tell_nothing_through_their_day(hours in crossed(3), few in prop::collection::vec(0..49_usize, 0..4), k in prop_oneof![Just(1_u64), Just(K)]) {
        let nodes = || (0..7_u32).flat_map(|row| (0..7_u32).map(move |column| (row, column)));
        let whole: Vec<u64> = (0..16).map(|at| hours.iter().map(|hour| hour[at]).sum()).collect();
        // Of some pairs, fewer travelled than k, however many trips they made.
        let of_pair = |(at, (row, column)): (usize, (u32, u32))| {
            let trips = number(&whole, row, column);
            (key(0, row, column), if few.contains(&at) { trips.min(k - 1) } else { trips })
        };
        let travellers = distinct(nodes().enumerate().map(of_pair), true);
        let protected = trips(&mut Exit::new(policy(k)), &hours, travellers, None);
        let pairs = &protected.pairs[0];
        prop_assert!(in_order(pairs));
        let shown = shown_of(pairs);
        let axis = &axis();
        for (at, (row, column)) in nodes().enumerate() {
            let of_day = shown.get(&(3, row, column));
            prop_assert!(of_day.is_none_or(|n| *n == number(&whole, row, column) && *n >= k && !few.contains(&at)));
            let up = [axis.parent(row).map(|row| (row, column)), axis.parent(column).map(|column| (row, column))];
            let mut rest = number(&whole, row, column);
            let mut others = 0;
            for (hour, counts) in hours.iter().enumerate() {
                match shown.get(&(hour, row, column)) {
                    Some(n) => {
                        prop_assert!(*n == number(counts, row, column) && *n >= k && of_day.is_some());
                        for (row, column) in up.into_iter().flatten() {
                            prop_assert!(shown.contains_key(&(hour, row, column)), "closed upwards");
                        }
                        rest -= n;
                    }
                    None => others += 1,
                }
            }
            prop_assert!(of_day.is_none() || others == 3 || rest == 0 || rest >= k * others || k == 1, "{rest} trips in {others} hours");
            // What is withheld beside the shown parts of a number of the day was made in any of its hours.
            if let Some(of_day) = of_day {
                let parts = |pairs: Vec<(u32, u32)>| {
                    let shown: u64 = pairs.iter().filter_map(|(row, column)| shown.get(&(3, *row, *column))).sum();
                    shown == 0 || *of_day == shown || of_day - shown >= if k > 1 { 3 * k } else { k }
                };
                let within = |node: u32| (0..7).filter(move |child| axis.parent(*child) == Some(node));
                prop_assert!(parts(within(row).map(|child| (child, column)).collect()));
                prop_assert!(parts(within(column).map(|child| (row, child)).collect()));
            }
            if k == 1 && few.is_empty() {
                let n = number(&whole, row, column);
                prop_assert_eq!(of_day.copied(), (n > 0).then_some(n), "every trip is a group of its own");
            }
        }
        prop_assert!(shown.keys().all(|(time, ..)| *time <= 3));
    }

    /// Present people by class: the totals of places are another table's, and nothing stands below a withheld one.
    #[test]
    fn classes_of_those_present_stand_below_their_totals(times in crossed(2), totals in prop::array::uniform2(prop::array::uniform3(0..40_u64))) {
        let (axis, tree) = (axis(), tree());
        let lattice = Lattice::of_places(&tree, &ALL);
        // Rows are everybody and places; here those around all, the communes, and 1.
        let of_time = |time: usize| leaves(time, &times[time]).collect::<Vec<_>>();
        let all: Vec<(u64, u64)> = (0..2).flat_map(of_time).collect();
        let sums_guard = Guard::Sums { lattice: &lattice, others: &[], groups: &GROUPS, counts_per_device: 1 };
        let guard = PairGuard::Present { rows: &axis, columns: &axis, totals: (0, vec![1, 0]) };
        let mut exit = Exit::new(policy(K));
        let protected = exit.protect(vec![sums(&totals)], &[sums_guard], vec![held(all)], &[guard]);
        let pairs = &protected.pairs[0];
        prop_assert!(in_order(pairs));
        let shown = shown_of(pairs);
        for ((time, row, column), n) in &shown {
            prop_assert!(*n >= K && *n == number(&times[*time], *row, *column));
            if let Some(place) = row.checked_sub(1) {
                prop_assert!(protected.tables[0].published(1 - time, place as usize).is_some(), "below a withheld total");
            }
            if let Some(above) = axis.parent(*column) {
                prop_assert!(shown.contains_key(&(*time, *row, above)));
            }
        }
        let somebody = (0..2).flat_map(|time| (0..7).flat_map(move |row| (0..7).map(move |column| (time, row, column))));
        let numbers = somebody.map(|(time, row, column)| number(&times[time], row, column)).filter(|n| *n > 0);
        let few = numbers.clone().filter(|n| *n < K).count() as u64;
        let hidden = numbers.count() as u64 - shown.len() as u64;
        prop_assert_eq!((pairs.account().too_few, pairs.account().protective), (few, hidden - few));
        for pair in pairs.pairs() {
            prop_assert_eq!(pair.weight, pair.devices * 3);
        }
    }
}

#[test]
fn a_quiet_day_of_trips_is_shown_with_its_hours() {
    let hours = vec![vec![200; 16], vec![100; 16]];
    let travellers =
        || distinct((0..7).flat_map(|row| (0..7).map(move |column| (key(0, row, column), 100))), true);
    let protected = trips(&mut Exit::new(policy(K)), &hours, travellers(), None);
    assert_eq!(protected.pairs[0].pairs().len(), 3 * 49);
    assert!(protected.pairs[1].pairs().is_empty(), "what only another guard looks at is not shown");
    // Nine trips in the second hour: the first gives way, or the day would tell them.
    let hours = vec![vec![200; 16], [vec![9], vec![100; 15]].concat()];
    let shown = shown_of(&trips(&mut Exit::new(policy(K)), &hours, travellers(), None).pairs[0]);
    assert_eq!([0, 1, 2].map(|time| shown.contains_key(&(time, 3, 3))), [false, false, true]);
    assert_eq!([0, 1, 2].map(|time| shown.contains_key(&(time, 6, 6))), [true, true, true]);
}

/// Which hours show the pair of nodes 3 and 3, and whether the day does, where the others are large.
fn hours_of_the_first(hours: &[[u64; 4]], travellers: u64) -> (Vec<usize>, bool) {
    // From 3 to 3 and to 4, and from 4 to the same; all others are a hundred.
    let counts = |[a, b, c, d]: &[u64; 4]| [vec![*a, *b, 100, 100, *c, *d], vec![100; 10]].concat();
    let hours: Vec<Vec<u64>> = hours.iter().map(counts).collect();
    let nodes = (0..7).flat_map(|row| (0..7).map(move |column| (row, column)));
    let few = |(row, column)| (key(0, row, column), if (row, column) == (3, 3) { travellers } else { 100 });
    let protected = trips(&mut Exit::new(policy(K)), &hours, distinct(nodes.map(few), true), None);
    let shown = shown_of(&protected.pairs[0]);
    let at = |time: &usize| shown.contains_key(&(*time, 3, 3));
    ((0..hours.len()).filter(at).collect(), at(&hours.len()))
}

#[test]
fn the_smallest_hours_give_way_until_the_others_are_enough() {
    let of = |first: &[u64]| {
        hours_of_the_first(&first.iter().map(|a| [*a, 100, 100, 100]).collect::<Vec<_>>(), 100)
    };
    assert_eq!(of(&[100, 50, 20]), (vec![0, 1, 2], true), "nothing is left of the day");
    assert_eq!(of(&[100, 15, 5]), (vec![0], true), "twenty in two hours are enough");
    assert_eq!(of(&[100, 14, 5]), (vec![], true), "nineteen are not");
    assert_eq!(of(&[100, 0, 9]), (vec![], true), "nor nine in two");
    assert_eq!(of(&[100, 14, 14]), (vec![0, 1, 2], true));
}

#[test]
fn a_day_of_trips_leaves_enough_for_each_of_its_hours() {
    // From 3 to 3 too few travelled, fifteen times: from 3 to 4 would tell it, as one of two hours may hold all.
    let beside = |trips: u64| {
        let counts = |first: u64| [vec![first], vec![100; 15]].concat();
        let hours = [counts(trips), counts(0)];
        let nodes = (0..7).flat_map(|row| (0..7).map(move |column| (row, column)));
        let few = |(row, column)| (key(0, row, column), if (row, column) == (3, 3) { 9 } else { 100 });
        let protected = trips_of(&hours, distinct(nodes.map(few), true));
        [(3, 3), (3, 4), (3, 1)].map(|(row, column)| protected.contains_key(&(2, row, column)))
    };
    assert!(!beside(15)[1..].iter().all(|shown| *shown), "fifteen");
    assert!(!beside(19)[1..].iter().all(|shown| *shown), "nineteen");
    assert_eq!(beside(20), [false, true, true], "twenty");
}

fn trips_of(hours: &[Vec<u64>], travellers: SparseTable) -> HashMap<(usize, u32, u32), u64> {
    shown_of(&trips(&mut Exit::new(policy(K)), hours, travellers, None).pairs[0])
}

#[test]
fn an_hour_gives_way_where_the_day_would_tell_another_pair_through_it() {
    // In the second hour five went from 3 to 4, so that hour withholds both; those from 3 to 3 follow from the day and
    // its first hour, and the five with them.
    assert_eq!(hours_of_the_first(&[[100, 100, 100, 100], [20, 5, 100, 100]], 100), (vec![], true));
    // The same by origin.
    assert_eq!(hours_of_the_first(&[[100, 100, 100, 100], [20, 100, 5, 100]], 100), (vec![], true));
    // Ten in two hours are fewer than twice ten.
    let twice = [[100, 100, 100, 100], [20, 5, 100, 100], [20, 5, 100, 100]];
    assert_eq!(hours_of_the_first(&twice, 100), (vec![], true));
    let nobody = [[100, 100, 100, 100], [20, 0, 100, 100]];
    assert_eq!(hours_of_the_first(&nobody, 100), (vec![0, 1], true));
}

#[test]
fn a_pair_that_an_hour_withholds_for_its_visitors_tells_nothing_of_a_crowd_beside_it() {
    // In the second hour 21 visitors are where twenty arrive, so these are withheld; beside them went so many.
    let shown = |beside: u64| {
        let of_hour = |a: u64, b: u64| [vec![a, b], vec![100; 14]].concat();
        let hours = [of_hour(100, 100), of_hour(20, beside)];
        let travellers =
            distinct((0..7).flat_map(|row| (0..7).map(move |column| (key(0, row, column), 100))), true);
        // Destination 3 is place 2.
        let visitors = counts(2, &[10_000, 10_000, 1_000, 0, 0, 0, 10_000, 10_000, 21, 0, 0, 0]);
        let protected = trips(&mut Exit::new(policy(K)), &hours, travellers, Some(visitors));
        let shown = shown_of(&protected.pairs[0]);
        [0, 1, 2].map(|time| shown.contains_key(&(time, 3, 3)))
    };
    assert_eq!(shown(10), [true, false, true]);
    assert_eq!(shown(9), [false, false, true]);
}

#[test]
fn who_arrives_is_a_visitor_and_those_beside_are_nobody_or_a_crowd() {
    let hours = vec![vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 95], vec![0; 16]];
    let travellers =
        || distinct((0..7).flat_map(|row| (0..7).map(move |column| (key(0, row, column), 95))), true);
    // Destination 6 lies in node 2: places 5 and 1 of the table of visitors.
    let shown = |there: u64, around: u64| {
        let mut visitors = vec![0; 12];
        (visitors[5], visitors[1]) = (there, around);
        let visitors = counts(2, &visitors);
        let protected = trips(&mut Exit::new(policy(K)), &hours, travellers(), Some(visitors));
        shown_of(&protected.pairs[0]).contains_key(&(0, 6, 6))
    };
    assert!(shown(95, 200) && shown(105, 200) && shown(105, 105));
    assert!(!shown(104, 200), "nine visitors did not arrive there");
    assert!(!shown(120, 104), "nor around it");
    assert!(shown(9, 200), "a withheld number tells nothing");
}

#[test]
fn visitors_by_class_are_apart_from_those_present() {
    let (axis, tree) = (axis(), tree());
    let lattice = Lattice::of_places(&tree, &ALL);
    // At node 4 (place 3, commune A) people of class 3, 4, 5 and 6.
    let shown_of_total = |total: u64, visitors: [u64; 4], present: [u64; 4]| {
        let of =
            |counts: [u64; 4]| (3..7).zip(counts).map(|(class, n)| (key(0, 4, class), n)).collect::<Vec<_>>();
        let guards = [
            Guard::Sums { lattice: &lattice, others: &[], groups: &GROUPS, counts_per_device: 1 },
            nested(&tree, None),
        ];
        let pair_guards = [
            PairGuard::Present { rows: &axis, columns: &axis, totals: (0, vec![0]) },
            PairGuard::Visiting { rows: &axis, columns: &axis, totals: 1, present: 0 },
        ];
        // Commune A, and whoever visits it visits both of its postal codes.
        let totals = [500, 500, 500, total, 500, total, total, 500];
        let tables = vec![sums(&[[60, 60, 60]]), counts(1, &totals)];
        let sparse = vec![held(of(present)), distinct(of(visitors), false)];
        let protected = Exit::new(policy(K)).protect(tables, &guards, sparse, &pair_guards);
        let shown = shown_of(&protected.pairs[1]);
        (0..7).filter(|class| shown.contains_key(&(0, 4, *class))).collect::<Vec<_>>()
    };
    let shown = |visitors, present| shown_of_total(500, visitors, present);
    assert_eq!(
        shown_of_total(491, [100; 4], [20; 4]),
        [0; 0],
        "nothing stands below a total that is withheld"
    );
    assert_eq!(shown([100, 100, 100, 100], [20, 20, 20, 20]), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(shown([100, 100, 100, 100], [90, 20, 20, 20]), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(shown([100, 100, 100, 100], [100, 20, 20, 20]), [0, 1, 2, 3, 4, 5, 6]);
    // Nine of class 3 were not there at the instant: the class is withheld, and is a crowd itself.
    assert_eq!(shown([100, 100, 100, 100], [91, 20, 20, 20]), [0, 1, 2, 4, 5, 6]);
    assert_eq!(
        shown([9, 100, 100, 100], [0, 20, 20, 20]),
        [0, 1, 2, 5, 6],
        "nine, and whom they would be told by"
    );
}
