//! Tables of counts that nobody can read, and the ballot by which one person enters them.

use std::ops::Range;

use hashbrown::HashMap;
use throng_schema::Grid;

use crate::lattice::index;

/// The shape of a table that is to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its times by its slots: the places, or what else its report counts.
    pub grid: Grid,
    by: By,
}

/// By what people come into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Marks,
    Holding,
    /// By being in another table at any time.
    Table(usize),
}

impl Shape {
    /// A table whose slots are marked ([`Ballot::mark`]).
    #[must_use]
    pub fn marked(grid: Grid) -> Self {
        Self { grid, by: By::Marks }
    }

    /// A table in which nobody is in two places at one time: slots are held for a while ([`Ballot::hold`]).
    #[must_use]
    pub fn held(grid: Grid) -> Self {
        Self { grid, by: By::Holding }
    }

    /// A table of whoever is in a place at any time, by a marked table of as many places that comes before it.
    #[must_use]
    pub fn any_time(table: usize, places: usize) -> Self {
        Self { grid: Grid::new(1, places), by: By::Table(table) }
    }
}

/// Counts of devices by time and place. It can be added to another and protected, once; never read.
pub struct CountTable {
    pub(crate) shape: Shape,
    pub(crate) devices: Vec<u64>,
    /// What they weigh together ([`Ballot::weigh`]); empty where nobody is weighed.
    pub(crate) weights: Vec<u64>,
}

/// Counts of devices by whatever number a report gives to what it counts, for what is too wide for a [`CountTable`].
///
/// It can be added to another and protected, once; never read.
#[derive(Default)]
pub struct SparseTable {
    pub(crate) devices: HashMap<u64, Tallied>,
}

/// Devices, and what they weigh together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tallied {
    pub(crate) devices: u64,
    pub(crate) weight: u64,
}

impl std::ops::AddAssign for Tallied {
    fn add_assign(&mut self, other: Self) {
        self.devices += other.devices;
        self.weight += other.weight;
    }
}

/// Why the crowd takes a row out that the reader had admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Same subscriber, time and cell as a row already used.
    Duplicate,
    /// Of a SIM that never moves and is always active.
    Machine,
    /// No one travels so fast.
    ImpossibleSpeed,
    /// There and back between two cells, while nobody moved.
    PingPong,
}

impl Found {
    /// Every such reason, in order.
    pub const ALL: [Self; 4] = [Self::Duplicate, Self::Machine, Self::ImpossibleSpeed, Self::PingPong];
}

/// All that a count gives: which rows were taken out, and the sealed tables.
pub struct Counted {
    /// Distinct subscribers of this sitting with an event left.
    pub devices: u64,
    /// Rows taken out, by reason ([`Found::ALL`]) and the number of their file.
    pub found: [Vec<u64>; Found::ALL.len()],
    /// The tables, in the order of the shapes.
    pub tables: Vec<CountTable>,
    /// The sparse tables, in their order.
    pub sparse: Vec<SparseTable>,
}

impl Counted {
    /// The sum of the counts of two disjoint shares of people over tables of the same shapes.
    ///
    /// Adding is commutative and associative, so shares, threads and machines may be added in any order.
    #[must_use]
    pub fn absorb(mut self, other: Self) -> Self {
        self.devices += other.devices;
        for (found, other) in self.found.iter_mut().zip(&other.found) {
            add(found, other);
        }
        for (table, other) in self.tables.iter_mut().zip(&other.tables) {
            add(&mut table.devices, &other.devices);
            add(&mut table.weights, &other.weights);
        }
        for (table, other) in self.sparse.iter_mut().zip(other.sparse) {
            table.absorb(other);
        }
        self
    }
}

impl SparseTable {
    /// The smaller is poured into the larger.
    fn absorb(&mut self, mut other: Self) {
        if other.devices.len() > self.devices.len() {
            std::mem::swap(self, &mut other);
        }
        for (key, devices) in other.devices {
            *self.devices.entry(key).or_default() += devices;
        }
    }
}

fn add(sums: &mut [u64], terms: &[u64]) {
    assert_eq!(sums.len(), terms.len(), "only counts of the same shapes add");
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// The counters of one thread for one table: place by place, for a person stays in one place for several times.
struct Counter {
    shape: Shape,
    /// How many devices more than at the time before. Sums never fall below zero, though a change may, and wraps.
    /// Each place has a time more, for what ends with the last.
    changes: Vec<u32>,
    /// What these weigh; empty where nobody is weighed.
    weights: Vec<u64>,
    /// Of a table that is marked: the times of each place at which the last person who marked it did, a bit each.
    marks: Vec<Marks>,
    /// How many entries of `marks` a place has.
    words: usize,
    /// The entries that the present person has marked: the first ones of as many as there are, and one to spare.
    touched: Vec<u32>,
    touched_len: usize,
    /// The last person who held anything, and until what time.
    held: (u32, usize),
}

/// Up to 64 times of a place at which a person was there.
#[derive(Clone, Copy, Default)]
struct Marks {
    times: u64,
    person: u32,
}

/// Times in an entry of marks.
const WORD: usize = u64::BITS as usize;

impl Counter {
    fn new(shape: Shape, weighed: bool) -> Self {
        let (grid, marked) = (shape.grid, shape.by != By::Holding);
        let (slots, words) = (grid.len() + grid.places(), grid.times().div_ceil(WORD));
        Self {
            shape,
            changes: vec![0; slots],
            weights: vec![0; if weighed { slots } else { 0 }],
            marks: vec![Marks::default(); if marked { grid.places() * words } else { 0 }],
            words,
            touched: vec![0; if marked { grid.places() * words + 1 } else { 0 }],
            touched_len: 0,
            held: (0, 0),
        }
    }

    /// Marks the same times of some places. What is marked for the first time is noted without a branch: it would be
    /// guessed wrong with every other stay.
    #[inline]
    fn mark(&mut self, person: u32, times: Range<usize>, places: impl Iterator<Item = usize> + Clone) {
        assert!(times.end <= self.shape.grid.times());
        if times.is_empty() {
            return;
        }
        for word in times.start / WORD..times.end.div_ceil(WORD) {
            let (from, until) =
                (times.start.max(word * WORD) % WORD, times.end.min((word + 1) * WORD) - word * WORD);
            let bits = (u64::MAX << from) & (u64::MAX >> (WORD - until));
            for place in places.clone() {
                let at = place * self.words + word;
                let marks = &mut self.marks[at];
                let known = marks.person == person;
                *marks = Marks { times: if known { marks.times | bits } else { bits }, person };
                self.touched[self.touched_len] = index(at);
                self.touched_len += usize::from(!known);
            }
        }
    }

    /// A person is in a place from a time on, or no longer.
    #[inline]
    fn change(&mut self, time: usize, place: usize, comes: bool, weight: u64) {
        let at = place * (self.shape.grid.times() + 1) + time;
        let (device, weight) =
            if comes { (1, weight) } else { (1_u32.wrapping_neg(), weight.wrapping_neg()) };
        self.changes[at] = self.changes[at].wrapping_add(device);
        if let Some(weights) = self.weights.get_mut(at) {
            *weights = weights.wrapping_add(weight);
        }
    }

    /// Counts what the present person has marked: each stretch of times by its two ends.
    fn close(&mut self, weight: u64) {
        for i in 0..std::mem::take(&mut self.touched_len) {
            let at = self.touched[i] as usize;
            let (place, first) = (at / self.words, at % self.words * WORD);
            let times = self.marks[at].times;
            let (mut ends, mut comes) = (times ^ times << 1, true);
            while ends != 0 {
                self.change(first + ends.trailing_zeros() as usize, place, comes, weight);
                (ends, comes) = (ends & (ends - 1), !comes);
            }
            if times >> (WORD - 1) == 1 {
                self.change(first + WORD, place, false, weight);
            }
        }
    }

    /// Tables are laid out time by time.
    fn into_table(self) -> CountTable {
        let Self { shape, changes, weights, .. } = self;
        let grid = shape.grid;
        let mut table = CountTable {
            shape,
            devices: vec![0; grid.len()],
            weights: vec![0; if weights.is_empty() { 0 } else { grid.len() }],
        };
        for place in 0..grid.places() {
            let (mut devices, mut weight) = (0_u32, 0_u64);
            for time in 0..grid.times() {
                let (here, slot) = (place * (grid.times() + 1) + time, grid.slot(time, place).0);
                devices = devices.wrapping_add(changes[here]);
                table.devices[slot] = u64::from(devices);
                if let Some(of_slot) = table.weights.get_mut(slot) {
                    weight = weight.wrapping_add(weights[here]);
                    *of_slot = weight;
                }
            }
        }
        table
    }
}

/// A sparse counter of one thread, and what the present person has marked in it.
#[derive(Default)]
struct SparseCounter {
    table: SparseTable,
    marked: Vec<u64>,
}

/// The counters of one thread.
pub(crate) struct Counters {
    tables: Vec<Counter>,
    sparse: Vec<SparseCounter>,
    person: u32,
    /// What the present person weighs.
    weight: u32,
    /// What the present person is to be remembered by, and the places visited.
    remembered: Option<u32>,
    visited: Vec<u32>,
}

impl Counters {
    pub(crate) fn new(shapes: &[Shape], sparse: usize, weighed: bool) -> Self {
        Self {
            tables: shapes.iter().map(|shape| Counter::new(*shape, weighed)).collect(),
            sparse: (0..sparse).map(|_| SparseCounter::default()).collect(),
            person: 0,
            weight: 0,
            remembered: None,
            visited: Vec::new(),
        }
    }

    /// A ballot for the next person.
    pub(crate) fn next_ballot(&mut self) -> Ballot<'_> {
        // So no count of this thread can wrap, nor what the counted weigh together.
        self.person = self.person.checked_add(1).expect("a thread counts fewer than 2^32 people");
        self.weight = 0;
        self.remembered = None;
        self.visited.clear();
        Ballot(self)
    }

    /// Counts what the last ballot marked in sparse tables, once each; gives what to remember of the person.
    pub(crate) fn close_ballot(&mut self) -> Closed<'_> {
        let one = Tallied { devices: 1, weight: u64::from(self.weight) };
        self.count_marks(one.weight);
        for counter in &mut self.sparse {
            counter.marked.sort_unstable();
            counter.marked.dedup();
            for key in counter.marked.drain(..) {
                *counter.table.devices.entry(key).or_default() += one;
            }
        }
        self.visited.sort_unstable();
        self.visited.dedup();
        Closed { remembered: self.remembered, weight: self.weight, visited: &self.visited }
    }

    /// Counts what the present person has marked in dense tables.
    fn count_marks(&mut self, weight: u64) {
        for table in 0..self.tables.len() {
            let (before, [counter, ..]) = self.tables.split_at_mut(table) else { break };
            if let By::Table(other) = counter.shape.by {
                let Counter { touched, touched_len, words, .. } = &before[other];
                let places = touched[..*touched_len].iter().map(|at| *at as usize / words);
                counter.mark(self.person, 0..1, places);
            }
        }
        for counter in &mut self.tables {
            counter.close(weight);
        }
    }

    pub(crate) fn into_tables(self) -> (Vec<CountTable>, Vec<SparseTable>) {
        let sparse = self.sparse.into_iter().map(|counter| counter.table);
        (self.tables.into_iter().map(Counter::into_table).collect(), sparse.collect())
    }
}

/// What a ballot says of a person beside its marks.
pub(crate) struct Closed<'a> {
    pub(crate) remembered: Option<u32>,
    pub(crate) weight: u32,
    /// Places visited, each once, in order.
    pub(crate) visited: &'a [u32],
}

/// One person's ballot: one vote in each slot at most, so that a person moves any count by one.
pub struct Ballot<'a>(&'a mut Counters);

impl Ballot<'_> {
    /// How many millionths of people this person stands for. It is said before anything is marked.
    #[inline]
    pub fn weigh(&mut self, weight: u32) {
        self.0.weight = weight;
    }

    /// This person was in a place of the grid at a time. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table, the time or the place does not exist, or the table is not one that is marked.
    #[inline]
    pub fn mark(&mut self, table: usize, time: usize, place: usize) {
        self.mark_all(table, time..time + 1, std::iter::once(place));
    }

    /// This person was in each of these places of the grid at each of these times. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table, a time or a place does not exist, or the table is not one that is marked.
    #[inline]
    pub fn mark_all(
        &mut self,
        table: usize,
        times: Range<usize>,
        places: impl Iterator<Item = usize> + Clone,
    ) {
        self.0.tables[table].mark(self.0.person, times, places);
    }

    /// This person was in one place of the grid at all of these times. Times before the end of what was said last of
    /// this person are passed over: nobody is in two places at once, or twice in one.
    ///
    /// # Panics
    /// When the table, the place or a time does not exist, or the table is not one that is held.
    #[inline]
    pub fn hold(&mut self, table: usize, times: Range<usize>, place: usize) {
        let (person, weight) = (self.0.person, u64::from(self.0.weight));
        let counter = &mut self.0.tables[table];
        let grid = counter.shape.grid;
        assert!(times.end <= grid.times() && place < grid.places() && counter.shape.by == By::Holding);
        let told = if counter.held.0 == person { counter.held.1 } else { 0 };
        let from = times.start.max(told);
        let until = times.end.max(from);
        counter.held = (person, until);
        // A stretch without a time adds nothing at its only end, which costs less than to ask whether there is one.
        counter.change(from, place, true, weight);
        counter.change(until, place, false, weight);
    }

    /// This person counts under a key of a sparse table. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table does not exist.
    #[inline]
    pub fn mark_key(&mut self, table: usize, key: u64) {
        self.0.sparse[table].marked.push(key);
    }

    /// What to be reminded of when this person is met at the next sitting.
    #[inline]
    pub fn remember(&mut self, what: Option<u32>) {
        self.0.remembered = what;
    }

    /// This person has visited a place on the day of this sitting. Saying so again changes nothing.
    #[inline]
    pub fn visit(&mut self, place: u32) {
        self.0.visited.push(place);
    }
}

#[cfg(test)]
mod tests;
