//! Why a release could not be looked at, beside its faults.

use std::{io, path::PathBuf};

/// What stops a check or an attack.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// A file or folder could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger holds no witnesses.
    #[error("{} has no witnesses.parquet; expected the ledger of the run that made the release", .0.display())]
    NoWitnesses(PathBuf),
    /// The witnesses are not laid out as they should be.
    #[error("{}{}: expected {expected}", path.display(), row.map(|row| format!(", row {row}")).unwrap_or_default())]
    Witnesses {
        /// Their file.
        path: PathBuf,
        /// Which row, from 1, where it is one.
        row: Option<u64>,
        /// What was expected.
        expected: &'static str,
    },
    /// A release to be attacked, or to compare with, cannot be read as one.
    #[error("{}: {fault}; expected a release that can be read", path.display())]
    NotARelease {
        /// Its folder.
        path: PathBuf,
        /// The first fault of its files.
        fault: String,
    },
}

impl VerifierError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
