//! Who the subscribers are: where they live, work and come from, and what their SIM is called.

use crate::{
    dice::{Dice, Purpose, hash},
    land::{ABROAD, CodeIx, Land, Point},
    parameters::Parameters,
};

/// The operator's own network.
const HOME_PLMN: &str = "20601";

/// A country that roamers come from: its networks, its share of the roamers, and where they enter.
struct Origin {
    plmns: &'static [&'static str],
    weight: f64,
    /// Longitude and latitude of the ways in; the nearest code of the area is the gate.
    gates: &'static [(f64, f64)],
}

const AIRPORT: (f64, f64) = (4.48, 50.90);
const CHANNEL: (f64, f64) = (2.60, 51.08);

const ORIGINS: [Origin; 7] = [
    Origin {
        plmns: &["20801", "20810", "20820", "20815"],
        weight: 0.30,
        gates: &[(3.06, 50.68), (4.00, 50.27), (2.75, 50.75), (5.77, 49.52)],
    },
    Origin {
        plmns: &["20404", "20408", "20416"],
        weight: 0.28,
        gates: &[(4.73, 51.48), (5.72, 50.85), (3.90, 51.22), (5.10, 51.45)],
    },
    Origin {
        plmns: &["26201", "26202", "26203"],
        weight: 0.17,
        gates: &[(6.05, 50.73), (6.10, 50.35), AIRPORT],
    },
    Origin { plmns: &["27001", "27077"], weight: 0.10, gates: &[(5.85, 49.65), (5.90, 49.85)] },
    Origin { plmns: &["23415", "23410", "23430"], weight: 0.07, gates: &[CHANNEL, AIRPORT] },
    Origin { plmns: &["22201", "21407", "26001", "22610"], weight: 0.06, gates: &[AIRPORT, (5.85, 49.65)] },
    Origin { plmns: &["310260", "310410"], weight: 0.02, gates: &[AIRPORT] },
];

/// How somebody spends their days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Lives here and goes to work.
    Worker,
    /// Lives here and goes to school.
    Pupil,
    /// Lives here and goes out when it pleases them.
    AtHome,
    /// Lives outside the area and comes in to work.
    Commuter,
    /// Comes once, for some nights.
    Tourist,
    /// Passes through, on one day at least.
    Passing,
}

/// One subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) index: u32,
    pub(crate) life: Life,
    /// Where the nights are spent; [`ABROAD`] for those who live outside the area.
    pub(crate) home: CodeIx,
    /// Workplace, school, or where those who pass through leave.
    pub(crate) goal: CodeIx,
    /// Where they enter and leave the area.
    pub(crate) gate: CodeIx,
    /// When they leave home on a working day, in minutes since midnight.
    pub(crate) leaves: f32,
    /// Events an hour, relative to the mean.
    pub(crate) pace: f32,
    /// First and last day here, as days since 1970.
    pub(crate) stays: (i32, i32),
    pub(crate) opted_out: bool,
    /// The home network of the SIM.
    pub(crate) plmn: &'static str,
    /// The postal code of a customer's residence; none for roamers.
    pub(crate) residence: Option<&'static str>,
    /// The identifier: fifteen digits.
    pub(crate) imsi: [u8; 15],
}

impl Person {
    /// The subscriber of this index, in a window of days since 1970.
    pub(crate) fn draw(parameters: &Parameters, land: &Land, index: u32, days: (i64, i64)) -> Self {
        let mut dice = Dice::new(parameters.seed, Purpose::Person, u64::from(index), 0);
        let opted_out = dice.chance(parameters.opted_out);
        let pace = (dice.normal(-0.125, 0.5)).exp() as f32;
        let mut person = Self {
            index,
            life: Life::AtHome,
            home: ABROAD,
            goal: 0,
            gate: 0,
            leaves: dice.normal(465.0, 40.0).clamp(330.0, 600.0) as f32,
            pace,
            stays: (i32::MIN, i32::MAX),
            opted_out,
            plmn: HOME_PLMN,
            residence: None,
            imsi: [0; 15],
        };
        if dice.chance(parameters.roamers) {
            person.come_from_abroad(land, &mut dice, days);
        } else if !land.outside.is_empty() && dice.chance(0.12) {
            person.live_nearby(land, &mut dice);
        } else {
            person.live_here(land, &mut dice);
        }
        person.imsi = imsi(parameters.seed, index, person.plmn);
        person
    }

    fn live_here(&mut self, land: &Land, dice: &mut Dice) {
        self.home = dice.weighted(&land.residents) as CodeIx;
        self.residence = Some(land.codes[self.home as usize].code);
        let choices = [0; 3].map(|_| dice.weighted(land.pull(self.home)) as CodeIx);
        let nearest = |a: &CodeIx, b: &CodeIx| land.km(self.home, *a).total_cmp(&land.km(self.home, *b));
        (self.life, self.goal) = match dice.unit() {
            lot if lot < 0.52 => (Life::Worker, choices[0]),
            // A school is near: the nearest of three wishes.
            lot if lot < 0.70 => (Life::Pupil, choices.into_iter().min_by(nearest).unwrap_or(self.home)),
            _ => (Life::AtHome, choices[0]),
        };
        self.gate = land.neighbours[self.home as usize].first().copied().unwrap_or(self.home);
    }

    /// A customer who lives outside the area, the likelier the nearer, and works in it.
    fn live_nearby(&mut self, land: &Land, dice: &mut Dice) {
        let centre = land.codes[dice.weighted(&land.residents)].middle;
        let pull =
            |code: &crate::land::PostalCode| code.population * (-code.middle.km_to(centre) / 15.0).exp();
        let home = dice.weighted(&crate::dice::add_up(land.outside.iter().map(pull)));
        self.life = Life::Commuter;
        self.residence = Some(land.outside[home].code);
        self.gate = land.nearest(land.outside[home].middle);
        self.goal = dice.weighted(land.pull(self.gate)) as CodeIx;
    }

    fn come_from_abroad(&mut self, land: &Land, dice: &mut Dice, days: (i64, i64)) {
        let weights = crate::dice::add_up(ORIGINS.iter().map(|origin| origin.weight));
        let origin = &ORIGINS[dice.weighted(&weights)];
        let gate = |dice: &mut Dice, origin: &Origin| {
            let (lon, lat) = origin.gates[dice.below(origin.gates.len())];
            land.nearest(Point::at(lon, lat))
        };
        // The first network of a country is its largest.
        self.plmn = origin.plmns[dice.below(origin.plmns.len()).min(dice.below(origin.plmns.len()))];
        self.gate = gate(dice, origin);
        match dice.unit() {
            lot if lot < 0.45 => {
                self.life = Life::Tourist;
                self.home = dice.weighted(&land.sights) as CodeIx;
                self.goal = self.home;
                let nights = 1 + dice.below(5) as i64;
                let first = days.0 - nights + dice.below((days.1 - days.0 + nights + 1) as usize) as i64;
                self.stays = (first as i32, (first + nights) as i32);
            }
            lot if lot < 0.70 => {
                self.life = Life::Commuter;
                self.goal = dice.weighted(land.pull(self.gate)) as CodeIx;
            }
            _ => {
                self.life = Life::Passing;
                let other = &ORIGINS[dice.weighted(&weights)];
                self.goal = gate(dice, other);
                let day = days.0 + dice.below((days.1 - days.0 + 1) as usize) as i64;
                self.stays = (day as i32, day as i32);
            }
        }
    }
}

/// An identifier that shows the home network and, of the order in which subscribers were made, nothing.
fn imsi(seed: u64, index: u32, plmn: &str) -> [u8; 15] {
    let digits = 15 - plmn.len() as u32;
    let mut number = shuffled(seed, u64::from(index), 10u64.pow(digits));
    let mut text = [b'0'; 15];
    text[..plmn.len()].copy_from_slice(plmn.as_bytes());
    for digit in text[plmn.len()..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    text
}

/// A permutation of the numbers below `size`: four Feistel rounds, repeated while they lead past the end.
fn shuffled(seed: u64, number: u64, size: u64) -> u64 {
    let half = (size as f64).sqrt().ceil() as u64;
    let mut at = number;
    loop {
        let (mut left, mut right) = (at / half, at % half);
        for round in 0..4 {
            (left, right) = (right, (left + hash(&[seed, Purpose::Identity as u64, round, right])) % half);
        }
        at = left * half + right;
        if at < size {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn identifiers_are_distinct_and_begin_with_the_home_network() {
        for plmn in ["20601", "310260"] {
            let ids: BTreeSet<[u8; 15]> = (0..20_000).map(|index| imsi(7, index, plmn)).collect();
            assert_eq!(ids.len(), 20_000);
            assert!(
                ids.iter().all(|id| id.starts_with(plmn.as_bytes()) && id.iter().all(u8::is_ascii_digit))
            );
        }
    }

    #[test]
    fn a_small_permutation_is_one() {
        let all: BTreeSet<u64> = (0..1_000).map(|n| shuffled(3, n, 1_000)).collect();
        assert_eq!(all, (0..1_000).collect());
    }
}
