//! The crowd beside a plain model of it, which keeps every row and counts with sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    arena::BLOCK,
    entrance::{Batch, Met, Seen},
    opt_out_hash::{Algorithm, OptOutHash},
    share::Shares,
};

/// Whoever is met lives in one of these shards, so that the lists of shards grow beyond what 16 bits tell.
const HOMES: [usize; 3] = [0, 700, SHARDS - 1];

/// Subscribers in these shards.
const PEOPLE: usize = 24;

const UNTIL_US: i64 = 1 << 22;
const HOLD_US: i64 = 1_000;
const FILES: u32 = 4;
const CELLS: u32 = 8;
/// Where sessions are, and nothing else.
const CELL_OF_SESSIONS: u32 = 7;

/// A row of a subscriber by number, at a time and a cell, and perhaps a home network.
type Told = (usize, i64, u32, Option<u16>);

/// What a reader does with the three batches and the three lists of people met that it has in its hands.
#[derive(Clone, Debug)]
enum Step {
    /// Hands a batch in and takes another, of a file.
    Anew { batch: usize, file: u32 },
    /// Meets a dictionary.
    Meet { batch: usize, met: usize, ids: Vec<usize>, once: bool },
    /// Admits rows of those met: as many as are said, again and again.
    Rows { batch: usize, met: usize, rows: Vec<Told>, times: usize },
    /// Admits rows one by one, so many, of one and the other in turn.
    Singly { batch: usize, ids: [usize; 2], times: usize, mcc: Option<u16> },
    /// Sessions in turn, with a home network and no event.
    Sessions { batch: usize, ids: [usize; 2], times: usize, mcc: Option<u16> },
    /// A row that was there before, once more.
    Again { batch: usize, row: prop::sample::Index },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mcc = prop::option::of(200..204_u16);
    let told = (0..PEOPLE, 0..3_000_i64, 0..CELL_OF_SESSIONS, mcc.clone());
    let ids = prop::collection::vec(0..PEOPLE, 1..40);
    let pair = [0..PEOPLE, 0..PEOPLE];
    let many = prop_oneof![3 => 1..50_usize, 1 => 5_000..40_000_usize];
    let step = prop_oneof![
        1 => (0..3_usize, 0..FILES).prop_map(|(batch, file)| Step::Anew { batch, file }),
        3 => (0..3_usize, 0..3_usize, ids, prop::bool::weighted(0.8))
            .prop_map(|(batch, met, ids, once)| Step::Meet { batch, met, ids, once }),
        8 => (0..3_usize, 0..3_usize, prop::collection::vec(told, 1..30), prop_oneof![3 => 1..4_usize, 1 => 100..400_usize])
            .prop_map(|(batch, met, rows, times)| Step::Rows { batch, met, rows, times }),
        3 => (0..3_usize, pair.clone(), many.clone(), mcc.clone())
            .prop_map(|(batch, ids, times, mcc)| Step::Singly { batch, ids, times, mcc }),
        2 => (0..3_usize, pair, many, mcc)
            .prop_map(|(batch, ids, times, mcc)| Step::Sessions { batch, ids, times, mcc }),
        1 => (0..3_usize, any::<prop::sample::Index>()).prop_map(|(batch, row)| Step::Again { batch, row }),
    ];
    prop::collection::vec(step, 1..40)
}

/// Every row that was admitted: of the subscriber of this number, at a time and a cell, out of a file.
#[derive(Default, PartialEq, Debug)]
struct Model {
    events: Vec<(usize, i64, u32, u32)>,
    sessions: Vec<(usize, i64, i64)>,
    homes: BTreeMap<usize, u16>,
}

/// A count: people, duplicates by file, people by time and cell, people by home network.
type Open = (u64, Vec<u64>, BTreeMap<u64, u64>, BTreeMap<u64, u64>);

impl Model {
    fn home(&mut self, who: usize, mcc: Option<u16>) {
        if let Some(mcc) = mcc {
            let known = self.homes.entry(who).or_insert(mcc);
            *known = mcc.min(*known);
        }
    }

    fn counted(&self, files: usize) -> Open {
        let mut rows: BTreeMap<(usize, i64, u32), BTreeMap<u32, u64>> = BTreeMap::new();
        for (who, at_us, cell, file) in &self.events {
            *rows.entry((*who, *at_us, *cell)).or_default().entry(*file).or_default() += 1;
        }
        let mut duplicates = vec![0; files];
        for of_files in rows.values() {
            for (n, (file, times)) in of_files.iter().enumerate() {
                duplicates[*file as usize] += if n == 0 { times - 1 } else { *times };
            }
        }
        let mut seen: BTreeSet<(usize, i64, u32)> = rows.into_keys().collect();
        for (who, start_us, end_us) in &self.sessions {
            let times = (0..).map(|n| start_us + n * HOLD_US).take_while(|at_us| at_us < end_us);
            let times = times.chain([*end_us]).filter(|at_us| (0..UNTIL_US).contains(at_us));
            seen.extend(times.map(|at_us| (*who, at_us, CELL_OF_SESSIONS)));
        }
        let people: BTreeSet<usize> = seen.iter().map(|(who, ..)| *who).collect();
        let (mut by_slot, mut by_home) = (BTreeMap::new(), BTreeMap::new());
        for (_, at_us, cell) in &seen {
            *by_slot.entry(slot(*at_us, *cell)).or_default() += 1;
        }
        for mcc in self.homes.iter().filter(|(who, _)| people.contains(who)).map(|(_, mcc)| mcc) {
            *by_home.entry(u64::from(*mcc)).or_default() += 1;
        }
        (people.len() as u64, duplicates, by_slot, by_home)
    }
}

fn slot(at_us: i64, cell: u32) -> u64 {
    at_us.unsigned_abs() << 32 | u64::from(cell)
}

/// A reader that does these steps, in one thread, and keeps its own account of them.
struct Reader<'a> {
    steps: &'a [Step],
    ids: &'a [[u8; 4]],
}

impl Source for Reader<'_> {
    type Tally = Model;
    type Error = std::convert::Infallible;

    fn pour(&self, entrance: &Entrance<'_>) -> Result<Model, Self::Error> {
        let mut model = Model::default();
        let mut hands: [(Batch<'_>, u32); 3] = std::array::from_fn(|_| (entrance.batch(0), 0));
        let mut mets: [(Met, Vec<usize>); 3] = Default::default();
        let mut clock = 3_000;
        for step in self.steps {
            match step {
                Step::Anew { batch, file } => hands[*batch] = (entrance.batch(*file), *file),
                Step::Meet { batch, met, ids, once } => {
                    let (batch, (met, known)) = (&mut hands[*batch].0, &mut mets[*met]);
                    batch.meet_all(ids.iter().map(|id| &self.ids[*id][..]), met);
                    if *once {
                        batch.enter_once(met);
                    }
                    known.clone_from(ids);
                }
                Step::Rows { batch, met, rows, times } => {
                    let ((batch, file), (met, known)) = (&mut hands[*batch], &mut mets[*met]);
                    if known.is_empty() {
                        continue;
                    }
                    let mut all = Vec::new();
                    for (number, at_us, cell, mcc) in (0..*times).flat_map(|_| rows) {
                        clock += 1;
                        // Some where they are said to be, most at a time of their own.
                        let at_us = if all.len() < 3 { *at_us } else { clock };
                        let number = number % known.len();
                        let cell = VersionIx(*cell);
                        all.push(Seen {
                            number: u32::try_from(number).expect("few"),
                            cell,
                            mcc: *mcc,
                            at_us,
                        });
                        model.events.push((known[number], at_us, cell.0, *file));
                        model.home(known[number], *mcc);
                    }
                    let mut turned = Vec::new();
                    batch.admit_all(met, &all, &mut turned);
                    assert!(turned.is_empty(), "nobody opted out");
                }
                Step::Singly { batch, ids, times, mcc } => {
                    let (batch, file) = &mut hands[*batch];
                    for who in ids.iter().cycle().take(*times) {
                        clock += 1;
                        let pass =
                            batch.meet(&self.ids[*who], *mcc).unwrap_or_else(|_| panic!("turned away"));
                        batch.admit(pass, clock, VersionIx(1));
                        model.events.push((*who, clock, 1, *file));
                        model.home(*who, *mcc);
                    }
                }
                Step::Sessions { batch, ids, times, mcc } => {
                    for who in ids.iter().cycle().take(*times) {
                        clock += 1;
                        let end_us = clock + clock % 3 * HOLD_US / 2;
                        let batch = &mut hands[*batch].0;
                        let pass =
                            batch.meet(&self.ids[*who], *mcc).unwrap_or_else(|_| panic!("turned away"));
                        batch.admit_session(pass, clock, end_us, VersionIx(CELL_OF_SESSIONS));
                        model.sessions.push((*who, clock, end_us));
                        model.home(*who, *mcc);
                    }
                }
                Step::Again { batch, row } => {
                    if let Some((who, at_us, cell, _)) =
                        model.events.get(row.index(model.events.len().max(1))).copied()
                    {
                        let (batch, file) = &mut hands[*batch];
                        let pass = batch.meet(&self.ids[who], None).unwrap_or_else(|_| panic!("turned away"));
                        batch.admit(pass, at_us, VersionIx(cell));
                        model.events.push((who, at_us, cell, *file));
                    }
                }
            }
        }
        Ok(model)
    }
}

/// What is counted of these steps in as many passes as the memory asks for, and what the model says.
fn both(steps: &[Step], versions: usize, files: usize, memory: usize) -> (Open, Open) {
    let subscribers = Subscribers::new().expect("key");
    let of_shard = |shard: usize| {
        let lives_here = |id: &[u8; 4]| Layout::shard(subscribers.pseudonym(id)) == shard;
        (0_u32..).map(u32::to_be_bytes).filter(lives_here).take(PEOPLE / HOMES.len()).collect::<Vec<_>>()
    };
    let ids: Vec<[u8; 4]> = HOMES.into_iter().flat_map(of_shard).collect();
    let frame = Frame { from_us: 0, until_us: UNTIL_US, hold_us: HOLD_US, versions, files, memory };
    let reader = Reader { steps, ids: &ids };
    let sitting =
        Sitting { sparse: &[SparseShape::Keys, SparseShape::Keys], ..Sitting::of(&[], &subscribers) };
    let visit = |trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>| {
        for sighting in trajectory.sightings() {
            ballot.mark_key(0, slot(sighting.at_us, sighting.cell.0));
        }
        if let Home::Network(mcc) = trajectory.home() {
            ballot.mark_key(1, u64::from(mcc));
        }
    };
    let (mut shares, mut total, mut expected) = (Shares::planned(1), None::<Counted>, None);
    while let Some(share) = shares.take() {
        let Ok((mut crowd, model)) = Crowd::gather(&reader, &subscribers, &frame, share);
        shares.give_back(crowd.left_over());
        let counted = crowd.count(&sitting, |cell, _| Some(cell), None, visit);
        total = Some(match total {
            None => counted,
            Some(sum) => sum.absorb(counted),
        });
        expected = Some(model);
    }
    let Counted { devices, found: [duplicates, ..], sparse, .. } = total.expect("a pass");
    let [slots, homes] = [0, 1].map(|table| {
        sparse[table].devices.iter().map(|(key, tallied)| (*key, tallied.devices)).collect::<BTreeMap<_, _>>()
    });
    ((devices, duplicates, slots, homes), expected.expect("a pass").counted(files))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// However people are entered, in whatever batches, and however long blocks stay open: each event is its person's,
    /// each person is counted once, and each row once.
    #[test]
    fn a_crowd_is_what_sets_say(steps in steps(), wide: bool, little: bool) {
        let (versions, files) = if wide { (1 << 32, 1 << 16) } else { (CELLS as usize, FILES as usize) };
        let (counted, expected) = both(&steps, versions, files, if little { 1 << 18 } else { 1 << 30 });
        prop_assert_eq!(counted.0, expected.0);
        prop_assert_eq!(counted.1, expected.1);
        prop_assert!(counted.2 == expected.2, "people by time and cell");
        prop_assert_eq!(counted.3, expected.3);
    }
}

#[test]
fn a_list_may_grow_by_more_than_16_bits_tell() {
    let row = (1, 5, 2, Some(206));
    let met = |met, ids: &[usize]| Step::Meet { batch: 0, met, ids: ids.to_vec(), once: true };
    let rows = |met| Step::Rows { batch: 0, met, rows: vec![row], times: 1 };
    let singly = |times| Step::Singly { batch: 0, ids: [3, 4], times, mcc: None };
    let sessions = |times| Step::Sessions { batch: 0, ids: [1, 2], times, mcc: Some(208) };
    let steps = [
        met(0, &[0, 1, 2]),
        rows(0),
        met(1, &[5, 6]),
        rows(1),
        sessions(70_000),
        rows(0),
        singly(70_000),
        rows(0),
        rows(1),
        Step::Anew { batch: 0, file: 1 },
        rows(0),
        sessions(9_000),
        rows(1),
    ];
    let (counted, expected) = both(&steps, 8, 4, 1 << 30);
    assert!(counted == expected);
}

/// The times of a session in the frame, counted with more bits than any of them has.
fn plainly(start_us: i64, end_us: i64, frame: &Frame) -> Vec<i64> {
    let (start, end, hold) = (i128::from(start_us), i128::from(end_us), i128::from(frame.hold_us.max(1)));
    let frame = i128::from(frame.from_us)..i128::from(frame.until_us);
    let first = if start < frame.start { (frame.start - start + hold - 1) / hold } else { 0 };
    let times = (first..).map(|n| start + n * hold).take_while(|at| *at < end && *at < frame.end);
    let mut times: Vec<i128> = times.collect();
    if start == end && frame.contains(&start) {
        times = vec![start];
    } else if start < end && frame.contains(&end) {
        times.push(end);
    }
    times.into_iter().map(|at| i64::try_from(at).expect("in the frame")).collect()
}

fn moments() -> impl Strategy<Value = i64> {
    let near = |of: i64| (-3..=3_i64).prop_map(move |by| of.saturating_add(by));
    prop_oneof![near(i64::MIN), near(i64::MAX), near(0), any::<i64>(), -2_000..2_000_i64]
}

proptest! {
    /// A session may begin and end at any time that 64 bits tell, wherever the frame lies.
    #[test]
    fn sessions_are_cut_to_the_frame_at_the_ends_of_time(
        [start_us, end_us] in [moments(), moments()],
        from_us in prop_oneof![moments(), Just(i64::MIN), Just(i64::MAX - 100)],
        length_us in 0..1_000_i64,
        hold_us in prop_oneof![0..400_i64, Just(i64::MAX), 1 << 40..i64::MAX],
    ) {
        prop_assume!(start_us <= end_us);
        let until_us = from_us.saturating_add(length_us);
        let frame = Frame { from_us, until_us, hold_us, versions: 1, files: 1, memory: 0 };
        let session = Session {
            person: 0, start_us, version: VersionIx(0), end_us: std::cmp::Reverse(end_us), file: 0,
        };
        let times: Vec<i64> = implied(&session, &frame).collect();
        prop_assert_eq!(times, plainly(start_us, end_us, &frame));
    }
}

#[test]
fn a_crowd_of_nobody_is_counted() {
    let (counted, expected) = both(&[], 1, 1, 0);
    assert!(counted == expected && counted.0 == 0);
}

/// A dictionary of five, of whom three are turned away, and rows of each.
struct Dictionary {
    once: bool,
}

const LISTED: [&[u8]; 5] = [b"one", b"opted out", b"machine", b"digest", b"two"];

impl Source for Dictionary {
    type Tally = Vec<usize>;
    type Error = std::convert::Infallible;

    fn pour(&self, entrance: &Entrance<'_>) -> Result<Vec<usize>, Self::Error> {
        let (mut batch, mut met, mut turned) = (entrance.batch(0), Met::default(), Vec::new());
        batch.meet_all(LISTED.into_iter(), &mut met);
        if self.once {
            batch.enter_once(&mut met);
        }
        let seen = |row: u32| Seen { number: row % 5, cell: VersionIx(0), mcc: None, at_us: i64::from(row) };
        batch.admit_all(&mut met, &(0..3_000).map(seen).collect::<Vec<_>>(), &mut turned);
        Ok(turned)
    }
}

#[test]
fn every_row_of_who_is_turned_away_is_told_of_and_none_is_counted() {
    let mut subscribers = Subscribers::new().expect("key");
    subscribers.opt_out(LISTED[1]);
    subscribers.machine(LISTED[2]);
    subscribers.hash_with(OptOutHash::new(Algorithm::Blake3, String::new(), String::new()));
    subscribers.opt_out_digest(blake3::hash(LISTED[3]).as_bytes());
    for (once, files) in [(true, 1), (false, 1), (true, 1 << 32), (false, 1 << 32)] {
        // A frame of so many cells and files takes two words, but there is no room to tell of each file.
        let frame =
            Frame { from_us: 0, until_us: 3_000, hold_us: 1, versions: files, files, memory: 1 << 30 };
        let gathered = Crowd::gather(&Dictionary { once }, &subscribers, &frame, Share::whole());
        let Ok((mut crowd, turned)) = gathered;
        assert_eq!(turned, (0..3_000).filter(|row| (1..4).contains(&(row % 5))).collect::<Vec<usize>>());
        crowd.frame.files = 1;
        let sitting = Sitting { sparse: &[SparseShape::Keys], ..Sitting::of(&[], &subscribers) };
        let counted = crowd.count(
            &sitting,
            |cell, _| Some(cell),
            None,
            |trajectory, ballot| {
                assert_eq!(trajectory.sightings().len(), 600);
                ballot.mark_key(0, 7);
            },
        );
        assert_eq!((counted.devices, counted.sparse[0].devices[0].1.devices), (2, 2));
    }
}

/// A crowd of these steps, wherever its people live, and the model of it.
fn gathered(subscribers: &Subscribers, steps: &[Step]) -> (Crowd, Model) {
    let ids: Vec<[u8; 4]> = (0..24_u32).map(u32::to_be_bytes).collect();
    let frame =
        Frame { from_us: 0, until_us: UNTIL_US, hold_us: HOLD_US, versions: 8, files: 4, memory: 1 << 30 };
    let Ok(gathered) = Crowd::gather(&Reader { steps, ids: &ids }, subscribers, &frame, Share::whole());
    gathered
}

#[test]
fn a_crowd_says_how_many_bytes_it_takes() {
    let subscribers = Subscribers::new().expect("key");
    let bytes = |steps: &[Step]| gathered(&subscribers, steps).0.bytes();
    let singly = |times| Step::Singly { batch: 0, ids: [3, 3], times, mcc: None };
    // Whole blocks of events of ten bytes, and one person.
    let expected = |events: usize| (events.div_ceil(BLOCK) * BLOCK * 10 + 8) as u64;
    assert_eq!([0, 1, 1_500].map(|times| bytes(&[singly(times)])), [0, expected(1), expected(1_500)]);
}

/// A sieve: rows of cell 1 to 3 are taken out for the reason of that number.
fn sieve(sightings: &[Sighting], verdicts: &mut [Option<Found>]) {
    for (sighting, verdict) in sightings.iter().zip(verdicts) {
        *verdict =
            Some(sighting.cell.0 as usize).filter(|cell| (1..4).contains(cell)).map(|cell| Found::ALL[cell]);
    }
}

#[test]
fn what_a_sieve_takes_out_is_told_by_reason_and_file_and_counted_nowhere() {
    let subscribers = Subscribers::new().expect("key");
    let met = Step::Meet { batch: 0, met: 0, ids: vec![0, 1, 2], once: true };
    let rows = |rows: &[Told]| Step::Rows { batch: 0, met: 0, rows: rows.to_vec(), times: 1 };
    let steps = [
        Step::Anew { batch: 0, file: 2 },
        met.clone(),
        // Of the first, one of four is left; of the second, none; of the third, all.
        rows(&[(0, 10, 1, None), (0, 20, 0, None), (0, 30, 3, None), (0, 40, 3, None)]),
        rows(&[(1, 10, 2, None), (1, 20, 2, None), (2, 10, 4, None), (2, 20, 5, None)]),
        Step::Anew { batch: 0, file: 3 },
        met,
        rows(&[(0, 50, 3, None), (2, 30, 6, None)]),
    ];
    let (crowd, model) = gathered(&subscribers, &steps);
    let of_file = |file: u32, cell: u32| {
        model.events.iter().filter(|(_, _, c, f)| (*c, *f) == (cell, file)).count() as u64
    };
    let expected = |cell| (0..4).map(|file| of_file(file, cell)).collect::<Vec<_>>();
    let sitting = Sitting { sparse: &[SparseShape::Keys], ..Sitting::of(&[], &subscribers) };
    let counted = crowd.count(
        &sitting,
        |cell, _| Some(cell),
        Some(&sieve),
        |trajectory, ballot| {
            for sighting in trajectory.sightings() {
                ballot.mark_key(0, u64::from(sighting.cell.0));
            }
        },
    );
    assert_eq!(counted.devices, 2, "nothing is left of the second");
    assert_eq!(counted.found, [vec![0; 4], expected(1), expected(2), expected(3)]);
    assert_eq!(counted.found[3], [0, 0, 2, 1]);
    let left: BTreeMap<u64, u64> =
        counted.sparse[0].devices.iter().map(|(cell, tallied)| (*cell, tallied.devices)).collect();
    assert_eq!(left, BTreeMap::from([(0, 1), (4, 1), (5, 1), (6, 1)]));
}

#[test]
fn what_was_to_be_remembered_of_a_person_comes_back_at_the_next_sitting() {
    let subscribers = Subscribers::new().expect("key");
    let carried = Carried::default();
    // On each day, who came and in which cell; and what is known of those from the days before.
    let day = |rows: &[(usize, u32)]| {
        let met = Step::Meet { batch: 0, met: 0, ids: (0..24).collect(), once: true };
        let rows = rows.iter().map(|(who, cell)| (*who, 10, *cell, None)).collect();
        let steps = [met, Step::Rows { batch: 0, met: 0, rows, times: 1 }];
        let (crowd, _) = gathered(&subscribers, &steps);
        let known = std::sync::Mutex::new(BTreeMap::new());
        let sitting = Sitting { carried: Some(&carried), ..Sitting::of(&[], &subscribers) };
        crowd.count(
            &sitting,
            |cell, _| Some(cell),
            None,
            |trajectory, ballot| {
                let cell = trajectory.sightings()[0].cell.0;
                known.lock().expect("whole").insert(cell, trajectory.remembered());
                ballot.remember((cell != 6).then_some(cell));
            },
        );
        known.into_inner().expect("whole")
    };
    assert_eq!(day(&[(0, 1), (1, 2), (2, 6)]), BTreeMap::from([(1, None), (2, None), (6, None)]));
    assert_eq!(
        day(&[(0, 3), (2, 4), (3, 5)]),
        BTreeMap::from([(3, Some(Some(1))), (4, Some(None)), (5, None)])
    );
    assert_eq!(day(&[(1, 0), (0, 1)]), BTreeMap::from([(0, Some(Some(2))), (1, Some(Some(3)))]));
}

#[test]
fn the_end_of_a_session_that_falls_on_a_step_is_one_event() {
    let frame = Frame { from_us: 0, until_us: 100, hold_us: 5, versions: 1, files: 1, memory: 0 };
    let session = |end_us| Session {
        person: 0,
        start_us: 0,
        version: VersionIx(0),
        end_us: std::cmp::Reverse(end_us),
        file: 0,
    };
    let times = |end_us| implied(&session(end_us), &frame).collect::<Vec<_>>();
    assert_eq!([times(0), times(10), times(11)], [vec![0], vec![0, 5, 10], vec![0, 5, 10, 11]]);
}

proptest! {
    /// The people of one shard after another, of whom many begin to look for room at the same place.
    #[test]
    fn people_are_numbered_as_they_come(
        shards in prop::collection::vec((prop::collection::vec(0..1_500_u64, 0..1_500), 0..12_u32, any::<u64>()), 1..4),
    ) {
        let mut people = People::default();
        for (who, shift, salt) in shards {
            people.clear();
            let (mut known, mut numbers) = (Vec::new(), BTreeMap::new());
            for person in who.into_iter().map(|person| person << shift ^ salt) {
                let expected = *numbers.entry(person).or_insert_with(|| {
                    known.push(person);
                    known.len() - 1
                });
                prop_assert_eq!(people.number(person) as usize, expected);
                prop_assert!(2 * people.known.len() <= people.slots.len() + 1, "a table that is too full");
            }
            prop_assert_eq!(&people.known, &known);
        }
    }
}
