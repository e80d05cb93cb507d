//! What a run tells of itself while it goes: each stage and day as it ends, and what somebody should look at. It goes
//! into the log at once, and into the ledger at the end.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use throng_aggregator::{
    Comparison, CountedBy, DayAccount, DayCounts, History, HistoryError, Measure, OccasionsAccount, Reading,
    Remembered, Stage, TableCells, Warning,
};
use throng_ingest::{Fault, FileTally, Reason, Tally};

use crate::{config::Plan, log, speak::thousands};

/// What a run has told so far.
pub(crate) struct Watch {
    pub(crate) begun: Timestamp,
    last: Instant,
    /// Where the time of the run went.
    pub(crate) stages: Vec<Stage>,
    /// Where the time of the day at hand went.
    today: Vec<Stage>,
    days: Vec<Day>,
    pub(crate) occasions: Vec<OccasionsAccount>,
    pub(crate) warnings: Vec<Warning>,
}

/// A day that was counted and protected.
pub(crate) struct Day {
    pub(crate) date: jiff::civil::Date,
    pub(crate) events_used: u64,
    pub(crate) devices: u64,
    pub(crate) reading: Reading,
    pub(crate) rejected: Map<String, Value>,
    pub(crate) cells: Vec<TableCells>,
    timings: Vec<Stage>,
}

/// Adds a stretch of time to a stage.
fn add(stages: &mut Vec<Stage>, stage: &'static str, seconds: f64) {
    match stages.iter_mut().find(|ended| ended.stage == stage) {
        Some(ended) => ended.seconds += seconds,
        None => stages.push(Stage { stage, seconds }),
    }
}

/// To the millisecond, for a log is read by people too.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

impl Watch {
    /// Begins with what the run was asked for.
    pub(crate) fn begin(plan: &Plan) -> Self {
        let window = plan.calendar.window();
        let message = format!("a run of {} to {} begins", window.from(), window.to());
        let named =
            |paths: &[std::path::PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Value>();
        log::info(
            "begun",
            &message,
            json!({
                "throng": env!("CARGO_PKG_VERSION"),
                "parameters": plan.parameters,
                "as_of": plan.as_of,
                "max_rejected": plan.max_rejected,
                "supersede": plan.supersede,
                "threads": plan.threads,
                "memory_bytes": plan.memory,
                "events": named(&plan.events),
                "out": plan.out.display().to_string(),
            }),
        );
        Self {
            begun: Timestamp::now(),
            last: Instant::now(),
            stages: Vec::new(),
            today: Vec::new(),
            days: Vec::new(),
            occasions: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A stage has ended: of a day, of occasions, or of the whole run.
    pub(crate) fn end(&mut self, stage: &'static str, of: Option<&str>) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        add(&mut self.stages, stage, seconds);
        if of.is_some() {
            add(&mut self.today, stage, seconds);
        }
        let message = of.map_or_else(|| format!("ended: {stage}"), |of| format!("ended: {stage}, {of}"));
        let peak = memory_peak_bytes();
        let object =
            json!({ "stage": stage, "of": of, "seconds": rounded(seconds), "memory_peak_bytes": peak });
        log::info("stage_ended", &message, object);
    }

    /// A day has been written.
    pub(crate) fn day(
        &mut self,
        date: jiff::civil::Date,
        (events_used, devices): (u64, u64),
        reading: Reading,
        rejected: Map<String, Value>,
        cells: Vec<TableCells>,
    ) {
        let timings = std::mem::take(&mut self.today);
        let message =
            format!("{date}: {} events of {} devices counted", thousands(events_used), thousands(devices));
        log::info(
            "day_ended",
            &message,
            json!({
                "date": date,
                "seconds": rounded(timings.iter().map(|stage| stage.seconds).sum()),
                "events_used": events_used,
                "devices": devices,
                "passes": reading.passes,
                "rows_scanned": reading.rows_scanned,
                "crowd_bytes": reading.crowd_bytes,
                "rejected": rejected,
                "cells": cells,
                "memory_peak_bytes": memory_peak_bytes(),
            }),
        );
        self.days.push(Day { date, events_used, devices, reading, rejected, cells, timings });
    }

    /// Occasions have been counted.
    pub(crate) fn occasions(&mut self, title: String, reading: Reading) {
        let timings = std::mem::take(&mut self.today);
        log::info(
            "occasions_ended",
            &format!("{title}: counted"),
            json!({
                "occasions": title,
                "seconds": rounded(timings.iter().map(|stage| stage.seconds).sum()),
                "passes": reading.passes,
                "rows_scanned": reading.rows_scanned,
                "crowd_bytes": reading.crowd_bytes,
            }),
        );
        self.occasions.push(OccasionsAccount { occasions: title, reading, timings });
    }

    /// Something that somebody should look at.
    pub(crate) fn warn(&mut self, warning: Warning) {
        log::warning(&warning);
        self.warnings.push(warning);
    }

    /// Puts each day beside those before it, and warns of what is unlike them. What cannot be compared stops no
    /// release.
    pub(crate) fn compare(&mut self, plan: &Plan, share_rejected: f64) -> Vec<DayAccount> {
        let days = std::mem::take(&mut self.days);
        let counts: Vec<DayCounts> = days.iter().map(|day| counts(day, plan, share_rejected)).collect();
        let history = History::read(&plan.history).unwrap_or_else(|error| {
            self.warn(unusable(&error));
            History::default()
        });
        let compared = history.compare(&counts);
        let mut told_apart = false;
        for (day, compared) in counts.iter().zip(&compared) {
            for comparison in compared.measures.iter().filter(|comparison| comparison.differs) {
                self.warn(differs(day, comparison));
            }
            // Said once a run, where a comparison is missing for it.
            if compared.measures.is_empty() && compared.days_counted_otherwise > 0 && !told_apart {
                told_apart = true;
                self.warn(counted_otherwise(day, compared.days_counted_otherwise, &compared.settings_apart));
            }
        }
        let accounts = days.into_iter().zip(counts).zip(compared);
        accounts
            .map(|((day, counts), compared)| {
                let Day { reading, rejected, cells, timings, .. } = day;
                DayAccount { counts, reading, rejected, cells, timings, compared }
            })
            .collect()
    }

    /// How long the run took so far.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_secs_f64(self.stages.iter().map(|stage| stage.seconds).sum())
    }
}

fn counts(day: &Day, plan: &Plan, share_rejected: f64) -> DayCounts {
    let sum = |of: fn(&TableCells) -> u64| -> u64 { day.cells.iter().map(of).sum() };
    let (published, withheld) = (sum(|cells| cells.published), sum(|cells| cells.withheld));
    let window = plan.calendar.window();
    DayCounts {
        date: day.date,
        window: format!("{}/{}", window.from(), window.to()),
        events_used: day.events_used,
        devices: day.devices,
        share_rejected,
        share_withheld: share(withheld, published + withheld),
        counted_by: CountedBy::new(&plan.parameters, plan.machines.is_some(), plan.opt_out.is_some()),
    }
}

/// A part of a whole; nothing of nothing is none.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A warning of this kind.
pub(crate) fn warning(
    event: &'static str,
    message: String,
    next_step: impl Into<String>,
    object: Value,
) -> Warning {
    Warning { event, message, next_step: next_step.into(), fields: log::fields(object) }
}

/// A day that is unlike those before it.
fn differs(day: &DayCounts, comparison: &Comparison) -> Warning {
    let Comparison { measure, value, mean, deviation, days, kind, .. } = comparison;
    let others = format!("the {days} {} before", kind.as_str());
    #[expect(clippy::cast_possible_truncation, reason = "counts, rounded for people")]
    let count = |number: f64| thousands(number.round() as i64);
    let counted = |what: &str| {
        let than = if value < mean { "fewer" } else { "more" };
        let (value, mean, deviation) = (count(*value), count(*mean), count(*deviation));
        format!(
            "{}: {value} {what}, {than} than usual; the mean of {others} is {mean}, their standard deviation {deviation}",
            day.date
        )
    };
    let late = "look whether files are missing, late or there twice (`files` in run.json); when they are right, run the \
                day again with --supersede";
    let (message, next_step) = match measure {
        Measure::EventsUsed => (counted("events"), late),
        Measure::Devices => (counted("devices"), late),
        Measure::ShareRejected => {
            let [value, mean, deviation] =
                [value, mean, deviation].map(|share| format!("{:.2} %", 100.0 * share));
            (
                format!(
                    "{}: {value} of rows are faulty; the mean of {others} is {mean}, their standard deviation {deviation}",
                    day.window.replace('/', " to ")
                ),
                "look under which reasons (`rejected` in run.json), and at the files with `throng inspect`",
            )
        }
    };
    let mut object = json!({ "date": day.date });
    if let (Value::Object(fields), Ok(Value::Object(of))) = (&mut object, serde_json::to_value(comparison)) {
        fields.extend(of);
    }
    warning("day_differs", message, next_step, object)
}

fn counted_otherwise(day: &DayCounts, days: u64, settings: &[String]) -> Warning {
    warning(
        "day_not_compared",
        format!(
            "{}: not compared; the {days} days before it in the history were counted under other settings ({})",
            day.date,
            settings.join(", ")
        ),
        "nothing, if the settings were changed on purpose: after seven days counted alike, days are compared again",
        json!({ "date": day.date, "days_counted_otherwise": days, "settings_apart": settings }),
    )
}

/// A history that cannot be used.
fn unusable(error: &HistoryError) -> Warning {
    let next_step = match error {
        HistoryError::Io { .. } | HistoryError::Write(_) => {
            "give the user of the run the right to it, and see that its disk has room; the release is none the worse"
        }
        HistoryError::Taken { .. } => {
            "see which run, or who else, holds the file; the release is none the worse, but its days are compared with no others"
        }
        HistoryError::Foreign { .. } => {
            "move the file away or restore it from a backup; without it the next run begins a new history"
        }
    };
    warning("history_unusable", format!("days are not compared: {error}"), next_step, json!({}))
}

/// Puts released days into the history; what fails there is told, and fails no release.
pub(crate) fn remember(plan: &Plan, days: &[DayAccount]) -> Result<Remembered, Warning> {
    let counts: Vec<DayCounts> = days.iter().map(|day| day.counts.clone()).collect();
    throng_aggregator::remember(&plan.history, &counts).map_err(|error| {
        let Warning { next_step, .. } = unusable(&error);
        warning(
            "history_not_written",
            format!("the days of this run are not in the history: {error}"),
            next_step,
            json!({}),
        )
    })
}

/// Rows that the operator asked to leave out are no fault of the inputs.
fn asked_for(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WrongType
            | Reason::OutsideWindow
            | Reason::OptedOut
            | Reason::Machine
            | Reason::ImpossibleSpeed
            | Reason::PingPong
    )
}

/// Faulty rows, and those that were judged for it: all but those left out on purpose.
pub(crate) fn faulty(tally: &Tally) -> (u64, u64) {
    let rejected = tally.rejected();
    let of = |wanted: bool| -> u64 {
        Reason::ALL.into_iter().filter(|r| asked_for(*r) == wanted).map(|r| rejected[r as usize]).sum()
    };
    (of(false), tally.rows_read() - of(true))
}

/// Rows by reason, in the order of the reasons.
pub(crate) fn by_reason(rejected: &[u64; Reason::ALL.len()]) -> Map<String, Value> {
    Reason::ALL.into_iter().map(|r| (r.as_str().to_owned(), rejected[r as usize].into())).collect()
}

/// The most memory that this process had at once, as Linux tells it.
pub(crate) fn memory_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// What to do about inputs of which too much is unusable, by what is wrong with most of it.
pub(crate) fn after_refusal(tally: &Tally) -> &'static str {
    let rejected = tally.rejected();
    // Where some rows can be used, those that were left out on purpose are no reason.
    let blamed = |reason: &Reason| tally.admitted() == 0 || !asked_for(*reason);
    let most = Reason::ALL.into_iter().filter(blamed).max_by_key(|reason| rejected[*reason as usize]);
    match most.filter(|reason| rejected[*reason as usize] > 0) {
        None => "check that the day's files have come whole",
        Some(Reason::Malformed | Reason::MissingField) => {
            "look at the row that is named, and at [event_columns] and [event_format] of the config"
        }
        Some(Reason::WrongType) => "check keep_types and drop_types in the config",
        Some(Reason::Expired) => "check --as-of; events older than 92 days may not be used",
        Some(Reason::OutsideWindow) => {
            "check --from, --to and --timezone against the times that `throng inspect` shows"
        }
        Some(Reason::OptedOut | Reason::Machine) => "check the lists of opt-outs and machines",
        Some(Reason::UnknownCell) => {
            "check that the cell plan belongs to these files and days (`throng inspect --cells`)"
        }
        Some(Reason::Duplicate) => {
            "check whether files are there twice; if rows do repeat so, raise --max-rejected"
        }
        Some(Reason::ImpossibleSpeed | Reason::PingPong) => "check [cleaning] in the config",
    }
}

/// Where the first faulty row of a file is, and what was expected there.
pub(crate) fn first_bad(file: &FileTally) -> Option<Map<String, Value>> {
    let Fault { row, column, reason, expected } = file.first_bad.as_ref()?;
    let reason = reason.as_str();
    Some(log::fields(json!({ "row": row, "column": column, "reason": reason, "expected": expected })))
}

/// How the rows of files came out, for the log; `used` names those that were not rejected.
pub(crate) fn rows(tally: &Tally, used: &str) -> Map<String, Value> {
    let bad = |file: &FileTally| {
        let mut bad = first_bad(file)?;
        bad.insert("path".to_owned(), file.path.display().to_string().into());
        Some(Value::Object(bad))
    };
    log::fields(json!({
        "rows_read": tally.rows_read(),
        used: tally.admitted(),
        "rejected": by_reason(&tally.rejected()),
        "first_bad": tally.files.iter().filter_map(bad).collect::<Value>(),
    }))
}

/// Says how the rows were judged, as soon as all have been read once.
pub(crate) fn tell_judged(tally: &Tally) {
    let message =
        format!("{} rows judged, {} admitted", thousands(tally.rows_read()), thousands(tally.admitted()));
    log::info("rows_judged", &message, Value::Object(rows(tally, "rows_admitted")));
}
