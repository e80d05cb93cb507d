//! A small release made by hand, with every report: two communes, people who stay where they are, and some who travel.
//!
//! A number is published where it is k or more, and the numbers are chosen so that nothing more has to be withheld.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use parquet::arrow::ArrowWriter;
use throng_schema::{Report, arrow_schema, places_schema};

/// The k of the release.
pub(crate) const K: i64 = 20;

const ZONE: &str = "Europe/Brussels";
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Midnight in Brussels.
pub(crate) const MIDNIGHT_MS: i64 = 1_792_015_200_000;

/// Level, place and parent. In the last postal code there is no coverage.
const PLACES: [(&str, &str, &str); 10] = [
    ("country", "BE", ""),
    ("region", "R", "BE"),
    ("province", "P", "R"),
    ("commune", "C0", "P"),
    ("commune", "C1", "P"),
    ("commune", "C2", "P"),
    ("postal_code", "1000", "C0"),
    ("postal_code", "1001", "C0"),
    ("postal_code", "2000", "C1"),
    ("postal_code", "3000", "C2"),
];

/// Where people are and live, and how many they are. Of those of `BE` nothing finer is known.
const PEOPLE: [(&str, &str, i64); 13] = [
    ("1000", "C0", 100),
    ("1000", "C1", 40),
    ("1000", "BE", 30),
    ("1000", "FR", 50),
    ("1000", "NL", 12),
    ("1000", "DE", 12),
    ("1001", "C0", 60),
    ("1001", "NL", 11),
    ("1001", "DE", 11),
    ("2000", "C1", 200),
    ("2000", "FR", 40),
    ("2000", "NL", 30),
    ("2000", "ZZ", 0),
];

/// Trips of an hour.
const TRIPS: [(&str, &str, i64); 4] =
    [("1000", "1001", 40), ("1000", "2000", 25), ("1001", "2000", 30), ("2000", "1000", 60)];

/// The hours in which there are trips.
const BUSY: [i64; 2] = [8, 17];

pub(crate) const DWELL: [&str; 7] = ["0-15min", "15-30min", "30-60min", "1-2h", "2-4h", "4-8h", "8h+"];
const STAYED: [(&str, [i64; 7]); 3] = [
    ("1000", [44, 0, 0, 60, 0, 0, 140]),
    ("1001", [0, 0, 0, 22, 0, 0, 60]),
    ("2000", [70, 0, 0, 0, 0, 0, 200]),
];
const DAYS: [&str; 6] = ["all", "1", "2-3", "4-7", "8-14", "15+"];

/// A row of any file: its words, numbers and times by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) words: BTreeMap<&'static str, String>,
    pub(crate) numbers: BTreeMap<&'static str, i64>,
    pub(crate) reals: BTreeMap<&'static str, f64>,
    pub(crate) times: BTreeMap<&'static str, i64>,
    pub(crate) finest: bool,
}

impl Row {
    fn at(name: &'static str, at_ms: i64) -> Self {
        Self { times: [(name, at_ms)].into(), ..Self::default() }
    }

    fn with(mut self, words: &[(&'static str, &str)]) -> Self {
        self.words.extend(words.iter().map(|(name, word)| (*name, (*word).to_owned())));
        self
    }

    /// With a number if it is large enough, and withheld otherwise.
    fn counts(mut self, people: i64) -> Self {
        self.set(Some(people).filter(|people| *people >= K));
        self
    }

    fn uncovered(mut self) -> Self {
        self.set(None);
        self.words.insert("status", "no_coverage".to_owned());
        self
    }

    /// Publishes a number, or withholds it.
    pub(crate) fn set(&mut self, people: Option<i64>) {
        self.numbers.remove("people");
        self.numbers.extend(people.map(|people| ("people", people)));
        let status = if people.is_some() { "published" } else { "withheld" };
        self.words.insert("status", status.to_owned());
    }

    pub(crate) fn people(&self) -> Option<i64> {
        self.numbers.get("people").copied()
    }

    fn is(&self, words: &[(&str, &str)]) -> bool {
        words.iter().all(|(name, word)| self.words.get(name).map(String::as_str) == Some(*word))
    }
}

/// A file with its columns and rows.
#[derive(Clone)]
pub(crate) struct Table {
    schema: SchemaRef,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    fn of(report: Report, rows: Vec<Row>) -> Self {
        Self { schema: arrow_schema(report, ZONE), rows }
    }

    /// The first row with these words, and at this time if one is given.
    pub(crate) fn row(&mut self, at_ms: Option<i64>, words: &[(&str, &str)]) -> &mut Row {
        let at = |row: &Row| at_ms.is_none_or(|at_ms| row.times.values().any(|time| *time == at_ms));
        let found = self.rows.iter_mut().find(|row| row.is(words) && at(row));
        found.unwrap_or_else(|| panic!("no row {words:?}"))
    }

    /// All rows with these words.
    pub(crate) fn each(&mut self, words: &[(&str, &str)], change: impl Fn(&mut Row)) {
        self.rows.iter_mut().filter(|row| row.is(words)).for_each(change);
    }

    /// Adds a number to those of all rows with these words.
    pub(crate) fn add(&mut self, words: &[(&str, &str)], people: i64) {
        self.each(words, |row| {
            if let Some(number) = row.numbers.get_mut("people") {
                *number += people;
            }
        });
    }

    fn encoded(&self) -> Vec<u8> {
        let arrays = self.schema.fields().iter().map(|field| self.column(field)).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).expect("a batch");
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.into_inner().expect("closed")
    }

    fn column(&self, field: &Field) -> ArrayRef {
        let (name, rows) = (field.name().as_str(), self.rows.iter());
        match field.data_type() {
            DataType::Utf8 => {
                Arc::new(rows.map(|row| row.words.get(name).map(String::as_str)).collect::<StringArray>())
            }
            DataType::Int64 => {
                Arc::new(rows.map(|row| row.numbers.get(name).copied()).collect::<Int64Array>())
            }
            DataType::Int32 => {
                let small = |row: &Row| row.numbers.get(name).map(|number| *number as i32);
                Arc::new(rows.map(small).collect::<Int32Array>())
            }
            DataType::Float64 => {
                Arc::new(rows.map(|row| row.reals.get(name).copied()).collect::<Float64Array>())
            }
            DataType::Boolean => Arc::new(rows.map(|row| Some(row.finest)).collect::<BooleanArray>()),
            _ => {
                let times: TimestampMillisecondArray = rows.map(|row| row.times.get(name).copied()).collect();
                Arc::new(times.with_timezone(ZONE))
            }
        }
    }
}

/// Every file of the release but the manifest.
#[derive(Clone)]
pub(crate) struct Handmade {
    pub(crate) files: BTreeMap<String, Table>,
    pub(crate) reports: Vec<&'static str>,
    pub(crate) factor: f64,
}

pub(crate) const PRESENCE: &str = "presence/date=2026-10-15/part.parquet";
pub(crate) const VISITORS: &str = "visitors/date=2026-10-15/part.parquet";
pub(crate) const RESIDENCE: &str = "residence/date=2026-10-15/part.parquet";
pub(crate) const DWELLS: &str = "dwell/date=2026-10-15/part.parquet";
pub(crate) const FLOWS: &str = "flows/date=2026-10-15/part.parquet";
pub(crate) const CONTEXT: &str = "context/date=2026-10-15/part.parquet";
pub(crate) const FREQUENCY: &str = "frequency/part.parquet";
pub(crate) const OCCASIONS: &str = "occasions/part.parquet";
pub(crate) const AREAS: &str = "occasions.parquet";

impl Handmade {
    /// A release that nothing is wrong with.
    pub(crate) fn good() -> Self {
        let files = [
            ("places.parquet", Table { schema: places_schema(), rows: places() }),
            (PRESENCE, Table::of(Report::Presence, presence())),
            (VISITORS, Table::of(Report::Visitors, visitors())),
            (RESIDENCE, Table::of(Report::Residence, residence())),
            (DWELLS, Table::of(Report::Dwell, dwell())),
            (FREQUENCY, Table::of(Report::Frequency, frequency())),
            (FLOWS, Table::of(Report::Flows, flows())),
            (CONTEXT, Table::of(Report::Context, context())),
            (OCCASIONS, Table::of(Report::Occasions, occasions())),
            (AREAS, Table { schema: areas_schema(), rows: areas() }),
        ];
        Self {
            files: files.into_iter().map(|(name, table)| (name.to_owned(), table)).collect(),
            reports: Report::ALL.iter().map(|report| report.as_str()).collect(),
            factor: 1.0,
        }
    }

    pub(crate) fn file(&mut self, name: &str) -> &mut Table {
        self.files.get_mut(name).expect("a file")
    }

    /// Leaves a report out, with its files.
    pub(crate) fn without(&mut self, report: &str) {
        self.files.retain(|name, _| !name.starts_with(report));
        self.reports.retain(|name| *name != report);
    }

    /// Writes it, with a manifest that says what stands in it.
    pub(crate) fn write(&self, dir: &Path) {
        let mut entries = Vec::new();
        for (name, table) in &self.files {
            let bytes = table.encoded();
            let path = dir.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, &bytes).expect("written");
            entries.push(serde_json::json!({
                "path": name,
                "bytes": bytes.len(),
                "rows": table.rows.len(),
                "blake3": blake3::hash(&bytes).to_hex().as_str(),
            }));
        }
        let reports: Vec<_> = self
            .reports
            .iter()
            .map(|name| serde_json::json!({"name": name, "people": "", "adds_up": *name == "presence"}))
            .collect();
        let manifest = serde_json::json!({
            "throng": "0.1.0",
            "schema_version": throng_schema::SCHEMA_VERSION,
            "parameters": {
                "from": "2026-10-15",
                "to": "2026-10-15",
                "timezone": ZONE,
                "k": K,
                "small_k_accepted": false,
                "expansion_factor": self.factor,
                "expansion_version": null,
                "step_s": 3_600,
                "hold_s": 1_800,
                "min_stay_s": 900,
                "cleaning": {"max_speed_kmh": null, "min_distance_km": null, "ping_pong_s": null},
                "machine_rule": false,
                "machine_prefixes": 0,
                "census_columns": [],
                "formats": [],
                "expired_before": null,
                "keep_types": [],
                "drop_types": [],
                "reports": self.reports,
            },
            "reports": reports,
            "statuses": {"published": "", "withheld": "", "no_coverage": ""},
            "promised": [],
            "not_promised": [],
            "credits": [],
            "files": entries,
        });
        fs::write(dir.join("manifest.json"), serde_json::to_vec(&manifest).expect("JSON")).expect("written");
    }
}

/// A place and all above it, in the words of the tree.
fn chain(code: &str) -> Vec<(&'static str, &'static str)> {
    let mut chain = Vec::new();
    let mut next = PLACES.iter().find(|(level, place, _)| *place == code && *level != "other");
    while let Some((level, place, parent)) = next {
        chain.push((*level, *place));
        next = PLACES.iter().find(|(_, place, _)| place == parent);
    }
    chain
}

/// The classes of whoever lives somewhere.
fn classes(home: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut classes = chain(home);
    if classes.is_empty() {
        classes.push(("country", home));
    }
    classes.push(("all", "all"));
    classes
}

fn places() -> Vec<Row> {
    let row = |(level, place, parent): (&str, &str, &str)| {
        let parent = (!parent.is_empty()).then_some(("parent", parent));
        Row::default().with(&[("level", level), ("place", place)]).with(parent.as_slice())
    };
    PLACES.into_iter().map(row).collect()
}

type Class = (&'static str, &'static str);

/// How many are in each place, of each class.
fn counts() -> HashMap<(&'static str, Class), i64> {
    let mut counts = HashMap::new();
    for (code, home, people) in PEOPLE {
        for (_, place) in chain(code) {
            for class in classes(home) {
                *counts.entry((place, class)).or_default() += people;
            }
        }
    }
    counts
}

const ALL: Class = ("all", "all");

fn covered(place: &str) -> bool {
    place != "3000" && place != "C2"
}

fn hours() -> impl Iterator<Item = i64> {
    (0..24).map(|hour| MIDNIGHT_MS + hour * HOUR_MS)
}

/// The day, then its hours.
fn periods() -> impl Iterator<Item = (&'static str, i64)> {
    [("day", MIDNIGHT_MS)].into_iter().chain(hours().map(|hour| ("hour", hour)))
}

fn everybody(row: Row, place: &'static str) -> Row {
    if covered(place) { row.counts(counts()[&(place, ALL)]) } else { row.uncovered() }
}

fn presence() -> Vec<Row> {
    let at = |at_ms: i64| {
        PLACES.iter().map(move |(level, place, _)| {
            everybody(Row::at("instant", at_ms).with(&[("level", level), ("place", place)]), place)
        })
    };
    hours().flat_map(at).collect()
}

fn visitors() -> Vec<Row> {
    let at = |(period, at_ms): (&'static str, i64)| {
        PLACES.iter().map(move |(level, place, _)| {
            let row = Row::at("period_start", at_ms);
            everybody(row.with(&[("period", period), ("level", level), ("place", place)]), place)
        })
    };
    periods().flat_map(at).collect()
}

fn residence() -> Vec<Row> {
    let counts = counts();
    let all: BTreeSet<Class> = PEOPLE.iter().flat_map(|(_, home, _)| classes(home)).collect();
    let mut rows = Vec::new();
    for (period, at_ms) in periods() {
        let measure = if period == "day" { "visitors" } else { "presence" };
        for (level, place, _) in PLACES {
            let row = |(residence_level, residence): Class| {
                Row::at("period_start", at_ms).with(&[
                    ("measure", measure),
                    ("period", period),
                    ("level", level),
                    ("place", place),
                    ("residence_level", residence_level),
                    ("residence", residence),
                ])
            };
            if !covered(place) {
                rows.push(row(ALL).uncovered());
                continue;
            }
            let number = |class: Class| counts.get(&(place, class)).copied().unwrap_or(0);
            for class in all.iter().filter(|class| **class == ALL || number(**class) >= K) {
                let mut row = row(*class).counts(number(*class));
                let above = |finer: &&Class| classes(finer.1).contains(class) && finer != &class;
                row.finest = !all.iter().filter(above).any(|finer| number(*finer) >= K);
                rows.push(row);
            }
            rows.push(row(("other", "other")).counts(0));
        }
    }
    rows
}

/// How long people stayed in each place.
fn stayed(place: &str) -> [i64; 7] {
    let inside = STAYED.iter().filter(|(code, _)| chain(code).iter().any(|(_, above)| *above == place));
    inside.fold([0; 7], |sum, (_, classes)| std::array::from_fn(|class| sum[class] + classes[class]))
}

fn dwell() -> Vec<Row> {
    let of = |(level, place, _): &(&'static str, &'static str, &str)| {
        let (level, place) = (*level, *place);
        let row = move |class: usize| {
            let row =
                Row::at("period_start", MIDNIGHT_MS).with(&[("period", "day"), ("dwell", DWELL[class])]);
            let row = row.with(&[("level", level), ("place", place)]);
            if covered(place) { row.counts(stayed(place)[class]) } else { row.uncovered() }
        };
        (0..7).map(row)
    };
    PLACES.iter().flat_map(of).collect()
}

fn frequency() -> Vec<Row> {
    let of = |(level, place, _): &(&'static str, &'static str, &str)| {
        let (level, place) = (*level, *place);
        let row = move |(class, days): (usize, &str)| {
            let row = Row::at("period_start", MIDNIGHT_MS).with(&[("period", "window"), ("days", days)]);
            let row = row.with(&[("level", level), ("place", place)]);
            match class {
                0 | 1 => everybody(row, place),
                _ if covered(place) => row.counts(0),
                _ => row.uncovered(),
            }
        };
        DAYS.into_iter().enumerate().map(row)
    };
    PLACES.iter().flat_map(of).collect()
}

fn flows() -> Vec<Row> {
    let mut counts: BTreeMap<(Class, Class), i64> = BTreeMap::new();
    for (from, to, trips) in TRIPS {
        for origin in classes(from) {
            for destination in classes(to) {
                *counts.entry((origin, destination)).or_default() += trips;
            }
        }
    }
    let mut rows = Vec::new();
    for (period, at_ms) in periods() {
        let times = match (at_ms - MIDNIGHT_MS) / HOUR_MS {
            _ if period == "day" => BUSY.len() as i64,
            hour => i64::from(BUSY.contains(&hour)),
        };
        let row = |origin: Class, destination: Class| {
            Row::at("period_start", at_ms).with(&[
                ("period", period),
                ("level", origin.0),
                ("place", origin.1),
                ("destination_level", destination.0),
                ("destination", destination.1),
            ])
        };
        let published = counts.iter().map(|(pair, trips)| (pair, trips * times)).filter(|(_, n)| *n >= K);
        rows.extend(published.map(|((from, to), trips)| row(*from, *to).counts(trips)));
        let origins = PLACES.iter().map(|(level, place, _)| (*level, *place)).filter(|(_, p)| covered(p));
        rows.extend(origins.chain([ALL]).map(|origin| row(origin, ("other", "other")).counts(0)));
    }
    rows
}

fn context() -> Vec<Row> {
    let of = |(level, place, _): &(&'static str, &'static str, &str)| {
        let row = Row::at("period_start", MIDNIGHT_MS).with(&[("period", "day")]);
        let mut row = everybody(row.with(&[("level", level), ("place", place)]), place);
        row.reals.extend([("population", 500.0), ("area_km2", 8.0)]);
        if let Some(people) = row.numbers.remove("people") {
            let real = people as f64;
            row.numbers.insert("visitors", people);
            row.reals.extend([
                ("presence", real),
                ("visitors_per_1000", real * 2.0),
                ("visitors_per_km2", real / 8.0),
                ("presence_per_1000", real * 2.0),
                ("presence_per_km2", real / 8.0),
            ]);
        }
        row
    };
    PLACES.iter().map(of).collect()
}

/// The window of the one occasion, in the first part of two of a postal code.
pub(crate) const FAIR_MS: (i64, i64) = (MIDNIGHT_MS + 10 * HOUR_MS, MIDNIGHT_MS + 12 * HOUR_MS);

fn occasions() -> Vec<Row> {
    let row = |measure: &str, at_ms: i64, (level, class): (&str, &str), people: i64| {
        let row = Row::at("at", at_ms).with(&[("occasion", "fair"), ("measure", measure)]);
        row.with(&[("class_level", level), ("class", class)]).counts(people)
    };
    let mut rows = Vec::new();
    for at_ms in [FAIR_MS.0, FAIR_MS.0 + HOUR_MS] {
        for (measure, people) in [("presence", 100), ("typical", 0), ("arrivals", 30), ("departures", 40)] {
            rows.push(row(measure, at_ms, ALL, people));
        }
    }
    rows.push(row("visitors", FAIR_MS.0, ALL, 120));
    for (class, people) in
        [(ALL, 120), (("country", "BE"), 60), (("region", "R"), 60), (("country", "FR"), 30)]
    {
        rows.push(row("residence", FAIR_MS.0, class, people));
    }
    rows.push(row("residence", FAIR_MS.0, ("other", "other"), 0));
    for class in DWELL {
        rows.push(row("dwell", FAIR_MS.0, ("dwell", class), if class == "1-2h" { 100 } else { 10 }));
    }
    rows
}

fn areas_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some(ZONE.into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("occasion"),
        Field::new("name", DataType::Utf8, true),
        Field::new("start", time.clone(), false),
        Field::new("end", time, false),
        text("postal_code"),
        Field::new("part", DataType::Int32, false),
        Field::new("parts", DataType::Int32, false),
    ]))
}

fn areas() -> Vec<Row> {
    let mut row = Row::at("start", FAIR_MS.0).with(&[("occasion", "fair"), ("name", "The fair")]);
    row.times.insert("end", FAIR_MS.1);
    row = row.with(&[("postal_code", "1000")]);
    row.numbers.extend([("part", 1), ("parts", 2)]);
    vec![row]
}
