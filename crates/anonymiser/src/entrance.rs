//! The entrance: here an identifier becomes a keyed pseudonym, and nothing behind it has ever seen one.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{HashMap, hash_map::Entry};
use throng_schema::VersionIx;

use crate::{
    layout::{Event, Frame, Layout, SHARDS},
    recent::Recent,
    share::Share,
    subscriber::Subscribers,
};

/// Events in a block. Blocks of 4 KiB waste little where a shard holds few, and cost nothing to hand over.
const BLOCK: usize = 256;

/// Events a batch holds before it takes its thread's lane: few enough to stay in the first-level cache.
const BATCH: usize = 1_024;

/// What two words of memory an admitted session stands for beside an event.
const EVENTS_PER_SESSION: usize = 2;

/// What a home network takes of the room for events: 16 bytes.
const EVENTS_PER_HOME: usize = 1;

/// Subscribers whose home network a batch remembers to have handed over, so that most rows hand over none.
const HOMES_RECENT: usize = 4_096;

/// A row with an end: it stands for events at its start, at its end, and in between.
///
/// The order of the fields is the order of sorting: of rows with the same person, start and cell, the one that
/// ends last comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    pub(crate) person: u64,
    pub(crate) start_us: i64,
    pub(crate) version: VersionIx,
    pub(crate) end_us: std::cmp::Reverse<i64>,
    pub(crate) file: u32,
}

/// The events of the people of one shard, in blocks, as one thread saw them.
#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) full: Vec<Vec<Event>>,
    pub(crate) open: Vec<Event>,
    pub(crate) sessions: Vec<Session>,
}

impl Shard {
    pub(crate) fn events(&self) -> usize {
        self.full.len() * BLOCK + self.open.capacity() + EVENTS_PER_SESSION * self.sessions.len()
    }
}

/// What one thread has gathered.
pub(crate) struct Lane {
    pub(crate) shards: Vec<Shard>,
    /// The mobile country code of the home network by pseudonym, of those whose rows told it: the smallest, where
    /// rows differ, so that it does not depend on their order.
    pub(crate) homes: HashMap<u64, u16>,
    limit_seen: usize,
}

impl Lane {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { shards, homes: HashMap::new(), limit_seen: SHARDS }
    }

    /// Notes a home network; whether it is the first of this subscriber.
    fn settle_home(&mut self, pseudonym: u64, mcc: u16) -> bool {
        match self.homes.entry(pseudonym) {
            Entry::Vacant(entry) => {
                entry.insert(mcc);
                true
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                *known = mcc.min(*known);
                false
            }
        }
    }

    /// Forgets the home networks of who is not counted in this pass; says of how many.
    fn let_homes_go(&mut self, limit: usize) -> usize {
        let before = self.homes.len();
        self.homes.retain(|pseudonym, _| Layout::shard(*pseudonym) < limit);
        self.homes.shrink_to_fit();
        before - self.homes.len()
    }
}

/// The open door of one gathering: batches are admitted here, from any number of threads.
pub struct Entrance<'a> {
    subscribers: &'a Subscribers,
    layout: Layout,
    frame: &'a Frame,
    shards: Range<usize>,
    /// First shard that is no longer taken; it sinks when the memory is full.
    limit: AtomicUsize,
    /// Events there is room for, and for how many it is taken.
    room: usize,
    taken: AtomicUsize,
    lanes: Vec<Mutex<Lane>>,
}

/// Proof that the entrance met a subscriber who has not opted out. It is spent by admitting a row.
///
/// It holds the pseudonym, and so cannot be printed, cloned, compared or read.
pub struct Pass {
    pseudonym: u64,
    /// The mobile country code of the home network, if the row tells it.
    mcc: Option<u16>,
}

/// Why a subscriber is turned away at the entrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Opted out.
    OptedOut,
    /// Listed as a machine.
    Machine,
}

/// Subscribers whose verdict by a hashed list a batch remembers: a mebibyte, which is read faster than a hash is made.
const VERDICTS_RECENT: usize = 1 << 16;

/// Rows on their way in, all from one file.
pub struct Batch<'a> {
    entrance: &'a Entrance<'a>,
    file: u32,
    events: Vec<(usize, Event)>,
    sessions: Vec<(usize, Session)>,
    homes: Vec<(u64, u16)>,
    homes_recent: Recent<u16>,
    verdicts_recent: Recent<bool>,
}

impl<'a> Entrance<'a> {
    pub(crate) fn open(
        subscribers: &'a Subscribers,
        frame: &'a Frame,
        layout: Layout,
        share: &Share,
    ) -> Self {
        let shards = share.range();
        Self {
            subscribers,
            layout,
            frame,
            limit: AtomicUsize::new(shards.end),
            shards,
            room: frame.memory / size_of::<Event>(),
            taken: AtomicUsize::new(0),
            lanes: (0..rayon::current_num_threads()).map(|_| Mutex::new(Lane::new())).collect(),
        }
    }

    /// A batch for rows of the file with this number, below [`Frame::files`].
    ///
    /// Dropping it admits what it holds.
    #[must_use]
    pub fn batch(&'a self, file: u32) -> Batch<'a> {
        Batch {
            entrance: self,
            file,
            events: Vec::with_capacity(BATCH),
            sessions: Vec::new(),
            homes: Vec::new(),
            homes_recent: Recent::new(HOMES_RECENT),
            verdicts_recent: Recent::new(VERDICTS_RECENT),
        }
    }

    /// The lanes, and what of the share was let go because it did not fit.
    pub(crate) fn close(self) -> (Layout, Vec<Lane>, Option<Share>) {
        let limit = self.limit.load(Ordering::Acquire);
        let mut lanes: Vec<Lane> = self
            .lanes
            .into_iter()
            .map(|lane| lane.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect();
        for lane in &mut lanes {
            lane.shards.truncate(limit);
            if limit < lane.limit_seen {
                lane.let_homes_go(limit);
            }
        }
        (self.layout, lanes, Share::of(limit..self.shards.end))
    }

    /// The lane of this thread. Two threads share one only where neither belongs to the pool.
    fn lane(&self) -> MutexGuard<'_, Lane> {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.lanes.len();
        self.lanes[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(
        &self,
        events: &mut Vec<(usize, Event)>,
        sessions: &mut Vec<(usize, Session)>,
        homes: &mut Vec<(u64, u16)>,
    ) {
        let mut lane = self.lane();
        let limit = self.limit.load(Ordering::Acquire);
        let mut grown = 0;
        for (shard, event) in events.drain(..) {
            if shard >= limit {
                continue;
            }
            let shard = &mut lane.shards[shard];
            if shard.open.len() == shard.open.capacity() {
                if !shard.open.is_empty() {
                    let block = std::mem::take(&mut shard.open);
                    shard.full.push(block);
                }
                shard.open.reserve_exact(BLOCK);
                grown += BLOCK;
            }
            shard.open.push(event);
        }
        for (shard, session) in sessions.drain(..) {
            if shard < limit {
                lane.shards[shard].sessions.push(session);
                grown += EVENTS_PER_SESSION;
            }
        }
        for (pseudonym, mcc) in homes.drain(..) {
            if Layout::shard(pseudonym) < limit && lane.settle_home(pseudonym, mcc) {
                grown += EVENTS_PER_HOME;
            }
        }
        if self.taken.fetch_add(grown, Ordering::AcqRel) + grown > self.room {
            self.shrink(limit);
        }
        self.let_go(&mut lane);
    }

    /// Takes a quarter of the share less: those people are counted in another pass.
    fn shrink(&self, limit: usize) {
        let kept = limit - self.shards.start;
        let lower = self.shards.start + (kept - kept / 4).max(1);
        // Where another thread was first, its lower limit stands.
        let _ = self.limit.compare_exchange(limit, lower, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Frees what lies over the limit, if it sank since this lane last looked.
    fn let_go(&self, lane: &mut Lane) {
        let limit = self.limit.load(Ordering::Acquire);
        if limit < lane.limit_seen {
            let events: usize = lane.shards[limit..lane.limit_seen].iter().map(Shard::events).sum();
            let freed = events + EVENTS_PER_HOME * lane.let_homes_go(limit);
            for shard in &mut lane.shards[limit..] {
                *shard = Shard::default();
            }
            lane.limit_seen = limit;
            self.taken.fetch_sub(freed, Ordering::AcqRel);
        }
    }
}

impl Batch<'_> {
    /// Meets a subscriber by identifier, opaque bytes, which go no further. `mcc` is the mobile country code of the
    /// home network, if the row tells it and somebody asks for it; it is kept when the pass is spent, and only then.
    ///
    /// # Errors
    /// For who opted out, and for machines.
    #[inline]
    pub fn meet(&mut self, id: &[u8], mcc: Option<u16>) -> Result<Pass, Turned> {
        let subscribers = self.entrance.subscribers;
        let pseudonym = subscribers.pseudonym(id);
        if subscribers.opted_out(pseudonym) || self.digest_opted_out(pseudonym, id) {
            Err(Turned::OptedOut)
        } else if subscribers.is_machine(pseudonym) {
            Err(Turned::Machine)
        } else {
            Ok(Pass { pseudonym, mcc })
        }
    }

    /// Whether anything from `start_us` to `end_us`, both included, lies in the frame.
    #[inline]
    #[must_use]
    pub fn wants(&self, start_us: i64, end_us: i64) -> bool {
        start_us < self.entrance.frame.until_us && end_us >= self.entrance.frame.from_us
    }

    /// Admits an event: a time in microseconds since 1970 UTC, within the frame, and the version of the cell.
    ///
    /// People outside this pass's share are passed over; another pass counts them.
    #[inline]
    pub fn admit(&mut self, pass: Pass, at_us: i64, cell: VersionIx) {
        let (shard, layout) = (Layout::shard(pass.pseudonym), &self.entrance.layout);
        debug_assert!((self.entrance.frame.from_us..self.entrance.frame.until_us).contains(&at_us));
        if self.entrance.shards.contains(&shard) {
            let person = Layout::person(pass.pseudonym);
            self.events.push((shard, layout.event(person, at_us, cell, self.file)));
            self.keep_home(&pass);
            self.flush_if_full();
        }
    }

    /// Admits a session from `start_us` to `end_us`, both included, some of it within the frame.
    #[inline]
    pub fn admit_session(&mut self, pass: Pass, start_us: i64, end_us: i64, cell: VersionIx) {
        let shard = Layout::shard(pass.pseudonym);
        if self.entrance.shards.contains(&shard) {
            let person = Layout::person(pass.pseudonym);
            let end_us = std::cmp::Reverse(end_us);
            self.sessions.push((shard, Session { person, start_us, version: cell, end_us, file: self.file }));
            self.keep_home(&pass);
            self.flush_if_full();
        }
    }

    /// Whether the operator's list has the digest of this subscriber: hashed once, and remembered for a while.
    #[inline]
    fn digest_opted_out(&mut self, pseudonym: u64, id: &[u8]) -> bool {
        let subscribers = self.entrance.subscribers;
        let Some(hash) = subscribers.digests() else { return false };
        self.verdicts_recent.get(pseudonym).unwrap_or_else(|| {
            let verdict = subscribers.digest_opted_out(hash, id);
            self.verdicts_recent.put(pseudonym, verdict);
            verdict
        })
    }

    #[inline]
    fn keep_home(&mut self, pass: &Pass) {
        if let Some(mcc) = pass.mcc
            && self.homes_recent.get(pass.pseudonym) != Some(mcc)
        {
            self.homes_recent.put(pass.pseudonym, mcc);
            self.homes.push((pass.pseudonym, mcc));
        }
    }

    #[inline]
    fn flush_if_full(&mut self) {
        if self.events.len() + self.sessions.len() >= BATCH {
            self.entrance.admit(&mut self.events, &mut self.sessions, &mut self.homes);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.entrance.admit(&mut self.events, &mut self.sessions, &mut self.homes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 1 << 20;

    fn frame(memory: usize) -> Frame {
        Frame { from_us: 0, until_us: 64, hold_us: 1, versions: 1, files: 1, memory }
    }

    /// The home networks that the lanes hold after these subscribers were met, and the share that was taken.
    fn homes_of(
        rows: &[(u32, Option<u16>)],
        share: &Share,
        memory: usize,
    ) -> (Subscribers, HashMap<u64, u16>, Range<usize>) {
        let subscribers = Subscribers::new().expect("key");
        let frame = frame(memory);
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame).expect("fits"), share);
        let mut batch = entrance.batch(0);
        for (id, mcc) in rows {
            let pass = batch.meet(&id.to_be_bytes(), *mcc).unwrap_or_else(|_| panic!("turned away"));
            if id % 2 == 0 {
                batch.admit(pass, 5, VersionIx(0));
            } else {
                batch.admit_session(pass, 5, 7, VersionIx(0));
            }
        }
        drop(batch);
        let (_, lanes, left) = entrance.close();
        let taken = share.range().start..left.map_or(share.range().end, |left| left.range().start);
        let mut homes = HashMap::new();
        for lane in lanes {
            homes.extend(lane.homes);
        }
        (subscribers, homes, taken)
    }

    #[test]
    fn the_smallest_home_network_is_kept_whatever_the_order() {
        let rows = [(1, Some(262)), (2, None), (1, Some(206)), (1, Some(262)), (4, Some(208)), (1, None)];
        let mut reversed = rows;
        reversed.reverse();
        for rows in [rows, reversed] {
            let (subscribers, homes, _) = homes_of(&rows, &Share::whole(), MEMORY);
            let home = |id: u32| homes.get(&subscribers.pseudonym(&id.to_be_bytes())).copied();
            assert_eq!([1, 2, 4].map(home), [Some(206), None, Some(208)]);
            assert_eq!(homes.len(), 2);
        }
    }

    #[test]
    fn only_who_is_counted_in_this_pass_has_a_home_network() {
        let rows: Vec<_> = (0..20_000).map(|id| (id, Some(206))).collect();
        for (share, memory) in [(Share::split(3).remove(1), 1 << 30), (Share::whole(), 2 * MEMORY)] {
            let (subscribers, homes, taken) = homes_of(&rows, &share, memory);
            let expected = rows.iter().map(|(id, _)| subscribers.pseudonym(&id.to_be_bytes()));
            let expected: Vec<_> = expected.filter(|p| taken.contains(&Layout::shard(*p))).collect();
            assert!(!taken.is_empty() && taken.len() < SHARDS);
            assert!(homes.len() == expected.len() && expected.iter().all(|p| homes.contains_key(p)));
        }
    }

    #[test]
    fn a_pass_that_is_not_spent_leaves_no_home_network() {
        let (subscribers, frame) = (Subscribers::new().expect("key"), frame(MEMORY));
        let layout = Layout::new(&frame).expect("fits");
        let entrance = Entrance::open(&subscribers, &frame, layout, &Share::whole());
        assert!(entrance.batch(0).meet(b"one", Some(206)).is_ok());
        assert!(entrance.close().1.iter().all(|lane| lane.homes.is_empty()));
    }
}
