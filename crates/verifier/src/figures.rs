//! Context: numbers of people beside census figures, a row for every place and day.

use arrow::{array::Array, datatypes::Fields};
use jiff::civil::Date;
use throng_schema::{Report, arrow_schema};

use crate::{
    columns::{Periods, integers, reals, row_said},
    fault::Faults,
    part::{Time, read_if},
    release::Release,
};

/// The row of a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) visitors: Option<i64>,
    pub(crate) presence: Option<f64>,
    pub(crate) population: Option<f64>,
    pub(crate) area_km2: Option<f64>,
    /// As in [`RATES`].
    pub(crate) rates: [Option<f64>; 4],
    pub(crate) status: String,
}

pub(crate) const RATES: [&str; 4] =
    ["visitors_per_1000", "visitors_per_km2", "presence_per_1000", "presence_per_km2"];

/// The file of a day.
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) time: Time,
    pub(crate) rows: Vec<Option<Figures>>,
    pub(crate) read: u64,
}

impl Context {
    /// Reads the file of a day; none where it cannot be read, which is a fault already.
    pub(crate) fn read(release: &Release, date: Date, faults: &mut Faults) -> Option<Self> {
        let name = Release::file(Report::Context, date);
        let schema = arrow_schema(Report::Context, &release.zone_name);
        let batches = read_if(&release.dir, &name, |fields| fits(fields, schema.fields()), faults)?;
        let time = release.day_of(date);
        let mut part = Self { name, time, rows: vec![None; release.places.len()], read: 0 };
        for batch in &batches {
            let periods = Periods::of(batch);
            let visitors = integers(batch, "visitors");
            let real = |name: &str, row: usize| {
                let column = reals(batch, name);
                (!column.is_null(row)).then(|| column.value(row))
            };
            for row in 0..batch.num_rows() {
                let figures = Figures {
                    visitors: (!visitors.is_null(row)).then(|| visitors.value(row)),
                    presence: real("presence", row),
                    population: real("population", row),
                    area_km2: real("area_km2", row),
                    rates: RATES.map(|name| real(name, row)),
                    status: periods.status(row).to_owned(),
                };
                let (level, place) = periods.place(row);
                let place = release.places.find(level, place).filter(|_| periods.time(row) == time);
                let check = match place {
                    None => "every row's time and place are the release's",
                    Some(place) => match part.rows[place].replace(figures) {
                        None => continue,
                        Some(_) => "no row stands twice",
                    },
                };
                faults.add(&part.name, check, || row_said(part.read, row));
            }
            part.read += batch.num_rows() as u64;
        }
        Some(part)
    }
}

/// The columns of the report, and between the last rate and the status any others of the census.
fn fits(fields: &Fields, report: &Fields) -> bool {
    let Some((status, rest)) = report.split_last() else { return false };
    fields.get(..rest.len()) == Some(rest) && fields.len() > rest.len() && fields.last() == Some(status)
}
