//! Reads small tables, CSV or Parquet, row by row, and says where a row stood without saying what it held.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, ArrayRef, BinaryArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};
use serde::Deserialize;
use throng_decoding::{Texts, footer, guarded, rows_at_once};

/// The most bytes in a row of a CSV: beyond it, a quote was never closed and would swallow the file.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Bytes read at a time; whole lines of any header fit in it.
const BLOCK_BYTES: usize = 128 * 1024;

/// Rows of a Parquet file decoded at a time.
const BATCH_ROWS: usize = 1_024;

/// The delimiters that are looked for in the first line when none is given.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Which column of a table: its name in the header, or its number from 1 where there is no header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a column's name, or its number from 1")]
pub enum Column {
    /// The name in the header or the Parquet schema, as it is written there.
    Name(String),
    /// The number, from 1.
    Number(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Number(number) => write!(f, "number {number}"),
        }
    }
}

/// Where a row stood: enough to find it, nothing of what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: PathBuf,
    /// The row of data, from 1; the header is none.
    pub row: u64,
    /// In a CSV, the line on which the row begins, from 1.
    pub line: Option<u64>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}", self.file.display(), self.row)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// What can be wrong with a table. No variant carries what a field held, for it may be an identifier.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A quoted field that goes on over the end of its line.
    #[error("{at}: a field holds a line end; expected every quote closed on its line")]
    OpenQuote {
        /// The row.
        at: Position,
    },
    /// The file begins like Parquet and is not, or is damaged.
    #[error("{}: not readable as Parquet; expected an undamaged file, of pages of at most 256 MiB", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
    },
    /// A folder or pattern under which nothing lies.
    #[error("{}: no table there; expected a CSV (plain, .gz, .zst) or Parquet file", path.display())]
    NoFiles {
        /// The path asked for.
        path: PathBuf,
    },
    /// A column that is needed is not there.
    #[error("{}: no column {column}; {found}{}", file.display(), hint(column, found))]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The column that was looked for.
        column: Column,
        /// The columns there are, by name or only by number.
        found: FoundColumns,
    },
    /// A column that is needed is there twice.
    #[error("{}: two columns are named {column}; expected one", file.display())]
    TwoColumns {
        /// The file.
        file: PathBuf,
        /// The column that was looked for.
        column: Column,
    },
    /// A column of a type that cannot hold what it should.
    #[error("{}, column {column}: a column of this type cannot be used; expected {expected}", file.display())]
    Type {
        /// The file.
        file: PathBuf,
        /// The column.
        column: Column,
        /// What it should hold.
        expected: &'static str,
    },
    /// A row with more or fewer fields than the header.
    #[error("{at}: {found} fields; expected {expected}")]
    Fields {
        /// The row.
        at: Position,
        /// Fields in it.
        found: usize,
        /// Fields in the first line.
        expected: usize,
    },
    /// A row without end.
    #[error("{at}: longer than {limit} bytes; expected a closing quote before that")]
    TooLong {
        /// The row.
        at: Position,
        /// Bytes allowed.
        limit: usize,
    },
    /// A field that is missing or cannot be used.
    #[error("{at}, column {column}: expected {expected}")]
    Field {
        /// The row.
        at: Position,
        /// The column.
        column: Column,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The columns that a file has, as far as they may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundColumns {
    /// Their names, where they look like names.
    Names(Vec<String>),
    /// Only how many: the first line may be data.
    Count(usize),
}

impl fmt::Display for FoundColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) => write!(f, "found the columns {}", names.join(", ")),
            Self::Count(0) => f.write_str("found no names of columns"),
            Self::Count(1) => f.write_str("found 1 column"),
            Self::Count(n) => write!(f, "found {n} columns"),
        }
    }
}

fn hint(column: &Column, found: &FoundColumns) -> &'static str {
    match (column, found) {
        (Column::Number(0), _) => "; expected a number from 1",
        (Column::Name(_), FoundColumns::Count(_)) => "; expected a header that names it",
        _ => "",
    }
}

/// How a CSV is laid out, and whether the names of columns may be told in errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Whether the first line names the columns.
    pub(crate) header: bool,
    /// The delimiter; none to take the one that the first line has most of.
    pub(crate) delimiter: Option<u8>,
    /// Whether errors may name the columns found. Not for tables of subscribers: where the header is missing,
    /// the names would be identifiers.
    pub(crate) tell_names: bool,
}

impl Layout {
    /// A table of things, with a header.
    pub(crate) const THINGS: Self = Self { header: true, delimiter: None, tell_names: true };
    /// A table of subscribers, with a header.
    pub(crate) const SUBSCRIBERS: Self = Self { header: true, delimiter: None, tell_names: false };
}

/// A column that was found in a table, by which rows are asked.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    column: Column,
    index: usize,
    /// Whether it holds bytes that are no text.
    raw: bool,
}

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Parquet,
    Gzip,
    Zstd,
    Json,
    Plain,
}

/// Tells Parquet, gzip, zstd and JSON by their first bytes, whatever the file is called.
pub(crate) fn form_of(file: &Path) -> Result<Form, TableError> {
    let failed = |source| TableError::Io { file: file.to_owned(), source };
    let mut first = Vec::new();
    File::open(file).and_then(|f| f.take(64).read_to_end(&mut first)).map_err(failed)?;
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first).trim_ascii_start();
    Ok(match first.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => Form::Parquet,
        [0x1f, 0x8b, ..] => Form::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Form::Zstd,
        _ if text.first() == Some(&b'{') => Form::Json,
        _ => Form::Plain,
    })
}

/// The files of a path: itself, those under a folder, or those of a pattern; sorted, so that order is the same
/// everywhere. In folders only names that end in one of `endings` count, and hidden ones never.
pub(crate) fn files_of(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, TableError> {
    let no_files = || TableError::NoFiles { path: path.to_owned() };
    let mut files = Vec::new();
    if path.is_dir() {
        walk(path, endings, &mut files)?;
    } else if path.exists() {
        files.push(path.to_owned());
    } else if let Some(pattern) = path.to_str().filter(|p| p.contains(['*', '?', '['])) {
        for found in glob::glob(pattern).map_err(|_| no_files())? {
            let found = found.map_err(|e| TableError::Io { file: e.path().to_owned(), source: e.into() })?;
            if found.is_dir() { walk(&found, endings, &mut files)? } else { files.push(found) }
        }
    } else {
        return Err(TableError::Io { file: path.to_owned(), source: io::ErrorKind::NotFound.into() });
    }
    files.sort();
    if files.is_empty() { Err(no_files()) } else { Ok(files) }
}

/// The names that tables have in a folder.
pub(crate) const TABLE_ENDINGS: [&str; 5] = [".csv", ".csv.gz", ".csv.zst", ".tsv", ".parquet"];

fn walk(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) -> Result<(), TableError> {
    let failed = |source| TableError::Io { file: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        if name.starts_with(['.', '_']) {
            continue;
        }
        // The entry's own type: a link to a folder is passed over, so that no circle of links is walked for ever.
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&entry.path(), endings, files)?;
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            files.push(entry.path());
        }
    }
    Ok(())
}

enum Source {
    Csv { input: Box<dyn BufRead>, reader: Box<csv_core::Reader> },
    Parquet { builder: ParquetRecordBatchReaderBuilder<File> },
}

/// An open table: ask it for columns with [`Table::find`], then walk its rows with [`Table::each`].
pub(crate) struct Table {
    file: PathBuf,
    layout: Layout,
    names: Vec<String>,
    /// Rows must have as many fields; not known before the first row of a table without header.
    width: Option<usize>,
    wanted: Vec<usize>,
    line: u64,
    source: Source,
}

impl Table {
    /// Opens a file and reads its header.
    pub(crate) fn open(file: &Path, layout: Layout) -> Result<Self, TableError> {
        let source = match form_of(file)? {
            Form::Parquet => return Self::open_parquet(file, layout),
            form => decoded(file, form),
        };
        let input = source.map_err(|source| TableError::Io { file: file.to_owned(), source })?;
        Self::of_csv(file, input, layout)
    }

    /// A table of CSV that need not be a file, under the name that errors shall give it.
    pub(crate) fn of_csv(
        file: &Path,
        mut input: Box<dyn BufRead>,
        layout: Layout,
    ) -> Result<Self, TableError> {
        let delimiter = match layout.delimiter {
            Some(delimiter) => delimiter,
            None => {
                delimiter_of(&mut input).map_err(|source| TableError::Io { file: file.to_owned(), source })?
            }
        };
        let reader = Box::new(csv_core::ReaderBuilder::new().delimiter(delimiter).build());
        let source = Source::Csv { input, reader };
        let (names, wanted) = (Vec::new(), Vec::new());
        let mut table = Self { file: file.to_owned(), layout, names, width: None, wanted, line: 1, source };
        if layout.header {
            table.read_header()?;
        }
        Ok(table)
    }

    fn open_parquet(file: &Path, layout: Layout) -> Result<Self, TableError> {
        let failed = |source| TableError::Io { file: file.to_owned(), source };
        let opened = File::open(file).map_err(failed)?;
        let metadata = footer(&opened, ArrowReaderOptions::new()).map_err(failed)?;
        let metadata = metadata.ok_or_else(|| TableError::Parquet { file: file.to_owned() })?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata);
        let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let width = Some(names.len());
        let (file, source) = (file.to_owned(), Source::Parquet { builder });
        Ok(Self { file, layout, names, width, wanted: Vec::new(), line: 1, source })
    }

    fn read_header(&mut self) -> Result<(), TableError> {
        let Source::Csv { input, reader } = &mut self.source else { return Ok(()) };
        let mut record = Record::default();
        let at = Position { file: self.file.clone(), row: 0, line: Some(self.line) };
        if record.read(input, reader, &at)? {
            let name = |i| String::from_utf8_lossy(record.field(i)).trim().to_owned();
            self.names = (0..record.len()).map(name).collect();
        }
        self.width = Some(self.names.len());
        self.line = next_line(reader, &mut **input);
        Ok(())
    }

    /// Whether it is Parquet, whose columns have types.
    pub(crate) fn is_parquet(&self) -> bool {
        matches!(self.source, Source::Parquet { .. })
    }

    /// The column, if the table has it.
    pub(crate) fn find(&mut self, column: &Column) -> Result<Option<Field>, TableError> {
        let index = match column {
            Column::Number(number) => {
                number.checked_sub(1).filter(|i| self.width.is_none_or(|width| *i < width))
            }
            // Without a header there are no names, but Parquet always has a schema.
            Column::Name(name) => {
                let mut found = (0..self.names.len()).filter(|i| self.names[*i] == *name);
                let first = found.next();
                if found.next().is_some() {
                    return Err(TableError::TwoColumns { file: self.file.clone(), column: column.clone() });
                }
                first
            }
        };
        let Some(index) = index else { return Ok(None) };
        if !self.wanted.contains(&index) {
            self.wanted.push(index);
        }
        let raw = match &self.source {
            Source::Csv { .. } => false,
            Source::Parquet { builder } => is_raw(value_type(builder.schema().field(index).data_type())),
        };
        Ok(Some(Field { column: column.clone(), index, raw }))
    }

    /// The column, or an error that names it.
    pub(crate) fn require(&mut self, column: &Column) -> Result<Field, TableError> {
        let found = self.find(column)?;
        found.ok_or_else(|| TableError::NoColumn {
            file: self.file.clone(),
            column: column.clone(),
            found: self.found_columns(),
        })
    }

    /// The column of an identifier: text, binary or integer, but no fraction, time or list.
    pub(crate) fn require_id(&mut self, column: &Column) -> Result<Field, TableError> {
        let field = self.require(column)?;
        if let Source::Parquet { builder } = &self.source
            && !is_id(builder.schema().field(field.index).data_type())
        {
            let (file, column) = (self.file.clone(), column.clone());
            return Err(TableError::Type { file, column, expected: "text, binary or integer" });
        }
        Ok(field)
    }

    fn found_columns(&self) -> FoundColumns {
        if self.layout.tell_names
            && self.names.iter().any(|name| USUAL_NAMES.contains(&name.as_str()))
            && self.names.iter().all(|name| looks_like_a_name(name))
        {
            FoundColumns::Names(self.names.clone())
        } else {
            FoundColumns::Count(self.names.len())
        }
    }

    /// Walks the rows, up to the first error; gives how many there were.
    pub(crate) fn each<E: From<TableError>>(
        self,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        match self.source {
            Source::Csv { input, reader } => {
                let rows = CsvRows { file: self.file, input, reader, width: self.width, line: self.line };
                rows.each(&self.wanted, &mut visit)
            }
            Source::Parquet { builder } => each_of_parquet(&self.file, builder, &self.wanted, &mut visit),
        }
    }
}

/// Names by which a header is known to be one, and not a row of a file that has none.
const USUAL_NAMES: [&str; 14] = [
    "subscriber_id",
    "cell_id",
    "postal_code",
    "lon",
    "lat",
    "longitude",
    "latitude",
    "commune",
    "province",
    "region",
    "country",
    "occasion",
    "population",
    "factor",
];

/// Whether an entry of a header may be told. A line of data taken for a header fails this: identifiers, codes and
/// times have many digits or begin with one.
fn looks_like_a_name(name: &str) -> bool {
    let letters = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let digits = name.chars().filter(char::is_ascii_digit).count();
    letters && digits <= 3 && name.len() <= 64 && !name.contains(char::is_control)
}

fn is_id(data_type: &DataType) -> bool {
    match value_type(data_type) {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Decimal128(_, 0) => true,
        other => is_raw(other) || other.is_integer(),
    }
}

fn is_raw(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// The type of the values, with or without a dictionary.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        plain => plain,
    }
}

/// The file's bytes as they are once uncompressed.
fn decoded(file: &Path, form: Form) -> io::Result<Box<dyn BufRead>> {
    let raw = BufReader::with_capacity(BLOCK_BYTES, File::open(file)?);
    Ok(match form {
        Form::Gzip => {
            Box::new(BufReader::with_capacity(BLOCK_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))
        }
        Form::Zstd => Box::new(BufReader::with_capacity(BLOCK_BYTES, zstd::Decoder::with_buffer(raw)?)),
        _ => Box::new(raw),
    })
}

/// The delimiter that the first line has most of; a comma if it has none.
fn delimiter_of(input: &mut impl BufRead) -> io::Result<u8> {
    let block = input.fill_buf()?;
    let line = block.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
    // The last of equals is taken, so the comma is asked last.
    Ok(DELIMITERS.into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b','))
}

/// One row of a CSV in buffers that are used again.
#[derive(Default)]
struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    len: usize,
}

impl Record {
    fn len(&self) -> usize {
        self.len
    }

    fn field(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// Reads the next row; false at the end of the file.
    fn read(
        &mut self,
        input: &mut dyn BufRead,
        reader: &mut csv_core::Reader,
        at: &Position,
    ) -> Result<bool, TableError> {
        let (mut written, mut fields, mut last_line_ended) = (0, 0, false);
        loop {
            let block = match input.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                block => block.map_err(|source| TableError::Io { file: at.file.clone(), source })?,
            };
            // A quote that is still open swallows a line end given after the last line.
            let at_end = block.is_empty() && !last_line_ended;
            let block = if at_end { b"\n" } else { block };
            let (result, read, wrote, ended) =
                reader.read_record(block, &mut self.bytes[written..], &mut self.ends[fields..]);
            if at_end {
                last_line_ended = read > 0;
            } else {
                input.consume(read);
            }
            written += wrote;
            fields += ended;
            match result {
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => {
                    self.bytes.resize((self.bytes.len() * 2).max(1024), 0)
                }
                csv_core::ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((self.ends.len() * 2).max(32), 0)
                }
                csv_core::ReadRecordResult::Record => {
                    // A line is a row: a quote that is never closed would make one row of many, and lose them.
                    if memchr::memchr2(b'\n', b'\r', &self.bytes[..written]).is_some() {
                        return Err(TableError::OpenQuote { at: at.clone() });
                    }
                    self.len = fields;
                    return Ok(true);
                }
                csv_core::ReadRecordResult::End => return Ok(false),
            }
            if written > ROW_BYTES_MAX || fields > ROW_BYTES_MAX {
                return Err(TableError::TooLong { at: at.clone(), limit: ROW_BYTES_MAX });
            }
        }
    }
}

/// The line on which the next row begins: the parser leaves the end of a CRLF and blank lines to the next row.
fn next_line(reader: &csv_core::Reader, input: &mut dyn BufRead) -> u64 {
    let ahead = input.fill_buf().unwrap_or_default();
    let blank = ahead.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|b| **b == b'\n').count();
    reader.line() + blank as u64
}

struct CsvRows {
    file: PathBuf,
    input: Box<dyn BufRead>,
    reader: Box<csv_core::Reader>,
    width: Option<usize>,
    line: u64,
}

impl CsvRows {
    fn each<E: From<TableError>>(
        mut self,
        wanted: &[usize],
        visit: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut record = Record::default();
        let mut at = Position { file: self.file, row: 1, line: Some(self.line) };
        while record.read(&mut *self.input, &mut self.reader, &at)? {
            let expected = *self.width.get_or_insert(record.len());
            if let Some(beyond) = wanted.iter().find(|i| **i >= expected) {
                let (file, column) = (at.file, Column::Number(beyond + 1));
                return Err(
                    TableError::NoColumn { file, column, found: FoundColumns::Count(expected) }.into()
                );
            }
            if record.len() != expected {
                return Err(TableError::Fields { at, found: record.len(), expected }.into());
            }
            visit(&Row { at: &at, values: Values::Csv(&record) })?;
            at.row += 1;
            at.line = Some(next_line(&self.reader, &mut *self.input));
        }
        Ok(at.row - 1)
    }
}

fn each_of_parquet<E: From<TableError>>(
    file: &Path,
    builder: ParquetRecordBatchReaderBuilder<File>,
    wanted: &[usize],
    visit: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let damaged = || TableError::Parquet { file: file.to_owned() };
    let schema: SchemaRef = builder.schema().clone();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let rows = batch_rows(file, &builder, wanted)?;
    let builder = builder.with_projection(mask).with_batch_size(rows);
    let mut reader = guarded(|| builder.build()).and_then(Result::ok).ok_or_else(damaged)?;
    let mut at = Position { file: file.to_owned(), row: 1, line: None };
    while let Some(batch) = guarded(|| reader.next()).ok_or_else(damaged)? {
        let batch = batch.map_err(|_| damaged())?;
        let columns = bytes_of_columns(file, &schema, wanted, &batch)?;
        for i in 0..batch.num_rows() {
            visit(&Row { at: &at, values: Values::Batch { columns: &columns, i } })?;
            at.row += 1;
        }
    }
    Ok(at.row - 1)
}

/// How many rows of the wanted columns can be decoded at a time.
fn batch_rows(
    file: &Path,
    builder: &ParquetRecordBatchReaderBuilder<File>,
    wanted: &[usize],
) -> Result<usize, TableError> {
    let failed = |source| TableError::Io { file: file.to_owned(), source };
    let opened = File::open(file).map_err(failed)?;
    let schema = builder.parquet_schema();
    let leaves = (0..schema.num_columns()).filter(|leaf| wanted.contains(&schema.get_column_root_idx(*leaf)));
    let leaves: Vec<usize> = leaves.collect();
    let mut rows = BATCH_ROWS;
    for group in 0..builder.metadata().num_row_groups() {
        let (metadata, leaves) = (builder.metadata(), leaves.iter().copied());
        let fit = rows_at_once(&opened, metadata, group, leaves, Texts::Copied, rows).map_err(failed)?;
        rows = fit.ok_or_else(|| TableError::Parquet { file: file.to_owned() })?;
    }
    Ok(rows)
}

/// The wanted columns of a batch as bytes, by their index in the file: binary as it is, all else as its text.
fn bytes_of_columns(
    file: &Path,
    schema: &SchemaRef,
    wanted: &[usize],
    batch: &RecordBatch,
) -> Result<Vec<Option<BinaryArray>>, TableError> {
    let mut columns = vec![None; schema.fields().len()];
    // The reader gives the columns in the file's order, whatever the order in which they were asked for.
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    for (index, array) in sorted.into_iter().zip(batch.columns()) {
        columns[index] = Some(guarded(|| bytes_of(array)).flatten().ok_or_else(|| TableError::Type {
            file: file.to_owned(),
            column: Column::Name(schema.field(index).name().clone()),
            expected: "text, binary, numbers, dates or times",
        })?);
    }
    Ok(columns)
}

fn bytes_of(array: &ArrayRef) -> Option<BinaryArray> {
    if array.data_type().is_nested() {
        return None;
    }
    let inner = value_type(array.data_type());
    let plain = if matches!(array.data_type(), DataType::Dictionary(..)) {
        cast(array, inner).ok()?
    } else {
        array.clone()
    };
    let text = if is_raw(inner) { plain } else { cast(&plain, &DataType::Utf8).ok()? };
    cast(&text, &DataType::Binary).ok()?.as_any().downcast_ref::<BinaryArray>().cloned()
}

enum Values<'a> {
    Csv(&'a Record),
    Batch { columns: &'a [Option<BinaryArray>], i: usize },
}

/// One row, for the time of one visit.
pub(crate) struct Row<'a> {
    at: &'a Position,
    values: Values<'a>,
}

impl<'a> Row<'a> {
    /// Where it stands.
    pub(crate) fn at(&self) -> &Position {
        self.at
    }

    /// The field's bytes, trimmed of nothing; none if it is null or empty.
    pub(crate) fn bytes(&self, field: &Field) -> Option<&'a [u8]> {
        let bytes = match self.values {
            Values::Csv(record) => record.field(field.index),
            Values::Batch { columns, i } => {
                let column = columns.get(field.index)?.as_ref()?;
                if column.is_null(i) {
                    return None;
                }
                column.value(i)
            }
        };
        Some(bytes).filter(|bytes| !bytes.is_empty())
    }

    /// The identifier in the field. White space around it would make it nobody's; bytes that are no text are taken as
    /// they are.
    pub(crate) fn id(&self, field: &Field) -> Result<&'a [u8], TableError> {
        let bytes = self.bytes(field).ok_or_else(|| self.wrong(field, "a subscriber identifier"))?;
        let padded = !field.raw && bytes.trim_ascii().len() < bytes.len();
        if padded { Err(self.wrong(field, "an identifier without white space around it")) } else { Ok(bytes) }
    }

    /// The field's text, trimmed of white space; none if there is nothing or no such column.
    pub(crate) fn text(&self, field: Option<&Field>) -> Result<Option<&'a str>, TableError> {
        let Some((field, bytes)) = field.and_then(|field| Some((field, self.bytes(field)?))) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong(field, "UTF-8 text"))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    /// The field's number, finite and within `range`; none if there is nothing or no such column.
    pub(crate) fn number(
        &self,
        field: Option<&Field>,
        range: std::ops::RangeInclusive<f64>,
        expected: &'static str,
    ) -> Result<Option<f64>, TableError> {
        let (Some(field), Some(text)) = (field, self.text(field)?) else { return Ok(None) };
        // NaN is in no range.
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| self.wrong(field, expected))
    }

    /// The error that a field of this row is not what it should be.
    pub(crate) fn wrong(&self, field: &Field, expected: &'static str) -> TableError {
        TableError::Field { at: self.at.clone(), column: field.column.clone(), expected }
    }
}

/// The whole of a file that is no table.
pub(crate) fn read_whole(file: &Path) -> Result<Vec<u8>, TableError> {
    std::fs::read(file).map_err(|source| TableError::Io { file: file.to_owned(), source })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::{io::Write, sync::Arc};

    use arrow::array::{
        BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, ListArray,
        StringArray, StringViewArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Int8Type, Int32Type};
    use parquet::arrow::ArrowWriter;
    use tempfile::TempDir;

    /// A folder with files in it, gone when dropped.
    pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().expect("folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
            std::fs::write(path, bytes).expect("file");
        }
        folder
    }

    /// The text of an error, with the temporary folder left out of it.
    pub(crate) fn text_of(error: impl std::fmt::Display, folder: &TempDir) -> String {
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    }

    /// A Parquet file of these columns.
    pub(crate) fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
            .expect("batch");
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("writer");
        writer.write(&batch).expect("written");
        writer.into_inner().expect("closed")
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("closed")
    }

    type Rows = Vec<(u64, Option<u64>, Vec<Option<String>>)>;

    fn rows(file: &Path, layout: Layout, columns: &[Column]) -> Result<Rows, TableError> {
        let mut table = Table::open(file, layout)?;
        let fields: Vec<Field> = columns.iter().map(|c| table.require(c)).collect::<Result<_, _>>()?;
        let mut rows = Rows::new();
        table.each(|row| {
            let texts = fields.iter().map(|f| Ok(row.text(Some(f))?.map(str::to_owned)));
            rows.push((row.at().row, row.at().line, texts.collect::<Result<_, TableError>>()?));
            Ok::<_, TableError>(())
        })?;
        Ok(rows)
    }

    fn names(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column::from(*name)).collect()
    }

    #[test]
    fn csv_of_any_dress_holds_the_same_rows() {
        let plain = b"a,b,c\n1,\"x,\"\"y\"\"\",3\n\n4,,6\n";
        let dressed = String::from_utf8_lossy(plain).replace('\n', "\r\n");
        let bom = [b"\xef\xbb\xbf", &plain[..]].concat();
        let zst = zstd::encode_all(&plain[..], 1).expect("zstd");
        let two_members = [gzip(&plain[..10]), gzip(&plain[10..])].concat();
        let folder = folder(&[
            ("plain.csv", plain),
            ("crlf.csv", dressed.as_bytes()),
            ("bom.csv", &bom),
            ("zst", &zst),
            ("gz.csv.gz", &two_members),
            ("semicolon.csv", b"a;b;c\n1;\"x,\"\"y\"\"\";3\n\n4;;6\n"),
        ]);
        for file in files_of(folder.path(), &[""]).expect("files") {
            let rows = rows(&file, Layout::THINGS, &names(&["c", "b"])).expect("rows");
            let y = "x,\"y\"";
            let some = |text: &str| Some(text.to_owned());
            let expected = vec![(1, Some(2), vec![some("3"), some(y)]), (2, Some(4), vec![some("6"), None])];
            assert_eq!(rows, expected, "{}", file.display());
        }
    }

    #[test]
    fn a_table_without_header_goes_by_numbers() {
        let folder = folder(&[("cells.csv", b"LTE,206,1\nGSM,206,2\n")]);
        let file = folder.path().join("cells.csv");
        let layout = Layout { header: false, ..Layout::THINGS };
        let found = rows(&file, layout, &[Column::Number(3), Column::Number(1)]).expect("rows");
        assert_eq!(found[1], (2, Some(2), vec![Some("2".to_owned()), Some("GSM".to_owned())]));
        for (column, text) in [
            (Column::Number(4), "cells.csv: no column number 4; found 3 columns"),
            (
                Column::Number(0),
                "cells.csv: no column number 0; found no names of columns; expected a number from 1",
            ),
            (
                Column::from("lat"),
                "cells.csv: no column `lat`; found no names of columns; expected a header that names it",
            ),
        ] {
            let error = rows(&file, layout, &[column]).expect_err("refused");
            assert_eq!(text_of(error, &folder), text);
        }
    }

    #[test]
    fn bad_tables_are_told_by_file_row_and_column_and_never_by_content() {
        let long = [b"a,b\n1,\"".to_vec(), vec![b'x'; ROW_BYTES_MAX + BLOCK_BYTES]].concat();
        let folder = folder(&[
            ("ragged.csv", b"a,b\n1,2\n\n20641000,3,4\n"),
            ("long.csv", &long),
            ("other.csv", b"cell_id,place\n1,2\n"),
            ("headless.csv", b"jdoe,asmith\n1,2\n"),
            ("open.csv", b"a,b\n1,\"2\n3,4\n5,\"6\"\n"),
            ("data.csv", b"206201234567890,2026-01-01\n1,2\n"),
            ("twice.csv", b"a,a,b\n1,2,3\n"),
            ("latin1.csv", b"a,b\n1,\xe9\n"),
            ("broken.parquet", b"PAR1 and no more"),
            ("empty.csv", b""),
        ]);
        let cases = [
            ("ragged.csv", "ragged.csv, row 2 (line 4): 3 fields; expected 2"),
            (
                "long.csv",
                "long.csv, row 1 (line 2): longer than 1048576 bytes; expected a closing quote before that",
            ),
            ("other.csv", "other.csv: no column `a`; found the columns cell_id, place"),
            ("headless.csv", "headless.csv: no column `a`; found 2 columns; expected a header that names it"),
            (
                "open.csv",
                "open.csv, row 1 (line 2): a field holds a line end; expected every quote closed on its line",
            ),
            ("data.csv", "data.csv: no column `a`; found 2 columns; expected a header that names it"),
            ("twice.csv", "twice.csv: two columns are named `a`; expected one"),
            ("latin1.csv", "latin1.csv, row 1 (line 2), column `b`: expected UTF-8 text"),
            (
                "broken.parquet",
                "broken.parquet: not readable as Parquet; expected an undamaged file, of pages of at most 256 MiB",
            ),
            (
                "empty.csv",
                "empty.csv: no column `a`; found no names of columns; expected a header that names it",
            ),
            ("absent.csv", "absent.csv: cannot be read: entity not found"),
        ];
        for (file, text) in cases {
            let path = folder.path().join(file);
            let error = files_of(&path, &[]).and_then(|f| rows(&f[0], Layout::THINGS, &names(&["a", "b"])));
            assert_eq!(text_of(error.expect_err("refused"), &folder), text);
        }
        let hidden =
            rows(&folder.path().join("other.csv"), Layout::SUBSCRIBERS, &names(&["a"])).expect_err("refused");
        assert!(!hidden.to_string().contains("cell"), "{hidden}");
    }

    #[test]
    fn a_line_is_a_row_and_every_quote_is_closed_on_it() {
        let long = format!("a,b\n1,\"{}\n2,x\n", "x".repeat(3 * BLOCK_BYTES));
        let cases = [
            ("a,b\n1,x\n\n\"2\n\",y\n", 2, 4),
            ("a,b\n1,x\n2,\"y\rz\"\n", 2, 3),
            ("a,b\r\n1,x\r\n2,\"y\r\n\"\r\n", 2, 3),
            ("a,b\n1,x\n2,\"y", 2, 3),
            ("a,b\n1,x\n2,\"", 2, 3),
            ("a,\"b\n1,x\n", 0, 1),
            ("\"a", 0, 1),
            (long.as_str(), 1, 2),
        ];
        for (csv, row, line) in cases {
            let folder = folder(&[("t.csv", csv.as_bytes())]);
            let error = rows(&folder.path().join("t.csv"), Layout::THINGS, &[]).expect_err(csv);
            let expected = format!(
                "t.csv, row {row} (line {line}): a field holds a line end; expected every quote closed on its line"
            );
            assert_eq!(text_of(error, &folder), expected);
        }
        for csv in ["a,b\n1,\"x\"", "a,b\n1,\"x\"\"\"", "a,b\n1,x\r\n\r\n", "a,b\n1,6\" pipe", "a,b\n1,"] {
            let folder = folder(&[("t.csv", csv.as_bytes())]);
            let rows = rows(&folder.path().join("t.csv"), Layout::THINGS, &names(&["a"])).expect(csv);
            assert_eq!(rows, [(1, Some(2), vec![Some("1".to_owned())])], "{csv:?}");
        }
    }

    #[test]
    fn parquet_of_every_type_reads_as_its_text() {
        let dictionary: DictionaryArray<Int8Type> = ["x", "y"].into_iter().collect();
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), None]);
        let at = TimestampMicrosecondArray::from(vec![1_673_049_600_000_000, 0]);
        let fixed = FixedSizeBinaryArray::try_from_iter([b"p1", b"p2"].into_iter()).expect("binary");
        let bytes = parquet_of(vec![
            ("integer", Arc::new(Int64Array::from(vec![Some(206_201_234_567_890), None]))),
            ("real", Arc::new(Float64Array::from(vec![4.35, -1.0]))),
            ("text", Arc::new(StringArray::from(vec![Some(" t "), Some("")]))),
            ("view", Arc::new(StringViewArray::from(vec!["v", "w"]))),
            ("dictionary", Arc::new(dictionary)),
            ("fixed", Arc::new(fixed)),
            ("binary", Arc::new(BinaryViewArray::from(vec![b"b1".as_slice(), b"b2"]))),
            ("at", Arc::new(at)),
            ("list", Arc::new(list)),
        ]);
        let folder = folder(&[("part.parquet", &bytes)]);
        let file = folder.path().join("part.parquet");
        // Asked for in another order than the file's.
        let asked = ["at", "binary", "fixed", "dictionary", "view", "text", "real", "integer"];
        let found = rows(&file, Layout::THINGS, &names(&asked)).expect("rows");
        let first = ["2023-01-07T00:00:00", "b1", "p1", "x", "v", "t", "4.35", "206201234567890"];
        assert_eq!(found[0], (1, None, first.map(|text| Some(text.to_owned())).to_vec()));
        assert_eq!((&found[1].2[5], &found[1].2[7]), (&None, &None));
        let error = rows(&file, Layout::THINGS, &names(&["list"])).expect_err("refused");
        let text = "part.parquet, column `list`: a column of this type cannot be used; expected text, binary, numbers, \
                    dates or times";
        assert_eq!(text_of(error, &folder), text);
        for (column, good) in
            [("integer", true), ("dictionary", true), ("fixed", true), ("real", false), ("at", false)]
        {
            let found = Table::open(&file, Layout::THINGS).expect("table").require_id(&column.into());
            assert_eq!(found.is_ok(), good, "{column}");
        }
    }

    #[test]
    fn folders_and_patterns_give_their_tables_in_order() {
        let files = ["day=2/b.parquet", "day=1/c.csv", "day=1/_SUCCESS", "day=1/.c.csv.crc", "notes.md"];
        let folder = folder(&files.map(|name| (name, b"x".as_slice())));
        let names = |path: PathBuf| {
            let files = files_of(&path, &TABLE_ENDINGS).expect("files");
            files.iter().map(|f| text_of(f.display(), &folder)).collect::<Vec<_>>()
        };
        assert_eq!(names(folder.path().to_owned()), ["day=1/c.csv", "day=2/b.parquet"]);
        assert_eq!(names(folder.path().join("day=*")), ["day=1/c.csv", "day=2/b.parquet"]);
        assert_eq!(names(folder.path().join("*.md")), ["notes.md"]);
        let none = files_of(&folder.path().join("*.xlsx"), &TABLE_ENDINGS).expect_err("none");
        let text = "*.xlsx: no table there; expected a CSV (plain, .gz, .zst) or Parquet file";
        assert_eq!(text_of(none, &folder), text);
    }
}
