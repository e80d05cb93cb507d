//! From devices to people: the operator's share of the market. It never decides what is shown, for that looks at
//! devices.

use std::collections::BTreeMap;

use throng_anonymiser::{Home, ProtectedTable};
use throng_schema::{Factors, PlaceTree};

/// A factor that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the expansion factor {0} cannot be used; expected a number above 0 and at most {max}", max = Expansion::FACTOR_MAX)]
pub struct ExpansionError(f64);

/// How many people devices stand for.
#[derive(Clone, Debug, PartialEq)]
pub enum Expansion {
    /// One factor for everybody.
    Factor(f64),
    /// Each by residence or home network: devices are weighed as they are counted.
    Weighed(Factors),
}

/// Weights are counted in millionths of a person, so that their sums are whole and in no order.
const MILLIONTHS: u32 = 1_000_000;

impl Expansion {
    /// A device that stands for more people than this would make one person look like a crowd.
    pub const FACTOR_MAX: f64 = 100.0;

    /// One factor for everybody.
    ///
    /// # Errors
    /// When it is not a number, not above 0, or above [`Expansion::FACTOR_MAX`].
    pub fn factor(factor: f64) -> Result<Self, ExpansionError> {
        if factor > 0.0 && factor <= Self::FACTOR_MAX {
            Ok(Self::Factor(factor))
        } else {
            Err(ExpansionError(factor))
        }
    }

    /// The factor, if there is one for everybody.
    #[must_use]
    pub fn single(&self) -> Option<f64> {
        match self {
            Self::Factor(factor) => Some(*factor),
            Self::Weighed(_) => None,
        }
    }

    /// `round(devices * factor)`, or what the devices weigh, rounded; halves away from zero.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "devices are under 2^53: each of a few thousand threads and passes counts fewer than 2^32"
    )]
    pub fn people(&self, devices: u64, weight: u64) -> i64 {
        match self {
            Self::Factor(factor) => (devices as f64 * factor).round() as i64,
            Self::Weighed(_) => {
                let (whole, rest) = (weight / u64::from(MILLIONTHS), weight % u64::from(MILLIONTHS));
                whole.cast_signed() + i64::from(2 * rest >= u64::from(MILLIONTHS))
            }
        }
    }

    /// The published people of a cell.
    pub(crate) fn of(&self, table: &ProtectedTable, time: usize, slot: usize) -> Option<i64> {
        let devices = table.published(time, slot)?;
        Some(self.people(devices, table.weight(time, slot).unwrap_or_default()))
    }
}

/// What a device weighs, in millionths of people, by its home.
pub(crate) struct Weights {
    /// By place: the factor of the finest place around it that has one.
    of_place: Vec<Option<u32>>,
    of_mcc: BTreeMap<u16, u32>,
    rest: u32,
}

impl Weights {
    pub(crate) fn new(factors: &Factors, tree: &PlaceTree) -> Self {
        let mut of_place: Vec<Option<u32>> = vec![None; tree.len()];
        for (place, factor) in &factors.residence {
            of_place[place.index()] = Some(millionths(*factor));
        }
        for place in tree.ids() {
            let above = tree.parent(place).and_then(|above| of_place[above.index()]);
            of_place[place.index()] = of_place[place.index()].or(above);
        }
        let of_mcc = factors.network.iter().map(|(mcc, factor)| (*mcc, millionths(*factor))).collect();
        Self { of_place, of_mcc, rest: millionths(factors.rest) }
    }

    pub(crate) fn of(&self, home: Home) -> u32 {
        let weight = match home {
            Home::Place(place) => self.of_place[place.index()],
            Home::Network(mcc) => self.of_mcc.get(&mcc).copied(),
            Home::Unknown => None,
        };
        weight.unwrap_or(self.rest)
    }
}

/// A factor in millionths.
///
/// # Panics
/// When it is no number from 0 to 1,000.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a thousand million fits")]
fn millionths(factor: f64) -> u32 {
    assert!((0.0..=1_000.0).contains(&factor), "a factor that no table may give");
    (factor * f64::from(MILLIONTHS)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weighed() -> Expansion {
        Expansion::Weighed(Factors {
            version: String::new(),
            residence: Vec::new(),
            network: Vec::new(),
            rest: 1.0,
        })
    }

    proptest! {
        /// What devices weigh is rounded as a decimal fraction is, however much it is.
        #[test]
        fn weights_are_rounded_to_whole_people(weight in prop_oneof![any::<u64>(), 0..4_000_000_u64, u64::MAX - 2_000_000..=u64::MAX]) {
            let people = i128::from(weighed().people(7, weight));
            let off = people * 1_000_000 - i128::from(weight);
            prop_assert!((-499_999..=500_000).contains(&off), "{} of {}", people, weight);
        }

        /// As many devices as threads of 32 bits can count, times the largest and the smallest factor: within 0.55 of a
        /// person of the product, for the factor is a binary fraction.
        #[test]
        fn devices_are_scaled_without_loss(devices in prop_oneof![0..100_u64, (1_u64 << 32) - 9..(1 << 32) + 9, 0..1_u64 << 40], thousandths in prop_oneof![Just(1_u64), Just(100_000), 1..=100_000_u64]) {
            let expansion = Expansion::factor(thousandths as f64 / 1_000.0).expect("a factor");
            let people = expansion.people(devices, 0);
            let off = i128::from(people) * 1_000 - i128::from(devices) * i128::from(thousandths);
            prop_assert!(off.abs() <= 550, "{} of {} at {}", people, devices, thousandths);
        }
    }

    #[test]
    fn a_device_weighs_a_thousand_people_at_most() {
        assert_eq!([0.0, 0.000_001, 0.5, 1_000.0].map(millionths), [0, 1, 500_000, 1_000_000_000]);
        for factor in [-0.1, 1_000.1, f64::NAN, f64::INFINITY] {
            assert!(std::panic::catch_unwind(|| millionths(factor)).is_err(), "{factor}");
        }
    }

    #[test]
    fn halves_of_people_are_rounded_away_from_zero() {
        let people = |weight| weighed().people(0, weight);
        assert_eq!([0, 499_999, 500_000, 1_499_999, 1_500_000].map(people), [0, 0, 1, 1, 2]);
        assert_eq!(people(u64::MAX), 18_446_744_073_710);
    }

    #[test]
    fn factors_that_would_mislead_are_refused() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 100.5] {
            assert!(Expansion::factor(factor).is_err());
        }
        let half = Expansion::factor(2.5).expect("fine");
        assert_eq!([1, 2, 3].map(|devices| half.people(devices, 0)), [3, 5, 8]);
    }
}
