//! The reports of a run together: sums that must agree do, and every way of asking gives what it says.

mod world;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Int64Type, TimestampMillisecondType},
};
use world::{
    HOUR_US, MIDNIGHT_US, event, files, ledger, read_parquet, succeeded, throng, write_cells, write_events,
};

/// A row's texts and times by column, and its people where they are published.
struct Row(BTreeMap<String, String>, Option<i64>);

impl Row {
    fn get(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    fn key(&self, columns: &[&str]) -> Vec<String> {
        columns.iter().map(|column| self.get(column).to_owned()).collect()
    }

    fn is(&self, column: &str, word: &str) -> bool {
        self.get(column) == word
    }
}

/// Every row of a report.
fn rows(release: &Path, report: &str) -> Vec<Row> {
    let parts = files(&release.join(report)).into_iter().map(|(path, _)| release.join(report).join(path));
    let mut rows = Vec::new();
    for batch in parts
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .flat_map(|p| read_parquet(&p))
    {
        for i in 0..batch.num_rows() {
            let mut row = Row(BTreeMap::new(), None);
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let text = match field.data_type() {
                    DataType::Utf8 => column.as_string::<i32>().value(i).to_owned(),
                    DataType::Timestamp(..) => {
                        column.as_primitive::<TimestampMillisecondType>().value(i).to_string()
                    }
                    DataType::Int64 => {
                        row.1 = (!column.is_null(i)).then(|| column.as_primitive::<Int64Type>().value(i));
                        continue;
                    }
                    _ => continue,
                };
                row.0.insert(field.name().clone(), text);
            }
            rows.push(row);
        }
    }
    assert!(!rows.is_empty(), "{report} has rows");
    rows
}

/// The people of the wanted rows, added up by these columns; what is withheld counts as nobody.
fn sums(rows: &[Row], wanted: impl Fn(&Row) -> bool, by: &[&str]) -> BTreeMap<Vec<String>, i64> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| wanted(row)) {
        *sums.entry(row.key(by)).or_default() += row.1.unwrap_or(0);
    }
    sums.retain(|_, people| *people != 0);
    sums
}

/// Two days of a few postal codes around Ghent, with roamers and a table of residence.
fn two_days(folder: &Path) -> PathBuf {
    let days = folder.join("days");
    let mut synth = throng();
    synth.arg("synth").arg("--out").arg(&days).args([
        "--subscribers",
        "1500",
        "--days",
        "2",
        "--seed",
        "4",
        "--no-truth",
    ]);
    synth.args(["--area", "9000,9030,9031,9040,9050,9051,9052,9820,9070", "--cells", "60"]);
    succeeded(&synth.output().expect("runs"));
    days.join("throng.toml")
}

fn run(config: &Path, out: &Path, flags: &[&str]) {
    let mut command = throng();
    command.arg("run").arg("--config").arg(config).arg("--out").arg(out).args(flags);
    succeeded(&command.output().expect("runs"));
}

/// Nothing is withheld but nobody, so that sums can be seen.
const TRUTH: [&str; 5] =
    ["--k", "1", "--accept-small-k", "--reports", "presence,visitors,residence,dwell,frequency,flows"];

#[test]
fn sums_that_must_agree_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = folder.path().join("out/release");
    run(&two_days(folder.path()), &release, &TRUTH);
    let place = ["level", "place"];
    let at = ["period_start", "level", "place"];
    let (presence, visitors) = (rows(&release, "presence"), rows(&release, "visitors"));
    let of_day = sums(&visitors, |row| row.is("period", "day"), &at);

    assert_eq!(
        sums(&rows(&release, "dwell"), |_| true, &at),
        of_day,
        "classes of dwell and the day's visitors"
    );

    let frequency = rows(&release, "frequency");
    let all = sums(&frequency, |row| row.is("days", "all"), &place);
    assert_eq!(sums(&frequency, |row| !row.is("days", "all"), &place), all, "classes of frequency and all");
    let of_days = sums(&visitors, |row| row.is("period", "day"), &place);
    for (place, people) in &all {
        let days = of_days[place];
        assert!(*people <= days && days <= 2 * people, "{place:?}: {people} people, {days} on two days");
    }

    let residence = rows(&release, "residence");
    let of = |measure: &'static str, level: &'static str| {
        sums(&residence, move |row| row.is("measure", measure) && row.is("residence_level", level), &at)
    };
    let at_hours = |row: &Row| row.get("instant").parse::<i64>().is_ok_and(|at| at % 3_600_000 == 0);
    let present = sums(&presence, at_hours, &["instant", "level", "place"]);
    assert_eq!(of("presence", "all"), present, "residence and presence");
    assert_eq!(of("presence", "country"), present, "countries and presence");
    assert_eq!(of("visitors", "all"), of_day, "residence and visitors");
    assert_eq!(of("visitors", "country"), of_day, "countries and visitors");

    let flows = rows(&release, "flows");
    let pair = ["level", "place", "destination_level", "destination"];
    let of_period = |period: &'static str| sums(&flows, move |row| row.is("period", period), &pair);
    assert_eq!(of_period("hour"), of_period("day"), "hours of flows and the day");
    let codes = |row: &Row| {
        row.is("period", "day")
            && row.is("level", "postal_code")
            && row.is("destination_level", "postal_code")
    };
    let total =
        |row: &Row| row.is("period", "day") && row.is("level", "all") && row.is("destination_level", "all");
    assert_eq!(sums(&flows, codes, &[]), sums(&flows, total, &[]), "pairs of postal codes and all trips");
    assert!(
        flows.iter().all(|row| row.1.is_none() || !codes(row) || row.get("place") != row.get("destination"))
    );
}

#[test]
fn days_in_small_memory_and_on_one_thread_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = two_days(folder.path());
    let (one, other) = (folder.path().join("a/release"), folder.path().join("b/release"));
    let reports = ["--reports", "presence,visitors,residence,dwell,frequency,flows", "--k", "15"];
    run(&config, &one, &reports);
    run(&config, &other, &[&reports[..], &["--threads", "1", "--memory", "80MiB"]].concat());
    assert!(files(&one) == files(&other), "the bytes differ");
    let verify =
        throng().arg("verify").arg(&one).arg("--ledger").arg(folder.path().join("a/ledger")).output();
    succeeded(&verify.expect("runs"));
}

#[test]
fn factors_by_home_weigh_each_and_decide_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = two_days(folder.path());
    let factors = folder.path().join("factors.csv");
    let table = "by,code,level,factor,version\nrest,,,2,autumn\nhome_network,208,,3,autumn\nresidence,44021,commune,5,autumn\n";
    fs::write(&factors, table).expect("written");
    let (plain, weighed) = (folder.path().join("plain/release"), folder.path().join("weighed/release"));
    run(&config, &plain, &TRUTH);
    run(&config, &weighed, &[&TRUTH[..], &["--expansion", factors.to_str().expect("a path")]].concat());
    let by = ["measure", "period_start", "level", "place", "residence_level", "residence"];
    let of = |release: &Path, class: &str| {
        let class = class.to_owned();
        sums(&rows(release, "residence"), move |row| row.is("residence", &class), &by)
    };
    for (class, factor) in [("208", 0), ("FR", 3), ("NL", 2), ("44021", 5), ("44034", 2)] {
        let expected: BTreeMap<_, _> =
            of(&plain, class).into_iter().map(|(key, n)| (key, factor * n)).collect();
        assert_eq!(of(&weighed, class), expected, "{class}");
    }
    assert!(!of(&weighed, "FR").is_empty() && !of(&weighed, "44021").is_empty());
    let manifest = fs::read_to_string(weighed.join("manifest.json")).expect("read");
    assert!(
        manifest.contains("\"expansion_version\": \"autumn\"")
            && manifest.contains("\"expansion_factor\": null")
    );
    // Under a threshold, the same cells are shown, whatever they weigh.
    let strict = ["--k", "15", "--reports", "presence,visitors"];
    let (a, b) = (folder.path().join("c/release"), folder.path().join("d/release"));
    run(&config, &a, &strict);
    run(&config, &b, &[&strict[..], &["--expansion", factors.to_str().expect("a path")]].concat());
    let shown =
        |release: &Path| rows(release, "presence").iter().map(|row| row.1.is_some()).collect::<Vec<_>>();
    assert!(shown(&a) == shown(&b));
    fs::write(&factors, table.replace("208,,3", "208,,300")).expect("written");
    let refused = throng()
        .arg("run")
        .arg("--config")
        .arg(&config)
        .arg("--expansion")
        .arg(&factors)
        .arg("--out")
        .arg(folder.path().join("e/release"))
        .output();
    let refused = refused.expect("runs");
    assert_eq!(refused.status.code(), Some(3));
    assert!(world::said(&refused).contains("home_network 208"), "{}", world::said(&refused));
}

#[test]
fn further_formats_stand_beside_and_are_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = folder.path().join("out/release");
    let flags = ["--format", "csv,geoparquet,xlsx", "--k", "15", "--reports", "visitors,dwell"];
    run(&two_days(folder.path()), &release, &flags);
    for name in [
        "csv/dwell/date=2026-10-16/part.csv",
        "geoparquet/visitors/date=2026-10-15/part.parquet",
        "throng.xlsx",
    ] {
        assert!(release.join(name).exists(), "{name}");
    }
    succeeded(&throng().arg("verify").arg(&release).output().expect("runs"));
    let text = fs::read_to_string(release.join("csv/visitors/date=2026-10-15/part.csv")).expect("read");
    let published = text.lines().filter(|line| line.ends_with(",published")).count();
    let in_parquet = rows(&release, "visitors").iter().filter(|row| row.1.is_some()).count();
    assert!(published > 0 && published < in_parquet, "a day of the two");
    fs::write(release.join("csv/more.csv"), "x").expect("written");
    assert_eq!(throng().arg("verify").arg(&release).output().expect("runs").status.code(), Some(4));
}

#[test]
fn an_occasion_over_midnight_is_counted_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = two_days(folder.path());
    let table = folder.path().join("occasions.csv");
    fs::write(
        &table,
        "occasion,name,start,end,postal_codes\nball,Ball,2026-10-15T20:00,2026-10-16T04:00,9000;9040\n",
    )
    .expect("written");
    let release = folder.path().join("out/release");
    let flags = ["--k", "15", "--reports", "presence,visitors,occasions", "--occasions"];
    run(&config, &release, &[&flags[..], &[table.to_str().expect("a path")]].concat());
    let rows = rows(&release, "occasions");
    let presence: Vec<_> = rows.iter().filter(|row| row.is("measure", "presence")).collect();
    assert_eq!(presence.len(), 8 * 4, "a row for every quarter of an hour of the night");
    let all: Vec<_> = rows.iter().filter(|row| row.is("measure", "visitors")).collect();
    let [all] = &all[..] else { panic!("one row of visitors") };
    let most = presence.iter().filter_map(|row| row.1).max();
    assert!(all.1.is_some() && all.1 >= most, "{:?} visitors, {most:?} at once", all.1);
    let dwell = sums(&rows, |row| row.is("measure", "dwell"), &[]);
    assert!(dwell.values().all(|people| Some(*people) <= all.1));
    succeeded(&throng().arg("verify").arg(&release).output().expect("runs"));
}

#[test]
fn what_is_sifted_out_has_a_reason_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = "cell_id,postal_code,lon,lat\na,9000,3.72,51.05\nb,9000,3.73,51.05\nfar,1000,4.35,50.85\n";
    fs::write(folder.path().join("cells.csv"), cells).expect("written");
    let minute = HOUR_US / 60;
    let mut events = world::events(0, 1);
    for person in 0..40 {
        let id = format!("walker-{person}");
        let day = [(600, "a"), (601, "b"), (602, "a"), (610, "far"), (620, "a")];
        events.extend(day.iter().map(|(at, cell)| event(&id, MIDNIGHT_US + at * minute + person, cell)));
    }
    let meter = (-2..24).map(|hour| event("meter", MIDNIGHT_US + hour * HOUR_US + minute, "a"));
    events.extend(meter);
    write_events(&folder.path().join("events"), "day", world::Form::Csv, &events);
    let config = folder.path().join("throng.toml");
    let text = "events = [\"events\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nas_of = \"2026-10-16\"\nk = 15\nmachine_rule = true\n\
                [cleaning]\nspeed = true\nping_pong = \"2min\"\n";
    fs::write(&config, text).expect("written");
    let release = folder.path().join("out/release");
    run(&config, &release, &[]);
    let ledger = ledger(&release);
    let rejected = |reason: &str| ledger["rejected"][reason].as_u64().expect("a number");
    assert_eq!((rejected("ping_pong"), rejected("impossible_speed")), (40, 40));
    assert!(rejected("machine") >= 24, "{}", rejected("machine"));
    let used = ledger["rows_used"].as_u64().expect("a number");
    assert_eq!(used, 3 * 40, "everything else");
}

#[test]
fn the_sample_has_every_report() {
    let folder = tempfile::tempdir().expect("a folder");
    write_cells(folder.path());
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("throng.toml");
    let release = folder.path().join("out/release");
    run(&config, &release, &[]);
    for report in ["presence", "visitors", "residence", "dwell", "frequency", "flows", "occasions", "context"]
    {
        assert!(rows(&release, report).iter().any(|row| row.is("status", "published")), "{report}");
    }
    let ledger = folder.path().join("out/ledger");
    succeeded(&throng().arg("verify").arg(&release).arg("--ledger").arg(&ledger).output().expect("runs"));
    let attack = throng().arg("attack").arg(&release).arg("--json").output().expect("runs");
    succeeded(&attack);
}

/// Events of made-up days in two postal codes of one commune and a third beside it: who, on which day, from which
/// minute to which, in which cell.
fn made_up(folder: &Path, visits: &[(String, i64, i64, i64, &str)]) -> PathBuf {
    fs::write(folder.join("cells.csv"), "cell_id,postal_code\nfair,9000\npark,9030\nfar,1000\n")
        .expect("written");
    let minute = HOUR_US / 60;
    let mut events = Vec::new();
    for (id, day, from, until, cell) in visits {
        let at = |minutes: i64| MIDNIGHT_US + day * 24 * HOUR_US + minutes * minute;
        events.extend((*from..*until).step_by(20).map(|minutes| event(id, at(minutes), cell)));
    }
    write_events(&folder.join("events"), "days", world::Form::Csv, &events);
    let text = "events = [\"events\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nto = \"2026-10-17\"\nas_of = \"2026-10-18\"\nk = 15\n\
                hold = \"10min\"\nreports = [\"presence\", \"visitors\", \"dwell\", \"frequency\", \"flows\"]\n";
    fs::write(folder.join("throng.toml"), text).expect("written");
    folder.join("throng.toml")
}

#[test]
fn days_do_not_tell_how_few_came_on_all_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut visits = Vec::new();
    let mut come = |name: &str, people: i64, days: &[i64]| {
        for person in 0..people {
            visits.extend(days.iter().map(|day| (format!("{name}-{person}"), *day, 600, 720, "fair")));
        }
    };
    (0..3).for_each(|day| come(&format!("once-{day}"), 60, &[day]));
    [[0, 1], [0, 2], [1, 2]]
        .iter()
        .for_each(|days| come(&format!("twice-{}-{}", days[0], days[1]), 30, days));
    come("always", 3, &[0, 1, 2]);
    // Somebody must be elsewhere, or that nobody is would be protected.
    for (name, cell) in [("park", "park"), ("far", "far")] {
        visits.extend((0..120).map(|person| (format!("{name}-{person}"), person % 3, 600, 720, cell)));
    }
    let release = folder.path().join("out/release");
    run(&made_up(folder.path(), &visits), &release, &[]);
    let people = |rows: &[Row], wanted: &dyn Fn(&Row) -> bool| -> Vec<Option<i64>> {
        rows.iter().filter(|row| row.is("place", "9000") && wanted(row)).map(|row| row.1).collect()
    };
    let days = people(&rows(&release, "visitors"), &|row| row.is("period", "day"));
    let frequency = rows(&release, "frequency");
    let class = |days: &'static str| people(&frequency, &move |row| row.is("days", days))[0];
    assert_eq!(days, [Some(123); 3]);
    // 3 x 123 = 369 visits; of 273 people 180 would have come once and 93 more often, and three of these every time.
    assert_eq!((class("all"), class("1"), class("2-3")), (Some(273), None, None));
}

#[test]
fn the_window_does_not_tell_whom_a_day_has_withheld() {
    let folder = tempfile::tempdir().expect("a folder");
    let stays = |name: &str, people: i64, day: i64, from: i64, until: i64, cell: &'static str| {
        let name = name.to_owned();
        (0..people).map(move |person| (format!("{name}-{person}"), day, from, until, cell))
    };
    // A hundred are in the fair at noon, five more only passed in the hour before; the park is well visited.
    let visits: Vec<_> = stays("noon", 100, 0, 700, 760, "fair")
        .chain(stays("passed", 5, 0, 662, 668, "fair"))
        .chain(stays("park", 80, 0, 600, 800, "park"))
        .chain(stays("far", 90, 0, 600, 800, "far"))
        .collect();
    let release = folder.path().join("out/release");
    run(&made_up(folder.path(), &visits), &release, &["--to", "2026-10-15"]);
    let in_fair = |report: &str| -> Vec<i64> {
        rows(&release, report).iter().filter(|row| row.is("place", "9000")).filter_map(|row| row.1).collect()
    };
    let present = in_fair("presence");
    assert_eq!(present.iter().max(), Some(&100));
    for report in ["visitors", "frequency", "dwell"] {
        for number in in_fair(report) {
            assert!(
                present.iter().all(|there| number <= *there || number - there >= 15),
                "{report}: {number}"
            );
        }
    }
}
