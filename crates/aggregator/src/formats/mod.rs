//! The same reports for those whose tools do not read Parquet: CSV, GeoParquet and one workbook.
//!
//! Everything here starts from the record batches that were, or are to be, written to `part.parquet`, so no format
//! can hold a number that Parquet does not.

mod cells;
mod csv;
mod geoparquet;
mod xlsx;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use arrow::{array::RecordBatch, error::ArrowError};
use parquet::{arrow::arrow_reader::ParquetRecordBatchReaderBuilder, errors::ParquetError};
use throng_schema::{FileEntry, Format, Report};

pub(crate) use csv::csv_bytes;
pub use geoparquet::Geometries;
pub(crate) use geoparquet::{geoparquet_bytes, has_places};
pub(crate) use xlsx::{About, Workbook};

/// A format that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A file of the release could not be read again.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Parquet refused.
    #[error("a file with polygons could not be encoded: {0}")]
    Parquet(#[from] ParquetError),
    /// Arrow refused.
    #[error("a report could not be laid out in columns: {0}")]
    Arrow(#[from] ArrowError),
    /// The workbook's writer refused.
    #[error("the workbook could not be written: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// A column has a type that no report has.
    #[error("the column {0} of a report has a type that no report declares")]
    Column(String),
    /// The zone of a column of times is not known.
    #[error("a column of times has no zone that is known: {0}")]
    Zone(#[from] jiff::Error),
}

/// A file of the release beside its Parquet, not written yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Further {
    /// Relative to the release.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Rows of reports in it.
    pub(crate) rows: u64,
}

impl Further {
    /// As the manifest lists it.
    pub(crate) fn entry(&self) -> FileEntry {
        FileEntry {
            path: self.path.clone(),
            bytes: self.bytes.len() as u64,
            rows: self.rows,
            blake3: blake3::hash(&self.bytes).to_hex().to_string(),
        }
    }
}

/// A part of a report in the further formats, by the part's path in the release (`presence/date=*/part.parquet`).
///
/// Each format has a folder of its own with the same paths in it. Beside the part itself they would be read along
/// with it: tools take a folder or `*.parquet` for one table, and would count everybody twice.
pub(crate) fn further(
    part: &str,
    batch: &RecordBatch,
    formats: &[Format],
    geometries: &Geometries,
) -> Result<Vec<Further>, FormatError> {
    let rows = batch.num_rows() as u64;
    let mut files = Vec::new();
    if formats.contains(&Format::Csv) {
        let stem = part.strip_suffix(".parquet").unwrap_or(part);
        let path = format!("{}/{stem}.csv", Format::Csv.as_str());
        files.push(Further { path, bytes: csv_bytes(batch)?, rows });
    }
    if formats.contains(&Format::GeoParquet) && has_places(batch) {
        let path = format!("{}/{part}", Format::GeoParquet.as_str());
        files.push(Further { path, bytes: geoparquet_bytes(batch, geometries)?, rows });
    }
    Ok(files)
}

/// The workbook of a release: a sheet for each report, out of its parts as they have been written below `root`.
///
/// Rows wait in unnamed files in `root` too, so that no memory grows with the number of days.
pub(crate) fn workbook(
    root: &Path,
    reports: &[(Report, Vec<String>)],
    about: &About<'_>,
) -> Result<Further, FormatError> {
    let mut book = Workbook::new(root)?;
    for (report, parts) in reports {
        book.sheet(*report, || read_back(root, parts))?;
    }
    book.finish(about)
}

/// The batches of the parts of a report that have been written below `root`, one after the other.
pub(crate) fn read_back<'a>(
    root: &'a Path,
    parts: &'a [String],
) -> impl Iterator<Item = Result<RecordBatch, FormatError>> + 'a {
    let batches = |part: &String| -> Box<dyn Iterator<Item = Result<RecordBatch, FormatError>>> {
        let path = root.join(part);
        let reader = File::open(&path)
            .map_err(|source| FormatError::Io { path, source })
            .and_then(|file| Ok(ParquetRecordBatchReaderBuilder::try_new(file)?.build()?));
        match reader {
            Ok(reader) => Box::new(reader.map(|batch| Ok(batch?))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    };
    parts.iter().flat_map(batches)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
    use throng_schema::{Names, PlaceRow, PlaceTree, Report, arrow_schema};

    use super::*;

    /// 2026-10-25 00:45 UTC: a quarter to three in Brussels, for the first time that night.
    pub(crate) const FIRST_0245: i64 = 1_792_889_100_000;

    /// One country, region, province and commune with two postal codes.
    pub(crate) fn town() -> PlaceTree {
        let row = |code: &str| PlaceRow {
            codes: ["BE", "R", "P", "C", code].map(str::to_owned),
            names: std::array::from_fn(|_| Names { fr: Some("Liège".to_owned()), nl: None, de: None }),
        };
        PlaceTree::new(&[row("4000"), row("4020")]).expect("tree")
    }

    /// Presence at one instant, `(level, place, people)` by row.
    pub(crate) fn presence(at_ms: i64, rows: &[(&str, &str, Option<i64>)]) -> RecordBatch {
        let zone = "Europe/Brussels";
        let text = |pick: fn(&(&str, &str, Option<i64>)) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(pick(row))).collect::<StringArray>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMillisecondArray::from(vec![at_ms; rows.len()]).with_timezone(zone)),
            text(|row| row.0.to_owned()),
            text(|row| row.1.to_owned()),
            Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
            text(|row| if row.2.is_some() { "published" } else { "withheld" }.to_owned()),
        ];
        RecordBatch::try_new(arrow_schema(Report::Presence, zone), columns).expect("batch")
    }

    #[test]
    fn each_format_has_a_folder_of_its_own() {
        let batch = presence(0, &[("country", "BE", Some(50)), ("region", "R", None)]);
        let geometries = Geometries::new(&town(), &[]);
        let part = "presence/date=2026-10-25/part.parquet";
        let files = further(part, &batch, &Format::ALL, &geometries).expect("files");
        let entries: Vec<_> = files.iter().map(|file| (file.entry().path, file.entry().rows)).collect();
        assert_eq!(
            entries,
            [
                ("csv/presence/date=2026-10-25/part.csv".to_owned(), 2),
                ("geoparquet/presence/date=2026-10-25/part.parquet".to_owned(), 2)
            ]
        );
        assert_eq!(further(part, &batch, &Format::ALL, &geometries).expect("again"), files);
        assert_eq!(further(part, &batch, &[], &geometries).expect("none"), []);
    }

    #[test]
    fn the_workbook_is_made_of_the_parts_that_were_written() {
        let root = tempfile::tempdir().expect("a folder");
        let part = |name: &str, batch: &RecordBatch| {
            let bytes = crate::release::encode(batch, &batch.schema()).expect("Parquet");
            std::fs::write(root.path().join(name), bytes).expect("written");
            name.to_owned()
        };
        let parts = vec![
            part("1.parquet", &presence(0, &[("country", "BE", Some(50)), ("region", "R", None)])),
            part("2.parquet", &presence(86_400_000, &[("country", "BE", Some(51))])),
        ];
        let parameters = xlsx::tests::parameters();
        let about = About { parameters: &parameters, promised: &[], not_promised: &[], credits: &[] };
        let book = workbook(root.path(), &[(Report::Presence, parts)], &about).expect("workbook");
        assert_eq!((book.path.as_str(), book.rows), ("throng.xlsx", 3));
        assert_eq!(
            std::fs::read_dir(root.path()).expect("folder").count(),
            2,
            "nothing waits there any more"
        );
        let lost = workbook(root.path(), &[(Report::Presence, vec!["3.parquet".to_owned()])], &about);
        assert!(lost.expect_err("no such part").to_string().contains("3.parquet"));
    }
}
