//! One workbook for a release: a sheet that explains, then a sheet for each report.

use std::path::Path;

use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format as CellFormat, Workbook as Book, Worksheet};
use throng_schema::{Column, LEVELS, Level, Parameters, ReleaseFile, Report, STATUSES, WARNINGS, columns};

use super::{
    FormatError, Further,
    cells::{Cell, Cells},
};

/// Its name in the release.
const WORKBOOK: &str = "throng.xlsx";

const READ_ME: &str = "Read me";

/// Rows of a sheet, that of the names of columns included; Excel has no more.
const SHEET_ROWS_MAX: usize = 1_048_576;

/// Which rows go first into a sheet that cannot hold all: totals, then the coarsest places.
const FIRST_COME: [&str; 6] = [
    "all",
    Level::Country.as_str(),
    Level::Region.as_str(),
    Level::Province.as_str(),
    Level::Commune.as_str(),
    Level::PostalCode.as_str(),
];

/// What the first sheet says of the release.
pub(crate) struct About<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) promised: &'a [&'a str],
    pub(crate) not_promised: &'a [&'a str],
    pub(crate) credits: &'a [&'a str],
}

/// A workbook that is being filled, report by report.
pub(crate) struct Workbook {
    book: Book,
    reports: Vec<Sheet>,
    styles: Styles,
    rows_max: usize,
}

struct Styles {
    bold: CellFormat,
    time: CellFormat,
    wrapped: CellFormat,
}

/// What a sheet turned out to hold.
struct Sheet {
    report: Report,
    rows: usize,
    /// Why it does not hold all; empty if it does.
    cut: String,
}

impl Workbook {
    /// An empty one. Rows wait in unnamed files in the folder `scratch` until it is finished.
    pub(crate) fn new(scratch: &Path) -> Result<Self, FormatError> {
        let mut book = Book::new();
        book.set_tempdir(scratch)?;
        // The same release gives the same bytes: no moment of writing. Files in a ZIP begin with this day too.
        book.set_properties(
            &DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(1980, 1, 1)?),
        );
        book.add_worksheet().set_name(READ_ME)?;
        let styles = Styles {
            bold: CellFormat::new().set_bold(),
            time: CellFormat::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            wrapped: CellFormat::new().set_text_wrap(),
        };
        Ok(Self { book, reports: Vec::new(), styles, rows_max: SHEET_ROWS_MAX })
    }

    /// Adds the sheet of a report, with the rows of all its parts in order.
    ///
    /// `parts` is called twice: where there are more rows than a sheet has, they are counted by level first.
    pub(crate) fn sheet<I>(&mut self, report: Report, parts: impl Fn() -> I) -> Result<(), FormatError>
    where
        I: Iterator<Item = Result<RecordBatch, FormatError>>,
    {
        let room = self.rows_max - 1;
        let keep = Keep::new(parts(), room)?;
        let sheet = self.book.add_worksheet_with_low_memory()?;
        sheet.set_name(report.as_str())?;
        let mut filled = 0;
        for batch in parts() {
            let batch = keep.of(&batch?, room - filled)?;
            if filled == 0 {
                head(sheet, &batch.schema(), &self.styles)?;
            }
            fill(sheet, filled + 1, &batch, &self.styles)?;
            filled += batch.num_rows();
        }
        self.reports.push(Sheet { report, rows: filled, cut: keep.said() });
        Ok(())
    }

    /// The whole workbook.
    pub(crate) fn finish(mut self, about: &About<'_>) -> Result<Further, FormatError> {
        let sheet = self.book.worksheet_from_index(0)?;
        read_me(sheet, about, &self.reports, &self.styles)?;
        let rows = self.reports.iter().map(|sheet| sheet.rows as u64).sum();
        Ok(Further { path: WORKBOOK.to_owned(), bytes: self.book.save_to_buffer()?, rows })
    }
}

/// Which rows of a report its sheet holds.
enum Keep {
    All,
    /// Those of these levels, for there are so many.
    Levels(Vec<&'static str>, usize),
    /// As many as fit, for there are so many and they have no levels.
    First(usize),
}

impl Keep {
    fn new(
        parts: impl Iterator<Item = Result<RecordBatch, FormatError>>,
        room: usize,
    ) -> Result<Self, FormatError> {
        let (mut all, mut by_level, mut levelled) = (0, [0; FIRST_COME.len()], true);
        for batch in parts {
            let batch = batch?;
            all += batch.num_rows();
            match levels(&batch) {
                Some(levels) => {
                    for (count, first) in by_level.iter_mut().zip(FIRST_COME) {
                        *count += levels.iter().flatten().filter(|level| *level == first).count();
                    }
                }
                None => levelled = false,
            }
        }
        if all <= room {
            return Ok(Self::All);
        }
        if !levelled {
            return Ok(Self::First(all));
        }
        let mut left = room;
        let fits = by_level.iter().zip(FIRST_COME).map_while(|(count, level)| {
            left = left.checked_sub(*count)?;
            Some((*count, level))
        });
        Ok(Self::Levels(fits.filter(|(count, _)| *count > 0).map(|(_, level)| level).collect(), all))
    }

    fn of(&self, batch: &RecordBatch, room: usize) -> Result<RecordBatch, FormatError> {
        match (self, levels(batch)) {
            (Self::Levels(kept, _), Some(levels)) => {
                let keep: BooleanArray =
                    levels.iter().map(|level| level.map(|level| kept.contains(&level))).collect();
                Ok(filter_record_batch(batch, &keep)?)
            }
            _ => Ok(batch.slice(0, batch.num_rows().min(room))),
        }
    }

    fn said(&self) -> String {
        let why =
            |all: &usize| format!("the report has {all} rows and a sheet of Excel at most {SHEET_ROWS_MAX}");
        match self {
            Self::All => String::new(),
            Self::Levels(kept, all) => format!(
                "This sheet is NOT the whole report: {}, so it holds only the levels {}. The rest is in {}.",
                why(all),
                if kept.is_empty() { "that fit, which is none".to_owned() } else { kept.join(", ") },
                "the Parquet files"
            ),
            Self::First(all) => format!(
                "This sheet is NOT the whole report: {}, so it holds only the first of them. The rest is in the \
                 Parquet files.",
                why(all)
            ),
        }
    }
}

fn levels(batch: &RecordBatch) -> Option<&arrow::array::StringArray> {
    batch.column_by_name("level")?.as_string_opt::<i32>()
}

/// The names of the columns, which stay in sight.
fn head(sheet: &mut Worksheet, schema: &SchemaRef, styles: &Styles) -> Result<(), FormatError> {
    sheet.set_freeze_panes(1, 0)?;
    for (field, column) in schema.fields().iter().zip(0_u16..) {
        sheet.set_column_width(column, 20)?;
        sheet.write_string_with_format(0, column, field.name(), &styles.bold)?;
    }
    Ok(())
}

/// Writes the rows of a batch from row `from` on. Text is written as text, whatever it begins with: never a formula.
fn fill(sheet: &mut Worksheet, from: usize, batch: &RecordBatch, styles: &Styles) -> Result<(), FormatError> {
    let columns = Cells::of(batch)?;
    for (row, at) in (0..batch.num_rows()).zip(u32::try_from(from).unwrap_or(u32::MAX)..) {
        for (cells, column) in columns.iter().zip(0_u16..) {
            match cells.cell(row)? {
                Cell::Null => continue,
                Cell::Text(text) => sheet.write_string(at, column, text)?,
                #[expect(clippy::cast_precision_loss, reason = "people are under 2^53")]
                Cell::Whole(number) => sheet.write_number(at, column, number as f64)?,
                Cell::Number(number) => sheet.write_number(at, column, number)?,
                Cell::Truth(truth) => sheet.write_boolean(at, column, truth)?,
                Cell::Time(moment) => {
                    sheet.write_number_with_format(at, column, moment.spreadsheet_days(), &styles.time)?
                }
            };
        }
    }
    Ok(())
}

/// The first sheet, written from the top down.
struct Page<'a> {
    sheet: &'a mut Worksheet,
    styles: &'a Styles,
    row: u32,
}

impl Page<'_> {
    fn heading(&mut self, text: &str) -> Result<(), FormatError> {
        self.row += 1;
        self.sheet.write_string_with_format(self.row, 0, text, &self.styles.bold)?;
        self.row += 1;
        Ok(())
    }

    fn line(&mut self, cells: [&str; 4]) -> Result<(), FormatError> {
        for (text, column) in cells.iter().zip(0_u16..).filter(|(text, _)| !text.is_empty()) {
            self.sheet.write_string_with_format(self.row, column, *text, &self.styles.wrapped)?;
        }
        self.row += 1;
        Ok(())
    }
}

fn read_me(
    sheet: &mut Worksheet,
    about: &About<'_>,
    reports: &[Sheet],
    styles: &Styles,
) -> Result<(), FormatError> {
    for (width, column) in [24.0, 24.0, 80.0, 80.0].into_iter().zip(0_u16..) {
        sheet.set_column_width(column, width)?;
    }
    sheet.write_string_with_format(0, 0, "How many people were where and when, by Throng", &styles.bold)?;
    let mut page = Page { sheet, styles, row: 1 };
    let Parameters { from, to, timezone, k, expansion_factor, expansion_version, .. } = about.parameters;
    let table = || format!("table {}", expansion_version.as_deref().unwrap_or_default());
    let expansion = expansion_factor.map_or_else(table, |factor| factor.to_string());
    page.line(["days", "", &format!("from {from} to {to}"), &format!("du {from} au {to}")])?;
    page.line([
        "clock",
        timezone,
        "Times are shown as the local clock shows them. In the night in which clocks go back an hour occurs twice; rows \
         stand in the order of time.",
        "Les heures sont celles de l'horloge locale. La nuit du passage à l'heure d'hiver, une heure revient deux fois ; \
         les lignes suivent l'ordre du temps.",
    ])?;
    page.line([
        "k",
        &k.to_string(),
        "the smallest group of devices that may stand behind a number",
        "le plus petit groupe d'appareils qui peut se trouver derrière un nombre",
    ])?;
    page.line([
        "expansion factor",
        &expansion,
        "people for each device",
        "personnes par appareil (facteur de redressement)",
    ])?;
    page.heading("What not to do / Ce qu'il ne faut pas faire")?;
    for said in WARNINGS {
        page.line(["", "", said.en, said.fr])?;
    }
    for (title, texts) in
        [("Promised", about.promised), ("Not promised", about.not_promised), ("Credits", about.credits)]
    {
        page.heading(title)?;
        for text in texts {
            page.line(["", "", text, ""])?;
        }
    }
    for (title, values) in [("Column status", &STATUSES[..]), ("Column level", &LEVELS[..])] {
        page.heading(title)?;
        for value in values {
            page.line(["", value.word, value.meaning.en, value.meaning.fr])?;
        }
    }
    for Sheet { report, rows, cut } in reports {
        page.heading(&format!("Sheet {}: {rows} rows", report.as_str()))?;
        if !cut.is_empty() {
            page.line(["", "", cut, ""])?;
        }
        let file = ReleaseFile::Report(*report);
        page.line(["", "", file.meaning().en, file.meaning().fr])?;
        for column in columns(file) {
            of_column(&mut page, &column)?;
        }
    }
    Ok(())
}

fn of_column(page: &mut Page<'_>, column: &Column) -> Result<(), FormatError> {
    let unit = |text: &str, unit: &str| {
        if unit.is_empty() { text.to_owned() } else { format!("{text} ({unit})") }
    };
    let Column { name, meaning, unit: counted, values, .. } = column;
    page.line([name, "", &unit(meaning.en, counted.en), &unit(meaning.fr, counted.fr)])?;
    if *values != STATUSES && *values != LEVELS {
        for value in *values {
            page.line(["", value.word, value.meaning.en, value.meaning.fr])?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use calamine::{Data, DataType, Range, Reader, Xlsx};

    use super::*;
    use crate::formats::tests::{FIRST_0245, presence};

    pub(crate) fn parameters() -> Parameters {
        Parameters {
            from: "2026-10-25".to_owned(),
            to: "2026-10-25".to_owned(),
            timezone: "Europe/Brussels".to_owned(),
            k: 30,
            small_k_accepted: false,
            expansion_factor: Some(2.5),
            expansion_version: None,
            min_stay_s: 900,
            cleaning: throng_schema::Cleaning::default(),
            machine_rule: false,
            machine_prefixes: 0,
            census_columns: Vec::new(),
            formats: Vec::new(),
            step_s: 900,
            hold_s: 1_800,
            expired_before: None,
            keep_types: Vec::new(),
            drop_types: Vec::new(),
            reports: vec!["presence".to_owned()],
        }
    }

    fn workbook(batches: &[RecordBatch], rows_max: usize) -> Further {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut book = Workbook::new(scratch.path()).expect("workbook");
        book.rows_max = rows_max;
        book.sheet(Report::Presence, || batches.iter().cloned().map(Ok)).expect("sheet");
        let about = About {
            parameters: &parameters(),
            promised: &["=1+1 is never a formula"],
            not_promised: &["much"],
            credits: &[],
        };
        book.finish(&about).expect("bytes")
    }

    fn sheet(book: &Further, name: &str) -> Range<Data> {
        let mut book = Xlsx::new(Cursor::new(book.bytes.clone())).expect("a workbook");
        assert_eq!(book.sheet_names(), [READ_ME, "presence"]);
        assert!(book.worksheet_formula(name).expect("formulas").is_empty(), "no formula anywhere");
        book.worksheet_range(name).expect("sheet")
    }

    fn texts(range: &Range<Data>) -> Vec<String> {
        range.used_cells().filter_map(|(_, _, cell)| cell.as_string()).collect()
    }

    #[test]
    fn rows_come_back_and_text_is_text() {
        let batches =
            [presence(FIRST_0245, &[("country", "BE", Some(8438)), ("commune", "=cmd|'/C calc'!A0", None)])];
        let book = workbook(&batches, SHEET_ROWS_MAX);
        let range = sheet(&book, "presence");
        let row = |i: usize| range.rows().nth(i).expect("row").to_vec();
        let text = |text: &str| Data::String(text.to_owned());
        assert_eq!(row(0), ["instant", "level", "place", "people", "status"].map(text));
        let Data::DateTime(at) = &row(1)[0] else { panic!("no time") };
        assert_eq!(at.to_ymd_hms_milli(), (2026, 10, 25, 2, 45, 0, 0), "the local clock");
        assert_eq!(row(1)[1..], [text("country"), text("BE"), Data::Float(8438.0), text("published")]);
        assert_eq!(row(2)[2..], [text("=cmd|'/C calc'!A0"), Data::Empty, text("withheld")]);
        assert_eq!((range.height(), book.rows), (3, 2));
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        let batches = [presence(FIRST_0245, &[("country", "BE", Some(8438)), ("region", "R", None)])];
        assert_eq!(workbook(&batches, SHEET_ROWS_MAX), workbook(&batches, SHEET_ROWS_MAX));
    }

    #[test]
    fn the_first_sheet_explains_every_column_and_status() {
        let book = workbook(&[presence(0, &[("country", "BE", Some(50))])], SHEET_ROWS_MAX);
        let found = texts(&sheet(&book, READ_ME));
        for wanted in
            ["instant", "withheld", "30", "2.5", "=1+1 is never a formula", "Sheet presence: 1 rows"]
        {
            assert!(found.iter().any(|text| text == wanted), "{wanted}");
        }
        assert!(!found.iter().any(|text| text.contains("NOT the whole report")));
    }

    #[test]
    fn a_sheet_that_cannot_hold_all_holds_whole_levels_and_says_so() {
        let day = || {
            presence(
                0,
                &[
                    ("country", "BE", Some(50)),
                    ("region", "R", Some(50)),
                    ("postal_code", "4000", Some(50)),
                    ("postal_code", "4020", None),
                ],
            )
        };
        let book = workbook(&[day(), day()], 8);
        let range = sheet(&book, "presence");
        let levels: Vec<_> = range.rows().skip(1).map(|row| row[1].to_string()).collect();
        assert_eq!(levels, ["country", "region", "country", "region"]);
        let found = texts(&sheet(&book, READ_ME));
        assert!(
            found
                .iter()
                .any(|text| text.contains("the report has 8 rows") && text.contains("country, region."))
        );
        assert_eq!(sheet(&workbook(&[day(), day()], 9), "presence").height(), 9, "eight rows fit in nine");
        assert_eq!(sheet(&workbook(&[day(), day()], 2), "presence").height(), 1, "not even the country");
    }
}
