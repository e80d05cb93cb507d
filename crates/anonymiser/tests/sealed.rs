//! What the sealed types may not do, as a test: nobody can print, copy, compare, write or keep what is inside.

use std::fmt::{Debug, Display};

use serde::Serialize;
use static_assertions::assert_not_impl_any;
use throng_anonymiser::{
    Ballot, Batch, Carried, CountTable, Crowd, Entrance, Home, OptOutHash, Pass, SparseTable, Subscribers,
    Trajectory,
};

assert_not_impl_any!(Subscribers: Debug, Display, Clone, PartialEq, Serialize, AsRef<[u8]>);
assert_not_impl_any!(Entrance<'static>: Debug, Display, Clone, PartialEq, Serialize);
assert_not_impl_any!(Batch<'static>: Debug, Display, Clone, PartialEq, Serialize, IntoIterator);
assert_not_impl_any!(Pass: Debug, Display, Clone, Copy, PartialEq, PartialOrd, std::hash::Hash, Serialize, Into<u64>);
assert_not_impl_any!(OptOutHash: Debug, Display, PartialEq, std::hash::Hash, Serialize, AsRef<[u8]>);
assert_not_impl_any!(Crowd: Debug, Display, Clone, PartialEq, Serialize, IntoIterator);
assert_not_impl_any!(Trajectory<'static>: Debug, Display, Clone, Copy, PartialEq, Serialize);
assert_not_impl_any!(CountTable: Debug, Display, Clone, PartialEq, Serialize, IntoIterator, std::ops::Index<usize>);
assert_not_impl_any!(SparseTable: Debug, Display, Clone, PartialEq, Serialize, IntoIterator);
assert_not_impl_any!(Carried: Debug, Display, Clone, PartialEq, Serialize, IntoIterator);
assert_not_impl_any!(Home: Debug, Display, Serialize);
assert_not_impl_any!(Ballot<'static>: Debug, Display, Clone, PartialEq, Serialize);

#[test]
fn what_must_not_compile_does_not() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
