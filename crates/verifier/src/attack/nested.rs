//! Groups within groups: visitors of nested places and periods subtracted, and those present from those who came.

use crate::{
    attack::Finding,
    check::nested::{PRESENCE, Pairs, TOLD, VISITORS, of_presence, of_visitors},
    release::{Day, Release},
};

#[derive(Default)]
pub(crate) struct Attack {
    of_visitors: Tally,
    of_presence: Tally,
}

#[derive(Default)]
struct Tally {
    looked_at: u64,
    few: u64,
    told: u64,
}

impl Tally {
    fn add(&mut self, pairs: &Pairs) {
        let of =
            |checks: &[&str]| pairs.slips.iter().filter(|slip| checks.contains(&slip.check)).count() as u64;
        self.looked_at += pairs.looked_at;
        self.few += of(&[VISITORS, PRESENCE]);
        self.told += of(&[TOLD]);
    }
}

impl Attack {
    pub(crate) fn on(&mut self, day: &Day, release: &Release) {
        let Some(visitors) = &day.visitors else { return };
        self.of_visitors.add(&of_visitors(visitors, release));
        if let Some(presence) = &day.presence {
            self.of_presence.add(&of_presence(presence, visitors, release));
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        let Self { of_visitors, of_presence } = self;
        vec![
            Finding::count(
                "visitors: a place and period without a smaller one in it, 1 to k - 1",
                of_visitors.looked_at,
                of_visitors.few,
            )
            .without(0),
            Finding::count(
                "visitors: a period without those present at an instant of it, 1 to k - 1",
                of_presence.looked_at,
                of_presence.few,
            )
            .without(0),
            Finding::count(
                "visitors: a withheld presence that they show to be small",
                of_presence.looked_at,
                of_presence.told,
            )
            .without(0),
        ]
    }
}
