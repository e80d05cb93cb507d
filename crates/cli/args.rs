//! The flags as they are typed. What they mean together with the config is said in `config`.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, civil::Date};
use serde::Deserialize;
use throng_aggregator::Report;
use throng_schema::{Format, UnknownFormat};

use crate::settings::{CleaningSettings, HashSettings};

/// Anonymised location reporting: a mobile operator's cell events in, headcounts out, small groups withheld.
#[derive(Parser)]
#[command(name = "throng", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage or config; 3 inputs unusable; 4 `verify` found a fault."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Reads a day of events (or many) and writes a release
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Checks a release with nothing but the release
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Attacks a release, and says how far each attack gets
    #[command(after_help = ATTACK_EXAMPLES)]
    Attack(AttackArgs),
    /// Makes a seeded day of Belgium, with its ground truth
    #[command(after_help = SYNTH_EXAMPLES)]
    Synth(SynthArgs),
    /// Times whole runs, bare decoding and whatever peers are installed, on the same files
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// Says what a file of events or a cell plan holds and what would be rejected, without identifiers
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(Box<InspectArgs>),
    /// Prints the completions of a shell
    #[command(after_help = "Example:\n  throng completions bash > /etc/bash_completion.d/throng")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Writes the man pages into a folder
    #[command(after_help = "Example:\n  throng man /usr/local/share/man/man1")]
    Man {
        /// The folder
        out: PathBuf,
    },
}

const RUN_EXAMPLES: &str = "Examples:
  throng run --events day/*.parquet --cells cells.csv --from 2026-10-15 --out release
  throng run --config throng.toml --k 50
  throng run --config throng.toml --log json 2> run.log
  throng run --preset multimno --events mno_events --cells mno_network --places es/ --from 2023-01-08 --out release

The ledger, which never leaves the company, is written beside the release unless --ledger says where.";

const VERIFY_EXAMPLES: &str = "Examples:
  throng verify release
  throng verify release --solve
  throng verify release --ledger ledger

Exit code 4 and a table of faults when there are any.";

const ATTACK_EXAMPLES: &str = "Examples:
  throng attack release
  throng attack release --truth truth --json
  throng attack release --other release-of-the-same-days

The truth is a release of the same events made with --k 1 --accept-small-k, which never leaves.";

const SYNTH_EXAMPLES: &str = "Examples:
  throng synth --out belgium --subscribers 100000 --days 1 --seed 7
  throng synth --out ghent --subscribers 20000 --area 9000,9030,9031,9032,9040,9041,9050,9051,9052 --format csv-gz";

const BENCH_EXAMPLES: &str = "Examples:
  throng bench --out bench
  throng bench --out bench --subscribers 1000000 --events-per-day 100 --only floor,throng,all-reports
  throng bench --out bench --input belgium --python venv/bin/python --peers benches/peers

It writes bench.md, bench.json and bench.svg into the folder. Peers are Python packages: duckdb, polars, chdb, pyspark.
Throng's time is that of whole processes; a peer's is that of presence alone, without start-up.";

const INSPECT_EXAMPLES: &str = "Examples:
  throng inspect day/events.csv.gz
  throng inspect --cells cells.csv day/*.parquet
  throng inspect cells.csv";

/// Every flag can stand in the config under its own name with `_` for `-`; a flag wins.
#[derive(Args, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Event files, folders or globs: CSV (.csv, .csv.gz, .csv.zst) and Parquet, mixed freely
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) events: Vec<PathBuf>,
    /// The cell plan: postal code, or position, of each cell
    #[arg(long, value_name = "PATH")]
    pub(crate) cells: Option<PathBuf>,
    /// First local day, for example 2026-10-15
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Date>,
    /// Last local day [default: the first]
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<Date>,
    /// The folder that becomes the release
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The folder of the internal account, one run's at a time [default: `ledger` beside the release]
    #[arg(long, value_name = "DIR")]
    pub(crate) ledger: Option<PathBuf>,
    /// The file that keeps a few totals of each released day, to compare the next with [default: `history.json` in the
    /// ledger]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Replaces a release of the same days that was made in another way; the manifest says so
    #[arg(long)]
    pub(crate) supersede: bool,
    /// Tables and polygons of places [default: Belgium, built in]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) places: Vec<PathBuf>,
    /// Table of the subscribers who opted out
    #[arg(long, value_name = "PATH")]
    pub(crate) opt_out: Option<PathBuf>,
    /// Table of the subscribers that are machines
    #[arg(long, value_name = "PATH")]
    pub(crate) machines: Option<PathBuf>,
    /// Table of where subscribers live
    #[arg(long, value_name = "PATH")]
    pub(crate) residence: Option<PathBuf>,
    /// Table or GeoJSON of occasions: each an area and its time
    #[arg(long, value_name = "PATH")]
    pub(crate) occasions: Option<PathBuf>,
    /// People per device: a number, or a table by residence and home network [default: 1]
    #[arg(long, value_name = "PATH|NUMBER")]
    pub(crate) expansion: Option<Expand>,
    /// Table of census figures of places
    #[arg(long, value_name = "PATH")]
    pub(crate) census: Option<PathBuf>,
    /// Which reports to make, separated by commas: presence, visitors, residence, dwell, frequency, flows, occasions,
    /// context, or all [default: presence,visitors]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) reports: Vec<ReportName>,
    /// The smallest group of devices behind a published number [default: 30]
    #[arg(long)]
    pub(crate) k: Option<u64>,
    /// Accepts a k under 15; the manifest says so
    #[arg(long)]
    pub(crate) accept_small_k: bool,
    /// Time between two instants of presence; divides an hour [default: 15min]
    #[arg(long, value_name = "DURATION")]
    pub(crate) step: Option<SignedDuration>,
    /// How far in time an event reaches [default: 30min]
    #[arg(long, value_name = "DURATION")]
    pub(crate) hold: Option<SignedDuration>,
    /// How long a stay must be to begin or end a trip [default: 15min]
    #[arg(long, value_name = "DURATION")]
    pub(crate) min_stay: Option<SignedDuration>,
    /// The local clock, by its IANA name [default: Europe/Brussels]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// The day from which the age of events is judged [default: today]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Date>,
    /// Column names of a known kind of file
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<Preset>,
    /// The share of faulty rows above which the inputs are refused [default: 20%]
    #[arg(long, value_name = "SHARE")]
    pub(crate) max_rejected: Option<Percentage>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Memory that the run may take; a larger day is read several times [default: 8GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    /// Whether progress is shown [default: auto, on a terminal alone]
    #[arg(long, value_name = "WHEN")]
    pub(crate) progress: Option<When>,
    /// What is written on standard error: words for people, or JSON, one object a line, and no progress [default: text]
    #[arg(long, value_name = "FORM")]
    pub(crate) log: Option<LogForm>,
    /// Files to write beside each Parquet file, separated by commas [default: none]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) format: Vec<FormatName>,
    /// How the list of opt-outs was hashed (config only)
    #[arg(skip)]
    pub(crate) opt_out_hash: Option<HashSettings>,
    /// The beginnings of identifiers by which machines are known (config only)
    #[arg(skip)]
    pub(crate) machine_prefixes: Vec<String>,
    /// Whether who never moves and is always active is a machine (config only)
    #[arg(skip)]
    pub(crate) machine_rule: Option<bool>,
    /// The most people that a device of a table of factors may stand for (config only)
    #[arg(skip)]
    pub(crate) expansion_limit: Option<f64>,
    /// Further columns of the census to show (config only)
    #[arg(skip)]
    pub(crate) census_columns: Vec<String>,
    /// Which rows tell of no journey (config only)
    #[arg(skip)]
    pub(crate) cleaning: Option<CleaningSettings>,
    /// How event files name their columns (config only)
    #[arg(skip)]
    pub(crate) event_columns: Option<throng_ingest::EventColumns>,
    /// How event files are written (config only)
    #[arg(skip)]
    pub(crate) event_format: Option<throng_ingest::EventFormat>,
    /// How the cell plan names its columns (config only)
    #[arg(skip)]
    pub(crate) cell_columns: Option<throng_ingest::CellColumns>,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// A file with any of these settings; `throng.toml` in the project explains each
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The release
    pub(crate) dir: PathBuf,
    /// Also by linear programmes: slower, and more than intervals where sums go round in circles
    #[arg(long)]
    pub(crate) solve: bool,
    /// The ledger of the run, whose witnesses are checked
    #[arg(long, value_name = "DIR")]
    pub(crate) ledger: Option<PathBuf>,
    /// What is written on standard error: words for people, or JSON, one object a line
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log: LogForm,
}

#[derive(Args)]
pub(crate) struct AttackArgs {
    /// The release
    pub(crate) dir: PathBuf,
    /// A release of the same events with k = 1, to judge guesses by
    #[arg(long, value_name = "DIR")]
    pub(crate) truth: Option<PathBuf>,
    /// Another release of the same days, to subtract from
    #[arg(long, value_name = "DIR")]
    pub(crate) other: Option<PathBuf>,
    /// Also by linear programmes
    #[arg(long)]
    pub(crate) solve: bool,
    /// JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// Files, folders or globs of events, or a cell plan
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The cell plan by which to judge the cells of events
    #[arg(long, value_name = "PATH")]
    pub(crate) cells: Option<PathBuf>,
    /// Tables and polygons of places [default: Belgium, built in]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) places: Vec<PathBuf>,
    /// The local clock, by its IANA name [default: Europe/Brussels]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// The day from which the age of events is judged [default: today]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Date>,
    /// Column names of a known kind of file
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<Preset>,
    /// A config whose columns are used
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What is written on standard error: words for people, or JSON, one object a line
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log: LogForm,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The folder for the input that is made, and for what comes out
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// An input as `throng synth` makes it, instead of one made here
    #[arg(long, value_name = "DIR")]
    pub(crate) input: Option<PathBuf>,
    /// How many subscribers the input has
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) subscribers: u64,
    /// Events that a subscriber has a day, on average
    #[arg(long, value_name = "N", default_value_t = 100.0)]
    pub(crate) events_per_day: f64,
    /// How many cells
    #[arg(long, value_name = "N", default_value_t = 26_667)]
    pub(crate) cells: u32,
    /// The seed of the input
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How the events are written
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    pub(crate) format: SynthFormat,
    /// The local day
    #[arg(long, value_name = "DATE", default_value = "2026-10-15")]
    pub(crate) from: Date,
    /// How often each contestant runs
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) rounds: u32,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Memory that a run may take
    #[arg(long, value_name = "SIZE", default_value = "8GiB")]
    pub(crate) memory: ByteSize,
    /// Only these, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Contestant>,
    /// The folder of the peers' scripts
    #[arg(long, value_name = "DIR", default_value = "benches/peers")]
    pub(crate) peers: PathBuf,
    /// The Python that has the peers
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub(crate) python: PathBuf,
}

/// Who is timed, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// Bare decoding of the three columns
    Floor,
    /// The least of a run: events decoded, kept, laid together by person, counted; nothing asked or checked
    Least,
    /// Presence and visitors, a whole run
    Throng,
    /// The same on one thread
    OneThread,
    /// Every report that needs no further table
    AllReports,
    /// DuckDB: the definition as a query
    DuckdbPlain,
    /// DuckDB, tuned by hand
    Duckdb,
    /// The same with identifiers hashed, not exact
    DuckdbHashed,
    /// Polars, tuned by hand
    Polars,
    /// ClickHouse, tuned by hand
    Clickhouse,
    /// The same with identifiers hashed, not exact
    ClickhouseHashed,
    /// Spark, by the same SQL
    Spark,
}

#[derive(Args)]
pub(crate) struct SynthArgs {
    /// The folder to fill
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How many subscribers
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) subscribers: u64,
    /// How many local days
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) days: u32,
    /// The same seed makes the same files
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// First local day
    #[arg(long, value_name = "DATE", default_value = "2026-10-15")]
    pub(crate) from: Date,
    /// Events that a subscriber has a day, on average
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub(crate) events_per_day: f64,
    /// How many cells
    #[arg(long, value_name = "N")]
    pub(crate) cells: Option<u32>,
    /// Only these postal codes, separated by commas, and who lives there [default: all of Belgium]
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(crate) area: Vec<String>,
    /// How the events are written
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    pub(crate) format: SynthFormat,
    /// Share of rows that are sessions, with an end
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) sessions: f64,
    /// Share of cells that move during the days, with dates of validity
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) moved_cells: f64,
    /// A cell plan of positions alone, without postal codes
    #[arg(long)]
    pub(crate) geometry_only: bool,
    /// No faulty rows
    #[arg(long)]
    pub(crate) clean: bool,
    /// No ground truth
    #[arg(long)]
    pub(crate) no_truth: bool,
    /// Whether progress is shown
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: When,
    /// What is written on standard error: words for people, or JSON, one object a line
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log: LogForm,
}

/// How the generator writes events.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SynthFormat {
    /// Parquet, compressed by zstd
    Parquet,
    /// Plain CSV
    Csv,
    /// CSV compressed by gzip
    CsvGz,
    /// CSV compressed by zstd
    CsvZst,
}

/// A kind of file whose columns are known.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preset {
    /// Eurostat's MultiMNO bronze event and network data
    Multimno,
}

/// When progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Also in a pipe
    Always,
    /// Not at all
    Never,
}

/// What is written on standard error.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    /// Words, for people
    #[default]
    Text,
    /// One JSON object a line, for programs
    Json,
}

/// The name of a report, or `all` for every one that there is a table for.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ReportName(pub(crate) Option<Report>);

impl std::str::FromStr for ReportName {
    type Err = throng_aggregator::UnknownReport;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.trim() {
            "all" => Ok(Self(None)),
            name => name.parse().map(Some).map(Self),
        }
    }
}

impl TryFrom<String> for ReportName {
    type Error = throng_aggregator::UnknownReport;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// The name of a format.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FormatName(pub(crate) Format);

impl std::str::FromStr for FormatName {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        name.trim().parse().map(Self)
    }
}

impl TryFrom<String> for FormatName {
    type Error = UnknownFormat;

    fn try_from(name: String) -> Result<Self, UnknownFormat> {
        name.parse()
    }
}

/// A share of rows: `20%` or `0.2`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Percentage(pub(crate) f64);

impl std::str::FromStr for Percentage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
            None => text.trim().parse::<f64>(),
        };
        share
            .ok()
            .filter(|share| (0.0..=1.0).contains(share))
            .map(Self)
            .ok_or_else(|| "expected a share of rows between 0% and 100%, for example 20% or 0.2".to_owned())
    }
}

impl TryFrom<toml::Value> for Percentage {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse()
    }
}

/// What a device stands for: a number, or a table.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expand {
    /// One factor for everybody.
    Factor(f64),
    /// The path of a table of factors.
    Table(PathBuf),
}

impl std::str::FromStr for Expand {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Table(text.into()), Self::Factor))
    }
}
