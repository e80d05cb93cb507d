//! Differencing two releases of the same days: what one withholds and the other tells, and numbers a few people apart.

use std::collections::{HashMap, HashSet};

use crate::{
    attack::Finding,
    bounds::Bounds,
    check::hidden::covered,
    eliminate::recovered,
    part::{Cell, Part, Row},
    release::{Day, Release},
};

#[derive(Default)]
pub(crate) struct Attack {
    withheld: u64,
    told: u64,
    exact: u64,
    exact_alone: u64,
    both: u64,
    few: u64,
}

impl Attack {
    pub(crate) fn on(&mut self, day: &Day, release: &Release, with: &Day, other: &Release) {
        let place_of: Vec<Option<usize>> =
            release.places.all.iter().map(|place| other.places.find(&place.level, &place.code)).collect();
        for (part, with) in [(&day.presence, &with.presence), (&day.visitors, &with.visitors)] {
            let (Some(part), Some(with)) = (part, with) else { continue };
            let adds_up = part.report == throng_schema::Report::Presence;
            self.on_part(part, release, with, other, &place_of, adds_up);
        }
    }

    fn on_part(
        &mut self,
        part: &Part,
        release: &Release,
        with: &Part,
        other: &Release,
        place_of: &[Option<usize>],
        adds_up: bool,
    ) {
        for (time, row) in &part.rows {
            let Some(there) = with.rows.get(time) else { continue };
            let mut told: HashSet<usize> = HashSet::new();
            for (place, cell) in row.iter().enumerate() {
                let there = place_of[place].and_then(|place| there[place].people());
                let there = there.and_then(|people| other.factor.devices(people));
                match (cell, there) {
                    (Cell::Withheld, Some(_)) => {
                        told.insert(place);
                    }
                    (Cell::Published(people), Some(there)) => {
                        self.both += 1;
                        let here = release.factor.devices(*people);
                        let apart = here.map(|here| apart(here, there));
                        self.few += u64::from(apart.is_some_and(|apart| (1..release.k).contains(&apart)));
                    }
                    _ => {}
                }
            }
            self.withheld += row.iter().filter(|cell| **cell == Cell::Withheld).count() as u64;
            self.told += told.len() as u64;
            if adds_up {
                let (alone, together) = exact(row, release, &told);
                self.exact_alone += alone;
                self.exact += together;
            } else {
                self.exact += told.len() as u64;
            }
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        vec![
            Finding::count(
                "two releases: withheld numbers that the other publishes",
                self.withheld,
                self.told,
            )
            .without(0),
            Finding::count(
                "two releases: withheld numbers told exactly by both together",
                self.withheld,
                self.exact,
            )
            .without(self.exact_alone),
            Finding::count("two releases: numbers in both that differ by 1 to k - 1", self.both, self.few)
                .without(0),
        ]
    }
}

/// How far apart two numbers are at least; the same number of devices may lie behind both if 0.
fn apart(a: Bounds, b: Bounds) -> u64 {
    a.least.saturating_sub(b.most).max(b.least.saturating_sub(a.most))
}

/// Withheld numbers that are told: by this release alone, and with what the other tells.
fn exact(row: &Row, release: &Release, told: &HashSet<usize>) -> (u64, u64) {
    let sums = release.places.sums(&covered(row));
    let column_of: HashMap<usize, usize> =
        sums.places.iter().enumerate().map(|(c, place)| (*place, c)).collect();
    let mut published: Vec<bool> = sums.places.iter().map(|place| row[*place].people().is_some()).collect();
    let alone = recovered(&sums.incidence, &published).columns.len();
    let columns = told.iter().filter_map(|place| column_of.get(place));
    let told: Vec<usize> = columns.copied().collect();
    told.iter().for_each(|column| published[*column] = true);
    let together = told.len() + recovered(&sums.incidence, &published).columns.len();
    (alone as u64, together as u64)
}
