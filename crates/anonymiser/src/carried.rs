//! What is kept of a nameless person from one day of a run to the next: the least that the reports need.
//!
//! A run counts one day after the other, so that its memory does not grow with its days. Two numbers need more than a
//! day: a trip begins where the last stay was, perhaps the day before, and how often somebody came is known at the
//! end. So 16 bytes are kept for each subscriber, and 9 for each place that a subscriber has visited.

use std::sync::{Mutex, MutexGuard, PoisonError};

use throng_schema::Grid;

use crate::{
    count_table::{Closed, CountTable, Shape},
    layout::{PERSON_BITS, SHARDS},
};

/// Places are numbered with the bits that a pseudonym leaves of a word.
const PLACE_BITS: u32 = u64::BITS - PERSON_BITS;

/// What is remembered of a person.
#[derive(Clone, Copy)]
struct Remembered {
    person: u64,
    /// What a report asked to be reminded of; [`NOTHING`] where there is nothing.
    what: u32,
    weight: u32,
}

/// No place has this number.
const NOTHING: u32 = u32::MAX;

/// What is kept of the people of one shard.
#[derive(Default)]
pub(crate) struct CarriedShard {
    /// Everybody seen so far, in the order of their numbers.
    people: Vec<Remembered>,
    /// Person and place, in order, and on how many days that was: two columns of one table.
    visits: Vec<u64>,
    days: Vec<u8>,
}

/// What is kept of everybody between the days of a run. It can be counted at its end, and not be read.
pub struct Carried {
    shards: Vec<Mutex<CarriedShard>>,
}

impl Default for Carried {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

/// Bytes that are kept for a subscriber, and for each place that a subscriber has visited.
pub const BYTES_CARRIED: (u64, u64) = (16, 9);

impl Carried {
    pub(crate) fn shard(&self, shard: usize) -> MutexGuard<'_, CarriedShard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many distinct people there were.
    #[must_use]
    pub fn people(&self) -> u64 {
        (0..SHARDS).map(|shard| self.shard(shard).people.len() as u64).sum()
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |shard: usize| {
            let shard = self.shard(shard);
            (shard.people.len() as u64, shard.visits.len() as u64)
        };
        let (people, visits) = (0..SHARDS).map(of).fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        people * BYTES_CARRIED.0 + visits * BYTES_CARRIED.1
    }

    /// Counts the people of each place by the number of days on which they came: `class_of` gives the class of a
    /// number of days. A slot is a place's number times `classes`, plus the class.
    #[must_use]
    pub fn count(self, places: usize, classes: usize, class_of: impl Fn(u8) -> usize) -> CountTable {
        let shape = Shape::marked(Grid::new(1, places * classes));
        let (mut devices, mut weights) = (vec![0; shape.grid.len()], vec![0; shape.grid.len()]);
        for shard in self.shards {
            let shard = shard.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut people = shard.people.iter().peekable();
            for (visit, days) in shard.visits.iter().zip(&shard.days) {
                while people.peek().is_some_and(|known| known.person < visit >> PLACE_BITS) {
                    people.next();
                }
                let place = visit & ((1 << PLACE_BITS) - 1);
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                let slot = shape.grid.slot(0, place * classes + class_of(*days)).0;
                devices[slot] += 1;
                weights[slot] += people.peek().map_or(0, |known| u64::from(known.weight));
            }
        }
        CountTable { shape, devices, weights }
    }
}

/// One sitting's walk through a shard, in the order of the people's numbers.
pub(crate) struct Walk {
    met: usize,
    people: Vec<Remembered>,
    visits: Vec<u64>,
}

impl CarriedShard {
    /// Begins a walk through the shard.
    pub(crate) fn walk(&self) -> Walk {
        Walk { met: 0, people: Vec::new(), visits: Vec::new() }
    }

    /// What is remembered of a person: none for who has not been seen before.
    pub(crate) fn recall(&self, walk: &mut Walk, person: u64) -> Option<Option<u32>> {
        walk.met += self.people[walk.met..].partition_point(|known| known.person < person);
        let known = self.people.get(walk.met).filter(|known| known.person == person)?;
        Some((known.what != NOTHING).then_some(known.what))
    }

    /// Ends the walk: whoever was met is remembered as the walk says, all others as before.
    pub(crate) fn end(&mut self, walk: Walk) {
        let old = std::mem::take(&mut self.people);
        self.people = merged(old, walk.people);
        if walk.visits.is_empty() {
            return;
        }
        let (places, days) = (std::mem::take(&mut self.visits), std::mem::take(&mut self.days));
        let mut old = places.into_iter().zip(days).peekable();
        let mut new = walk.visits.into_iter().peekable();
        loop {
            let (visit, days) = match (old.peek().copied(), new.peek().copied()) {
                (None, None) => break,
                (Some((visit, days)), later) if later.is_none_or(|later| visit < later) => {
                    old.next();
                    (visit, days)
                }
                (earlier, Some(visit)) => {
                    new.next();
                    match earlier.filter(|(other, _)| *other == visit) {
                        Some((_, days)) => {
                            old.next();
                            (visit, days.saturating_add(1))
                        }
                        None => (visit, 1),
                    }
                }
                (Some(_), None) => break,
            };
            self.visits.push(visit);
            self.days.push(days);
        }
    }
}

impl Walk {
    /// A person was met, and is to be remembered by what was said.
    pub(crate) fn met(&mut self, person: u64, said: &Closed<'_>) {
        let what = said.remembered.unwrap_or(NOTHING);
        self.people.push(Remembered { person, what, weight: said.weight });
        self.visits.extend(said.visited.iter().map(|place| {
            assert!(u64::from(*place) < 1 << PLACE_BITS, "more places than a word holds");
            person << PLACE_BITS | u64::from(*place)
        }));
    }
}

/// Both lists in order; of the same person, the later entry.
fn merged(old: Vec<Remembered>, new: Vec<Remembered>) -> Vec<Remembered> {
    if old.is_empty() {
        return new;
    }
    let mut all = Vec::with_capacity(old.len().max(new.len()));
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let earlier = match (old.peek(), new.peek()) {
            (None, None) => return all,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.person < b.person,
        };
        if earlier {
            all.extend(old.next());
        } else {
            let next = new.next();
            if old.peek().map(|known| known.person) == next.map(|known| known.person) {
                old.next();
            }
            all.extend(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_add_up_by_person_and_place_in_any_company() {
        let carried = Carried::default();
        let days: [&[(u64, &[u32])]; 3] =
            [&[(3, &[1, 2]), (9, &[1])], &[(1, &[2]), (3, &[1])], &[(9, &[1, 4]), (12, &[0])]];
        for day in days {
            let mut shard = carried.shard(5);
            let mut walk = shard.walk();
            for (person, places) in day {
                let before = shard.recall(&mut walk, *person);
                let remembered = before.flatten().unwrap_or(0) + 1;
                let weight = u32::try_from(*person).expect("small");
                walk.met(*person, &Closed { remembered: Some(remembered), weight, visited: places });
            }
            shard.end(walk);
        }
        let mut shard = carried.shard(5);
        let mut walk = shard.walk();
        assert_eq!(
            [1, 2, 3, 9, 12].map(|p| shard.recall(&mut walk, p)),
            [Some(Some(1)), None, Some(Some(2)), Some(Some(2)), Some(Some(1))]
        );
        shard.end(walk);
        drop(shard);
        assert_eq!((carried.people(), carried.bytes()), (4, 4 * 16 + 6 * 9));
        let table = carried.count(5, 2, |days| usize::from(days > 1));
        // Places by (once, more often): 0 by 12; 1 by 3 and 9 on two days each; 2 by 3 and 1; 4 by 9.
        assert_eq!(table.devices, [1, 0, 0, 2, 2, 0, 0, 0, 1, 0]);
        assert_eq!(table.weights, [12, 0, 0, 12, 4, 0, 0, 0, 9, 0], "each weighs its number");
    }
}
