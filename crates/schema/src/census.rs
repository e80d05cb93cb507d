//! Census figures: how many people live in a place, and whatever else is known of it.

use crate::place::PlaceId;

/// Figures of places, beside which presence and visitors are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// The names of the further columns that the config asks for.
    pub columns: Vec<String>,
    /// The figures of each place that has any, in the order of the places.
    pub rows: Vec<CensusRow>,
}

/// The figures of one place.
#[derive(Clone, Debug, PartialEq)]
pub struct CensusRow {
    /// Which place.
    pub place: PlaceId,
    /// How many people live there.
    pub population: Option<f64>,
    /// Its area in square kilometres.
    pub area_km2: Option<f64>,
    /// The further columns, in the order of their names.
    pub further: Vec<Option<f64>>,
}
