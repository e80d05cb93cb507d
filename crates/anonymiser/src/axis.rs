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
    /// When there is no node, or a child stands before its parent.
    #[must_use]
    pub fn new(parents: Vec<u32>) -> Self {
        assert!(!parents.is_empty(), "a tree has a root");
        let mut depths = vec![0_u8; parents.len()];
        for node in 1..parents.len() {
            let parent = parents[node] as usize;
            assert!(parent < node, "a child stands behind its parent");
            depths[node] = depths[parent] + 1;
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
}
