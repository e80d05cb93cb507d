//! From devices to people: the operator's share of the market, applied after protection and never before.

/// A factor that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the expansion factor {0} cannot be used; expected a number above 0 and at most {max}", max = Expansion::FACTOR_MAX)]
pub struct ExpansionError(f64);

/// How many people one device stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expansion(f64);

impl Expansion {
    /// A device that stands for more people than this would make one person look like a crowd.
    pub const FACTOR_MAX: f64 = 100.0;

    /// One factor for everybody.
    ///
    /// # Errors
    /// When it is not a number, not above 0, or above [`Expansion::FACTOR_MAX`].
    pub fn factor(factor: f64) -> Result<Self, ExpansionError> {
        if factor > 0.0 && factor <= Self::FACTOR_MAX {
            Ok(Self(factor))
        } else {
            Err(ExpansionError(factor))
        }
    }

    /// The factor.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// `round(devices * factor)`, halves away from zero.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "devices are under 2^53, factors at most 100"
    )]
    pub fn people(self, devices: u64) -> i64 {
        (devices as f64 * self.0).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_that_would_mislead_are_refused() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 100.5] {
            assert!(Expansion::factor(factor).is_err());
        }
        let half = Expansion::factor(2.5).expect("fine");
        assert_eq!([1, 2, 3].map(|devices| half.people(devices)), [3, 5, 8]);
    }
}
