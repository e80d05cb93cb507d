//! One file of a report, read into a cell for every place at every time.

use std::{collections::BTreeMap, fs, io, path::Path};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Fields, Int64Type, Schema, TimestampMillisecondType},
};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use throng_decoding::{Texts, footer, guarded, rows_at_once};
use throng_schema::{Period, Report, Status, arrow_schema};

use crate::{fault::Faults, release::Release};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1_024;

/// The most bytes that the rows of one file may take: a few bytes can stand for any number of rows. The largest report
/// of a day, trips of a country, takes a tenth of it.
const FILE_BYTES_MAX: usize = 4 << 30;

/// A cell as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Missing,
    Published(i64),
    Withheld,
    NoCoverage,
}

impl Cell {
    pub(crate) fn people(self) -> Option<i64> {
        if let Self::Published(people) = self { Some(people) } else { None }
    }

    /// The cell of a row's status and number, or what is wrong with them.
    pub(crate) fn parse(status: &str, number: Option<i64>) -> Result<Self, &'static str> {
        let known = Status::ALL.into_iter().find(|known| known.as_str() == status);
        match (known, number) {
            (Some(Status::Published), Some(number)) => Ok(Self::Published(number)),
            (Some(Status::Withheld), None) => Ok(Self::Withheld),
            (Some(Status::NoCoverage), None) => Ok(Self::NoCoverage),
            (None, _) => Err("every status is known"),
            _ => Err("a number stands where it is published and nowhere else"),
        }
    }
}

/// The cells of every place at one time.
pub(crate) type Row = Vec<Cell>;

/// What a row of a file is about: an instant, or the period that begins.
pub(crate) type Time = (&'static str, i64);

pub(crate) const INSTANT: &str = "instant";

/// A report on one day.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) report: Report,
    pub(crate) rows: BTreeMap<Time, Row>,
    /// Rows as they stand in the file.
    pub(crate) read: u64,
}

impl Part {
    /// Reads the file of a report of a day; none where it cannot be read, which is a fault already.
    pub(crate) fn read(
        release: &Release,
        name: String,
        report: Report,
        rows: BTreeMap<Time, Row>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let batches = read(&release.dir, &name, &arrow_schema(report, &release.zone_name), faults)?;
        let mut part = Self { name, report, rows, read: 0 };
        for batch in &batches {
            part.fill(batch, release, faults);
            part.read += batch.num_rows() as u64;
        }
        Some(part)
    }

    fn fill(&mut self, batch: &RecordBatch, release: &Release, faults: &mut Faults) {
        let (name, before) = (&self.name, self.read);
        let offset = usize::from(self.report == Report::Visitors);
        let at = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let period = (offset == 1).then(|| batch.column(1).as_string::<i32>());
        let text = |i: usize| batch.column(offset + i).as_string::<i32>();
        let (level, place, status) = (text(1), text(2), text(4));
        let people = batch.column(offset + 3).as_primitive::<Int64Type>();
        for i in 0..batch.num_rows() {
            let row = || format!("row {}", before + i as u64 + 1);
            let number = (!people.is_null(i)).then(|| people.value(i));
            let cell = match Cell::parse(status.value(i), number) {
                Ok(cell) => cell,
                Err(check) => {
                    faults.add(name, check, row);
                    continue;
                }
            };
            let period = period.map_or(INSTANT, |period| known_period(period.value(i)));
            let place = release.places.find(level.value(i), place.value(i));
            match (place, self.rows.get_mut(&(period, at.value(i)))) {
                (Some(place), Some(cells)) if cells[place] == Cell::Missing => cells[place] = cell,
                (Some(_), Some(_)) => faults.add(name, "no row stands twice", row),
                _ => faults.add(name, "every row's time and place are the release's", row),
            }
        }
    }
}

/// The word of a period as times have it; nothing for another word.
pub(crate) fn known_period(word: &str) -> &'static str {
    let known = [Period::Day, Period::Hour, Period::Window].map(Period::as_str);
    known.into_iter().find(|known| *known == word).unwrap_or_default()
}

/// The rows of a Parquet file, if it is one and has these columns.
pub(crate) fn read(
    dir: &Path,
    name: &str,
    expected: &Schema,
    faults: &mut Faults,
) -> Option<Vec<RecordBatch>> {
    read_if(dir, name, |fields| fields == expected.fields(), faults)
}

/// The rows of a Parquet file, if it is one and its columns fit.
pub(crate) fn read_if(
    dir: &Path,
    name: &str,
    fits: impl Fn(&Fields) -> bool,
    faults: &mut Faults,
) -> Option<Vec<RecordBatch>> {
    let file = open(&dir.join(name)).ok()?;
    let Some(metadata) = footer(&file, ArrowReaderOptions::new()).ok().flatten() else {
        faults.add(name, "the file is Parquet", || "no Parquet footer".to_owned());
        return None;
    };
    let Ok(again) = file.try_clone() else { return None };
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(again, metadata);
    if !fits(builder.schema().fields()) {
        faults.add(name, "the columns are those of the report", || "names or types differ".to_owned());
        return None;
    }
    if !builder.schema().metadata().is_empty() {
        faults.add(name, "the file says nothing beside its columns", || "metadata of its own".to_owned());
    }
    let batches = reader(builder, &file).and_then(batches);
    if batches.is_none() {
        faults.add(name, "the file can be decoded", || "damaged, or too large".to_owned());
    }
    batches
}

/// Opens a file that is one: a pipe would be waited for, and a device never ends.
pub(crate) fn open(path: &Path) -> io::Result<fs::File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    fs::File::open(path)
}

/// What gives the rows of a file, if its pages are sound.
pub(crate) fn reader(
    builder: ParquetRecordBatchReaderBuilder<fs::File>,
    file: &fs::File,
) -> Option<ParquetRecordBatchReader> {
    let metadata = builder.metadata().clone();
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    let rows = (0..metadata.num_row_groups()).try_fold(BATCH_ROWS, |rows, group| {
        rows_at_once(file, &metadata, group, 0..leaves, Texts::Copied, rows).ok().flatten()
    })?;
    guarded(|| builder.with_batch_size(rows).build())?.ok()
}

/// The next rows of a file; none at its end, and an error where it cannot be decoded.
pub(crate) fn next(reader: &mut ParquetRecordBatchReader) -> Option<Result<RecordBatch, Damaged>> {
    match guarded(|| reader.next()) {
        Some(rows) => rows.map(|rows| rows.map_err(|_| Damaged)),
        None => Some(Err(Damaged)),
    }
}

/// Bytes that cannot be decoded.
pub(crate) struct Damaged;

/// All rows of a file, if they can be decoded and fit what may be read of one.
fn batches(mut reader: ParquetRecordBatchReader) -> Option<Vec<RecordBatch>> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = next(&mut reader) {
        let batch = batch.ok()?;
        bytes += batch.get_array_memory_size();
        if bytes > FILE_BYTES_MAX {
            return None;
        }
        batches.push(batch);
    }
    Some(batches)
}
