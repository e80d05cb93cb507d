//! What does it cost to sort a crowd, form the stays, count presence and visitors, and protect them?

mod input;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use input::Input;
use throng_anonymiser::{Carried, Crowd, Policy, Share, Subscribers, Threshold};
use throng_synth::Format;

fn counting(criterion: &mut Criterion) {
    let input = Input::new(Format::Parquet);
    let events = input.open();
    let (frame, reports) = (input.frame(events.paths().len()), input.reports());
    let today = reports.today(&input.calendar.days()[0]);
    let subscribers = Subscribers::new().expect("key");
    let gather = || Crowd::gather(&events, &subscribers, &frame, Share::whole()).expect("a crowd");
    let mut group = criterion.benchmark_group("counting");
    group.throughput(Throughput::Elements(gather().1.admitted())).sample_size(10);
    group.bench_function("presence and visitors", |bench| {
        bench.iter_batched(
            || gather().0,
            |crowd| throng_aggregator::count(crowd, &today, &subscribers, &Carried::default()),
            BatchSize::PerIteration,
        );
    });
    let policy = Policy::certified(Threshold::new(30).expect("safe"));
    group.bench_function("protection of both", |bench| {
        let counted = || throng_aggregator::count(gather().0, &today, &subscribers, &Carried::default());
        let protect = |counted: throng_anonymiser::Counted| {
            throng_anonymiser::protect(counted.tables, &today.guards(), &policy)
        };
        bench.iter_batched(counted, protect, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, counting);
criterion_main!(benches);
