//! A seeded, believable Belgium: people who live, work and travel, the events their phones cause, and the truth.
//!
//! ```text
//!   Land ------> Person ------> Timeline ------> Row ------> events/date=.../part-00.parquet
//!   postal codes who lives      where, from      what the    cells.csv  opt_out.csv  residence.csv
//!   and roads    where          when to when     network saw throng.toml  README.md
//!                                  |
//!                                  +-----------------------> truth/date=.../part.parquet
//! ```
//!
//! Every draw follows from the seed and the name of what is drawn (a person, a day), never from the order of
//! the work, so the same parameters give the same bytes on any number of threads.
//!
//! ```
//! use throng_synth::{Area, Parameters, generate};
//!
//! let folder = tempfile::tempdir()?;
//! let parameters = Parameters {
//!     out: folder.path().join("brussels"),
//!     subscribers: 200,
//!     area: Area::Codes(vec!["10".into(), "11".into(), "12".into()]),
//!     ..Parameters::default()
//! };
//! let summary = generate(&parameters, &|_events_so_far| {})?;
//! assert!(summary.events > 5_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

// What is asked for and what comes back.
mod parameters;
// The world: chance, the ground, the clock, the antennas, the people.
mod antennas;
mod clock;
mod dice;
mod land;
mod person;
// A day in it, and what the network sees of that day.
mod schedule;
mod signalling;
// The files.
mod files;
mod folder;
mod generate;
mod truth;

pub use generate::generate;
pub use parameters::{Area, Defects, Festival, Format, Injected, Parameters, Summary, SynthError};
