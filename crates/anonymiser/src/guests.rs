//! Occasions: the distinct people of an area during its window, and what divides them.
//!
//! The days are out by then, so an occasion gives way: where its visitors and a published group that holds them, or lies
//! in them, tell of a few people, they are withheld, and with them all that divides them. Arrivals and departures of a
//! step are shown together or not at all, for the change of presence tells their difference.

use std::collections::HashMap;

use throng_schema::Grid;

use crate::{
    axis::Axis,
    count_table::{CountTable, Counted},
    crossed::{self, CrossedTable, Crossing, Number, Side},
    key::{pair, parts_of},
    lattice::index,
    policy::Policy,
    protected_table::{Account, Cell, Protected, ProtectedPairs, ProtectedTable},
};

/// What protection knows of occasions that were counted together: a table of the visitors of each, one of their dwell
/// by occasion and class, one of arrivals and departures by occasion and step, and a sparse one of residence, whose
/// keys are of time 0, occasion and class of all levels.
pub struct GuestGuard<'a> {
    /// Of each occasion, the published groups that hold its visitors or lie in them.
    pub others: Vec<Vec<u64>>,
    /// The same by class of residence.
    pub classes: Vec<HashMap<u32, Vec<u64>>>,
    /// Of each occasion, those that hold it in area and time.
    pub larger: Vec<Vec<usize>>,
    /// How many classes of dwell there are.
    pub dwell: usize,
    /// The classes of residence.
    pub residences: &'a Axis,
    /// How many steps each occasion has.
    pub steps: Vec<usize>,
}

/// Protects the occasions of a gathering.
///
/// # Panics
/// When the counts are of other occasions.
#[must_use]
pub fn protect_guests(counted: Counted, guard: &GuestGuard<'_>, policy: &Policy) -> Protected {
    let k = policy.threshold.k();
    let [visitors, dwell, moves] = &counted.tables[..] else { panic!("three tables of occasions") };
    let [residence] = &counted.sparse[..] else { panic!("one sparse table of occasions") };
    let few = |a: u64, b: u64| a != b && a.abs_diff(b) < k;
    let n = guard.others.len();
    // The large before the small, which give way.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|member| (std::cmp::Reverse(visitors.devices[*member]), *member));
    let mut shown: HashMap<usize, u64> = HashMap::new();
    for member in order {
        let devices = visitors.devices[member];
        let outer = guard.larger[member].iter().filter_map(|outer| shown.get(outer));
        if devices >= k && !guard.others[member].iter().chain(outer).any(|other| few(*other, devices)) {
            shown.insert(member, devices);
        }
    }
    let total = |member: usize| shown.get(&member).copied();
    let all = table((0..n).map(total), visitors, k);
    let classes = table(divided(&dwell.devices, guard.dwell, k, total).into_iter(), dwell, k);
    let mut of_steps = Vec::new();
    let mut slots = moves.devices.chunks(2);
    for (member, steps) in guard.steps.iter().enumerate() {
        for step in slots.by_ref().take(*steps) {
            let all = total(member);
            let safe = |moved: &u64| *moved >= k && all.is_some_and(|all| !few(all, *moved));
            let both = step.iter().all(safe);
            of_steps.extend(step.iter().map(|moved| both.then_some(*moved)));
        }
    }
    let moves = table(of_steps.into_iter(), moves, k);
    // Each occasion is a row of its own: none lies in another here.
    let rows = Axis::new(vec![0; n.max(1)]);
    let crossing = Crossing {
        rows: &rows,
        columns: guard.residences,
        side: Side::Nested,
        k,
        goal: k,
        totals_given: true,
    };
    let mut pairs = ProtectedPairs::default();
    // By class, what the occasions so far have published: each gives way to those that hold it or lie in it.
    let mut published: Vec<HashMap<u32, u64>> = vec![HashMap::new(); n];
    for member in 0..n {
        let here = residence.devices.iter().map(|(key, devices)| (parts_of(*key).1, *devices));
        let row = index(member);
        let mut numbers =
            CrossedTable::new(here.filter(|(p, _)| *p >= pair(row, 0) && *p < pair(row + 1, 0)));
        let nested =
            |other: &usize| guard.larger[member].contains(other) || guard.larger[*other].contains(&member);
        let may = |number: &Number| {
            let known = guard.classes[member].get(&number.column).into_iter().flatten().copied();
            let others =
                (0..member).filter(nested).filter_map(|other| published[other].get(&number.column).copied());
            total(member).is_some()
                && (number.column == 0 || !known.chain(others).any(|other| few(other, number.count)))
        };
        crossed::protect(&mut numbers, &crossing, may, &|_, _| false);
        published[member] = numbers.shown().map(|number| (number.column, number.count)).collect();
        let _ = pairs.take(0, &numbers, k);
    }
    Protected { tables: vec![all, classes, moves], pairs: vec![pairs], witnesses: Vec::new() }
}

/// Numbers that are shown or not, as a table of one time.
fn table(shown: impl Iterator<Item = Option<u64>>, truth: &CountTable, k: u64) -> ProtectedTable {
    let mut account = Account::new(&[0]);
    let cell = |(shown, devices): (Option<u64>, &u64)| {
        account.add(0, *devices, shown.is_none(), *devices < k);
        shown.map_or(Cell::Withheld, Cell::Published)
    };
    let cells: Vec<Cell> = shown.zip(&truth.devices).map(cell).collect();
    ProtectedTable { grid: Grid::new(1, cells.len()), cells, weights: truth.weights.clone(), account }
}

/// Classes that divide totals: what is withheld of one together is nobody or at least k.
fn divided(counts: &[u64], classes: usize, k: u64, total: impl Fn(usize) -> Option<u64>) -> Vec<Option<u64>> {
    let mut all = Vec::with_capacity(counts.len());
    for (member, counts) in counts.chunks(classes).enumerate() {
        let mut classes = crate::partition::Classes::new(counts, total(member), k);
        classes.protect(k, &[]);
        all.extend(counts.iter().zip(&classes.shown).map(|(count, shown)| shown.then_some(*count)));
    }
    all
}

#[cfg(test)]
mod tests;
