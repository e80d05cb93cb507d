//! `context`: the day's visitors and mean presence beside census figures, made of published numbers alone.
//!
//! It stands behind the wall: what protection withheld is null here and stays null in whatever is divided by it.

use polars::prelude::*;
use throng_schema::{Census, CensusRow, Day, Period, PlaceTree, Status};

use crate::shape::ShapeError;

/// The rows of one day: every place, in the tree's order.
///
/// `presence` has every instant of the day and `visitors` the day itself (its hours may be there too), both as
/// [`crate::shape::rows`] gives them. The columns are those of `context_schema`, with `at_ms` for the time.
pub(crate) fn context_rows(
    presence: LazyFrame,
    visitors: LazyFrame,
    census: &Census,
    tree: &PlaceTree,
    day: &Day,
) -> Result<DataFrame, ShapeError> {
    let on = || [col("place_ix")];
    let per = |number: &str, figure: &str, times: f64| {
        let rate = col(number).cast(DataType::Float64) * lit(times) / col(figure);
        when(col(figure).gt(lit(0.0))).then(rate).otherwise(lit(NULL))
    };
    let is_there = col("visitors").is_not_null().or(col("presence").is_not_null());
    let status = when(is_there)
        .then(lit(Status::Published.as_str()))
        .otherwise(col("status").fill_null(lit(Status::Withheld.as_str())));
    let left =
        |with: LazyFrame, other: LazyFrame| with.join(other, on(), on(), JoinArgs::new(JoinType::Left));
    let rows = left(left(figures_frame(census, tree)?.lazy(), of_the_day(visitors)), mean_of(presence));
    let rows = rows
        .with_columns([
            lit(day.start_us.div_euclid(1_000)).alias("at_ms"),
            lit(Period::Day.as_str()).alias("period"),
            per("visitors", "population", 1_000.0).alias("visitors_per_1000"),
            per("visitors", "area_km2", 1.0).alias("visitors_per_km2"),
            per("presence", "population", 1_000.0).alias("presence_per_1000"),
            per("presence", "area_km2", 1.0).alias("presence_per_km2"),
            status.alias("status"),
        ])
        .sort(["place_ix"], SortMultipleOptions::default());
    Ok(rows.collect()?)
}

/// `place_ix, visitors, status` of the whole day.
fn of_the_day(visitors: LazyFrame) -> LazyFrame {
    visitors.filter(col("period").eq(lit(Period::Day.as_str()))).select([
        col("place_ix"),
        col("people").alias("visitors"),
        col("status"),
    ])
}

/// `place_ix, presence`: the mean of whole numbers, added before they are divided, so that no order of adding shows.
fn mean_of(presence: LazyFrame) -> LazyFrame {
    let mean = col("people").sum().cast(DataType::Float64) / len().cast(DataType::Float64);
    let all_there = col("people").null_count().eq(lit(0));
    presence
        .group_by([col("place_ix")])
        .agg([when(all_there).then(mean).otherwise(lit(NULL)).alias("presence")])
}

/// Every place with what the census knows of it: `place_ix, level, place, population, area_km2`, further columns.
fn figures_frame(census: &Census, tree: &PlaceTree) -> Result<DataFrame, ShapeError> {
    let mut rows: Vec<Option<&CensusRow>> = vec![None; tree.len()];
    for row in &census.rows {
        rows[row.place.index()] = Some(row);
    }
    // What is no number is no figure.
    let figures = |pick: &dyn Fn(&CensusRow) -> Option<f64>| {
        let figure = |row: &Option<&CensusRow>| row.and_then(pick).filter(|figure| figure.is_finite());
        rows.iter().map(figure).collect::<Vec<Option<f64>>>()
    };
    let mut frame = df!(
        "place_ix" => tree.ids().map(|id| id.0).collect::<Vec<_>>(),
        "level" => tree.ids().map(|id| tree.level(id).as_str()).collect::<Vec<_>>(),
        "place" => tree.ids().map(|id| tree.code(id)).collect::<Vec<_>>(),
        "population" => figures(&|row| row.population),
        "area_km2" => figures(&|row| row.area_km2),
    )?;
    for (i, name) in census.columns.iter().enumerate() {
        let further = figures(&|row| row.further.get(i).copied().flatten());
        frame = frame.hstack(&[polars::prelude::Column::new(name.into(), further)])?;
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Array, AsArray, RecordBatch},
        datatypes::{Float64Type, Int64Type},
    };
    use jiff::{civil::date, tz::TimeZone};
    use throng_schema::{Calendar, Level, PlaceId, PlaceRow, Window, context_schema};

    use super::*;
    use crate::shape::to_arrow;

    /// A country, region, province and commune around the postal codes 1, 2 and 3.
    fn tree() -> PlaceTree {
        let row = |code: &str| PlaceRow {
            codes: ["BE", "R", "P", "C", code].map(str::to_owned),
            ..PlaceRow::default()
        };
        PlaceTree::new(&[row("1"), row("2"), row("3")]).expect("tree")
    }

    /// Rows as the reports have them; a number of people is published, a word is a status.
    fn rows(period: &str, of: &[(PlaceId, Result<i64, &str>)]) -> DataFrame {
        df!(
            "place_ix" => of.iter().map(|(place, _)| place.0).collect::<Vec<_>>(),
            "period" => vec![period; of.len()],
            "people" => of.iter().map(|(_, people)| people.ok()).collect::<Vec<_>>(),
            "status" => of.iter().map(|(_, people)| people.err().unwrap_or("published")).collect::<Vec<_>>(),
        )
        .expect("frame")
    }

    fn context() -> RecordBatch {
        let tree = tree();
        let [one, two, three] = ["1", "2", "3"].map(|code| tree.postal_code(code).expect("known"));
        let country = tree.of_level(Level::Country).next().expect("a country");
        let presence = [
            rows("", &[(country, Ok(100)), (one, Ok(40)), (two, Ok(50)), (three, Err("no_coverage"))]),
            rows(
                "",
                &[(country, Ok(101)), (one, Ok(41)), (two, Err("withheld")), (three, Err("no_coverage"))],
            ),
        ]
        .map(DataFrame::lazy);
        let presence = concat(presence, UnionArgs::default()).expect("frames");
        let visitors = [
            rows("hour", &[(country, Ok(999)), (one, Ok(999)), (two, Ok(999)), (three, Err("no_coverage"))]),
            rows(
                "day",
                &[
                    (country, Ok(300)),
                    (one, Err("withheld")),
                    (two, Err("withheld")),
                    (three, Err("no_coverage")),
                ],
            ),
        ]
        .map(DataFrame::lazy);
        let visitors = concat(visitors, UnionArgs::default()).expect("frames");
        let row = |place, population, area_km2, jobs| CensusRow {
            place,
            population: Some(population),
            area_km2,
            further: vec![jobs],
        };
        let census = Census {
            columns: vec!["jobs".to_owned()],
            rows: vec![row(country, 2_000.0, Some(4.0), Some(7.0)), row(one, 0.0, None, None)],
        };
        let window = Window::new(date(2026, 10, 15), date(2026, 10, 15)).expect("window");
        let zone = TimeZone::get("Europe/Brussels").expect("zone");
        let calendar = Calendar::new(window, zone, 900).expect("calendar");
        let frame = context_rows(presence, visitors, &census, &tree, &calendar.days()[0]).expect("context");
        to_arrow(&frame, &context_schema("Europe/Brussels", &census.columns)).expect("batch")
    }

    fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
        let column = batch.column_by_name(name).expect("column").as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    /// The row of a postal code, which come last.
    const ONE: usize = 4;

    #[test]
    fn rates_are_made_of_published_numbers_and_census_figures() {
        let batch = context();
        assert_eq!(batch.num_rows(), 7, "every place has a row");
        assert_eq!(
            batch.column_by_name("visitors").expect("column").as_primitive::<Int64Type>().value(0),
            300
        );
        let of_country = [
            ("presence", 100.5),
            ("population", 2_000.0),
            ("area_km2", 4.0),
            ("visitors_per_1000", 150.0),
            ("visitors_per_km2", 75.0),
            ("presence_per_1000", 50.25),
            ("presence_per_km2", 25.125),
            ("jobs", 7.0),
        ];
        for (name, wanted) in of_country {
            assert_eq!(number(&batch, name, 0), Some(wanted), "{name}");
        }
    }

    #[test]
    fn what_is_withheld_or_not_known_leaves_no_rate() {
        let batch = context();
        assert_eq!(number(&batch, "presence", ONE), Some(40.5));
        assert_eq!(number(&batch, "population", ONE), Some(0.0));
        for name in ["visitors_per_1000", "visitors_per_km2", "presence_per_1000", "presence_per_km2", "jobs"]
        {
            assert_eq!(number(&batch, name, ONE), None, "{name}: no residents, no area, no visitors");
        }
        assert_eq!(number(&batch, "presence", ONE + 1), None, "one instant is withheld, so there is no mean");
    }

    #[test]
    fn the_status_is_that_of_whatever_is_there_and_else_of_the_visitors() {
        let batch = context();
        let status = batch.column_by_name("status").expect("column").as_string::<i32>();
        let found: Vec<_> = [0, ONE, ONE + 1, ONE + 2].map(|row| status.value(row)).into();
        assert_eq!(found, ["published", "published", "withheld", "no_coverage"]);
    }
}
