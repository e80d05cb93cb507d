//! The places of a release, as its `places.parquet` has them.

use std::{collections::HashMap, path::Path};

use arrow::array::{Array, AsArray};
use throng_schema::{Level, places_schema};

use crate::{fault::Faults, incidence::Incidence, part::read};

pub(crate) const FILE: &str = "places.parquet";

pub(crate) struct Place {
    pub(crate) level: String,
    pub(crate) code: String,
    pub(crate) parent: Option<usize>,
}

/// Every place, with who lies in whom.
pub(crate) struct Places {
    pub(crate) all: Vec<Place>,
    pub(crate) children: Vec<Vec<usize>>,
    index: HashMap<String, HashMap<String, usize>>,
}

impl Places {
    pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Option<Self> {
        let mut rows: Vec<(String, String, Option<String>)> = Vec::new();
        for batch in read(dir, FILE, &places_schema(), faults)? {
            let column = |i: usize| batch.column(i).as_string::<i32>().clone();
            let (level, code, parent) = (column(0), column(1), column(2));
            rows.extend((0..batch.num_rows()).map(|i| {
                let above = (!parent.is_null(i)).then(|| parent.value(i).to_owned());
                (level.value(i).to_owned(), code.value(i).to_owned(), above)
            }));
        }
        let mut index: HashMap<String, HashMap<String, usize>> = HashMap::new();
        for (i, (level, code, _)) in rows.iter().enumerate() {
            index.entry(level.clone()).or_default().insert(code.clone(), i);
        }
        if index.values().map(HashMap::len).sum::<usize>() != rows.len() || rows.is_empty() {
            faults.add(FILE, "every place stands once", || "repeated or none".to_owned());
            return None;
        }
        let mut all = Vec::with_capacity(rows.len());
        for (level, code, parent) in rows {
            let depth = Level::ALL.iter().position(|known| known.as_str() == level);
            let above = depth.and_then(|depth| depth.checked_sub(1)).map(|above| Level::ALL[above].as_str());
            let found = above.zip(parent.as_deref()).and_then(|(level, code)| index.get(level)?.get(code));
            let found = found.copied();
            if depth.is_none() || above.is_some() != found.is_some() || above.is_some() != parent.is_some() {
                faults.add(FILE, "every place but a country has a parent one level up", || {
                    format!("{level} {code}")
                });
            }
            all.push(Place { level, code, parent: found });
        }
        let mut children = vec![Vec::new(); all.len()];
        for (i, place) in all.iter().enumerate() {
            if let Some(parent) = place.parent {
                children[parent].push(i);
            }
        }
        Some(Self { all, children, index })
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn find(&self, level: &str, code: &str) -> Option<usize> {
        self.index.get(level)?.get(code).copied()
    }

    /// A place as faults name it.
    pub(crate) fn said(&self, place: usize) -> String {
        format!("{} {}", self.all[place].level, self.all[place].code)
    }

    /// A place and all above it, from the bottom up.
    pub(crate) fn chain(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(place), |place| self.all[*place].parent)
    }

    /// The finest places with coverage as atoms, and every place with coverage as a column.
    pub(crate) fn sums(&self, covered: &[bool]) -> Sums {
        let atoms: Vec<usize> = (0..self.len())
            .filter(|place| covered[*place] && self.children[*place].iter().all(|child| !covered[*child]))
            .collect();
        let mut inside = vec![Vec::new(); self.len()];
        for (atom, place) in atoms.iter().enumerate() {
            self.chain(*place).for_each(|above| inside[above].push(atom));
        }
        let places: Vec<usize> =
            (0..self.len()).filter(|place| covered[*place] && !inside[*place].is_empty()).collect();
        let columns = places.iter().map(|place| std::mem::take(&mut inside[*place]));
        let incidence = Incidence::new(atoms.len(), columns);
        Sums { incidence, places, atoms, covered: covered.to_vec() }
    }

    /// The places under the same parent, itself among them.
    pub(crate) fn siblings(&self, place: usize) -> &[usize] {
        self.all[place].parent.map_or(&[], |parent| &self.children[parent])
    }
}

/// The places of an additive report as a table of sums.
pub(crate) struct Sums {
    pub(crate) incidence: Incidence,
    /// The place of each column.
    pub(crate) places: Vec<usize>,
    /// The place of each atom.
    pub(crate) atoms: Vec<usize>,
    pub(crate) covered: Vec<bool>,
}
