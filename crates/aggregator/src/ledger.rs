//! The ledger: the run's internal account, which never leaves the company.

use serde::Serialize;

use crate::summary::LevelCount;

/// The rows of one file, or of the run.
#[derive(Clone, Debug, Serialize)]
pub struct FileRows {
    /// The file as it was named; none for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Data rows.
    pub rows_read: u64,
    /// Rows that were counted.
    pub rows_used: u64,
    /// Rows that were not, by the first reason that applies, in the order of the reasons.
    pub rejected: serde_json::Map<String, serde_json::Value>,
}

/// How long a stage of the run took.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// What was done.
    pub stage: &'static str,
    /// In seconds.
    pub seconds: f64,
}

/// `ledger/run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Ledger {
    /// Version of the program.
    pub throng: &'static str,
    /// BLAKE3 of the release's manifest: which release this is the account of.
    pub manifest_blake3: String,
    /// The day from which the age of events was judged.
    pub as_of: String,
    /// All files together.
    #[serde(flatten)]
    pub run: FileRows,
    /// Each file.
    pub files: Vec<FileRows>,
    /// Distinct subscribers with a used row.
    pub devices_seen: u64,
    /// Identifiers on the list of those who opted out.
    pub opted_out_listed: u64,
    /// Identifiers on the list of machines.
    pub machines_listed: u64,
    /// Readings of the input, or of the part that a day needs: one for each day, more where memory makes them necessary.
    pub passes: u64,
    /// Bytes that were kept of people from day to day.
    pub bytes_carried: u64,
    /// The most memory that the process had at once, in bytes; none where the system does not tell.
    pub memory_peak_bytes: Option<u64>,
    /// How much was withheld, and why, by report.
    pub withheld: Vec<WithheldCells>,
    /// Cells by report, level and status.
    pub cells: Vec<LevelCount>,
    /// Where the time went.
    pub timings: Vec<Stage>,
}

/// Why cells of a table were withheld. Internal: a reader of the release must not tell the two apart.
#[derive(Clone, Debug, Serialize)]
pub struct WithheldCells {
    /// The report, and its period where it has several.
    pub table: &'static str,
    /// Cells of places that some cell of the plan serves.
    pub covered: u64,
    /// Under the threshold.
    pub too_few: u64,
    /// Withheld to protect those.
    pub protective: u64,
}
