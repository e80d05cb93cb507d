//! How many instructions does each stage take? Counted by Valgrind, so that the answer repeats on a noisy machine.

#![expect(missing_docs, reason = "the macros of the library define what needs none")]

mod input;

use std::{hint::black_box, sync::OnceLock};

use gungraun::{library_benchmark, library_benchmark_group, main};
use input::Input;
use throng_anonymiser::{Carried, Counted, Crowd, Share, Subscribers};
use throng_synth::Format;

/// A small input, the same every time, and a key that is the same every time.
fn input(format: Format) -> (Input, Subscribers) {
    (Input::small(format), Subscribers::for_bench())
}

fn gathered(format: Format) -> (Input, Subscribers, Crowd) {
    let (input, subscribers) = input(format);
    let crowd = gather_from(&input, &subscribers);
    (input, subscribers, crowd)
}

fn gather_from(input: &Input, subscribers: &Subscribers) -> Crowd {
    let events = input.open();
    let frame = input.frame(events.paths().len());
    one_thread(|| Crowd::gather(&events, subscribers, &frame, Share::whole()).expect("a crowd").0)
}

fn count_for(input: &Input, subscribers: &Subscribers, crowd: Crowd) -> Counted {
    let reports = input.reports();
    let today = reports.today(&input.calendar.days()[0]);
    one_thread(|| throng_aggregator::count(crowd, &today, subscribers, &Carried::default()))
}

/// All work is done by the thread that is looked at, in the only pool that it may belong to.
fn one_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    let pool =
        || rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().expect("a thread");
    POOL.get_or_init(pool).install(work)
}

#[library_benchmark]
#[bench::parquet(args = (Format::Parquet), setup = input)]
#[bench::csv(args = (Format::Csv), setup = input)]
fn gather((input, subscribers): (Input, Subscribers)) -> Crowd {
    black_box(gather_from(&input, &subscribers))
}

#[library_benchmark]
#[bench::presence_and_visitors(args = (Format::Parquet), setup = gathered)]
fn count((input, subscribers, crowd): (Input, Subscribers, Crowd)) -> Counted {
    black_box(count_for(&input, &subscribers, crowd))
}

library_benchmark_group!(name = stages, benchmarks = [gather, count]);
main!(library_benchmark_groups = stages);
