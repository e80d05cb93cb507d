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
        let parse = || {
            let (from, to): (Date, Date) = (parameters.from.parse().ok()?, parameters.to.parse().ok()?);
            let zone = TimeZone::get(&parameters.timezone).ok()?;
            let reports: Option<Vec<Report>> =
                parameters.reports.iter().map(|name| name.parse().ok()).collect();
            let factor = parameters.expansion_factor.filter(|factor| factor.is_finite() && *factor > 0.0)?;
            let days = u32::try_from((to - from).get_days()).ok()?;
            let sane = parameters.k > 0 && parameters.step_s > 0 && days < 10_000;
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
        let adds_up = |name: &str| name == Report::Presence.as_str();
        if manifest.reports.iter().any(|report| report.adds_up != adds_up(&report.name)) {
            faults.add(MANIFEST, "it is said of presence alone that it adds up", || {
                "another report".to_owned()
            });
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
            places: Places::read(dir, faults)?,
            rows: manifest.files.iter().map(|file| (file.path.clone(), file.rows)).collect(),
        })
    }

    /// The least number that may be published.
    pub(crate) fn people_min(&self) -> i64 {
        self.factor.people(self.k)
    }

    /// The file of a report on a day.
    pub(crate) fn file(report: Report, date: Date) -> String {
        format!("{}/date={date}/part.parquet", report.as_str())
    }

    /// Reads every report of a day.
    pub(crate) fn day(&self, date: Date, faults: &mut Faults) -> Day {
        let mut day = Day::default();
        for report in &self.reports {
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
        let hours = || self.times(date, SignedDuration::from_hours(1));
        let times: Vec<Time> = match report {
            Report::Presence => self.times(date, self.step).into_iter().map(key(INSTANT)).collect(),
            Report::Visitors => {
                let day = hours().into_iter().take(1).map(key(Period::Day.as_str()));
                day.chain(hours().into_iter().map(key(Period::Hour.as_str()))).collect()
            }
            _ => Vec::new(),
        };
        times.into_iter().map(|time| (time, empty())).collect()
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
