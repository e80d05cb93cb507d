//! The exit: the one place where it is decided which numbers are shown.
//!
//! Tables whose numbers add up are protected as sums (`suppress`), time after time, so that what is withheld at one
//! time is preferred at the next. Tables of distinct people, which do not add up, are protected as nested groups
//! (`nested`), after the tables that they hold and that hold them.

use std::ops::Range;

use rayon::prelude::*;
use throng_schema::{Grid, PlaceTree};

use crate::{
    count_table::CountTable,
    lattice::{Lattice, index},
    nested,
    policy::Policy,
    protected_table::{Account, Cell, Protected, ProtectedTable, Witness},
    suppress::{Numbers, Pattern, Rule, suppress},
};

/// How the numbers of a table hang together: what its report declares, and all that protection knows about it.
pub enum Guard<'a> {
    /// Numbers that add up, over a lattice of columns.
    Sums {
        /// The lattice. A table of counts has one slot for each of its [`Lattice::slots`] at each time.
        lattice: &'a Lattice,
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

/// Withholds what could point at a small group, in all tables of a release together. Small groups end here.
///
/// `guards` says of each table how its numbers hang together.
///
/// # Panics
/// When a guard is of another table: its shape differs, or it names a table that is not there or is no table of sums.
#[must_use]
pub fn protect(tables: Vec<CountTable>, guards: &[Guard<'_>], policy: &Policy) -> Protected {
    assert_eq!(tables.len(), guards.len(), "every table has its guard");
    let mut done: Vec<Option<Done>> = tables
        .par_iter()
        .zip(guards)
        .map(|(table, guard)| match guard {
            Guard::Sums { lattice, groups, counts_per_device } => {
                let rule = Rule {
                    k: policy.threshold.k(),
                    counts_per_device: *counts_per_device,
                    safety: policy.safety,
                };
                Some(protect_sums(table, lattice, groups, rule, policy.witnesses))
            }
            Guard::Nested { .. } => None,
        })
        .collect();
    // Longer periods first: what is shown of them decides about the shorter.
    for shorter in [false, true] {
        for (table, guard) in guards.iter().enumerate() {
            if let Guard::Nested { tree, covered, groups, within, holding } = guard
                && within.is_some() == shorter
            {
                let of = |table: &usize| done[*table].as_ref().expect("a table protected before");
                let within = within.as_ref().map(|(table, times)| (of(table), times.as_slice()));
                let holding = holding.as_ref().map(|(table, times)| (of(table), times.as_slice()));
                let places = nested::Places { tree, covered, groups };
                let nest = nested::Nest { k: policy.threshold.k(), places, within, holding };
                done[table] = Some(nested::protect(&tables[table], &nest));
            }
        }
    }
    let done: Vec<Done> = done.into_iter().flatten().collect();
    let (mut protected, mut witnesses) = (Vec::new(), Vec::new());
    for (table, part) in done.into_iter().enumerate() {
        protected.push(part.table);
        witnesses.extend(part.witnesses.into_iter().map(|witness| Witness { table, ..witness }));
    }
    Protected { tables: protected, witnesses }
}

/// Protects a table of sums at all its times.
fn protect_sums(
    table: &CountTable,
    lattice: &Lattice,
    groups: &[usize],
    rule: Rule,
    witnesses: bool,
) -> Done {
    let (times, slots) = (table.shape.grid.times(), table.shape.grid.places());
    assert_eq!((slots, groups.len()), (lattice.slots(), lattice.columns()), "a table over another lattice");
    let atoms_at = |time: usize| -> Vec<u64> {
        (0..lattice.atoms()).map(|atom| table.devices[time * slots + lattice.slot(atom)]).collect()
    };
    let at = |time: usize, before: Option<&Pattern>| {
        let atoms = atoms_at(time);
        suppress(lattice, Numbers { atoms: &atoms, devices: None, withheld: None }, rule, before)
    };
    let first = (times > 0).then(|| at(0, None));
    let chains: Vec<Vec<Pattern>> = (0..times.div_ceil(CHAIN))
        .into_par_iter()
        .map(|chain| {
            let mut patterns: Vec<Pattern> = Vec::new();
            for time in (chain * CHAIN).max(1)..times.min((chain + 1) * CHAIN) {
                let next = at(time, patterns.last().or(first.as_ref()));
                patterns.push(next);
            }
            patterns
        })
        .collect();
    let patterns: Vec<Pattern> = first.into_iter().chain(chains.into_iter().flatten()).collect();
    let mut account = Account::new(groups);
    let (mut cells, mut truth) = (Vec::new(), Vec::new());
    for (time, pattern) in patterns.iter().enumerate() {
        let sums = lattice.sums(&atoms_at(time));
        for (column, group) in groups.iter().enumerate() {
            let Some(class) = lattice.class_of(column) else {
                cells.push(Cell::NoCoverage);
                truth.push(0);
                continue;
            };
            let (devices, withheld) = (sums[class], pattern.withheld[class]);
            account.add(*group, devices, withheld, pattern.small[class]);
            cells.push(if withheld { Cell::Withheld } else { Cell::Published(devices) });
            truth.push(devices);
        }
    }
    let witnesses = if witnesses {
        let found =
            patterns.par_iter().enumerate().map(|(time, p)| witnesses_at(time, p, lattice, &atoms_at(time)));
        found.flatten_iter().collect()
    } else {
        Vec::new()
    };
    let grid = Grid::new(times, lattice.columns());
    Done { table: ProtectedTable { grid, cells, account }, truth, witnesses }
}

/// The true table first, then the tables that might have been in its stead.
fn witnesses_at(time: usize, pattern: &Pattern, lattice: &Lattice, atoms: &[u64]) -> Vec<Witness> {
    let truth = atoms.iter().enumerate().filter(|(_, devices)| **devices > 0);
    let truth = truth.map(|(atom, devices)| (index(atom), *devices)).collect();
    let all = std::iter::once(truth).chain(pattern.witnesses(lattice, atoms)).enumerate();
    let witness = |(number, atoms): (usize, Vec<(u32, u64)>)| Witness {
        table: 0,
        time,
        number,
        devices: atoms.into_iter().map(|(atom, n)| (lattice.slot(atom as usize), n)).collect(),
    };
    all.map(witness).collect()
}
