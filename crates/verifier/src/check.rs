//! The checks of a release, in order: its files, its rows, and what a reader can work out from its numbers.

pub(crate) mod areas;
pub(crate) mod classes;
mod context;
pub(crate) mod crossed;
pub(crate) mod exact;
mod files;
pub(crate) mod flows;
pub(crate) mod hidden;
pub(crate) mod nested;
pub(crate) mod occasions;
pub(crate) mod partition;
pub(crate) mod residence;
mod rows;
mod sums;
pub(crate) mod tails;
pub(crate) mod window;
mod witnesses;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use throng_schema::{Format, Report};

use crate::{
    classes::Classes,
    crossing::Crossing,
    error::VerifierError,
    fault::{Fault, Faults},
    figures::Context,
    found::Found,
    occasions::{CATALOGUE, Occasions},
    release::{Day, Release, read_manifest},
};

/// How far to look.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Also by linear programmes, which take longer and tell more where sums go round in circles.
    pub solve: bool,
    /// The ledger of the run, whose witnesses show why no withheld number can be told to be small.
    pub ledger: Option<PathBuf>,
}

/// What a check has found, and how much it has looked at.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Verdict {
    /// What is wrong; nothing in a good release.
    pub faults: Vec<Fault>,
    /// Files that the manifest lists.
    pub files: u64,
    /// Rows of reports.
    pub rows: u64,
    /// Published numbers.
    pub published: u64,
    /// Tables whose numbers add up, one for each time.
    pub tables: u64,
    /// Withheld numbers in those tables.
    pub withheld: u64,
    /// The finest places with coverage in such a table, the most of any.
    pub atoms: u64,
    /// The least and the largest rank of what is published in such a table.
    pub ranks: Option<(u64, u64)>,
    /// Linear programmes that were solved, if any were asked for.
    pub programmes: Option<u64>,
    /// Linear programmes that the solver gave up.
    pub programmes_unsolved: u64,
    /// Pairs of published visitors of which one holds the other.
    pub pairs_of_visitors: u64,
    /// Pairs of published visitors and an instant of their period.
    pub pairs_of_presence: u64,
    /// Tables of two sides, places by residence or trips, that were looked at whole, one for each time.
    pub crossed_tables: u64,
    /// Such tables that were not: too large, or with numbers that stand for more than one count of devices.
    pub crossed_skipped: u64,
    /// What the witnesses say, if a ledger was given.
    pub witnesses: Option<Witnesses>,
}

/// What the witnesses of a ledger say.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Witnesses {
    /// Rows of their file.
    pub rows: u64,
    /// Whole tables of counts.
    pub tables: u64,
    /// Withheld numbers that one of them lifts to k or more.
    pub reach_k: u64,
    /// Withheld numbers that are zero in one of them.
    pub reach_zero: u64,
}

/// Checks a release with nothing but the release, and the ledger's witnesses if it is given.
///
/// # Errors
/// When the folder or the ledger cannot be read. What is wrong with a release is in the verdict.
pub fn verify(dir: &Path, options: &Options) -> Result<Verdict, VerifierError> {
    fs::read_dir(dir).map_err(VerifierError::io(dir))?;
    let mut claims = options.ledger.as_deref().map(witnesses::Claims::read).transpose()?;
    let (mut faults, mut verdict) = (Faults::default(), Verdict::default());
    check(dir, options, claims.as_mut(), &mut faults, &mut verdict);
    verdict.faults = faults.into_list();
    Ok(verdict)
}

/// The files of further formats: a folder each with a file for every part of a report, and one workbook.
fn further(formats: &[String], parts: &BTreeSet<String>, release: &Release) -> Vec<String> {
    let asked = |format: Format| formats.iter().any(|name| name == format.as_str());
    let mut files = Vec::new();
    for (name, report) in parts.iter().filter_map(|name| {
        let report =
            release.reports.iter().find(|report| name.starts_with(&format!("{}/", report.as_str())))?;
        Some((name, *report))
    }) {
        if asked(Format::Csv) {
            let stem = name.strip_suffix(".parquet").unwrap_or(name);
            files.push(format!("{}/{stem}.csv", Format::Csv.as_str()));
        }
        // An occasion is no place, and has no polygon.
        if asked(Format::GeoParquet) && report != Report::Occasions {
            files.push(format!("{}/{name}", Format::GeoParquet.as_str()));
        }
    }
    files.extend(asked(Format::Xlsx).then(|| "throng.xlsx".to_owned()));
    files
}

fn check(
    dir: &Path,
    options: &Options,
    mut claims: Option<&mut witnesses::Claims>,
    faults: &mut Faults,
    verdict: &mut Verdict,
) {
    let Some(manifest) = read_manifest(dir, faults) else { return };
    files::check(dir, &manifest, faults);
    verdict.files = manifest.files.len() as u64;
    let Some(release) = Release::read(dir, &manifest, faults) else { return };
    let mut expected = BTreeSet::from([crate::places::FILE.to_owned()]);
    let whole = whole(&release, &mut expected, faults, verdict);
    for date in &release.dates {
        let day = release.day(*date, faults);
        for part in day.parts() {
            rows::check(part, &release, faults, verdict);
            sums::check(part, &release, faults);
        }
        if let Some(presence) = &day.presence {
            hidden::check(presence, &release, options.solve, faults, verdict);
            if let Some(occasions) = &whole.occasions {
                let mut found = Found::default();
                areas::rules(presence, occasions, &release, &mut found);
                found.into_faults(&occasions.name, faults);
            }
            if let Some(claims) = &mut claims {
                claims.check(presence, &release, faults, verdict);
            }
        }
        nested::check(&day, &release, faults, verdict);
        if let Some(frequency) = &whole.frequency {
            classes::frequency_and_day(frequency, &day, &release, faults);
        }
        by_classes(*date, &day, &release, faults, verdict);
        let daily = release.reports.iter().filter(|report| Release::is_daily(**report));
        expected.extend(daily.map(|report| Release::file(*report, *date)));
    }
    if let Some(claims) = claims {
        claims.close(faults, verdict);
    }
    expected.extend(further(&manifest.parameters.formats, &expected, &release));
    let listed: BTreeSet<_> = manifest.files.iter().map(|file| file.path.clone()).collect();
    for name in expected.symmetric_difference(&listed) {
        faults.add(name, "the manifest lists the files that the parameters ask for", || {
            "listed or missing".to_owned()
        });
    }
}

/// The reports of all days together.
struct Whole {
    frequency: Option<Classes>,
    occasions: Option<Occasions>,
}

/// Looks at the reports that have one file for all days.
fn whole(
    release: &Release,
    expected: &mut BTreeSet<String>,
    faults: &mut Faults,
    verdict: &mut Verdict,
) -> Whole {
    let mut whole = Whole { frequency: None, occasions: None };
    if release.makes(Report::Frequency) {
        let name = Release::file_of_all(Report::Frequency);
        expected.insert(name.clone());
        whole.frequency = Classes::read(release, name, Report::Frequency, release.window(), faults);
    }
    if release.makes(Report::Occasions) {
        expected.extend([Release::file_of_all(Report::Occasions), CATALOGUE.to_owned()]);
        whole.occasions = Occasions::read(release, faults);
    }
    if let Some(frequency) = &whole.frequency {
        classes::frequency(frequency, release, faults, verdict);
    }
    if let Some(report) = &whole.occasions {
        occasions::check(report, release, faults, verdict);
    }
    whole
}

/// Looks at the reports of a day that have more than a number for every place, one after the other.
fn by_classes(date: Date, day: &Day, release: &Release, faults: &mut Faults, verdict: &mut Verdict) {
    for report in &release.reports {
        match report {
            Report::Residence => {
                if let Some(part) = Crossing::read(release, *report, date, faults) {
                    residence::check(&part, day, release, faults, verdict);
                }
            }
            Report::Flows => {
                if let Some(part) = Crossing::read(release, *report, date, faults) {
                    flows::check(&part, day, release, faults, verdict);
                }
            }
            Report::Dwell => {
                let (name, time) = (Release::file(*report, date), release.day_of(date));
                if let Some(part) = Classes::read(release, name, *report, time, faults) {
                    classes::dwell(&part, day, release, faults, verdict);
                }
            }
            Report::Context => {
                if let Some(part) = Context::read(release, date, faults) {
                    context::check(&part, day, release, faults, verdict);
                }
            }
            Report::Presence | Report::Visitors | Report::Frequency | Report::Occasions => {}
        }
    }
}
