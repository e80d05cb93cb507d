//! Sums over two trees, whole: what adding and subtracting all numbers of one time tells, by exact elimination.
//!
//! Atoms are pairs of a finest place and a finest class. Those that lie in the same published numbers cannot be told
//! apart and are one atom, so that a table has about as many atoms as it has published numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;
use throng_schema::{Level, Report};

use crate::{
    bounds::{Bounds, bounds},
    check::{
        Verdict,
        crossed::{Crossed, Side},
    },
    crossing::Crossing,
    eliminate::Told,
    fault::Faults,
    found::Found,
    incidence::Incidence,
    node::Node,
    release::Release,
};

pub(crate) const GROUP: &str =
    "no group of 1 to k - 1 follows from all numbers of a time by adding and subtracting";
pub(crate) const BOUNDED: &str =
    "no group of 1 to k - 1 follows from all numbers of a time, as no count is negative";
const CONTRADICTION: &str = "some table of counts has the published numbers";

/// The largest table that is looked at whole: in published numbers, and in atoms.
const NUMBERS_MAX: usize = 20_000;
const ATOMS_MAX: usize = 100_000;

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
    let looked = look(part, covered, release, &mut found, Whole::told);
    verdict.crossed_tables += looked.tables;
    verdict.crossed_skipped += looked.skipped;
    found.into_faults(&part.name, faults);
}

/// Looks at the numbers of every hour whole, and of every day of trips: visitors do not add up over places.
fn look(
    part: &Crossing,
    covered: &[bool],
    release: &Release,
    found: &mut Found,
    of_whole: impl Fn(&Whole, &Crossed) -> Found + Sync,
) -> Looked {
    let trips = part.report == Report::Flows;
    let adds_up = |period: &str| trips || period == throng_schema::Period::Hour.as_str();
    let tables: Vec<_> = part
        .tables
        .iter()
        .filter(|((period, _), table)| adds_up(period) && !table.published.is_empty())
        .collect();
    let of_tables: Vec<Option<Found>> = tables
        .par_iter()
        .map(|(time, table)| {
            let crossed = Crossed { part, time: **time, table, release, trips, covered, k: release.k };
            Some(of_whole(&Whole::of(&crossed)?, &crossed))
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

/// The same for the red team, and what bounds tell beyond it because no count is negative.
pub(crate) fn attack(part: &Crossing, covered: &[bool], release: &Release, found: &mut Found) {
    look(part, covered, release, found, |whole, crossed| {
        let mut groups = whole.told(crossed);
        groups.merge(whole.bounded(crossed));
        groups
    });
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

/// Atoms that a reader may ask after together.
struct Group {
    /// A withheld number, or the number that they are left of.
    key: Key,
    withheld: bool,
    atoms: Vec<usize>,
}

/// A table of one time as sums of atoms.
struct Whole {
    incidence: Incidence,
    /// Behind each published number.
    devices: Vec<u64>,
    /// Single atoms, withheld numbers with published ones above them on both sides, and what is left of a published
    /// number without its published parts on both sides.
    groups: Vec<Group>,
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
        let devices: Vec<u64> =
            keys.iter().map(|key| published[key].number.pinned()).collect::<Option<_>>()?;
        let column_of: HashMap<Key, usize> = keys.iter().enumerate().map(|(i, key)| (*key, i)).collect();
        let mut atoms: HashSet<Vec<usize>> = HashSet::new();
        let (mut columns, mut left) = (vec![Vec::new(); keys.len()], vec![Vec::new(); keys.len()]);
        let mut withheld: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        let mut groups = Vec::new();
        for (key, inside) in pieces(crossed, &column_of)? {
            let atom = atoms.len();
            if atoms.contains(&inside) {
                continue;
            }
            let holders: Vec<Key> = inside.iter().map(|column| keys[*column]).collect();
            inside.iter().for_each(|column| columns[*column].push(atom));
            let above: Vec<Key> = holders
                .iter()
                .flat_map(|key| Side::BOTH.map(|side| crossed.step(side, *key)))
                .flatten()
                .collect();
            for (column, _) in inside.iter().zip(&holders).filter(|(_, key)| !above.contains(key)) {
                left[*column].push(atom);
            }
            for key in asked(crossed, &holders) {
                withheld.entry(key).or_default().push(atom);
            }
            groups.push(Group { key, withheld: false, atoms: vec![atom] });
            atoms.insert(inside);
        }
        // One atom is a group already.
        let several = |(_, atoms): &(Key, Vec<usize>)| atoms.len() > 1;
        let group = |withheld| move |(key, atoms)| Group { key, withheld, atoms };
        groups.extend(withheld.into_iter().filter(several).map(group(true)));
        groups.extend(keys.into_iter().zip(left).filter(several).map(group(false)));
        Some(Self { incidence: Incidence::new(atoms.len(), columns), devices, groups })
    }

    /// The groups that are told, each of which must be nobody or at least k.
    fn told(&self, crossed: &Crossed) -> Found {
        let mut found = Found::default();
        let k = i64::try_from(crossed.release.k).unwrap_or(i64::MAX);
        let known: Vec<Option<u64>> = self.devices.iter().copied().map(Some).collect();
        let Ok(told) = Told::by(&self.incidence, &known) else {
            found.look(CONTRADICTION, true, || crossed.release.said(crossed.time));
            return found;
        };
        for group in &self.groups {
            let Some(devices) = told.of(&group.atoms) else { continue };
            found.look(GROUP, (1..k).contains(&devices), || group.said(crossed));
            found.look(CONTRADICTION, devices < 0, || group.said(crossed));
        }
        found
    }

    /// The groups that bounds show to be somebody and fewer than k.
    fn bounded(&self, crossed: &Crossed) -> Found {
        let mut found = Found::default();
        let numbers = (0..self.devices.len())
            .map(|column| self.incidence.column(column).iter().map(|atom| *atom as usize).collect());
        let groups = self.groups.iter().map(|group| group.atoms.clone());
        let incidence = Incidence::new(self.incidence.atoms(), numbers.chain(groups));
        let mut known: Vec<_> = self.devices.iter().map(|devices| Some(Bounds::exactly(*devices))).collect();
        known.resize(incidence.columns(), None);
        let Ok(bounds) = bounds(&incidence, &known) else { return found };
        for (group, bounds) in self.groups.iter().zip(&bounds[self.devices.len()..]) {
            let few = bounds.least > 0 && bounds.most < crossed.release.k;
            found.look(BOUNDED, few, || group.said(crossed));
        }
        found
    }
}

impl Group {
    fn said(&self, crossed: &Crossed) -> String {
        let said = crossed.part.said(self.key, crossed.time, crossed.release);
        if self.withheld { said } else { format!("what is left of {said}") }
    }
}

/// The withheld numbers that hold an atom, and of which the number one step up is published on either side.
fn asked(crossed: &Crossed, holders: &[Key]) -> Vec<Key> {
    let mut asked = Vec::new();
    for (place, coarser) in holders {
        let Some(above) = crossed.above(Side::Places, *place) else { continue };
        let below =
            |(other, class): &&Key| *other == above && crossed.above(Side::Classes, *class) == Some(*coarser);
        let keys = holders.iter().filter(below).map(|(_, class)| (*place, *class));
        asked.extend(keys.filter(|key| !crossed.table.published.contains_key(key)));
    }
    asked
}

/// Every piece of the table that lies in a published number: what it is left of, and the columns that hold it. None where
/// there are too many.
fn pieces(crossed: &Crossed, column_of: &HashMap<Key, usize>) -> Option<Vec<(Key, Vec<usize>)>> {
    let mut classes_of: HashMap<Node, Vec<Node>> = HashMap::new();
    for (place, class) in column_of.keys() {
        classes_of.entry(*place).or_default().push(*class);
    }
    let rows: HashSet<Node> = classes_of.keys().copied().collect();
    let class_leaves = leaves(crossed, Side::Classes);
    let mut pieces = Vec::new();
    for (place, rest) in residues(crossed, Side::Places, &leaves(crossed, Side::Places), &rows) {
        let chain: Vec<Node> =
            above(crossed, Side::Places, place).filter(|node| rows.contains(node)).collect();
        let inside: HashSet<Node> = chain.iter().flat_map(|node| &classes_of[node]).copied().collect();
        let classes = residues(crossed, Side::Classes, &class_leaves, &inside);
        if pieces.len() + classes.len() > ATOMS_MAX {
            return None;
        }
        for (class, other) in classes {
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
    Some(pieces)
}

fn above<'a>(crossed: &'a Crossed, side: Side, node: Node) -> impl Iterator<Item = Node> + 'a {
    std::iter::successors(Some(node), move |node| crossed.above(side, *node))
}

/// Of each node of a set, the leaves to which it is the nearest of the set.
fn residues(crossed: &Crossed, side: Side, leaves: &[Node], among: &HashSet<Node>) -> Vec<(Node, Residue)> {
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
    let own =
        (0..places.len()).filter(|place| level(*place, Level::Commune) || level(*place, Level::Country));
    let countries: HashSet<Node> = crossed
        .table
        .published
        .keys()
        .map(|(_, class)| *class)
        .filter(|class| *class >= places.len())
        .collect();
    own.chain(countries).chain([places.all_node()]).collect::<HashSet<_>>().into_iter().collect()
}
