//! Classes and ends of trips: the places of the release, `all` above the countries, and countries that it does not hold.

use crate::places::Places;

/// A place, `all`, or another country: places keep their index.
pub(crate) type Node = usize;

/// The word for what has no class, or every one.
pub(crate) const ALL: &str = "all";
/// The word for whatever is withheld together.
pub(crate) const OTHER: &str = "other";

const LETTERS: usize = 26;

impl Places {
    /// The node above every country.
    pub(crate) fn all_node(&self) -> Node {
        self.len()
    }

    /// The node of these words: `all`, a place, or a country by the two letters of ISO 3166-1.
    pub(crate) fn node(&self, level: &str, code: &str) -> Option<Node> {
        if let Some(place) = self.find(level, code) {
            return Some(place);
        }
        match (level, code.as_bytes()) {
            (ALL, _) if code == ALL => Some(self.all_node()),
            ("country", [a @ b'A'..=b'Z', b @ b'A'..=b'Z']) => {
                Some(self.all_node() + 1 + usize::from(a - b'A') * LETTERS + usize::from(b - b'A'))
            }
            _ => None,
        }
    }

    /// The node above one, where `all` is above every country; `all` has none.
    pub(crate) fn above(&self, node: Node) -> Option<Node> {
        let all = self.all_node();
        match self.all.get(node) {
            Some(place) => Some(place.parent.unwrap_or(all)),
            None => (node > all).then_some(all),
        }
    }

    /// A node as faults name it.
    pub(crate) fn node_said(&self, node: Node) -> String {
        let all = self.all_node();
        match node.checked_sub(all + 1) {
            None if node == all => ALL.to_owned(),
            None => self.said(node),
            Some(country) => {
                let letters = [country / LETTERS, country % LETTERS]
                    .map(|letter| char::from(b'A' + u8::try_from(letter).unwrap_or_default()));
                format!("country {}{}", letters[0], letters[1])
            }
        }
    }
}
