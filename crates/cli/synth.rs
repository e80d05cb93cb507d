//! `throng synth`: a seeded day of Belgium with its ground truth.

use std::{path::Path, time::Instant};

use serde_json::json;
use throng_synth::{Area, Defects, Format, Parameters, SynthError, generate};

use crate::{
    args::{BenchArgs, SynthArgs, SynthFormat, When},
    failure::Failure,
    log,
    progress::Bar,
    speak::{say, table, thousands},
};

/// Fills the folder and says what is in it.
pub(crate) fn synth(args: &SynthArgs) -> Result<(), Failure> {
    log::speak_as(args.log);
    let parameters = parameters(args);
    let out = args.out.display().to_string();
    let asked = json!({ "out": out, "subscribers": args.subscribers, "days": args.days, "seed": args.seed });
    log::info("begun", &format!("{out} is filled"), asked);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate for the bar"
    )]
    let expected = (args.subscribers as f64 * f64::from(args.days) * args.events_per_day) as u64;
    let progress = if log::is_json() { When::Never } else { args.progress };
    let bar = Bar::new(progress, "writing", expected);
    let start = Instant::now();
    let summary = generate(&parameters, &|events| bar.reach(events)).map_err(failure)?;
    bar.done();
    let (seconds, events) = (start.elapsed().as_secs_f64(), summary.events);
    let made =
        json!({ "exit_code": 0, "out": out, "seconds": seconds, "events": events, "files": summary.files });
    log::info("ended", &format!("{} events written", thousands(events)), made);
    let injected = &summary.injected;
    let rows = [
        ("events", summary.events),
        ("subscribers", summary.subscribers),
        ("cells", summary.cells),
        ("files", summary.files),
        ("opted out", summary.opted_out),
        ("rows of ground truth", summary.truth_rows),
        ("rows out of time order", injected.out_of_order),
        ("duplicates", injected.duplicates),
        ("rows at unknown cells", injected.unknown_cells),
        ("malformed rows", injected.malformed + injected.ragged),
        ("ties in time", injected.ties),
    ];
    say(&table(&["synthetic", ""], rows.map(|(name, n)| vec![name.to_owned(), thousands(n)])).to_string())?;
    say(&format!(
        "\n{} in {:.1} s; next: throng run --config {} --out release",
        args.out.display(),
        start.elapsed().as_secs_f64(),
        args.out.join("throng.toml").display()
    ))
}

/// Fills a folder with the input of a bench.
pub(crate) fn fill(folder: &Path, args: &BenchArgs) -> Result<(), Failure> {
    let parameters = Parameters {
        out: folder.to_owned(),
        subscribers: args.subscribers,
        seed: args.seed,
        from: args.from,
        events_per_day: args.events_per_day,
        cells: Some(args.cells),
        format: format(args.format),
        truth: false,
        ..Parameters::default()
    };
    generate(&parameters, &|_| {}).map(|_| ()).map_err(failure)
}

fn failure(error: SynthError) -> Failure {
    match error {
        SynthError::Io { .. } => Failure::failed(error),
        error => Failure::usage(error),
    }
}

fn format(format: SynthFormat) -> Format {
    match format {
        SynthFormat::Parquet => Format::Parquet,
        SynthFormat::Csv => Format::Csv,
        SynthFormat::CsvGz => Format::CsvGz,
        SynthFormat::CsvZst => Format::CsvZst,
    }
}

fn parameters(args: &SynthArgs) -> Parameters {
    Parameters {
        out: args.out.clone(),
        subscribers: args.subscribers,
        days: args.days,
        seed: args.seed,
        from: args.from,
        events_per_day: args.events_per_day,
        cells: args.cells,
        format: format(args.format),
        area: if args.area.is_empty() { Area::Belgium } else { Area::Codes(args.area.clone()) },
        defects: if args.clean { Defects::none() } else { Defects::default() },
        sessions: args.sessions,
        moved_cells: args.moved_cells,
        geometry_only: args.geometry_only,
        truth: !args.no_truth,
        ..Parameters::default()
    }
}
