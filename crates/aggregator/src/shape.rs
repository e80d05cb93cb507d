//! Behind the wall: protected numbers become the rows of a report, shaped and joined by Polars.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, SchemaRef},
};
use polars::prelude::*;
use throng_anonymiser::ProtectedTable;
use throng_schema::{Period, PlaceTree, Status};

use crate::expansion::Expansion;

/// A frame that could not be shaped: a bug, said as an error.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// Polars refused.
    #[error("a report could not be shaped: {0}")]
    Polars(#[from] PolarsError),
    /// Arrow refused.
    #[error("a report could not be laid out in columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A column has another type than the report declares.
    #[error("the column {0} of a report has the wrong type")]
    Column(String),
}

/// Every place of the release, in the tree's order: `place_ix, level, place, parent, name_fr, name_nl, name_de`.
pub(crate) fn places_frame(tree: &PlaceTree) -> Result<DataFrame, ShapeError> {
    let ids = || tree.ids();
    let names = |pick: fn(&throng_schema::Names) -> Option<&str>| {
        ids().map(|id| pick(tree.names(id))).collect::<Vec<_>>()
    };
    Ok(df!(
        "place_ix" => ids().map(|id| id.0).collect::<Vec<_>>(),
        "level" => ids().map(|id| tree.level(id).as_str()).collect::<Vec<_>>(),
        "place" => ids().map(|id| tree.code(id)).collect::<Vec<_>>(),
        "parent" => ids().map(|id| tree.parent(id).map(|above| tree.code(above))).collect::<Vec<_>>(),
        "name_fr" => names(|names| names.fr.as_deref()),
        "name_nl" => names(|names| names.nl.as_deref()),
        "name_de" => names(|names| names.de.as_deref()),
    )?)
}

/// The times of a part of a report, as `time_ix`, `at_ms` and `period`.
pub(crate) fn times_frame(times: &[(usize, i64)], period: Option<Period>) -> Result<DataFrame, ShapeError> {
    Ok(df!(
        "time_ix" => times.iter().map(|(ix, _)| *ix as u64).collect::<Vec<_>>(),
        "at_ms" => times.iter().map(|(_, at_us)| at_us.div_euclid(1_000)).collect::<Vec<_>>(),
        "period" => vec![period.map_or("", Period::as_str); times.len()],
    )?)
}

/// The complete grid of a table's rows at these times: every place at every one, in that order.
pub(crate) fn rows(
    table: &ProtectedTable,
    times: &[(usize, i64)],
    period: Option<Period>,
    places: &DataFrame,
    expansion: &Expansion,
) -> Result<LazyFrame, ShapeError> {
    let cells = || times.iter().flat_map(|(time, _)| (0..places.height()).map(move |place| (*time, place)));
    let people: Vec<Option<i64>> = cells().map(|(time, place)| expansion.of(table, time, place)).collect();
    let status: Vec<&str> = cells().map(|(time, place)| table.status(time, place).as_str()).collect();
    let numbers = df!("people" => people, "status" => status)?;
    let grid = times_frame(times, period)?.lazy().cross_join(places.clone().lazy(), None).collect()?;
    Ok(grid.hstack(numbers.columns())?.lazy())
}

/// The rows of a table of classes at its only time: every place by every class, in that order. `named` is the column
/// of the classes.
pub(crate) fn class_rows(
    table: &ProtectedTable,
    (at_us, period): (i64, Period),
    places: &DataFrame,
    (named, classes): (&str, &[&str]),
    expansion: &Expansion,
) -> Result<LazyFrame, ShapeError> {
    let classes = DataFrame::new_infer_height(vec![Column::new(named.into(), classes)])?;
    let grid = times_frame(&[(0, at_us)], Some(period))?.lazy().cross_join(places.clone().lazy(), None);
    let grid = grid.cross_join(classes.lazy(), None).collect()?;
    let slots = 0..table.grid().places();
    let people: Vec<Option<i64>> = slots.clone().map(|slot| expansion.of(table, 0, slot)).collect();
    let status: Vec<&str> = slots.map(|slot| table.status(0, slot).as_str()).collect();
    let numbers = df!("people" => people, "status" => status)?;
    Ok(grid.hstack(numbers.columns())?.lazy())
}

/// Whether the frame's rows are published, for filters.
pub(crate) fn is_published() -> Expr {
    col("status").eq(lit(Status::Published.as_str()))
}

/// The columns of `schema`, out of a frame that has them under the same names; times come from `at_ms`.
pub(crate) fn to_arrow(frame: &DataFrame, schema: &SchemaRef) -> Result<RecordBatch, ShapeError> {
    let columns = schema.fields().iter().map(|field| {
        let wrong = |_| ShapeError::Column(field.name().clone());
        let array: ArrayRef = match field.data_type() {
            DataType::Timestamp(_, zone) => {
                // Most reports have one time, whatever its name.
                let at = frame.column(field.name()).or_else(|_| frame.column("at_ms"))?;
                let at = at.i64().map_err(wrong)?;
                let at: TimestampMillisecondArray = at.iter().collect();
                Arc::new(at.with_timezone_opt(zone.clone()))
            }
            DataType::Int64 => {
                Arc::new(frame.column(field.name())?.i64().map_err(wrong)?.iter().collect::<Int64Array>())
            }
            DataType::Int32 => {
                Arc::new(frame.column(field.name())?.i32().map_err(wrong)?.iter().collect::<Int32Array>())
            }
            DataType::Float64 => {
                Arc::new(frame.column(field.name())?.f64().map_err(wrong)?.iter().collect::<Float64Array>())
            }
            DataType::Boolean => {
                Arc::new(frame.column(field.name())?.bool().map_err(wrong)?.iter().collect::<BooleanArray>())
            }
            _ => Arc::new(frame.column(field.name())?.str().map_err(wrong)?.iter().collect::<StringArray>()),
        };
        Ok(array)
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, ShapeError>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
