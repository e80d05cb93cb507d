//! What happens between the doors: order, duplicates, sessions, shares and memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rayon::prelude::*;
use throng_anonymiser::{
    Algorithm, Ballot, Counted, Crowd, Entrance, Frame, Guard, Lattice, OptOutHash, Policy, Shape, Share,
    Shares, Sitting, Source, Subscribers, Threshold, Trajectory, protect,
};
use throng_schema::{Grid, PlaceRow, PlaceTree, VersionIx};

/// (subscriber, time, cell, file, end of the session)
type Row = (u16, i64, u32, u32, Option<i64>);

struct Rows(Vec<Row>);

impl Source for Rows {
    type Tally = usize;
    type Error = std::convert::Infallible;

    fn pour(&self, entrance: &Entrance<'_>) -> Result<usize, Self::Error> {
        let turned_away = AtomicUsize::new(0);
        self.0.par_iter().for_each(|(id, at_us, cell, file, end_us)| {
            let mut batch = entrance.batch(*file);
            match (batch.meet(&id.to_be_bytes(), None), end_us) {
                (Err(_), _) => _ = turned_away.fetch_add(1, Ordering::Relaxed),
                (Ok(pass), None) => batch.admit(pass, *at_us, VersionIx(*cell)),
                (Ok(pass), Some(end_us)) => batch.admit_session(pass, *at_us, *end_us, VersionIx(*cell)),
            }
        });
        Ok(turned_away.into_inner())
    }
}

const SPAN: i64 = 64;
const CELLS: usize = 4;

fn frame(memory: usize) -> Frame {
    Frame { from_us: 0, until_us: SPAN, hold_us: 10, versions: CELLS, files: 3, memory }
}

/// A tree in which each cell of the plan is a postal code of its own.
fn tree() -> PlaceTree {
    let codes = |cell: usize| ["BE", "R", "P", "C", &cell.to_string()].map(str::to_owned);
    let rows: Vec<_> =
        (0..CELLS).map(|cell| PlaceRow { codes: codes(cell), ..PlaceRow::default() }).collect();
    PlaceTree::new(&rows).expect("tree")
}

/// The places above the postal codes.
const ABOVE: usize = 4;

fn shape() -> Shape {
    let times = usize::try_from(SPAN).expect("small");
    Shape::marked(Grid::new(times, ABOVE + CELLS))
}

/// Marks every sighting, twice: a person has one vote in each slot.
fn mark(trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>) {
    let sightings = trajectory.sightings();
    assert!(
        sightings.windows(2).all(|w| (w[0].at_us, w[0].cell) < (w[1].at_us, w[1].cell)),
        "in order, once each"
    );
    for sighting in sightings.iter().chain(sightings) {
        let time = usize::try_from(sighting.at_us).expect("in the frame");
        ballot.mark(0, time, ABOVE + sighting.cell.0 as usize);
    }
}

/// Devices, duplicates by file, and the counts by time and cell. With k = 1 nothing but nobody is withheld.
type Open = (u64, Vec<u64>, Vec<u64>);

fn count(rows: &[Row], subscribers: &Subscribers, memory: usize, mut shares: Shares) -> Open {
    let (source, frame) = (Rows(rows.to_vec()), frame(memory));
    let mut total: Option<Counted> = None;
    while let Some(share) = shares.take() {
        let (mut crowd, _) = Crowd::gather(&source, subscribers, &frame, share).expect("gathers");
        shares.give_back(crowd.left_over());
        let counted = crowd.count(&Sitting::of(&[shape()], subscribers), |cell, _| Some(cell), None, mark);
        total = Some(match total {
            None => counted,
            Some(sum) => sum.absorb(counted),
        });
    }
    let Counted { devices, found: [duplicates, ..], tables, .. } = total.expect("at least one share");
    let policy = Policy::certified(Threshold::accept_small(1).expect("one is something"));
    let lattice = Lattice::of_places(&tree(), &[true; ABOVE + CELLS]);
    let guard =
        Guard::Sums { lattice: &lattice, others: &[], groups: &[0; ABOVE + CELLS], counts_per_device: 1 };
    let table = protect(tables, &[guard], &policy).tables.remove(0);
    let slots =
        (0..shape().grid.times()).flat_map(|time| (ABOVE..ABOVE + CELLS).map(move |place| (time, place)));
    (devices, duplicates, slots.map(|(time, place)| table.published(time, place).unwrap_or(0)).collect())
}

const PLENTY: usize = 1 << 30;

fn count_all(rows: &[Row]) -> Open {
    count(rows, &Subscribers::new().expect("key"), PLENTY, Shares::planned(1))
}

fn at(open: &Open, time: i64, cell: usize) -> u64 {
    open.2[usize::try_from(time).expect("small") * CELLS + cell]
}

#[test]
fn a_row_that_repeats_person_time_and_cell_is_a_duplicate_of_the_first_file() {
    let open = count_all(&[(1, 5, 0, 2, None), (1, 5, 0, 1, None), (1, 5, 1, 2, None), (2, 5, 0, 2, None)]);
    assert_eq!((open.0, open.1.clone()), (2, vec![0, 0, 1]));
    assert_eq!((at(&open, 5, 0), at(&open, 5, 1)), (2, 1));
}

#[test]
fn a_session_is_seen_at_its_start_at_its_end_and_every_hold_in_between() {
    let open = count_all(&[(1, 3, 0, 0, Some(25)), (2, -14, 1, 0, Some(200)), (3, 40, 2, 0, Some(40))]);
    let seen = |cell: usize| (0..SPAN).filter(|time| at(&open, *time, cell) == 1).collect::<Vec<_>>();
    assert_eq!(seen(0), [3, 13, 23, 25]);
    assert_eq!(seen(1), [6, 16, 26, 36, 46, 56], "what lies outside the frame is cut off, the rhythm stays");
    assert_eq!(seen(2), [40]);
    assert_eq!((open.0, open.1), (3, vec![0, 0, 0]));
}

#[test]
fn of_sessions_with_one_start_the_longest_is_used_and_the_others_are_duplicates() {
    let open =
        count_all(&[(1, 3, 0, 0, Some(4)), (1, 3, 0, 1, Some(9)), (1, 3, 0, 2, None), (1, 9, 0, 2, None)]);
    assert_eq!(open.1, [1, 0, 1], "the row at 9 is a row of its own");
    assert_eq!((0..SPAN).map(|time| at(&open, time, 0)).sum::<u64>(), 2);
}

#[test]
fn who_opted_out_is_turned_away_in_every_pass() {
    let mut subscribers = Subscribers::new().expect("key");
    subscribers.opt_out(&1_u16.to_be_bytes());
    let rows = [(1, 5, 0, 0, None), (1, 6, 0, 0, None), (2, 5, 0, 0, None)];
    let (crowd, turned_away) =
        Crowd::gather(&Rows(rows.to_vec()), &subscribers, &frame(PLENTY), Share::whole()).expect("gathers");
    assert_eq!(turned_away, 2);
    assert_eq!(
        crowd.count(&Sitting::of(&[shape()], &subscribers), |cell, _| Some(cell), None, mark).devices,
        1
    );
}

#[test]
fn whose_digest_is_listed_is_turned_away_and_nobody_else() {
    let hash = OptOutHash::new(Algorithm::Blake3, "before".to_owned(), "after".to_owned());
    let rows: Vec<Row> = (0..300).map(|i| (i % 100, i64::from(i % 50), 0, 0, None)).collect();
    let turned_away = |salted: bool, hashed: bool| {
        let mut subscribers = Subscribers::new().expect("key");
        if hashed {
            subscribers.hash_with(hash.clone());
        }
        for id in [7_u16, 9] {
            let [before, after] = if salted { [&b"before"[..], b"after"] } else { [&b""[..]; 2] };
            let salted = [before, &id.to_be_bytes(), after].concat();
            subscribers.opt_out_digest(blake3::hash(&salted).as_bytes());
        }
        let gathered = Crowd::gather(&Rows(rows.clone()), &subscribers, &frame(PLENTY), Share::whole());
        gathered.expect("gathers").1
    };
    assert_eq!((turned_away(true, true), turned_away(false, true), turned_away(true, false)), (6, 0, 0));
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let end = prop::option::weighted(0.2, 0..30_i64);
    let row = (0..400_u16, 0..SPAN, 0..u32::try_from(CELLS).expect("small"), 0..3_u32, end)
        .prop_map(|(id, at, cell, file, length)| (id, at, cell, file, length.map(|length| at + length)));
    prop::collection::vec(row, 1..1_500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same rows give the same counts in any order, under any key, in any number of passes, in any memory.
    #[test]
    fn counts_depend_on_the_rows_alone(rows in rows(), passes in 1..5_usize, threads in 1..4_usize, seed: u64) {
        let expected = count_all(&rows);
        let mut shuffled = rows;
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).expect("31 bits") % (i + 1));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        let subscribers = Subscribers::new().expect("key");
        // 1 MiB holds 256 blocks, one a shard: the gathering has to let people go and come back for them.
        for memory in [PLENTY, 1 << 20] {
            let counted = pool.install(|| count(&shuffled, &subscribers, memory, Shares::planned(passes)));
            prop_assert_eq!(&counted, &expected);
        }
    }
}
