//! The events files: rows as Parquet or as CSV, byte for byte the same for the same rows.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray},
    buffer::{Buffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use crate::{
    antennas::Antennas,
    clock::LocalText,
    parameters::{Format, SynthError},
    person::Person,
    signalling::{EVENT_TYPES, Row},
};

/// What the numbers in rows stand for.
pub(crate) struct Names<'a> {
    pub(crate) people: &'a [Person],
    pub(crate) antennas: &'a Antennas,
    pub(crate) local: &'a LocalText,
    /// Whether there is a column `end_time`.
    pub(crate) sessions: bool,
}

/// Writes one file of events.
pub(crate) fn write(path: &Path, format: Format, names: &Names<'_>, rows: &[Row]) -> Result<(), SynthError> {
    match format {
        Format::Parquet => write_parquet(path, names, rows),
        _ => write_csv(path, format, names, rows)
            .map_err(|source| SynthError::Io { path: path.into(), source }),
    }
}

/// A column of text as Arrow lays it out: the bytes of all values in a row, and where each ends.
pub(crate) struct TextColumn {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Default for TextColumn {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: vec![0] }
    }
}

impl TextColumn {
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as i32);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Arc::new(StringArray::new(ends, Buffer::from_vec(self.bytes), None))
    }
}

/// A Parquet file that is being written; errors name it.
pub(crate) struct ParquetFile<W: Write + Send> {
    path: PathBuf,
    writer: ArrowWriter<W>,
}

impl ParquetFile<File> {
    /// Rows handed over at a time.
    pub(crate) const BATCH: usize = 32_768;

    pub(crate) fn create(path: &Path, schema: SchemaRef) -> Result<Self, SynthError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(1_000_000))
            // Times hardly repeat; their differences are small.
            .set_column_dictionary_enabled(ColumnPath::from("event_time"), false)
            .set_column_encoding(ColumnPath::from("event_time"), Encoding::DELTA_BINARY_PACKED)
            .build();
        let file = File::create(path).map_err(|source| SynthError::Io { path: path.into(), source })?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties));
        let writer = writer.map_err(|source| SynthError::Parquet { path: path.into(), source })?;
        Ok(Self { path: path.into(), writer })
    }

    pub(crate) fn write(&mut self, batch: Result<RecordBatch, ArrowError>) -> Result<(), SynthError> {
        let written = batch.map_err(ParquetError::from).and_then(|batch| self.writer.write(&batch));
        written.map_err(|source| SynthError::Parquet { path: self.path.clone(), source })
    }

    pub(crate) fn finish(self) -> Result<(), SynthError> {
        let Self { path, writer } = self;
        writer.close().map(|_| ()).map_err(|source| SynthError::Parquet { path, source })
    }
}

fn write_parquet(path: &Path, names: &Names<'_>, rows: &[Row]) -> Result<(), SynthError> {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    let mut fields = vec![Field::new("event_time", time(), false)];
    fields.extend(
        ["subscriber_id", "cell_id", "event_type", "home_plmn"]
            .map(|name| Field::new(name, DataType::Utf8, false)),
    );
    if names.sessions {
        fields.push(Field::new("end_time", time(), true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut file = ParquetFile::create(path, schema.clone())?;
    for rows in rows.chunks(ParquetFile::BATCH) {
        file.write(RecordBatch::try_new(schema.clone(), columns(names, rows)))?;
    }
    file.finish()
}

fn columns(names: &Names<'_>, rows: &[Row]) -> Vec<ArrayRef> {
    let person = |row: &Row| &names.people[row.subscriber as usize];
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.at_us));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone("UTC")),
        text(rows.iter().map(|row| &person(row).imsi[..])),
        text(rows.iter().map(|row| names.antennas.ids[row.cell as usize].as_bytes())),
        text(rows.iter().map(|row| EVENT_TYPES[row.kind as usize].as_bytes())),
        text(rows.iter().map(|row| person(row).plmn.as_bytes())),
    ];
    if names.sessions {
        let ends: TimestampMicrosecondArray = rows.iter().map(end_us).collect();
        columns.push(Arc::new(ends.with_timezone("UTC")));
    }
    columns
}

fn text<'a>(values: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    let mut column = TextColumn::default();
    values.for_each(|value| column.push(value));
    column.finish()
}

fn end_us(row: &Row) -> Option<i64> {
    (row.session_s > 0).then(|| row.at_us + i64::from(row.session_s) * 1_000_000)
}

fn write_csv(path: &Path, format: Format, names: &Names<'_>, rows: &[Row]) -> io::Result<()> {
    let file = File::create(path)?;
    match format {
        Format::CsvGz => {
            let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            write_text(&mut out, names, rows)?;
            out.finish().map(|_| ())
        }
        Format::CsvZst => {
            let mut out = zstd::Encoder::new(file, 1)?;
            write_text(&mut out, names, rows)?;
            out.finish().map(|_| ())
        }
        Format::Csv | Format::Parquet => write_text(&mut &file, names, rows),
    }
}

fn write_text(out: &mut impl Write, names: &Names<'_>, rows: &[Row]) -> io::Result<()> {
    const FULL: usize = 1 << 18;
    let mut local = names.local.clone();
    let mut text = Vec::with_capacity(FULL + 256);
    text.extend_from_slice(b"event_time,subscriber_id,cell_id,event_type,home_plmn");
    text.extend_from_slice(if names.sessions { b",end_time\n" } else { b"\n" });
    for row in rows {
        line(&mut text, &mut local, names, row);
        if text.len() >= FULL {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

fn line(text: &mut Vec<u8>, local: &mut LocalText, names: &Names<'_>, row: &Row) {
    let person = &names.people[row.subscriber as usize];
    if row.marks.is_mangled() {
        local.write_mangled(row.at_us, text);
    } else {
        local.write(row.at_us, text);
    }
    text.push(b',');
    text.extend_from_slice(&person.imsi);
    text.push(b',');
    let cell = text.len();
    text.extend_from_slice(names.antennas.ids[row.cell as usize].as_bytes());
    if row.marks.is_ragged() {
        // What a cell identifier looks like when its parts were joined with commas and not quoted.
        text[cell..].iter_mut().filter(|byte| **byte == b'-').for_each(|byte| *byte = b',');
    }
    text.push(b',');
    text.extend_from_slice(EVENT_TYPES[row.kind as usize].as_bytes());
    text.push(b',');
    text.extend_from_slice(person.plmn.as_bytes());
    if names.sessions {
        text.push(b',');
        if let Some(end_us) = end_us(row) {
            local.write(end_us, text);
        }
    }
    text.push(b'\n');
}
