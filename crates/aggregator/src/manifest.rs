//! `manifest.json`: what a release is, how it was made, and what it does not promise.

use serde::{Deserialize, Serialize};

/// The promise, in the words that readers of a release get.
pub(crate) const PROMISED: [&str; 3] = [
    "No number is published behind which stand fewer than k devices; nobody at all counts as few.",
    "Within each parent place and time, what is withheld adds up to nobody or to at least k devices, so that \
     subtracting the published places from their parent tells no smaller group.",
    "Too few, protective and nobody at all have one status, `withheld`, and no number. That a withheld place is \
     empty may follow from sums; that it holds a small group may not.",
];

/// What a reader must not take for promised.
pub(crate) const NOT_PROMISED: [&str; 6] = [
    "A count of a large group moves by one when one person comes or goes: who already knows where all the others \
     were can tell. This is no differential privacy.",
    "Visitors do not add: one person counts in every place and period visited. Never sum them.",
    "Subtraction is guarded within each report, time and parent place; longer chains of sums over levels or times, \
     differences between reports, and those between the visitors of nested places or periods, are not.",
    "A withheld number is not zero: it may be none, few, or many withheld to protect a neighbour.",
    "A place is where the serving cell's postal code is, which may be the neighbour of the true one.",
    "People are devices times an expansion factor: one person may carry two devices or none.",
];

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
    /// People per device.
    pub expansion_factor: f64,
    /// Seconds between instants.
    pub step_s: i64,
    /// Seconds that an event reaches.
    pub hold_s: i64,
    /// The local midnight before which events were too old to be kept, where it cuts into the window.
    pub expired_before: Option<String>,
    /// Event types kept; empty if all.
    pub keep_types: Vec<String>,
    /// Event types left out.
    pub drop_types: Vec<String>,
    /// The reports.
    pub reports: Vec<String>,
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
    pub statuses: std::collections::BTreeMap<String, String>,
    /// What is promised.
    pub promised: Vec<String>,
    /// What is not.
    pub not_promised: Vec<String>,
    /// Whose data the places are, in the words that their licences ask for.
    pub credits: Vec<String>,
    /// Every other file.
    pub files: Vec<FileEntry>,
}
