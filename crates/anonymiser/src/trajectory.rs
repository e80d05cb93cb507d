//! One nameless person's times and cells, for as long as one call lasts.

use throng_schema::VersionIx;

/// A nameless person was served by a cell at a time.
#[derive(Clone, Copy)]
pub struct Sighting {
    /// In microseconds since 1970 UTC.
    pub at_us: i64,
    /// Which version of which cell of the plan.
    pub cell: VersionIx,
}

/// The sightings of one person in order of time, then of the bytes of the cell id, without repetitions.
///
/// It is lent to the function that counts, for one call, and cannot be kept, cloned, printed or compared.
pub struct Trajectory<'a>(&'a [Sighting]);

impl<'a> Trajectory<'a> {
    pub(crate) fn new(sightings: &'a [Sighting]) -> Self {
        Self(sightings)
    }

    /// The sightings; at least one.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        self.0
    }
}
