//! Hashes identifiers as the operator's list of opt-outs does, so that the two can be compared, and in no other way.

use std::str::FromStr;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest digest of an [`Algorithm`], in bytes.
const DIGEST_BYTES_MAX: usize = 32;

/// How the list of opt-outs was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-1.
    Sha1,
    /// MD5.
    Md5,
    /// BLAKE3.
    Blake3,
}

/// A name of no algorithm that is known. It is not repeated, for it may be a salt on the wrong line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no algorithm of that name; expected sha256, sha1, md5 or blake3")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha1" => Ok(Self::Sha1),
            "md5" => Ok(Self::Md5),
            "blake3" => Ok(Self::Blake3),
            _ => Err(UnknownAlgorithm),
        }
    }
}

impl Algorithm {
    /// How long a digest is.
    #[must_use]
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha1 => 20,
            Self::Md5 => 16,
        }
    }

    fn digest(self, parts: [&[u8]; 3], out: &mut [u8; DIGEST_BYTES_MAX]) {
        match self {
            Self::Sha256 => digest_of::<Sha256>(parts, out),
            Self::Sha1 => digest_of::<Sha1>(parts, out),
            Self::Md5 => digest_of::<Md5>(parts, out),
            Self::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                for part in parts {
                    hasher.update(part);
                }
                out.copy_from_slice(hasher.finalize().as_bytes());
            }
        }
    }
}

fn digest_of<D: Digest>(parts: [&[u8]; 3], out: &mut [u8; DIGEST_BYTES_MAX]) {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    out[..digest.len()].copy_from_slice(&digest);
}

/// How identifiers become the digests of the operator's list: `hash(before + identifier + after)`.
///
/// The salt is a secret: it cannot be printed, compared or read, and is wiped when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OptOutHash {
    #[zeroize(skip)]
    algorithm: Algorithm,
    before: String,
    after: String,
}

impl OptOutHash {
    /// A hash with a salt before and after the identifier, either of which may be empty.
    #[must_use]
    pub fn new(algorithm: Algorithm, before: String, after: String) -> Self {
        Self { algorithm, before, after }
    }

    /// The algorithm, which says how long the digests of the list are.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Gives the digest of an identifier to `look`, and wipes it.
    pub(crate) fn with_digest<T>(&self, id: &[u8], look: impl FnOnce(&[u8]) -> T) -> T {
        let mut digest = [0; DIGEST_BYTES_MAX];
        self.algorithm.digest([self.before.as_bytes(), id, self.after.as_bytes()], &mut digest);
        let seen = look(&digest[..self.algorithm.digest_bytes()]);
        digest.zeroize();
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex_of(algorithm: Algorithm, before: &str, id: &[u8], after: &str) -> String {
        let hash = OptOutHash::new(algorithm, before.to_owned(), after.to_owned());
        hash.with_digest(id, |digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digests of `abc`: FIPS 180-4, RFC 3174, RFC 1321, and BLAKE3's own.
    const ABC: [(&str, &str); 4] = [
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("blake3", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ];

    #[test]
    fn digests_are_those_of_the_standards_and_the_salt_stands_around_the_identifier() {
        for (name, digest) in ABC {
            let algorithm: Algorithm = name.parse().expect("known");
            assert_eq!(digest.len(), 2 * algorithm.digest_bytes());
            assert_eq!(hex_of(algorithm, "", b"abc", ""), digest);
            assert_eq!(hex_of(algorithm, "a", b"b", "c"), digest);
            assert_ne!(hex_of(algorithm, "c", b"b", "a"), digest);
        }
        let error = "SHA-256".parse::<Algorithm>().expect_err("refused").to_string();
        assert_eq!(error, "no algorithm of that name; expected sha256, sha1, md5 or blake3");
    }
}
