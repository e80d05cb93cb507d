//! Reads occasions: concerts, matches and markets, each with its time and the cells of its area.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet, btree_map::Entry},
    path::Path,
};

use geo::{BoundingRect, Coord, Intersects, MultiPolygon, Polygon};
use geojson::Feature;
use jiff::tz::TimeZone;
use throng_schema::{CellIx, CellPlan, CellVersion, Occasion, PlaceId};

use crate::{
    places::{Places, PlacesError, Spot, features_of, missing, text_of},
    shape,
    table::{Field, Form, Layout, Row, TABLE_ENDINGS, Table, TableError, files_of, form_of, read_whole},
    time::{Moment, TimeReader},
};

/// The endings of files that are read in a folder of occasions, beside those of tables.
const SHAPE_ENDINGS: [&str; 2] = [".geojson", ".json"];

const POSTAL_CODES: &str = "postal_codes";
const CELLS: &str = "cells";
const POLYGON: &str = "polygon";

const A_TIME: &str = "ISO 8601 such as 2026-10-15T20:00 or 2026-10-15T20:00:00+02:00";

/// What can be wrong with occasions. No variant carries what a field held.
#[derive(Debug, thiserror::Error)]
pub enum OccasionsError {
    /// A table cannot be read, or a field cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A GeoJSON file cannot be read, or a feature cannot be used.
    #[error(transparent)]
    Feature(#[from] PlacesError),
    /// One code twice.
    #[error("{second}: the code of {first} again; expected each occasion once")]
    Twice {
        /// Where it stood first.
        first: Spot,
        /// Where it stood again.
        second: Spot,
    },
    /// An area without cells, of which nothing could be told.
    #[error("{spot}: no cell of the plan lies in the area; expected at least one")]
    Empty {
        /// The row or feature.
        spot: Spot,
    },
}

/// Reads occasions from a table, a GeoJSON file, a folder or a pattern, in the order of their codes.
///
/// A table has the columns `occasion` (the code), `start` and `end` (ISO 8601, on the clock of `zone` where no offset
/// is written), perhaps `name`, and for the area any of `postal_codes`, `cells` (either separated by blanks or `;`) and
/// `polygon` (well-known text, longitude before latitude), of which each row fills one. A GeoJSON feature has the
/// properties `occasion`, `start`, `end` and perhaps `name`, and its geometry is the area.
///
/// An area holds the versions of cells that serve one of its postal codes, have one of its identifiers, or stand in
/// its polygon.
///
/// # Errors
/// When a file cannot be read, a field is not what it should be, names a postal code or a cell that is not known, an
/// occasion ends before it begins or as it does, a code stands twice, or no cell lies in an area.
pub fn occasions(
    path: &Path,
    places: &Places,
    plan: &CellPlan,
    zone: &TimeZone,
) -> Result<Vec<Occasion>, OccasionsError> {
    let mut reading =
        Reading { places, plan, time: TimeReader::new(zone.clone(), None), found: BTreeMap::new() };
    for file in files_of(path, &[&TABLE_ENDINGS[..], &SHAPE_ENDINGS[..]].concat())? {
        match form_of(&file)? {
            Form::Json => reading.features(&file)?,
            _ => reading.table(&file)?,
        }
    }
    Ok(reading.found.into_values().map(|(_, occasion)| occasion).collect())
}

/// Where an occasion is, as its row or feature says.
enum Area {
    PostalCodes(Vec<PlaceId>),
    Cells(Vec<CellIx>),
    Polygon(MultiPolygon<f64>),
}

struct Reading<'a> {
    places: &'a Places,
    plan: &'a CellPlan,
    time: TimeReader,
    found: BTreeMap<String, (Spot, Occasion)>,
}

impl Reading<'_> {
    fn table(&mut self, file: &Path) -> Result<(), OccasionsError> {
        let mut table = Table::open(file, Layout::THINGS)?;
        let columns = Columns::of(&mut table)?;
        table.each(|row| {
            let entry = Entrant::Row { row, columns: &columns };
            let area = self.area_of_row(row, &columns)?;
            self.occasion(&entry, &area)
        })?;
        Ok(())
    }

    fn features(&mut self, file: &Path) -> Result<(), OccasionsError> {
        for (i, feature) in features_of(file, &read_whole(file)?)?.iter().enumerate() {
            let spot = Spot::Feature { file: file.to_owned(), feature: i + 1 };
            let shape = match &feature.geometry {
                Some(geometry) => shape::of_geojson(&geometry.value),
                None => Err("a geometry, which is the area"),
            };
            let shape = shape.map_err(|expected| PlacesError::Shape { spot: spot.clone(), expected })?;
            self.occasion(&Entrant::Feature { spot: &spot, feature }, &Area::Polygon(shape))?;
        }
        Ok(())
    }

    fn occasion(&mut self, entry: &Entrant<'_>, area: &Area) -> Result<(), OccasionsError> {
        let code = entry.text("occasion")?.ok_or_else(|| entry.wrong("occasion", "a code"))?.into_owned();
        let name = entry.text("name")?.map_or_else(|| code.clone(), Cow::into_owned);
        let (from_us, until_us) = (self.moment(entry, "start")?, self.moment(entry, "end")?);
        if until_us <= from_us {
            return Err(entry.wrong("end", "a time after the start"));
        }
        let inside = self.inside(area);
        if !inside.contains(&true) {
            return Err(OccasionsError::Empty { spot: entry.spot() });
        }
        match self.found.entry(code) {
            Entry::Occupied(known) => {
                let (first, second) = (known.get().0.clone(), entry.spot());
                Err(OccasionsError::Twice { first, second })
            }
            Entry::Vacant(free) => {
                let code = free.key().clone();
                free.insert((entry.spot(), Occasion { code, name, from_us, until_us, inside }));
                Ok(())
            }
        }
    }

    fn moment(&mut self, entry: &Entrant<'_>, name: &'static str) -> Result<i64, OccasionsError> {
        let text = entry.text(name)?.ok_or_else(|| entry.wrong(name, A_TIME))?;
        match self.time.text(text.as_bytes()) {
            Moment::MISSING | Moment::MALFORMED | Moment::LATER => Err(entry.wrong(name, A_TIME)),
            moment => Ok(moment.micros()),
        }
    }

    fn area_of_row(&self, row: &Row<'_>, columns: &Columns) -> Result<Area, TableError> {
        let filled =
            columns.area.iter().flatten().map(|(name, field)| Ok((*name, field, row.text(Some(field))?)));
        let filled: Vec<_> = filled.collect::<Result<_, TableError>>()?;
        let mut filled = filled.into_iter().filter_map(|(name, field, text)| Some((name, field, text?)));
        let (first, second) = (filled.next(), filled.next());
        match (first, second) {
            (Some((POSTAL_CODES, field, text)), None) => {
                let code = |code: &str| self.places.tree.postal_code(code);
                let expected = "postal codes that the places have, separated by blanks or `;`";
                each_of(text, code).map(Area::PostalCodes).ok_or_else(|| row.wrong(field, expected))
            }
            (Some((CELLS, field, text)), None) => {
                let cell = |cell_id: &str| self.plan.cell(cell_id.as_bytes());
                let expected = "cells that the plan has, separated by blanks or `;`";
                each_of(text, cell).map(Area::Cells).ok_or_else(|| row.wrong(field, expected))
            }
            (Some((_, field, text)), None) => {
                shape::of_wkt(text).map(Area::Polygon).map_err(|expected| row.wrong(field, expected))
            }
            (Some(_), Some((_, field, _))) => {
                Err(row.wrong(field, "nothing beside another area; one of postal_codes, cells, polygon"))
            }
            (None, _) => Err(columns.without_area(row)),
        }
    }

    fn inside(&self, area: &Area) -> Vec<bool> {
        let versions = self.plan.versions().iter();
        match area {
            Area::PostalCodes(places) => {
                let places: HashSet<PlaceId> = places.iter().copied().collect();
                versions.map(|version| version.place.is_some_and(|place| places.contains(&place))).collect()
            }
            Area::Cells(cells) => {
                let mut inside = vec![false; self.plan.versions().len()];
                for version in cells.iter().flat_map(|cell| self.plan.versions_of(*cell)) {
                    inside[version.0 as usize] = true;
                }
                inside
            }
            Area::Polygon(shape) => versions.map(|version| stands_in(shape, version)).collect(),
        }
    }
}

/// Whether a cell stands in a shape or on its edge.
fn stands_in(shape: &MultiPolygon<f64>, version: &CellVersion) -> bool {
    let Some((x, y)) = version.at else { return false };
    let at = Coord { x, y };
    let holds = |polygon: &Polygon<f64>| {
        polygon.bounding_rect().is_some_and(|bounds| bounds.intersects(&at)) && polygon.intersects(&at)
    };
    shape.0.iter().any(holds)
}

/// What each word of a list stands for; none if a word stands for nothing, or there is no word.
fn each_of<T>(text: &str, find: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let words = text.split(|c: char| c == ';' || c.is_whitespace()).filter(|word| !word.is_empty());
    let found: Option<Vec<T>> = words.map(find).collect();
    found.filter(|found| !found.is_empty())
}

/// Where a table has what.
struct Columns {
    occasion: Field,
    name: Option<Field>,
    start: Field,
    end: Field,
    area: [Option<(&'static str, Field)>; 3],
}

impl Columns {
    fn of(table: &mut Table) -> Result<Self, TableError> {
        let (occasion, name) = (table.require(&"occasion".into())?, table.find(&"name".into())?);
        let (start, end) = (table.require(&"start".into())?, table.require(&"end".into())?);
        let mut area = [const { None }; 3];
        for (slot, name) in area.iter_mut().zip([POSTAL_CODES, CELLS, POLYGON]) {
            *slot = table.find(&name.into())?.map(|field| (name, field));
        }
        if area.iter().all(Option::is_none) {
            table.require(&POSTAL_CODES.into())?;
        }
        Ok(Self { occasion, name, start, end, area })
    }

    /// The error is told of the first column of an area that there is.
    fn without_area(&self, row: &Row<'_>) -> TableError {
        let field = self.area.iter().flatten().next().map_or(&self.occasion, |(_, field)| field);
        row.wrong(field, "an area: one of postal_codes, cells, polygon")
    }

    fn field(&self, name: &str) -> Option<&Field> {
        match name {
            "occasion" => Some(&self.occasion),
            "name" => self.name.as_ref(),
            "start" => Some(&self.start),
            _ => Some(&self.end),
        }
    }
}

/// What declares an occasion: a row of a table or a feature of a collection.
enum Entrant<'a> {
    Row { row: &'a Row<'a>, columns: &'a Columns },
    Feature { spot: &'a Spot, feature: &'a Feature },
}

impl<'a> Entrant<'a> {
    fn spot(&self) -> Spot {
        match self {
            Self::Row { row, .. } => Spot::Row(row.at().clone()),
            Self::Feature { spot, .. } => (*spot).clone(),
        }
    }

    fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, OccasionsError> {
        match self {
            Self::Row { row, columns } => Ok(row.text(columns.field(name))?.map(Cow::Borrowed)),
            Self::Feature { spot, feature } => Ok(text_of(spot, feature, name)?),
        }
    }

    fn wrong(&self, name: &str, expected: &'static str) -> OccasionsError {
        match self {
            Self::Row { row, columns } => {
                let field = columns.field(name).unwrap_or(&columns.occasion);
                row.wrong(field, expected).into()
            }
            Self::Feature { spot, .. } => missing(spot, name, expected).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cell_plan::{CellColumns, cell_plan},
        places::tests::squares,
        table::tests::{folder, parquet_of, text_of},
    };
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray, TimestampMillisecondArray};

    /// 2026-10-15 20:00 in Brussels.
    const EIGHT_US: i64 = 1_792_087_200_000_000;
    const HOUR_US: i64 = 3_600_000_000;

    /// Two postal codes side by side, a cell in the middle of each, one without position, one that moves, one at sea.
    const PLAN: &str = "cell_id,postal_code,lon,lat,valid_from,valid_to\n\
        a,1,4.5,50.5,,\nb,2,5.5,50.5,,\nc,2,,,,\nm,1,4.5,50.5,2026-01-01,2026-10-01\n\
        m,2,5.6,50.5,2026-10-01,\nz,,9,59,,\n";

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<Occasion>, String> {
        let places = squares(&[("1", [4.0, 50.0, 5.0, 51.0]), ("2", [5.0, 50.0, 6.0, 51.0])]);
        let zone = TimeZone::get("Europe/Brussels").expect("bundled zone");
        let folder = folder(&[("cells.csv", PLAN.as_bytes()), (name, bytes)]);
        let columns = CellColumns::default();
        let (plan, _) =
            cell_plan(&[folder.path().join("cells.csv")], &columns, &places, &zone).expect("plan");
        occasions(&folder.path().join(name), &places, &plan, &zone).map_err(|error| text_of(error, &folder))
    }

    /// Which of a, b, c, m early, m late and z lie in the area.
    fn inside(occasion: &Occasion) -> String {
        occasion
            .inside
            .iter()
            .zip("abcmMz".chars())
            .filter(|(inside, _)| **inside)
            .map(|(_, cell)| cell)
            .collect()
    }

    #[test]
    fn an_area_is_postal_codes_cells_or_a_polygon() {
        let csv = "occasion,name,start,end,postal_codes,cells,polygon\n\
            codes,,2026-10-15T20:00,2026-10-15T23:00,1,,\n\
            all,Market day,2026-10-15T18:00:00Z,2026-10-16T00:00:00+02:00,1; 2,,\n\
            cells,,2026-10-15 20:00,2026-10-15 23:00,,m;z  a,\n\
            shape,,2026-10-15T20:00,2026-10-15T23:00,,,\"POLYGON((5.4 50.4,5.55 50.4,5.55 50.6,5.4 50.6,5.4 50.4))\"\n";
        let found = read("o.csv", csv.as_bytes()).expect("read");
        let seen: Vec<_> = found.iter().map(|o| (o.code.as_str(), o.name.as_str(), inside(o))).collect();
        let expected = [
            ("all", "Market day", "abcmM".to_owned()),
            ("cells", "cells", "amMz".to_owned()),
            ("codes", "codes", "am".to_owned()),
            ("shape", "shape", "bc".to_owned()),
        ];
        assert_eq!(seen, expected);
        assert!(found.iter().all(|o| o.from_us == EIGHT_US));
        let hours = found.iter().map(|o| (o.until_us - o.from_us) / HOUR_US).collect::<Vec<_>>();
        assert_eq!(hours, [2 + 2, 3, 3, 3]);
    }

    #[test]
    fn timestamps_and_features_declare_the_same() {
        let text = |text: &str| Arc::new(StringArray::from(vec![text.to_owned()])) as ArrayRef;
        let at = |us: i64| TimestampMillisecondArray::from(vec![us / 1_000]);
        let local = Arc::new(at(EIGHT_US + 2 * HOUR_US)) as ArrayRef;
        let zoned = Arc::new(at(EIGHT_US + 3 * HOUR_US).with_timezone("Europe/Brussels")) as ArrayRef;
        let parquet = parquet_of(vec![
            ("occasion", text("gig")),
            ("start", local),
            ("end", zoned),
            ("polygon", text("MULTIPOLYGON(((4 50,5 50,5 51,4 51,4 50)))")),
        ]);
        let json = r#"{"type":"FeatureCollection","features":[{"type":"Feature",
            "properties":{"occasion":"gig","start":"2026-10-15T20:00","end":"2026-10-15T23:00"},
            "geometry":{"type":"Polygon","coordinates":[[[4,50],[5,50],[5,51],[4,51],[4,50]]]}}]}"#;
        let [table, features] =
            [("o.parquet", parquet), ("o.geojson", json.as_bytes().to_vec())].map(|(name, bytes)| {
                let found = read(name, &bytes).expect(name);
                assert_eq!(found.len(), 1);
                found.into_iter().next().expect("one")
            });
        assert_eq!(table, features);
        assert_eq!((inside(&table).as_str(), table.from_us), ("am", EIGHT_US));
        assert_eq!(table.until_us, EIGHT_US + 3 * HOUR_US);
    }

    #[test]
    fn bad_occasions_are_told_by_where_they_stand() {
        let header = "occasion,start,end,postal_codes,cells,polygon";
        let (from, until) = ("2026-10-15T20:00", "2026-10-15T23:00");
        let good = format!("good,{from},{until},1,,");
        let start = "expected ISO 8601 such as 2026-10-15T20:00 or 2026-10-15T20:00:00+02:00";
        let cases = [
            (format!(",{from},{until},1,,"), ", column `occasion`: expected a code".to_owned()),
            (format!("x,{from},{from},1,,"), ", column `end`: expected a time after the start".to_owned()),
            (format!("x,,{until},1,,"), format!(", column `start`: {start}")),
            (format!("x,2026-10-15,{until},1,,"), format!(", column `start`: {start}")),
            (format!("x,{from},tonight,1,,"), format!(", column `end`: {start}")),
            (
                format!("x,{from},{until},1 3,,"),
                ", column `postal_codes`: expected postal codes that the places have, separated by blanks or `;`"
                    .to_owned(),
            ),
            (
                format!("x,{from},{until},,a;nowhere,"),
                ", column `cells`: expected cells that the plan has, separated by blanks or `;`".to_owned(),
            ),
            (
                format!("x,{from},{until},,,POINT(4 50)"),
                ", column `polygon`: expected a POLYGON or MULTIPOLYGON in well-known text, longitude before latitude"
                    .to_owned(),
            ),
            (
                format!("x,{from},{until},,,"),
                ", column `postal_codes`: expected an area: one of postal_codes, cells, polygon".to_owned(),
            ),
            (
                format!("x,{from},{until},1,a,"),
                ", column `cells`: expected nothing beside another area; one of postal_codes, cells, polygon"
                    .to_owned(),
            ),
            (
                format!("x,{from},{until},,,\"POLYGON((0 0,1 0,1 1,0 0))\""),
                ": no cell of the plan lies in the area; expected at least one".to_owned(),
            ),
            (good.clone(), ": the code of o.csv, row 1 (line 2) again; expected each occasion once".to_owned()),
        ];
        for (row, text) in cases {
            let error = read("o.csv", format!("{header}\n{good}\n{row}\n").as_bytes()).expect_err("refused");
            assert_eq!(error, format!("o.csv, row 2 (line 3){text}"));
        }
        let error = read("o.csv", b"occasion,start,end\nx,,\n").expect_err("refused");
        assert_eq!(error, "o.csv: no column `postal_codes`; found the columns occasion, start, end");
    }

    #[test]
    fn bad_features_are_told_by_their_number() {
        let square = r#"{"type":"Polygon","coordinates":[[[4,50],[5,50],[5,51],[4,51],[4,50]]]}"#;
        let times = r#""start":"2026-10-15T20:00","end":"2026-10-15T23:00""#;
        let cases = [
            (format!(r#"{{"occasion":"x",{times}}}"#), "null", ": expected a geometry, which is the area"),
            (format!("{{{times}}}"), square, ", property `occasion`: expected a code"),
            (
                format!(r#"{{"occasion":"x",{times}}}"#),
                r#"{"type":"Point","coordinates":[4,50]}"#,
                ": expected a Polygon or MultiPolygon",
            ),
            (
                r#"{"occasion":"x","start":"2026-10-15T20:00","end":"2026-10-15T19:00"}"#.to_owned(),
                square,
                ", property `end`: expected a time after the start",
            ),
        ];
        for (properties, geometry, text) in cases {
            let json = format!(
                r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{properties},"geometry":{geometry}}}]}}"#
            );
            let error = read("o.geojson", json.as_bytes()).expect_err("refused");
            assert_eq!(error, format!("o.geojson, feature 1{text}"));
        }
        let error = read("o.geojson", b"{\"type\":\"Feature\"").expect_err("refused");
        assert_eq!(error, "o.geojson: not readable as GeoJSON (line 1); expected a FeatureCollection");
    }
}
