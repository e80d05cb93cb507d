//! Rows of the report on occasions, and the table that says where and when each is.

use polars::prelude::*;
use throng_anonymiser::Protected;
use throng_schema::{Status, Window};

use crate::{
    areas::weeks_before,
    dwell,
    expansion::Expansion,
    kept::Kept,
    occasions::{DWELL, Gathering, MOVES, VISITORS},
    reports::Reports,
    residence::{ALL, OTHER},
    shape::ShapeError,
};

/// The rows of the report, as columns.
#[derive(Default)]
struct Lines {
    occasion: Vec<String>,
    measure: Vec<&'static str>,
    at_ms: Vec<i64>,
    class_level: Vec<String>,
    class: Vec<String>,
    people: Vec<Option<i64>>,
}

impl Lines {
    fn push(
        &mut self,
        (occasion, measure, at_us): (&str, &'static str, i64),
        (class_level, class): (&str, &str),
        people: Option<i64>,
    ) {
        self.occasion.push(occasion.to_owned());
        self.measure.push(measure);
        self.at_ms.push(at_us.div_euclid(1_000));
        self.class_level.push(class_level.to_owned());
        self.class.push(class.to_owned());
        self.people.push(people);
    }

    fn frame(self) -> Result<DataFrame, ShapeError> {
        let status =
            |people: &Option<i64>| if people.is_some() { Status::Published } else { Status::Withheld };
        let status: Vec<&str> = self.people.iter().map(|people| status(people).as_str()).collect();
        Ok(df!(
            "occasion" => self.occasion,
            "measure" => self.measure,
            "at_ms" => self.at_ms,
            "class_level" => self.class_level,
            "class" => self.class,
            "people" => self.people,
            "status" => status,
        )?)
    }
}

/// The rows of all occasions, in the order of their gatherings.
pub(crate) fn occasion_rows(
    gatherings: &[(Gathering<'_>, Protected)],
    kept: &Kept,
    reports: &Reports,
    expansion: &Expansion,
) -> Result<DataFrame, ShapeError> {
    let mut lines = Lines::default();
    for (gathering, protected) in gatherings {
        for member in 0..gathering.members.len() {
            presence(&mut lines, gathering, member, kept, reports);
            guests(&mut lines, gathering, member, protected, expansion);
        }
    }
    lines.frame()
}

/// Presence by step, and what is typical at the same clock times of the weeks before.
fn presence(lines: &mut Lines, gathering: &Gathering<'_>, member: usize, kept: &Kept, reports: &Reports) {
    let number = gathering.members[member];
    let (code, known) = (&reports.areas.occasions[number].code, &kept.presence[number]);
    let people = |at_us: &i64| known.get(at_us).copied().flatten();
    for step in &gathering.steps[member] {
        lines.push((code, "presence", *step), (ALL, ALL), people(step));
    }
    for step in &gathering.steps[member] {
        let before =
            (1..=Window::DAYS_MAX / 7).filter_map(|weeks| weeks_before(*step, weeks, &reports.calendar));
        let before = before
            .filter(|at_us| *at_us >= reports.calendar.start_us() && is_same_clock(*at_us, *step, reports));
        let levels: Option<Vec<i64>> = before.map(|at_us| people(&at_us)).collect();
        lines.push((code, "typical", *step), (ALL, ALL), levels.and_then(|levels| rounded_mean(&levels)));
    }
}

/// Whether the local clock shows the same time of day: on the night of a change it may not.
fn is_same_clock(a_us: i64, b_us: i64, reports: &Reports) -> bool {
    let time = |us: i64| {
        let at = jiff::Timestamp::from_microsecond(us).ok()?;
        Some(at.to_zoned(reports.calendar.zone().clone()).time())
    };
    time(a_us) == time(b_us)
}

/// Halves away from zero, as all rounding of people.
fn rounded_mean(levels: &[i64]) -> Option<i64> {
    let n = i128::try_from(levels.len()).ok().filter(|n| *n > 0)?;
    let sum: i128 = levels.iter().copied().map(i128::from).sum();
    // A mean lies between what it is the mean of.
    i64::try_from((2 * sum + n).div_euclid(2 * n)).ok()
}

/// Visitors, arrivals and departures, residence and dwell.
fn guests(
    lines: &mut Lines,
    gathering: &Gathering<'_>,
    member: usize,
    protected: &Protected,
    expansion: &Expansion,
) {
    let reports = gathering.reports;
    let occasion = &reports.areas.occasions[gathering.members[member]];
    let (code, at_us) = (occasion.code.as_str(), occasion.from_us);
    let people = |table: usize, slot: usize| expansion.of(&protected.tables[table], 0, slot);
    let all = people(VISITORS, member);
    lines.push((code, "visitors", at_us), (ALL, ALL), all);
    for (kind, measure) in ["arrivals", "departures"].into_iter().enumerate() {
        for (step, start_us) in gathering.steps[member].iter().enumerate() {
            let moved = people(MOVES, gathering.slot_of_move(member, step, kind));
            lines.push((code, measure, *start_us), (ALL, ALL), moved);
        }
    }
    lines.push((code, "residence", at_us), (ALL, ALL), all);
    let of_member = |pair: &&throng_anonymiser::Pair| pair.row as usize == member && pair.column > 0;
    for pair in protected.pairs[0].pairs().iter().filter(of_member) {
        let class =
            (reports.residences.level(pair.column), reports.residences.codes[pair.column as usize].as_str());
        lines.push((code, "residence", at_us), class, Some(expansion.people(pair.devices, pair.weight)));
    }
    lines.push((code, "residence", at_us), (OTHER, OTHER), None);
    for (class, (word, _)) in dwell::CLASSES.into_iter().enumerate() {
        let spent = people(DWELL, member * dwell::CLASSES.len() + class);
        lines.push((code, "dwell", at_us), ("dwell", word), spent);
    }
}

/// The table of occasions: which parts of which postal codes each area holds, and its window.
pub(crate) fn areas_frame(reports: &Reports) -> Result<DataFrame, ShapeError> {
    let areas = &reports.areas;
    let mut rows: Vec<(usize, u32, i32, i32)> = Vec::new();
    for place in areas.parts.chunk_by(|a, b| a.place == b.place) {
        let parts = i32::try_from(place.len()).expect("a postal code has fewer parts than cells");
        for (number, part) in (1..).zip(place) {
            rows.extend(part.within.iter().map(|occasion| (*occasion, part.place.0, number, parts)));
        }
    }
    rows.sort_unstable();
    let occasion = |row: &(usize, u32, i32, i32)| &areas.occasions[row.0];
    let code = |row: &(usize, u32, i32, i32)| reports.tree.code(throng_schema::PlaceId(row.1));
    Ok(df!(
        "occasion" => rows.iter().map(|row| occasion(row).code.as_str()).collect::<Vec<_>>(),
        "name" => rows.iter().map(|row| occasion(row).name.as_str()).collect::<Vec<_>>(),
        "start" => rows.iter().map(|row| occasion(row).from_us.div_euclid(1_000)).collect::<Vec<_>>(),
        "end" => rows.iter().map(|row| occasion(row).until_us.div_euclid(1_000)).collect::<Vec<_>>(),
        "postal_code" => rows.iter().map(code).collect::<Vec<_>>(),
        "part" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "parts" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_rounded_away_from_zero_however_large() {
        assert_eq!(rounded_mean(&[]), None);
        assert_eq!(
            [rounded_mean(&[30]), rounded_mean(&[30, 31]), rounded_mean(&[30, 30, 31])],
            [Some(30), Some(31), Some(30)]
        );
        assert_eq!(rounded_mean(&[30, 31, 31]), Some(31));
        assert_eq!(rounded_mean(&[i64::MAX; 13]), Some(i64::MAX), "the sum has more than 64 bits");
    }
}
