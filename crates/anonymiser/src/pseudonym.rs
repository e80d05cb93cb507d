//! The keyed function that makes a pseudonym of an identifier, many at a time.

use aes::{
    Aes256Enc, Block,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use zeroize::{Zeroize, Zeroizing};

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random key: {0}; expected a working source of randomness")]
pub struct KeyError(#[from] getrandom::Error);

/// Identifiers enciphered at a stretch: enough to keep the processor's units busy, few enough for its nearest cache.
const TOGETHER: usize = 64;

/// The longest identifier that fits a block together with its length.
const SHORT: usize = 15;

/// What the last byte of the first block says of a longer identifier; no length of a shorter one.
const LONG: u8 = 0xff;

/// AES-256 under 256 random bits, in memory only, gone when the run ends.
///
/// An identifier of up to 15 bytes is one block: its bytes, and its length in the last one. A longer one is several:
/// its length, then its bytes, chained as a CBC-MAC. No such message begins another, and over those a CBC-MAC is as
/// good a pseudo-random function as its cipher (Petrank, Rackoff 2000). A pseudonym is the first half of the result.
///
/// An unkeyed hash of an IMSI is undone by trying all IMSIs. Here an attacker who knows every identifier, and even the
/// pseudonyms of some, still lacks the key, which no file, log or core dump ever holds, and which differs in every
/// run. AES is a processor's own instruction: several blocks at once cost a nanosecond or two each.
///
/// The key is in one place of the memory, which is kept from the swap where the system allows it, and is wiped when
/// the run ends.
pub(crate) struct Pseudonymiser {
    cipher: Box<Aes256Enc>,
    /// Given back after the key is wiped.
    _in_memory: Option<region::LockGuard>,
}

impl Pseudonymiser {
    /// Draws a fresh key.
    pub(crate) fn new() -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut key[..])?;
        let pseudonymiser = Self::keyed(&key);
        wipe_stack();
        Ok(pseudonymiser)
    }

    #[inline(never)]
    fn keyed(key: &[u8; 32]) -> Self {
        let cipher = Box::new(Aes256Enc::new(key.into()));
        let in_memory = region::lock(&raw const *cipher, size_of::<Aes256Enc>()).ok();
        Self { cipher, _in_memory: in_memory }
    }

    #[cfg(feature = "bench-key")]
    pub(crate) fn for_bench() -> Self {
        Self::keyed(&[0; 32])
    }

    /// The pseudonym of one identifier.
    pub(crate) fn one(&self, id: &[u8]) -> u64 {
        let Some(mut block) = short(id) else { return self.long(id) };
        self.cipher.encrypt_block(&mut block);
        first_half(&block)
    }

    /// The pseudonyms of many, in their order.
    #[inline]
    pub(crate) fn each<'i>(&self, ids: impl Iterator<Item = &'i [u8]>, pseudonyms: &mut Vec<u64>) {
        let (mut blocks, mut full) = ([Block::default(); TOGETHER], 0);
        let mut longer: Vec<(usize, u64)> = Vec::new();
        for id in ids {
            blocks[full] = short(id).unwrap_or_else(|| {
                longer.push((full, self.long(id)));
                Block::default()
            });
            full += 1;
            if full == TOGETHER {
                self.encipher(&mut blocks, &mut longer, pseudonyms);
                full = 0;
            }
        }
        self.encipher(&mut blocks[..full], &mut longer, pseudonyms);
    }

    fn encipher(&self, blocks: &mut [Block], longer: &mut Vec<(usize, u64)>, pseudonyms: &mut Vec<u64>) {
        let first = pseudonyms.len();
        self.cipher.encrypt_blocks(blocks);
        pseudonyms.extend(blocks.iter().map(first_half));
        for (at, pseudonym) in longer.drain(..) {
            pseudonyms[first + at] = pseudonym;
        }
    }

    #[cold]
    fn long(&self, id: &[u8]) -> u64 {
        let mut state = Block::default();
        state[..8].copy_from_slice(&(id.len() as u64).to_le_bytes());
        state[SHORT] = LONG;
        self.cipher.encrypt_block(&mut state);
        for piece in id.chunks(state.len()) {
            state.iter_mut().zip(piece).for_each(|(state, byte)| *state ^= byte);
            self.cipher.encrypt_block(&mut state);
        }
        first_half(&state)
    }
}

/// Overwrites what calls that have returned left on the stack of this thread: identifiers, or the key.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut left = [0_u8; 256 << 10];
    left.zeroize();
}

/// An identifier and its length in one block; none where it is too long.
#[inline]
fn short(id: &[u8]) -> Option<Block> {
    let len = id.len();
    // Two words that overlap in the middle, rather than a copy of unknown length.
    let bytes = match len {
        8..=SHORT => {
            let (first, last) = (&id[..8], &id[len - 8..]);
            u128::from(word(first)) | u128::from(word(last)) << (8 * (len - 8))
        }
        0..8 => id.iter().rev().fold(0, |bytes, byte| bytes << 8 | u128::from(*byte)),
        _ => return None,
    };
    Some((bytes | (len as u128) << (8 * SHORT)).to_le_bytes().into())
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

#[inline]
fn first_half(block: &Block) -> u64 {
    word(&block[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// As the doc says it, with nothing saved.
    fn plainly(pseudonymiser: &Pseudonymiser, id: &[u8]) -> u64 {
        let mut message = if id.len() <= SHORT { Vec::new() } else { vec![0; 16] };
        if id.len() <= SHORT {
            message.extend_from_slice(id);
            message.resize(SHORT, 0);
            message.push(u8::try_from(id.len()).expect("short"));
        } else {
            message[..8].copy_from_slice(&(id.len() as u64).to_le_bytes());
            message[SHORT] = LONG;
            message.extend_from_slice(id);
            message.resize(message.len().next_multiple_of(16), 0);
        }
        let mut state = [0; 16];
        for block in message.chunks_exact(16) {
            state.iter_mut().zip(block).for_each(|(state, byte)| *state ^= byte);
            let mut block = Block::from(state);
            pseudonymiser.cipher.encrypt_block(&mut block);
            state = block.into();
        }
        u64::from_le_bytes(state[..8].try_into().expect("eight"))
    }

    proptest! {
        #[test]
        fn many_at_a_time_are_as_one_by_one(ids in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..200)) {
            let pseudonymiser = Pseudonymiser::new().expect("key");
            let mut together = Vec::new();
            pseudonymiser.each(ids.iter().map(Vec::as_slice), &mut together);
            let one_by_one: Vec<u64> = ids.iter().map(|id| pseudonymiser.one(id)).collect();
            prop_assert!(together == one_by_one);
            prop_assert!(ids.iter().all(|id| plainly(&pseudonymiser, id) == pseudonymiser.one(id)));
        }
    }

    #[test]
    fn neither_length_nor_zeros_can_be_mistaken() {
        let pseudonymiser = Pseudonymiser::new().expect("key");
        let zeros = [0; 64];
        let pseudonyms: HashSet<u64> = (0..64).map(|len| pseudonymiser.one(&zeros[..len])).collect();
        assert_eq!(pseudonyms.len(), 64);
    }

    /// How often a key is in the memory of this process, but for the place where it is looked at.
    #[cfg(target_os = "linux")]
    #[expect(clippy::disallowed_types, reason = "its own memory, and only in a test")]
    fn copies(key: &[u8; 32]) -> usize {
        use std::os::unix::fs::FileExt;
        let maps = std::fs::read_to_string("/proc/self/maps").expect("a map");
        let memory = std::fs::File::open("/proc/self/mem").expect("the memory");
        let mut piece = vec![0; 1 << 16];
        let here = piece.as_ptr().addr() as u64;
        let here = here..here + piece.len() as u64;
        let (half, mut copies) = (&key[16..], 0);
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) =
                line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
            let at = |word: &str| u64::from_str_radix(word, 16).expect("an address");
            let (mut at, end) = (at(start), at(end));
            while at < end {
                let len = usize::try_from(end - at).expect("a size").min(piece.len());
                if memory.read_exact_at(&mut piece[..len], at).is_ok() {
                    let found =
                        piece[..len].windows(half.len()).enumerate().filter(|(_, bytes)| *bytes == half);
                    copies += found.filter(|(i, _)| !here.contains(&(at + *i as u64))).count();
                }
                // What lies across two pieces is in the second.
                at += (len as u64).saturating_sub(half.len() as u64 - 1).max(1);
                if len < piece.len() {
                    break;
                }
            }
        }
        piece.zeroize();
        copies
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_key_is_in_one_place_and_gone_with_the_run() {
        let mut key = Box::new([0; 32]);
        getrandom::fill(&mut key[..]).expect("random");
        let pseudonymiser = Pseudonymiser::keyed(&key);
        wipe_stack();
        assert!(pseudonymiser.one(b"206010000000001") != 0);
        wipe_stack();
        assert!(copies(&key) <= 2, "here, and in the cipher");
        drop(pseudonymiser);
        wipe_stack();
        assert_eq!(copies(&key), 1, "here alone");
    }

    #[test]
    fn a_fresh_key_gives_other_pseudonyms() {
        let [a, b] = [(); 2].map(|()| Pseudonymiser::new().expect("key"));
        assert!(a.one(b"206010000000001") == a.one(b"206010000000001"));
        assert!(a.one(b"206010000000001") != b.one(b"206010000000001"));
    }
}
