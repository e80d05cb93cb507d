//! A release as a reader has it: the manifest, what it demands of every report, and the days one after the other.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use throng_schema::{Manifest, Period, Report, SCHEMA_VERSION, Status};

use crate::{
    factor::Factor,
    fault::Faults,
    part::{Cell, INSTANT, Part, Row, Time},
    places::Places,
};

pub(crate) const MANIFEST: &str = "manifest.json";

/// The least k that needs no word of acceptance.
const USUAL_K_MIN: u64 = 15;

/// Numbers of a report of a day, whether its file has them or not: a country every second has 200 million.
const CELLS_MAX: u64 = 1 << 28;

/// What the manifest and the places demand of every report.
pub(crate) struct Release {
    pub(crate) dir: PathBuf,
    pub(crate) dates: Vec<Date>,
    zone: TimeZone,
    pub(crate) zone_name: String,
    step: SignedDuration,
    pub(crate) k: u64,
    pub(crate) factor: Factor,
    pub(crate) reports: Vec<Report>,
    pub(crate) places: Places,
    /// Rows that the manifest says each file has.
    pub(crate) rows: HashMap<String, u64>,
}

/// The reports of one day.
#[derive(Default)]
pub(crate) struct Day {
    pub(crate) presence: Option<Part>,
    pub(crate) visitors: Option<Part>,
}

impl Day {
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.presence.iter().chain(&self.visitors)
    }

    /// The visitors of the day in every place.
    pub(crate) fn came(&self) -> Option<&Row> {
        let rows = &self.visitors.as_ref()?.rows;
        rows.iter().find(|((period, _), _)| *period == Period::Day.as_str()).map(|(_, row)| row)
    }

    /// Which places have coverage, as presence or visitors tell.
    pub(crate) fn covered(&self) -> Option<Vec<bool>> {
        let row = self.parts().find_map(|part| part.rows.values().next())?;
        Some(row.iter().map(|cell| *cell != Cell::NoCoverage).collect())
    }
}

/// Reads the manifest, if it is one of a version that is known.
pub(crate) fn read_manifest(dir: &Path, faults: &mut Faults) -> Option<Manifest> {
    let Ok(text) = fs::read(dir.join(MANIFEST)) else {
        faults.add(MANIFEST, "the release has a manifest", || "missing".to_owned());
        return None;
    };
    let manifest = serde_json::from_slice::<Manifest>(&text).map_err(|error| {
        faults
            .add(MANIFEST, "the manifest has the fields of its schema", || format!("line {}", error.line()));
    });
    let manifest = manifest.ok()?;
    if manifest.schema_version != SCHEMA_VERSION {
        faults.add(MANIFEST, "the schema version is known", || format!("expected {SCHEMA_VERSION}"));
        return None;
    }
    Some(manifest)
}

impl Release {
    pub(crate) fn read(dir: &Path, manifest: &Manifest, faults: &mut Faults) -> Option<Self> {
        let parameters = &manifest.parameters;
        let factor = parameters.expansion_factor;
        let parse = || {
            let (from, to): (Date, Date) = (parameters.from.parse().ok()?, parameters.to.parse().ok()?);
            let zone = TimeZone::get(&parameters.timezone).ok()?;
            let reports: Option<Vec<Report>> =
                parameters.reports.iter().map(|name| name.parse().ok()).collect();
            let days = u32::try_from((to - from).get_days()).ok()?;
            let sane = parameters.k > 0
                && parameters.step_s > 0
                && factor.is_none_or(|factor| factor > 0.0 && factor.is_finite())
                && days < 10_000;
            let dates = from.series(jiff::ToSpan::day(1)).take_while(|date| *date <= to).collect();
            sane.then_some((dates, zone, reports?, factor))
        };
        let Some((dates, zone, reports, factor)) = parse() else {
            faults.add(MANIFEST, "the parameters can be understood", || {
                "dates, zone, k, step, expansion or reports".to_owned()
            });
            return None;
        };
        if parameters.small_k_accepted != (parameters.k < USUAL_K_MIN) {
            faults.add(MANIFEST, "a small k is said to be accepted", || format!("k = {}", parameters.k));
        }
        let named: Vec<_> = manifest.reports.iter().map(|report| &report.name).collect();
        if named != parameters.reports.iter().collect::<Vec<_>>()
            || !Status::ALL.iter().all(|status| manifest.statuses.contains_key(status.as_str()))
            || manifest.statuses.len() != Status::ALL.len()
        {
            faults.add(MANIFEST, "every report and status is explained", || "missing or too many".to_owned());
        }
        // Trips add up too, but not to the trips of a place: a report of them may say either.
        let wrong = |name: &str, adds_up| {
            adds_up != (name == Report::Presence.as_str()) && name != Report::Flows.as_str()
        };
        if manifest.reports.iter().any(|report| wrong(&report.name, report.adds_up)) {
            faults.add(MANIFEST, "it is said of presence alone that it adds up", || {
                "another report".to_owned()
            });
        }
        let places = Places::read(dir, faults)?;
        let instants = 25 * 3_600 / parameters.step_s.unsigned_abs() + 1;
        if instants.saturating_mul(places.len() as u64) > CELLS_MAX {
            faults.add(MANIFEST, "a day has no more numbers than can be looked at", || {
                format!("{} places every {} s", places.len(), parameters.step_s)
            });
            return None;
        }
        Some(Self {
            dir: dir.to_owned(),
            dates,
            zone,
            zone_name: parameters.timezone.clone(),
            step: SignedDuration::from_secs(parameters.step_s),
            k: parameters.k,
            factor: Factor(factor),
            reports,
            places,
            rows: manifest.files.iter().map(|file| (file.path.clone(), file.rows)).collect(),
        })
    }

    /// The least number that may be published, as far as it is known.
    pub(crate) fn people_min(&self) -> i64 {
        self.factor.people(self.k).unwrap_or(0)
    }

    /// The reports that have one number for every place and time.
    pub(crate) const OF_PLACES: [Report; 2] = [Report::Presence, Report::Visitors];

    /// The file of a report of all days together.
    pub(crate) fn file_of_all(report: Report) -> String {
        format!("{}/part.parquet", report.as_str())
    }

    /// Whether a report has a file for every day.
    pub(crate) fn is_daily(report: Report) -> bool {
        !matches!(report, Report::Frequency | Report::Occasions)
    }

    /// The file of a report on a day.
    pub(crate) fn file(report: Report, date: Date) -> String {
        format!("{}/date={date}/part.parquet", report.as_str())
    }

    /// Reads every report of a day.
    pub(crate) fn day(&self, date: Date, faults: &mut Faults) -> Day {
        let mut day = Day::default();
        for report in self.reports.iter().filter(|report| Self::OF_PLACES.contains(report)) {
            let part = Part::read(self, Self::file(*report, date), *report, self.grid(*report, date), faults);
            match report {
                Report::Presence => day.presence = part,
                Report::Visitors => day.visitors = part,
                _ => {}
            }
        }
        day
    }

    /// Every time that a report has on a day, with an empty row of places.
    fn grid(&self, report: Report, date: Date) -> BTreeMap<Time, Row> {
        let empty = || vec![Cell::Missing; self.places.len()];
        let key = |period: &'static str| move |at: i64| (period, at);
        let times: Vec<Time> = match report {
            Report::Presence => self.instants(date).into_iter().map(key(INSTANT)).collect(),
            Report::Visitors => self.periods(date),
            _ => Vec::new(),
        };
        times.into_iter().map(|time| (time, empty())).collect()
    }

    /// The instants of a date.
    pub(crate) fn instants(&self, date: Date) -> Vec<i64> {
        self.times(date, self.step)
    }

    /// A date as a period, and its hours.
    pub(crate) fn periods(&self, date: Date) -> Vec<Time> {
        let hours = self.times(date, SignedDuration::from_hours(1));
        let day = hours.first().map(|midnight| (Period::Day.as_str(), *midnight));
        day.into_iter().chain(hours.iter().map(|hour| (Period::Hour.as_str(), *hour))).collect()
    }

    /// A date as a period.
    pub(crate) fn day_of(&self, date: Date) -> Time {
        (Period::Day.as_str(), self.instants(date).first().copied().unwrap_or_default())
    }

    /// All dates as a period.
    pub(crate) fn window(&self) -> Time {
        let first = self.dates.first().map_or(0, |date| self.day_of(*date).1);
        (Period::Window.as_str(), first)
    }

    /// Whether a report is made.
    pub(crate) fn makes(&self, report: Report) -> bool {
        self.reports.contains(&report)
    }

    /// The start of every period of a date, hours or steps, on the local clock.
    fn times(&self, date: Date, step: SignedDuration) -> Vec<i64> {
        let midnight = |date: Date| date.to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp());
        let (Ok(start), Ok(end)) = (midnight(date), date.tomorrow().and_then(midnight)) else {
            return Vec::new();
        };
        let mut times = Vec::new();
        let mut at: Timestamp = start;
        while at < end {
            times.push(at.as_millisecond());
            // A step beyond the end of time is the last.
            at = at.checked_add(step).unwrap_or(end);
        }
        times
    }

    /// A time as faults name it.
    pub(crate) fn said(&self, (period, at_ms): Time) -> String {
        let at = Timestamp::from_millisecond(at_ms)
            .map(|at| at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string());
        format!("{period} {}", at.unwrap_or_default())
    }

    /// A place and time as faults name them.
    pub(crate) fn cell_said(&self, place: usize, time: Time) -> String {
        format!("{}, {}", self.places.said(place), self.said(time))
    }
}
