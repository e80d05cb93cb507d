//! What is known of subscribers: the key of this run, and the pseudonyms of those who opted out.

use hashbrown::HashSet;
use highway::{HighwayHash, HighwayHasher, Key as HighwayKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random key: {0}; expected a working source of randomness")]
pub struct KeyError(#[from] getrandom::Error);

/// 256 random bits, in memory only, gone when the run ends.
///
/// HighwayHash is a keyed pseudo-random function (Alakuijala, Cox, Wassenberg 2016). An unkeyed hash of an IMSI
/// is undone by trying all IMSIs; here an attacker who knows every identifier still lacks the key, which no file,
/// log or core dump ever holds, and which differs in every run.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Key([u64; 4]);

/// The run's key and the opted-out subscribers: all that the entrance needs to tell people apart.
///
/// It cannot be printed, cloned, compared or read: nothing but an [`Entrance`](crate::Entrance) looks inside.
pub struct Subscribers {
    key: Key,
    opted_out: HashSet<u64>,
}

impl Subscribers {
    /// Draws a fresh key; nobody has opted out yet.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, KeyError> {
        let mut key = Key([0; 4]);
        for word in &mut key.0 {
            *word = getrandom::u64()?;
        }
        Ok(Self { key, opted_out: HashSet::new() })
    }

    /// From now on, rows of this subscriber are turned away at the entrance.
    pub fn opt_out(&mut self, id: &[u8]) {
        let pseudonym = self.pseudonym(id);
        self.opted_out.insert(pseudonym);
    }

    #[inline]
    pub(crate) fn pseudonym(&self, id: &[u8]) -> u64 {
        HighwayHasher::new(HighwayKey(self.key.0)).hash64(id)
    }

    #[inline]
    pub(crate) fn opted_out(&self, pseudonym: u64) -> bool {
        !self.opted_out.is_empty() && self.opted_out.contains(&pseudonym)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_hold_within_a_run_and_differ_between_runs() {
        let (a, b) = (Subscribers::new().expect("key"), Subscribers::new().expect("key"));
        assert!(a.pseudonym(b"one") == a.pseudonym(b"one"));
        assert!(a.pseudonym(b"one") != a.pseudonym(b"two"));
        assert!(a.pseudonym(b"one") != b.pseudonym(b"one"));
        assert!(a.pseudonym(b"") != a.pseudonym(b"\0"));
    }
}
