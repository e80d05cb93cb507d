//! Reads events from CSV, plain or compressed, block by block of whole lines.
//!
//! A line is a row: a quoted field may hold the delimiter and doubled quotes, but never a line end. So a file can be
//! split at any line end, and a stray quote costs its own line only.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memchr3_iter, memrchr};
use throng_schema::Sought;

use crate::{
    columns::{EventColumns, EventFormat, Fields, Header, Home, TypeIx, Types},
    files::FileFormat,
    home::{mcc_of_imsi, mcc_of_text},
    rejects::{Cell, Flaw, IngestError, Judge, LINE_BYTES_MAX, PartTally, Row},
    table::Column,
    time::{Moment, TimeReader, is_integer},
};

/// Bytes read from the disk at a time.
const READ_BYTES: usize = 1 << 17;

/// Bytes of a file that are looked at before it is read, for its header and the length of its rows.
const SAMPLE_BYTES: usize = 1 << 16;

/// How much larger a CSV of events is than its compressed form: about what is found with real files. It serves to
/// estimate rows, and nothing else.
const COMPRESSION: f64 = 4.0;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How the lines of one file are laid out.
pub(crate) struct CsvLayout {
    pub(crate) fields: Fields,
    pub(crate) width: usize,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) rows_estimated: u64,
    delimiter: u8,
    /// Bytes, after decompression, before the first row of data.
    data_start: u64,
}

impl CsvLayout {
    /// Looks at the beginning of a file: finds the columns, and refuses integer times of unknown unit.
    pub(crate) fn look(
        file: &Path,
        form: FileFormat,
        bytes: u64,
        columns: &EventColumns,
        format: &EventFormat,
    ) -> Result<Self, IngestError> {
        let sample = sample(file, form)?;
        let delimiter = format.delimiter.byte();
        let mut splitter = Splitter::new(delimiter);
        let mut lines = SampleLines::new(&sample);
        let empty = || IngestError::Empty { file: file.to_owned() };
        let first = lines.peek().ok_or_else(empty)?;
        let damaged = |expected| IngestError::Damaged { file: file.to_owned(), row: None, expected };
        if first.len() > LINE_BYTES_MAX {
            return Err(damaged("a first line of at most 1 MiB"));
        }
        let first: Vec<Vec<u8>> =
            splitter.split(first).map_err(|_| damaged("a first line whose quotes are closed"))?.to_vec();
        let width = first.len();
        let name = |field: &Vec<u8>| String::from_utf8_lossy(field).trim().to_owned();
        let names = format.header.then(|| first.iter().map(name).collect::<Vec<_>>());
        if format.header {
            lines.next();
        }
        let data_start = lines.at as u64;
        let header = Header { names, width };
        let fields = columns.find(file, &header, format)?;
        // Only where a name was looked for and found is the first line sure to be a header, and no row.
        let names = header.names.filter(|_| matches!(columns.event_time, Column::Name(_)));
        let mut layout = Self { fields, width, names, rows_estimated: 0, delimiter, data_start };
        if format.epoch_unit.is_none() {
            layout.refuse_integers(file, &mut splitter, lines.peek(), columns)?;
        }
        layout.rows_estimated = estimate(bytes, form, &sample[lines.at..], data_start);
        Ok(layout)
    }

    fn refuse_integers(
        &self,
        file: &Path,
        splitter: &mut Splitter,
        first_row: Option<&[u8]>,
        columns: &EventColumns,
    ) -> Result<(), IngestError> {
        let Some(Ok(row)) = first_row.map(|line| splitter.split(line)) else { return Ok(()) };
        if row.count() != self.width {
            return Ok(());
        }
        let end_time = columns.end_time.clone().unwrap_or_else(|| "end_time".into());
        let times =
            [(Some(self.fields.event_time), columns.event_time.clone()), (self.fields.end_time, end_time)];
        for (index, column) in times {
            if index.is_some_and(|index| is_integer(row.field(index))) {
                return Err(IngestError::NoEpochUnit { file: file.to_owned(), column });
            }
        }
        Ok(())
    }
}

fn estimate(bytes: u64, form: FileFormat, rows: &[u8], data_start: u64) -> u64 {
    let lines = memchr::memchr_iter(b'\n', rows).count();
    let whole = memrchr(b'\n', rows).map_or(rows.len(), |end| end + 1);
    let row_bytes = whole as f64 / lines.max(1) as f64;
    let swell = if form == FileFormat::Csv { 1.0 } else { COMPRESSION };
    let data_bytes = (bytes as f64 * swell - data_start as f64).max(0.0);
    if rows.is_empty() { 0 } else { (data_bytes / row_bytes.max(1.0)).round() as u64 }
}

/// The beginning of a file, long enough for its first two lines.
fn sample(file: &Path, form: FileFormat) -> Result<Vec<u8>, IngestError> {
    let mut reader = open(file, form)?;
    let mut sample = Vec::new();
    loop {
        let read = top_up(&mut reader, &mut sample, SAMPLE_BYTES).map_err(|e| failed(file, form, e))?;
        let lines = memchr::memchr_iter(b'\n', &sample).take(2).count();
        if read == 0 || lines == 2 || sample.len() > 2 * LINE_BYTES_MAX {
            return Ok(sample);
        }
    }
}

/// The lines of a sample that are not blank, and where the next of them begins.
struct SampleLines<'s> {
    sample: &'s [u8],
    at: usize,
}

impl<'s> SampleLines<'s> {
    fn new(sample: &'s [u8]) -> Self {
        let at = if sample.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let mut lines = Self { sample, at };
        lines.skip_blank();
        lines
    }

    fn raw(&self) -> &'s [u8] {
        let rest = &self.sample[self.at..];
        &rest[..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)]
    }

    fn skip_blank(&mut self) {
        while !self.raw().is_empty() && without_end(self.raw()).is_empty() {
            self.at += self.raw().len();
        }
    }

    fn peek(&self) -> Option<&'s [u8]> {
        Some(without_end(self.raw())).filter(|line| !line.is_empty())
    }

    fn next(&mut self) {
        self.at += self.raw().len();
        self.skip_blank();
    }
}

#[inline]
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

type Input = Box<dyn Read + Send>;

fn open(file: &Path, form: FileFormat) -> Result<Input, IngestError> {
    let opened = File::open(file).map_err(|source| IngestError::Io { file: file.to_owned(), source })?;
    decode(file, form, opened)
}

fn decode(file: &Path, form: FileFormat, opened: impl Read + Send + 'static) -> Result<Input, IngestError> {
    Ok(match form {
        FileFormat::CsvGzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, opened))),
        FileFormat::CsvZstd => {
            let buffered = BufReader::with_capacity(READ_BYTES, opened);
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(|e| failed(file, form, e))?)
        }
        FileFormat::Csv | FileFormat::Parquet => Box::new(opened),
    })
}

/// What the operating system refuses is its affair; any other error while decompressing is damage.
pub(crate) fn failed(file: &Path, form: FileFormat, source: io::Error) -> IngestError {
    let file = file.to_owned();
    let expected = "compressed CSV that is whole to its end";
    match form {
        FileFormat::CsvGzip | FileFormat::CsvZstd if source.raw_os_error().is_none() => {
            IngestError::Damaged { file, row: None, expected }
        }
        _ => IngestError::Io { file, source },
    }
}

/// Reads until `more` bytes have come or the input ends; says how many came.
fn top_up(reader: &mut impl Read, buffer: &mut Vec<u8>, more: usize) -> io::Result<usize> {
    let had = buffer.len();
    buffer.resize(had + more, 0);
    let mut end = had;
    while end < buffer.len() {
        match reader.read(&mut buffer[end..]) {
            Ok(0) => break,
            Ok(read) => end += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                buffer.truncate(end);
                return Err(e);
            }
        }
    }
    buffer.truncate(end);
    Ok(end - had)
}

/// What [`Lines::fill`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Whole lines; the last of the file may lack its end.
    Lines,
    /// A line so long that it is no row; its bytes were let go.
    LongLine,
    /// Nothing is left.
    End,
}

/// Cuts a stream of bytes into blocks of whole lines.
pub(crate) struct Lines {
    reader: Input,
    /// What was read after the end of the last line.
    carry: Vec<u8>,
    block_bytes: usize,
    /// Where in the stream the next line begins, and where lines begin that are no longer ours.
    at: u64,
    end: u64,
    done: bool,
}

impl Lines {
    /// The lines of a plain file that begin in a range of its bytes.
    pub(crate) fn in_range(
        file: &Path,
        range: Range<u64>,
        layout: &CsvLayout,
        block_bytes: usize,
    ) -> io::Result<Self> {
        let mut opened = File::open(file)?;
        let inside = range.start > layout.data_start;
        // From one byte before, so that a line which begins at the very start of the range is ours.
        let at = if inside { range.start - 1 } else { layout.data_start };
        opened.seek(SeekFrom::Start(at))?;
        let mut lines = Self {
            reader: Box::new(opened),
            carry: Vec::new(),
            block_bytes,
            at,
            end: range.end,
            done: false,
        };
        if inside {
            lines.skip_line()?;
        }
        Ok(lines)
    }

    /// All the lines of a compressed file. `read` is told of the bytes that come from the disk.
    pub(crate) fn of_stream(
        file: &Path,
        form: FileFormat,
        layout: &CsvLayout,
        block_bytes: usize,
        read: impl Fn(u64) + Send + 'static,
    ) -> Result<Self, IngestError> {
        let opened = File::open(file).map_err(|source| IngestError::Io { file: file.to_owned(), source })?;
        let mut reader = decode(file, form, Counting { inner: opened, read })?;
        io::copy(&mut reader.by_ref().take(layout.data_start), &mut io::sink())
            .map_err(|e| failed(file, form, e))?;
        Ok(Self { reader, carry: Vec::new(), block_bytes, at: layout.data_start, end: u64::MAX, done: false })
    }

    /// Fills the block with the next whole lines.
    pub(crate) fn fill(&mut self, block: &mut Vec<u8>) -> io::Result<Filled> {
        block.clear();
        self.done |= self.at >= self.end;
        if self.done {
            return Ok(Filled::End);
        }
        block.append(&mut self.carry);
        loop {
            let read = top_up(&mut self.reader, block, self.block_bytes)?;
            if let Some(cut) = self.last_of_ours(block) {
                block.truncate(cut);
                self.done = true;
                return Ok(Filled::Lines);
            }
            if read == 0 {
                self.done = true;
                return Ok(if block.is_empty() { Filled::End } else { Filled::Lines });
            }
            if let Some(end) = memrchr(b'\n', block) {
                self.carry.extend_from_slice(&block[end + 1..]);
                block.truncate(end + 1);
                self.at += block.len() as u64;
                return Ok(Filled::Lines);
            }
            // One more for the carriage return that may end it.
            if block.len() > LINE_BYTES_MAX + 1 {
                self.at += block.len() as u64;
                block.clear();
                self.skip_line()?;
                return Ok(Filled::LongLine);
            }
        }
    }

    /// Where the line ends that holds the last byte of the range, if it ends in this block.
    fn last_of_ours(&self, block: &[u8]) -> Option<usize> {
        let last = usize::try_from(self.end - 1 - self.at).ok()?;
        let rest = block.get(last..)?;
        memchr(b'\n', rest).map(|end| last + end + 1)
    }

    /// Lets go of all up to the next line end.
    fn skip_line(&mut self) -> io::Result<()> {
        let mut block = Vec::new();
        loop {
            block.clear();
            let read = top_up(&mut self.reader, &mut block, self.block_bytes.min(SAMPLE_BYTES))?;
            if let Some(end) = memchr(b'\n', &block) {
                self.at += end as u64 + 1;
                self.carry = block.split_off(end + 1);
                return Ok(());
            }
            self.at += read as u64;
            // A line that goes on past the range holds no line of ours behind it.
            if read == 0 || self.at >= self.end {
                self.done = true;
                return Ok(());
            }
        }
    }
}

/// Reads on, and tells how far.
struct Counting<R, F> {
    inner: R,
    read: F,
}

impl<R: Read, F: Fn(u64)> Read for Counting<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        (self.read)(read as u64);
        Ok(read)
    }
}

/// The fields of one line.
#[derive(Clone, Copy)]
struct Split<'s> {
    bytes: &'s [u8],
    /// Where each field ends; the last ends with the bytes.
    ends: &'s [usize],
    /// What lies between two fields: the delimiter, or nothing where quotes were taken away.
    gap: usize,
}

impl<'s> Split<'s> {
    #[inline]
    fn count(&self) -> usize {
        self.ends.len() + 1
    }

    #[inline]
    fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] + self.gap };
        start..self.ends.get(index).copied().unwrap_or(self.bytes.len())
    }

    #[inline]
    fn field(&self, index: usize) -> &'s [u8] {
        &self.bytes[self.range(index)]
    }

    fn to_vec(self) -> Vec<Vec<u8>> {
        (0..self.count()).map(|index| self.field(index).to_vec()).collect()
    }
}

/// Splits a line that may have quotes.
struct Splitter {
    reader: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
        Self { reader, bytes: Vec::new(), ends: Vec::new() }
    }

    /// The fields of a line without its end. A quote that is not closed swallows the line end given after it.
    fn split(&mut self, line: &[u8]) -> Result<Split<'_>, Flaw> {
        self.reader.reset();
        let most = line.len() + 2;
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
            self.ends.resize(most, 0);
        }
        let (_, _, written, fields) = self.reader.read_record(line, &mut self.bytes, &mut self.ends);
        let (result, _, last_written, last_fields) =
            self.reader.read_record(b"\n", &mut self.bytes[written..], &mut self.ends[fields..]);
        if result != ReadRecordResult::Record {
            return Err(Flaw::OpenQuote);
        }
        let count = fields + last_fields;
        Ok(Split {
            bytes: &self.bytes[..written + last_written],
            ends: &self.ends[..count.max(1) - 1],
            gap: 0,
        })
    }
}

/// Parses blocks of lines and hands their rows to the judge.
pub(crate) struct CsvDesk<'a> {
    layout: &'a CsvLayout,
    splitter: Splitter,
    ends: Vec<usize>,
    rows: RowDesk<'a>,
}

struct RowDesk<'a> {
    layout: &'a CsvLayout,
    /// Rows whose subscribers are met together.
    waiting: Vec<Waiting>,
    /// Their cells, as they are sought.
    sought: Vec<Option<Sought>>,
    /// Those of them that cannot be admitted together.
    left: Vec<usize>,
    home: Home,
    time: TimeReader,
    separator: &'a [u8],
    types: &'a Types,
    judge: Judge<'a>,
    joined: Vec<u8>,
}

/// Rows that wait at most, so that what they were read into is still near.
const WAITING: usize = 128;

/// A row that waits for its subscriber to be met.
struct Waiting {
    at: Moment,
    end: Moment,
    cell: Cell,
    of_type: TypeIx,
    mcc: Option<u16>,
    /// Where the identifiers lie in the block.
    subscriber_id: Range<usize>,
    cell_id: Range<usize>,
}

impl<'a> CsvDesk<'a> {
    pub(crate) fn new(
        layout: &'a CsvLayout,
        home: Home,
        time: TimeReader,
        separator: &'a [u8],
        types: &'a Types,
        judge: Judge<'a>,
    ) -> Self {
        let rows = RowDesk {
            layout,
            home,
            time,
            separator,
            types,
            judge,
            joined: Vec::new(),
            waiting: Vec::with_capacity(WAITING),
            sought: Vec::with_capacity(WAITING),
            left: Vec::new(),
        };
        Self { layout, splitter: Splitter::new(layout.delimiter), ends: Vec::new(), rows }
    }

    /// A line that was too long to be kept.
    pub(crate) fn long_line(&mut self) -> PartTally {
        self.rows.judge.malformed(Flaw::LongLine);
        self.rows.judge.take_account()
    }

    /// Judges every row of a block of whole lines.
    pub(crate) fn block(&mut self, block: &[u8]) -> PartTally {
        let mut start = 0;
        while start < block.len() {
            start = self.lines_without_quotes(block, start);
        }
        self.rows.judge_waiting(block);
        self.rows.judge.take_account()
    }

    /// Goes on until the block ends, or a line with a quote has been taken; says where the next line begins.
    fn lines_without_quotes(&mut self, block: &[u8], mut start: usize) -> usize {
        let base = start;
        self.ends.clear();
        for hit in memchr3_iter(self.layout.delimiter, b'\n', b'"', &block[base..]) {
            let at = base + hit;
            match block[at] {
                b'\n' => {
                    self.line(block, start..at);
                    start = at + 1;
                }
                b'"' => {
                    let end = memchr(b'\n', &block[at..]).map_or(block.len(), |end| at + end);
                    self.rows.judge_waiting(block);
                    self.line_with_quotes(&block[start..end]);
                    return end + 1;
                }
                _ => self.ends.push(at - start),
            }
        }
        if start < block.len() {
            self.line(block, start..block.len());
        }
        block.len()
    }

    #[inline]
    fn line(&mut self, block: &[u8], line: Range<usize>) {
        let bytes = without_end(&block[line.clone()]);
        if !bytes.is_empty() {
            if bytes.len() > LINE_BYTES_MAX {
                self.rows.malformed(block, Flaw::LongLine);
            } else {
                self.rows.wait(block, line.start, Split { bytes, ends: &self.ends, gap: 1 });
            }
        }
        self.ends.clear();
    }

    fn line_with_quotes(&mut self, line: &[u8]) {
        let line = without_end(line);
        if line.len() > LINE_BYTES_MAX {
            return self.rows.judge.malformed(Flaw::LongLine);
        }
        match self.splitter.split(line) {
            Ok(split) => self.rows.judge_alone(split),
            Err(flaw) => self.rows.judge.malformed(flaw),
        }
    }
}

impl RowDesk<'_> {
    /// Reads a line that lies in the block from a position on; its subscriber is met together with others.
    #[inline]
    fn wait(&mut self, block: &[u8], start: usize, split: Split<'_>) {
        if split.count() != self.layout.width {
            return self.malformed(block, Flaw::FieldCount);
        }
        let mut row = self.read(split);
        let within = |index| {
            let range = split.range(index);
            start + range.start..start + range.end
        };
        row.subscriber_id = within(self.layout.fields.subscriber_id);
        if let [index] = *self.layout.fields.cell_id {
            row.cell_id = within(index);
        }
        self.waiting.push(row);
        if self.waiting.len() == WAITING {
            self.judge_waiting(block);
        }
    }

    /// Judges a line that lies elsewhere.
    fn judge_alone(&mut self, split: Split<'_>) {
        if split.count() != self.layout.width {
            return self.judge.malformed(Flaw::FieldCount);
        }
        let mut row = self.read(split);
        if let [index] = *self.layout.fields.cell_id {
            row.cell = self.judge.cells().find(split.field(index));
        }
        let subscriber_id = split.field(self.layout.fields.subscriber_id);
        self.judge.meet(std::iter::once(subscriber_id));
        self.judge.judge(&row.of(0, subscriber_id));
    }

    /// A line that is no row, after those that wait.
    #[cold]
    fn malformed(&mut self, block: &[u8], flaw: Flaw) {
        self.judge_waiting(block);
        self.judge.malformed(flaw);
    }

    /// Judges the rows that wait. What looks into large tables is done for all of them in a loop of its own, so that no
    /// row waits for the memory that another asked for.
    fn judge_waiting(&mut self, block: &[u8]) {
        let Self { waiting, sought, left, judge, layout, .. } = self;
        let id = |row: &Waiting| &block[row.subscriber_id.clone()];
        judge.meet(waiting.iter().map(id));
        if let [_] = *layout.fields.cell_id {
            let (cells, cell_id) = (judge.cells(), |row: &Waiting| &block[row.cell_id.clone()]);
            sought.clear();
            sought.extend(waiting.iter().map(|row| cells.seek(cell_id(row))));
            for (row, sought) in waiting.iter_mut().zip(&*sought) {
                row.cell = cells.find_sought(*sought, cell_id(row));
            }
        }
        if judge.is_plain() {
            // Nearly all of these are sound.
            let cell = |row: &Waiting| if row.is_event_of_somebody() { row.cell } else { Cell::Missing };
            let rows = waiting.iter().zip(0..);
            judge.admit_plain(rows.map(|(row, number)| (row.at.micros(), cell(row), number, row.mcc)), left);
            for &number in &*left {
                let from_last = (waiting.len() - 1 - number) as u64;
                judge.judge_left(&waiting[number].of(number, id(&waiting[number])), from_last);
            }
        } else {
            for (number, row) in waiting.iter().enumerate() {
                judge.judge(&row.of(number, id(row)));
            }
        }
        waiting.clear();
    }

    /// Reads what stands in a row, but for the identifiers, and a cell that stands in one field.
    #[inline]
    fn read(&mut self, split: Split<'_>) -> Waiting {
        let fields = &self.layout.fields;
        Waiting {
            at: self.time.text(split.field(fields.event_time)),
            end: fields.end_time.map_or(Moment::MISSING, |index| self.time.text(split.field(index))),
            cell: match fields.cell_id.as_slice() {
                [_] => Cell::Missing,
                parts => {
                    join(&mut self.joined, self.separator, parts.iter().map(|index| split.field(*index)))
                        .map_or(Cell::Missing, |cell_id| self.judge.cells().find(cell_id))
                }
            },
            of_type: fields.event_type.map_or(TypeIx::OTHER, |index| self.types.find(split.field(index))),
            mcc: match self.home {
                Home::Nowhere => None,
                Home::Column(index) => mcc_of_text(split.field(index)),
                Home::Subscriber => mcc_of_imsi(split.field(fields.subscriber_id)),
            },
            subscriber_id: 0..0,
            cell_id: 0..0,
        }
    }
}

impl Waiting {
    /// Whether it has a subscriber, and no end.
    #[inline]
    fn is_event_of_somebody(&self) -> bool {
        !self.subscriber_id.is_empty() && self.end == Moment::MISSING
    }

    #[inline]
    fn of<'r>(&self, number: usize, subscriber_id: &'r [u8]) -> Row<'r> {
        let Self { at, end, cell, of_type, mcc, .. } = *self;
        Row { at, end, cell, of_type, subscriber_id, number, mcc }
    }
}

/// The parts of a cell id with the separator between them; none if a part is empty.
pub(crate) fn join<'j, 'p>(
    joined: &'j mut Vec<u8>,
    separator: &[u8],
    parts: impl Iterator<Item = &'p [u8]>,
) -> Option<&'j [u8]> {
    joined.clear();
    for (i, part) in parts.enumerate() {
        if part.is_empty() {
            return None;
        }
        if i > 0 {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(part);
    }
    Some(joined)
}
