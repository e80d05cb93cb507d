//! What readers of events promise, tried on files written here.

use std::{
    fs,
    io::Write,
    sync::{Mutex, atomic::AtomicU64},
};

use arrow::{
    array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use jiff::tz::TimeZone;
use parquet::{
    arrow::ArrowWriter,
    data_type::{ByteArray, ByteArrayType, Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use tempfile::TempDir;
use throng_anonymiser::{Ballot, Crowd, Frame, Share, Sitting, Subscribers, Trajectory};
use throng_schema::{CellVersion, PlaceId};

use super::*;
use crate::{Reason, columns::SubscriberIdKind, find_files, time::EpochUnit};

/// 2026-10-15 00:00 UTC; Brussels is two hours ahead.
const MIDNIGHT_US: i64 = 1_792_022_400_000_000;
const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
const DAY_US: i64 = 24 * HOUR_US;
const OFFSET_US: i64 = 2 * HOUR_US;

fn clock() -> Clock {
    let zone = TimeZone::get("Europe/Brussels").expect("zone");
    Clock {
        zone,
        expired_before_us: MIDNIGHT_US - 92 * DAY_US,
        from_us: MIDNIGHT_US,
        until_us: MIDNIGHT_US + DAY_US,
    }
}

/// Cells `c0` to `c9` always, `moved` from noon on.
fn plan() -> Arc<CellPlan> {
    let always = |id: String| CellVersion {
        cell_id: id.into_bytes().into(),
        from_us: i64::MIN,
        until_us: i64::MAX,
        place: Some(PlaceId(0)),
        at: None,
    };
    let mut versions: Vec<_> = (0..10).map(|i| always(format!("c{i}"))).collect();
    versions.extend([always("7".to_owned()), always("206-7".to_owned())]);
    versions.push(CellVersion { from_us: MIDNIGHT_US + 12 * HOUR_US, ..always("moved".to_owned()) });
    Arc::new(CellPlan::new(versions).expect("plan"))
}

/// The first version of a cell of the plan.
fn version(cell_id: &str) -> u32 {
    let plan = plan();
    plan.version_at(plan.cell(cell_id.as_bytes()).expect("known"), i64::MAX - 1).expect("valid").0
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("encoded");
    encoder.finish().expect("encoded")
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).expect("encoded")
}

fn open_with(files: Vec<PathBuf>, columns: EventColumns, format: EventFormat) -> Result<Events, IngestError> {
    Events::open(files, columns, format, clock(), Some(plan()), Arc::new(()))
}

fn open(files: Vec<PathBuf>) -> Events {
    open_with(files, EventColumns::default(), EventFormat::default()).expect("opened")
}

fn refused(file: PathBuf) -> String {
    refused_with(file, EventColumns::default(), EventFormat::default())
}

/// The error of a file, without the folder that it lies in.
fn refused_with(file: PathBuf, columns: EventColumns, format: EventFormat) -> String {
    let folder = format!("{}/", file.parent().expect("folder").display());
    let subscribers = Subscribers::new().expect("key");
    let error = match open_with(vec![file], columns, format) {
        Err(error) => error,
        Ok(events) => match Crowd::gather(&events, &subscribers, &frame(1), Share::whole()) {
            Err(throng_anonymiser::GatherError::Source(error)) => error,
            Ok(_) => panic!("expected an error"),
        },
    };
    error.to_string().replace(&folder, "")
}

fn frame(files: usize) -> Frame {
    let Clock { from_us, until_us, .. } = clock();
    Frame { from_us, until_us, hold_us: HOUR_US, versions: plan().versions().len(), files, memory: 1 << 30 }
}

/// What the crowd saw: times since midnight and versions of cells, by person, without names and in no order of theirs.
type Seen = Vec<Vec<(i64, u32)>>;

fn pour_as(events: &Events, subscribers: &Subscribers) -> (Tally, Seen) {
    let (crowd, mut tally) =
        Crowd::gather(events, subscribers, &frame(events.files.len()), Share::whole()).expect("read");
    let seen = Mutex::new(Vec::new());
    let counted = crowd.count(
        &Sitting::of(&[], subscribers),
        |cell, _| Some(cell),
        None,
        |trajectory: &Trajectory<'_>, _: &mut Ballot<'_>| {
            let of_person =
                trajectory.sightings().iter().map(|s| (s.at_us - MIDNIGHT_US, s.cell.0)).collect();
            seen.lock().expect("whole").push(of_person);
        },
    );
    let [duplicates, ..] = &counted.found;
    tally.settle(&[(Reason::Duplicate, duplicates.clone())]).expect("adds up");
    let mut seen: Seen = seen.into_inner().expect("whole");
    seen.sort();
    (tally, seen)
}

fn pour(events: &Events) -> (Tally, Seen) {
    pour_as(events, &Subscribers::new().expect("key"))
}

/// All of an account but the paths.
fn account(tally: &Tally) -> Vec<FileTally> {
    let nameless = |file: &FileTally| FileTally { path: PathBuf::new(), ..file.clone() };
    tally.files.iter().map(nameless).collect()
}

fn rejected(tally: &Tally) -> Vec<(&'static str, u64)> {
    let counts = tally.rejected();
    Reason::ALL
        .iter()
        .map(|reason| (reason.as_str(), counts[*reason as usize]))
        .filter(|(_, n)| *n > 0)
        .collect()
}

/// Rows with a fault of every kind that all formats can have, as text: time, subscriber, cell, end.
fn mixed_rows(count: usize) -> Vec<[String; 4]> {
    let time = |us: i64| jiff::Timestamp::from_microsecond(us).expect("in range").to_string();
    (0..count)
        .map(|i| {
            let n = i64::try_from(i).expect("small");
            let at = MIDNIGHT_US + (n * 7_919 * SECOND_US + n * 77_777) % DAY_US;
            let mut row = [time(at), format!("person{}", i % 37), format!("c{}", i % 10), String::new()];
            match i % 29 {
                3 => row[0] = "08:31.0".to_owned(),
                4 => row[1].clear(),
                5 => row[2].clear(),
                6 => row[0].clear(),
                7 => row[2] = "elsewhere".to_owned(),
                8 => row[0] = time(at - 100 * DAY_US),
                9 => row[0] = time(at + DAY_US),
                10 => row[3] = time(at + 90 * 60 * SECOND_US),
                11 => row[3] = time(at - SECOND_US),
                12 => row[3] = "tomorrow".to_owned(),
                13 => row[2] = "moved".to_owned(),
                _ => {}
            }
            if i % 50 == 49 { ["2026-10-15T10:00:00Z", "twice", "c1", ""].map(str::to_owned) } else { row }
        })
        .collect()
}

fn as_csv(rows: &[[String; 4]]) -> Vec<u8> {
    let lines = rows.iter().map(|[at, id, cell, end]| format!("{at},{id},{cell},{end}\n"));
    ["event_time,subscriber_id,cell_id,end_time\n".to_owned()]
        .into_iter()
        .chain(lines)
        .collect::<String>()
        .into_bytes()
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.map(|value| (!value.is_empty()).then_some(value)).collect::<StringArray>())
}

fn as_parquet(
    columns: Vec<(&str, ArrayRef)>,
    group_rows: usize,
    properties: Option<WriterProperties>,
) -> Vec<u8> {
    let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, c)| c).collect()).expect("batch");
    let builder = properties.map_or_else(WriterProperties::builder, Into::into);
    let properties = builder.set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).expect("writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("written")
}

fn rows_as_parquet(rows: &[[String; 4]], group_rows: usize) -> Vec<u8> {
    let column = |i: usize| texts(rows.iter().map(move |row| row[i].as_str()));
    let names = ["event_time", "subscriber_id", "cell_id", "end_time"];
    as_parquet(names.into_iter().enumerate().map(|(i, name)| (name, column(i))).collect(), group_rows, None)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool").install(work)
}

#[test]
fn every_format_and_any_number_of_threads_give_the_same() {
    let (folder, rows) = (folder(), mixed_rows(3_000));
    let csv = as_csv(&rows);
    let files = [
        write(&folder, "a.csv", &csv),
        write(&folder, "a.csv.gz", gzip(&csv)),
        write(&folder, "a.csv.zst", zstandard(&csv)),
        write(&folder, "a.parquet", rows_as_parquet(&rows, 700)),
    ];
    let small = Cut { range_bytes: 10_000, block_bytes: 1_000 };
    let expected = pour(&open(vec![files[0].clone()]));
    let file = &expected.0.files[0];
    assert_eq!(file.rows_read, 3_000);
    assert!(file.admitted > 1_500 && file.rejected_for(Reason::Duplicate) > 40);
    for reason in
        [Reason::Malformed, Reason::MissingField, Reason::Expired, Reason::OutsideWindow, Reason::UnknownCell]
    {
        assert!(file.rejected_for(reason) > 0, "{reason}");
    }
    let bad = file.first_bad.as_ref().expect("one").to_string();
    let expected_time = "ISO 8601 such as 2026-10-15T10:07:33+02:00, or an integer where `epoch_unit` is set";
    assert_eq!(bad, format!("row 4, column event_time: malformed; expected {expected_time}"));
    for path in &files {
        for threads in [1, 2, 3] {
            let events = open(vec![path.clone()]).with_cut(small);
            let found = on_threads(threads, || pour(&events));
            assert_eq!(account(&found.0), account(&expected.0), "{} on {threads}", path.display());
            assert!(found.1 == expected.1, "{} on {threads}", path.display());
            assert_eq!(pour(&events).0, found.0, "the second time");
        }
    }
}

#[test]
fn cutting_at_any_size_gives_the_same() {
    let folder = folder();
    let mut csv = b"\xef\xbb\xbf\"event_time\",subscriber_id , cell_id,note\r\n".to_vec();
    for (i, [at, id, cell, _]) in mixed_rows(60).iter().enumerate() {
        let line = match i % 8 {
            0 => format!("\"{at}\",\"{id}\",{cell},\"a, and \"\"b\"\"\"\r\n"),
            1 => format!("{at},{id},{cell},\"never closed\n\n"),
            2 => format!("{at},{id},{cell},one,too many\n"),
            3 => format!("{at},{id},{cell},in 6\" pipes\r\n\r\n"),
            _ => format!("{at},{id},{cell},\n"),
        };
        csv.extend(line.into_bytes());
    }
    csv.extend(b"2026-10-15 10:00:00,last,c1,without a line end");
    let path = write(&folder, "a.csv", &csv);
    let expected = pour(&open(vec![path.clone()]));
    assert_eq!(expected.0.rows_read(), 61);
    assert!(expected.0.rejected()[0] >= 16);
    for range_bytes in [1, 2, 3, 7, 50, 64, 333, 10_000] {
        for block_bytes in [1, 2, 13, 100, 10_000] {
            let found = pour(&open(vec![path.clone()]).with_cut(Cut { range_bytes, block_bytes }));
            assert_eq!(found.0, expected.0, "{range_bytes} {block_bytes}");
            assert!(found.1 == expected.1, "{range_bytes} {block_bytes}");
        }
    }
    let packed = write(&folder, "a.csv.gz", gzip(&csv));
    for block_bytes in [1, 17, 10_000] {
        let events = open(vec![packed.clone()]).with_cut(Cut { range_bytes: 1, block_bytes });
        assert_eq!(account(&pour(&events).0), account(&expected.0), "{block_bytes}");
    }
}

#[test]
fn the_first_reason_that_applies_counts() {
    let folder = folder();
    let (old, after) = ("2026-01-01T00:00:00Z", "2026-10-17T00:00:00Z");
    let csv = [
        "event_time,subscriber_id,cell_id,end_time,event_type".to_owned(),
        // Malformed beats everything, wherever in the row.
        ",,,yesterday,ping".to_owned(),
        format!("{old},,nowhere,2025-01-01T00:00:00Z,ping"),
        "2026-10-15T10:00:00Z,gone,nowhere".to_owned(),
        // Then what is missing.
        format!("{old},,nowhere,,ping"),
        format!("{old},gone,,,ping"),
        ",gone,c1,,ping".to_owned(),
        // A type that is left out, too old, out of the window, opted out, a machine, unknown.
        format!("{old},gone,nowhere,,ping"),
        format!("{old},gone,nowhere,,call"),
        format!("{after},gone,nowhere,,call"),
        "2026-10-15T10:00:00Z,gone,nowhere,,call".to_owned(),
        "2026-10-15T10:00:00Z,metergone,nowhere,,call".to_owned(),
        "2026-10-15T10:00:00Z,meter,nowhere,,call".to_owned(),
        "2026-10-15T10:00:00Z,listed,nowhere,,call".to_owned(),
        "2026-10-15T10:00:00Z,here,nowhere,,call".to_owned(),
        "2026-10-15T11:59:59.999999Z,here,moved,,call".to_owned(),
        // Used, and used twice.
        "2026-10-15T12:00:00Z,here,moved,,call".to_owned(),
        "2026-10-15T14:00:00+02:00,here,moved,,call".to_owned(),
        "2026-10-15T13:00:00Z,here,c1,,".to_owned(),
    ];
    let path = write(&folder, "a.csv", csv.join("\n"));
    let format = EventFormat { drop_types: vec!["ping".to_owned()], ..EventFormat::default() };
    let mut subscribers = Subscribers::new().expect("key");
    subscribers.opt_out(b"gone");
    subscribers.opt_out(b"metergone");
    subscribers.machine(b"listed");
    subscribers.machine(b"gone");
    let events = open_with(vec![path.clone()], EventColumns::default(), format).expect("opened");
    let (tally, seen) = pour_as(&events.without_machines(["x", "meter"]), &subscribers);
    let expected = [
        ("malformed", 3),
        ("missing_field", 3),
        ("wrong_type", 1),
        ("expired", 1),
        ("outside_window", 1),
        ("opted_out", 2),
        ("machine", 2),
        ("unknown_cell", 2),
        ("duplicate", 1),
    ];
    assert_eq!(rejected(&tally), expected);
    assert_eq!((tally.rows_read(), tally.admitted()), (18, 2));
    assert_eq!(seen.len(), 1);
    let file = &tally.files[0];
    assert_eq!(file.types, [("ping".to_owned(), 1)]);
    let earliest = MIDNIGHT_US - 287 * DAY_US;
    assert_eq!(file.times_us, Some((earliest, MIDNIGHT_US + 2 * DAY_US)));

    let keep = EventFormat { keep_types: vec!["call".to_owned()], ..EventFormat::default() };
    let (tally, _) = pour(&open_with(vec![path], EventColumns::default(), keep).expect("opened"));
    assert_eq!(
        tally.files[0].rejected_for(Reason::WrongType),
        2,
        "a row without a type is not of a type that is kept"
    );
}

#[test]
fn sessions_are_admitted_where_they_meet_the_window() {
    let folder = folder();
    let csv = "event_time,subscriber_id,cell_id,end_time\n\
               2026-10-14T22:30:00Z,a,c1,2026-10-15T01:00:00Z\n\
               2026-10-14T22:30:00Z,b,c1,2026-10-14T23:59:59.999999Z\n\
               2026-10-14T22:30:00Z,c,c1,2026-10-15T00:00:00Z\n\
               2026-10-15T23:59:00Z,d,c2,2026-10-17T00:00:00Z\n\
               2026-10-15T10:00:00Z,e,c3,2026-10-15T10:00:00Z\n\
               2026-10-15T10:00:00Z,f,c3,2026-10-15T09:59:59Z\n";
    let (tally, seen) = pour(&open(vec![write(&folder, "a.csv", csv)]));
    assert_eq!(rejected(&tally), [("malformed", 1), ("outside_window", 1)]);
    let c = |i| version(&format!("c{i}"));
    let (minutes, day) = (60 * SECOND_US, DAY_US);
    let expected = vec![
        vec![(0, c(1))],
        vec![(30 * minutes, c(1)), (60 * minutes, c(1))],
        vec![(10 * HOUR_US, c(3))],
        vec![(day - minutes, c(2))],
    ];
    assert_eq!(seen, expected);
    let bad = tally.files[0].first_bad.as_ref().expect("one").to_string();
    assert_eq!(bad, "row 6, column end_time: malformed; expected a time not before event_time");
}

#[test]
fn a_session_without_end_may_end_with_the_year_9999() {
    let folder = folder();
    let micros = |utc: &str| utc.parse::<jiff::Timestamp>().expect("a time").as_microsecond();
    let start = micros("2026-10-15T22:30:00Z");
    let ends = [
        "9999-12-31T23:59:59Z",
        "9999-12-31 23:59:59",
        "9999-12-31T23:59:59.999999+02:00",
        "9999-12-31T23:59Z",
    ];
    let rows = ends.iter().map(|end| ["2026-10-15T22:30:00Z", "a", "c1", end].map(str::to_owned));
    let rows: Vec<_> = rows.collect();
    let last_second = 253_402_300_799;
    let columns = |ends: ArrayRef, starts: ArrayRef| {
        let ids = ("subscriber_id", texts(["a"].into_iter()));
        vec![("event_time", starts), ids, ("cell_id", texts(["c1"].into_iter())), ("end_time", ends)]
    };
    let seconds = |second: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![second])) };
    let stamps = |us: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![us])) };
    let numbers = columns(seconds(last_second), seconds(start / SECOND_US));
    let local = columns(stamps(last_second * SECOND_US), stamps(start + OFFSET_US));
    let files = [
        write(&folder, "a.csv", as_csv(&rows)),
        write(&folder, "a.parquet", rows_as_parquet(&rows, 10)),
        write(&folder, "numbers.parquet", as_parquet(numbers, 10, None)),
        write(&folder, "local.parquet", as_parquet(local, 10, None)),
    ];
    let format = EventFormat { epoch_unit: Some(EpochUnit::Seconds), ..EventFormat::default() };
    for path in files {
        let events = open_with(vec![path.clone()], EventColumns::default(), format.clone()).expect("opened");
        let (tally, seen) = pour(&events);
        let at = start - MIDNIGHT_US;
        assert_eq!(seen, [[(at, version("c1")), (at + HOUR_US, version("c1"))]], "{}", path.display());
        let duplicates = tally.rows_read() - 1;
        assert_eq!((tally.admitted(), tally.rejected().iter().sum()), (1, duplicates));
    }
    let csv = "event_time,subscriber_id,cell_id,end_time\n\
               9999-12-31T23:59:59Z,a,c1,\n\
               9999-12-31T23:59:59Z,a,c1,9999-12-31T23:59:59Z\n\
               9999-12-30T21:00:00Z,a,c1,9999-12-31T23:59:59Z\n\
               2026-10-15T10:00:00Z,a,c1,10000-01-01T00:00:00Z\n";
    let (tally, _) = pour(&open(vec![write(&folder, "far.csv", csv)]));
    assert_eq!(rejected(&tally), [("malformed", 3), ("outside_window", 1)]);
}

#[test]
fn of_duplicates_in_several_files_the_first_by_path_is_used() {
    let folder = folder();
    let row = "event_time,subscriber_id,cell_id\n2026-10-15T10:00:00Z,a,c1\n";
    let (b, a) = (write(&folder, "b.csv", row), write(&folder, "a.csv.gz", gzip(row.as_bytes())));
    for order in [[a.clone(), b.clone()], [b.clone(), a.clone()]] {
        let files = find_files(&order).expect("found");
        let (tally, _) = pour(&open(files));
        let used: Vec<_> = tally.files.iter().map(|file| (file.path.clone(), file.admitted)).collect();
        assert_eq!(used, [(a.clone(), 1), (b.clone(), 0)]);
        assert_eq!(tally.files[1].rejected_for(Reason::Duplicate), 1);
    }
}

#[test]
fn columns_may_be_numbers_and_cells_may_be_joined() {
    let folder = folder();
    let path = write(
        &folder,
        "events.txt",
        "206;2026-10-15 10:00:00;a;7\n;2026-10-15 10:00:00;b;7\n206;x;c;7\n1;2\n",
    );
    let number = Column::Number;
    let columns = EventColumns {
        event_time: number(2),
        subscriber_id: number(3),
        cell_id: vec![number(1), number(4)],
        ..EventColumns::default()
    };
    let format =
        EventFormat { header: false, delimiter: ";".parse().expect("one byte"), ..EventFormat::default() };
    let (tally, seen) =
        pour(&open_with(vec![path.clone()], columns.clone(), format.clone()).expect("opened"));
    let joined = version("206-7");
    assert_eq!(seen, [[(8 * HOUR_US, joined)]], "local time is two hours ahead");
    assert_eq!(rejected(&tally), [("malformed", 2), ("missing_field", 1)]);
    let too_far = EventColumns { subscriber_id: number(5), ..columns };
    assert_eq!(
        refused_with(path.clone(), too_far, format.clone()),
        "events.txt: no column number 5 for subscriber_id; expected it counted from 1, among the columns of the file"
    );
    assert_eq!(
        refused_with(path, EventColumns::default(), format),
        "events.txt: no column `event_time` for event_time; expected it in the header or the schema, or a column number \
         where there is no header"
    );

    // The same from Parquet, where one part is an integer.
    let parts: [(&str, ArrayRef); 4] = [
        ("event_time", texts(["2026-10-15 10:00:00", "2026-10-15 10:00:00"].into_iter())),
        ("subscriber_id", texts(["a", "b"].into_iter())),
        ("lac", texts(["206", ""].into_iter())),
        ("ci", Arc::new(Int64Array::from(vec![7, 7]))),
    ];
    let path = write(&folder, "a.parquet", as_parquet(parts.into(), 10, None));
    let columns = EventColumns { cell_id: vec!["lac".into(), "ci".into()], ..EventColumns::default() };
    let (tally, seen) = pour(&open_with(vec![path], columns, EventFormat::default()).expect("opened"));
    assert_eq!(seen, [[(8 * HOUR_US, joined)]]);
    assert_eq!(rejected(&tally), [("missing_field", 1)]);
}

/// Five whole seconds and a null, in microseconds since 1970 UTC.
fn moments() -> Vec<Option<i64>> {
    let seconds = [0, 1, 3_600, 43_200, 86_399];
    seconds.into_iter().map(|s| Some(MIDNIGHT_US + s * SECOND_US)).chain([None]).collect()
}

fn seen_with_times(times: ArrayRef, epoch_unit: Option<EpochUnit>) -> (Seen, u64) {
    let folder = folder();
    let ids = texts(["a", "a", "a", "a", "a", "a"].into_iter());
    let cells = texts(["c1", "c2", "c1", "c2", "c1", "c2"].into_iter());
    let columns = vec![("event_time", times), ("subscriber_id", ids), ("cell_id", cells)];
    let path = write(&folder, "a.parquet", as_parquet(columns, 4, None));
    let format = EventFormat { epoch_unit, ..EventFormat::default() };
    let (tally, seen) = pour(&open_with(vec![path], EventColumns::default(), format).expect("opened"));
    (seen, tally.files[0].rejected_for(Reason::MissingField))
}

#[test]
fn parquet_times_of_every_type_and_unit_are_the_same_moments() {
    let person = [(0, "c1"), (1, "c2"), (3_600, "c1"), (43_200, "c2"), (86_399, "c1")];
    let expected: (Seen, u64) =
        (vec![person.map(|(second, id)| (second * SECOND_US, version(id))).to_vec()], 1);
    let absolute: ArrayRef = Arc::new(TimestampMicrosecondArray::from(moments()).with_timezone("UTC"));
    let local = moments().into_iter().map(|at| at.map(|us| us + OFFSET_US)).collect::<Vec<_>>();
    let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from(local));
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        let local = cast(&local, &DataType::Timestamp(unit, None)).expect("cast");
        assert_eq!(seen_with_times(local, None), expected, "{unit:?} on the local clock");
        for zone in ["UTC", "Asia/Tokyo", "+05:30"] {
            let zoned = cast(&absolute, &DataType::Timestamp(unit, Some(zone.into()))).expect("cast");
            assert_eq!(seen_with_times(zoned, None), expected, "{unit:?} in {zone}");
        }
    }
    let units = [(EpochUnit::Seconds, 1), (EpochUnit::Millis, 1_000), (EpochUnit::Micros, 1_000_000)];
    for (unit, per_second) in units.into_iter().chain([(EpochUnit::Nanos, 1_000_000_000)]) {
        let values = moments().into_iter().map(|at| at.map(|us| us / SECOND_US * per_second));
        let values: ArrayRef = Arc::new(values.collect::<Int64Array>());
        let texts = cast(&values, &DataType::Utf8).expect("cast");
        for data_type in [DataType::Int64, DataType::UInt64, DataType::Utf8] {
            let column = cast(&values, &data_type).expect("cast");
            assert_eq!(seen_with_times(column, Some(unit)), expected, "{unit:?} as {data_type}");
        }
        if unit == EpochUnit::Seconds {
            let column = cast(&values, &DataType::Int32).expect("cast");
            assert_eq!(seen_with_times(column, Some(unit)), expected, "seconds as Int32");
        }
        let coded =
            cast(&texts, &DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())).expect("cast");
        assert_eq!(seen_with_times(coded, Some(unit)), expected, "{unit:?} as dictionary");
    }
    let written =
        |at: Option<i64>| at.map(|us| jiff::Timestamp::from_microsecond(us).expect("in range").to_string());
    let written: ArrayRef = Arc::new(moments().into_iter().map(written).collect::<StringArray>());
    for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, DataType::Binary] {
        assert_eq!(
            seen_with_times(cast(&written, &data_type).expect("cast"), None),
            expected,
            "text as {data_type}"
        );
    }
}

#[test]
fn times_as_int96_are_utc() {
    let schema = "message events { required int96 event_time; required binary subscriber_id (UTF8); required binary cell_id; }";
    let schema = Arc::new(parse_message_type(schema).expect("schema"));
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).expect("writer");
    let mut group = writer.next_row_group().expect("group");
    // Nanoseconds of the day, and the Julian day; 1970-01-01 was day 2,440,588.
    let day = u32::try_from(MIDNIGHT_US / DAY_US + 2_440_588).expect("small");
    let mut time = Int96::new();
    time.set_data(3_600_000_000_000_u64 as u32, (3_600_000_000_000_u64 >> 32) as u32, day);
    let mut column = group.next_column().expect("column").expect("first");
    column.typed::<Int96Type>().write_batch(&[time], None, None).expect("written");
    column.close().expect("closed");
    for value in ["a", "c1"] {
        let mut column = group.next_column().expect("column").expect("next");
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(value)], None, None).expect("written");
        column.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    let folder = folder();
    let (_, seen) = pour(&open(vec![write(&folder, "a.parquet", bytes)]));
    assert_eq!(seen, [[(HOUR_US, version("c1"))]]);
}

fn as_type(column: &ArrayRef, to: &DataType) -> ArrayRef {
    let by_way_of = match to {
        DataType::FixedSizeBinary(_) => cast(column, &DataType::Binary),
        DataType::Dictionary(_, values) => cast(column, values),
        _ => Ok(column.clone()),
    };
    cast(&by_way_of.expect("cast"), to).expect("cast")
}

#[test]
fn identifiers_and_cells_of_every_type_are_the_same_bytes() {
    let (folder, count) = (folder(), 5_000);
    let times = (0..count).map(|i| Some(MIDNIGHT_US + i * SECOND_US)).collect::<TimestampMicrosecondArray>();
    let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
    let ids: ArrayRef =
        Arc::new((0..count).map(|i| Some((i % 50 + 10).to_string())).collect::<StringArray>());
    let cells = (0..count).map(|i| if i % 2 == 0 { "7" } else { "3" });
    let cells: ArrayRef = Arc::new(cells.map(Some).collect::<StringArray>());
    let mut subscribers = Subscribers::new().expect("key");
    subscribers.opt_out(b"13");
    let found = |id_type: &DataType, cell_type: &DataType, properties: Option<WriterProperties>| {
        let (ids, cells) = (as_type(&ids, id_type), as_type(&cells, cell_type));
        let columns = vec![("event_time", times.clone()), ("subscriber_id", ids), ("cell_id", cells)];
        let path = write(&folder, "a.parquet", as_parquet(columns, 2_000, properties));
        let (tally, seen) = pour_as(&open(vec![path]), &subscribers);
        (rejected(&tally), seen)
    };
    let expected = found(&DataType::Utf8, &DataType::Utf8, None);
    assert_eq!(expected.0, [("opted_out", 100), ("unknown_cell", 2_400)]);
    assert_eq!(expected.1.len(), 25);

    let coded = |keys: DataType, values: DataType| DataType::Dictionary(keys.into(), values.into());
    let types = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::Int8,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt16,
        DataType::UInt64,
        coded(DataType::Int32, DataType::Utf8),
        coded(DataType::Int8, DataType::Binary),
        coded(DataType::UInt16, DataType::LargeUtf8),
        coded(DataType::Int32, DataType::Int64),
    ];
    let no_dictionary = || WriterProperties::builder().set_dictionary_enabled(false).build();
    // The dictionary of identifiers overflows half way, and the rest of the chunk is plain.
    let spilled = || {
        WriterProperties::builder()
            .set_dictionary_page_size_limit(30)
            .set_data_page_row_count_limit(100)
            .build()
    };
    for data_type in &types {
        assert!(found(data_type, &DataType::Utf8, None) == expected, "id as {data_type}");
        assert!(found(&DataType::Utf8, data_type, None) == expected, "cell as {data_type}");
        for properties in [no_dictionary(), spilled()] {
            assert!(found(data_type, data_type, Some(properties)) == expected, "both as {data_type}");
        }
    }
    assert!(found(&DataType::FixedSizeBinary(2), &DataType::Utf8, None) == expected, "id of fixed size");
    assert!(
        found(&DataType::FixedSizeBinary(2), &DataType::FixedSizeBinary(1), None) == expected,
        "cell of fixed size"
    );
}

#[test]
fn a_dictionary_that_overflows_gives_the_same() {
    let (folder, count) = (folder(), 20_000_i64);
    let rows = |i: i64| {
        (
            Some(MIDNIGHT_US + i * SECOND_US),
            format!("p{}", i % 11),
            format!("{}c{}", ["x", ""][(i % 2) as usize], i / 2 % 3_000),
        )
    };
    let times = (0..count).map(|i| rows(i).0).collect::<TimestampMicrosecondArray>().with_timezone("UTC");
    let ids = (0..count).map(|i| Some(rows(i).1)).collect::<StringArray>();
    let cells = (0..count).map(|i| Some(rows(i).2)).collect::<StringArray>();
    let columns: Vec<(&str, ArrayRef)> =
        vec![("event_time", Arc::new(times)), ("subscriber_id", Arc::new(ids)), ("cell_id", Arc::new(cells))];
    let found = |properties: WriterProperties| {
        let path = write(&folder, "a.parquet", as_parquet(columns.clone(), 9_000, Some(properties)));
        let (tally, seen) = pour(&open(vec![path]));
        (account(&tally), seen)
    };
    let whole = found(WriterProperties::builder().set_dictionary_page_size_limit(1 << 20).build());
    let none = found(WriterProperties::builder().set_dictionary_enabled(false).build());
    let limited =
        WriterProperties::builder().set_dictionary_page_size_limit(4_000).set_data_page_row_count_limit(500);
    assert!(whole == none && found(limited.build()) == none);
    assert!(whole.0[0].admitted > 20);
}

#[test]
fn an_empty_text_is_missing_in_parquet_too() {
    let folder = folder();
    let text = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let columns = vec![
        ("event_time", text(["2026-10-15 10:00", "", "2026-10-15 10:00"])),
        ("subscriber_id", text(["", "a", "a"])),
        ("cell_id", text(["c1", "c1", ""])),
    ];
    let (tally, _) = pour(&open(vec![write(&folder, "a.parquet", as_parquet(columns, 10, None))]));
    assert_eq!(rejected(&tally), [("missing_field", 3)]);
}

#[test]
fn the_preset_reads_what_multimno_writes() {
    let folder = folder();
    let bytes = |values: &[&[u8]]| Arc::new(BinaryArray::from_iter_values(values)) as ArrayRef;
    let columns = vec![
        ("user_id", bytes(&[b"N\x07@\x85\xff", b"k\x86\xb2s\xf4"])),
        ("timestamp", texts(["2026-10-15 10:07:33", "2026-10-15 10:07:34"].into_iter())),
        ("cell_id", texts(["c1", "c2"].into_iter())),
        ("mcc", Arc::new(Int64Array::from(vec![214, 206]))),
        ("mnc", texts(["123", "01"].into_iter())),
    ];
    let part = folder.path().join("year=2026/month=10/day=15");
    fs::create_dir_all(&part).expect("folder");
    fs::write(part.join("part-0.c000.snappy.parquet"), as_parquet(columns, 10, None)).expect("written");
    fs::write(part.join("_SUCCESS"), "").expect("written");
    let files = find_files(&[folder.path().to_owned()]).expect("found");
    let (tally, seen) =
        pour(&open_with(files, EventColumns::multimno(), EventFormat::default()).expect("opened"));
    assert_eq!((tally.admitted(), seen.len()), (2, 2));
    assert_eq!(seen[0][0].0, 8 * HOUR_US + 7 * 60 * SECOND_US + 33 * SECOND_US);
}

/// How many rows of a file tell a home network, where homes are asked for and where they are not.
fn with_home(path: &Path, columns: &EventColumns, format: &EventFormat) -> (u64, u64) {
    let open = || open_with(vec![path.to_owned()], columns.clone(), format.clone()).expect("opened");
    let (asked, seen) = pour(&open().with_homes());
    let (not_asked, seen_alike) = pour(&open());
    assert!(seen == seen_alike && rejected(&asked) == rejected(&not_asked), "{}", path.display());
    (asked.files[0].with_home, not_asked.files[0].with_home)
}

#[test]
fn home_networks_of_every_type_are_read_where_they_are_asked_for() {
    let (folder, usual) = (folder(), EventColumns::default());
    let format = EventFormat::default();
    let lines: String = ["20601", "206-01", "\"206,01\"", "", "Belgium", "310260"]
        .into_iter()
        .enumerate()
        .map(|(i, home)| format!("2026-10-15T10:00:0{i}Z,a,c1,{home}\n"))
        .collect();
    let csv = write(&folder, "a.csv", format!("event_time,subscriber_id,cell_id,home_plmn\n{lines}"));
    assert_eq!(with_home(&csv, &usual, &format), (3, 0));

    let text = || texts(["20601", "206-01", "", "Belgium", "310260", "20601"].into_iter());
    let integers = || {
        let homes = [Some(20_601_i64), Some(7), None, Some(206_010), Some(i64::MIN), Some(206)];
        Arc::new(Int64Array::from(homes.to_vec())) as ArrayRef
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", text()),
        ("view", as_type(&text(), &DataType::Utf8View)),
        ("binary", as_type(&text(), &DataType::Binary)),
        ("integer", integers()),
        ("small", as_type(&integers(), &DataType::Int32)),
        ("unsigned", as_type(&integers(), &DataType::UInt64)),
        ("fraction", as_type(&integers(), &DataType::Float64)),
    ];
    let event = |name: &'static str, value: &'static str| (name, texts([value; 6].into_iter()));
    for dictionary in [true, false] {
        let properties = WriterProperties::builder().set_dictionary_enabled(dictionary).build();
        let mut all = vec![
            event("subscriber_id", "a"),
            event("event_time", "2026-10-15 10:00"),
            event("cell_id", "c1"),
        ];
        all.extend(columns.clone());
        let file = write(&folder, "a.parquet", as_parquet(all, 4, Some(properties)));
        for (name, column) in &columns {
            let expected = if column.data_type().is_numeric() { 3 } else { 4 };
            let set = EventColumns { home_plmn: Some(vec![(*name).into()]), ..usual.clone() };
            // Six rows at one time in one cell: all but one are duplicates, and tell of home before that is known.
            assert_eq!(with_home(&file, &set, &format), (expected, 0), "{name} {dictionary}");
        }
    }
}

#[test]
fn of_several_parts_the_first_is_the_country_and_an_imsi_serves_where_there_is_no_column() {
    let (folder, usual) = (folder(), EventColumns::default());
    let imsi = EventFormat { subscriber_id_kind: SubscriberIdKind::Imsi, ..EventFormat::default() };
    let csv = "event_time,subscriber_id,cell_id,mnc,mcc\n2026-10-15T10:00:00Z,206011234567890,c1,,206\n\
               2026-10-15T10:00:00Z,anybody,c1,01,\n";
    let file = write(&folder, "a.csv", csv);
    let parts = EventColumns { home_plmn: Some(vec!["mcc".into(), "mnc".into()]), ..usual.clone() };
    assert_eq!(with_home(&file, &parts, &EventFormat::default()), (1, 0));
    assert_eq!(with_home(&file, &parts, &imsi), (1, 0), "the column is believed before the identifier");
    assert_eq!(with_home(&file, &usual, &imsi), (1, 0));
    assert_eq!(with_home(&file, &usual, &EventFormat::default()), (0, 0));
    let columns = vec![
        ("event_time", texts(["2026-10-15 10:00"; 2].into_iter())),
        ("subscriber_id", Arc::new(Int64Array::from(vec![206_011_234_567_890, 20])) as ArrayRef),
        ("cell_id", texts(["c1"; 2].into_iter())),
    ];
    let file = write(&folder, "a.parquet", as_parquet(columns, 10, None));
    assert_eq!(with_home(&file, &usual, &imsi), (1, 0));
}

#[test]
fn a_column_that_can_hold_no_home_is_refused_only_where_homes_are_asked_for() {
    let folder = folder();
    let columns = vec![
        ("event_time", texts(["2026-10-15 10:00"].into_iter())),
        ("subscriber_id", texts(["a"].into_iter())),
        ("cell_id", texts(["c1"].into_iter())),
        ("home_plmn", Arc::new(arrow::array::BooleanArray::from(vec![true])) as ArrayRef),
    ];
    let file = write(&folder, "a.parquet", as_parquet(columns, 10, None));
    assert_eq!(pour(&open(vec![file.clone()])).0.admitted(), 1);
    let (events, subscribers) = (open(vec![file]).with_homes(), Subscribers::new().expect("key"));
    let refused = Crowd::gather(&events, &subscribers, &frame(1), Share::whole());
    let error = refused.map(|_| ()).expect_err("refused").to_string();
    assert!(
        error.ends_with("a.parquet: column `home_plmn` holds Boolean; expected text, binary or a number"),
        "{error}"
    );
}

#[test]
fn without_a_plan_no_cell_is_unknown() {
    let folder = folder();
    let path = write(
        &folder,
        "a.csv",
        "event_time,subscriber_id,cell_id\n2026-10-15T10:00:00Z,a,nowhere\n2026-10-15T10:00:00Z,a,\n",
    );
    let open = Events::open(
        vec![path],
        EventColumns::default(),
        EventFormat::default(),
        clock(),
        None,
        Arc::new(()),
    );
    let (tally, seen) = pour(&open.expect("opened"));
    assert_eq!(seen, [[(10 * HOUR_US, 0)]]);
    assert_eq!(rejected(&tally), [("missing_field", 1)]);
}

#[test]
fn a_line_of_more_than_a_mebibyte_costs_itself_only() {
    let folder = folder();
    let row = |id: &str| format!("2026-10-15T10:00:00Z,{id},c1\n");
    let line = |bytes: usize| {
        let head = "2026-10-15T10:00:00Z,b,c1";
        format!("{head}{}\r\n", "x".repeat(bytes - head.len()))
    };
    let header = "event_time,subscriber_id,cell_id\n";
    let csv = [header, &row("a"), &line((1 << 20) + 1), &row("c"), &line(1 << 20), &row("d"), &line(3 << 20)]
        .concat();
    let (plain, packed) =
        (write(&folder, "a.csv", &csv), write(&folder, "a.csv.zst", zstandard(csv.as_bytes())));
    for path in [plain, packed] {
        for cut in [
            CUT,
            Cut { range_bytes: 300_000, block_bytes: 10_000 },
            Cut { range_bytes: 5 << 20, block_bytes: 2 << 20 },
        ] {
            let (tally, seen) = pour(&open(vec![path.clone()]).with_cut(cut));
            assert_eq!((tally.rows_read(), seen.len()), (6, 3), "{}", path.display());
            assert_eq!(rejected(&tally), [("malformed", 2), ("unknown_cell", 1)]);
            let bad = tally.files[0].first_bad.as_ref().expect("one").to_string();
            assert_eq!(bad, "row 2: malformed; expected at most 1048576 bytes in a line");
        }
    }
}

#[test]
fn rows_are_told_as_they_are_read_and_estimated_before() {
    struct Heard(AtomicU64, AtomicU64);
    impl Progress for Heard {
        fn rows(&self, rows: u64) {
            self.0.fetch_add(rows, Ordering::Relaxed);
        }
        fn bytes(&self, bytes: u64) {
            self.1.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let (folder, rows) = (folder(), mixed_rows(2_000));
    let csv = as_csv(&rows);
    for (name, bytes, most) in [
        ("a.csv", csv.clone(), 2_040),
        ("a.csv.gz", gzip(&csv), 4_000),
        ("a.parquet", rows_as_parquet(&rows, 500), 2_000),
    ] {
        let heard = Arc::new(Heard(AtomicU64::new(0), AtomicU64::new(0)));
        let path = write(&folder, name, &bytes);
        let (columns, format) = (EventColumns::default(), EventFormat::default());
        let events =
            Events::open(vec![path], columns, format, clock(), Some(plan()), heard.clone()).expect("opened");
        let estimated = events.estimated_rows();
        assert!((most / 4..=most).contains(&estimated), "{name}: {estimated}");
        assert_eq!(events.bytes(), bytes.len() as u64);
        assert_eq!(events.facts()[0].columns.len(), 4);
        let (tally, _) = pour(&events);
        assert_eq!((tally.rows_read(), heard.0.load(Ordering::Relaxed)), (2_000, 2_000), "{name}");
        let told = heard.1.load(Ordering::Relaxed);
        assert!(told <= events.bytes() && told > events.bytes() / 2, "{name}: {told}");
    }
}

#[test]
fn an_account_that_does_not_add_up_is_an_error() {
    let folder = folder();
    let events = open(vec![write(&folder, "a.csv", as_csv(&mixed_rows(100)))]);
    let subscribers = Subscribers::new().expect("key");
    let (_, mut tally) = Crowd::gather(&events, &subscribers, &frame(1), Share::whole()).expect("read");
    tally.files[0].rows_read += 1;
    let error = tally.settle(&[(Reason::Duplicate, vec![0])]).expect_err("refused").to_string();
    assert!(
        error.ends_with(
            "a.csv: 101 rows were read, but 100 are used or rejected; expected the two to be equal"
        )
    );
    tally.files[0].rows_read -= 1;
    let (read, used) = (tally.rows_read(), tally.admitted());
    let found = [(Reason::Duplicate, vec![2]), (Reason::Machine, vec![3]), (Reason::PingPong, vec![1])];
    tally.settle(&found).expect("adds up");
    let of = |reason| tally.files[0].rejected_for(reason);
    assert_eq!([Reason::Machine, Reason::ImpossibleSpeed, Reason::PingPong].map(of), [3, 0, 1]);
    assert_eq!((tally.rows_read(), tally.admitted()), (read, used - 6));
    let error = tally.settle(&[(Reason::Machine, vec![1_000])]).expect_err("more machines than rows");
    assert!(!error.is_unusable_input());
}

#[test]
fn bad_files_are_refused_with_their_exact_error() {
    let folder = folder();
    let header = "event_time,subscriber_id,cell_id\n";
    let no_column = |column: &str, field: &str| {
        format!(
            "no column `{column}` for {field}; expected it in the header or the schema, or a column number where there is no header"
        )
    };
    let named = |name: &str| EventColumns { end_time: Some(name.into()), ..EventColumns::default() };
    let plain = |name: &str, bytes: &[u8]| refused(write(&folder, name, bytes));
    assert_eq!(plain("empty.csv", b""), "empty.csv: the file is empty; expected at least a header or a row");
    assert_eq!(
        plain("blank.csv", b"\n\r\n"),
        "blank.csv: the file is empty; expected at least a header or a row"
    );
    let secret = plain("headerless.csv", b"2026-10-15T10:00:00Z,secret,c1\n");
    assert_eq!(secret, format!("headerless.csv: {}", no_column("event_time", "event_time")));
    assert_eq!(
        refused_with(write(&folder, "a.csv", header), named("ended"), EventFormat::default()),
        format!("a.csv: {}", no_column("ended", "end_time"))
    );
    let types = EventFormat { keep_types: vec!["call".to_owned()], ..EventFormat::default() };
    assert_eq!(
        refused_with(write(&folder, "a.csv", header), EventColumns::default(), types),
        format!("a.csv: {}", no_column("event_type", "event_type"))
    );
    assert_eq!(
        plain("epoch.csv", format!("{header}1792022400,a,c1\n").as_bytes()),
        "epoch.csv: column `event_time` holds integers; expected `epoch_unit` to be set to s, ms, us or ns"
    );
    assert_eq!(
        plain("quote.csv", b"\"event_time,subscriber_id,cell_id\n"),
        "quote.csv: the file is damaged or cut off; expected a first line whose quotes are closed"
    );
    assert_eq!(
        plain("text.parquet", header.as_bytes()),
        "text.parquet: the file is damaged or cut off; expected Parquet, as the name says, which begins with PAR1"
    );
    assert_eq!(
        plain("text.csv.gz", header.as_bytes()),
        "text.csv.gz: the file is damaged or cut off; expected gzip, as the name says, which begins with the bytes 1f 8b"
    );
    let missing = refused(folder.path().join("none.csv"));
    assert_eq!(missing, "none.csv: No such file or directory (os error 2)");

    let column = |data_type: &DataType| {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        cast(&numbers, data_type).expect("cast")
    };
    let typed = |name: &str, time: &DataType, id: &DataType| {
        let cells = texts(["c1", "c1"].into_iter());
        let columns = vec![("event_time", column(time)), ("subscriber_id", column(id)), ("cell_id", cells)];
        refused(write(&folder, name, as_parquet(columns, 10, None)))
    };
    assert_eq!(
        typed("a.parquet", &DataType::Int64, &DataType::Utf8),
        "a.parquet: column `event_time` holds integers; expected `epoch_unit` to be set to s, ms, us or ns"
    );
    assert_eq!(
        typed("a.parquet", &DataType::Float64, &DataType::Utf8),
        "a.parquet: column `event_time` holds Float64; expected a timestamp, text or an integer"
    );
    assert_eq!(
        typed("a.parquet", &DataType::Utf8, &DataType::Float32),
        "a.parquet: column `subscriber_id` holds Float32; expected text, binary or an integer"
    );
}

#[test]
fn two_columns_of_a_name_that_is_wanted_are_refused() {
    let folder = folder();
    let names = ["event_time", "subscriber_id", "cell_id", "end_time", "mcc", "note", "note", "event_type"];
    let plmn = EventColumns { home_plmn: Some(vec!["mcc".into()]), ..EventColumns::default() };
    let types = EventFormat { drop_types: vec!["ping".to_owned()], ..EventFormat::default() };
    for twice in ["event_time", "subscriber_id", "cell_id", "end_time", "mcc", "event_type"] {
        let header: Vec<&str> = names.into_iter().chain([twice]).collect();
        let empty = header.iter().map(|name| (*name, texts([""].into_iter()))).collect();
        let files = [
            write(&folder, "a.csv", format!("{}\n", header.join(","))),
            write(&folder, "a.parquet", as_parquet(empty, 10, None)),
        ];
        for path in files {
            let error =
                open_with(vec![path.clone()], plmn.clone(), types.clone()).map(|_| ()).expect_err(twice);
            assert!(error.is_unusable_input());
            let text = format!(
                "{}: two columns are named `{twice}`; expected one column of that name",
                path.display()
            );
            assert_eq!(error.to_string(), text);
        }
    }
    let unasked = write(&folder, "b.csv", format!("{},event_type\n", names.join(",")));
    assert!(open_with(vec![unasked], EventColumns::default(), EventFormat::default()).is_ok());
}

#[test]
fn damaged_files_are_refused_where_they_break() {
    let (folder, rows) = (folder(), mixed_rows(20_000));
    let csv = as_csv(&rows);
    let zst = zstandard(&csv);
    let gz = gzip(&csv);
    let cut_off = "the file is damaged or cut off; expected compressed CSV that is whole to its end";
    for (name, bytes) in [("a.csv.gz", &gz), ("a.csv.zst", &zst)] {
        let error = refused(write(&folder, name, &bytes[..bytes.len() * 3 / 4]));
        assert!(error.starts_with(&format!("{name}, from row ")) && error.ends_with(cut_off), "{error}");
    }
    let parquet = rows_as_parquet(&rows, 5_000);
    let footer = "a.parquet: the file is damaged or cut off; expected Parquet with a sound footer";
    assert_eq!(refused(write(&folder, "a.parquet", &parquet[..parquet.len() / 2])), footer);
    assert_eq!(refused(write(&folder, "a.parquet", &parquet[..10])), footer);
    for at in (0..12).map(|i| parquet.len() * i / 16 + 100) {
        let mut damaged = parquet.clone();
        for byte in &mut damaged[at..at + 64] {
            *byte = !*byte;
        }
        let path = write(&folder, "a.parquet", &damaged);
        let events = open(vec![path]);
        let subscribers = Subscribers::new().expect("key");
        // Some bytes are statistics that nobody reads; what is read either decodes or is an error, never a panic.
        if let Err(error) = Crowd::gather(&events, &subscribers, &frame(1), Share::whole()) {
            let error = error.to_string();
            assert!(
                error.contains("a.parquet, from row ")
                    && error.contains("expected Parquet pages that can be decoded")
            );
        }
    }
}

#[test]
fn of_several_bad_files_the_first_is_named() {
    let folder = folder();
    let gz = gzip(&as_csv(&mixed_rows(20_000)));
    let files: Vec<_> =
        (0..6).map(|i| write(&folder, &format!("{i}.csv.gz"), &gz[..gz.len() / (i + 2)])).collect();
    let events = open(files);
    let subscribers = Subscribers::new().expect("key");
    for _ in 0..5 {
        let found =
            on_threads(3, || Crowd::gather(&events, &subscribers, &frame(6), Share::whole()).map(|_| ()));
        assert!(found.expect_err("refused").to_string().contains("0.csv.gz, from row "));
    }
}
