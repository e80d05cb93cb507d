//! The exit: the one place where it is decided which numbers are shown.
//!
//! Tables whose numbers add up are protected as sums (`suppress`), time after time, so that what is withheld at one
//! time is preferred at the next. Tables of distinct people, which do not add up, are protected as nested groups
//! (`nested`), after the tables that they hold and that hold them.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use throng_schema::{Grid, PlaceTree};

use crate::{
    axis::Axis,
    count_table::{CountTable, Shape, SparseTable},
    crossed::{self, CrossedTable, Crossing, Number, Side},
    key::{pair, unpair},
    lattice::{Lattice, index},
    nested::{self, Places},
    partition::{self, Partition},
    policy::Policy,
    protected_table::{Account, Cell, Pair, Protected, ProtectedPairs, ProtectedTable, Witness},
    suppress::{Numbers, Pattern, Rule, suppress},
};

/// How the numbers of a table hang together: what its report declares, and all that protection knows about it.
pub enum Guard<'a> {
    /// Numbers that add up, over a lattice of columns.
    Sums {
        /// The lattice. A table of counts has one slot for each of its [`Lattice::slots`] at each time.
        lattice: &'a Lattice,
        /// Lattices over the same atoms and columns in which some columns are empty, for times at which those are not
        /// shown, each with its times.
        others: &'a [(Lattice, Range<usize>)],
        /// Which group each column belongs to in the account of what is withheld.
        groups: &'a [usize],
        /// How often one device can count in one number; once, but for trips.
        counts_per_device: u64,
    },
    /// Distinct people by place, each place counted by itself.
    Nested {
        /// The places, which are the columns.
        tree: &'a PlaceTree,
        /// Of each place, whether any cell of the plan serves it.
        covered: &'a [bool],
        /// Which group each place belongs to in the account of what is withheld.
        groups: &'a [usize],
        /// A table of the same kind over longer periods, and the period in it that each time of this table lies in.
        within: Option<(usize, Vec<usize>)>,
        /// A table of sums over the same places, and the times in it that lie in each time of this table.
        holding: Option<(usize, Vec<Range<usize>>)>,
    },
    /// Classes that divide the distinct people of each place. A slot is a place's number times `classes`, plus the
    /// class.
    Classes {
        /// The places.
        tree: &'a PlaceTree,
        /// Of each place, whether any cell of the plan serves it.
        covered: &'a [bool],
        /// Which group each place belongs to in the account of what is withheld.
        groups: &'a [usize],
        /// How many classes there are.
        classes: usize,
        /// The table of the distinct people that they divide, at the same times.
        totals: usize,
    },
}

/// How the numbers of a sparse table hang together.
pub enum PairGuard<'a> {
    /// Present people by place and class, at some times. Pairs are of place and class, where both are the finest; place
    /// `p` is node `p + 1` of the rows.
    Present {
        /// The places, under everybody.
        rows: &'a Axis,
        /// The classes, under everybody.
        columns: &'a Axis,
        /// The table of sums that holds the totals of places, and its time for each time of this table.
        totals: (usize, Vec<usize>),
    },
    /// Distinct people of a period by place and class. Pairs are of place and finest class; the table counts people once in
    /// each place that lies above, too.
    Visiting {
        /// The places, under everybody.
        rows: &'a Axis,
        /// The classes, under everybody.
        columns: &'a Axis,
        /// The table of distinct people that holds the totals of places, at its only time.
        totals: usize,
        /// The sparse table of those present at instants of the period.
        present: usize,
    },
    /// Trips by hour. A [key](crate::key) is of hour, origin and destination, where both are the finest.
    Trips {
        /// Origins and destinations, under everywhere.
        places: &'a Axis,
        /// How many hours there are.
        hours: usize,
        /// The sparse table of distinct people by origin and destination in the whole day, and all that lies above both.
        travellers: usize,
        /// The table of distinct people by hour and place, who are where trips arrive, if it is counted.
        visitors: Option<usize>,
    },
    /// A table that only another guard looks at.
    Silent,
}

/// A protected table beside the truth, for the tables that are protected after it.
pub(crate) struct Done {
    pub(crate) table: ProtectedTable,
    /// Devices by time and column.
    pub(crate) truth: Vec<u64>,
    pub(crate) witnesses: Vec<Witness>,
}

/// Times that are protected one after the other. More would leave threads idle; the first time's pattern is where
/// each of these chains begins, so that partners do not rotate between them either.
const CHAIN: usize = 24;

/// The exit of one run: days leave through it one after the other, and it remembers of each what decides about the
/// next.
pub struct Exit {
    policy: Policy,
    /// The first pattern of each table of sums, from which every chain begins.
    patterns: HashMap<usize, Pattern>,
    /// What was shown last of each sparse table.
    shown: HashMap<usize, HashSet<u64>>,
    /// Published visitors of the days that have left, by place.
    days: Vec<Vec<Cell>>,
    /// Published groups in each place that are near the largest of them, for no others can be near the window's.
    inside: Vec<BTreeSet<u64>>,
}

/// Withholds what could point at a small group, in the tables of one day that leaves alone.
///
/// # Panics
/// As [`Exit::protect`].
#[must_use]
pub fn protect(tables: Vec<CountTable>, guards: &[Guard<'_>], policy: &Policy) -> Protected {
    Exit::new(*policy).protect(tables, guards, Vec::new(), &[])
}

impl Exit {
    /// An exit that nothing has left through yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, patterns: HashMap::new(), shown: HashMap::new(), days: Vec::new(), inside: Vec::new() }
    }

    /// Withholds what could point at a small group, in all tables of a day together. Small groups end here.
    ///
    /// `guards` says of each table how its numbers hang together, `pair_guards` of each sparse table.
    ///
    /// # Panics
    /// When a guard is of another table: its shape differs, or it names a table that is not there or is of another
    /// kind.
    #[must_use]
    pub fn protect(
        &mut self,
        tables: Vec<CountTable>,
        guards: &[Guard<'_>],
        sparse: Vec<SparseTable>,
        pair_guards: &[PairGuard<'_>],
    ) -> Protected {
        assert_eq!(tables.len(), guards.len(), "every table has its guard");
        assert_eq!(sparse.len(), pair_guards.len(), "every sparse table has its guard");
        let k = self.policy.threshold.k();
        let mut done: Vec<Option<Done>> = Vec::new();
        for (table, (counts, guard)) in tables.iter().zip(guards).enumerate() {
            done.push(match guard {
                Guard::Sums { lattice, others, groups, counts_per_device } => {
                    let (rule, witnesses) = (self.policy.rule(*counts_per_device), self.policy.witnesses);
                    let first = self.patterns.remove(&table);
                    let sums = Sums { lattice, others, groups };
                    let (sums, first) = protect_sums(counts, &sums, rule, witnesses, first);
                    self.patterns.extend(first.map(|first| (table, first)));
                    Some(sums)
                }
                Guard::Nested { .. } | Guard::Classes { .. } => None,
            });
        }
        // Longer periods first: what is shown of them decides about the shorter. Then the classes of both.
        for round in 0..3 {
            for (table, guard) in guards.iter().enumerate() {
                let of = |table: &usize| done[*table].as_ref().expect("a table protected before");
                let now = match guard {
                    Guard::Nested { tree, covered, groups, within, holding }
                        if usize::from(within.is_some()) == round =>
                    {
                        let within = within.as_ref().map(|(table, times)| (of(table), times.as_slice()));
                        let holding = holding.as_ref().map(|(table, times)| (of(table), times.as_slice()));
                        let places = Places { tree, covered, groups };
                        let nest = nested::Nest { k, places, within, holding, parts: &[], inside: &[] };
                        nested::protect(&tables[table], &nest)
                    }
                    Guard::Classes { tree, covered, groups, classes, totals } if round == 2 => {
                        let places = Places { tree, covered, groups };
                        let partition = Partition { k, places, classes: *classes, totals: of(totals) };
                        partition::protect(&tables[table], &partition)
                    }
                    _ => continue,
                };
                done[table] = Some(now);
            }
        }
        let done: Vec<Done> = done.into_iter().flatten().collect();
        let pairs = self.protect_pairs(sparse, pair_guards, &done);
        let (mut protected, mut witnesses) = (Vec::new(), Vec::new());
        for (table, part) in done.into_iter().enumerate() {
            protected.push(part.table);
            witnesses.extend(part.witnesses.into_iter().map(|witness| Witness { table, ..witness }));
        }
        Protected { tables: protected, pairs, witnesses }
    }

    /// Remembers the days of a protected table of distinct people, each of its times a day, and other tables of people
    /// in these places on these days, for [`Exit::window`].
    pub fn keep_days(&mut self, days: &ProtectedTable, others: &[&ProtectedTable], places: usize) {
        self.days.extend(days.cells.chunks(days.grid.places()).map(<[Cell]>::to_vec));
        for table in others.iter().chain([&days]) {
            for time in table.cells.chunks(table.grid.places()) {
                for (place, cell) in time.iter().take(places).enumerate() {
                    if let Cell::Published(devices) = cell {
                        self.keep_group(place, *devices);
                    }
                }
            }
        }
    }

    /// Remembers a published group of people in a place.
    pub fn keep_group(&mut self, place: usize, devices: u64) {
        if self.inside.len() <= place {
            self.inside.resize_with(place + 1, BTreeSet::new);
        }
        let (groups, k) = (&mut self.inside[place], self.policy.threshold.k());
        // The window's people are no fewer than the largest group.
        let least = groups.last().copied().unwrap_or_default().max(devices).saturating_sub(k);
        if devices >= least {
            groups.insert(devices);
            *groups = groups.split_off(&least);
        }
    }

    /// Protects the distinct people of the whole window and the classes that divide them, once all days are out.
    ///
    /// What is published of the days stands, so the window gives way: where its number and a day's tell of a few
    /// people, it is withheld. The first table is of all people of a place, the second of the classes, each given by
    /// the fewest days of those in it.
    ///
    /// # Panics
    /// When the counts are of other places or classes.
    #[must_use]
    pub fn window(
        self,
        counts: &CountTable,
        tree: &PlaceTree,
        covered: &[bool],
        groups: &[usize],
        classes: &[u64],
    ) -> [ProtectedTable; 2] {
        let k = self.policy.threshold.k();
        let sums = |of: &[u64]| of.chunks(classes.len()).map(|classes| classes.iter().sum()).collect();
        let shape = Shape::marked(Grid::new(1, tree.len()));
        let all = CountTable { shape, devices: sums(&counts.devices), weights: sums(&counts.weights) };
        let places = Places { tree, covered, groups };
        let mut inside = self.inside;
        inside.resize_with(tree.len(), BTreeSet::new);
        for place in tree.ids().rev() {
            if let Some(above) = tree.parent(place) {
                let groups = inside[place.index()].clone();
                inside[above.index()].extend(groups);
            }
        }
        let nest =
            nested::Nest { k, places, within: None, holding: None, parts: &self.days, inside: &inside };
        let totals = nested::protect(&all, &nest);
        let places = Places { tree, covered, groups };
        let n = classes.len();
        let mut of_classes =
            partition::protect(counts, &Partition { k, places, classes: n, totals: &totals });
        for place in tree.ids().filter(|place| covered[place.index()]) {
            let days: Vec<Cell> = self.days.iter().map(|day| day[place.index()]).collect();
            let cells = &mut of_classes.table.cells[place.index() * n..][..n];
            if days_tell_of_few(&counts.devices[place.index() * n..][..n], cells, &days, classes, k) {
                cells.fill(Cell::Withheld);
            }
        }
        [totals.table, of_classes.table]
    }

    fn protect_pairs(
        &mut self,
        sparse: Vec<SparseTable>,
        guards: &[PairGuard<'_>],
        done: &[Done],
    ) -> Vec<ProtectedPairs> {
        // Trips need nothing of the other sparse tables, and take about as long.
        let is_trips = |table: &usize| matches!(guards[*table], PairGuard::Trips { .. });
        let (trips, others): (Vec<usize>, Vec<usize>) = (0..guards.len()).partition(is_trips);
        let these = |tables: &[usize]| self.protect_these(tables, &sparse, guards, done);
        let ((mut pairs, shown), (mut of_trips, shown_of_trips)) =
            rayon::join(|| these(&others), || these(&trips));
        for table in trips {
            pairs[table] = std::mem::take(&mut of_trips[table]);
        }
        self.shown.extend(shown.into_iter().chain(shown_of_trips));
        pairs
    }

    /// Protects some of the sparse tables, in their order; gives what is shown of each, and as a set what was shown last.
    fn protect_these(
        &self,
        tables: &[usize],
        sparse: &[SparseTable],
        guards: &[PairGuard<'_>],
        done: &[Done],
    ) -> (Vec<ProtectedPairs>, HashMap<usize, Shown>) {
        let mut pairs: Vec<ProtectedPairs> = sparse.iter().map(|_| ProtectedPairs::default()).collect();
        let (mut last, nothing) = (HashMap::new(), Shown::new());
        for &table in tables {
            let work = PairWork { k: self.policy.threshold.k(), sparse, done, pairs: &pairs };
            let before = self.shown.get(&table).unwrap_or(&nothing);
            let (now, shown) = match &guards[table] {
                PairGuard::Present { rows, columns, totals } => {
                    work.present(table, rows, columns, totals, before)
                }
                PairGuard::Visiting { rows, columns, totals, present } => {
                    work.visiting(table, rows, columns, *totals, *present, before)
                }
                PairGuard::Trips { places, hours, travellers, visitors } => {
                    let among = visitors.map(|visitors| &done[visitors].table);
                    work.trips(table, (places, *hours), *travellers, among, before)
                }
                PairGuard::Silent => continue,
            };
            last.insert(table, shown);
            pairs[table] = now;
        }
        (pairs, last)
    }
}

/// Whether the visitors of the days tell, beside the classes of those who came so often, of a few people.
///
/// All visits are the visitors of all days added up. With the classes known, that tells how many more visits there
/// were than the fewest that the classes allow, and how many fewer than the most. And who came on every day is among
/// the visitors of each.
fn days_tell_of_few(counts: &[u64], cells: &[Cell], days: &[Cell], lower: &[u64], k: u64) -> bool {
    let few = |people: u64| people > 0 && people < k;
    let published = |cell: &Cell| if let Cell::Published(devices) = cell { Some(*devices) } else { None };
    let n = days.len() as u64;
    let every_day = lower.iter().rposition(|days| *days <= n).filter(|class| lower[*class] == n);
    let all_days = every_day.filter(|class| published(&cells[*class]).is_some());
    let of_day = |class: usize| days.iter().filter_map(published).any(|day| few(day.abs_diff(counts[class])));
    if all_days.is_some_and(of_day) {
        return true;
    }
    let rest: u64 =
        counts.iter().zip(cells).filter(|(_, cell)| published(cell).is_none()).map(|(n, _)| n).sum();
    let visits: Option<u64> = days.iter().map(published).sum();
    let Some(visits) = visits.filter(|_| rest == 0) else { return false };
    let upper = (1..=lower.len()).map(|class| lower.get(class).map_or(n, |next| (next - 1).min(n)));
    let fewest: u64 = counts.iter().zip(lower).map(|(people, days)| people * days).sum();
    let most: u64 = counts.iter().zip(upper).map(|(people, days)| people * days).sum();
    few(visits.saturating_sub(fewest)) || few(most.saturating_sub(visits))
}

/// What the sparse tables of a day are protected with.
struct PairWork<'a> {
    k: u64,
    sparse: &'a [SparseTable],
    done: &'a [Done],
    pairs: &'a [ProtectedPairs],
}

type Shown = HashSet<u64>;

impl PairWork<'_> {
    fn present(
        &self,
        table: usize,
        rows: &Axis,
        columns: &Axis,
        (totals, times): &(usize, Vec<usize>),
        before: &Shown,
    ) -> (ProtectedPairs, Shown) {
        let mut shown = Cow::Borrowed(before);
        let crossing =
            Crossing { rows, columns, side: Side::Sums, k: self.k, goal: self.k, totals_given: true };
        let sums = self.sparse[table].by_time(times.len()).into_par_iter();
        let sums = sums.map(|atoms| CrossedTable::of_sums(atoms.into_iter(), rows, columns));
        let mut pairs = ProtectedPairs::default();
        for (time, mut sums) in sums.collect::<Vec<_>>().into_iter().enumerate() {
            let total = |row: u32| self.total(*totals, times[time], row);
            let may = |number: &Number| number.column > 0 || number.row == 0 || total(number.row);
            crossed::protect(&mut sums, &crossing, may, &|row, column| shown.contains(&pair(row, column)));
            shown = Cow::Owned(pairs.take(time, &sums, self.k));
        }
        (pairs, shown.into_owned())
    }

    /// Whether a place's total is published; node 0 of the rows is everybody.
    fn total(&self, table: usize, time: usize, row: u32) -> bool {
        let table = &self.done[table].table;
        let Some(place) = row.checked_sub(1) else { return true };
        matches!(table.cells[table.grid.slot(time, place as usize).0], Cell::Published(_))
    }

    fn visiting(
        &self,
        table: usize,
        rows: &Axis,
        columns: &Axis,
        totals: usize,
        present: usize,
        before: &Shown,
    ) -> (ProtectedPairs, Shown) {
        let k = self.k;
        let crossing = Crossing { rows, columns, side: Side::Nested, k, goal: k, totals_given: true };
        // Of everybody there is one total for each class, which is no place's.
        let by_place =
            self.sparse[table].distinct(rows, None).into_iter().filter(|(key, _)| unpair(*key).0 > 0);
        let mut visitors = CrossedTable::of_classes(by_place, columns);
        // Those present at an instant are among them, and the others are nobody or enough.
        let mut close: Shown = HashSet::new();
        for there in &self.pairs[present].pairs {
            let all = visitors.count(there.row, there.column);
            if all > there.devices && all - there.devices < k {
                close.insert(pair(there.row, there.column));
            }
        }
        let may = |number: &Number| {
            let total = number.column > 0 || self.total(totals, 0, number.row);
            total && !close.contains(&pair(number.row, number.column))
        };
        crossed::protect(&mut visitors, &crossing, may, &|row, column| before.contains(&pair(row, column)));
        let mut pairs = ProtectedPairs::default();
        let shown = pairs.take(0, &visitors, k);
        (pairs, shown)
    }

    /// The day first, then its hours: an hour's number is shown only where the day's is, and what the day has beside
    /// the shown hours is nobody's, or at least k trips for each of the other hours.
    fn trips(
        &self,
        table: usize,
        (places, hours): (&Axis, usize),
        travellers: usize,
        visitors: Option<&ProtectedTable>,
        before: &Shown,
    ) -> (ProtectedPairs, Shown) {
        let k = self.k;
        let by_hour = self.sparse[table].by_time(hours);
        let (mut day, distinct) = rayon::join(
            || CrossedTable::of_sums(self.sparse[table].whole().into_iter(), places, places),
            || CrossedTable::new(self.sparse[travellers].distinct(places, Some(places)).into_iter()),
        );
        let sides =
            |goal| Crossing { rows: places, columns: places, side: Side::Sums, k, goal, totals_given: false };
        let enough = |number: &Number| distinct.count(number.row, number.column) >= k;
        // Where every device is a group of its own, so is every trip.
        let goal = if k > 1 { k * hours as u64 } else { k };
        crossed::protect(&mut day, &sides(goal), enough, &|_, _| false);
        let mut of_hours: Vec<CrossedTable> = by_hour
            .into_par_iter()
            .map(|atoms| CrossedTable::of_sums(atoms.into_iter(), places, places))
            .collect();
        let mut allowed = hours_allowed(&day, &of_hours, k);
        // Who arrives somewhere is a visitor there, and of every place around it.
        let apart = |hour: usize, number: &Number| {
            visitors.is_none_or(|visitors| {
                places.chain(number.column).filter_map(|node| node.checked_sub(1)).all(|place| match visitors
                    .cells[visitors.grid.slot(hour, place as usize).0]
                {
                    Cell::Published(all) => all <= number.count || all - number.count >= k,
                    Cell::Withheld | Cell::NoCoverage => true,
                })
            })
        };
        loop {
            let mut shown = Cow::Borrowed(before);
            for (hour, table) in of_hours.iter_mut().enumerate() {
                table.hide_all();
                let may = |number: &Number| {
                    allowed[hour].contains(&pair(number.row, number.column)) && apart(hour, number)
                };
                crossed::protect(table, &sides(k), may, &|row, column| shown.contains(&pair(row, column)));
                shown = Cow::Owned(table.shown().map(|number| pair(number.row, number.column)).collect());
            }
            if k <= 1 {
                break;
            }
            let beyond = hours_beyond(&day, &of_hours, k);
            for (hour, pair) in &beyond {
                allowed[*hour].remove(pair);
            }
            if !beyond.is_empty() {
                continue;
            }
            let telling = telling_hours(&day, &of_hours, places, k);
            if telling.is_empty() {
                break;
            }
            for pair in telling {
                allowed.iter_mut().for_each(|hour| _ = hour.remove(&pair));
            }
        }
        let (mut pairs, mut shown) = (ProtectedPairs::default(), Shown::new());
        for (hour, table) in of_hours.iter().enumerate() {
            shown = pairs.take(hour, table, k);
        }
        let _ = pairs.take(hours, &day, k);
        (pairs, shown)
    }
}

/// Pairs whose hours tell, through the day, what they withhold in some.
///
/// The day less the shown hours is what the other hours have together; and so it is for the number one step up, in the
/// same hours. What that has in them beside this pair must be nobody's, or at least k trips for each of the hours.
fn telling_hours(day: &CrossedTable, hours: &[CrossedTable], places: &Axis, k: u64) -> Vec<u64> {
    let tells = |number: &&Number| {
        let shown: Vec<&CrossedTable> =
            hours.iter().filter(|hour| hour.is_shown(number.row, number.column)).collect();
        let others = (hours.len() - shown.len()) as u64;
        if shown.is_empty() || others == 0 {
            return false;
        }
        let left = |row: u32, column: u32, of_day: u64| {
            of_day - shown.iter().map(|hour| hour.count(row, column)).sum::<u64>()
        };
        let own = left(number.row, number.column, number.count);
        let up = [
            places.parent(number.column).map(|column| (number.row, column)),
            places.parent(number.row).map(|row| (row, number.column)),
        ];
        up.into_iter().flatten().any(|(row, column)| {
            let beside = left(row, column, day.count(row, column)) - own;
            beside > 0 && beside < k * others
        })
    };
    day.shown().filter(tells).map(|number| pair(number.row, number.column)).collect()
}

/// Which pairs each hour may show. Where too little would be left of the day, the smallest hours are withheld.
fn hours_allowed(day: &CrossedTable, hours: &[CrossedTable], k: u64) -> Vec<HashSet<u64>> {
    let mut allowed = vec![HashSet::new(); hours.len()];
    for number in day.shown() {
        let large = |hour: &CrossedTable| hour.count(number.row, number.column) >= k;
        let [_, kept] = hours_apart(number, hours, k, large);
        for (_, hour) in kept {
            allowed[hour].insert(pair(number.row, number.column));
        }
    }
    allowed
}

/// What hours must not show of what they do, by the day: where nobody travelled in any other hour, the day left nothing,
/// until one of the hours was withheld for another number's sake.
fn hours_beyond(day: &CrossedTable, hours: &[CrossedTable], k: u64) -> Vec<(usize, u64)> {
    let mut beyond = Vec::new();
    for number in day.shown() {
        let shown = |hour: &CrossedTable| hour.is_shown(number.row, number.column);
        let [withheld, _] = hours_apart(number, hours, k, shown);
        beyond.extend(withheld.into_iter().map(|(_, hour)| (hour, pair(number.row, number.column))));
    }
    beyond
}

/// The trips of a pair in some hours, and which hours these are.
type Hours = Vec<(u64, usize)>;

/// Divides hours that could show a pair into the smallest, which must not, and those that may: then what the day has
/// beside these is nobody's, or at least k trips for each of the other hours.
fn hours_apart(
    number: &Number,
    hours: &[CrossedTable],
    k: u64,
    could: impl Fn(&CrossedTable) -> bool,
) -> [Hours; 2] {
    let could = hours.iter().enumerate().filter(|(_, table)| could(table));
    let mut smallest: Hours =
        could.map(|(hour, table)| (table.count(number.row, number.column), hour)).collect();
    smallest.sort_unstable();
    let mut rest = number.count - smallest.iter().map(|(count, _)| count).sum::<u64>();
    let mut first = 0;
    while first < smallest.len() && rest > 0 && rest < k * (hours.len() - (smallest.len() - first)) as u64 {
        rest += smallest[first].0;
        first += 1;
    }
    let kept = smallest.split_off(first);
    [smallest, kept]
}

impl ProtectedPairs {
    /// Takes what is shown of a table at a time; gives it as a set too.
    pub(crate) fn take(&mut self, time: usize, table: &CrossedTable, k: u64) -> Shown {
        let mut shown = HashSet::new();
        for number in &table.numbers {
            let Number { row, column, count: devices, weight, .. } = *number;
            if number.shown {
                shown.insert(pair(row, column));
                self.pairs.push(Pair { time, row, column, devices, weight });
            } else if devices < k {
                self.account.too_few += 1;
            } else {
                self.account.protective += 1;
            }
        }
        shown
    }
}

/// What is known of a table of sums.
struct Sums<'a> {
    lattice: &'a Lattice,
    others: &'a [(Lattice, Range<usize>)],
    groups: &'a [usize],
}

impl Sums<'_> {
    /// The lattice of a time.
    fn at(&self, time: usize) -> &Lattice {
        let other = self.others.iter().find(|(_, times)| times.contains(&time));
        other.map_or(self.lattice, |(lattice, _)| lattice)
    }
}

/// Protects a table of sums at all its times.
fn protect_sums(
    table: &CountTable,
    sums: &Sums<'_>,
    rule: Rule,
    witnesses: bool,
    kept: Option<Pattern>,
) -> (Done, Option<Pattern>) {
    let (times, slots) = (table.shape.grid.times(), table.shape.grid.places());
    let Sums { lattice, groups, .. } = *sums;
    assert_eq!((slots, groups.len()), (lattice.slots(), lattice.columns()), "a table over another lattice");
    let atoms_at = |time: usize| -> Vec<u64> {
        (0..lattice.atoms()).map(|atom| table.devices[time * slots + lattice.slot(atom)]).collect()
    };
    let at = |time: usize, before: Option<&Pattern>| {
        let (lattice, atoms) = (sums.at(time), atoms_at(time));
        // A pattern of other columns is of no use.
        let before = before.filter(|before| before.withheld.len() == lattice.classes());
        suppress(lattice, Numbers { atoms: &atoms, devices: None, withheld: None }, rule, before)
    };
    let at_first = (times > 0).then(|| at(0, kept.as_ref()));
    // The first pattern of the run is where each of its chains begins.
    let first = kept.as_ref().or(at_first.as_ref());
    let chains: Vec<Vec<Pattern>> = (0..times.div_ceil(CHAIN))
        .into_par_iter()
        .map(|chain| {
            let mut patterns: Vec<Pattern> = Vec::new();
            for time in (chain * CHAIN).max(1)..times.min((chain + 1) * CHAIN) {
                let next = at(time, patterns.last().or(first));
                patterns.push(next);
            }
            patterns
        })
        .collect();
    let patterns: Vec<Pattern> = at_first.into_iter().chain(chains.into_iter().flatten()).collect();
    let mut account = Account::new(groups);
    let (mut cells, mut truth, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (time, pattern) in patterns.iter().enumerate() {
        let lattice = sums.at(time);
        let of_classes = lattice.sums(&atoms_at(time));
        if !table.weights.is_empty() {
            let weigh = |atom: usize| table.weights[time * slots + sums.lattice.slot(atom)];
            let of_classes = lattice.sums(&(0..lattice.atoms()).map(weigh).collect::<Vec<_>>());
            let weight = |column: usize| lattice.class_of(column).map_or(0, |class| of_classes[class]);
            weights.extend((0..groups.len()).map(weight));
        }
        for (column, group) in groups.iter().enumerate() {
            let Some(class) = lattice.class_of(column) else {
                cells.push(Cell::NoCoverage);
                truth.push(0);
                continue;
            };
            let (devices, withheld) = (of_classes[class], pattern.withheld[class]);
            account.add(*group, devices, withheld, pattern.small[class]);
            cells.push(if withheld { Cell::Withheld } else { Cell::Published(devices) });
            truth.push(devices);
        }
    }
    let witnesses = if witnesses {
        let at = |(time, pattern)| {
            let atoms = witnesses_at(pattern, sums.at(time), &atoms_at(time));
            let slots = |(atom, devices): (u32, u64)| (lattice.slot(atom as usize), devices);
            let named = |(number, atoms): (usize, Vec<(u32, u64)>)| Witness {
                table: 0,
                time,
                number,
                devices: atoms.into_iter().map(slots).collect(),
            };
            atoms.into_iter().enumerate().map(named).collect::<Vec<_>>()
        };
        patterns.par_iter().enumerate().flat_map_iter(at).collect()
    } else {
        Vec::new()
    };
    let grid = Grid::new(times, lattice.columns());
    let first = kept.or_else(|| patterns.into_iter().next());
    (Done { table: ProtectedTable { grid, cells, weights, account }, truth, witnesses }, first)
}

/// The true table first, then the tables that might have been in its stead.
fn witnesses_at(pattern: &Pattern, lattice: &Lattice, atoms: &[u64]) -> Vec<Vec<(u32, u64)>> {
    let truth = atoms.iter().enumerate().filter(|(_, devices)| **devices > 0);
    let truth = truth.map(|(atom, devices)| (index(atom), *devices)).collect();
    std::iter::once(truth).chain(pattern.witnesses(lattice, atoms)).collect()
}

#[cfg(test)]
mod tests;
