//! A part of a report as GeoParquet 1.1: each row with the polygon and the names of its place.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use geo::{
    BoundingRect, MultiPolygon, Polygon, Rect, Validation,
    algorithm::unary_union,
    orient::{Direction, Orient},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use serde_json::json;
use throng_schema::{Names, PlaceId, PlaceTree};

use super::FormatError;

const GEOMETRY: &str = "geometry";

/// A polygon stands once in a file, in the column's dictionary, however many instants a day has. The usual limit of
/// a megabyte would give that up for a country and repeat every polygon in every row.
const DICTIONARY_BYTES_MAX: usize = 1 << 30;

/// One of a place's names.
type Pick = fn(&Names) -> Option<&str>;

/// What a row gets from its place.
struct Shape {
    names: Names,
    /// None where no polygon is known.
    polygon: Option<(Vec<u8>, Rect<f64>)>,
}

/// The polygons and names of all places, built once for a release.
pub struct Geometries {
    shapes: Vec<Shape>,
    /// Places by level and then code, as reports name them.
    places: BTreeMap<&'static str, BTreeMap<String, PlaceId>>,
}

impl Geometries {
    /// From the polygons of postal codes in WGS 84 degrees; a larger place is the union of those that lie in it.
    #[must_use]
    pub fn new(tree: &PlaceTree, polygons: &[(PlaceId, MultiPolygon<f64>)]) -> Self {
        let mut within: Vec<Vec<Polygon<f64>>> = vec![Vec::new(); tree.len()];
        for (postal_code, polygon) in polygons {
            let mut above = Some(*postal_code);
            while let Some(place) = above {
                // The union asks for rings that turn alike.
                within[place.index()].extend(polygon.orient(Direction::Default));
                above = tree.parent(place);
            }
        }
        let shapes = tree.ids().zip(within).map(|(id, within)| {
            let within = MultiPolygon(within);
            // Readers refuse a ring that crosses itself, and a union has none.
            let as_given = tree.children(id).next().is_none() && within.is_valid();
            let polygon = if as_given { within } else { unary_union(&within.0).orient(Direction::Default) };
            Shape { names: tree.names(id).clone(), polygon: encode(&polygon) }
        });
        let mut places: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for id in tree.ids() {
            places.entry(tree.level(id).as_str()).or_default().insert(tree.code(id).to_owned(), id);
        }
        Self { shapes: shapes.collect(), places }
    }

    /// The place of each row.
    fn rows(&self, batch: &RecordBatch) -> Result<Vec<Option<PlaceId>>, FormatError> {
        let text = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| FormatError::Column(name.to_owned()))
        };
        let (levels, codes) = (text("level")?, text("place")?);
        let find = |row: usize| self.places.get(levels.value(row))?.get(codes.value(row)).copied();
        Ok((0..batch.num_rows()).map(find).collect())
    }

    fn names(&self, rows: &[Option<PlaceId>], pick: Pick) -> ArrayRef {
        let name = |row: &Option<PlaceId>| row.and_then(|id| pick(&self.shapes[id.index()].names));
        Arc::new(rows.iter().map(name).collect::<StringArray>())
    }

    /// The polygons of the rows, each distinct one once, and what they span.
    fn polygons(&self, rows: &[Option<PlaceId>]) -> Result<(ArrayRef, Option<Rect<f64>>), FormatError> {
        let mut keys: Vec<Option<i32>> = vec![None; self.shapes.len()];
        let (mut polygons, mut bounds) = (Vec::new(), None);
        for id in rows.iter().flatten() {
            if let (None, Some((wkb, spans))) = (keys[id.index()], &self.shapes[id.index()].polygon) {
                keys[id.index()] = i32::try_from(polygons.len()).ok();
                polygons.push(wkb.as_slice());
                bounds = Some(bounds.map_or(*spans, |bounds| union_of(bounds, *spans)));
            }
        }
        let keys: Int32Array = rows.iter().map(|row| row.and_then(|id| keys[id.index()])).collect();
        let array = DictionaryArray::try_new(keys, Arc::new(BinaryArray::from(polygons)))?;
        Ok((Arc::new(array), bounds))
    }
}

fn union_of(a: Rect<f64>, b: Rect<f64>) -> Rect<f64> {
    Rect::new(
        (a.min().x.min(b.min().x), a.min().y.min(b.min().y)),
        (a.max().x.max(b.max().x), a.max().y.max(b.max().y)),
    )
}

fn encode(polygon: &MultiPolygon<f64>) -> Option<(Vec<u8>, Rect<f64>)> {
    Some((wkb(polygon), polygon.bounding_rect()?))
}

/// ISO WKB of a MultiPolygon, little-endian. The crates that write it bring more than these lines are.
fn wkb(shape: &MultiPolygon<f64>) -> Vec<u8> {
    const LITTLE: u8 = 1;
    const POLYGON: u32 = 3;
    const MULTI_POLYGON: u32 = 6;
    let mut wkb = Vec::new();
    let head = |wkb: &mut Vec<u8>, kind: u32| {
        wkb.push(LITTLE);
        wkb.extend(kind.to_le_bytes());
    };
    let count = |wkb: &mut Vec<u8>, count: usize| {
        wkb.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    };
    head(&mut wkb, MULTI_POLYGON);
    count(&mut wkb, shape.0.len());
    for polygon in &shape.0 {
        head(&mut wkb, POLYGON);
        count(&mut wkb, 1 + polygon.interiors().len());
        for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
            count(&mut wkb, ring.0.len());
            wkb.extend(ring.coords().flat_map(|at| [at.x.to_le_bytes(), at.y.to_le_bytes()]).flatten());
        }
    }
    wkb
}

/// Whether the rows of a batch are about places, and so may have polygons.
pub(crate) fn has_places(batch: &RecordBatch) -> bool {
    ["level", "place"].iter().all(|name| batch.column_by_name(name).is_some())
}

/// The bytes of a part: the columns of the report, then names and polygon of the row's place (of a flow,
/// its origin). A row whose place has no polygon has none.
pub(crate) fn geoparquet_bytes(batch: &RecordBatch, geometries: &Geometries) -> Result<Vec<u8>, FormatError> {
    let rows = geometries.rows(batch)?;
    let (polygons, bounds) = geometries.polygons(&rows)?;
    let names: [(&str, Pick); 3] = [
        ("name_fr", |names| names.fr.as_deref()),
        ("name_nl", |names| names.nl.as_deref()),
        ("name_de", |names| names.de.as_deref()),
    ];
    let mut columns = batch.columns().to_vec();
    columns.extend(names.iter().map(|(_, pick)| geometries.names(&rows, *pick)));
    columns.push(polygons);
    let with_geometry = |kind: DataType| -> SchemaRef {
        let names = names.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true));
        let mut fields: Vec<Field> =
            batch.schema_ref().fields().iter().map(|field| field.as_ref().clone()).chain(names).collect();
        fields.push(Field::new(GEOMETRY, kind, true));
        Arc::new(Schema::new(fields))
    };
    let dictionary = columns[columns.len() - 1].data_type().clone();
    let batch = RecordBatch::try_new(with_geometry(dictionary), columns)?;
    // To readers the column is plain binary, as GeoParquet asks; the dictionary is how it is stored.
    let schema = with_geometry(DataType::Binary);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties(bounds)))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn properties(bounds: Option<Rect<f64>>) -> WriterProperties {
    let geometry = ColumnPath::from(GEOMETRY);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_statistics_enabled(geometry.clone(), EnabledStatistics::None)
        .set_column_dictionary_page_size_limit(geometry, DICTIONARY_BYTES_MAX)
        .set_created_by(concat!("throng version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new("geo".to_owned(), metadata(bounds))]))
        .build()
}

/// The field `geo` of GeoParquet 1.1. Coordinates are longitude and latitude (OGC:CRS84), which is what a missing
/// `crs` means.
fn metadata(bounds: Option<Rect<f64>>) -> String {
    let mut column = json!({
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "orientation": "counterclockwise",
    });
    if let Some(bounds) = bounds {
        column["bbox"] = json!([bounds.min().x, bounds.min().y, bounds.max().x, bounds.max().y]);
    }
    json!({ "version": "1.1.0", "primary_column": GEOMETRY, "columns": { GEOMETRY: column } }).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::formats::tests::{presence, town};

    fn square(west: f64) -> MultiPolygon<f64> {
        // Clockwise on purpose.
        let ring = vec![(west, 50.0), (west, 51.0), (west + 1.0, 51.0), (west + 1.0, 50.0), (west, 50.0)];
        MultiPolygon(vec![Polygon::new(ring.into(), Vec::new())])
    }

    fn whole_town() -> Geometries {
        let tree = town();
        let code = |code: &str| tree.postal_code(code).expect("known");
        Geometries::new(&tree, &[(code("4000"), square(5.0)), (code("4020"), square(6.0))])
    }

    /// The outer rings of a MultiPolygon without holes.
    fn rings(wkb: &[u8]) -> Vec<Vec<(f64, f64)>> {
        let word = |at: usize| u32::from_le_bytes(wkb[at..at + 4].try_into().expect("4 bytes")) as usize;
        let float = |at: usize| f64::from_le_bytes(wkb[at..at + 8].try_into().expect("8 bytes"));
        assert_eq!((wkb[0], word(1)), (1, 6));
        let mut at = 9;
        let rings = (0..word(5)).map(|_| {
            assert_eq!((wkb[at], word(at + 1), word(at + 5)), (1, 3, 1));
            let (start, corners) = (at + 13, word(at + 9));
            at = start + 16 * corners;
            (0..corners).map(|i| (float(start + 16 * i), float(start + 16 * i + 8))).collect()
        });
        let rings = rings.collect();
        assert_eq!(at, wkb.len(), "nothing is left");
        rings
    }

    fn read(bytes: Vec<u8>) -> (RecordBatch, serde_json::Value) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let pairs = reader.metadata().file_metadata().key_value_metadata().expect("metadata");
        let geo = pairs.iter().find(|pair| pair.key == "geo").and_then(|pair| pair.value.as_deref());
        let geo = serde_json::from_str(geo.expect("geo")).expect("JSON");
        let batches: Vec<_> = reader.build().expect("reader").map(|batch| batch.expect("batch")).collect();
        (arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one"), geo)
    }

    #[test]
    fn a_row_has_the_polygon_and_names_of_its_place() {
        let batch = presence(
            0,
            &[
                ("postal_code", "4000", Some(50)),
                ("commune", "C", None),
                ("all", "all", None),
                ("commune", "D", None),
            ],
        );
        let bytes = geoparquet_bytes(&batch, &whole_town()).expect("GeoParquet");
        assert_eq!(bytes, geoparquet_bytes(&batch, &whole_town()).expect("again"));
        let (found, geo) = read(bytes);
        assert_eq!(found.columns()[..5], batch.columns()[..], "the report is as it was");
        assert_eq!(geo["columns"]["geometry"]["bbox"], json!([5.0, 50.0, 7.0, 51.0]));
        assert_eq!((&geo["version"], &geo["primary_column"]), (&json!("1.1.0"), &json!("geometry")));
        let polygons = found.column_by_name("geometry").expect("geometry").as_binary::<i32>();
        assert_eq!(
            rings(polygons.value(0)),
            [[(5.0, 50.0), (5.0, 51.0), (6.0, 51.0), (6.0, 50.0), (5.0, 50.0)]
                .into_iter()
                .rev()
                .collect::<Vec<_>>()],
            "counterclockwise"
        );
        let commune = rings(polygons.value(1));
        assert_eq!(commune.len(), 1, "no border within");
        assert!([(5.0, 50.0), (7.0, 51.0)].iter().all(|corner| commune[0].contains(corner)));
        assert!(polygons.is_null(2) && polygons.is_null(3));
        let names = found.column_by_name("name_fr").expect("names").as_string::<i32>();
        assert_eq!((names.value(0), names.is_null(2)), ("Liège", true));
    }

    #[test]
    fn a_polygon_stands_once_in_a_file_however_often_its_place_does() {
        let rows = vec![("postal_code", "4000", Some(50)); 5_000];
        let often = geoparquet_bytes(&presence(0, &rows), &whole_town()).expect("GeoParquet");
        let once = geoparquet_bytes(&presence(0, &rows[..1]), &whole_town()).expect("GeoParquet");
        assert!(often.len() < once.len() + 1_000, "{} and {} bytes", often.len(), once.len());
    }

    #[test]
    fn a_ring_that_crosses_itself_is_mended() {
        let tree = town();
        let bow = vec![(5.0, 50.0), (6.0, 51.0), (6.0, 50.0), (5.0, 50.8), (5.0, 50.0)];
        let bow = MultiPolygon(vec![Polygon::new(bow.into(), Vec::new())]);
        let geometries = Geometries::new(&tree, &[(tree.postal_code("4000").expect("known"), bow)]);
        let batch = presence(0, &[("postal_code", "4000", Some(50))]);
        let (found, _) = read(geoparquet_bytes(&batch, &geometries).expect("GeoParquet"));
        let polygons = found.column_by_name(GEOMETRY).expect("geometry").as_binary::<i32>();
        for ring in rings(polygons.value(0)) {
            assert!(Polygon::new(ring.into(), Vec::new()).is_valid());
        }
    }

    #[test]
    fn places_without_polygons_make_a_file_without_bounds() {
        let geometries = Geometries::new(&town(), &[]);
        let (found, geo) =
            read(geoparquet_bytes(&presence(0, &[("commune", "C", None)]), &geometries).expect("file"));
        assert_eq!(found.column_by_name("geometry").expect("geometry").null_count(), 1);
        assert!(geo["columns"]["geometry"].get("bbox").is_none());
    }
}
