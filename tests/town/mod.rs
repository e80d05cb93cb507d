//! A made-up country of a few postal codes, small ones beside large ones, and releases of a day in it to be forged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::{Int64Type, TimestampMillisecondType},
};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::world::{Event, Form, HOUR_US, MIDNIGHT_US, event, read_parquet, succeeded, throng, write_events};

pub(crate) const PRESENCE: &str = "presence/date=2026-10-15/part.parquet";
pub(crate) const VISITORS: &str = "visitors/date=2026-10-15/part.parquet";

/// The k of the releases.
pub(crate) const K: i64 = 20;

/// How many people like each postal code, by commune; province and region hold two and four communes.
const COMMUNES: [&[u32]; 8] =
    [&[90, 4, 3], &[60, 40], &[8], &[30, 5, 4, 2], &[25, 3], &[12, 10, 2, 1], &[50], &[9, 6, 5, 1]];

fn codes() -> Vec<(String, usize, u32)> {
    let inside = |(commune, likes): (usize, &'static &[u32])| {
        likes.iter().enumerate().map(move |(i, likes)| (format!("{commune}00{i}"), commune, *likes))
    };
    COMMUNES.iter().enumerate().flat_map(inside).collect()
}

/// The events of a day: everybody is seen two or three times an hour, most of the time at home.
pub(crate) fn events(people: u32, seed: u64) -> Vec<Event> {
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    let codes = codes();
    let all: u32 = codes.iter().map(|(_, _, likes)| likes).sum();
    let mut events = Vec::new();
    for person in 0..people {
        let id = format!("{:015}", 206_010_000_000_000_u64 + u64::from(person) * 7_919);
        let pick = |dice: &mut Pcg64Mcg| {
            let mut at = dice.random_range(0..all);
            let chosen = codes.iter().find(|(_, _, likes)| {
                let here = at < *likes;
                at = at.saturating_sub(*likes);
                here
            });
            chosen.map_or("", |(code, _, _)| code.as_str())
        };
        let home = pick(&mut dice);
        let mut at_us = MIDNIGHT_US - HOUR_US;
        let mut place = home;
        while at_us < MIDNIGHT_US + 25 * HOUR_US {
            if dice.random_bool(0.1) {
                place = if dice.random_bool(0.7) { home } else { pick(&mut dice) };
            }
            events.push(event(&id, at_us, place));
            at_us += dice.random_range(HOUR_US / 4..HOUR_US / 2);
        }
    }
    events
}

/// A release of these events, with its ledger beside it.
pub(crate) fn release(folder: &Path, name: &str, events: &[Event], k: i64, more: &[&str]) -> PathBuf {
    let out = folder.join(name).join("release");
    succeeded(&run(folder, &out, events, k, more));
    out
}

fn run(folder: &Path, out: &Path, events: &[Event], k: i64, more: &[&str]) -> Output {
    let row = |(code, commune, _): &(String, usize, u32)| {
        format!("{code},C{commune},P{},R{},XX\n", commune / 2, commune / 4)
    };
    let places: String = codes().iter().map(row).collect();
    let cells: String = codes().iter().map(|(code, _, _)| format!("{code},{code}\n")).collect();
    fs::create_dir_all(folder).expect("a folder");
    let (at, plan) = (folder.join("places.csv"), folder.join("cells.csv"));
    fs::write(&at, "postal_code,commune,province,region,country\n".to_owned() + &places).expect("written");
    fs::write(&plan, "cell_id,postal_code\n".to_owned() + &cells).expect("written");
    let file = write_events(out.parent().expect("a folder"), "day", Form::Parquet, events);
    let mut command: Command = throng();
    command.arg("run").arg("--events").arg(file).arg("--cells").arg(plan).arg("--places").arg(at);
    command.arg("--out").arg(out).args([
        "--from",
        "2026-10-15",
        "--as-of",
        "2026-10-16",
        "--k",
        &k.to_string(),
    ]);
    if k < 15 {
        command.arg("--accept-small-k");
    }
    command.args(more).output().expect("it runs")
}

/// A row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) at_ms: i64,
    /// `hour`, `day`, or nothing for an instant.
    pub(crate) period: String,
    pub(crate) level: String,
    pub(crate) place: String,
    pub(crate) people: Option<i64>,
    pub(crate) status: String,
}

impl Cell {
    pub(crate) fn withhold(&mut self) {
        (self.people, self.status) = (None, "withheld".to_owned());
    }
}

fn batch(out: &Path, part: &str) -> RecordBatch {
    let batches = read_parquet(&out.join(part));
    concat_batches(&batches[0].schema(), &batches).expect("one batch")
}

/// The rows of a report, as they stand.
pub(crate) fn cells(out: &Path, part: &str) -> Vec<Cell> {
    let batch = batch(out, part);
    let text = |name: &str| batch[name].as_string::<i32>();
    let time = batch.column(0).as_primitive::<TimestampMillisecondType>();
    let period = batch.column_by_name("period").map(|column| column.as_string::<i32>());
    let people = batch["people"].as_primitive::<Int64Type>();
    let numbers: Vec<Option<i64>> = people.iter().collect();
    (0..batch.num_rows())
        .map(|i| Cell {
            at_ms: time.value(i),
            period: period.map_or_else(String::new, |period| period.value(i).to_owned()),
            level: text("level").value(i).to_owned(),
            place: text("place").value(i).to_owned(),
            people: numbers[i],
            status: text("status").value(i).to_owned(),
        })
        .collect()
}

/// Puts other numbers and statuses into a report, and its hash into the manifest: what a careful forger does.
pub(crate) fn forge_cells(out: &Path, part: &str, change: impl FnOnce(&mut Vec<Cell>)) {
    let mut cells = cells(out, part);
    change(&mut cells);
    let batch = batch(out, part);
    let people: Int64Array = cells.iter().map(|cell| cell.people).collect();
    let status: StringArray = cells.iter().map(|cell| Some(cell.status.as_str())).collect();
    let mut columns = batch.columns().to_vec();
    let at = |name: &str| batch.schema().index_of(name).expect("a column");
    columns[at("people")] = Arc::new(people) as ArrayRef;
    columns[at("status")] = Arc::new(status) as ArrayRef;
    let batch = RecordBatch::try_new(batch.schema(), columns).expect("a batch");
    forge(out, part, &encoded(&batch));
}

pub(crate) fn encoded(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(batch).expect("written");
    writer.into_inner().expect("closed")
}

/// Puts other bytes into a file of the release, and their hash into the manifest.
pub(crate) fn forge(out: &Path, name: &str, bytes: &[u8]) {
    fs::write(out.join(name), bytes).expect("written");
    forge_manifest(out, |manifest| {
        for file in manifest["files"].as_array_mut().expect("files") {
            if file["path"] == name {
                file["blake3"] = blake3::hash(bytes).to_hex().to_string().into();
                file["bytes"] = bytes.len().into();
            }
        }
    });
}

pub(crate) fn forge_manifest(out: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = out.join("manifest.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    change(&mut manifest);
    fs::write(path, serde_json::to_vec(&manifest).expect("JSON")).expect("written");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for (name, bytes) in crate::world::files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

/// What leaving out small numbers alone gives: every number of the truth that is k or more, and no other.
pub(crate) fn plain(truth: &Path, out: &Path) {
    copy(truth, out);
    for part in [PRESENCE, VISITORS] {
        forge_cells(out, part, |cells| {
            cells
                .iter_mut()
                .filter(|cell| cell.people.is_some_and(|people| people < K))
                .for_each(Cell::withhold);
        });
    }
    forge_manifest(out, |manifest| {
        manifest["parameters"]["k"] = K.into();
        manifest["parameters"]["small_k_accepted"] = false.into();
    });
}
