//! What a person reads at a glance when a run is done: how much is published, and which places are busiest.

use polars::prelude::*;
use serde::Serialize;
use throng_anonymiser::ProtectedTable;
use throng_schema::{Calendar, Level, PlaceTree, Status};

use crate::{
    expansion::Expansion,
    reports::Reports,
    shape::{ShapeError, is_published, places_frame, rows},
};

/// Cells of one level of one table, by status.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct LevelCount {
    /// The report, and its period where it has several.
    pub table: &'static str,
    /// The level.
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

/// The glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Cells by table and level.
    pub cells: Vec<LevelCount>,
    /// The communes with the most people present at one instant, most first.
    pub busiest: Vec<Busiest>,
}

/// How many places the summary names.
const BUSIEST: u32 = 5;

/// Reads the protected tables of a run as a person would.
///
/// # Errors
/// When Polars cannot shape them, which would be a bug.
pub fn summarise(
    tables: &[ProtectedTable],
    reports: &Reports,
    expansion: Expansion,
) -> Result<Summary, ShapeError> {
    let cells = reports
        .tables()
        .flat_map(|(name, table)| {
            Level::ALL.map(|level| level_count(name, &tables[table], reports.tree(), level))
        })
        .collect();
    let busiest = match &reports.presence {
        Some(presence) => busiest(&tables[presence.table], &reports.tree, &reports.calendar, expansion)?,
        None => Vec::new(),
    };
    Ok(Summary { cells, busiest })
}

fn level_count(name: &'static str, table: &ProtectedTable, tree: &PlaceTree, level: Level) -> LevelCount {
    let of = |devices: &[u64]| devices.get(level.depth()).copied().unwrap_or_default();
    let mut count = LevelCount {
        table: name,
        level: level.as_str(),
        published: 0,
        withheld: 0,
        no_coverage: 0,
        devices: of(&table.account().devices),
        withheld_devices: of(&table.account().withheld_devices),
    };
    for place in tree.of_level(level) {
        for time in 0..table.grid().times() {
            *match table.status(time, place.index()) {
                Status::Published => &mut count.published,
                Status::Withheld => &mut count.withheld,
                Status::NoCoverage => &mut count.no_coverage,
            } += 1;
        }
    }
    count
}

/// The most people of each place, and when that was first so.
fn peak(rows: LazyFrame) -> LazyFrame {
    let at_most = col("people").eq(col("people").max());
    rows.group_by([col("place")]).agg([col("at_ms").filter(at_most).min(), col("people").max()])
}

fn busiest(
    presence: &ProtectedTable,
    tree: &PlaceTree,
    calendar: &Calendar,
    expansion: Expansion,
) -> Result<Vec<Busiest>, ShapeError> {
    let places = places_frame(tree)?;
    let is_commune = || col("level").eq(lit(Level::Commune.as_str()));
    let communes = places.clone().lazy().filter(is_commune());
    let mut peaks = Vec::new();
    for day in calendar.days() {
        let instants = calendar.instants_of(day);
        let shown =
            rows(presence, &instants, None, &places, expansion)?.filter(is_published().and(is_commune()));
        // Only the peaks of a day are kept.
        peaks.push(peak(shown).collect()?.lazy());
    }
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
