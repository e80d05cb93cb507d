//! What may go wrong around a run: killed at any moment, no room, no permission, files that change, two at once.
//! Each time the earlier release stands, or none, the next run succeeds, and nothing stale is left.

#![expect(clippy::print_stdout, reason = "says what was left, and what is left out")]

mod world;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::process::{Pid, Signal, kill_process};
use world::{Form, events, files, run_of_the_day, said, succeeded, throng, write_cells, write_events};

/// Two ways of releasing the same day, told apart by their k.
const WAYS: [u64; 2] = [15, 16];

/// A day of events, and what each way makes of it.
struct Town {
    folder: tempfile::TempDir,
    events: PathBuf,
    whole: BTreeMap<u64, Vec<(PathBuf, Vec<u8>)>>,
}

impl Town {
    fn new(people: u32, form: Form) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_cells(folder.path());
        let events = write_events(&folder.path().join("in"), "day", form, &events(people, 77));
        let mut town = Self { folder, events, whole: BTreeMap::new() };
        for k in WAYS {
            let out = town.folder.path().join(format!("whole-{k}/release"));
            succeeded(&town.command(&out, k).output().expect("it runs"));
            town.whole.insert(k, numbers(&out));
        }
        town
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out/release")
    }

    fn command(&self, out: &Path, k: u64) -> Command {
        let mut command = run_of_the_day();
        command.args(["--supersede", "--threads", "2"]);
        command.arg("--events").arg(&self.events).arg("--cells").arg(self.folder.path().join("cells.csv"));
        command.arg("--out").arg(out).args(["--k", &k.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, k: u64) -> Child {
        self.command(&self.out(), k).spawn().expect("it starts")
    }

    /// Which way the release at the destination was made; it is whole, and `verify` finds no fault in it.
    fn standing(&self) -> Option<u64> {
        if !self.out().exists() {
            return None;
        }
        let manifest = fs::read(self.out().join("manifest.json")).expect("a release has a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let k = manifest["parameters"]["k"].as_u64().expect("k");
        assert!(numbers(&self.out()) == self.whole[&k], "the release is not what a whole run makes");
        succeeded(&throng().arg("verify").arg(self.out()).output().expect("it runs"));
        Some(k)
    }

    /// A run that is left alone succeeds, and leaves the release and its ledger alone.
    fn runs(&self, k: u64) {
        succeeded(&self.command(&self.out(), k).output().expect("it runs"));
        assert_eq!(self.standing(), Some(k));
        self.nothing_stale(&["ledger", "release"]);
        let ledger = names(&self.folder.path().join("out/ledger"));
        assert!(ledger.iter().all(|name| !name.contains("partial")), "{ledger:?}");
    }

    fn nothing_stale(&self, expected: &[&str]) {
        assert_eq!(names(&self.folder.path().join("out")), expected);
    }
}

/// Every file of a release but its manifest, which says what was superseded.
fn numbers(release: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(release).into_iter().filter(|(name, _)| name != Path::new("manifest.json")).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Waits until something holds, or the child has ended; says whether it holds.
fn until(child: &mut Child, holds: impl Fn() -> bool) -> bool {
    loop {
        if holds() {
            return true;
        }
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        sleep(Duration::from_micros(200));
    }
}

fn ended(mut child: Child) -> Output {
    let _ = child.stdin.take();
    child.wait_with_output().expect("it ends")
}

/// So many runs are killed; `THRONG_KILLS=200` is what docs/reliability.md tells of.
fn kills() -> u32 {
    std::env::var("THRONG_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(24)
}

#[test]
fn a_run_that_is_killed_leaves_the_earlier_release_or_none() {
    let town = Town::new(120, Form::Csv);
    let begun = Instant::now();
    town.runs(WAYS[0]);
    let whole = begun.elapsed();
    let mut dice = Pcg64Mcg::seed_from_u64(6);
    let staging = town.folder.path().join("out/.release.partial");
    let mut seen = BTreeMap::new();
    for turn in 0..kills() {
        // Some begin with nothing there.
        if turn % 5 == 4 {
            fs::remove_dir_all(town.out()).expect("removed");
        }
        let before = town.standing();
        let k = before.map_or(WAYS[0], |k| WAYS[usize::from(k == WAYS[0])]);
        let mut child = town.start(k);
        match turn % 4 {
            0 => sleep(whole.mul_f64(dice.random_range(0.0..1.0))),
            1 => {
                until(&mut child, || staging.join("places.parquet").exists());
                sleep(whole.mul_f64(dice.random_range(0.0..0.5)));
            }
            // Between the writes and the move, or between the move and the account of it.
            2 => drop(until(&mut child, || staging.join("manifest.json").exists())),
            _ => {
                until(&mut child, || staging.join("manifest.json").exists());
                sleep(Duration::from_micros(dice.random_range(0..20_000)));
            }
        }
        let _ = child.kill();
        let output = ended(child);
        let after = town.standing();
        assert!(after == before || after == Some(k), "{before:?}, then {k}, gave {after:?}");
        let left: Vec<String> = names(&town.folder.path().join("out"));
        let known = [".release.partial", "ledger", "release"];
        assert!(left.iter().all(|name| known.contains(&name.as_str())), "{left:?}");
        let outcome = (output.status.success(), after == before, staging.exists());
        *seen.entry(outcome).or_insert(0) += 1;
        town.runs(k);
    }
    for ((ended, earlier, staging), runs) in &seen {
        let (ended, earlier) = (
            if *ended { "had ended" } else { "was killed" },
            if *earlier { "what was there before" } else { "the new release" },
        );
        let staging = if *staging { ", and a folder that the next run cleared" } else { "" };
        println!("{runs} times it {ended}, and left {earlier}{staging}");
    }
    assert!(
        seen.keys().any(|(ended, earlier, staging)| !ended && *earlier && *staging),
        "none was killed in time"
    );
}

#[test]
fn what_was_set_aside_goes_back() {
    let town = Town::new(60, Form::Csv);
    town.runs(WAYS[0]);
    let aside = town.folder.path().join("out/.release.replaced");
    // Killed between two moves, where a file system cannot exchange folders in one.
    fs::rename(town.out(), &aside).expect("moved");
    town.runs(WAYS[0]);
    // Killed after the second of them.
    fs::rename(town.folder.path().join("whole-15/release"), &aside).expect("moved");
    town.runs(WAYS[1]);
    assert!(!aside.exists());
    // Killed while it removed what it had set aside.
    for left in [&["manifest.json", "places.parquet"][..], &["manifest.json"], &[]] {
        fs::create_dir_all(aside.join("presence")).expect("made");
        for name in left {
            fs::copy(town.out().join(name), aside.join(name)).expect("copied");
        }
        town.runs(WAYS[0]);
        assert!(!aside.exists(), "{left:?}");
    }
    // A link is none.
    symlink(town.folder.path().join("whole-16/release"), &aside).expect("linked");
    let output = town.command(&town.out(), WAYS[0]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("is in the way"), "{}", said(&output));
    fs::remove_file(&aside).expect("removed");
    // What no run has made is left alone.
    fs::create_dir(&aside).and_then(|()| fs::write(aside.join("thesis.txt"), "mine")).expect("made");
    let output = town.command(&town.out(), WAYS[0]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains(".release.replaced"), "{}", said(&output));
    assert_eq!(fs::read(aside.join("thesis.txt")).expect("still there"), b"mine");
}

#[test]
fn a_release_that_waits_for_the_earlier_one_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let town = Town::new(60, Form::Csv);
    town.runs(WAYS[0]);
    let open = mode(&town.out());
    assert!(open & 0o700 == 0o700 && town.out().join("places.parquet").exists());
    // Whoever may read the release may hold it.
    let held = fs::File::open(town.out()).expect("opened");
    held.lock().expect("held");
    let staging = town.folder.path().join("out/.release.partial");
    let mut run = town.start(WAYS[1]);
    assert!(until(&mut run, || staging.join("manifest.json").exists()), "{}", said(&ended(run)));
    for _ in 0..50 {
        assert_eq!(mode(&staging), 0o700);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(staging.exists(), "it waits");
    drop(held);
    succeeded(&ended(run));
    assert_eq!(town.standing(), Some(WAYS[1]));
    assert_eq!(mode(&town.out()), open);
}

#[test]
fn two_runs_to_one_destination_one_is_refused() {
    let town = Town::new(120, Form::Csv);
    let staging = town.folder.path().join("out/.release.partial/places.parquet");
    let mut first = town.start(WAYS[0]);
    assert!(until(&mut first, || staging.exists()), "{}", said(&ended(first)));
    kill_process(pid(&first), Signal::STOP).expect("stopped");
    let second = town.command(&town.out(), WAYS[1]).output().expect("it runs");
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    assert!(said(&second).contains("is being written by another run"), "{}", said(&second));
    kill_process(pid(&first), Signal::CONT).expect("goes on");
    succeeded(&ended(first));
    assert_eq!(town.standing(), Some(WAYS[0]));
    town.nothing_stale(&["ledger", "release"]);
}

#[test]
fn a_run_that_puts_its_release_in_place_is_not_disturbed() {
    let town = Town::new(60, Form::Csv);
    // Two that differ, each with a ledger of its own, one after the other as fast as they can.
    let run = |k: u64| {
        let mut command = town.command(&town.out(), k);
        command.arg("--ledger").arg(town.folder.path().join(format!("ledger-{k}")));
        command
    };
    for _ in 0..6 {
        let children = WAYS.map(|k| run(k).spawn().expect("it starts"));
        let ended = children.map(ended);
        assert!(ended.iter().any(|output| output.status.success()), "{}", said(&ended[0]));
        let refused = ended.iter().filter(|output| !output.status.success());
        refused.for_each(|output| {
            assert!(said(output).contains("is being written by another run"), "{}", said(output))
        });
        assert!(town.standing().is_some());
        town.nothing_stale(&["release"]);
    }
}

#[test]
fn a_history_beside_the_release_is_kept() {
    let town = Town::new(60, Form::Csv);
    let history = town.folder.path().join("out/history.json");
    for k in WAYS {
        let mut command = town.command(&town.out(), k);
        succeeded(&command.arg("--history").arg(&history).output().expect("it runs"));
        assert_eq!(town.standing(), Some(k));
    }
    assert!(fs::read_to_string(&history).expect("a history").contains("2026-10-15"));
}

#[test]
fn a_ledger_is_in_nothing_that_becomes_a_release() {
    let town = Town::new(60, Form::Csv);
    for (flag, inside) in [
        ("--ledger", "out/.release.partial/ledger"),
        ("--ledger", "out/.release.replaced"),
        ("--history", "out/.release.partial/history.json"),
        ("--history", "out/ledger/witnesses.parquet"),
    ] {
        let mut command = town.command(&town.out(), WAYS[0]);
        let output = command.arg(flag).arg(town.folder.path().join(inside)).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{flag} {inside}: {}", said(&output));
    }
    assert!(!town.out().exists());
}

#[test]
fn a_run_in_the_making_is_its_users_alone() {
    let town = Town::new(120, Form::Csv);
    let mode = |path: &Path| fs::symlink_metadata(path).expect("there").mode() & 0o7777;
    let modes = |folder: &Path| -> Vec<(PathBuf, u32)> {
        files(folder).into_iter().map(|(name, _)| (name.clone(), mode(&folder.join(name)))).collect()
    };
    let staging = town.folder.path().join("out/.release.partial");
    let ledger = town.folder.path().join("out/ledger");
    // A folder that others could enter is closed before anything is in it.
    fs::create_dir_all(&staging).expect("made");
    fs::set_permissions(&staging, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("opened");
    let mut child = town.start(WAYS[0]);
    // The last to be made before anything is read.
    assert!(
        until(&mut child, || ledger.join(".witnesses.parquet.partial").exists()),
        "{}",
        said(&ended(child))
    );
    kill_process(pid(&child), Signal::STOP).expect("stopped");
    assert_eq!((mode(&staging), mode(&ledger)), (0o700, 0o700));
    for (name, mode) in modes(&staging).into_iter().chain(modes(&ledger)) {
        assert_eq!(mode, 0o600, "{}", name.display());
    }
    kill_process(pid(&child), Signal::CONT).expect("goes on");
    succeeded(&ended(child));
    let umask = fs::read_to_string("/proc/self/status").expect("Linux");
    let umask = umask.lines().find_map(|line| line.strip_prefix("Umask:")).expect("a mask");
    let umask = u32::from_str_radix(umask.trim(), 8).expect("octal");
    assert_eq!(mode(&town.out()), 0o777 & !umask);
    assert_eq!(mode(&town.out().join("presence")), 0o777 & !umask);
    assert!(modes(&town.out()).iter().all(|(_, mode)| *mode == 0o666 & !umask));
    assert!(modes(&ledger).iter().all(|(_, mode)| *mode == 0o600), "the ledger stays closed");
}

#[test]
fn links_lead_nowhere_else() {
    let town = Town::new(60, Form::Csv);
    let elsewhere = town.folder.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).expect("made");
    fs::write(elsewhere.join("precious"), "mine").expect("written");
    fs::create_dir_all(town.folder.path().join("out/ledger")).expect("made");
    let untouched = || {
        assert_eq!(names(&elsewhere), ["precious"]);
        assert_eq!(fs::read(elsewhere.join("precious")).expect("there"), b"mine");
    };
    // In the place of the folder in which a release is prepared.
    let staging = town.folder.path().join("out/.release.partial");
    symlink(&elsewhere, &staging).expect("linked");
    let output = town.command(&town.out(), WAYS[0]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("is in the way"), "{}", said(&output));
    untouched();
    fs::remove_file(&staging).expect("removed");
    // In the place of the ledger's files in the making.
    for name in [".run.json.partial", ".witnesses.parquet.partial"] {
        symlink(elsewhere.join("precious"), town.folder.path().join("out/ledger").join(name))
            .expect("linked");
    }
    town.runs(WAYS[0]);
    untouched();
    // In the place of the lock of the history.
    let lock = town.folder.path().join("out/ledger/.history.json.lock");
    fs::remove_file(&lock).expect("removed");
    symlink(elsewhere.join("new"), &lock).expect("linked");
    town.runs(WAYS[0]);
    untouched();
    // Left in a folder that a run which died has prepared.
    fs::create_dir(&staging).expect("made");
    symlink(&elsewhere, staging.join("presence")).expect("linked");
    symlink(elsewhere.join("precious"), staging.join("places.parquet")).expect("linked");
    town.runs(WAYS[0]);
    untouched();
    // A release with a link in it is none of ours.
    symlink(&elsewhere, town.out().join("more")).expect("linked");
    let output = town.command(&town.out(), WAYS[1]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    untouched();
}

type Meddle = fn(&Path);

/// What somebody does to a file while it is read.
const MEDDLING: [(&str, Meddle); 4] = [
    ("grows", |path| {
        let mut file = fs::File::options().append(true).open(path).expect("opened");
        file.write_all(b"2026-10-15T10:00:00Z,206019999999999,a-1\n").expect("written");
    }),
    ("is cut", |path| {
        let file = fs::File::options().write(true).open(path).expect("opened");
        let length = file.metadata().expect("there").len();
        file.set_len(length / 2).expect("cut");
    }),
    ("vanishes", |path| fs::remove_file(path).expect("removed")),
    ("is replaced", |path| {
        let other = path.with_extension("other");
        fs::copy(path, &other).and_then(|_| fs::rename(&other, path)).expect("replaced");
    }),
];

#[test]
fn a_file_that_changes_while_it_is_read_is_told_of() {
    for form in world::FORMS {
        let town = Town::new(4_000, form);
        town.runs(WAYS[0]);
        let bytes = fs::read(&town.events).expect("read");
        let begun = town.folder.path().join("out/.release.partial/places.parquet");
        for (what, meddle) in MEDDLING {
            let mut met = false;
            for _ in 0..20 {
                fs::write(&town.events, &bytes).expect("written");
                let mut child = town.start(WAYS[1]);
                let open = format!("/proc/{}/fd", child.id());
                let reads = || {
                    let open = fs::read_dir(&open).into_iter().flatten().flatten();
                    begun.exists()
                        && open.flat_map(|fd| fs::read_link(fd.path())).any(|file| file == town.events)
                };
                if fs::read_dir(&open)
                    .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
                {
                    let _ = child.kill();
                    ended(child);
                    println!("left out: only root sees which files another process reads");
                    return;
                }
                met = until(&mut child, reads);
                if met {
                    kill_process(pid(&child), Signal::STOP).expect("stopped");
                    meddle(&town.events);
                    kill_process(pid(&child), Signal::CONT).expect("goes on");
                }
                let output = ended(child);
                if met {
                    let said = said(&output);
                    assert_eq!(output.status.code(), Some(1), "{form:?} {what}: {said}");
                    let expected = format!(
                        "{}: the file was written to, replaced or removed while it was read",
                        town.events.display()
                    );
                    assert!(said.contains(&expected), "{form:?} {what}: {said}");
                    assert_eq!(town.standing(), Some(WAYS[0]), "{form:?} {what}");
                    town.nothing_stale(&["ledger", "release"]);
                    break;
                }
                town.runs(WAYS[0]);
            }
            assert!(met, "{form:?}: never seen to be read");
        }
    }
}

/// Runs a shell script as the root of a world of its own, where file systems can be mounted; none where the system
/// forbids it.
fn in_a_world_of_its_own(script: &str, town: &Town) -> Option<Output> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-euc"]);
    let inside = |script: &str| format!("mount -t tmpfs -o size=64m tmpfs \"$OUT\"\n{script}");
    command.arg(inside(script)).env("OUT", town.folder.path().join("out"));
    command.env("THRONG", env!("CARGO_BIN_EXE_throng")).env("EVENTS", &town.events);
    command.env("CELLS", town.folder.path().join("cells.csv"));
    fs::create_dir_all(town.folder.path().join("out")).expect("made");
    let allowed = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-euc", "mount -t tmpfs tmpfs \"$OUT\""])
        .env("OUT", town.folder.path().join("out"))
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("left out: nothing can be mounted here");
        return None;
    }
    Some(command.output().expect("it runs"))
}

/// A run of a script, by its k.
const RUN: &str = r#"run() {
    "$THRONG" run --from 2026-10-15 --as-of 2026-10-16 --supersede --events "$EVENTS" --cells "$CELLS" --out "$OUT/release" --k "$1"
}
"#;

#[test]
fn a_disk_without_room_leaves_the_earlier_release() {
    let town = Town::new(120, Form::Csv);
    // The room is raised page by page until it is enough, so that it ends at every file once.
    let script = format!(
        r#"{RUN}
        run 15 > /dev/null
        cp -a "$OUT/release" "$OUT/ledger" "$(dirname "$OUT")/whole-15"
        used=$(df -k --output=used "$OUT" | tail -1)
        failed=0
        for more in $(seq 0 4 2000); do
            mount -o remount,size=$((used + more))k "$OUT"
            if said=$(run 16 2>&1); then echo "enough with $more KiB after $failed"; break; fi
            code=$?
            failed=$((failed + 1))
            case "$said" in *"No space left on device"*) ;; *) echo "unclear: $said"; exit 9;; esac
            case "$said" in *"$OUT"*) ;; *) echo "names no file: $said"; exit 9;; esac
            [ "$(ls -A "$OUT")" = "ledger
release" ] || {{ ls -lA "$OUT"; exit 9; }}
            diff -r "$OUT/release" "$(dirname "$OUT")/whole-15/release"
            diff -r "$OUT/ledger" "$(dirname "$OUT")/whole-15/ledger"
            "$THRONG" verify "$OUT/release" > /dev/null
            [ -z "$(ls -A "$OUT/ledger" | grep partial)" ]
        done
        [ "$failed" -ge 5 ]
        grep -q '"k": 16' "$OUT/release/manifest.json"
        "$THRONG" verify "$OUT/release" > /dev/null
        [ "$(ls -A "$OUT")" = "ledger
release" ]"#
    );
    if let Some(output) = in_a_world_of_its_own(&script, &town) {
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("enough with"), "{}", said(&output));
    }
}

#[test]
fn a_destination_that_cannot_be_written_to_is_told_of_before_anything_is_read() {
    let town = Town::new(60, Form::Csv);
    let script = format!(
        r#"{RUN}
        run 15 > /dev/null
        mount -o remount,ro "$OUT"
        code=0
        said=$(run 16 2>&1) || code=$?
        echo "$code $said"
        "$THRONG" verify "$OUT/release" > /dev/null
        ls -A "$OUT"
        [ "$code" = 1 ]"#
    );
    if let Some(output) = in_a_world_of_its_own(&script, &town) {
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("Read-only file system"), "{}", said(&output));
        assert!(!said(&output).contains("partial\n"), "{}", said(&output));
    }
    // Without a world of its own: a file where a folder should be.
    let file = town.folder.path().join("file");
    fs::write(&file, "").expect("written");
    let output = town.command(&file.join("deep/release"), WAYS[0]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("Not a directory"), "{}", said(&output));
}

#[test]
fn files_that_may_not_grow_leave_the_earlier_release() {
    let town = Town::new(120, Form::Csv);
    town.runs(WAYS[0]);
    let mut failed = 0;
    for blocks in (0..).map(|step| step * step * 4) {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh", &blocks.to_string()]);
        let run = town.command(&town.out(), WAYS[1]);
        let output = command.arg(run.get_program()).args(run.get_args()).output().expect("it runs");
        if output.status.success() {
            break;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("File too large"), "{}", said(&output));
        assert_eq!(town.standing(), Some(WAYS[0]), "with {blocks} blocks");
        town.nothing_stale(&["ledger", "release"]);
    }
    assert!(failed >= 3, "{failed} failed");
    assert_eq!(town.standing(), Some(WAYS[1]));
}

#[test]
fn inputs_of_a_mount_that_is_missing_are_told_of() {
    let town = Town::new(60, Form::Csv);
    town.runs(WAYS[0]);
    for (events, expected) in [("mount", "nothing there"), ("mount/day.csv", "nothing there")] {
        let mount = town.folder.path().join("mount");
        fs::create_dir_all(&mount).expect("made");
        let mut command = run_of_the_day();
        command.args(["--k", "15", "--events"]);
        command.arg(town.folder.path().join(events)).arg("--cells").arg(town.folder.path().join("cells.csv"));
        let output = command.arg("--out").arg(town.out()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert_eq!(town.standing(), Some(WAYS[0]));
        town.nothing_stale(&["ledger", "release"]);
    }
}
