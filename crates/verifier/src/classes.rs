//! A report that splits the visitors of every place into the same few classes, at one time a file.

use throng_schema::{Report, arrow_schema};

use crate::{
    columns::{Numbers, Periods, row_said, text},
    fault::Faults,
    part::{Cell, Time, read},
    release::Release,
};

/// The time spent in a place on a day, from the shortest up.
pub(crate) const DWELL: [&str; 7] = ["0-15min", "15-30min", "30-60min", "1-2h", "2-4h", "4-8h", "8h+"];

/// All visitors of the window; then the days on which each came, from the fewest up.
pub(crate) const DAYS: [&str; 6] = ["all", "1", "2-3", "4-7", "8-14", "15+"];

/// A file of such a report.
pub(crate) struct Classes {
    pub(crate) name: String,
    pub(crate) time: Time,
    pub(crate) words: &'static [&'static str],
    /// By place, then by class.
    pub(crate) cells: Vec<Vec<Cell>>,
    pub(crate) read: u64,
}

impl Classes {
    /// Reads a file of dwell or frequency; none where it cannot be read, which is a fault already.
    pub(crate) fn read(
        release: &Release,
        name: String,
        report: Report,
        time: Time,
        faults: &mut Faults,
    ) -> Option<Self> {
        let (column, words): (_, &'static [_]) =
            if report == Report::Dwell { ("dwell", &DWELL) } else { ("days", &DAYS) };
        let batches = read(&release.dir, &name, &arrow_schema(report, &release.zone_name), faults)?;
        let cells = vec![vec![Cell::Missing; words.len()]; release.places.len()];
        let mut part = Self { name, time, words, cells, read: 0 };
        for batch in &batches {
            let (periods, numbers, classes) = (Periods::of(batch), Numbers::of(batch), text(batch, column));
            for row in 0..batch.num_rows() {
                let (level, place) = periods.place(row);
                let place = release.places.find(level, place).filter(|_| periods.time(row) == time);
                if let Err(check) = part.take(place, classes.value(row), numbers.cell(row)) {
                    faults.add(&part.name, check, || row_said(part.read, row));
                }
            }
            part.read += batch.num_rows() as u64;
        }
        Some(part)
    }

    fn take(
        &mut self,
        place: Option<usize>,
        class: &str,
        cell: Result<Cell, &'static str>,
    ) -> Result<(), &'static str> {
        let cell = cell?;
        let place = place.ok_or("every row's time and place are the release's")?;
        let class = self.words.iter().position(|word| *word == class).ok_or("every class is known")?;
        let there = &mut self.cells[place][class];
        if *there != Cell::Missing {
            return Err("no row stands twice");
        }
        *there = cell;
        Ok(())
    }

    /// A cell as faults name it.
    pub(crate) fn said(&self, place: usize, class: usize, release: &Release) -> String {
        format!("{}, class {}", release.cell_said(place, self.time), self.words[class])
    }
}
