//! How a command fails: one kind for each exit code, with what to do next.

use std::{fmt, io, path::Path, process::ExitCode};

use anyhow::anyhow;
use serde_json::{Map, Value};

use crate::next_step;

/// What kind of failure it is: each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// I/O, or a bug.
    Failed,
    /// Wrong usage or config.
    Usage,
    /// The inputs cannot be used.
    Inputs,
    /// `verify` found faults, and has said which.
    Faults,
}

impl Kind {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Inputs => 3,
            Self::Faults => 4,
        }
    }

    /// The word in the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Inputs => "inputs",
            Self::Faults => "faults",
        }
    }
}

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: anyhow::Error,
    /// What to do, where the error alone does not say it.
    next_step: Option<String>,
    /// Numbers in it, for the log.
    pub(crate) fields: Map<String, Value>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Failure {
    fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into(), next_step: None, fields: Map::new() }
    }

    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Failed, error)
    }

    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Usage, error)
    }

    pub(crate) fn inputs(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Inputs, error)
    }

    pub(crate) fn faults(kinds: usize) -> Self {
        Self::new(Kind::Faults, anyhow!("the release has faults, {kinds} in kind"))
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        // As a context, so that the system's word can still be told from the text.
        let text = format!("{}: {error}", path.display());
        Self::failed(anyhow::Error::new(error).context(text))
    }

    /// The same with what to do next.
    pub(crate) fn next_step(self, step: impl Into<String>) -> Self {
        Self { next_step: Some(step.into()), ..self }
    }

    /// The same with numbers for the log.
    pub(crate) fn with(self, fields: Map<String, Value>) -> Self {
        Self { fields, ..self }
    }

    /// What to do next.
    pub(crate) fn to_do(&self) -> String {
        self.next_step.clone().unwrap_or_else(|| next_step::after(self.kind, &self.error).to_owned())
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit_code())
    }
}
