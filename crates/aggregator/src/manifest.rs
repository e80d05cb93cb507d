//! `manifest.json`: what a release is, how it was made, and what it does not promise.

use serde::{Deserialize, Serialize};

/// The promise, in the words that readers of a release get.
pub(crate) const PROMISED: [&str; 4] = [
    "No number is published behind which stand fewer than k devices; nobody at all counts as few.",
    "From all numbers that add up, by adding and subtracting them and knowing that none is negative, nobody can show \
     that a withheld number is under k devices: for each there is another table with the same published numbers in \
     which it is k or more.",
    "Where one published group of distinct people holds another (a place in a larger one, an hour in its day, those \
     present at an instant in the visitors of its hour and day), the larger without the smaller is nobody or at least \
     k devices.",
    "Too few, protective and nobody at all have one status, `withheld`, and no number.",
];

/// What a reader must not take for promised.
pub(crate) const NOT_PROMISED: [&str; 7] = [
    "A count of a large group moves by one when one person comes or goes: who already knows where all the others \
     were can tell. This is no differential privacy.",
    "Visitors do not add: one person counts in every place and period visited. Never sum them.",
    "Numbers of different times are not sums of each other: who watches a place for long learns how it usually is, \
     and may guess a withheld number from the times at which it is published.",
    "A release speaks for itself alone: beside another release of the same days, or other data about the same people, \
     nothing is promised. The field `supersedes` names releases that this one makes void.",
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
    /// BLAKE3 of the manifests of earlier releases of the same days that this one replaces; those are void.
    #[serde(default)]
    pub supersedes: Vec<String>,
    /// Every other file.
    pub files: Vec<FileEntry>,
}
