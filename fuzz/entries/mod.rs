//! What every target does with its bytes: the entry points that the program uses, and what must hold after them.
//!
//! Targets of `cargo fuzz` and the test `fuzz_corpus` share these, so that what was found once is tried by every
//! `cargo test`. The first byte of an input says how it is to be read; the rest is the file.

use std::{
    cell::OnceCell,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Once},
};

use jiff::tz::TimeZone;
use tempfile::TempDir;
use throng_anonymiser::{Crowd, Frame, GatherError, Share, Sitting, Subscribers};
use throng_ingest::{
    CellColumns, CellIdColumns, Clock, EpochUnit, EventColumns, EventFormat, Events, IngestError, Places,
    Reason, SubscriberIdKind, Tally,
};
use throng_schema::{CellPlan, CellVersion};
use throng_verifier::{Means, Options};

/// Panics end the process, but for those of decoders that are told of as damage.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !throng_decoding::is_guarded() {
                loud(panic);
            }
        }));
    });
}

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
    static POOL: OnceCell<rayon::ThreadPool> = const { OnceCell::new() };
}

/// Writes the bytes to a file and does something with it, on this thread alone.
pub(crate) fn in_a_file<R: Send>(name: &str, bytes: &[u8], work: impl FnOnce(&Path) -> R + Send) -> R {
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::write(&path, bytes).expect("written");
    alone(|| work(&path))
}

fn alone<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let pool =
        || rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().expect("a thread");
    POOL.with(|one| one.get_or_init(pool).install(work))
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// 2026-10-15 00:00 UTC.
const MIDNIGHT_US: i64 = 1_792_022_400_000_000;

fn zone() -> TimeZone {
    TimeZone::get("Europe/Brussels").expect("bundled")
}

/// Cells `a` to `e`, and `7`, of which `e` moves at noon.
static PLAN: LazyLock<Arc<CellPlan>> = LazyLock::new(|| {
    let cell = |id: &str, from_us, until_us| CellVersion {
        cell_id: id.as_bytes().into(),
        from_us,
        until_us,
        place: None,
        at: None,
    };
    let noon = MIDNIGHT_US + 12 * HOUR_US;
    let mut versions: Vec<_> =
        ["7", "7-1", "a", "b", "c", "d"].map(|id| cell(id, i64::MIN, i64::MAX)).into_iter().collect();
    versions.extend([cell("e", i64::MIN, noon), cell("e", noon, i64::MAX)]);
    Arc::new(CellPlan::new(versions).expect("a plan"))
});

static SUBSCRIBERS: LazyLock<Subscribers> = LazyLock::new(|| {
    let mut subscribers = Subscribers::new().expect("a key");
    subscribers.opt_out(b"2");
    subscribers.machine(b"3");
    subscribers
});

/// How events are to be read, as the first byte of an input says.
#[derive(Clone, Copy)]
struct How(u8);

impl How {
    fn format(self) -> EventFormat {
        let epoch_unit = [None, Some(EpochUnit::Seconds), Some(EpochUnit::Micros), Some(EpochUnit::Nanos)];
        EventFormat {
            epoch_unit: epoch_unit[usize::from(self.0 & 3)],
            header: self.0 & 4 == 0,
            delimiter: if self.0 & 8 == 0 { "," } else { ";" }.parse().expect("a delimiter"),
            keep_types: Vec::new(),
            drop_types: if self.0 & 16 == 0 { Vec::new() } else { vec!["drop".to_owned()] },
            subscriber_id_kind: if self.0 & 32 == 0 {
                SubscriberIdKind::Opaque
            } else {
                SubscriberIdKind::Imsi
            },
        }
    }

    fn columns(self) -> EventColumns {
        let columns = if self.0 & 4 == 0 {
            EventColumns::default()
        } else {
            let number = throng_ingest::Column::Number;
            EventColumns {
                event_time: number(1),
                subscriber_id: number(2),
                cell_id: vec![number(3)],
                event_type: (self.0 & 16 != 0).then(|| number(4)),
                ..EventColumns::default()
            }
        };
        let joined = vec!["cell_id".into(), "sector".into()];
        if self.0 & 64 == 0 { columns } else { EventColumns { cell_id: joined, ..columns } }
    }
}

/// Reads events to their end, and sees that every row has one fate.
fn account(path: &Path, how: How) -> Result<Tally, IngestError> {
    let clock = Clock {
        zone: zone(),
        expired_before_us: MIDNIGHT_US - 92 * DAY_US,
        from_us: MIDNIGHT_US,
        until_us: MIDNIGHT_US + DAY_US,
    };
    let plan = Some(Arc::clone(&PLAN));
    let events = Events::open(vec![path.to_owned()], how.columns(), how.format(), clock, plan, Arc::new(()))?;
    let (_, _, _) = (events.facts(), events.estimated_bytes(), events.estimated_rows());
    let events = if how.0 & 128 == 0 { events } else { events.with_homes().without_machines(["9"]) };
    let frame = Frame {
        from_us: MIDNIGHT_US,
        until_us: MIDNIGHT_US + DAY_US,
        hold_us: HOUR_US,
        versions: PLAN.versions().len(),
        files: 1,
        memory: 1 << 20,
    };
    let gathered = Crowd::gather(&events, &SUBSCRIBERS, &frame, Share::whole());
    let (mut crowd, mut tally) = gathered.map_err(|GatherError::Source(error)| error)?;
    let whole = crowd.left_over().is_none();
    let counted = crowd.count(&Sitting::of(&[], &SUBSCRIBERS), |cell, _| Some(cell), None, |_, _| {});
    let [duplicates, ..] = &counted.found;
    assert!(duplicates[0] <= tally.admitted(), "a row counts as a duplicate that was not admitted");
    let admitted = tally.admitted();
    tally.settle(&[(Reason::Duplicate, duplicates.clone())]).expect("every row has one fate");
    assert_eq!(tally.rows_read(), tally.admitted() + tally.rejected().iter().sum::<u64>());
    assert_eq!(tally.admitted() + duplicates[0], admitted);
    assert!(!whole || counted.devices <= tally.admitted(), "somebody without a row");
    Ok(tally)
}

/// What became of the rows, without the name of the file.
fn fates(tally: &Tally) -> impl PartialEq + std::fmt::Debug + use<> {
    let of = |file: &throng_ingest::FileTally| {
        (file.rows_read, file.admitted, file.rejected, file.first_bad.clone(), file.times_us, file.with_home)
    };
    tally.files.iter().map(of).collect::<Vec<_>>()
}

pub(crate) fn events_csv(bytes: &[u8]) {
    let Some((how, text)) = bytes.split_first() else { return };
    let how = How(*how);
    let plain = in_a_file("events", text, |path| account(path, how));
    let is_plain =
        ![&b"PAR1"[..], &[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]].iter().any(|mark| text.starts_with(mark));
    if !is_plain {
        return;
    }
    // The same rows, read as a stream instead of by ranges.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = gzip.write_all(text).and_then(|()| gzip.finish()).expect("packed");
    let stream = in_a_file("events.gz", &packed, |path| account(path, how));
    match (plain, stream) {
        (Ok(plain), Ok(stream)) => assert!(fates(&plain) == fates(&stream), "compression changes a fate"),
        (Err(_), Err(_)) => {}
        _ => panic!("compression decides whether a file can be read"),
    }
}

pub(crate) fn events_parquet(bytes: &[u8]) {
    let Some((how, file)) = bytes.split_first() else { return };
    let _ = in_a_file("events.parquet", file, |path| account(path, How(*how)).map(|_| ()));
}

/// Two postal codes side by side around Ghent, with polygons.
static SQUARES: LazyLock<Places> = LazyLock::new(|| {
    let feature = |code: &str, west: f64, east: f64| {
        format!(
            r#"{{"type":"Feature","properties":{{"postal_code":"{code}","commune":"C","province":"P","region":"R",
            "country":"XX"}},"geometry":{{"type":"Polygon","coordinates":[[[{west},50],[{east},50],[{east},52],[{west},52],
            [{west},50]]]}}}}"#
        )
    };
    let features = [feature("9000", 3.0, 4.0), feature("9030", 4.0, 5.0)].join(",");
    let text = format!(r#"{{"type":"FeatureCollection","features":[{features}]}}"#);
    in_a_file("squares.json", text.as_bytes(), |path| Places::read(&[path.to_owned()])).expect("places")
});

pub(crate) fn tables_csv(bytes: &[u8]) {
    tables("table", bytes);
}

pub(crate) fn tables_parquet(bytes: &[u8]) {
    tables("table.parquet", bytes);
}

/// Every kind of table, as the first byte says.
fn tables(name: &str, bytes: &[u8]) {
    let Some((kind, file)) = bytes.split_first() else { return };
    let places = &*SQUARES;
    in_a_file(name, file, |path| match kind % 8 {
        0 => plan(path, &CellColumns::default(), places),
        1 => plan(path, &CellColumns::multimno(), places),
        2 => {
            let joined = CellIdColumns::Joined(vec!["lac".into(), "ci".into()]);
            plan(path, &CellColumns { cell_id: Some(joined), ..CellColumns::default() }, places);
        }
        3 => occasions(path, places),
        4 => {
            if let Ok(census) = throng_ingest::census(path, places, &["jobs".to_owned()]) {
                let known = |figure: Option<f64>| figure.is_none_or(|figure| figure >= 0.0);
                assert!(census.rows.iter().all(|row| known(row.population) && known(row.area_km2)));
            }
        }
        5 => _ = throng_ingest::factors(path, places, 10.0),
        6 => {
            let mut given = 0_u64;
            let rows = throng_ingest::identifiers(path, &mut |id| given += u64::from(!id.is_empty()));
            assert!(rows.is_err() || rows.is_ok_and(|rows| rows == given), "an identifier for each row");
            let _ = throng_ingest::residences(path, &places.tree, &mut |_, _| {});
        }
        _ => places_of(path),
    });
}

/// Reads a cell plan, and sees that every row of it counts once and its versions stand in order.
fn plan(path: &Path, columns: &CellColumns, places: &Places) {
    let Ok((plan, summary)) = throng_ingest::cell_plan(&[path.to_owned()], columns, places, &zone()) else {
        return;
    };
    assert_eq!(summary.rows, summary.by_code + summary.by_geometry + summary.outside + summary.never);
    assert_eq!((summary.cells, summary.versions), (plan.cells(), plan.versions().len()));
    assert!(
        plan.versions()
            .iter()
            .all(|version| version.from_us < version.until_us && !version.cell_id.is_empty())
    );
    let apart = |pair: &[CellVersion]| {
        pair[0].cell_id < pair[1].cell_id
            || pair[0].cell_id == pair[1].cell_id && pair[0].until_us <= pair[1].from_us
    };
    assert!(plan.versions().windows(2).all(apart), "two versions of a cell at one time");
    let on_earth = |(x, y): (f64, f64)| (-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y);
    assert!(plan.versions().iter().all(|version| version.at.is_none_or(on_earth)));
}

fn occasions(path: &Path, places: &Places) {
    let Ok(found) = throng_ingest::occasions(path, places, &PLAN, &zone()) else { return };
    assert!(
        found.iter().all(|occasion| occasion.from_us < occasion.until_us && occasion.inside.contains(&true))
    );
}

/// Reads places, and lays a few cells on them: they need not overlap well, or have any area.
fn places_of(path: &Path) {
    let Ok(places) = Places::read(&[path.to_owned()]) else { return };
    let coordinates =
        places.shapes.iter().flat_map(|(_, shape)| &shape.0).flat_map(|polygon| &polygon.exterior().0);
    assert!(coordinates.into_iter().all(|at| at.x.abs() <= 180.0 && at.y.abs() <= 90.0));
    let cells = "cell_id,lon,lat,range_m,azimuth_deg,beamwidth_deg\na,4,51,,,\nb,4,51,900,,\nc,3.9,51,30000,120,65\n\
                 d,0,0,500000,10,359\ne,-180,90,1000,0,190\nf,180,-90,500000,,\n";
    let at = path.with_file_name("cells.csv");
    fs::write(&at, cells).expect("written");
    if !places.shapes.is_empty() {
        let read =
            throng_ingest::cell_plan(std::slice::from_ref(&at), &CellColumns::default(), &places, &zone());
        assert!(read.is_ok_and(|(plan, summary)| summary.rows == 6 && plan.cells() == 6));
    }
    fs::write(&at, "place,level,population\nC,commune,1\n").expect("written");
    let _ = throng_ingest::census(&at, &places, &[]);
}

pub(crate) fn places(bytes: &[u8]) {
    in_a_file("places.json", bytes, |path| {
        places_of(path);
        occasions(path, &SQUARES);
    });
}

/// A small release with every report, and its ledger, in `fuzz/release`: what builds this lies in `fuzz` or above it.
static RELEASE: LazyLock<PathBuf> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    [here.join("fuzz/release"), here.join("release")]
        .into_iter()
        .find(|folder| folder.is_dir())
        .expect("a release")
});

/// Its files by name, in order.
static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let (mut files, mut folders) = (Vec::new(), vec![RELEASE.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&*RELEASE).expect("below").to_owned();
                files.push((name, fs::read(&path).expect("read")));
            }
        }
    }
    files.sort();
    files
});

thread_local! {
    /// A copy of the release, of which one file after the other is exchanged.
    static COPY: TempDir = {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in &*FILES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        folder
    };
}

/// What else the first byte of an input says, beside the file of a release: the release is attacked instead of verified;
/// with all that may be known besides.
pub(crate) const ATTACKED: u8 = 128;
pub(crate) const BESIDES: u8 = 64;

/// Puts the bytes in the place of one file of a release; the first byte says of which, and what is done with it.
pub(crate) fn release(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let (name, own) = &FILES[usize::from(how & !(ATTACKED | BESIDES)) % FILES.len()];
    let folder = COPY.with(|copy| copy.path().to_owned());
    fs::write(folder.join(name), bytes).expect("written");
    let (dir, besides) = (folder.join("release"), how & BESIDES > 0);
    if how & ATTACKED > 0 {
        let known = besides.then(|| dir.clone());
        let means = Means { other: known.clone(), truth: known, solve: false };
        let _ = alone(|| throng_verifier::attack(&dir, &means));
    } else {
        let ledger = besides.then(|| folder.join("ledger"));
        let verdict = alone(|| throng_verifier::verify(&dir, &Options { solve: false, ledger }));
        // Another manifest may say the same in other words; another file may not.
        let must_fail = bytes != own && name.starts_with("release") && !name.ends_with("manifest.json");
        if let (true, Ok(verdict)) = (must_fail, verdict) {
            assert!(!verdict.faults.is_empty(), "a file that was exchanged is no fault");
        }
    }
    fs::write(folder.join(name), own).expect("written");
}
