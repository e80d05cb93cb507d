//! Occasions: concerts, matches and markets, each an area and a stretch of time.

/// A concert, match or market: an area and a window. Never called an event, which is what a phone sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// Its code, unique in the run: what reports call it.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// First moment of its window, in microseconds since 1970 UTC.
    pub from_us: i64,
    /// First moment after it.
    pub until_us: i64,
    /// Of each version of a cell of the plan, whether it lies in the area.
    pub inside: Vec<bool>,
}
