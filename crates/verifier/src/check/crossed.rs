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
    pub(crate) fn step(&self, side: Side, (place, class): (Node, Node)) -> Option<(Node, Node)> {
        match side {
            Side::Places => self.above(side, place).map(|above| (above, class)),
            Side::Classes => self.above(side, class).map(|above| (place, above)),
        }
    }

    fn said(&self, key: (Node, Node)) -> String {
        self.part.said(key, self.time, self.release)
    }

    /// Every published number has published ones one step up, along these sides.
    pub(crate) fn up(&self, sides: &[Side], found: &mut Found) {
        for key in self.table.published.keys() {
            let above = |side: &Side| self.step(*side, *key);
            let closed = sides.iter().filter_map(above).all(|up| self.table.published.contains_key(&up));
            found.look(UP, !closed, || self.said(*key));
        }
    }

    /// What is left of every published number without its published parts along a side.
    pub(crate) fn left(&self, side: Side, found: &mut Found) {
        let mut parts: HashMap<(Node, Node), (Number, usize)> = HashMap::new();
        for (key, entry) in &self.table.published {
            if let Some(up) = self.step(side, *key).filter(|up| self.table.published.contains_key(up)) {
                let (sum, count) = parts.entry(up).or_insert((Number::NOBODY, 0));
                *sum += entry.number;
                *count += 1;
            }
        }
        let all = self.children(side);
        for (key, (sum, count)) in parts {
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
