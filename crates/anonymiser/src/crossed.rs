//! Tables of two sides that are trees: places by classes of residence, origins by destinations.
//!
//! Such a table is wide and nearly empty: a country has a million pairs of postal code and commune of residence, and
//! somebody in a tenth of them. So it is not protected column by column, but by four rules that together leave
//! nothing small to be worked out:
//!
//! 1. A number is shown only where the numbers one step up on either side are shown. So whatever lies in a withheld
//!    number is withheld too, and people can be moved about in it without a trace.
//! 2. What remains of a shown number beside its shown parts, on either side, is nobody or at least the goal: k
//!    devices, and as many times k as one device can count. Otherwise the smallest shown part gives way.
//! 3. For each small number whose totals on both sides are shown, there is another table with the same shown numbers
//!    in which it reaches the goal: people of the same total on the one side change with people of the same total on
//!    the other, through a fourth number that is withheld as well. Where a shown number stands in the way, it gives
//!    way.
//! 4. Distinct people of nested places do not add up. There, the difference of two shown numbers of one class must be
//!    nobody or at least k, and so must be that of what two totals have beside the classes shown of both; this stands in
//!    the stead of rules 2 and 3 on the side of the places.
//!
//! Numbers that are nobody's are exempt: who knows that nobody was there has found no group.

use std::ops::AddAssign;

use siphasher::sip::SipHasher24;

use crate::{
    axis::Axis,
    count_table::Tallied,
    key::{pair, unpair},
    lattice::index,
    nested::tells_of_few,
    upwards::{Pairs, along_columns, along_rows, in_order},
};

/// How the numbers along the first side hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The parts of a number add up to it.
    Sums,
    /// Each part is a group of distinct people within it.
    Nested,
}

/// How one crossed table is to be protected.
#[derive(Clone, Copy)]
pub(crate) struct Crossing<'a> {
    pub(crate) rows: &'a Axis,
    pub(crate) columns: &'a Axis,
    pub(crate) side: Side,
    /// The fewest devices behind a shown number.
    pub(crate) k: u64,
    /// What a remainder must reach.
    pub(crate) goal: u64,
    /// Whether another table decides about the totals of rows.
    pub(crate) totals_given: bool,
}

/// One number of a crossed table.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) row: u32,
    pub(crate) column: u32,
    pub(crate) count: u64,
    pub(crate) weight: u64,
    pub(crate) shown: bool,
}

/// Every number of a table in which there is somebody, in the order of rows and columns.
pub(crate) struct CrossedTable {
    pub(crate) numbers: Vec<Number>,
    /// The columns of the numbers, and where each row begins among them.
    columns: Vec<u32>,
    starts: Vec<u32>,
}

impl CrossedTable {
    /// Sums up atoms: each counts for every pair of what lies above it.
    pub(crate) fn of_sums(atoms: impl Iterator<Item = (u64, Tallied)>, rows: &Axis, columns: &Axis) -> Self {
        let atoms = in_order(atoms.collect(), Tallied::add_assign);
        Self::of_classes(along_rows(&atoms, rows, Tallied::add_assign).into_iter(), columns)
    }

    /// Sums up classes: rows stay as they are, for the people of one may be those of another.
    pub(crate) fn of_classes(atoms: impl Iterator<Item = (u64, Tallied)>, columns: &Axis) -> Self {
        let atoms = in_order(atoms.collect(), Tallied::add_assign);
        Self::new(along_columns(&atoms, columns, Tallied::add_assign).into_iter())
    }

    /// The numbers as they are, each pair once.
    pub(crate) fn new(numbers: impl Iterator<Item = (u64, Tallied)>) -> Self {
        let mut numbers: Pairs = numbers.filter(|(_, count)| count.devices > 0).collect();
        numbers.sort_unstable_by_key(|(key, _)| *key);
        let number = |(key, count): (u64, Tallied)| {
            let (row, column) = unpair(key);
            Number { row, column, count: count.devices, weight: count.weight, shown: false }
        };
        let numbers: Vec<Number> = numbers.into_iter().map(number).collect();
        let rows = numbers.last().map_or(0, |last| last.row as usize + 1);
        let mut starts = vec![0; rows + 1];
        for number in &numbers {
            starts[number.row as usize + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        Self { columns: numbers.iter().map(|number| number.column).collect(), starts, numbers }
    }

    #[inline]
    pub(crate) fn find(&self, row: u32, column: u32) -> Option<usize> {
        let (from, until) = (*self.starts.get(row as usize)?, *self.starts.get(row as usize + 1)?);
        let of_row = &self.columns[from as usize..until as usize];
        of_row.binary_search(&column).ok().map(|at| from as usize + at)
    }

    pub(crate) fn count(&self, row: u32, column: u32) -> u64 {
        self.find(row, column).map_or(0, |i| self.numbers[i].count)
    }

    /// Shows nothing.
    pub(crate) fn hide_all(&mut self) {
        self.numbers.iter_mut().for_each(|number| number.shown = false);
    }

    pub(crate) fn is_shown(&self, row: u32, column: u32) -> bool {
        self.find(row, column).is_some_and(|i| self.numbers[i].shown)
    }

    /// The shown numbers.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Number> {
        self.numbers.iter().filter(|number| number.shown)
    }
}

/// Decides which numbers of a table are shown.
///
/// `may` says which may be, by their own account: enough devices, and no other table that forbids it. `before` says
/// which were shown at the time before: they give way last, so that partners seldom rotate.
pub(crate) fn protect(
    table: &mut CrossedTable,
    crossing: &Crossing<'_>,
    may: impl Fn(&Number) -> bool,
    before: &dyn Fn(u32, u32) -> bool,
) {
    let mut work = Work::new(table, crossing, before);
    work.begin(may);
    loop {
        work.settle();
        if !work.certify() {
            return;
        }
    }
}

struct Work<'a> {
    table: &'a mut CrossedTable,
    crossing: &'a Crossing<'a>,
    /// Numbers that may be shown, coarse before fine.
    candidates: Vec<u32>,
    /// The parts of each candidate along its row (finer columns) and along its column (finer rows).
    parts: Vec<[Vec<u32>; 2]>,
    /// Where the parts of each number stand; [`NOTHING`] where it is no candidate.
    parts_at: Vec<u32>,
    /// What gives way first comes first: not shown before, small, and a tie breaker that no reader has.
    order: Vec<(bool, u64, u64)>,
    /// Of each number, those one step up: by a coarser column, and by a coarser row; [`NOTHING`] where there is none.
    above: Vec<[u32; 2]>,
}

/// No number stands here.
const NOTHING: u32 = u32::MAX;

/// The numbers one step up from one.
fn above(table: &CrossedTable, crossing: &Crossing<'_>, number: &Number) -> [u32; 2] {
    let Number { row, column, .. } = *number;
    let find = |row: u32, column: u32| table.find(row, column).map(index);
    let by_column = crossing.columns.parent(column).and_then(|above| find(row, above));
    let by_row = crossing.rows.parent(row).and_then(|above| find(above, column));
    [by_column, by_row].map(|above| above.unwrap_or(NOTHING))
}

impl<'a> Work<'a> {
    fn new(
        table: &'a mut CrossedTable,
        crossing: &'a Crossing<'a>,
        before: &dyn Fn(u32, u32) -> bool,
    ) -> Self {
        let bytes: Vec<u8> = table.numbers.iter().flat_map(|number| number.count.to_le_bytes()).collect();
        let key = SipHasher24::new().hash(&bytes);
        let keyed = SipHasher24::new_with_keys(key, !key);
        let order = |number: &Number| {
            let tie = if number.count < crossing.k {
                0 // never shown, and never asked
            } else {
                keyed.hash(&pair(number.row, number.column).to_le_bytes())
            };
            (number.count >= crossing.k && before(number.row, number.column), number.count, tie)
        };
        let order = table.numbers.iter().map(order).collect();
        let above = table.numbers.iter().map(|number| above(table, crossing, number)).collect();
        let parts_at = vec![NOTHING; table.numbers.len()];
        Self { table, crossing, candidates: Vec::new(), parts: Vec::new(), parts_at, order, above }
    }

    /// The parts of a candidate.
    fn parts_of(&self, candidate: u32) -> &[Vec<u32>; 2] {
        &self.parts[self.parts_at[candidate as usize] as usize]
    }

    fn depth(&self, number: &Number) -> u32 {
        u32::from(self.crossing.rows.depth(number.row))
            + u32::from(self.crossing.columns.depth(number.column))
    }

    /// Shows whatever may be shown, and finds the parts of all that is.
    fn begin(&mut self, may: impl Fn(&Number) -> bool) {
        let candidates = self.table.numbers.iter().zip(0_u32..);
        let mut candidates: Vec<(u32, u32)> = candidates
            .filter(|(number, _)| number.count >= self.crossing.k && may(number))
            .map(|(number, i)| (self.depth(number), i))
            .collect();
        candidates.sort_unstable();
        for (_, i) in &candidates {
            self.table.numbers[*i as usize].shown = true;
        }
        self.candidates = candidates.into_iter().map(|(_, i)| i).collect();
        self.close();
        self.candidates.retain(|i| self.table.numbers[*i as usize].shown);
        self.parts = vec![Default::default(); self.candidates.len()];
        for (i, at) in self.candidates.iter().zip(0..) {
            self.parts_at[*i as usize] = at;
        }
        for i in 0..self.table.numbers.len() {
            for (side, above) in self.above[i].into_iter().enumerate() {
                let at = self.parts_at.get(above as usize).copied().unwrap_or(NOTHING);
                if let Some(parts) = self.parts.get_mut(at as usize) {
                    parts[side].push(index(i));
                }
            }
        }
    }

    /// Whether all that lies one step up is shown. Nested groups need no total above them on that side.
    fn stands(&self, i: usize) -> bool {
        let Number { row, column, .. } = self.table.numbers[i];
        let shown = |above: u32| self.table.numbers.get(above as usize).is_some_and(|above| above.shown);
        let [by_column, by_row] = self.above[i];
        (column == 0 || shown(by_column)) && (row == 0 || self.crossing.side == Side::Nested || shown(by_row))
    }

    /// Withholds whatever has something withheld above it. Coarse comes before fine, so once is enough.
    fn close(&mut self) -> bool {
        let mut changed = false;
        for n in 0..self.candidates.len() {
            let i = self.candidates[n] as usize;
            if self.table.numbers[i].shown && !self.stands(i) {
                self.table.numbers[i].shown = false;
                changed = true;
            }
        }
        changed
    }

    /// Goes on until every remainder is nobody or enough.
    fn settle(&mut self) {
        loop {
            let mut changed = self.close();
            for n in 0..self.candidates.len() {
                let head = self.candidates[n];
                if self.table.numbers[head as usize].shown {
                    changed |= self.widen_remainder(head, 0);
                    let given = self.crossing.totals_given && self.table.numbers[head as usize].column == 0;
                    changed |= match self.crossing.side {
                        _ if given => false,
                        Side::Sums => self.widen_remainder(head, 1),
                        Side::Nested => {
                            self.set_apart(head) || self.hide_overlap(head) || self.set_rests_apart(head)
                        }
                    };
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Withholds shown parts of a number, the smallest first, until its remainder is nobody or enough.
    fn widen_remainder(&mut self, head: u32, side: usize) -> bool {
        let numbers = &mut self.table.numbers;
        let parts = &self.parts[self.parts_at[head as usize] as usize][side];
        let shown = |numbers: &[Number]| -> u64 {
            parts.iter().map(|part| &numbers[*part as usize]).filter(|p| p.shown).map(|p| p.count).sum()
        };
        let total = numbers[head as usize].count;
        let mut rest = total - shown(numbers);
        let mut changed = false;
        while rest > 0 && rest < self.crossing.goal {
            let smallest = parts.iter().filter(|part| numbers[**part as usize].shown);
            let Some(part) = smallest.min_by_key(|part| self.order[**part as usize]) else { break };
            let part = &mut numbers[*part as usize];
            part.shown = false;
            rest += part.count;
            changed = true;
        }
        changed
    }

    /// Withholds the number where it differs too little from that of a larger place.
    fn set_apart(&mut self, i: u32) -> bool {
        let Number { row, column, count, .. } = self.table.numbers[i as usize];
        let apart = |above: u32| {
            self.table.find(above, column).is_none_or(|larger| {
                let larger = &self.table.numbers[larger];
                !larger.shown || larger.count == count || larger.count - count >= self.crossing.k
            })
        };
        let safe = self.crossing.rows.chain(row).skip(1).all(apart);
        self.table.numbers[i as usize].shown = safe;
        !safe
    }

    /// The people of a total who are in none of the classes shown at two nested places are nested too: those of the
    /// larger place beside those of the smaller must be nobody or enough. Otherwise a class of the smaller gives way.
    fn set_rests_apart(&mut self, head: u32) -> bool {
        let Number { row, column, count, .. } = self.table.numbers[head as usize];
        for above in self.crossing.rows.chain(row).skip(1) {
            let Some(larger) = self.table.find(above, column).filter(|i| self.table.numbers[*i].shown) else {
                continue;
            };
            let mut apart = self.table.numbers[larger].count.saturating_sub(count);
            let mut first: Option<u32> = None;
            for part in &self.parts_of(head)[0] {
                let number = self.table.numbers[*part as usize];
                let same = self.table.find(above, number.column).map(|i| self.table.numbers[i]);
                if let Some(same) =
                    same.filter(|same| same.shown && number.shown && same.count > number.count)
                {
                    apart = apart.saturating_sub(same.count - number.count);
                    let gives_way =
                        first.is_none_or(|other| self.order[*part as usize] < self.order[other as usize]);
                    first = if gives_way { Some(*part) } else { first };
                }
            }
            if apart > 0
                && apart < self.crossing.k
                && let Some(part) = first
            {
                self.table.numbers[part as usize].shown = false;
                return true;
            }
        }
        false
    }

    /// Where all places within one show how many of a class they had, their sum tells how many were in several.
    fn hide_overlap(&mut self, head: u32) -> bool {
        let (numbers, parts) = (&self.table.numbers, &self.parts_of(head)[1]);
        let shown = |part: &u32| numbers[*part as usize].shown;
        let (whole, n) = (numbers[head as usize].count, parts.len() as u64);
        let sum: u64 = parts.iter().map(|part| numbers[*part as usize].count).sum();
        if !parts.iter().all(shown) || !tells_of_few(self.crossing.k, whole, sum, n) {
            return false;
        }
        let first = parts.iter().min_by_key(|part| self.order[**part as usize]).copied();
        first.is_some_and(|part| std::mem::replace(&mut self.table.numbers[part as usize].shown, false))
    }

    /// Looks for each small number's alternative; says whether anything more had to be withheld for one.
    fn certify(&mut self) -> bool {
        if self.crossing.side == Side::Nested {
            return false; // distinct people of other places balance nothing
        }
        let mut changed = false;
        for n in 0..self.candidates.len() {
            let head = self.candidates[n];
            if self.table.numbers[head as usize].shown {
                let block = Block::new(self, head);
                for blocking in block.in_the_way(self) {
                    self.table.numbers[blocking].shown = false;
                    changed = true;
                }
            }
        }
        changed
    }
}

/// The parts of a shown number on both sides at once: one row for each shown row below it and one for the rest of
/// the rows together, and so for the columns. The totals of all of these rows and columns can be known.
struct Block {
    rows: usize,
    columns: usize,
    counts: Vec<u64>,
    /// The number of a cell, where it has one of its own and that is shown.
    shown: Vec<Option<usize>>,
}

impl Block {
    fn new(work: &Work<'_>, head: u32) -> Self {
        let numbers = &work.table.numbers;
        let [along, across] = work.parts_of(head);
        let shown = |parts: &[u32]| -> Vec<u32> {
            parts.iter().filter(|part| numbers[**part as usize].shown).copied().collect()
        };
        let (along, across) = (shown(along), shown(across));
        let (rows, columns) = (across.len() + 1, along.len() + 1);
        let mut block =
            Self { rows, columns, counts: vec![0; rows * columns], shown: vec![None; rows * columns] };
        let (mut row_left, mut column_left) = (vec![0; rows], vec![0; columns]);
        let mut left = numbers[head as usize].count;
        for (column, part) in along.iter().enumerate() {
            column_left[column] = numbers[*part as usize].count;
            left -= column_left[column];
        }
        for (row, part) in across.iter().enumerate() {
            row_left[row] = numbers[*part as usize].count;
            for (column, of) in along.iter().enumerate() {
                let (r, c) = (numbers[*part as usize].row, numbers[*of as usize].column);
                let Some(i) = work.table.find(r, c) else { continue };
                let number = &numbers[i];
                block.counts[row * columns + column] = number.count;
                block.shown[row * columns + column] = number.shown.then_some(i);
                row_left[row] -= number.count;
                column_left[column] -= number.count;
            }
            block.counts[row * columns + columns - 1] = row_left[row];
        }
        let rest_of_rows = (rows - 1) * columns;
        let rest_of_columns: u64 = row_left[..rows - 1].iter().sum();
        block.counts[rest_of_rows..rest_of_rows + columns - 1].copy_from_slice(&column_left[..columns - 1]);
        block.counts[rows * columns - 1] = left - rest_of_columns;
        block
    }

    /// Shown numbers that stand in the way of an alternative, the one that gives way first for each small cell.
    fn in_the_way(&self, work: &Work<'_>) -> Vec<usize> {
        let mut blocking = Vec::new();
        if self.shown.iter().all(Option::is_none) {
            return blocking; // the remainders are enough
        }
        for row in 0..self.rows {
            for column in 0..self.columns {
                let cell = row * self.columns + column;
                let count = self.counts[cell];
                if count > 0 && count < work.crossing.goal && self.shown[cell].is_none() {
                    blocking.extend(self.blocking(row, column, work.crossing.goal - count, work));
                }
            }
        }
        blocking
    }

    /// A cell takes from its row and its column what it lacks, and gives back where those cross. If what is shown
    /// does not let it, the shown crossing that gives way first.
    fn blocking(&self, row: usize, column: usize, mut lacks: u64, work: &Work<'_>) -> Option<usize> {
        let at = |row: usize, column: usize| row * self.columns + column;
        let mut left: Vec<u64> = (0..self.rows).map(|other| self.counts[at(other, column)]).collect();
        let mut blocking: Option<usize> = None;
        for other_column in (0..self.columns).rev().filter(|other| *other != column) {
            if self.shown[at(row, other_column)].is_some() {
                continue;
            }
            let mut gives = self.counts[at(row, other_column)];
            for other_row in (0..self.rows).rev().filter(|other| *other != row) {
                if self.shown[at(other_row, column)].is_some() {
                    continue;
                }
                if lacks == 0 {
                    return None;
                }
                let most = gives.min(left[other_row]).min(lacks);
                match self.shown[at(other_row, other_column)] {
                    None => {
                        gives -= most;
                        left[other_row] -= most;
                        lacks -= most;
                    }
                    Some(shown) if most > 0 => {
                        let first = blocking.is_none_or(|other| work.order[shown] < work.order[other]);
                        blocking = if first { Some(shown) } else { blocking };
                    }
                    Some(_) => {}
                }
            }
        }
        blocking.filter(|_| lacks > 0)
    }
}

#[cfg(test)]
mod tests;
