//! The words that stand in the files of a release, shared by their writer and their verifier.

use std::str::FromStr;

/// Version of the release's layout and columns; a reader refuses one that it does not know.
pub const SCHEMA_VERSION: u32 = 1;

/// What a reader may know of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The number is there.
    Published,
    /// Too few, protective, or nobody at all: the three look alike.
    Withheld,
    /// No cell of the plan serves the place, so nobody could be seen there.
    NoCoverage,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 3] = [Self::Published, Self::Withheld, Self::NoCoverage];

    /// The word in the `status` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Withheld => "withheld",
            Self::NoCoverage => "no_coverage",
        }
    }
}

/// The stretch of local time that a number covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// An hour of the local clock.
    Hour,
    /// A local day.
    Day,
    /// All days of the run.
    Window,
}

impl Period {
    /// The word in the `period` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Window => "window",
        }
    }
}

/// A report that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Report {
    /// People in a place at an instant.
    Presence,
    /// Distinct people in a place during an hour or a day.
    Visitors,
    /// Both, by where they live.
    Residence,
    /// The day's visitors by the time that each spent in the place.
    Dwell,
    /// The window's visitors by the number of days on which each came.
    Frequency,
    /// Trips from place to place.
    Flows,
    /// Who came to an occasion, when, from where and for how long.
    Occasions,
    /// Presence and visitors beside census figures.
    Context,
}

/// A report that is not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no report of that name; expected any of presence, visitors, residence, dwell, frequency, flows, occasions, context"
)]
pub struct UnknownReport;

impl Report {
    /// Every report there is.
    pub const ALL: [Self; 8] = [
        Self::Presence,
        Self::Visitors,
        Self::Residence,
        Self::Dwell,
        Self::Frequency,
        Self::Flows,
        Self::Occasions,
        Self::Context,
    ];

    /// Its name: that of its folder in the release.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Visitors => "visitors",
            Self::Residence => "residence",
            Self::Dwell => "dwell",
            Self::Frequency => "frequency",
            Self::Flows => "flows",
            Self::Occasions => "occasions",
            Self::Context => "context",
        }
    }
}

impl FromStr for Report {
    type Err = UnknownReport;

    fn from_str(name: &str) -> Result<Self, UnknownReport> {
        Self::ALL.into_iter().find(|report| report.as_str() == name).ok_or(UnknownReport)
    }
}
