//! The cell plan: which cell served which postal code, and from when to when.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::place::PlaceId;

/// Which cell of a [`CellPlan`], in the order of the cell ids' bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellIx(pub u32);

/// Which version of which cell: the order is by the bytes of the cell id, then by time.
///
/// Two events at the same time are ordered by their version, as by the bytes of their cell ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionIx(pub u32);

/// Where a cell stood for a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct CellVersion {
    /// The cell's identifier, opaque.
    pub cell_id: Box<[u8]>,
    /// First moment at which it holds, in microseconds since 1970 UTC; `i64::MIN` if always.
    pub from_us: i64,
    /// First moment at which it no longer holds; `i64::MAX` if never.
    pub until_us: i64,
    /// The postal code it serves; none when it covers no known place (over the border, at sea).
    pub place: Option<PlaceId>,
    /// Where it stands, longitude and latitude in WGS 84 degrees; where only its postal code is known, the middle of
    /// that, if it has a polygon.
    pub at: Option<(f64, f64)>,
}

impl CellVersion {
    /// What a plan may say twice: the same cell at the same time in the same place, wherever in it.
    fn identity(&self) -> (&[u8], i64, i64, Option<PlaceId>) {
        (&self.cell_id, self.from_us, self.until_us, self.place)
    }
}

/// What can be wrong with a cell plan as a whole. The reader of the file says which rows.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CellPlanError {
    /// No cell at all.
    #[error("the cell plan is empty; expected at least one cell")]
    Empty,
    /// One cell in two places at once; the numbers are the positions of the two in the input.
    #[error(
        "rows {0} and {1} of the cell plan place one cell in two places at once; expected validity dates apart"
    )]
    Overlap(usize, usize),
}

/// No place has this number.
const NOWHERE: u32 = u32::MAX;

/// Cells by identifier and time.
#[derive(Debug)]
pub struct CellPlan {
    versions: Vec<CellVersion>,
    /// First version of each cell, and one past the last at the end.
    first: Vec<u32>,
    /// The postal code of each version, close together: it is asked for with every event.
    places: Vec<u32>,
    by_id: HashTable<Entry>,
    hasher: DefaultHashBuilder,
}

/// The bytes of a cell id and its length; of one that has more than 24, a hash. Where it has no more, a look into the
/// table is all that it takes to find the cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key([u64; 3], u32);

/// A cell by its key, in half a cache line: a look into the table fetches one.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Entry {
    words: [u64; 3],
    len: u32,
    cell: u32,
}

impl Entry {
    #[inline]
    fn key(&self) -> Key {
        Key(self.words, self.len)
    }
}

const _: () = assert!(size_of::<Entry>() == 32);

/// What a [`CellPlan`] looks for in place of an identifier of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Sought {
    key: Key,
    hash: u64,
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|word| state.write_u64(*word));
        state.write_u32(self.1);
    }
}

/// Bytes that a key holds.
const KEY_BYTES: u32 = 24;

impl Key {
    #[inline]
    fn of(cell_id: &[u8], hasher: &DefaultHashBuilder) -> Self {
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let half = |bytes: &[u8]| u64::from(bytes.try_into().map_or(0, u32::from_le_bytes));
        // Words that overlap, rather than a copy of unknown length.
        let words = match cell_id.len() {
            len @ 17..=24 => [word(&cell_id[..8]), word(&cell_id[8..16]), word(&cell_id[len - 8..])],
            len @ 8..17 => [word(&cell_id[..8]), word(&cell_id[len - 8..]), 0],
            len @ 4..8 => [half(&cell_id[..4]), half(&cell_id[len - 4..]), 0],
            0..4 => [cell_id.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0, 0],
            _ => [hasher.hash_one(cell_id), 0, 0],
        };
        Self(words, u32::try_from(cell_id.len()).unwrap_or(u32::MAX))
    }

    /// Whether equal keys are of equal cell ids.
    #[inline]
    fn is_whole(self) -> bool {
        self.1 <= KEY_BYTES
    }
}

impl CellPlan {
    /// Sorts and checks the versions. Repeated equal rows count once.
    ///
    /// # Errors
    /// When there is none, or one cell is in two places at one time.
    pub fn new(versions: Vec<CellVersion>) -> Result<Self, CellPlanError> {
        if versions.is_empty() {
            return Err(CellPlanError::Empty);
        }
        let mut numbered: Vec<_> = versions.into_iter().enumerate().collect();
        numbered.sort_by(|(_, a), (_, b)| {
            (&a.cell_id, a.from_us, a.until_us).cmp(&(&b.cell_id, b.from_us, b.until_us))
        });
        numbered.dedup_by(|(_, b), (_, a)| a.identity() == b.identity());
        if let Some(pair) = numbered.windows(2).find(|pair| {
            let (a, b) = (&pair[0].1, &pair[1].1);
            a.cell_id == b.cell_id && b.from_us < a.until_us
        }) {
            return Err(CellPlanError::Overlap(pair[0].0.min(pair[1].0), pair[0].0.max(pair[1].0)));
        }
        let versions: Vec<CellVersion> = numbered.into_iter().map(|(_, version)| version).collect();
        let mut plan = Self {
            places: versions.iter().map(|version| version.place.map_or(NOWHERE, |place| place.0)).collect(),
            versions,
            first: Vec::new(),
            by_id: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        plan.index();
        Ok(plan)
    }

    fn index(&mut self) {
        for (i, version) in self.versions.iter().enumerate() {
            if i == 0 || version.cell_id != self.versions[i - 1].cell_id {
                let cell = number(self.first.len());
                self.first.push(number(i));
                let (key, hasher) = (Key::of(&version.cell_id, &self.hasher), &self.hasher);
                let entry = Entry { words: key.0, len: key.1, cell };
                let hash_of = |entry: &Entry| hasher.hash_one(entry.key());
                self.by_id.insert_unique(hash_of(&entry), entry, hash_of);
            }
        }
        self.first.push(number(self.versions.len()));
    }

    /// The cell of this identifier, if the plan has it at any time.
    #[inline]
    #[must_use]
    pub fn cell(&self, cell_id: &[u8]) -> Option<CellIx> {
        self.find(self.seek(cell_id), cell_id)
    }

    /// The first half of [`CellPlan::cell`], which asks for no memory but the identifier's. Where many cells are looked
    /// up, all are sought before the first is to be found: then nothing stands between one look into the table and the
    /// next, and the processor has several of them under way at a time.
    #[inline]
    #[must_use]
    pub fn seek(&self, cell_id: &[u8]) -> Sought {
        let key = Key::of(cell_id, &self.hasher);
        Sought { key, hash: self.hasher.hash_one(key) }
    }

    /// The second half of [`CellPlan::cell`], for an identifier and what is sought for it.
    #[inline]
    #[must_use]
    pub fn find(&self, Sought { key, hash }: Sought, cell_id: &[u8]) -> Option<CellIx> {
        let id = |cell: u32| &*self.versions[self.first[cell as usize] as usize].cell_id;
        let same = |entry: &Entry| entry.key() == key && (key.is_whole() || id(entry.cell) == cell_id);
        self.by_id.find(hash, same).map(|entry| CellIx(entry.cell))
    }

    /// The version of a cell that holds at a time in microseconds since 1970 UTC.
    #[inline]
    #[must_use]
    pub fn version_at(&self, cell: CellIx, at_us: i64) -> Option<VersionIx> {
        let (first, end) = (self.first[cell.0 as usize], self.first[cell.0 as usize + 1]);
        (first..end)
            .rev()
            .find(|v| self.versions[*v as usize].from_us <= at_us)
            .filter(|v| at_us < self.versions[*v as usize].until_us)
            .map(VersionIx)
    }

    /// The version of the same cell that holds at another time.
    #[must_use]
    pub fn same_cell_at(&self, version: VersionIx, at_us: i64) -> Option<VersionIx> {
        let cell = self.first.partition_point(|first| *first <= version.0) - 1;
        self.version_at(CellIx(number(cell)), at_us)
    }

    /// The postal code that a version serves.
    #[inline]
    #[must_use]
    pub fn place(&self, version: VersionIx) -> Option<PlaceId> {
        Some(self.places[version.0 as usize]).filter(|place| *place != NOWHERE).map(PlaceId)
    }

    /// Where a version stands: longitude and latitude in WGS 84 degrees, if known.
    #[inline]
    #[must_use]
    pub fn position(&self, version: VersionIx) -> Option<(f64, f64)> {
        self.versions[version.0 as usize].at
    }

    /// The versions of a cell, in the order of time.
    pub fn versions_of(&self, cell: CellIx) -> impl Iterator<Item = VersionIx> + use<> {
        (self.first[cell.0 as usize]..self.first[cell.0 as usize + 1]).map(VersionIx)
    }

    /// Every version, in order.
    #[must_use]
    pub fn versions(&self) -> &[CellVersion] {
        &self.versions
    }

    /// How many cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.first.len() - 1
    }
}

/// A cell or a version by its number: a plan of more than 32 bits of them would not fit the memory.
fn number(n: usize) -> u32 {
    u32::try_from(n).expect("a cell plan has fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, from_us: i64, until_us: i64, place: u32) -> CellVersion {
        CellVersion {
            cell_id: id.as_bytes().into(),
            from_us,
            until_us,
            place: Some(PlaceId(place)),
            at: None,
        }
    }

    #[test]
    fn versions_are_ordered_as_the_bytes_of_the_cells_and_found_by_time() {
        let plan = CellPlan::new(vec![
            version("b", i64::MIN, i64::MAX, 1),
            version("a", 100, i64::MAX, 2),
            version("a", 0, 50, 3),
            version("a", 0, 50, 3),
        ])
        .expect("plan");
        assert_eq!((plan.cells(), plan.versions().len()), (2, 3));
        let a = plan.cell(b"a").expect("known");
        let place = |at| plan.version_at(a, at).and_then(|v| plan.place(v)).map(|p| p.0);
        assert_eq!(
            [-1, 0, 49, 50, 99, 100, i64::MAX - 1].map(place),
            [None, Some(3), Some(3), None, None, Some(2), Some(2)]
        );
        let moved = plan.version_at(a, 0).and_then(|version| plan.same_cell_at(version, 200));
        assert_eq!(moved, plan.version_at(a, 200));
        let b = plan.cell(b"b").expect("known");
        assert!(plan.version_at(b, 0) > plan.version_at(a, 100));
        assert_eq!(plan.cell(b"c"), None);
        let versions = [a, b].map(|cell| plan.versions_of(cell).map(|v| v.0).collect::<Vec<_>>());
        assert_eq!(versions, [vec![0, 1], vec![2]]);
    }

    #[test]
    fn versions_hold_up_to_the_ends_of_time() {
        let plan =
            CellPlan::new(vec![version("a", i64::MIN, 0, 1), version("a", 0, i64::MAX, 2)]).expect("plan");
        let a = plan.cell(b"a").expect("known");
        let version = |at_us| plan.version_at(a, at_us).map(|version| version.0);
        assert_eq!([i64::MIN, -1, 0, i64::MAX - 1].map(version), [Some(0), Some(0), Some(1), Some(1)]);
        assert_eq!(version(i64::MAX), None, "a moment that nothing can hold, for its end could not be told");
        let moved = |from, at_us| plan.same_cell_at(VersionIx(from), at_us).map(|version| version.0);
        assert_eq!([moved(0, i64::MAX - 1), moved(1, i64::MIN)], [Some(1), Some(0)]);
    }

    #[test]
    fn every_length_of_a_cell_id_is_told_apart() {
        let ids = |byte: u8| (1..40).map(move |len| vec![byte; len]);
        let all: Vec<_> = ids(b'0')
            .chain(ids(0))
            .chain(ids(b'0').map(|mut id| {
                let last = id.len() - 1;
                id[last] = b'1';
                id
            }))
            .collect();
        let versions = all.iter().map(|id| CellVersion { cell_id: id[..].into(), ..version("", 0, 1, 0) });
        let plan = CellPlan::new(versions.collect()).expect("plan");
        assert_eq!(plan.cells(), all.len());
        for id in &all {
            let cell = plan.cell(id).expect("known");
            let first = plan.versions_of(cell).next().expect("a version");
            assert_eq!(*plan.versions()[first.0 as usize].cell_id, id[..]);
        }
    }

    #[test]
    fn a_cell_at_two_positions_of_one_place_counts_once() {
        let at = |lon| CellVersion { at: Some((lon, 51.0)), ..version("a", 0, 50, 1) };
        let plan = CellPlan::new(vec![at(4.0), at(5.0)]).expect("plan");
        assert_eq!((plan.versions().len(), plan.position(VersionIx(0))), (1, Some((4.0, 51.0))));
    }

    #[test]
    fn a_cell_in_two_places_at_once_is_refused() {
        let error =
            CellPlan::new(vec![version("a", 0, 50, 1), version("x", 0, 1, 1), version("a", 49, 60, 2)]);
        assert_eq!(error.expect_err("refused"), CellPlanError::Overlap(0, 2));
        assert_eq!(CellPlan::new(vec![]).expect_err("refused"), CellPlanError::Empty);
    }
}
