//! A report by place and a second side, class of residence or end of a trip, of which only what is published has a row.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use throng_schema::{Period, Report, arrow_schema};

use crate::{
    columns::{Numbers, Periods, flags, row_said, text},
    fault::Faults,
    node::{ALL, Node, OTHER},
    number::Number,
    part::{Cell, Time, read},
    release::Release,
};

/// A published number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) number: Number,
    pub(crate) cell: Cell,
    /// Whether its row is said to be the finest of its place.
    pub(crate) finest: bool,
}

/// The numbers of one time.
pub(crate) struct Table {
    /// By the place or origin, and the class or destination.
    pub(crate) published: HashMap<(Node, Node), Entry>,
    /// The row of everybody, which residence has for every place.
    pub(crate) all: Vec<Cell>,
    /// Whether there is a row of what is withheld together, by place; the last is that of all origins.
    pub(crate) other: Vec<bool>,
}

impl Table {
    fn new(release: &Release) -> Self {
        let places = release.places.len();
        Self { published: HashMap::new(), all: vec![Cell::Missing; places], other: vec![false; places + 1] }
    }

    pub(crate) fn number(&self, place: Node, class: Node) -> Option<Number> {
        self.published.get(&(place, class)).map(|entry| entry.number)
    }
}

/// A report on one day.
pub(crate) struct Crossing {
    pub(crate) name: String,
    pub(crate) report: Report,
    pub(crate) tables: BTreeMap<Time, Table>,
    pub(crate) read: u64,
}

/// The words of the second side of a row.
struct Row<'a> {
    /// None where it is not one of the report.
    time: Option<Time>,
    place: (&'a str, &'a str),
    class: (&'a str, &'a str),
    finest: bool,
}

const UNKNOWN_PLACE: &str = "every row's time and place are the release's";
const UNKNOWN_CLASS: &str = "every class is known";
const SPARSE: &str =
    "only published numbers have a row below the total, and what is withheld has one together";
const TWICE: &str = "no row stands twice";

impl Crossing {
    /// Reads residence or flows of a day; none where it cannot be read, which is a fault already.
    pub(crate) fn read(release: &Release, report: Report, date: Date, faults: &mut Faults) -> Option<Self> {
        let name = Release::file(report, date);
        let batches = read(&release.dir, &name, &arrow_schema(report, &release.zone_name), faults)?;
        let times = release.periods(date);
        let tables = times.into_iter().map(|time| (time, Table::new(release))).collect();
        let mut part = Self { name, report, tables, read: 0 };
        let classes = match report {
            Report::Flows => ("destination_level", "destination"),
            _ => ("residence_level", "residence"),
        };
        for batch in &batches {
            let (periods, numbers) = (Periods::of(batch), Numbers::of(batch));
            let (levels, codes) = (text(batch, classes.0), text(batch, classes.1));
            let by_residence =
                (report == Report::Residence).then(|| (text(batch, "measure"), flags(batch, "finest")));
            for i in 0..batch.num_rows() {
                let fits = |(measures, _): &(&arrow::array::StringArray, _)| {
                    matches!(
                        (measures.value(i), periods.time(i).0),
                        ("presence", period) if period == Period::Hour.as_str()
                    ) || (measures.value(i), periods.time(i).0) == ("visitors", Period::Day.as_str())
                };
                let row = Row {
                    time: by_residence.as_ref().is_none_or(fits).then(|| periods.time(i)),
                    place: periods.place(i),
                    class: (levels.value(i), codes.value(i)),
                    finest: by_residence.as_ref().is_some_and(|(_, finest)| finest.value(i)),
                };
                if let Err(check) = part.take(&row, numbers.cell(i), release) {
                    faults.add(&part.name, check, || row_said(part.read, i));
                }
            }
            part.read += batch.num_rows() as u64;
        }
        Some(part)
    }

    fn take(
        &mut self,
        row: &Row,
        cell: Result<Cell, &'static str>,
        release: &Release,
    ) -> Result<(), &'static str> {
        let cell = cell?;
        let flows = self.report == Report::Flows;
        let (places, all) = (&release.places, release.places.all_node());
        let place = places.node(row.place.0, row.place.1);
        let place = place.filter(|place| *place < all || (flows && *place == all)).ok_or(UNKNOWN_PLACE)?;
        let table = row.time.and_then(|time| self.tables.get_mut(&time)).ok_or(UNKNOWN_PLACE)?;
        if row.class == (OTHER, OTHER) {
            if cell != Cell::Withheld || row.finest {
                return Err(SPARSE);
            }
            return if std::mem::replace(&mut table.other[place], true) { Err(TWICE) } else { Ok(()) };
        }
        let class = places.node(row.class.0, row.class.1).filter(|class| match places.all.get(*class) {
            Some(place) => flows || place.level != throng_schema::Level::PostalCode.as_str(),
            None => *class == all || !flows,
        });
        let class = class.ok_or(UNKNOWN_CLASS)?;
        if !flows && class == all {
            let there = &mut table.all[place];
            if *there != Cell::Missing {
                return Err(TWICE);
            }
            *there = cell;
        }
        let Cell::Published(people) = cell else {
            return match row.class.0 {
                ALL if !flows && row.finest => Err(crate::check::residence::FINEST),
                ALL if !flows => Ok(()),
                _ => Err(SPARSE),
            };
        };
        let entry = Entry { number: Number::of(people, release), cell, finest: row.finest };
        match table.published.insert((place, class), entry) {
            Some(_) => Err(TWICE),
            None => Ok(()),
        }
    }

    /// A number as faults name it.
    pub(crate) fn said(&self, (place, class): (Node, Node), time: Time, release: &Release) -> String {
        let to = if self.report == Report::Flows { "to" } else { "of" };
        let [place, class] = [place, class].map(|node| release.places.node_said(node));
        format!("{place} {to} {class}, {}", release.said(time))
    }
}
