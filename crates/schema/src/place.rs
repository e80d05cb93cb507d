//! The tree of places: postal codes, and the communes, provinces, regions and countries above them.

use std::{collections::BTreeMap, ops::Range};

/// How coarse a place is. The order is from the top of the tree down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// A country, by its ISO 3166 code.
    Country,
    /// A region (in Belgium: Flanders, Wallonia, Brussels).
    Region,
    /// A province; Brussels, which has none, stands as its own.
    Province,
    /// A commune (municipality), in Belgium by its NIS code.
    Commune,
    /// A postal code: the finest place that is ever published.
    PostalCode,
}

impl Level {
    /// Every level, from the top down.
    pub const ALL: [Self; 5] = [Self::Country, Self::Region, Self::Province, Self::Commune, Self::PostalCode];

    /// The word in the `level` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Region => "region",
            Self::Province => "province",
            Self::Commune => "commune",
            Self::PostalCode => "postal_code",
        }
    }

    /// How many levels lie above: its place in [`Level::ALL`].
    #[must_use]
    pub fn depth(self) -> usize {
        self as usize
    }

    fn above(self) -> Option<Self> {
        Self::ALL.iter().rev().copied().find(|level| *level < self)
    }
}

/// Which place of a [`PlaceTree`]: its index in the tree's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceId(pub u32);

impl PlaceId {
    /// As an index into per-place arrays.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The place at an index: a tree of more than 32 bits of them would not fit the memory.
    fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("a tree has fewer than 2^32 places"))
    }
}

/// A place's names in the three languages of Belgium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// French.
    pub fr: Option<String>,
    /// Dutch.
    pub nl: Option<String>,
    /// German.
    pub de: Option<String>,
}

/// One postal code and everything above it, as a table of places gives it.
#[derive(Clone, Debug, Default)]
pub struct PlaceRow {
    /// The codes by level, from the country down to the postal code ([`Level::ALL`]).
    pub codes: [String; 5],
    /// The names by level, in the same order.
    pub names: [Names; 5],
}

/// What can be wrong with a table of places.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceTreeError {
    /// No row at all.
    #[error("the table of places is empty; expected at least one postal code")]
    Empty,
    /// One child under two parents.
    #[error(
        "{level} {code} lies in {above} {first} and in {second}; expected one parent, for places form a tree"
    )]
    TwoParents {
        /// Level of the child.
        level: &'static str,
        /// Code of the child.
        code: String,
        /// Level of the parents.
        above: &'static str,
        /// Code of the one parent.
        first: String,
        /// Code of the other.
        second: String,
    },
    /// A code is missing.
    #[error("row {row} of the table of places has no {level}; expected a code at every level")]
    NoCode {
        /// Which row, from 1.
        row: usize,
        /// The level without a code.
        level: &'static str,
    },
}

#[derive(Debug)]
struct Place {
    level: Level,
    code: String,
    parent: Option<PlaceId>,
    names: Names,
    children: Range<usize>,
}

/// Every place of a release, sorted by level from the top down, then by parent and code.
///
/// So the children of a place stand together, and a walk through the tree's order meets every parent before
/// its children.
#[derive(Debug)]
pub struct PlaceTree {
    places: Vec<Place>,
    /// Each place and everything above it, close together: they are asked for with every stay.
    chains: Vec<[PlaceId; Level::ALL.len()]>,
    postal_codes: BTreeMap<String, PlaceId>,
}

impl PlaceTree {
    /// Builds the tree from one row per postal code.
    ///
    /// # Errors
    /// When a code is missing, a place lies under two parents, or there is no row.
    pub fn new(rows: &[PlaceRow]) -> Result<Self, PlaceTreeError> {
        if rows.is_empty() {
            return Err(PlaceTreeError::Empty);
        }
        let mut places: Vec<Place> = Vec::new();
        let mut above: BTreeMap<String, PlaceId> = BTreeMap::new();
        for (depth, level) in Level::ALL.into_iter().enumerate() {
            let found = level_of(rows, depth, level)?;
            let mut here: Vec<_> = found
                .into_iter()
                .map(|(code, (parent, names))| (parent.and_then(|p| above.get(p).copied()), code, names))
                .collect();
            here.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            above = BTreeMap::new();
            for (parent, code, names) in here {
                let id = PlaceId::at(places.len());
                if let Some(parent) = parent {
                    let children = &mut places[parent.index()].children;
                    *children = if children.start == children.end { id.index() } else { children.start }
                        ..id.index() + 1;
                }
                above.insert(code.to_owned(), id);
                places.push(Place {
                    level,
                    code: code.to_owned(),
                    parent,
                    names: names.clone(),
                    children: 0..0,
                });
            }
        }
        let mut chains: Vec<[PlaceId; Level::ALL.len()]> = Vec::with_capacity(places.len());
        for (id, place) in (0..).map(PlaceId).zip(&places) {
            // What lies above a place that is no postal code fills fewer steps; the last is repeated.
            let mut chain = place.parent.map_or([id; Level::ALL.len()], |parent| chains[parent.index()]);
            chain.rotate_right(1);
            chain[0] = id;
            chains.push(chain);
        }
        Ok(Self { places, chains, postal_codes: above })
    }

    /// How many places, of all levels.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a tree is never empty")]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Every place, parents before children.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PlaceId> + use<> {
        (0..PlaceId::at(self.places.len()).0).map(PlaceId)
    }

    /// The places of a level.
    pub fn of_level(&self, level: Level) -> impl Iterator<Item = PlaceId> + '_ {
        self.ids().filter(move |id| self.level(*id) == level)
    }

    /// How coarse a place is.
    #[must_use]
    pub fn level(&self, id: PlaceId) -> Level {
        self.places[id.index()].level
    }

    /// The code of a place, unique within its level.
    #[must_use]
    pub fn code(&self, id: PlaceId) -> &str {
        &self.places[id.index()].code
    }

    /// The names of a place.
    #[must_use]
    pub fn names(&self, id: PlaceId) -> &Names {
        &self.places[id.index()].names
    }

    /// The place above, none for a country.
    #[must_use]
    pub fn parent(&self, id: PlaceId) -> Option<PlaceId> {
        self.places[id.index()].parent
    }

    /// The places directly below, none for a postal code.
    pub fn children(&self, id: PlaceId) -> impl Iterator<Item = PlaceId> + use<> {
        let Range { start, end } = self.places[id.index()].children;
        (start..end).map(PlaceId::at)
    }

    /// A postal code and everything above it, from the bottom up.
    #[must_use]
    #[inline]
    pub fn chain(&self, postal_code: PlaceId) -> [PlaceId; Level::ALL.len()] {
        *self.around(postal_code)
    }

    /// The same, without making one's own.
    #[inline]
    #[must_use]
    pub fn around(&self, postal_code: PlaceId) -> &[PlaceId; Level::ALL.len()] {
        &self.chains[postal_code.index()]
    }

    /// The place of a postal code, if the tree has it.
    #[must_use]
    pub fn postal_code(&self, code: &str) -> Option<PlaceId> {
        self.postal_codes.get(code).copied()
    }

    /// Which places a set of served postal codes covers: those codes and everything above them.
    #[must_use]
    pub fn covered(&self, served: impl IntoIterator<Item = PlaceId>) -> Vec<bool> {
        let mut covered = vec![false; self.len()];
        for postal_code in served {
            for place in self.chain(postal_code) {
                covered[place.index()] = true;
            }
        }
        covered
    }
}

type Found<'a> = BTreeMap<&'a str, (Option<&'a str>, &'a Names)>;

/// The distinct codes of one level with their parents' codes and first names given.
fn level_of(rows: &[PlaceRow], depth: usize, level: Level) -> Result<Found<'_>, PlaceTreeError> {
    let mut found = Found::new();
    for (i, row) in rows.iter().enumerate() {
        let code = row.codes[depth].as_str();
        if code.is_empty() {
            return Err(PlaceTreeError::NoCode { row: i + 1, level: level.as_str() });
        }
        let parent = depth.checked_sub(1).map(|above| row.codes[above].as_str());
        let (known, _) = *found.entry(code).or_insert((parent, &row.names[depth]));
        if let (Some(first), Some(second), Some(above)) = (known, parent, level.above())
            && first != second
        {
            return Err(PlaceTreeError::TwoParents {
                level: level.as_str(),
                code: code.to_owned(),
                above: above.as_str(),
                first: first.to_owned(),
                second: second.to_owned(),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(codes: [&str; 5]) -> PlaceRow {
        PlaceRow { codes: codes.map(str::to_owned), names: Default::default() }
    }

    #[test]
    fn children_stand_together_under_their_parent() {
        let tree = PlaceTree::new(&[
            row(["BE", "R2", "P2", "C3", "4000"]),
            row(["BE", "R1", "P1", "C1", "1000"]),
            row(["BE", "R1", "P1", "C2", "0999"]),
            row(["BE", "R1", "P1", "C1", "1001"]),
        ])
        .expect("tree");
        assert_eq!(tree.len(), 1 + 2 + 2 + 3 + 4);
        for id in tree.ids() {
            for child in tree.children(id) {
                assert_eq!(tree.parent(child), Some(id));
                assert!(child > id, "parents come first");
            }
            let has_parent = tree.parent(id).is_some();
            assert_eq!(has_parent, tree.level(id) != Level::Country);
        }
        let code = tree.postal_code("4000").expect("known");
        assert_eq!(tree.chain(code).map(|id| tree.code(id).to_owned()), ["4000", "C3", "P2", "R2", "BE"]);
        assert_eq!(tree.covered([code]).iter().filter(|c| **c).count(), 5);
    }

    #[test]
    fn a_place_under_two_parents_is_refused() {
        let rows = [row(["BE", "R1", "P1", "C1", "1000"]), row(["BE", "R2", "P1", "C2", "2000"])];
        let error = PlaceTree::new(&rows).expect_err("refused").to_string();
        assert_eq!(
            error,
            "province P1 lies in region R1 and in R2; expected one parent, for places form a tree"
        );
        assert_eq!(PlaceTree::new(&[]).expect_err("refused"), PlaceTreeError::Empty);
    }
}
