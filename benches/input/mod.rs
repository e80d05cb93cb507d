//! The input of every bench: synthetic Belgium of a set seed, made once for each size and kept under `target`.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{civil::date, tz::TimeZone};
use throng_aggregator::{Report, Reports};
use throng_anonymiser::Frame;
use throng_ingest::{CellColumns, Clock, EventColumns, EventFormat, Events, Places, Progress};
use throng_schema::{Calendar, CellPlan, PlaceTree, Window};
use throng_synth::{Format, Parameters, generate};

/// Events of the input: `THRONG_BENCH_EVENTS`, else a million, or a few when the benches are only tried.
pub(crate) fn events() -> u64 {
    let tried = std::env::args().any(|argument| argument == "--test");
    let asked = std::env::var("THRONG_BENCH_EVENTS").ok().and_then(|events| events.parse().ok());
    if tried { 20_000 } else { asked.unwrap_or(1_000_000) }
}

/// Nobody watches a bench.
struct Unwatched;

impl Progress for Unwatched {
    fn rows(&self, _: u64) {}
}

/// A day of so many events, 50 for each subscriber, and everything a run over it needs.
pub(crate) struct Input {
    pub(crate) folder: PathBuf,
    pub(crate) calendar: Calendar,
    pub(crate) tree: Arc<PlaceTree>,
    pub(crate) plan: Arc<CellPlan>,
}

pub(crate) const HOLD_US: i64 = 30 * 60 * 1_000_000;

impl Input {
    pub(crate) fn new(format: Format) -> Self {
        Self::of(format, events())
    }

    /// Twenty thousand events, for what is slow.
    pub(crate) fn small(format: Format) -> Self {
        Self::of(format, 20_000)
    }

    fn of(format: Format, events: u64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{events}-{format:?}"));
        if !folder.join("throng.toml").exists() {
            let _ = std::fs::remove_dir_all(&folder);
            let subscribers = events / 50;
            let parameters = Parameters {
                out: folder.clone(),
                subscribers,
                seed: 1,
                format,
                truth: false,
                ..Parameters::default()
            };
            generate(&parameters, &|_| {}).expect("an input can be made");
        }
        let zone = TimeZone::get("Europe/Brussels").expect("bundled");
        let day = Window::new(date(2026, 10, 15), date(2026, 10, 15)).expect("a day");
        let calendar = Calendar::new(day, zone.clone(), 900).expect("quarters");
        let places = Places::belgium().expect("built in");
        let cells = [folder.join("cells.csv")];
        let (plan, _) =
            throng_ingest::cell_plan(&cells, &CellColumns::default(), &places, &zone).expect("a plan");
        Self { folder, calendar, tree: Arc::new(places.tree), plan: Arc::new(plan) }
    }

    pub(crate) fn open(&self) -> Events {
        let files = throng_ingest::find_files(&[self.folder.join("events")]).expect("files");
        let (from_us, until_us) =
            (self.calendar.start_us() - 2 * HOLD_US, self.calendar.end_us() + 2 * HOLD_US);
        let clock =
            Clock { zone: self.calendar.zone().clone(), expired_before_us: i64::MIN, from_us, until_us };
        let (columns, format) = (EventColumns::default(), EventFormat::default());
        Events::open(files, columns, format, clock, Some(Arc::clone(&self.plan)), Arc::new(Unwatched))
            .expect("events")
    }

    pub(crate) fn frame(&self, files: usize) -> Frame {
        Frame {
            from_us: self.calendar.start_us() - 2 * HOLD_US,
            until_us: self.calendar.end_us() + 2 * HOLD_US,
            hold_us: HOLD_US,
            versions: self.plan.versions().len(),
            files,
            memory: 8 << 30,
        }
    }

    pub(crate) fn reports(&self) -> Reports {
        let (tree, plan) = (Arc::clone(&self.tree), Arc::clone(&self.plan));
        let wanted = [Report::Presence, Report::Visitors];
        let country = throng_ingest::country_of_mcc;
        Reports::new(&wanted, self.calendar.clone(), tree, plan, (HOLD_US, HOLD_US / 2), country)
    }
}
