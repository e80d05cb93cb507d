//! The entrance: here an identifier becomes a keyed pseudonym, and nothing behind it has ever seen one.

use std::{
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use throng_schema::VersionIx;

use crate::{
    arena::{Arena, BLOCK, Block},
    lattice::index,
    layout::{Frame, Layout, SHARDS},
    recent::Recent,
    share::Share,
    subscriber::Subscribers,
};

/// Bytes of an admitted session, and of a person on the list of a shard.
const SESSION_BYTES: usize = 48;
const PERSON_BYTES: usize = 8;

/// Bytes that a crowd takes for an event of a day, and for the person where each row tells it anew.
pub const BYTES_GATHERED: (u64, u64) = (10, PERSON_BYTES as u64);

/// A row with an end: it stands for events at its start, at its end, and in between.
///
/// The order of the fields is the order of sorting: of rows with the same person, start and cell, the one that
/// ends last comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    pub(crate) person: u64,
    pub(crate) start_us: i64,
    pub(crate) version: VersionIx,
    pub(crate) end_us: std::cmp::Reverse<i64>,
    pub(crate) file: u32,
}

/// The events of the people of one shard, as one thread at a time saw them.
#[derive(Default)]
struct Shard {
    /// Whose events they are. An event has the number of its person on this list, or as much of it as 16 bits tell: a
    /// person is entered anew with each row, or with the first of each dictionary, so the number is never far from the
    /// end of the list; and a block is begun anew before the list has grown by more than its events.
    persons: Vec<u64>,
    /// The last of them, where it can be asked for without a look at the end of the list, which is seldom in a cache.
    last: u64,
    /// The mobile country code of the home network of each entry, as far as rows told one: the smallest, where they
    /// differ, so that it does not depend on their order. It may be shorter than the list.
    homes: Vec<u16>,
    blocks: Vec<Begun>,
    sessions: Vec<Session>,
    /// For how many of the persons memory is accounted for.
    accounted: usize,
}

/// A block in the arena that was begun.
#[derive(Clone, Copy)]
struct Begun {
    block: u32,
    /// How long the list of persons was then.
    persons: u32,
    /// How many events it has, unless it is the last and has room.
    events: u16,
}

impl Shard {
    /// Begins a block; gives the position of its first event.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a block is small")]
    fn begin(&mut self, block: u32) -> usize {
        let persons = index(self.persons.len());
        self.blocks.push(Begun { block, persons, events: BLOCK as u16 });
        block as usize * BLOCK
    }

    /// Enters a person on the list; gives as much of the number as an event holds.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "number_of tells the rest")]
    fn enter(&mut self, person: u64) -> u16 {
        if self.last != person || self.persons.is_empty() {
            self.persons.push(person);
            self.last = person;
        }
        (self.persons.len() - 1) as u16
    }

    /// The bytes of the persons entered since this was last asked.
    fn account_for_persons(&mut self) -> usize {
        let before = std::mem::replace(&mut self.accounted, self.persons.len());
        (self.persons.len() - before) * PERSON_BYTES
    }

    /// Ends a block that is not full when many persons have been entered without an event since it was begun.
    fn end_strayed(&mut self, cursor: &mut usize) {
        let Some(begun) = self.blocks.last_mut() else { return };
        if self.persons.len() - begun.persons as usize > STRAY && !cursor.is_multiple_of(BLOCK) {
            begun.events = u16::try_from(*cursor % BLOCK).unwrap_or(u16::MAX);
            *cursor = 0;
        }
    }

    /// Notes a home network of a person on the list.
    fn settle_home(&mut self, person: u16, mcc: u16) {
        let Self { persons, homes, .. } = self;
        homes.resize(persons.len(), NO_HOME);
        let number = number_of(index(persons.len()))(person);
        homes[number] = homes[number].min(mcc);
    }
}

/// More than any mobile country code.
pub(crate) const NO_HOME: u16 = u16::MAX;

/// How far from the end of the list of persons a number may be, when its event is written: half of what 16 bits tell.
const REACH: u32 = 1 << 15;

/// How many persons may be entered beside those of a dictionary while its entries, or a block, are in use.
const STRAY: usize = 1 << 13;

/// The longest dictionary whose entries are entered together: 2,048 in each shard, give or take a few hundred.
const ENTERED_TOGETHER: usize = SHARDS * 2_048;

/// What one thread at a time has gathered.
pub(crate) struct Lane {
    arena: Arena,
    /// Where in the arena the next event of each shard goes, in a block of its own.
    cursors: Vec<usize>,
    shards: Vec<Shard>,
    limit_seen: usize,
}

impl Lane {
    fn new(wide: bool) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let (arena, cursors) = (Arena::new(wide), vec![0; SHARDS]);
        Self { arena, cursors, shards, limit_seen: SHARDS }
    }

    /// What a batch is left with that has handed its lane in.
    fn nothing() -> Self {
        let (arena, cursors, shards) = (Arena::new(false), Vec::new(), Vec::new());
        Self { arena, cursors, shards, limit_seen: 0 }
    }

    /// The home networks that rows of a shard told, by the number of the person; [`NO_HOME`] where they told none.
    pub(crate) fn homes(&self, shard: usize) -> &[u16] {
        &self.shards[shard].homes
    }

    /// The persons of a shard, some of them more than once.
    pub(crate) fn persons(&self, shard: usize) -> &[u64] {
        &self.shards[shard].persons
    }

    /// The events of a shard, block by block, in the order in which they came; and the number of a person by what the
    /// block says of it.
    pub(crate) fn events(
        &self,
        shard: usize,
    ) -> impl Iterator<Item = (Block<'_>, impl Fn(u16) -> usize + use<>)> {
        let (blocks, last) = (&self.shards[shard].blocks, self.cursors[shard] % BLOCK);
        blocks.iter().enumerate().map(move |(i, begun)| {
            let open = i + 1 == blocks.len() && last > 0;
            let events = if open { last } else { usize::from(begun.events) };
            (self.arena.block(begun.block, events), number_of(begun.persons))
        })
    }

    /// The sessions of a shard.
    pub(crate) fn sessions(&self, shard: usize) -> &[Session] {
        &self.shards[shard].sessions
    }

    /// The bytes that a shard takes: its blocks as if they were full, and the persons that are accounted for.
    pub(crate) fn bytes(&self, shard: usize) -> usize {
        let Shard { blocks, sessions, accounted, .. } = &self.shards[shard];
        blocks.len() * self.block_bytes() + accounted * PERSON_BYTES + sessions.len() * SESSION_BYTES
    }

    fn block_bytes(&self) -> usize {
        BLOCK * Arena::event_bytes(self.arena.is_wide())
    }

    /// Cuts a block for a shard that has none, or none that is not full; says how many bytes more the shard takes.
    #[cold]
    fn cut(&mut self, shard: usize) -> usize {
        let list = &mut self.shards[shard];
        self.cursors[shard] = list.begin(self.arena.take());
        let persons_bytes = list.account_for_persons();
        self.block_bytes() + persons_bytes
    }

    /// Lets go of everybody over the limit, who is not counted in this pass; says how many bytes there are for it.
    #[cold]
    fn let_go(&mut self, limit: usize) -> usize {
        let mut freed = 0;
        for shard in limit..self.limit_seen {
            freed += self.bytes(shard);
            let Shard { blocks, .. } = std::mem::take(&mut self.shards[shard]);
            blocks.into_iter().for_each(|begun| self.arena.give_back(begun.block));
            self.cursors[shard] = 0;
        }
        self.limit_seen = limit;
        freed
    }
}

/// The number of a person on the list by its last 16 bits, in a block that was begun when the list was so long.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is what the list's length tells")]
fn number_of(persons: u32) -> impl Fn(u16) -> usize {
    let first = persons.wrapping_sub(REACH);
    move |number| first.wrapping_add(u32::from(number.wrapping_sub(first as u16))) as usize
}

/// The open door of one gathering: batches are admitted here, from any number of threads.
pub struct Entrance<'a> {
    subscribers: &'a Subscribers,
    layout: Layout,
    frame: &'a Frame,
    shards: Range<usize>,
    /// First shard that is no longer taken; it sinks when the memory is full.
    limit: AtomicUsize,
    /// Bytes that may be taken, and that are.
    room: usize,
    taken: AtomicUsize,
    /// Lanes that no batch has.
    idle: Mutex<Vec<Lane>>,
}

/// A row of somebody met: a time and a place.
#[derive(Clone, Copy)]
pub struct Seen {
    /// The number of the subscriber among those met.
    pub number: u32,
    /// The version of the cell.
    pub cell: VersionIx,
    /// The mobile country code of the home network, if the row tells it and somebody asks for it.
    pub mcc: Option<u16>,
    /// In microseconds since 1970 UTC, within the frame.
    pub at_us: i64,
}

/// Rows that are admitted without a look at the memory.
const AT_ONCE: usize = 1_024;

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

/// Subscribers that a batch has met together, by the number in which their identifiers came.
///
/// It holds their pseudonyms, and so cannot be printed, cloned, compared or read.
#[derive(Default)]
pub struct Met {
    pseudonyms: Vec<u64>,
    /// Where those are entered who are entered once: the shard, and the number on its list in the lower half.
    entered: Vec<u32>,
    /// The smallest home network that is noted already of those who are entered.
    homes: Vec<u16>,
    /// The era of a batch in which they are entered: in another, their numbers say nothing.
    era: u64,
}

/// How many eras were begun. No two batches have one in common, nor do two dictionaries of one batch: so whoever is
/// entered is not far from the end of the list, and on the list of this batch.
static ERAS: AtomicU64 = AtomicU64::new(1);

/// These two of 2^64 pseudonyms say that somebody was turned away; whose they would be has the one before.
const OPTED_OUT: u64 = u64::MAX;
const MACHINE: u64 = u64::MAX - 1;

/// The pseudonym of somebody who is not turned away.
#[inline]
fn somebody(pseudonym: u64) -> u64 {
    pseudonym.min(MACHINE - 1)
}

/// Where somebody is entered who was turned away, or who is not entered yet: no shard has these numbers.
const NOWHERE: u32 = u32::MAX;
const NOT_YET: u32 = u32::MAX - 1;

/// Subscribers whose verdict by a hashed list a batch remembers: a mebibyte, which is read faster than a hash is made.
const VERDICTS_RECENT: usize = 1 << 16;

/// Rows on their way in, all from one file.
pub struct Batch<'a> {
    entrance: &'a Entrance<'a>,
    file: u32,
    lane: Lane,
    /// The shards that are taken, as far as this batch knows.
    shards: Range<usize>,
    verdicts_recent: Recent<bool>,
    /// The era that was begun last; 0 before the first.
    era: u64,
    /// How many persons were entered for a row since those of a dictionary were.
    strayed: usize,
    /// Rows whose subscribers have been entered and that have not been put in a block yet: which of them it is, the
    /// shard, and the number on its list.
    entered: Vec<(usize, usize, u16)>,
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
            room: frame.memory,
            taken: AtomicUsize::new(0),
            idle: Mutex::default(),
        }
    }

    /// A batch for rows of the file with this number, below [`Frame::files`]. Dropping it hands in what it holds.
    ///
    /// # Panics
    /// When there are not so many files.
    #[must_use]
    pub fn batch(&'a self, file: u32) -> Batch<'a> {
        assert!((file as usize) < self.frame.files, "a file beyond those of the frame");
        let lane = self.idle().pop();
        let lane = lane.unwrap_or_else(|| Lane::new(!self.layout.rest_fits_word()));
        let limit = self.limit.load(Ordering::Acquire);
        let mut batch = Batch {
            entrance: self,
            file,
            lane,
            shards: self.shards.start..limit,
            verdicts_recent: Recent::new(VERDICTS_RECENT),
            era: 0,
            strayed: 0,
            entered: Vec::new(),
        };
        batch.heed_limit();
        batch
    }

    /// The lanes, and what of the share was let go because it did not fit.
    pub(crate) fn close(self) -> (Layout, Vec<Lane>, Option<Share>) {
        let limit = self.limit.load(Ordering::Acquire);
        let mut lanes = self.idle.into_inner().unwrap_or_else(PoisonError::into_inner);
        for lane in &mut lanes {
            if limit < lane.limit_seen {
                lane.let_go(limit);
            }
        }
        (self.layout, lanes, Share::of(limit..self.shards.end))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a quarter of the share less: those people are counted in another pass.
    fn shrink(&self) {
        let limit = self.limit.load(Ordering::Acquire);
        let kept = limit - self.shards.start;
        let lower = self.shards.start + (kept - kept.div_ceil(4)).max(1);
        // Where another thread was first, its lower limit stands.
        let _ = self.limit.compare_exchange(limit, lower, Ordering::AcqRel, Ordering::Acquire);
        let limit = self.limit.load(Ordering::Acquire);
        for lane in self.idle().iter_mut().filter(|lane| limit < lane.limit_seen) {
            self.taken.fetch_sub(lane.let_go(limit), Ordering::AcqRel);
        }
    }
}

impl Batch<'_> {
    /// Meets a subscriber by identifier, opaque bytes, which go no further. `mcc` is the mobile country code of the
    /// home network, if the row tells it and somebody asks for it; it is kept when the pass is spent, and only then.
    ///
    /// # Errors
    /// For who opted out, and for machines.
    pub fn meet(&mut self, id: &[u8], mcc: Option<u16>) -> Result<Pass, Turned> {
        let mut met = Met::default();
        self.meet_all(std::iter::once(id), &mut met);
        self.pass(&met, 0, mcc)
    }

    /// Meets many subscribers at once, which costs less than one after the other; `met` forgets whom it held before.
    #[inline]
    pub fn meet_all<'i>(&mut self, ids: impl Iterator<Item = &'i [u8]> + Clone, met: &mut Met) {
        let subscribers = self.entrance.subscribers;
        met.entered.clear();
        met.homes.clear();
        met.pseudonyms.clear();
        subscribers.pseudonyms(ids.clone(), &mut met.pseudonyms);
        if subscribers.turns_nobody_away() {
            met.pseudonyms.iter_mut().for_each(|pseudonym| *pseudonym = somebody(*pseudonym));
            return;
        }
        for (pseudonym, id) in met.pseudonyms.iter_mut().zip(ids) {
            *pseudonym = if subscribers.opted_out(*pseudonym) || self.digest_opted_out(*pseudonym, id) {
                OPTED_OUT
            } else if subscribers.is_machine(*pseudonym) {
                MACHINE
            } else {
                somebody(*pseudonym)
            };
        }
    }

    /// Says that those met may have many rows: each is entered with the first that is admitted, once for all. For
    /// dictionaries, whose entries have several.
    pub fn enter_once(&mut self, met: &mut Met) {
        if met.pseudonyms.len() <= ENTERED_TOGETHER {
            self.begin_era(met);
        }
    }

    /// Whoever of these comes next is entered anew.
    #[cold]
    fn begin_era(&mut self, met: &mut Met) {
        let of = |pseudonym: &u64| if *pseudonym < MACHINE { NOT_YET } else { NOWHERE };
        met.entered.clear();
        met.entered.extend(met.pseudonyms.iter().map(of));
        met.homes.clear();
        met.homes.resize(met.entered.len(), NO_HOME);
        met.era = ERAS.fetch_add(1, Ordering::Relaxed);
        (self.era, self.strayed) = (met.era, 0);
    }

    /// The pass of one of those met, by number; see [`Batch::meet`].
    ///
    /// # Errors
    /// For who opted out, and for machines.
    ///
    /// # Panics
    /// When fewer were met.
    #[inline]
    pub fn pass(&self, met: &Met, number: usize, mcc: Option<u16>) -> Result<Pass, Turned> {
        match met.pseudonyms[number] {
            OPTED_OUT => Err(Turned::OptedOut),
            MACHINE => Err(Turned::Machine),
            pseudonym => Ok(Pass { pseudonym, mcc }),
        }
    }

    /// Whether anything from `start_us` to `end_us`, both included, lies in the frame.
    #[inline]
    #[must_use]
    pub fn wants(&self, start_us: i64, end_us: i64) -> bool {
        start_us < self.entrance.frame.until_us && end_us >= self.entrance.frame.from_us
    }

    /// The times of which anything is wanted, in microseconds since 1970 UTC.
    #[must_use]
    pub fn wanted_us(&self) -> Range<i64> {
        self.entrance.frame.from_us..self.entrance.frame.until_us
    }

    /// Admits an event: a time in microseconds since 1970 UTC, within the frame, and the version of the cell.
    ///
    /// People outside this pass's share are passed over; another pass counts them.
    #[inline]
    pub fn admit(&mut self, pass: Pass, at_us: i64, cell: VersionIx) {
        debug_assert!((self.entrance.frame.from_us..self.entrance.frame.until_us).contains(&at_us));
        let shard = Layout::shard(pass.pseudonym);
        if self.shards.contains(&shard) {
            let person = self.enter(shard, pass.pseudonym);
            if let Some(mcc) = pass.mcc {
                self.lane.shards[shard].settle_home(person, mcc);
            }
            self.put(shard, person, at_us, cell);
        }
    }

    /// The same for many rows of those met, which costs less than one after the other. Rows of those who are turned
    /// away are left, by their place among these.
    ///
    /// # Panics
    /// When fewer were met.
    pub fn admit_all(&mut self, met: &mut Met, rows: &[Seen], turned: &mut Vec<usize>) {
        for (first, rows) in (0..).step_by(AT_ONCE).zip(rows.chunks(AT_ONCE)) {
            if met.entered.is_empty() || self.lane.arena.is_wide() {
                self.admit_each(met, first, rows, turned);
            } else {
                self.admit_entered(met, first, rows, turned);
            }
        }
    }

    /// Where each row enters its subscriber anew. First the lists of persons are written, then the events: within a loop
    /// no row waits for the one before, so the memory is asked for many at a time.
    fn admit_each(&mut self, met: &Met, first: usize, rows: &[Seen], turned: &mut Vec<usize>) {
        let mut entered = std::mem::take(&mut self.entered);
        entered.clear();
        for (place, seen) in rows.iter().enumerate() {
            let pseudonym = met.pseudonyms[seen.number as usize];
            if pseudonym >= MACHINE {
                turned.push(first + place);
                continue;
            }
            let shard = Layout::shard(pseudonym);
            if self.shards.contains(&shard) {
                let person = self.enter(shard, pseudonym);
                if let Some(mcc) = seen.mcc {
                    self.lane.shards[shard].settle_home(person, mcc);
                }
                entered.push((place, shard, person));
            }
        }
        for &(place, shard, person) in &entered {
            // A block that was cut on the way may have left no memory for the shards that come last.
            if self.shards.contains(&shard) {
                self.put(shard, person, rows[place].at_us, rows[place].cell);
            }
        }
        self.entered = entered;
    }

    /// Where subscribers are entered once, and an event fits a word.
    fn admit_entered(&mut self, met: &mut Met, first: usize, rows: &[Seen], turned: &mut Vec<usize>) {
        if self.strayed > STRAY || met.era != self.era {
            // Their numbers may be too far from the end of the lists by now, or be of other lists.
            self.begin_era(met);
        }
        let (packer, shards) = (self.entrance.layout.packer(self.file), self.shards.clone());
        let block_bytes = self.lane.block_bytes();
        let Lane { arena, cursors, shards: lists, .. } = &mut self.lane;
        let (mut open, mut bytes) = (arena.open(rows.len()), 0);
        for (row, seen) in (first..).zip(rows) {
            let mut entered = met.entered[seen.number as usize];
            if entered >= NOT_YET {
                let pseudonym = met.pseudonyms[seen.number as usize];
                let shard = Layout::shard(pseudonym);
                if entered == NOWHERE {
                    turned.push(row);
                    continue;
                }
                if !shards.contains(&shard) {
                    continue;
                }
                let number = lists[shard].enter(Layout::person(pseudonym));
                entered = u32::try_from(shard).unwrap_or(NOWHERE) << u16::BITS | u32::from(number);
                met.entered[seen.number as usize] = entered;
            }
            let (shard, person) = ((entered >> u16::BITS) as usize, lower_half(entered));
            if shard >= shards.end {
                continue;
            }
            let cursor = &mut cursors[shard];
            if cursor.is_multiple_of(BLOCK) {
                // A block that is cut here is accounted for below.
                *cursor = lists[shard].begin(open.free.pop().unwrap_or(u32::MAX));
                bytes += block_bytes + lists[shard].account_for_persons();
            }
            open.put(*cursor, person, packer.pack(seen.at_us, seen.cell));
            *cursor += 1;
            if let Some(mcc) = seen.mcc
                && mcc < met.homes[seen.number as usize]
            {
                met.homes[seen.number as usize] = mcc;
                lists[shard].settle_home(person, mcc);
            }
        }
        if bytes > 0 {
            self.take(bytes);
        }
    }

    /// Enters a subscriber of a shard that is taken, for one row.
    #[inline]
    fn enter(&mut self, shard: usize, pseudonym: u64) -> u16 {
        self.strayed += 1;
        self.lane.shards[shard].enter(Layout::person(pseudonym))
    }

    #[inline]
    fn put(&mut self, shard: usize, person: u16, at_us: i64, cell: VersionIx) {
        let rest: u128 = self.entrance.layout.rest(at_us, cell, self.file);
        if self.lane.cursors[shard].is_multiple_of(BLOCK) && !self.cut(shard) {
            return;
        }
        let cursor = &mut self.lane.cursors[shard];
        self.lane.arena.put(*cursor, person, rest);
        *cursor += 1;
    }

    /// Makes room in a shard; whether the shard is still taken.
    #[cold]
    fn cut(&mut self, shard: usize) -> bool {
        let bytes = self.lane.cut(shard);
        self.take(bytes);
        self.shards.contains(&shard)
    }

    /// Admits a session from `start_us` to `end_us`, both included, some of it within the frame.
    pub fn admit_session(&mut self, pass: Pass, start_us: i64, end_us: i64, cell: VersionIx) {
        let shard = Layout::shard(pass.pseudonym);
        if self.shards.contains(&shard) {
            let person = Layout::person(pass.pseudonym);
            let end_us = std::cmp::Reverse(end_us);
            let session = Session { person, start_us, version: cell, end_us, file: self.file };
            self.lane.shards[shard].sessions.push(session);
            if let Some(mcc) = pass.mcc {
                let entered = self.enter(shard, pass.pseudonym);
                self.lane.shards[shard].settle_home(entered, mcc);
                self.lane.shards[shard].end_strayed(&mut self.lane.cursors[shard]);
            }
            self.take(SESSION_BYTES);
        }
    }

    /// Accounts for bytes taken; where there are no more, fewer people are taken.
    fn take(&mut self, bytes: usize) {
        let Entrance { taken, room, .. } = self.entrance;
        if taken.fetch_add(bytes, Ordering::AcqRel) + bytes > *room {
            self.entrance.shrink();
        }
        self.heed_limit();
    }

    /// Lets go of what lies over the limit, if it sank since this lane last looked.
    fn heed_limit(&mut self) {
        let limit = self.entrance.limit.load(Ordering::Acquire);
        if limit < self.lane.limit_seen {
            let freed = self.lane.let_go(limit);
            self.entrance.taken.fetch_sub(freed, Ordering::AcqRel);
        }
        self.shards.end = limit;
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
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is asked for")]
fn lower_half(entered: u32) -> u16 {
    entered as u16
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.heed_limit();
        let lane = std::mem::replace(&mut self.lane, Lane::nothing());
        self.entrance.idle().push(lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt_out_hash::{Algorithm, OptOutHash};
    use std::collections::HashMap;

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
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), share);
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
        for (lane, shard) in lanes.iter().flat_map(|lane| (0..SHARDS).map(move |shard| (lane, shard))) {
            let told = lane.persons(shard).iter().zip(lane.homes(shard));
            for (person, mcc) in told.filter(|(_, mcc)| **mcc != NO_HOME) {
                let known = homes.entry(Layout::identity_in(shard, *person)).or_insert(*mcc);
                *known = (*known).min(*mcc);
            }
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
            let home =
                |id: u32| homes.get(&Layout::identity_of(subscribers.pseudonym(&id.to_be_bytes()))).copied();
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
            assert!(homes.len() == expected.len());
            assert!(expected.iter().all(|p| homes.contains_key(&Layout::identity_of(*p))));
        }
    }

    #[test]
    fn an_event_keeps_its_person_however_many_are_entered_without_one() {
        let mut lane = Lane::new(false);
        let others = u64::from(REACH);
        for person in [1, 2, 3] {
            // Some entered for an event, then many for sessions alone, which may have a home network and no event.
            for again in 0..3 {
                let number = lane.shards[0].enter(person);
                if lane.cursors[0].is_multiple_of(BLOCK) {
                    lane.cut(0);
                }
                lane.arena.put(lane.cursors[0], number, again);
                lane.cursors[0] += 1;
            }
            for other in 0..others {
                lane.shards[0].enter(100 + other);
                let Lane { shards, cursors, .. } = &mut lane;
                shards[0].end_strayed(&mut cursors[0]);
            }
        }
        let mut seen = Vec::new();
        for (block, number_of) in lane.events(0) {
            seen.extend(block.persons.iter().map(|person| lane.persons(0)[number_of(*person)]));
        }
        assert_eq!(seen, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }

    /// Two subscribers of the first shard.
    fn neighbours(subscribers: &Subscribers) -> [[u8; 4]; 2] {
        let mut ids = (0_u32..).map(u32::to_be_bytes);
        let mut next = || ids.find(|id| Layout::shard(subscribers.pseudonym(id)) == 0).expect("one of many");
        [next(), next()]
    }

    fn passed(batch: &mut Batch<'_>, id: &[u8], mcc: Option<u16>) -> Pass {
        batch.meet(id, mcc).unwrap_or_else(|_| panic!("turned away"))
    }

    /// The bytes that the crowd is said to take, while the entrance is open and when it is closed.
    fn bytes_of(entrance: Entrance<'_>) -> [usize; 2] {
        let taken = entrance.taken.load(Ordering::Acquire);
        let (_, lanes, _) = entrance.close();
        [taken, lanes.iter().flat_map(|lane| (0..SHARDS).map(|shard| lane.bytes(shard))).sum()]
    }

    #[test]
    fn memory_is_accounted_for_to_the_byte() {
        let subscribers = Subscribers::new().expect("key");
        let ids = neighbours(&subscribers);
        for (files, event_bytes) in [(1, 10), (1 << 32, 18)] {
            let frame = Frame { files, versions: 1 << 30, until_us: 1_000, ..frame(1 << 30) };
            let open = || Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
            let block = BLOCK * event_bytes;
            // One after the other, each row enters a person; those since the last block was begun are not counted yet.
            let entrance = open();
            let mut batch = entrance.batch(0);
            for row in 0..600 {
                let pass = passed(&mut batch, &ids[row % 2], None);
                batch.admit(pass, 5, VersionIx(0));
            }
            for _ in 0..4 {
                let pass = passed(&mut batch, &ids[0], None);
                batch.admit_session(pass, 5, 7, VersionIx(0));
            }
            drop(batch);
            assert_eq!(bytes_of(entrance), [3 * block + 513 * 8 + 4 * SESSION_BYTES; 2]);
            // Of a dictionary, each entry enters one, where an event fits a word; else each row, all before the first block.
            let entrance = open();
            let (mut batch, mut met) = (entrance.batch(0), Met::default());
            batch.meet_all(ids.iter().map(|id| &id[..]), &mut met);
            batch.enter_once(&mut met);
            let seen = |number| Seen { number, cell: VersionIx(0), mcc: None, at_us: 5 };
            let rows: Vec<Seen> = (0..600).map(|row| seen(row % 2)).collect();
            batch.admit_all(&mut met, &rows, &mut Vec::new());
            drop(batch);
            let persons = if files == 1 { 2 } else { rows.len() };
            assert_eq!(bytes_of(entrance), [3 * block + persons * 8; 2]);
        }
    }

    #[test]
    fn a_block_stays_open_while_its_persons_are_near() {
        let subscribers = Subscribers::new().expect("key");
        let ids = neighbours(&subscribers);
        let frame = frame(1 << 30);
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
        let mut batch = entrance.batch(0);
        for row in 0..10 * BLOCK {
            let pass = passed(&mut batch, &ids[row % 2], None);
            batch.admit(pass, 5, VersionIx(0));
        }
        for round in 0..2 * STRAY {
            // Rows with an end and a home network enter persons without an event.
            let pass = passed(&mut batch, &ids[round % 2], Some(206));
            batch.admit_session(pass, 5, 7, VersionIx(0));
            if round % 100 == 0 {
                let pass = passed(&mut batch, &ids[0], None);
                batch.admit(pass, 5, VersionIx(0));
            }
        }
        drop(batch);
        let (_, lanes, _) = entrance.close();
        // 164 more events; a block is ended once on the way, when its first person is too far.
        assert_eq!(lanes[0].shards[0].blocks.len(), 12);
    }

    #[test]
    fn a_block_that_strayed_is_ended_even_where_an_event_was_the_last_step() {
        let subscribers = Subscribers::new().expect("key");
        let ids = neighbours(&subscribers);
        let frame = frame(1 << 30);
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
        let mut batch = entrance.batch(0);
        let event = |batch: &mut Batch<'_>, who: usize| {
            let pass = passed(batch, &ids[who], None);
            batch.admit(pass, 5, VersionIx(0));
        };
        let sessions = |batch: &mut Batch<'_>, n: usize| {
            for round in 0..n {
                let pass = passed(batch, &ids[round % 2], Some(206));
                batch.admit_session(pass, 5, 7, VersionIx(0));
            }
        };
        event(&mut batch, 1);
        sessions(&mut batch, STRAY - 1);
        event(&mut batch, 1);
        sessions(&mut batch, 5 * STRAY);
        event(&mut batch, 1);
        event(&mut batch, 0);
        drop(batch);
        let (_, lanes, _) = entrance.close();
        let mut seen = Vec::new();
        for (block, number_of) in lanes[0].events(0) {
            seen.extend(block.persons.iter().map(|person| lanes[0].persons(0)[number_of(*person)]));
        }
        let person = |who: usize| Layout::person(subscribers.pseudonym(&ids[who]));
        assert!(seen == [1, 1, 1, 0].map(person));
    }

    #[test]
    fn a_full_memory_keeps_nearly_all_it_can_and_no_more() {
        let subscribers = Subscribers::new().expect("key");
        let rows: Vec<[u8; 4]> = (0..60_000_u32).map(|row| (row % 20_000).to_be_bytes()).collect();
        for (memory, at_once) in [1 << 14, 100_000, 1_000_000, 5_000_000, 1 << 30]
            .into_iter()
            .flat_map(|memory| [(memory, 1), (memory, 2)])
        {
            let frame = frame(memory);
            let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
            let admit = |batch: &mut Batch<'_>, rows: &[[u8; 4]]| {
                for id in rows {
                    let pass = passed(batch, id, None);
                    batch.admit(pass, 5, VersionIx(0));
                }
            };
            // One file or two at a time, then one: what lies idle is let go as well.
            let mut batches: Vec<Batch<'_>> = (0..at_once).map(|_| entrance.batch(0)).collect();
            for (turn, rows) in rows[..3_000].chunks(300).enumerate() {
                admit(&mut batches[turn % at_once], rows);
            }
            drop(batches);
            admit(&mut entrance.batch(0), &rows[3_000..]);
            let left = 1.0 - entrance.limit.load(Ordering::Acquire) as f64 / SHARDS as f64;
            let block = BLOCK * Arena::event_bytes(false);
            let [taken, bytes] = bytes_of(entrance);
            // The last block may have been one too many: the next would have made more room.
            assert!(bytes == taken && taken <= memory + 2 * block, "{bytes} and {taken} of {memory}");
            assert!((left > 0.0) == (memory < 1 << 30), "{bytes} of {memory}");
            // Another quarter might have been kept. Of two files at a time each lets go when the other did so already.
            assert!(left == 0.0 || at_once == 2 || 2 * bytes >= memory, "{bytes} of {memory}");
        }
    }

    #[test]
    fn a_memory_for_nothing_keeps_one_shard_all_the_same() {
        let subscribers = Subscribers::new().expect("key");
        let frame = frame(0);
        for share in
            [Share::split(700).remove(1), Share::split(2_048).remove(1), Share::split(1_000).remove(999)]
        {
            let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &share);
            let mut batch = entrance.batch(0);
            for row in 0..60_000_u32 {
                let pass = passed(&mut batch, &row.to_be_bytes(), None);
                batch.admit(pass, 5, VersionIx(0));
            }
            drop(batch);
            let first = share.range().start;
            let (_, lanes, left) = entrance.close();
            assert_eq!(left.map_or(share.range().end, |left| left.range().start), first + 1);
            assert!((0..SHARDS).all(|shard| lanes[0].persons(shard).is_empty() == (shard != first)));
        }
    }

    #[test]
    fn who_is_turned_away_is_so_in_a_dictionary_too() {
        let ids: [&[u8]; 5] = [b"one", b"opted out", b"machine", b"digest", b"two"];
        let mut subscribers = Subscribers::new().expect("key");
        subscribers.opt_out(ids[1]);
        subscribers.machine(ids[2]);
        subscribers.hash_with(OptOutHash::new(Algorithm::Blake3, String::new(), String::new()));
        subscribers.opt_out_digest(blake3::hash(ids[3]).as_bytes());
        let rows: Vec<u32> = (0..1_500).map(|row| row * row % 5).collect();
        let is_turned = |number: &u32| (1..4).contains(number);
        for (files, once) in [(1, true), (1, false), (1 << 32, true)] {
            let frame = Frame { files, versions: 1 << 30, ..frame(1 << 30) };
            let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
            let (mut batch, mut met) = (entrance.batch(0), Met::default());
            batch.meet_all(ids.into_iter(), &mut met);
            if once {
                batch.enter_once(&mut met);
            }
            let why = [0, 1, 2, 3, 4].map(|number| batch.pass(&met, number, None).err());
            let (out, machine) = (Some(Turned::OptedOut), Some(Turned::Machine));
            assert_eq!(why, [None, out, machine, out, None]);
            let seen = |number: &u32| Seen { number: *number, cell: VersionIx(0), mcc: Some(206), at_us: 5 };
            let seen: Vec<Seen> = rows.iter().map(seen).collect();
            let mut turned = vec![7];
            batch.admit_all(&mut met, &seen, &mut turned);
            let expected = (0..).zip(&rows).filter(|(_, number)| is_turned(number)).map(|(row, _)| row);
            assert_eq!(turned, std::iter::once(7).chain(expected).collect::<Vec<usize>>());
            drop(batch);
            let (_, lanes, _) = entrance.close();
            let mut events = 0;
            for shard in 0..SHARDS {
                for (block, number_of) in lanes[0].events(shard) {
                    for person in block.persons {
                        let person = lanes[0].persons(shard)[number_of(*person)];
                        let of = |id: &[u8]| Layout::identity_of(subscribers.pseudonym(id));
                        assert!([of(ids[0]), of(ids[4])].contains(&Layout::identity_in(shard, person)));
                        events += 1;
                    }
                }
            }
            assert_eq!(events, rows.len() - turned.len() + 1);
        }
    }

    #[test]
    fn nobody_is_taken_for_one_who_was_turned_away() {
        assert_eq!(
            [0, MACHINE - 1, MACHINE, OPTED_OUT].map(somebody),
            [0, MACHINE - 1, MACHINE - 1, MACHINE - 1]
        );
    }

    #[test]
    fn a_file_beyond_those_of_the_frame_is_refused() {
        let (subscribers, frame) =
            (Subscribers::new().expect("key"), Frame { files: 1 << 16, ..frame(MEMORY) });
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
        let opens = |file: u32| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(entrance.batch(file)))).is_ok()
        };
        assert!(opens(0) && opens(65_535) && !opens(65_536) && !opens(u32::MAX));
    }

    #[test]
    fn what_is_wanted_touches_the_frame() {
        let subscribers = Subscribers::new().expect("key");
        let frame = Frame { from_us: 10, until_us: 20, ..frame(MEMORY) };
        let entrance = Entrance::open(&subscribers, &frame, Layout::new(&frame), &Share::whole());
        let batch = entrance.batch(0);
        let wants = |from_us, until_us| batch.wants(from_us, until_us);
        assert!(wants(10, 10) && wants(19, 19) && wants(0, 10) && wants(19, 30) && wants(i64::MIN, i64::MAX));
        assert!(!wants(0, 9) && !wants(20, 20) && !wants(i64::MAX, i64::MAX) && !wants(i64::MIN, i64::MIN));
        assert_eq!(batch.wanted_us(), 10..20);
    }

    #[test]
    fn a_pass_that_is_not_spent_leaves_no_home_network() {
        let (subscribers, frame) = (Subscribers::new().expect("key"), frame(MEMORY));
        let layout = Layout::new(&frame);
        let entrance = Entrance::open(&subscribers, &frame, layout, &Share::whole());
        assert!(entrance.batch(0).meet(b"one", Some(206)).is_ok());
        assert!(entrance.close().1.iter().all(|lane| (0..SHARDS).all(|shard| lane.homes(shard).is_empty())));
    }
}
