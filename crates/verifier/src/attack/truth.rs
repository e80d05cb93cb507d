//! What was counted, as far as a release with k = 1 tells: what guesses are judged by.

use std::collections::HashMap;

use crate::{
    check::hidden::{Told, covered},
    part::Time,
    release::{Day, Release},
};

/// Devices of every place of the release at every instant of a day, where they are known.
///
/// With k = 1 whoever is there is published, and nobody is withheld. But then some published numbers are withheld too,
/// so that it is not told who is nobody: those numbers are known where they follow from others, and else they are not.
#[derive(Default)]
pub(crate) struct Truth(HashMap<Time, Vec<Option<u64>>>);

impl Truth {
    pub(crate) fn of(day: &Day, truth: &Release, release: &Release) -> Self {
        let Some(presence) = &day.presence else { return Self::default() };
        let Some(first) = presence.rows.values().next() else { return Self::default() };
        let sums = truth.places.sums(&covered(first));
        let place_of: Vec<Option<usize>> =
            truth.places.all.iter().map(|place| release.places.find(&place.level, &place.code)).collect();
        let rows = presence.rows.iter().filter(|(_, row)| covered(row) == sums.covered).map(|(time, row)| {
            let mut devices = vec![None; release.places.len()];
            let told = Told::by(row, &sums, truth, false);
            if let Ok(bounds) = told.bounds {
                for (place, bounds) in sums.places.iter().zip(bounds) {
                    if let Some(place) = place_of[*place] {
                        devices[place] = bounds.pinned();
                    }
                }
            }
            (*time, devices)
        });
        Self(rows.collect())
    }

    pub(crate) fn devices(&self, time: Time, place: usize) -> Option<u64> {
        self.0.get(&time)?[place]
    }
}
