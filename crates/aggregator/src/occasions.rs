//! Occasions: who came, when, from where and for how long; counted in sittings of their own, for they may span midnight.

use std::ops::Range;

use throng_anonymiser::{
    Ballot, Counted, Crowd, GuestGuard, Shape, Sitting, SparseShape, Subscribers, Trajectory, key,
};
use throng_schema::{Calendar, Grid, Occasion};

use crate::{
    dwell,
    kept::Kept,
    reports::Reports,
    stay::{Stay, stays},
};

/// Occasions of the same days, which are counted together.
pub struct Gathering<'a> {
    pub(crate) reports: &'a Reports,
    /// The occasions, by number.
    pub(crate) members: Vec<usize>,
    /// The steps of each.
    pub(crate) steps: Vec<Vec<i64>>,
    shapes: [Shape; 3],
    /// The days of the occasions.
    calendar: Calendar,
    /// The first slot of each one's steps.
    first_step: Vec<usize>,
}

/// The tables of a gathering: visitors, dwell, and arrivals and departures by step.
pub(crate) const VISITORS: usize = 0;
pub(crate) const DWELL: usize = 1;
pub(crate) const MOVES: usize = 2;

/// Arrivals and departures: two numbers a step.
pub(crate) const KINDS: usize = 2;

impl Reports {
    /// The occasions of the run, those of the same days together, in the order of the days.
    #[must_use]
    pub fn gatherings(&self) -> Vec<Gathering<'_>> {
        let days = |occasion: &Occasion| {
            let day = |us: i64| self.calendar.day_starts().before(us.saturating_add(1));
            (day(occasion.from_us), day(occasion.until_us - 1))
        };
        let mut numbers: Vec<usize> = (0..self.areas.occasions.len()).collect();
        numbers.sort_by_key(|number| (days(&self.areas.occasions[*number]), *number));
        let alike = |a: &usize, b: &usize| days(&self.areas.occasions[*a]) == days(&self.areas.occasions[*b]);
        numbers.chunk_by(alike).map(|members| Gathering::new(self, members.to_vec())).collect()
    }
}

impl<'a> Gathering<'a> {
    fn new(reports: &'a Reports, members: Vec<usize>) -> Self {
        let steps: Vec<Vec<i64>> = members
            .iter()
            .map(|number| steps_of(&reports.areas.occasions[*number], &reports.calendar).to_vec())
            .collect();
        let mut first_step = Vec::new();
        let mut moves = 0;
        for steps in &steps {
            first_step.push(moves);
            moves += KINDS * steps.len();
        }
        let shape = |slots: usize| Shape::marked(Grid::new(1, slots));
        let shapes = [shape(members.len()), shape(members.len() * dwell::CLASSES.len()), shape(moves)];
        let occasions = || members.iter().map(|number| &reports.areas.occasions[*number]);
        let from_us = occasions().map(|occasion| occasion.from_us).min().unwrap_or_default();
        let until_us = occasions().map(|occasion| occasion.until_us).max().unwrap_or_default();
        let calendar = reports.calendar.between(from_us, until_us);
        Self { reports, members, steps, shapes, calendar, first_step }
    }

    /// The time whose events decide about these occasions: their days, so that rows are sifted as those days sift them.
    #[must_use]
    pub fn context_us(&self) -> Range<i64> {
        let reach = 2 * self.reports.hold_us;
        self.calendar.start_us() - reach..self.calendar.end_us() + reach
    }

    /// The names of the occasions, for a person who waits.
    #[must_use]
    pub fn title(&self) -> String {
        let first = self.members.first().map(|number| self.reports.areas.occasions[*number].code.as_str());
        match self.members.len() {
            1 => first.unwrap_or_default().to_owned(),
            n => format!("{} and {} more", first.unwrap_or_default(), n - 1),
        }
    }

    /// Counts everybody of a crowd for these occasions.
    #[must_use]
    pub fn count(&self, crowd: Crowd, subscribers: &Subscribers) -> Counted {
        let own_us = 0..0; // what becomes of rows is told by the days
        let weighed = self.reports.weighs();
        let sitting = Sitting {
            shapes: &self.shapes,
            sparse: &[SparseShape::Keys],
            weighed,
            own_us,
            subscribers,
            carried: None,
        };
        let hours = (self.calendar.hours(), self.calendar.end_us());
        self.reports.walk(crowd, &sitting, hours, |trajectory, ballot| self.visit(trajectory, ballot))
    }

    fn visit(&self, trajectory: &Trajectory<'_>, ballot: &mut Ballot<'_>) {
        self.reports.weigh(trajectory, ballot);
        for (member, number) in self.members.iter().enumerate() {
            let occasion = &self.reports.areas.occasions[*number];
            let inside = |cell| {
                let part = self.reports.areas.part(cell)?;
                self.reports.areas.parts[part as usize].within.contains(number).then_some(())
            };
            let mut room = Vec::new();
            let here: &[Stay<()>] = stays(trajectory.sightings(), self.reports.hold_us, inside, &mut room);
            let cut =
                |stay: &Stay<()>| stay.until_us.min(occasion.until_us) - stay.from_us.max(occasion.from_us);
            let spent_us: i64 = here.iter().map(|stay| cut(stay).max(0)).sum();
            if spent_us == 0 {
                // Whoever was not there during the window neither came nor left in it.
                continue;
            }
            ballot.mark(VISITORS, 0, member);
            let class = member * dwell::CLASSES.len() + dwell::class_of(spent_us);
            ballot.mark(DWELL, 0, class);
            let residences = &self.reports.residences;
            for class in residences.axis.chain(residences.class(trajectory.home())) {
                let member = u32::try_from(member).expect("occasions are written by hand");
                ballot.mark_key(0, key(0, member, class));
            }
            for stay in here {
                self.mark_move(occasion, member, stay.from_us, 0, ballot);
                self.mark_move(occasion, member, stay.until_us, 1, ballot);
            }
        }
    }

    /// Somebody came or left: in which step.
    fn mark_move(
        &self,
        occasion: &Occasion,
        member: usize,
        at_us: i64,
        kind: usize,
        ballot: &mut Ballot<'_>,
    ) {
        if (occasion.from_us..occasion.until_us).contains(&at_us)
            && let Some(step) = self.steps[member].partition_point(|step| *step <= at_us).checked_sub(1)
        {
            ballot.mark(MOVES, 0, self.slot_of_move(member, step, kind));
        }
    }

    pub(crate) fn slot_of_move(&self, member: usize, step: usize, kind: usize) -> usize {
        self.first_step[member] + KINDS * step + kind
    }

    /// What protection must know: the published groups that each occasion's visitors hold or lie in.
    #[must_use]
    pub fn guard(&self, kept: &Kept) -> GuestGuard<'_> {
        let others = self.members.iter().map(|number| kept.others[*number].clone()).collect();
        let larger = |inner: &usize| {
            let holds = |(_, outer): &(usize, &usize)| self.reports.areas.holds(**outer, *inner);
            self.members.iter().enumerate().filter(holds).map(|(member, _)| member).collect()
        };
        let classes = self.members.iter().map(|number| kept.classes[*number].clone()).collect();
        GuestGuard {
            others,
            classes,
            larger: self.members.iter().map(larger).collect(),
            dwell: dwell::CLASSES.len(),
            residences: &self.reports.residences.axis,
            steps: self.steps.iter().map(Vec::len).collect(),
        }
    }
}

/// The instants in the window of an occasion.
fn steps_of<'c>(occasion: &Occasion, calendar: &'c Calendar) -> &'c [i64] {
    let instants = calendar.instants();
    &instants.at_us()[instants.before(occasion.from_us)..instants.before(occasion.until_us)]
}
