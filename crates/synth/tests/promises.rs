//! What the generator promises: the same bytes, an honest truth, and defects at about their rates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    record_batch::RecordBatchReader,
};
use jiff::{Timestamp, civil::date, tz::TimeZone};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use throng_synth::{Area, Defects, Format, Parameters, Summary, SynthError, generate};

const HOUR_US: i64 = 3_600_000_000;

fn brussels() -> Area {
    Area::Codes(vec!["10".into(), "11".into(), "12".into()])
}

fn synth(change: impl FnOnce(&mut Parameters)) -> (TempDir, Summary) {
    let folder = TempDir::new().expect("folder");
    let mut parameters =
        Parameters { out: folder.path().join("out"), subscribers: 1_500, days: 2, ..Parameters::default() };
    change(&mut parameters);
    let summary = generate(&parameters, &|_| {}).expect("generated");
    (folder, summary)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Every file's bytes, by its path inside the folder.
fn bytes_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let inside = |path: &Path| path.strip_prefix(folder).expect("inside").to_path_buf();
    files_below(folder).iter().map(|path| (inside(path), fs::read(path).expect("file"))).collect()
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("file")).expect("Parquet");
    let reader = reader.build().expect("reader");
    assert!(reader.schema().fields().len() >= 4);
    reader.map(|batch| batch.expect("batch")).collect()
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    batch.column_by_name(column).expect("column").as_any().downcast_ref().expect("text")
}

fn times<'a>(batch: &'a RecordBatch, column: &str) -> &'a TimestampMicrosecondArray {
    batch.column_by_name(column).expect("column").as_any().downcast_ref().expect("times")
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    subscriber: String,
    at_us: i64,
    cell: String,
    plmn: String,
    /// The date of the folder that it stands in.
    folder: String,
    /// Whether a later event stands before it in its file.
    late: bool,
}

fn events(out: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for path in files_below(&out.join("events")) {
        let folder =
            path.parent().and_then(Path::file_name).expect("date").to_string_lossy().replace("date=", "");
        let mut latest_us = i64::MIN;
        for batch in batches(&path) {
            for row in 0..batch.num_rows() {
                let at_us = times(&batch, "event_time").value(row);
                events.push(Event {
                    subscriber: text(&batch, "subscriber_id").value(row).to_owned(),
                    at_us,
                    cell: text(&batch, "cell_id").value(row).to_owned(),
                    plmn: text(&batch, "home_plmn").value(row).to_owned(),
                    folder: folder.clone(),
                    late: at_us < latest_us,
                });
                latest_us = latest_us.max(at_us);
            }
        }
    }
    events
}

/// The true intervals of a date, by subscriber: from, until, postal code.
fn truth(out: &Path, date: &str) -> BTreeMap<String, Vec<(i64, i64, String)>> {
    let mut people: BTreeMap<String, Vec<(i64, i64, String)>> = BTreeMap::new();
    for path in files_below(&out.join("truth").join(format!("date={date}"))) {
        for batch in batches(&path) {
            for row in 0..batch.num_rows() {
                let interval = (
                    times(&batch, "start").value(row),
                    times(&batch, "end").value(row),
                    text(&batch, "postal_code").value(row).to_owned(),
                );
                people.entry(text(&batch, "subscriber_id").value(row).to_owned()).or_default().push(interval);
            }
        }
    }
    people
}

fn rows_of(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).expect("text");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn codes_of_cells(out: &Path) -> BTreeMap<String, String> {
    rows_of(&out.join("cells.csv")).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn midnight_us(day: jiff::civil::Date) -> i64 {
    let zone = TimeZone::get("Europe/Brussels").expect("zone");
    day.to_zoned(zone).expect("time").timestamp().as_microsecond()
}

fn about(counted: u64, expected: f64) {
    let (counted, slack) = (counted as f64, expected * 0.25 + 5.0);
    assert!((counted - expected).abs() < slack, "{counted} counted, about {expected} expected");
}

/// The folder's bytes, made on so many threads.
fn bytes_on(threads: usize, change: impl FnOnce(&mut Parameters) + Send) -> BTreeMap<PathBuf, Vec<u8>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (folder, _) = pool.install(|| synth(change));
    bytes_below(&folder.path().join("out"))
}

#[test]
fn the_same_parameters_give_the_same_bytes_on_one_thread_and_on_two() {
    for format in [Format::Parquet, Format::Csv, Format::CsvGz, Format::CsvZst] {
        let change = |p: &mut Parameters| (p.format, p.sessions, p.area) = (format, 0.1, brussels());
        let (one, two) = (bytes_on(1, change), bytes_on(2, change));
        assert!(one.len() > 8);
        assert!(one == two, "{format:?} differs");
    }
}

#[test]
fn many_subscribers_are_made_in_chunks_that_do_not_depend_on_threads() {
    let change =
        |p: &mut Parameters| (p.subscribers, p.events_per_day, p.days, p.truth) = (70_000, 0.2, 1, false);
    let (one, two) = (bytes_on(1, change), bytes_on(2, change));
    assert_eq!(one.keys().filter(|path| path.starts_with("events/date=2026-10-15")).count(), 8);
    assert!(one == two);
}

#[test]
fn one_postal_code_is_area_enough() {
    let (folder, summary) = synth(|p| (p.area, p.days) = (Area::Codes(vec!["8400".into()]), 1));
    assert!(summary.events > 30_000, "{summary:?}");
    let codes = codes_of_cells(&folder.path().join("out"));
    assert!(codes.values().all(|code| code == "8400"));
}

#[test]
fn another_seed_gives_other_people() {
    let ids = [1, 2].map(|seed| {
        let (folder, _) = synth(|p| (p.seed, p.days) = (seed, 1));
        events(&folder.path().join("out")).into_iter().map(|event| event.subscriber).collect::<BTreeSet<_>>()
    });
    assert!(ids[0].intersection(&ids[1]).count() < 3);
}

#[test]
fn true_intervals_neither_overlap_nor_leave_gaps() {
    let (folder, summary) = synth(|p| (p.days, p.from) = (4, date(2026, 10, 23)));
    let out = folder.path().join("out");
    let customers: BTreeSet<String> =
        rows_of(&out.join("residence.csv")).into_iter().map(|row| row[0].clone()).collect();
    let mut rows = 0;
    for day in 23..27 {
        let (start_us, end_us) = (midnight_us(date(2026, 10, day)), midnight_us(date(2026, 10, day + 1)));
        let people = truth(&out, &format!("2026-10-{day}"));
        assert!(
            customers.iter().all(|id| people.contains_key(id)),
            "every resident of Belgium is in Belgium"
        );
        for (id, intervals) in people {
            rows += intervals.len() as u64;
            assert!(
                intervals
                    .iter()
                    .all(|(from, until, _)| start_us <= *from && from < until && *until <= end_us)
            );
            for pair in intervals.windows(2) {
                let (until, from) = (pair[0].1, pair[1].0);
                // Roamers may leave and come back; who lives here is always somewhere.
                assert!(if customers.contains(&id) { until == from } else { until <= from });
                assert!(until < from || pair[0].2 != pair[1].2, "a stay is one interval");
            }
            if customers.contains(&id) {
                assert_eq!((intervals[0].0, intervals[intervals.len() - 1].1), (start_us, end_us));
            }
        }
    }
    assert_eq!(rows, summary.truth_rows);
}

#[test]
fn without_defects_every_event_is_where_the_truth_says() {
    let (folder, summary) = synth(|p| (p.defects, p.days) = (Defects::none(), 1));
    let out = folder.path().join("out");
    assert_eq!(summary.injected, Default::default());
    let (codes, people) = (codes_of_cells(&out), truth(&out, "2026-10-15"));
    let (mut inside, mut keys) = (0, BTreeSet::new());
    for event in events(&out) {
        assert!(!event.late);
        assert!(keys.insert((event.subscriber.clone(), event.at_us)), "one event at a time");
        if event.folder == "2026-10-15" {
            let intervals = &people[&event.subscriber];
            let here = intervals.iter().find(|(from, until, _)| *from <= event.at_us && event.at_us < *until);
            assert_eq!(here.expect("in the area").2, codes[&event.cell]);
            inside += 1;
        }
    }
    assert!(inside > 50_000, "{inside}");
}

#[test]
fn defects_appear_at_about_their_rates() {
    let (folder, summary) = synth(|p| (p.subscribers, p.days) = (4_000, 1));
    let out = folder.path().join("out");
    let (events, defects, injected) = (events(&out), Defects::default(), summary.injected);
    let n = events.len() as f64;
    assert_eq!(events.len() as u64, summary.events);
    about(injected.duplicates, defects.duplicates * n);
    about(injected.unknown_cells, defects.unknown_cells * n);
    about(injected.ties, defects.ties * n);
    about(injected.stray, defects.stray * n);
    about(injected.out_of_order, defects.out_of_order * n);
    assert_eq!((injected.malformed, injected.ragged), (0, 0), "Parquet has no room for them");
    about(events.iter().filter(|event| event.late).count() as u64, defects.out_of_order * n);

    let codes = codes_of_cells(&out);
    let unknown = events.iter().filter(|event| !codes.contains_key(&event.cell)).count() as u64;
    assert_eq!(unknown, injected.unknown_cells);
    let mut keys: Vec<_> = events.iter().map(|event| (&event.subscriber, event.at_us, &event.cell)).collect();
    keys.sort();
    assert_eq!(keys.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64, injected.duplicates);
    keys.dedup();
    let same_moment = keys.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)).count();
    assert_eq!(same_moment as u64, injected.ties);
}

#[test]
fn rows_stand_in_the_files_of_the_days_around_their_own() {
    let (folder, summary) = synth(|p| (p.subscribers, p.days) = (3_000, 2));
    let events = events(&folder.path().join("out"));
    let own = |event: &Event| {
        let zone = TimeZone::get("Europe/Brussels").expect("zone");
        Timestamp::from_microsecond(event.at_us).expect("time").to_zoned(zone).date().to_string()
    };
    let before = events.iter().filter(|event| event.folder < own(event)).count() as u64;
    assert_eq!(before, summary.injected.midnight);
    assert!(before > 10, "{before}");
    assert!(events.iter().filter(|event| event.folder > own(event)).count() > 100);
    let (first, last) = (events.iter().map(|e| e.at_us).min(), events.iter().map(|e| e.at_us).max());
    let (from_us, end_us) = (midnight_us(date(2026, 10, 15)), midnight_us(date(2026, 10, 17)));
    let (first, last) = (first.expect("events"), last.expect("events"));
    assert!((from_us - 2 * HOUR_US..from_us - 2 * HOUR_US + HOUR_US / 30).contains(&first));
    assert!((end_us + 2 * HOUR_US - HOUR_US / 30..end_us + 2 * HOUR_US).contains(&last));
}

#[test]
fn csv_holds_the_same_rows_and_some_that_cannot_be_read() {
    let (parquet, _) = synth(|p| p.days = 1);
    let (csv, summary) = synth(|p| (p.format, p.days) = (Format::Csv, 1));
    let rows: Vec<Vec<String>> =
        files_below(&csv.path().join("out/events")).iter().flat_map(|path| rows_of(path)).collect();
    let sound: Vec<_> = rows.iter().filter(|row| row.len() == 5).collect();
    let (good, mangled): (Vec<_>, Vec<_>) =
        sound.into_iter().partition(|row| row[0].parse::<Timestamp>().is_ok());
    assert_eq!(mangled.len() as u64, summary.injected.malformed);
    assert!(mangled.iter().all(|row| row[0].len() == 7 && row[0].contains(':') && row[0].contains('.')));
    assert_eq!((rows.len() - good.len() - mangled.len()) as u64, summary.injected.ragged);
    about(summary.injected.malformed, 0.02 * summary.events as f64);

    let typed: BTreeSet<_> = events(&parquet.path().join("out"))
        .into_iter()
        .map(|event| (event.subscriber, event.at_us, event.cell, event.plmn))
        .collect();
    for row in good {
        let at_us = row[0].parse::<Timestamp>().expect("time").as_microsecond();
        assert!(typed.contains(&(row[1].clone(), at_us, row[2].clone(), row[4].clone())));
    }
}

#[test]
fn who_opted_out_is_a_subscriber_and_customers_have_a_residence() {
    let (folder, summary) = synth(|p| (p.opted_out, p.days) = (0.05, 1));
    let out = folder.path().join("out");
    let events = events(&out);
    let seen: BTreeSet<&str> = events.iter().map(|event| event.subscriber.as_str()).collect();
    let opted_out = rows_of(&out.join("opt_out.csv"));
    about(opted_out.len() as u64, 0.05 * 1_500.0);
    assert_eq!(opted_out.len() as u64, summary.opted_out);
    assert!(opted_out.iter().all(|row| seen.contains(row[0].as_str())));

    let customers: BTreeSet<String> =
        rows_of(&out.join("residence.csv")).into_iter().map(|row| row[0].clone()).collect();
    let roamers = events.iter().filter(|event| event.plmn != "20601");
    assert!(events.iter().all(|event| event.subscriber.starts_with(&event.plmn)));
    assert!(events.iter().all(|event| (event.plmn == "20601") == customers.contains(&event.subscriber)));
    let networks: BTreeSet<&str> = roamers.map(|event| &event.plmn[..3]).collect();
    assert!(["208", "204", "262", "270", "234"].iter().all(|mcc| networks.contains(mcc)), "{networks:?}");
}

#[test]
fn the_repeated_hour_of_a_25_hour_day_has_events() {
    let (folder, _) = synth(|p| (p.from, p.days, p.subscribers) = (date(2026, 10, 25), 1, 4_000));
    let start_us = midnight_us(date(2026, 10, 25));
    assert_eq!(midnight_us(date(2026, 10, 26)) - start_us, 25 * HOUR_US);
    let mut hours = [0; 25];
    for event in events(&folder.path().join("out")) {
        if let Some(hour) = hours.get_mut((event.at_us - start_us).div_euclid(HOUR_US) as usize) {
            *hour += 1;
        }
    }
    // Two o'clock comes twice, and both times are as quiet as it is at night.
    assert!(hours[2] > 500 && hours[3] > 500, "{hours:?}");
    assert!(hours[2] < hours[12] && hours.iter().all(|events| *events > 300), "{hours:?}");
}

#[test]
fn sessions_end_before_the_next_event_begins() {
    let (folder, _) = synth(|p| (p.sessions, p.defects, p.days) = (0.3, Defects::none(), 1));
    let mut rows = Vec::new();
    for path in files_below(&folder.path().join("out/events")) {
        for batch in batches(&path) {
            let (starts, ends) = (times(&batch, "event_time").clone(), times(&batch, "end_time").clone());
            rows.extend((0..batch.num_rows()).map(|row| {
                let end = ends.is_valid(row).then(|| ends.value(row));
                (text(&batch, "subscriber_id").value(row).to_owned(), starts.value(row), end)
            }));
        }
    }
    rows.sort();
    let sessions = rows.iter().filter(|row| row.2.is_some()).count() as f64;
    assert!((0.25..0.32).contains(&(sessions / rows.len() as f64)));
    assert!(
        rows.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].2.is_none_or(|end| end <= pair[1].1))
    );
}

#[test]
fn cells_can_move_and_can_be_left_to_geometry() {
    let (folder, summary) = synth(|p| {
        (p.moved_cells, p.geometry_only, p.cells, p.area) = (0.5, true, Some(300), brussels());
    });
    assert_eq!(summary.cells, 300);
    let plan = fs::read_to_string(folder.path().join("out/cells.csv")).expect("plan");
    assert!(plan.starts_with("cell_id,lon,lat,azimuth_deg,beamwidth_deg,range_m,valid_from,valid_to\n"));
    let rows = plan.lines().count() - 1;
    assert!((400..500).contains(&rows), "{rows}");
    let ids: BTreeSet<&str> = plan.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids.len(), 300);
}

#[test]
fn with_fewer_cells_than_codes_everyone_is_still_heard() {
    let (folder, summary) = synth(|p| (p.cells, p.days) = (Some(40), 1));
    assert_eq!(summary.cells, 40);
    let out = folder.path().join("out");
    let (codes, heard) = (codes_of_cells(&out), events(&out));
    assert!(heard.iter().filter(|event| codes.contains_key(&event.cell)).count() > heard.len() * 98 / 100);
}

#[test]
fn every_day_has_its_folder_and_so_have_the_edges() {
    let (folder, summary) = synth(|p| (p.days, p.subscribers, p.truth) = (100, 20, false));
    let out = folder.path().join("out");
    assert_eq!(fs::read_dir(out.join("events")).expect("folder").count(), 102);
    assert!(!out.join("truth").exists());
    assert_eq!(files_below(&out.join("events")).len() as u64, summary.files);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = TempDir::new().expect("folder");
    let good = Parameters { out: folder.path().join("out"), subscribers: 5, ..Parameters::default() };
    let refused = |change: fn(&mut Parameters)| {
        let mut parameters = good.clone();
        change(&mut parameters);
        generate(&parameters, &|_| {}).expect_err("refused")
    };
    assert!(matches!(refused(|p| p.subscribers = 0), SynthError::Parameter { name: "subscribers", .. }));
    assert!(matches!(refused(|p| p.days = 0), SynthError::Parameter { name: "days", .. }));
    assert!(matches!(refused(|p| p.defects.ties = 1.5), SynthError::Parameter { name: "defects.ties", .. }));
    assert!(matches!(refused(|p| p.events_per_day = f64::NAN), SynthError::Parameter { .. }));
    assert!(matches!(refused(|p| p.zone = "Europe/Nowhere".into()), SynthError::Zone { .. }));
    assert!(matches!(refused(|p| p.area = Area::Codes(vec!["99999".into()])), SynthError::EmptyArea));
    assert!(!good.out.exists(), "nothing is written before the parameters are sound");
    generate(&good, &|_| {}).expect("generated");
    assert!(matches!(generate(&good, &|_| {}), Err(SynthError::Occupied(_))));
}
