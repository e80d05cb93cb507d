//! The columns of a batch by name, once its schema is known to be the report's.

use arrow::{
    array::{Array, AsArray, BooleanArray, Float64Array, PrimitiveArray, RecordBatch, StringArray},
    datatypes::{Float64Type, Int64Type, TimestampMillisecondType},
};

use crate::part::{Cell, Time, known_period};

pub(crate) fn text<'a>(batch: &'a RecordBatch, name: &str) -> &'a StringArray {
    batch[name].as_string::<i32>()
}

pub(crate) fn times<'a>(batch: &'a RecordBatch, name: &str) -> &'a PrimitiveArray<TimestampMillisecondType> {
    batch[name].as_primitive::<TimestampMillisecondType>()
}

pub(crate) fn flags<'a>(batch: &'a RecordBatch, name: &str) -> &'a BooleanArray {
    batch[name].as_boolean()
}

pub(crate) fn reals<'a>(batch: &'a RecordBatch, name: &str) -> &'a Float64Array {
    batch[name].as_primitive::<Float64Type>()
}

pub(crate) fn integers<'a>(batch: &'a RecordBatch, name: &str) -> &'a PrimitiveArray<Int64Type> {
    batch[name].as_primitive::<Int64Type>()
}

/// The columns that every report by period has.
pub(crate) struct Periods<'a> {
    start: &'a PrimitiveArray<TimestampMillisecondType>,
    period: &'a StringArray,
    level: &'a StringArray,
    place: &'a StringArray,
    status: &'a StringArray,
}

impl<'a> Periods<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self {
            start: times(batch, "period_start"),
            period: text(batch, "period"),
            level: text(batch, "level"),
            place: text(batch, "place"),
            status: text(batch, "status"),
        }
    }

    pub(crate) fn time(&self, row: usize) -> Time {
        (known_period(self.period.value(row)), self.start.value(row))
    }

    pub(crate) fn place(&self, row: usize) -> (&'a str, &'a str) {
        (self.level.value(row), self.place.value(row))
    }

    pub(crate) fn status(&self, row: usize) -> &'a str {
        self.status.value(row)
    }
}

/// The numbers of a report, with their status.
pub(crate) struct Numbers<'a> {
    people: &'a PrimitiveArray<Int64Type>,
    status: &'a StringArray,
}

impl<'a> Numbers<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self { people: integers(batch, "people"), status: text(batch, "status") }
    }

    /// The cell of a row, or what is wrong with it.
    pub(crate) fn cell(&self, row: usize) -> Result<Cell, &'static str> {
        let number = (!self.people.is_null(row)).then(|| self.people.value(row));
        Cell::parse(self.status.value(row), number)
    }
}

/// A row as faults name it, from 1.
pub(crate) fn row_said(before: u64, row: usize) -> String {
    format!("row {}", before + row as u64 + 1)
}
