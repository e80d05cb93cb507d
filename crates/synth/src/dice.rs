//! Seeded chance: every draw follows from the seed, a purpose and a name, never from the order of the work.

use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::{Pcg64Mcg, rand_core::Rng};

/// What a draw is for, so that two uses of one name do not see the same numbers.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Antennas = 1,
    Person,
    Habit,
    Schedule,
    Weekend,
    Festival,
    Signalling,
    Identity,
}

/// A hash of some numbers (the finaliser of splitmix64, chained).
pub(crate) fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A stream of chance for one purpose and one name.
pub(crate) struct Dice(Pcg64Mcg);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: Purpose, who: u64, when: i64) -> Self {
        let low = hash(&[seed, purpose as u64, who, when.cast_unsigned()]);
        Self(Pcg64Mcg::new(u128::from(hash(&[low])) << 64 | u128::from(low)))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// At least 0 and below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Below `n`, which is at least 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    /// Exponential, mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        Exp1.sample(&mut self.0)
    }

    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let standard: f64 = StandardNormal.sample(&mut self.0);
        mean + deviation * standard
    }

    /// An index, as likely as its share in weights that have been added up.
    pub(crate) fn weighted(&mut self, added: &[f32]) -> usize {
        let Some(total) = added.last() else { return 0 };
        let point = (self.unit() * f64::from(*total)) as f32;
        added.partition_point(|sum| *sum <= point).min(added.len() - 1)
    }
}

/// Weights added up, for [`Dice::weighted`].
pub(crate) fn add_up(weights: impl Iterator<Item = f64>) -> Vec<f32> {
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight;
            sum as f32
        })
        .collect()
}
