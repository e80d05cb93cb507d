//! Streams where subscribers live, as places of the tree, to whoever forgets the identifiers at once.

use std::{collections::BTreeMap, path::Path};

use throng_schema::{Level, PlaceId, PlaceTree};

use crate::table::{Layout, TABLE_ENDINGS, Table, TableError, files_of};

/// Reads the columns `subscriber_id` and `postal_code` or `commune` of a table, folder or pattern, and gives each
/// identifier with its place to `admit`.
///
/// A postal code is believed before a commune. Identifiers are bytes as in [`crate::identifiers`]; nothing is kept, and
/// no error quotes one. Gives the number of rows.
///
/// # Errors
/// When a file cannot be read or lacks the columns, a row has no identifier, one with white space around it, or no
/// code that the places have, or a quote of a CSV is not closed on its line.
pub fn residences(
    path: &Path,
    tree: &PlaceTree,
    admit: &mut dyn FnMut(&[u8], PlaceId),
) -> Result<u64, TableError> {
    let communes: BTreeMap<&str, PlaceId> =
        tree.of_level(Level::Commune).map(|id| (tree.code(id), id)).collect();
    let mut rows = 0;
    for file in files_of(path, &TABLE_ENDINGS)? {
        let mut table = Table::open(&file, Layout::SUBSCRIBERS)?;
        let id = table.require_id(&"subscriber_id".into())?;
        let commune = table.find(&"commune".into())?;
        let code = match &commune {
            Some(_) => table.find(&"postal_code".into())?,
            None => Some(table.require(&"postal_code".into())?),
        };
        rows += table.each(|row| {
            let subscriber = row.id(&id)?;
            let place = match (row.text(code.as_ref())?, row.text(commune.as_ref())?, &code, &commune) {
                (Some(text), _, Some(code), _) => tree
                    .postal_code(text)
                    .ok_or_else(|| row.wrong(code, "a postal code that the places have"))?,
                (_, Some(text), _, Some(commune)) => {
                    *communes.get(text).ok_or_else(|| row.wrong(commune, "a commune that the places have"))?
                }
                (_, _, Some(field), _) | (_, _, None, Some(field)) => {
                    return Err(row.wrong(field, "the code of a postal code or commune"));
                }
                (_, _, None, None) => return Err(row.wrong(&id, "a place beside it")),
            };
            admit(subscriber, place);
            Ok(())
        })?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        places::tests::squares,
        table::tests::{folder, text_of},
    };

    fn read(csv: &str) -> Result<Vec<(String, String)>, String> {
        let tree = squares(&[("1000", [0.0, 0.0, 1.0, 1.0])]).tree;
        let folder = folder(&[("r.csv", csv.as_bytes())]);
        let mut found = Vec::new();
        let rows = residences(&folder.path().join("r.csv"), &tree, &mut |id, place| {
            found.push((String::from_utf8_lossy(id).into_owned(), tree.code(place).to_owned()));
        });
        assert!(rows.as_ref().map_or(true, |rows| *rows == found.len() as u64));
        rows.map(|_| found).map_err(|error| text_of(error, &folder))
    }

    #[test]
    fn a_postal_code_is_believed_before_a_commune() {
        let pair = |id: &str, code: &str| (id.to_owned(), code.to_owned());
        let csv = "subscriber_id,commune,postal_code\na,C,1000\nb,C,\nc,,1000\n";
        assert_eq!(read(csv), Ok(vec![pair("a", "1000"), pair("b", "C"), pair("c", "1000")]));
        assert_eq!(read("subscriber_id,commune\na,C\n"), Ok(vec![pair("a", "C")]));
        assert_eq!(read("postal_code,subscriber_id\n1000,a\n"), Ok(vec![pair("a", "1000")]));
    }

    #[test]
    fn bad_residences_are_told_without_identifiers() {
        let cases = [
            (
                "subscriber_id,postal_code\n206201,1000\n206202,9\n",
                "r.csv, row 2 (line 3), column `postal_code`: expected a postal code that the places have",
            ),
            (
                "subscriber_id,commune\n206201,206201\n",
                "r.csv, row 1 (line 2), column `commune`: expected a commune that the places have",
            ),
            (
                "subscriber_id,commune\n206201,\n",
                "r.csv, row 1 (line 2), column `commune`: expected the code of a postal code or commune",
            ),
            (
                "subscriber_id,postal_code\n,1000\n",
                "r.csv, row 1 (line 2), column `subscriber_id`: expected a subscriber identifier",
            ),
            (
                "subscriber_id,postal_code\n206201 ,1000\n",
                "r.csv, row 1 (line 2), column `subscriber_id`: expected an identifier without white space around it",
            ),
            (
                "subscriber_id,postal_code\n206201,\"1000\n206202,1000\n206203,\"1000\"\n",
                "r.csv, row 1 (line 2): a field holds a line end; expected every quote closed on its line",
            ),
            (
                "subscriber_id,postal_code,note\n206201,1000,x\n206202,1000,\"y",
                "r.csv, row 2 (line 3): a field holds a line end; expected every quote closed on its line",
            ),
            (
                "subscriber_id,home\n206201,1000\n",
                "r.csv: no column `postal_code`; found 2 columns; expected a header that names it",
            ),
        ];
        for (csv, text) in cases {
            assert_eq!(read(csv).expect_err("refused"), text);
        }
    }
}
