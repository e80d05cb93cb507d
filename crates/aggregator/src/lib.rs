//! Stays, reports and the release: what is counted of nameless people, and how it leaves.
//!
//! ```text
//!   Trajectory --stays--> Stay --one file per report--> slots      (inside the wall, one person at a time)
//!   ProtectedTable --shape--> DataFrame --release--> Parquet       (behind the wall, numbers only)
//!                                       --formats--> CSV, GeoParquet, a workbook
//! ```
//!
//! ```
//! use throng_aggregator::stays;
//! use throng_anonymiser::Sighting;
//! use throng_schema::{PlaceId, VersionIx};
//!
//! // Two cells of different postal codes, 20 minutes apart, each event reaching 30 minutes.
//! const MINUTE: i64 = 60_000_000;
//! let seen = [0, 20].map(|minute| Sighting { at_us: minute * MINUTE, cell: VersionIx(minute as u32 / 20) });
//! let mut room = Vec::new();
//! let stays = stays(&seen, 30 * MINUTE, |cell| Some(PlaceId(cell.0)), &mut room);
//! assert_eq!((stays[0].from_us, stays[0].until_us), (-30 * MINUTE, 10 * MINUTE));
//! assert_eq!((stays[1].from_us, stays[1].until_us), (10 * MINUTE, 50 * MINUTE));
//! ```

#![forbid(unsafe_code)]

mod areas;
mod columns;
mod context;
mod dwell;
mod expansion;
mod flows;
mod formats;
mod frequency;
mod guests;
mod history;
mod kept;
mod ledger;
mod manifest;
mod occasions;
mod pairs;
mod presence;
mod release;
mod reports;
mod residence;
mod seal;
mod seen;
mod shape;
mod sift;
mod stay;
mod summary;
mod visitors;
mod witnesses;

pub use columns::{arrow_schema, places_schema};
pub use expansion::{Expansion, ExpansionError};
pub use formats::{FormatError, Geometries};
pub use history::{
    Compared, Comparison, CountedBy, DayCounts, HISTORY, History, HistoryError, Kind, Measure, Remembered,
    remember,
};
pub use kept::Kept;
pub use ledger::{
    DayAccount, FileRows, HeldLedger, Ledger, OccasionsAccount, Prepared, Reading, Stage, TableCells,
    Warning, WithheldCells,
};
pub use manifest::{FileEntry, Manifest, Parameters, ReportEntry};
pub use occasions::Gathering;
pub use release::{Claim, Filed, Further, Ready, Release, ReleaseError, write_ledger};
pub use reports::{Report, Reports, Today, UnknownReport, count};
pub use seal::{Seal, Sealed};
pub use shape::ShapeError;
pub use sift::Sifting;
pub use stay::{Stay, stays};
pub use summary::{Busiest, LevelCount, Summary};
pub use witnesses::WitnessFile;
