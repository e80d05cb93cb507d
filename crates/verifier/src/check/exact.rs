//! Sums over two trees, whole: what adding and subtracting all numbers of one time tells, by exact elimination.
//!
//! Atoms are pairs of a finest place and a finest class. Those that lie in the same published numbers cannot be told
//! apart and are one atom, so that a table has about as many atoms as it has published numbers.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use throng_schema::{Level, Report};

use crate::{
    check::{
        Verdict,
        crossed::{Crossed, Side},
    },
    crossing::Crossing,
    eliminate::told,
    fault::Faults,
    found::Found,
    incidence::Incidence,
    node::Node,
    release::Release,
};

pub(crate) const GROUP: &str = "no group of 1 to k - 1 follows from all numbers of a time by adding and subtracting";
const CONTRADICTION: &str = "some table of counts has the published numbers";

/// The largest table that is looked at whole: in published numbers, and in atoms.
const NUMBERS_MAX: usize = 20_000;
const ATOMS_MAX: usize = 100_000;

/// How many withheld numbers of a table are asked after beside its atoms.
const ASKED_MAX: usize = 20_000;

/// How many tables were looked at, and how many were too large or have rounded numbers.
#[derive(Default)]
pub(crate) struct Looked {
    pub(crate) tables: u64,
    pub(crate) skipped: u64,
}

pub(crate) fn check(
    part: &Crossing,
    covered: &[bool],
    release: &Release,
    faults: &mut Faults,
    verdict: &mut Verdict,
) {
    let mut found = Found::default();
    let looked = rules(part, covered, release, &mut found);
    verdict.crossed_tables += looked.tables;
    verdict.crossed_skipped += looked.skipped;
    found.into_faults(&part.name, faults);
}

/// Looks at the numbers of every hour whole, and of every day of trips: visitors do not add up over places.
pub(crate) fn rules(part: &Crossing, covered: &[bool], release: &Release, found: &mut Found) -> Looked {
    let trips = part.report == Report::Flows;
    let adds_up = |period: &str| trips || period == throng_schema::Period::Hour.as_str();
    let tables: Vec<_> =
        part.tables.iter().filter(|((period, _), table)| adds_up(period) && !table.published.is_empty()).collect();
    let of_tables: Vec<Option<Found>> = tables
        .par_iter()
        .map(|(time, table)| {
            let crossed = Crossed { part, time: **time, table, release, trips, covered, k: release.k };
            Some(Whole::of(&crossed)?.groups(&crossed))
        })
        .collect();
    let mut looked = Looked::default();
    for of_table in of_tables {
        match of_table {
            Some(of_table) => {
                looked.tables += 1;
                found.merge(of_table);
            }
            None => looked.skipped += 1,
        }
    }
    looked
}

/// A pair of a place and a class.
type Key = (Node, Node);

/// The finest nodes of a side that have the same nearest node of some set above them.
#[derive(Clone, Copy)]
struct Residue {
    count: usize,
    /// One of them.
    leaf: Node,
}

/// A table of one time as sums of atoms.
struct Whole {
    /// Published numbers first, then the withheld ones that are asked after.
    keys: Vec<Key>,
    devices: Vec<Option<u64>>,
    /// Of each atom, the place and class that it is what is left of.
    atoms: Vec<Key>,
    incidence: Incidence,
}

impl Whole {
    /// None where the table is too large, or rounding hides how many devices stand behind its numbers.
    fn of(crossed: &Crossed) -> Option<Self> {
        let published = &crossed.table.published;
        if published.len() > NUMBERS_MAX {
            return None;
        }
        let mut keys: Vec<Key> = published.keys().copied().collect();
        keys.sort_unstable();
        let mut devices = Vec::with_capacity(keys.len());
        for key in &keys {
            devices.push(Some(published[key].number.pinned()?));
        }
        keys.extend(asked(crossed));
        devices.resize(keys.len(), None);
        let column_of: HashMap<Key, usize> = keys.iter().enumerate().map(|(i, key)| (*key, i)).collect();
        let mut atom_of: HashMap<Vec<usize>, usize> = HashMap::new();
        let (mut atoms, mut columns) = (Vec::new(), vec![Vec::new(); keys.len()]);
        for (key, inside) in pieces(crossed, &column_of) {
            let next = atoms.len();
            atom_of.entry(inside).or_insert_with_key(|inside| {
                inside.iter().for_each(|column| columns[*column].push(next));
                atoms.push(key);
                next
            });
            if atoms.len() > ATOMS_MAX {
                return None;
            }
        }
        let incidence = Incidence::new(atoms.len(), columns);
        Some(Self { keys, devices, atoms, incidence })
    }

    /// The groups that are told, each of which must be nobody or at least k.
    fn groups(&self, crossed: &Crossed) -> Found {
        let mut found = Found::default();
        let k = i64::try_from(crossed.release.k).unwrap_or(i64::MAX);
        let told = told(&self.incidence, &self.devices);
        let (atoms, columns) = told.split_at(self.atoms.len());
        let said = |key: &Key| crossed.part.said(*key, crossed.time, crossed.release);
        let mut look = |devices: Option<i64>, at: &dyn Fn() -> String| {
            let Some(devices) = devices else { return };
            found.look(GROUP, (1..k).contains(&devices), at);
            found.look(CONTRADICTION, devices < 0, at);
        };
        for (key, devices) in self.atoms.iter().zip(atoms) {
            look(*devices, &|| format!("what is left of {}", said(key)));
        }
        for ((key, devices), known) in self.keys.iter().zip(columns).zip(&self.devices) {
            if known.is_none() {
                look(*devices, &|| said(key));
            }
        }
        found
    }
}

/// The withheld numbers whose number one step up is published on both sides.
fn asked(crossed: &Crossed) -> Vec<Key> {
    let published = &crossed.table.published;
    let mut below: HashMap<Key, [Vec<Node>; 2]> = HashMap::new();
    for (place, class) in published.keys() {
        if let Some(above) = crossed.above(Side::Places, *place) {
            below.entry((above, *class)).or_default()[0].push(*place);
        }
        if let Some(above) = crossed.above(Side::Classes, *class) {
            below.entry((*place, above)).or_default()[1].push(*class);
        }
    }
    let mut corners: Vec<&Key> = below.keys().collect();
    corners.sort_unstable();
    let pairs = corners.into_iter().flat_map(|corner| {
        let [places, classes] = &below[corner];
        places.iter().flat_map(move |place| classes.iter().map(move |class| (*place, *class)))
    });
    pairs.filter(|key| !published.contains_key(key)).take(ASKED_MAX).collect()
}

/// Every piece of the table that lies in a published number: what it is left of, and the columns that hold it.
fn pieces(crossed: &Crossed, column_of: &HashMap<Key, usize>) -> Vec<(Key, Vec<usize>)> {
    let mut classes_of: HashMap<Node, Vec<Node>> = HashMap::new();
    for (place, class) in column_of.keys() {
        classes_of.entry(*place).or_default().push(*class);
    }
    let rows: HashSet<Node> = classes_of.keys().copied().collect();
    let class_leaves = leaves(crossed, Side::Classes);
    let mut pieces = Vec::new();
    for (place, rest) in residues(crossed, Side::Places, &leaves(crossed, Side::Places), &rows) {
        let chain: Vec<Node> = above(crossed, Side::Places, place).filter(|node| rows.contains(node)).collect();
        let inside: HashSet<Node> = chain.iter().flat_map(|node| &classes_of[node]).copied().collect();
        for (class, other) in residues(crossed, Side::Classes, &class_leaves, &inside) {
            // From a postal code to itself there are no trips.
            if crossed.trips && rest.count == 1 && other.count == 1 && rest.leaf == other.leaf {
                continue;
            }
            let mut columns: Vec<usize> = above(crossed, Side::Classes, class)
                .flat_map(|class| chain.iter().filter_map(move |place| column_of.get(&(*place, class))))
                .copied()
                .collect();
            columns.sort_unstable();
            pieces.push(((place, class), columns));
        }
    }
    pieces
}

fn above<'a>(crossed: &'a Crossed, side: Side, node: Node) -> impl Iterator<Item = Node> + 'a {
    std::iter::successors(Some(node), move |node| crossed.above(side, *node))
}

/// Of each node of a set, the leaves to which it is the nearest of the set.
fn residues(
    crossed: &Crossed,
    side: Side,
    leaves: &[Node],
    among: &HashSet<Node>,
) -> Vec<(Node, Residue)> {
    let mut residues: HashMap<Node, Residue> = HashMap::new();
    for leaf in leaves {
        if let Some(nearest) = above(crossed, side, *leaf).find(|node| among.contains(node)) {
            residues.entry(nearest).or_insert(Residue { count: 0, leaf: *leaf }).count += 1;
        }
    }
    let mut residues: Vec<_> = residues.into_iter().collect();
    residues.sort_unstable_by_key(|(node, _)| *node);
    residues
}

/// The finest nodes of a side. Classes of residence have more: whoever lives in a country and nobody knows where, and
/// in some country or other.
fn leaves(crossed: &Crossed, side: Side) -> Vec<Node> {
    let places = &crossed.release.places;
    let level = |place: usize, level: Level| places.all[place].level == level.as_str();
    if side == Side::Places || crossed.trips {
        let covered = |place: &usize| crossed.covered[*place];
        let finest = |place: &usize| !places.children[*place].iter().any(|child| crossed.covered[*child]);
        return (0..places.len()).filter(covered).filter(finest).collect();
    }
    let own = (0..places.len()).filter(|place| level(*place, Level::Commune) || level(*place, Level::Country));
    let countries: HashSet<Node> =
        crossed.table.published.keys().map(|(_, class)| *class).filter(|class| *class >= places.len()).collect();
    own.chain(countries).chain([places.all_node()]).collect::<HashSet<_>>().into_iter().collect()
}
