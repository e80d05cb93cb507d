//! Rows of the sparse reports: only what is published, and one row a place for what is withheld together.

use std::collections::HashSet;

use polars::prelude::*;
use throng_anonymiser::{Pair, ProtectedPairs, ProtectedTable};
use throng_schema::{Period, PlaceTree, Status};

use crate::{
    expansion::Expansion,
    reports::Reports,
    residence::{ALL, OTHER, Residences},
    shape::ShapeError,
};

/// A side of a row: its level and its code.
type Named<'a> = (&'a str, &'a str);

/// A row on its way into columns: its time, two sides, and its number.
struct Line<'a> {
    at_ms: i64,
    period: Period,
    place: Named<'a>,
    other: Named<'a>,
    finest: bool,
    people: Option<i64>,
    status: Status,
}

/// What a place is called on an axis: node 0 is everywhere.
fn place_of(tree: &PlaceTree, node: u32) -> Named<'_> {
    match node.checked_sub(1) {
        None => (ALL, ALL),
        Some(place) => {
            let place = throng_schema::PlaceId(place);
            (tree.level(place).as_str(), tree.code(place))
        }
    }
}

/// One measure of the residence report: its name, its times with their numbers in the table of totals, and its tables.
pub(crate) struct Measure<'a> {
    pub(crate) name: &'static str,
    pub(crate) period: Period,
    /// The start of each time, and its time in the table of totals.
    pub(crate) times: Vec<(i64, usize)>,
    pub(crate) totals: &'a ProtectedTable,
    pub(crate) pairs: &'a ProtectedPairs,
}

/// The rows of one measure of the residence report, in the order of times and places: all of them, then the published
/// classes from coarse to fine, then whatever is withheld together.
pub(crate) fn residence_rows(
    measure: &Measure<'_>,
    reports: &Reports,
    expansion: &Expansion,
) -> Result<LazyFrame, ShapeError> {
    let Reports { tree, residences, .. } = reports;
    let mut lines = Vec::new();
    let mut pairs = measure.pairs.pairs();
    for (time, (at_us, of_totals)) in measure.times.iter().enumerate() {
        let here = pairs.partition_point(|pair| pair.time == time);
        let (now, later) = pairs.split_at(here);
        pairs = later;
        let mut classes = now;
        for place in tree.ids() {
            let node = crate::residence::node(place);
            classes = &classes[classes.partition_point(|pair| pair.row < node)..];
            let published = &classes[..classes.partition_point(|pair| pair.row == node)];
            let published: Vec<&Pair> = published.iter().filter(|pair| pair.column > 0).collect();
            let status = measure.totals.status(*of_totals, place.index());
            let line = |other, finest, people, status| Line {
                at_ms: at_us.div_euclid(1_000),
                period: measure.period,
                place: place_of(tree, node),
                other,
                finest,
                people,
                status,
            };
            let total = expansion.of(measure.totals, *of_totals, place.index());
            let parents = parents_of(residences, &published);
            lines.push(line((ALL, ALL), total.is_some() && published.is_empty(), total, status));
            if status == Status::NoCoverage {
                continue;
            }
            for pair in published {
                let class = (residences.level(pair.column), residences.codes[pair.column as usize].as_str());
                let finest = !parents.contains(&pair.column);
                lines.push(line(
                    class,
                    finest,
                    Some(expansion.people(pair.devices, pair.weight)),
                    Status::Published,
                ));
            }
            lines.push(line((OTHER, OTHER), false, None, Status::Withheld));
        }
    }
    let frame = frame(&lines, ("residence_level", "residence"))?;
    Ok(frame.with_column(lit(measure.name).alias("measure")))
}

/// The classes within which a finer one is published.
fn parents_of(residences: &Residences, published: &[&Pair]) -> HashSet<u32> {
    published.iter().filter_map(|pair| residences.axis.parent(pair.column)).collect()
}

/// The rows of flows at some times of their table: of each origin in the order of places, everywhere first, its
/// published trips and then whatever is withheld together.
pub(crate) fn flow_rows(
    pairs: &ProtectedPairs,
    times: &[(usize, i64)],
    period: Period,
    reports: &Reports,
    expansion: &Expansion,
) -> Result<LazyFrame, ShapeError> {
    let Reports { tree, covered, .. } = reports;
    let mut lines = Vec::new();
    for (time, at_us) in times {
        let all = pairs.pairs();
        let first = all.partition_point(|pair| pair.time < *time);
        let mut now = &all[first..first + all[first..].partition_point(|pair| pair.time == *time)];
        let origins = (1_u32..).zip(covered).filter(|(_, covered)| **covered).map(|(node, _)| node);
        for origin in std::iter::once(0).chain(origins) {
            now = &now[now.partition_point(|pair| pair.row < origin)..];
            let trips = &now[..now.partition_point(|pair| pair.row == origin)];
            let line = |other, people, status| Line {
                at_ms: at_us.div_euclid(1_000),
                period,
                place: place_of(tree, origin),
                other,
                finest: false,
                people,
                status,
            };
            let published = |pair: &Pair| {
                line(
                    place_of(tree, pair.column),
                    Some(expansion.people(pair.devices, pair.weight)),
                    Status::Published,
                )
            };
            lines.extend(trips.iter().map(published));
            lines.push(line((OTHER, OTHER), None, Status::Withheld));
        }
    }
    frame(&lines, ("destination_level", "destination"))
}

fn frame(lines: &[Line<'_>], other: (&str, &str)) -> Result<LazyFrame, ShapeError> {
    let text = |of: &dyn Fn(&Line<'_>) -> String| lines.iter().map(of).collect::<Vec<_>>();
    let frame = df!(
        "at_ms" => lines.iter().map(|line| line.at_ms).collect::<Vec<_>>(),
        "period" => text(&|line| line.period.as_str().to_owned()),
        "level" => text(&|line| line.place.0.to_owned()),
        "place" => text(&|line| line.place.1.to_owned()),
        other.0 => text(&|line| line.other.0.to_owned()),
        other.1 => text(&|line| line.other.1.to_owned()),
        "finest" => lines.iter().map(|line| line.finest).collect::<Vec<_>>(),
        "people" => lines.iter().map(|line| line.people).collect::<Vec<_>>(),
        "status" => text(&|line| line.status.as_str().to_owned()),
    )?;
    Ok(frame.lazy())
}
