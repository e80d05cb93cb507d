//! The witnesses of a run's certificates, in the ledger: why no withheld number can be shown to be small.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use throng_anonymiser::Witness;
use throng_schema::PlaceId;

use crate::{
    release::{ReleaseError, encode, write_ledger_file},
    reports::{Report, Reports},
    shape::ShapeError,
};

/// The name of their file in the ledger.
const NAME: &str = "witnesses.parquet";

/// Writes `witnesses.parquet` into the ledger's folder, readable by its owner alone.
///
/// A row says how many `devices` one witness of a `report` has in one place `at` one time. Witness 0 names all places
/// of the finest level where there is somebody; each further one is witness 0 but for the places that it names.
///
/// # Errors
/// When it cannot be written.
pub fn write_witnesses(
    witnesses: &[Witness],
    reports: &Reports,
    folder: &Path,
) -> Result<PathBuf, ReleaseError> {
    // Presence is the one table of sums that there is so far.
    let instants = reports.calendar().instants().at_us();
    let tree = reports.tree();
    let entries = || {
        witnesses.iter().flat_map(|witness| witness.devices.iter().map(move |(slot, n)| (witness, *slot, *n)))
    };
    let place = |slot: usize| PlaceId(u32::try_from(slot).unwrap_or(u32::MAX));
    let zone: Arc<str> = reports.calendar().zone().iana_name().unwrap_or("UTC").into();
    let at = entries().map(|(witness, _, _)| instants[witness.time].div_euclid(1_000));
    let number = entries().map(|(witness, _, _)| i32::try_from(witness.number).unwrap_or(i32::MAX));
    let devices = entries().map(|(_, _, devices)| i64::try_from(devices).unwrap_or(i64::MAX));
    let columns: [(&str, DataType, ArrayRef); 6] = [
        (
            "report",
            DataType::Utf8,
            Arc::new(entries().map(|_| Some(Report::Presence.as_str())).collect::<StringArray>()),
        ),
        (
            "at",
            DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::clone(&zone))),
            Arc::new(at.map(Some).collect::<TimestampMillisecondArray>().with_timezone(zone)),
        ),
        ("witness", DataType::Int32, Arc::new(number.collect::<Int32Array>())),
        (
            "level",
            DataType::Utf8,
            Arc::new(
                entries().map(|(_, slot, _)| Some(tree.level(place(slot)).as_str())).collect::<StringArray>(),
            ),
        ),
        (
            "place",
            DataType::Utf8,
            Arc::new(entries().map(|(_, slot, _)| Some(tree.code(place(slot)))).collect::<StringArray>()),
        ),
        ("devices", DataType::Int64, Arc::new(devices.collect::<Int64Array>())),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone(), false)).collect();
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(ShapeError::from)?;
    let bytes = encode(&batch, &schema)
        .map_err(|source| ReleaseError::Parquet { path: folder.join(NAME), source })?;
    write_ledger_file(folder, NAME, &bytes)
}
