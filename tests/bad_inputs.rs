//! Every bad input of `data-samples/bad` gives its documented error and exit code, and no release.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    given_as: String,
    exit: i32,
    error: Vec<String>,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/bad")
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(folder().join("cases.toml")).expect("cases");
    toml::from_str::<Cases>(&text).expect("TOML").case
}

#[test]
fn every_bad_input_gives_its_error() {
    for case in cases() {
        let out = tempfile::tempdir().expect("a folder");
        let bad = folder().join(&case.file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["run", "--from", "2026-10-15", "--as-of", "2026-10-16"]);
        command.arg("--out").arg(out.path().join("release"));
        for (flag, good) in [("--events", "good.csv"), ("--cells", "good-cells.csv")] {
            command.arg(flag).arg(if case.given_as == flag { bad.clone() } else { folder().join(good) });
        }
        if !["--events", "--cells"].contains(&case.given_as.as_str()) {
            command.arg(&case.given_as).arg(&bad);
        }
        let output = command.output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(case.exit), "{}: {said}", case.file);
        for words in &case.error {
            assert!(said.contains(words), "{}: expected `{words}` in\n{said}", case.file);
        }
        assert!(said.contains("\n next: "), "{}: no next step in\n{said}", case.file);
        assert!(!out.path().join("release").exists(), "{} gave a release", case.file);
        let left: Vec<_> = fs::read_dir(out.path()).expect("there").collect();
        assert!(left.is_empty(), "{} left {left:?} behind", case.file);
    }
}

#[test]
fn every_file_of_the_folder_has_its_case() {
    let files: BTreeSet<_> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .filter(|name| name.starts_with("bad-"))
        .collect();
    let named: BTreeSet<_> = cases().into_iter().map(|case| case.file).collect();
    assert_eq!(files, named);
}
