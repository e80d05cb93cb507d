//! Reads cell plans: which postal code each cell serves, as the plan says or as its coverage shows.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use geo::{Centroid, MultiPolygon};
use hashbrown::HashMap;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use rayon::prelude::*;
use serde::Deserialize;
use throng_schema::{CellPlan, CellPlanError, CellVersion, PlaceId, PlaceTree, micros};

use crate::{
    geometry::{Coverage, PlaceIndex, Sector},
    places::Places,
    table::{Column, Field, Layout, Position, Row, TABLE_ENDINGS, Table, TableError, files_of},
};

/// The longest range that is believed. The widest real ones are some 120 km (GSM with extended range); a number
/// beyond this is in another unit, and the plane around the cell would no longer be flat.
const RANGE_M_MAX: f64 = 500_000.0;

/// What a column must hold where a postal code is needed and there is none.
const A_PLACE: &str = "a postal code, or `lon` and `lat`";

/// What the columns of a position must hold.
const DEGREES_EAST: &str = "degrees from -180 to 180";
const DEGREES_NORTH: &str = "degrees from -90 to 90";

/// The columns that make a cell's identifier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a column's name or number, or a list of them")]
pub enum CellIdColumns {
    /// One column.
    One(Column),
    /// Several, joined by the separator.
    Joined(Vec<Column>),
}

/// Which columns of a cell plan hold what. A column that is left out is looked for under its usual name, and need
/// not be there; a column that is given must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CellColumns {
    /// The identifier; usually `cell_id`.
    pub cell_id: Option<CellIdColumns>,
    /// What stands between the parts of an identifier that is joined; `-` if left out.
    pub cell_separator: Option<String>,
    /// The postal code that the cell serves, which is believed wherever it stands; usually `postal_code`.
    pub postal_code: Option<Column>,
    /// Longitude, WGS 84 degrees; usually `lon`.
    pub lon: Option<Column>,
    /// Latitude, WGS 84 degrees; usually `lat`.
    pub lat: Option<Column>,
    /// Where the beam points, degrees clockwise from north; usually `azimuth_deg`.
    pub azimuth_deg: Option<Column>,
    /// How wide the beam is, in degrees; none, 0, or 360 and over is all round; usually `beamwidth_deg`.
    pub beamwidth_deg: Option<Column>,
    /// How far the cell reaches, in metres; none or 0 leaves its point; usually `range_m`.
    pub range_m: Option<Column>,
    /// 0 for a cell that sends all round, whatever its azimuth; usually `directionality`.
    pub directionality: Option<Column>,
    /// First day or moment at which the row holds; usually `valid_from`.
    pub valid_from: Option<Column>,
    /// First day or moment at which it no longer holds; usually `valid_to`. The year 9999 stands for never.
    pub valid_to: Option<Column>,
    /// Whether the first line names the columns. Left out, it does unless every column that is given is a number.
    pub header: Option<bool>,
    /// The delimiter of a CSV. Left out, the first line shows it.
    pub delimiter: Option<char>,
    /// Whether each folder `year=/month=/day=` (or `date=`) holds the network of that local day alone.
    pub day_partitions: bool,
}

impl CellColumns {
    /// The network topology of Eurostat's MultiMNO pipeline, as its bronze layer stores it.
    ///
    /// Each of its folders `year=/month=/day=` repeats the whole network as it stood on that day. The dates within
    /// do not say so: `valid_date_start` is the first day in every partition, `valid_date_end` is empty, or in the
    /// last partition that very day. So a row is taken to hold on the local day of its folder, and the two columns
    /// are passed over. A cell of `directionality` 0 has no azimuth, yet a beam width, which then means nothing.
    #[must_use]
    pub fn multimno() -> Self {
        let column = |name: &str| Some(Column::from(name));
        Self {
            cell_id: Some(CellIdColumns::One("cell_id".into())),
            lon: column("longitude"),
            lat: column("latitude"),
            azimuth_deg: column("azimuth_angle"),
            beamwidth_deg: column("horizontal_beam_width"),
            range_m: column("range"),
            directionality: column("directionality"),
            day_partitions: true,
            ..Self::default()
        }
    }

    fn given(&self) -> impl Iterator<Item = &Column> {
        let ids = match &self.cell_id {
            None => &[][..],
            Some(CellIdColumns::One(column)) => std::slice::from_ref(column),
            Some(CellIdColumns::Joined(columns)) => columns,
        };
        let others = [
            &self.postal_code,
            &self.lon,
            &self.lat,
            &self.azimuth_deg,
            &self.beamwidth_deg,
            &self.range_m,
            &self.directionality,
            &self.valid_from,
            &self.valid_to,
        ];
        ids.iter().chain(others.into_iter().flatten())
    }

    fn layout(&self) -> Result<Layout, CellPlanReadError> {
        let numbered =
            self.given().all(|column| matches!(column, Column::Number(_))) && self.given().next().is_some();
        let ascii = |delimiter| u8::try_from(delimiter).ok().filter(u8::is_ascii);
        let delimiter = match self.delimiter {
            None => None,
            Some(delimiter) => Some(ascii(delimiter).ok_or(CellPlanReadError::Delimiter)?),
        };
        Ok(Layout { header: self.header.unwrap_or(!numbered), delimiter, ..Layout::THINGS })
    }
}

/// What a cell plan held and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellPlanSummary {
    /// Rows read, each of which counts once: by code, by geometry, outside or never.
    pub rows: u64,
    /// Distinct cells.
    pub cells: usize,
    /// Distinct cells and times, where times that follow each other in one place are one.
    pub versions: usize,
    /// Rows placed by their postal code.
    pub by_code: u64,
    /// Rows placed by where they lie.
    pub by_geometry: u64,
    /// Rows that cover no known place: over the border, at sea.
    pub outside: u64,
    /// Rows that end as they begin, and so hold at no time.
    pub never: u64,
    /// Postal codes that at least one cell serves at some time.
    pub postal_codes: usize,
}

/// What can be wrong with a cell plan. No variant carries what a field held.
#[derive(Debug, thiserror::Error)]
pub enum CellPlanReadError {
    /// A file cannot be read, or a field cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no cell.
    #[error(transparent)]
    Plan(#[from] CellPlanError),
    /// One cell twice at one time, and not the same.
    #[error(
        "{second}: the cell of {first} again at the same time; expected the same place and dates, or dates apart"
    )]
    Overlap {
        /// The row that came first in time.
        first: Box<Position>,
        /// The other row.
        second: Box<Position>,
    },
    /// A file that is in no folder of a day.
    #[error("{}: in no folder of a day; expected year=YYYY/month=M/day=D or date=YYYY-MM-DD", file.display())]
    NoDay {
        /// The file.
        file: PathBuf,
    },
    /// A delimiter that is no ASCII character.
    #[error("the delimiter of the cell plan is not ASCII; expected for example a comma, semicolon or tab")]
    Delimiter,
    /// An empty list of columns.
    #[error("the cell plan's `cell_id` is an empty list of columns; expected at least one")]
    NoIdColumns,
}

/// Reads a cell plan from files, folders or patterns.
///
/// A row's postal code is believed. Without one, the cell serves the postal code that its coverage overlaps most:
/// the disc of its range, or the sector of it; ties go to the smallest code. A cell without range serves the postal
/// code that holds its point. A cell stands where its row says, else in the middle of its postal code; of rows that
/// follow on each other in one place, the first that says where is believed. Dates are midnights on the clock of
/// `zone`. A row that ends as it begins holds at no time: it is counted, and nothing else is asked of it.
///
/// # Errors
/// When a file cannot be read, a row has no identifier or no place, a field is not what it should be, or a cell
/// stands in two places at once. The error names file, row and column.
pub fn cell_plan(
    paths: &[PathBuf],
    columns: &CellColumns,
    places: &Places,
    zone: &TimeZone,
) -> Result<(CellPlan, CellPlanSummary), CellPlanReadError> {
    if matches!(&columns.cell_id, Some(CellIdColumns::Joined(joined)) if joined.is_empty()) {
        return Err(CellPlanReadError::NoIdColumns);
    }
    let mut plan = Reading {
        columns,
        places,
        zone,
        files: Vec::new(),
        rows: Vec::new(),
        never: 0,
        coverages: Coverages::default(),
    };
    for path in paths {
        for file in files_of(path, &TABLE_ENDINGS)? {
            plan.file(&file)?;
        }
    }
    plan.resolved()
}

/// Where a row said that its cell is.
#[derive(Clone, Copy)]
enum Site {
    Code(PlaceId),
    /// The index of its coverage.
    Coverage(usize),
}

struct PlanRow {
    cell_id: Box<[u8]>,
    from_us: i64,
    until_us: i64,
    site: Site,
    /// Where the row says that the cell stands.
    at: Option<(f64, f64)>,
    file: usize,
    row: u64,
    line: Option<u64>,
}

/// The distinct coverages: days of a network repeat them, and each is measured once.
#[derive(Default)]
struct Coverages {
    all: Vec<Coverage>,
    known: HashMap<[u64; 5], usize>,
}

impl Coverages {
    fn index(&mut self, coverage: Coverage) -> usize {
        *self.known.entry(coverage.bits()).or_insert_with(|| {
            self.all.push(coverage);
            self.all.len() - 1
        })
    }
}

struct Reading<'a> {
    columns: &'a CellColumns,
    places: &'a Places,
    zone: &'a TimeZone,
    files: Vec<PathBuf>,
    rows: Vec<PlanRow>,
    never: u64,
    coverages: Coverages,
}

impl Reading<'_> {
    fn file(&mut self, file: &Path) -> Result<(), CellPlanReadError> {
        let mut table = Table::open(file, self.columns.layout()?)?;
        let fields = Fields::of(&mut table, self.columns)?;
        let day = if self.columns.day_partitions { Some(day_of(file, self.zone)?) } else { None };
        let index = self.files.len();
        self.files.push(file.to_owned());
        table.each(|row| {
            let cell_id = fields.cell_id(row)?;
            let (from_us, until_us) = day.map_or_else(|| fields.validity(row, self.zone), Ok)?;
            if from_us == until_us {
                self.never += 1;
                return Ok(());
            }
            let (site, at) = match fields.postal_code(row, &self.places.tree)? {
                Some(place) => (Site::Code(place), fields.position(row)),
                None => {
                    let coverage = fields.coverage(row, self.places)?;
                    (Site::Coverage(self.coverages.index(coverage)), Some((coverage.lon, coverage.lat)))
                }
            };
            let Position { row, line, .. } = *row.at();
            self.rows.push(PlanRow { cell_id, from_us, until_us, site, at, file: index, row, line });
            Ok::<_, CellPlanReadError>(())
        })?;
        Ok(())
    }

    fn resolved(self) -> Result<(CellPlan, CellPlanSummary), CellPlanReadError> {
        let index = PlaceIndex::new(self.places);
        let covered: Vec<Option<PlaceId>> =
            self.coverages.all.par_iter().map(|coverage| index.serving(coverage)).collect();
        let (rows, never) = (self.rows.len() as u64 + self.never, self.never);
        let mut summary = CellPlanSummary { rows, never, ..CellPlanSummary::default() };
        let place_of = |row: &PlanRow| match row.site {
            Site::Code(place) => Some(place),
            Site::Coverage(i) => covered[i],
        };
        for row in &self.rows {
            match (row.site, place_of(row)) {
                (Site::Code(_), _) => summary.by_code += 1,
                (Site::Coverage(_), Some(_)) => summary.by_geometry += 1,
                (Site::Coverage(_), None) => summary.outside += 1,
            }
        }
        let mut versions = versions(self.rows, place_of, &self.files)?;
        let middles = middles(self.places);
        for version in &mut versions {
            let middle = || version.place.and_then(|place| middles.get(&place).copied());
            version.at = version.at.or_else(middle);
        }
        let served: BTreeSet<PlaceId> = versions.iter().filter_map(|version| version.place).collect();
        let plan = CellPlan::new(versions)?;
        (summary.cells, summary.versions, summary.postal_codes) =
            (plan.cells(), plan.versions().len(), served.len());
        Ok((plan, summary))
    }
}

/// The middle of each postal code that has a polygon.
fn middles(places: &Places) -> HashMap<PlaceId, (f64, f64)> {
    let middle = |(place, shape): &(PlaceId, MultiPolygon<f64>)| Some((*place, shape.centroid()?.x_y()));
    places.shapes.iter().filter_map(middle).collect()
}

/// Of two positions the smaller, so that it does not depend on the order of rows; any before none.
fn smaller(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let order = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
    a.into_iter().chain(b).min_by(order)
}

/// The versions of all cells in order: equal rows collapse, and stretches that touch in one place become one.
fn versions(
    mut rows: Vec<PlanRow>,
    place_of: impl Fn(&PlanRow) -> Option<PlaceId>,
    files: &[PathBuf],
) -> Result<Vec<CellVersion>, CellPlanReadError> {
    // Stable, so that of rows at one time the first in the files comes first.
    rows.sort_by(|a, b| (&a.cell_id, a.from_us, a.until_us).cmp(&(&b.cell_id, b.from_us, b.until_us)));
    let position =
        |row: &PlanRow| Box::new(Position { file: files[row.file].clone(), row: row.row, line: row.line });
    let mut versions: Vec<CellVersion> = Vec::new();
    let mut last: Option<PlanRow> = None;
    for row in rows {
        let place = place_of(&row);
        if let (Some(before), Some(version)) = (&last, versions.last_mut())
            && before.cell_id == row.cell_id
        {
            if (before.from_us, before.until_us, version.place) == (row.from_us, row.until_us, place) {
                // What follows on another stretch has that one's position.
                if version.from_us == row.from_us {
                    version.at = smaller(version.at, row.at);
                }
                continue;
            }
            if row.from_us < before.until_us {
                return Err(CellPlanReadError::Overlap { first: position(before), second: position(&row) });
            }
            if row.from_us == version.until_us && place == version.place {
                version.until_us = row.until_us;
                version.at = version.at.or(row.at);
                last = Some(row);
                continue;
            }
        }
        let (cell_id, from_us, until_us, at) = (row.cell_id.clone(), row.from_us, row.until_us, row.at);
        versions.push(CellVersion { cell_id, from_us, until_us, place, at });
        last = Some(row);
    }
    Ok(versions)
}

/// Where a file has what.
struct Fields {
    cell_id: Vec<Field>,
    separator: Vec<u8>,
    postal_code: Option<Field>,
    lon: Option<Field>,
    lat: Option<Field>,
    azimuth_deg: Option<Field>,
    beamwidth_deg: Option<Field>,
    range_m: Option<Field>,
    directionality: Option<Field>,
    valid_from: Option<Field>,
    valid_to: Option<Field>,
}

impl Fields {
    fn of(table: &mut Table, columns: &CellColumns) -> Result<Self, TableError> {
        let cell_id = match &columns.cell_id {
            None => vec![table.require_id(&"cell_id".into())?],
            Some(CellIdColumns::One(column)) => vec![table.require_id(column)?],
            Some(CellIdColumns::Joined(columns)) => {
                columns.iter().map(|column| table.require_id(column)).collect::<Result<_, _>>()?
            }
        };
        let mut find = |given: &Option<Column>, usual: &str| match given {
            Some(column) => table.require(column).map(Some),
            None => table.find(&usual.into()),
        };
        let fields = Self {
            cell_id,
            separator: columns.cell_separator.as_deref().unwrap_or("-").into(),
            postal_code: find(&columns.postal_code, "postal_code")?,
            lon: find(&columns.lon, "lon")?,
            lat: find(&columns.lat, "lat")?,
            azimuth_deg: find(&columns.azimuth_deg, "azimuth_deg")?,
            beamwidth_deg: find(&columns.beamwidth_deg, "beamwidth_deg")?,
            range_m: find(&columns.range_m, "range_m")?,
            directionality: find(&columns.directionality, "directionality")?,
            valid_from: find(&columns.valid_from, "valid_from")?,
            valid_to: find(&columns.valid_to, "valid_to")?,
        };
        match (&fields.postal_code, &fields.lon, &fields.lat) {
            (_, Some(_), None) => _ = table.require(&"lat".into())?,
            (_, None, Some(_)) => _ = table.require(&"lon".into())?,
            (None, None, None) => _ = table.require(&"postal_code".into())?,
            _ => {}
        }
        Ok(fields)
    }

    fn cell_id(&self, row: &Row<'_>) -> Result<Box<[u8]>, TableError> {
        let part = |field| row.bytes(field).ok_or_else(|| row.wrong(field, "a cell identifier"));
        let mut joined = Vec::new();
        for (i, field) in self.cell_id.iter().enumerate() {
            if i > 0 {
                joined.extend_from_slice(&self.separator);
            }
            joined.extend_from_slice(part(field)?);
        }
        Ok(joined.into())
    }

    fn postal_code(&self, row: &Row<'_>, tree: &PlaceTree) -> Result<Option<PlaceId>, TableError> {
        let (Some(field), Some(code)) = (&self.postal_code, row.text(self.postal_code.as_ref())?) else {
            return Ok(None);
        };
        let place = tree.postal_code(code);
        place.map(Some).ok_or_else(|| row.wrong(field, "a postal code that the places have"))
    }

    /// Where a row whose postal code is believed says that the cell stands. The place does not hang on it, so what
    /// is no position is none.
    fn position(&self, row: &Row<'_>) -> Option<(f64, f64)> {
        let lon = row.number(self.lon.as_ref(), -180.0..=180.0, DEGREES_EAST).ok()??;
        let lat = row.number(self.lat.as_ref(), -90.0..=90.0, DEGREES_NORTH).ok()??;
        Some((lon, lat))
    }

    fn coverage(&self, row: &Row<'_>, places: &Places) -> Result<Coverage, TableError> {
        let lon = row.number(self.lon.as_ref(), -180.0..=180.0, DEGREES_EAST)?;
        let lat = row.number(self.lat.as_ref(), -90.0..=90.0, DEGREES_NORTH)?;
        let wrong = |field: &Option<Field>, expected| match field.as_ref().or(self.lon.as_ref()) {
            Some(field) => row.wrong(field, expected),
            // A plan without a column for either is refused when it is opened.
            None => row.wrong(&self.cell_id[0], expected),
        };
        let (lon, lat) = match (lon, lat) {
            (Some(lon), Some(lat)) => (lon, lat),
            (None, None) => return Err(wrong(&self.postal_code, A_PLACE)),
            (None, Some(_)) => return Err(wrong(&self.lon, DEGREES_EAST)),
            (Some(_), None) => return Err(wrong(&self.lat, DEGREES_NORTH)),
        };
        if places.shapes.is_empty() {
            return Err(wrong(&self.postal_code, "a postal code, for the places have no polygons"));
        }
        let range = row.number(self.range_m.as_ref(), 0.0..=RANGE_M_MAX, "metres from 0 to 500000")?;
        Ok(Coverage { lon, lat, range_m: range.unwrap_or(0.0), sector: self.sector(row)? })
    }

    /// The beam, unless it goes all round: azimuth or width is not known, or the width is a full turn.
    fn sector(&self, row: &Row<'_>) -> Result<Option<Sector>, TableError> {
        if row.number(self.directionality.as_ref(), 0.0..=f64::MAX, "0 for all round, or 1")? == Some(0.0) {
            return Ok(None);
        }
        let azimuth = row.number(self.azimuth_deg.as_ref(), -360.0..=360.0, "degrees from -360 to 360")?;
        let width = row.number(self.beamwidth_deg.as_ref(), 0.0..=f64::MAX, "degrees of 0 or more")?;
        let narrow = width.filter(|width| *width > 0.0 && *width < 360.0);
        Ok(azimuth.zip(narrow).map(|(azimuth_deg, beamwidth_deg)| Sector { azimuth_deg, beamwidth_deg }))
    }

    fn validity(&self, row: &Row<'_>, zone: &TimeZone) -> Result<(i64, i64), TableError> {
        const MOMENT: &str = "a date or time such as 2026-10-15 or 2026-10-15T06:00:00";
        let moment = |field: &Option<Field>| match (field, row.text(field.as_ref())?) {
            (Some(field), Some(text)) => moment(text, zone).map(Some).ok_or_else(|| row.wrong(field, MOMENT)),
            _ => Ok(None),
        };
        let from_us = moment(&self.valid_from)?.unwrap_or(i64::MIN);
        let until_us = moment(&self.valid_to)?.unwrap_or(i64::MAX);
        match &self.valid_to {
            Some(field) if until_us < from_us => {
                Err(row.wrong(field, "a date or time not before the start of validity"))
            }
            _ => Ok((from_us, until_us)),
        }
    }
}

/// A date (its local midnight), a local time, or a time with its offset, in microseconds since 1970 UTC.
fn moment(text: &str, zone: &TimeZone) -> Option<i64> {
    // The year 9999 is how databases write "never", and the last of it is beyond what can be computed with.
    if text.starts_with("9999-") {
        return Some(i64::MAX);
    }
    text.parse::<Timestamp>().map(micros).ok().or_else(|| local_us(text.parse().ok()?, zone))
}

/// Of a time that occurs twice the earlier; for one that a shift skips, as late as the clock would have shown it.
/// Midnights are then those of [`throng_schema::Calendar`].
fn local_us(local: DateTime, zone: &TimeZone) -> Option<i64> {
    zone.to_ambiguous_timestamp(local).compatible().ok().map(micros)
}

/// The local day of a file in folders `year=/month=/day=` or `date=`, as a stretch of time.
fn day_of(file: &Path, zone: &TimeZone) -> Result<(i64, i64), CellPlanReadError> {
    let no_day = || CellPlanReadError::NoDay { file: file.to_owned() };
    let key = |key: &str| {
        let names = file.components().rev().filter_map(|name| name.as_os_str().to_str());
        names.filter_map(|name| name.strip_prefix(key)?.strip_prefix('=')).next()
    };
    let of_parts = || {
        let (year, month, day) = (key("year")?, key("month")?, key("day")?);
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    };
    let date = key("date").and_then(|date| date.parse().ok()).or_else(of_parts).ok_or_else(no_day)?;
    let midnight = |date: Date| local_us(date.at(0, 0, 0, 0), zone).ok_or_else(no_day);
    Ok((midnight(date)?, midnight(date.tomorrow().map_err(|_| no_day())?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        places::tests::squares,
        table::tests::{folder, parquet_of, text_of},
    };
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float32Array, Int32Array, StringArray};
    use jiff::civil::date;

    /// A degree north of the equator is some 111 km, so these codes are some 11 km wide and high.
    fn four_squares() -> Places {
        squares(&[
            ("2", [10.0, 0.0, 10.1, 0.1]),
            ("10", [10.1, 0.0, 10.2, 0.1]),
            ("3", [10.0, 0.1, 10.1, 0.2]),
            ("4", [10.1, 0.1, 10.2, 0.2]),
        ])
    }

    fn brussels() -> TimeZone {
        TimeZone::get("Europe/Brussels").expect("bundled zone")
    }

    type Read = Result<(CellPlan, CellPlanSummary), CellPlanReadError>;

    fn read(csv: &str, columns: &CellColumns) -> Read {
        let folder = folder(&[("cells.csv", csv.as_bytes())]);
        cell_plan(&[folder.path().join("cells.csv")], columns, &four_squares(), &brussels())
    }

    fn served(csv: &str) -> Vec<(String, Option<String>)> {
        let (plan, _) = read(csv, &CellColumns::default()).expect("plan");
        let tree = four_squares().tree;
        let code = |v: &CellVersion| v.place.map(|place| tree.code(place).to_owned());
        plan.versions().iter().map(|v| (String::from_utf8_lossy(&v.cell_id).into_owned(), code(v))).collect()
    }

    fn expected(list: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let some = |code: &str| Some(code.to_owned()).filter(|code| !code.is_empty());
        list.iter().map(|(cell, code)| ((*cell).to_owned(), some(code))).collect()
    }

    #[test]
    fn a_cell_stands_where_its_row_says_or_in_the_middle_of_its_postal_code() {
        let rows = [
            "a,10.05,0.05,2,,\nb,,,2,,\nc,10.01,0.02,2,,\nd,ten,0.05,2,,\ne,10.01,91,2,,\nf,50,50,,,\n",
            // Equal rows but for where: the smaller, in either order; of stretches that touch, the first that says.
            "g,10.02,0.01,2,,\ng,10.01,0.03,2,,\ng,,,2,,\nh,,,2,2023-01-01,2023-01-02\nh,10.03,0.03,2,2023-01-02,\n",
        ];
        let header = "cell_id,lon,lat,postal_code,valid_from,valid_to\n";
        let (plan, _) = read(&format!("{header}{}", rows.concat()), &CellColumns::default()).expect("plan");
        let at = |id: &str| {
            let cell = plan.cell(id.as_bytes()).expect("known");
            let found: Vec<_> = plan.versions_of(cell).map(|version| plan.position(version)).collect();
            assert_eq!(found.len(), 1, "{id}");
            found[0].map(|(lon, lat)| ((lon * 1e6).round() / 1e6, (lat * 1e6).round() / 1e6))
        };
        let middle = Some((10.05, 0.05));
        assert_eq!(["a", "b", "d", "e"].map(at), [middle; 4]);
        assert_eq!(["c", "f", "g"].map(at), [Some((10.01, 0.02)), Some((50.0, 50.0)), Some((10.01, 0.03))]);
        assert_eq!(at("h"), Some((10.03, 0.03)));
    }

    #[test]
    fn a_cell_serves_what_it_overlaps_most() {
        let csv = "cell_id,lon,lat,azimuth_deg,beamwidth_deg,range_m,postal_code\n\
            a-inside,10.05,0.05,,,2000,\n\
            b-sector-east,10.09,0.05,90,60,9000,\n\
            c-disc-all-round,10.09,0.05,90,360,9000,\n\
            d-no-azimuth,10.09,0.05,,60,9000,\n\
            e-wide-west,10.11,0.05,270,200,9000,\n\
            f-code-wins,10.05,0.05,,,2000,4\n\
            g-code-alone,,,,,,3\n\
            h-at-sea,50,50,,,2000,\n\
            i-sector-out,10.199,0.05,90,20,3000,\n\
            j-point,10.05,0.15,,,,\n\
            k-point-outside,9.99,0.15,,,0,\n\
            l-no-width,10.09,0.05,90,0,9000,\n\
            m-huge,10.05,0.15,0,90,400000,\n";
        let codes = ["2", "10", "2", "2", "2", "4", "3", "", "10", "3", "", "2", "3"];
        let cells = csv.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default());
        assert_eq!(served(csv), expected(&cells.zip(codes).collect::<Vec<_>>()));
        let (plan, summary) = read(csv, &CellColumns::default()).expect("plan");
        let told = CellPlanSummary {
            rows: 13,
            cells: 13,
            versions: 13,
            by_code: 2,
            by_geometry: 9,
            outside: 2,
            never: 0,
            postal_codes: 4,
        };
        assert_eq!((summary, plan.cells()), (told, 13));
    }

    #[test]
    fn ties_go_to_the_smallest_code() {
        let csv = "cell_id,lon,lat,range_m,azimuth_deg,beamwidth_deg\n\
            a-on-the-border,10.1,0.05,3000,,\n\
            b-on-the-corner,10.1,0.1,3000,,\n\
            c-point-on-the-border,10.1,0.05,,,\n\
            d-point-on-the-corner,10.1,0.1,0,,\n\
            e-sector-along-the-border,10.1,0.05,3000,180,90\n\
            f-between-3-and-4,10.1,0.15,3000,,\n";
        let expected = ["10", "10", "10", "10", "10", "3"];
        let codes: Vec<_> = served(csv).into_iter().map(|(_, code)| code.unwrap_or_default()).collect();
        assert_eq!(codes, expected, "the order is that of text, in which 10 stands before 2");
    }

    #[test]
    fn validity_runs_from_local_midnight_to_local_midnight() {
        let csv = "cell_id,postal_code,valid_from,valid_to\n\
            a,2,2026-01-01,2026-10-25\n\
            a,3,2026-10-25,2026-10-26T06:00:00\n\
            a,4,2026-10-26T05:00:00Z,9999-12-31\n\
            b,2,,\n";
        let (plan, summary) = read(csv, &CellColumns::default()).expect("plan");
        let local = |d: Date| d.to_zoned(brussels()).expect("midnight").timestamp().as_microsecond();
        let (jan, oct, then) =
            (local(date(2026, 1, 1)), local(date(2026, 10, 25)), local(date(2026, 10, 26)));
        let six = then + 6 * 3_600_000_000;
        let times: Vec<_> = plan.versions().iter().map(|v| (v.from_us, v.until_us)).collect();
        assert_eq!(times, [(jan, oct), (oct, six), (six, i64::MAX), (i64::MIN, i64::MAX)]);
        assert_eq!(jan, "2025-12-31T23:00:00Z".parse::<Timestamp>().expect("time").as_microsecond());
        assert_eq!((summary.cells, summary.versions, summary.postal_codes), (2, 4, 3));
    }

    #[test]
    fn equal_rows_collapse_and_touching_ones_join() {
        let csv = "cell_id,postal_code,valid_from,valid_to\n\
            a,2,2026-01-02,2026-01-03\na,2,2026-01-01,2026-01-02\na,2,2026-01-01,2026-01-02\na,3,2026-01-03,\n";
        let (plan, summary) = read(csv, &CellColumns::default()).expect("plan");
        assert_eq!((summary.rows, summary.versions, plan.versions().len()), (4, 2, 2));
        assert_eq!(plan.versions()[0].until_us, plan.versions()[1].from_us);
    }

    #[test]
    fn a_row_that_ends_as_it_begins_never_holds() {
        let csv = "cell_id,postal_code,lon,lat,valid_from,valid_to\n\
            a,2,,,2026-01-01,2026-02-01\n\
            a,3,,,2026-02-01,2026-02-01\n\
            a,3,,,2026-01-15,2026-01-15\n\
            gone,2064,,,2026-01-15T06:00:00,2026-01-15T05:00:00Z\n\
            b,,10.05,0.05,2026-01-01,\n\
            c,,50,50,,\n\
            d,2,,,9999-12-31,9999-12-31\n";
        let (plan, summary) = read(csv, &CellColumns::default()).expect("plan");
        let told = CellPlanSummary {
            rows: 7,
            cells: 3,
            versions: 3,
            by_code: 1,
            by_geometry: 1,
            outside: 1,
            never: 4,
            postal_codes: 1,
        };
        assert_eq!(summary, told);
        assert_eq!(summary.by_code + summary.by_geometry + summary.outside + summary.never, summary.rows);
        assert!(plan.cell(b"gone").is_none() && plan.cell(b"d").is_none());
    }

    #[test]
    fn cell_ids_can_be_joined_of_numbered_columns() {
        let columns = CellColumns {
            cell_id: Some(CellIdColumns::Joined([2, 3, 4, 5].map(Column::Number).to_vec())),
            lon: Some(Column::Number(7)),
            lat: Some(Column::Number(8)),
            range_m: Some(Column::Number(9)),
            ..CellColumns::default()
        };
        let (plan, summary) = read("LTE,206,20,251,51764,0,10.05,0.05,7229\n", &columns).expect("plan");
        assert!(plan.cell(b"206-20-251-51764").is_some());
        assert_eq!(summary.by_geometry, 1);
        for (separator, id) in
            [("", "2062025151764"), (":", "206:20:251:51764"), ("--", "206--20--251--51764")]
        {
            let columns = CellColumns { cell_separator: Some(separator.to_owned()), ..columns.clone() };
            let (plan, _) = read("LTE,206,20,251,51764,0,10.05,0.05,7229\n", &columns).expect("plan");
            assert!(plan.cell(id.as_bytes()).is_some(), "{id}");
        }
    }

    #[test]
    fn columns_come_from_a_config() {
        let from = |text: &str| CellColumns::deserialize(text.parse::<geojson::JsonValue>().expect("JSON"));
        let columns = from(r#"{"cell_id": [2, "ci"], "cell_separator": "_", "lon": 7, "delimiter": ";"}"#)
            .expect("columns");
        let joined = CellIdColumns::Joined(vec![Column::Number(2), "ci".into()]);
        let lon = Some(Column::Number(7));
        let expected = CellColumns {
            cell_id: Some(joined),
            cell_separator: Some("_".to_owned()),
            lon,
            delimiter: Some(';'),
            ..CellColumns::default()
        };
        assert_eq!(columns, expected);
        let one = from(r#"{"cell_id": "ci"}"#).expect("columns");
        assert_eq!(one.cell_id, Some(CellIdColumns::One("ci".into())));
        let misspelt = from(r#"{"cel_id": "ci"}"#).expect_err("refused").to_string();
        assert!(misspelt.starts_with("unknown field `cel_id`"), "{misspelt}");
        assert!(from(r#"{"lon": 7.5}"#).is_err());
    }

    #[test]
    fn each_day_of_a_multimno_network_holds_on_that_day() {
        let network = |azimuth: Option<f32>, directionality: i32| {
            let text = |text: Option<&str>| Arc::new(StringArray::from(vec![text])) as ArrayRef;
            let real = |real: Option<f32>| Arc::new(Float32Array::from(vec![real])) as ArrayRef;
            parquet_of(vec![
                ("cell_id", text(Some("846638380331171"))),
                ("latitude", real(Some(0.05))),
                ("longitude", real(Some(10.09))),
                ("directionality", Arc::new(Int32Array::from(vec![directionality]))),
                ("azimuth_angle", real(azimuth)),
                ("horizontal_beam_width", real(Some(60.0))),
                ("range", real(Some(9_000.0))),
                ("valid_date_start", text(Some("2023-01-07T00:00:00"))),
                ("valid_date_end", text(None)),
            ])
        };
        let (round, east) = (network(Some(90.0), 0), network(Some(90.0), 1));
        let folder = folder(&[
            ("year=2023/month=1/day=7/a.parquet", &round),
            ("year=2023/month=1/day=8/a.parquet", &round),
            ("year=2023/month=1/day=8/_SUCCESS", b""),
            ("year=2023/month=1/day=10/a.parquet", &east),
        ]);
        let places = four_squares();
        let paths = [folder.path().to_owned()];
        let (plan, summary) =
            cell_plan(&paths, &CellColumns::multimno(), &places, &brussels()).expect("plan");
        let local =
            |day| date(2023, 1, day).to_zoned(brussels()).expect("midnight").timestamp().as_microsecond();
        let found: Vec<_> = plan.versions().iter().map(|v| (v.from_us, v.until_us, v.place)).collect();
        let code = |code| places.tree.postal_code(code);
        assert_eq!(found, [(local(7), local(9), code("2")), (local(10), local(11), code("10"))]);
        assert_eq!((summary.rows, summary.cells, summary.versions), (3, 1, 2));
        let elsewhere = folder.path().join("a.parquet");
        std::fs::write(&elsewhere, &east).expect("file");
        let error =
            cell_plan(&[elsewhere], &CellColumns::multimno(), &places, &brussels()).expect_err("refused");
        let text = "a.parquet: in no folder of a day; expected year=YYYY/month=M/day=D or date=YYYY-MM-DD";
        assert_eq!(text_of(error, &folder), text);
    }

    #[test]
    fn bad_cell_plans_are_told_by_file_row_and_column() {
        let cases = [
            ("cell_id,postal_code\n,2\n", "row 1 (line 2), column `cell_id`: expected a cell identifier"),
            (
                "cell_id,postal_code\na,2\nb,2064\n",
                "row 2 (line 3), column `postal_code`: expected a postal code that the places have",
            ),
            (
                "cell_id,postal_code\na,\n",
                "row 1 (line 2), column `postal_code`: expected a postal code, or `lon` and `lat`",
            ),
            (
                "cell_id,lon,lat\na,,\n",
                "row 1 (line 2), column `lon`: expected a postal code, or `lon` and `lat`",
            ),
            ("cell_id,lon,lat\na,NaN,1\n", "row 1 (line 2), column `lon`: expected degrees from -180 to 180"),
            ("cell_id,lon,lat\na,4,90.1\n", "row 1 (line 2), column `lat`: expected degrees from -90 to 90"),
            ("cell_id,lon,lat\na,4,\n", "row 1 (line 2), column `lat`: expected degrees from -90 to 90"),
            (
                "cell_id,lon,lat,range_m\na,4,50,-1\n",
                "row 1 (line 2), column `range_m`: expected metres from 0 to 500000",
            ),
            (
                "cell_id,lon,lat,range_m\na,4,50,inf\n",
                "row 1 (line 2), column `range_m`: expected metres from 0 to 500000",
            ),
            (
                "cell_id,lon,lat,azimuth_deg\na,4,50,N\n",
                "row 1 (line 2), column `azimuth_deg`: expected degrees from -360 to 360",
            ),
            (
                "cell_id,lon,lat,beamwidth_deg\na,4,50,-65\n",
                "row 1 (line 2), column `beamwidth_deg`: expected degrees of 0 or more",
            ),
            (
                "cell_id,postal_code,valid_from\na,2,13/10/2026\n",
                "row 1 (line 2), column `valid_from`: expected a date or time such as 2026-10-15 or 2026-10-15T06:00:00",
            ),
            (
                "cell_id,postal_code,valid_from,valid_to\na,2,2026-10-15,2026-10-14\n",
                "row 1 (line 2), column `valid_to`: expected a date or time not before the start of validity",
            ),
            (
                "cell_id,postal_code\na,2\n\"b,3\nc,4\n",
                "row 2 (line 3): a field holds a line end; expected every quote closed on its line",
            ),
            (
                "cell_id,postal_code\na,2\nb,2\na,3\n",
                "row 3 (line 4): the cell of cells.csv, row 1 (line 2) again at the same time; expected the same place and dates, or dates apart",
            ),
        ];
        for (csv, text) in cases {
            let folder = folder(&[("cells.csv", csv.as_bytes())]);
            let path = [folder.path().join("cells.csv")];
            let error =
                cell_plan(&path, &CellColumns::default(), &four_squares(), &brussels()).expect_err(text);
            assert_eq!(text_of(error, &folder), format!("cells.csv, {text}"));
        }
        let files = [
            ("cell,lon,lat\n", "cells.csv: no column `cell_id`; found the columns cell, lon, lat"),
            ("cell_id,lon\n", "cells.csv: no column `lat`; found the columns cell_id, lon"),
            ("cell_id,lac\n", "cells.csv: no column `postal_code`; found the columns cell_id, lac"),
            (
                "Kx7PLANTEDq9ZwT4\nid2\n",
                "cells.csv: no column `cell_id`; found 1 column; expected a header that names it",
            ),
            (
                "jdoe\nasmith\n",
                "cells.csv: no column `cell_id`; found 1 column; expected a header that names it",
            ),
            (
                "cell_id,postal_code,valid_from,valid_to\na,2,2026-01-01,2026-01-01\n",
                "the cell plan is empty; expected at least one cell",
            ),
            ("cell_id,postal_code\n", "the cell plan is empty; expected at least one cell"),
        ];
        for (csv, text) in files {
            let folder = folder(&[("cells.csv", csv.as_bytes())]);
            let path = [folder.path().join("cells.csv")];
            let error =
                cell_plan(&path, &CellColumns::default(), &four_squares(), &brussels()).expect_err(text);
            assert_eq!(text_of(error, &folder), text);
        }
    }

    #[test]
    fn columns_that_are_given_must_be_there() {
        let columns = CellColumns { azimuth_deg: Some("azimut".into()), ..CellColumns::default() };
        let error = read("cell_id,lon,lat,azimuth\n", &columns).expect_err("refused").to_string();
        assert!(
            error.ends_with("no column `azimut`; found the columns cell_id, lon, lat, azimuth"),
            "{error}"
        );
        let columns = CellColumns { delimiter: Some('é'), ..CellColumns::default() };
        assert!(matches!(read("cell_id,postal_code\n", &columns), Err(CellPlanReadError::Delimiter)));
        let columns = CellColumns { cell_id: Some(CellIdColumns::Joined(vec![])), ..CellColumns::default() };
        assert!(matches!(read("cell_id,postal_code\n", &columns), Err(CellPlanReadError::NoIdColumns)));
    }

    #[test]
    fn places_without_polygons_need_postal_codes() {
        let places = Places { shapes: vec![], ..four_squares() };
        let folder = folder(&[("c.csv", b"cell_id,lon,lat,postal_code\na,,,2\nb,10.05,0.05,\n")]);
        let path = [folder.path().join("c.csv")];
        let error = cell_plan(&path, &CellColumns::default(), &places, &brussels()).expect_err("refused");
        let text = "c.csv, row 2 (line 3), column `postal_code`: expected a postal code, for the places have no polygons";
        assert_eq!(text_of(error, &folder), text);
    }

    #[test]
    fn built_in_belgium_places_its_cells() {
        let belgium = Places::belgium().expect("built in");
        let csv = b"cell_id,lon,lat,range_m\ngrand-place,4.3525,50.8467,300\nliege,5.5714,50.6451,500\nsea,2.6,51.4,900\n";
        let folder = folder(&[("c.csv", csv)]);
        let paths = [folder.path().join("c.csv")];
        let (plan, summary) =
            cell_plan(&paths, &CellColumns::default(), &belgium, &brussels()).expect("plan");
        let codes = plan.versions().iter().map(|v| v.place.map(|place| belgium.tree.code(place)));
        assert_eq!(codes.collect::<Vec<_>>(), [Some("1000"), Some("4000"), None]);
        assert_eq!((summary.by_geometry, summary.outside), (2, 1));
    }
}
