//! Reads census figures: population, area and whatever else is known of places.

use std::path::Path;

use geo::{GeodesicArea, LineString, MultiPolygon, Polygon};
use rayon::prelude::*;
use throng_schema::{Census, CensusRow, Level, PlaceId};

use crate::{
    codes::{CodeFields, PlaceCodes},
    places::Places,
    table::{Field, Layout, TABLE_ENDINGS, Table, TableError, files_of},
};

const A_FIGURE: &str = "a number of 0 or more";

/// Reads the figures of places from a table, a folder or a pattern, in the order of the places.
///
/// The columns are `place` (a code), perhaps `level` (without it, the code must be that of one place alone),
/// `population`, perhaps `area_km2`, and the `further` ones. A field may be empty: the figure is not known. An area
/// that is not given is that of the polygons of the place's postal codes on the WGS 84 ellipsoid, if all have one.
///
/// # Errors
/// When a file cannot be read or lacks a column, a code is that of no place or of several, a figure is no finite
/// number of 0 or more, or a place stands twice.
pub fn census(path: &Path, places: &Places, further: &[String]) -> Result<Census, TableError> {
    let codes = PlaceCodes::new(&places.tree);
    let mut rows: Vec<Option<CensusRow>> = vec![None; places.tree.len()];
    for file in files_of(path, &TABLE_ENDINGS)? {
        let mut table = Table::open(&file, Layout::THINGS)?;
        let fields = Fields::of(&mut table, further)?;
        table.each(|row| {
            let place = codes.place(row, &fields.code)?;
            let known = &mut rows[place.index()];
            if known.is_some() {
                return Err(row.wrong(&fields.code.code, "each place once"));
            }
            let figure = |field: Option<&Field>| row.number(field, 0.0..=f64::MAX, A_FIGURE);
            *known = Some(CensusRow {
                place,
                population: figure(Some(&fields.population))?,
                area_km2: figure(fields.area_km2.as_ref())?,
                further: fields.further.iter().map(|field| figure(Some(field))).collect::<Result<_, _>>()?,
            });
            Ok::<_, TableError>(())
        })?;
    }
    let mut rows: Vec<CensusRow> = rows.into_iter().flatten().collect();
    if rows.iter().any(|row| row.area_km2.is_none()) {
        let areas = areas_km2(places);
        for row in &mut rows {
            row.area_km2 = row.area_km2.or(areas[row.place.index()]);
        }
    }
    Ok(Census { columns: further.to_vec(), rows })
}

/// Where a table has what.
struct Fields {
    code: CodeFields,
    population: Field,
    area_km2: Option<Field>,
    further: Vec<Field>,
}

impl Fields {
    fn of(table: &mut Table, further: &[String]) -> Result<Self, TableError> {
        Ok(Self {
            code: CodeFields::of(table, "place")?,
            population: table.require(&"population".into())?,
            area_km2: table.find(&"area_km2".into())?,
            further: further
                .iter()
                .map(|name| table.require(&name.as_str().into()))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The area of each place in square kilometres; none where a postal code in it has no polygon.
fn areas_km2(places: &Places) -> Vec<Option<f64>> {
    let tree = &places.tree;
    let mut areas: Vec<Option<f64>> = vec![None; tree.len()];
    let measured: Vec<(PlaceId, f64)> =
        places.shapes.par_iter().map(|(place, shape)| (*place, area_km2(shape))).collect();
    for (place, area) in measured {
        areas[place.index()] = Some(area);
    }
    // Children stand after their parents, so that each sum is ready when it is asked for.
    for place in tree.ids().rev().filter(|place| tree.level(*place) != Level::PostalCode) {
        areas[place.index()] = tree.children(place).map(|child| areas[child.index()]).sum();
    }
    areas
}

/// The area of a shape, whichever way round its rings run.
fn area_km2(shape: &MultiPolygon<f64>) -> f64 {
    let ring_m2 = |ring: &LineString<f64>| {
        let filled: Polygon<f64> = Polygon::new(ring.clone(), Vec::new());
        filled.geodesic_area_signed().abs()
    };
    let polygon_m2 = |polygon: &Polygon<f64>| {
        ring_m2(polygon.exterior()) - polygon.interiors().iter().map(ring_m2).sum::<f64>()
    };
    shape.0.iter().map(polygon_m2).sum::<f64>() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        places::tests::squares,
        table::tests::{folder, parquet_of, text_of},
    };
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};

    /// A square degree on the equator on the WGS 84 ellipsoid, in square kilometres.
    const SQUARE_KM2: f64 = 12_308.778;

    fn two_squares() -> Places {
        squares(&[("1000", [0.0, 0.0, 1.0, 1.0]), ("2000", [1.0, 0.0, 2.0, 1.0])])
    }

    type Figures = Vec<(String, Option<f64>, Option<f64>, Vec<Option<f64>>)>;

    fn read(name: &str, bytes: &[u8], places: &Places, further: &[&str]) -> Result<Figures, String> {
        let folder = folder(&[(name, bytes)]);
        let further: Vec<String> = further.iter().map(|name| (*name).to_owned()).collect();
        let found = census(&folder.path().join(name), places, &further).map_err(|e| text_of(e, &folder))?;
        assert_eq!(found.columns, further);
        assert!(found.rows.is_sorted_by_key(|row| row.place));
        let code = |row: &CensusRow| places.tree.code(row.place).to_owned();
        Ok(found
            .rows
            .into_iter()
            .map(|row| (code(&row), row.population, row.area_km2, row.further))
            .collect())
    }

    #[test]
    fn figures_stand_in_the_order_of_the_places_and_may_be_unknown() {
        let csv = "level,place,population,area_km2,jobs,rooms\npostal_code,2000,10,1.5,3,\n,C,30.5,,,7\n,1000,,0,0,1\n";
        let found = read("c.csv", csv.as_bytes(), &two_squares(), &["rooms", "jobs"]).expect("read");
        assert_eq!(found[1], ("1000".to_owned(), None, Some(0.0), vec![Some(1.0), Some(0.0)]));
        assert_eq!(found[2], ("2000".to_owned(), Some(10.0), Some(1.5), vec![None, Some(3.0)]));
        let (code, population, area_km2, further) = found[0].clone();
        assert_eq!((code.as_str(), population, further), ("C", Some(30.5), vec![Some(7.0), None]));
        let area = area_km2.expect("both have a polygon");
        assert!((area - 2.0 * SQUARE_KM2).abs() < 0.1, "{area}");
        let parquet = parquet_of(vec![
            ("place", Arc::new(Int32Array::from(vec![1000])) as ArrayRef),
            ("population", Arc::new(Int64Array::from(vec![12]))),
            ("area_km2", Arc::new(Float64Array::from(vec![0.25]))),
        ]);
        let expected = vec![("1000".to_owned(), Some(12.0), Some(0.25), vec![])];
        assert_eq!(read("c.parquet", &parquet, &two_squares(), &[]), Ok(expected));
    }

    #[test]
    fn an_area_is_only_computed_where_all_of_it_is_known() {
        let mut places = two_squares();
        let lines = "place,population\n1000,1\n2000,2\nC,3\nXX,4\n";
        let areas = |places: &Places| {
            let found = read("c.csv", lines.as_bytes(), places, &[]).expect("read");
            found.into_iter().map(|(code, _, area, _)| (code, area.map(f64::round))).collect::<Vec<_>>()
        };
        let (one, two) = (Some(SQUARE_KM2.round()), Some((2.0 * SQUARE_KM2).round()));
        let named = |areas: [Option<f64>; 4]| {
            ["XX", "C", "1000", "2000"].map(str::to_owned).into_iter().zip(areas).collect::<Vec<_>>()
        };
        assert_eq!(areas(&places), named([two, two, one, one]));
        places.shapes.pop();
        assert_eq!(areas(&places), named([None, None, one, None]));
        let hole = "POLYGON((0 0,0 1,1 1,1 0,0 0),(0.25 0.25,0.75 0.25,0.75 0.75,0.25 0.75,0.25 0.25))";
        let holed = area_km2(&crate::shape::of_wkt(hole).expect("polygon"));
        assert!((holed / SQUARE_KM2 - 0.75).abs() < 1e-4, "{holed}");
    }

    #[test]
    fn bad_figures_are_told_by_row_and_column() {
        let belgium = Places::belgium().expect("built in");
        let header = "place,level,population,area_km2,jobs\n1000,,1,1,1\n";
        let cases = [
            (",,1,1,1", "place", "the code of a place"),
            ("1001,,1,1,1", "place", "the code of a place"),
            ("1070,commune,1,1,1", "place", "the code of a place"),
            ("1070,town,1,1,1", "level", "postal_code, commune, province, region or country"),
            ("04000,,1,1,1", "place", "the code of one place alone, or its level in a column `level`"),
            ("1000,postal_code,1,1,1", "place", "each place once"),
            ("1070,,-1,1,1", "population", A_FIGURE),
            ("1070,,many,1,1", "population", A_FIGURE),
            ("1070,,1,inf,1", "area_km2", A_FIGURE),
            ("1070,,1,1,NaN", "jobs", A_FIGURE),
        ];
        for (row, column, expected) in cases {
            let csv = format!("{header}{row}\n");
            let error = read("c.csv", csv.as_bytes(), &belgium, &["jobs"]).expect_err("refused");
            assert_eq!(error, format!("c.csv, row 2 (line 3), column `{column}`: expected {expected}"));
        }
        let csv = format!("{header}04000,region,1,1,1\n04000,province,2,1,1\n");
        assert_eq!(read("c.csv", csv.as_bytes(), &belgium, &[]).map(|rows| rows.len()), Ok(3));
        let error = read("c.csv", b"place,population\n1000,1\n", &belgium, &["jobs"]).expect_err("refused");
        assert_eq!(error, "c.csv: no column `jobs`; found the columns place, population");
    }
}
