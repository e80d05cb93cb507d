//! What does protection cost, and how much does it withhold, on one table of 22,568 numbers and one of 127,450?

#![expect(clippy::print_stdout, reason = "a bench says what it found")]

mod blocks;

use blocks::Block;
use criterion::{Criterion, criterion_group, criterion_main};
use throng_anonymiser::{Safety, suppress};

fn protecting(criterion: &mut Criterion) {
    // `cargo bench -- --test` tries each once, and the largest not at all.
    let tried = std::env::args().any(|argument| argument == "--test");
    let mut group = criterion.benchmark_group("protecting");
    group.sample_size(10);
    for (name, safeties) in [
        (
            "residence",
            &[Safety::Exact, Safety::ExactWithGroups, Safety::CertifiedGroups, Safety::Certified][..],
        ),
        ("flows", &[Safety::Exact, Safety::ExactWithGroups]),
    ] {
        let block = Block::read(name);
        println!("{}", block.account_of_leaving_out(name));
        for safety in safeties.iter().filter(|safety| !tried || **safety < Safety::CertifiedGroups) {
            let protect = || suppress(&block.lattice, block.numbers(), block.rule(*safety), None);
            let pattern = protect();
            println!("{}", block.account(name, *safety, &pattern));
            if *safety == Safety::Certified {
                println!("{}", block.account_of_witnesses(&pattern));
            }
            group.bench_function(format!("{name}, {safety:?}"), |bench| bench.iter(protect));
        }
    }
    group.finish();
}

criterion_group!(benches, protecting);
criterion_main!(benches);
