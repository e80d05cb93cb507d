//! A table is protected once: a second pattern beside the first could tell what each hides.
use throng_anonymiser::{CountTable, Guard, Policy, protect};

fn twice(table: CountTable, guards: &[Guard<'_>], policy: &Policy) {
    let _one = protect(vec![table], guards, policy);
    let _two = protect(vec![table], guards, policy);
}

fn main() {}
