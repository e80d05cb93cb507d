//! From people back to devices: which numbers of devices a published number may stand for.

use crate::bounds::Bounds;

/// People per device, as the manifest says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(pub(crate) f64);

/// More devices than there are.
const DEVICES_MAX: u64 = 1 << 53;

impl Factor {
    /// `round(devices * factor)`, halves away from zero: what a release says of so many devices.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "devices are under 2^53; a number beyond 64 bits becomes the largest"
    )]
    pub(crate) fn people(self, devices: u64) -> i64 {
        (devices as f64 * self.0).round() as i64
    }

    /// The devices of which a release says `people`. With a factor of 1 or more there is one number at most, for
    /// people are further apart than rounding reaches: so rounding hides nothing.
    pub(crate) fn devices(self, people: i64) -> Option<Bounds> {
        let first = |says: &dyn Fn(i64) -> bool| {
            let (mut low, mut high) = (0, DEVICES_MAX);
            while low < high {
                let middle = low.midpoint(high);
                if says(self.people(middle)) { high = middle } else { low = middle + 1 }
            }
            low
        };
        let (least, above) = (first(&|other| other >= people), first(&|other| other > people));
        (least < above).then(|| Bounds { least, most: above - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_hides_devices_only_under_a_factor_of_one() {
        for factor in [1.0, 1.37, 2.0, 5.4] {
            for devices in 0..500 {
                let people = Factor(factor).people(devices);
                assert_eq!(Factor(factor).devices(people), Some(Bounds::exactly(devices)));
            }
        }
        assert_eq!(Factor(2.0).devices(3), None);
        assert_eq!(Factor(0.25).devices(10), Some(Bounds { least: 38, most: 41 }));
    }
}
