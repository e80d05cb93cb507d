//! Reads everything that comes from outside: events, the cell plan, places and tables of subscribers.
//!
//! ```text
//!   files -> Events -> rows, each used or rejected under one reason -> Batch (the anonymiser's entrance)
//!   table, polygons -> Places      cells, by code or by geometry -> CellPlan      areas and times -> Occasions
//!   opt-outs, machines, residence -> identifiers, streamed to the anonymiser and forgotten
//! ```
//!
//! Nothing here keeps, prints or quotes what it read: errors name file, row, column and what was expected.
//!
//! ```
//! use jiff::tz::TimeZone;
//! use throng_ingest::{CellColumns, Places, cell_plan};
//!
//! let places = Places::belgium()?;
//! let file = std::env::temp_dir().join("throng-doc-cells.csv");
//! std::fs::write(&file, "cell_id,lon,lat,range_m\nroof-1,3.7250,51.0536,150\n")?;
//! let zone = TimeZone::get("Europe/Brussels")?;
//! let (plan, _) = cell_plan(&[file], &CellColumns::default(), &places, &zone)?;
//! let cell = plan.cell(b"roof-1").expect("in the plan");
//! let place = plan.version_at(cell, 0).and_then(|version| plan.place(version)).expect("in Ghent");
//! assert_eq!(places.tree.code(place), "9000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`find_files`], [`Events`], [`Tally`]; [`Places`], [`cell_plan`], [`occasions`], [`census`], [`factors`]; [`identifiers`], [`digests`], [`residences`],
//! [`country_of_mcc`].

mod cell_plan;
mod census;
mod codes;
mod columns;
mod csv;
mod events;
mod factors;
mod files;
mod geometry;
mod home;
mod identifiers;
mod mcc;
mod occasions;
mod parquet;
mod places;
mod rejects;
mod residence;
mod shape;
mod table;
mod time;

pub use cell_plan::{CellColumns, CellIdColumns, CellPlanReadError, CellPlanSummary, cell_plan};
pub use census::census;
pub use columns::{Delimiter, DelimiterError, EventColumns, EventFormat, SubscriberIdKind};
pub use events::{Again, Events, FileFacts, Progress};
pub use factors::{FactorsError, factors};
pub use files::{FileFormat, find_files, passed_over};
pub use identifiers::{digests, identifiers};
pub use mcc::country_of_mcc;
pub use occasions::{OccasionsError, occasions};
pub use places::{Places, PlacesError, Spot};
pub use rejects::{Fault, FileTally, IngestError, Reason, Tally};
pub use residence::residences;
pub use table::{Column, FoundColumns, Position, TableError};
pub use time::{Clock, EpochUnit};
