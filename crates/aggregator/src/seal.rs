//! The seal: days that have been released are not released again, for two releases of the same people give away by
//! subtraction what each of them withholds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::Date;

use crate::manifest::{Manifest, Parameters};

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

/// The releases of the same days that stand at a destination and beside it, as they were before the run.
pub struct Seal {
    standing: Vec<Standing>,
    supersede: bool,
}

impl Seal {
    /// Looks for releases of the same days at the destination and in the folders beside it.
    ///
    /// # Errors
    /// When one was made with other parameters, and is not to be superseded.
    pub fn find(out: &Path, parameters: &Parameters, supersede: bool) -> Result<Self, Sealed> {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        let hidden =
            |folder: &Path| folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let mut standing: Vec<Standing> = beside
            .filter(|folder| !hidden(folder))
            .filter_map(|folder| Standing::of_the_same_days(&folder, parameters))
            .collect();
        standing.sort_by(|a, b| a.folder.cmp(&b.folder));
        let seal = Self { standing, supersede };
        let other = |standing: &&Standing| {
            standing.manifest.as_ref().is_none_or(|manifest| manifest.parameters != *parameters)
        };
        match seal.standing.iter().find(other) {
            Some(standing) if !supersede => {
                let differs = "was made with other parameters or another version";
                Err(Sealed { folder: standing.folder.clone(), differs })
            }
            _ => Ok(seal),
        }
    }

    /// Seals a manifest: it names the releases that it supersedes. One with the same files as a release that stands
    /// is that release again, to the byte.
    ///
    /// # Errors
    /// When one that stands has other files, and is not to be superseded.
    pub(crate) fn close(&self, mut manifest: Manifest) -> Result<Manifest, Sealed> {
        let same = |standing: &Standing| {
            let open = |manifest: &Manifest| Manifest { supersedes: Vec::new(), ..manifest.clone() };
            standing.manifest.as_ref().is_some_and(|other| open(other) == open(&manifest))
        };
        let (again, others): (Vec<_>, Vec<_>) = self.standing.iter().partition(|standing| same(standing));
        if let Some(standing) = others.first()
            && !self.supersede
        {
            let differs = "its numbers are others: the inputs have changed since";
            return Err(Sealed { folder: standing.folder.clone(), differs });
        }
        let before = again.iter().filter_map(|standing| standing.manifest.as_ref());
        let before = before.flat_map(|manifest| manifest.supersedes.iter().cloned());
        let supersedes: BTreeSet<String> = others.iter().map(|s| s.blake3.clone()).chain(before).collect();
        manifest.supersedes = supersedes.into_iter().collect();
        Ok(manifest)
    }
}

/// The days of a manifest, of whatever version.
#[derive(serde::Deserialize)]
struct AnyDays {
    throng: String,
    parameters: Days,
}

#[derive(serde::Deserialize)]
struct Days {
    from: Date,
    to: Date,
}

impl Standing {
    fn of_the_same_days(folder: &Path, parameters: &Parameters) -> Option<Self> {
        let json = fs::read(folder.join(crate::release::MANIFEST)).ok()?;
        let AnyDays { throng, parameters: days } = serde_json::from_slice(&json).ok()?;
        let (from, to): (Date, Date) = (parameters.from.parse().ok()?, parameters.to.parse().ok()?);
        if throng.is_empty() || days.to < from || to < days.from {
            return None;
        }
        let blake3 = blake3::hash(&json).to_hex().to_string();
        Some(Self { folder: folder.to_owned(), blake3, manifest: serde_json::from_slice(&json).ok() })
    }
}
