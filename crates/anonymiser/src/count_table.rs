//! Tables of counts that nobody can read, and the ballot by which one person enters them.

use std::ops::Range;

use hashbrown::HashMap;
use throng_schema::Grid;

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

/// The counters of one thread for one table: place by place, for a person stays in one place for several times.
struct Counter {
    shape: Shape,
    /// Of a table that is marked: how many devices, and who was counted last.
    marks: Vec<Marks>,
    /// Of a table that is held: how many devices more than at the time before. Sums never fall below zero, though a
    /// change may, and wraps. Each place has a time more, for what ends with the last.
    changes: Vec<u32>,
    /// As the marks or the changes; empty where nobody is weighed.
    weights: Vec<u64>,
    /// The last person who held anything, and until what time.
    held: (u32, usize),
}

/// Devices in a slot, and the last person who marked it: close together, for one is never asked for alone.
#[derive(Clone, Copy, Default)]
struct Marks {
    devices: u32,
    last: u32,
}

impl Counter {
    fn new(shape: Shape, weighed: bool) -> Self {
        let Shape { grid, held } = shape;
        let slots = if held { grid.len() + grid.places() } else { grid.len() };
        let of = |wanted: bool| if wanted { slots } else { 0 };
        let (marks, changes) = (vec![Marks::default(); of(!held)], vec![0; of(held)]);
        Self { shape, marks, changes, weights: vec![0; of(weighed)], held: (0, 0) }
    }

    /// Tables are laid out time by time.
    fn into_table(self) -> CountTable {
        let Self { shape, marks, changes, weights, .. } = self;
        let (grid, is_held) = (shape.grid, shape.held);
        let mut table = CountTable {
            shape,
            devices: vec![0; grid.len()],
            weights: vec![0; if weights.is_empty() { 0 } else { grid.len() }],
        };
        for place in 0..grid.places() {
            let (mut devices, mut weight) = (0_u32, 0_u64);
            for time in 0..grid.times() {
                let slot = grid.slot(time, place).0;
                if is_held {
                    let here = place * (grid.times() + 1) + time;
                    devices = devices.wrapping_add(changes[here]);
                    weight = weight.wrapping_add(weights.get(here).copied().unwrap_or(0));
                } else {
                    let here = place * grid.times() + time;
                    devices = marks[here].devices;
                    weight = weights.get(here).copied().unwrap_or(0);
                }
                table.devices[slot] = u64::from(devices);
                if let Some(weights) = table.weights.get_mut(slot) {
                    *weights = weight;
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
        if self.person == u32::MAX {
            for table in &mut self.tables {
                table.marks.iter_mut().for_each(|marks| marks.last = 0);
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

    /// This person was in a place of the grid at a time. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table, the time or the place does not exist, or the table is one that is held.
    #[inline]
    pub fn mark(&mut self, table: usize, time: usize, place: usize) {
        self.mark_all(table, time..time + 1, place);
    }

    /// This person was in a place of the grid at each of these times. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table, a time or the place does not exist, or the table is one that is held.
    #[inline]
    pub fn mark_all(&mut self, table: usize, times: Range<usize>, place: usize) {
        let (person, weight) = (self.0.person, self.0.weight);
        let counter = &mut self.0.tables[table];
        let grid = counter.shape.grid;
        assert!(times.end <= grid.times());
        let slots = place * grid.times() + times.start..place * grid.times() + times.end.max(times.start);
        for (marks, slot) in counter.marks[slots.clone()].iter_mut().zip(slots) {
            if marks.last != person {
                *marks = Marks { devices: marks.devices + 1, last: person };
                if let Some(weights) = counter.weights.get_mut(slot) {
                    *weights += u64::from(weight);
                }
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
        assert!(times.end <= grid.times());
        counter.held = (person, times.end);
        let of_place = place * (grid.times() + 1);
        let (first, past) = (of_place + from, of_place + times.end);
        counter.changes[first] = counter.changes[first].wrapping_add(1);
        counter.changes[past] = counter.changes[past].wrapping_sub(1);
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
