//! Areas: the parts into which occasions cut postal codes, and when each occasion's area is shown.
//!
//! An occasion may hold part of a postal code. What lies outside it could then be found by subtraction, so presence is
//! counted by parts, and a part is protected like a place, though no report shows it.

use std::{collections::BTreeMap, ops::Range};

use jiff::{Timestamp, ToSpan};
use throng_anonymiser::Lattice;
use throng_schema::{Calendar, CellPlan, Occasion, PlaceId, PlaceTree, VersionIx, micros};

/// Part of a postal code that lies in the same occasions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) place: PlaceId,
    /// Occasions that hold it, by number.
    pub(crate) within: Vec<usize>,
}

/// The occasions of a run and the parts of places that they make.
pub(crate) struct Areas {
    pub(crate) occasions: Vec<Occasion>,
    pub(crate) parts: Vec<Part>,
    /// The part of each version of a cell.
    of_version: Vec<Option<u32>>,
    /// The last part of each postal code.
    of_place: Vec<u32>,
    /// Places and occasions as columns over the parts.
    pub(crate) lattice: Lattice,
    /// The same with no occasion shown.
    columns: Vec<Vec<u32>>,
}

impl Areas {
    pub(crate) fn new(occasions: Vec<Occasion>, plan: &CellPlan, tree: &PlaceTree) -> Self {
        let part = |(version, place): (usize, PlaceId)| {
            let within = occasions.iter().enumerate().filter(|(_, occasion)| occasion.inside[version]);
            Part { place, within: within.map(|(number, _)| number).collect() }
        };
        let versions = plan.versions().iter().enumerate();
        let placed: Vec<(usize, Part)> =
            versions.filter_map(|(i, version)| Some((i, part((i, version.place?))))).collect();
        let numbers: BTreeMap<Part, u32> = placed.iter().map(|(_, part)| (part.clone(), 0)).collect();
        let numbers: BTreeMap<Part, u32> = numbers.into_keys().zip(0..).collect();
        let mut of_version = vec![None; plan.versions().len()];
        for (version, part) in &placed {
            of_version[*version] = numbers.get(part).copied();
        }
        let mut columns: Vec<Vec<u32>> = vec![Vec::new(); tree.len() + occasions.len()];
        for (part, number) in &numbers {
            let places = tree.chain(part.place).map(PlaceId::index);
            let areas = part.within.iter().map(|occasion| tree.len() + occasion);
            places.into_iter().chain(areas).for_each(|column| columns[column].push(*number));
        }
        let mut of_place = vec![0; tree.len()];
        numbers.iter().for_each(|(part, number)| of_place[part.place.index()] = *number);
        let parts: Vec<Part> = numbers.into_keys().collect();
        let lattice = Lattice::new(parts.len(), &columns);
        Self { occasions, parts, of_version, of_place, lattice, columns }
    }

    /// The part of a postal code that a cell serves.
    #[inline]
    pub(crate) fn part(&self, version: VersionIx) -> Option<u32> {
        self.of_version[version.0 as usize]
    }

    /// Whether there are occasions, which may cut postal codes.
    #[inline]
    pub(crate) fn cut_places(&self) -> bool {
        !self.occasions.is_empty()
    }

    /// The only part of a postal code, where there are no occasions.
    #[inline]
    pub(crate) fn whole(&self, place: PlaceId) -> u32 {
        self.of_place[place.index()]
    }

    pub(crate) fn place_of(&self, part: u32) -> PlaceId {
        self.parts[part as usize].place
    }

    /// Whether one occasion holds another in area and time.
    pub(crate) fn holds(&self, outer: usize, inner: usize) -> bool {
        let (a, b) = (&self.occasions[outer], &self.occasions[inner]);
        let parts = |occasion: usize| self.lattice.atoms_of_column(self.column(occasion));
        outer != inner
            && a.from_us <= b.from_us
            && b.until_us <= a.until_us
            && parts(inner).iter().all(|part| parts(outer).contains(part))
    }

    /// The place whose part is counted in each slot, none where no part is.
    pub(crate) fn places_by_slot(&self) -> Vec<Option<PlaceId>> {
        let mut places = vec![None; self.lattice.slots()];
        for (part, here) in self.parts.iter().enumerate() {
            places[self.lattice.slot(part)] = Some(here.place);
        }
        places
    }

    /// Where the column of an occasion is, behind those of all places.
    pub(crate) fn column(&self, occasion: usize) -> usize {
        self.columns.len() - self.occasions.len() + occasion
    }

    /// Of each stretch of instants of a day in which other areas are shown than all, the columns that are.
    pub(crate) fn lattices(&self, calendar: &Calendar) -> Vec<(Lattice, Range<usize>)> {
        if self.occasions.is_empty() {
            return Vec::new();
        }
        let instants = calendar.instants().at_us();
        let spans: Vec<_> = self.occasions.iter().map(|occasion| shown(occasion, calendar)).collect();
        let at = |instant: i64| -> Vec<bool> {
            let lies = |spans: &Vec<Range<i64>>| spans.iter().any(|span| span.contains(&instant));
            spans.iter().map(lies).collect()
        };
        let mut lattices: Vec<(Vec<bool>, Range<usize>)> = Vec::new();
        for (i, instant) in instants.iter().enumerate() {
            let shown = at(*instant);
            match lattices.last_mut() {
                Some((last, range)) if *last == shown => range.end = i + 1,
                _ => lattices.push((shown, i..i + 1)),
            }
        }
        let lattice = |(shown, times): (Vec<bool>, Range<usize>)| {
            let mut columns = self.columns.clone();
            for (occasion, shown) in shown.into_iter().enumerate() {
                if !shown {
                    columns[self.column(occasion)].clear();
                }
            }
            (Lattice::new(self.parts.len(), &columns), times)
        };
        lattices.into_iter().map(lattice).collect()
    }
}

/// When the area of an occasion is shown on a day: in its window, and at the same clock times of the weeks before.
fn shown(occasion: &Occasion, calendar: &Calendar) -> Vec<Range<i64>> {
    const WEEKS: i64 = throng_schema::Window::DAYS_MAX / 7;
    let before = |weeks: i64| {
        let at = |us: i64| weeks_before(us, weeks, calendar);
        Some(at(occasion.from_us)?..at(occasion.until_us)?)
    };
    (0..=WEEKS).filter_map(before).collect()
}

/// The moment at which the local clock showed the same so many weeks before.
pub(crate) fn weeks_before(us: i64, weeks: i64, calendar: &Calendar) -> Option<i64> {
    let zoned = Timestamp::from_microsecond(us).ok()?.to_zoned(calendar.zone().clone());
    Some(micros(zoned.checked_sub((7 * weeks).days()).ok()?.timestamp()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::{civil::date, tz::TimeZone};
    use throng_schema::{CellVersion, PlaceRow, Window};

    fn occasion(from_us: i64, until_us: i64, inside: [bool; 3]) -> Occasion {
        let inside = inside.to_vec();
        Occasion { code: "fair".to_owned(), name: "Fair".to_owned(), from_us, until_us, inside }
    }

    /// An evening's occasion that cuts the first of two postal codes in two, in a window of eight days.
    pub(crate) fn cut_in_two() -> (Areas, Calendar) {
        let codes = |code: &str| ["BE", "R", "P", "C", code].map(str::to_owned);
        let row = |code| PlaceRow { codes: codes(code), ..PlaceRow::default() };
        let tree = PlaceTree::new(&[row("1000"), row("1020")]).expect("tree");
        let version = |id: &str, code: &str| CellVersion {
            cell_id: id.as_bytes().into(),
            from_us: i64::MIN,
            until_us: i64::MAX,
            place: tree.postal_code(code),
            at: None,
        };
        let plan = CellPlan::new(vec![version("a", "1000"), version("b", "1000"), version("c", "1020")]);
        let plan = plan.expect("plan");
        let zone = TimeZone::get("Europe/Brussels").expect("bundled zone");
        let window = Window::new(date(2026, 10, 8), date(2026, 10, 15)).expect("window");
        let calendar = Calendar::new(window, zone, 900).expect("calendar");
        let (evening_us, hour) = (calendar.days()[7].start_us, 3_600_000_000);
        let evening = occasion(evening_us + 20 * hour, evening_us + 22 * hour, [true, false, true]);
        (Areas::new(vec![evening], &plan, &tree), calendar)
    }

    #[test]
    fn an_occasion_cuts_a_postal_code_in_two() {
        let (areas, calendar) = cut_in_two();
        let days = calendar.days();
        assert_eq!(areas.parts.len(), 3);
        assert_eq!([0, 1, 2].map(|v| areas.part(VersionIx(v))), [Some(1), Some(0), Some(2)]);
        assert_eq!(areas.lattice.atoms_of_column(areas.column(0)), [1, 2]);
        // Shown on its evening and a week before, from 20:00 on.
        for (day, times) in [(0, Some(80..88)), (3, None), (7, Some(80..88))] {
            let lattices = areas.lattices(&calendar.only(&days[day]));
            let shown =
                lattices.iter().find(|(lattice, _)| !lattice.atoms_of_column(areas.column(0)).is_empty());
            assert_eq!(shown.map(|(_, times)| times.clone()), times);
        }
    }
}
