//! Tables of counts that nobody can read, and the ballot by which one person enters them.

use std::{
    ops::{AddAssign, Range},
    sync::Arc,
};

use throng_schema::Grid;

use crate::{
    axis::Axis,
    key::{key, nodes_of, parts_of},
    lattice::index,
    upwards::{Add, Pairs, along_columns, along_rows, in_order},
};

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

/// How people come into a sparse table.
#[derive(Clone)]
pub enum SparseShape {
    /// By keys of the report's own ([`Ballot::mark_key`]).
    Keys,
    /// By one pair of nodes at a time, which is held for a while ([`Ballot::hold_pair`]).
    Held {
        /// How many times there are.
        times: usize,
    },
    /// By pairs of nodes, and so by every pair of what lies above them ([`Ballot::mark_pair`]).
    Above {
        /// The tree of the rows.
        rows: Arc<Axis>,
        /// The tree of the columns; none where each column stands for itself.
        columns: Option<Arc<Axis>>,
    },
}

/// Counts of devices by whatever number a report gives to what it counts, for what is too wide for a [`CountTable`].
///
/// It can be added to another and protected, once; never read.
#[derive(Default)]
pub struct SparseTable {
    pub(crate) of: Of,
    /// In the order of keys, each once.
    pub(crate) devices: Entries,
}

/// Counts by [`key`], or by whatever number else a report gives.
type Entries = Vec<(u64, Tallied)>;

/// What the entries of a sparse table say, by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Of {
    /// How many have this key.
    #[default]
    Keys,
    /// How many more have this pair than at the time before. A change may fall below zero, and wraps.
    Times,
    /// What a pair adds to itself and to all pairs above it. It may fall below zero, and wraps.
    Parts,
}

/// Devices, and what they weigh together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tallied {
    pub(crate) devices: u64,
    pub(crate) weight: u64,
}

impl AddAssign for Tallied {
    fn add_assign(&mut self, other: Self) {
        self.devices += other.devices;
        self.weight += other.weight;
    }
}

impl Tallied {
    /// Adds a change, which wraps where it falls below zero. A sum of all changes does not, for it is a number of people
    /// and what these weigh.
    pub(crate) fn change(&mut self, by: Self) {
        self.devices = self.devices.wrapping_add(by.devices);
        self.weight = self.weight.wrapping_add(by.weight);
    }

    /// The change that takes this away.
    fn less(self) -> Self {
        Self { devices: self.devices.wrapping_neg(), weight: self.weight.wrapping_neg() }
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
    /// How its entries are added.
    fn adding(&self) -> Add {
        match self.of {
            Of::Keys => Tallied::add_assign,
            Of::Times | Of::Parts => Tallied::change,
        }
    }

    fn absorb(&mut self, other: Self) {
        assert_eq!(self.of, other.of, "only counts of the same shapes add");
        self.devices = merged(std::mem::take(&mut self.devices), other.devices, self.adding());
    }

    /// The atoms of each time, in the order of their pairs.
    pub(crate) fn by_time(&self, times: usize) -> Vec<Pairs> {
        let mut by_time = vec![Pairs::new(); times];
        match self.of {
            Of::Keys => {
                for (key, devices) in &self.devices {
                    let (time, pair) = parts_of(*key);
                    by_time[time].push((pair, *devices));
                }
            }
            Of::Times => {
                for of_pair in self.devices.chunk_by(|a, b| parts_of(a.0).1 == parts_of(b.0).1) {
                    let mut held = Tallied::default();
                    for (i, (key, by)) in of_pair.iter().enumerate() {
                        let (time, pair) = parts_of(*key);
                        held.change(*by);
                        let until = of_pair.get(i + 1).map_or(times, |(next, _)| parts_of(*next).0);
                        if held.devices > 0 {
                            by_time[time..until].iter_mut().for_each(|atoms| atoms.push((pair, held)));
                        }
                    }
                }
            }
            Of::Parts => panic!("a table without times"),
        }
        by_time
    }

    /// The atoms of all times together.
    pub(crate) fn whole(&self) -> Pairs {
        assert_eq!(self.of, Of::Keys, "what is held at several times does not add up");
        in_order(
            self.devices.iter().map(|(key, devices)| (parts_of(*key).1, *devices)).collect(),
            self.adding(),
        )
    }

    /// The distinct people of each pair, and of all that lies above it; there is one time.
    pub(crate) fn distinct(&self, rows: &Axis, columns: Option<&Axis>) -> Pairs {
        assert_eq!(self.of, Of::Parts, "a table of pairs and what lies above them");
        let parts: Pairs = self.devices.iter().map(|(key, devices)| (parts_of(*key).1, *devices)).collect();
        let of_rows = along_rows(&parts, rows, self.adding());
        match columns {
            Some(columns) => along_columns(&of_rows, columns, self.adding()),
            None => of_rows,
        }
    }
}

/// Two lists in order as one.
fn merged(a: Entries, b: Entries, add: Add) -> Entries {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() { b } else { a };
    }
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.as_slice(), b.as_slice());
    while let ([first, others @ ..], [second, beside @ ..]) = (a, b) {
        let mut next = if first.0 <= second.0 { *first } else { *second };
        if first.0 == second.0 {
            add(&mut next.1, second.1);
        }
        a = if first.0 <= second.0 { others } else { a };
        b = if second.0 <= first.0 { beside } else { b };
        all.push(next);
    }
    all.extend_from_slice(a);
    all.extend_from_slice(b);
    all
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
///
/// Keys come in no order, and most of them seldom: to find each in a large table would be to wait for the memory each
/// time. So they are written one after the other, and when there are half as many as are counted already, they are
/// sorted and added to those.
struct SparseCounter {
    shape: SparseShape,
    counted: SparseTable,
    fresh: Fresh,
    marked: Vec<u64>,
    /// The last person who held anything, and until what time.
    held: (u32, usize),
    /// Room for [`count_above`].
    shared: Vec<u16>,
    seen: Seen,
}

/// What was written and is not counted yet.
struct Fresh {
    weighed: bool,
    /// Keys that have a device more, and those that have one less, where nobody is weighed.
    more: Vec<u64>,
    less: Vec<u64>,
    /// The same where people are.
    weights: Entries,
}

impl Fresh {
    fn len(&self) -> usize {
        self.more.len() + self.less.len() + self.weights.len()
    }

    /// One person more, who weighs so much.
    #[inline]
    fn add(&mut self, key: u64, weight: u64) {
        if self.weighed {
            self.weights.push((key, Tallied { devices: 1, weight }));
        } else {
            self.more.push(key);
        }
    }

    /// One person less.
    #[inline]
    fn take_away(&mut self, key: u64, weight: u64) {
        if self.weighed {
            self.weights.push((key, Tallied { devices: 1, weight }.less()));
        } else {
            self.less.push(key);
        }
    }

    /// Everything in order.
    fn settle(&mut self, add: Add) -> Entries {
        let run = |keys: &mut Vec<u64>, by: fn(u64) -> Tallied| -> Entries {
            keys.sort_unstable();
            let run = keys.chunk_by(|a, b| a == b).map(|same| (same[0], by(same.len() as u64))).collect();
            keys.clear();
            run
        };
        let more = run(&mut self.more, |devices| Tallied { devices, weight: 0 });
        let less = run(&mut self.less, |devices| Tallied { devices, weight: 0 }.less());
        merged(merged(more, less, add), in_order(std::mem::take(&mut self.weights), add), add)
    }
}

/// The fewest entries that are sorted together: as many as the second-level cache holds.
const FRESH: usize = if cfg!(test) { 4 } else { 1 << 16 };

impl SparseCounter {
    fn new(shape: SparseShape, weighed: bool) -> Self {
        let of = match shape {
            SparseShape::Keys => Of::Keys,
            SparseShape::Held { .. } => Of::Times,
            SparseShape::Above { .. } => Of::Parts,
        };
        Self {
            shape,
            counted: SparseTable { of, devices: Entries::new() },
            fresh: Fresh { weighed, more: Vec::new(), less: Vec::new(), weights: Entries::new() },
            marked: Vec::new(),
            held: (0, 0),
            shared: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Counts what the present person has marked, once each.
    fn close(&mut self, weight: u64) {
        let Self { shape, fresh, marked, shared, seen, .. } = self;
        marked.sort_unstable();
        marked.dedup();
        match shape {
            SparseShape::Above { rows, columns: Some(columns) } => {
                count_above(fresh, marked, shared, (rows, columns), weight);
            }
            SparseShape::Above { rows, columns: None } => count_above_rows(fresh, marked, seen, rows, weight),
            SparseShape::Keys | SparseShape::Held { .. } => {
                marked.iter().for_each(|key| fresh.add(*key, weight))
            }
        }
        marked.clear();
        if self.fresh.len() >= FRESH.max(self.counted.devices.len() / 2) {
            self.settle();
        }
    }

    /// Adds what was written to what is counted.
    #[cold]
    fn settle(&mut self) {
        let add = self.counted.adding();
        let fresh = self.fresh.settle(add);
        self.counted.devices = merged(std::mem::take(&mut self.counted.devices), fresh, add);
    }

    fn into_table(mut self) -> SparseTable {
        self.settle();
        self.counted
    }
}

/// Which rows a person was seen in already, of one column after the other.
#[derive(Default)]
struct Seen {
    rows: Vec<u64>,
    now: u64,
}

/// Counts pairs of one person: each counts in itself and in all rows above, and all of them together once in each.
///
/// So a pair adds one, and takes one away from the first row above it in which the person was seen already.
fn count_above_rows(fresh: &mut Fresh, pairs: &mut [u64], seen: &mut Seen, rows: &Axis, weight: u64) {
    seen.rows.resize(rows.len(), 0);
    let column_of = |pair: &u64| nodes_of(*pair).1;
    pairs.sort_unstable_by_key(column_of);
    for of_column in pairs.chunk_by(|a, b| column_of(a) == column_of(b)) {
        seen.now += 1;
        for pair in of_column {
            fresh.add(*pair, weight);
            let (row, column) = nodes_of(*pair);
            for row in rows.chain(row) {
                if std::mem::replace(&mut seen.rows[row as usize], seen.now) == seen.now {
                    fresh.take_away(key(0, row, column), weight);
                    break;
                }
            }
        }
    }
}

/// Counts pairs of one person: each counts in itself and in all pairs above, and all of them together once in each.
///
/// So a pair adds one, and takes one away from what lies above an earlier one too. Of the pairs above this one, those
/// are the ones whose row is a shared row or above it, and whose column is one shared with it or above: a staircase,
/// of which the outer corners are taken away and the inner ones, which lie in two steps, are given back.
fn count_above(
    fresh: &mut Fresh,
    pairs: &[u64],
    shared: &mut Vec<u16>,
    (rows, columns): (&Axis, &Axis),
    weight: u64,
) {
    for (i, pair) in pairs.iter().enumerate() {
        fresh.add(*pair, weight);
        let (row, column) = nodes_of(*pair);
        // By how deep a row is that is shared: one more than how deep a column is that is shared beside it.
        shared.clear();
        shared.resize(usize::from(rows.depth(row)) + 1, 0);
        for earlier in &pairs[..i] {
            let (other_row, other_column) = nodes_of(*earlier);
            let deepest = &mut shared[usize::from(rows.shared(row, other_row))];
            *deepest = (*deepest).max(u16::from(columns.shared(column, other_column)) + 1);
        }
        let above = |depth: u16| columns.above(column, depth - 1);
        let mut before = 0;
        for (row, deepest) in rows.chain(row).zip(shared.iter().rev()) {
            if *deepest > before {
                fresh.take_away(key(0, row, above(*deepest)), weight);
                if before > 0 {
                    fresh.add(key(0, row, above(before)), weight);
                }
                before = *deepest;
            }
        }
    }
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
    pub(crate) fn new(shapes: &[Shape], sparse: &[SparseShape], weighed: bool) -> Self {
        Self {
            tables: shapes.iter().map(|shape| Counter::new(*shape, weighed)).collect(),
            sparse: sparse.iter().map(|shape| SparseCounter::new(shape.clone(), weighed)).collect(),
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
        let weight = u64::from(self.weight);
        self.count_marks(weight);
        self.sparse.iter_mut().for_each(|counter| counter.close(weight));
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
        let sparse = self.sparse.into_iter().map(SparseCounter::into_table);
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
    /// When the table does not exist, or is not one of keys.
    #[inline]
    pub fn mark_key(&mut self, table: usize, key: u64) {
        let counter = &mut self.0.sparse[table];
        assert!(matches!(counter.shape, SparseShape::Keys), "a table of keys");
        counter.marked.push(key);
    }

    /// This person counts in a pair of nodes of a sparse table, and in every pair of which the row is that row or above
    /// it, and so is the column. Saying so again, or of another pair below the same, changes nothing there. Where there
    /// is a tree of columns, each pair is compared with all others of the person, so they should be few.
    ///
    /// # Panics
    /// When the table, the row or the column does not exist, or the table is not one of pairs and what lies above them.
    #[inline]
    pub fn mark_pair(&mut self, table: usize, row: u32, column: u32) {
        let counter = &mut self.0.sparse[table];
        let SparseShape::Above { rows, columns } = &counter.shape else {
            panic!("a table of what lies above")
        };
        let there = |axis: &Axis, node: u32| (node as usize) < axis.len();
        assert!(
            there(rows, row) && columns.as_ref().is_none_or(|columns| there(columns, column)),
            "no such node"
        );
        counter.marked.push(key(0, row, column));
    }

    /// This person was in one pair of nodes of a sparse table at all of these times. Times before the end of what was
    /// said last of this person are passed over: nobody is in two at once, or twice in one.
    ///
    /// # Panics
    /// When the table or a time does not exist, or the table is not one that is held.
    #[inline]
    pub fn hold_pair(&mut self, table: usize, times: Range<usize>, (row, column): (u32, u32)) {
        let (person, weight) = (self.0.person, u64::from(self.0.weight));
        let counter = &mut self.0.sparse[table];
        let SparseShape::Held { times: all } = counter.shape else { panic!("a table that is held") };
        assert!(times.end <= all, "a time beyond those of the table");
        let told = if counter.held.0 == person { counter.held.1 } else { 0 };
        let (from, until) = (times.start.max(told), times.end);
        if from >= until {
            return;
        }
        counter.held = (person, until);
        counter.fresh.add(key(from, row, column), weight);
        if until < all {
            counter.fresh.take_away(key(until, row, column), weight);
        }
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
