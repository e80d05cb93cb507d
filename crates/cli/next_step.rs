//! What to do about each failure, for who is woken by it: a table from errors to the next step.

use std::io;

use throng_aggregator::{FormatError, ReleaseError};
use throng_anonymiser::KeyError;
use throng_ingest::{CellPlanReadError, FactorsError, IngestError, OccasionsError, PlacesError, TableError};
use throng_schema::{CellPlanError, PlaceTreeError};
use throng_synth::SynthError;
use throng_verifier::VerifierError;

use crate::failure::Kind;

/// The next step after an error: by what the system said, by what the error is, or by its kind.
pub(crate) fn after(kind: Kind, error: &anyhow::Error) -> &'static str {
    let is = Steps { error };
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .find_map(of_system)
        .or_else(|| is.a(events))
        .or_else(|| is.a(table))
        .or_else(|| is.a(cell_plan))
        .or_else(|| is.a(places))
        .or_else(|| is.a(occasions))
        .or_else(|| is.a(factors))
        .or_else(|| is.a(release))
        .or_else(|| is.a(verifier))
        .or_else(|| is.a(synth))
        .or_else(|| is.a(key))
        .unwrap_or_else(|| by_kind(kind))
}

struct Steps<'e> {
    error: &'e anyhow::Error,
}

impl Steps<'_> {
    fn a<E: std::error::Error + Send + Sync + 'static>(
        &self,
        step: fn(&E) -> &'static str,
    ) -> Option<&'static str> {
        self.error.downcast_ref().map(step)
    }
}

const FETCH: &str = "fetch the file again, and compare its size with that at its source";
const REPORT: &str = "report this message; what stood at the destination before still stands";

fn by_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => REPORT,
        Kind::Usage => "correct the flag or the config: `throng help` and a command's --help explain each",
        Kind::Inputs => "look at the files with `throng inspect`, which quotes nothing of them",
        Kind::Faults => "hand nothing on; keep the release and its ledger, and make the release again",
    }
}

/// What the operating system's word asks for; of most of its words nothing is known.
fn of_system(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "check the path, and that its disk is mounted",
        io::ErrorKind::PermissionDenied => {
            "give the user of the run the right to it; `ls -ld` shows who has it"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room on that disk (`df -h` shows it) and run again; what stood at the destination before still stands"
        }
        io::ErrorKind::ReadOnlyFilesystem => "name a folder on a disk that can be written to",
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "name a folder where a folder is expected, and a file where a file is"
        }
        io::ErrorKind::OutOfMemory => "lower --memory, or end what else takes memory there",
        _ => return None,
    })
}

fn events(error: &IngestError) -> &'static str {
    match error {
        IngestError::NoMatch { .. } => "check the path, and that the day's files have come",
        IngestError::NoColumn { .. } | IngestError::TwoColumns { .. } => {
            "`throng inspect` shows the columns of a good file; name them under [event_columns] of the config"
        }
        IngestError::ColumnType { .. } => {
            "name another column under [event_columns] of the config, or have the file written with that type"
        }
        IngestError::NoEpochUnit { .. } => "set `epoch_unit` under [event_format] of the config",
        IngestError::Empty { .. } => "fetch the file again, or take it away from where --events looks",
        IngestError::Damaged { .. } => FETCH,
        IngestError::Io { .. } => "look at the file and its disk, then run again",
        IngestError::Changed { .. } => "run again when the file is complete; move files into place whole",
        IngestError::Unaccounted { .. } => REPORT,
    }
}

fn table(error: &TableError) -> &'static str {
    match error {
        TableError::NoFiles { .. } => "check the path, and that the table has come",
        TableError::NoColumn { .. } | TableError::TwoColumns { .. } | TableError::Type { .. } => {
            "give the table that column, once; a cell plan's columns are named under [cell_columns] of the config"
        }
        TableError::OpenQuote { .. }
        | TableError::Fields { .. }
        | TableError::TooLong { .. }
        | TableError::Field { .. } => "correct that row of the table, then run again",
        TableError::Parquet { .. } => FETCH,
        TableError::Io { .. } => "look at the file and its disk, then run again",
    }
}

fn cell_plan(error: &CellPlanReadError) -> &'static str {
    match error {
        CellPlanReadError::Table(error) => table(error),
        CellPlanReadError::Plan(CellPlanError::Empty) => "check that the whole cell plan has come",
        CellPlanReadError::Plan(CellPlanError::Overlap(..)) | CellPlanReadError::Overlap { .. } => {
            "correct one of the two rows of the cell plan, or its dates of validity"
        }
        CellPlanReadError::NoDay { .. } => "put the file into the folder of its day",
        CellPlanReadError::Delimiter | CellPlanReadError::NoIdColumns => {
            "correct [cell_columns] in the config; throng.toml in the project explains it"
        }
    }
}

fn places(error: &PlacesError) -> &'static str {
    match error {
        PlacesError::Table(error) => table(error),
        PlacesError::Tree(PlaceTreeError::Empty) => "check that the whole table of places has come",
        PlacesError::Tree(_) => "correct the table of places, so that each place has one parent",
        PlacesError::GeoJson { .. } => FETCH,
        PlacesError::Property { .. } | PlacesError::Shape { .. } => "correct that feature, then run again",
        PlacesError::Stray { .. } => {
            "add its postal code to the table of places, or take the polygon out of the file"
        }
        PlacesError::TwoCommunes { .. } => "correct one of the two rows, or give both a `share`",
    }
}

fn occasions(error: &OccasionsError) -> &'static str {
    match error {
        OccasionsError::Table(error) => table(error),
        OccasionsError::Feature(error) => places(error),
        OccasionsError::Twice { .. } => "give one of the two another code, or take it out",
        OccasionsError::Empty { .. } => "make the area larger, or take the occasion out of the table",
    }
}

fn factors(error: &FactorsError) -> &'static str {
    match error {
        FactorsError::Table(error) => table(error),
        FactorsError::TooLarge { .. } => "correct the factor; only if it is meant, set `expansion_limit`",
        FactorsError::Twice { .. } => "take one of the two rows out",
        FactorsError::NoRest { .. } => "add a row of `rest` with the factor for everybody else",
    }
}

fn release(error: &ReleaseError) -> &'static str {
    match error {
        ReleaseError::NotARelease(_) => "name another --out, or move away what stands there",
        ReleaseError::Taken(_) => {
            "wait until the other run has ended, or give this one another --out and --ledger"
        }
        ReleaseError::InTheWay(_) => "see who has put it there, and move it away",
        ReleaseError::NoFolder(_) => "name a folder by its path, such as /data/release",
        ReleaseError::Sealed(_) => {
            "release other days, or say --supersede once if this release is to replace the one that stands"
        }
        ReleaseError::Io { .. } => "look at that disk, then run again; what stood there before still stands",
        // A workbook is made in temporary files.
        ReleaseError::Format(FormatError::Workbook(_)) => {
            "make room in the folder for temporary files (TMPDIR) and run again; if that was not it, report this message"
        }
        ReleaseError::Parquet { .. }
        | ReleaseError::Shape(_)
        | ReleaseError::Format(_)
        | ReleaseError::Json(_) => REPORT,
    }
}

fn verifier(error: &VerifierError) -> &'static str {
    match error {
        VerifierError::Io { .. } => "look at the file and its disk, then verify again",
        VerifierError::NoWitnesses(_) | VerifierError::Witnesses { .. } => {
            "name by --ledger the ledger of the very run that made the release, or leave --ledger out"
        }
        VerifierError::NotARelease { .. } => "name the folder that holds manifest.json",
    }
}

fn synth(error: &SynthError) -> &'static str {
    match error {
        SynthError::Occupied(_) => "name a new folder by --out",
        SynthError::Parameter { .. }
        | SynthError::Zone { .. }
        | SynthError::Time(_)
        | SynthError::EmptyArea => "correct the flag: `throng synth --help` explains each",
        SynthError::Io { .. } | SynthError::Parquet { .. } => "look at that disk, then run again",
    }
}

fn key(_: &KeyError) -> &'static str {
    "see that the system gives random numbers (getrandom), then run again"
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::failure::Failure;

    fn io(kind: io::ErrorKind) -> io::Error {
        io::Error::from(kind)
    }

    #[test]
    fn a_full_disk_says_so_through_whatever_wraps_it() {
        let path = || PathBuf::from("release/presence/part.parquet");
        let full = || io(io::ErrorKind::StorageFull);
        let wrapped = parquet::errors::ParquetError::External(Box::new(full()));
        for failure in [
            Failure::failed(ReleaseError::Io { path: path(), source: full() }),
            Failure::failed(ReleaseError::Parquet { path: path(), source: wrapped }),
            Failure::failed(IngestError::Io { file: path(), source: full() }),
            Failure::io(&path(), full()),
        ] {
            assert!(failure.to_do().contains("make room"), "{failure}: {}", failure.to_do());
            assert!(failure.to_string().contains("part.parquet"), "{failure}");
        }
    }

    #[test]
    fn a_table_inside_another_error_keeps_its_step() {
        let missing = || TableError::NoFiles { path: "cells.csv".into() };
        for error in [
            anyhow::Error::from(CellPlanReadError::from(missing())),
            PlacesError::from(missing()).into(),
            OccasionsError::from(missing()).into(),
            FactorsError::from(missing()).into(),
            missing().into(),
        ] {
            assert_eq!(after(Kind::Inputs, &error), "check the path, and that the table has come");
        }
    }

    #[test]
    fn bytes_that_do_not_decode_are_not_the_systems_fault() {
        let damaged = IngestError::Damaged { file: "a.csv.gz".into(), row: None, expected: "a whole file" };
        assert_eq!(after(Kind::Inputs, &damaged.into()), FETCH);
        assert_eq!(of_system(&io(io::ErrorKind::InvalidData)), None);
    }
}
