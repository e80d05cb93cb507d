//! The seal: days that have been released are not released again, for two releases of the same people give away by
//! subtraction what each of them withholds.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    manifest::{Manifest, Parameters},
    release::{Claim, MANIFEST, ReleaseError, at, parent_and_name},
};

/// A release that stands, and whose days are about to be released again.
#[derive(Debug)]
struct Standing {
    folder: PathBuf,
    /// BLAKE3 of its manifest.
    blake3: String,
    /// None where the manifest is of another version.
    manifest: Option<Manifest>,
}

/// Days that would be released a second time, in another way.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} holds a release of some of these days, and {differs}; expected one release of a day, for readers could \
     subtract one from the other. --supersede replaces it, and the manifest says so",
    .folder.display()
)]
pub struct Sealed {
    folder: PathBuf,
    differs: &'static str,
}

/// What a run may release beside what stands there: looked at before the run, and again when it is done.
pub struct Seal {
    out: PathBuf,
    parameters: Parameters,
    supersede: bool,
}

impl Seal {
    /// Looks for releases of the same days at the claimed destination and in the folders beside it.
    ///
    /// # Errors
    /// When one was made with other parameters and is not to be superseded, or the folders cannot be read.
    pub fn find(claim: &Claim, parameters: &Parameters, supersede: bool) -> Result<Self, ReleaseError> {
        let seal = Self { out: claim.out.clone(), parameters: parameters.clone(), supersede };
        let other = |standing: &Standing| {
            standing.manifest.as_ref().is_none_or(|manifest| manifest.parameters != *parameters)
        };
        match seal.standing()?.into_iter().find(other) {
            Some(Standing { folder, .. }) if !supersede => {
                Err(Sealed { folder, differs: "was made with other parameters or another version" }.into())
            }
            _ => Ok(seal),
        }
    }

    /// Seals a manifest: it names the releases that it supersedes, and those that they did. One with the same files
    /// as a release that stands is that release again, to the byte.
    ///
    /// # Errors
    /// When one that stands is another and is not to be superseded, or the folders cannot be read.
    pub(crate) fn close(&self, mut manifest: Manifest) -> Result<Manifest, ReleaseError> {
        let same = |standing: &Standing| {
            let open = |manifest: &Manifest| Manifest { supersedes: Vec::new(), ..manifest.clone() };
            standing.manifest.as_ref().is_some_and(|other| open(other) == open(&manifest))
        };
        let standing = self.standing()?;
        let others: Vec<&Standing> = standing.iter().filter(|standing| !same(standing)).collect();
        if let Some(standing) = others.first()
            && !self.supersede
        {
            let differs = "its numbers are others: the inputs have changed since";
            return Err(Sealed { folder: standing.folder.clone(), differs }.into());
        }
        let before = standing.iter().filter_map(|standing| standing.manifest.as_ref());
        let before = before.flat_map(|manifest| manifest.supersedes.iter().cloned());
        let supersedes: BTreeSet<String> = others.iter().map(|s| s.blake3.clone()).chain(before).collect();
        manifest.supersedes = supersedes.into_iter().collect();
        Ok(manifest)
    }

    /// The releases of the same days at the destination and beside it, whatever their names, but for the folders in
    /// which runs prepare theirs.
    fn standing(&self) -> Result<Vec<Standing>, ReleaseError> {
        let (parent, _) = parent_and_name(&self.out)?;
        let mut standing = Vec::new();
        for entry in fs::read_dir(&parent).map_err(at(&parent))? {
            let folder = entry.map_err(at(&parent))?.path();
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let prepared =
                name.starts_with('.') && (name.ends_with(".partial") || name.ends_with(".replaced"));
            if !prepared {
                standing.extend(Standing::of_the_same_days(&folder, &self.parameters)?);
            }
        }
        standing.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(standing)
    }
}

/// As much of a manifest as says that it is one.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "that the fields are there is what tells a manifest")]
struct AnyManifest {
    throng: String,
    schema_version: u32,
}

/// The days of a manifest, of whatever version.
#[derive(serde::Deserialize)]
struct AnyDays {
    parameters: Days,
}

#[derive(serde::Deserialize)]
struct Days {
    from: String,
    to: String,
    timezone: String,
}

impl Days {
    /// From the first local midnight to the last.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let (from, to): (Date, Date) = (self.from.parse().ok()?, self.to.parse().ok()?);
        let zone = TimeZone::get(&self.timezone).ok()?;
        let midnight = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp());
        Some((midnight(from)?, midnight(to.checked_add(1.day()).ok()?)?))
    }
}

impl Standing {
    /// A release whose time overlaps that of the parameters; so does one that does not say its time.
    fn of_the_same_days(folder: &Path, parameters: &Parameters) -> Result<Option<Self>, ReleaseError> {
        let path = folder.join(MANIFEST);
        let json = match fs::read(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            read => read.map_err(at(&path))?,
        };
        if serde_json::from_slice::<AnyManifest>(&json).is_err() {
            return Ok(None); // another program's
        }
        let theirs = serde_json::from_slice::<AnyDays>(&json).ok().and_then(|any| any.parameters.span());
        let Parameters { from, to, timezone, .. } = parameters.clone();
        let ours = Days { from, to, timezone }.span();
        if let (Some((start, end)), Some((from, until))) = (theirs, ours)
            && (end <= from || until <= start)
        {
            return Ok(None);
        }
        let blake3 = blake3::hash(&json).to_hex().to_string();
        let manifest = serde_json::from_slice(&json).ok();
        Ok(Some(Self { folder: folder.to_owned(), blake3, manifest }))
    }
}
