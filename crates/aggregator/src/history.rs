//! The history of released days, in the ledger: a few totals of each, so that a day unlike those before it is told of.
//!
//! The rule is that of the quality warnings of Eurostat's MultiMNO pipeline: a day is apart when it differs from the
//! mean of the days before it by more than three of their standard deviations. MultiMNO takes the last 7 or 30 days
//! as they are; here working days are compared with working days, and weekends with weekends, where there are enough.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use throng_schema::{Cleaning, Parameters};

use crate::release::{
    Filed, PATIENCE_WITH_RUNS, ReleaseError, lock_in_time, make_ledger_folder, parent_and_name,
    write_ledger_file,
};

/// The name of the file in the ledger.
pub const HISTORY: &str = "history.json";

/// The version of its fields.
const VERSION: u32 = 1;

/// A larger file is none that a run has written.
const BYTES_MAX: u64 = 16 << 20;

/// Days are kept for more than a year, so that the same day of the year before can be looked up.
const DAYS_KEPT: i64 = 400;

/// How far back a day is compared: four weeks, so that every day of the week is there equally often.
const DAYS_BACK: i64 = 28;

/// Fewer days have no standard deviation worth the name.
const DAYS_MIN: usize = 7;

/// Standard deviations from the mean beyond which a day is apart.
const DEVIATIONS: f64 = 3.0;

/// Days that are equal by chance, or because they are few, have next to no standard deviation: the least that is
/// taken for it is this share of the mean of a count, and this share of rows.
const COUNT_DEVIATION_MIN: f64 = 0.01;
const SHARE_DEVIATION_MIN: f64 = 0.001;

/// What decides which rows count as events and devices of a day. Only days of which all of it is equal are compared.
///
/// What a mistake could change is left out, for to find it is the point: paths, columns, formats, the cell plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountedBy {
    /// IANA name of the local clock.
    pub timezone: String,
    /// Seconds that an event reaches: how many events a session stands for.
    pub hold_s: i64,
    /// Event types kept; empty if all.
    pub keep_types: Vec<String>,
    /// Event types left out.
    pub drop_types: Vec<String>,
    /// Which rows were taken for no journey.
    pub cleaning: Cleaning,
    /// Whether who never moves and is always active was taken for a machine.
    pub machine_rule: bool,
    /// By how many beginnings of identifiers machines were known.
    pub machine_prefixes: u64,
    /// Whether there was a list of machines.
    pub machines: bool,
    /// Whether there was a list of opt-outs.
    pub opt_out: bool,
}

impl CountedBy {
    /// As these parameters say, with a list of machines or of opt-outs or without.
    #[must_use]
    pub fn new(parameters: &Parameters, machines: bool, opt_out: bool) -> Self {
        let sorted = |types: &[String]| types.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        Self {
            timezone: parameters.timezone.clone(),
            hold_s: parameters.hold_s,
            keep_types: sorted(&parameters.keep_types),
            drop_types: sorted(&parameters.drop_types),
            cleaning: parameters.cleaning.clone(),
            machine_rule: parameters.machine_rule,
            machine_prefixes: parameters.machine_prefixes,
            machines,
            opt_out,
        }
    }

    /// The names of the settings in which another differs.
    fn apart(&self, other: &Self) -> Vec<String> {
        let fields = |by: &Self| match serde_json::to_value(by) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let others = fields(other);
        fields(self)
            .into_iter()
            .filter(|(name, value)| others.get(name) != Some(value))
            .map(|f| f.0)
            .collect()
    }
}

/// The totals of one released day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayCounts {
    /// The local day.
    pub date: Date,
    /// First and last day of the run that counted it.
    pub window: String,
    /// Events of the day itself, without its context; a session counts as the events that it stands for.
    pub events_used: u64,
    /// Subscribers with any.
    pub devices: u64,
    /// The share of faulty rows among those not left out on purpose: of the whole run, for a row whose time cannot be
    /// read is of no day.
    pub share_rejected: f64,
    /// The share of withheld cells among those that some cell of the plan serves.
    pub share_withheld: f64,
    /// What decides which rows count.
    pub counted_by: CountedBy,
}

impl DayCounts {
    fn of(&self, measure: Measure) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "compared to a few per cent")]
        match measure {
            Measure::EventsUsed => self.events_used as f64,
            Measure::Devices => self.devices as f64,
            Measure::ShareRejected => self.share_rejected,
        }
    }

    fn same_entry(&self, other: &Self) -> bool {
        self.date == other.date && self.counted_by == other.counted_by
    }

    fn makes_sense(&self) -> bool {
        [self.share_rejected, self.share_withheld].iter().all(|share| (0.0..=1.0).contains(share))
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events of the day.
    EventsUsed,
    /// Devices of the day.
    Devices,
    /// The share of faulty rows of its run.
    ShareRejected,
}

impl Measure {
    const ALL: [Self; 3] = [Self::EventsUsed, Self::Devices, Self::ShareRejected];

    fn deviation_min(self, mean: f64) -> f64 {
        match self {
            Self::EventsUsed | Self::Devices => COUNT_DEVIATION_MIN * mean,
            Self::ShareRejected => SHARE_DEVIATION_MIN,
        }
    }
}

/// The days with which one is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From Monday to Friday.
    WorkingDays,
    /// Saturdays and Sundays.
    Weekends,
    /// All, for there are too few of the day's kind.
    AllDays,
}

impl Kind {
    fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Saturday | Weekday::Sunday => Self::Weekends,
            _ => Self::WorkingDays,
        }
    }

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkingDays => "working days",
            Self::Weekends => "days of weekends",
            Self::AllDays => "days",
        }
    }
}

/// A number of a day beside those of the days before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What is compared.
    pub measure: Measure,
    /// The day's.
    pub value: f64,
    /// The mean of the others.
    pub mean: f64,
    /// Their standard deviation, or the least that is taken for it.
    pub deviation: f64,
    /// How many others there are.
    pub days: u64,
    /// Which they are.
    pub kind: Kind,
    /// Whether the day is more than three standard deviations from the mean.
    pub differs: bool,
}

/// A day beside the days before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// What could be compared.
    pub measures: Vec<Comparison>,
    /// Days before it that were counted in another way, and so were not looked at.
    pub days_counted_otherwise: u64,
    /// The settings in which the latest of them differ.
    pub settings_apart: Vec<String>,
}

/// Why the history cannot be used. It quotes nothing of the file.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other runs have held it for too long.
    #[error("{}: held by another run; expected it to be free within ten minutes", path.display())]
    Taken {
        /// The file that they hold.
        path: PathBuf,
    },
    /// Something else stands there.
    #[error("{}{}: not a history that this version has written", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Where that shows.
        line: Option<usize>,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] ReleaseError),
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    throng_history: u32,
    days: Vec<DayCounts>,
}

/// The released days that are known, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    days: Vec<DayCounts>,
}

impl History {
    /// Reads a history; of what is not there nothing is known.
    ///
    /// # Errors
    /// When something else stands there, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, HistoryError> {
        let wrong = |source| HistoryError::Io { path: path.to_owned(), source };
        let foreign = |line| HistoryError::Foreign { path: path.to_owned(), line };
        // What is no file could be read for ever.
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            found => found.map_err(wrong)?,
        };
        if !bytes.is_file() || bytes.len() > BYTES_MAX {
            return Err(foreign(None));
        }
        let mut json = Vec::new();
        File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut json)).map_err(wrong)?;
        let written: Written =
            serde_json::from_slice(&json).map_err(|error| foreign(Some(error.line().max(1))))?;
        if written.throng_history != VERSION || !written.days.iter().all(DayCounts::makes_sense) {
            return Err(foreign(None));
        }
        Ok(Self::default().with(written.days))
    }

    /// The same with these days, each in the place of its own earlier entry.
    #[must_use]
    pub fn with(mut self, days: impl IntoIterator<Item = DayCounts>) -> Self {
        for day in days {
            self.days.retain(|known| !known.same_entry(&day));
            self.days.push(day);
        }
        self.days.sort_by_key(|day| day.date);
        self
    }

    /// How each of a run's days compares with the days before it, the earlier ones of the run among them.
    ///
    /// The share of faulty rows is one number for the run, so the first of its days speaks for all.
    #[must_use]
    pub fn compare(&self, run: &[DayCounts]) -> Vec<Compared> {
        let all = self.clone().with(run.iter().cloned());
        let first = run.iter().map(|day| day.date).min();
        run.iter().map(|day| all.compare_day(day, first == Some(day.date))).collect()
    }

    fn compare_day(&self, day: &DayCounts, with_share: bool) -> Compared {
        let from = day.date.checked_sub(DAYS_BACK.days()).unwrap_or(Date::MIN);
        let before = self.days.iter().filter(|known| (from..day.date).contains(&known.date));
        let (alike, otherwise): (Vec<_>, Vec<_>) =
            before.partition(|known| known.counted_by == day.counted_by);
        let measures = Measure::ALL.into_iter().filter(|m| with_share || *m != Measure::ShareRejected);
        Compared {
            measures: measures.filter_map(|measure| compared(measure, day, &alike)).collect(),
            days_counted_otherwise: otherwise.len() as u64,
            settings_apart: otherwise
                .last()
                .map_or(Vec::new(), |last| day.counted_by.apart(&last.counted_by)),
        }
    }

    /// Forgets what is long ago.
    fn pruned(mut self) -> Self {
        if let Some(oldest) = self.days.last().and_then(|last| last.date.checked_sub(DAYS_KEPT.days()).ok()) {
            self.days.retain(|day| day.date > oldest);
        }
        self
    }
}

/// A number of a day beside the others', if there are enough: of its kind, or else of all.
fn compared(measure: Measure, day: &DayCounts, alike: &[&DayCounts]) -> Option<Comparison> {
    let of = |wanted: Kind| {
        let days = alike.iter().filter(|other| wanted == Kind::AllDays || Kind::of(other.date) == wanted);
        (wanted, numbers(measure, days.copied()))
    };
    let enough = |(_, numbers): &(Kind, Vec<f64>)| numbers.len() >= DAYS_MIN;
    let (kind, numbers) = [Kind::of(day.date), Kind::AllDays].into_iter().map(of).find(enough)?;
    let (mean, deviation) = mean_and_deviation(&numbers);
    let (value, deviation) = (day.of(measure), deviation.max(measure.deviation_min(mean)));
    let differs = (value - mean).abs() > DEVIATIONS * deviation;
    Some(Comparison { measure, value, mean, deviation, days: numbers.len() as u64, kind, differs })
}

/// The numbers of these days; days of one run have one share of faulty rows between them.
fn numbers<'d>(measure: Measure, days: impl Iterator<Item = &'d DayCounts>) -> Vec<f64> {
    let mut runs = BTreeSet::new();
    days.filter(|day| measure != Measure::ShareRejected || runs.insert(day.window.as_str()))
        .map(|day| day.of(measure))
        .collect()
}

/// The mean, and the standard deviation of a sample; there are two numbers at least.
#[expect(clippy::cast_precision_loss, reason = "a few days")]
fn mean_and_deviation(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// A history that is on the disk and takes its place once the release has. No other run changes it until then.
#[must_use]
pub struct Remembered {
    file: Filed,
    _lock: File,
}

impl Remembered {
    /// Puts it in the place of the one that stood there; gives its path.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn place(self) -> Result<PathBuf, ReleaseError> {
        self.file.place()
    }
}

/// Puts released days into the history, each in the place of its own earlier entry; the file is written whole or stays
/// as it was. Runs that share a history wait for each other, so that no day is lost.
///
/// # Errors
/// When something else stands there, or it cannot be written.
pub fn remember(path: &Path, days: &[DayCounts]) -> Result<Remembered, HistoryError> {
    // What a link points to is replaced, and not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (folder, name) = parent_and_name(&path)?;
    make_ledger_folder(&folder)?;
    let lock = lock_of(&folder.join(format!(".{name}.lock")))?;
    let days = History::read(&path)?.with(days.iter().cloned()).pruned().days;
    let written = Written { throng_history: VERSION, days };
    let mut json = serde_json::to_vec_pretty(&written).map_err(ReleaseError::from)?;
    json.push(b'\n');
    let file = write_ledger_file(&folder, &name, &json)?;
    Ok(Remembered { file, _lock: lock })
}

/// Holds a file that is there for nothing else: the history itself is replaced, and a folder may be held for another
/// reason, by this very run.
fn lock_of(path: &Path) -> Result<File, HistoryError> {
    use std::os::unix::fs::OpenOptionsExt;
    let wrong = |source| HistoryError::Io { path: path.to_owned(), source };
    // A link is not followed, and nobody is waited for at the other end of a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let file = options.open(path).map_err(wrong)?;
    if !file.metadata().map_err(wrong)?.is_file() {
        return Err(wrong(io::Error::other("expected an empty file, or none")));
    }
    let free = lock_in_time(&file, PATIENCE_WITH_RUNS).map_err(wrong)?;
    if free { Ok(file) } else { Err(HistoryError::Taken { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn by() -> CountedBy {
        CountedBy {
            timezone: "Europe/Brussels".to_owned(),
            hold_s: 1_800,
            keep_types: Vec::new(),
            drop_types: Vec::new(),
            cleaning: Cleaning::default(),
            machine_rule: false,
            machine_prefixes: 0,
            machines: false,
            opt_out: true,
        }
    }

    fn day(date: Date, events_used: u64) -> DayCounts {
        let window = format!("{date}/{date}");
        let devices = events_used / 10;
        DayCounts {
            date,
            window,
            events_used,
            devices,
            share_rejected: 0.02,
            share_withheld: 0.1,
            counted_by: by(),
        }
    }

    /// Monday, 2026-09-14, and so many days from it on: weekends have half as many events, and no two days the same.
    fn days(n: i64) -> Vec<DayCounts> {
        let of = |i: i64| {
            let date = date(2026, 9, 14).checked_add(i.days()).expect("a date");
            let events = if Kind::of(date) == Kind::Weekends { 50_000 } else { 100_000 };
            day(date, events + 500 * (i.unsigned_abs() % 3))
        };
        (0..n).map(of).collect()
    }

    fn differing(known: &[DayCounts], day: &DayCounts) -> Vec<Measure> {
        let history = History::default().with(known.iter().cloned());
        let compared = history.compare(std::slice::from_ref(day)).remove(0);
        compared.measures.into_iter().filter(|c| c.differs).map(|c| c.measure).collect()
    }

    #[test]
    fn a_day_unlike_its_kind_is_told_and_a_weekend_is_not() {
        let known = days(28);
        let (monday, saturday) = (date(2026, 10, 12), date(2026, 10, 17));
        assert_eq!(differing(&known, &day(monday, 100_300)), []);
        assert_eq!(differing(&known, &day(monday, 90_000)), [Measure::EventsUsed, Measure::Devices]);
        assert_eq!(differing(&known, &day(monday, 110_000)), [Measure::EventsUsed, Measure::Devices]);
        assert_eq!(differing(&known, &day(saturday, 50_400)), []);
        assert_eq!(differing(&known, &day(saturday, 100_000)), [Measure::EventsUsed, Measure::Devices]);
        let faulty = DayCounts { share_rejected: 0.05, ..day(monday, 100_300) };
        assert_eq!(differing(&known, &faulty), [Measure::ShareRejected]);
    }

    #[test]
    fn a_mean_and_a_deviation_are_those_of_the_textbook() {
        assert_eq!(
            mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]),
            (5.0, (32.0_f64 / 7.0).sqrt())
        );
    }

    #[test]
    fn too_few_days_or_days_too_long_ago_are_not_compared_with() {
        let monday = day(date(2026, 9, 21), 1);
        assert_eq!(differing(&days(6), &monday), []);
        // Five working days are too few of their kind; with the weekend they are seven.
        let history = History::default().with(days(7));
        let compared = history.compare(std::slice::from_ref(&monday)).remove(0);
        let kinds: Vec<_> = compared.measures.iter().map(|c| (c.kind, c.days)).collect();
        assert_eq!(kinds, [(Kind::AllDays, 7); 3]);
        assert_eq!(differing(&days(7), &day(date(2026, 11, 2), 1)), []);
    }

    #[test]
    fn equal_days_let_a_little_pass() {
        let known: Vec<_> = days(7).iter().map(|known| day(known.date, 100_000)).collect();
        let monday = date(2026, 9, 21);
        assert_eq!(differing(&known, &day(monday, 102_900)), []);
        assert_eq!(differing(&known, &day(monday, 103_100)), [Measure::EventsUsed, Measure::Devices]);
        let faulty = |share_rejected| DayCounts { share_rejected, ..day(monday, 100_000) };
        assert_eq!(differing(&known, &faulty(0.0228)), []);
        assert_eq!(differing(&known, &faulty(0.0232)), [Measure::ShareRejected]);
    }

    #[test]
    fn a_day_replaces_itself_and_is_not_compared_with_itself() {
        let known = days(14);
        let again = day(known[9].date, 1);
        let history = History::default().with(known.clone()).with([again.clone()]);
        assert_eq!(history.days.len(), 14);
        assert_eq!(history.days[9], again);
        // The mean is that of the nine days before, whatever stands for the day itself and after it.
        let compared = history.compare(&[day(known[9].date, 100_000)]).remove(0);
        assert_eq!((compared.measures[0].days, compared.measures[0].kind), (7, Kind::WorkingDays));
        assert!(!compared.measures[0].differs);
    }

    #[test]
    fn days_of_one_run_are_compared_with_those_before_and_share_one_share() {
        let run: Vec<_> = days(10)
            .into_iter()
            .map(|day| DayCounts { window: "2026-09-14/2026-09-23".to_owned(), ..day })
            .collect();
        let compared = History::default().compare(&run);
        assert_eq!(compared[6].measures, []);
        assert_eq!(compared[9].measures.iter().map(|c| c.days).collect::<Vec<_>>(), [7, 7]);
        // Ten days of one run are one share of rejected rows, which is no history.
        let next = History::default().with(run).compare(&[day(date(2026, 9, 24), 100_000)]).remove(0);
        assert!(next.measures.iter().all(|c| c.measure != Measure::ShareRejected), "{next:?}");
    }

    #[test]
    fn days_counted_in_another_way_are_named_and_not_compared_with() {
        let other = |known: DayCounts| {
            let drop_types = vec!["paging".to_owned()];
            DayCounts { counted_by: CountedBy { hold_s: 900, drop_types, ..by() }, ..known }
        };
        let history = History::default().with(days(14).into_iter().map(other));
        let compared = history.compare(&[day(date(2026, 9, 28), 1)]).remove(0);
        assert_eq!((compared.measures.len(), compared.days_counted_otherwise), (0, 14));
        assert_eq!(compared.settings_apart, ["drop_types", "hold_s"]);
        // Each way of counting has an entry of its own for a day.
        assert_eq!(history.with(days(14)).days.len(), 28);
    }

    #[test]
    fn a_history_comes_back_as_it_was_written_and_forgets_what_is_long_ago() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger/history.json");
        let remember =
            |path: &Path, days: &[DayCounts]| remember(path, days).and_then(|file| Ok(file.place()?));
        assert_eq!(History::read(&path).expect("nothing yet"), History::default());
        remember(&path, &days(3)).expect("written");
        remember(&path, &days(5)[2..]).expect("written");
        assert_eq!(History::read(&path).expect("there").days, days(5));
        remember(&path, &[day(date(2027, 10, 19), 7)]).expect("written");
        let kept: Vec<_> = History::read(&path).expect("there").days.iter().map(|day| day.date).collect();
        assert_eq!(
            kept,
            [date(2026, 9, 15), date(2026, 9, 16), date(2026, 9, 17), date(2026, 9, 18), date(2027, 10, 19)]
        );
    }

    #[test]
    fn runs_that_end_at_once_lose_no_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.json");
        std::thread::scope(|scope| {
            for day in days(24) {
                let path = &path;
                scope.spawn(move || remember(path, &[day]).expect("written").place().expect("placed"));
            }
        });
        assert_eq!(History::read(&path).expect("there").days, days(24));
    }

    #[test]
    fn what_is_no_history_is_left_alone_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.json");
        let good = serde_json::to_string(&Written { throng_history: 1, days: days(2) }).expect("JSON");
        let share = good.replace("\"share_rejected\":0.02", "\"share_rejected\":2.0");
        let later = good.replace("\"throng_history\":1", "\"throng_history\":2");
        let cut = &good[..good.len() / 2];
        for text in ["206019876543210\n", "", "{\"206019876543210\": 1}", cut, &share, &later] {
            fs::write(&path, text).expect("written");
            let error = remember(&path, &days(1)).err().expect("foreign").to_string();
            assert!(error.contains("history.json") && error.contains("not a history"), "{error}");
            assert!(!error.contains("2060"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        assert!(matches!(History::read(&path), Err(HistoryError::Foreign { .. })));
    }
}
