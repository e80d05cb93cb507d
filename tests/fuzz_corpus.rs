//! Every input that fuzzing has kept, and thousands near them, through what the targets of `fuzz/` do with theirs.
//!
//! The inputs near them are drawn from a seed and bounded in number, so that the same are tried every time.

#![expect(dead_code, reason = "of the command line, what reads a config is a part")]

#[path = "../crates/cli/args.rs"]
mod args;
#[path = "../crates/cli/config.rs"]
mod config;
#[path = "../fuzz/entries/mod.rs"]
mod entries;
#[path = "../crates/cli/failure.rs"]
mod failure;
mod log {
    //! In the stead of the program's log: nobody listens.
    pub(crate) fn speak_as(_: crate::args::LogForm) {}
}
#[path = "../crates/cli/next_step.rs"]
mod next_step;
#[path = "../crates/cli/settings.rs"]
mod settings;

use std::{fs, path::Path};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Made-up inputs of each target, unless `THRONG_FUZZ_INPUTS` says how many. A release takes as long as a hundred others.
const MADE_UP: usize = 3_000;
const MADE_UP_RELEASES: usize = 100;

/// What the fuzzer keeps its inputs under.
const INPUT_BYTES_MAX: usize = 1 << 14;

/// Numbers at the edges of what is stored in one, two, four and eight bytes.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Tries what is kept of a target, and so many inputs near it.
fn try_all(target: &str, made_up: usize, run: fn(&[u8])) {
    entries::hush();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    let kept: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("read")).collect();
    kept.iter().for_each(|input| run(input));
    let mut dice = Pcg64Mcg::seed_from_u64(9_000);
    let asked = std::env::var("THRONG_FUZZ_INPUTS").ok().and_then(|inputs| inputs.parse().ok());
    for round in 0..asked.unwrap_or(made_up) {
        let mut input = kept[round % kept.len()].clone();
        for _ in 0..dice.random_range(1..4) {
            change(&mut input, &kept, &mut dice);
        }
        input.truncate(INPUT_BYTES_MAX);
        run(&input);
    }
}

/// Changes an input in one place.
fn change(input: &mut Vec<u8>, kept: &[Vec<u8>], dice: &mut Pcg64Mcg) {
    let at = dice.random_range(0..=input.len());
    let length = dice.random_range(1..=16).min(input.len() - at);
    match dice.random_range(0..6) {
        0 if at < input.len() => input[at] ^= 1 << dice.random_range(0..8),
        1 if at < input.len() => input[at] = dice.random(),
        2 => {
            let bytes = EDGES[dice.random_range(0..EDGES.len())].to_le_bytes();
            input.splice(at..at + length.min(8), bytes.into_iter().take(length.min(8)));
        }
        3 => _ = input.drain(at..at + length),
        4 => {
            let copy = input[at..at + length].to_vec();
            input.splice(at..at, copy);
        }
        _ => {
            let other = &kept[dice.random_range(0..kept.len())];
            let from = dice.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

#[test]
fn events_in_csv_have_one_fate_each() {
    try_all("events_csv", MADE_UP, entries::events_csv);
}

#[test]
fn events_in_parquet_have_one_fate_each() {
    try_all("events_parquet", MADE_UP, entries::events_parquet);
}

#[test]
fn tables_in_csv_are_read_or_refused() {
    try_all("tables_csv", MADE_UP, entries::tables_csv);
}

#[test]
fn tables_in_parquet_are_read_or_refused() {
    try_all("tables_parquet", MADE_UP, entries::tables_parquet);
}

#[test]
fn places_and_occasions_in_geojson_are_read_or_refused() {
    try_all("places", MADE_UP, entries::places);
}

#[test]
fn releases_are_verified_and_attacked_whatever_their_files_hold() {
    let every_way = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        for how in [0, entries::BESIDES, entries::ATTACKED, entries::ATTACKED | entries::BESIDES] {
            let asked = !(entries::ATTACKED | entries::BESIDES);
            bytes.iter_mut().take(1).for_each(|first| *first = *first & asked | how);
            entries::release(&bytes);
        }
    };
    try_all("release", MADE_UP_RELEASES, every_way);
}

#[test]
fn configs_are_read_or_refused() {
    try_all("config", MADE_UP, |bytes| {
        entries::in_a_file("throng.toml", bytes, |path| {
            let _ = config::read(path).and_then(args::Settings::into_plan);
        });
    });
}
