//! What does it cost to decode the three columns, and nothing else? The floor under every other figure.

mod input;

#[path = "../crates/cli/bench/floor.rs"]
mod floor;

use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use input::Input;
use throng_synth::Format;

/// Decodes event time, subscriber and cell of every row group, in parallel; gives the rows.
fn decode(files: &[PathBuf]) -> u64 {
    floor::decode(files).expect("Parquet")
}

fn reading(criterion: &mut Criterion) {
    let input = Input::new(Format::Parquet);
    let files = throng_ingest::find_files(&[input.folder.join("events")]).expect("files");
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Elements(decode(&files))).sample_size(10);
    group
        .bench_function("parquet, three columns, decoded and dropped", |bench| bench.iter(|| decode(&files)));
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
