//! The nouns that every part of Throng shares, and nothing that could name a person.
//!
//! ```text
//!   Window --clocked by--> Calendar      days, instants and hours on the local clock
//!   PlaceTree                            postal code < commune < province < region < country
//!   CellPlan                             which cell served which postal code, from when to when
//!   Grid                                 what a slot of a table of counts is: (time, place)
//!   Report, Period, Status               the words in the files of a release
//! ```
//!
//! With the feature `files`, also the fields of `manifest.json` and the columns of every other file of a release.
//!
//! ```
//! use jiff::{civil::date, tz::TimeZone};
//! use throng_schema::{Calendar, Window};
//!
//! let zone = TimeZone::get("Europe/Brussels")?;
//! let window = Window::new(date(2026, 10, 25), date(2026, 10, 25))?;
//! let calendar = Calendar::new(window, zone, 15 * 60)?;
//! assert_eq!(calendar.days()[0].hours.len(), 25, "the night on which clocks go back");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calendar;
mod cell_plan;
mod census;
#[cfg(feature = "files")]
mod columns;
#[cfg(feature = "files")]
mod dictionary;
mod factors;
mod format;
mod grid;
#[cfg(feature = "files")]
mod manifest;
mod occasion;
mod place;
mod release;

pub use calendar::{Calendar, CalendarError, Day, MICROS_PER_SECOND, Ticks, Window, micros};
pub use cell_plan::{CellIx, CellPlan, CellPlanError, CellVersion, Sought, VersionIx};
pub use census::{Census, CensusRow};
#[cfg(feature = "files")]
pub use columns::{
    Column, Kind, ReleaseFile, arrow_schema, columns, context_schema, occasions_schema, places_schema,
};
#[cfg(feature = "files")]
pub use dictionary::{
    DAYS, DESTINATION_LEVELS, DWELL, LEVELS, OCCASION_MEASURES, ORIGIN_LEVELS, PERIODS, RESIDENCE_LEVELS,
    RESIDENCE_MEASURES, STATUSES, Said, Value, WARNINGS,
};
pub use factors::Factors;
pub use format::{Format, UnknownFormat};
pub use grid::{Grid, Slot};
#[cfg(feature = "files")]
pub use manifest::{Cleaning, FileEntry, Manifest, Parameters, ReportEntry};
pub use occasion::Occasion;
pub use place::{Level, Names, PlaceId, PlaceRow, PlaceTree, PlaceTreeError};
pub use release::{Period, Report, SCHEMA_VERSION, Status, UnknownReport};
