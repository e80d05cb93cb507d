//! `throng attack`: what leaving out small numbers alone gives away, and that a release of `throng run` does not.

mod town;
mod world;

use std::path::{Path, PathBuf};

use town::{K, events, plain, release};
use world::{said, succeeded, throng};

/// The findings of an attack, by the beginning of their name.
struct Findings(Vec<serde_json::Value>);

impl Findings {
    fn of(out: &Path, more: &[&str]) -> Self {
        let output = throng().arg("attack").arg(out).arg("--json").args(more).output().expect("runs");
        succeeded(&output);
        Self(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    fn find(&self, name: &str) -> &serde_json::Value {
        let named =
            |finding: &&serde_json::Value| finding["attack"].as_str().expect("a name").starts_with(name);
        self.0.iter().find(named).unwrap_or_else(|| panic!("no attack `{name}`"))
    }

    fn count(&self, name: &str) -> u64 {
        self.find(name)["gets"]["count"].as_u64().expect("a count")
    }

    fn looked_at(&self, name: &str) -> u64 {
        self.find(name)["looked_at"].as_u64().expect("a count")
    }
}

/// How far off guesses are with the release, and without.
fn errors(finding: &serde_json::Value) -> (f64, f64) {
    let of = |side: &str| finding[side]["mean_error"].as_f64().expect("a mean error");
    (of("gets"), of("without"))
}

const AVERAGING: [&str; 2] = ["averaging: a small group's usual number", "averaging: the same"];
const EXACT: &str = "subtraction and linear algebra";
const UNDER_K: &str = "bounds: withheld numbers shown to be under k";
const FEW: &str = "bounds: withheld numbers shown to be 1 to k - 1";
const PINNED: &str = "bounds: withheld numbers that can only be one";
const NESTED: [&str; 3] = [
    "visitors: a place and period without a smaller one",
    "visitors: a period without those present",
    "visitors: a withheld presence",
];

/// A release, and the truth that it was made of.
fn day(folder: &Path, seed: u64) -> (PathBuf, PathBuf) {
    let events = events(1_500, seed);
    (release(folder, "good", &events, K, &[]), release(folder, "truth", &events, 1, &[]))
}

#[test]
fn leaving_out_small_numbers_alone_gives_them_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, truth) = day(folder.path(), 1);
    let out = folder.path().join("plain");
    plain(&truth, &out);
    let found = Findings::of(&out, &["--truth", truth.to_str().expect("text")]);
    let withheld = found.looked_at(EXACT);
    assert!(withheld > 100, "{withheld}");
    // A place that is small itself has nothing published in it, so the last attack has no hold here.
    for attack in [EXACT, UNDER_K, FEW, PINNED].iter().chain(&NESTED[..2]) {
        assert!(found.count(attack) > 0, "{attack}: {:?}", found.find(attack));
    }
    assert!(found.count(EXACT) * 10 > withheld, "{} of {withheld}", found.count(EXACT));
    assert!(found.count(UNDER_K) * 3 > withheld, "{} of {withheld}", found.count(UNDER_K));
    for attack in AVERAGING {
        let (with, without) = errors(found.find(attack));
        assert!(with < 0.7 * without, "{with} against {without}");
    }
    let solved = Findings::of(&out, &["--solve"]);
    assert!(solved.count(UNDER_K) >= found.count(UNDER_K));
    let output = throng().arg("verify").arg(&out).output().expect("runs");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    for fault in [
        "no withheld number follows from published ones by adding and subtracting",
        "no withheld number can be shown to be under k",
        "no withheld number can only be one",
        "visitors of a place and period without those of a smaller one in it are nobody or at least k",
        "visitors of a period without those present at an instant of it are nobody or at least k",
    ] {
        assert!(said(&output).contains(fault), "expected `{fault}` in\n{}", said(&output));
    }
}

#[test]
fn a_release_gives_no_small_group_away() {
    for seed in 1..4 {
        let folder = tempfile::tempdir().expect("a folder");
        let (good, truth) = day(folder.path(), seed);
        let judged = ["--truth", truth.to_str().expect("text")];
        for attack in AVERAGING {
            let (with, without) = errors(Findings::of(&good, &judged).find(attack));
            assert!(with > 0.9 * without, "{with} against {without}: no better than chance");
        }
        for more in [&judged[..], &["--solve"]] {
            let found = Findings::of(&good, more);
            assert!(found.looked_at(EXACT) > 100, "there is something to attack");
            for attack in [EXACT, UNDER_K, FEW, PINNED].iter().chain(&NESTED) {
                assert_eq!(found.count(attack), 0, "{attack}, seed {seed}: {:?}", found.find(attack));
            }
        }
    }
}

/// Another release of the same days with a smaller k tells what this one withholds; and so does one without somebody.
#[test]
fn two_releases_of_a_day_can_be_subtracted() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = events(1_500, 1);
    let good = release(folder.path(), "good", &all, K, &[]);
    let smaller_k = release(folder.path(), "smaller", &all, 15, &[]);
    let found = Findings::of(&good, &["--other", smaller_k.to_str().expect("text")]);
    assert!(found.count("two releases: withheld numbers that the other publishes") > 0);
    assert!(found.count("two releases: withheld numbers told exactly") > 0);
    assert_eq!(found.count("two releases: numbers in both"), 0);
    let gone: Vec<_> = all.iter().filter(|event| event.id != all[0].id).cloned().collect();
    let without_one = release(folder.path(), "without", &gone, K, &[]);
    let found = Findings::of(&good, &["--other", without_one.to_str().expect("text")]);
    assert!(found.count("two releases: numbers in both") > 0, "one person shows");
    assert_eq!(
        Findings::of(&good, &["--other", good.to_str().expect("text")])
            .count("two releases: numbers in both"),
        0
    );
}

#[test]
fn what_cannot_be_read_is_no_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = throng().arg("attack").arg(folder.path().join("nowhere")).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let output = throng().arg("attack").arg(folder.path()).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("expected a release that can be read"), "{}", said(&output));
}
