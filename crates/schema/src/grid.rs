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
    ///
    /// # Panics
    /// When there is no such time or place: the slot would be that of another.
    #[inline]
    #[must_use]
    pub fn slot(self, time: usize, place: usize) -> Slot {
        assert!(time < self.times && place < self.places, "a slot beyond the grid");
        Slot(time * self.places + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_numbered_time_by_time_and_none_is_another_s() {
        let grid = Grid::new(3, 4);
        let all = (0..3).flat_map(|time| (0..4).map(move |place| grid.slot(time, place).0));
        assert_eq!(all.collect::<Vec<_>>(), (0..grid.len()).collect::<Vec<_>>());
        for (time, place) in [(3, 0), (0, 4), (usize::MAX, 0), (0, usize::MAX)] {
            assert!(std::panic::catch_unwind(|| grid.slot(time, place)).is_err(), "{time}, {place}");
        }
        assert_eq!([Grid::new(0, 5), Grid::new(5, 0)].map(Grid::len), [0, 0]);
        assert!(
            std::panic::catch_unwind(|| Grid::new(usize::MAX, 2).len()).is_err(),
            "more slots than there can be"
        );
    }
}
