//! The crowd: everybody's events under pseudonyms, which can be counted, once, and in no other way looked at.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use throng_schema::VersionIx;

use crate::{
    carried::Carried,
    count_table::{Ballot, Counted, Counters, Found, Shape, SparseShape},
    entrance::{Entrance, Lane, NO_HOME, Session},
    lattice::index,
    layout::{Frame, Layout, Rest, SHARDS},
    pseudonym::wipe_stack,
    share::Share,
    subscriber::Subscribers,
    trajectory::{Home, Sighting, Trajectory},
};

/// Where rows come from. The reader of files implements it; the anonymiser decides what becomes of identifiers.
pub trait Source {
    /// The source's own account of the rows: read, used, rejected and why.
    type Tally;
    /// What can go wrong while reading.
    type Error;

    /// Pours every row into batches of the entrance, from as many threads as it likes.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn pour(&self, entrance: &Entrance<'_>) -> Result<Self::Tally, Self::Error>;
}

/// Why there is no crowd.
#[derive(Debug, thiserror::Error)]
pub enum GatherError<E> {
    /// The source failed.
    #[error(transparent)]
    Source(E),
}

/// The events of everybody in a share, by pseudonym. It cannot be read, printed, cloned or written.
pub struct Crowd {
    layout: Layout,
    frame: Frame,
    /// What each thread gathered.
    lanes: Vec<Lane>,
    left_over: Option<Share>,
}

/// How a crowd is to be counted.
#[derive(Clone)]
pub struct Sitting<'a> {
    /// The dense tables.
    pub shapes: &'a [Shape],
    /// The sparse tables.
    pub sparse: &'a [SparseShape],
    /// Whether people are weighed ([`Ballot::weigh`]).
    pub weighed: bool,
    /// The time whose rows this sitting answers for: of rows outside it, in the context, nobody is told why they were
    /// taken out, for another sitting does so.
    pub own_us: Range<i64>,
    /// Who lives where.
    pub subscribers: &'a Subscribers,
    /// What is kept of people between sittings, where a report needs it.
    pub carried: Option<&'a Carried>,
}

impl<'a> Sitting<'a> {
    /// A sitting that answers for all rows and counts these tables alone.
    #[must_use]
    pub fn of(shapes: &'a [Shape], subscribers: &'a Subscribers) -> Self {
        Self { shapes, sparse: &[], weighed: false, own_us: i64::MIN..i64::MAX, subscribers, carried: None }
    }
}

/// What of one person's sightings is no presence of a person: it is given the sightings in order, and as many empty
/// entries, and says of which sightings it is why they are taken out.
pub type Sift<'a> = &'a (dyn Fn(&[Sighting], &mut [Option<Found>]) + Sync);

impl Crowd {
    /// Reads the source and keeps the people of `share`. Identifiers end here.
    ///
    /// Where the memory of the frame does not hold them all, fewer are kept: see [`Crowd::left_over`].
    ///
    /// # Errors
    /// When the source fails.
    pub fn gather<S: Source>(
        source: &S,
        subscribers: &Subscribers,
        frame: &Frame,
        share: Share,
    ) -> Result<(Self, S::Tally), GatherError<S::Error>> {
        let entrance = Entrance::open(subscribers, frame, Layout::new(frame), &share);
        let tally = source.pour(&entrance).map_err(GatherError::Source)?;
        rayon::broadcast(|_| wipe_stack());
        let (layout, lanes, left_over) = entrance.close();
        Ok((Self { layout, frame: frame.clone(), lanes, left_over }, tally))
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lanes.iter().flat_map(|lane| (0..SHARDS).map(|shard| lane.bytes(shard) as u64)).sum()
    }

    /// The people who did not fit the memory, to be counted in another pass.
    pub fn left_over(&mut self) -> Option<Share> {
        self.left_over.take()
    }

    /// Counts everybody: `visit` is called once for each person, and marks the slots that this person was in.
    ///
    /// A person counts at most once in a slot, however often it is marked. The counts of disjoint shares add
    /// ([`Counted::absorb`]), and do not depend on the number of threads, for they are sums of integers.
    ///
    /// A session's events are placed each by the plan of its own time: `moved` gives the version of a cell that
    /// holds at another time, none where the plan has the cell no longer. `sift`, if any, looks at the events of
    /// everybody who has no session.
    pub fn count<M, V>(self, sitting: &Sitting<'_>, moved: M, sift: Option<Sift<'_>>, visit: V) -> Counted
    where
        M: Fn(VersionIx, i64) -> Option<VersionIx> + Sync,
        V: Fn(&Trajectory<'_>, &mut Ballot<'_>) + Sync,
    {
        let Self { layout, frame, lanes, .. } = self;
        let room = Room { layout: &layout, frame: &frame, lanes: &lanes, sitting };
        let steps = Steps { moved, sift, visit };
        if layout.rest_fits_word() { room.count::<u64>(&steps) } else { room.count::<u128>(&steps) }
    }
}

/// The version of a cell that holds at another time.
trait Moved: Fn(VersionIx, i64) -> Option<VersionIx> + Sync {}
impl<F: Fn(VersionIx, i64) -> Option<VersionIx> + Sync> Moved for F {}

/// What marks the slots of one person.
trait Visit: Fn(&Trajectory<'_>, &mut Ballot<'_>) + Sync {}
impl<F: Fn(&Trajectory<'_>, &mut Ballot<'_>) + Sync> Visit for F {}

/// What is done with the rows of each person, one after the other.
struct Steps<'a, M, V> {
    moved: M,
    sift: Option<Sift<'a>>,
    visit: V,
}

impl Room<'_> {
    /// Whoever is free counts the next shard.
    fn count<R: Rest>(&self, steps: &Steps<'_, impl Moved, impl Visit>) -> Counted {
        let next = AtomicUsize::new(0);
        let counted = rayon::broadcast(|_| {
            let (mut desk, mut events) = (Desk::new(self), Events::<R>::default());
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= SHARDS {
                    return desk.finish();
                }
                desk.count(shard, &mut events, steps);
            }
        });
        counted.into_iter().reduce(Counted::absorb).unwrap_or_else(|| Desk::new(self).finish())
    }
}

/// Where one thread counts one shard after the other.
struct Desk<'a> {
    room: &'a Room<'a>,
    counters: Counters,
    devices: u64,
    found: [Vec<u64>; Found::ALL.len()],
    people: People,
    /// Of each entry on the lists of the lanes: the person's number.
    entries: Vec<u32>,
    /// Of each person by number: how many events, and then where the next one goes.
    next: Vec<u32>,
    /// Of each person by number: the smallest mobile country code that a row told, if any row told one.
    homes: Vec<u16>,
    sightings: Vec<Sighting>,
}

/// What all desks of a count look at.
struct Room<'a> {
    layout: &'a Layout,
    frame: &'a Frame,
    lanes: &'a [Lane],
    sitting: &'a Sitting<'a>,
}

impl<'a> Desk<'a> {
    fn new(room: &'a Room<'a>) -> Self {
        let Sitting { shapes, sparse, weighed, .. } = room.sitting;
        Self {
            room,
            counters: Counters::new(shapes, sparse, *weighed),
            devices: 0,
            found: Found::ALL.map(|_| vec![0; room.frame.files]),
            people: People::default(),
            entries: Vec::new(),
            next: Vec::new(),
            homes: Vec::new(),
            sightings: Vec::new(),
        }
    }

    fn finish(self) -> Counted {
        let (tables, sparse) = self.counters.into_tables();
        Counted { devices: self.devices, found: self.found, tables, sparse }
    }

    /// Counts the people of one shard, in the order of their numbers.
    fn count<R: Rest>(
        &mut self,
        shard: usize,
        events: &mut Events<R>,
        steps: &Steps<'_, impl Moved, impl Visit>,
    ) {
        let Room { layout, sitting, .. } = *self.room;
        let sessions = self.sessions(shard);
        let people = self.number(shard, &sessions);
        self.lay_out(shard, &people, events);
        let mut carried = sitting.carried.map(|carried| carried.shard(shard));
        let mut walk = carried.as_ref().map(|carried| carried.walk());
        let (mut sessions, mut from) = (sessions.as_slice(), 0);
        let mut own = Vec::new();
        for (person, number) in people {
            let until = self.next[number as usize] as usize;
            let (ours, others) = sessions.split_at(sessions.partition_point(|s| s.person == person));
            sessions = others;
            let rows = &mut events.by_person[std::mem::replace(&mut from, until)..until];
            sort(rows);
            let left = self.drop_duplicates(rows);
            let rows = &mut rows[..left];
            let rows = if ours.is_empty() {
                let left = steps.sift.map_or(left, |sift| self.sift(rows, sift));
                &rows[..left]
            } else {
                self.merge(rows, ours, &steps.moved, &mut own);
                &own[..]
            };
            if rows.is_empty() {
                continue;
            }
            self.devices += 1;
            self.sightings.clear();
            self.sightings.extend(rows.iter().map(|rest| sighting(layout, *rest)));
            let home = self.home(Layout::identity_in(shard, person), number);
            let remembered = carried.as_ref().zip(walk.as_mut()).and_then(|(c, walk)| c.recall(walk, person));
            let trajectory = Trajectory::new(&self.sightings, home, remembered);
            (steps.visit)(&trajectory, &mut self.counters.next_ballot());
            let said = self.counters.close_ballot();
            if let Some(walk) = &mut walk {
                walk.met(person, &said);
            }
        }
        if let (Some(carried), Some(walk)) = (&mut carried, walk) {
            carried.end(walk);
        }
    }

    /// The sessions of a shard in order, each once.
    fn sessions(&mut self, shard: usize) -> Vec<Session> {
        let mut sessions: Vec<Session> =
            self.room.lanes.iter().flat_map(|lane| lane.sessions(shard)).copied().collect();
        sessions.sort_unstable();
        let (own, [duplicates, ..]) = (&self.room.sitting.own_us, &mut self.found);
        sessions.dedup_by(|later, kept| {
            let same = row(later) == row(kept);
            duplicates[later.file as usize] += u64::from(same && own.contains(&later.start_us));
            same
        });
        sessions
    }

    /// Numbers the people of a shard as they come; gives them in order.
    fn number(&mut self, shard: usize, sessions: &[Session]) -> Vec<(u64, u32)> {
        let Self { people, entries, .. } = self;
        people.clear();
        entries.clear();
        for session in sessions {
            people.number(session.person);
        }
        let lanes = self.room.lanes;
        entries
            .extend(lanes.iter().flat_map(|lane| lane.persons(shard)).map(|person| people.number(*person)));
        let mut people: Vec<(u64, u32)> = people.known.iter().copied().zip(0..).collect();
        people.sort_unstable();
        self.find_homes(shard, people.len());
        people
    }

    /// The home networks of so many people.
    fn find_homes(&mut self, shard: usize, people: usize) {
        let (lanes, homes) = (self.room.lanes, &mut self.homes);
        homes.clear();
        if lanes.iter().all(|lane| lane.homes(shard).is_empty()) {
            return;
        }
        homes.resize(people, NO_HOME);
        let mut entries = self.entries.as_slice();
        for lane in lanes {
            let (of_lane, others) = entries.split_at(lane.persons(shard).len());
            for (number, mcc) in of_lane.iter().zip(lane.homes(shard)) {
                homes[*number as usize] = homes[*number as usize].min(*mcc);
            }
            entries = others;
        }
    }

    fn home(&self, identity: u64, number: u32) -> Home {
        let network = self.homes.get(number as usize).filter(|mcc| **mcc != NO_HOME);
        let residence = self.room.sitting.subscribers.residence(identity).map(Home::Place);
        residence.or(network.copied().map(Home::Network)).unwrap_or(Home::Unknown)
    }

    /// Lays the events of each person together, in the order of the people, and nearly in the order of time; then
    /// `next` tells where each one's end.
    ///
    /// This is a radix sort of two digits: a slice of the day, and the person.
    fn lay_out<R: Rest>(&mut self, shard: usize, people: &[(u64, u32)], events: &mut Events<R>) {
        let Self { entries, next, room, .. } = self;
        let Room { layout, lanes, .. } = *room;
        next.clear();
        next.resize(people.len(), 0);
        let mut slices = [0_u32; SLICES];
        each(lanes, shard, entries, |person, rest: R| {
            // There are fewer events in a shard than 32 bits count.
            next[person as usize] = next[person as usize].wrapping_add(1);
            let slice = &mut slices[usize::from(layout.slice(rest))];
            *slice = slice.wrapping_add(1);
        });
        let all = starts(slices.iter_mut());
        let mut start = 0;
        for (_, number) in people {
            start += std::mem::replace(&mut next[*number as usize], start);
        }
        events.resize(all as usize);
        let by_slice = &mut events.by_slice[..all as usize];
        each(lanes, shard, entries, |person, rest: R| {
            let at = &mut slices[usize::from(layout.slice(rest))];
            by_slice[*at as usize] = (person, rest);
            *at = at.wrapping_add(1);
        });
        for (person, rest) in by_slice {
            let at = &mut next[*person as usize];
            events.by_person[*at as usize] = *rest;
            *at = at.wrapping_add(1);
        }
    }

    /// A row with the person, time and cell of another is a duplicate; the file that sorts first keeps it. Says how
    /// many rows are left, which are the first ones.
    fn drop_duplicates<R: Rest>(&mut self, rows: &mut [R]) -> usize {
        let (layout, own, [duplicates, ..]) = (self.room.layout, &self.room.sitting.own_us, &mut self.found);
        // Few people have any.
        let same = |pair: &[R]| layout.identity(pair[0]) == layout.identity(pair[1]);
        if rows.windows(2).fold(true, |none, pair| none & !same(pair)) {
            return rows.len();
        }
        let mut left = 0;
        for i in 0..rows.len() {
            let row = rows[i];
            if left > 0 && layout.identity(rows[left - 1]) == layout.identity(row) {
                duplicates[layout.file(row)] += u64::from(own.contains(&layout.at_us(row)));
            } else {
                rows[left] = row;
                left += 1;
            }
        }
        left
    }

    /// Takes out what is no presence of a person; says how many rows are left, which are the first ones.
    fn sift<R: Rest>(&mut self, rows: &mut [R], sift: Sift<'_>) -> usize {
        let (layout, own) = (self.room.layout, &self.room.sitting.own_us);
        self.sightings.clear();
        self.sightings.extend(rows.iter().map(|rest| sighting(layout, *rest)));
        let mut verdicts = vec![None; rows.len()];
        sift(&self.sightings, &mut verdicts);
        let mut left = 0;
        for (i, verdict) in verdicts.into_iter().enumerate() {
            let row = rows[i];
            match verdict {
                Some(why) => {
                    self.found[why as usize][layout.file(row)] += u64::from(own.contains(&layout.at_us(row)));
                }
                None => {
                    rows[left] = row;
                    left += 1;
                }
            }
        }
        left
    }

    /// One person's sessions become the events they imply: at the start, at the end, and every `hold` in between.
    fn merge<R: Rest>(&mut self, rows: &[R], sessions: &[Session], moved: &impl Moved, all: &mut Vec<R>) {
        let Room { layout, frame, sitting, .. } = *self.room;
        let [duplicates, ..] = &mut self.found;
        all.clear();
        for rest in rows {
            let of_event = (sessions[0].person, layout.at_us(*rest), layout.version(*rest));
            if sessions.binary_search_by_key(&of_event, row).is_ok() {
                let own = sitting.own_us.contains(&layout.at_us(*rest));
                duplicates[layout.file(*rest)] += u64::from(own);
            } else {
                all.push(*rest);
            }
        }
        for session in sessions {
            for at_us in implied(session, frame) {
                if let Some(version) = moved(session.version, at_us) {
                    all.push(layout.rest(at_us, version, session.file));
                }
            }
        }
        all.sort_unstable();
        // What a session implies may coincide with a row of its own; that is one event, and no duplicate row.
        all.dedup_by_key(|rest| layout.identity(*rest));
    }
}

/// Slices of the time of a frame: of a day, about ten minutes each.
const SLICES: usize = 1 << u8::BITS;

/// Room for the events of a shard.
#[derive(Default)]
struct Events<R> {
    by_slice: Vec<(u32, R)>,
    by_person: Vec<R>,
}

impl<R: Rest> Events<R> {
    fn resize(&mut self, events: usize) {
        if self.by_person.len() < events {
            self.by_slice.resize(events, (0, R::default()));
            self.by_person.resize(events, R::default());
        }
    }
}

/// Every event of a shard, with the number of its person.
#[inline]
fn each<R: Rest>(lanes: &[Lane], shard: usize, entries: &[u32], mut give: impl FnMut(u32, R)) {
    let mut entries = entries;
    for lane in lanes {
        let (of_lane, others) = entries.split_at(lane.persons(shard).len());
        for (block, number_of) in lane.events(shard) {
            let rows = block.persons.iter().zip(block.rests);
            match block.higher {
                None => rows.for_each(|(p, rest)| give(of_lane[number_of(*p)], R::of(u128::from(*rest)))),
                Some(higher) => {
                    let rows = rows.zip(higher);
                    rows.for_each(|((p, rest), h)| {
                        give(of_lane[number_of(*p)], R::of(u128::from(*h) << u64::BITS | u128::from(*rest)))
                    });
                }
            }
        }
        entries = others;
    }
}

/// From how many there are of each, where each begins; gives how many there are of all.
fn starts<'n>(numbers: impl Iterator<Item = &'n mut u32>) -> u32 {
    numbers.fold(0, |start, number| start + std::mem::replace(number, start))
}

/// What tells rows that are sessions apart.
fn row(session: &Session) -> (u64, i64, VersionIx) {
    (session.person, session.start_us, session.version)
}

/// The people of a shard, numbered as they come.
#[derive(Default)]
struct People {
    /// One more than a number, or nothing; a power of two of them, at most half of them taken.
    slots: Vec<u32>,
    known: Vec<u64>,
}

impl People {
    fn clear(&mut self) {
        self.slots.fill(0);
        self.known.clear();
    }

    /// The number of a person. Pseudonyms are spread evenly, so that their last bits say where to look.
    #[inline]
    fn number(&mut self, person: u64) -> u32 {
        if 2 * self.known.len() >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = slot_of(person, mask);
        loop {
            match self.slots[at] {
                0 => break,
                number if self.known[number as usize - 1] == person => return number - 1,
                _ => at = (at + 1) & mask,
            }
        }
        self.known.push(person);
        self.slots[at] = index(self.known.len());
        self.slots[at] - 1
    }

    #[cold]
    fn grow(&mut self) {
        let len = (2 * self.slots.len()).max(1_024);
        self.slots.clear();
        self.slots.resize(len, 0);
        for (person, number) in self.known.iter().zip(1..) {
            let mut at = slot_of(*person, len - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = number;
        }
    }
}

#[inline]
fn slot_of(person: u64, mask: usize) -> usize {
    usize::try_from(person & mask as u64).unwrap_or(0)
}

/// Sorts one person's rows. Files are mostly in the order of time, so most rows lie where they belong, or nearly.
fn sort<R: Ord + Copy>(rows: &mut [R]) {
    let mut patience = 4 * rows.len();
    for i in 1..rows.len() {
        let row = rows[i];
        let mut at = i;
        while at > 0 && rows[at - 1] > row {
            rows[at] = rows[at - 1];
            at -= 1;
        }
        rows[at] = row;
        match patience.checked_sub(i - at) {
            Some(left) => patience = left,
            None => return rows.sort_unstable(),
        }
    }
}

#[inline]
fn sighting<R: Rest>(layout: &Layout, rest: R) -> Sighting {
    Sighting { at_us: layout.at_us(rest), cell: layout.version(rest) }
}

/// The times in the frame at which a session stands for an event.
fn implied(session: &Session, frame: &Frame) -> impl Iterator<Item = i64> + use<> {
    let (start, end, hold) = (session.start_us, session.end_us.0, frame.hold_us.max(1).cast_unsigned());
    let (from, until) = (frame.from_us, frame.until_us);
    let skipped = if start < from { start.abs_diff(from).div_ceil(hold) } else { 0 };
    let last = (start < end).then_some(end);
    (skipped..)
        .map_while(move |n| start.checked_add_unsigned(n.checked_mul(hold)?))
        .take_while(move |at| *at == start || *at < end)
        .chain(last)
        .skip_while(move |at| *at < from)
        .take_while(move |at| *at < until)
}

#[cfg(test)]
mod tests;
