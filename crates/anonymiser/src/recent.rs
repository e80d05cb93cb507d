//! What a batch remembers of the subscribers that it met last, so that most rows need no second look.

/// One slot for each of the last bits of a pseudonym; a newer subscriber drives out an older one of the same bits.
///
/// It takes no memory before something is put in.
pub(crate) struct Recent<V> {
    slots: Vec<Option<(u64, V)>>,
    /// A power of two.
    len: usize,
}

impl<V: Copy> Recent<V> {
    /// Room for so many, which must be a power of two.
    pub(crate) fn new(len: usize) -> Self {
        debug_assert!(len.is_power_of_two());
        Self { slots: Vec::new(), len }
    }

    /// The first bits of a pseudonym choose the shard, so that within a pass its last bits are the more various.
    fn slot(&self, pseudonym: u64) -> usize {
        usize::try_from(pseudonym & (self.len as u64 - 1)).unwrap_or(0)
    }

    #[inline]
    pub(crate) fn get(&self, pseudonym: u64) -> Option<V> {
        let (known, value) = (*self.slots.get(self.slot(pseudonym))?)?;
        (known == pseudonym).then_some(value)
    }

    #[inline]
    pub(crate) fn put(&mut self, pseudonym: u64, value: V) {
        if self.slots.is_empty() {
            self.slots.resize(self.len, None);
        }
        let slot = self.slot(pseudonym);
        self.slots[slot] = Some((pseudonym, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_slot_is_remembered_and_no_other_is_taken_for_it() {
        let mut recent = Recent::new(4);
        assert_eq!(recent.get(0), None);
        recent.put(1, 10);
        recent.put(2, 20);
        assert_eq!([1, 2, 5, 0].map(|pseudonym| recent.get(pseudonym)), [Some(10), Some(20), None, None]);
        recent.put(5, 50);
        recent.put(2, 21);
        assert_eq!([1, 2, 5].map(|pseudonym| recent.get(pseudonym)), [None, Some(21), Some(50)]);
    }
}
