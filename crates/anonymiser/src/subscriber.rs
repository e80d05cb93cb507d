//! What is known of subscribers: the key of this run, and the pseudonyms of those who opted out.

use hashbrown::{HashMap, HashSet};
use siphasher::sip::SipHasher24;
use throng_schema::PlaceId;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{layout::Layout, opt_out_hash::OptOutHash};

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random key: {0}; expected a working source of randomness")]
pub struct KeyError(#[from] getrandom::Error);

/// 256 random bits, in memory only, gone when the run ends.
///
/// The first half keys SipHash-2-4, a pseudo-random function (Aumasson, Bernstein 2012) that costs a third of other
/// keyed hashes on identifiers of 15 digits. The second half whitens its result, as in Even and Mansour's cipher: a
/// bijection, so it takes nothing away, and no output of the bare function is ever seen. An unkeyed hash of an IMSI
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
    /// The pseudonyms of digests, where the operator's list has those.
    opted_out_digests: HashSet<u64>,
    hash: Option<OptOutHash>,
    machines: HashSet<u64>,
    residence: HashMap<u64, PlaceId>,
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
        Ok(Self {
            key,
            opted_out: HashSet::new(),
            opted_out_digests: HashSet::new(),
            hash: None,
            machines: HashSet::new(),
            residence: HashMap::new(),
        })
    }

    /// From now on, rows of this subscriber are turned away at the entrance.
    pub fn opt_out(&mut self, id: &[u8]) {
        let pseudonym = self.pseudonym(id);
        self.opted_out.insert(pseudonym);
    }

    /// The operator's list holds digests: who is met is hashed like this before it is looked for among them.
    pub fn hash_with(&mut self, hash: OptOutHash) {
        self.hash = Some(hash);
    }

    /// From now on, rows of the subscriber with this digest are turned away at the entrance. It has no effect
    /// without [`Subscribers::hash_with`].
    pub fn opt_out_digest(&mut self, digest: &[u8]) {
        let pseudonym = self.pseudonym(digest);
        self.opted_out_digests.insert(pseudonym);
    }

    /// From now on, rows of this subscriber are turned away as those of a machine.
    pub fn machine(&mut self, id: &[u8]) {
        let pseudonym = self.pseudonym(id);
        self.machines.insert(pseudonym);
    }

    /// This subscriber lives in a place: a postal code or a commune. Of several, the last is believed.
    pub fn reside(&mut self, id: &[u8], place: PlaceId) {
        let identity = Layout::identity_of(self.pseudonym(id));
        self.residence.insert(identity, place);
    }

    #[inline]
    pub(crate) fn knows_no_residence(&self) -> bool {
        self.residence.is_empty()
    }

    /// Where the person of this identity lives, if the table of residence says so.
    #[inline]
    pub(crate) fn residence(&self, identity: u64) -> Option<PlaceId> {
        self.residence.get(&identity).copied()
    }

    /// Bytes that the lists of subscribers take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let entries =
            self.opted_out.capacity() * 9 + self.machines.capacity() * 9 + self.residence.capacity() * 17;
        entries as u64
    }

    #[inline]
    pub(crate) fn is_machine(&self, pseudonym: u64) -> bool {
        !self.machines.is_empty() && self.machines.contains(&pseudonym)
    }

    #[inline]
    pub(crate) fn pseudonym(&self, id: &[u8]) -> u64 {
        let Key([first, second, before, after]) = &self.key;
        let hash = SipHasher24::new_with_keys(*first, *second).hash(id);
        // An odd factor keeps it a bijection of 64-bit numbers.
        (hash ^ before).wrapping_mul(after | 1)
    }

    #[inline]
    pub(crate) fn opted_out(&self, pseudonym: u64) -> bool {
        !self.opted_out.is_empty() && self.opted_out.contains(&pseudonym)
    }

    /// How to tell whether somebody's digest is on the list; none where there is no such list.
    #[inline]
    pub(crate) fn digests(&self) -> Option<&OptOutHash> {
        self.hash.as_ref().filter(|_| !self.opted_out_digests.is_empty())
    }

    /// Whether the digest of an identifier is on the list. It costs more than all else that a row does.
    #[cold]
    pub(crate) fn digest_opted_out(&self, hash: &OptOutHash, id: &[u8]) -> bool {
        hash.with_digest(id, |digest| self.opted_out_digests.contains(&self.pseudonym(digest)))
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
