//! What must hold for a number to be shown.

use crate::suppress::{Rule, Safety};

/// The smallest group of devices that may stand behind a published number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold(u64);

/// A threshold that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThresholdError {
    /// Under [`Threshold::SAFE_MIN`], and nobody has said to accept it.
    #[error("k = {0} is too small; expected at least {min}, or --accept-small-k beside it", min = Threshold::SAFE_MIN)]
    Small(u64),
    /// Over [`Threshold::K_MAX`].
    #[error("k = {0} is larger than any country; expected at most {max}", max = Threshold::K_MAX)]
    Large(u64),
}

impl Threshold {
    /// The smallest k that needs no further word: European statistical offices ask for 10 to 20, operators for
    /// 15 to 30.
    pub const SAFE_MIN: u64 = 15;

    /// The largest k: more than any country has people, and few enough that no multiple of it that is asked for
    /// leaves 63 bits.
    pub const K_MAX: u64 = u32::MAX as u64;

    /// A threshold that is safe without further thought.
    ///
    /// # Errors
    /// When k is under [`Threshold::SAFE_MIN`] or over [`Threshold::K_MAX`].
    pub fn new(k: u64) -> Result<Self, ThresholdError> {
        if k < Self::SAFE_MIN { Err(ThresholdError::Small(k)) } else { Self::accept_small(k) }
    }

    /// A smaller threshold, where the operator has said that it is accepted; the manifest repeats it.
    ///
    /// # Errors
    /// When k is 0, which would publish nobody as somebody, or over [`Threshold::K_MAX`].
    pub fn accept_small(k: u64) -> Result<Self, ThresholdError> {
        match k {
            0 => Err(ThresholdError::Small(k)),
            1..=Self::K_MAX => Ok(Self(k)),
            _ => Err(ThresholdError::Large(k)),
        }
    }

    /// The number of devices.
    #[must_use]
    pub fn k(self) -> u64 {
        self.0
    }
}

/// How tables are protected.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The smallest group.
    pub threshold: Threshold,
    /// What the tables withstand.
    pub safety: Safety,
    /// Whether the witnesses of the certificates are asked for.
    pub witnesses: bool,
}

impl Policy {
    /// The rule for a table in which one device can count so often.
    pub(crate) fn rule(&self, counts_per_device: u64) -> Rule {
        Rule { k: self.threshold.k(), counts_per_device, safety: self.safety }
    }

    /// Certified tables, without their witnesses.
    #[must_use]
    pub fn certified(threshold: Threshold) -> Self {
        Self { threshold, safety: Safety::Certified, witnesses: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_at_their_limits() {
        let small = |k| Err(ThresholdError::Small(k));
        let large = |k| Err(ThresholdError::Large(k));
        let of = |make: fn(u64) -> Result<Threshold, ThresholdError>, k| make(k).map(Threshold::k);
        assert_eq!([0, 1, 14, 15].map(|k| of(Threshold::new, k)), [small(0), small(1), small(14), Ok(15)]);
        assert_eq!([0, 1, 14].map(|k| of(Threshold::accept_small, k)), [small(0), Ok(1), Ok(14)]);
        for make in [Threshold::new, Threshold::accept_small] {
            assert_eq!(of(make, Threshold::K_MAX), Ok(Threshold::K_MAX));
            for k in [Threshold::K_MAX + 1, u64::MAX] {
                assert_eq!(of(make, k), large(k));
            }
        }
        assert_eq!(
            ThresholdError::Large(u64::MAX).to_string(),
            "k = 18446744073709551615 is larger than any country; expected at most 4294967295"
        );
        assert_eq!(
            ThresholdError::Small(3).to_string(),
            "k = 3 is too small; expected at least 15, or --accept-small-k beside it"
        );
    }
}
