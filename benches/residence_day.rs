//! How much of a day of presence by residence is withheld, level by level, and how long does protecting it take?
//!
//! `THRONG_RESIDENCE_TABLE` names the table that `residence_day.py` makes; without it there is nothing to do.

#![expect(clippy::print_stdout, reason = "a bench says what it found")]

mod blocks;

use std::time::Instant;

use blocks::Block;
use throng_anonymiser::{Numbers, Pattern, Rule, Safety, suppress};

const PLACES: [&str; 5] = ["postal_code", "commune", "province", "region", "country"];
const RESIDENCES: [&str; 4] = ["province", "region", "Belgium or abroad", "all"];

#[derive(Clone, Copy, Default)]
struct Share {
    numbers: u64,
    withheld: u64,
    small: u64,
    people: u64,
    withheld_people: u64,
}

fn main() {
    let Some(path) = std::env::var_os("THRONG_RESIDENCE_TABLE") else { return };
    let text = std::fs::read_to_string(path).expect("the table");
    let (head, rows) = text.split_once('\n').expect("a header");
    let rows: Vec<&str> = rows.lines().collect();
    let hours: Vec<Block> = rows
        .chunk_by(|a, b| a.split(',').next() == b.split(',').next())
        .map(|hour| Block::parse(head, hour.iter().copied()))
        .collect();
    for safety in [Safety::Exact, Safety::Certified] {
        let rule = Rule { k: 30, counts_per_device: 1, safety };
        let mut shares = [[Share::default(); RESIDENCES.len()]; PLACES.len()];
        let start = Instant::now();
        let mut before: Option<Pattern> = None;
        for hour in &hours {
            // One lattice for all hours: their atoms and columns are the same.
            let numbers = Numbers { atoms: &hour.atoms, devices: None, withheld: None };
            let pattern = suppress(&hours[0].lattice, numbers, rule, before.as_ref());
            for (column, (place, class)) in hour.levels.iter().enumerate() {
                let share = &mut shares[*place][*class];
                let people: u64 = hour.columns[column].iter().map(|atom| hour.atoms[*atom as usize]).sum();
                share.numbers += 1;
                share.people += people;
                if pattern.withholds(&hours[0].lattice, column) {
                    share.withheld += 1;
                    share.withheld_people += people;
                    share.small += u64::from(pattern.is_small(&hours[0].lattice, column));
                }
            }
            before = Some(pattern);
        }
        println!(
            "{safety:?}: {} hours of {} numbers in {:?}",
            hours.len(),
            hours[0].columns.len(),
            start.elapsed()
        );
        println!("| place | residence | numbers | too few | protective | of people withheld |");
        println!("| --- | --- | ---: | ---: | ---: | ---: |");
        for (place, row) in PLACES.iter().zip(&shares) {
            for (class, share) in RESIDENCES.iter().zip(row) {
                #[expect(clippy::cast_precision_loss, reason = "a share")]
                let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
                println!(
                    "| {place} | {class} | {} | {:.1} % | {:.1} % | {:.1} % |",
                    share.numbers,
                    percent(share.small, share.numbers),
                    percent(share.withheld - share.small, share.numbers),
                    percent(share.withheld_people, share.people)
                );
            }
        }
    }
}
