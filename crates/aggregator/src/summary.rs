//! What a person reads at a glance when a run is done: how much is published, and which places are busiest.

use polars::prelude::*;
use serde::Serialize;
use throng_anonymiser::{Account, Protected, ProtectedPairs, ProtectedTable};
use throng_schema::{Level, PlaceTree, Status};

use crate::{
    expansion::Expansion,
    ledger::{TableCells, WithheldCells},
    reports::{Place, Report, Reports, Today},
    shape::{ShapeError, is_published, places_frame, rows},
};

/// Cells of one level of one table, by status.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct LevelCount {
    /// The report, and its period where it has several.
    pub table: &'static str,
    /// The level; `pairs` for numbers that have a place or class on either side.
    pub level: &'static str,
    /// Cells with a number.
    pub published: u64,
    /// Cells without.
    pub withheld: u64,
    /// Cells of places that no cell of the plan serves.
    pub no_coverage: u64,
    /// Devices in all cells, added up over times.
    pub devices: u64,
    /// Devices in the cells without a number.
    pub withheld_devices: u64,
}

/// A place at its busiest instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busiest {
    /// Its code.
    pub place: String,
    /// Its name.
    pub name: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// How many people were there.
    pub people: i64,
}

/// The glance at a run, which grows day by day.
#[derive(Default)]
pub struct Summary {
    /// Cells by table and level.
    pub cells: Vec<LevelCount>,
    /// How much was withheld, and why, by table.
    pub withheld: Vec<WithheldCells>,
    /// Each day's most people of each commune, and when.
    peaks: Vec<LazyFrame>,
}

/// How many places the summary names.
const BUSIEST: u32 = 5;

/// The level of a count of pairs, which have one on either side.
const PAIRS: &str = "pairs";

impl Summary {
    /// Reads the protected tables of a day as a person would; gives the cells of that day.
    ///
    /// # Errors
    /// When Polars cannot shape them, which would be a bug.
    pub fn add(
        &mut self,
        today: &Today<'_>,
        protected: &Protected,
        expansion: &Expansion,
    ) -> Result<Vec<TableCells>, ShapeError> {
        let tree = today.reports.tree();
        let mut cells = Vec::new();
        for (name, place) in today.named() {
            cells.push(match place {
                Place::Dense(table) => self.add_table(name, &protected.tables[table], tree),
                Place::Pairs(table) => self.add_pairs(name, &protected.pairs[table]),
            });
        }
        if let Some(presence) = today.presence().filter(|_| today.reports.makes(Report::Presence)) {
            let places = places_frame(tree)?;
            let instants = today.calendar.instants_of(today.day());
            let is_commune = col("level").eq(lit(Level::Commune.as_str()));
            let shown = rows(&protected.tables[presence], &instants, None, &places, expansion)?;
            self.peaks.push(peak(shown.filter(is_published().and(is_commune))).collect()?.lazy());
        }
        Ok(cells)
    }

    /// Reads the protected tables of the window's visitors; gives their cells.
    pub fn add_window(&mut self, [all, classes]: &[ProtectedTable; 2], reports: &Reports) -> Vec<TableCells> {
        let all = self.add_table("visitors by window", all, reports.tree());
        vec![all, self.add_table(Report::Frequency.as_str(), classes, reports.tree())]
    }

    /// Cells by table, of all days and levels together.
    #[must_use]
    pub fn by_table(&self) -> Vec<TableCells> {
        let mut tables: Vec<TableCells> = Vec::new();
        for LevelCount { table, published, withheld, no_coverage, .. } in &self.cells {
            match tables.iter_mut().find(|known| known.table == *table) {
                None => tables.push(TableCells {
                    table,
                    published: *published,
                    withheld: *withheld,
                    no_coverage: *no_coverage,
                }),
                Some(known) => {
                    known.published += published;
                    known.withheld += withheld;
                    known.no_coverage += no_coverage;
                }
            }
        }
        tables
    }

    fn add_table(&mut self, name: &'static str, table: &ProtectedTable, tree: &PlaceTree) -> TableCells {
        let mut cells = TableCells { table: name, ..TableCells::default() };
        for level in Level::ALL {
            let count = level_count(name, table, tree, level);
            cells.published += count.published;
            cells.withheld += count.withheld;
            cells.no_coverage += count.no_coverage;
            self.add_count(count);
        }
        let Account { too_few, protective, .. } = table.account();
        self.add_withheld(name, cells.published + cells.withheld, *too_few, *protective);
        cells
    }

    /// Of pairs, only those are counted in which there is somebody.
    fn add_pairs(&mut self, name: &'static str, pairs: &ProtectedPairs) -> TableCells {
        let Account { too_few, protective, .. } = pairs.account();
        let (published, withheld) = (pairs.pairs().len() as u64, too_few + protective);
        let none = LevelCount { table: name, level: PAIRS, ..LevelCount::default() };
        self.add_count(LevelCount { published, withheld, ..none });
        self.add_withheld(name, published + withheld, *too_few, *protective);
        TableCells { table: name, published, withheld, no_coverage: 0 }
    }

    fn add_count(&mut self, count: LevelCount) {
        let same = |known: &&mut LevelCount| (known.table, known.level) == (count.table, count.level);
        match self.cells.iter_mut().find(same) {
            None => self.cells.push(count),
            Some(known) => {
                known.published += count.published;
                known.withheld += count.withheld;
                known.no_coverage += count.no_coverage;
                known.devices += count.devices;
                known.withheld_devices += count.withheld_devices;
            }
        }
    }

    fn add_withheld(&mut self, table: &'static str, covered: u64, too_few: u64, protective: u64) {
        match self.withheld.iter_mut().find(|known| known.table == table) {
            None => self.withheld.push(WithheldCells { table, covered, too_few, protective }),
            Some(known) => {
                known.covered += covered;
                known.too_few += too_few;
                known.protective += protective;
            }
        }
    }

    /// The communes with the most people present at one instant, most first.
    ///
    /// # Errors
    /// When Polars cannot shape them, which would be a bug.
    pub fn busiest(&self, tree: &PlaceTree) -> Result<Vec<Busiest>, ShapeError> {
        if self.peaks.is_empty() { Ok(Vec::new()) } else { busiest(self.peaks.clone(), tree) }
    }
}

fn level_count(name: &'static str, table: &ProtectedTable, tree: &PlaceTree, level: Level) -> LevelCount {
    let of = |devices: &[u64]| devices.get(level.depth()).copied().unwrap_or_default();
    let mut count = LevelCount {
        table: name,
        level: level.as_str(),
        devices: of(&table.account().devices),
        withheld_devices: of(&table.account().withheld_devices),
        ..LevelCount::default()
    };
    // Presence has a few columns more than places, for occasions; classes come in whole numbers a place.
    let n = table.grid().places();
    let classes = if n.is_multiple_of(tree.len()) { n / tree.len() } else { 1 };
    for place in tree.of_level(level) {
        for time in 0..table.grid().times() {
            for slot in place.index() * classes..(place.index() + 1) * classes {
                *match table.status(time, slot) {
                    Status::Published => &mut count.published,
                    Status::Withheld => &mut count.withheld,
                    Status::NoCoverage => &mut count.no_coverage,
                } += 1;
            }
        }
    }
    count
}

/// The most people of each place, and when that was first so.
fn peak(rows: LazyFrame) -> LazyFrame {
    let at_most = col("people").eq(col("people").max());
    rows.group_by([col("place")]).agg([col("at_ms").filter(at_most).min(), col("people").max()])
}

fn busiest(peaks: Vec<LazyFrame>, tree: &PlaceTree) -> Result<Vec<Busiest>, ShapeError> {
    let communes = places_frame(tree)?.lazy().filter(col("level").eq(lit(Level::Commune.as_str())));
    let most_first = SortMultipleOptions::default().with_order_descending_multi([true, false]);
    let frame = peak(concat(peaks, UnionArgs::default())?)
        .sort(["people", "place"], most_first.clone())
        .limit(BUSIEST)
        .join(communes, [col("place")], [col("place")], JoinArgs::new(JoinType::Left))
        .sort(["people", "place"], most_first)
        .collect()?;
    let text = |name: &str| Ok::<_, PolarsError>(frame.column(name)?.str()?.clone());
    let number = |name: &str| Ok::<_, PolarsError>(frame.column(name)?.i64()?.clone());
    let (place, fr, nl) = (text("place")?, text("name_fr")?, text("name_nl")?);
    let (people, at_ms) = (number("people")?, number("at_ms")?);
    let row = |i: usize| {
        let name = match (fr.get(i), nl.get(i)) {
            (Some(fr), Some(nl)) if fr != nl => format!("{fr} / {nl}"),
            (Some(name), _) | (None, Some(name)) => name.to_owned(),
            (None, None) => String::new(),
        };
        Some(Busiest { place: place.get(i)?.to_owned(), name, at_ms: at_ms.get(i)?, people: people.get(i)? })
    };
    Ok((0..frame.height()).filter_map(row).collect())
}
