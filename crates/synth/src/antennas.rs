//! The antennas: sites of up to three sectors, denser where people live, and the cell plan that lists them.

use std::io::{self, Write};

use jiff::civil::Date;

use crate::{
    dice::{Dice, Purpose},
    land::{CodeIx, Land, Point},
    parameters::Parameters,
};

/// A cell by its row in [`Antennas::ids`].
pub(crate) type CellIx = u32;

/// One row of the plan for one cell, or two when it moves next door.
struct Cell {
    code: CodeIx,
    at: Point,
    azimuth_deg: u32,
    beamwidth_deg: u32,
    range_m: u32,
    moves: Option<(CodeIx, Point)>,
}

/// Which cells serve which code.
struct Serving {
    /// Where each code's cells begin and end; a code without any has those of the nearest code with some.
    ranges: Vec<(u32, u32)>,
    cells: Vec<CellIx>,
}

/// All cells, and which serves what, when.
pub(crate) struct Antennas {
    /// The identifiers of the plan's cells, then of cells that no plan knows.
    pub(crate) ids: Vec<String>,
    planned: usize,
    cells: Vec<Cell>,
    before: Serving,
    after: Serving,
    move_date: Date,
    move_us: i64,
}

/// For every so many residents a cell, where no number is asked for.
const RESIDENTS_PER_CELL: f64 = 1_500.0;

impl Antennas {
    /// Builds the network; cells that move do so at `move_us`, the midnight at which `move_date` begins.
    pub(crate) fn build(parameters: &Parameters, land: &Land, move_date: Date, move_us: i64) -> Self {
        let mut dice = Dice::new(parameters.seed, Purpose::Antennas, 0, 0);
        let mut cells = Vec::new();
        for (code, count) in share_out(parameters.cells, land).into_iter().enumerate() {
            place_sites(&mut cells, &mut dice, land, code as CodeIx, count, parameters.moved_cells);
        }
        let before = Serving::of(land, cells.iter().map(|cell| cell.code));
        let after =
            Serving::of(land, cells.iter().map(|cell| cell.moves.map_or(cell.code, |(code, _)| code)));
        let planned = cells.len();
        let mut ids: Vec<String> =
            cells.iter().enumerate().map(|(n, cell)| cell_id(land, cell.code, n)).collect();
        let unplanned = (planned / 50).max(5);
        ids.extend((0..unplanned).map(|n| cell_id(land, (n % land.codes.len()) as CodeIx, 800_000 + n)));
        Self { ids, planned, cells, before, after, move_date, move_us }
    }

    /// How many cells the plan lists.
    pub(crate) fn planned(&self) -> usize {
        self.planned
    }

    /// The cells that serve a code at a time, never none.
    pub(crate) fn serving(&self, code: CodeIx, at_us: i64) -> &[CellIx] {
        let serving = if at_us < self.move_us { &self.before } else { &self.after };
        let (start, end) = serving.ranges[code as usize];
        &serving.cells[start as usize..end as usize]
    }

    /// The code that a cell of the plan serves at a time.
    pub(crate) fn code(&self, cell: CellIx, at_us: i64) -> Option<CodeIx> {
        let cell = self.cells.get(cell as usize)?;
        Some(if at_us < self.move_us { cell.code } else { cell.moves.map_or(cell.code, |(code, _)| code) })
    }

    /// A cell that the plan does not list, always the same one in the stead of a listed one.
    pub(crate) fn unplanned(&self, cell: CellIx) -> CellIx {
        (self.planned + cell as usize % (self.ids.len() - self.planned)) as CellIx
    }

    /// Writes `cells.csv`.
    pub(crate) fn write(&self, land: &Land, parameters: &Parameters, mut out: impl Write) -> io::Result<()> {
        let (named, dated) = (!parameters.geometry_only, parameters.moved_cells > 0.0);
        let postal_code = if named { ",postal_code" } else { "" };
        let validity = if dated { ",valid_from,valid_to" } else { "" };
        writeln!(out, "cell_id{postal_code},lon,lat,azimuth_deg,beamwidth_deg,range_m{validity}")?;
        for (id, cell) in self.ids.iter().zip(&self.cells) {
            let mut row = |code: CodeIx, at: Point, validity: &str| {
                let code = if named { format!(",{}", land.codes[code as usize].code) } else { String::new() };
                let ((lon, lat), validity) = (at.lon_lat(), if dated { validity } else { "" });
                let (azimuth, beam, range) = (cell.azimuth_deg, cell.beamwidth_deg, cell.range_m);
                writeln!(out, "{id}{code},{lon:.5},{lat:.5},{azimuth},{beam},{range}{validity}")
            };
            match cell.moves {
                Some((code, at)) => {
                    row(cell.code, cell.at, &format!(",,{}", self.move_date))?;
                    row(code, at, &format!(",{},", self.move_date))?;
                }
                None => row(cell.code, cell.at, ",,")?,
            }
        }
        out.flush()
    }
}

impl Serving {
    fn of(land: &Land, code_of_cell: impl Iterator<Item = CodeIx>) -> Self {
        let mut by_code: Vec<(CodeIx, CellIx)> = code_of_cell.zip(0..).collect();
        by_code.sort_unstable();
        let own: Vec<(u32, u32)> = (0..land.codes.len() as CodeIx)
            .map(|code| {
                let start = by_code.partition_point(|(other, _)| *other < code);
                (start as u32, by_code.partition_point(|(other, _)| *other <= code) as u32)
            })
            .collect();
        let served: Vec<usize> = (0..own.len()).filter(|code| own[*code].0 < own[*code].1).collect();
        let nearest = |code: usize| {
            let km = |other: &&usize| land.km(code as CodeIx, **other as CodeIx);
            served.iter().min_by(|a, b| km(a).total_cmp(&km(b)).then(a.cmp(b))).map_or(code, |other| *other)
        };
        let ranges =
            (0..own.len()).map(|c| if own[c].0 < own[c].1 { own[c] } else { own[nearest(c)] }).collect();
        Self { ranges, cells: by_code.into_iter().map(|(_, cell)| cell).collect() }
    }
}

/// How many cells each code gets: one at least while they last, the others by population.
fn share_out(wished: Option<u32>, land: &Land) -> Vec<usize> {
    let weights: Vec<f64> = land.codes.iter().map(|code| code.population + 60.0 * code.area_km2).collect();
    let total: f64 = weights.iter().sum();
    let residents: f64 = land.codes.iter().map(|code| code.population).sum();
    let n = land.codes.len();
    let cells = wished.map_or((residents / RESIDENTS_PER_CELL) as usize + n, |cells| cells as usize);
    let spare = cells.saturating_sub(n);
    let quota = |code: usize| spare as f64 * weights[code] / total;
    let mut counts: Vec<usize> =
        (0..n).map(|code| usize::from(spare > 0 || cells == n) + quota(code) as usize).collect();
    let mut left = cells - counts.iter().sum::<usize>().min(cells);
    let mut order: Vec<usize> = (0..n).collect();
    // The largest remainders first; with fewer cells than codes, the most populous codes first.
    let claim = |code: usize| if cells < n { weights[code] } else { quota(code).fract() };
    order.sort_by(|a, b| claim(*b).total_cmp(&claim(*a)).then(a.cmp(b)));
    for code in order.into_iter().cycle() {
        if left == 0 {
            break;
        }
        counts[code] += 1;
        left -= 1;
    }
    counts
}

fn place_sites(cells: &mut Vec<Cell>, dice: &mut Dice, land: &Land, code: CodeIx, count: usize, moved: f64) {
    // A sector's reach shrinks where antennas stand close; km2 per cell says how close.
    let reach_m = 1_100.0 * (land.codes[code as usize].area_km2 / count.max(1) as f64).sqrt();
    let (mut at, mut clear_km, mut turn_deg) = (land.codes[code as usize].middle, 0.1, 0);
    for sector in 0..count {
        if sector % 3 == 0 {
            (at, clear_km) = somewhere_in(land, code, sector / 3, dice);
            turn_deg = dice.below(120) as u32;
        }
        // Reaching twice as far as the border is near still leaves the larger part inside.
        let range_m =
            (reach_m * dice.between(0.8, 1.4)).min(2_000.0 * clear_km).clamp(150.0, 12_000.0) as u32;
        let (azimuth_deg, beamwidth_deg) = match count {
            1 => (0, 360),
            _ => ((turn_deg + 120 * (sector as u32 % 3)) % 360, [65, 90, 120][dice.below(3)]),
        };
        let moves = (dice.chance(moved) && !land.neighbours[code as usize].is_empty()).then(|| {
            let next_door = land.neighbours[code as usize][0];
            (next_door, somewhere_in(land, next_door, sector, dice).0)
        });
        cells.push(Cell { code, at, azimuth_deg, beamwidth_deg, range_m, moves });
    }
}

/// A point on the clear ground around an anchor of the code.
fn somewhere_in(land: &Land, code: CodeIx, site: usize, dice: &mut Dice) -> (Point, f64) {
    let code = &land.codes[code as usize];
    let anchor = code.anchors[site % code.anchors.len()];
    let (turn, km) = (dice.between(0.0, std::f64::consts::TAU), anchor.clear_km * 0.9 * dice.unit().sqrt());
    let at = Point { x_km: anchor.at.x_km + km * turn.cos(), y_km: anchor.at.y_km + km * turn.sin() };
    (at, anchor.clear_km - km)
}

/// Network, location area and cell number, as operators join them.
fn cell_id(land: &Land, code: CodeIx, n: usize) -> String {
    let number: usize = land.codes[code as usize].code.parse().unwrap_or(0);
    format!("206-01-{}-{}", 51_000 + number / 10, 10_000 + n / 3 * 16 + n % 3 + 1)
}
