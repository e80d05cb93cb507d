//! Laws of a run: what the bytes of a release depend on, and that no row is lost.

mod world;

use std::{collections::HashMap, fs, path::Path};

use proptest::prelude::*;
use world::{
    Event, FORMS, MIDNIGHT_US, event, events, files, ledger, run, said, shuffle, succeeded, throng,
    write_cells, write_events,
};

/// The release of these events in one plain CSV on one thread: what every other way of running must equal.
fn reference(folder: &Path, events: &[Event]) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let cells = write_cells(folder);
    let file = write_events(&folder.join("reference"), "all", world::Form::Csv, events);
    let out = folder.join("reference-release");
    succeeded(&run(&[file], &cells, &out, &["--threads", "1"]));
    files(&out)
}

/// The same people under other identifiers.
fn renamed(events: &[Event], seed: u64) -> Vec<Event> {
    let mut ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    ids.sort();
    ids.dedup();
    let mut others = ids.clone();
    shuffle(&mut others, seed);
    let other: HashMap<_, _> = ids.into_iter().zip(others).collect();
    events.iter().map(|event| Event { id: other[&event.id].clone(), ..event.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// The same events in any order, in any number of files of any form, on any number of threads, in little
    /// memory, under other identifiers, and under the other key that every run has, give the same bytes.
    #[test]
    fn a_release_depends_on_the_events_alone(seed: u64, parts in 1..6_usize, threads in prop::sample::select(vec!["1", "2", "8"])) {
        let folder = tempfile::tempdir().expect("a folder");
        let events = events(150, seed);
        let expected = reference(folder.path(), &events);
        let mut shuffled = renamed(&events, seed);
        shuffle(&mut shuffled, seed);
        let mut paths: Vec<_> = shuffled
            .chunks(shuffled.len().div_ceil(parts))
            .enumerate()
            .map(|(i, part)| write_events(&folder.path().join("events"), &format!("part-{i}"), FORMS[(i + parts) % 4], part))
            .collect();
        shuffle(&mut paths, seed);
        let out = folder.path().join("release");
        let output = run(&paths, &folder.path().join("cells.csv"), &out, &["--threads", threads, "--memory", "64MiB"]);
        prop_assert!(output.status.success(), "{}", said(&output));
        prop_assert!(files(&out) == expected, "the bytes differ");
    }

    /// `rows_read = rows_used + sum(rejected)`, for every file and for the run.
    #[test]
    fn every_row_is_used_or_rejected_under_one_reason(seed: u64) {
        let folder = tempfile::tempdir().expect("a folder");
        let events = events(60, seed);
        let cells = write_cells(folder.path());
        let paths: Vec<_> = events
            .chunks(events.len() / 3)
            .zip(FORMS)
            .map(|(part, form)| write_events(folder.path(), &format!("{form:?}"), form, part))
            .collect();
        let out = folder.path().join("release");
        succeeded(&run(&paths, &cells, &out, &[]));
        let ledger = ledger(&out);
        let sums = |rows: &serde_json::Value| {
            let rejected: u64 = rows["rejected"].as_object().expect("reasons").values().map(|n| n.as_u64().expect("a number")).sum();
            (rows["rows_read"].as_u64().expect("read"), rows["rows_used"].as_u64().expect("used") + rejected)
        };
        let files = ledger["files"].as_array().expect("files");
        prop_assert_eq!(files.len(), paths.len());
        for file in files {
            let (read, accounted) = sums(file);
            prop_assert_eq!(read, accounted);
        }
        prop_assert_eq!(sums(&ledger), (sums(&ledger).0, files.iter().map(|file| sums(file).0).sum()));
        prop_assert!(ledger["rejected"]["duplicate"].as_u64() > Some(0), "the world has duplicates");
        prop_assert!(ledger["rejected"]["unknown_cell"].as_u64() > Some(0), "the world has unknown cells");
        prop_assert!(ledger["rejected"]["outside_window"].as_u64() == Some(0) , "two holds around the day are context");
    }
}

#[test]
fn who_opted_out_changes_no_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut events = events(100, 1);
    let expected = reference(folder.path(), &events);
    let opted_out = ["opted-out-1", "opted-out-2"];
    for hour in 0..24 {
        events.extend(opted_out.map(|id| event(id, MIDNIGHT_US + hour * world::HOUR_US, "a-1")));
    }
    let list = folder.path().join("opt_out.csv");
    fs::write(&list, format!("subscriber_id\n{}\n{}\n", opted_out[0], opted_out[1])).expect("written");
    let file = write_events(&folder.path().join("more"), "all", world::Form::Parquet, &events);
    let out = folder.path().join("more/release");
    let list = list.display().to_string();
    succeeded(&run(&[file], &folder.path().join("cells.csv"), &out, &["--opt-out", &list]));
    assert!(files(&out) == expected, "an opted-out subscriber changed the release");
    assert_eq!(ledger(&out)["rejected"]["opted_out"], 48);
}

#[test]
fn a_release_replaces_the_earlier_one_whole_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", world::Form::Csv, &events(100, 2));
    let out = folder.path().join("to/release");
    succeeded(&run(std::slice::from_ref(&file), &cells, &out, &["--reports", "presence"]));
    succeeded(&run(&[file], &cells, &out, &["--reports", "visitors", "--supersede"]));
    assert!(!out.join("presence").exists() && out.join("visitors").exists());
    let mut beside: Vec<_> = fs::read_dir(folder.path().join("to"))
        .expect("there")
        .map(|e| e.expect("entry").file_name())
        .collect();
    beside.sort();
    assert_eq!(beside, ["ledger", "release"]);
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
}

#[test]
fn a_folder_that_is_no_release_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", world::Form::Csv, &events(50, 3));
    let out = folder.path().join("thesis");
    fs::create_dir(&out).expect("made");
    fs::write(out.join("chapter-1.txt"), "years of work").expect("written");
    let output = run(&[file], &cells, &out, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is not a release"));
    assert_eq!(fs::read_to_string(out.join("chapter-1.txt")).expect("still there"), "years of work");
    // Nor is a folder whose manifest is another program's, or a release into which somebody has put something.
    fs::write(out.join("manifest.json"), "{\"name\": \"my app\"}").expect("written");
    let file = folder.path().join("day.csv");
    let again = run(std::slice::from_ref(&file), &cells, &out, &[]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    let release = folder.path().join("release");
    succeeded(&run(std::slice::from_ref(&file), &cells, &release, &[]));
    fs::write(release.join("notes.txt"), "mine").expect("written");
    assert_eq!(run(&[file], &cells, &release, &[]).status.code(), Some(2));
    assert!(out.join("chapter-1.txt").exists() && release.join("notes.txt").exists());
}

#[test]
fn a_release_of_another_version_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", world::Form::Csv, &events(50, 3));
    let out = folder.path().join("release");
    succeeded(&run(std::slice::from_ref(&file), &cells, &out, &[]));
    let path = out.join("manifest.json");
    let text = fs::read_to_string(&path).expect("read").replace("\"step_s\": 900", "\"pace_s\": 900");
    fs::write(&path, text.replace("\"schema_version\": 1", "\"schema_version\": 0")).expect("written");
    // The same days were protected by other rules; of other days it would be replaced without a word.
    assert_eq!(run(std::slice::from_ref(&file), &cells, &out, &[]).status.code(), Some(2));
    let text = fs::read_to_string(&path).expect("read").replace("2026-10-15", "2026-10-14");
    fs::write(&path, text).expect("written");
    for report in ["presence", "visitors"] {
        let folder = out.join(report);
        fs::rename(folder.join("date=2026-10-15"), folder.join("date=2026-10-14")).expect("moved");
    }
    succeeded(&run(&[file], &cells, &out, &[]));
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
}

#[test]
fn the_ledger_never_lies_in_the_release() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", world::Form::Csv, &events(50, 3));
    let out = folder.path().join("release");
    for ledger in [out.clone(), out.join("ledger"), folder.path().to_owned()] {
        let output =
            run(std::slice::from_ref(&file), &cells, &out, &["--ledger", &ledger.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(!out.exists());
    }
}

#[test]
fn of_two_runs_to_one_destination_one_wins_and_the_other_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", world::Form::Csv, &events(2_000, 3));
    let out = folder.path().join("release");
    let codes: Vec<_> = std::thread::scope(|scope| {
        let start = || scope.spawn(|| run(std::slice::from_ref(&file), &cells, &out, &[]));
        let runs: Vec<_> = (0..6).map(|_| start()).collect();
        runs.into_iter()
            .map(|run| run.join().expect("ran"))
            .map(|output| (output.status.code(), said(&output)))
            .collect()
    });
    assert!(codes.iter().any(|(code, _)| *code == Some(0)), "{codes:?}");
    for (code, said) in &codes {
        assert!(
            *code == Some(0) || (*code == Some(1) && said.contains("being written by another run")),
            "{said}"
        );
    }
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
}
