//! The ground: postal codes with people and jobs, what lies next to what, and which way trips lead.

use rayon::prelude::*;

use crate::{
    dice::add_up,
    parameters::{Area, SynthError},
};

const POSTAL_CODES: &str = include_str!("../data/belgium-odbl/postal_codes.csv");
const ANCHOR_POINTS: &str = include_str!("../data/belgium-odbl/anchor_points.csv");

/// A postal code by its row in [`Land::codes`].
pub(crate) type CodeIx = u16;

/// Nowhere in the area: abroad, or elsewhere in the country.
pub(crate) const ABROAD: CodeIx = CodeIx::MAX;

/// How many neighbours of a code are kept.
pub(crate) const NEIGHBOURS: usize = 5;

// Degrees to kilometres on the latitude of Belgium: a plain scale, well within the error of the boundaries.
const KM_PER_LON: f64 = 70.4;
const KM_PER_LAT: f64 = 111.2;

/// A point of the map in kilometres east and north.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) x_km: f64,
    pub(crate) y_km: f64,
}

impl Point {
    pub(crate) fn at(lon: f64, lat: f64) -> Self {
        Self { x_km: lon * KM_PER_LON, y_km: lat * KM_PER_LAT }
    }

    pub(crate) fn lon_lat(self) -> (f64, f64) {
        (self.x_km / KM_PER_LON, self.y_km / KM_PER_LAT)
    }

    pub(crate) fn km_to(self, other: Self) -> f64 {
        (self.x_km - other.x_km).hypot(self.y_km - other.y_km)
    }
}

/// A point inside a code, with a distance that stays inside.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    pub(crate) at: Point,
    pub(crate) clear_km: f64,
}

/// One postal code.
#[derive(Clone)]
pub(crate) struct PostalCode {
    pub(crate) code: &'static str,
    pub(crate) middle: Point,
    pub(crate) area_km2: f64,
    pub(crate) population: f64,
    pub(crate) anchors: Vec<Anchor>,
}

/// The area, laid out for the questions that people and antennas ask.
pub(crate) struct Land {
    /// The codes of the area, ascending.
    pub(crate) codes: Vec<PostalCode>,
    /// The codes around it.
    pub(crate) outside: Vec<PostalCode>,
    /// The nearest other codes of each.
    pub(crate) neighbours: Vec<Vec<CodeIx>>,
    /// Residents, added up.
    pub(crate) residents: Vec<f32>,
    /// What draws day trips and holidays, added up.
    pub(crate) sights: Vec<f32>,
    /// For each code a row of weights, added up: where its people work and go.
    pull: Vec<f32>,
    map: Map,
}

impl Land {
    /// Takes the area out of the table of Belgium.
    pub(crate) fn of(area: &Area) -> Result<Self, SynthError> {
        let all = belgium();
        let within: Vec<bool> = all.iter().map(|code| holds(area, code)).collect();
        let map = Map::draw(&all, &within);
        let (mut codes, mut outside) = (Vec::new(), Vec::new());
        for (code, within) in all.into_iter().zip(within) {
            if within { codes.push(code) } else { outside.push(code) }
        }
        if codes.is_empty() {
            return Err(SynthError::EmptyArea);
        }
        Ok(Self {
            neighbours: neighbours(&codes),
            residents: add_up(codes.iter().map(|code| code.population)),
            sights: sights(&codes),
            pull: pull(&codes),
            codes,
            outside,
            map,
        })
    }

    /// Where people of a code work and go: weights over all codes, added up.
    pub(crate) fn pull(&self, from: CodeIx) -> &[f32] {
        let n = self.codes.len();
        &self.pull[from as usize * n..][..n]
    }

    pub(crate) fn km(&self, a: CodeIx, b: CodeIx) -> f64 {
        self.codes[a as usize].middle.km_to(self.codes[b as usize].middle)
    }

    /// The code at a point of the map; [`ABROAD`] outside the area.
    pub(crate) fn code_at(&self, at: Point) -> CodeIx {
        self.map.at(at)
    }

    /// The code of the area whose middle is nearest.
    pub(crate) fn nearest(&self, at: Point) -> CodeIx {
        let nearest = |a: &usize, b: &usize| {
            self.codes[*a].middle.km_to(at).total_cmp(&self.codes[*b].middle.km_to(at)).then(a.cmp(b))
        };
        (0..self.codes.len()).min_by(nearest).unwrap_or(0) as CodeIx
    }
}

fn belgium() -> Vec<PostalCode> {
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let mut codes: Vec<PostalCode> = POSTAL_CODES
        .lines()
        .skip(1)
        .filter_map(|line| {
            let [code, lon, lat, area, people] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
            let middle = Point::at(number(lon), number(lat));
            let (area_km2, population) = (number(area), number(people));
            Some(PostalCode { code, middle, area_km2, population, anchors: Vec::new() })
        })
        .collect();
    for line in ANCHOR_POINTS.lines().skip(1) {
        let fields: Vec<&'static str> = line.split(',').collect();
        if let Ok(row) = codes.binary_search_by_key(&fields[0], |code| code.code) {
            let at = Point::at(number(fields[1]), number(fields[2]));
            codes[row].anchors.push(Anchor { at, clear_km: number(fields[3]) / 1_000.0 });
        }
    }
    codes
}

fn holds(area: &Area, code: &PostalCode) -> bool {
    match area {
        Area::Belgium => true,
        Area::Codes(prefixes) => prefixes.iter().any(|prefix| code.code.starts_with(prefix.as_str())),
        Area::Around { lon, lat, radius_km } => code.middle.km_to(Point::at(*lon, *lat)) <= *radius_km,
    }
}

fn neighbours(codes: &[PostalCode]) -> Vec<Vec<CodeIx>> {
    codes
        .par_iter()
        .enumerate()
        .map(|(own, code)| {
            let km = |other: usize| codes[other].middle.km_to(code.middle);
            let mut others: Vec<_> = (0..codes.len()).filter(|n| *n != own).map(|n| (km(n), n)).collect();
            let nearer = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            if others.len() > NEIGHBOURS {
                others.select_nth_unstable_by(NEIGHBOURS, nearer);
                others.truncate(NEIGHBOURS);
            }
            others.sort_unstable_by(nearer);
            others.into_iter().map(|(_, other)| other as CodeIx).collect()
        })
        .collect()
}

/// Jobs and shops gather where people are dense, and most people choose what is near.
fn pull(codes: &[PostalCode]) -> Vec<f32> {
    let attraction: Vec<f64> = codes
        .iter()
        .map(|code| {
            let density = code.population / code.area_km2.max(0.1);
            code.population * (0.3 + density / (density + 1_500.0))
        })
        .collect();
    codes
        .par_iter()
        .flat_map_iter(|home| {
            add_up(codes.iter().zip(&attraction).map(|(other, attraction)| {
                // Within one code nobody travels zero kilometres.
                let km = home.middle.km_to(other.middle).max(0.4 * home.area_km2.sqrt());
                attraction * ((-km / 9.0).exp() + 0.03 * (-km / 45.0).exp())
            }))
        })
        .collect()
}

/// What draws visitors for a day or a weekend: the coast, the Ardennes, the old cities.
fn sights(codes: &[PostalCode]) -> Vec<f32> {
    let weight = |code: &PostalCode| match code.code {
        "8300" | "8301" | "8370" | "8400" | "8420" | "8430" | "8434" | "8450" | "8620" | "8660" | "8670" => {
            10.0
        }
        "1000" | "8000" => 15.0,
        "9000" | "2020" => 8.0,
        "3000" | "4000" | "5000" | "7000" | "5500" | "6900" | "6940" | "4900" => 3.0,
        other => match &other[..2] {
            "66" | "68" | "69" | "49" | "55" => 0.8,
            _ => 0.02,
        },
    };
    add_up(codes.iter().map(weight))
}

/// Which code lies where, on a grid of squares.
struct Map {
    west_km: f64,
    south_km: f64,
    columns: usize,
    squares: Vec<CodeIx>,
}

const SQUARE_KM: f64 = 0.8;

impl Map {
    /// Gives each square to the code with the nearest anchor, counted from the edge of its clear ground.
    fn draw(all: &[PostalCode], within: &[bool]) -> Self {
        let mut names = within.iter().scan(0, |next: &mut CodeIx, within| {
            *next += CodeIx::from(*within);
            Some(if *within { *next - 1 } else { ABROAD })
        });
        let mut anchors: Vec<(Anchor, CodeIx)> = Vec::new();
        for code in all {
            let name = names.next().unwrap_or(ABROAD);
            anchors.extend(code.anchors.iter().map(|anchor| (*anchor, name)));
        }
        anchors.sort_by(|(a, _), (b, _)| a.at.y_km.total_cmp(&b.at.y_km));
        let edge = |pick: fn(&Point) -> f64, sign: f64| {
            anchors.iter().map(|(a, _)| sign * pick(&a.at)).fold(f64::MAX, f64::min) * sign - sign * 5.0
        };
        let (west_km, south_km) = (edge(|p| p.x_km, 1.0), edge(|p| p.y_km, 1.0));
        let (east_km, north_km) = (edge(|p| p.x_km, -1.0), edge(|p| p.y_km, -1.0));
        let columns = ((east_km - west_km) / SQUARE_KM) as usize + 1;
        let rows = ((north_km - south_km) / SQUARE_KM) as usize + 1;
        let squares = (0..rows * columns)
            .into_par_iter()
            .map(|square| {
                let x_km = west_km + ((square % columns) as f64 + 0.5) * SQUARE_KM;
                let y_km = south_km + ((square / columns) as f64 + 0.5) * SQUARE_KM;
                nearest_anchor(&anchors, Point { x_km, y_km })
            })
            .collect();
        Self { west_km, south_km, columns, squares }
    }

    fn at(&self, at: Point) -> CodeIx {
        let column = ((at.x_km - self.west_km) / SQUARE_KM).max(0.0) as usize;
        let row = ((at.y_km - self.south_km) / SQUARE_KM).max(0.0) as usize;
        let square = row * self.columns + column.min(self.columns - 1);
        self.squares[square.min(self.squares.len() - 1)]
    }
}

/// Walks north and south from the point until no anchor further away could be nearer.
fn nearest_anchor(anchors: &[(Anchor, CodeIx)], at: Point) -> CodeIx {
    const CLEAR_KM_MAX: f64 = 7.0;
    let middle = anchors.partition_point(|(anchor, _)| anchor.at.y_km < at.y_km);
    let (mut best_km, mut best) = (f64::MAX, ABROAD);
    let mut look = |(anchor, name): &(Anchor, CodeIx)| {
        if (anchor.at.y_km - at.y_km).abs() - CLEAR_KM_MAX > best_km {
            return false;
        }
        let km = anchor.at.km_to(at) - anchor.clear_km;
        if km < best_km {
            (best_km, best) = (km, *name);
        }
        true
    };
    let _ = anchors[middle..].iter().all(&mut look);
    let _ = anchors[..middle].iter().rev().all(&mut look);
    best
}
