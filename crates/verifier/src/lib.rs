//! Reads a release as a stranger would, trusting nobody who made it: checks it, and attacks it.
//!
//! Nothing that makes a release safe is used here, so a mistake there cannot hide itself here: of the project's
//! crates this one knows the schema alone.
//!
//! ```text
//!   release --read--> cells of every place and time --verify--> Verdict      what is wrong, if anything
//!                                  |                --attack--> Finding...   how far each attack gets
//!                                  v
//!   Incidence: columns, each a sum of atoms        the engine, for any table of sums
//!      |-- recovered   what follows by adding and subtracting, exactly
//!      |-- bounds      what follows because no count is negative, by intervals
//!      '-- solved      the same by linear programmes
//! ```
//!
//! ```
//! use throng_verifier::{Bounds, Incidence, bounds, recovered};
//!
//! // A commune of three postal codes: it and two of them are published, so the third is no secret.
//! let incidence = Incidence::new(3, [vec![0], vec![1], vec![2], vec![0, 1, 2]]);
//! assert_eq!(recovered(&incidence, &[true, true, false, true]).columns, [2]);
//! // With one of them published, the others share what is left: each is 7 at most, which is under 20.
//! let known = [Some(Bounds::exactly(40)), None, None, Some(Bounds::exactly(47))];
//! assert!(recovered(&incidence, &[true, false, false, true]).columns.is_empty());
//! assert_eq!(bounds(&incidence, &known)?[1], Bounds { least: 0, most: 7 });
//! # Ok::<(), throng_verifier::Contradiction>(())
//! ```

#![forbid(unsafe_code)]

mod attack;
mod bounds;
mod check;
mod classes;
mod columns;
mod crossing;
mod eliminate;
mod error;
mod factor;
mod fault;
mod figures;
mod found;
mod incidence;
mod node;
mod number;
mod occasions;
mod part;
mod places;
mod programme;
mod release;

pub use attack::{Finding, Gets, Means, attack};
pub use bounds::{Bounds, Contradiction, bounds};
pub use check::{Options, Verdict, Witnesses, verify};
pub use eliminate::{Recovered, recovered};
pub use error::VerifierError;
pub use fault::Fault;
pub use incidence::Incidence;
pub use programme::{Solved, solved};
