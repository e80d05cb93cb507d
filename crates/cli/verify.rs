//! `throng verify`: checks a release with nothing but the release, and none of the code that made it safe.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Int64Type, Schema, TimestampMillisecondType},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use throng_aggregator::{Manifest, Report, arrow_schema, places_schema};
use throng_schema::{Level, Period, SCHEMA_VERSION, Status};

use crate::{
    args::VerifyArgs,
    failure::Failure,
    speak::{say, table, thousands},
};

/// Checks the release and says what is wrong with it.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    fs::read_dir(&args.dir).map_err(|error| Failure::io(&args.dir, error))?;
    let mut faults = Faults::default();
    let seen = check(&args.dir, &mut faults);
    if faults.0.is_empty() {
        let Seen { files, rows, published } = seen;
        let [files, rows, published] = [files, rows, published].map(thousands);
        return say(&format!(
            "verified  {files} files, {rows} rows, {published} published numbers: no fault found"
        ));
    }
    let rows = faults.0.iter().map(|((file, check), found)| {
        vec![format!("{file}: {check}"), thousands(found.times), found.first.clone()]
    });
    say(&table(&["fault", "times", "first"], rows).to_string())?;
    Err(Failure::Faults(faults.0.len()))
}

#[derive(Default)]
struct Seen {
    files: u64,
    rows: u64,
    published: u64,
}

struct Found {
    times: u64,
    first: String,
}

/// Faults by file and check: how often, and where first.
#[derive(Default)]
struct Faults(BTreeMap<(String, &'static str), Found>);

impl Faults {
    fn add(&mut self, file: &str, check: &'static str, at: impl FnOnce() -> String) {
        let found = self.0.entry((file.to_owned(), check));
        found.or_insert_with(|| Found { times: 0, first: at() }).times += 1;
    }
}

fn check(dir: &Path, faults: &mut Faults) -> Seen {
    let mut seen = Seen::default();
    let Some(manifest) = manifest(dir, faults) else { return seen };
    check_files(dir, &manifest, faults);
    seen.files = manifest.files.len() as u64;
    let Some(rules) = Rules::read(dir, &manifest, faults) else { return seen };
    let mut expected = BTreeSet::from(["places.parquet".to_owned()]);
    for report in &rules.reports {
        for date in &rules.dates {
            let name = format!("{}/date={date}/part.parquet", report.as_str());
            check_part(dir, &name, *report, *date, &rules, faults, &mut seen);
            expected.insert(name);
        }
    }
    let listed: BTreeSet<_> = manifest.files.iter().map(|file| file.path.clone()).collect();
    for name in expected.symmetric_difference(&listed) {
        faults.add(name, "the manifest lists the files that the parameters ask for", || {
            "listed or missing".to_owned()
        });
    }
    seen
}

fn manifest(dir: &Path, faults: &mut Faults) -> Option<Manifest> {
    const NAME: &str = "manifest.json";
    let text = fs::read(dir.join(NAME)).ok();
    let manifest = text.and_then(|text| {
        serde_json::from_slice::<Manifest>(&text)
            .map_err(|error| {
                faults.add(NAME, "the manifest has the fields of its schema", || {
                    format!("line {}", error.line())
                });
            })
            .ok()
    });
    if manifest.is_none() && faults.0.is_empty() {
        faults.add(NAME, "the release has a manifest", || "missing".to_owned());
    }
    let manifest = manifest?;
    if manifest.schema_version != SCHEMA_VERSION {
        faults.add(NAME, "the schema version is known", || format!("expected {SCHEMA_VERSION}"));
        return None;
    }
    Some(manifest)
}

/// Every file has its hash and size, and no file is there that the manifest does not list.
fn check_files(dir: &Path, manifest: &Manifest, faults: &mut Faults) {
    for file in &manifest.files {
        if !is_plain_relative(&file.path) {
            faults.add("manifest.json", "paths stay in the release", || {
                "a path with a root or `..`".to_owned()
            });
            continue;
        }
        match fs::read(dir.join(&file.path)) {
            Ok(bytes) => {
                if blake3::hash(&bytes).to_hex().as_str() != file.blake3 || bytes.len() as u64 != file.bytes {
                    faults.add(&file.path, "the file is the one that was written", || {
                        "BLAKE3 or size differ".to_owned()
                    });
                }
            }
            Err(error) => faults.add(&file.path, "the file can be read", || error.kind().to_string()),
        }
    }
    let listed: BTreeSet<PathBuf> = manifest.files.iter().map(|file| dir.join(&file.path)).collect();
    for path in walk(dir) {
        if !listed.contains(&path) && path != dir.join("manifest.json") {
            let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            faults.add(&name, "the manifest lists every file", || "not listed".to_owned());
        }
    }
}

fn is_plain_relative(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path()),
            _ => vec![entry.path()],
        })
        .collect()
}

/// A place as `places.parquet` has it.
struct Place {
    level: String,
    code: String,
    parent: Option<usize>,
}

/// What the manifest and the places demand of every report.
struct Rules {
    dates: Vec<Date>,
    zone: TimeZone,
    zone_name: String,
    step: SignedDuration,
    k: u64,
    factor: f64,
    reports: Vec<Report>,
    places: Vec<Place>,
    index: HashMap<(String, String), usize>,
    rows: HashMap<String, u64>,
}

impl Rules {
    fn read(dir: &Path, manifest: &Manifest, faults: &mut Faults) -> Option<Self> {
        let parameters = &manifest.parameters;
        let parse = || {
            let (from, to): (Date, Date) = (parameters.from.parse().ok()?, parameters.to.parse().ok()?);
            let zone = TimeZone::get(&parameters.timezone).ok()?;
            let reports: Option<Vec<Report>> =
                parameters.reports.iter().map(|name| name.parse().ok()).collect();
            let days = u32::try_from((to - from).get_days()).ok()?;
            let sane = parameters.k > 0
                && parameters.step_s > 0
                && parameters.expansion_factor > 0.0
                && days < 10_000;
            let dates = from.series(jiff::ToSpan::day(1)).take_while(|date| *date <= to).collect();
            sane.then_some((dates, zone, reports?))
        };
        let Some((dates, zone, reports)) = parse() else {
            faults.add("manifest.json", "the parameters can be understood", || {
                "dates, zone, k, step or reports".to_owned()
            });
            return None;
        };
        if parameters.small_k_accepted != (parameters.k < 15) {
            faults
                .add("manifest.json", "a small k is said to be accepted", || format!("k = {}", parameters.k));
        }
        let places = places(dir, faults)?;
        let index = places.iter().enumerate().map(|(i, p)| ((p.level.clone(), p.code.clone()), i)).collect();
        let (zone_name, step) = (parameters.timezone.clone(), SignedDuration::from_secs(parameters.step_s));
        let (k, factor) = (parameters.k, parameters.expansion_factor);
        let named: Vec<_> = manifest.reports.iter().map(|report| &report.name).collect();
        if named != parameters.reports.iter().collect::<Vec<_>>()
            || manifest.statuses.len() != Status::ALL.len()
        {
            faults.add("manifest.json", "every report and status is explained", || {
                "missing or too many".to_owned()
            });
        }
        let rows = manifest.files.iter().map(|file| (file.path.clone(), file.rows)).collect();
        Some(Self { rows, dates, zone, zone_name, step, k, factor, reports, places, index })
    }

    /// The least number that may be published.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "k is small")]
    fn people_min(&self) -> i64 {
        (self.k as f64 * self.factor).round() as i64
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
            at += step;
        }
        times
    }
}

fn read(dir: &Path, name: &str, expected: &Schema, faults: &mut Faults) -> Option<Vec<RecordBatch>> {
    let file = fs::File::open(dir.join(name)).ok()?;
    let Ok(builder) = ParquetRecordBatchReaderBuilder::try_new(file) else {
        faults.add(name, "the file is Parquet", || "no Parquet footer".to_owned());
        return None;
    };
    if builder.schema().fields() != expected.fields() {
        faults.add(name, "the columns are those of the report", || "names or types differ".to_owned());
        return None;
    }
    let batches = builder.build().ok().and_then(|reader| reader.collect::<Result<Vec<_>, _>>().ok());
    if batches.is_none() {
        faults.add(name, "the file can be decoded", || "damaged".to_owned());
    }
    batches
}

fn places(dir: &Path, faults: &mut Faults) -> Option<Vec<Place>> {
    const NAME: &str = "places.parquet";
    let mut rows: Vec<(String, String, Option<String>)> = Vec::new();
    for batch in read(dir, NAME, &places_schema(), faults)? {
        let column = |i: usize| batch.column(i).as_string::<i32>().clone();
        let (level, code, parent) = (column(0), column(1), column(2));
        rows.extend((0..batch.num_rows()).map(|i| {
            let above = (!parent.is_null(i)).then(|| parent.value(i).to_owned());
            (level.value(i).to_owned(), code.value(i).to_owned(), above)
        }));
    }
    let index: HashMap<(&str, &str), usize> =
        rows.iter().enumerate().map(|(i, (level, code, _))| ((level.as_str(), code.as_str()), i)).collect();
    if index.len() != rows.len() || rows.is_empty() {
        faults.add(NAME, "every place stands once", || "repeated or none".to_owned());
        return None;
    }
    let mut places = Vec::with_capacity(rows.len());
    for (level, code, parent) in &rows {
        let depth = Level::ALL.iter().position(|known| known.as_str() == level);
        let above = depth.and_then(|depth| depth.checked_sub(1)).map(|above| Level::ALL[above].as_str());
        let found = above.zip(parent.as_deref()).and_then(|key| index.get(&key).copied());
        if depth.is_none() || above.is_some() != found.is_some() || above.is_some() != parent.is_some() {
            faults.add(NAME, "every place but a country has a parent one level up", || {
                format!("{level} {code}")
            });
        }
        places.push(Place { level: level.clone(), code: code.clone(), parent: found });
    }
    Some(places)
}

/// A cell as it was read.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Missing,
    Published(i64),
    Withheld,
    NoCoverage,
}

/// The cells of every place at one time.
type Row = Vec<Cell>;

fn check_part(
    dir: &Path,
    name: &str,
    report: Report,
    date: Date,
    rules: &Rules,
    faults: &mut Faults,
    seen: &mut Seen,
) {
    let Some(batches) = read(dir, name, &arrow_schema(report, &rules.zone_name), faults) else { return };
    let mut grid = expected_times(report, date, rules);
    let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    if rules.rows.get(name) != Some(&rows) {
        faults.add(name, "the file has the rows that the manifest says", || format!("{rows} rows"));
    }
    for batch in &batches {
        seen.rows += batch.num_rows() as u64;
        fill(&mut grid, batch, name, report, rules, faults);
    }
    let mut no_coverage: Option<Vec<bool>> = None;
    for ((period, at_ms), row) in &grid {
        let at = || format!("{period} {}", said(*at_ms, rules));
        for (place, cell) in rules.places.iter().zip(row) {
            if *cell == Cell::Missing {
                faults.add(name, "every place has a row at every time", || {
                    format!("{} {}, {}", place.level, place.code, at())
                });
            }
            if let Cell::Published(people) = cell {
                seen.published += 1;
                if *people < rules.people_min() {
                    faults.add(name, "no published number is under k times the factor", || {
                        format!("{} {}, {}", place.level, place.code, at())
                    });
                }
            }
        }
        let uncovered: Vec<bool> = row.iter().map(|cell| *cell == Cell::NoCoverage).collect();
        if no_coverage.get_or_insert_with(|| uncovered.clone()) != &uncovered {
            faults.add(name, "a place has coverage always or never", at);
        }
        check_tree(row, name, report, rules, faults, &at);
    }
}

fn expected_times(report: Report, date: Date, rules: &Rules) -> BTreeMap<(&'static str, i64), Row> {
    let empty = || vec![Cell::Missing; rules.places.len()];
    let key = |period: &'static str| move |at: i64| (period, at);
    let hours = || rules.times(date, SignedDuration::from_hours(1));
    let times: Vec<(&'static str, i64)> = match report {
        Report::Presence => rules.times(date, rules.step).into_iter().map(key("instant")).collect(),
        Report::Visitors => {
            let day = hours().into_iter().take(1).map(key(Period::Day.as_str()));
            day.chain(hours().into_iter().map(key(Period::Hour.as_str()))).collect()
        }
    };
    times.into_iter().map(|time| (time, empty())).collect()
}

fn said(at_ms: i64, rules: &Rules) -> String {
    Timestamp::from_millisecond(at_ms)
        .map(|at| at.to_zoned(rules.zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string())
        .unwrap_or_default()
}

fn fill(
    grid: &mut BTreeMap<(&'static str, i64), Row>,
    batch: &RecordBatch,
    name: &str,
    report: Report,
    rules: &Rules,
    faults: &mut Faults,
) {
    let offset = usize::from(report == Report::Visitors);
    let at = batch.column(0).as_primitive::<TimestampMillisecondType>();
    let period = (offset == 1).then(|| batch.column(1).as_string::<i32>());
    let text = |i: usize| batch.column(offset + i).as_string::<i32>();
    let (level, place, status) = (text(1), text(2), text(4));
    let people = batch.column(offset + 3).as_primitive::<Int64Type>();
    for i in 0..batch.num_rows() {
        let row = || format!("row {}", i + 1);
        let number = (!people.is_null(i)).then(|| people.value(i));
        let cell = match (Status::ALL.into_iter().find(|known| known.as_str() == status.value(i)), number) {
            (Some(Status::Published), Some(number)) => Cell::Published(number),
            (Some(Status::Withheld), None) => Cell::Withheld,
            (Some(Status::NoCoverage), None) => Cell::NoCoverage,
            (None, _) => {
                faults.add(name, "every status is known", row);
                continue;
            }
            _ => {
                faults.add(name, "a number stands where it is published and nowhere else", row);
                continue;
            }
        };
        let period = period.map_or("instant", |period| match period.value(i) {
            "day" => "day",
            "hour" => "hour",
            _ => "",
        });
        let place = rules.index.get(&(level.value(i).to_owned(), place.value(i).to_owned()));
        match (place, grid.get_mut(&(period, at.value(i)))) {
            (Some(place), Some(cells)) if cells[*place] == Cell::Missing => cells[*place] = cell,
            (Some(_), Some(_)) => faults.add(name, "no row stands twice", row),
            _ => faults.add(name, "every row's time and place are the release's", row),
        }
    }
}

/// The sums and differences that a reader can form at one time, down the tree from any published place.
fn check_tree(
    row: &Row,
    name: &str,
    report: Report,
    rules: &Rules,
    faults: &mut Faults,
    at: &dyn Fn() -> String,
) {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); row.len()];
    for (i, place) in rules.places.iter().enumerate() {
        if let Some(parent) = place.parent {
            children[parent].push(i);
        }
    }
    let mut below = Below { row, children: &children, known: HashMap::new() };
    for (parent, inside) in children.iter().enumerate().filter(|(_, inside)| !inside.is_empty()) {
        let place = || format!("{} {}, {}", rules.places[parent].level, rules.places[parent].code, at());
        let none_below = inside.iter().all(|child| row[*child] == Cell::NoCoverage);
        if (row[parent] == Cell::NoCoverage) != none_below {
            faults.add(name, "a place has coverage where a place in it has", place);
        }
        match report {
            Report::Presence => check_sum(row[parent], below.of(parent), name, rules, faults, &place),
            Report::Visitors => {
                let cells: Vec<Cell> = inside.iter().map(|child| row[*child]).collect();
                check_union(row[parent], &cells, name, rules, faults, &place);
            }
        }
    }
}

/// What is published below a place: the topmost numbers, through withheld places down to the postal codes.
#[derive(Clone, Copy, Default)]
struct Known {
    people: i64,
    terms: u32,
    hidden: bool,
}

struct Below<'a> {
    row: &'a Row,
    children: &'a [Vec<usize>],
    known: HashMap<usize, Known>,
}

impl Below<'_> {
    fn of(&mut self, place: usize) -> Known {
        if let Some(known) = self.known.get(&place) {
            return *known;
        }
        let mut sum = Known::default();
        for child in &self.children[place] {
            let part = match self.row[*child] {
                Cell::Published(people) => Known { people, terms: 1, hidden: false },
                Cell::NoCoverage => Known::default(),
                Cell::Withheld | Cell::Missing if self.children[*child].is_empty() => {
                    Known { hidden: true, ..Known::default() }
                }
                Cell::Withheld | Cell::Missing => self.of(*child),
            };
            sum.people += part.people;
            sum.terms += part.terms;
            sum.hidden |= part.hidden;
        }
        self.known.insert(place, sum);
        sum
    }
}

/// Presence adds up: what is left of a place is what is withheld below, and must be nobody or at least k.
fn check_sum(
    parent: Cell,
    below: Known,
    name: &str,
    rules: &Rules,
    faults: &mut Faults,
    place: &dyn Fn() -> String,
) {
    // Each number was rounded by itself: exact for a whole factor, else off by half a person each.
    let slack = if rules.factor.fract() == 0.0 { 0.0 } else { f64::from(below.terms + 1) / 2.0 };
    let Some(sum) = people(parent) else {
        if parent == Cell::Withheld && !below.hidden && below.people > 0 {
            faults.add(name, "places do not add up to a withheld parent", place);
        }
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "people are under 2^53")]
    let (left, k) = ((sum - below.people) as f64, rules.k as f64 * rules.factor);
    if left < -slack || (!below.hidden && left > slack) {
        faults.add(name, "places add up to their parent", place);
    } else if below.hidden && left > slack && left + slack < k {
        faults.add(name, "a place without what is published in it is nobody or at least k", place);
    }
}

/// Visitors do not add, but a parent has at least the visitors of each place in it, and at most all of theirs.
fn check_union(
    parent: Cell,
    below: &[Cell],
    name: &str,
    rules: &Rules,
    faults: &mut Faults,
    place: &dyn Fn() -> String,
) {
    let Some(visitors) = people(parent) else { return };
    let most = below.iter().filter_map(|cell| people(*cell)).max().unwrap_or(0);
    let all: i64 = below.iter().filter_map(|cell| people(*cell)).sum();
    let hidden = below.contains(&Cell::Withheld);
    let rounding =
        if rules.factor.fract() == 0.0 { 0 } else { i64::try_from(below.len()).unwrap_or(i64::MAX) };
    if visitors < most || (!hidden && visitors > all.saturating_add(rounding)) {
        faults.add(name, "visitors of a place are between the most and the sum of those in it", place);
    }
}

fn people(cell: Cell) -> Option<i64> {
    if let Cell::Published(people) = cell { Some(people) } else { None }
}
