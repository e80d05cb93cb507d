//! Tables of counts that nobody can read, and the ballot by which one person enters them.

use throng_schema::{Grid, Slot};

/// The shape of a table that is to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its times by its slots: the places, or what else its report counts.
    pub grid: Grid,
}

/// Counts of devices by time and place. It can be added to another and protected, once; never read.
pub struct CountTable {
    pub(crate) shape: Shape,
    pub(crate) devices: Vec<u64>,
}

/// All that a count gives: how many people there were, how many rows were duplicates, and the sealed tables.
pub struct Counted {
    /// Distinct subscribers with a used event.
    pub devices: u64,
    /// Duplicate rows, by the number of their file.
    pub duplicates: Vec<u64>,
    /// The tables, in the order of the shapes.
    pub tables: Vec<CountTable>,
}

impl Counted {
    /// The sum of the counts of two disjoint shares of people over tables of the same shapes.
    ///
    /// Adding is commutative and associative, so shares, threads and machines may be added in any order.
    #[must_use]
    pub fn absorb(mut self, other: Self) -> Self {
        self.devices += other.devices;
        add(&mut self.duplicates, &other.duplicates);
        for (table, other) in self.tables.iter_mut().zip(&other.tables) {
            add(&mut table.devices, &other.devices);
        }
        self
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
    devices: Vec<u32>,
    /// The last person who marked the slot.
    last: Vec<u32>,
}

/// The counters of one thread.
pub(crate) struct Counters {
    tables: Vec<Counter>,
    person: u32,
}

impl Counters {
    pub(crate) fn new(shapes: &[Shape]) -> Self {
        let counter = |shape: &Shape| Counter {
            shape: *shape,
            devices: vec![0; shape.grid.len()],
            last: vec![0; shape.grid.len()],
        };
        Self { tables: shapes.iter().map(counter).collect(), person: 0 }
    }

    /// A ballot for the next person.
    pub(crate) fn next_ballot(&mut self) -> Ballot<'_> {
        if self.person == u32::MAX {
            self.tables.iter_mut().for_each(|table| table.last.fill(0));
            self.person = 0;
        }
        self.person += 1;
        Ballot(self)
    }

    pub(crate) fn into_tables(self) -> Vec<CountTable> {
        let table = |counter: Counter| CountTable {
            shape: counter.shape,
            devices: counter.devices.into_iter().map(u64::from).collect(),
        };
        self.tables.into_iter().map(table).collect()
    }
}

/// One person's ballot: one vote in each slot at most, so that a person moves any count by one.
pub struct Ballot<'a>(&'a mut Counters);

impl Ballot<'_> {
    /// This person was in the slot. Saying so again changes nothing.
    ///
    /// # Panics
    /// When the table or the slot does not exist.
    #[inline]
    pub fn mark(&mut self, table: usize, slot: Slot) {
        let person = self.0.person;
        let counter = &mut self.0.tables[table];
        let last = &mut counter.last[slot.0];
        if *last != person {
            *last = person;
            counter.devices[slot.0] += 1;
        }
    }
}
