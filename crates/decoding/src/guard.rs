//! A decoder that panics over damaged bytes is told apart from a bug of this program.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What a decoder makes of bytes that may be damaged; none if it panics over them.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    let outer = GUARDED.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode)).ok();
    GUARDED.set(outer);
    decoded
}

/// Whether this thread is decoding, so that a panic is damage and will be told of as that.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_leaves_nothing_behind() {
        assert_eq!(guarded(|| 1), Some(1));
        assert!(guarded(|| assert!(!is_guarded())).is_none());
        assert!(!is_guarded());
        assert_eq!(guarded(|| guarded(|| 1).map(|one| (one, is_guarded()))), Some(Some((1, true))));
    }
}
