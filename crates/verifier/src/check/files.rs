//! Every file is the one that was written, and none is there that the manifest does not list.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use throng_schema::{FileEntry, Manifest};

use crate::{fault::Faults, part::open, release::MANIFEST};

/// Every file has its hash and size, and no file is there that the manifest does not list.
pub(crate) fn check(dir: &Path, manifest: &Manifest, faults: &mut Faults) {
    for file in &manifest.files {
        if !is_plain_relative(&file.path) {
            faults.add(MANIFEST, "paths stay in the release", || "a path with a root or `..`".to_owned());
            continue;
        }
        match is_the_one(&dir.join(&file.path), file) {
            Ok(true) => {}
            Ok(false) => faults.add(&file.path, "the file is the one that was written", || {
                "BLAKE3 or size differ".to_owned()
            }),
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

/// Whether a file has the size and the hash of the manifest. A longer one is not read to its end.
fn is_the_one(path: &Path, entry: &FileEntry) -> io::Result<bool> {
    let (mut hash, mut file) = (blake3::Hasher::new(), open(path)?.take(entry.bytes.saturating_add(1)));
    let bytes = io::copy(&mut file, &mut hash)?;
    Ok(bytes == entry.bytes && hash.finalize().to_hex().as_str() == entry.blake3)
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
