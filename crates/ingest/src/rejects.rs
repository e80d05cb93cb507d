//! Judges every row: it is used, or rejected under exactly one reason, and the account of each file adds up.

use std::{fmt, io, ops::Range, path::PathBuf, sync::Arc};

use throng_anonymiser::{Batch, Met, Pass, Seen, Turned};
use throng_schema::{CellIx, CellPlan, Sought, VersionIx};

use crate::{
    columns::{TypeIx, Types},
    table::Column,
    time::{Clock, Moment},
};

/// The most bytes in a line of a CSV. A longer one is no row: the file is something else, or lost its line ends.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Why a row is not used. The order is that of judging: the first that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A field cannot be parsed, or the line cannot be split.
    Malformed,
    /// A required field is empty.
    MissingField,
    /// An event type that the config leaves out.
    WrongType,
    /// Older than individual data may be.
    Expired,
    /// Not in the window.
    OutsideWindow,
    /// The subscriber opted out.
    OptedOut,
    /// The subscriber is a machine: listed, by its identifier, or by how it behaves.
    Machine,
    /// The plan has no such cell at that time.
    UnknownCell,
    /// Same subscriber, time and cell as a row already used.
    Duplicate,
    /// Farther from the row before than anybody travels in that time.
    ImpossibleSpeed,
    /// To a neighbouring cell and back at once: the phone changed cells, the person did not move.
    PingPong,
}

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::MissingField,
        Self::WrongType,
        Self::Expired,
        Self::OutsideWindow,
        Self::OptedOut,
        Self::Machine,
        Self::UnknownCell,
        Self::Duplicate,
        Self::ImpossibleSpeed,
        Self::PingPong,
    ];

    /// The word in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::Expired => "expired",
            Self::OutsideWindow => "outside_window",
            Self::OptedOut => "opted_out",
            Self::Machine => "machine",
            Self::UnknownCell => "unknown_cell",
            Self::Duplicate => "duplicate",
            Self::ImpossibleSpeed => "impossible_speed",
            Self::PingPong => "ping_pong",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why events cannot be read. It says where and what was expected, never what stood there.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// An argument stands for no file.
    #[error(
        "{}: nothing there; expected a file, a folder or a pattern with events in .csv, .csv.gz, .csv.zst or .parquet",
        path.display()
    )]
    NoMatch {
        /// The argument.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file lacks a column.
    #[error("{}: no column {column} for {field}; expected it {}", file.display(), whereabouts(column))]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The field of an event that was to be read from it.
        field: &'static str,
        /// The column looked for.
        column: Column,
    },
    /// Two columns have the name of one that is wanted.
    #[error("{}: two columns are named {column}; expected one column of that name", file.display())]
    TwoColumns {
        /// The file.
        file: PathBuf,
        /// The name.
        column: Column,
    },
    /// A column has a type that cannot hold the field.
    #[error("{}: column {column} holds {found}; expected {expected}", file.display())]
    ColumnType {
        /// The file.
        file: PathBuf,
        /// The column.
        column: Column,
        /// Its type.
        found: String,
        /// Types that it may have.
        expected: &'static str,
    },
    /// Integer times whose unit nobody told.
    #[error("{}: column {column} holds integers; expected `epoch_unit` to be set to s, ms, us or ns", file.display())]
    NoEpochUnit {
        /// The file.
        file: PathBuf,
        /// The column.
        column: Column,
    },
    /// A CSV of nothing.
    #[error("{}: the file is empty; expected at least a header or a row", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// A file whose bytes cannot be decoded.
    #[error("{}{}: the file is damaged or cut off; expected {expected}", file.display(), from_row(*row))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The first row that could not be read, from 1, if known.
        row: Option<u64>,
        /// What was expected.
        expected: &'static str,
    },
    /// The file is no longer what it was when the run began.
    #[error("{}: the file was written to, replaced or removed while it was read; expected it to stay", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// The rows of a file do not add up: a fault of this program.
    #[error("{}: {read} rows were read, but {accounted} are used or rejected; expected the two to be equal", file.display())]
    Unaccounted {
        /// The file.
        file: PathBuf,
        /// Rows read.
        read: u64,
        /// Rows used or rejected.
        accounted: u64,
    },
}

impl IngestError {
    /// Whether the input is at fault, and not the machine or this program.
    #[must_use]
    pub fn is_unusable_input(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Changed { .. } | Self::Unaccounted { .. })
    }
}

fn whereabouts(column: &Column) -> &'static str {
    match column {
        Column::Name(_) => "in the header or the schema, or a column number where there is no header",
        Column::Number(_) => "counted from 1, among the columns of the file",
    }
}

fn from_row(row: Option<u64>) -> String {
    row.map(|row| format!(", from row {row} on")).unwrap_or_default()
}

/// An example of what is wrong with a file: where to look, never what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The row of data, from 1; a header is none.
    pub row: u64,
    /// The column, or none where the line as a whole is at fault.
    pub column: Option<String>,
    /// The reason under which the row is rejected.
    pub reason: Reason,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}; expected {}", self.reason, self.expected)
    }
}

/// What became of the rows of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTally {
    /// The file.
    pub path: PathBuf,
    /// Rows read: every row of data that is there.
    pub rows_read: u64,
    /// Rows admitted; after [`Tally::settle`], rows used.
    pub admitted: u64,
    /// Rows rejected, by [`Reason`].
    pub rejected: [u64; Reason::ALL.len()],
    /// The first row under the first reason that speaks of a faulty file: malformed, missing field, unknown cell.
    pub first_bad: Option<Fault>,
    /// The earliest and the latest time of an event or of a session's end, in microseconds since 1970 UTC.
    pub times_us: Option<(i64, i64)>,
    /// Rows by event type, for the types that the config names.
    pub types: Vec<(String, u64)>,
    /// Rows admitted that tell the home network of their subscriber; none where nobody asks.
    pub with_home: u64,
}

impl FileTally {
    /// Rows rejected for a reason.
    #[must_use]
    pub fn rejected_for(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    fn accounted(&self) -> u64 {
        self.admitted + self.rejected.iter().sum::<u64>()
    }
}

/// What became of every row, by file, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// One for each file.
    pub files: Vec<FileTally>,
}

impl Tally {
    /// Moves what only the crowd can tell, as duplicates, from the rows admitted to the rows rejected: for each
    /// reason, how many rows of each file.
    ///
    /// # Errors
    /// When the rows of a file do not add up.
    pub fn settle(&mut self, found: &[(Reason, Vec<u64>)]) -> Result<(), IngestError> {
        for (reason, by_file) in found {
            for (file, rows) in self.files.iter_mut().zip(by_file) {
                file.admitted = file.admitted.saturating_sub(*rows);
                file.rejected[*reason as usize] += rows;
            }
        }
        self.check()
    }

    /// Every row is used or rejected once: the account of each file must add up.
    fn check(&self) -> Result<(), IngestError> {
        let wrong = self.files.iter().find(|file| file.rows_read != file.accounted());
        wrong.map_or(Ok(()), |file| {
            let (file, read, accounted) = (file.path.clone(), file.rows_read, file.accounted());
            Err(IngestError::Unaccounted { file, read, accounted })
        })
    }

    /// Rows read, of all files.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.files.iter().map(|file| file.rows_read).sum()
    }

    /// Rows admitted, of all files.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.files.iter().map(|file| file.admitted).sum()
    }

    /// Rows rejected by reason, of all files.
    #[must_use]
    pub fn rejected(&self) -> [u64; Reason::ALL.len()] {
        let mut sums = [0; Reason::ALL.len()];
        for file in &self.files {
            add(&mut sums, &file.rejected);
        }
        sums
    }
}

fn add(sums: &mut [u64], terms: &[u64]) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    FieldCount,
    OpenQuote,
    LongLine,
    Time,
    EndTime,
    EndBeforeStart,
    NoTime,
    NoSubscriber,
    NoCell,
    UnknownCell,
    /// The row is sound; it is not wanted.
    None,
}

/// The account of a part of a file. Parts are put together in the order in which they stand in the file.
#[derive(Clone, Default)]
pub(crate) struct PartTally {
    pub(crate) rows: u64,
    admitted: u64,
    rejected: [u64; Reason::ALL.len()],
    first_bad: Option<(Reason, u64, Flaw)>,
    times_us: Option<(i64, i64)>,
    types: Vec<u64>,
    with_home: u64,
}

impl PartTally {
    pub(crate) fn new(types: &Types) -> Self {
        Self { types: vec![0; types.len()], ..Self::default() }
    }

    /// This part and the one that follows it. The law of merging: associative, and blind to who read what.
    pub(crate) fn then(mut self, next: &Self) -> Self {
        let later = next.first_bad.map(|(reason, row, flaw)| (reason, row + self.rows, flaw));
        self.first_bad =
            self.first_bad.into_iter().chain(later).min_by_key(|(reason, row, _)| (*reason, *row));
        self.rows += next.rows;
        self.admitted += next.admitted;
        add(&mut self.rejected, &next.rejected);
        self.times_us = match (self.times_us, next.times_us) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.types.resize(self.types.len().max(next.types.len()), 0);
        add(&mut self.types, &next.types);
        self.with_home += next.with_home;
        self
    }

    /// The account of a whole file, in words.
    pub(crate) fn of_file(&self, path: PathBuf, words: &Words, types: &Types) -> FileTally {
        FileTally {
            path,
            rows_read: self.rows,
            admitted: self.admitted,
            rejected: self.rejected,
            first_bad: self.first_bad.map(|(reason, row, flaw)| words.fault(row, reason, flaw)),
            times_us: self.times_us,
            types: types.names().zip(self.types.iter().copied()).collect(),
            with_home: self.with_home,
        }
    }
}

/// What a fault is told with: the names of the columns, and how many fields a line has.
pub(crate) struct Words {
    pub(crate) event_time: String,
    pub(crate) end_time: String,
    pub(crate) subscriber_id: String,
    pub(crate) cell_id: String,
    pub(crate) width: usize,
}

impl Words {
    fn fault(&self, row: u64, reason: Reason, flaw: Flaw) -> Fault {
        let time = "ISO 8601 such as 2026-10-15T10:07:33+02:00, or an integer where `epoch_unit` is set";
        let (column, expected) = match flaw {
            Flaw::FieldCount => (None, format!("{} fields, as in the first line", self.width)),
            Flaw::OpenQuote => (None, "every quote to be closed on its line".to_owned()),
            Flaw::LongLine => (None, format!("at most {LINE_BYTES_MAX} bytes in a line")),
            Flaw::Time => (Some(&self.event_time), time.to_owned()),
            Flaw::EndTime => (Some(&self.end_time), time.to_owned()),
            Flaw::EndBeforeStart => (Some(&self.end_time), format!("a time not before {}", self.event_time)),
            Flaw::NoTime => (Some(&self.event_time), "a time".to_owned()),
            Flaw::NoSubscriber => (Some(&self.subscriber_id), "an identifier".to_owned()),
            Flaw::NoCell => (Some(&self.cell_id), "a cell".to_owned()),
            Flaw::UnknownCell => (Some(&self.cell_id), "a cell that the plan has at that time".to_owned()),
            Flaw::None => (None, String::new()),
        };
        Fault { row, column: column.cloned(), reason, expected }
    }
}

/// What stands in the field of the cell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    Missing,
    /// A cell that the plan never has.
    Unknown,
    /// A cell of which one version holds for the whole window.
    Stands(VersionIx),
    /// A cell that comes, goes or moves within the window.
    Moves(CellIx),
}

/// The cell plan as seen from the window.
///
/// Nearly every cell stands still for the whole of a window. Its version is then found together with the cell, which
/// with a dictionary is once for many rows; to look it up for each row would cost a cache miss each.
pub(crate) struct Cells {
    plan: Option<Arc<CellPlan>>,
    /// What is known of each cell.
    known: Vec<Cell>,
    from_us: i64,
}

impl Cells {
    pub(crate) fn new(plan: Option<Arc<CellPlan>>, clock: &Clock) -> Self {
        let (from_us, until_us) = (clock.from_us, clock.until_us);
        let known = |plan: &CellPlan| {
            let cells = (0..).map(CellIx).take(plan.cells());
            let of = |cell| match plan.version_at(cell, from_us) {
                Some(version) if plan.versions()[version.0 as usize].until_us >= until_us => {
                    Cell::Stands(version)
                }
                _ => Cell::Moves(cell),
            };
            cells.map(of).collect()
        };
        Self { known: plan.as_deref().map(known).unwrap_or_default(), plan, from_us }
    }

    /// Looks a cell up. Without a plan there is one cell, and every row is in it.
    #[inline]
    pub(crate) fn find(&self, cell_id: &[u8]) -> Cell {
        self.find_sought(self.seek(cell_id), cell_id)
    }

    /// What [`Cells::find_sought`] needs: see [`CellPlan::seek`]. None without a plan.
    #[inline]
    pub(crate) fn seek(&self, cell_id: &[u8]) -> Option<Sought> {
        self.plan.as_ref().map(|plan| plan.seek(cell_id))
    }

    #[inline]
    pub(crate) fn find_sought(&self, sought: Option<Sought>, cell_id: &[u8]) -> Cell {
        if cell_id.is_empty() {
            return Cell::Missing;
        }
        let (Some(plan), Some(sought)) = (&self.plan, sought) else { return Cell::Stands(VersionIx(0)) };
        plan.find(sought, cell_id).map_or(Cell::Unknown, |cell| self.known[cell.0 as usize])
    }

    #[inline]
    fn version_at(&self, cell: Cell, at_us: i64) -> Option<VersionIx> {
        match (cell, &self.plan) {
            (Cell::Stands(version), _) if at_us >= self.from_us => Some(version),
            (Cell::Stands(version), Some(plan)) => self.version_before(plan, version, at_us),
            (Cell::Moves(cell), Some(plan)) => plan.version_at(cell, at_us),
            (Cell::Stands(version), None) => Some(version),
            _ => None,
        }
    }

    /// The version of a cell at the start of a session that began before the window.
    #[cold]
    fn version_before(&self, plan: &CellPlan, version: VersionIx, at_us: i64) -> Option<VersionIx> {
        let cell = plan.cell(&plan.versions()[version.0 as usize].cell_id)?;
        plan.version_at(cell, at_us)
    }
}

/// A row on its way to the entrance, borrowed from the buffer that it was read into.
pub(crate) struct Row<'r> {
    pub(crate) at: Moment,
    pub(crate) end: Moment,
    pub(crate) cell: Cell,
    pub(crate) of_type: TypeIx,
    /// Empty if missing.
    pub(crate) subscriber_id: &'r [u8],
    /// The subscriber's number among those met last ([`Judge::meet`]).
    pub(crate) number: usize,
    /// The country code of the home network, if it is asked for and told.
    pub(crate) mcc: Option<u16>,
}

/// Judges rows, admits the good ones, and keeps account of all.
pub(crate) struct Judge<'a> {
    clock: &'a Clock,
    cells: &'a Cells,
    types: &'a Types,
    machines: &'a [Box<[u8]>],
    batch: Batch<'a>,
    met: Met,
    /// Whether the rows have been accounted for by an earlier reading.
    again: bool,
    account: PartTally,
    earliest_us: i64,
    latest_us: i64,
    /// Events at these times are wanted, and nothing is wrong with their time.
    plain_us: Range<i64>,
    /// Rows to be admitted together, and which of them were turned away.
    seen: Vec<Seen>,
    turned: Vec<usize>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        clock: &'a Clock,
        cells: &'a Cells,
        types: &'a Types,
        machines: &'a [Box<[u8]>],
        batch: Batch<'a>,
        again: bool,
    ) -> Self {
        let account = PartTally::new(types);
        let (wanted_us, from_us) = (batch.wanted_us(), clock.from_us.max(clock.expired_before_us));
        Self {
            plain_us: from_us.max(wanted_us.start)..clock.until_us.min(wanted_us.end),
            met: Met::default(),
            seen: Vec::new(),
            turned: Vec::new(),
            clock,
            cells,
            types,
            machines,
            batch,
            again,
            account,
            earliest_us: i64::MAX,
            latest_us: i64::MIN,
        }
    }

    #[inline]
    pub(crate) fn cells(&self) -> &'a Cells {
        self.cells
    }

    /// The account since it was last taken.
    pub(crate) fn take_account(&mut self) -> PartTally {
        let mut account = std::mem::replace(&mut self.account, PartTally::new(self.types));
        account.times_us = (self.earliest_us <= self.latest_us).then_some((self.earliest_us, self.latest_us));
        (self.earliest_us, self.latest_us) = (i64::MAX, i64::MIN);
        account
    }

    /// A line that cannot be split into fields.
    #[cold]
    pub(crate) fn malformed(&mut self, flaw: Flaw) {
        self.account.rows += 1;
        self.reject(Reason::Malformed, flaw);
    }

    /// Meets the subscribers of the rows that are judged next.
    #[inline]
    pub(crate) fn meet<'i>(&mut self, ids: impl Iterator<Item = &'i [u8]> + Clone) {
        self.batch.meet_all(ids, &mut self.met);
    }

    /// Meets the entries of a dictionary, each of which may have many rows.
    pub(crate) fn meet_entries<'i>(&mut self, ids: impl Iterator<Item = &'i [u8]> + Clone) {
        self.batch.meet_all(ids, &mut self.met);
        self.batch.enter_once(&mut self.met);
    }

    /// Whether some rows are judged by their time, cell and subscriber alone, where the file tells nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.machines.is_empty() && self.types.len() == 0
    }

    /// Admits the sound ones of rows of which nothing is told but a time, a cell, the number of a subscriber who is there,
    /// and perhaps a home network. The others are `left`, by their place among these, to be judged one by one ([`Judge::judge_left`]).
    pub(crate) fn admit_plain(
        &mut self,
        rows: impl Iterator<Item = (i64, Cell, u32, Option<u16>)>,
        left: &mut Vec<usize>,
    ) {
        let Self { seen, turned, plain_us, .. } = self;
        seen.clear();
        turned.clear();
        left.clear();
        let (mut earliest_us, mut latest_us) = (self.earliest_us, self.latest_us);
        for (row, (at_us, cell, number, mcc)) in rows.enumerate() {
            match cell {
                Cell::Stands(cell) if plain_us.contains(&at_us) => {
                    (earliest_us, latest_us) = (earliest_us.min(at_us), latest_us.max(at_us));
                    seen.push(Seen { number, cell, mcc, at_us });
                }
                _ => left.push(row),
            }
        }
        (self.earliest_us, self.latest_us) = (earliest_us, latest_us);
        self.batch.admit_all(&mut self.met, seen, turned);
        let with_home = seen.iter().filter(|row| row.mcc.is_some()).count();
        let turned_with_home = turned.iter().filter(|place| seen[**place].mcc.is_some()).count();
        self.account.with_home += (with_home - turned_with_home) as u64;
        self.account.admitted += (seen.len() - turned.len()) as u64;
        self.account.rows += (seen.len() + left.len()) as u64;
        put_among(left, turned);
    }

    /// Judges a row that was left, so many rows from the last one read.
    pub(crate) fn judge_left(&mut self, row: &Row<'_>, from_last: u64) {
        self.account.rows -= from_last + 1;
        self.judge(row);
        self.account.rows += from_last;
    }

    #[inline]
    pub(crate) fn judge(&mut self, row: &Row<'_>) {
        self.account.rows += 1;
        match self.admit(row) {
            Ok(()) => self.account.admitted += 1,
            Err((reason, flaw)) => self.reject(reason, flaw),
        }
    }

    fn reject(&mut self, reason: Reason, flaw: Flaw) {
        self.account.rejected[reason as usize] += 1;
        let bad = (reason, self.account.rows, flaw);
        let graver = self.account.first_bad.is_none_or(|(first, ..)| reason < first);
        if flaw != Flaw::None && graver {
            self.account.first_bad = Some(bad);
        }
    }

    /// The reasons in their order: whatever cannot be parsed comes before whatever is missing, and so on.
    #[inline]
    fn admit(&mut self, row: &Row<'_>) -> Result<(), (Reason, Flaw)> {
        parsed(row).map_err(|flaw| (Reason::Malformed, flaw))?;
        complete(row).map_err(|flaw| (Reason::MissingField, flaw))?;
        let at_us = row.at.micros();
        let end_us = if row.end == Moment::MISSING { at_us } else { row.end.clamped().micros() };
        self.note(row, at_us, end_us);
        if !self.types.keeps(row.of_type) {
            return Err((Reason::WrongType, Flaw::None));
        }
        if at_us < self.clock.expired_before_us {
            return Err((Reason::Expired, Flaw::None));
        }
        if at_us >= self.clock.until_us || end_us < self.clock.from_us {
            return Err((Reason::OutsideWindow, Flaw::None));
        }
        let wanted = self.batch.wants(at_us, end_us);
        if self.again && !wanted {
            return Ok(());
        }
        let pass = self.pass(row).map_err(|reason| (reason, Flaw::None))?;
        let version =
            self.cells.version_at(row.cell, at_us).ok_or((Reason::UnknownCell, Flaw::UnknownCell))?;
        if !wanted {
            // Another sitting counts it; this one keeps the account.
        } else if end_us == at_us {
            self.batch.admit(pass, at_us, version);
        } else {
            self.batch.admit_session(pass, at_us, end_us, version);
        }
        self.account.with_home += u64::from(row.mcc.is_some());
        Ok(())
    }

    #[inline]
    fn pass(&self, row: &Row<'_>) -> Result<Pass, Reason> {
        let pass = self.batch.pass(&self.met, row.number, row.mcc).map_err(|turned| match turned {
            Turned::OptedOut => Reason::OptedOut,
            Turned::Machine => Reason::Machine,
        })?;
        // After the entrance, for who opted out counts as that, whatever the identifier begins with.
        if self.machines.iter().any(|prefix| row.subscriber_id.starts_with(prefix)) {
            return Err(Reason::Machine);
        }
        Ok(pass)
    }

    #[inline]
    fn note(&mut self, row: &Row<'_>, at_us: i64, end_us: i64) {
        self.earliest_us = self.earliest_us.min(at_us);
        self.latest_us = self.latest_us.max(end_us);
        if row.of_type != TypeIx::OTHER {
            self.account.types[row.of_type.0 as usize] += 1;
        }
    }
}

/// Puts rows that were turned away, by their place among those not left, among those left, by their place among all.
fn put_among(left: &mut Vec<usize>, turned: &[usize]) {
    let mut earlier = 0;
    let mut all = Vec::with_capacity(left.len() + turned.len());
    for place in turned {
        // Every row that is left before it moves it up by one.
        while left.get(earlier).is_some_and(|row| *row <= place + earlier) {
            all.push(left[earlier]);
            earlier += 1;
        }
        all.push(place + earlier);
    }
    all.extend_from_slice(&left[earlier..]);
    *left = all;
}

#[inline]
fn parsed(row: &Row<'_>) -> Result<(), Flaw> {
    if row.at == Moment::MALFORMED || row.at == Moment::LATER {
        return Err(Flaw::Time);
    }
    if row.end == Moment::MALFORMED {
        return Err(Flaw::EndTime);
    }
    if row.end != Moment::MISSING && row.end < row.at {
        return Err(Flaw::EndBeforeStart);
    }
    Ok(())
}

#[inline]
fn complete(row: &Row<'_>) -> Result<(), Flaw> {
    if row.at == Moment::MISSING {
        return Err(Flaw::NoTime);
    }
    if row.subscriber_id.is_empty() {
        return Err(Flaw::NoSubscriber);
    }
    if row.cell == Cell::Missing {
        return Err(Flaw::NoCell);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_turned_away_come_among_those_left(fates in prop::collection::vec(0..3_u8, 0..40)) {
            let mut left: Vec<usize> = fates.iter().enumerate().filter(|(_, f)| **f == 1).map(|(row, _)| row).collect();
            let kept = fates.iter().filter(|fate| **fate != 1);
            let turned: Vec<usize> = kept.enumerate().filter(|(_, f)| **f == 2).map(|(place, _)| place).collect();
            put_among(&mut left, &turned);
            let expected: Vec<usize> = fates.iter().enumerate().filter(|(_, f)| **f != 0).map(|(row, _)| row).collect();
            prop_assert_eq!(left, expected);
        }
    }
}
