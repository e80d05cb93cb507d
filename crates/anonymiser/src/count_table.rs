//! Tables of counts that nobody can read, and the ballot by which one person enters them.

use std::ops::Range;

use hashbrown::HashMap;
use throng_schema::{Grid, Slot};

/// The shape of a table that is to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its times by its slots: the places, or what else its report counts.
    pub grid: Grid,
    held: bool,
}

impl Shape {
    /// A table whose slots are marked one by one ([`Ballot::mark`]).
    #[must_use]
    pub fn marked(grid: Grid) -> Self {
        Self { grid, held: false }
    }

    /// A table in which nobody is in two places at one time: slots are held for a while ([`Ballot::hold`]).
    #[must_use]
    pub fn held(grid: Grid) -> Self {
        Self { grid, held: true }
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

/// The counters of one thread for one table.
struct Counter {
    shape: Shape,
    /// Of a table that is marked, counts. Of one that is held, their changes from the time before; their sums never
    /// fall below zero, though a change may, and wraps. They have a time more, for what ends with the last.
    devices: Vec<u32>,
    /// Empty where nobody is weighed.
    weights: Vec<u64>,
    /// The last person who marked the slot; empty in a table that is held.
    last: Vec<u32>,
    /// The last person who held anything, and until what time.
    held: (u32, usize),
}

impl Counter {
    fn new(shape: Shape, weighed: bool) -> Self {
        let Shape { grid, held } = shape;
        let slots = if held { grid.len() + grid.places() } else { grid.len() };
        let of = |wanted: bool| if wanted { slots } else { 0 };
        let (devices, last) = (vec![0; slots], vec![0; of(!held)]);
        Self { shape, devices, weights: vec![0; of(weighed)], last, held: (0, 0) }
    }

    fn into_table(self) -> CountTable {
        let Self { shape, mut devices, mut weights, .. } = self;
        if shape.held {
            let (slots, places) = (shape.grid.len(), shape.grid.places());
            for slot in places..slots {
                devices[slot] = devices[slot].wrapping_add(devices[slot - places]);
            }
            for slot in places..slots.min(weights.len()) {
                weights[slot] = weights[slot].wrapping_add(weights[slot - places]);
            }
            devices.truncate(slots);
            weights.truncate(slots);
        }
        CountTable { shape, devices: devices.into_iter().map(u64::from).collect(), weights }
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
        if self.person == u32::MAX {
            for table in &mut self.tables {
                table.last.fill(0);
                table.held = (0, 0);
            }
            self.person = 0;
        }
        self.person += 1;
        self.weight = 0;
        self.remembered = None;
        self.visited.clear();
        Ballot(self)
    }

    /// Counts what the last ballot marked in sparse tables, once each; gives what to remember of the person.
    pub(crate) fn close_ballot(&mut self) -> Closed<'_> {
        let one = Tallied { devices: 1, weight: u64::from(self.weight) };
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

    /// This person was in the slot. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table or the slot does not exist, or the table is one that is held.
    #[inline]
    pub fn mark(&mut self, table: usize, slot: Slot) {
        let person = self.0.person;
        let counter = &mut self.0.tables[table];
        let last = &mut counter.last[slot.0];
        if *last != person {
            *last = person;
            counter.devices[slot.0] += 1;
            if let Some(weights) = counter.weights.get_mut(slot.0) {
                *weights += u64::from(self.0.weight);
            }
        }
    }

    /// This person was in one place of the grid at all of these times. Times before the end of what was said last of
    /// this person are passed over: nobody is in two places at once, or twice in one.
    ///
    /// # Panics
    /// When the table, the place or a time does not exist, or the table is one that is marked.
    #[inline]
    pub fn hold(&mut self, table: usize, times: Range<usize>, place: usize) {
        let (person, weight) = (self.0.person, u64::from(self.0.weight));
        let counter = &mut self.0.tables[table];
        let grid = counter.shape.grid;
        let told = if counter.held.0 == person { counter.held.1 } else { 0 };
        let from = times.start.max(told);
        if from >= times.end {
            return;
        }
        assert!(counter.shape.held && times.end <= grid.times() && place < grid.places());
        counter.held = (person, times.end);
        let (first, past) = (from * grid.places() + place, times.end * grid.places() + place);
        counter.devices[first] = counter.devices[first].wrapping_add(1);
        counter.devices[past] = counter.devices[past].wrapping_sub(1);
        if !counter.weights.is_empty() {
            counter.weights[first] = counter.weights[first].wrapping_add(weight);
            counter.weights[past] = counter.weights[past].wrapping_sub(weight);
        }
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
