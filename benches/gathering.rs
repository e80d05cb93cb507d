//! What does it cost to read events into a crowd: decode, judge every row, find the cell, hash, partition?

mod input;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use input::Input;
use throng_anonymiser::{Crowd, Share, Subscribers};
use throng_synth::Format;

fn gathering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gathering");
    for (name, format) in [
        ("parquet", Format::Parquet),
        ("csv", Format::Csv),
        ("csv.gz", Format::CsvGz),
        ("csv.zst", Format::CsvZst),
    ] {
        let input = Input::new(format);
        let events = input.open();
        let frame = input.frame(events.paths().len());
        let subscribers = Subscribers::new().expect("key");
        let gather = || Crowd::gather(&events, &subscribers, &frame, Share::whole()).expect("a crowd");
        group.throughput(Throughput::Elements(gather().1.rows_read())).sample_size(10);
        group.bench_function(name, |bench| bench.iter_with_large_drop(gather));
    }
    group.finish();
}

criterion_group!(benches, gathering);
criterion_main!(benches);
