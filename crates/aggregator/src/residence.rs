//! Residence: where the people of a place live, by country, region, province and commune.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use throng_anonymiser::{Axis, Ballot, Home, SparseShape};
use throng_schema::{Calendar, Level, PlaceId, PlaceTree};

use crate::stay::Stay;

/// The country of those of whom nothing is known, and of networks that belong to none: a code that ISO leaves to its
/// users.
pub(crate) const UNKNOWN: &str = "ZZ";

/// The word for everybody and everywhere, and that for whatever is withheld together.
pub(crate) const ALL: &str = "all";
pub(crate) const OTHER: &str = "other";

/// The classes of residence: everybody, countries, and what lies in the countries of the place tree.
pub(crate) struct Residences {
    pub(crate) axis: Axis,
    /// The level of each class, none for everybody.
    pub(crate) levels: Vec<Option<Level>>,
    pub(crate) codes: Vec<String>,
    /// The class of each place, by index; that of a postal code is its commune's.
    of_place: Vec<u32>,
    of_mcc: Vec<u32>,
    unknown: u32,
}

impl Residences {
    /// The classes for a tree of places, with the country of each mobile country code.
    pub(crate) fn new(tree: &PlaceTree, country_of_mcc: impl Fn(u16) -> Option<&'static str>) -> Self {
        const MCCS: u16 = 1_000;
        let foreign = (0..MCCS).filter_map(&country_of_mcc);
        let mut countries: BTreeSet<&str> = foreign.collect();
        countries.extend(tree.of_level(Level::Country).map(|place| tree.code(place)));
        countries.insert(UNKNOWN);
        let countries: BTreeMap<&str, u32> = countries.into_iter().zip(1..).collect();
        let (mut parents, mut levels, mut codes) = (vec![0], vec![None], vec![ALL.to_owned()]);
        for code in countries.keys() {
            parents.push(0);
            levels.push(Some(Level::Country));
            codes.push((*code).to_owned());
        }
        let mut of_place = vec![0_u32; tree.len()];
        for place in tree.ids() {
            let above = tree.parent(place).map(|above| of_place[above.index()]);
            of_place[place.index()] = match (tree.level(place), above) {
                (Level::PostalCode, Some(commune)) => commune,
                (level, Some(parent)) => {
                    parents.push(parent);
                    levels.push(Some(level));
                    codes.push(tree.code(place).to_owned());
                    u32::try_from(codes.len() - 1).unwrap_or(u32::MAX)
                }
                (_, None) => countries[tree.code(place)],
            };
        }
        let unknown = countries[UNKNOWN];
        let of_mcc = (0..MCCS).map(|mcc| country_of_mcc(mcc).map_or(unknown, |code| countries[code]));
        let of_mcc = of_mcc.collect();
        Self { axis: Axis::new(parents), levels, codes, of_place, of_mcc, unknown }
    }

    /// The finest class of a home.
    pub(crate) fn class(&self, home: Home) -> u32 {
        match home {
            Home::Place(place) => self.of_place[place.index()],
            Home::Network(mcc) => self.of_mcc.get(usize::from(mcc)).copied().unwrap_or(self.unknown),
            Home::Unknown => self.unknown,
        }
    }

    /// The word in the column `residence_level`.
    pub(crate) fn level(&self, class: u32) -> &'static str {
        self.levels[class as usize].map_or(ALL, Level::as_str)
    }
}

/// A place's node on the axis of places: everybody's is 0.
pub(crate) fn node(place: PlaceId) -> u32 {
    place.0 + 1
}

/// The places under one root.
pub(crate) fn places_axis(tree: &PlaceTree) -> Axis {
    let parents = tree.ids().map(|place| tree.parent(place).map_or(0, node));
    Axis::new(std::iter::once(0).chain(parents).collect())
}

/// Where the tables of residence stand.
#[derive(Clone, Copy)]
pub(crate) struct Residence {
    pub(crate) present: usize,
    pub(crate) visiting: usize,
}

impl Residence {
    /// The calendar is that of one day, the places those of [`places_axis`].
    pub(crate) fn lay_out(calendar: &Calendar, places: &Arc<Axis>, sparse: &mut Vec<SparseShape>) -> Self {
        let present = sparse.len();
        sparse.push(SparseShape::Held { times: calendar.hours().at_us().len() });
        sparse.push(SparseShape::Above { rows: Arc::clone(places), columns: None });
        Self { present, visiting: present + 1 }
    }

    /// The hours that begin in the stay, in its postal code; and the day, in the postal code and all around it.
    ///
    /// The stay must overlap the day.
    pub(crate) fn mark(&self, stay: &Stay, class: u32, calendar: &Calendar, ballot: &mut Ballot<'_>) {
        let (hours, place) = (calendar.hours(), node(stay.place));
        debug_assert!(stay.from_us < calendar.end_us() && stay.until_us > calendar.start_us());
        ballot.hold_pair(
            self.present,
            hours.before(stay.from_us)..hours.before(stay.until_us),
            (place, class),
        );
        ballot.mark_pair(self.visiting, place, class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throng_schema::PlaceRow;

    #[test]
    fn every_home_has_a_class_under_its_country() {
        let codes = ["BE", "R", "P", "C", "1000"].map(str::to_owned);
        let tree = PlaceTree::new(&[PlaceRow { codes, ..PlaceRow::default() }]).expect("tree");
        let country = |mcc| match mcc {
            206 => Some("BE"),
            208 => Some("FR"),
            _ => None,
        };
        let residences = Residences::new(&tree, country);
        let chain = |home| -> Vec<String> {
            let class = residences.class(home);
            residences.axis.chain(class).map(|class| residences.codes[class as usize].clone()).collect()
        };
        let place = tree.postal_code("1000").expect("known");
        assert_eq!(chain(Home::Place(place)), ["C", "P", "R", "BE", "all"]);
        assert_eq!(chain(Home::Network(206)), ["BE", "all"]);
        assert_eq!(chain(Home::Network(208)), ["FR", "all"]);
        for home in [Home::Network(901), Home::Network(5_000), Home::Unknown] {
            assert_eq!(chain(home), ["ZZ", "all"]);
        }
        assert_eq!(residences.level(residences.class(Home::Place(place))), "commune");
        assert_eq!((residences.level(0), places_axis(&tree).len()), ("all", 6));
    }
}
