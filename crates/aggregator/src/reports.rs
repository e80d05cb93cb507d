//! Which reports a run makes, and the one function by which a person is counted for all of them at once.

use std::sync::Arc;

use throng_anonymiser::{Ballot, Counted, Crowd, Guard, Lattice, Shape, Trajectory};
use throng_schema::{Calendar, CellPlan, PlaceTree, Ticks};
pub use throng_schema::{Report, UnknownReport};

use crate::{
    presence::Presence,
    stay::{Stay, stays},
    visitors::Visitors,
};

/// The reports of a run: what they need to know, and where their tables stand.
pub struct Reports {
    pub(crate) calendar: Calendar,
    pub(crate) tree: Arc<PlaceTree>,
    plan: Arc<CellPlan>,
    hold_us: i64,
    pub(crate) presence: Option<Presence>,
    pub(crate) visitors: Option<Visitors>,
    shapes: Vec<Shape>,
    /// Of each place, whether any cell of the plan serves it, and its level as a number.
    covered: Vec<bool>,
    levels: Vec<usize>,
    /// The places as columns of a table of sums.
    lattice: Lattice,
}

impl Reports {
    /// Lays out the tables of the wanted reports.
    #[must_use]
    pub fn new(
        wanted: &[Report],
        calendar: Calendar,
        tree: Arc<PlaceTree>,
        plan: Arc<CellPlan>,
        hold_us: i64,
    ) -> Self {
        let mut shapes = Vec::new();
        let presence =
            wanted.contains(&Report::Presence).then(|| Presence::lay_out(&calendar, &tree, &mut shapes));
        let visitors =
            wanted.contains(&Report::Visitors).then(|| Visitors::lay_out(&calendar, &tree, &mut shapes));
        let covered = tree.covered(plan.versions().iter().filter_map(|version| version.place));
        let levels = tree.ids().map(|place| tree.level(place).depth()).collect();
        let lattice = Lattice::of_places(&tree, &covered);
        Self { calendar, tree, plan, hold_us, presence, visitors, shapes, covered, levels, lattice }
    }

    /// The reports that are made.
    pub fn wanted(&self) -> impl Iterator<Item = Report> + '_ {
        Report::ALL.into_iter().filter(|report| match report {
            Report::Presence => self.presence.is_some(),
            Report::Visitors => self.visitors.is_some(),
            _ => false,
        })
    }

    /// The tables that are counted for the reports, by name, with their place among the tables.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, usize)> + use<> {
        let presence = self.presence.as_ref().map(|presence| (Report::Presence.as_str(), presence.table));
        let visitors =
            self.visitors.as_ref().map(|v| [("visitors by hour", v.hours), ("visitors by day", v.days)]);
        presence.into_iter().chain(visitors.into_iter().flatten())
    }

    /// Bytes that the tables take while they are counted on so many threads and protected.
    #[must_use]
    pub fn memory(&self, threads: usize) -> u64 {
        let slots: usize = self.shapes.iter().map(|shape| shape.grid.len()).sum();
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

    /// How the numbers of each table hang together, in the order of the tables: what protection knows of them.
    #[must_use]
    pub fn guards(&self) -> Vec<Guard<'_>> {
        let Self { tree, covered, levels: groups, lattice, calendar, .. } = self;
        let sums = || Guard::Sums { lattice, groups, counts_per_device: 1 };
        let presence = self.presence.as_ref().map(|presence| presence.table);
        // The instants from the start of each period to that of the next.
        let holding = |starts: &Ticks| {
            let instants = calendar.instants();
            let ends = starts.at_us().iter().skip(1).copied().chain([calendar.end_us()]);
            let spans = starts.at_us().iter().zip(ends);
            let within = spans.map(|(start, end)| instants.before(*start)..instants.before(end)).collect();
            presence.map(|table| (table, within))
        };
        let nested = |within, holding| Guard::Nested { tree, covered, groups, within, holding };
        let mut guards: Vec<Guard<'_>> = presence.iter().map(|_| sums()).collect();
        if let Some(visitors) = &self.visitors {
            let days = calendar.days().iter().enumerate();
            let day_of_hour = days.flat_map(|(i, day)| day.hours.clone().map(move |_| i)).collect();
            guards.push(nested(Some((visitors.days, day_of_hour)), holding(calendar.hours())));
            guards.push(nested(None, holding(calendar.day_starts())));
        }
        guards
    }

    /// The slots that one person was in.
    fn visit(&self, trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>) {
        let (start_us, end_us) = (self.calendar.start_us(), self.calendar.end_us());
        let in_window = |stay: &Stay| stay.until_us > start_us && stay.from_us < end_us;
        for stay in
            stays(trajectory.sightings(), self.hold_us, |cell| self.plan.place(cell)).filter(in_window)
        {
            if let Some(presence) = &self.presence {
                presence.mark(&stay, &self.calendar, ballot);
            }
            if let Some(visitors) = &self.visitors {
                visitors.mark(&stay, &self.calendar, &self.tree, ballot);
            }
        }
    }
}

/// Counts everybody of a crowd for all reports in one pass.
#[must_use]
pub fn count(crowd: Crowd, reports: &Reports) -> Counted {
    let moved = |cell, at_us| reports.plan.same_cell_at(cell, at_us);
    crowd.count(&reports.shapes, moved, |trajectory, ballot| reports.visit(trajectory, ballot))
}
