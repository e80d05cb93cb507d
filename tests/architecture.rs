//! Which crate may depend on which, read from the manifests: the arrows of ARCHITECTURE.md as a test.

use std::{collections::BTreeSet, fs, path::Path};

fn manifest(path: &str) -> toml::Table {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a manifest");
    text.parse().expect("TOML")
}

fn dependencies(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

/// Throng's own crates among the dependencies of a crate, tests and builds included.
fn arrows(name: &str) -> BTreeSet<String> {
    let manifest = manifest(&format!("crates/{name}/Cargo.toml"));
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .flat_map(|section| dependencies(&manifest, section))
        .filter_map(|name| name.strip_prefix("throng-").map(str::to_owned))
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn arrows_point_one_way() {
    assert_eq!(arrows("schema"), set(&[]), "harmless nouns know nobody");
    assert_eq!(arrows("anonymiser"), set(&["schema"]));
    assert_eq!(arrows("decoding"), set(&[]), "what a file must be hangs on nothing that is done with it");
    assert_eq!(
        arrows("ingest"),
        set(&["anonymiser", "decoding", "schema"]),
        "siblings: neither knows the other"
    );
    assert_eq!(arrows("aggregator"), set(&["anonymiser", "schema"]), "siblings: neither knows the other");
    assert_eq!(
        arrows("verifier"),
        set(&["decoding", "schema"]),
        "who checks a release trusts none of what made it"
    );
    assert_eq!(arrows("synth"), set(&["schema"]), "the generator cannot look at what it tests");
}

#[test]
fn every_crate_is_in_the_picture() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")).expect("crates");
    let names: BTreeSet<_> =
        folders.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect();
    assert_eq!(
        names,
        set(&["aggregator", "anonymiser", "cli", "decoding", "ingest", "schema", "synth", "verifier"])
    );
}

#[test]
fn polars_stays_behind_one_crate_and_files_stay_outside_the_anonymiser() {
    let of = |name: &str| dependencies(&manifest(&format!("crates/{name}/Cargo.toml")), "dependencies");
    for name in ["schema", "anonymiser", "decoding", "ingest", "synth", "verifier"] {
        assert!(!of(name).contains("polars"), "{name} uses polars");
    }
    assert!(
        !dependencies(&manifest("Cargo.toml"), "dependencies").contains("polars"),
        "the binary uses polars"
    );
    for heavy in ["arrow", "parquet", "serde", "serde_json", "tracing", "log"] {
        assert!(!of("anonymiser").contains(heavy), "the anonymiser could write through {heavy}");
    }
}

/// A run whose key never changes would give pseudonyms that anybody can compute.
#[test]
fn only_benches_have_a_key_that_never_changes() {
    let crates = ["schema", "anonymiser", "ingest", "aggregator", "verifier", "synth"];
    let paths = crates.map(|name| format!("crates/{name}/Cargo.toml"));
    for path in paths.iter().map(String::as_str).chain(["Cargo.toml"]) {
        let manifest = manifest(path);
        for section in ["dependencies", "build-dependencies", "workspace"] {
            let asked = manifest.get(section).map(toml::Value::to_string).unwrap_or_default();
            assert!(!asked.contains("bench-key"), "{path} asks for the key of benches in {section}");
        }
        let default = manifest.get("features").and_then(|features| features.get("default"));
        assert!(default.is_none_or(|default| !default.to_string().contains("bench-key")), "{path}");
    }
}

#[test]
fn the_dangerous_crates_forbid_unsafe_code() {
    for name in ["anonymiser", "aggregator", "verifier"] {
        let lib = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crates/{name}/src/lib.rs")),
        )
        .expect("lib");
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name} does not forbid unsafe code");
    }
}

/// Each dependency has its reason, and nothing has one that is no dependency.
#[test]
fn every_dependency_has_a_reason() {
    let paths = ["schema", "anonymiser", "ingest", "aggregator", "verifier", "synth"]
        .map(|name| format!("crates/{name}/Cargo.toml"));
    let mut used = [BTreeSet::new(), BTreeSet::new()];
    for manifest in paths.iter().map(String::as_str).chain(["Cargo.toml"]).map(manifest) {
        for (section, used) in ["dependencies", "dev-dependencies"].into_iter().zip(&mut used) {
            used.extend(
                dependencies(&manifest, section).into_iter().filter(|name| !name.starts_with("throng-")),
            );
        }
    }
    let [program, tests] = used;
    let tests: BTreeSet<String> = tests.difference(&program).cloned().collect();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dependencies.md"))
        .expect("a page");
    let reasons = |heading: &str| -> BTreeSet<String> {
        let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("a section");
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(", "));
        names.map(|name| name.trim().trim_matches('`').to_owned()).collect()
    };
    assert_eq!(reasons("In the program"), program);
    assert_eq!(reasons("In tests and benches alone"), tests);
}
