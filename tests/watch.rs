//! What a run tells of itself: the log in JSON, the ledger, and the history that days are compared with.

mod world;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;
use world::{
    Event, Form, HOUR_US, MIDNIGHT_US, event, events, files, ledger, run, said, succeeded, throng,
    write_cells, write_events,
};

const DAY_US: i64 = 24 * HOUR_US;

/// Every line on standard error as the JSON object that it must be.
fn log(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    for line in &lines {
        let time = line["time"].as_str().expect("a time");
        assert!(
            time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
            "{time} is not RFC 3339 in UTC"
        );
        for word in ["level", "command", "event", "message"] {
            assert!(line[word].is_string(), "no {word} in {line}");
        }
    }
    lines
}

fn of<'l>(lines: &'l [Value], event: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON")
}

/// A folder with the plan of cells.
struct Place {
    folder: tempfile::TempDir,
    cells: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cells = write_cells(folder.path());
        Self { folder, cells }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, rows: &[Event]) -> PathBuf {
        write_events(&self.path("in"), name, Form::Csv, rows)
    }

    /// A run of the days from one number to another, 0 being 2026-10-15.
    fn days(&self, file: &Path, (from, to): (i64, i64), out: &str, more: &[&str]) -> Output {
        let date = |n: i64| {
            let first = jiff::civil::date(2026, 10, 15);
            first.checked_add(jiff::Span::new().days(n)).expect("a date").to_string()
        };
        let mut command = throng();
        command.arg("run").arg("--events").arg(file).arg("--cells").arg(&self.cells);
        command.arg("--out").arg(self.path(out)).args(["--from", &date(from), "--to", &date(to)]);
        command.args(["--as-of", "2026-11-10", "--k", "15", "--reports", "presence"]).args(more);
        command.output().expect("it runs")
    }
}

/// A week and a day of so many people; each day the events of another.
fn eight_days() -> Vec<Event> {
    let of_day = |n: i64| {
        let seed = u64::try_from(n).expect("a day");
        let within = |event: &Event| (MIDNIGHT_US..MIDNIGHT_US + DAY_US).contains(&event.at_us);
        let shifted = move |event: Event| Event { at_us: event.at_us + n * DAY_US, ..event };
        events(120, seed).into_iter().filter(within).map(shifted).collect::<Vec<_>>()
    };
    (0..8).flat_map(of_day).collect()
}

fn on_day(rows: &[Event], n: i64) -> Vec<Event> {
    let (from, until) = (MIDNIGHT_US + n * DAY_US, MIDNIGHT_US + (n + 1) * DAY_US);
    rows.iter().filter(|event| (from..until).contains(&event.at_us)).cloned().collect()
}

#[test]
fn a_run_in_json_tells_its_stages_days_and_sums() {
    let place = Place::new();
    let file = place.write("day", &events(120, 3));
    let out = place.path("release");
    let output =
        run(&[file], &place.cells, &out, &["--log", "json", "--progress", "always", "--to", "2026-10-16"]);
    succeeded(&output);
    let lines = log(&output);
    let words: Vec<&str> = lines.iter().map(|line| line["event"].as_str().expect("text")).collect();
    assert_eq!((words.first(), words.last()), (Some(&"begun"), Some(&"ended")));
    assert_eq!(lines[0]["parameters"]["k"], 15);
    assert!(lines.iter().all(|line| line["level"] == "info" && line["command"] == "run"), "{lines:?}");

    let stages: Vec<&str> =
        of(&lines, "stage_ended").iter().map(|line| line["stage"].as_str().expect("text")).collect();
    let of_a_day = ["read and count", "protect", "write"];
    assert_eq!(stages, [&["prepare"][..], &of_a_day, &of_a_day, &["write"]].concat());
    assert!(of(&lines, "stage_ended").iter().all(|line| line["seconds"].is_f64()));

    let ledger = ledger(&out);
    let ended = lines.last().expect("a line");
    for field in ["rows_read", "rows_used", "rejected", "passes", "share_rejected"] {
        assert_eq!(ended[field], ledger[field], "{field}");
    }
    assert_eq!(ended["devices"], ledger["devices_seen"]);
    assert_eq!((&ended["exit_code"], &ended["warnings"]), (&0.into(), &0.into()));
    let rejected: u64 = ended["rejected"].as_object().expect("reasons").values().map(number).sum();
    assert_eq!(number(&ended["rows_read"]), number(&ended["rows_used"]) + rejected);

    let days = of(&lines, "day_ended");
    assert_eq!(days.len(), 2);
    for (line, account) in days.iter().zip(ledger["days"].as_array().expect("days")) {
        for field in ["date", "events_used", "devices", "passes", "rows_scanned", "rejected", "cells"] {
            assert_eq!(line[field], account[field], "{field}");
        }
    }
    for table in ended["cells"].as_array().expect("tables") {
        let of_days = |status: &str| -> u64 {
            let cells = days.iter().flat_map(|day| day["cells"].as_array().expect("tables"));
            cells.filter(|cells| cells["table"] == table["table"]).map(|cells| number(&cells[status])).sum()
        };
        assert!(number(&table["published"]) > 0 && number(&table["withheld"]) > 0, "{table}");
        for status in ["published", "withheld", "no_coverage"] {
            assert_eq!(number(&table[status]), of_days(status), "{table}");
        }
    }
}

/// The rows of a day are those of the day: not those around it that say where people are at midnight.
#[test]
fn the_ledger_counts_the_day_and_not_its_context() {
    let place = Place::new();
    let rows = events(120, 4);
    let file = place.write("day", &rows);
    let out = place.path("release");
    succeeded(&run(&[file], &place.cells, &out, &[]));
    let of_the_day: BTreeSet<&Event> = rows
        .iter()
        .filter(|e| (MIDNIGHT_US..MIDNIGHT_US + DAY_US).contains(&e.at_us) && e.cell != "nowhere")
        .collect();
    let people: BTreeSet<&str> = of_the_day.iter().map(|event| event.id.as_str()).collect();
    let ledger = ledger(&out);
    let day = &ledger["days"][0];
    assert_eq!(number(&day["events_used"]), of_the_day.len() as u64);
    assert_eq!(number(&day["devices"]), people.len() as u64);
    assert!(number(&day["events_used"]) < number(&ledger["rows_used"]), "there is context");
    assert_eq!(day["rejected"]["duplicate"], ledger["rejected"]["duplicate"]);
    assert_eq!(day["rows_scanned"], ledger["rows_read"]);
    assert!(day["share_withheld"].as_f64().is_some_and(|share| 0.0 < share && share < 1.0));
    let times = [&ledger["begun"], &ledger["ended"]].map(|time| time.as_str().expect("a time").to_owned());
    assert!(times[0] <= times[1] && times[0].parse::<jiff::Timestamp>().is_ok(), "{times:?}");
}

/// Every field that a ledger has, by its path without the names of files, reports and reasons.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, below) in object {
                found.insert(name.clone());
                fields(below, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|below| fields(below, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_ledger_and_its_history_is_explained() {
    let place = Place::new();
    let rows = eight_days();
    succeeded(&place.days(&place.write("days", &rows), (0, 7), "release", &[]));
    let mut found = BTreeSet::new();
    fields(&ledger(&place.path("release")), &mut found);
    fields(&read(&place.path("ledger/history.json")), &mut found);
    let docs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ledger.md")).expect("docs");
    let missing: Vec<_> = found.iter().filter(|name| !docs.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/ledger.md says nothing of {missing:?}");
}

#[test]
fn a_failure_in_json_has_its_exit_code_and_a_next_step() {
    let place = Place::new();
    let good = place.write("day", &events(60, 5));
    let none = place.path("none.csv");
    let nowhere: Vec<_> = (0..50).map(|i| event(&format!("s{i}"), MIDNIGHT_US + i, "nowhere")).collect();
    let bad = place.write("bad", &nowhere);
    let config = place.path("bad.toml");
    fs::write(&config, "log = \"json\"\nform = \"2026-10-15\"\n").expect("written");
    let config = config.display().to_string();
    let out = place.path("release");
    let json = |file: &PathBuf, more: &[&str]| {
        run(std::slice::from_ref(file), &place.cells, &out, &[&["--log", "json"], more].concat())
    };
    let cases = [
        (json(&none, &[]), 1, "nothing there", "day's files"),
        (json(&good, &["--k", "3"]), 2, "too small", "--help"),
        (json(&good, &["--steps", "3"]), 2, "unexpected argument", "--help"),
        (
            throng().args(["run", "--log=json", "--k", "many"]).output().expect("runs"),
            2,
            "invalid value",
            "--help",
        ),
        (
            throng().args(["run", "--config", &config]).output().expect("runs"),
            2,
            "unknown field",
            "throng.toml",
        ),
        (json(&bad, &[]), 3, "none of 50 rows", "cell plan"),
        (
            throng().args(["verify", "--log", "json"]).arg(&none).output().expect("runs"),
            1,
            "none.csv",
            "check the path",
        ),
    ];
    for (output, code, message, next_step) in cases {
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect();
        let failed: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
        assert_eq!(failed.len(), 1, "{text}");
        assert_eq!(
            (&failed[0]["event"], &failed[0]["exit_code"]),
            (&"failed".into(), &code.into()),
            "{text}"
        );
        for (field, word) in [("message", message), ("next_step", next_step)] {
            let said = failed[0][field].as_str().unwrap_or_default();
            assert!(said.contains(word) && !said.contains('\n'), "no `{word}` in {field}: {text}");
        }
    }
    // Inputs that are refused say how many rows, why, and where the first is.
    let lines = log(&json(&bad, &[]));
    let failed = lines.last().expect("a line");
    assert_eq!((&failed["rows_read"], &failed["rejected"]["unknown_cell"]), (&50.into(), &50.into()));
    assert_eq!(
        (&failed["first_bad"][0]["row"], &failed["first_bad"][0]["column"]),
        (&1.into(), &"cell_id".into())
    );
    assert!(!out.exists());
}

#[test]
fn what_verify_finds_is_told_fault_by_fault() {
    let place = Place::new();
    let file = place.write("day", &events(60, 12));
    let out = place.path("release");
    succeeded(&run(&[file], &place.cells, &out, &[]));
    let verify = || throng().args(["verify", "--log", "json"]).arg(&out).output().expect("runs");
    let output = verify();
    succeeded(&output);
    assert_eq!(log(&output).last().expect("a line")["event"], "ended");
    fs::write(out.join("places.parquet"), "nothing").expect("written");
    let output = verify();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let lines = log(&output);
    assert!(of(&lines, "fault").iter().any(|fault| fault["file"] == "places.parquet"), "{lines:?}");
    let failed = lines.last().expect("a line");
    assert_eq!((&failed["kind"], &failed["exit_code"]), (&"faults".into(), &4.into()));
}

#[test]
fn a_flag_for_the_log_wins_over_the_config() {
    let place = Place::new();
    place.write("day", &events(60, 6));
    let config = place.path("throng.toml");
    let text = "events = [\"in\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nas_of = \"2026-10-16\"\n\
                out = \"release\"\nhistory = \"kept/history.json\"\nlog = \"json\"\n";
    fs::write(&config, text).expect("written");
    let with =
        |more: &[&str]| throng().args(["run", "--config"]).arg(&config).args(more).output().expect("runs");
    let output = with(&[]);
    succeeded(&output);
    assert_eq!(log(&output).last().expect("a line")["event"], "ended");
    assert!(place.path("kept/history.json").exists() && !place.path("ledger/history.json").exists());
    let output = with(&["--log", "text"]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    fs::write(&config, text.replace("\"json\"", "\"xml\"")).expect("written");
    assert_eq!(with(&[]).status.code(), Some(2));
}

/// A standard error that nobody reads, that is full, or that is closed.
#[test]
fn nobody_has_to_listen() {
    let place = Place::new();
    let file = place.write("day", &events(120, 7));
    let expected = {
        let out = place.path("a/release");
        succeeded(&run(std::slice::from_ref(&file), &place.cells, &out, &[]));
        files(&out)
    };
    let deaf = || -> Stdio {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer.into()
    };
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").expect("there"));
    let ways: [(&str, &dyn Fn() -> Stdio); 2] = [("a broken pipe", &deaf), ("a full disk", &full)];
    for (way, stderr) in ways {
        for flags in [["--log", "json"], ["--progress", "always"]] {
            let out = place.path("b/release");
            let _ = fs::remove_dir_all(place.path("b"));
            let mut command = throng();
            command
                .arg("run")
                .arg("--events")
                .arg(&file)
                .arg("--cells")
                .arg(&place.cells)
                .arg("--out")
                .arg(&out);
            command.args(["--from", "2026-10-15", "--as-of", "2026-10-16", "--k", "15"]).args(flags);
            let status = command.stdout(Stdio::null()).stderr(stderr()).status().expect("runs");
            assert!(status.success(), "{way}, {flags:?}");
            assert!(files(&out) == expected, "{way}, {flags:?}");
            assert_eq!(ledger(&out)["warnings"], Value::Array(Vec::new()));
        }
    }
    let script = "exec \"$0\" \"$@\" 2>&- >&-";
    let out = place.path("c/release");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_throng"), "run", "--log", "json", "--k", "15"]);
    command.args(["--from", "2026-10-15", "--as-of", "2026-10-16"]);
    command.arg("--events").arg(&file).arg("--cells").arg(&place.cells).arg("--out").arg(&out);
    assert!(command.status().expect("runs").success());
    assert!(files(&out) == expected, "closed");
    // What fails still fails with its own code.
    let mut command = throng();
    command.args(["run", "--log", "json", "--k", "3"]).stderr(deaf()).stdout(Stdio::null());
    assert_eq!(command.status().expect("runs").code(), Some(2));
}

#[test]
fn a_day_unlike_those_before_it_is_warned_of_and_released() {
    let place = Place::new();
    let rows = eight_days();
    let before: Vec<Event> = (0..7).flat_map(|n| on_day(&rows, n)).collect();
    let output = place.days(&place.write("before", &before), (0, 6), "before", &[]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let history = place.path("ledger/history.json");
    let mode = fs::metadata(&history).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode, read(&history)["days"].as_array().expect("days").len()), (0o600, 7));

    // The eighth day has come without the rows of every second person.
    let whole = on_day(&rows, 7);
    let half: Vec<Event> = whole.iter().filter(|e| e.id.as_bytes()[14].is_multiple_of(2)).cloned().collect();
    let output = place.days(&place.write("half", &half), (7, 7), "release", &["--log", "json"]);
    succeeded(&output);
    let lines = log(&output);
    let warned: Vec<&str> =
        of(&lines, "day_differs").iter().map(|w| w["measure"].as_str().expect("text")).collect();
    assert_eq!(warned, ["events_used", "devices"], "{lines:?}");
    for warning in of(&lines, "day_differs") {
        assert_eq!(
            (&warning["level"], &warning["date"], &warning["days"]),
            (&"warning".into(), &"2026-10-22".into(), &7.into())
        );
        let [value, mean, deviation] =
            ["value", "mean", "deviation"].map(|f| warning[f].as_f64().expect("a number"));
        assert!(value < mean - 3.0 * deviation, "{warning}");
        assert!(warning["next_step"].as_str().is_some_and(|step| step.contains("files are missing")));
    }
    let account = ledger(&place.path("release"));
    assert_eq!(account["warnings"].as_array().expect("warnings").len(), 2);
    assert_eq!(account["days"][0]["compared"]["measures"].as_array().expect("measures").len(), 2);

    // In words too; and the same day again is not compared with itself, but takes the place of its own entry.
    let output = place.days(&place.write("half", &half), (7, 7), "release", &[]);
    succeeded(&output);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("warning: 2026-10-22: ") && text.contains("fewer than usual"), "{text}");
    let output = place.days(&place.write("whole", &whole), (7, 7), "release", &["--supersede"]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let days = read(&history)["days"].as_array().expect("days").clone();
    assert_eq!(days.len(), 8);
    let account = ledger(&place.path("release"));
    assert_eq!(days[7]["events_used"], account["days"][0]["events_used"]);
    succeeded(&throng().arg("verify").arg(place.path("release")).output().expect("runs"));
}

#[test]
fn days_counted_in_another_way_are_not_compared_in_silence() {
    let place = Place::new();
    let rows = eight_days();
    let before: Vec<Event> = (0..7).flat_map(|n| on_day(&rows, n)).collect();
    succeeded(&place.days(&place.write("before", &before), (0, 6), "before", &["--hold", "20min"]));
    let few: Vec<Event> = on_day(&rows, 7).into_iter().take(60).collect();
    let output = place.days(&place.write("few", &few), (7, 7), "release", &["--log", "json"]);
    succeeded(&output);
    let lines = log(&output);
    assert_eq!(of(&lines, "day_differs"), [] as [&Value; 0]);
    let told = of(&lines, "day_not_compared");
    assert_eq!((told.len(), &told[0]["settings_apart"]), (1, &serde_json::json!(["hold_s"])));
}

#[test]
fn a_history_that_is_none_fails_no_release_and_is_left_alone() {
    let place = Place::new();
    let file = place.write("day", &events(120, 9));
    let expected = {
        let out = place.path("a/release");
        succeeded(&run(std::slice::from_ref(&file), &place.cells, &out, &[]));
        files(&out)
    };
    let out = place.path("b/release");
    let history = place.path("b/ledger/history.json");
    fs::create_dir_all(place.path("b/ledger")).expect("made");
    for junk in ["Kx7PLANTEDq9ZwT4,206019876543210\n", "{\"throng_history\": 7, \"days\": []}", ""] {
        fs::write(&history, junk).expect("written");
        let output = run(std::slice::from_ref(&file), &place.cells, &out, &["--log", "json"]);
        succeeded(&output);
        let lines = log(&output);
        for event in ["history_unusable", "history_not_written"] {
            let told = of(&lines, event);
            assert_eq!(told.len(), 1, "{lines:?}");
            let (message, next_step) = (told[0]["message"].to_string(), told[0]["next_step"].to_string());
            assert!(message.contains("history.json") && next_step.contains("move the file away"), "{told:?}");
        }
        assert!(!said(&output).contains("PLANTED"), "{}", said(&output));
        assert_eq!(fs::read_to_string(&history).expect("there"), junk);
        assert!(files(&out) == expected);
        assert_eq!(ledger(&out)["warnings"].as_array().expect("warnings").len(), 2);
    }
    // Moved away, as the warning says, a new one begins.
    fs::remove_file(&history).expect("removed");
    let output = run(&[file], &place.cells, &out, &[]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(read(&history)["days"].as_array().expect("days").len(), 1);
}

#[test]
fn a_history_lies_in_no_release() {
    let place = Place::new();
    let file = place.write("day", &events(60, 10));
    let out = place.path("release");
    for history in [out.join("history.json"), out.join("deep/../history.json")] {
        let output = run(
            std::slice::from_ref(&file),
            &place.cells,
            &out,
            &["--history", &history.display().to_string()],
        );
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("--history lies in a release") && !out.exists());
    }
}

/// Files of one ledger are of one run, so of two runs with one ledger the second is refused before it reads anything.
#[test]
fn of_two_runs_with_one_ledger_no_file_is_of_both() {
    let place = Place::new();
    let file = place.write("day", &events(2_000, 11));
    let names: Vec<String> = (0..4).map(|i| format!("{i}/release")).collect();
    let shared = place.path("ledger").display().to_string();
    let runs: Vec<(bool, String)> = std::thread::scope(|scope| {
        let (file, place, shared) = (&file, &place, &shared);
        let start = |name: &String| {
            let out = place.path(name);
            scope.spawn(move || run(std::slice::from_ref(file), &place.cells, &out, &["--ledger", shared]))
        };
        let runs: Vec<_> = names.iter().map(start).collect();
        runs.into_iter().map(|run| run.join().expect("ran")).map(|o| (o.status.success(), said(&o))).collect()
    });
    assert!(runs.iter().any(|(good, _)| *good), "{runs:?}");
    for ((good, said), name) in runs.iter().zip(&names) {
        assert!(*good || said.contains("being written by another run"), "{said}");
        assert_eq!(*good, place.path(name).exists());
    }
    assert_eq!(read(&place.path("ledger/history.json"))["days"].as_array().expect("days").len(), 1);
    let mut left: Vec<_> = files(&place.path("ledger")).into_iter().map(|(name, _)| name).collect();
    left.sort();
    assert_eq!(
        left,
        [".history.json.lock", "history.json", "run.json", "witnesses.parquet"].map(PathBuf::from)
    );
    // The same events give the same release, so the witnesses fit each that is there.
    let (_, name) = runs.iter().zip(&names).find(|((good, _), _)| *good).expect("one");
    let verified =
        throng().arg("verify").arg(place.path(name)).args(["--ledger", &shared]).output().expect("runs");
    succeeded(&verified);
}
