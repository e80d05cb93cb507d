//! Classes and trips: subtraction along each side, in tails, in nested places and over hours, and all numbers at once.

use jiff::civil::Date;
use throng_schema::Report;

use crate::{
    attack::Finding,
    check::{areas, crossed, exact, flows, occasions, partition, residence, tails, window},
    classes::Classes,
    crossing::Crossing,
    fault::Faults,
    found::Found,
    occasions::Occasions,
    release::{Day, Release},
};

/// What subtraction tells of each report that has more than a number for every place and time.
#[derive(Default)]
pub(crate) struct Attack {
    residence: Found,
    flows: Found,
    dwell: Found,
    frequency: Found,
    occasions: Found,
    window: Option<Classes>,
    held: Option<Occasions>,
}

impl Attack {
    /// On the reports of all days together; none where one cannot be read, which is a fault then.
    pub(crate) fn on_all(release: &Release, faults: &mut Faults) -> Option<Self> {
        let mut attack = Self::default();
        if release.makes(Report::Frequency) {
            let name = Release::file_of_all(Report::Frequency);
            let part = Classes::read(release, name, Report::Frequency, release.window(), faults)?;
            partition::of_frequency(&part, release, &mut attack.frequency);
            tails::look(&part, release, &mut attack.frequency);
            window::Window::of(&part, release).within(release, &mut attack.frequency);
            attack.window = Some(part);
        }
        if release.makes(Report::Occasions) {
            let held = Occasions::read(release, faults)?;
            occasions::rules(&held, release, &mut attack.occasions);
            attack.held = Some(held);
        }
        Some(attack)
    }

    /// On the reports of a day, one after the other; none where one cannot be read.
    pub(crate) fn on(&mut self, date: Date, day: &Day, release: &Release, faults: &mut Faults) -> Option<()> {
        if let Some((part, visitors)) = self.window.as_ref().zip(day.visitors.as_ref()) {
            window::Window::of(part, release).with(visitors, release, &mut self.frequency);
        }
        if let Some((held, presence)) = self.held.as_ref().zip(day.presence.as_ref()) {
            areas::rules(presence, held, release, &mut self.occasions);
        }
        if release.makes(Report::Residence) {
            let part = Crossing::read(release, Report::Residence, date, faults)?;
            let covered = residence::covered(&part, day, release);
            residence::rules(&part, &covered, release, &mut self.residence);
            exact::attack(&part, &covered, release, &mut self.residence);
        }
        if release.makes(Report::Flows) {
            let part = Crossing::read(release, Report::Flows, date, faults)?;
            let covered = flows::covered(&part, day, release);
            flows::rules(&part, &covered, release, &mut self.flows);
            exact::attack(&part, &covered, release, &mut self.flows);
        }
        if release.makes(Report::Dwell) {
            let (name, time) = (Release::file(Report::Dwell, date), release.day_of(date));
            let part = Classes::read(release, name, Report::Dwell, time, faults)?;
            partition::of_dwell(&part, day, release, &mut self.dwell);
            tails::look(&part, release, &mut self.dwell);
        }
        Some(())
    }

    pub(crate) fn findings(&self, release: &Release) -> Vec<Finding> {
        const OF: [(Report, &[(&str, &str)]); 5] = [
            (Report::Residence, &RESIDENCE),
            (Report::Flows, &FLOWS),
            (Report::Dwell, &DWELL),
            (Report::Frequency, &FREQUENCY),
            (Report::Occasions, &OCCASIONS),
        ];
        let found = [&self.residence, &self.flows, &self.dwell, &self.frequency, &self.occasions];
        let made = OF.iter().zip(found).filter(|((report, _), _)| release.makes(*report));
        made.flat_map(|((_, attacks), found)| {
            attacks.iter().map(|(attack, rule)| {
                let (looked_at, gets) = found.of(&[rule]);
                Finding::count(attack, looked_at, gets).without(0)
            })
        })
        .collect()
    }
}

/// Attacks, each with the rule that it breaks where it gets something.
const RESIDENCE: [(&str, &str); 7] = [
    ("residence: a class in a place without its places, 1 to k - 1", crossed::LEFT_PLACES),
    ("residence: a class in a place without its finer classes, 1 to k - 1", crossed::LEFT_CLASSES),
    ("residence: a class in a place without parts of it on both sides, 1 to k - 1", crossed::LEFT_BOTH),
    ("residence: visitors of a class in a place without a place in it, 1 to k - 1", residence::NESTED),
    ("residence: everybody in a place without its finest rows, 1 to k - 1", residence::FINEST_LEFT),
    ("residence: groups of 1 to k - 1 told exactly by all numbers of a time", exact::GROUP),
    ("residence: groups of 1 to k - 1 shown by bounds of all numbers of a time", exact::BOUNDED),
];

const FLOWS: [(&str, &str); 6] = [
    ("flows: trips from a place without those from places in it, 1 to k - 1", crossed::LEFT_PLACES),
    ("flows: trips to a place without those to places in it, 1 to k - 1", crossed::LEFT_CLASSES),
    ("flows: trips without parts of them on both sides, 1 to k - 1", crossed::LEFT_BOTH),
    ("flows: trips of a day without those of its hours, 1 to k - 1 for each other hour", flows::HOURS),
    ("flows: groups of 1 to k - 1 told exactly by all numbers of a time", exact::GROUP),
    ("flows: groups of 1 to k - 1 shown by bounds of all numbers of a time", exact::BOUNDED),
];

const DWELL: [(&str, &str); 2] = [
    ("dwell: visitors of a place without its published classes, 1 to k - 1", partition::LEFT),
    ("dwell: who stayed so long in a place without those in a place in it, 1 to k - 1", tails::TAILS),
];

const FREQUENCY: [(&str, &str); 3] = [
    ("frequency: visitors of a place without its published classes, 1 to k - 1", partition::LEFT),
    ("frequency: who came so often to a place without those of a place in it, 1 to k - 1", tails::TAILS),
    (
        "frequency: visitors of the window without those of a place and period in it, 1 to k - 1",
        window::WINDOW,
    ),
];

const OCCASIONS: [(&str, &str); 5] = [
    ("occasions: visitors without their published classes of stay, 1 to k - 1", partition::LEFT),
    ("occasions: visitors of a class without its finer classes, 1 to k - 1", occasions::CLASS_LEFT),
    ("occasions: everybody without the finest rows, 1 to k - 1", residence::FINEST_LEFT),
    ("occasions: withheld numbers told exactly by presence of places and areas together", areas::EXACT),
    ("occasions: parts of postal codes shown to hold 1 to k - 1 by the same", areas::PIECE),
];
