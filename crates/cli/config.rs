//! What the flags and the config mean together: every setting checked once, before any file is read.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use jiff::{SignedDuration, ToSpan, Zoned, civil::Date, tz::TimeZone};
use throng_aggregator::{Expansion, Parameters, Report, Sifting};
use throng_anonymiser::{OptOutHash, Policy, Threshold};
use throng_ingest::{CellColumns, EventColumns, EventFormat};
use throng_schema::{Calendar, Format, Window};

use crate::{
    args::{Expand, LogForm, Preset, ReportName, Settings, When},
    failure::Failure,
    log,
    settings::{Cleaning, HashSettings, census_columns, machine_prefixes},
};

/// Days that individual data may be kept, counted back from the as-of date.
const RETENTION_DAYS: i64 = Window::DAYS_MAX;

/// An event may reach this far at least, or sessions would imply absurd numbers of events.
const HOLD_S_MIN: i64 = 60;

/// More threads than any machine has cores.
const THREADS_MAX: usize = 1_024;

/// One device that stands for more people is a fault in any country.
const EXPANSION_LIMIT_MAX: f64 = 1_000.0;

/// The least memory in which a run is any use.
const MEMORY_MIN: u64 = 64 << 20;

/// A run as it was meant.
pub(crate) struct Plan {
    pub(crate) events: Vec<PathBuf>,
    pub(crate) cells: PathBuf,
    pub(crate) places: Vec<PathBuf>,
    pub(crate) opt_out: Option<PathBuf>,
    pub(crate) opt_out_hash: Option<OptOutHash>,
    pub(crate) machines: Option<PathBuf>,
    pub(crate) machine_prefixes: Vec<String>,
    pub(crate) machine_rule: bool,
    pub(crate) cleaning: Cleaning,
    pub(crate) residence: Option<PathBuf>,
    pub(crate) occasions: Option<PathBuf>,
    pub(crate) census: Option<PathBuf>,
    /// Further columns of the census.
    pub(crate) census_columns: Vec<String>,
    pub(crate) out: PathBuf,
    pub(crate) ledger: PathBuf,
    /// The file of the totals of released days.
    pub(crate) history: PathBuf,
    pub(crate) columns: EventColumns,
    pub(crate) format: EventFormat,
    pub(crate) cell_columns: CellColumns,
    pub(crate) calendar: Calendar,
    pub(crate) as_of: Date,
    pub(crate) expired_before_us: i64,
    pub(crate) hold_us: i64,
    pub(crate) min_stay_us: i64,
    /// The window and twice the hold around it, so that midnight is no edge.
    pub(crate) context_us: Range<i64>,
    pub(crate) reports: Vec<Report>,
    pub(crate) policy: Policy,
    pub(crate) supersede: bool,
    /// One factor for everybody; 1 where there is a table.
    pub(crate) expansion: Expansion,
    /// The table of factors.
    pub(crate) factors: Option<PathBuf>,
    /// The most people that a device of the table may stand for.
    pub(crate) expansion_limit: f64,
    /// Files to write beside each Parquet file.
    pub(crate) formats: Vec<Format>,
    pub(crate) parameters: Parameters,
    pub(crate) max_rejected: f64,
    pub(crate) threads: usize,
    pub(crate) memory: u64,
    pub(crate) progress: When,
}

/// Reads a config. Its paths are relative to its folder.
pub(crate) fn read(path: &Path) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io(path, error))?;
    let mut settings: Settings = toml::from_str(&text).map_err(|error| {
        if asks_for_json(&text) {
            log::speak_as(LogForm::Json);
        }
        let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
        Failure::usage(anyhow!("{}, line {line}: {}", path.display(), without_content(error.message())))
            .next_step("correct that line; throng.toml in the project explains every setting")
    })?;
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let under = |path: &mut PathBuf| *path = base.join(&*path);
    settings.events.iter_mut().chain(&mut settings.places).for_each(under);
    let single = [
        &mut settings.cells,
        &mut settings.out,
        &mut settings.ledger,
        &mut settings.history,
        &mut settings.opt_out,
        &mut settings.machines,
        &mut settings.residence,
        &mut settings.occasions,
        &mut settings.census,
    ];
    single.into_iter().flatten().for_each(under);
    if let Some(Expand::Table(path)) = &mut settings.expansion {
        under(path);
    }
    Ok(settings)
}

/// Whether a config that cannot be used asks for its errors as JSON, as far as that can be seen.
fn asks_for_json(text: &str) -> bool {
    let settings = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let mut log = settings.filter_map(|line| line.trim().strip_prefix("log")?.trim_start().strip_prefix('='));
    log.any(|value| value.trim_start().starts_with("\"json\""))
}

/// The parser's words without what they quote, for who hands over the wrong file: names of settings alone stay.
fn without_content(message: &str) -> String {
    let named = |quoted: &str| quoted.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let parts = message.split('`').enumerate();
    let parts: Vec<_> = parts.map(|(i, part)| if i % 2 == 0 || named(part) { part } else { "..." }).collect();
    parts.join("`").split('"').enumerate().map(|(i, part)| if i % 2 == 0 { part } else { "..." }).collect()
}

impl Settings {
    /// These settings where they say something, the others where they do not.
    pub(crate) fn or(self, other: Self) -> Self {
        fn list<T>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
            if a.is_empty() { b } else { a }
        }
        Self {
            events: list(self.events, other.events),
            cells: self.cells.or(other.cells),
            from: self.from.or(other.from),
            // A day given by flag alone is that day, whatever range the config has.
            to: if self.from.is_some() { self.to } else { self.to.or(other.to) },
            out: self.out.or(other.out),
            ledger: self.ledger.or(other.ledger),
            history: self.history.or(other.history),
            places: list(self.places, other.places),
            opt_out: self.opt_out.or(other.opt_out),
            machines: self.machines.or(other.machines),
            residence: self.residence.or(other.residence),
            occasions: self.occasions.or(other.occasions),
            expansion: self.expansion.or(other.expansion),
            census: self.census.or(other.census),
            reports: list(self.reports, other.reports),
            k: self.k.or(other.k),
            accept_small_k: self.accept_small_k || other.accept_small_k,
            supersede: self.supersede || other.supersede,
            step: self.step.or(other.step),
            hold: self.hold.or(other.hold),
            min_stay: self.min_stay.or(other.min_stay),
            timezone: self.timezone.or(other.timezone),
            as_of: self.as_of.or(other.as_of),
            preset: self.preset.or(other.preset),
            max_rejected: self.max_rejected.or(other.max_rejected),
            threads: self.threads.or(other.threads),
            memory: self.memory.or(other.memory),
            progress: self.progress.or(other.progress),
            log: self.log.or(other.log),
            format: list(self.format, other.format),
            opt_out_hash: self.opt_out_hash.or(other.opt_out_hash),
            machine_prefixes: list(self.machine_prefixes, other.machine_prefixes),
            machine_rule: self.machine_rule.or(other.machine_rule),
            expansion_limit: self.expansion_limit.or(other.expansion_limit),
            census_columns: list(self.census_columns, other.census_columns),
            cleaning: self.cleaning.or(other.cleaning),
            event_columns: self.event_columns.or(other.event_columns),
            event_format: self.event_format.or(other.event_format),
            cell_columns: self.cell_columns.or(other.cell_columns),
        }
    }

    /// The columns of events and cell plan: the config's, or the preset's.
    pub(crate) fn columns(&mut self) -> (EventColumns, EventFormat, CellColumns) {
        let multimno = self.preset == Some(Preset::Multimno);
        let columns = self.event_columns.take();
        let cells = self.cell_columns.take();
        (
            columns
                .unwrap_or_else(|| if multimno { EventColumns::multimno() } else { EventColumns::default() }),
            self.event_format.take().unwrap_or_default(),
            cells.unwrap_or_else(|| if multimno { CellColumns::multimno() } else { CellColumns::default() }),
        )
    }

    /// Checks everything that can be checked without opening an input.
    pub(crate) fn into_plan(mut self) -> Result<Plan, Failure> {
        let wanting =
            |flag: &str| Failure::usage(anyhow!("{flag} is missing; expected as a flag or in the config"));
        if self.events.is_empty() {
            return Err(wanting("--events"));
        }
        let (columns, format, cell_columns) = self.columns();
        let from = self.from.ok_or_else(|| wanting("--from"))?;
        let out = self.out.ok_or_else(|| wanting("--out"))?;
        let zone_name = self.timezone.unwrap_or_else(|| DEFAULT_ZONE.to_owned());
        let zone = zone(&zone_name)?;
        let step_s = seconds("--step", self.step, 15)?;
        let hold_s = seconds("--hold", self.hold, 30)?;
        let min_stay_s = seconds("--min-stay", self.min_stay, 15)?;
        if !(HOLD_S_MIN..=86_400).contains(&hold_s) {
            return Err(Failure::usage(anyhow!("--hold is {hold_s} s; expected between 1min and 24h")));
        }
        let window = Window::new(from, self.to.unwrap_or(from)).map_err(Failure::usage)?;
        let calendar = Calendar::new(window, zone.clone(), step_s).map_err(Failure::usage)?;
        let as_of = self.as_of.unwrap_or_else(|| today(&zone));
        let threshold = threshold(self.k.unwrap_or(30), self.accept_small_k)?;
        let (factor, factors) = match self.expansion {
            None => (1.0, None),
            Some(Expand::Factor(factor)) => (factor, None),
            Some(Expand::Table(path)) => (1.0, Some(path)),
        };
        let expansion = Expansion::factor(factor).map_err(Failure::usage)?;
        let expansion_limit = expansion_limit(self.expansion_limit)?;
        let cleaning = self.cleaning.unwrap_or_default().checked()?;
        let machine_prefixes = machine_prefixes(self.machine_prefixes)?;
        let machine_rule = self.machine_rule.unwrap_or_default();
        let census_columns = census_columns(self.census_columns)?;
        if self.opt_out_hash.is_some() && self.opt_out.is_none() {
            return Err(Failure::usage(anyhow!(
                "[opt_out_hash] stands without a list; expected --opt-out as a flag or in the config"
            )));
        }
        let mut formats: Vec<Format> = self.format.iter().map(|name| name.0).collect();
        formats.sort_unstable();
        formats.dedup();
        let named = |name: &ReportName| name.0.map_or_else(|| Report::ALL.to_vec(), |report| vec![report]);
        let mut reports: Vec<Report> = self.reports.iter().flat_map(named).collect();
        if reports.is_empty() {
            reports.extend([Report::Presence, Report::Visitors]);
        }
        reports.sort_unstable();
        reports.dedup();
        let everything = self.reports.iter().any(|name| name.0.is_none());
        let tables = [
            (Report::Occasions, "--occasions", self.occasions.is_some()),
            (Report::Context, "--census", self.census.is_some()),
        ];
        for (report, flag, given) in tables {
            let asked = reports.contains(&report);
            if everything && !given {
                reports.retain(|other| *other != report);
            } else if asked != given {
                let (report, wanted) = (report.as_str(), if asked { "the table" } else { "the report" });
                return Err(Failure::usage(anyhow!(
                    "the report {report} and its table {flag} go together; expected {wanted} too"
                )));
            }
        }
        let memory = self.memory.map_or(8 << 30, |memory| memory.as_u64());
        if memory < MEMORY_MIN {
            return Err(Failure::usage(anyhow!(
                "--memory is under 64MiB; expected at least that, for example 4GiB"
            )));
        }
        let threads = match self.threads {
            Some(0) => return Err(Failure::usage(anyhow!("--threads is 0; expected at least 1"))),
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        if threads > THREADS_MAX {
            return Err(Failure::usage(anyhow!("--threads is {threads}; expected at most {THREADS_MAX}")));
        }
        let ledger = self.ledger.unwrap_or_else(|| out.parent().unwrap_or(Path::new("")).join("ledger"));
        refuse_ledger_in_release(&ledger, &out)?;
        let history = self.history.unwrap_or_else(|| ledger.join(throng_aggregator::HISTORY));
        refuse_history_in_release(&history, &out)?;
        if expansion.people(threshold.k(), 0) < 1 {
            return Err(Failure::usage(anyhow!(
                "--expansion {} makes no person of {} devices; expected k times the factor to be 1 or more",
                factor,
                threshold.k()
            )));
        }
        let expired_before_us = expired_before_us(as_of, &calendar)?;
        let hold_us = hold_s * throng_schema::MICROS_PER_SECOND;
        let context_us = calendar.start_us() - 2 * hold_us..calendar.end_us() + 2 * hold_us;
        let cuts_in = expired_before_us > context_us.start;
        let parameters = Parameters {
            from: window.from().to_string(),
            to: window.to().to_string(),
            timezone: zone_name,
            k: threshold.k(),
            small_k_accepted: threshold.k() < Threshold::SAFE_MIN,
            expansion_factor: factors.is_none().then_some(factor),
            expansion_version: None,
            step_s,
            hold_s,
            min_stay_s,
            expired_before: cuts_in.then(|| oldest_day(as_of).map(|day| day.to_string())).transpose()?,
            keep_types: format.keep_types.clone(),
            drop_types: format.drop_types.clone(),
            cleaning: cleaning.parameters(),
            machine_rule,
            machine_prefixes: machine_prefixes.len() as u64,
            census_columns: census_columns.clone(),
            formats: formats.iter().map(|format| format.as_str().to_owned()).collect(),
            reports: reports.iter().map(|report| report.as_str().to_owned()).collect(),
        };
        Ok(Plan {
            events: self.events,
            cells: self.cells.ok_or_else(|| wanting("--cells"))?,
            places: self.places,
            opt_out: self.opt_out,
            opt_out_hash: self.opt_out_hash.map(HashSettings::into_hash),
            machines: self.machines,
            machine_prefixes,
            machine_rule,
            cleaning,
            occasions: self.occasions,
            census: self.census,
            census_columns,
            residence: self.residence,
            out,
            ledger,
            history,
            columns,
            format,
            cell_columns,
            expired_before_us,
            calendar,
            as_of,
            hold_us,
            context_us,
            reports,
            policy: Policy { witnesses: true, ..Policy::certified(threshold) },
            supersede: self.supersede,
            expansion,
            factors,
            expansion_limit,
            min_stay_us: min_stay_s * throng_schema::MICROS_PER_SECOND,
            formats,
            parameters,
            max_rejected: self.max_rejected.map_or(0.2, |share| share.0),
            threads,
            memory,
            progress: self.progress.unwrap_or_default(),
        })
    }
}

impl Plan {
    /// What the crowd takes out.
    pub(crate) fn sifting(&self) -> Sifting {
        Sifting {
            speed: self.cleaning.max_speed_kmh.map(|kmh| (kmh, self.cleaning.min_distance_km)),
            ping_pong_us: self.cleaning.ping_pong_us,
            machines: self.machine_rule,
        }
    }

    /// Whether anything that is made asks where subscribers live.
    pub(crate) fn asks_for_homes(&self) -> bool {
        let asks = |report: &Report| matches!(report, Report::Residence | Report::Occasions);
        self.factors.is_some() || self.reports.iter().any(asks)
    }
}

pub(crate) const DEFAULT_ZONE: &str = "Europe/Brussels";

/// A time zone by name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Failure> {
    TimeZone::get(name).map_err(|_| {
        Failure::usage(anyhow!(
            "--timezone {name} is not known; expected an IANA name such as Europe/Brussels"
        ))
    })
}

/// Today on the local clock.
pub(crate) fn today(zone: &TimeZone) -> Date {
    Zoned::now().with_time_zone(zone.clone()).date()
}

/// The oldest day whose events may still be kept.
fn oldest_day(as_of: Date) -> Result<Date, Failure> {
    as_of.checked_sub(RETENTION_DAYS.days()).map_err(Failure::usage)
}

/// The local midnight before which events are too old to be kept.
pub(crate) fn expired_before_us(as_of: Date, calendar: &Calendar) -> Result<i64, Failure> {
    calendar.midnight_us(oldest_day(as_of)?).map_err(Failure::usage)
}

/// The ledger says why numbers were withheld, so it must not lie where the release does.
fn refuse_ledger_in_release(ledger: &Path, out: &Path) -> Result<(), Failure> {
    let (ledger, out) = (real(ledger)?, real(out)?);
    if out.starts_with(&ledger) || of_a_release(&out).iter().any(|folder| ledger.starts_with(folder)) {
        return Err(Failure::usage(anyhow!(
            "--ledger and --out lie in each other; expected the ledger outside the release"
        )));
    }
    if in_a_release(&ledger) || in_a_release(&out) || ledger.join("manifest.json").exists() {
        return Err(Failure::usage(anyhow!(
            "--ledger or --out lies in a folder with a manifest.json; expected neither within another release"
        )));
    }
    Ok(())
}

/// The history counts what the release may withhold, so it must not lie there either.
fn refuse_history_in_release(history: &Path, out: &Path) -> Result<(), Failure> {
    let (history, out) = (real(history)?, real(out)?);
    if history.file_name().is_some_and(|name| name == "run.json" || name == "witnesses.parquet") {
        return Err(Failure::usage(anyhow!(
            "--history has the name of another file of the ledger; expected a name of its own, for example {}",
            throng_aggregator::HISTORY
        )));
    }
    if of_a_release(&out).iter().any(|folder| history.starts_with(folder)) || in_a_release(&history) {
        return Err(Failure::usage(anyhow!(
            "--history lies in a release; expected a file outside it, for example {} in the ledger",
            throng_aggregator::HISTORY
        )));
    }
    Ok(())
}

/// The folder of a release, and those beside it in which it is prepared or the earlier one set aside.
fn of_a_release(out: &Path) -> [PathBuf; 3] {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let beside = |ending: &str| out.with_file_name(format!(".{name}.{ending}"));
    [out.to_owned(), beside("partial"), beside("replaced")]
}

fn in_a_release(path: &Path) -> bool {
    path.ancestors().skip(1).any(|above| above.join("manifest.json").exists())
}

/// Where a path leads that may not be there yet: links are followed as far as there is something, and no `..` is left.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|error| Failure::io(path, error))?;
    let mut found = PathBuf::new();
    for part in path.components() {
        if part == std::path::Component::ParentDir {
            found.pop();
        } else {
            found.push(part);
            found = found.canonicalize().unwrap_or(found);
        }
    }
    Ok(found)
}

fn threshold(k: u64, accept_small: bool) -> Result<Threshold, Failure> {
    if k > u64::from(u32::MAX) {
        return Err(Failure::usage(anyhow!("--k {k} is larger than any country; expected fewer devices")));
    }
    if accept_small { Threshold::accept_small(k) } else { Threshold::new(k) }.map_err(Failure::usage)
}

/// The most people that a device of a table of factors may stand for.
fn expansion_limit(given: Option<f64>) -> Result<f64, Failure> {
    let limit = given.unwrap_or(Expansion::FACTOR_MAX);
    if limit > 0.0 && limit <= EXPANSION_LIMIT_MAX {
        return Ok(limit);
    }
    Err(Failure::usage(anyhow!(
        "expansion_limit is {limit}; expected a number above 0 and at most {EXPANSION_LIMIT_MAX}, for example 100"
    )))
}

/// A duration in whole seconds, or so many minutes.
pub(crate) fn seconds(flag: &str, given: Option<SignedDuration>, default_min: i64) -> Result<i64, Failure> {
    let duration = given.unwrap_or(SignedDuration::from_mins(default_min));
    if duration.as_secs() < 1 || duration.subsec_nanos() != 0 {
        return Err(Failure::usage(anyhow!(
            "{flag} is no positive number of whole seconds; expected for example 15min"
        )));
    }
    Ok(duration.as_secs())
}
