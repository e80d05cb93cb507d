//! The release: the only writer of what may leave the company, beside its destination and then moved, whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
};
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, UnionArgs, concat};
use rayon::prelude::*;
use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, renameat_with},
    io::Errno,
};
use throng_anonymiser::{Protected, ProtectedTable};
use throng_schema::{Census, Format, Period, SCHEMA_VERSION, Status, context_schema, occasions_schema};

use crate::{
    columns::{arrow_schema, places_schema},
    context::context_rows,
    dwell,
    expansion::Expansion,
    formats::{self, About, FormatError, Geometries},
    frequency,
    guests::{areas_frame, occasion_rows},
    kept::Kept,
    ledger::Ledger,
    manifest::{FileEntry, Manifest, NOT_PROMISED, PROMISED, Parameters, ReportEntry, UNPROTECTED},
    occasions::Gathering,
    pairs::{Measure, flow_rows, residence_rows},
    reports::{Report, Reports, Today},
    seal::{Seal, Sealed},
    shape::{ShapeError, class_rows, places_frame, rows, to_arrow},
};

pub(crate) const MANIFEST: &str = "manifest.json";

/// Why there is no release. The earlier one, if any, still stands.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The destination holds something that no run has made.
    #[error("{} exists and is not a release; expected an empty or new folder, or an earlier release to replace", .0.display())]
    NotARelease(PathBuf),
    /// Another run is writing to the destination.
    #[error("{} is being written by another run; expected one run at a time", .0.display())]
    Taken(PathBuf),
    /// Where the release is to be prepared, there is something that no run has left.
    #[error("{} is in the way; expected nothing there, or a folder of this user that a run has left", .0.display())]
    InTheWay(PathBuf),
    /// The destination has no parent folder or name.
    #[error("{} cannot hold a release; expected the path of a folder", .0.display())]
    NoFolder(PathBuf),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Parquet file could not be encoded.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// The days have been released in another way.
    #[error(transparent)]
    Sealed(#[from] Sealed),
    /// A report could not be shaped.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A report could not be written in a further format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The manifest could not be encoded.
    #[error("the manifest could not be encoded: {0}")]
    Json(#[from] serde_json::Error),
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> ReleaseError + use<> {
    let path = path.to_owned();
    move |source| ReleaseError::Io { path, source }
}

/// A destination that is this run's alone, with a folder beside it that becomes the release or nothing.
///
/// The folder is closed to others and locked as long as the claim lives. It goes with the claim: whatever is in it
/// when the claim is dropped is a release that failed, or the earlier one that was replaced.
pub struct Claim {
    staging: PathBuf,
    pub(crate) out: PathBuf,
    /// Holds the lock on the staging folder, also once it is the release.
    lock: File,
    /// Holds the lock on the earlier release, which has changed places with it and is about to go.
    replaced: OnceLock<File>,
    /// Nothing of this run is in the place of the staging folder any more: what is there next is another run's.
    moved: AtomicBool,
}

impl Claim {
    /// Claims a destination before any work is done.
    ///
    /// # Errors
    /// When it holds anything but an earlier release, another run has claimed it, or its parent cannot be made.
    pub fn new(out: &Path) -> Result<Self, ReleaseError> {
        // What a link points to is replaced, and not the link.
        let out = match out.canonicalize() {
            Ok(real) => real,
            Err(_) if out.is_symlink() => return Err(ReleaseError::NoFolder(out.to_owned())),
            Err(_) => out.to_owned(),
        };
        let (parent, name) = parent_and_name(&out)?;
        refuse_what_is_no_release(&out)?;
        fs::create_dir_all(&parent).map_err(at(&parent))?;
        let staging = parent.join(format!(".{name}.partial"));
        let lock = lock(&staging, &out, true)?;
        let claim = Self { staging, out, lock, replaced: OnceLock::new(), moved: AtomicBool::new(false) };
        claim.put_back()?;
        // What a run that died has left.
        for entry in fs::read_dir(&claim.staging).map_err(at(&claim.staging))? {
            let entry = entry.map_err(at(&claim.staging))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(at(&claim.staging))?);
            if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
                .map_err(at(&path))?;
        }
        Ok(claim)
    }

    /// Where two steps are needed to replace a release, a run may have died between them: what it set aside goes back
    /// to its place, or away where another is in it, or where that run had begun to remove it.
    fn put_back(&self) -> Result<(), ReleaseError> {
        let aside = self.aside()?;
        let Some(_held) = open_to_hold(&aside, &self.out, true)? else { return Ok(()) };
        refuse_what_is_no_release(&aside)?;
        if self.out.exists() || !is_whole(&aside) {
            remove_release(&aside)
        } else {
            fs::rename(&aside, &self.out)
        }
        .map_err(at(&aside))
    }

    /// Where an earlier release stands for a moment, if it takes two steps to replace it.
    fn aside(&self) -> Result<PathBuf, ReleaseError> {
        let (parent, name) = parent_and_name(&self.out)?;
        Ok(parent.join(format!(".{name}.replaced")))
    }

    /// Moves the folder into place. An earlier release changes places with it in one step where the file system
    /// can, and in two where it cannot.
    fn release(&self) -> Result<(), ReleaseError> {
        sync_folders(&self.staging).map_err(at(&self.staging))?;
        let mode = 0o777 & !umask();
        open_what_is_in(&self.staging, mode).map_err(at(&self.staging))?;
        if !is_still(&self.lock, &self.staging) {
            return Err(ReleaseError::InTheWay(self.staging.clone()));
        }
        self.put_in_place()?;
        // Closed to others until it is the release: what fails on the way has been seen by nobody.
        let mode = with_mode(&self.lock.metadata().map_err(at(&self.out))?, mode);
        self.lock.set_permissions(mode).map_err(at(&self.out))?;
        // The release is in place; that it would outlast a power cut is all that could still fail.
        let (parent, _) = parent_and_name(&self.out)?;
        let _ = File::open(&parent).and_then(|folder| folder.sync_all());
        Ok(())
    }

    fn put_in_place(&self) -> Result<(), ReleaseError> {
        let wrong = |error: io::Error| at(&self.out)(error);
        if !self.out.exists() {
            fs::rename(&self.staging, &self.out).map_err(wrong)?;
            self.moved.store(true, Ordering::Release);
            return Ok(());
        }
        // Held until it is gone, or the next run would prepare its release in the folder that goes.
        let earlier = File::open(&self.out).map_err(wrong)?;
        if !lock_in_time(&earlier, PATIENCE).map_err(wrong)? {
            return Err(ReleaseError::Taken(self.out.clone()));
        }
        match renameat_with(CWD, &self.staging, CWD, &self.out, RenameFlags::EXCHANGE) {
            Ok(()) => {
                let _ = self.replaced.set(earlier);
                return Ok(());
            }
            // Not on this file system, or not in this sandbox.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(error) => return Err(wrong(error.into())),
        }
        let aside = self.aside()?;
        fs::rename(&self.out, &aside).map_err(wrong)?;
        if let Err(error) = fs::rename(&self.staging, &self.out) {
            let _ = fs::rename(&aside, &self.out);
            return Err(wrong(error));
        }
        self.moved.store(true, Ordering::Release);
        // If it stays, or a part of it, the next run removes it.
        let _ = remove_release(&aside);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.moved.load(Ordering::Acquire) {
            let _ = fs::remove_dir_all(&self.staging);
        }
    }
}

/// How long a run waits for whoever holds the release that it is to replace: any reader may.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it waits for another run that is putting its release, or its history, in place: longer than that one waits.
pub(crate) const PATIENCE_WITH_RUNS: Duration = Duration::from_secs(600);

/// Waits for a lock, but not for ever.
pub(crate) fn lock_in_time(file: &File, patience: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() > patience => return Ok(false),
            Err(fs::TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
        }
    }
}

/// Whether what is open still stands under its name, and no link in its stead.
fn is_still(open: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((open.metadata(), fs::symlink_metadata(path)), (Ok(open), Ok(named)) if same(&open, &named))
}

/// Makes and locks the staging folder. The lock is on the folder itself, so a run that was killed holds none.
///
/// A link is not followed, for whoever may write beside the destination could have put it there. A folder that only
/// runs make (`ours`) is nobody else's: one of another user is not used, and it is closed to others.
pub(crate) fn lock(staging: &Path, out: &Path, ours: bool) -> Result<File, ReleaseError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    loop {
        match fs::DirBuilder::new().mode(0o700).create(staging) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(staging)(error)),
            _ => {}
        }
        // Another run may have moved its own just now, also between opening and locking.
        let Some(folder) = open_to_hold(staging, out, ours)? else { continue };
        if is_still(&folder, staging) {
            let mode = folder.metadata().map_err(at(staging))?.mode();
            if ours && mode & 0o077 != 0 {
                let closed = fs::Permissions::from_mode(mode & 0o7700 | 0o700);
                folder.set_permissions(closed).map_err(at(staging))?;
            }
            return Ok(folder);
        }
    }
}

/// Opens and locks a folder, if there is one; whoever holds it has taken the destination.
fn open_to_hold(folder: &Path, out: &Path, ours: bool) -> Result<Option<File>, ReleaseError> {
    use std::os::unix::fs::MetadataExt;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = match rustix::fs::open(folder, flags, Mode::empty()) {
        Ok(open) => File::from(open),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => return Err(ReleaseError::InTheWay(folder.to_owned())),
        Err(error) => return Err(at(folder)(error.into())),
    };
    let owner = open.metadata().map_err(at(folder))?.uid();
    if ours && owner != rustix::process::geteuid().as_raw() {
        return Err(ReleaseError::InTheWay(folder.to_owned()));
    }
    match open.try_lock() {
        Ok(()) => Ok(Some(open)),
        Err(fs::TryLockError::WouldBlock) => Err(ReleaseError::Taken(out.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(at(folder)(error)),
    }
}

/// As much of a manifest as those of every version have.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "that the fields are there is what tells a manifest")]
struct AnyManifest {
    throng: String,
    schema_version: u32,
    files: Vec<AnyFile>,
}

#[derive(serde::Deserialize)]
struct AnyFile {
    path: String,
}

fn any_manifest(folder: &Path) -> Option<AnyManifest> {
    serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()
}

/// A folder may be replaced if it is empty, or holds a manifest and nothing that the manifest does not list.
fn refuse_what_is_no_release(out: &Path) -> Result<(), ReleaseError> {
    if !out.exists() {
        return Ok(());
    }
    let found = files_below(out).map_err(at(out))?;
    let ours = found.is_empty()
        || any_manifest(out).is_some_and(|manifest| {
            let listed = |path: &PathBuf| {
                path.to_str().is_some_and(|path| manifest.files.iter().any(|f| f.path == path))
            };
            found.iter().all(|path| path.as_os_str() == MANIFEST || listed(path))
        });
    if ours { Ok(()) } else { Err(ReleaseError::NotARelease(out.to_owned())) }
}

/// Whether all that the manifest of a release lists is there.
fn is_whole(release: &Path) -> bool {
    any_manifest(release)
        .is_some_and(|manifest| manifest.files.iter().all(|file| release.join(&file.path).exists()))
}

/// Removes a release, its manifest last: whatever is left where this is broken off is known for what it is.
fn remove_release(release: &Path) -> io::Result<()> {
    for entry in fs::read_dir(release)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != MANIFEST {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(release)
}

/// Every file below a folder, by its relative path.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?.into_iter().map(|below| name.join(below)));
        } else {
            files.push(name);
        }
    }
    Ok(files)
}

/// Lets others read all that is below a folder, as far as the mode says; who may not read may not enter. The folder
/// itself stays as it is.
fn open_what_is_in(folder: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(folder)? {
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        if entry?.is_dir() {
            open_what_is_in(&path, mode)?;
            fs::set_permissions(&path, with_mode(&fs::metadata(&path)?, mode))?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o666))?;
        }
    }
    Ok(())
}

/// The permissions of a folder with this mode; that files get its group, if it says so, stays.
fn with_mode(folder: &fs::Metadata, mode: u32) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(folder.permissions().mode() & 0o7000 | mode)
}

/// What this process keeps from others by default, as Linux tells it; where that is not told, everything.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let told =
        status.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("Umask:")?.trim(), 8).ok());
    told.unwrap_or(0o077)
}

/// Makes the entries of a folder and of all below it outlast a power cut.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

pub(crate) fn parent_and_name(out: &Path) -> Result<(PathBuf, String), ReleaseError> {
    let name = out
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| ReleaseError::NoFolder(out.to_owned()))?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((parent.to_owned(), name.to_owned()))
}

/// A release in the making, beside its destination: day by day, then moved into place, whole.
///
/// The bytes depend on the tables and the parameters alone.
pub struct Release<'a> {
    reports: &'a Reports,
    expansion: &'a Expansion,
    zone: String,
    claim: &'a Claim,
    further: Further,
    places: DataFrame,
    files: Vec<FileEntry>,
    /// The parts of each report, in the order of their days.
    parts: BTreeMap<Report, Vec<String>>,
}

/// What a release has beside the Parquet of its counts.
#[derive(Default)]
pub struct Further {
    /// Formats beside Parquet.
    pub formats: Vec<Format>,
    /// The polygons of places, where a format needs them.
    pub geometries: Option<Geometries>,
    /// The figures of the context report.
    pub census: Census,
}

impl<'a> Release<'a> {
    /// Begins a release at the claimed destination.
    ///
    /// # Errors
    /// When the places cannot be written.
    pub fn begin(
        reports: &'a Reports,
        expansion: &'a Expansion,
        zone: &str,
        further: Further,
        claim: &'a Claim,
    ) -> Result<Self, ReleaseError> {
        let places = places_frame(reports.tree())?;
        let batch = to_arrow(&places, &places_schema())?;
        let mut files = vec![write_parquet(&claim.staging, "places.parquet", &batch)?];
        if reports.makes(Report::Occasions) {
            let areas = to_arrow(&areas_frame(reports)?, &occasions_schema(zone))?;
            files.push(write_parquet(&claim.staging, "occasions.parquet", &areas)?);
        }
        let zone = zone.to_owned();
        Ok(Self { reports, expansion, zone, claim, further, places, files, parts: BTreeMap::new() })
    }

    /// Writes every report of a day.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn day(&mut self, today: &Today<'_>, protected: &Protected) -> Result<(), ReleaseError> {
        let daily = [
            Report::Presence,
            Report::Visitors,
            Report::Residence,
            Report::Dwell,
            Report::Flows,
            Report::Context,
        ];
        let wanted: Vec<Report> = daily.into_iter().filter(|report| self.reports.makes(*report)).collect();
        let written = wanted.par_iter().map(|report| {
            let frames = match report {
                Report::Presence => self.presence(today, &protected.tables),
                Report::Visitors => self.visitors(today, &protected.tables),
                Report::Residence => self.residence(today, protected),
                Report::Dwell => self.dwell(today, &protected.tables),
                Report::Context => self.context(today, &protected.tables),
                _ => self.flows(today, protected),
            }?;
            let name = format!("{}/date={}/part.parquet", report.as_str(), today.day().date);
            self.write(*report, name, frames)
        });
        let written = written.collect::<Result<Vec<_>, ReleaseError>>()?;
        written.into_iter().for_each(|part| self.take(part));
        Ok(())
    }

    /// Writes the report of the whole window: all visitors of a place, then by how often they came.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn window(&mut self, [all, classes]: &[ProtectedTable; 2]) -> Result<(), ReleaseError> {
        let at = (self.reports.calendar().start_us(), Period::Window);
        let words = frequency::CLASSES.map(|(word, _)| word);
        let frames = [(all, &["all"][..]), (classes, &words)]
            .map(|(table, words)| class_rows(table, at, &self.places, ("days", words), self.expansion));
        let frames = frames.into_iter().collect::<Result<Vec<_>, ShapeError>>()?;
        let part = self.write(Report::Frequency, whole(Report::Frequency), frames)?;
        self.take(part);
        Ok(())
    }

    /// Writes the report on occasions.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn occasions(
        &mut self,
        gatherings: &[(Gathering<'_>, Protected)],
        kept: &Kept,
    ) -> Result<(), ReleaseError> {
        let frame = occasion_rows(gatherings, kept, self.reports, self.expansion)?;
        let part = self.write(Report::Occasions, whole(Report::Occasions), vec![frame.lazy()])?;
        self.take(part);
        Ok(())
    }

    /// Writes the manifest: the release is whole, and not yet in its place.
    ///
    /// # Errors
    /// When it cannot be written, or the seal forbids this release. What stood at the destination before still stands.
    pub fn close(
        mut self,
        parameters: Parameters,
        credits: &[&str],
        seal: &Seal,
    ) -> Result<Ready<'a>, ReleaseError> {
        if self.further.formats.contains(&Format::Xlsx) {
            let book = self.workbook(&parameters, credits)?;
            self.files.push(book);
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        // From the last look at what stands there to the end of the move, no other run may release beside this one.
        let beside = lock_beside(&self.claim.out)?;
        let manifest = seal.close(manifest(parameters, self.reports, credits, self.files))?;
        let mut json = serde_json::to_vec_pretty(&manifest)?;
        json.push(b'\n');
        write_file(&self.claim.staging.join(MANIFEST), &json)?;
        let manifest_blake3 = blake3::hash(&json).to_hex().to_string();
        Ok(Ready { claim: self.claim, manifest_blake3, _beside: beside })
    }

    /// A part of a report, in every format.
    fn write(&self, report: Report, name: String, frames: Frames) -> Result<Written, ReleaseError> {
        let frame = concat(frames, UnionArgs::default()).map_err(ShapeError::from)?;
        let frame = frame.collect().map_err(ShapeError::from)?;
        let schema = match report {
            Report::Context => context_schema(&self.zone, &self.further.census.columns),
            _ => arrow_schema(report, &self.zone),
        };
        let (staging, batch) = (&self.claim.staging, to_arrow(&frame, &schema)?);
        let mut files = vec![write_parquet(staging, &name, &batch)?];
        if let Some(geometries) = &self.further.geometries {
            for file in formats::further(&name, &batch, &self.further.formats, geometries)? {
                write_file(&staging.join(&file.path), &file.bytes)?;
                files.push(file.entry());
            }
        }
        Ok(Written { report, name, files })
    }

    fn take(&mut self, written: Written) {
        self.files.extend(written.files);
        self.parts.entry(written.report).or_default().push(written.name);
    }

    fn workbook(&self, parameters: &Parameters, credits: &[&str]) -> Result<FileEntry, ReleaseError> {
        let reports: Vec<_> = self.parts.iter().map(|(report, parts)| (*report, parts.clone())).collect();
        let promised = promised(parameters.k);
        let about = About { parameters, promised, not_promised: &NOT_PROMISED, credits };
        let book = formats::workbook(&self.claim.staging, &reports, &about)?;
        write_file(&self.claim.staging.join(&book.path), &book.bytes)?;
        Ok(book.entry())
    }

    fn context(&self, today: &Today<'_>, tables: &[ProtectedTable]) -> Result<Frames, ShapeError> {
        let concatenated = |frames: Frames| concat(frames, UnionArgs::default());
        let presence = concatenated(self.presence(today, tables)?)?;
        let visitors = concatenated(self.visitors(today, tables)?)?;
        let census = &self.further.census;
        Ok(vec![context_rows(presence, visitors, census, self.reports.tree(), today.day())?.lazy()])
    }

    fn presence(&self, today: &Today<'_>, tables: &[ProtectedTable]) -> Result<Frames, ShapeError> {
        let Some(table) = today.presence() else { return Ok(Vec::new()) };
        let instants = today.calendar.instants_of(today.day());
        Ok(vec![rows(&tables[table], &instants, None, &self.places, self.expansion)?])
    }

    /// The day first, then its hours.
    fn visitors(&self, today: &Today<'_>, tables: &[ProtectedTable]) -> Result<Frames, ShapeError> {
        let Some((hours, days)) = today.visitors() else { return Ok(Vec::new()) };
        let whole = [(0, today.day().start_us)];
        Ok(vec![
            rows(&tables[days], &whole, Some(Period::Day), &self.places, self.expansion)?,
            rows(&tables[hours], &today.hours(), Some(Period::Hour), &self.places, self.expansion)?,
        ])
    }

    /// The visitors of the day first, then those present at its hours.
    fn residence(&self, today: &Today<'_>, protected: &Protected) -> Result<Frames, ShapeError> {
        let (Some(residence), Some((_, days)), Some(presence)) =
            (today.residence(), today.visitors(), today.presence())
        else {
            return Ok(Vec::new());
        };
        let instant = |at_us: i64| today.calendar.instants().before(at_us);
        let visitors = Measure {
            name: "visitors",
            period: Period::Day,
            times: vec![(today.day().start_us, 0)],
            totals: &protected.tables[days],
            pairs: &protected.pairs[residence.visiting],
        };
        let present = Measure {
            name: "presence",
            period: Period::Hour,
            times: today.hours().iter().map(|(_, at_us)| (*at_us, instant(*at_us))).collect(),
            totals: &protected.tables[presence],
            pairs: &protected.pairs[residence.present],
        };
        [visitors, present]
            .iter()
            .map(|measure| residence_rows(measure, self.reports, self.expansion))
            .collect()
    }

    fn dwell(&self, today: &Today<'_>, tables: &[ProtectedTable]) -> Result<Frames, ShapeError> {
        let Some(table) = today.dwell() else { return Ok(Vec::new()) };
        let words = dwell::CLASSES.map(|(word, _)| word);
        let at = (today.day().start_us, Period::Day);
        Ok(vec![class_rows(&tables[table], at, &self.places, ("dwell", &words), self.expansion)?])
    }

    /// The day first, then its hours.
    fn flows(&self, today: &Today<'_>, protected: &Protected) -> Result<Frames, ShapeError> {
        let Some(table) = today.flows() else { return Ok(Vec::new()) };
        let (pairs, hours) = (&protected.pairs[table], today.hours());
        let day = [(hours.len(), today.day().start_us)];
        Ok(vec![
            flow_rows(pairs, &day, Period::Day, self.reports, self.expansion)?,
            flow_rows(pairs, &hours, Period::Hour, self.reports, self.expansion)?,
        ])
    }
}

/// A release that is whole, beside its destination: all but the move.
pub struct Ready<'a> {
    claim: &'a Claim,
    manifest_blake3: String,
    _beside: File,
}

impl Ready<'_> {
    /// BLAKE3 of the manifest, by which an account says which release it is of.
    #[must_use]
    pub fn manifest_blake3(&self) -> &str {
        &self.manifest_blake3
    }

    /// Moves the release into its place.
    ///
    /// # Errors
    /// When it cannot be moved. What stood at the destination before still stands.
    pub fn publish(self) -> Result<(), ReleaseError> {
        self.claim.release()
    }
}

type Frames = Vec<LazyFrame>;

/// A part of a report that has been written.
struct Written {
    report: Report,
    name: String,
    files: Vec<FileEntry>,
}

/// The only file of a report that has no days.
fn whole(report: Report) -> String {
    format!("{}/part.parquet", report.as_str())
}

/// One device is a group of its own where k is 1.
fn promised(k: u64) -> &'static [&'static str] {
    if k <= 1 { &UNPROTECTED } else { &PROMISED }
}

/// Holds the folder in which a release is to stand, against other runs that release into it.
fn lock_beside(out: &Path) -> Result<File, ReleaseError> {
    let (parent, _) = parent_and_name(out)?;
    let folder = File::open(&parent).map_err(at(&parent))?;
    let free = lock_in_time(&folder, PATIENCE_WITH_RUNS).map_err(at(&parent))?;
    if free { Ok(folder) } else { Err(ReleaseError::Taken(parent)) }
}

fn manifest(parameters: Parameters, reports: &Reports, credits: &[&str], files: Vec<FileEntry>) -> Manifest {
    let entry = |report: Report| {
        ReportEntry {
        name: report.as_str().to_owned(),
        people: match report {
            Report::Presence => "people in the place at the instant; places add up to their parent, but for rounding where an expansion is applied",
            Report::Visitors => "distinct people with a stay in the place during the hour or day",
            Report::Residence => "people present when the hour begins, and the day's visitors, by where they live; `finest` rows are the finest that is safe",
            Report::Dwell => "the day's visitors of the place by the time that each spent there in all",
            Report::Frequency => "the window's visitors of the place by the number of days on which each came",
            Report::Flows => "trips from the place to the destination that arrive in the hour; the day is the sum of its hours",
            Report::Occasions => "people in the occasion's area during its window",
            Report::Context => "the day's published presence and visitors beside census figures",
        }
        .to_owned(),
        adds_up: report == Report::Presence,
    }
    };
    let meaning = |status| match status {
        Status::Published => "the number is there, and at least k devices stand behind it",
        Status::Withheld => "too few, withheld to protect others, or nobody: which of them is not told",
        Status::NoCoverage => "no cell of the plan serves the place, so nobody could be seen there",
    };
    let promised = promised(parameters.k);
    let statuses: BTreeMap<_, _> =
        Status::ALL.map(|status| (status.as_str().to_owned(), meaning(status).to_owned())).into();
    Manifest {
        throng: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version: SCHEMA_VERSION,
        parameters,
        reports: reports.wanted().map(entry).collect(),
        statuses,
        promised: promised.iter().map(|promise| (*promise).to_owned()).collect(),
        not_promised: NOT_PROMISED.map(str::to_owned).to_vec(),
        credits: credits.iter().map(|credit| (*credit).to_owned()).collect(),
        supersedes: Vec::new(),
        files,
    }
}

/// Compressed, with statistics by chunk, and nothing in it that differs from run to run.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("throng version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

fn write_parquet(root: &Path, name: &str, batch: &RecordBatch) -> Result<FileEntry, ReleaseError> {
    let path = root.join(name);
    let bytes = encode(batch, &batch.schema())
        .map_err(|source| ReleaseError::Parquet { path: path.clone(), source })?;
    write_file(&path, &bytes)?;
    Ok(FileEntry {
        path: name.to_owned(),
        bytes: bytes.len() as u64,
        rows: batch.num_rows() as u64,
        blake3: blake3::hash(&bytes).to_hex().to_string(),
    })
}

pub(crate) fn encode(batch: &RecordBatch, schema: &SchemaRef) -> Result<Vec<u8>, ParquetError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties()))?;
    writer.write(batch)?;
    writer.into_inner()
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ReleaseError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    }
    let mut options = File::options();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

pub(crate) fn make_ledger_folder(folder: &Path) -> Result<(), ReleaseError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))
}

/// The name of the account in the ledger.
pub(crate) const ACCOUNT: &str = "run.json";

/// Writes `run.json` beside its place in the ledger's folder, readable by its owner alone.
///
/// # Errors
/// When it cannot be written.
pub fn write_ledger(ledger: &Ledger, folder: &Path) -> Result<Filed, ReleaseError> {
    let mut json = serde_json::to_vec_pretty(ledger)?;
    json.push(b'\n');
    write_ledger_file(folder, ACCOUNT, &json)
}

/// Writes a file of the ledger beside its place, readable by its owner alone.
pub(crate) fn write_ledger_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<Filed, ReleaseError> {
    let mut file = LedgerFile::begin(folder, name)?;
    file.write_all(bytes).map_err(at(&file.partial))?;
    file.close()
}

/// A file of the ledger that is on the disk, and takes its place once the release has: it goes away if that fails.
#[must_use]
pub struct Filed(LedgerFile);

impl Filed {
    /// Puts the file in the place of the one that stood there; gives its path.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn place(self) -> Result<PathBuf, ReleaseError> {
        let Self(mut file) = self;
        fs::rename(&file.partial, &file.path).map_err(at(&file.path))?;
        file.placed = true;
        Ok(file.path.clone())
    }
}

/// A file of the ledger in the making, readable by its owner alone: whole in its place, or not there.
pub(crate) struct LedgerFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    placed: bool,
}

impl LedgerFile {
    pub(crate) fn begin(folder: &Path, name: &str) -> Result<Self, ReleaseError> {
        use std::os::unix::fs::OpenOptionsExt;
        make_ledger_folder(folder)?;
        let (path, partial) = (folder.join(name), folder.join(format!(".{name}.partial")));
        // What a run that died has left, or somebody has put there, is neither followed nor filled.
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&partial)(error)),
            _ => {}
        }
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&partial).map_err(at(&partial))?;
        Ok(Self { path, partial, file, placed: false })
    }

    pub(crate) fn close(self) -> Result<Filed, ReleaseError> {
        self.file.sync_all().map_err(at(&self.partial))?;
        Ok(Filed(self))
    }
}

impl Write for LedgerFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for LedgerFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.partial);
        }
    }
}
