//! Cell plan, occasions, census, factors, places and tables of subscribers in Parquet.

#![no_main]
#![expect(dead_code, reason = "a target uses one entry of them")]

#[path = "../entries/mod.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(init: entries::hush(), |bytes: &[u8]| entries::tables_parquet(bytes));
