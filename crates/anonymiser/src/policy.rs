//! What must hold for a number to be shown.

use crate::suppress::{Rule, Safety};

/// The smallest group of devices that may stand behind a published number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold(u64);

/// A threshold under [`Threshold::SAFE_MIN`] that nobody has said to accept.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("k = {0} is too small; expected at least {min}, or --accept-small-k beside it", min = Threshold::SAFE_MIN)]
pub struct SmallThreshold(u64);

impl Threshold {
    /// The smallest k that needs no further word: European statistical offices ask for 10 to 20, operators for
    /// 15 to 30.
    pub const SAFE_MIN: u64 = 15;

    /// A threshold that is safe without further thought.
    ///
    /// # Errors
    /// When k is under [`Threshold::SAFE_MIN`].
    pub fn new(k: u64) -> Result<Self, SmallThreshold> {
        if k < Self::SAFE_MIN { Err(SmallThreshold(k)) } else { Ok(Self(k)) }
    }

    /// A smaller threshold, where the operator has said that it is accepted; the manifest repeats it.
    ///
    /// # Errors
    /// When k is 0, which would publish nobody as somebody.
    pub fn accept_small(k: u64) -> Result<Self, SmallThreshold> {
        if k == 0 { Err(SmallThreshold(k)) } else { Ok(Self(k)) }
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
