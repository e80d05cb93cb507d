//! The window's visitors hold those of every place and period in it, and are not a few more.

use crate::{
    classes::Classes,
    found::Found,
    number::Number,
    part::{Part, Time},
    release::Release,
};

pub(crate) const WINDOW: &str =
    "visitors of the window without those of a place and period in it are nobody or at least k";
const HOLDS: &str = "visitors of the window hold those of a place and period in it";

/// The window's visitors of every place, where they are published.
pub(crate) struct Window(Vec<Option<Number>>);

impl Window {
    pub(crate) fn of(frequency: &Classes, release: &Release) -> Self {
        Self(frequency.cells.iter().map(|cells| Number::of_cell(cells[0], release)).collect())
    }

    /// Compares the window's visitors of places within places.
    pub(crate) fn within(&self, release: &Release, found: &mut Found) {
        for (place, smaller) in self.0.iter().enumerate() {
            if let Some(smaller) = smaller {
                self.compare(place, *smaller, release.window(), 1, release, found);
            }
        }
    }

    /// Compares them with the visitors of a day and its hours.
    pub(crate) fn with(&self, visitors: &Part, release: &Release, found: &mut Found) {
        for (time, row) in &visitors.rows {
            for (place, cell) in row.iter().enumerate() {
                if let Some(smaller) = Number::of_cell(*cell, release) {
                    self.compare(place, smaller, *time, 0, release, found);
                }
            }
        }
    }

    fn compare(
        &self,
        place: usize,
        smaller: Number,
        time: Time,
        skip: usize,
        release: &Release,
        found: &mut Found,
    ) {
        for above in release.places.chain(place).skip(skip) {
            let Some(larger) = self.0[above] else { continue };
            let left = larger.without(smaller, release);
            let at = || format!("{} in {}", release.cell_said(place, time), release.places.said(above));
            found.look(WINDOW, left.is_few(release.k), at);
            found.look(HOLDS, left.is_negative(), at);
        }
    }
}
