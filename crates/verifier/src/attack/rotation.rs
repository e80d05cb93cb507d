//! Rotating partners: a place that is withheld beside a small one now and published a moment later gives it away.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    attack::{
        Finding,
        averaging::{middle_of, real},
        truth::Truth,
    },
    part::{Cell, Part, Row},
    release::Release,
};

/// How many times away a partner's number is still taken for what it is now.
const STEPS_MAX: usize = 4;

/// Guesses of one place, added up.
#[derive(Default)]
struct Guessed {
    times: u64,
    guess: f64,
    truth: f64,
}

#[derive(Default)]
pub(crate) struct Attack {
    /// Pairs of one parent at two times, the second right after the first, with something withheld in it.
    pairs: u64,
    changes: u64,
    /// Withheld places whose partners are all published soon before or after.
    guesses: u64,
    /// The small groups that were guessed, by their number.
    small: BTreeMap<u64, u64>,
    near: u64,
    /// Of each place, the guesses and the truths at all times together.
    places: BTreeMap<usize, Guessed>,
}

impl Attack {
    pub(crate) fn on(&mut self, presence: &Part, truth: &Truth, release: &Release) {
        let rows: Vec<&Row> = presence.rows.values().collect();
        let times: Vec<_> = presence.rows.keys().copied().collect();
        for (parent, children) in release.places.children.iter().enumerate() {
            let sets: Vec<BTreeSet<usize>> = rows
                .iter()
                .map(|row| children.iter().copied().filter(|child| row[*child] == Cell::Withheld).collect())
                .collect();
            for pair in sets.windows(2).filter(|pair| pair.iter().any(|set| !set.is_empty())) {
                self.pairs += 1;
                self.changes += u64::from(pair[0] != pair[1]);
            }
            for (at, set) in sets.iter().enumerate() {
                for place in set {
                    let Some(guess) = guess(*place, parent, at, &rows, set, release) else { continue };
                    self.guesses += 1;
                    let Some(truth) = truth.devices(times[at], *place) else { continue };
                    let guessed = self.places.entry(*place).or_default();
                    guessed.times += 1;
                    guessed.guess += guess;
                    guessed.truth += real(truth);
                    if (1..release.k).contains(&truth) {
                        *self.small.entry(truth).or_default() += 1;
                        self.near += u64::from((guess - real(truth)).abs() <= 1.0);
                    }
                }
            }
        }
    }

    pub(crate) fn findings(&self, judged: bool, k: u64) -> Vec<Finding> {
        let changes = "rotation: withheld places of a parent differ from one time to the next";
        let chances = "rotation: withheld numbers whose partners are all published soon before or after";
        let mut findings = vec![
            Finding::count(changes, self.pairs, self.changes),
            Finding::count(chances, self.guesses, self.guesses),
        ];
        if judged {
            let near = "rotation: small groups of those guessed within one device";
            let small = self.small.values().sum();
            findings.push(Finding::count(near, small, self.near).without(self.near_blind()));
            findings.push(self.averaged(k));
        }
        findings
    }

    /// The guesses of each place at all times, averaged: what a group that stays is usually.
    fn averaged(&self, k: u64) -> Finding {
        const ATTACK: &str = "rotation: a small group's usual number, from all those guesses of it";
        let means = self.places.values().map(|guessed| {
            let mean = |sum: f64| sum / real(guessed.times);
            (mean(guessed.guess), mean(guessed.truth))
        });
        let small: Vec<(f64, f64)> = means.filter(|(_, truth)| (0.5..real(k)).contains(truth)).collect();
        let usual = middle_of(small.iter().map(|(_, truth)| *truth).collect());
        let errors = |guess: &dyn Fn(f64) -> f64| -> Vec<f64> {
            small.iter().map(|(guessed, truth)| (guess(*guessed) - truth).abs()).collect()
        };
        Finding::errors(ATTACK, &errors(&|guessed| guessed), &errors(&|_| usual))
    }

    /// How many are near the one number that is near most: the best that one guess for all can do.
    fn near_blind(&self) -> u64 {
        let near = |guess: u64| self.small.range(guess.saturating_sub(1)..=guess + 1).map(|(_, n)| n).sum();
        self.small
            .keys()
            .flat_map(|number| [number.saturating_sub(1), *number, number + 1])
            .map(near)
            .max()
            .unwrap_or(0)
    }
}

/// What is left of the parent without its children, partners at the number they have soon before or after.
fn guess(
    place: usize,
    parent: usize,
    at: usize,
    rows: &[&Row],
    withheld: &BTreeSet<usize>,
    release: &Release,
) -> Option<f64> {
    let number = |at: usize, place: usize| {
        let devices = release.factor.devices(rows[at][place].people()?)?;
        Some((real(devices.least) + real(devices.most)) / 2.0)
    };
    let mut left = number(at, parent)?;
    if withheld.len() < 2 {
        return None;
    }
    for child in release.places.siblings(place).iter().filter(|child| **child != place) {
        left -= match rows[at][*child] {
            Cell::NoCoverage => 0.0,
            Cell::Published(_) => number(at, *child)?,
            _ => (1..=STEPS_MAX).find_map(|steps| {
                let before = at.checked_sub(steps).and_then(|at| number(at, *child));
                before.or_else(|| (at + steps < rows.len()).then(|| number(at + steps, *child))?)
            })?,
        };
    }
    Some(left.max(0.0))
}
