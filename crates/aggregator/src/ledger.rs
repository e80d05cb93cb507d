//! The ledger: the run's internal account, which never leaves the company. `docs/ledger.md` explains each field.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    history::{Compared, DayCounts},
    release::{ACCOUNT, LedgerFile, ReleaseError, at, lock, make_ledger_folder},
    summary::LevelCount,
};

/// The ledger's folder, held by one run at a time, so that all of its files are of one run.
pub struct HeldLedger {
    folder: PathBuf,
    /// Whether this run has made it.
    made: bool,
    _lock: File,
}

impl HeldLedger {
    /// Makes the folder, holds it, and sees, before any work is done, that it can be written to.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be made or written to.
    pub fn hold(folder: &Path) -> Result<Self, ReleaseError> {
        let made = !folder.exists();
        make_ledger_folder(folder)?;
        // What a link points to is held, and not the link.
        let place = folder.canonicalize().map_err(at(folder))?;
        let held = Self { folder: folder.to_owned(), made, _lock: lock(&place, folder, false)? };
        // What is dropped in the making leaves nothing behind.
        LedgerFile::begin(folder, ACCOUNT)?;
        Ok(held)
    }
}

impl Drop for HeldLedger {
    fn drop(&mut self) {
        // A run that fails leaves no empty folder of its own; one with an account in it stays.
        if self.made {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

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
    pub rejected: Map<String, Value>,
    /// Where the first faulty row of a file is, under which reason, and what was expected; none where no row is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<Map<String, Value>>,
}

/// How long a stage of the run took.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// What was done.
    pub stage: &'static str,
    /// In seconds.
    pub seconds: f64,
}

/// What stood ready before the first event was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Prepared {
    /// Event files.
    pub event_files: u64,
    /// Their bytes on the disk.
    pub event_bytes: u64,
    /// Files in the folders of events that are none by their ending.
    pub files_passed_over: u64,
    /// Rows of the cell plan.
    pub cell_rows: u64,
    /// Cells.
    pub cells: u64,
    /// Rows of the cell plan that cover no known place.
    pub cells_outside: u64,
    /// Places of all levels.
    pub places: u64,
    /// Rows of the table of residence.
    pub residence_rows: u64,
    /// Occasions that are counted.
    pub occasions: u64,
    /// Occasions that do not lie within the days of the run.
    pub occasions_left_out: u64,
}

/// What reading one stretch of time took: a day and its context, or occasions and theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Reading {
    /// How often files were read for it; more than once where memory makes it necessary.
    pub passes: u64,
    /// Rows that these readings looked at, whatever became of them.
    pub rows_scanned: u64,
    /// The most bytes that the events of one pass took.
    pub crowd_bytes: u64,
}

/// Cells of one table, by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCells {
    /// The report, and its period where it has several.
    pub table: &'static str,
    /// Cells with a number.
    pub published: u64,
    /// Cells without.
    pub withheld: u64,
    /// Cells of places that no cell of the plan serves.
    pub no_coverage: u64,
}

/// One released day.
#[derive(Clone, Debug, Serialize)]
pub struct DayAccount {
    /// The local day, what was counted on it, and how it was counted, as the history keeps it.
    #[serde(flatten)]
    pub counts: DayCounts,
    /// What reading it took.
    #[serde(flatten)]
    pub reading: Reading,
    /// Rows of the day that only the crowd could tell, by reason; the first and the last day answer for the context.
    pub rejected: Map<String, Value>,
    /// Its cells, by table.
    pub cells: Vec<TableCells>,
    /// Where its time went.
    pub timings: Vec<Stage>,
    /// How it compares with the days before it.
    pub compared: Compared,
}

/// Occasions that were counted together.
#[derive(Clone, Debug, Serialize)]
pub struct OccasionsAccount {
    /// The first one's code, and how many more.
    pub occasions: String,
    /// What reading them took.
    #[serde(flatten)]
    pub reading: Reading,
    /// Where their time went.
    pub timings: Vec<Stage>,
}

/// What somebody should look at, though the run went on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    /// What kind it is, in one word for programs.
    pub event: &'static str,
    /// What is the matter.
    pub message: String,
    /// What to do about it.
    pub next_step: String,
    /// The numbers in it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// `ledger/run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Ledger {
    /// Version of the program.
    pub throng: &'static str,
    /// BLAKE3 of the release's manifest: which release this is the account of.
    pub manifest_blake3: String,
    /// When the run began, in UTC.
    pub begun: String,
    /// When the release was whole, just before it moved into its place, in UTC.
    pub ended: String,
    /// The day from which the age of events was judged.
    pub as_of: String,
    /// All files together.
    #[serde(flatten)]
    pub run: FileRows,
    /// The share of faulty rows among those that were not left out on purpose.
    pub share_rejected: f64,
    /// Each file.
    pub files: Vec<FileRows>,
    /// Distinct subscribers with a used row.
    pub devices_seen: u64,
    /// Identifiers on the list of those who opted out.
    pub opted_out_listed: u64,
    /// Identifiers on the list of machines.
    pub machines_listed: u64,
    /// What stood ready.
    pub prepared: Prepared,
    /// Readings of the input, or of the part that a day needs: one for each day, more where memory makes them necessary.
    pub passes: u64,
    /// Bytes that were kept of people from day to day.
    pub bytes_carried: u64,
    /// Threads of the run.
    pub threads: u64,
    /// Memory that it was allowed, in bytes.
    pub memory_bytes: u64,
    /// The most memory that the process had at once, in bytes; none where the system does not tell.
    pub memory_peak_bytes: Option<u64>,
    /// How much was withheld, and why, by report.
    pub withheld: Vec<WithheldCells>,
    /// Cells by report, level and status.
    pub cells: Vec<LevelCount>,
    /// Each day.
    pub days: Vec<DayAccount>,
    /// Occasions, as they were counted together.
    pub occasions: Vec<OccasionsAccount>,
    /// Where the time went.
    pub timings: Vec<Stage>,
    /// What somebody should look at.
    pub warnings: Vec<Warning>,
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
