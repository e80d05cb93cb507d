//! Faults: what is wrong with a release, by file and check, and where first.

use std::collections::BTreeMap;

/// One kind of fault in one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The file, relative to the release.
    pub file: String,
    /// What should hold and does not.
    pub check: &'static str,
    /// How often it does not.
    pub times: u64,
    /// Where first: a level, place and time, a row, or what was expected.
    pub first: String,
}

/// Faults by file and check.
#[derive(Default)]
pub(crate) struct Faults(BTreeMap<(String, &'static str), Fault>);

impl Faults {
    pub(crate) fn add(&mut self, file: &str, check: &'static str, at: impl FnOnce() -> String) {
        let found = self.0.entry((file.to_owned(), check));
        found.or_insert_with(|| Fault { file: file.to_owned(), check, times: 0, first: at() }).times += 1;
    }

    /// The faults, sorted by file and check.
    pub(crate) fn into_list(self) -> Vec<Fault> {
        self.0.into_values().collect()
    }
}
