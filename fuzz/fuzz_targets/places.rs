//! Places and occasions in GeoJSON.

#![no_main]
#![expect(dead_code, reason = "a target uses one entry of them")]

#[path = "../entries/mod.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(init: entries::hush(), |bytes: &[u8]| entries::places(bytes));
