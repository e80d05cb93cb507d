//! The columns of every file of a release, which the schema gives to writer and verifier alike.

pub use throng_schema::{arrow_schema, places_schema};
