//! Reads a release as a stranger would, trusting nobody who made it: checks it, and attacks it.
#![forbid(unsafe_code)]

mod bounds;
mod eliminate;
mod incidence;
mod programme;

pub use bounds::{Bounds, Contradiction, bounds};
pub use eliminate::{Recovered, recovered};
pub use incidence::Incidence;
pub use programme::{Solved, solved};
