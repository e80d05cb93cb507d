//! Which reports a run makes, how each of its days is counted for all of them at once, and what protection must know.

use std::{cell::Cell, ops::Range, sync::Arc};

use throng_anonymiser::{
    Axis, Ballot, Carried, Counted, Crowd, Exit, Found, Guard, Lattice, PairGuard, Protected, Shape, Sift,
    Sighting, Sitting, SparseShape, Subscribers, Trajectory,
};
use throng_schema::{Calendar, CellPlan, Day, Level, Occasion, PlaceTree, Ticks};
pub use throng_schema::{Report, UnknownReport};

use crate::{
    areas::Areas,
    dwell::{self, Dwell, Spent},
    expansion::{Expansion, Weights},
    flows::Flows,
    frequency,
    presence::Presence,
    residence::{Residence, Residences, places_axis},
    seen::Seen,
    sift::Sifting,
    stay::{Stay, stays},
    visitors::Visitors,
};

/// The reports of a run, and all that they need to know.
pub struct Reports {
    wanted: Vec<Report>,
    pub(crate) calendar: Calendar,
    pub(crate) tree: Arc<PlaceTree>,
    plan: Arc<CellPlan>,
    pub(crate) hold_us: i64,
    min_stay_us: i64,
    /// Of each place, whether any cell of the plan serves it, and its level as a number.
    pub(crate) covered: Vec<bool>,
    pub(crate) levels: Vec<usize>,
    /// The places as one side of a crossed table.
    pub(crate) places: Arc<Axis>,
    pub(crate) residences: Residences,
    /// The places as columns of a table of sums, and the occasions beside them.
    pub(crate) areas: Areas,
    sifting: Sifting,
    /// What devices weigh, where they do not all weigh the same.
    weights: Option<Weights>,
    /// The group in which each of these columns is accounted for: the places of a level, or the occasions.
    groups: Vec<usize>,
}

/// Where the tables of one day stand: dense ones and sparse ones.
struct Tables {
    presence: Option<Presence>,
    visitors: Option<Visitors>,
    dwell: Option<Dwell>,
    residence: Option<Residence>,
    flows: Option<Flows>,
    shapes: Vec<Shape>,
    sparse: Vec<SparseShape>,
}

/// One day of the reports: the people of a day are counted, protected and written before the next day is read.
pub struct Today<'a> {
    pub(crate) reports: &'a Reports,
    pub(crate) calendar: Calendar,
    tables: Tables,
    /// Which areas are shown when.
    lattices: Vec<(Lattice, Range<usize>)>,
    seen: Seen,
}

/// Room for one person after the other, so that none has to be made.
#[derive(Default)]
struct OnePerson {
    stays: Vec<Stay>,
    spent: Spent,
}

thread_local! {
    static ROOM: Cell<OnePerson> = Cell::default();
}

/// A table of a day by its name: among the dense ones, or among the sparse ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Dense(usize),
    Pairs(usize),
}

impl Reports {
    /// The wanted reports. `country_of_mcc` tells the country of a home network.
    #[must_use]
    pub fn new(
        wanted: &[Report],
        calendar: Calendar,
        tree: Arc<PlaceTree>,
        plan: Arc<CellPlan>,
        (hold_us, min_stay_us): (i64, i64),
        country_of_mcc: impl Fn(u16) -> Option<&'static str>,
    ) -> Self {
        let covered = tree.covered(plan.versions().iter().filter_map(|version| version.place));
        let levels: Vec<usize> = tree.ids().map(|place| tree.level(place).depth()).collect();
        let areas = Areas::new(Vec::new(), &plan, &tree);
        let (places, residences) = (Arc::new(places_axis(&tree)), Residences::new(&tree, country_of_mcc));
        let wanted = wanted.to_vec();
        Self {
            wanted,
            calendar,
            tree,
            plan,
            hold_us,
            min_stay_us,
            covered,
            groups: Vec::clone(&levels),
            levels,
            places,
            residences,
            areas,
            weights: None,
            sifting: Sifting::default(),
        }
    }

    /// The same without the events and SIMs that are to be sifted out.
    #[must_use]
    pub fn with_sifting(mut self, sifting: Sifting) -> Self {
        self.sifting = sifting;
        self
    }

    /// The same with devices weighed as the expansion says.
    #[must_use]
    pub fn with_expansion(mut self, expansion: &Expansion) -> Self {
        self.weights = match expansion {
            Expansion::Factor(_) => None,
            Expansion::Weighed(factors) => Some(Weights::new(factors, &self.tree)),
        };
        self
    }

    /// Says what a person weighs, before anything is marked.
    pub(crate) fn weigh(&self, trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>) {
        if let Some(weights) = &self.weights {
            ballot.weigh(weights.of(trajectory.home()));
        }
    }

    /// Whether people are weighed.
    pub(crate) fn weighs(&self) -> bool {
        self.weights.is_some()
    }

    /// The same with these occasions, each wholly within the window.
    #[must_use]
    pub fn with_occasions(mut self, occasions: Vec<Occasion>) -> Self {
        self.areas = Areas::new(occasions, &self.plan, &self.tree);
        self.groups = self.levels.clone();
        self.groups.resize(self.areas.lattice.columns(), Level::ALL.len());
        self
    }

    /// Whether a report is made.
    #[must_use]
    pub fn makes(&self, report: Report) -> bool {
        self.wanted.contains(&report)
    }

    /// The reports that are made.
    pub fn wanted(&self) -> impl Iterator<Item = Report> + '_ {
        Report::ALL.into_iter().filter(|report| self.makes(*report))
    }

    /// Whether any report asks where people live.
    #[must_use]
    pub fn asks_for_homes(&self) -> bool {
        self.makes(Report::Residence) || self.makes(Report::Occasions) || self.weighs()
    }

    /// Bytes that the tables of a day take while they are counted on so many threads and protected.
    #[must_use]
    pub fn memory(&self, threads: usize) -> u64 {
        let day = self.calendar.days().iter().max_by_key(|day| day.instants.len());
        let slots: usize =
            day.map_or(0, |day| self.today(day).tables.shapes.iter().map(|shape| shape.grid.len()).sum());
        // Two counters of 4 bytes a thread, a sum of 8 for each and for all; then a protected cell of 16, the truth
        // beside it, and what witnesses name.
        slots as u64 * (16 * threads as u64 + 8 + 16 + 8 + 16)
    }

    /// The places of the reports.
    #[must_use]
    pub fn tree(&self) -> &PlaceTree {
        &self.tree
    }

    /// The local clock of the reports.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The time whose events decide about a day: the day, what reaches into it, and what shows how long its last
    /// stays were; never beyond the context of the window.
    #[must_use]
    pub fn context_us(&self, day: &Day) -> Range<i64> {
        let min_stay_us = if self.makes(Report::Flows) { self.min_stay_us } else { 0 };
        let until_us = day.end_us + 2 * self.hold_us + min_stay_us;
        day.start_us - 2 * self.hold_us..until_us.min(self.calendar.end_us() + 2 * self.hold_us)
    }

    /// The time whose rows a day answers for: the first and the last of a window take the context with them.
    #[must_use]
    pub fn own_us(&self, day: &Day) -> Range<i64> {
        let days = self.calendar.days();
        let is = |other: Option<&Day>| other.is_some_and(|other| other.date == day.date);
        let (first, last) = (is(days.first()), is(days.last()));
        let from_us = if first { i64::MIN } else { day.start_us };
        from_us..if last { i64::MAX } else { day.end_us }
    }

    /// A day of the window.
    #[must_use]
    pub fn today(&self, day: &Day) -> Today<'_> {
        let calendar = self.calendar.only(day);
        let (tables, lattices) = (self.lay_out(&calendar), self.areas.lattices(&calendar));
        Today { reports: self, calendar, tables, lattices, seen: Seen::nobody() }
    }

    /// Where the tables of a day stand.
    fn lay_out(&self, calendar: &Calendar) -> Tables {
        let (mut shapes, mut sparse) = (Vec::new(), Vec::new());
        let any = |reports: &[Report]| reports.iter().any(|report| self.makes(*report));
        let presence = any(&[Report::Presence, Report::Residence, Report::Context, Report::Occasions]);
        let visitors =
            any(&[Report::Visitors, Report::Residence, Report::Dwell, Report::Frequency, Report::Context]);
        let tree = &self.tree;
        let presence = presence.then(|| Presence::lay_out(calendar, &self.areas, &mut shapes));
        let visitors = visitors.then(|| Visitors::lay_out(calendar, tree, &mut shapes));
        let dwell = self.makes(Report::Dwell).then(|| Dwell::lay_out(tree, &mut shapes));
        let residence =
            self.makes(Report::Residence).then(|| Residence::lay_out(calendar, &self.places, &mut sparse));
        let flows = self.makes(Report::Flows).then(|| Flows::lay_out(&self.places, &mut sparse));
        Tables { presence, visitors, dwell, residence, flows, shapes, sparse }
    }

    /// What protection must know of the window's visitors by how often they came: places, coverage, groups, classes.
    #[must_use]
    pub fn window_guard(&self) -> (&PlaceTree, &[bool], &[usize], [u64; frequency::CLASSES.len()]) {
        (&self.tree, &self.covered, &self.levels, frequency::CLASSES.map(|(_, days)| u64::from(days)))
    }

    /// The window's visitors by place and by how often they came, once all days are counted.
    #[must_use]
    pub fn count_window(&self, carried: Carried) -> throng_anonymiser::CountTable {
        carried.count(self.tree.len(), frequency::CLASSES.len(), frequency::class_of)
    }
}

impl Today<'_> {
    /// The day's own clock.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What to call the day to a person who waits.
    #[must_use]
    pub fn title(&self) -> String {
        self.day().date.to_string()
    }

    /// The local day.
    #[must_use]
    pub fn day(&self) -> &Day {
        &self.calendar.days()[0]
    }

    /// Events of the day itself that were counted, and the devices that have any: for the ledger. A session counts as
    /// the events that it stands for.
    #[must_use]
    pub fn seen(&self) -> (u64, u64) {
        self.seen.totals()
    }

    /// The hours of the day, by number and start.
    pub(crate) fn hours(&self) -> Vec<(usize, i64)> {
        self.calendar.hours().at_us().iter().copied().enumerate().collect()
    }

    pub(crate) fn presence(&self) -> Option<usize> {
        self.tables.presence.as_ref().map(|presence| presence.table)
    }

    /// The tables of the visitors of hours, and of the day.
    pub(crate) fn visitors(&self) -> Option<(usize, usize)> {
        self.tables.visitors.as_ref().map(|visitors| (visitors.hours, visitors.days))
    }

    pub(crate) fn dwell(&self) -> Option<usize> {
        self.tables.dwell.map(|dwell| dwell.table)
    }

    pub(crate) fn residence(&self) -> Option<Residence> {
        self.tables.residence
    }

    pub(crate) fn flows(&self) -> Option<usize> {
        self.tables.flows.map(|flows| flows.trips)
    }

    /// Lets the exit remember what of the day bears on the whole window.
    pub fn keep(&self, protected: &Protected, exit: &mut Exit) {
        if let Some((hours, days)) = self.visitors().filter(|_| self.reports.makes(Report::Frequency)) {
            let tables = &protected.tables;
            let others: Vec<_> =
                self.presence().into_iter().chain([hours]).map(|table| &tables[table]).collect();
            exit.keep_days(&tables[days], &others, self.reports.tree.len());
        }
    }

    /// The tables of the wanted reports, by name.
    pub(crate) fn named(&self) -> Vec<(&'static str, Place)> {
        let makes = |report| self.reports.makes(report);
        let mut named = Vec::new();
        if let Some(table) = self.presence().filter(|_| makes(Report::Presence)) {
            named.push((Report::Presence.as_str(), Place::Dense(table)));
        }
        if let Some((hours, days)) = self.visitors().filter(|_| makes(Report::Visitors)) {
            named
                .extend([("visitors by hour", Place::Dense(hours)), ("visitors by day", Place::Dense(days))]);
        }
        if let Some(residence) = self.residence() {
            named.push(("residence of those present", Place::Pairs(residence.present)));
            named.push(("residence of visitors", Place::Pairs(residence.visiting)));
        }
        named.extend(self.dwell().map(|table| (Report::Dwell.as_str(), Place::Dense(table))));
        named.extend(self.flows().map(|table| (Report::Flows.as_str(), Place::Pairs(table))));
        named
    }

    /// How the numbers of each dense table hang together, in the order of the tables: what protection knows of them.
    #[must_use]
    pub fn guards(&self) -> Vec<Guard<'_>> {
        let Reports { tree, covered, levels: groups, areas, groups: of_columns, .. } = self.reports;
        let calendar = &self.calendar;
        let presence = self.presence();
        // The instants from the start of each period to that of the next.
        let holding = |starts: &Ticks| {
            let instants = calendar.instants();
            let ends = starts.at_us().iter().skip(1).copied().chain([calendar.end_us()]);
            let spans = starts.at_us().iter().zip(ends);
            let within = spans.map(|(start, end)| instants.before(*start)..instants.before(end)).collect();
            presence.map(|table| (table, within))
        };
        let nested = |within, holding| Guard::Nested { tree, covered, groups, within, holding };
        let sums = || Guard::Sums {
            lattice: &areas.lattice,
            others: &self.lattices,
            groups: of_columns,
            counts_per_device: 1,
        };
        let mut guards: Vec<Guard<'_>> = presence.iter().map(|_| sums()).collect();
        if let Some((_, days)) = self.visitors() {
            let day_of_hour = vec![0; calendar.hours().at_us().len()];
            guards.push(nested(Some((days, day_of_hour)), holding(calendar.hours())));
            guards.push(nested(None, holding(calendar.day_starts())));
        }
        if let (Some(_), Some((_, totals))) = (self.dwell(), self.visitors()) {
            guards.push(Guard::Classes { tree, covered, groups, classes: dwell::CLASSES.len(), totals });
        }
        guards
    }

    /// The same of the sparse tables.
    #[must_use]
    pub fn pair_guards(&self) -> Vec<PairGuard<'_>> {
        let Reports { places, residences, .. } = self.reports;
        let mut guards = Vec::new();
        let totals = (self.presence(), self.visitors());
        if let (Some(residence), (Some(presence), Some((_, days)))) = (self.residence(), totals) {
            let (rows, columns) = (places, &residences.axis);
            let hours = self.calendar.hours().at_us().iter();
            let instants = hours.map(|hour| self.calendar.instants().before(*hour)).collect();
            guards.push(PairGuard::Present { rows, columns, totals: (presence, instants) });
            guards.push(PairGuard::Visiting { rows, columns, totals: days, present: residence.present });
        }
        if let Some(flows) = self.tables.flows {
            let hours = self.calendar.hours().at_us().len();
            guards.push(PairGuard::Trips {
                places,
                hours,
                travellers: flows.travellers,
                visitors: self.visitors().map(|(hours, _)| hours),
            });
            guards.push(PairGuard::Silent);
        }
        guards
    }

    /// One person's stays in postal codes. Where occasions cut these into parts, presence is marked on the way.
    fn stays<'r>(
        &self,
        trajectory: &Trajectory<'_>,
        ballot: &mut Ballot<'_>,
        room: &'r mut Vec<Stay>,
    ) -> &'r [Stay] {
        let Self { reports, calendar, tables, .. } = self;
        let (seen, areas) = (trajectory.sightings(), &reports.areas);
        if !areas.cut_places() {
            return stays(seen, reports.hold_us, |cell| reports.plan.place(cell), room);
        }
        let mut parts = Vec::new();
        let by_part = stays(seen, reports.hold_us, |cell| areas.part(cell), &mut parts);
        if let Some(presence) = &tables.presence {
            let (start_us, end_us) = (calendar.start_us(), calendar.end_us());
            let in_day = |stay: &&Stay<u32>| stay.until_us > start_us && stay.from_us < end_us;
            for stay in by_part.iter().filter(in_day) {
                presence.mark(stay, calendar, areas, ballot);
            }
        }
        *room = joined(by_part, areas);
        room
    }

    /// The slots that one person was in.
    fn visit(&self, trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>) {
        let mut room = ROOM.take();
        self.visit_in(trajectory, ballot, &mut room);
        ROOM.set(room);
    }

    fn visit_in(&self, trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>, room: &mut OnePerson) {
        let Self { reports, calendar, tables, .. } = self;
        self.seen.add(trajectory.sightings(), self.day());
        reports.weigh(trajectory, ballot);
        let (start_us, end_us) = (calendar.start_us(), calendar.end_us());
        let OnePerson { stays, spent } = room;
        let all = self.stays(trajectory, ballot, stays);
        if start_us == end_us {
            // A date that the zone has skipped: nobody was anywhere on it.
            ballot.remember(trajectory.remembered().flatten());
            return;
        }
        if let Some(flows) = &tables.flows {
            flows.mark(all, trajectory.remembered(), reports.min_stay_us, calendar, ballot);
        }
        let first = all.partition_point(|stay| stay.until_us <= start_us);
        let today = &all[first..all.partition_point(|stay| stay.from_us < end_us).max(first)];
        let class =
            tables.residence.map(|residence| (residence, reports.residences.class(trajectory.home())));
        for stay in today {
            if let Some(presence) = tables.presence.as_ref().filter(|_| !reports.areas.cut_places()) {
                let (from_us, until_us) = (stay.from_us, stay.until_us);
                let whole = Stay { place: reports.areas.whole(stay.place), from_us, until_us };
                presence.mark(&whole, calendar, &reports.areas, ballot);
            }
            if let Some(visitors) = &tables.visitors {
                visitors.mark(stay, calendar, &reports.tree, ballot);
            }
            if let Some((residence, class)) = class {
                residence.mark(stay, class, calendar, ballot);
            }
        }
        if tables.dwell.is_some() || reports.makes(Report::Frequency) {
            spent.add_up(today, self.day(), &reports.tree);
        }
        if let Some(dwell) = &tables.dwell {
            dwell.mark(&spent.places, ballot);
        }
        if reports.makes(Report::Frequency) {
            spent.places.iter().for_each(|(place, _)| ballot.visit(place.0));
        }
    }
}

/// Stays in postal codes, from those in their parts: parts of one that touch are one stay.
fn joined(by_part: &[Stay<u32>], areas: &Areas) -> Vec<Stay> {
    let mut joined: Vec<Stay> = Vec::with_capacity(by_part.len());
    for stay in by_part {
        let place = areas.place_of(stay.place);
        match joined.last_mut() {
            Some(last) if last.place == place && last.until_us == stay.from_us => {
                last.until_us = stay.until_us
            }
            _ => joined.push(Stay { place, from_us: stay.from_us, until_us: stay.until_us }),
        }
    }
    joined
}

/// Counts everybody of a crowd for all reports of a day in one pass.
#[must_use]
pub fn count(crowd: Crowd, today: &Today<'_>, subscribers: &Subscribers, carried: &Carried) -> Counted {
    let sitting = Sitting {
        shapes: &today.tables.shapes,
        sparse: &today.tables.sparse,
        weighed: today.reports.weighs(),
        own_us: today.reports.own_us(today.day()),
        subscribers,
        carried: Some(carried),
    };
    let hours = (today.calendar.hours(), today.calendar.end_us());
    today.reports.walk(crowd, &sitting, hours, |trajectory, ballot| today.visit(trajectory, ballot))
}

impl Reports {
    /// Walks through a crowd, with every event placed by the plan of its own time. A machine by rule is active in
    /// every one of the hours.
    pub(crate) fn walk(
        &self,
        crowd: Crowd,
        sitting: &Sitting<'_>,
        hours: (&Ticks, i64),
        visit: impl Fn(&Trajectory<'_>, &mut Ballot<'_>) + Sync,
    ) -> Counted {
        let moved = |cell, at_us| self.plan.same_cell_at(cell, at_us);
        let sift = |seen: &[Sighting], verdicts: &mut [Option<Found>]| {
            self.sifting.sift(seen, hours, &self.plan, verdicts);
        };
        let sift: Option<Sift<'_>> = (!self.sifting.is_off()).then_some(&sift);
        crowd.count(sitting, moved, sift, visit)
    }
}
