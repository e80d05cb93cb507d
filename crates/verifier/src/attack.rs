//! The red team: what a reader who wants to know of small groups gets from a release, against what is known without it.

mod averaging;
mod classes;
mod differencing;
mod nested;
mod rotation;
mod sums;
mod truth;

use std::path::{Path, PathBuf};

use crate::{
    error::VerifierError,
    fault::Faults,
    release::{Day, Release, read_manifest},
};

/// What the attacker has beside the release, and how hard to try.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// A release of the same events with k = 1, to judge guesses by.
    pub truth: Option<PathBuf>,
    /// Another release of the same days, to subtract from this one.
    pub other: Option<PathBuf>,
    /// Also try linear programmes.
    pub solve: bool,
}

/// How far an attack gets.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gets {
    /// So many of what was looked at.
    Count(u64),
    /// Guesses that are off by so many devices on average.
    MeanError(f64),
}

/// One line of the red team's report.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Finding {
    /// What was tried, and what getting somewhere means.
    pub attack: &'static str,
    /// How many chances there were.
    pub looked_at: u64,
    /// How far it gets; none where there was no chance, or no truth to judge by.
    pub gets: Option<Gets>,
    /// How far who does not have the release gets; none where there is nothing to compare with.
    pub without: Option<Gets>,
}

impl Finding {
    fn count(attack: &'static str, looked_at: u64, gets: u64) -> Self {
        Self { attack, looked_at, gets: Some(Gets::Count(gets)), without: None }
    }

    fn without(self, count: u64) -> Self {
        Self { without: Some(Gets::Count(count)), ..self }
    }

    fn errors(attack: &'static str, with: &[f64], without: &[f64]) -> Self {
        let mean = |errors: &[f64]| {
            let count = u32::try_from(errors.len()).unwrap_or(u32::MAX);
            (count > 0).then(|| Gets::MeanError(errors.iter().sum::<f64>() / f64::from(count)))
        };
        Self { attack, looked_at: with.len() as u64, gets: mean(with), without: mean(without) }
    }
}

/// Attacks a release in every way that is known. It reports, and does not judge.
///
/// # Errors
/// When a release cannot be read as one.
pub fn attack(dir: &Path, means: &Means) -> Result<Vec<Finding>, VerifierError> {
    let release = open(dir)?;
    let truth = means.truth.as_deref().map(open).transpose()?;
    let other = means.other.as_deref().map(open).transpose()?;
    let mut sums = sums::Attack::new(means.solve);
    let mut averaging = averaging::Attack::new(&release);
    let mut rotation = rotation::Attack::default();
    let mut differencing = differencing::Attack::default();
    let mut nested = nested::Attack::default();
    let mut faults = Faults::default();
    let Some(mut classes) = classes::Attack::on_all(&release, &mut faults) else {
        return Err(missing(&release, "the reports of all days", faults));
    };
    for date in &release.dates {
        let day = read(&release, *date)?;
        nested.on(&day, &release);
        let mut faults = Faults::default();
        if classes.on(*date, &day, &release, &mut faults).is_none() {
            return Err(missing(&release, &format!("date={date}"), faults));
        }
        if let Some(other) = other.as_ref().filter(|other| other.dates.contains(date)) {
            differencing.on(&day, &release, &read(other, *date)?, other);
        }
        let Some(presence) = &day.presence else { continue };
        let truth = match &truth {
            Some(truth) => truth::Truth::of(&read(truth, *date)?, truth, &release),
            None => truth::Truth::default(),
        };
        let told = sums.on(presence, &release);
        averaging.on(presence, &told, &truth, &release);
        rotation.on(presence, &truth, &release);
    }
    let judged = truth.is_some();
    let mut findings = sums.findings();
    findings.extend(averaging.findings(judged));
    findings.extend(rotation.findings(judged, release.k));
    findings.extend(other.iter().flat_map(|_| differencing.findings()));
    findings.extend(nested.findings());
    findings.extend(classes.findings(&release));
    Ok(findings)
}

fn open(dir: &Path) -> Result<Release, VerifierError> {
    std::fs::read_dir(dir).map_err(VerifierError::io(dir))?;
    let mut faults = Faults::default();
    let manifest = read_manifest(dir, &mut faults);
    let release = manifest.and_then(|manifest| Release::read(dir, &manifest, &mut faults));
    release.ok_or_else(|| not_a_release(dir, faults))
}

fn not_a_release(dir: &Path, faults: Faults) -> VerifierError {
    let first = faults.into_list().into_iter().next();
    let fault = first.map_or_else(String::new, |fault| format!("{}: not so: {}", fault.file, fault.check));
    VerifierError::NotARelease { path: dir.to_owned(), fault }
}

/// A day whose files can all be read; single rows may still be at fault.
fn read(release: &Release, date: jiff::civil::Date) -> Result<Day, VerifierError> {
    let mut faults = Faults::default();
    let day = release.day(date, &mut faults);
    if day.parts().count() == Release::OF_PLACES.iter().filter(|report| release.makes(**report)).count() {
        return Ok(day);
    }
    Err(missing(release, &format!("date={date}"), faults))
}

fn missing(release: &Release, of: &str, mut faults: Faults) -> VerifierError {
    let expected = || "the file of a report can be read".to_owned();
    faults.add(of, "every report of the manifest has its file", expected);
    not_a_release(&release.dir, faults)
}
