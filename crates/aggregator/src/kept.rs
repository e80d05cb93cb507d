//! What is kept of the days that are out, for the occasions that come after them: published numbers alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use throng_anonymiser::{Exit, Protected, ProtectedPairs, ProtectedTable};
use throng_schema::{Occasion, PlaceId, Status};

use crate::{
    expansion::Expansion,
    occasions::{Gathering, VISITORS},
    reports::{Reports, Today},
    residence::node,
};

/// How many were present in an area at an instant, as far as that is published.
pub(crate) type Presences = BTreeMap<i64, Option<i64>>;

/// Published numbers of the days that are out, by occasion.
pub struct Kept {
    /// The places around each occasion's area, and in it.
    around: Vec<Around>,
    /// Groups that hold the visitors of the occasion, or lie in them.
    pub(crate) others: Vec<Vec<u64>>,
    /// The same by class of residence.
    pub(crate) classes: Vec<HashMap<u32, Vec<u64>>>,
    /// Presence in its area, in its window and at the same times of the weeks before.
    pub(crate) presence: Vec<Presences>,
}

impl Kept {
    /// Nothing yet, for every occasion of the run.
    #[must_use]
    pub fn new(reports: &Reports) -> Self {
        let n = reports.areas.occasions.len();
        Self {
            around: (0..n).map(|number| Around::new(number, reports)).collect(),
            others: vec![Vec::new(); n],
            classes: vec![HashMap::new(); n],
            presence: vec![Presences::new(); n],
        }
    }

    /// Keeps what a day has published of the occasions' areas, and of the places around and in them.
    pub fn add(&mut self, today: &Today<'_>, protected: &Protected, expansion: &Expansion) {
        for number in 0..self.presence.len() {
            self.add_presence(number, today, protected, expansion);
            self.add_visitors(number, today, protected);
            self.add_residence(number, today, protected);
        }
    }

    fn add_presence(
        &mut self,
        number: usize,
        today: &Today<'_>,
        protected: &Protected,
        expansion: &Expansion,
    ) {
        let Some(table) = today.presence().map(|table| &protected.tables[table]) else { return };
        let areas = &today.reports.areas;
        let (occasion, column) = (&areas.occasions[number], areas.column(number));
        let inside = &self.around[number].inside;
        for (time, at_us) in today.calendar.instants().at_us().iter().enumerate() {
            if table.status(time, column) != Status::NoCoverage {
                self.presence[number].insert(*at_us, expansion.of(table, time, column));
            }
            if (occasion.from_us..occasion.until_us).contains(at_us) {
                let smaller = inside.iter().map(|place| place.index()).chain([column]);
                self.others[number].extend(smaller.filter_map(|column| table.published(time, column)));
            }
        }
    }

    fn add_residence(&mut self, number: usize, today: &Today<'_>, protected: &Protected) {
        let Some(residence) = today.residence() else { return };
        let occasion = &today.reports.areas.occasions[number];
        let around = &self.around[number];
        let rows = |places: &[PlaceId]| places.iter().map(|place| node(*place)).collect::<HashSet<_>>();
        let mut add = |pairs: &ProtectedPairs, time: usize, rows: HashSet<u32>| {
            for pair in pairs.pairs().iter().filter(|pair| pair.time == time && rows.contains(&pair.row)) {
                self.classes[number].entry(pair.column).or_default().push(pair.devices);
            }
        };
        let of_day = around.of_period(occasion, today.day().start_us, today.day().end_us);
        add(&protected.pairs[residence.visiting], 0, rows(of_day));
        for (hour, at_us) in today.calendar.hours().at_us().iter().enumerate() {
            if (occasion.from_us..occasion.until_us).contains(at_us) {
                add(&protected.pairs[residence.present], hour, rows(&around.inside));
            }
        }
    }

    /// Keeps what occasions have published that were protected before others, and lets the exit remember it too.
    pub fn add_guests(&mut self, gathering: &Gathering<'_>, protected: &Protected, exit: &mut Exit) {
        let reports = gathering.reports;
        for (member, of) in gathering.members.iter().enumerate() {
            let Some(devices) = protected.tables[VISITORS].published(0, member) else { continue };
            for place in &self.around[*of].holding {
                exit.keep_group(place.index(), devices);
            }
            for number in 0..self.others.len() {
                if number == *of || !(reports.areas.holds(*of, number) || reports.areas.holds(number, *of)) {
                    continue;
                }
                self.others[number].push(devices);
                let classes = protected.pairs[0].pairs().iter().filter(|pair| pair.row as usize == member);
                for pair in classes {
                    self.classes[number].entry(pair.column).or_default().push(pair.devices);
                }
            }
        }
    }

    fn add_visitors(&mut self, number: usize, today: &Today<'_>, protected: &Protected) {
        let Some((hours, days)) = today.visitors() else { return };
        let occasion = &today.reports.areas.occasions[number];
        let around = &self.around[number];
        let mut add = |table: &ProtectedTable, time: usize, from_us: i64, until_us: i64| {
            let places = around.of_period(occasion, from_us, until_us);
            self.others[number]
                .extend(places.iter().filter_map(|place| table.published(time, place.index())));
        };
        add(&protected.tables[days], 0, today.day().start_us, today.day().end_us);
        let starts = today.calendar.hours().at_us();
        let ends = starts.iter().skip(1).copied().chain([today.day().end_us]);
        for (hour, (from_us, until_us)) in starts.iter().zip(ends).enumerate() {
            add(&protected.tables[hours], hour, *from_us, until_us);
        }
    }
}

/// The places that hold an occasion's area, and those that lie in it.
struct Around {
    holding: Vec<PlaceId>,
    inside: Vec<PlaceId>,
}

impl Around {
    fn new(number: usize, reports: &Reports) -> Self {
        let (areas, tree) = (&reports.areas, &reports.tree);
        let area = areas.lattice.atoms_of_column(areas.column(number));
        let within = |small: &[u32], large: &[u32]| small.iter().all(|part| large.contains(part));
        let parts = |place: &PlaceId| areas.lattice.atoms_of_column(place.index());
        let covered = || tree.ids().filter(|place| !parts(place).is_empty());
        Self {
            holding: covered().filter(|place| within(area, parts(place))).collect(),
            inside: covered().filter(|place| within(parts(place), area)).collect(),
        }
    }

    /// The places whose visitors of a period hold those of the occasion, or lie in them.
    fn of_period(&self, occasion: &Occasion, from_us: i64, until_us: i64) -> &[PlaceId] {
        if from_us <= occasion.from_us && occasion.until_us <= until_us {
            &self.holding
        } else if occasion.from_us <= from_us && until_us <= occasion.until_us {
            &self.inside
        } else {
            &[]
        }
    }
}
