//! The columns of every file of a release, in one place for writer, verifier and documentation.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::release::Report;

/// The columns of a report, with its times on the clock of the named zone.
#[must_use]
pub fn arrow_schema(report: Report, zone: &str) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let period = || [Field::new("period_start", time.clone(), false), text("period")];
    let place = || [text("level"), text("place")];
    let people = || [Field::new("people", DataType::Int64, true), text("status")];
    let fields: Vec<Field> = match report {
        Report::Presence => {
            [Field::new("instant", time.clone(), false)].into_iter().chain(place()).chain(people()).collect()
        }
        Report::Visitors => period().into_iter().chain(place()).chain(people()).collect(),
        Report::Residence => [text("measure")]
            .into_iter()
            .chain(period())
            .chain(place())
            .chain([text("residence_level"), text("residence")])
            .chain([Field::new("finest", DataType::Boolean, false)])
            .chain(people())
            .collect(),
        Report::Dwell => period().into_iter().chain(place()).chain([text("dwell")]).chain(people()).collect(),
        Report::Frequency => {
            period().into_iter().chain(place()).chain([text("days")]).chain(people()).collect()
        }
        Report::Flows => period()
            .into_iter()
            .chain(place())
            .chain([text("destination_level"), text("destination")])
            .chain(people())
            .collect(),
        Report::Occasions => [text("occasion"), text("measure"), Field::new("at", time.clone(), false)]
            .into_iter()
            .chain([text("class_level"), text("class")])
            .chain(people())
            .collect(),
        Report::Context => period()
            .into_iter()
            .chain(place())
            .chain([Field::new("visitors", DataType::Int64, true), number("presence")])
            .chain([number("population"), number("area_km2")])
            .chain(
                ["visitors_per_1000", "visitors_per_km2", "presence_per_1000", "presence_per_km2"]
                    .map(number),
            )
            .chain([text("status")])
            .collect(),
    };
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
