//! The wall with two doors: identifiers stop at its entrance, small groups at its exit.
//!
//! ```text
//!            entrance                        the room                            exit
//!   bytes --> Batch --gather--> Crowd --count--> CountTable --protect--> ProtectedTable --> files
//!             (keyed              (nobody can      (nobody can            (anyone may read,
//!              pseudonyms)         read it)         read it)               shape and write it)
//! ```
//!
//! The dangerous types live here, because Rust's privacy stops at the crate: nothing outside can open a
//! [`Crowd`] or a [`CountTable`], and there is no way to a [`ProtectedTable`] but [`protect`](protect()).
//!
//! ```
//! use throng_anonymiser::{Ballot, Crowd, Entrance, Frame, Guard, Lattice, Policy, Shape, Share, Sitting, Source,
//!     Subscribers, Threshold, Trajectory, protect};
//! use throng_schema::{Grid, PlaceRow, PlaceTree, VersionIx};
//!
//! /// Forty people, each seen once in the only cell there is.
//! struct Forty;
//! impl Source for Forty {
//!     type Tally = ();
//!     type Error = std::convert::Infallible;
//!     fn pour(&self, entrance: &Entrance<'_>) -> Result<(), Self::Error> {
//!         let mut batch = entrance.batch(0);
//!         for id in 0..40_u8 {
//!             if let Ok(pass) = batch.meet(&[id], None) {
//!                 batch.admit(pass, 1_000, VersionIx(0));
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let subscribers = Subscribers::new()?;
//! let frame = Frame { from_us: 0, until_us: 2_000, hold_us: 60, versions: 1, files: 1, memory: 1 << 20 };
//! let (crowd, ()) = Crowd::gather(&Forty, &subscribers, &frame, Share::whole())?;
//!
//! let codes = ["BE", "R", "P", "C", "1000"].map(str::to_owned);
//! let tree = PlaceTree::new(&[PlaceRow { codes, ..PlaceRow::default() }])?;
//! let postal_code = tree.postal_code("1000").expect("the only one").index();
//! let grid = Grid::new(1, tree.len());
//! let visit = |_: &Trajectory<'_>, ballot: &mut Ballot<'_>| ballot.mark(0, 0, postal_code);
//! let shapes = [Shape::marked(grid)];
//! let counted = crowd.count(&Sitting::of(&shapes, &subscribers), |cell, _| Some(cell), None, visit);
//! let lattice = Lattice::of_places(&tree, &[true; 5]);
//! let guard = Guard::Sums { lattice: &lattice, others: &[], groups: &[0; 5], counts_per_device: 1 };
//! let protected = protect(counted.tables, &[guard], &Policy::certified(Threshold::new(30)?));
//! assert_eq!(protected.tables[0].published(0, postal_code), Some(40));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`subscriber`](Subscribers), `pseudonym`, [`opt_out_hash`](OptOutHash), [`entrance`](Entrance), `arena`, [`crowd`](Crowd),
//! [`trajectory`](Trajectory), [`count_table`](CountTable), [`policy`](Policy), [`protect`](protect()),
//! [`lattice`](Lattice), [`suppress`](suppress()) (with `exchange` and `eliminate` behind it), `nested`,
//! [`protected_table`](ProtectedTable).

#![forbid(unsafe_code)]

mod arena;
mod axis;
mod carried;
mod count_table;
mod crossed;
mod crowd;
mod eliminate;
mod entrance;
mod exchange;
mod guests;
mod key;
mod lattice;
mod layout;
mod nested;
mod opt_out_hash;
mod partition;
mod policy;
mod protect;
mod protected_table;
mod pseudonym;
mod recent;
mod share;
mod subscriber;
mod suppress;
mod trajectory;
mod upwards;

pub use axis::Axis;
pub use carried::{BYTES_CARRIED, Carried};
pub use count_table::{Ballot, CountTable, Counted, Found, Shape, SparseShape, SparseTable};
pub use crowd::{Crowd, GatherError, Sift, Sitting, Source};
pub use entrance::{BYTES_GATHERED, Batch, Entrance, Met, Pass, Seen, Turned};
pub use guests::{GuestGuard, protect_guests};
pub use key::key;
pub use lattice::Lattice;
pub use layout::Frame;
pub use opt_out_hash::{Algorithm, OptOutHash, UnknownAlgorithm};
pub use policy::{Policy, Threshold, ThresholdError};
pub use protect::{Exit, Guard, PairGuard, protect};
pub use protected_table::{Account, Pair, Protected, ProtectedPairs, ProtectedTable, Witness};
pub use pseudonym::KeyError;
pub use share::{Share, Shares};
pub use subscriber::Subscribers;
pub use suppress::{Numbers, Pattern, Rule, Safety, suppress};
pub use trajectory::{Home, Sighting, Trajectory};
