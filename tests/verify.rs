//! `throng verify` finds what is wrong with a release, and says so with exit code 4.

mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::Int64Type,
};
use parquet::arrow::ArrowWriter;
use world::{Form, events, read_parquet, run, said, succeeded, throng, write_cells, write_events};

const PART: &str = "presence/date=2026-10-15/part.parquet";

/// A release of the world that holds published, protective and empty cells.
fn release(folder: &Path) -> PathBuf {
    let cells = write_cells(folder);
    let file = write_events(folder, "day", Form::Parquet, &events(120, 11));
    let out = folder.join("release");
    succeeded(&run(&[file], &cells, &out, &[]));
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
    out
}

/// Puts other bytes into a file of the release, and their hash into the manifest: what a careful forger does.
fn forge(out: &Path, name: &str, bytes: &[u8]) {
    fs::write(out.join(name), bytes).expect("written");
    let path = out.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    for file in manifest["files"].as_array_mut().expect("files") {
        if file["path"] == name {
            file["blake3"] = blake3::hash(bytes).to_hex().to_string().into();
            file["bytes"] = bytes.len().into();
        }
    }
    fs::write(path, serde_json::to_vec(&manifest).expect("JSON")).expect("written");
}

/// Rewrites the presence of the day after a change of its rows.
fn forge_presence(out: &Path, change: impl Fn(&mut Vec<Option<i64>>, &mut Vec<String>, &[String])) {
    let batches = read_parquet(&out.join(PART));
    let batch = concat_batches(&batches[0].schema(), &batches).expect("one batch");
    let text = |i: usize| -> Vec<String> {
        batch.column(i).as_string::<i32>().iter().map(|t| t.expect("text").to_owned()).collect()
    };
    let (levels, mut status) = (text(1), text(4));
    let mut people: Vec<Option<i64>> = batch.column(3).as_primitive::<Int64Type>().iter().collect();
    change(&mut people, &mut status, &levels);
    let mut columns = batch.columns().to_vec();
    columns[3] = Arc::new(people.into_iter().collect::<Int64Array>()) as ArrayRef;
    columns[4] = Arc::new(status.into_iter().map(Some).collect::<StringArray>()) as ArrayRef;
    write_batch(out, &RecordBatch::try_new(batch.schema(), columns).expect("a batch"));
}

fn write_batch(out: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(batch).expect("written");
    forge(out, PART, &writer.into_inner().expect("closed"));
}

/// `verify` ends with exit code 4 and names the fault.
fn finds(out: &Path, fault: &str) {
    let output = throng().arg("verify").arg(out).output().expect("runs");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains(fault), "expected `{fault}` in\n{}", said(&output));
}

fn in_a_release(test: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(&release(folder.path()));
}

#[test]
fn a_changed_a_missing_and_an_added_file_are_found() {
    in_a_release(|out| {
        let mut bytes = fs::read(out.join(PART)).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(out.join(PART), bytes).expect("written");
        finds(out, "the file is the one that was written");
        fs::remove_file(out.join(PART)).expect("removed");
        finds(out, "the file can be read");
    });
    in_a_release(|out| {
        fs::write(out.join("presence/raw.csv"), "subscriber").expect("written");
        finds(out, "the manifest lists every file");
    });
}

#[test]
fn a_release_without_a_manifest_or_with_another_schema_is_found() {
    in_a_release(|out| {
        let path = out.join("manifest.json");
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("\"schema_version\": 1", "\"schema_version\": 99")).expect("written");
        finds(out, "the schema version is known");
        fs::write(&path, "{}").expect("written");
        finds(out, "the manifest has the fields of its schema");
        fs::remove_file(&path).expect("removed");
        finds(out, "the release has a manifest");
    });
    let nowhere = throng().args(["verify", "/nowhere/at/all"]).output().expect("runs");
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn a_number_under_k_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, _, _| {
            let published = people.iter().position(Option::is_some).expect("a published number");
            people[published] = Some(14);
        });
        finds(out, "no published number is under k times the factor");
    });
}

#[test]
fn a_number_that_does_not_add_up_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, _, levels| {
            let country = (0..people.len())
                .find(|i| levels[*i] == "country" && people[*i].is_some())
                .expect("a country");
            people[country] = people[country].map(|people| people + 1);
        });
        finds(out, "places add up to their parent");
    });
}

#[test]
fn a_place_withheld_alone_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, status, levels| {
            let lone =
                (0..people.len()).find(|i| levels[*i] == "region" && people[*i].is_some()).expect("a region");
            (people[lone], status[lone]) = (None, "withheld".to_owned());
        });
        finds(out, "places do not add up to a withheld parent");
    });
}

#[test]
fn a_small_group_left_over_by_subtraction_is_found() {
    in_a_release(|out| {
        // One more person in a withheld postal code's commune would show; one fewer published next to it does.
        forge_presence(out, |people, status, levels| {
            let small = |i: &usize| levels[*i] == "postal_code" && status[*i] == "published";
            let lone = (0..people.len()).filter(small).min_by_key(|i| people[*i]).expect("a postal code");
            let parent = (0..lone).rev().find(|i| levels[*i] == "country").expect("above");
            // The country and everything between stay; the code is hidden, and what is left of it made small.
            let excess = people[lone].expect("published") - 3;
            people[lone] = None;
            status[lone] = "withheld".to_owned();
            for i in parent..lone {
                if ["country", "region", "province"].contains(&levels[i].as_str()) && people[i].is_some() {
                    people[i] = people[i].map(|people| people - excess);
                }
            }
            for i in parent..parent + levels.len().min(1_729) {
                if i < levels.len() && levels[i] == "commune" {
                    (people[i], status[i]) = (
                        None,
                        if status[i] == "no_coverage" { "no_coverage" } else { "withheld" }.to_owned(),
                    );
                }
            }
        });
        finds(out, "a place without what is published in it is nobody or at least k");
    });
}

#[test]
fn statuses_that_say_too_much_or_contradict_are_found() {
    in_a_release(|out| {
        forge_presence(out, |_, status, _| status[0] = "protective".to_owned());
        finds(out, "every status is known");
    });
    in_a_release(|out| {
        forge_presence(out, |people, _, _| {
            let withheld = people.iter().position(Option::is_none).expect("a withheld cell");
            people[withheld] = Some(0);
        });
        finds(out, "a number stands where it is published and nowhere else");
    });
}

#[test]
fn a_missing_row_is_found() {
    in_a_release(|out| {
        let batch = &read_parquet(&out.join(PART))[0];
        write_batch(out, &batch.slice(0, batch.num_rows() - 1));
        finds(out, "every place has a row at every time");
    });
}

#[test]
fn a_column_too_many_is_found() {
    in_a_release(|out| {
        let batch = &read_parquet(&out.join(PART))[0];
        write_batch(out, &batch.project(&[0, 1, 2, 3]).expect("fewer columns"));
        finds(out, "the columns are those of the report");
    });
}
