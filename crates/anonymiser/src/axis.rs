//! One side of a crossed table: a tree of groups, from everybody down to the finest.

/// A tree whose node 0 is everybody, with parents before children.
///
/// Places under one root are such a tree, and classes of residence.
#[derive(Clone, Debug)]
pub struct Axis {
    parents: Vec<u32>,
    depths: Vec<u8>,
}

impl Axis {
    /// The tree of these parents; that of node 0 is ignored.
    ///
    /// # Panics
    /// When there is no node, a child stands before its parent, or the tree has more than 255 levels below its root.
    #[must_use]
    pub fn new(parents: Vec<u32>) -> Self {
        assert!(!parents.is_empty(), "a tree has a root");
        let mut depths = vec![0_u8; parents.len()];
        for node in 1..parents.len() {
            let parent = parents[node] as usize;
            assert!(parent < node, "a child stands behind its parent");
            depths[node] =
                depths[parent].checked_add(1).expect("a tree of at most 255 levels below its root");
        }
        Self { parents, depths }
    }

    /// How many nodes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a tree is never empty")]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// The node above, none for the root.
    #[inline]
    #[must_use]
    pub fn parent(&self, node: u32) -> Option<u32> {
        (node > 0).then(|| self.parents[node as usize])
    }

    /// How many nodes lie above.
    #[inline]
    #[must_use]
    pub fn depth(&self, node: u32) -> u8 {
        self.depths[node as usize]
    }

    /// A node and all above it, from the bottom up.
    #[inline]
    pub fn chain(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(node), |node| self.parent(*node))
    }

    /// What lies above a node, or is it, so deep.
    ///
    /// # Panics
    /// When the node itself is not so deep.
    pub(crate) fn above(&self, node: u32, depth: u16) -> u32 {
        let up = u16::from(self.depth(node)).checked_sub(depth).expect("a node above");
        (0..up).fold(node, |node, _| self.parents[node as usize])
    }

    /// How deep the deepest node lies that is above both nodes, or is one of them.
    pub(crate) fn shared(&self, a: u32, b: u32) -> u8 {
        let (mut a, mut b) = (a, b);
        // Parents stand before children: the later of two is not above the other.
        while a != b {
            if a > b {
                a = self.parents[a as usize];
            } else {
                b = self.parents[b as usize];
            }
        }
        self.depth(a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_walked_from_the_bottom_up() {
        let axis = Axis::new(vec![0, 0, 1, 1, 0]);
        assert_eq!(axis.len(), 5);
        assert_eq!([0, 1, 2, 3, 4].map(|node| axis.parent(node)), [None, Some(0), Some(1), Some(1), Some(0)]);
        assert_eq!([0, 1, 2, 3, 4].map(|node| axis.depth(node)), [0, 1, 2, 2, 1]);
        assert_eq!(axis.chain(3).collect::<Vec<_>>(), [3, 1, 0]);
        assert_eq!(axis.chain(0).collect::<Vec<_>>(), [0]);
        assert_eq!([0, 1, 2].map(|depth| axis.above(3, depth)), [0, 1, 3]);
        let shared = |a, b| (axis.shared(a, b), axis.shared(b, a));
        assert_eq!(
            [shared(2, 3), shared(3, 1), shared(3, 3), shared(2, 4), shared(0, 2)],
            [(1, 1), (1, 1), (2, 2), (0, 0), (0, 0)]
        );
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let refused = |parents: Vec<u32>| std::panic::catch_unwind(|| Axis::new(parents)).is_err();
        assert!(
            refused(vec![]) && refused(vec![0, 1]) && refused(vec![0, 2, 0]) && refused(vec![0, u32::MAX])
        );
        let line = |levels: u32| (0..=levels).map(|node| node.saturating_sub(1)).collect::<Vec<_>>();
        assert!(!refused(line(255)) && refused(line(256)), "a depth is a byte");
        assert_eq!(Axis::new(line(255)).depth(255), 255);
    }
}
