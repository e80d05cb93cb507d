//! Which part of the pseudonyms one pass over the input takes, so that a crowd fits the memory.

use std::ops::Range;

use crate::layout::SHARDS;

/// A part of the space of pseudonyms. Everybody is in exactly one of disjoint shares, so counts add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share(Range<usize>);

impl Share {
    /// Everybody.
    #[must_use]
    pub fn whole() -> Self {
        Self(0..SHARDS)
    }

    /// `parts` shares of about equal size, which together are everybody.
    #[must_use]
    pub fn split(parts: usize) -> Vec<Self> {
        let parts = parts.clamp(1, SHARDS);
        (0..parts).map(|i| Self(i * SHARDS / parts..(i + 1) * SHARDS / parts)).collect()
    }

    /// What fraction of everybody this is, between 0 and 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "there are a few thousand shards")]
    pub fn fraction(&self) -> f64 {
        self.0.len() as f64 / SHARDS as f64
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.0.clone()
    }

    pub(crate) fn of(shards: Range<usize>) -> Option<Self> {
        (!shards.is_empty()).then_some(Self(shards))
    }
}

/// The shares still to be taken.
///
/// A pass that runs out of memory takes less than its share; what is left over comes back here.
#[derive(Debug)]
pub struct Shares(Vec<Share>);

impl Shares {
    /// Everybody, in so many passes as are expected to be needed.
    #[must_use]
    pub fn planned(passes: usize) -> Self {
        let mut shares = Share::split(passes);
        shares.reverse();
        Self(shares)
    }

    /// The share for the next pass, none when everybody was counted.
    pub fn take(&mut self) -> Option<Share> {
        self.0.pop()
    }

    /// Another pass shall take what did not fit.
    pub fn give_back(&mut self, left_over: Option<Share>) {
        self.0.extend(left_over);
    }

    /// Takes what remains in so many passes: the first pass has shown how many rows are kept.
    pub fn replan(&mut self, passes: usize) {
        let shards: Vec<usize> = self.0.iter().flat_map(Share::range).collect();
        let (Some(first), Some(last)) = (shards.iter().min(), shards.iter().max()) else { return };
        // What remains is one stretch: passes are taken in order, and give back their own end.
        let passes = passes.clamp(1, shards.len());
        let cut = |i: usize| first + i * (last + 1 - first) / passes;
        self.0 = (0..passes).rev().filter_map(|i| Share::of(cut(i)..cut(i + 1))).collect();
    }

    /// What fraction of everybody is still to be counted, between 0 and 1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.0.iter().map(Share::fraction).sum()
    }

    /// How many passes are still to come, as far as known.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_plan_takes_exactly_what_remains() {
        for (planned, again) in [(22, 1), (22, 5), (3, 7), (1, 4)] {
            let mut shares = Shares::planned(planned);
            let taken = shares.take().expect("the first").range();
            shares.give_back(Share::of(taken.end - 2..taken.end));
            shares.replan(again);
            let mut next = taken.end - 2;
            while let Some(share) = shares.take() {
                assert_eq!(share.range().start, next);
                next = share.range().end;
            }
            assert_eq!(next, SHARDS);
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "fractions of a power of two")]
    fn fractions_of_everybody_are_told() {
        assert_eq!(Share::whole().fraction(), 1.0);
        assert_eq!(Share::split(4).iter().map(Share::fraction).collect::<Vec<_>>(), [0.25; 4]);
        let mut shares = Shares::planned(4);
        assert_eq!((shares.remaining(), shares.fraction()), (4, 1.0));
        shares.take();
        assert_eq!((shares.remaining(), shares.fraction()), (3, 0.75));
        shares.give_back(None);
        assert_eq!((shares.remaining(), shares.fraction()), (3, 0.75));
        shares.give_back(Share::of(0..SHARDS / 8));
        assert_eq!((shares.remaining(), shares.fraction()), (4, 0.875));
        while shares.take().is_some() {}
        shares.replan(3);
        assert_eq!((shares.remaining(), shares.fraction(), shares.take()), (0, 0.0, None));
        assert_eq!(Share::of(5..5), None);
    }

    #[test]
    fn shares_are_as_equal_as_they_can_be() {
        for parts in [3, 7, 1_000] {
            let sizes: Vec<usize> = Share::split(parts).iter().map(|share| share.range().len()).collect();
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(least.zip(most).is_some_and(|(least, most)| most - least <= 1), "{sizes:?}");
            let mut shares = Shares::planned(1);
            shares.replan(parts);
            assert_eq!(shares.remaining(), parts);
            let sizes: Vec<usize> =
                std::iter::from_fn(|| shares.take()).map(|share| share.range().len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), SHARDS);
            assert!(
                sizes.iter().max().zip(sizes.iter().min()).is_some_and(|(most, least)| most - least <= 1)
            );
        }
    }

    #[test]
    fn shares_are_disjoint_and_cover_everybody() {
        for parts in [0, 1, 2, 3, 7, SHARDS, SHARDS + 1] {
            let mut next = 0;
            for share in Share::split(parts) {
                assert_eq!(share.range().start, next);
                assert!(!share.range().is_empty());
                next = share.range().end;
            }
            assert_eq!(next, SHARDS);
        }
    }
}
