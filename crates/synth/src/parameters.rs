//! What can be asked of the generator, and which wishes it refuses.

use std::path::PathBuf;

use jiff::{Timestamp, civil::Date};

/// A synthetic Belgium to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The folder to fill; it must be new or empty.
    pub out: PathBuf,
    /// How many subscribers, inbound roamers among them.
    pub subscribers: u64,
    /// How many whole local days; two hours before and after them come on top, in folders of their own dates.
    pub days: u32,
    /// The seed: the same parameters give the same bytes, whatever the number of threads.
    pub seed: u64,
    /// The first local day.
    pub from: Date,
    /// The zone of the local clock.
    pub zone: String,
    /// Mean number of events of one subscriber on one day in the area.
    pub events_per_day: f64,
    /// How many cells; `None` gives as many as the population needs (about 8,000 for Belgium).
    pub cells: Option<u32>,
    /// How the events are written.
    pub format: Format,
    /// Which part of Belgium.
    pub area: Area,
    /// Share of the subscribers who are inbound roamers.
    pub roamers: f64,
    /// Share of the subscribers who opted out.
    pub opted_out: f64,
    /// How much goes wrong on the way to the files.
    pub defects: Defects,
    /// Whether the ground truth is written.
    pub truth: bool,
    /// Share of the rows that are sessions; above 0 the events have a column `end_time`.
    pub sessions: f64,
    /// Whether `cells.csv` leaves out `postal_code`, so that only the geometry says what a cell serves.
    pub geometry_only: bool,
    /// Share of the cells that move next door halfway; above 0 `cells.csv` has validity dates.
    pub moved_cells: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            out: PathBuf::from("synth"),
            subscribers: 100_000,
            days: 1,
            seed: 1,
            from: Date::constant(2026, 10, 15),
            zone: String::from("Europe/Brussels"),
            events_per_day: 50.0,
            cells: None,
            format: Format::Parquet,
            area: Area::Belgium,
            roamers: 0.08,
            opted_out: 0.005,
            defects: Defects::default(),
            truth: true,
            sessions: 0.0,
            geometry_only: false,
            moved_cells: 0.0,
        }
    }
}

/// How the events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet, zstd within.
    Parquet,
    /// Plain CSV.
    Csv,
    /// CSV, gzip.
    CsvGz,
    /// CSV, zstd.
    CsvZst,
}

impl Format {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::CsvGz => "csv.gz",
            Self::CsvZst => "csv.zst",
        }
    }
}

/// Which part of Belgium.
#[derive(Clone, Debug, PartialEq)]
pub enum Area {
    /// All of it.
    Belgium,
    /// The postal codes that begin with one of these: `["10", "11", "12"]` is Brussels.
    Codes(Vec<String>),
    /// The postal codes whose middle lies within a circle: a city and its surroundings.
    Around {
        /// Longitude of the centre, degrees.
        lon: f64,
        /// Latitude of the centre, degrees.
        lat: f64,
        /// Radius in kilometres.
        radius_km: f64,
    },
}

/// How much goes wrong on the way to the files, as shares of the rows.
///
/// A row is at most one of malformed, ragged, of an unknown cell, duplicated or tied.
#[derive(Clone, Debug, PartialEq)]
pub struct Defects {
    /// Rows that reach the file late, by half a minute to two hours, behind rows that happened after them.
    pub out_of_order: f64,
    /// Rows that stand there twice.
    pub duplicates: f64,
    /// Rows at a cell that the plan does not hold.
    pub unknown_cells: f64,
    /// Rows whose timestamp a spreadsheet mangled (`08:31.0`); in CSV alone.
    pub malformed: f64,
    /// Rows with commas too many; in CSV alone.
    pub ragged: f64,
    /// Rows at whose very microsecond the subscriber is seen at another cell as well.
    pub ties: f64,
    /// Rows of the first hour after a midnight that stand in the file of the day before.
    pub midnight: f64,
    /// Rows at a cell of a neighbouring postal code: radio, not a fault, but untrue to where the person is.
    pub stray: f64,
}

impl Default for Defects {
    /// About what an operator's files were seen to hold.
    fn default() -> Self {
        Self {
            out_of_order: 0.35,
            duplicates: 0.006,
            unknown_cells: 0.003,
            malformed: 0.02,
            ragged: 0.001,
            ties: 0.001,
            midnight: 0.02,
            stray: 0.1,
        }
    }
}

impl Defects {
    /// Files as they should be: in order, whole, and always at a cell of the true postal code (as long as there
    /// are cells enough to give every code one).
    #[must_use]
    pub fn none() -> Self {
        Self {
            out_of_order: 0.0,
            duplicates: 0.0,
            unknown_cells: 0.0,
            malformed: 0.0,
            ragged: 0.0,
            ties: 0.0,
            midnight: 0.0,
            stray: 0.0,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Rows of events, defects and all.
    pub events: u64,
    /// Subscribers, each with at least a chance of an event.
    pub subscribers: u64,
    /// Cells in the plan.
    pub cells: u64,
    /// Files of events.
    pub files: u64,
    /// Subscribers in `opt_out.csv`.
    pub opted_out: u64,
    /// Rows of the ground truth.
    pub truth_rows: u64,
    /// The rows with something wrong, by what it is.
    pub injected: Injected,
    /// The evening that draws a crowd.
    pub festival: Festival,
}

/// How many rows have something wrong with them, by the field of [`Defects`] that asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// Rows that reached their file late.
    pub out_of_order: u64,
    /// Second copies of rows.
    pub duplicates: u64,
    /// Rows at cells outside the plan.
    pub unknown_cells: u64,
    /// Rows with a mangled timestamp.
    pub malformed: u64,
    /// Rows with too many fields.
    pub ragged: u64,
    /// Rows added at the microsecond of another row of the same subscriber.
    pub ties: u64,
    /// Rows in the file of the day before.
    pub midnight: u64,
    /// Rows at a cell of a neighbouring postal code.
    pub stray: u64,
}

impl Injected {
    pub(crate) fn add(&mut self, other: &Self) {
        self.out_of_order += other.out_of_order;
        self.duplicates += other.duplicates;
        self.unknown_cells += other.unknown_cells;
        self.malformed += other.malformed;
        self.ragged += other.ragged;
        self.ties += other.ties;
        self.midnight += other.midnight;
        self.stray += other.stray;
    }
}

/// The evening on which one postal code draws a crowd from its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Festival {
    /// Where.
    pub postal_code: String,
    /// When the gates open.
    pub start: Timestamp,
    /// When the music stops.
    pub end: Timestamp,
}

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A number that makes no sense.
    #[error("{name} is {value}; expected {expected}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A zone that is not in the time zone database.
    #[error("the time zone {zone} is unknown; expected a name such as Europe/Brussels")]
    Zone {
        /// The zone asked for.
        zone: String,
        /// What the database said.
        source: jiff::Error,
    },
    /// Days at the edge of what can be computed with.
    #[error("the days cannot be placed in time; expected years between 1900 and 9000")]
    Time(#[from] jiff::Error),
    /// An area without a single postal code.
    #[error(
        "no postal code lies in the area; expected Belgian codes, or a circle that holds the middle of one"
    )]
    EmptyArea,
    /// The folder holds something already.
    #[error("{} is not empty; expected a new or an empty folder", .0.display())]
    Occupied(PathBuf),
    /// A file that could not be written.
    #[error("{} could not be written: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A Parquet file that could not be written.
    #[error("{} could not be written as Parquet: {source}", path.display())]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// What the format's writer said.
        source: parquet::errors::ParquetError,
    },
}

impl Parameters {
    /// The most subscribers: identifiers have nine digits of their own at least.
    pub const SUBSCRIBERS_MAX: u64 = 1_000_000_000;

    pub(crate) fn check(&self) -> Result<(), SynthError> {
        let refuse = |name, value: String, expected| Err(SynthError::Parameter { name, value, expected });
        if !(1..=Self::SUBSCRIBERS_MAX).contains(&self.subscribers) {
            return refuse("subscribers", self.subscribers.to_string(), "1 to 1,000,000,000");
        }
        if !(1..=3_660).contains(&self.days) {
            return refuse("days", self.days.to_string(), "1 to 3,660");
        }
        if !(0.1..=100_000.0).contains(&self.events_per_day) {
            return refuse("events_per_day", self.events_per_day.to_string(), "0.1 to 100,000");
        }
        if self.cells.is_some_and(|cells| !(1..=500_000).contains(&cells)) {
            return refuse("cells", format!("{:?}", self.cells), "1 to 500,000");
        }
        for (name, share) in self.shares() {
            if !(0.0..=1.0).contains(&share) {
                return refuse(name, share.to_string(), "a share from 0 to 1");
            }
        }
        let d = &self.defects;
        let exclusive = d.malformed + d.ragged + d.unknown_cells + d.duplicates + d.ties;
        if exclusive > 1.0 {
            return refuse("defects", exclusive.to_string(), "shares that together stay below 1");
        }
        Ok(())
    }

    fn shares(&self) -> [(&'static str, f64); 12] {
        let d = &self.defects;
        [
            ("roamers", self.roamers),
            ("opted_out", self.opted_out),
            ("sessions", self.sessions),
            ("moved_cells", self.moved_cells),
            ("defects.out_of_order", d.out_of_order),
            ("defects.duplicates", d.duplicates),
            ("defects.unknown_cells", d.unknown_cells),
            ("defects.malformed", d.malformed),
            ("defects.ragged", d.ragged),
            ("defects.ties", d.ties),
            ("defects.midnight", d.midnight),
            ("defects.stray", d.stray),
        ]
    }
}
