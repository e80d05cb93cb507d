//! `manifest.json`: what a release is and how it was made, in the fields that writer and verifier share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the release was made: what decides its bytes, beside the inputs.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// First local day.
    pub from: String,
    /// Last local day.
    pub to: String,
    /// IANA name of the local clock.
    pub timezone: String,
    /// The smallest group of devices behind a number.
    pub k: u64,
    /// Whether a k under the usual least one was accepted.
    pub small_k_accepted: bool,
    /// People per device; none where a table of factors says how many.
    pub expansion_factor: Option<f64>,
    /// Which version of the operator's table of factors, where there is one.
    pub expansion_version: Option<String>,
    /// Seconds between instants.
    pub step_s: i64,
    /// Seconds that an event reaches.
    pub hold_s: i64,
    /// Seconds that a stay must last to begin or end a trip.
    pub min_stay_s: i64,
    /// The local midnight before which events were too old to be kept, where it cuts into the window.
    pub expired_before: Option<String>,
    /// Event types kept; empty if all.
    pub keep_types: Vec<String>,
    /// Event types left out.
    pub drop_types: Vec<String>,
    /// Which rows were taken for no journey.
    pub cleaning: Cleaning,
    /// Whether who never moves and is always active was taken for a machine.
    pub machine_rule: bool,
    /// By how many beginnings of identifiers machines were known; the beginnings are parts of identifiers.
    pub machine_prefixes: u64,
    /// Further columns of the census.
    pub census_columns: Vec<String>,
    /// Files beside each Parquet file.
    pub formats: Vec<String>,
    /// The reports.
    pub reports: Vec<String>,
}

/// Which rows were taken for no journey, though each is sound by itself; none where that was not asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cleaning {
    /// The speed above which a row was left out, in kilometres an hour.
    pub max_speed_kmh: Option<f64>,
    /// The distance up to which no speed was impossible, in kilometres.
    pub min_distance_km: Option<f64>,
    /// Within how many seconds a change of cells and back was none.
    pub ping_pong_s: Option<i64>,
}

/// A report as the manifest lists it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ReportEntry {
    /// Its name and folder.
    pub name: String,
    /// What its number means.
    pub people: String,
    /// Whether the numbers of the places below add up to that of a place.
    pub adds_up: bool,
}

/// A file of the release.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative to the release.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Its BLAKE3, in hexadecimal digits.
    pub blake3: String,
}

/// The manifest of a release.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the program.
    pub throng: String,
    /// Version of the layout and columns.
    pub schema_version: u32,
    /// How the release was made.
    pub parameters: Parameters,
    /// What is in it.
    pub reports: Vec<ReportEntry>,
    /// What `published`, `withheld` and `no_coverage` mean.
    pub statuses: BTreeMap<String, String>,
    /// What is promised.
    pub promised: Vec<String>,
    /// What is not.
    pub not_promised: Vec<String>,
    /// Whose data the places are, in the words that their licences ask for.
    pub credits: Vec<String>,
    /// BLAKE3 of the manifests of earlier releases of the same days that this one replaces; those are void.
    #[serde(default)]
    pub supersedes: Vec<String>,
    /// Every other file.
    pub files: Vec<FileEntry>,
}
