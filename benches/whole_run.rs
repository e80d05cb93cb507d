//! What does the whole program cost, from files to a release in its place?

mod input;

use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use input::Input;
use throng_synth::Format;

fn whole_run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole run");
    for (name, format) in [("parquet", Format::Parquet), ("csv.gz", Format::CsvGz)] {
        let input = Input::new(format);
        // A release that another version has left would stand in the way.
        let _ = std::fs::remove_dir_all(input.folder.join("release"));
        let run = || {
            let status = Command::new(env!("CARGO_BIN_EXE_throng"))
                .args(["run", "--config"])
                .arg(input.folder.join("throng.toml"))
                .arg("--out")
                .arg(input.folder.join("release"))
                .output()
                .expect("runs");
            assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        };
        group.throughput(Throughput::Elements(input::events())).sample_size(10);
        group.bench_function(name, |bench| bench.iter(run));
    }
    group.finish();
}

criterion_group!(benches, whole_run);
criterion_main!(benches);
