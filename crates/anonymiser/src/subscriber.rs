//! What is known of subscribers: the key of this run, and the pseudonyms of those who opted out.

use hashbrown::{HashMap, HashSet};
use throng_schema::PlaceId;

use crate::{
    layout::Layout,
    opt_out_hash::OptOutHash,
    pseudonym::{KeyError, Pseudonymiser},
};

/// The run's key and the opted-out subscribers: all that the entrance needs to tell people apart.
///
/// It cannot be printed, cloned, compared or read: nothing but an [`Entrance`](crate::Entrance) looks inside.
pub struct Subscribers {
    pseudonymiser: Pseudonymiser,
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
        Pseudonymiser::new().map(Self::keyed)
    }

    fn keyed(pseudonymiser: Pseudonymiser) -> Self {
        Self {
            pseudonymiser,
            opted_out: HashSet::new(),
            opted_out_digests: HashSet::new(),
            hash: None,
            machines: HashSet::new(),
            residence: HashMap::new(),
        }
    }

    /// With a key that never changes, so that a bench repeats. Pseudonyms of such a run protect nobody.
    #[cfg(feature = "bench-key")]
    #[must_use]
    pub fn for_bench() -> Self {
        Self::keyed(Pseudonymiser::for_bench())
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

    /// Where the person of this identity lives, if the table of residence says so.
    #[inline]
    pub(crate) fn residence(&self, identity: u64) -> Option<PlaceId> {
        self.residence.get(&identity).copied()
    }

    /// Bytes that the lists of subscribers take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let listed = [&self.opted_out, &self.opted_out_digests, &self.machines].map(HashSet::capacity);
        (listed.iter().sum::<usize>() * 9 + self.residence.capacity() * 17) as u64
    }

    #[inline]
    pub(crate) fn is_machine(&self, pseudonym: u64) -> bool {
        !self.machines.is_empty() && self.machines.contains(&pseudonym)
    }

    pub(crate) fn pseudonym(&self, id: &[u8]) -> u64 {
        self.pseudonymiser.one(id)
    }

    /// The pseudonyms of many, in their order.
    #[inline]
    pub(crate) fn pseudonyms<'i>(&self, ids: impl Iterator<Item = &'i [u8]>, pseudonyms: &mut Vec<u64>) {
        self.pseudonymiser.each(ids, pseudonyms);
    }

    /// Whether no list turns anybody away.
    #[inline]
    pub(crate) fn turns_nobody_away(&self) -> bool {
        self.opted_out.is_empty() && self.machines.is_empty() && self.digests().is_none()
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
    use crate::opt_out_hash::Algorithm;

    fn subscribers() -> Subscribers {
        Subscribers::new().expect("key")
    }

    #[test]
    fn lists_hold_who_was_put_on_them_and_nobody_else() {
        let mut all = subscribers();
        assert!(all.turns_nobody_away());
        all.opt_out(b"one");
        assert!(!all.turns_nobody_away());
        let [one, two] = [b"one", b"two"].map(|id| all.pseudonym(id));
        assert!(all.opted_out(one) && !all.opted_out(two) && !all.is_machine(one));
        let mut all = subscribers();
        all.machine(b"two");
        assert!(!all.turns_nobody_away());
        let [one, two] = [b"one", b"two"].map(|id| all.pseudonym(id));
        assert!(all.is_machine(two) && !all.is_machine(one) && !all.opted_out(two));
        all.reside(b"one", PlaceId(3));
        all.reside(b"one", PlaceId(4));
        let at_home = |pseudonym| all.residence(Layout::identity_of(pseudonym));
        assert_eq!([at_home(one), at_home(two)], [Some(PlaceId(4)), None], "the last is believed");
    }

    #[test]
    fn digests_count_where_the_hash_is_known_alone() {
        let mut all = subscribers();
        all.opt_out_digest(blake3::hash(b"one").as_bytes());
        assert!(all.turns_nobody_away() && all.digests().is_none(), "nobody says how the list was hashed");
        all.hash_with(OptOutHash::new(Algorithm::Blake3, String::new(), String::new()));
        assert!(!all.turns_nobody_away());
        let hash = all.digests().expect("a list of digests");
        assert!(all.digest_opted_out(hash, b"one") && !all.digest_opted_out(hash, b"two"));
        let mut none = subscribers();
        none.hash_with(OptOutHash::new(Algorithm::Blake3, String::new(), String::new()));
        assert!(none.turns_nobody_away() && none.digests().is_none(), "the list is empty");
    }

    #[test]
    fn lists_are_accounted_for() {
        let none = subscribers();
        assert_eq!(none.bytes(), 0);
        let fill = |put: fn(&mut Subscribers, &[u8])| {
            let mut all = subscribers();
            (0..1_000_u32).for_each(|id| put(&mut all, &id.to_be_bytes()));
            all.bytes()
        };
        // A table has room for up to twice as many as are in it, and a little.
        let of_a_list = 9_000..=20_000;
        for put in [Subscribers::opt_out, Subscribers::opt_out_digest, Subscribers::machine] {
            assert!(of_a_list.contains(&fill(put)));
        }
        assert!((17_000..=38_000).contains(&fill(|all, id| all.reside(id, PlaceId(1)))));
        let mut all = subscribers();
        for id in 0..1_000_u32 {
            all.opt_out(&id.to_be_bytes());
            all.machine(&id.to_be_bytes());
            all.opt_out_digest(&id.to_be_bytes());
            all.reside(&id.to_be_bytes(), PlaceId(1));
        }
        assert_eq!(all.bytes(), 3 * fill(Subscribers::opt_out) + fill(|all, id| all.reside(id, PlaceId(1))));
    }
}
