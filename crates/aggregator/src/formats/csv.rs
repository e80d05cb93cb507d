//! A part of a report as CSV: RFC 4180 with LF, in UTF-8, times in ISO 8601, and nothing that a spreadsheet executes.

use std::fmt::Write;

use arrow::array::RecordBatch;

use super::{
    FormatError,
    cells::{Cell, Cells},
};

/// A text that begins with one of these, a spreadsheet may take for a formula (OWASP, CSV Injection).
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// The bytes of a part: a header, then a line for each row. Null is empty, and a text of no characters `""`.
pub(crate) fn csv_bytes(batch: &RecordBatch) -> Result<Vec<u8>, FormatError> {
    let columns = Cells::of(batch)?;
    let mut csv = String::new();
    for (i, field) in batch.schema_ref().fields().iter().enumerate() {
        separate(&mut csv, i);
        push_text(&mut csv, field.name());
    }
    csv.push('\n');
    for row in 0..batch.num_rows() {
        for (i, column) in columns.iter().enumerate() {
            separate(&mut csv, i);
            push_cell(&mut csv, &column.cell(row)?);
        }
        csv.push('\n');
    }
    Ok(csv.into_bytes())
}

fn separate(csv: &mut String, column: usize) {
    if column > 0 {
        csv.push(',');
    }
}

fn push_cell(csv: &mut String, cell: &Cell<'_>) {
    // Writing to a string cannot fail.
    let _ = match cell {
        Cell::Null => Ok(()),
        Cell::Text(text) => {
            push_text(csv, text);
            Ok(())
        }
        Cell::Whole(number) => write!(csv, "{number}"),
        Cell::Number(number) => write!(csv, "{number}"),
        Cell::Truth(truth) => write!(csv, "{truth}"),
        Cell::Time(moment) => write!(csv, "{}", moment.iso()),
    };
}

/// Numbers never come here, so a minus before one stays what it is.
fn push_text(csv: &mut String, text: &str) {
    let apostrophe = if text.starts_with(FORMULA) { "'" } else { "" };
    if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        csv.push('"');
        csv.push_str(apostrophe);
        csv.push_str(&text.replace('"', "\"\""));
        csv.push('"');
    } else {
        csv.push_str(apostrophe);
        csv.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray},
        datatypes::{Field, Schema},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::formats::tests::{FIRST_0245, presence};

    fn text_of(batch: &RecordBatch) -> String {
        String::from_utf8(csv_bytes(batch).expect("csv")).expect("UTF-8")
    }

    fn texts(values: &[&str]) -> RecordBatch {
        let array: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        RecordBatch::try_from_iter([("name", array)]).expect("batch")
    }

    /// What a reader of RFC 4180 makes of one column.
    fn read(csv: &str) -> Vec<String> {
        let (mut fields, mut quoted, mut field) = (Vec::new(), false, String::new());
        let mut chars = csv.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
                '"' => quoted = !quoted,
                '\n' if !quoted => fields.push(std::mem::take(&mut field)),
                other => field.push(other),
            }
        }
        assert!(!quoted && field.is_empty(), "every line ends");
        fields
    }

    #[test]
    fn a_moment_keeps_its_offset_and_null_is_empty() {
        let batch =
            presence(FIRST_0245, &[("postal_code", "4000", Some(-31)), ("postal_code", "4020", None)]);
        assert_eq!(
            text_of(&batch),
            "instant,level,place,people,status\n\
             2026-10-25T02:45:00+02:00,postal_code,4000,-31,published\n\
             2026-10-25T02:45:00+02:00,postal_code,4020,,withheld\n"
        );
        let hour_later = presence(FIRST_0245 + 3_600_000, &[("postal_code", "4000", Some(31))]);
        assert!(
            text_of(&hour_later).contains("\n2026-10-25T02:45:00+01:00,"),
            "the same clock, an hour later"
        );
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        let columns: [(&str, ArrayRef); 4] = [
            ("whole", Arc::new(Int64Array::from(vec![i64::MIN]))),
            ("small", Arc::new(Int32Array::from(vec![-7]))),
            ("number", Arc::new(Float64Array::from(vec![-0.1]))),
            ("truth", Arc::new(BooleanArray::from(vec![true]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("batch");
        assert_eq!(text_of(&batch), "whole,small,number,truth\n-9223372036854775808,-7,-0.1,true\n");
    }

    #[test]
    fn no_text_begins_as_a_formula_does() {
        let evil = [
            "=HYPERLINK(\"http://x\",\"y\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "8h+",
            "a,\"b\"",
            "",
        ];
        let batch = texts(&evil);
        let csv = text_of(&batch);
        assert!(csv.contains("\n\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\n'+1\n'-1\n'@SUM(A1)\n"));
        let found = read(&csv);
        assert_eq!(found[1..8].iter().filter(|text| text.starts_with('\'')).count(), 7);
        assert_eq!(found[8..], ["8h+", "a,\"b\"", ""]);
        let schema = Schema::new(vec![Field::new("=jobs", arrow::datatypes::DataType::Int64, true)]);
        let batch = RecordBatch::new_empty(Arc::new(schema));
        assert_eq!(text_of(&batch), "'=jobs\n", "a header is text too");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(values in prop::collection::vec("[=+\\-@\t\r\n,\"'a ]{0,6}", 1..8)) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let csv = text_of(&texts(&values));
            let found = read(&csv);
            for (found, value) in found[1..].iter().zip(&values) {
                prop_assert!(!found.starts_with(FORMULA));
                let bare = if value.starts_with(FORMULA) { &found[1..] } else { found.as_str() };
                prop_assert_eq!(&bare, value);
            }
            prop_assert_eq!(found.len(), values.len() + 1);
        }
    }
}
