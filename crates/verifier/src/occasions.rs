//! Occasions: which parts of which postal codes each holds, and the report of all of them in one file.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Fields, Int32Type, TimeUnit},
};
use throng_schema::{Report, arrow_schema};

use crate::{
    classes::DWELL,
    columns::{Numbers, row_said, text, times},
    fault::Faults,
    node::{ALL, Node, OTHER},
    part::{Cell, read, read_if},
    release::Release,
};

/// Which areas and windows the occasions have.
pub(crate) const CATALOGUE: &str = "occasions.parquet";

/// A part of a postal code, of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) place: usize,
    pub(crate) part: i32,
    pub(crate) parts: i32,
}

/// An occasion's window and area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occasion {
    pub(crate) code: String,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) pieces: Vec<Piece>,
}

/// What is counted of an occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Measure {
    Presence,
    Typical,
    Visitors,
    Arrivals,
    Departures,
    Residence,
    Dwell,
}

impl Measure {
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Presence, "presence"),
        (Self::Typical, "typical"),
        (Self::Visitors, "visitors"),
        (Self::Arrivals, "arrivals"),
        (Self::Departures, "departures"),
        (Self::Residence, "residence"),
        (Self::Dwell, "dwell"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(measure, _)| *measure == self).map_or("", |(_, word)| word)
    }
}

/// A class of an occasion's visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    Residence(Node),
    Other,
    Dwell(usize),
}

/// Occasion, measure, time and class of a row.
pub(crate) type Key = (usize, Measure, i64, Class);

/// The report.
pub(crate) struct Occasions {
    pub(crate) name: String,
    pub(crate) all: Vec<Occasion>,
    pub(crate) cells: BTreeMap<Key, Cell>,
    pub(crate) read: u64,
}

impl Occasions {
    /// Reads both files; none where one cannot be read, which is a fault already.
    pub(crate) fn read(release: &Release, faults: &mut Faults) -> Option<Self> {
        let all = catalogue(&release.dir, release, faults)?;
        let name = Release::file_of_all(Report::Occasions);
        let schema = arrow_schema(Report::Occasions, &release.zone_name);
        let batches = read(&release.dir, &name, &schema, faults)?;
        let index: HashMap<String, usize> =
            all.iter().enumerate().map(|(i, occasion)| (occasion.code.clone(), i)).collect();
        let mut report = Self { name, all, cells: BTreeMap::new(), read: 0 };
        for batch in &batches {
            let numbers = Numbers::of(batch);
            let at = times(batch, "at");
            let [occasion, measure, level, class] =
                ["occasion", "measure", "class_level", "class"].map(|name| text(batch, name));
            for row in 0..batch.num_rows() {
                let measure = Measure::ALL.iter().find(|(_, word)| *word == measure.value(row));
                let class = measure
                    .and_then(|(measure, _)| known(*measure, level.value(row), class.value(row), release));
                let known = index.get(occasion.value(row)).zip(measure).zip(class);
                let key = known
                    .map(|((occasion, (measure, _)), class)| (*occasion, *measure, at.value(row), class));
                if let Err(check) = report.take(key, numbers.cell(row)) {
                    faults.add(&report.name, check, || row_said(report.read, row));
                }
            }
            report.read += batch.num_rows() as u64;
        }
        Some(report)
    }

    fn take(&mut self, key: Option<Key>, cell: Result<Cell, &'static str>) -> Result<(), &'static str> {
        let (key, cell) = (key.ok_or("every occasion, measure and class is known")?, cell?);
        match self.cells.insert(key, cell) {
            None => Ok(()),
            Some(_) => Err("no row stands twice"),
        }
    }

    pub(crate) fn cell(&self, occasion: usize, measure: Measure, at_ms: i64, class: Class) -> Cell {
        self.cells.get(&(occasion, measure, at_ms, class)).copied().unwrap_or(Cell::Missing)
    }

    /// The rows of one measure of an occasion.
    pub(crate) fn of(
        &self,
        occasion: usize,
        measure: Measure,
    ) -> impl Iterator<Item = (i64, Class, Cell)> + '_ {
        let first = (occasion, measure, i64::MIN, Class::Residence(0));
        let of = self.cells.range(first..).take_while(move |(key, _)| (key.0, key.1) == (occasion, measure));
        of.map(|((_, _, at_ms, class), cell)| (*at_ms, *class, *cell))
    }

    /// A row as faults name it.
    pub(crate) fn said(&self, (occasion, measure, at_ms, class): Key, release: &Release) -> String {
        let class = match class {
            Class::Residence(node) => release.places.node_said(node),
            Class::Other => OTHER.to_owned(),
            Class::Dwell(class) => DWELL[class].to_owned(),
        };
        let code = &self.all[occasion].code;
        format!("occasion {code}, {} of {class}, {}", measure.word(), release.said(("at", at_ms)))
    }
}

/// The class of a row: everybody, a residence, or the time spent.
fn known(measure: Measure, level: &str, class: &str, release: &Release) -> Option<Class> {
    let places = &release.places;
    match measure {
        Measure::Dwell => DWELL.iter().position(|known| *known == class).map(Class::Dwell),
        Measure::Residence if (level, class) == (OTHER, OTHER) => Some(Class::Other),
        Measure::Residence => {
            let node = places.node(level, class)?;
            let finest = throng_schema::Level::PostalCode.as_str();
            places.all.get(node).is_none_or(|place| place.level != finest).then_some(Class::Residence(node))
        }
        _ => ((level, class) == (ALL, ALL)).then(|| Class::Residence(places.all_node())),
    }
}

fn catalogue(dir: &Path, release: &Release, faults: &mut Faults) -> Option<Vec<Occasion>> {
    let zone: std::sync::Arc<str> = release.zone_name.as_str().into();
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some(zone));
    let expected = [
        ("occasion", DataType::Utf8),
        ("name", DataType::Utf8),
        ("start", time.clone()),
        ("end", time),
        ("postal_code", DataType::Utf8),
        ("part", DataType::Int32),
        ("parts", DataType::Int32),
    ];
    let fits = |fields: &Fields| {
        fields.len() == expected.len()
            && fields
                .iter()
                .zip(&expected)
                .all(|(field, (name, kind))| field.name() == name && field.data_type() == kind)
    };
    let mut found: BTreeMap<String, Occasion> = BTreeMap::new();
    let mut cuts: HashMap<usize, i32> = HashMap::new();
    let mut before = 0;
    for batch in read_if(dir, CATALOGUE, fits, faults)? {
        for row in 0..batch.num_rows() {
            if let Err(check) = piece(&batch, row, release, &mut found, &mut cuts) {
                faults.add(CATALOGUE, check, || row_said(before, row));
            }
        }
        before += batch.num_rows() as u64;
    }
    if release.rows.get(CATALOGUE) != Some(&before) {
        let rows = || format!("{before} rows");
        faults.add(CATALOGUE, "the file has the rows that the manifest says", rows);
    }
    Some(found.into_values().collect())
}

/// Takes one row: a part of a postal code that an occasion's area holds.
fn piece(
    batch: &RecordBatch,
    row: usize,
    release: &Release,
    found: &mut BTreeMap<String, Occasion>,
    cuts: &mut HashMap<usize, i32>,
) -> Result<(), &'static str> {
    let null = ["occasion", "start", "end", "postal_code", "part", "parts"];
    if null.iter().any(|name| batch[*name].is_null(row)) {
        return Err("every part of an area is told in full");
    }
    let number = |name: &str| batch[name].as_primitive::<Int32Type>().value(row);
    let (code, postal_code) = (text(batch, "occasion").value(row), text(batch, "postal_code").value(row));
    let (start_ms, end_ms) = (times(batch, "start").value(row), times(batch, "end").value(row));
    let level = throng_schema::Level::PostalCode.as_str();
    let place = release.places.find(level, postal_code).ok_or("areas lie in places of the release")?;
    let piece = Piece { place, part: number("part"), parts: number("parts") };
    let occasion = found.entry(code.to_owned()).or_insert_with(|| Occasion {
        code: code.to_owned(),
        start_ms,
        end_ms,
        pieces: Vec::new(),
    });
    if (occasion.start_ms, occasion.end_ms) != (start_ms, end_ms) || start_ms >= end_ms {
        return Err("an occasion has one window, which ends after it begins");
    }
    let cut = *cuts.entry(place).or_insert(piece.parts);
    // Parts are numbered, whether from 0 or from 1.
    if cut != piece.parts || !(0..=cut).contains(&piece.part) {
        return Err("a postal code is cut into the same parts for every occasion");
    }
    if occasion.pieces.contains(&piece) {
        return Err("no row stands twice");
    }
    occasion.pieces.push(piece);
    Ok(())
}
