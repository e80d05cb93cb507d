//! One nameless person's times and cells, for as long as one call lasts.

use throng_schema::{PlaceId, VersionIx};

/// A nameless person was served by a cell at a time.
#[derive(Clone, Copy)]
pub struct Sighting {
    /// In microseconds since 1970 UTC.
    pub at_us: i64,
    /// Which version of which cell of the plan.
    pub cell: VersionIx,
}

/// What is known of where a nameless person lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// A postal code or commune, from the table of residence.
    Place(PlaceId),
    /// The country of a home network, by its mobile country code.
    Network(u16),
    /// Nothing.
    Unknown,
}

/// The sightings of one person in order of time, then of the bytes of the cell id, without repetitions.
///
/// It is lent to the function that counts, for one call, and cannot be kept, cloned, printed or compared.
pub struct Trajectory<'a> {
    sightings: &'a [Sighting],
    home: Home,
    remembered: Option<Option<u32>>,
}

impl<'a> Trajectory<'a> {
    pub(crate) fn new(sightings: &'a [Sighting], home: Home, remembered: Option<Option<u32>>) -> Self {
        Self { sightings, home, remembered }
    }

    /// The sightings; at least one.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        self.sightings
    }

    /// Where this person lives.
    #[must_use]
    pub fn home(&self) -> Home {
        self.home
    }

    /// What was to be remembered of this person at the sitting before ([`crate::Ballot::remember`]); none for who is
    /// met for the first time.
    #[must_use]
    pub fn remembered(&self) -> Option<Option<u32>> {
        self.remembered
    }
}
