//! Streams the identifiers of listed subscribers, who opted out or are machines, to whoever forgets them at once.

use std::path::Path;

use throng_anonymiser::Algorithm;

use crate::table::{Field, Layout, Row, TABLE_ENDINGS, Table, TableError, files_of};

/// Reads the column `subscriber_id` of a table, folder or pattern, and gives each identifier to `register`.
///
/// Text and binary stay as they are, an integer becomes its decimal digits: the same bytes as the readers of events
/// give. Text with white space around it is refused, for it would be nobody's identifier. Nothing is kept, and no
/// error quotes an identifier or the name of a column found. Gives the number of rows.
///
/// # Errors
/// When a file cannot be read, has no such column, a row has no identifier or one with white space around it, or a
/// quote of a CSV is not closed on its line.
pub fn identifiers(path: &Path, register: &mut dyn FnMut(&[u8])) -> Result<u64, TableError> {
    each(path, &mut |row, id| {
        register(row.id(id)?);
        Ok(())
    })
}

/// Reads a list of opt-outs whose column `subscriber_id` holds digests, in hexadecimal digits of either case, and
/// gives each digest to `register`.
///
/// Nothing is kept, and no error quotes a digest. Gives the number of rows.
///
/// # Errors
/// As [`identifiers`], and when a row holds anything but as many hexadecimal digits as the algorithm gives.
pub fn digests(
    path: &Path,
    algorithm: Algorithm,
    register: &mut dyn FnMut(&[u8]),
) -> Result<u64, TableError> {
    let expected = match algorithm {
        Algorithm::Sha256 | Algorithm::Blake3 => "64 hexadecimal digits",
        Algorithm::Sha1 => "40 hexadecimal digits",
        Algorithm::Md5 => "32 hexadecimal digits",
    };
    let mut digest = Vec::with_capacity(algorithm.digest_bytes());
    each(path, &mut |row, id| {
        let digits = row.id(id)?;
        let whole = digits.len() == 2 * algorithm.digest_bytes() && from_hex(digits, &mut digest).is_some();
        if !whole {
            return Err(row.wrong(id, expected));
        }
        register(&digest);
        Ok(())
    })
}

fn each(
    path: &Path,
    visit: &mut dyn FnMut(&Row<'_>, &Field) -> Result<(), TableError>,
) -> Result<u64, TableError> {
    let mut rows = 0;
    for file in files_of(path, &TABLE_ENDINGS)? {
        let mut table = Table::open(&file, Layout::SUBSCRIBERS)?;
        let id = table.require_id(&"subscriber_id".into())?;
        rows += table.each(|row| visit(row, &id))?;
    }
    Ok(rows)
}

/// The bytes that pairs of hexadecimal digits stand for; none where there is another digit.
fn from_hex(digits: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    bytes.clear();
    for pair in digits.chunks_exact(2) {
        bytes.push(value(pair[0])? << 4 | value(pair[1])?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{folder, parquet_of, text_of};
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, BinaryArray, DictionaryArray, Float64Array, Int64Array, StringArray},
        datatypes::Int8Type,
    };

    const IMSI: &str = "206201234567890";

    fn read(name: &str, bytes: &[u8]) -> Result<(u64, Vec<Vec<u8>>), String> {
        let folder = folder(&[(name, bytes)]);
        let mut ids = Vec::new();
        let rows = identifiers(&folder.path().join(name), &mut |id| ids.push(id.to_vec()));
        rows.map(|rows| (rows, ids)).map_err(|error| text_of(error, &folder))
    }

    #[test]
    fn an_unclosed_quote_makes_no_row_of_many() {
        for list in [
            format!("subscriber_id\n1\n\"{IMSI}\n2\n3\n"),
            format!("subscriber_id,reason\n1,\"moved\n{IMSI},letter\n2,\"web\"\n3,x\n"),
            format!("subscriber_id\n1\n\"{IMSI}"),
            format!("subscriber_id,reason\n{IMSI},\"moved"),
        ] {
            let error = read("list.csv", list.as_bytes()).expect_err("refused");
            assert!(
                error.contains("expected every quote closed on its line") && !error.contains(IMSI),
                "{error}"
            );
        }
    }

    #[test]
    fn white_space_around_an_identifier_is_refused() {
        let at = "column `subscriber_id`: expected an identifier without white space around it";
        for id in [" a", "a ", "\ta", "a\t", "\" a\"", " "] {
            let error =
                read("o.csv", format!("since,subscriber_id\nx,1\nx,{id}\n").as_bytes()).expect_err(id);
            assert_eq!(error, format!("o.csv, row 2 (line 3), {at}"));
        }
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a b", "b\n"]));
        let coded: DictionaryArray<Int8Type> = ["a b", " b"].into_iter().collect();
        for column in [text, Arc::new(coded)] {
            let error = read("o.parquet", &parquet_of(vec![("subscriber_id", column)])).expect_err("refused");
            assert_eq!(error, format!("o.parquet, row 2, {at}"));
        }
    }

    #[test]
    fn text_and_integers_are_the_same_bytes_and_binary_is_raw() {
        let csv = format!("since,subscriber_id\n2026-01-01,{IMSI}\n2026-01-02,a b\n");
        let expected = vec![IMSI.as_bytes().to_vec(), b"a b".to_vec()];
        assert_eq!(read("o.csv", csv.as_bytes()), Ok((2, expected)));
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![206_201_234_567_890, -1]));
        let expected = vec![IMSI.as_bytes().to_vec(), b"-1".to_vec()];
        assert_eq!(read("o.parquet", &parquet_of(vec![("subscriber_id", integers)])), Ok((2, expected)));
        let raw = vec![0xff, 0x00, b' '];
        let binary: ArrayRef = Arc::new(BinaryArray::from(vec![raw.as_slice()]));
        assert_eq!(read("o.parquet", &parquet_of(vec![("subscriber_id", binary)])), Ok((1, vec![raw])));
    }

    #[test]
    fn digests_are_read_in_either_case_and_refused_without_content() {
        let read = |csv: &str, algorithm| {
            let folder = folder(&[("o.csv", csv.as_bytes())]);
            let mut found = Vec::new();
            let rows =
                digests(&folder.path().join("o.csv"), algorithm, &mut |digest| found.push(digest.to_vec()));
            rows.map(|rows| (rows, found)).map_err(|error| text_of(error, &folder))
        };
        let digits = "0123456789abcdefABCDEF0123456789";
        let bytes =
            [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89];
        let list = format!("subscriber_id,since\n{digits},x\n{},y\n", "f".repeat(32));
        assert_eq!(read(&list, Algorithm::Md5), Ok((2, vec![bytes.to_vec(), vec![0xff; 16]])));
        for (algorithm, length) in
            [(Algorithm::Md5, 32), (Algorithm::Sha1, 40), (Algorithm::Sha256, 64), (Algorithm::Blake3, 64)]
        {
            let good = "a".repeat(length);
            let bad = [
                &good[1..],
                &format!("{good}a"),
                &format!("{}g", &good[1..]),
                &format!("{}\u{e9}", &good[2..]),
            ];
            for bad in bad {
                let error = read(&format!("subscriber_id\n{good}\n{bad}\n"), algorithm).expect_err("refused");
                let expected = format!("expected {length} hexadecimal digits");
                assert_eq!(error, format!("o.csv, row 2 (line 3), column `subscriber_id`: {expected}"));
            }
        }
    }

    #[test]
    fn no_error_quotes_an_identifier() {
        let reals: ArrayRef = Arc::new(Float64Array::from(vec![206_201_234_567_890.0]));
        let cases = [
            // A list without a header: its first line would be the column's name.
            (
                "o.csv",
                format!("{IMSI}\n{IMSI}\n").into_bytes(),
                "o.csv: no column `subscriber_id`; found 1 column; expected a header that names it",
            ),
            (
                "o.csv",
                b"abcdef\nghijkl\n".to_vec(),
                "o.csv: no column `subscriber_id`; found 1 column; expected a header that names it",
            ),
            (
                "o.csv",
                format!("subscriber_id\n{IMSI},{IMSI}\n").into_bytes(),
                "o.csv, row 1 (line 2): 2 fields; expected 1",
            ),
            (
                "o.csv",
                format!("subscriber_id,since\n{IMSI},x\n,{IMSI}\n").into_bytes(),
                "o.csv, row 2 (line 3), column `subscriber_id`: expected a subscriber identifier",
            ),
            (
                "o.parquet",
                parquet_of(vec![("subscriber_id", reals)]),
                "o.parquet, column `subscriber_id`: a column of this type cannot be used; expected text, binary or integer",
            ),
        ];
        for (name, bytes, text) in cases {
            let error = read(name, &bytes).expect_err("refused");
            assert_eq!(error, text);
            assert!(!error.contains(IMSI) && !error.contains("abcdef"));
        }
    }
}
