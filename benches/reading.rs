//! What does it cost to decode the three columns, and nothing else? The floor under every other figure.

mod input;

use std::{fs::File, hint::black_box, path::PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use input::Input;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
};
use rayon::prelude::*;
use throng_synth::Format;

/// Decodes event time, subscriber and cell of every row group, in parallel; gives the rows.
fn decode(files: &[PathBuf]) -> usize {
    let groups: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let metadata = ArrowReaderMetadata::load(&File::open(path).expect("there"), Default::default())
                .expect("Parquet");
            (0..metadata.metadata().num_row_groups()).map(move |group| (path, metadata.clone(), group))
        })
        .collect();
    groups
        .into_par_iter()
        .map(|(path, metadata, group)| {
            let columns = ["event_time", "subscriber_id", "cell_id"];
            let mask = ProjectionMask::columns(metadata.parquet_schema(), columns);
            ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path).expect("there"), metadata)
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_batch_size(8_192)
                .build()
                .expect("columns")
                .map(|batch| black_box(batch.expect("rows")).num_rows())
                .sum::<usize>()
        })
        .sum()
}

fn reading(criterion: &mut Criterion) {
    let input = Input::new(Format::Parquet);
    let files = throng_ingest::find_files(&[input.folder.join("events")]).expect("files");
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Elements(decode(&files) as u64)).sample_size(10);
    group
        .bench_function("parquet, three columns, decoded and dropped", |bench| bench.iter(|| decode(&files)));
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
