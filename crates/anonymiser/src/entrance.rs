//! The entrance: here an identifier becomes a keyed pseudonym, and nothing behind it has ever seen one.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::HashMap;
use throng_schema::VersionIx;

use crate::{
    layout::{Event, Frame, Layout, SHARDS},
    share::Share,
    subscriber::Subscribers,
};

/// Events in a block. Blocks of 4 KiB waste little where a shard holds few, and cost nothing to hand over.
const BLOCK: usize = 256;

/// Events a batch holds before it takes its thread's lane: few enough to stay in the first-level cache.
const BATCH: usize = 1_024;

/// What two words of memory an admitted session stands for beside an event.
const EVENTS_PER_SESSION: usize = 2;

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
    /// The mobile country codes of home networks, by pseudonym, as far as rows tell them.
    pub(crate) homes: HashMap<u64, u16>,
    limit_seen: usize,
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
pub struct Pass(u64);

/// Why a subscriber is turned away at the entrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Opted out.
    OptedOut,
    /// Listed as a machine.
    Machine,
}

/// Rows on their way in, all from one file.
pub struct Batch<'a> {
    entrance: &'a Entrance<'a>,
    file: u32,
    events: Vec<(usize, Event)>,
    sessions: Vec<(usize, Session)>,
}

impl<'a> Entrance<'a> {
    pub(crate) fn open(
        subscribers: &'a Subscribers,
        frame: &'a Frame,
        layout: Layout,
        share: &Share,
    ) -> Self {
        let shards = share.range();
        let lane = || {
            let shards = (0..SHARDS).map(|_| Shard::default()).collect();
            Mutex::new(Lane { shards, homes: HashMap::new(), limit_seen: SHARDS })
        };
        Self {
            subscribers,
            layout,
            frame,
            limit: AtomicUsize::new(shards.end),
            shards,
            room: frame.memory / size_of::<Event>(),
            taken: AtomicUsize::new(0),
            lanes: (0..rayon::current_num_threads()).map(|_| lane()).collect(),
        }
    }

    /// A batch for rows of the file with this number, below [`Frame::files`].
    ///
    /// Dropping it admits what it holds.
    #[must_use]
    pub fn batch(&'a self, file: u32) -> Batch<'a> {
        Batch { entrance: self, file, events: Vec::with_capacity(BATCH), sessions: Vec::new() }
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
        }
        (self.layout, lanes, Share::of(limit..self.shards.end))
    }

    /// The lane of this thread. Two threads share one only where neither belongs to the pool.
    fn lane(&self) -> MutexGuard<'_, Lane> {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.lanes.len();
        self.lanes[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, events: &mut Vec<(usize, Event)>, sessions: &mut Vec<(usize, Session)>) {
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
            let freed: usize = lane.shards[limit..lane.limit_seen].iter().map(Shard::events).sum();
            for shard in &mut lane.shards[limit..] {
                *shard = Shard::default();
            }
            lane.limit_seen = limit;
            self.taken.fetch_sub(freed, Ordering::AcqRel);
        }
    }
}

impl Batch<'_> {
    /// Meets a subscriber by identifier, opaque bytes, which go no further.
    ///
    /// # Errors
    /// For who opted out, and for machines.
    #[inline]
    pub fn meet(&mut self, id: &[u8]) -> Result<Pass, Turned> {
        let subscribers = self.entrance.subscribers;
        let pseudonym = subscribers.pseudonym(id);
        if subscribers.opted_out(pseudonym) {
            Err(Turned::OptedOut)
        } else if subscribers.is_machine(pseudonym) {
            Err(Turned::Machine)
        } else {
            Ok(Pass(pseudonym))
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
        let (shard, layout) = (Layout::shard(pass.0), &self.entrance.layout);
        debug_assert!((self.entrance.frame.from_us..self.entrance.frame.until_us).contains(&at_us));
        if self.entrance.shards.contains(&shard) {
            self.events.push((shard, layout.event(Layout::person(pass.0), at_us, cell, self.file)));
            self.flush_if_full();
        }
    }

    /// Admits a session from `start_us` to `end_us`, both included, some of it within the frame.
    #[inline]
    pub fn admit_session(&mut self, pass: Pass, start_us: i64, end_us: i64, cell: VersionIx) {
        let shard = Layout::shard(pass.0);
        if self.entrance.shards.contains(&shard) {
            let person = Layout::person(pass.0);
            let end_us = std::cmp::Reverse(end_us);
            self.sessions.push((shard, Session { person, start_us, version: cell, end_us, file: self.file }));
            self.flush_if_full();
        }
    }

    #[inline]
    fn flush_if_full(&mut self) {
        if self.events.len() + self.sessions.len() >= BATCH {
            self.entrance.admit(&mut self.events, &mut self.sessions);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.entrance.admit(&mut self.events, &mut self.sessions);
    }
}
