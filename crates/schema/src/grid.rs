//! What a slot of a table of counts is: one place at one time.

/// The number of a slot in a table: `time * places + place`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);

/// The shape of a dense table of counts: every time by every place, in time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    times: usize,
    places: usize,
}

impl Grid {
    /// A grid of `times` by `places`.
    #[must_use]
    pub fn new(times: usize, places: usize) -> Self {
        Self { times, places }
    }

    /// How many times (instants, hours or days).
    #[must_use]
    pub fn times(self) -> usize {
        self.times
    }

    /// How many places, of all levels.
    #[must_use]
    pub fn places(self) -> usize {
        self.places
    }

    /// How many slots.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a grid of no slots is of no interest")]
    pub fn len(self) -> usize {
        self.times * self.places
    }

    /// The slot of a place at a time.
    #[inline]
    #[must_use]
    pub fn slot(self, time: usize, place: usize) -> Slot {
        debug_assert!(time < self.times && place < self.places);
        Slot(time * self.places + place)
    }
}
