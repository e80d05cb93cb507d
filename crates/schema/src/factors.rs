//! Expansion factors: how many people a device stands for, by where its owner lives.

use crate::place::PlaceId;

/// Factors by residence and by home network.
///
/// Who lives in a place takes the factor of the finest place around it that has one; who does not, or whose home is
/// not known, takes that of the home network's mobile country code; everybody else takes the factor of the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// What the operator calls this table; the release carries it.
    pub version: String,
    /// Factors of places, of any level.
    pub residence: Vec<(PlaceId, f64)>,
    /// Factors of home networks, by mobile country code.
    pub network: Vec<(u16, f64)>,
    /// The factor of the rest.
    pub rest: f64,
}
