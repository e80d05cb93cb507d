//! A small world for whole-program tests: a few cells in Ghent, people who move between them, and the files of it.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;

/// 2026-10-15 00:00 in Brussels, in microseconds since 1970 UTC.
pub(crate) const MIDNIGHT_US: i64 = 1_792_015_200_000_000;
pub(crate) const HOUR_US: i64 = 3_600_000_000;

/// Two cells in each of four postal codes of three communes, and one that a plan's row places at sea.
pub(crate) const CELLS: [(&str, &str); 8] = [
    ("a-1", "9000"),
    ("a-2", "9000"),
    ("b-1", "9030"),
    ("b-2", "9030"),
    ("c-1", "9820"),
    ("c-2", "9820"),
    ("d-1", "9090"),
    ("d-2", "9090"),
];

/// One event: who, when, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) at_us: i64,
    pub(crate) cell: String,
}

pub(crate) fn event(id: &str, at_us: i64, cell: &str) -> Event {
    Event { id: id.to_owned(), at_us, cell: cell.to_owned() }
}

/// A day of so many people, most of them in Ghent; some rows repeated, some at one microsecond, some of no cell.
pub(crate) fn events(people: u32, seed: u64) -> Vec<Event> {
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    let mut events = Vec::new();
    for person in 0..people {
        let id = format!("{:015}", 206_010_000_000_000_u64 + u64::from(person) * 7_919);
        let mut cell = dice.random_range(0..CELLS.len()).min(dice.random_range(0..CELLS.len()));
        let mut at_us = MIDNIGHT_US - HOUR_US + dice.random_range(0..2 * HOUR_US);
        while at_us < MIDNIGHT_US + 25 * HOUR_US {
            let unknown = dice.random_bool(0.01);
            events.push(event(&id, at_us, if unknown { "nowhere" } else { CELLS[cell].0 }));
            if dice.random_bool(0.02) {
                events.push(events[events.len() - 1].clone());
            }
            if dice.random_bool(0.3) {
                cell = dice.random_range(0..CELLS.len());
            }
            at_us += if dice.random_bool(0.02) { 0 } else { dice.random_range(1..3 * HOUR_US) };
        }
    }
    events
}

pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    items.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Csv,
    Gzip,
    Zstd,
    Parquet,
}

pub(crate) const FORMS: [Form; 4] = [Form::Csv, Form::Gzip, Form::Zstd, Form::Parquet];

/// Writes events into `folder/name` with the ending of its form.
pub(crate) fn write_events(folder: &Path, name: &str, form: Form, events: &[Event]) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    match form {
        Form::Csv => {
            let path = path("csv");
            fs::write(&path, csv(events)).expect("written");
            path
        }
        Form::Gzip => {
            let path = path("csv.gz");
            let mut file =
                flate2::write::GzEncoder::new(fs::File::create(&path).expect("made"), Default::default());
            file.write_all(csv(events).as_bytes()).and_then(|()| file.finish()).expect("written");
            path
        }
        Form::Zstd => {
            let path = path("csv.zst");
            fs::write(&path, zstd::encode_all(csv(events).as_bytes(), 1).expect("compressed"))
                .expect("written");
            path
        }
        Form::Parquet => {
            let path = path("parquet");
            write_parquet(&path, events);
            path
        }
    }
}

fn csv(events: &[Event]) -> String {
    let row = |event: &Event| {
        let at = jiff::Timestamp::from_microsecond(event.at_us).expect("in range");
        format!("{at:.6},{},{}\n", event.id, event.cell)
    };
    "event_time,subscriber_id,cell_id\n".to_owned() + &events.iter().map(row).collect::<String>()
}

fn write_parquet(path: &Path, events: &[Event]) {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![
        Field::new("event_time", time, false),
        text("subscriber_id"),
        text("cell_id"),
    ]));
    let times: TimestampMicrosecondArray = events.iter().map(|event| Some(event.at_us)).collect();
    let column = |pick: fn(&Event) -> &str| -> ArrayRef {
        Arc::new(events.iter().map(|e| Some(pick(e))).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> =
        vec![Arc::new(times.with_timezone("UTC")), column(|e| &e.id), column(|e| &e.cell)];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).expect("made"), schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

/// Writes the plan of [`CELLS`].
pub(crate) fn write_cells(folder: &Path) -> PathBuf {
    let path = folder.join("cells.csv");
    let rows: String = CELLS.iter().map(|(cell, code)| format!("{cell},{code}\n")).collect();
    fs::write(&path, "cell_id,postal_code\n".to_owned() + &rows).expect("written");
    path
}

pub(crate) fn throng() -> Command {
    Command::new(env!("CARGO_BIN_EXE_throng"))
}

/// `throng run` over the day of the world, as far as every run of it is the same.
pub(crate) fn run_of_the_day() -> Command {
    let mut command = throng();
    command.args(["run", "--from", "2026-10-15", "--as-of", "2026-10-16"]);
    command
}

/// `throng run` over a day of the world, with k = 15 if nothing else is asked for.
pub(crate) fn run(events: &[PathBuf], cells: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = run_of_the_day();
    command.arg("--events").args(events).arg("--cells").arg(cells).arg("--out").arg(out).args(more);
    if !more.contains(&"--k") {
        command.args(["--k", "15"]);
    }
    command.output().expect("it runs")
}

pub(crate) fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Every file below a folder with its bytes, by relative path.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_owned();
                found.push((name, fs::read(&path).expect("read")));
            }
        }
    }
    found.sort();
    found
}

/// The rows of a Parquet file as arrow batches.
pub(crate) fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).expect("there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("columns");
    reader.collect::<Result<_, _>>().expect("rows")
}

/// The ledger beside a release.
pub(crate) fn ledger(out: &Path) -> serde_json::Value {
    let path = out.parent().expect("a parent").join("ledger/run.json");
    serde_json::from_slice(&fs::read(path).expect("a ledger")).expect("JSON")
}
