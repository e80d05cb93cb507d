//! Published numbers with the devices that may stand behind them, and what is left of one without others in it.

use std::ops::AddAssign;

use crate::{bounds::Bounds, part::Cell, release::Release};

/// A published number, or several added up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    people: i128,
    /// The fewest and the most devices behind it; none where there is no single factor, or no count gives the number.
    devices: Option<(i128, i128)>,
    /// How many numbers it is, each rounded by itself.
    terms: u32,
}

impl Number {
    pub(crate) const NOBODY: Self = Self { people: 0, devices: Some((0, 0)), terms: 0 };

    pub(crate) fn of(people: i64, release: &Release) -> Self {
        let Bounds { least, most } = match release.factor.devices(people) {
            Some(bounds) => bounds,
            None => return Self { people: people.into(), devices: None, terms: 1 },
        };
        Self { people: people.into(), devices: Some((least.into(), most.into())), terms: 1 }
    }

    /// The number of a published cell.
    pub(crate) fn of_cell(cell: Cell, release: &Release) -> Option<Self> {
        cell.people().map(|people| Self::of(people, release))
    }

    /// The devices, if they are told.
    pub(crate) fn pinned(&self) -> Option<u64> {
        let (least, most) = self.devices?;
        (least == most).then(|| u64::try_from(least).ok())?
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.terms == 0
    }

    /// What is left of it without a number that it holds.
    pub(crate) fn without(self, other: Self, release: &Release) -> Left {
        let devices = self.devices.zip(other.devices);
        match devices {
            Some((whole, part)) => Left { least: whole.0 - part.1, most: whole.1 - part.0, devices: true },
            // Half a person each, rounded up.
            None => {
                let left = self.people - other.people;
                let terms = i128::from(self.terms + other.terms);
                let slack = if release.factor.is_whole() { 0 } else { (terms + 1) / 2 };
                Left { least: left - slack, most: left + slack, devices: false }
            }
        }
    }
}

impl AddAssign for Number {
    fn add_assign(&mut self, other: Self) {
        self.people += other.people;
        self.devices = self.devices.zip(other.devices).map(|(a, b)| (a.0 + b.0, a.1 + b.1));
        self.terms += other.terms;
    }
}

/// The devices that are left, as far as rounding tells; people, where there is no single factor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    least: i128,
    most: i128,
    devices: bool,
}

impl Left {
    /// Whether it is certain that they are fewer than nobody: what was taken away was not in it.
    pub(crate) fn is_negative(&self) -> bool {
        self.most < 0
    }

    /// Whether it is certain that somebody is left.
    pub(crate) fn is_somebody(&self) -> bool {
        self.least > 0
    }

    /// Whether it is certain that those left are somebody, and fewer than so many devices.
    pub(crate) fn is_few(&self, than: u64) -> bool {
        self.devices && self.least > 0 && self.most < i128::from(than)
    }
}
