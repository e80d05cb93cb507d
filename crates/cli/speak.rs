//! The program's voice on standard output: results. What is said on standard error is in `log`.

use std::{
    io::{self, Write},
    path::Path,
};

use comfy_table::{CellAlignment, Table, presets};

use crate::failure::Failure;

/// Prints a result. A reader that went away is no failure.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a result as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Path::new("standard output"), error)
                .next_step("make room where it is written to; what the command made is in place"))
        }
        _ => Ok(()),
    }
}

/// A table whose columns but the first are numbers, ranged to the right.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A number with its thousands set apart.
pub(crate) fn thousands(n: impl Into<i128>) -> String {
    let digits = n.into().to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let head = digits.len() % 3;
    let groups = digits.as_bytes()[head..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let groups: Vec<_> = (head > 0).then(|| digits[..head].to_owned()).into_iter().chain(groups).collect();
    format!("{sign}{}", groups.join(","))
}

/// `part` of `whole` as a percentage.
#[expect(clippy::cast_precision_loss, reason = "a percentage with one decimal")]
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let said = [0, 12, 123, 1_234, 123_456, 1_234_567, -1_234].map(thousands);
        assert_eq!(said, ["0", "12", "123", "1,234", "123,456", "1,234,567", "-1,234"]);
        assert_eq!((percent(1, 3), percent(0, 0)), ("33.3 %".to_owned(), "-".to_owned()));
    }
}
