//! A table is protected once: a second pattern beside the first could tell what each hides.
use throng_anonymiser::{CountTable, Policy};
use throng_schema::PlaceTree;

fn twice(table: CountTable, policy: &Policy, tree: &PlaceTree) {
    let _one = table.protect(policy, tree, &[]);
    let _two = table.protect(policy, tree, &[]);
}

fn main() {}
