//! The crowd: everybody's events under pseudonyms, which can be counted, once, and in no other way looked at.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use hashbrown::HashMap;
use throng_schema::VersionIx;

use crate::{
    carried::Carried,
    count_table::{Ballot, Counted, Counters, Found, Shape},
    entrance::{Entrance, Lane, Session, Shard},
    layout::{Event, Frame, FrameError, Layout},
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
    /// Days, cells and files are too many at once.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The events of everybody in a share, by pseudonym. It cannot be read, printed, cloned or written.
pub struct Crowd {
    layout: Layout,
    frame: Frame,
    /// The parts of each shard, one per thread that met its people.
    shards: Vec<Vec<Shard>>,
    /// Home networks by identity.
    homes: HashMap<u64, u16>,
    left_over: Option<Share>,
}

/// How a crowd is to be counted.
#[derive(Clone)]
pub struct Sitting<'a> {
    /// The dense tables.
    pub shapes: &'a [Shape],
    /// How many sparse tables there are.
    pub sparse: usize,
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
        Self { shapes, sparse: 0, weighed: false, own_us: i64::MIN..i64::MAX, subscribers, carried: None }
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
    /// When the source fails, or the frame has more than an event can tell apart.
    pub fn gather<S: Source>(
        source: &S,
        subscribers: &Subscribers,
        frame: &Frame,
        share: Share,
    ) -> Result<(Self, S::Tally), GatherError<S::Error>> {
        let entrance = Entrance::open(subscribers, frame, Layout::new(frame)?, &share);
        let tally = source.pour(&entrance).map_err(GatherError::Source)?;
        let (layout, mut lanes, left_over) = entrance.close();
        let mut homes = HashMap::new();
        for (pseudonym, mcc) in lanes.iter_mut().flat_map(|lane| lane.homes.drain()) {
            let known = homes.entry(Layout::identity_of(pseudonym)).or_insert(mcc);
            *known = mcc.min(*known);
        }
        Ok((Self { layout, frame: frame.clone(), shards: by_shard(lanes), homes, left_over }, tally))
    }

    /// How many events, and halves of sessions, it holds.
    #[must_use]
    pub fn events(&self) -> u64 {
        let of = |part: &Shard| part.events() as u64;
        self.shards.iter().flatten().map(of).sum()
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
        let Self { layout, frame, shards, homes, .. } = self;
        let queue = Mutex::new(shards.into_iter().enumerate());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let counted = rayon::broadcast(|_| {
            let mut desk = Desk::new(&layout, &frame, sitting, &homes);
            while let Some((shard, parts)) = next() {
                desk.count(shard, parts, &moved, sift, &visit);
            }
            desk.finish()
        });
        counted
            .into_iter()
            .reduce(Counted::absorb)
            .unwrap_or_else(|| Desk::new(&layout, &frame, sitting, &homes).finish())
    }
}

fn by_shard(lanes: Vec<Lane>) -> Vec<Vec<Shard>> {
    let mut shards: Vec<Vec<Shard>> = Vec::new();
    for lane in lanes {
        shards.resize_with(shards.len().max(lane.shards.len()), Vec::new);
        for (all, part) in shards.iter_mut().zip(lane.shards) {
            all.push(part);
        }
    }
    shards
}

/// Where one thread counts one shard after the other.
struct Desk<'a> {
    layout: &'a Layout,
    frame: &'a Frame,
    sitting: &'a Sitting<'a>,
    homes: &'a HashMap<u64, u16>,
    counters: Counters,
    devices: u64,
    found: [Vec<u64>; Found::ALL.len()],
    events: Vec<Event>,
    sightings: Vec<Sighting>,
}

impl<'a> Desk<'a> {
    fn new(
        layout: &'a Layout,
        frame: &'a Frame,
        sitting: &'a Sitting<'a>,
        homes: &'a HashMap<u64, u16>,
    ) -> Self {
        Self {
            layout,
            frame,
            sitting,
            homes,
            counters: Counters::new(sitting.shapes, sitting.sparse, sitting.weighed),
            devices: 0,
            found: Found::ALL.map(|_| vec![0; frame.files]),
            events: Vec::new(),
            sightings: Vec::new(),
        }
    }

    fn finish(self) -> Counted {
        let (tables, sparse) = self.counters.into_tables();
        Counted { devices: self.devices, found: self.found, tables, sparse }
    }

    fn count(
        &mut self,
        shard: usize,
        parts: Vec<Shard>,
        moved: impl Fn(VersionIx, i64) -> Option<VersionIx>,
        sift: Option<Sift<'_>>,
        visit: impl Fn(&Trajectory<'_>, &mut Ballot<'_>),
    ) {
        let sessions = self.lay_out(parts);
        self.events.sort_unstable();
        self.drop_duplicates();
        if let Some(sift) = sift {
            self.sift(&sessions, sift);
        }
        if !sessions.is_empty() {
            self.merge(sessions, moved);
        }
        self.walk(shard, visit);
    }

    /// One contiguous run of the shard's events, and its sessions.
    fn lay_out(&mut self, parts: Vec<Shard>) -> Vec<Session> {
        self.events.clear();
        let mut sessions = Vec::new();
        for part in parts {
            for block in part.full.into_iter().chain([part.open]) {
                self.events.extend(block);
            }
            sessions.extend(part.sessions);
        }
        sessions
    }

    /// A row with the person, time and cell of another is a duplicate; the file that sorts first keeps it.
    fn drop_duplicates(&mut self) {
        let (layout, own, [duplicates, ..]) = (self.layout, &self.sitting.own_us, &mut self.found);
        self.events.dedup_by(|later, kept| {
            let same = layout.identity(*later) == layout.identity(*kept);
            duplicates[layout.file(*later)] += u64::from(same && own.contains(&layout.at_us(*later)));
            same
        });
    }

    /// Takes out what is no presence of a person.
    fn sift(&mut self, sessions: &[Session], sift: Sift<'_>) {
        let (layout, own, found) = (self.layout, &self.sitting.own_us, &mut self.found);
        let mut sessions: Vec<u64> = sessions.iter().map(|session| session.person).collect();
        sessions.sort_unstable();
        let mut verdicts: Vec<Option<Found>> = Vec::with_capacity(self.events.len());
        let alike = |a: &Event, b: &Event| layout.person_of(*a) == layout.person_of(*b);
        for person in self.events.chunk_by(alike) {
            let first = verdicts.len();
            verdicts.resize(first + person.len(), None);
            if sessions.binary_search(&layout.person_of(person[0])).is_err() {
                self.sightings.clear();
                self.sightings.extend(person.iter().map(|event| sighting(layout, *event)));
                sift(&self.sightings, &mut verdicts[first..]);
            }
        }
        let mut verdicts = verdicts.into_iter();
        self.events.retain(|event| {
            let Some(why) = verdicts.next().flatten() else { return true };
            found[why as usize][layout.file(*event)] += u64::from(own.contains(&layout.at_us(*event)));
            false
        });
    }

    /// Sessions become the events they imply: at the start, at the end, and every `hold` in between.
    fn merge(&mut self, mut sessions: Vec<Session>, moved: impl Fn(VersionIx, i64) -> Option<VersionIx>) {
        sessions.sort_unstable();
        let (layout, frame, own) = (self.layout, self.frame, &self.sitting.own_us);
        let [duplicates, ..] = &mut self.found;
        let row = |s: &Session| (s.person, s.start_us, s.version);
        sessions.dedup_by(|later, kept| {
            let same = row(later) == row(kept);
            duplicates[later.file as usize] += u64::from(same && own.contains(&later.start_us));
            same
        });
        self.events.retain(|event| {
            let of_event = (layout.person_of(*event), layout.at_us(*event), layout.version(*event));
            let same = sessions.binary_search_by_key(&of_event, row).is_ok();
            duplicates[layout.file(*event)] += u64::from(same && own.contains(&layout.at_us(*event)));
            !same
        });
        for session in &sessions {
            for at_us in implied(session, frame) {
                if let Some(version) = moved(session.version, at_us) {
                    self.events.push(layout.event(session.person, at_us, version, session.file));
                }
            }
        }
        self.events.sort_unstable();
        // What a session implies may coincide with a row of its own; that is one event, and no duplicate row.
        self.events.dedup_by_key(|event| layout.identity(*event));
    }

    fn walk(&mut self, shard: usize, visit: impl Fn(&Trajectory<'_>, &mut Ballot<'_>)) {
        let (layout, sitting) = (self.layout, self.sitting);
        let mut carried = sitting.carried.map(|carried| carried.shard(shard));
        let mut walk = carried.as_ref().map(|carried| carried.walk());
        for events in self.events.chunk_by(|a, b| layout.person_of(*a) == layout.person_of(*b)) {
            self.devices += 1;
            self.sightings.clear();
            self.sightings.extend(events.iter().map(|event| sighting(layout, *event)));
            let person = layout.person_of(events[0]);
            let home = self.home(Layout::identity_in(shard, person));
            let remembered = carried.as_ref().zip(walk.as_mut()).and_then(|(c, walk)| c.recall(walk, person));
            visit(&Trajectory::new(&self.sightings, home, remembered), &mut self.counters.next_ballot());
            let said = self.counters.close_ballot();
            if let Some(walk) = &mut walk {
                walk.met(person, &said);
            }
        }
        if let (Some(carried), Some(walk)) = (&mut carried, walk) {
            carried.end(walk);
        }
    }

    #[inline]
    fn home(&self, identity: u64) -> Home {
        if self.homes.is_empty() && self.sitting.subscribers.knows_no_residence() {
            return Home::Unknown;
        }
        let place = self.sitting.subscribers.residence(identity).map(Home::Place);
        place.or_else(|| self.homes.get(&identity).copied().map(Home::Network)).unwrap_or(Home::Unknown)
    }
}

#[inline]
fn sighting(layout: &Layout, event: Event) -> Sighting {
    Sighting { at_us: layout.at_us(event), cell: layout.version(event) }
}

/// The times in the frame at which a session stands for an event.
fn implied(session: &Session, frame: &Frame) -> impl Iterator<Item = i64> + use<> {
    let (start, end, hold) = (session.start_us, session.end_us.0, frame.hold_us.max(1));
    let (from, until) = (frame.from_us, frame.until_us);
    let skipped = (from.saturating_sub(start).max(0) + hold - 1) / hold;
    let last = (start < end).then_some(end);
    (skipped..)
        .map_while(move |n| n.checked_mul(hold)?.checked_add(start))
        .take_while(move |at| *at == start || *at < end)
        .chain(last)
        .skip_while(move |at| *at < from)
        .take_while(move |at| *at < until)
}
