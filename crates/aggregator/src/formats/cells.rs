//! A record batch seen cell by cell, for formats that write rows.

use arrow::{
    array::{
        Array, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType},
};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::FormatError;

/// What stands in a row of a column.
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    Whole(i64),
    Number(f64),
    Truth(bool),
    Time(Moment<'a>),
}

/// A moment on the clock of its column.
pub(super) struct Moment<'a> {
    at: Timestamp,
    zone: &'a TimeZone,
}

impl Moment<'_> {
    /// In ISO 8601, with the zone's offset at that moment.
    pub(super) fn iso(&self) -> String {
        self.at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
    }

    /// What the local clock shows, in days since the last day of 1899, as spreadsheets count.
    pub(super) fn spreadsheet_days(&self) -> f64 {
        let shown = self.zone.to_datetime(self.at);
        let midnight = civil::date(1899, 12, 30).to_datetime(civil::Time::midnight());
        shown.duration_since(midnight).as_secs_f64() / 86_400.0
    }
}

enum Values<'a> {
    Text(&'a StringArray),
    Whole(&'a Int64Array),
    Small(&'a Int32Array),
    Number(&'a Float64Array),
    Truth(&'a BooleanArray),
    Time(&'a TimestampMillisecondArray, TimeZone),
}

/// A column of a batch.
pub(super) struct Cells<'a> {
    values: Values<'a>,
    array: &'a dyn Array,
}

impl<'a> Cells<'a> {
    /// Every column of a batch, in order.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Vec<Self>, FormatError> {
        let fields = batch.schema_ref().fields().iter();
        fields.zip(batch.columns()).map(|(field, array)| Self::new(field.name(), array)).collect()
    }

    fn new(name: &str, array: &'a dyn Array) -> Result<Self, FormatError> {
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Int64 => Values::Whole(array.as_primitive::<Int64Type>()),
            DataType::Int32 => Values::Small(array.as_primitive::<Int32Type>()),
            DataType::Float64 => Values::Number(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Values::Truth(array.as_boolean()),
            DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) => {
                Values::Time(array.as_primitive::<TimestampMillisecondType>(), TimeZone::get(zone)?)
            }
            _ => return Err(FormatError::Column(name.to_owned())),
        };
        Ok(Self { values, array })
    }

    /// What stands in a row.
    pub(super) fn cell(&self, row: usize) -> Result<Cell<'_>, FormatError> {
        if self.array.is_null(row) {
            return Ok(Cell::Null);
        }
        Ok(match &self.values {
            Values::Text(values) => Cell::Text(values.value(row)),
            Values::Whole(values) => Cell::Whole(values.value(row)),
            Values::Small(values) => Cell::Whole(values.value(row).into()),
            Values::Number(values) => Cell::Number(values.value(row)),
            Values::Truth(values) => Cell::Truth(values.value(row)),
            Values::Time(values, zone) => {
                Cell::Time(Moment { at: Timestamp::from_millisecond(values.value(row))?, zone })
            }
        })
    }
}
