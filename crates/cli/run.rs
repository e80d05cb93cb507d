//! `throng run`: the pipeline, from files to a release.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use bytesize::ByteSize;
use jiff::Timestamp;
use throng_aggregator::{
    Claim, FileRows, Ledger, ReleaseError, Reports, Seal, Stage, Summary, WithheldCells, summarise,
};
use throng_anonymiser::{
    Counted, Crowd, Frame, GatherError, Protected, ProtectedTable, Share, Shares, Source, Subscribers,
};
use throng_ingest::{Clock, Events, IngestError, Places, Reason, Tally};
use throng_schema::{Census, Factors, Occasion};

use crate::{
    args::RunArgs,
    config::{self, Plan},
    failure::Failure,
    progress::Bar,
    speak::{percent, say, table, thousands, warning},
};

/// Runs the pipeline as flags and config say.
pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    let settings = match &args.config {
        Some(path) => args.settings.or(config::read(path)?),
        None => args.settings,
    };
    let plan = settings.into_plan()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.threads).build().map_err(Failure::failed)?;
    pool.install(|| pipeline(&plan))
}

/// The whole program in one paragraph.
fn pipeline(plan: &Plan) -> Result<(), Failure> {
    let mut stages = Stages::start();
    let claim = Claim::new(&plan.out).map_err(release_failure)?;
    let seal = Seal::find(&claim, &plan.parameters, plan.supersede).map_err(release_failure)?;
    throng_aggregator::try_ledger(&plan.ledger).map_err(release_failure)?;
    let room = Room::furnish(plan)?;
    let events = room.events(plan)?; // raw rows, rejected or admitted
    stages.end("prepare");
    let gathered = room.gather_and_count(plan, &events)?; // identifiers end here; nobody can read the counts
    stages.end("read and count");
    check_rejected(&gathered.tally, plan)?;
    let Gathered { counted, tally, passes } = gathered;
    let Counted { devices, tables, .. } = counted;
    let protected = throng_anonymiser::protect(tables, &room.reports.guards(), &plan.policy); // small groups end here
    let Protected { tables, witnesses } = protected;
    stages.end("protect");
    let (parameters, credits) = (plan.parameters.clone(), &room.credits);
    let manifest_blake3 =
        throng_aggregator::write(&tables, &room.reports, plan.expansion, parameters, credits, &seal, &claim)
            .map_err(release_failure)?;
    drop(claim);
    stages.end("write");
    let summary = summarise(&tables, &room.reports, plan.expansion).map_err(Failure::failed)?;
    let ledger = Ledger {
        throng: env!("CARGO_PKG_VERSION"),
        manifest_blake3,
        as_of: plan.as_of.to_string(),
        run: file_rows(None, tally.rows_read(), tally.admitted(), &tally.rejected()),
        files: tally
            .files
            .iter()
            .map(|file| {
                file_rows(
                    Some(file.path.display().to_string()),
                    file.rows_read,
                    file.admitted,
                    &file.rejected,
                )
            })
            .collect(),
        devices_seen: devices,
        opted_out_listed: room.opted_out,
        machines_listed: room.machines,
        passes,
        withheld: withheld(&tables, &room.reports, &summary),
        cells: summary.cells.clone(),
        timings: stages.ended.clone(),
    };
    throng_aggregator::write_witnesses(&witnesses, &room.reports, &plan.ledger).map_err(Failure::failed)?;
    let ledger_path = throng_aggregator::write_ledger(&ledger, &plan.ledger).map_err(Failure::failed)?;
    say(&closing(plan, &room, &tally, devices, &summary, &stages)?)?;
    say(&format!("ledger    {} (internal: it never leaves)", ledger_path.display()))
}

/// Everything that stands ready before the first event is read.
struct Room {
    subscribers: Subscribers,
    opted_out: u64,
    machines: u64,
    #[expect(dead_code, reason = "no report of this version uses it")]
    occasions: Vec<Occasion>,
    #[expect(dead_code, reason = "no report of this version uses it")]
    census: Option<Census>,
    #[expect(dead_code, reason = "no report of this version uses it")]
    factors: Option<Factors>,
    credits: Vec<&'static str>,
    plan: Arc<throng_schema::CellPlan>,
    reports: Reports,
    bar: Arc<Bar>,
    notes: Vec<String>,
}

/// What reading gave: sealed counts, and the account of the rows.
struct Gathered {
    counted: Counted,
    tally: Tally,
    passes: u64,
}

impl Room {
    fn furnish(plan: &Plan) -> Result<Self, Failure> {
        let places = if plan.places.is_empty() { Places::belgium() } else { Places::read(&plan.places) }
            .map_err(input_failure)?;
        let mut notes = Vec::new();
        let zone = plan.calendar.zone();
        let (cells, summary) =
            throng_ingest::cell_plan(std::slice::from_ref(&plan.cells), &plan.cell_columns, &places, zone)
                .map_err(input_failure)?;
        if summary.outside > 0 {
            let (outside, rows) = (thousands(summary.outside), thousands(summary.rows));
            notes.push(format!(
                "{outside} of {rows} rows of the cell plan cover no known place; their events are nowhere"
            ));
        }
        let mut subscribers = Subscribers::new().map_err(Failure::failed)?;
        let (opted_out, machines) = list_subscribers(plan, &mut subscribers)?;
        if let Some(path) = &plan.residence {
            let reside = &mut |id: &[u8], place| subscribers.reside(id, place);
            let rows = throng_ingest::residences(path, &places.tree, reside).map_err(input_failure)?;
            if !plan.asks_for_homes() {
                let rows = thousands(rows);
                notes.push(format!(
                    "the residence table was checked ({rows} rows); no report of this run uses it"
                ));
            }
        }
        let occasions = match &plan.occasions {
            Some(path) => throng_ingest::occasions(path, &places, &cells, zone).map_err(input_failure)?,
            None => Vec::new(),
        };
        let census = plan.census.as_deref();
        let census = census.map(|path| throng_ingest::census(path, &places, &plan.census_columns));
        let census = census.transpose().map_err(input_failure)?;
        let factors = plan.factors.as_deref();
        let factors = factors.map(|path| throng_ingest::factors(path, &places, plan.expansion_limit));
        let factors = factors.transpose().map_err(input_failure)?;
        let Places { tree, credits, .. } = places;
        let (cells, tree) = (Arc::new(cells), Arc::new(tree));
        let reports =
            Reports::new(&plan.reports, plan.calendar.clone(), tree, Arc::clone(&cells), plan.hold_us);
        let passed_over = throng_ingest::passed_over(&plan.events);
        if let Some(first) = passed_over.first() {
            let (files, first) = (passed_over.len(), first.display());
            notes.push(format!(
                "{files} files in the folders of events were passed over for their ending, the first {first}"
            ));
        }
        let bar = Arc::new(Bar::new(plan.progress, "reading", 0));
        Ok(Self {
            subscribers,
            opted_out,
            machines,
            occasions,
            census,
            factors,
            credits,
            plan: cells,
            reports,
            bar,
            notes,
        })
    }

    /// The events of the window and of its context.
    fn events(&self, plan: &Plan) -> Result<Events, Failure> {
        let files = throng_ingest::find_files(&plan.events).map_err(ingest_failure)?;
        let clock = Clock {
            zone: plan.calendar.zone().clone(),
            expired_before_us: plan.expired_before_us,
            from_us: plan.context_us.start,
            until_us: plan.context_us.end,
        };
        let progress: Arc<dyn throng_ingest::Progress> = self.bar.clone();
        let (columns, format) = (plan.columns.clone(), plan.format.clone());
        let events = Events::open(files, columns, format, clock, Some(Arc::clone(&self.plan)), progress)
            .map_err(ingest_failure)?
            .without_machines(&plan.machine_prefixes);
        Ok(if plan.asks_for_homes() { events.with_homes() } else { events })
    }

    /// Reads the input, as often as the memory makes necessary, and counts another share of people each time.
    fn gather_and_count(&self, plan: &Plan, events: &Events) -> Result<Gathered, Failure> {
        let frame = Frame {
            from_us: plan.context_us.start,
            until_us: plan.context_us.end,
            hold_us: plan.hold_us,
            versions: self.plan.versions().len(),
            files: events.paths().len(),
            memory: crowd_memory(plan, &self.reports)?,
        };
        let rows = events.estimated_rows();
        let mut shares = Shares::planned(planned_passes(rows, frame.memory));
        let mut gathered: Option<Gathered> = None;
        let mut pass = 0;
        while let Some(share) = shares.take() {
            pass += 1;
            self.announce(pass, shares.remaining(), rows);
            let (counted, tally) = self.take_share(events, &frame, share, &mut shares)?;
            gathered = Some(match gathered {
                None => {
                    // Rows that are left out take no memory: fewer passes may do than the files' sizes said.
                    let kept = part_of(tally.admitted(), shares.fraction());
                    shares.replan(planned_passes(kept, frame.memory));
                    Gathered { counted, tally, passes: 1 }
                }
                Some(sum) => {
                    unchanged(&sum.tally, &tally)?;
                    Gathered { counted: sum.counted.absorb(counted), tally: sum.tally, passes: pass }
                }
            });
        }
        self.bar.done();
        let mut gathered =
            gathered.ok_or_else(|| Failure::failed(anyhow!("nobody was counted, not even nobody")))?;
        let found = [(Reason::Duplicate, gathered.counted.duplicates.clone())];
        gathered.tally.settle(&found).map_err(Failure::failed)?;
        Ok(gathered)
    }

    fn take_share(
        &self,
        events: &Events,
        frame: &Frame,
        share: Share,
        shares: &mut Shares,
    ) -> Result<(Counted, <Events as Source>::Tally), Failure> {
        let gathered = Crowd::gather(events, &self.subscribers, frame, share);
        let (mut crowd, tally) = gathered.map_err(|error| match error {
            GatherError::Source(error) => ingest_failure(error),
            GatherError::Frame(error) => Failure::usage(error),
        })?;
        shares.give_back(crowd.left_over());
        Ok((throng_aggregator::count(crowd, &self.reports), tally))
    }

    fn announce(&self, pass: u64, more: usize, rows: u64) {
        if pass > 1 || more > 0 {
            self.bar.stage(format!("pass {pass}, {more} more"), pass * rows);
        } else {
            self.bar.stage("reading".to_owned(), rows);
        }
    }
}

/// Registers who opted out and which subscribers are machines; says how many of each are listed.
fn list_subscribers(plan: &Plan, subscribers: &mut Subscribers) -> Result<(u64, u64), Failure> {
    let opted_out = match (&plan.opt_out, &plan.opt_out_hash) {
        (Some(path), Some(hash)) => {
            subscribers.hash_with(hash.clone());
            let register = &mut |digest: &[u8]| subscribers.opt_out_digest(digest);
            throng_ingest::digests(path, hash.algorithm(), register).map_err(input_failure)?
        }
        (Some(path), None) => {
            throng_ingest::identifiers(path, &mut |id| subscribers.opt_out(id)).map_err(input_failure)?
        }
        (None, _) => 0,
    };
    let machines = match &plan.machines {
        Some(path) => {
            throng_ingest::identifiers(path, &mut |id| subscribers.machine(id)).map_err(input_failure)?
        }
        None => 0,
    };
    Ok((opted_out, machines))
}

/// What the crowd may take of the run's memory: the rest is for the counters and for decoding.
fn crowd_memory(plan: &Plan, reports: &Reports) -> Result<usize, Failure> {
    let tables = reports.memory(plan.threads);
    let left = (plan.memory / 8 * 7).saturating_sub(tables);
    if left < CROWD_MEMORY_MIN {
        let (needed, given) = (ByteSize(tables + 2 * CROWD_MEMORY_MIN), ByteSize(plan.memory));
        return Err(Failure::usage(anyhow!(
            "--memory {given} does not hold the counters of this window, step and number of threads; expected at least {needed}"
        )));
    }
    Ok(usize::try_from(left).unwrap_or(usize::MAX))
}

/// A crowd of less would be read for ever.
const CROWD_MEMORY_MIN: u64 = 16 << 20;

/// Passes over the input, if all rows are used: 16 bytes an event, and a tenth for blocks that are not full.
fn planned_passes(rows: u64, memory: usize) -> usize {
    let needed = u128::from(rows) * 16 * 11 / 10;
    usize::try_from(needed.div_ceil(memory.max(1) as u128)).unwrap_or(usize::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an estimate"
)]
fn part_of(rows: u64, fraction: f64) -> u64 {
    (rows as f64 * fraction).ceil() as u64
}

/// Every pass must read the same rows, or people would be counted twice or never.
fn unchanged(first: &Tally, again: &Tally) -> Result<(), Failure> {
    let rows =
        |tally: &Tally| tally.files.iter().map(|file| (file.rows_read, file.rejected)).collect::<Vec<_>>();
    if rows(first) == rows(again) {
        return Ok(());
    }
    Err(Failure::failed(anyhow!(
        "an event file changed while it was read several times; expected it to stay. Nothing was released"
    )))
}

/// Events that cannot be read: the inputs' fault, unless nothing is there or the system refuses.
pub(crate) fn ingest_failure(error: IngestError) -> Failure {
    let there = !matches!(error, IngestError::NoMatch { .. });
    if there && error.is_unusable_input() { Failure::inputs(error) } else { Failure::failed(error) }
}

/// A table that cannot be read, likewise.
pub(crate) fn input_failure(error: impl Into<anyhow::Error>) -> Failure {
    let error = error.into();
    let refused = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        // Bytes that do not decode are the input's fault, though they come as an error of reading.
        !matches!(
            cause.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::Other
        )
    });
    if refused { Failure::failed(error) } else { Failure::inputs(error) }
}

/// A release that cannot be written: wrong usage where the destination is not one.
fn release_failure(error: ReleaseError) -> Failure {
    match error {
        ReleaseError::NotARelease(_) | ReleaseError::NoFolder(_) | ReleaseError::Sealed(_) => {
            Failure::usage(error)
        }
        error => Failure::failed(error),
    }
}

/// Rows that the operator asked to leave out are no fault of the inputs.
fn asked_for(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WrongType
            | Reason::OutsideWindow
            | Reason::OptedOut
            | Reason::Machine
            | Reason::ImpossibleSpeed
            | Reason::PingPong
    )
}

/// Refuses inputs of which too much is unusable.
fn check_rejected(tally: &Tally, plan: &Plan) -> Result<(), Failure> {
    let rejected = tally.rejected();
    let of = |wanted: bool| -> u64 {
        Reason::ALL.into_iter().filter(|r| asked_for(*r) == wanted).map(|r| rejected[r as usize]).sum()
    };
    let (left_out, faulty, read) = (of(true), of(false), tally.rows_read());
    let judged = read - left_out;
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let share = if judged == 0 { 0.0 } else { faulty as f64 / judged as f64 };
    let trouble = if read == 0 {
        Some("the event files hold no rows; expected at least one".to_owned())
    } else if tally.admitted() == 0 {
        Some(format!("none of {} rows can be used", thousands(read)))
    } else if share > plan.max_rejected {
        let (faulty, judged, allowed) = (thousands(faulty), thousands(judged), 100.0 * plan.max_rejected);
        Some(format!("{faulty} of {judged} rows are faulty; --max-rejected allows {allowed} %"))
    } else {
        None
    };
    let Some(trouble) = trouble else { return Ok(()) };
    let mut text = format!("{trouble}. Nothing was released.\n{}", rows_table(tally));
    for file in &tally.files {
        if let Some(bad) = &file.first_bad {
            text.push_str(&format!("\n{}: {bad}", file.path.display()));
        }
    }
    Err(Failure::inputs(anyhow!(text)))
}

fn file_rows(
    path: Option<String>,
    rows_read: u64,
    rows_used: u64,
    rejected: &[u64; Reason::ALL.len()],
) -> FileRows {
    let rejected =
        Reason::ALL.into_iter().map(|r| (r.as_str().to_owned(), rejected[r as usize].into())).collect();
    FileRows { path, rows_read, rows_used, rejected }
}

fn withheld(tables: &[ProtectedTable], reports: &Reports, summary: &Summary) -> Vec<WithheldCells> {
    let covered = |name: &str| {
        summary
            .cells
            .iter()
            .filter(|count| count.table == name)
            .map(|count| count.published + count.withheld)
            .sum()
    };
    reports
        .tables()
        .map(|(name, table)| {
            let account = tables[table].account();
            let (too_few, protective) = (account.too_few, account.protective);
            WithheldCells { table: name, covered: covered(name), too_few, protective }
        })
        .collect()
}

/// Where the time of a run goes.
struct Stages {
    last: Instant,
    ended: Vec<Stage>,
}

impl Stages {
    fn start() -> Self {
        Self { last: Instant::now(), ended: Vec::new() }
    }

    fn end(&mut self, stage: &'static str) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.ended.push(Stage { stage, seconds });
    }

    fn total(&self) -> Duration {
        Duration::from_secs_f64(self.ended.iter().map(|stage| stage.seconds).sum())
    }
}

/// Rows read, used, and rejected by reason.
pub(crate) fn rows_table(tally: &Tally) -> String {
    let (read, rejected) = (tally.rows_read(), tally.rejected());
    let reasons = Reason::ALL.into_iter().map(|reason| (reason.as_str(), rejected[reason as usize]));
    let rows =
        [("read", read), ("used", tally.admitted())].into_iter().chain(reasons.filter(|(_, rows)| *rows > 0));
    table(
        &["rows", "", ""],
        rows.map(|(name, rows)| vec![name.to_owned(), thousands(rows), percent(rows, read)]),
    )
    .to_string()
}

/// What a person reads at a glance.
fn closing(
    plan: &Plan,
    room: &Room,
    tally: &Tally,
    devices: u64,
    summary: &Summary,
    stages: &Stages,
) -> Result<String, Failure> {
    let window = plan.calendar.window();
    let mut text = vec![format!(
        "{} to {} ({}), k = {}, {} rows in {:.1} s",
        window.from(),
        window.to(),
        plan.parameters.timezone,
        plan.parameters.k,
        thousands(tally.rows_read()),
        stages.total().as_secs_f64()
    )];
    text.push(String::new());
    text.push(rows_table(tally));
    text.push(format!("\ndevices   {} in {} cells", thousands(devices), thousands(room.plan.cells() as u64)));
    text.push(String::new());
    let levels = summary.cells.iter().map(|count| {
        let covered = count.published + count.withheld;
        let numbers = [count.published, count.withheld, count.no_coverage].map(thousands);
        let [published, withheld, no_coverage] = numbers;
        vec![
            format!("{}, {}", count.table, count.level),
            published,
            withheld,
            percent(count.withheld, covered),
            percent(count.withheld_devices, count.devices),
            no_coverage,
        ]
    });
    text.push(
        table(&["numbers", "published", "withheld", "", "of people", "no coverage"], levels).to_string(),
    );
    if !summary.busiest.is_empty() {
        text.push(String::new());
        let busiest = summary.busiest.iter().map(|busiest| {
            let at = Timestamp::from_millisecond(busiest.at_ms).map_err(Failure::failed)?;
            let at = at.to_zoned(plan.calendar.zone().clone()).strftime("%Y-%m-%d %H:%M").to_string();
            Ok(vec![format!("{} {}", busiest.place, busiest.name), thousands(busiest.people), at])
        });
        text.push(
            table(&["busiest communes", "people", "at"], busiest.collect::<Result<Vec<_>, Failure>>()?)
                .to_string(),
        );
    }
    for note in &room.notes {
        warning(note);
    }
    text.push(format!("\nrelease   {} (next: throng verify {0})", plan.out.display()));
    Ok(text.join("\n"))
}
