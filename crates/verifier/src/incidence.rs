//! The table as sums: which atoms each column holds, and how columns are sums of smaller ones.

/// A table of counts as a reader may think of it: *atoms*, the finest cells, and *columns*, each a set of atoms.
///
/// A column's number is the sum of the numbers of its atoms. Places within places, margins of a second dimension and
/// overlapping areas are all columns.
#[derive(Clone, Debug)]
pub struct Incidence {
    atoms: usize,
    columns: Lists,
    sums: Vec<Sum>,
    /// The first sums, in the order of the columns that have atoms, say what a column is. The others follow from them.
    defining: usize,
}

/// A whole that is the sum of its parts. Atoms are numbered first, then columns.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) whole: u32,
    pub(crate) parts: Vec<u32>,
}

/// How many sums of one column are looked for: a table of two dimensions has two.
const SUMS_OF_A_COLUMN_MAX: usize = 3;

impl Incidence {
    /// Takes each column as the atoms that it holds; an atom named twice counts once.
    ///
    /// # Panics
    /// When a column names an atom that is not there.
    #[must_use]
    pub fn new<C: IntoIterator<Item = usize>>(atoms: usize, columns: impl IntoIterator<Item = C>) -> Self {
        let sorted = columns.into_iter().map(|column| {
            let mut list: Vec<u32> = column.into_iter().map(index).collect();
            list.sort_unstable();
            list.dedup();
            assert!(
                list.last().is_none_or(|last| (*last as usize) < atoms),
                "a column names an unknown atom"
            );
            list
        });
        let columns = Lists::new(sorted);
        let (sums, defining) = sums_of(atoms, &columns);
        Self { atoms, columns, sums, defining }
    }

    /// How many atoms there are.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.atoms
    }

    /// How many columns there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The atoms of a column, ascending.
    #[must_use]
    pub fn column(&self, column: usize) -> &[u32] {
        self.columns.of(column)
    }

    /// The atoms of all columns together.
    #[must_use]
    pub fn nonzeros(&self) -> usize {
        self.columns.items.len()
    }

    /// The columns that hold each atom.
    #[must_use]
    pub fn columns_of_atoms(&self) -> Vec<Vec<u32>> {
        holders(self.atoms, &self.columns)
    }

    /// Atoms and columns: what sums are between.
    pub(crate) fn variables(&self) -> usize {
        self.atoms + self.columns.len()
    }

    pub(crate) fn variable(&self, column: usize) -> usize {
        self.atoms + column
    }

    /// One sum for every column that has atoms; together they say all.
    pub(crate) fn defining_sums(&self) -> &[Sum] {
        &self.sums[..self.defining]
    }

    /// The defining sums, and others that follow from them but tell more where they are looked at one by one.
    pub(crate) fn sums(&self) -> &[Sum] {
        &self.sums
    }
}

/// Lists of numbers, one after the other.
#[derive(Clone, Debug)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<u32>,
}

impl Lists {
    fn new(lists: impl Iterator<Item = Vec<u32>>) -> Self {
        let (mut starts, mut items) = (vec![0], Vec::new());
        for list in lists {
            items.extend(list);
            starts.push(items.len());
        }
        Self { starts, items }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, list: usize) -> &[u32] {
        &self.items[self.starts[list]..self.starts[list + 1]]
    }
}

pub(crate) fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or_else(|_| panic!("a table has fewer than 2^32 cells"))
}

fn holders(atoms: usize, columns: &Lists) -> Vec<Vec<u32>> {
    let mut holders = vec![Vec::new(); atoms];
    for column in 0..columns.len() {
        for atom in columns.of(column) {
            holders[*atom as usize].push(index(column));
        }
    }
    holders
}

/// Writes every column as sums of disjoint smaller columns, and of single atoms where no smaller column holds them.
///
/// So the equations of a table have about as many terms as it has cells, though a column at the top holds all atoms.
fn sums_of(atoms: usize, columns: &Lists) -> (Vec<Sum>, usize) {
    let holders = holders(atoms, columns);
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|column| (columns.of(*column).len(), *column));
    let mut rank = vec![0; columns.len()];
    for (at, column) in order.iter().enumerate() {
        rank[*column] = at;
    }
    let mut cover = Cover { columns, owner: vec![NOBODY; atoms], shared: vec![0; columns.len()] };
    let (mut defining, mut others) = (Vec::new(), Vec::new());
    for column in (0..columns.len()).filter(|column| !columns.of(*column).is_empty()) {
        let mut inside = cover.inside(column, &holders, &rank);
        inside.sort_unstable_by_key(|part| std::cmp::Reverse(rank[*part as usize]));
        let whole = index(atoms + column);
        let mut passed_over: Option<Vec<u32>> = None;
        for nth in 0..SUMS_OF_A_COLUMN_MAX {
            let (parts, mut left) = cover.disjoint(column, &inside, atoms);
            left.retain(|part| passed_over.as_ref().is_none_or(|before| before.binary_search(part).is_ok()));
            let sum = Sum { whole, parts };
            if nth == 0 {
                defining.push(sum)
            } else {
                others.push(sum)
            }
            if left.is_empty() {
                break;
            }
            // What the sum so far has passed over comes first in the next.
            inside.sort_by_key(|part| left.binary_search(part).is_err());
            passed_over = Some(left);
        }
    }
    let first = defining.len();
    defining.append(&mut others);
    (defining, first)
}

const NOBODY: u32 = u32::MAX;

/// Finds disjoint parts of a column; its lists are cleared after each.
struct Cover<'a> {
    columns: &'a Lists,
    owner: Vec<u32>,
    shared: Vec<u32>,
}

impl Cover<'_> {
    /// The columns before this one whose atoms are all in it.
    fn inside(&mut self, column: usize, holders: &[Vec<u32>], rank: &[usize]) -> Vec<u32> {
        let mut touched = Vec::new();
        for atom in self.columns.of(column) {
            for holder in &holders[*atom as usize] {
                if rank[*holder as usize] < rank[column] {
                    self.shared[*holder as usize] += 1;
                    if self.shared[*holder as usize] == 1 {
                        touched.push(*holder);
                    }
                }
            }
        }
        let mut inside = Vec::new();
        for holder in touched {
            let shared = std::mem::take(&mut self.shared[holder as usize]);
            if shared as usize == self.columns.of(holder as usize).len() {
                inside.push(holder);
            }
        }
        inside
    }

    /// The first of these columns that share no atom, with the atoms that are left; and, sorted, those of them that
    /// lie across the chosen ones.
    fn disjoint(&mut self, column: usize, inside: &[u32], atoms: usize) -> (Vec<u32>, Vec<u32>) {
        let (columns, owner) = (self.columns, &mut self.owner);
        let (mut parts, mut across) = (Vec::new(), Vec::new());
        for part in inside {
            let list = columns.of(*part as usize);
            let first = owner[list[0] as usize];
            if list.iter().all(|atom| owner[*atom as usize] == NOBODY) {
                list.iter().for_each(|atom| owner[*atom as usize] = *part);
                parts.push(index(atoms) + *part);
            } else if first == NOBODY || list.iter().any(|atom| owner[*atom as usize] != first) {
                across.push(*part);
            }
        }
        for atom in columns.of(column) {
            if std::mem::replace(&mut owner[*atom as usize], NOBODY) == NOBODY {
                parts.push(*atom);
            }
        }
        across.sort_unstable();
        (parts, across)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_a_sum_of_the_largest_columns_in_it() {
        // Rows and columns of a two by two table, its total, and the atoms but the last as columns of their own.
        let sets: [&[usize]; 8] = [&[0], &[1], &[2], &[0, 1], &[2, 3], &[0, 2], &[1, 3], &[0, 1, 2, 3]];
        let incidence = Incidence::new(4, sets.iter().map(|set| set.iter().copied()));
        let said = |column: usize| -> Vec<Vec<u32>> {
            let whole = incidence.variable(column) as u32;
            let sums = incidence.sums().iter().filter(|sum| sum.whole == whole);
            sums.map(|sum| sum.parts.clone()).collect()
        };
        assert_eq!(said(0), [[0]]);
        assert_eq!(said(4), [vec![4 + 2, 3]]);
        // The total has two sums: of the one margin, and of the other.
        let mut total = said(7);
        total.iter_mut().for_each(|parts| parts.sort_unstable());
        assert_eq!(total, [[4 + 5, 4 + 6], [4 + 3, 4 + 4]]);
        assert_eq!(incidence.defining_sums().len(), 8);
    }
}
