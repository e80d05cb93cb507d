//! The events of a run: opens their files, checks them all before work begins, and pours them into the anonymiser.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rayon::prelude::*;
use throng_anonymiser::{Entrance, Source};
use throng_schema::CellPlan;

use crate::{
    columns::{EventColumns, EventFormat, Home, Types},
    csv::{CsvDesk, CsvLayout, Filled, Lines, failed},
    files::FileFormat,
    parquet::{ParquetDesk, ParquetLayout},
    rejects::{Cells, FileTally, IngestError, Judge, PartTally, Tally, Words},
    table::Column,
    time::{Clock, TimeReader},
};

/// Hears how far the reading has come, from any thread.
pub trait Progress: Send + Sync {
    /// So many more rows have been read.
    fn rows(&self, rows: u64);

    /// So many more bytes of the files have been read, as they are on the disk.
    fn bytes(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Nobody listens.
impl Progress for () {
    fn rows(&self, _: u64) {}
}

/// How plain and decompressed text is cut. It does not depend on the number of threads, and nothing depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Bytes of a plain CSV that are one task.
    pub(crate) range_bytes: u64,
    /// Bytes that are parsed at a time: they fit the second-level cache.
    pub(crate) block_bytes: usize,
}

const CUT: Cut = Cut { range_bytes: 16 << 20, block_bytes: 256 << 10 };

/// Blocks of one compressed file, by thread, that may wait to be parsed; when there are more, who decompresses helps.
const BLOCKS_WAITING: usize = 4;

/// What a file holds, as far as can be seen without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The file.
    pub path: PathBuf,
    /// How its bytes are to be read.
    pub format: FileFormat,
    /// Its size on the disk.
    pub bytes: u64,
    /// Names and types of its columns. A CSV has text only, and no names where there is no header.
    pub columns: Vec<(String, String)>,
    /// Its rows: exact for Parquet, else estimated.
    pub rows_estimated: u64,
}

enum Layout {
    Csv(CsvLayout),
    Parquet(Box<ParquetLayout>),
}

struct EventFile {
    path: PathBuf,
    form: FileFormat,
    bytes: u64,
    stamp: Stamp,
    layout: Layout,
}

/// Which file stands under a name, and in which state: it differs once somebody writes to it or replaces it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::metadata(path)?;
        let modified = (file.mtime(), file.mtime_nsec());
        Ok(Self { device: file.dev(), inode: file.ino(), bytes: file.len(), modified })
    }
}

/// A piece of work that one thread does in one go.
enum Task {
    RowGroup(usize),
    Range(Range<u64>),
    Stream,
}

/// The events of a run. They can be poured any number of times, and give the same account each time.
pub struct Events {
    files: Vec<EventFile>,
    columns: EventColumns,
    format: EventFormat,
    types: Types,
    clock: Clock,
    cells: Cells,
    progress: Arc<dyn Progress>,
    cut: Cut,
    wants_home: bool,
    machine_prefixes: Vec<Box<[u8]>>,
}

impl Events {
    /// Opens the files and checks that each has the columns, in types that can be read.
    ///
    /// Without a plan no cell is unknown, and all rows are admitted to the first version of a cell.
    ///
    /// # Errors
    /// For the first file, in their order, that cannot be used.
    pub fn open(
        files: Vec<PathBuf>,
        columns: EventColumns,
        format: EventFormat,
        clock: Clock,
        plan: Option<Arc<CellPlan>>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, IngestError> {
        let opened: Vec<_> =
            files.into_par_iter().map(|path| EventFile::open(path, &columns, &format)).collect();
        let files = opened.into_iter().collect::<Result<_, _>>()?;
        let types = Types::new(&format);
        let (cut, wants_home, machine_prefixes) = (CUT, false, Vec::new());
        let cells = Cells::new(plan, &clock);
        Ok(Self { files, columns, format, types, clock, cells, progress, cut, wants_home, machine_prefixes })
    }

    /// Reads the home network of each subscriber as well; without it, that column costs nothing.
    ///
    /// What stands there and is none tells no home, and makes no row malformed.
    #[must_use]
    pub fn with_homes(self) -> Self {
        Self { wants_home: true, ..self }
    }

    /// Rejects the rows of subscribers whose identifier begins with any of these as those of machines.
    #[must_use]
    pub fn without_machines<P: AsRef<[u8]>>(self, prefixes: impl IntoIterator<Item = P>) -> Self {
        let machine_prefixes = prefixes.into_iter().map(|prefix| prefix.as_ref().into()).collect();
        Self { machine_prefixes, ..self }
    }

    #[cfg(test)]
    pub(crate) fn with_cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// How many rows there are: exact for Parquet, estimated from the first rows for CSV.
    #[must_use]
    pub fn estimated_rows(&self) -> u64 {
        self.files.iter().map(EventFile::rows).sum()
    }

    /// How many bytes a crowd of all rows takes, about.
    #[must_use]
    pub fn estimated_bytes(&self) -> u64 {
        let of_file = |file: &EventFile| match &file.layout {
            Layout::Parquet(layout) => (0..layout.row_groups())
                .map(|group| layout.group_rows(group) * event_bytes(layout.keeps_subscribers(group)))
                .sum(),
            Layout::Csv(layout) => layout.rows_estimated * event_bytes(false),
        };
        self.files.iter().map(of_file).sum()
    }

    /// How many bytes the files have on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The files, in the order of their numbers.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// What each file holds, as far as can be seen without reading it.
    #[must_use]
    pub fn facts(&self) -> Vec<FileFacts> {
        self.files.iter().map(EventFile::facts).collect()
    }

    /// The work, in the order of the files, so that they are read from front to back.
    fn tasks(&self) -> Vec<(usize, Task)> {
        let of_file = |(number, file): (usize, &EventFile)| -> Vec<(usize, Task)> {
            file.tasks(self.cut).into_iter().map(|task| (number, task)).collect()
        };
        self.files.iter().enumerate().flat_map(of_file).collect()
    }

    fn pour_task(&self, number: usize, task: &Task, door: Door<'_>) -> Result<PartTally, IngestError> {
        let file = &self.files[number];
        match (&file.layout, task) {
            (Layout::Parquet(layout), Task::RowGroup(group)) => self.pour_group(number, layout, *group, door),
            (Layout::Csv(layout), Task::Range(range)) => self.pour_range(number, layout, range.clone(), door),
            (Layout::Csv(layout), _) => self.pour_stream(number, layout, door),
            (Layout::Parquet(_), _) => Ok(PartTally::default()),
        }
    }

    fn pour_group(
        &self,
        number: usize,
        layout: &ParquetLayout,
        group: usize,
        door: Door<'_>,
    ) -> Result<PartTally, IngestError> {
        let (time, separator) = (self.time(), self.columns.cell_separator.as_bytes());
        let (home, judge) = (self.home(layout.fields.home), self.judge(number, door));
        let mut desk = ParquetDesk::new(layout, home, time, separator, &self.types, judge);
        let part = desk.row_group(&self.files[number].path, group, |rows| self.progress.rows(rows))?;
        self.progress.bytes(layout.group_bytes(group));
        Ok(part)
    }

    fn pour_range(
        &self,
        number: usize,
        layout: &CsvLayout,
        range: Range<u64>,
        door: Door<'_>,
    ) -> Result<PartTally, IngestError> {
        let path = &self.files[number].path;
        let failed = |source| IngestError::Io { file: path.clone(), source };
        let mut desk = self.csv_desk(number, layout, door);
        let length = range.end - range.start;
        let mut lines = Lines::in_range(path, range, layout, self.cut.block_bytes).map_err(failed)?;
        let (mut whole, mut block) = (PartTally::new(&self.types), Vec::new());
        loop {
            let part = match lines.fill(&mut block).map_err(failed)? {
                Filled::Lines => desk.block(&block),
                Filled::LongLine => desk.long_line(),
                Filled::End => break,
            };
            self.progress.rows(part.rows);
            whole = whole.then(&part);
        }
        self.progress.bytes(length);
        Ok(whole)
    }

    /// One thread decompresses; whoever is free parses. What must not pile up, the first thread parses itself, so
    /// that one thread is enough and memory is bounded.
    fn pour_stream(
        &self,
        number: usize,
        layout: &CsvLayout,
        door: Door<'_>,
    ) -> Result<PartTally, IngestError> {
        let file = &self.files[number];
        let progress = self.progress.clone();
        let mut lines = Lines::of_stream(&file.path, file.form, layout, self.cut.block_bytes, move |n| {
            progress.bytes(n)
        })?;
        let desks = Pool::new(|| self.csv_desk(number, layout, door));
        let (blocks, parts) = (Pool::new(Vec::new), Mutex::new(Vec::new()));
        let parse = |order: usize, block: Vec<u8>| {
            let part = desks.with(|desk| desk.block(&block));
            self.progress.rows(part.rows);
            blocks.give(block);
            lock(&parts).push((order, part));
        };
        let threads = rayon::current_num_threads();
        let (waiting, waiting_max) =
            (AtomicUsize::new(0), if threads > 1 { BLOCKS_WAITING * threads } else { 0 });
        let (parse, waiting) = (&parse, &waiting);
        let read = rayon::in_place_scope(|scope| {
            for order in 0.. {
                let mut block = blocks.take();
                match lines.fill(&mut block) {
                    Ok(Filled::Lines) if waiting.load(Ordering::Acquire) < waiting_max => {
                        waiting.fetch_add(1, Ordering::AcqRel);
                        scope.spawn(move |_| {
                            parse(order, block);
                            waiting.fetch_sub(1, Ordering::AcqRel);
                        });
                    }
                    Ok(Filled::Lines) => parse(order, block),
                    Ok(Filled::LongLine) => {
                        let part = desks.with(CsvDesk::long_line);
                        self.progress.rows(part.rows);
                        lock(&parts).push((order, part));
                    }
                    Ok(Filled::End) => break,
                    Err(source) => return Err(source),
                }
            }
            Ok(())
        });
        let whole = self.in_order(parts);
        let rows = whole.rows;
        read.map(|()| whole).map_err(|source| from_row(rows + 1, failed(&file.path, file.form, source)))
    }

    fn in_order(&self, parts: Mutex<Vec<(usize, PartTally)>>) -> PartTally {
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_unstable_by_key(|(order, _)| *order);
        parts.iter().fold(PartTally::new(&self.types), |whole, (_, part)| whole.then(part))
    }

    fn csv_desk<'a>(&'a self, number: usize, layout: &'a CsvLayout, door: Door<'a>) -> CsvDesk<'a> {
        let (separator, home) = (self.columns.cell_separator.as_bytes(), self.home(layout.fields.home));
        CsvDesk::new(layout, home, self.time(), separator, &self.types, self.judge(number, door))
    }

    fn home(&self, of_file: Home) -> Home {
        if self.wants_home { of_file } else { Home::Nowhere }
    }

    fn judge<'a>(&'a self, number: usize, door: Door<'a>) -> Judge<'a> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let batch = door.entrance.batch(number);
        Judge::new(&self.clock, &self.cells, &self.types, &self.machine_prefixes, batch, door.again)
    }

    fn time(&self) -> TimeReader {
        TimeReader::new(self.clock.zone.clone(), self.format.epoch_unit)
    }

    fn words(&self, file: &EventFile) -> Words {
        let word = |column: &Column| match column {
            Column::Name(name) => name.clone(),
            Column::Number(number) => number.to_string(),
        };
        let cell_id: Vec<String> = self.columns.cell_id.iter().map(word).collect();
        Words {
            event_time: word(&self.columns.event_time),
            end_time: self.columns.end_time.as_ref().map_or_else(|| "end_time".to_owned(), word),
            subscriber_id: word(&self.columns.subscriber_id),
            cell_id: cell_id.join(" + "),
            width: file.width(),
        }
    }

    fn tally(&self, parts: Vec<(usize, PartTally)>) -> Tally {
        let mut wholes = vec![PartTally::new(&self.types); self.files.len()];
        for (number, part) in parts {
            wholes[number] = std::mem::take(&mut wholes[number]).then(&part);
        }
        let of_file = |(file, whole): (&EventFile, PartTally)| -> FileTally {
            whole.of_file(file.path.clone(), &self.words(file), &self.types)
        };
        Tally { files: self.files.iter().zip(wholes).map(of_file).collect() }
    }
}

/// The entrance as a reading finds it: for the first time, or again for people or days that were passed over.
#[derive(Clone, Copy)]
struct Door<'a> {
    entrance: &'a Entrance<'a>,
    again: bool,
}

/// The events of a run read once more, as far as they can matter to a stretch of time.
///
/// What became of the rows has been accounted for by the first reading; this one's account is of use only to see that
/// a file has not changed.
pub struct Again<'e> {
    events: &'e Events,
    /// Whether each file is to be read.
    wanted: Vec<bool>,
}

impl Events {
    /// The files that have anything to do with the time from `from_us` on and before `until_us`, as a first reading
    /// has found.
    #[must_use]
    pub fn again(&self, first: &Tally, from_us: i64, until_us: i64) -> Again<'_> {
        let touches = |(earliest, latest): (i64, i64)| earliest < until_us && latest >= from_us;
        let wanted = first.files.iter().map(|file| file.times_us.is_some_and(touches)).collect();
        Again { events: self, wanted }
    }
}

impl Again<'_> {
    /// Rows of the files that are read.
    #[must_use]
    pub fn estimated_rows(&self) -> u64 {
        let files = self.events.files.iter().zip(&self.wanted);
        files.filter(|(_, wanted)| **wanted).map(|(file, _)| file.rows()).sum()
    }
}

impl Source for Events {
    type Tally = Tally;
    type Error = IngestError;

    fn pour(&self, entrance: &Entrance<'_>) -> Result<Tally, IngestError> {
        self.pour_tasks(self.tasks(), Door { entrance, again: false })
    }
}

impl Source for Again<'_> {
    type Tally = Tally;
    type Error = IngestError;

    fn pour(&self, entrance: &Entrance<'_>) -> Result<Tally, IngestError> {
        let mut tasks = self.events.tasks();
        tasks.retain(|(number, _)| self.wanted[*number]);
        self.events.pour_tasks(tasks, Door { entrance, again: true })
    }
}

impl Events {
    fn pour_tasks(&self, tasks: Vec<(usize, Task)>, door: Door<'_>) -> Result<Tally, IngestError> {
        if self.wants_home {
            self.files.iter().try_for_each(EventFile::check_home)?;
        }
        let (next, first_failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let done = Mutex::new(Vec::with_capacity(tasks.len()));
        rayon::broadcast(|_| {
            loop {
                let order = next.fetch_add(1, Ordering::Relaxed);
                let Some((number, task)) = tasks.get(order) else { break };
                // What stands after a failure need not be read; what stands before it may fail first.
                if order > first_failed.load(Ordering::Acquire) {
                    break;
                }
                let part = self.pour_task(*number, task, door);
                if part.is_err() {
                    first_failed.fetch_min(order, Ordering::AcqRel);
                }
                lock(&done).push((order, part.map(|part| (*number, part))));
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(order, _)| *order);
        let parts: Result<Vec<_>, _> = done.into_iter().map(|(_, part)| part).collect();
        // A file that somebody writes to looks damaged, or whole and is not: that comes before what it seems to be.
        let mut read: Vec<usize> = tasks.iter().map(|(number, _)| *number).collect();
        read.dedup();
        read.into_iter().try_for_each(|number| self.files[number].check_unchanged())?;
        Ok(self.tally(parts?))
    }
}

/// Bytes that an event takes: its person is told by the entry of a dictionary, or anew for each row.
fn event_bytes(dictionary: bool) -> u64 {
    let (event, person) = throng_anonymiser::BYTES_GATHERED;
    if dictionary { event + person / 8 } else { event + person }
}

impl EventFile {
    fn open(path: PathBuf, columns: &EventColumns, format: &EventFormat) -> Result<Self, IngestError> {
        let stamp = Stamp::of(&path).map_err(|source| IngestError::Io { file: path.clone(), source })?;
        let (form, bytes) = (FileFormat::of(&path)?, stamp.bytes);
        let layout = match form {
            FileFormat::Parquet => Layout::Parquet(Box::new(ParquetLayout::look(&path, columns, format)?)),
            _ => Layout::Csv(CsvLayout::look(&path, form, bytes, columns, format)?),
        };
        Ok(Self { path, form, bytes, stamp, layout })
    }

    /// What was read is what was there when the run began, and still is.
    fn check_unchanged(&self) -> Result<(), IngestError> {
        match Stamp::of(&self.path) {
            Ok(stamp) if stamp == self.stamp => Ok(()),
            _ => Err(IngestError::Changed { file: self.path.clone() }),
        }
    }

    /// A column that can hold no home network is refused where homes are asked for, and only there.
    fn check_home(&self) -> Result<(), IngestError> {
        match &self.layout {
            Layout::Csv(_) => Ok(()),
            Layout::Parquet(layout) => layout.check_home(&self.path),
        }
    }

    fn rows(&self) -> u64 {
        match &self.layout {
            Layout::Csv(layout) => layout.rows_estimated,
            Layout::Parquet(layout) => layout.rows(),
        }
    }

    fn width(&self) -> usize {
        match &self.layout {
            Layout::Csv(layout) => layout.width,
            Layout::Parquet(layout) => layout.columns.len(),
        }
    }

    fn tasks(&self, cut: Cut) -> Vec<Task> {
        match &self.layout {
            Layout::Parquet(layout) => (0..layout.row_groups()).map(Task::RowGroup).collect(),
            Layout::Csv(_) if self.form != FileFormat::Csv => vec![Task::Stream],
            Layout::Csv(_) => {
                let start = (0..self.bytes).step_by(usize::try_from(cut.range_bytes).unwrap_or(usize::MAX));
                start.map(|start| Task::Range(start..(start + cut.range_bytes).min(self.bytes))).collect()
            }
        }
    }

    fn facts(&self) -> FileFacts {
        let columns = match &self.layout {
            Layout::Parquet(layout) => layout.columns.clone(),
            Layout::Csv(layout) => {
                let names = layout.names.clone().unwrap_or_else(|| vec![String::new(); layout.width]);
                names.into_iter().map(|name| (name, "text".to_owned())).collect()
            }
        };
        let (path, format, bytes) = (self.path.clone(), self.form, self.bytes);
        FileFacts { path, format, bytes, columns, rows_estimated: self.rows() }
    }
}

/// The same damage, and where it begins.
fn from_row(first: u64, error: IngestError) -> IngestError {
    match error {
        IngestError::Damaged { file, expected, .. } => {
            IngestError::Damaged { file, row: Some(first), expected }
        }
        other => other,
    }
}

/// Things that are used again rather than made anew.
struct Pool<T, F> {
    idle: Mutex<Vec<T>>,
    make: F,
}

impl<T, F: Fn() -> T> Pool<T, F> {
    fn new(make: F) -> Self {
        Self { idle: Mutex::new(Vec::new()), make }
    }

    fn take(&self) -> T {
        let idle = lock(&self.idle).pop();
        idle.unwrap_or_else(&self.make)
    }

    fn give(&self, thing: T) {
        lock(&self.idle).push(thing);
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut thing = self.take();
        let result = work(&mut thing);
        self.give(thing);
        result
    }
}

/// What a mutex guards here stays whole even if a thread died holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
