//! Linear algebra: which withheld columns follow from published ones by adding and subtracting.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{bounds::Contradiction, incidence::Incidence};

/// What adding and subtracting published columns tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// How many published columns are independent of each other. With as many as atoms, all is known.
    pub rank: usize,
    /// The withheld columns that are a linear combination of published ones, ascending.
    pub columns: Vec<usize>,
}

/// The two largest primes under 2^61. A table of sums would have to have a minor that both divide to fool both.
const PRIMES: [u64; 2] = [(1 << 61) - 1, (1 << 61) - 31];

/// Finds the withheld columns that are linear combinations of published ones, by exact elimination modulo two primes.
///
/// What is unknown are the atoms and the withheld columns, tied by one sparse sum for each column. After elimination
/// one solution of the homogeneous equations is drawn, its free unknowns at random: a column is determined where that
/// solution has 0. A column that is not determined has 0 there with a probability of 2^-61, and counts as recovered
/// only if it has 0 modulo both primes.
///
/// A column without atoms is never reported: nobody can be in it.
///
/// # Panics
/// When `published` does not have one entry for each column.
#[must_use]
pub fn recovered(incidence: &Incidence, published: &[bool]) -> Recovered {
    assert_eq!(published.len(), incidence.columns(), "one entry for each column");
    let [(rank, one), (_, other)] = PRIMES.map(|prime| determined(incidence, published, Field(prime)));
    let columns = (0..incidence.columns())
        .filter(|column| !published[*column] && !incidence.column(*column).is_empty())
        .filter(|column| one[*column] && other[*column])
        .collect();
    Recovered { rank, columns }
}

/// What adding and subtracting known numbers tells of any group of atoms.
pub(crate) struct Told([Drawn; 2]);

/// Of each atom, one solution of the equations at random, and one of the same with 0 for every known number.
struct Drawn {
    field: Field,
    solution: Vec<u64>,
    free: Vec<u64>,
}

impl Told {
    /// From the numbers that are `known` of columns; what is not known may not be asked of a column, but of its atoms.
    ///
    /// # Errors
    /// When no table has these numbers.
    ///
    /// # Panics
    /// When `known` does not have one entry for each column.
    pub(crate) fn by(incidence: &Incidence, known: &[Option<u64>]) -> Result<Self, Contradiction> {
        assert_eq!(known.len(), incidence.columns(), "one entry for each column");
        let [one, other] = PRIMES.map(|prime| draw(incidence, known, Field(prime)));
        Ok(Self([one?, other?]))
    }

    /// How many a group of atoms holds, if that follows. A number that is not whole, or so large that it is no count,
    /// is none.
    pub(crate) fn of(&self, group: &[usize]) -> Option<i64> {
        let [one, other] = self.0.each_ref().map(|drawn| drawn.of(group));
        one.filter(|one| other == Some(*one))
    }
}

impl Drawn {
    fn of(&self, group: &[usize]) -> Option<i64> {
        let sum = |values: &[u64]| group.iter().fold(0, |sum, atom| self.field.plus(sum, values[*atom]));
        (sum(&self.free) == 0).then(|| self.field.small(sum(&self.solution)))?
    }
}

fn draw(incidence: &Incidence, known: &[Option<u64>], field: Field) -> Result<Drawn, Contradiction> {
    let known = |variable: u32| known[(variable as usize).checked_sub(incidence.atoms())?];
    let (mut rows, mut right) = (Vec::new(), Vec::new());
    for sum in incidence.defining_sums() {
        let whole = [(sum.whole, 1)].into_iter();
        let parts = sum.parts.iter().map(|part| (*part, field.0 - 1));
        let (mut row, mut constant) = (Row::new(), 0);
        for (variable, coefficient) in whole.chain(parts) {
            match known(variable) {
                Some(number) => {
                    constant = field.plus(constant, field.times(coefficient, number % field.0));
                }
                None => row.push((variable, coefficient)),
            }
        }
        row.sort_unstable_by_key(|(variable, _)| *variable);
        rows.push(row);
        right.push(constant);
    }
    let mut system = System::new(rows, right, incidence.variables(), field);
    system.eliminate();
    if system.is_contradiction() {
        return Err(Contradiction);
    }
    let atoms = |constants: bool| {
        let mut values = system.a_solution(constants);
        values.truncate(incidence.atoms());
        values
    };
    Ok(Drawn { field, solution: atoms(true), free: atoms(false) })
}

/// The rank of the published columns, and of each column whether it is determined.
fn determined(incidence: &Incidence, published: &[bool], field: Field) -> (usize, Vec<bool>) {
    let known = |variable: u32| {
        (variable as usize).checked_sub(incidence.atoms()).is_some_and(|column| published[column])
    };
    let rows: Vec<Row> = incidence
        .defining_sums()
        .iter()
        .map(|sum| {
            let whole = [(sum.whole, 1)].into_iter();
            let parts = sum.parts.iter().map(|part| (*part, field.0 - 1));
            let mut row: Row = whole.chain(parts).filter(|(variable, _)| !known(*variable)).collect();
            row.sort_unstable_by_key(|(variable, _)| *variable);
            row
        })
        .collect();
    let right = vec![0; rows.len()];
    let mut system = System::new(rows, right, incidence.variables(), field);
    system.eliminate();
    let unknown = incidence.atoms()
        + (0..published.len())
            .filter(|column| !published[*column] && !incidence.column(*column).is_empty())
            .count();
    // Each solution is told by its atoms, and the published columns are 0 in it.
    let rank = incidence.atoms() + system.pivots.len() - unknown;
    let solution = system.a_solution(false);
    (rank, (0..published.len()).map(|column| solution[incidence.variable(column)] == 0).collect())
}

/// The integers modulo a prime under 2^63.
#[derive(Clone, Copy)]
struct Field(u64);

impl Field {
    #[expect(clippy::cast_possible_truncation, reason = "the rest of a division by 64 bits")]
    fn times(self, a: u64, b: u64) -> u64 {
        (u128::from(a) * u128::from(b) % u128::from(self.0)) as u64
    }

    fn plus(self, a: u64, b: u64) -> u64 {
        let sum = a + b;
        if sum >= self.0 { sum - self.0 } else { sum }
    }

    fn minus(self, a: u64) -> u64 {
        if a == 0 { 0 } else { self.0 - a }
    }

    /// The count that a number stands for, from either end.
    #[expect(clippy::cast_possible_wrap, reason = "both are under 2^40")]
    fn small(self, a: u64) -> Option<i64> {
        const MOST: u64 = 1 << 40;
        let below = self.0 - a;
        if a < MOST { Some(a as i64) } else { (below < MOST).then(|| -(below as i64)) }
    }

    /// By Fermat's little theorem.
    fn inverse(self, a: u64) -> u64 {
        let (mut power, mut result, mut exponent) = (a, 1, self.0 - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.times(result, power);
            }
            power = self.times(power, power);
            exponent >>= 1;
        }
        result
    }
}

/// Unknowns with their coefficients, by unknown.
type Row = Vec<(u32, u64)>;

struct Pivot {
    row: usize,
    variable: u32,
    inverse: u64,
}

/// Equations that are eliminated in the order that fills in least.
struct System {
    field: Field,
    rows: Vec<Row>,
    /// The constant of each equation, on the same side as its unknowns; 0 everywhere where only ranks are asked for.
    right: Vec<u64>,
    active: Vec<bool>,
    /// The rows that each unknown has been in; those that it has left are still listed.
    rows_of: Vec<Vec<u32>>,
    /// In how many active rows each unknown is.
    uses: Vec<u32>,
    pivots: Vec<Pivot>,
}

impl System {
    fn new(rows: Vec<Row>, right: Vec<u64>, variables: usize, field: Field) -> Self {
        let (mut rows_of, mut uses) = (vec![Vec::new(); variables], vec![0; variables]);
        for (i, row) in rows.iter().enumerate() {
            for (variable, _) in row {
                rows_of[*variable as usize].push(crate::incidence::index(i));
                uses[*variable as usize] += 1;
            }
        }
        let active = rows.iter().map(|row| !row.is_empty()).collect();
        Self { field, rows, right, active, rows_of, uses, pivots: Vec::new() }
    }

    /// Takes unknowns of one equation first, which cost nothing, then the shortest equation and in it the unknown of
    /// fewest equations.
    fn eliminate(&mut self) {
        let mut alone: Vec<u32> =
            (0..self.uses.len()).filter(|v| self.uses[*v] == 1).map(crate::incidence::index).collect();
        let mut shortest: BinaryHeap<Reverse<(usize, usize)>> =
            self.rows.iter().enumerate().map(|(i, row)| Reverse((row.len(), i))).collect();
        loop {
            let (row, variable) = if let Some(variable) = alone.pop() {
                let holds = |row: &&u32| {
                    self.active[**row as usize] && coefficient(&self.rows[**row as usize], variable).is_some()
                };
                match self.rows_of[variable as usize].iter().find(holds) {
                    Some(row) if self.uses[variable as usize] == 1 => (*row as usize, variable),
                    _ => continue,
                }
            } else if let Some(Reverse((length, row))) = shortest.pop() {
                if !self.active[row] || self.rows[row].len() != length {
                    continue;
                }
                let rarest = self.rows[row].iter().min_by_key(|(variable, _)| self.uses[*variable as usize]);
                let Some((variable, _)) = rarest else { continue };
                (row, *variable)
            } else {
                return;
            };
            self.pivot(row, variable, &mut alone, &mut shortest);
        }
    }

    /// Solves a row for one unknown and puts the result into all other rows.
    fn pivot(
        &mut self,
        row: usize,
        variable: u32,
        alone: &mut Vec<u32>,
        shortest: &mut BinaryHeap<Reverse<(usize, usize)>>,
    ) {
        let pivot = std::mem::take(&mut self.rows[row]);
        self.active[row] = false;
        let inverse = self.field.inverse(coefficient(&pivot, variable).unwrap_or(1));
        for (other, _) in &pivot {
            self.leave(*other, alone);
        }
        for other in std::mem::take(&mut self.rows_of[variable as usize]) {
            let other = other as usize;
            if !self.active[other] {
                continue;
            }
            let Some(here) = coefficient(&self.rows[other], variable) else { continue };
            let times = self.field.minus(self.field.times(here, inverse));
            let constant = self.field.times(self.right[row], times);
            self.right[other] = self.field.plus(self.right[other], constant);
            self.add(other, &pivot, times, alone);
            if self.rows[other].is_empty() {
                self.active[other] = false;
            } else {
                shortest.push(Reverse((self.rows[other].len(), other)));
            }
        }
        self.rows[row] = pivot;
        self.pivots.push(Pivot { row, variable, inverse });
    }

    /// Adds a multiple of a row to another.
    fn add(&mut self, to: usize, row: &Row, times: u64, alone: &mut Vec<u32>) {
        let old = std::mem::take(&mut self.rows[to]);
        let mut new = Vec::with_capacity(old.len() + row.len());
        let (mut left, mut right) = (old.iter().peekable(), row.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) if a.0 == b.0 => None,
                (Some(a), Some(b)) => Some(a.0 < b.0),
                (a, _) => Some(a.is_some()),
            };
            match next {
                Some(true) => new.extend(left.next().copied()),
                Some(false) => {
                    if let Some((variable, coefficient)) = right.next() {
                        new.push((*variable, self.field.times(*coefficient, times)));
                        self.uses[*variable as usize] += 1;
                        self.rows_of[*variable as usize].push(crate::incidence::index(to));
                    }
                }
                None => {
                    if let (Some((variable, a)), Some((_, b))) = (left.next(), right.next()) {
                        let sum = self.field.plus(*a, self.field.times(*b, times));
                        if sum == 0 {
                            self.leave(*variable, alone);
                        } else {
                            new.push((*variable, sum));
                        }
                    }
                }
            }
        }
        self.rows[to] = new;
    }

    fn leave(&mut self, variable: u32, alone: &mut Vec<u32>) {
        let uses = &mut self.uses[variable as usize];
        *uses -= 1;
        if *uses == 1 {
            alone.push(variable);
        }
    }

    /// Whether an equation without unknowns is left that does not hold.
    fn is_contradiction(&self) -> bool {
        self.rows.iter().zip(&self.right).any(|(row, right)| row.is_empty() && *right != 0)
    }

    /// One solution, drawn at random from all, with the constants or as if they were 0. The draw is the same every time,
    /// so that two checks say the same.
    fn a_solution(&self, constants: bool) -> Vec<u64> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut values: Vec<u64> =
            self.uses.iter().map(|_| 1 + scramble(&mut state) % (self.field.0 - 1)).collect();
        for pivot in self.pivots.iter().rev() {
            let others = self.rows[pivot.row].iter().filter(|(variable, _)| *variable != pivot.variable);
            let constant = if constants { self.right[pivot.row] } else { 0 };
            let sum = others.fold(constant, |sum, (variable, coefficient)| {
                self.field.plus(sum, self.field.times(*coefficient, values[*variable as usize]))
            });
            values[pivot.variable as usize] = self.field.minus(self.field.times(sum, pivot.inverse));
        }
        values
    }
}

fn coefficient(row: &Row, variable: u32) -> Option<u64> {
    row.binary_search_by_key(&variable, |(variable, _)| *variable).ok().map(|at| row[at].1)
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn scramble(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_has_its_number_and_what_does_not_has_none() {
        // Two rows and two columns of a two by two table, its total and one corner: the other corners follow.
        let sets: [&[usize]; 5] = [&[0, 1, 2, 3], &[0, 1], &[0, 2], &[0], &[1, 3]];
        let incidence = Incidence::new(4, sets.iter().map(|set| set.iter().copied()));
        let known = [Some(100), Some(60), Some(60), Some(22), None];
        let found = Told::by(&incidence, &known).expect("a table");
        assert_eq!([0, 1, 2, 3].map(|atom| found.of(&[atom])), [Some(22), Some(38), Some(38), Some(2)]);
        assert_eq!(found.of(&[1, 3]), Some(40));
        let known = [Some(100), Some(60), Some(60), None, None];
        let found = Told::by(&incidence, &known).expect("a table");
        assert_eq!([0, 1, 2, 3].map(|atom| found.of(&[atom])), [None; 4]);
        assert_eq!((found.of(&[1, 3]), found.of(&[1, 2])), (Some(40), None));
        let known = [Some(100), Some(60), Some(60), None, Some(41)];
        assert!(Told::by(&incidence, &known).is_err());
    }
}
