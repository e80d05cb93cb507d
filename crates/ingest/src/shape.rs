//! Reads polygons from GeoJSON, WKB and WKT, and refuses coordinates that are no place on Earth.

use geo::{Coord, LineString, MultiPolygon, Polygon};
use geojson::GeometryValue;
use wkt::Wkt;

const POLYGONS: &str = "a Polygon or MultiPolygon";
const DEGREES: &str = "coordinates in WGS 84 degrees (longitude from -180 to 180, latitude from -90 to 90)";
const CLOSED: &str = "rings of at least four points that end where they begin";
const TEXT: &str = "a POLYGON or MULTIPOLYGON in well-known text, longitude before latitude";
const WHOLE: &str = "a whole WKB Polygon or MultiPolygon";

/// What was expected instead of what the shape is.
pub(crate) type Expected = &'static str;

/// The polygons of a GeoJSON geometry.
pub(crate) fn of_geojson(geometry: &GeometryValue) -> Result<MultiPolygon<f64>, Expected> {
    let polygon = |rings: &Vec<Vec<geojson::Position>>| {
        let ring = |ring: &Vec<geojson::Position>| {
            closed(ring.iter().map(|at| match at.as_slice() {
                [x, y, ..] => on_earth(*x, *y),
                _ => Err(DEGREES),
            }))
        };
        polygon_of(rings.iter().map(ring))
    };
    match geometry {
        GeometryValue::Polygon { coordinates } => Ok(MultiPolygon(vec![polygon(coordinates)?])),
        GeometryValue::MultiPolygon { coordinates } => {
            Ok(MultiPolygon(coordinates.iter().map(polygon).collect::<Result<_, _>>()?))
        }
        _ => Err(POLYGONS),
    }
}

/// The polygons of well-known text (OGC 06-103r4, section 7), with or without Z and M.
pub(crate) fn of_wkt(text: &str) -> Result<MultiPolygon<f64>, Expected> {
    // Before the parser sees it: collections nest, and a text of brackets could exhaust the stack.
    let kind = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if !["POLYGON", "MULTIPOLYGON"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(TEXT);
    }
    if !ends_with_its_bracket(text) {
        return Err(TEXT);
    }
    let ring =
        |ring: &wkt::types::LineString<f64>| closed(ring.coords().iter().map(|at| on_earth(at.x, at.y)));
    let polygon = |polygon: &wkt::types::Polygon<f64>| polygon_of(polygon.rings().iter().map(ring));
    let polygons = match text.parse::<Wkt<f64>>().map_err(|_| TEXT)? {
        Wkt::Polygon(one) => vec![polygon(&one)?],
        Wkt::MultiPolygon(many) => many.polygons().iter().map(polygon).collect::<Result<_, _>>()?,
        _ => return Err(TEXT),
    };
    if polygons.is_empty() { Err(CLOSED) } else { Ok(MultiPolygon(polygons)) }
}

/// Whether nothing stands behind the bracket that closes the first: the parser would pass over it in silence.
fn ends_with_its_bracket(text: &str) -> bool {
    let mut depth = 0_i64;
    let end = text.bytes().position(|byte| {
        depth += i64::from(byte == b'(') - i64::from(byte == b')');
        byte == b')' && depth <= 0
    });
    end.is_none_or(|end| text[end + 1..].trim().is_empty())
}

fn on_earth(x: f64, y: f64) -> Result<Coord<f64>, Expected> {
    // NaN is in no range.
    if (-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y) {
        Ok(Coord { x, y })
    } else {
        Err(DEGREES)
    }
}

fn closed(points: impl Iterator<Item = Result<Coord<f64>, Expected>>) -> Result<LineString<f64>, Expected> {
    let ring: Vec<_> = points.collect::<Result<_, _>>()?;
    if ring.len() < 4 || ring.first() != ring.last() { Err(CLOSED) } else { Ok(LineString(ring)) }
}

fn polygon_of(
    mut rings: impl Iterator<Item = Result<LineString<f64>, Expected>>,
) -> Result<Polygon<f64>, Expected> {
    let exterior = rings.next().ok_or(CLOSED)??;
    Ok(Polygon::new(exterior, rings.collect::<Result<_, _>>()?))
}

/// The polygons of well-known binary (OGC 06-103r4, section 8.2; GeoParquet's encoding), with or without Z and M.
///
/// A MultiPolygon holds Polygons only, so nesting ends there; counts are never trusted beyond the bytes there are.
pub(crate) fn of_wkb(bytes: &[u8]) -> Result<MultiPolygon<f64>, Expected> {
    let mut wkb = Wkb { rest: bytes, little: true };
    let polygons = match wkb.kind()? {
        (3, dimensions) => vec![wkb.polygon(dimensions)?],
        (6, _) => {
            let polygons = (0..wkb.u32()?).map(|_| match wkb.kind()? {
                (3, dimensions) => wkb.polygon(dimensions),
                _ => Err(WHOLE),
            });
            polygons.collect::<Result<_, _>>()?
        }
        _ => return Err(POLYGONS),
    };
    if wkb.rest.is_empty() { Ok(MultiPolygon(polygons)) } else { Err(WHOLE) }
}

struct Wkb<'a> {
    rest: &'a [u8],
    little: bool,
}

impl Wkb<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Expected> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(WHOLE)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Expected> {
        let bytes = self.take()?;
        Ok(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn f64(&mut self) -> Result<f64, Expected> {
        let bytes = self.take()?;
        Ok(if self.little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) })
    }

    /// The type of geometry that follows and how many numbers a point has.
    fn kind(&mut self) -> Result<(u32, u32), Expected> {
        self.little = match self.take()? {
            [0] => false,
            [1] => true,
            _ => return Err(WHOLE),
        };
        let code = self.u32()?;
        // ISO adds 1000 for Z, 2000 for M, 3000 for both; PostGIS sets high bits, and one more for an SRID.
        if code & 0x2000_0000 != 0 {
            self.u32()?;
        }
        let (flags, iso) = (code >> 30, code & 0x0fff_ffff);
        let more = match iso / 1_000 {
            0 => flags.count_ones(),
            1 | 2 => 1,
            3 => 2,
            _ => return Err(WHOLE),
        };
        Ok((iso % 1_000, 2 + more))
    }

    fn polygon(&mut self, dimensions: u32) -> Result<Polygon<f64>, Expected> {
        let rings = self.u32()?;
        polygon_of((0..rings).map(|_| self.ring(dimensions)))
    }

    fn ring(&mut self, dimensions: u32) -> Result<LineString<f64>, Expected> {
        let points = self.u32()?;
        closed((0..points).map(|_| {
            let (x, y) = (self.f64()?, self.f64()?);
            for _ in 2..dimensions {
                self.f64()?;
            }
            on_earth(x, y)
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A square as WKB, in either byte order and any flavour of dimensions.
    pub(crate) fn wkb_square(little: bool, code: u32, extra: usize, [x0, y0, x1, y1]: [f64; 4]) -> Vec<u8> {
        let int = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let real = |n: f64| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut bytes = vec![u8::from(little)];
        bytes.extend(int(code));
        if code & 0x2000_0000 != 0 {
            bytes.extend(int(4326));
        }
        bytes.extend([int(1), int(5)].concat());
        for (x, y) in [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)] {
            bytes.extend([real(x), real(y)].concat());
            bytes.extend(real(7.0).repeat(extra));
        }
        bytes
    }

    #[test]
    fn wkb_of_every_flavour_is_the_same_square() {
        let square = [4.0, 50.0, 5.0, 51.0];
        let plain = of_wkb(&wkb_square(true, 3, 0, square)).expect("polygon");
        assert_eq!(plain.0[0].exterior().0.len(), 5);
        for (code, extra) in
            [(3, 0), (1003, 1), (2003, 1), (3003, 2), (0x8000_0003, 1), (0x4000_0003, 1), (0xe000_0003, 2)]
        {
            for little in [true, false] {
                assert_eq!(of_wkb(&wkb_square(little, code, extra, square)), Ok(plain.clone()), "{code:x}");
            }
        }
        let two = [
            vec![1, 6, 0, 0, 0, 2, 0, 0, 0],
            wkb_square(false, 3, 0, square),
            wkb_square(true, 3, 0, square),
        ];
        assert_eq!(of_wkb(&two.concat()).map(|shape| shape.0.len()), Ok(2));
    }

    #[test]
    fn wkb_that_is_cut_long_or_no_polygon_is_refused() {
        let square = wkb_square(true, 3, 0, [4.0, 50.0, 5.0, 51.0]);
        for cut in 0..square.len() {
            assert_eq!(of_wkb(&square[..cut]), Err(WHOLE), "{cut}");
        }
        assert_eq!(of_wkb(&[square.as_slice(), &[0]].concat()), Err(WHOLE));
        assert_eq!(of_wkb(&[1, 1, 0, 0, 0]), Err(POLYGONS));
        assert_eq!(of_wkb(&[1, 3, 0, 0, 0, 255, 255, 255, 255]), Err(WHOLE));
        assert_eq!(of_wkb(&wkb_square(true, 3, 0, [f64::NAN, 50.0, 5.0, 51.0])), Err(DEGREES));
        assert_eq!(of_wkb(&wkb_square(true, 3, 0, [4.0, 50.0, 5.0, f64::INFINITY])), Err(DEGREES));
    }

    #[test]
    fn wkt_of_every_flavour_is_the_same_square() {
        let expected = of_wkb(&wkb_square(true, 3, 0, [4.0, 50.0, 5.0, 51.0])).expect("polygon");
        for text in [
            "POLYGON ((4 50, 5 50, 5 51, 4 51, 4 50))",
            " polygon((4.0 5e1,5 50,5 51,4 51,4 50)) ",
            "POLYGON Z ((4 50 7, 5 50 7, 5 51 7, 4 51 7, 4 50 7))",
            "MULTIPOLYGON (((4 50, 5 50, 5 51, 4 51, 4 50)))",
        ] {
            assert_eq!(of_wkt(text), Ok(expected.clone()), "{text}");
        }
        let hole = "POLYGON ((4 50, 5 50, 5 51, 4 51, 4 50), (4.1 50.1, 4.2 50.1, 4.2 50.2, 4.1 50.1))";
        assert_eq!(of_wkt(hole).map(|shape| shape.0[0].interiors().len()), Ok(1));
        let nested = "GEOMETRYCOLLECTION (".repeat(1_000_000);
        let cases = [
            ("", TEXT),
            ("POINT (4 50)", TEXT),
            ("POLYGON ((4 50, 5 50", TEXT),
            ("POLYGON ((4 50, 5 50, 5 51, 4 51, 4 50)) and more", TEXT),
            (nested.as_str(), TEXT),
            ("POLYGON ((4 50, 5 50, 5 51, 4 50)) POLYGON ((4 50, 5 50, 5 51, 4 50))", TEXT),
            ("POLYGON EMPTY", CLOSED),
            ("MULTIPOLYGON EMPTY", CLOSED),
            ("POLYGON ((4 50, 5 50, 5 51, 4 51))", CLOSED),
            ("POLYGON ((50 4, 150 95, 5 51, 50 4))", DEGREES),
        ];
        for (text, expected) in cases {
            assert_eq!(of_wkt(text), Err(expected), "{}", &text[..text.len().min(60)]);
        }
    }

    #[test]
    fn rings_must_close() {
        let line = GeometryValue::new_polygon([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]);
        assert_eq!(of_geojson(&line), Err(CLOSED));
        assert_eq!(of_geojson(&GeometryValue::Polygon { coordinates: vec![] }), Err(CLOSED));
        assert_eq!(of_geojson(&GeometryValue::new_point([0.0, 0.0])), Err(POLYGONS));
    }
}
