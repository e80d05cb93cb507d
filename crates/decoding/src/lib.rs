//! Lets the Parquet decoder at files that anybody may have sent.
//!
//! The decoder believes what a file says of itself: how many row groups to make room for, how deep columns nest, what a
//! page becomes once unpacked. A few hundred bytes can so ask it for all memory, or for more stack than there is, and
//! neither can be caught. So a file is looked at before it is decoded, and a panic of the decoder is damage like any
//! other.
//!
//! ```text
//!   file -> footer: no list longer than its bytes, columns nest 64 deep at most   -> what the file holds
//!        -> pages:  of at most 256 MiB each, as many values as rows, no more
//!                   entries and lengths than there is room for                    -> rows to be decoded at a time
//! ```
//!
//! ```
//! use throng_decoding::{guarded, is_guarded};
//!
//! assert_eq!(guarded(|| 1 + 1), Some(2));
//! assert!(guarded(is_guarded) == Some(true) && !is_guarded());
//! ```

#![forbid(unsafe_code)]

mod delta;
mod footer;
mod guard;
mod pages;
mod thrift;

pub use footer::footer;
pub use guard::{guarded, is_guarded};
pub use pages::{PAGE_BYTES_MAX, Texts, rows_at_once};
