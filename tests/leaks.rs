//! A planted identifier comes out nowhere: in no output, log, error or file of any command, on good and bad input.

mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use arrow::{array::AsArray, datatypes::DataType};
use world::{
    Form, MIDNIGHT_US, event, events, files, read_parquet, run, run_of_the_day, said, succeeded, throng,
    write_cells, write_events,
};

/// What no file or message may hold: an identifier of letters, one of digits, and pieces of both.
const PLANTED: [&str; 2] = ["Kx7PLANTEDq9ZwT4", "206019876543210"];
const PIECES: [&str; 2] = ["PLANTED", "9876543"];

fn clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text).to_uppercase();
    for piece in PIECES {
        assert!(!text.contains(piece), "{what} holds a piece of an identifier");
    }
}

fn clean_output(what: &str, output: &Output) {
    clean(what, &output.stdout);
    clean(what, &output.stderr);
}

/// Bytes as they are, and the text of Parquet, which is compressed.
fn clean_files(folder: &Path) {
    for (name, bytes) in files(folder) {
        clean(&name.display().to_string(), &bytes);
        if name.extension().is_some_and(|ending| ending == "parquet") {
            for batch in read_parquet(&folder.join(&name)) {
                for column in batch.columns().iter().filter(|column| *column.data_type() == DataType::Utf8) {
                    column
                        .as_string::<i32>()
                        .iter()
                        .flatten()
                        .for_each(|text| clean(&name.display().to_string(), text.as_bytes()));
                }
            }
        }
    }
}

#[test]
fn a_good_run_is_blind_to_identifiers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = events(100, 5);
    for (hour, id) in (0..24).zip(PLANTED.iter().cycle()) {
        rows.push(event(id, MIDNIGHT_US + hour * world::HOUR_US, "a-1"));
        rows.push(event(id, MIDNIGHT_US + hour * world::HOUR_US, "a-1"));
        rows.push(event(id, MIDNIGHT_US + hour * world::HOUR_US, "nowhere"));
    }
    let cells = write_cells(folder.path());
    let list = folder.path().join("opt_out.csv");
    fs::write(&list, format!("subscriber_id\n{}\n", PLANTED[0])).expect("written");
    let lives = folder.path().join("residence.csv");
    fs::write(&lives, format!("subscriber_id,postal_code\n{},9000\n", PLANTED[1])).expect("written");
    for form in world::FORMS {
        let file = write_events(&folder.path().join("in"), &format!("{form:?}"), form, &rows);
        let out = folder.path().join("out/release");
        let (list, lives) = (list.display().to_string(), lives.display().to_string());
        for said in [["--progress", "always"], ["--log", "json"]] {
            let lists = ["--opt-out", &list, "--residence", &lives];
            let output = run(std::slice::from_ref(&file), &cells, &out, &[&lists[..], &said].concat());
            succeeded(&output);
            clean_output("run", &output);
            clean_files(&folder.path().join("out"));
        }
        for command in
            [throng().arg("verify").arg(&out), throng().arg("inspect").arg(&file).arg("--cells").arg(&cells)]
        {
            let output = command.output().expect("runs");
            succeeded(&output);
            clean_output("verify or inspect", &output);
        }
    }
}

/// Events in which identifiers stand where they should not, each with the fault that it shows.
fn bad_events() -> Vec<(&'static str, String)> {
    let [a, b] = PLANTED;
    let head = "event_time,subscriber_id,cell_id\n";
    vec![
        ("identifier as time", format!("{head}{a},x,a-1\n{b},{a},a-1\n")),
        ("identifier as cell", format!("{head}2026-10-15T10:00:00Z,x,{a}\n2026-10-15T10:00:00Z,x,{b}\n")),
        ("too many fields", format!("{head}2026-10-15T10:00:00Z,{a},a-1,{b},{a}\n")),
        ("unclosed quote", format!("{head}2026-10-15T10:00:00Z,\"{a},a-1\n2026-10-15T10:00:00Z,{b},a-1\n")),
        ("no header", format!("2026-10-15T10:00:00Z,{a},a-1\n{b},{a},a-1\n")),
        ("identifiers as header", format!("{a},{b},x\n1,2,3\n")),
        ("a list of identifiers", format!("{a}\nasmith\n")),
        ("no line end", format!("{a}{b}").repeat(100_000)),
        ("mangled by a spreadsheet", format!("{head}08:31.0,{a},a-1\n2.06E+14,{b},a-1\n")),
        ("integer times without a unit", format!("{head}{b},{a},a-1\n")),
    ]
}

#[test]
fn errors_quote_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let mut files_: Vec<(String, PathBuf)> = Vec::new();
    for (i, (fault, text)) in bad_events().into_iter().enumerate() {
        let path = folder.path().join(format!("bad-{i}.csv"));
        fs::write(&path, &text).expect("written");
        files_.push((fault.to_owned(), path));
        let path = folder.path().join(format!("bad-{i}.parquet"));
        fs::write(&path, &text).expect("written");
        files_.push((format!("{fault}, named Parquet"), path));
    }
    let good = write_events(folder.path(), "good", Form::Parquet, &[event(PLANTED[0], MIDNIGHT_US, "a-1")]);
    let mut cut = fs::read(&good).expect("read");
    cut.truncate(cut.len() / 2);
    let path = folder.path().join("cut.parquet");
    fs::write(&path, cut).expect("written");
    files_.push(("Parquet cut in half".to_owned(), path));
    for (fault, path) in &files_ {
        let out = folder.path().join("out/release");
        for log in ["text", "json"] {
            let output = run(std::slice::from_ref(path), &cells, &out, &["--log", log]);
            assert_eq!(output.status.code(), Some(3), "{fault}: {}", said(&output));
            assert!(!out.exists(), "{fault} gave a release");
            clean_output(fault, &output);
            clean_output(fault, &throng().args(["inspect", "--log", log]).arg(path).output().expect("runs"));
        }
        clean_output(
            fault,
            &throng().arg("inspect").arg(path).arg("--cells").arg(&cells).output().expect("runs"),
        );
    }
}

#[test]
fn tables_with_identifiers_in_the_wrong_place_are_not_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let good = write_events(folder.path(), "good", Form::Csv, &events(60, 6));
    let [a, b] = PLANTED;
    let tables = [
        ("--opt-out", format!("{a}\n{b}\n")),
        ("--opt-out", format!("subscriber_id\n\"{a}\n{b}\n")),
        ("--residence", format!("subscriber_id,postal_code\n{a},{b}\n")),
        ("--residence", format!("{a},9000\n{b},9000\n")),
        ("--places", format!("postal_code,commune\n{a},{b}\n")),
        ("--cells", format!("cell_id,postal_code\n{a},{b}\n")),
        ("--cells", format!("{a},{b}\n")),
        ("--cells", format!("{a}\nasmith\n")),
        ("--places", format!("{a}\nasmith\n")),
        ("--opt-out", format!("{a}\nasmith\n")),
        ("--config", format!("{a} = {b}\n")),
    ];
    for (i, (flag, text)) in tables.into_iter().enumerate() {
        let path = folder.path().join(format!("table-{i}.csv"));
        fs::write(&path, text).expect("written");
        let mut command = run_of_the_day();
        command.arg("--events").arg(&good).args(["--k", "15"]);
        command.arg("--out").arg(folder.path().join("out/release")).arg(flag).arg(&path);
        if flag != "--cells" {
            command.arg("--cells").arg(&cells);
        }
        for log in ["text", "json"] {
            let output = if log == "json" { command.args(["--log", log]).output() } else { command.output() };
            let output = output.expect("runs");
            assert!(matches!(output.status.code(), Some(2 | 3)), "{flag} {i}: {}", said(&output));
            clean_output(flag, &output);
        }
    }
    assert!(!folder.path().join("out/release").exists());
}
