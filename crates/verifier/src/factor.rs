//! From people back to devices: which numbers of devices a published number may stand for.

use crate::bounds::Bounds;

/// People per device, as the manifest says; none where a table of factors was used, of which a number tells nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(pub(crate) Option<f64>);

/// More devices than there are.
const DEVICES_MAX: u64 = 1 << 53;

impl Factor {
    /// `round(devices * factor)`, halves away from zero: what a release says of so many devices.
    pub(crate) fn people(self, devices: u64) -> Option<i64> {
        self.0.map(|factor| people(devices, factor))
    }

    /// Whether people are a whole number of times the devices, so that rounding changes nothing.
    pub(crate) fn is_whole(self) -> bool {
        self.0.is_some_and(|factor| factor.fract() == 0.0)
    }

    /// The devices of which a release says `people`. With a factor of 1 or more there is one number at most, for
    /// people are further apart than rounding reaches: so rounding hides nothing. None where no number of devices
    /// gives these people, and where there is no single factor.
    pub(crate) fn devices(self, said: i64) -> Option<Bounds> {
        let factor = self.0?;
        let first = |says: &dyn Fn(i64) -> bool| {
            let (mut low, mut high) = (0, DEVICES_MAX);
            while low < high {
                let middle = low.midpoint(high);
                if says(people(middle, factor)) { high = middle } else { low = middle + 1 }
            }
            low
        };
        let (least, above) = (first(&|other| other >= said), first(&|other| other > said));
        (least < above).then(|| Bounds { least, most: above - 1 })
    }

    /// Whether no number of devices gives these people.
    pub(crate) fn refuses(self, people: i64) -> bool {
        self.0.is_some() && self.devices(people).is_none()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "devices are under 2^53; a number beyond 64 bits becomes the largest"
)]
fn people(devices: u64, factor: f64) -> i64 {
    (devices as f64 * factor).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_hides_devices_only_under_a_factor_of_one() {
        for factor in [1.0, 1.37, 2.0, 5.4] {
            for devices in 0..500 {
                let people = Factor(Some(factor)).people(devices).expect("a factor");
                assert_eq!(Factor(Some(factor)).devices(people), Some(Bounds::exactly(devices)));
            }
        }
        assert_eq!(Factor(Some(2.0)).devices(3), None);
        assert!(Factor(Some(2.0)).refuses(3));
        assert_eq!(Factor(Some(0.25)).devices(10), Some(Bounds { least: 38, most: 41 }));
    }

    #[test]
    fn a_table_of_factors_tells_nothing_of_devices_and_refuses_nothing() {
        assert_eq!((Factor(None).devices(3), Factor(None).people(3)), (None, None));
        assert!(!Factor(None).refuses(3));
    }
}
