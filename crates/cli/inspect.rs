//! `throng inspect`: what files of events or a cell plan hold, and what would be rejected, without identifiers.

use std::{path::PathBuf, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};
use throng_anonymiser::{Crowd, Frame, GatherError, Share, Sitting, Subscribers};
use throng_ingest::{
    CellColumns, Clock, EventColumns, EventFormat, Events, IngestError, Places, Reason, Tally,
};
use throng_schema::{Calendar, CellPlan, Window};

use crate::{
    args::{InspectArgs, Settings, When},
    config::{self, DEFAULT_ZONE, expired_before_us, today},
    failure::{Failure, Kind},
    log,
    progress::Bar,
    run::{ingest_failure, input_failure, rows_table},
    speak::{say, table, thousands},
    watch,
};

/// The years that an inspection looks at; what lies outside is `outside_window`.
const FROM_US: i64 = 0;
const UNTIL_US: i64 = 4_102_444_800_000_000;

/// Memory for telling subscribers apart. Where it does not hold them all, their number is given as a least one.
const MEMORY: usize = 1 << 30;

/// Says what the files hold: as events if they have the columns of events, else as a cell plan.
pub(crate) fn inspect(args: InspectArgs) -> Result<(), Failure> {
    log::speak_as(args.log);
    let named: Value = args.paths.iter().map(|path| path.display().to_string()).collect();
    log::info("begun", "files are inspected", json!({ "paths": named }));
    let mut settings = match &args.config {
        Some(path) => config::read(path)?,
        None => Settings::default(),
    };
    settings.preset = args.preset.or(settings.preset);
    let zone_name =
        args.timezone.clone().or(settings.timezone.take()).unwrap_or_else(|| DEFAULT_ZONE.to_owned());
    let zone = config::zone(&zone_name)?;
    let (columns, format, cell_columns) = settings.columns();
    let known = if args.places.is_empty() { settings.places } else { args.places.clone() };
    let places = if known.is_empty() { Places::belgium() } else { Places::read(&known) };
    let places = places.map_err(input_failure)?;
    let as_of = args.as_of.or(settings.as_of).unwrap_or_else(|| today(&zone));
    let plan = match &args.cells.clone().or(settings.cells) {
        Some(path) => {
            let read = throng_ingest::cell_plan(std::slice::from_ref(path), &cell_columns, &places, &zone);
            Some(Arc::new(read.map_err(input_failure)?.0))
        }
        None => None,
    };
    match open(&args.paths, columns, format, &zone, as_of, plan.clone()) {
        Ok((events, bar)) => inspect_events(&events, &bar, plan.as_deref(), &zone),
        Err(Failure { kind: Kind::Inputs, error, .. }) if lacks_a_column(&error) => {
            inspect_cells(&args, &cell_columns, &places, &zone).map_err(|as_cells| {
                Failure::inputs(anyhow::anyhow!(
                    "neither events nor a cell plan\nas events: {error:#}\nas a cell plan: {as_cells}"
                ))
            })
        }
        Err(failure) => Err(failure),
    }
}

fn lacks_a_column(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<IngestError>(), Some(IngestError::NoColumn { .. }))
}

fn open(
    paths: &[PathBuf],
    columns: EventColumns,
    format: EventFormat,
    zone: &TimeZone,
    as_of: Date,
    plan: Option<Arc<CellPlan>>,
) -> Result<(Events, Arc<Bar>), Failure> {
    let window = Window::new(as_of, as_of).map_err(Failure::usage)?;
    let calendar = Calendar::new(window, zone.clone(), 900).map_err(Failure::usage)?;
    let expired_before_us = expired_before_us(as_of, &calendar)?;
    let clock = Clock { zone: zone.clone(), expired_before_us, from_us: FROM_US, until_us: UNTIL_US };
    let files = throng_ingest::find_files(paths).map_err(ingest_failure)?;
    let progress = if log::is_json() { When::Never } else { When::Auto };
    let bar = Arc::new(Bar::new(progress, "inspecting", 0));
    let progress: Arc<dyn throng_ingest::Progress> = bar.clone();
    let events = Events::open(files, columns, format, clock, plan, progress).map_err(ingest_failure)?;
    bar.stage("inspecting".to_owned(), events.estimated_rows());
    Ok((events, bar))
}

fn inspect_events(
    events: &Events,
    bar: &Bar,
    plan: Option<&CellPlan>,
    zone: &TimeZone,
) -> Result<(), Failure> {
    let subscribers = Subscribers::new().map_err(Failure::failed)?;
    let frame = Frame {
        from_us: FROM_US,
        until_us: UNTIL_US,
        hold_us: UNTIL_US,
        versions: plan.map_or(1, |plan| plan.versions().len()),
        files: events.paths().len(),
        memory: MEMORY,
    };
    let gathered = Crowd::gather(events, &subscribers, &frame, Share::whole());
    let (mut crowd, mut tally): (Crowd, Tally) = gathered.map_err(|error| match error {
        GatherError::Source(error) => ingest_failure(error),
    })?;
    bar.done();
    let whole = crowd.left_over().is_none();
    let counted = crowd.count(&Sitting::of(&[], &subscribers), |cell, _| Some(cell), None, |_, _| {});
    let [duplicates, ..] = &counted.found;
    tally.settle(&[(Reason::Duplicate, duplicates.clone())]).map_err(Failure::failed)?;
    let facts = events.facts();
    let rows = facts.iter().zip(&tally.files).map(|(facts, file)| {
        let (first, last) = file.times_us.map_or((None, None), |(first, last)| (Some(first), Some(last)));
        let when = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), |at| minute(at, zone));
        let name = format!("{} ({})", file.path.display(), facts.format.as_str());
        vec![name, thousands(file.rows_read), thousands(file.admitted), when(first), when(last)]
    });
    say(&table(&["file", "rows", "usable", "from", "to"], rows).to_string())?;
    if let Some(facts) = facts.first() {
        let columns: Vec<_> = facts.columns.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
        say(&format!("\ncolumns   {}", columns.join(", ")))?;
    }
    say(&format!("\n{}", rows_table(&tally)))?;
    for file in &tally.files {
        if let Some(bad) = &file.first_bad {
            say(&format!("first bad {}: {bad}", file.path.display()))?;
        }
    }
    let mut told = watch::rows(&tally, "rows_usable");
    told.extend([("exit_code".to_owned(), 0.into()), ("devices".to_owned(), counted.devices.into())]);
    told.insert("devices_whole".to_owned(), whole.into());
    log::info("ended", "events inspected", Value::Object(told));
    let devices =
        if whole { thousands(counted.devices) } else { format!("more than {}", thousands(counted.devices)) };
    say(&format!("devices   {devices}"))?;
    if plan.is_none() {
        say(
            "cells     not judged: unknown_cell is missing, and duplicate counts what differs in its cell alone; see --cells",
        )?;
    }
    if tally.rejected()[Reason::Duplicate as usize] > 0 && !whole {
        say("duplicates are those of a share of the subscribers; there are more")?;
    }
    Ok(())
}

/// A time to the minute, which tells what a file holds and nothing of one event.
fn minute(at_us: i64, zone: &TimeZone) -> String {
    Timestamp::from_microsecond(at_us).map_or_else(
        |_| "-".to_owned(),
        |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

fn inspect_cells(
    args: &InspectArgs,
    columns: &CellColumns,
    places: &Places,
    zone: &TimeZone,
) -> Result<(), Failure> {
    let (_, summary) = throng_ingest::cell_plan(&args.paths, columns, places, zone).map_err(input_failure)?;
    let told =
        json!({ "exit_code": 0, "rows": summary.rows, "cells": summary.cells, "outside": summary.outside });
    log::info("ended", "a cell plan inspected", told);
    let rows = [
        ("rows", summary.rows),
        ("cells", summary.cells as u64),
        ("versions (a cell for a stretch of time)", summary.versions as u64),
        ("placed by postal code", summary.by_code),
        ("placed by geometry", summary.by_geometry),
        ("cover no known place", summary.outside),
        ("never hold (valid from and to are one)", summary.never),
        ("postal codes served", summary.postal_codes as u64),
    ];
    say(&table(&["cell plan", ""], rows.map(|(name, n)| vec![name.to_owned(), thousands(n)])).to_string())
}
