//! The columns of every file of a release, in one place for writer, verifier and documentation.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::release::Report;

/// The columns of a report, with its times on the clock of the named zone.
#[must_use]
pub fn arrow_schema(report: Report, zone: &str) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into()));
    let mut fields = match report {
        Report::Presence => vec![Field::new("instant", time, false)],
        Report::Visitors => {
            vec![Field::new("period_start", time, false), Field::new("period", DataType::Utf8, false)]
        }
    };
    fields.extend([
        Field::new("level", DataType::Utf8, false),
        Field::new("place", DataType::Utf8, false),
        Field::new("people", DataType::Int64, true),
        Field::new("status", DataType::Utf8, false),
    ]);
    Arc::new(Schema::new(fields))
}

/// The columns of `places.parquet`.
#[must_use]
pub fn places_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let names = ["name_fr", "name_nl", "name_de"].map(|name| text(name, true));
    let fields: Vec<Field> =
        [text("level", false), text("place", false), text("parent", true)].into_iter().chain(names).collect();
    Arc::new(Schema::new(fields))
}
