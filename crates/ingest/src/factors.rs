//! Reads expansion factors: how many people a device stands for, by where its owner lives.

use std::path::{Path, PathBuf};

use throng_schema::{Factors, PlaceId};

use crate::{
    codes::{CodeFields, PlaceCodes},
    places::Places,
    table::{Field, Layout, Position, Row, TABLE_ENDINGS, Table, TableError, files_of},
};

/// What can be wrong with a table of factors.
#[derive(Debug, thiserror::Error)]
pub enum FactorsError {
    /// A file cannot be read, or a field cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A factor so large that a device would pass for a crowd.
    #[error(
        "{at}: {stratum}: the factor is above {limit}; expected at most that, or a higher `expansion_limit`"
    )]
    TooLarge {
        /// The row.
        at: Position,
        /// Which stratum.
        stratum: String,
        /// The most that is allowed.
        limit: f64,
    },
    /// A stratum twice.
    #[error("{at}: {stratum} again; expected one factor for each")]
    Twice {
        /// The second row of it.
        at: Position,
        /// Which stratum.
        stratum: String,
    },
    /// Nobody said what those stand for whom no other row covers.
    #[error("{}: no row of `rest`; expected one, for everybody whom no other row covers", path.display())]
    NoRest {
        /// The table, folder or pattern.
        path: PathBuf,
    },
}

/// Whom a factor is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stratum {
    Residence(PlaceId),
    HomeNetwork(u16),
    Rest,
}

/// Reads expansion factors from a table, a folder or a pattern.
///
/// The columns are `by` (`residence`, `home_network` or `rest`), `code` (of a place, whose level may stand in a column
/// `level`; or a mobile country code of three digits; or nothing), `factor`, and `version`, the same text in all rows.
///
/// # Errors
/// When a file cannot be read or lacks a column, a field is not what it should be, a factor is not above 0 or is above
/// `limit`, a stratum stands twice, or there is no `rest`.
pub fn factors(path: &Path, places: &Places, limit: f64) -> Result<Factors, FactorsError> {
    let codes = PlaceCodes::new(&places.tree);
    let mut version: Option<String> = None;
    let mut found: Vec<(Stratum, f64)> = Vec::new();
    for file in files_of(path, &TABLE_ENDINGS)? {
        let mut table = Table::open(&file, Layout::THINGS)?;
        let fields = Fields::of(&mut table)?;
        table.each(|row| {
            let (stratum, factor) = (fields.stratum(row, &codes)?, fields.factor(row)?);
            let (at, name) = (row.at(), |stratum| name_of(stratum, places));
            if factor > limit {
                return Err(FactorsError::TooLarge { at: at.clone(), stratum: name(stratum), limit });
            }
            if found.iter().any(|(known, _)| *known == stratum) {
                return Err(FactorsError::Twice { at: at.clone(), stratum: name(stratum) });
            }
            let text = fields.version(row)?;
            if version.get_or_insert_with(|| text.to_owned()) != text {
                return Err(row.wrong(&fields.version, "the version of the first row").into());
            }
            found.push((stratum, factor));
            Ok::<_, FactorsError>(())
        })?;
    }
    gathered(found, version).ok_or_else(|| FactorsError::NoRest { path: path.to_owned() })
}

/// The factors in the order of their strata; none without a rest.
fn gathered(mut found: Vec<(Stratum, f64)>, version: Option<String>) -> Option<Factors> {
    found.sort_unstable_by_key(|(stratum, _)| *stratum);
    let (mut residence, mut network, mut rest) = (Vec::new(), Vec::new(), None);
    for (stratum, factor) in found {
        match stratum {
            Stratum::Residence(place) => residence.push((place, factor)),
            Stratum::HomeNetwork(mcc) => network.push((mcc, factor)),
            Stratum::Rest => rest = Some(factor),
        }
    }
    Some(Factors { version: version?, residence, network, rest: rest? })
}

/// What a stratum is called in an error: a place or a country, never a person.
fn name_of(stratum: Stratum, places: &Places) -> String {
    match stratum {
        Stratum::Residence(place) => {
            format!("residence {} {}", places.tree.level(place).as_str(), places.tree.code(place))
        }
        Stratum::HomeNetwork(mcc) => format!("home_network {mcc:03}"),
        Stratum::Rest => "rest".to_owned(),
    }
}

/// Where a table has what.
struct Fields {
    by: Field,
    code: CodeFields,
    factor: Field,
    version: Field,
}

impl Fields {
    fn of(table: &mut Table) -> Result<Self, TableError> {
        Ok(Self {
            by: table.require(&"by".into())?,
            code: CodeFields::of(table, "code")?,
            factor: table.require(&"factor".into())?,
            version: table.require(&"version".into())?,
        })
    }

    fn stratum(&self, row: &Row<'_>, codes: &PlaceCodes<'_>) -> Result<Stratum, TableError> {
        let code = row.text(Some(&self.code.code))?;
        match (row.text(Some(&self.by))?, code) {
            (Some("residence"), _) => codes.place(row, &self.code).map(Stratum::Residence),
            (Some("home_network"), code) => {
                let mcc =
                    code.filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
                let mcc = mcc.and_then(|code| code.parse().ok()).map(Stratum::HomeNetwork);
                mcc.ok_or_else(|| row.wrong(&self.code.code, "a mobile country code of three digits"))
            }
            (Some("rest"), None) => Ok(Stratum::Rest),
            (Some("rest"), Some(_)) => Err(row.wrong(&self.code.code, "nothing, for the rest has no code")),
            _ => Err(row.wrong(&self.by, "residence, home_network or rest")),
        }
    }

    fn factor(&self, row: &Row<'_>) -> Result<f64, TableError> {
        const ABOVE_ZERO: &str = "a number above 0";
        let factor = row.number(Some(&self.factor), f64::MIN_POSITIVE..=f64::MAX, ABOVE_ZERO)?;
        factor.ok_or_else(|| row.wrong(&self.factor, ABOVE_ZERO))
    }

    fn version<'a>(&self, row: &Row<'a>) -> Result<&'a str, TableError> {
        row.text(Some(&self.version))?.ok_or_else(|| row.wrong(&self.version, "the version of the table"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        places::tests::squares,
        table::tests::{folder, text_of},
    };

    const LIMIT: f64 = 100.0;

    fn read(csv: &str, places: &Places) -> Result<Factors, String> {
        let folder = folder(&[("f.csv", csv.as_bytes())]);
        factors(&folder.path().join("f.csv"), places, LIMIT).map_err(|error| text_of(error, &folder))
    }

    fn two_squares() -> Places {
        squares(&[("1000", [0.0, 0.0, 1.0, 1.0]), ("2000", [1.0, 0.0, 2.0, 1.0])])
    }

    #[test]
    fn strata_stand_in_their_order_and_a_place_may_have_its_level() {
        let csv = "by,code,level,factor,version\nrest,,,1.5,2026-09\nhome_network,262,,3,2026-09\n\
                   residence,2000,postal_code,2,2026-09\nhome_network,001,,100,2026-09\nresidence,C,,0.5,2026-09\n";
        let places = two_squares();
        let found = read(csv, &places).expect("read");
        let code = |place: PlaceId| places.tree.code(place);
        let residence: Vec<_> =
            found.residence.iter().map(|(place, factor)| (code(*place), *factor)).collect();
        assert_eq!(residence, [("C", 0.5), ("2000", 2.0)]);
        assert_eq!((found.network, found.rest), (vec![(1, 100.0), (262, 3.0)], 1.5));
        assert_eq!(found.version, "2026-09");
    }

    #[test]
    fn bad_factors_are_told_with_their_stratum() {
        let header = "by,code,factor,version\nrest,,1,v1\nhome_network,206,2,v1\n";
        let column = |column: &str, expected: &str| format!(", column `{column}`: expected {expected}");
        let above = "the factor is above 100; expected at most that, or a higher `expansion_limit`";
        let cases = [
            ("home_network,262,100.5,v1", format!(": home_network 262: {above}")),
            ("residence,1000,101,v1", format!(": residence postal_code 1000: {above}")),
            ("home_network,206,2,v1", ": home_network 206 again; expected one factor for each".to_owned()),
            ("rest,,2,v1", ": rest again; expected one factor for each".to_owned()),
            ("roamers,262,2,v1", column("by", "residence, home_network or rest")),
            (",262,2,v1", column("by", "residence, home_network or rest")),
            ("residence,,2,v1", column("code", "the code of a place")),
            ("residence,3000,2,v1", column("code", "the code of a place")),
            ("home_network,20601,2,v1", column("code", "a mobile country code of three digits")),
            ("home_network,+26,2,v1", column("code", "a mobile country code of three digits")),
            ("home_network,,2,v1", column("code", "a mobile country code of three digits")),
            ("rest,206,2,v1", column("code", "nothing, for the rest has no code")),
            ("home_network,262,0,v1", column("factor", "a number above 0")),
            ("home_network,262,-1,v1", column("factor", "a number above 0")),
            ("home_network,262,,v1", column("factor", "a number above 0")),
            ("home_network,262,inf,v1", column("factor", "a number above 0")),
            ("home_network,262,2,v2", column("version", "the version of the first row")),
            ("home_network,262,2,", column("version", "the version of the table")),
        ];
        for (row, text) in cases {
            let error = read(&format!("{header}{row}\n"), &two_squares()).expect_err("refused");
            assert_eq!(error, format!("f.csv, row 3 (line 4){text}"));
        }
        for csv in ["by,code,factor,version\n", "by,code,factor,version\nhome_network,262,2,v1\n"] {
            let error = read(csv, &two_squares()).expect_err("refused");
            let expected = "no row of `rest`; expected one, for everybody whom no other row covers";
            assert_eq!(error, format!("f.csv: {expected}"));
        }
        let error = read("by,code,factor\nrest,,1\n", &two_squares()).expect_err("refused");
        assert_eq!(error, "f.csv: no column `version`; found the columns by, code, factor");
    }
}
