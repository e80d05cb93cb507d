//! Every file is the one that was written, and none is there that the manifest does not list.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use throng_schema::Manifest;

use crate::{fault::Faults, release::MANIFEST};

/// Every file has its hash and size, and no file is there that the manifest does not list.
pub(crate) fn check(dir: &Path, manifest: &Manifest, faults: &mut Faults) {
    for file in &manifest.files {
        if !is_plain_relative(&file.path) {
            faults.add(MANIFEST, "paths stay in the release", || "a path with a root or `..`".to_owned());
            continue;
        }
        match fs::read(dir.join(&file.path)) {
            Ok(bytes) => {
                if blake3::hash(&bytes).to_hex().as_str() != file.blake3 || bytes.len() as u64 != file.bytes {
                    faults.add(&file.path, "the file is the one that was written", || {
                        "BLAKE3 or size differ".to_owned()
                    });
                }
            }
            Err(error) => faults.add(&file.path, "the file can be read", || error.kind().to_string()),
        }
    }
    let listed: BTreeSet<PathBuf> = manifest.files.iter().map(|file| dir.join(&file.path)).collect();
    for path in walk(dir) {
        if !listed.contains(&path) && path != dir.join(MANIFEST) {
            let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            faults.add(&name, "the manifest lists every file", || "not listed".to_owned());
        }
    }
}

fn is_plain_relative(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path()),
            _ => vec![entry.path()],
        })
        .collect()
}
