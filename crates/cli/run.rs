//! `throng run`: the pipeline, from files to a release.

use std::{io, ops::Range, sync::Arc};

use anyhow::anyhow;
use bytesize::ByteSize;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use throng_aggregator::{
    Claim, DayAccount, Expansion, FileRows, Further, Geometries, HeldLedger, Kept, Ledger, Parameters,
    Prepared, Reading, Release, ReleaseError, Remembered, Report, Reports, Seal, Summary, Warning,
    WitnessFile,
};
use throng_anonymiser::{
    Carried, Counted, Crowd, Exit, Found, Frame, GatherError, Share, Shares, Source, Subscribers,
};
use throng_ingest::{Clock, Events, FileTally, IngestError, Places, Reason, Tally};
use throng_schema::{Calendar, Occasion};

use crate::{
    args::{LogForm, RunArgs, When},
    config::{self, Plan},
    failure::Failure,
    log,
    progress::Bar,
    speak::{percent, say, table, thousands},
    watch::{self, Watch, warning},
};

/// Runs the pipeline as flags and config say.
pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    // A flag speaks before the config has been read, and wins over it.
    log::speak_as(args.settings.log.unwrap_or_default());
    let mut settings = match &args.config {
        Some(path) => args.settings.or(config::read(path)?),
        None => args.settings,
    };
    log::speak_as(settings.log.unwrap_or_default());
    if settings.log == Some(LogForm::Json) {
        settings.progress = Some(When::Never);
    }
    let plan = settings.into_plan()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.threads).build();
    let pool = pool.map_err(|error| Failure::failed(error).next_step("lower --threads"))?;
    pool.install(|| pipeline(&plan))
}

/// The whole program in one paragraph: one day after the other, so that memory does not grow with the days.
fn pipeline(plan: &Plan) -> Result<(), Failure> {
    let mut watch = Watch::begin(plan);
    let claim = Claim::new(&plan.out).map_err(release_failure)?;
    let _held = HeldLedger::hold(&plan.ledger).map_err(release_failure)?;
    let (room, further) = Room::furnish(plan, &mut watch)?;
    let (parameters, expansion) = (room.parameters(plan), &room.expansion);
    let seal = Seal::find(&claim, &parameters, plan.supersede).map_err(release_failure)?;
    let (reports, events) = (&room.reports, room.events(plan)?); // raw rows, rejected or admitted
    let mut release =
        Release::begin(reports, expansion, &parameters.timezone, further, &claim).map_err(release_failure)?;
    let mut witnesses = WitnessFile::begin(reports, &plan.ledger).map_err(Failure::failed)?;
    let (mut exit, carried) = (Exit::new(plan.policy), Carried::default());
    let (mut account, mut summary) = (Account::default(), Summary::default());
    let mut kept = Kept::new(reports);
    watch.end("prepare", None);
    for day in reports.calendar().days() {
        let today = reports.today(day);
        let title = today.title();
        // Identifiers end here; nobody can read the counts.
        let sitting = room.sitting(plan, reports.context_us(day), &events, carried.bytes())?;
        let (counted, reading) = sitting.count(&title, &mut account, |crowd| {
            throng_aggregator::count(crowd, &today, &room.subscribers, &carried)
        })?;
        let found = account.add(&counted.found);
        watch.end("read and count", Some(&title));
        check_rejected(account.tally(), plan)?;
        let Counted { tables, sparse, .. } = counted;
        let protected = exit.protect(tables, &today.guards(), sparse, &today.pair_guards()); // small groups end here
        today.keep(&protected, &mut exit);
        watch.end("protect", Some(&title));
        // Neither looks at what the other writes.
        let (released, witnessed) = rayon::join(
            || release.day(&today, &protected).map_err(release_failure),
            || witnesses.add(&today, &protected.witnesses).map_err(Failure::failed),
        );
        released.and(witnessed)?;
        let cells = summary.add(&today, &protected, expansion).map_err(Failure::failed)?;
        kept.add(&today, &protected, expansion);
        watch.end("write", Some(&title));
        watch.day(day.date, today.seen(), reading, found, cells);
    }
    let mut gatherings = Vec::new();
    for gathering in reports.gatherings() {
        let title = gathering.title();
        let sitting = room.sitting(plan, gathering.context_us(), &events, carried.bytes())?;
        let (counted, reading) =
            sitting.count(&title, &mut account, |crowd| gathering.count(crowd, &room.subscribers))?;
        watch.end("read and count", Some(&title));
        let protected = throng_anonymiser::protect_guests(counted, &gathering.guard(&kept), &plan.policy);
        kept.add_guests(&gathering, &protected, &mut exit);
        gatherings.push((gathering, protected));
        watch.end("protect", Some(&title));
        watch.occasions(title, reading);
    }
    room.bar.done();
    let Settled { tally, passes } = account.settled()?;
    check_rejected(&tally, plan)?;
    let days = watch.compare(plan, share_rejected(&tally));
    let (devices, bytes_carried) = (carried.people(), carried.bytes());
    if reports.makes(Report::Frequency) {
        let (tree, covered, groups, classes) = reports.window_guard();
        let window = exit.window(&reports.count_window(carried), tree, covered, groups, &classes);
        watch.end("protect", None);
        release.window(&window).map_err(release_failure)?;
        summary.add_window(&window, reports);
    }
    if reports.makes(Report::Occasions) {
        release.occasions(&gatherings, &kept).map_err(release_failure)?;
    }
    let ready = release.close(parameters, &room.credits, &seal).map_err(release_failure)?;
    watch.end("write", None);
    let (room, tally, summary, prepared) = (&room, &tally, &summary, room.prepared(&events));
    let done = Done { plan, room, tally, passes, devices, bytes_carried, summary, prepared };
    // The ledger is on the disk before the release moves: where there is no room for it, there is no release either.
    let witnesses = witnesses.close().map_err(Failure::failed)?;
    // Before the account, so that a warning of it is in the account.
    let history = watch::remember(plan, &days).map_err(|warning| watch.warn(warning)).ok();
    let ledger = done.ledger(ready.manifest_blake3().to_owned(), days, &watch);
    let account = throng_aggregator::write_ledger(&ledger, &plan.ledger).map_err(Failure::failed)?;
    ready.publish().map_err(release_failure)?;
    drop(claim);
    let placed = witnesses.place().and_then(|_| history.map(Remembered::place).transpose());
    let path = placed.and_then(|_| account.place()).map_err(|error| done.without_ledger(error))?;
    say(&done.closing(&watch)?)?;
    say(&format!("ledger    {} (internal: it never leaves)", path.display()))?;
    done.tell(&ledger, &watch);
    Ok(())
}

/// A run whose release is whole.
struct Done<'a> {
    plan: &'a Plan,
    room: &'a Room,
    tally: &'a Tally,
    passes: u64,
    devices: u64,
    bytes_carried: u64,
    summary: &'a Summary,
    prepared: Prepared,
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
    prepared: Prepared,
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

    /// Adds the rows that the crowd of a day took out; gives them by reason.
    fn add(&mut self, found: &[Vec<u64>; Found::ALL.len()]) -> Map<String, Value> {
        match &mut self.found {
            None => self.found = Some(found.clone()),
            Some(sums) => {
                for (sums, found) in sums.iter_mut().zip(found) {
                    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
                }
            }
        }
        let rows = found.iter().map(|by_file| Value::from(by_file.iter().sum::<u64>()));
        Found::ALL.map(|found| reason(found).as_str().to_owned()).into_iter().zip(rows).collect()
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
    fn furnish(plan: &Plan, watch: &mut Watch) -> Result<(Self, Further), Failure> {
        let places = if plan.places.is_empty() { Places::belgium() } else { Places::read(&plan.places) }
            .map_err(input_failure)?;
        let mut prepared = Prepared { places: places.tree.len() as u64, ..Prepared::default() };
        let zone = plan.calendar.zone();
        let (cells, summary) =
            throng_ingest::cell_plan(std::slice::from_ref(&plan.cells), &plan.cell_columns, &places, zone)
                .map_err(input_failure)?;
        prepared.cell_rows = summary.rows;
        prepared.cells = cells.cells() as u64;
        prepared.cells_outside = summary.outside;
        if summary.outside > 0 {
            watch.warn(cells_outside(summary.outside, summary.rows));
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
            prepared.residence_rows = rows;
            if !asked {
                watch.warn(residence_unused(rows));
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
        let (within, left_out) = within_window(occasions, &plan.calendar);
        (prepared.occasions, prepared.occasions_left_out) = (within.len() as u64, left_out.len() as u64);
        if let Some(first) = left_out.first() {
            watch.warn(occasions_left_out(left_out.len(), first));
        }
        let reports = reports.with_occasions(within).with_expansion(&expansion).with_sifting(plan.sifting());
        let passed_over = throng_ingest::passed_over(&plan.events);
        prepared.files_passed_over = passed_over.len() as u64;
        if let Some(first) = passed_over.first() {
            watch.warn(files_passed_over(passed_over.len(), first));
        }
        let bar = Arc::new(Bar::new(plan.progress, "reading", 0));
        let plan = cells;
        let room =
            Self { subscribers, opted_out, machines, expansion, credits, plan, reports, bar, prepared };
        Ok((room, further))
    }

    /// What stands ready, the event files among it.
    fn prepared(&self, events: &Events) -> Prepared {
        let (event_files, event_bytes) = (events.paths().len() as u64, events.bytes());
        Prepared { event_files, event_bytes, ..self.prepared.clone() }
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
    ) -> Result<(Counted, Reading), Failure> {
        let Self { events, frame, .. } = self;
        let mut shares = Shares::planned(planned_passes(self.bytes, frame.memory));
        let (mut sum, mut first, mut reading) = (None::<Counted>, None::<Tally>, Reading::default());
        while let Some(share) = shares.take() {
            reading.passes += 1;
            account.passes += 1;
            let pass = reading.passes;
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
            reading.rows_scanned += tally.rows_read();
            reading.crowd_bytes = reading.crowd_bytes.max(crowd.bytes());
            match (&account.tally, &first) {
                (None, _) => {
                    watch::tell_judged(&tally);
                    account.tally = Some(tally);
                }
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
            tell_pass(title, &reading, shares.remaining());
        }
        let sum = sum.ok_or_else(|| Failure::failed(anyhow!("nobody was counted, not even nobody")))?;
        Ok((sum, reading))
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

/// Says that one reading has ended, of a day or occasions that may need several.
fn tell_pass(of: &str, reading: &Reading, more: usize) {
    log::info(
        "pass_ended",
        &format!("{of}: pass {} read, {more} more", reading.passes),
        json!({
            "of": of,
            "pass": reading.passes,
            "more": more,
            "rows_scanned": reading.rows_scanned,
            "crowd_bytes": reading.crowd_bytes,
            "memory_peak_bytes": watch::memory_peak_bytes(),
        }),
    );
}

/// Only an occasion of which everything is read can be told of: those within the window, and the others.
fn within_window(occasions: Vec<Occasion>, calendar: &Calendar) -> (Vec<Occasion>, Vec<Occasion>) {
    let whole = |occasion: &Occasion| {
        calendar.start_us() <= occasion.from_us && occasion.until_us <= calendar.end_us()
    };
    occasions.into_iter().partition(whole)
}

fn cells_outside(outside: u64, rows: u64) -> Warning {
    let text = format!(
        "{} of {} rows of the cell plan cover no known place; their events are nowhere",
        thousands(outside),
        thousands(rows)
    );
    let next_step =
        "nothing, if these cells stand over the border or at sea; else correct their place in the plan";
    warning("cells_outside", text, next_step, json!({ "rows": rows, "outside": outside }))
}

fn residence_unused(rows: u64) -> Warning {
    let text =
        format!("the residence table was checked ({} rows); no report of this run uses it", thousands(rows));
    let next_step = "leave --residence out, or ask for the report residence by --reports";
    warning("residence_unused", text, next_step, json!({ "rows": rows }))
}

fn occasions_left_out(n: usize, first: &Occasion) -> Warning {
    let text = format!("{n} occasions do not lie within the days of this run, the first {}", first.code);
    let next_step = "nothing, if they are for other days; else widen --from and --to";
    warning("occasions_left_out", text, next_step, json!({ "occasions": n, "first": first.code }))
}

fn files_passed_over(n: usize, first: &std::path::Path) -> Warning {
    let first = first.display().to_string();
    let text =
        format!("{n} files in the folders of events were passed over for their ending, the first {first}");
    let next_step =
        "move them away, or give event files an ending that is read: .csv, .csv.gz, .csv.zst, .parquet";
    warning("files_passed_over", text, next_step, json!({ "files": n, "first": first }))
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
        let text = format!(
            "--memory {given} does not hold the counters of a day, step and number of threads, and what is kept of people between days; expected at least {needed}"
        );
        let next_step =
            format!("raise --memory to {needed} or more, lower --threads, or run fewer days at a time");
        return Err(Failure::usage(anyhow!(text)).next_step(next_step));
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
    let text =
        "an event file changed while it was read several times; expected it to stay. Nothing was released";
    Err(Failure::failed(anyhow!(text)).next_step("wait until the day's files are complete, then run again"))
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

/// The share of faulty rows among those that were not left out on purpose.
fn share_rejected(tally: &Tally) -> f64 {
    let (faulty, judged) = watch::faulty(tally);
    watch::share(faulty, judged)
}

/// Refuses inputs of which too much is unusable.
fn check_rejected(tally: &Tally, plan: &Plan) -> Result<(), Failure> {
    let (faulty, judged) = watch::faulty(tally);
    let read = tally.rows_read();
    let trouble = if read == 0 {
        Some("the event files hold no rows; expected at least one".to_owned())
    } else if tally.admitted() == 0 {
        Some(format!("none of {} rows can be used", thousands(read)))
    } else if watch::share(faulty, judged) > plan.max_rejected {
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
    Err(Failure::inputs(anyhow!(text))
        .next_step(watch::after_refusal(tally))
        .with(watch::rows(tally, "rows_used")))
}

/// The rows of one file.
fn file_rows(file: &FileTally) -> FileRows {
    let FileTally { path, rows_read, admitted, rejected, .. } = file;
    FileRows {
        path: Some(path.display().to_string()),
        rows_read: *rows_read,
        rows_used: *admitted,
        rejected: watch::by_reason(rejected),
        first_bad: watch::first_bad(file),
    }
}

/// The rows of all files.
fn all_rows(tally: &Tally) -> FileRows {
    let (rows_read, rows_used) = (tally.rows_read(), tally.admitted());
    let rejected = watch::by_reason(&tally.rejected());
    FileRows { path: None, rows_read, rows_used, rejected, first_bad: None }
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

impl Done<'_> {
    /// The account of the run.
    fn ledger(&self, manifest_blake3: String, days: Vec<DayAccount>, watch: &Watch) -> Ledger {
        let Self { plan, room, tally, summary, .. } = self;
        Ledger {
            throng: env!("CARGO_PKG_VERSION"),
            manifest_blake3,
            begun: log::rfc3339(watch.begun),
            ended: log::rfc3339(Timestamp::now()),
            as_of: plan.as_of.to_string(),
            run: all_rows(tally),
            share_rejected: share_rejected(tally),
            files: tally.files.iter().map(file_rows).collect(),
            devices_seen: self.devices,
            opted_out_listed: room.opted_out,
            machines_listed: room.machines,
            prepared: self.prepared.clone(),
            passes: self.passes,
            bytes_carried: self.bytes_carried,
            threads: plan.threads as u64,
            memory_bytes: plan.memory,
            memory_peak_bytes: watch::memory_peak_bytes(),
            withheld: summary.withheld.clone(),
            cells: summary.cells.clone(),
            days,
            occasions: watch.occasions.clone(),
            timings: watch.stages.clone(),
            warnings: watch.warnings.clone(),
        }
    }

    /// Tells the log that all went well, and how.
    fn tell(&self, ledger: &Ledger, watch: &Watch) {
        let Ledger { run, devices_seen, passes, memory_peak_bytes, timings, warnings, .. } = ledger;
        let seconds = watch.total().as_secs_f64();
        let message = format!(
            "released {} to {}: {} of {} rows used",
            self.plan.parameters.from,
            self.plan.parameters.to,
            thousands(run.rows_used),
            thousands(run.rows_read)
        );
        log::info(
            "ended",
            &message,
            json!({
                "exit_code": 0,
                "seconds": (seconds * 1_000.0).round() / 1_000.0,
                "rows_read": run.rows_read,
                "rows_used": run.rows_used,
                "rejected": run.rejected,
                "share_rejected": ledger.share_rejected,
                "devices": devices_seen,
                "passes": passes,
                "memory_peak_bytes": memory_peak_bytes,
                "cells": self.summary.by_table(),
                "timings": timings,
                "warnings": warnings.len(),
                "manifest_blake3": ledger.manifest_blake3,
                "out": self.plan.out.display().to_string(),
            }),
        );
    }

    /// The release is there, and its account is not.
    fn without_ledger(&self, error: ReleaseError) -> Failure {
        let text =
            format!("{error}. The release {} is in place, without its ledger", self.plan.out.display());
        let next_step = "see that the ledger's disk has room and may be written to, then run again: the release will be \
                         the same";
        Failure::failed(anyhow::Error::new(error).context(text)).next_step(next_step)
    }

    /// What a person reads at a glance.
    fn closing(&self, watch: &Watch) -> Result<String, Failure> {
        let Self { plan, room, tally, devices, summary, .. } = self;
        let window = plan.calendar.window();
        let mut text = vec![format!(
            "{} to {} ({}), k = {}, {} rows in {:.1} s",
            window.from(),
            window.to(),
            plan.parameters.timezone,
            plan.parameters.k,
            thousands(tally.rows_read()),
            watch.total().as_secs_f64()
        )];
        text.push(String::new());
        text.push(rows_table(tally));
        text.push(format!(
            "\ndevices   {} in {} cells",
            thousands(*devices),
            thousands(room.plan.cells() as u64)
        ));
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
        text.push(format!("\nrelease   {} (next: throng verify {0})", plan.out.display()));
        Ok(text.join("\n"))
    }
}
