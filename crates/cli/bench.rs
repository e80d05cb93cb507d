//! `throng bench`: whole runs, the bare decoder and whatever peers are installed, in turn, on the same files.

mod chart;
mod floor;
mod least;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, anyhow, bail};
use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Int64Type, TimestampMillisecondType},
};
use bytesize::ByteSize;
use clap::ValueEnum;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use throng_ingest::{CellColumns, Places};

use crate::{
    args::{BenchArgs, Contestant},
    failure::Failure,
    log,
    speak::{say, thousands},
    synth,
    watch::warning,
};

/// What `presence` is timed on besides: whatever needs no further table.
const ALL_REPORTS: &str = "presence,visitors,residence,dwell,frequency,flows";

/// One turn of one contestant.
#[derive(Clone, Debug, Serialize)]
struct Lap {
    seconds: f64,
    memory_peak_bytes: Option<u64>,
}

/// A contestant and its laps.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    #[serde(skip)]
    contestant: Contestant,
    name: String,
    what: &'static str,
    laps: Vec<Lap>,
    /// The table of presence that it gave, as far as it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
}

/// What tells tables of presence apart: how many numbers above zero, their sum, and a sum with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Presence {
    rows: u64,
    person_instants: u64,
    checksum: u64,
}

/// What a peer prints.
#[derive(Deserialize)]
struct Printed {
    seconds: f64,
    peak_bytes: Option<u64>,
    #[serde(flatten)]
    presence: Presence,
}

/// What a run's ledger says of it.
#[derive(Deserialize)]
struct Account {
    rows_read: u64,
    memory_peak_bytes: Option<u64>,
}

/// Everything that is written down.
#[derive(Serialize)]
struct Outcome {
    events: u64,
    bytes: u64,
    files: usize,
    format: String,
    threads: usize,
    rounds: u32,
    memory: String,
    same_presence: bool,
    entries: Vec<Entry>,
}

/// Times the contestants and writes `bench.md`, `bench.json` and `bench.svg`.
pub(crate) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    if args.rounds == 0 || args.threads == Some(0) {
        return Err(Failure::usage(anyhow!("--rounds or --threads is 0; expected at least 1")));
    }
    fs::create_dir_all(&args.out).map_err(|error| Failure::io(&args.out, error))?;
    let track = Track::lay_out(args)?;
    let mut entries = track.entries();
    for round in 1..=args.rounds {
        for entry in &mut entries {
            say(&format!("round {round} of {}: {}", args.rounds, entry.what))?;
            let (lap, presence) = track.lap(entry.contestant).map_err(Failure::failed)?;
            entry.laps.push(lap);
            entry.presence = presence.or(entry.presence);
        }
    }
    let truth = track.presence_of_throng().map_err(Failure::failed)?;
    let same_presence = entries.iter().filter_map(|entry| entry.presence).all(|found| found == truth);
    let outcome = track.outcome(same_presence, entries);
    let text = outcome.markdown();
    for (name, content) in
        [("bench.md", text.clone()), ("bench.json", outcome.json()?), ("bench.svg", outcome.chart())]
    {
        let path = args.out.join(name);
        fs::write(&path, content).map_err(|error| Failure::io(&path, error))?;
    }
    say(&format!("\n{text}"))?;
    if same_presence {
        return Ok(());
    }
    Err(Failure::failed(anyhow!("the contestants do not give the same presence; expected equal checksums")))
}

/// What is run on.
struct Track<'a> {
    args: &'a BenchArgs,
    input: PathBuf,
    files: Vec<PathBuf>,
    /// Event files are counted by the first run.
    events: u64,
    bytes: u64,
    threads: usize,
    scratch: PathBuf,
}

impl<'a> Track<'a> {
    fn lay_out(args: &'a BenchArgs) -> Result<Self, Failure> {
        let input = match &args.input {
            Some(input) => input.clone(),
            None => make_input(args)?,
        };
        let files = throng_ingest::find_files(&[input.join("events")]).map_err(Failure::failed)?;
        let size = |path: &PathBuf| fs::metadata(path).map(|metadata| metadata.len());
        let bytes = files.iter().map(size).sum::<Result<u64, _>>().map_err(Failure::failed)?;
        let threads = args.threads.unwrap_or_else(rayon::current_num_threads);
        let scratch = args.out.join("scratch");
        let mut track = Self { args, input, files, events: 0, bytes, threads, scratch };
        // Also brings the files into the cache of the system, so that the first to run has no disadvantage.
        track.events = track.throng(&[], threads).map_err(Failure::failed)?.rows_read;
        Ok(track)
    }

    /// The contestants that are wanted and there.
    fn entries(&self) -> Vec<Entry> {
        let wanted =
            |contestant: &Contestant| self.args.only.is_empty() || self.args.only.contains(contestant);
        let there = |contestant: &Contestant| match contestant.peer() {
            None => true,
            Some(peer) => {
                let there = self.has(&peer);
                if !there {
                    let (what, module) = (contestant.what(), peer.module);
                    let script = peer.script;
                    log::warning(&warning(
                        "peer_left_out",
                        format!("{what} is left out: no Python module {module}, or no {script}"),
                        format!("install {module} where --python looks, or leave it out by --only"),
                        serde_json::json!({}),
                    ));
                }
                there
            }
        };
        let entry = |contestant: Contestant| Entry {
            contestant,
            name: typed(contestant),
            what: contestant.what(),
            laps: Vec::new(),
            presence: None,
        };
        Contestant::value_variants().iter().copied().filter(wanted).filter(there).map(entry).collect()
    }

    /// A peer needs its script, its module, and files that it reads.
    fn has(&self, peer: &Peer) -> bool {
        let parquet = self.files.iter().all(|path| path.extension().is_some_and(|e| e == "parquet"));
        let import = format!("import {}", peer.module);
        let found = Command::new(&self.args.python).args(["-c", &import]).output();
        parquet
            && self.args.peers.join(peer.script).exists()
            && found.is_ok_and(|found| found.status.success())
    }

    fn lap(&self, contestant: Contestant) -> anyhow::Result<(Lap, Option<Presence>)> {
        if let Some(peer) = contestant.peer() {
            let printed = self.peer(&peer)?;
            let lap = Lap { seconds: printed.seconds, memory_peak_bytes: printed.peak_bytes };
            return Ok((lap, Some(printed.presence)));
        }
        let start = Instant::now();
        let memory_peak_bytes = match contestant {
            Contestant::Floor | Contestant::Least => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build()?;
                let start = Instant::now();
                let work = if contestant == Contestant::Floor { floor::decode } else { least::run };
                pool.install(|| work(&self.files))?;
                let seconds = start.elapsed().as_secs_f64();
                return Ok((Lap { seconds, memory_peak_bytes: None }, None));
            }
            Contestant::AllReports => {
                let residence = self.input.join("residence.csv").display().to_string();
                self.throng(&["--reports", ALL_REPORTS, "--residence", &residence], self.threads)?
            }
            Contestant::OneThread => self.throng(&[], 1)?,
            _ => self.throng(&[], self.threads)?,
        }
        .memory_peak_bytes;
        Ok((Lap { seconds: start.elapsed().as_secs_f64(), memory_peak_bytes }, None))
    }

    /// A whole run as a process of its own, from its start to a release in its place.
    fn throng(&self, more: &[&str], threads: usize) -> anyhow::Result<Account> {
        let (release, ledger) = (self.scratch.join("release"), self.scratch.join("ledger"));
        if self.scratch.exists() {
            fs::remove_dir_all(&self.scratch)?;
        }
        fs::create_dir_all(&self.scratch)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--events").arg(self.input.join("events"));
        command.arg("--cells").arg(self.input.join("cells.csv"));
        let opt_out = self.input.join("opt_out.csv");
        if opt_out.exists() && !more.contains(&"--accept-small-k") {
            command.arg("--opt-out").arg(opt_out);
        }
        let date = self.args.from.to_string();
        command.args(["--from", &date, "--as-of", &date, "--progress", "never"]);
        command.args(["--threads", &threads.to_string(), "--memory", &self.args.memory.to_string()]);
        command.arg("--out").arg(&release).arg("--ledger").arg(&ledger).args(more);
        let output = command.output()?;
        if !output.status.success() {
            bail!("a run failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let account = ledger.join("run.json");
        let account = fs::read(&account).with_context(|| account.display().to_string())?;
        Ok(serde_json::from_slice(&account)?)
    }

    fn peer(&self, peer: &Peer) -> anyhow::Result<Printed> {
        let (threads, date) = (self.threads.to_string(), self.args.from.to_string());
        let mut command = Command::new(&self.args.python);
        command.arg(self.args.peers.join(peer.script));
        command.arg("--events").arg(self.input.join("events"));
        command.arg("--cells").arg(self.input.join("cells.csv"));
        command.args(["--from", &date, "--threads", &threads, "--repeat", "1"]).args(peer.flags);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let last = said.trim().lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|_| {
            let errors = String::from_utf8_lossy(&output.stderr);
            anyhow!("{} failed: {}", peer.script, errors.trim().lines().last().unwrap_or_default())
        })
    }

    /// The presence that a run counts, with nobody left out and nobody withheld, as peers give it.
    fn presence_of_throng(&self) -> anyhow::Result<Presence> {
        self.throng(&["--reports", "presence", "--k", "1", "--accept-small-k"], self.threads)?;
        let places = Places::belgium()?;
        let cells = self.input.join("cells.csv");
        let zone = jiff::tz::TimeZone::get("Europe/Brussels")?;
        let (plan, _) = throng_ingest::cell_plan(&[cells], &CellColumns::default(), &places, &zone)?;
        let mut codes: Vec<&str> =
            plan.versions().iter().filter_map(|version| Some(places.tree.code(version.place?))).collect();
        codes.sort_unstable();
        codes.dedup();
        let folder = format!("release/presence/date={}/part.parquet", self.args.from);
        read_presence(&self.scratch.join(folder), &codes)
    }

    fn outcome(&self, same_presence: bool, entries: Vec<Entry>) -> Outcome {
        let endings = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.split_once('.').map(|(_, ending)| ending.to_owned()).unwrap_or_default()
        };
        let _ = fs::remove_dir_all(&self.scratch);
        Outcome {
            events: self.events,
            bytes: self.bytes,
            files: self.files.len(),
            format: self.files.first().map(endings).unwrap_or_default(),
            threads: self.threads,
            rounds: self.args.rounds,
            memory: self.args.memory.to_string(),
            same_presence,
            entries,
        }
    }
}

/// Makes the input that the flags describe, once.
fn make_input(args: &BenchArgs) -> Result<PathBuf, Failure> {
    let (subscribers, per_day, cells) = (args.subscribers, args.events_per_day, args.cells);
    let name = format!("input-{subscribers}-{per_day}-{cells}-{}-{}", args.seed, typed(args.format));
    let folder = args.out.join(name);
    if !folder.join("throng.toml").exists() {
        let _ = fs::remove_dir_all(&folder);
        say(&format!("making {}", folder.display()))?;
        synth::fill(&folder, args)?;
    }
    Ok(folder)
}

/// The numbers of postal codes, which are ranked by their codes; instants by their order.
fn read_presence(path: &Path, codes: &[&str]) -> anyhow::Result<Presence> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    let mut numbers: Vec<(i64, u64, u64)> = Vec::new();
    for batch in reader {
        let batch = batch?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| anyhow!("no column {name}"));
        let text = |name| Ok::<_, anyhow::Error>(arrow::compute::cast(column(name)?, &DataType::Utf8)?);
        let (levels, places) = (text("level")?, text("place")?);
        let (levels, places) = (levels.as_string::<i32>(), places.as_string::<i32>());
        let at = column("instant")?.as_primitive::<TimestampMillisecondType>();
        let people = column("people")?.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            if levels.value(row) == "postal_code" && people.is_valid(row) && people.value(row) > 0 {
                let place = codes.binary_search(&places.value(row));
                let place = place.map_err(|_| anyhow!("a place of the release is not in the plan"))?;
                numbers.push((at.value(row), place as u64, people.value(row).unsigned_abs()));
            }
        }
    }
    let mut instants: Vec<i64> = numbers.iter().map(|(at, ..)| *at).collect();
    instants.sort_unstable();
    instants.dedup();
    let mut presence = Presence { rows: numbers.len() as u64, person_instants: 0, checksum: 0 };
    for (at, place, people) in numbers {
        // At every instant somebody is somewhere, so the order tells the number.
        let instant = instants.partition_point(|other| *other < at) as u64;
        presence.person_instants += people;
        presence.checksum += people * (131 * (place + 1) + 7 * (instant + 1));
    }
    Ok(presence)
}

impl Entry {
    fn median(&self) -> f64 {
        let mut seconds: Vec<f64> = self.laps.iter().map(|lap| lap.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.len() / 2;
        if seconds.len() % 2 == 1 {
            seconds[middle]
        } else {
            f64::midpoint(seconds[middle - 1], seconds[middle])
        }
    }

    fn spread(&self) -> (f64, f64) {
        let seconds = self.laps.iter().map(|lap| lap.seconds);
        (seconds.clone().fold(f64::MAX, f64::min), seconds.fold(0.0, f64::max))
    }

    fn peak(&self) -> Option<u64> {
        self.laps.iter().filter_map(|lap| lap.memory_peak_bytes).max()
    }
}

impl Outcome {
    fn of(&self, contestant: Contestant) -> Option<f64> {
        self.entries.iter().find(|entry| entry.contestant == contestant).map(Entry::median)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate with one decimal")]
    fn rate(&self, entry: &Entry) -> f64 {
        self.events as f64 / entry.median() / 1e6
    }

    fn markdown(&self) -> String {
        let (floor, throng) = (self.of(Contestant::Floor), self.of(Contestant::Throng));
        let mut text = format!(
            "{} events in {} files ({}, {}), {} threads, `--memory {}`, medians of {} rounds in turn\n\n\
             | what | median s | min to max s | million events/s | of bare decoding | Throng is faster by | MiB at the peak |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
            thousands(self.events),
            self.files,
            self.format,
            ByteSize(self.bytes),
            self.threads,
            self.memory,
            self.rounds,
        );
        for entry in &self.entries {
            let (median, (least, most)) = (entry.median(), entry.spread());
            let of_floor = floor.map_or_else(String::new, |floor| format!("{:.2}", median / floor));
            let is_peer = entry.contestant.peer().is_some();
            let by =
                throng.filter(|_| is_peer).map_or_else(String::new, |t| format!("{:.1} times", median / t));
            let peak = entry.peak().map_or_else(String::new, |bytes| thousands(bytes >> 20));
            text.push_str(&format!(
                "| {} | {median:.2} | {least:.2} to {most:.2} | {:.1} | {of_floor} | {by} | {peak} |\n",
                entry.what,
                self.rate(entry)
            ));
        }
        let compared = self.entries.iter().any(|entry| entry.presence.is_some());
        let same = match (compared, self.same_presence) {
            (false, _) => "No peer counted, so no tables were compared.",
            (true, true) => "All tables of presence are the same.",
            (true, false) => "**The tables of presence differ.**",
        };
        text.push_str(&format!("\n{same}\n"));
        text
    }

    fn chart(&self) -> String {
        let bars: Vec<_> =
            self.entries.iter().map(|entry| (entry.what.to_owned(), self.rate(entry))).collect();
        let title = format!("{} events, {} threads", thousands(self.events), self.threads);
        chart::svg(&title, &bars)
    }

    fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map(|json| json + "\n").map_err(Failure::failed)
    }
}

/// What is typed for a value on the command line.
fn typed(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A peer: its script among the peers, what it needs, and its flags.
pub(crate) struct Peer {
    script: &'static str,
    module: &'static str,
    flags: &'static [&'static str],
}

impl Contestant {
    fn what(self) -> &'static str {
        match self {
            Self::Floor => "bare decoding of three columns",
            Self::Least => "the least of a run: events decoded, kept, laid together by person, counted",
            Self::Throng => "Throng, presence and visitors",
            Self::OneThread => "Throng, the same on one thread",
            Self::AllReports => "Throng, all reports",
            Self::DuckdbPlain => "DuckDB, presence as a query",
            Self::Duckdb => "DuckDB, presence, tuned by hand",
            Self::DuckdbHashed => "DuckDB, presence, tuned, hashed ids",
            Self::Polars => "Polars, presence, tuned by hand",
            Self::Clickhouse => "ClickHouse, presence, tuned by hand",
            Self::ClickhouseHashed => "ClickHouse, presence, tuned, hashed ids",
            Self::Spark => "Spark, presence, the same SQL",
        }
    }

    fn peer(self) -> Option<Peer> {
        let (script, module, flags): (_, _, &[&str]) = match self {
            Self::Floor | Self::Least | Self::Throng | Self::OneThread | Self::AllReports => return None,
            Self::DuckdbPlain => ("duckdb_presence.py", "duckdb", &["--key", "string", "--count", "join"]),
            Self::Duckdb => ("duckdb_presence.py", "duckdb", &["--key", "string"]),
            Self::DuckdbHashed => ("duckdb_presence.py", "duckdb", &["--key", "hash"]),
            Self::Polars => ("polars_presence.py", "polars", &[]),
            Self::Clickhouse => ("clickhouse_presence.py", "chdb", &["--key", "packed"]),
            Self::ClickhouseHashed => ("clickhouse_presence.py", "chdb", &["--key", "packed-hash"]),
            Self::Spark => ("spark_presence.py", "pyspark", &[]),
        };
        Some(Peer { script, module, flags })
    }
}
