//! Times and pairs of nodes as numbers that sort as they do.

/// A time and a pair of nodes as the key of a sparse table: in the order of pairs, and of times of each.
///
/// # Panics
/// When there are more than 256 times, or 2^28 nodes.
#[inline]
#[must_use]
pub fn key(time: usize, row: u32, column: u32) -> u64 {
    assert!(time < 1 << 8 && row < 1 << 28 && column < 1 << 28, "a key beyond its bits");
    u64::from(row) << 36 | u64::from(column) << 8 | time as u64
}

/// The time of a key, and its pair.
#[inline]
pub(crate) fn parts_of(key: u64) -> (usize, u64) {
    let (row, column) = nodes_of(key);
    (usize::try_from(key & 0xff).unwrap_or(usize::MAX), pair(row, column))
}

/// The nodes of a key.
#[inline]
pub(crate) fn nodes_of(key: u64) -> (u32, u32) {
    let node = |bits: u64| u32::try_from(bits & ((1 << 28) - 1)).unwrap_or(u32::MAX);
    (node(key >> 36), node(key >> 8))
}

/// A pair of nodes as one number, in the order of the first.
#[inline]
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

#[inline]
pub(crate) fn unpair(pair: u64) -> (u32, u32) {
    (
        u32::try_from(pair >> 32).unwrap_or(u32::MAX),
        u32::try_from(pair & u64::from(u32::MAX)).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_pair_and_then_by_time() {
        let last = (1 << 28) - 1;
        let all = [(0, 0, 0), (255, 0, 0), (0, 0, 1), (3, 0, last), (0, 1, 0), (255, last, last)];
        let keys = all.map(|(time, row, column)| key(time, row, column));
        assert!(keys.is_sorted_by(|a, b| a < b));
        for ((time, row, column), key) in all.into_iter().zip(keys) {
            assert_eq!((parts_of(key), nodes_of(key)), ((time, pair(row, column)), (row, column)));
            assert_eq!(unpair(pair(row, column)), (row, column));
        }
        assert!(pair(0, u32::MAX) < pair(1, 0));
        let refused =
            |time, node| std::panic::catch_unwind(|| (key(time, node, 0), key(time, 0, node))).is_err();
        assert!(refused(256, 0) && refused(0, 1 << 28));
    }
}
