//! The command line: every flag that is promised, what wins over what, and the exit codes.

mod world;

use std::fs;

use world::{Form, events, files, run, said, succeeded, throng, write_cells, write_events};

const RUN_FLAGS: [&str; 31] = [
    "--events",
    "--cells",
    "--from",
    "--to",
    "--out",
    "--ledger",
    "--history",
    "--supersede",
    "--places",
    "--opt-out",
    "--machines",
    "--residence",
    "--occasions",
    "--expansion",
    "--census",
    "--reports",
    "--k",
    "--accept-small-k",
    "--step",
    "--hold",
    "--min-stay",
    "--timezone",
    "--as-of",
    "--preset",
    "--max-rejected",
    "--threads",
    "--memory",
    "--format",
    "--config",
    "--progress",
    "--log",
];

fn help(command: &str) -> String {
    let output = throng().args([command, "--help"]).output().expect("runs");
    succeeded(&output);
    said(&output)
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in ["run", "verify", "attack", "synth", "bench", "inspect", "completions", "man"] {
        assert!(help(command).contains("Example"), "{command} has no example");
    }
    for flag in RUN_FLAGS {
        assert!(help("run").contains(flag), "run has no {flag}");
    }
    for flag in ["--out", "--subscribers", "--days", "--seed"] {
        assert!(help("synth").contains(flag), "synth has no {flag}");
    }
}

/// The annotated config names every flag, set or commented out.
#[test]
fn every_flag_is_a_setting_that_the_config_explains() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("throng.toml")).expect("the config");
    for flag in RUN_FLAGS.iter().filter(|flag| **flag != "--config") {
        let setting = flag.trim_start_matches("--").replace('-', "_");
        let named = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{setting} = "));
        assert!(text.lines().any(named), "throng.toml says nothing of {setting}");
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let output = throng().args(["completions", shell]).output().expect("runs");
        succeeded(&output);
        assert!(said(&output).contains("max-rejected"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    succeeded(&throng().arg("man").arg(folder.path()).output().expect("runs"));
    let names: Vec<_> =
        files(folder.path()).into_iter().map(|(name, _)| name.display().to_string()).collect();
    for name in ["throng.1", "throng-run.1", "throng-verify.1"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn a_bench_times_runs_and_the_floor_and_draws_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["parquet", "csv-gz"] {
        let out = folder.path().join(format);
        let size = ["--subscribers", "400", "--events-per-day", "20", "--cells", "200", "--rounds", "2"];
        let only = ["--format", format, "--only", "floor,least,throng,one-thread,all-reports"];
        let output =
            throng().args(["bench", "--out"]).arg(&out).args(size).args(only).output().expect("runs");
        succeeded(&output);
        let read = |name: &str| fs::read_to_string(out.join(name)).expect("written");
        let json: serde_json::Value = serde_json::from_str(&read("bench.json")).expect("JSON");
        let entries = json["entries"].as_array().expect("entries");
        assert_eq!(entries.len(), 5, "{json}");
        assert!(entries.iter().all(|entry| entry["laps"].as_array().is_some_and(|laps| laps.len() == 2)));
        assert!(json["events"].as_u64().is_some_and(|events| events > 4_000));
        let table = read("bench.md");
        assert!(
            table.contains("Throng, all reports") && table.contains("no tables were compared"),
            "{table}"
        );
        assert!(read("bench.svg").contains("<svg"));
        assert!(!out.join("scratch").exists());
    }
    let output =
        throng().args(["bench", "--rounds", "0", "--out"]).arg(folder.path()).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn wrong_usage_ends_with_exit_code_2_and_says_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", Form::Csv, &events(20, 1));
    let cases: [(&[&str], &str); 15] = [
        (&["--k", "14"], "--accept-small-k"),
        (&["--k", "0", "--accept-small-k"], "too small"),
        (&["--step", "7h"], "does not divide an hour"),
        (&["--hold", "1s"], "between 1min and 24h"),
        (&["--to", "2026-10-14"], "on or after --from"),
        (&["--timezone", "Mars/Olympus"], "IANA name"),
        (&["--expansion", "0"], "above 0"),
        (&["--format", "pdf"], "expected any of csv, geoparquet, xlsx"),
        (
            &["--reports", "context"],
            "the report context and its table --census go together; expected the table too",
        ),
        (&["--reports", "weather"], "expected any of presence, visitors, residence"),
        (&["--min-stay", "0s"], "no positive number of whole seconds"),
        (&["--occasions", "concerts.csv"], "expected the report too"),
        (&["--reports", "occasions"], "expected the table too"),
        (&["--memory", "1MiB"], "64MiB"),
        (&["--threads", "0"], "at least 1"),
    ];
    for (flags, expected) in cases {
        let mut command = throng();
        command.arg("run").arg("--events").arg(&file).arg("--cells").arg(&cells);
        command.arg("--out").arg(folder.path().join("release")).args([
            "--from",
            "2026-10-15",
            "--as-of",
            "2026-10-16",
        ]);
        let output = command.args(flags).output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", said(&output));
        assert!(said(&output).contains(expected), "{flags:?}: expected `{expected}` in\n{}", said(&output));
    }
    let output = throng().args(["run", "--from", "2026-10-15"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--events is missing"));
}

#[test]
fn a_file_that_is_not_there_ends_with_exit_code_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let output = run(&[folder.path().join("none.csv")], &cells, &folder.path().join("release"), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let file = write_events(folder.path(), "day", Form::Csv, &events(20, 1));
    let output = run(&[file], &folder.path().join("none.csv"), &folder.path().join("release"), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

#[test]
fn a_flag_wins_over_the_config() {
    let folder = tempfile::tempdir().expect("a folder");
    write_cells(folder.path());
    write_events(&folder.path().join("events"), "day", Form::Csv, &events(120, 4));
    let config = folder.path().join("throng.toml");
    let text = "events = [\"events\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nas_of = \"2026-10-16\"\n\
                out = \"release\"\nk = 40\nmax_rejected = 0.5\nreports = [\"presence\"]\n";
    fs::write(&config, text).expect("written");
    let manifest = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.path().join("release/manifest.json")).expect("read"))
            .expect("JSON")
    };
    succeeded(&throng().arg("run").arg("--config").arg(&config).output().expect("runs"));
    assert_eq!(
        (&manifest()["parameters"]["k"], &manifest()["parameters"]["small_k_accepted"]),
        (&40.into(), &false.into())
    );
    succeeded(
        &throng()
            .arg("run")
            .arg("--config")
            .arg(&config)
            .args(["--k", "5", "--accept-small-k", "--supersede"])
            .output()
            .expect("runs"),
    );
    assert_eq!(
        (&manifest()["parameters"]["k"], &manifest()["parameters"]["small_k_accepted"]),
        (&5.into(), &true.into())
    );
    succeeded(&throng().arg("verify").arg(folder.path().join("release")).output().expect("runs"));
}

#[test]
fn settings_of_the_config_alone_are_checked_and_no_secret_is_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("throng.toml");
    let usual = "events = [\"day.csv\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nas_of = \"2026-10-16\"\n\
                 out = \"release\"\n";
    let cases = [
        ("[opt_out_hash]\nalgorithm = \"sha256\"\nsalt_before = \"s3cret\"", "stands without a list"),
        (
            "opt_out = \"o.csv\"\n[opt_out_hash]\nalgorithm = \"s3cret\"",
            "expected sha256, sha1, md5 or blake3",
        ),
        ("[opt_out_hash]\nsalt_before = \"s3cret\"", "missing field `algorithm`"),
        ("machine_prefixes = [\"206\", \"s3 cret\"]", "machine_prefixes, number 2"),
        ("[cleaning]\nmax_speed_kmh = -5", "expected a number of 1 or more"),
        ("[cleaning]\nfast = true", "unknown field `fast`"),
        ("expansion_limit = 0.0", "expansion_limit is 0; expected a number above 0"),
    ];
    for (text, expected) in cases {
        fs::write(&config, format!("{usual}{text}\n")).expect("written");
        let output = throng().arg("run").arg("--config").arg(&config).output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{text}: {}", said(&output));
        assert!(said(&output).contains(expected), "{text}: expected `{expected}` in\n{}", said(&output));
        assert!(!said(&output).contains("s3"), "{text}: {}", said(&output));
    }
}

#[test]
fn machines_and_hashed_opt_outs_are_turned_away_and_leave_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    write_cells(folder.path());
    let mut rows = events(120, 4);
    let mut of = |id: &str, count: i64| {
        rows.extend(
            (0..count).map(|hour| world::event(id, world::MIDNIGHT_US + hour * world::HOUR_US, "a-1")),
        );
    };
    for (id, count) in [("99901777", 3), ("listed-meter", 5), ("gone", 7)] {
        of(id, count);
    }
    write_events(&folder.path().join("events"), "day", Form::Csv, &rows);
    // sha1sum of "pepper" + "gone" + "salt", in upper case.
    let digest = "55ED9780DCE9AC8760C9FC43D19C001F702B0744";
    fs::write(folder.path().join("opt_out.csv"), format!("subscriber_id\n{digest}\n")).expect("written");
    fs::write(folder.path().join("machines.csv"), "subscriber_id\nlisted-meter\n").expect("written");
    let config = folder.path().join("throng.toml");
    let text = "events = [\"events\"]\ncells = \"cells.csv\"\nfrom = \"2026-10-15\"\nas_of = \"2026-10-16\"\n\
                out = \"out/release\"\nopt_out = \"opt_out.csv\"\nmachines = \"machines.csv\"\nk = 15\n\
                machine_prefixes = [\"99901\"]\n\
                [opt_out_hash]\nalgorithm = \"sha1\"\nsalt_before = \"pepper\"\nsalt_after = \"salt\"\n";
    fs::write(&config, text).expect("written");
    let output = throng().arg("run").arg("--config").arg(&config).output().expect("runs");
    succeeded(&output);
    let ledger = world::ledger(&folder.path().join("out/release"));
    assert_eq!((&ledger["rejected"]["machine"], &ledger["rejected"]["opted_out"]), (&8.into(), &7.into()));
    assert_eq!((&ledger["machines_listed"], &ledger["opted_out_listed"]), (&1.into(), &1.into()));
    let mut texts: Vec<_> = files(&folder.path().join("out")).into_iter().map(|(_, bytes)| bytes).collect();
    texts.extend([output.stdout, output.stderr]);
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        for secret in ["pepper", "99901", "listed-meter", digest] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    let manifest = fs::read(folder.path().join("out/release/manifest.json")).expect("read");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!(manifest["parameters"]["machine_prefixes"], 1);
}

#[test]
fn too_many_faulty_rows_are_refused_and_rows_asked_to_leave_out_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let mut rows = events(60, 9);
    let good = rows.len();
    rows.extend((0..good / 2).map(|i| world::event(&format!("s{i}"), world::MIDNIGHT_US, "nowhere")));
    let file = write_events(folder.path(), "day", Form::Csv, &rows);
    let out = folder.path().join("release");
    let refused = run(std::slice::from_ref(&file), &cells, &out, &["--max-rejected", "20%"]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("unknown_cell") && !out.exists());
    for row in rows.iter_mut().skip(good) {
        row.at_us -= 5 * 24 * world::HOUR_US;
        row.cell = "a-1".to_owned();
    }
    let file = write_events(folder.path(), "days", Form::Csv, &rows);
    succeeded(&run(&[file], &cells, &out, &["--max-rejected", "20%"]));
}

#[test]
fn progress_is_silent_in_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", Form::Csv, &events(60, 9));
    let output = run(&[file], &cells, &folder.path().join("release"), &[]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["read", "used", "devices", "presence, postal_code", "busiest communes", "release", "ledger"]
    {
        assert!(summary.contains(word), "no `{word}` in\n{summary}");
    }
}

#[test]
fn inspect_tells_events_from_cell_plans_and_counts_what_would_be_rejected() {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", Form::Parquet, &events(60, 9));
    let inspect = |paths: &[&std::path::Path]| {
        let output =
            throng().arg("inspect").args(paths).args(["--as-of", "2026-10-16"]).output().expect("runs");
        succeeded(&output);
        said(&output)
    };
    let of_events = inspect(&[&file, std::path::Path::new("--cells"), &cells]);
    for word in ["devices   60", "unknown_cell", "duplicate", "2026-10-14 23:0"] {
        assert!(of_events.contains(word), "no `{word}` in\n{of_events}");
    }
    let of_cells = inspect(&[&cells]);
    assert!(of_cells.contains("cell plan") && of_cells.contains("postal codes served"), "{of_cells}");
}
