//! Finds the place that a row of a table names by its code, and perhaps its level.

use hashbrown::HashMap;
use throng_schema::{Level, PlaceId, PlaceTree};

use crate::table::{Field, Row, Table, TableError};

/// The places of each code, from the postal code up.
pub(crate) struct PlaceCodes<'a> {
    tree: &'a PlaceTree,
    by_code: HashMap<&'a str, Vec<PlaceId>>,
}

/// Where a table has codes and levels.
pub(crate) struct CodeFields {
    pub(crate) code: Field,
    level: Option<Field>,
}

impl CodeFields {
    /// The code in the column of this name, and `level` if it is there.
    pub(crate) fn of(table: &mut Table, code: &str) -> Result<Self, TableError> {
        Ok(Self { code: table.require(&code.into())?, level: table.find(&"level".into())? })
    }
}

impl<'a> PlaceCodes<'a> {
    pub(crate) fn new(tree: &'a PlaceTree) -> Self {
        let mut by_code: HashMap<&str, Vec<PlaceId>> = HashMap::new();
        for place in tree.ids().rev() {
            by_code.entry(tree.code(place)).or_default().push(place);
        }
        Self { tree, by_code }
    }

    /// The place of a row. Without a level the code must be that of one place alone: a province and a region may
    /// share one, and to guess between them would be wrong without a sign.
    pub(crate) fn place(&self, row: &Row<'_>, fields: &CodeFields) -> Result<PlaceId, TableError> {
        let code =
            row.text(Some(&fields.code))?.ok_or_else(|| row.wrong(&fields.code, "the code of a place"))?;
        let level = self.level(row, fields)?;
        let of_level = |place: &&PlaceId| level.is_none_or(|level| self.tree.level(**place) == level);
        let mut found = self.by_code.get(code).into_iter().flatten().filter(of_level);
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(*place),
            (None, _) => Err(row.wrong(&fields.code, "the code of a place")),
            (Some(_), Some(_)) => {
                Err(row.wrong(&fields.code, "the code of one place alone, or its level in a column `level`"))
            }
        }
    }

    fn level(&self, row: &Row<'_>, fields: &CodeFields) -> Result<Option<Level>, TableError> {
        let Some((field, word)) = fields.level.as_ref().zip(row.text(fields.level.as_ref())?) else {
            return Ok(None);
        };
        let level = Level::ALL.into_iter().find(|level| level.as_str() == word);
        let expected = "postal_code, commune, province, region or country";
        level.map(Some).ok_or_else(|| row.wrong(field, expected))
    }
}
