//! Sums over two trees, places by residence or origins by destinations: subtraction along either side.

use std::collections::HashMap;

use crate::{
    crossing::{Crossing, Table},
    found::Found,
    node::Node,
    number::Number,
    part::Time,
    release::Release,
};

pub(crate) const UP: &str = "a number is published only where those one step up on either side are";
pub(crate) const LEFT_PLACES: &str =
    "a number without its published parts in smaller places is nobody or at least k";
pub(crate) const LEFT_CLASSES: &str =
    "a number without its published finer classes or destinations is nobody or at least k";
pub(crate) const LEFT_BOTH: &str =
    "a number without its published parts along both sides is nobody or at least k";
const HOLDS: &str = "a number holds its published parts along either side";
const ADDS: &str = "parts that are all published add up along either side";

/// One of the two trees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Places, or origins.
    Places,
    /// Classes of residence, or destinations.
    Classes,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Places, Self::Classes];

    fn left(self) -> &'static str {
        if self == Self::Places { LEFT_PLACES } else { LEFT_CLASSES }
    }
}

/// A place and a class, or an origin and a destination.
type Key = (Node, Node);

/// Numbers that are taken from one, and those that are taken away twice by it.
struct Corner {
    once: Number,
    twice: Number,
    count: usize,
}

impl Default for Corner {
    fn default() -> Self {
        Self { once: Number::NOBODY, twice: Number::NOBODY, count: 0 }
    }
}

impl Corner {
    fn add(&mut self, once: Number, twice: Number) {
        self.once += once;
        self.twice += twice;
        self.count += 1;
    }
}

/// The numbers of one time, and what is known of their trees.
pub(crate) struct Crossed<'a> {
    pub(crate) part: &'a Crossing,
    pub(crate) time: Time,
    pub(crate) table: &'a Table,
    pub(crate) release: &'a Release,
    /// Whether trips are counted, so that both trees are of places and have all of them at their top.
    pub(crate) trips: bool,
    pub(crate) covered: &'a [bool],
    /// The smallest group that may be left.
    pub(crate) k: u64,
}

impl Crossed<'_> {
    /// The node above one on a side.
    pub(crate) fn above(&self, side: Side, node: Node) -> Option<Node> {
        match side {
            Side::Places if !self.trips => self.release.places.all[node].parent,
            _ => self.release.places.above(node),
        }
    }

    /// The number one step up on a side.
    pub(crate) fn step(&self, side: Side, (place, class): Key) -> Option<Key> {
        match side {
            Side::Places => self.above(side, place).map(|above| (above, class)),
            Side::Classes => self.above(side, class).map(|above| (place, above)),
        }
    }

    fn said(&self, key: Key) -> String {
        self.part.said(key, self.time, self.release)
    }

    /// Every published number has published ones one step up, along these sides.
    pub(crate) fn up(&self, sides: &[Side], found: &mut Found) {
        for key in self.table.published.keys() {
            // The totals of places are presence's, which may withhold a place above a published one.
            let given =
                |side: Side| side == Side::Places && !self.trips && key.1 == self.release.places.all_node();
            let above = |side: &Side| self.step(*side, *key).filter(|_| !given(*side));
            let closed = sides.iter().filter_map(above).all(|up| self.table.published.contains_key(&up));
            found.look(UP, !closed, || self.said(*key));
        }
    }

    /// The published parts of every published number along a side, added up, and how many they are.
    fn parts(&self, side: Side) -> HashMap<Key, (Number, usize)> {
        let mut parts: HashMap<Key, (Number, usize)> = HashMap::new();
        for (key, entry) in &self.table.published {
            if let Some(up) = self.step(side, *key).filter(|up| self.table.published.contains_key(up)) {
                let (sum, count) = parts.entry(up).or_insert((Number::NOBODY, 0));
                *sum += entry.number;
                *count += 1;
            }
        }
        parts
    }

    /// What is left of every published number without its published parts along a side.
    pub(crate) fn left(&self, side: Side, found: &mut Found) {
        let all = self.children(side);
        for (key, (sum, count)) in self.parts(side) {
            let left = self.table.published[&key].number.without(sum, self.release);
            let at = || self.said(key);
            found.look(side.left(), left.is_few(self.k), at);
            found.look(HOLDS, left.is_negative(), at);
            if let Some(all) = &all {
                let node = if side == Side::Places { key.0 } else { key.1 };
                found.look(ADDS, count == all[node] && left.is_somebody(), at);
            }
        }
    }

    /// What is left of every published number without published parts on both sides: the whole without the one and the
    /// other, and with what was taken away twice.
    ///
    /// The parts of one side that are taken away are one of them, with all of the other side that are published of it, or
    /// all of both sides, if they are published of each other.
    pub(crate) fn corners(&self, found: &mut Found) {
        let published = &self.table.published;
        let number = |key: Key| published.get(&key).map(|entry| entry.number);
        let mut all: HashMap<Key, Corner> = HashMap::new();
        // By the number, and the part of it that is one of a side.
        let mut single: HashMap<(Key, Key), Corner> = HashMap::new();
        for (key, entry) in published {
            let of = |side| self.step(side, *key);
            let (Some(of_class), Some(of_place)) = (of(Side::Places), of(Side::Classes)) else { continue };
            let Some(whole) = self.step(Side::Classes, of_class) else { continue };
            // Where numbers above are withheld, which is a fault already, nothing is told.
            let (Some(by_class), Some(by_place)) = (number(of_class), number(of_place)) else { continue };
            single.entry((whole, of_place)).or_default().add(by_class, entry.number);
            single.entry((whole, of_class)).or_default().add(by_place, entry.number);
            all.entry(whole).or_default().add(Number::NOBODY, entry.number);
        }
        for ((whole, one), corner) in single {
            let (Some(number), Some(one)) = (number(whole), number(one)) else { continue };
            self.corner(whole, number, corner.once, one, corner.twice, found);
        }
        let [places, classes] = Side::BOTH.map(|side| self.parts(side));
        for (whole, corner) in all {
            let sides = (number(whole), places.get(&whole), classes.get(&whole));
            let (Some(number), Some((by_place, places)), Some((by_class, classes))) = sides else { continue };
            if corner.count == places * classes {
                self.corner(whole, number, *by_place, *by_class, corner.twice, found);
            }
        }
    }

    fn corner(
        &self,
        key: Key,
        mut whole: Number,
        mut parts: Number,
        others: Number,
        twice: Number,
        found: &mut Found,
    ) {
        whole += twice;
        parts += others;
        let left = whole.without(parts, self.release);
        // So few trips are of fewer than k devices, whatever the period.
        found.look(LEFT_BOTH, left.is_few(self.release.k), || self.said(key));
        found.look(HOLDS, left.is_negative(), || self.said(key));
    }

    /// How many parts with coverage each place has; classes of residence have others that are not told.
    fn children(&self, side: Side) -> Option<Vec<usize>> {
        if side == Side::Classes && !self.trips {
            return None;
        }
        let places = &self.release.places;
        let mut children = vec![0; places.len() + 1];
        for place in (0..places.len()).filter(|place| self.covered[*place]) {
            if let Some(above) = places.above(place) {
                children[above] += 1;
            }
        }
        Some(children)
    }
}
