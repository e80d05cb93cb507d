//! `throng run`: the pipeline, from files to a release.

use std::{
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use bytesize::ByteSize;
use jiff::Timestamp;
use throng_aggregator::{
    Claim, Expansion, FileRows, Further, Geometries, Kept, Ledger, Parameters, Release, ReleaseError, Report,
    Reports, Seal, Stage, Summary, WitnessFile,
};
use throng_anonymiser::{
    Carried, Counted, Crowd, Exit, Found, Frame, GatherError, Share, Shares, Source, Subscribers,
};
use throng_ingest::{Clock, Events, IngestError, Places, Reason, Tally};
use throng_schema::{Calendar, Occasion};

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

/// The whole program in one paragraph: one day after the other, so that memory does not grow with the days.
fn pipeline(plan: &Plan) -> Result<(), Failure> {
    let mut stages = Stages::start();
    let claim = Claim::new(&plan.out).map_err(release_failure)?;
    throng_aggregator::try_ledger(&plan.ledger).map_err(release_failure)?;
    let (room, further) = Room::furnish(plan)?;
    let (parameters, expansion) = (room.parameters(plan), &room.expansion);
    let seal = Seal::find(&claim, &parameters, plan.supersede).map_err(release_failure)?;
    let (reports, events) = (&room.reports, room.events(plan)?); // raw rows, rejected or admitted
    let mut release =
        Release::begin(reports, expansion, &parameters.timezone, further, &claim).map_err(release_failure)?;
    let mut witnesses = WitnessFile::begin(reports, &plan.ledger).map_err(Failure::failed)?;
    let (mut exit, carried) = (Exit::new(plan.policy), Carried::default());
    let (mut account, mut summary) = (Account::default(), Summary::default());
    let mut kept = Kept::new(reports);
    stages.end("prepare");
    for day in reports.calendar().days() {
        let today = reports.today(day);
        // Identifiers end here; nobody can read the counts.
        let sitting = room.sitting(plan, reports.context_us(day), &events, carried.bytes())?;
        let counted = sitting.count(&today.title(), &mut account, |crowd| {
            throng_aggregator::count(crowd, &today, &room.subscribers, &carried)
        })?;
        account.add(&counted.found);
        stages.end("read and count");
        check_rejected(account.tally(), plan)?;
        let Counted { tables, sparse, .. } = counted;
        let protected = exit.protect(tables, &today.guards(), sparse, &today.pair_guards()); // small groups end here
        today.keep(&protected, &mut exit);
        stages.end("protect");
        release.day(&today, &protected).map_err(release_failure)?;
        witnesses.add(&today, &protected.witnesses).map_err(Failure::failed)?;
        summary.add(&today, &protected, expansion).map_err(Failure::failed)?;
        kept.add(&today, &protected, expansion);
        stages.end("write");
    }
    let mut gatherings = Vec::new();
    for gathering in reports.gatherings() {
        let sitting = room.sitting(plan, gathering.context_us(), &events, carried.bytes())?;
        let counted = sitting
            .count(&gathering.title(), &mut account, |crowd| gathering.count(crowd, &room.subscribers))?;
        stages.end("read and count");
        let protected = throng_anonymiser::protect_guests(counted, &gathering.guard(&kept), &plan.policy);
        kept.add_guests(&gathering, &protected, &mut exit);
        gatherings.push((gathering, protected));
        stages.end("protect");
    }
    room.bar.done();
    let Settled { tally, passes } = account.settled()?;
    check_rejected(&tally, plan)?;
    let (devices, bytes_carried) = (carried.people(), carried.bytes());
    if reports.makes(Report::Frequency) {
        let (tree, covered, groups, classes) = reports.window_guard();
        let window = exit.window(&reports.count_window(carried), tree, covered, groups, &classes);
        stages.end("protect");
        release.window(&window).map_err(release_failure)?;
        summary.add_window(&window, reports);
    }
    if reports.makes(Report::Occasions) {
        release.occasions(&gatherings, &kept).map_err(release_failure)?;
    }
    let ready = release.close(parameters, &room.credits, &seal).map_err(release_failure)?;
    stages.end("write");
    let ledger = Ledger {
        throng: env!("CARGO_PKG_VERSION"),
        manifest_blake3: ready.manifest_blake3().to_owned(),
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
        bytes_carried,
        memory_peak_bytes: memory_peak_bytes(),
        withheld: summary.withheld.clone(),
        cells: summary.cells.clone(),
        timings: stages.ended.clone(),
    };
    // Both are on the disk before the release moves: where there is no room for them, there is no release either.
    let witnesses = witnesses.close().map_err(Failure::failed)?;
    let ledger = throng_aggregator::write_ledger(&ledger, &plan.ledger).map_err(Failure::failed)?;
    ready.publish().map_err(release_failure)?;
    drop(claim);
    witnesses.place().map_err(Failure::failed)?;
    let ledger_path = ledger.place().map_err(Failure::failed)?;
    say(&closing(plan, &room, &tally, devices, &summary, &stages)?)?;
    say(&format!("ledger    {} (internal: it never leaves)", ledger_path.display()))
}

/// Everything that stands ready before the first event is read.
struct Room {
    subscribers: Subscribers,
    opted_out: u64,
    machines: u64,
    expansion: Expansion,
    credits: Vec<&'static str>,
    plan: Arc<throng_schema::CellPlan>,
    reports: Reports,
    bar: Arc<Bar>,
    notes: Vec<String>,
}

/// What became of the rows, over all days.
#[derive(Default)]
struct Account {
    /// From the first reading, which judges every row.
    tally: Option<Tally>,
    /// Rows that the crowd took out, by reason and file.
    found: Option<[Vec<u64>; Found::ALL.len()]>,
    /// Readings of the input, or of a part of it.
    passes: u64,
}

/// An account that is complete.
struct Settled {
    tally: Tally,
    passes: u64,
}

impl Account {
    fn tally(&self) -> &Tally {
        static NONE: Tally = Tally { files: Vec::new() };
        self.tally.as_ref().unwrap_or(&NONE)
    }

    fn add(&mut self, found: &[Vec<u64>; Found::ALL.len()]) {
        let Some(sums) = &mut self.found else {
            self.found = Some(found.clone());
            return;
        };
        for (sums, found) in sums.iter_mut().zip(found) {
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
    }

    fn settled(self) -> Result<Settled, Failure> {
        let Self { tally: Some(mut tally), found: Some(found), passes } = self else {
            return Err(Failure::failed(anyhow!("nobody was counted, not even nobody")));
        };
        let found: Vec<_> = Found::ALL.map(reason).into_iter().zip(found).collect();
        tally.settle(&found).map_err(Failure::failed)?;
        Ok(Settled { tally, passes })
    }
}

/// Under which reason rows count that the crowd has taken out.
fn reason(found: Found) -> Reason {
    match found {
        Found::Duplicate => Reason::Duplicate,
        Found::Machine => Reason::Machine,
        Found::ImpossibleSpeed => Reason::ImpossibleSpeed,
        Found::PingPong => Reason::PingPong,
    }
}

impl Room {
    fn furnish(plan: &Plan) -> Result<(Self, Further), Failure> {
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
            let asked = plan.asks_for_homes();
            let reside = &mut |id: &[u8], place| {
                if asked {
                    subscribers.reside(id, place);
                }
            };
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
        let expansion = factors.map_or_else(|| plan.expansion.clone(), Expansion::Weighed);
        let Places { tree, credits, shapes } = places;
        let geometries = (!plan.formats.is_empty()).then(|| Geometries::new(&tree, &shapes));
        let further =
            Further { formats: plan.formats.clone(), geometries, census: census.unwrap_or_default() };
        let (cells, tree) = (Arc::new(cells), Arc::new(tree));
        let reports = Reports::new(
            &plan.reports,
            plan.calendar.clone(),
            tree,
            Arc::clone(&cells),
            (plan.hold_us, plan.min_stay_us),
            throng_ingest::country_of_mcc,
        );
        let reports = reports
            .with_occasions(within_window(occasions, &plan.calendar, &mut notes))
            .with_expansion(&expansion)
            .with_sifting(plan.sifting());
        let passed_over = throng_ingest::passed_over(&plan.events);
        if let Some(first) = passed_over.first() {
            let (files, first) = (passed_over.len(), first.display());
            notes.push(format!(
                "{files} files in the folders of events were passed over for their ending, the first {first}"
            ));
        }
        let bar = Arc::new(Bar::new(plan.progress, "reading", 0));
        let room =
            Self { subscribers, opted_out, machines, expansion, credits, plan: cells, reports, bar, notes };
        Ok((room, further))
    }

    /// The parameters of the release: those of the plan, and which table of factors was used.
    fn parameters(&self, plan: &Plan) -> Parameters {
        let expansion_version = match &self.expansion {
            Expansion::Factor(_) => None,
            Expansion::Weighed(factors) => Some(factors.version.clone()),
        };
        Parameters { expansion_version, ..plan.parameters.clone() }
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
        Ok(if self.reports.asks_for_homes() { events.with_homes() } else { events })
    }

    /// What reading a stretch of time needs.
    fn sitting<'a>(
        &'a self,
        plan: &'a Plan,
        context_us: Range<i64>,
        events: &'a Events,
        carried: u64,
    ) -> Result<Sitting<'a>, Failure> {
        let until_us = context_us.end.min(plan.context_us.end);
        let context_us = context_us.start.max(plan.context_us.start)..until_us;
        let frame = Frame {
            from_us: context_us.start,
            until_us: context_us.end,
            hold_us: plan.hold_us,
            versions: self.plan.versions().len(),
            files: events.paths().len(),
            memory: crowd_memory(plan, &self.reports, carried)?,
        };
        let bytes = part_of(events.estimated_bytes(), share_of_window(&context_us, &plan.context_us));
        Ok(Sitting { room: self, events, frame, bytes })
    }
}

/// A stretch of time whose events are read, counted and forgotten.
struct Sitting<'a> {
    room: &'a Room,
    events: &'a Events,
    frame: Frame,
    /// Bytes that its rows may take.
    bytes: u64,
}

impl Sitting<'_> {
    /// Reads what matters, as often as the memory makes necessary, and counts another share of people each time.
    fn count(
        &self,
        title: &str,
        account: &mut Account,
        count: impl Fn(Crowd) -> Counted,
    ) -> Result<Counted, Failure> {
        let Self { events, frame, .. } = self;
        let mut shares = Shares::planned(planned_passes(self.bytes, frame.memory));
        let (mut sum, mut first, mut pass) = (None::<Counted>, None::<Tally>, 0);
        while let Some(share) = shares.take() {
            pass += 1;
            account.passes += 1;
            let (mut crowd, tally) = match &account.tally {
                None => {
                    self.announce(title, pass, shares.remaining(), events.estimated_rows());
                    self.gather(*events, share)?
                }
                Some(tally) => {
                    let again = events.again(tally, frame.from_us, frame.until_us);
                    self.announce(title, pass, shares.remaining(), again.estimated_rows());
                    self.gather(&again, share)?
                }
            };
            match (&account.tally, &first) {
                (None, _) => account.tally = Some(tally),
                (Some(_), None) => first = Some(tally),
                (Some(_), Some(first)) => unchanged(first, &tally)?,
            }
            let left_over = crowd.left_over();
            if sum.is_none() {
                // Rows that are left out take no memory: fewer passes may do than the files' sizes said.
                let left = left_over.as_ref().map_or(0.0, Share::fraction);
                let taken = (1.0 - shares.fraction() - left).max(f64::MIN_POSITIVE);
                let rest = part_of(crowd.bytes(), (shares.fraction() + left) / taken);
                shares.give_back(left_over);
                shares.replan(planned_passes(rest, frame.memory));
            } else {
                shares.give_back(left_over);
            }
            let counted = count(crowd);
            sum = Some(match sum {
                None => counted,
                Some(sum) => sum.absorb(counted),
            });
        }
        sum.ok_or_else(|| Failure::failed(anyhow!("nobody was counted, not even nobody")))
    }

    fn gather<S: Source<Error = IngestError>>(
        &self,
        source: &S,
        share: Share,
    ) -> Result<(Crowd, S::Tally), Failure> {
        Crowd::gather(source, &self.room.subscribers, &self.frame, share).map_err(|error| match error {
            GatherError::Source(error) => ingest_failure(error),
        })
    }

    fn announce(&self, title: &str, pass: u64, more: usize, rows: u64) {
        let pass = if pass > 1 || more > 0 { format!(", pass {pass}, {more} more") } else { String::new() };
        self.room.bar.stage(format!("reading {title}{pass}"), rows);
    }
}

/// Only an occasion of which everything is read can be told of.
fn within_window(occasions: Vec<Occasion>, calendar: &Calendar, notes: &mut Vec<String>) -> Vec<Occasion> {
    let whole = |occasion: &Occasion| {
        calendar.start_us() <= occasion.from_us && occasion.until_us <= calendar.end_us()
    };
    let (within, left_out): (Vec<_>, Vec<_>) = occasions.into_iter().partition(whole);
    if let Some(first) = left_out.first() {
        let n = left_out.len();
        notes.push(format!("{n} occasions do not lie within the days of this run, the first {}", first.code));
    }
    within
}

/// What fraction of the window and its context a day and its context are.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn share_of_window(day: &Range<i64>, window: &Range<i64>) -> f64 {
    ((day.end - day.start) as f64 / (window.end - window.start).max(1) as f64).min(1.0)
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
fn crowd_memory(plan: &Plan, reports: &Reports, carried: u64) -> Result<usize, Failure> {
    let tables = reports.memory(plan.threads) + carried;
    let left = (plan.memory / 8 * 7).saturating_sub(tables);
    if left < CROWD_MEMORY_MIN {
        let (needed, given) = (ByteSize(tables + 2 * CROWD_MEMORY_MIN), ByteSize(plan.memory));
        return Err(Failure::usage(anyhow!(
            "--memory {given} does not hold the counters of a day, step and number of threads, and what is kept of people between days; expected at least {needed}"
        )));
    }
    Ok(usize::try_from(left).unwrap_or(usize::MAX))
}

/// A crowd of less would be read for ever.
const CROWD_MEMORY_MIN: u64 = 16 << 20;

/// Passes over the input, if all rows are used: their bytes, and a tenth for blocks that are not full.
fn planned_passes(bytes: u64, memory: usize) -> usize {
    let needed = u128::from(bytes) * 11 / 10;
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
        match self.ended.iter_mut().find(|ended| ended.stage == stage) {
            Some(ended) => ended.seconds += seconds,
            None => self.ended.push(Stage { stage, seconds }),
        }
    }

    fn total(&self) -> Duration {
        Duration::from_secs_f64(self.ended.iter().map(|stage| stage.seconds).sum())
    }
}

/// The most memory that this process had at once, as Linux tells it.
fn memory_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
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
    let busiest = summary.busiest(room.reports.tree()).map_err(Failure::failed)?;
    if !busiest.is_empty() {
        text.push(String::new());
        let busiest = busiest.iter().map(|busiest| {
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
