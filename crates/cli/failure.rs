//! How a command fails: one kind for each exit code.

use std::{io, path::Path, process::ExitCode};

/// A failure with its exit code: 1 failed, 2 wrong usage, 3 inputs unusable, 4 faults found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Exit code 1: I/O, or a bug.
    #[error("{0}")]
    Failed(anyhow::Error),
    /// Exit code 2: wrong usage or config.
    #[error("{0}")]
    Usage(anyhow::Error),
    /// Exit code 3: the inputs cannot be used.
    #[error("{0}")]
    Inputs(anyhow::Error),
    /// Exit code 4: `verify` found faults, and has said which.
    #[error("the release has faults, {0} in kind")]
    Faults(usize),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Inputs(_) => 3,
            Self::Faults(_) => 4,
        })
    }

    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub(crate) fn inputs(error: impl Into<anyhow::Error>) -> Self {
        Self::Inputs(error.into())
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Failed(anyhow::anyhow!("{}: {error}", path.display()))
    }
}
