//! The crowd: everybody's events under pseudonyms, which can be counted, once, and in no other way looked at.

use std::sync::{Mutex, PoisonError};

use throng_schema::VersionIx;

use crate::{
    count_table::{Ballot, Counted, Counters, Shape},
    entrance::{Entrance, Lane, Session, Shard},
    layout::{Event, Frame, FrameError, Layout},
    share::Share,
    subscriber::Subscribers,
    trajectory::{Sighting, Trajectory},
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
    left_over: Option<Share>,
}

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
        let (layout, lanes, left_over) = entrance.close();
        Ok((Self { layout, frame: frame.clone(), shards: by_shard(lanes), left_over }, tally))
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
    /// holds at another time, none where the plan has the cell no longer.
    pub fn count<M, V>(self, shapes: &[Shape], moved: M, visit: V) -> Counted
    where
        M: Fn(VersionIx, i64) -> Option<VersionIx> + Sync,
        V: Fn(&Trajectory<'_>, &mut Ballot<'_>) + Sync,
    {
        let Self { layout, frame, shards, .. } = self;
        let queue = Mutex::new(shards.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let counted = rayon::broadcast(|_| {
            let mut desk = Desk::new(&layout, &frame, shapes);
            while let Some(parts) = next() {
                desk.count(parts, &moved, &visit);
            }
            desk.finish()
        });
        counted
            .into_iter()
            .reduce(Counted::absorb)
            .unwrap_or_else(|| Desk::new(&layout, &frame, shapes).finish())
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
    counters: Counters,
    devices: u64,
    duplicates: Vec<u64>,
    events: Vec<Event>,
    sightings: Vec<Sighting>,
}

impl<'a> Desk<'a> {
    fn new(layout: &'a Layout, frame: &'a Frame, shapes: &[Shape]) -> Self {
        let duplicates = vec![0; frame.files];
        let counters = Counters::new(shapes);
        Self { layout, frame, counters, devices: 0, duplicates, events: Vec::new(), sightings: Vec::new() }
    }

    fn finish(self) -> Counted {
        Counted { devices: self.devices, duplicates: self.duplicates, tables: self.counters.into_tables() }
    }

    fn count(
        &mut self,
        parts: Vec<Shard>,
        moved: impl Fn(VersionIx, i64) -> Option<VersionIx>,
        visit: impl Fn(&Trajectory<'_>, &mut Ballot<'_>),
    ) {
        let sessions = self.lay_out(parts);
        self.events.sort_unstable();
        self.drop_duplicates();
        if !sessions.is_empty() {
            self.merge(sessions, moved);
        }
        self.walk(visit);
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
        let (layout, duplicates) = (self.layout, &mut self.duplicates);
        self.events.dedup_by(|later, kept| {
            let same = layout.identity(*later) == layout.identity(*kept);
            duplicates[layout.file(*later)] += u64::from(same);
            same
        });
    }

    /// Sessions become the events they imply: at the start, at the end, and every `hold` in between.
    fn merge(&mut self, mut sessions: Vec<Session>, moved: impl Fn(VersionIx, i64) -> Option<VersionIx>) {
        sessions.sort_unstable();
        let (layout, frame, duplicates) = (self.layout, self.frame, &mut self.duplicates);
        let row = |s: &Session| (s.person, s.start_us, s.version);
        sessions.dedup_by(|later, kept| {
            let same = row(later) == row(kept);
            duplicates[later.file as usize] += u64::from(same);
            same
        });
        self.events.retain(|event| {
            let of_event = (layout.person_of(*event), layout.at_us(*event), layout.version(*event));
            let same = sessions.binary_search_by_key(&of_event, row).is_ok();
            duplicates[layout.file(*event)] += u64::from(same);
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

    fn walk(&mut self, visit: impl Fn(&Trajectory<'_>, &mut Ballot<'_>)) {
        let layout = self.layout;
        for person in self.events.chunk_by(|a, b| layout.person_of(*a) == layout.person_of(*b)) {
            self.devices += 1;
            self.sightings.clear();
            let sighting =
                |event: &Event| Sighting { at_us: layout.at_us(*event), cell: layout.version(*event) };
            self.sightings.extend(person.iter().map(sighting));
            visit(&Trajectory::new(&self.sightings), &mut self.counters.next_ballot());
        }
    }
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
