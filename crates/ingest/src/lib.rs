//! placeholder

mod cell_plan;
mod columns;
mod csv;
mod events;
mod files;
mod geometry;
mod mcc;
mod opt_out;
mod parquet;
mod places;
mod rejects;
mod residence;
mod shape;
mod table;
mod time;

pub use cell_plan::{CellColumns, CellIdColumns, CellPlanReadError, CellPlanSummary, cell_plan};
pub use columns::{Delimiter, DelimiterError, EventColumns, EventFormat, SubscriberIdKind};
pub use events::{Events, FileFacts, Progress};
pub use files::{FileFormat, find_files};
pub use mcc::country_of_mcc;
pub use opt_out::opt_outs;
pub use places::{Places, PlacesError, Spot};
pub use rejects::{Fault, FileTally, IngestError, Reason, Tally};
pub use residence::residences;
pub use table::{Column, FoundColumns, Position, TableError};
pub use time::{Clock, EpochUnit};
