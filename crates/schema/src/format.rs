//! The formats in which a release can be had beside Parquet.

use std::str::FromStr;

/// A format for those whose tools do not read Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Text, a file for each part of a report.
    Csv,
    /// Parquet with the polygon of each row's place, a file for each part of a report on places.
    GeoParquet,
    /// One workbook for the whole release.
    Xlsx,
}

/// A format that is not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no format of that name; expected any of csv, geoparquet, xlsx (Parquet is always there)")]
pub struct UnknownFormat;

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 3] = [Self::Csv, Self::GeoParquet, Self::Xlsx];

    /// Its name, as it is asked for.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::GeoParquet => "geoparquet",
            Self::Xlsx => "xlsx",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or(UnknownFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_go_by_their_names() {
        assert!(Format::ALL.iter().all(|format| format.as_str().parse() == Ok(*format)));
        assert_eq!("parquet".parse::<Format>(), Err(UnknownFormat));
    }
}
