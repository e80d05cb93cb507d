//! Days are released once: a second release beside the first would give away by subtraction what both withhold.

mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use world::{
    Event, Form, MIDNIGHT_US, event, events, files, run, said, succeeded, throng, write_cells, write_events,
};

/// A folder with a cell plan, events, and a release of them.
struct Standing {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Standing {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_cells(folder.path());
        let file = write_events(folder.path(), "day", Form::Csv, &events(120, 21));
        let standing = Self { folder, file };
        succeeded(&standing.run("release", &[]));
        standing
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, out: &str, more: &[&str]) -> Output {
        run(std::slice::from_ref(&self.file), &self.path("cells.csv"), &self.path(out), more)
    }

    fn change_the_events(&self) {
        let mut rows: Vec<Event> = events(120, 21);
        rows.extend((0..60).map(|i| event(&format!("late-{i}"), MIDNIGHT_US + i * 1_000_000, "a-1")));
        write_events(self.folder.path(), "day", Form::Csv, &rows);
    }

    fn refuses(&self, output: &Output, why: &str) {
        assert_eq!(output.status.code(), Some(2), "{}", said(output));
        for word in [why, "--supersede", "release"] {
            assert!(said(output).contains(word), "expected `{word}` in {}", said(output));
        }
    }
}

fn supersedes(out: &Path) -> Vec<String> {
    let json = fs::read(out.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let named = manifest["supersedes"].as_array().expect("a list").iter();
    named.map(|hash| hash.as_str().expect("text").to_owned()).collect()
}

fn hash(out: &Path) -> String {
    blake3::hash(&fs::read(out.join("manifest.json")).expect("a manifest")).to_hex().to_string()
}

#[test]
fn the_same_days_under_other_parameters_are_refused_there_and_beside() {
    let standing = Standing::new();
    let before = files(&standing.path("release"));
    for out in ["release", "another"] {
        standing.refuses(&standing.run(out, &["--k", "20"]), "other parameters");
        standing.refuses(&standing.run(out, &["--to", "2026-10-16"]), "other parameters");
    }
    assert!(files(&standing.path("release")) == before, "the release that stands is untouched");
    assert!(!standing.path("another").exists());
}

#[test]
fn other_inputs_are_refused_when_their_numbers_are_others() {
    let standing = Standing::new();
    let before = files(&standing.path("release"));
    standing.change_the_events();
    for out in ["release", "another"] {
        standing.refuses(&standing.run(out, &[]), "the inputs have changed");
    }
    assert!(files(&standing.path("release")) == before, "the release that stands is untouched");
}

#[test]
fn what_is_superseded_is_named_and_made_again_to_the_byte() {
    let standing = Standing::new();
    let release = standing.path("release");
    let (first, again) = (hash(&release), files(&release));
    succeeded(&standing.run("release", &[]));
    assert!(files(&release) == again, "the same release again needs no word");
    assert_eq!(supersedes(&release), [] as [&str; 0]);

    succeeded(&standing.run("release", &["--k", "20", "--supersede"]));
    assert_eq!(supersedes(&release), std::slice::from_ref(&first));
    succeeded(&throng().arg("verify").arg(&release).output().expect("runs"));
    let second = files(&release);
    succeeded(&standing.run("release", &["--k", "20"]));
    assert!(files(&release) == second, "and so is one that superseded another");

    // What the superseded one had superseded stays void.
    succeeded(&standing.run("beside", &["--k", "30", "--supersede"]));
    let mut void = [first, hash(&release)];
    void.sort();
    assert_eq!(supersedes(&standing.path("beside")), void);
}

#[test]
fn other_days_are_released_as_they_come() {
    let standing = Standing::new();
    let day = |more: &[&str]| {
        let mut command = throng();
        command.arg("run").arg("--events").arg(&standing.file).arg("--cells").arg(standing.path("cells.csv"));
        command
            .arg("--out")
            .arg(standing.path("release"))
            .args(["--as-of", "2026-10-18", "--k", "15"])
            .args(more);
        command.output().expect("runs")
    };
    // The evening before is context of the first day, so there is something to release.
    succeeded(&day(&["--from", "2026-10-14"]));
    assert_eq!(supersedes(&standing.path("release")), [] as [&str; 0]);
}

#[test]
fn neither_a_hidden_name_nor_another_clock_gets_around_it() {
    let standing = Standing::new();
    // Tokyo's next day begins in the evening of Brussels.
    let tokyo = |from: &str| {
        let mut command = throng();
        command.arg("run").arg("--events").arg(&standing.file).arg("--cells").arg(standing.path("cells.csv"));
        command.arg("--out").arg(standing.path("tokyo")).args(["--timezone", "Asia/Tokyo", "--from", from]);
        command.args(["--as-of", "2026-10-18", "--k", "15"]).output().expect("runs")
    };
    standing.refuses(&tokyo("2026-10-16"), "other parameters");
    standing.refuses(&standing.run(".hidden", &["--k", "20"]), "other parameters");
    let hidden = Standing::new();
    fs::rename(hidden.path("release"), hidden.path(".hidden")).expect("moved");
    hidden.refuses(&hidden.run("release", &["--k", "20"]), "other parameters");
    hidden.refuses(&hidden.run(".hidden", &["--k", "20"]), "other parameters");
}

#[test]
fn a_ledger_lies_in_no_release_by_whatever_path() {
    let standing = Standing::new();
    let release = standing.path("release");
    let before = files(&release);
    std::os::unix::fs::symlink(&release, standing.path("link")).expect("linked");
    for (out, ledger) in [
        ("other", standing.path("no/../release/ledger")),
        ("other", standing.path("link/ledger")),
        ("release", standing.path("nowhere/../release/ledger")),
        ("release/inner", standing.path("elsewhere")),
    ] {
        let ledger = ledger.display().to_string();
        let output = standing.run(out, &["--k", "20", "--supersede", "--ledger", &ledger]);
        assert_eq!(output.status.code(), Some(2), "{out}, {ledger}: {}", said(&output));
    }
    assert!(files(&release) == before);
}
