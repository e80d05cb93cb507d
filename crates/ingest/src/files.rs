//! Finds the files of events: files, folders and globs in, one sorted list without repetitions out.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use crate::rejects::IngestError;

/// The endings by which a folder's files are known to be events.
const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".csv.zst", ".parquet"];

/// Files that stand beside data and hold none, by what their names begin with up to a dot, and by their endings.
const SIDE_STEMS: [&str; 3] = ["readme", "license", "licence"];
const SIDE_ENDINGS: [&str; 6] = [".md", ".crc", ".md5", ".sha1", ".sha256", ".sha512"];

/// How the bytes of a file are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Plain CSV.
    Csv,
    /// CSV in gzip.
    CsvGzip,
    /// CSV in Zstandard.
    CsvZstd,
    /// Parquet.
    Parquet,
}

impl FileFormat {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::CsvGzip => "csv.gz",
            Self::CsvZstd => "csv.zst",
            Self::Parquet => "parquet",
        }
    }

    /// Tells the format by the first bytes. A name that promises another format is an error, for the file is damaged.
    pub(crate) fn of(file: &Path) -> Result<Self, IngestError> {
        let mut first = Vec::with_capacity(4);
        let opened = File::open(file).and_then(|f| f.take(4).read_to_end(&mut first));
        opened.map_err(|source| IngestError::Io { file: file.to_owned(), source })?;
        let format = match *first.as_slice() {
            [b'P', b'A', b'R', b'1'] => Self::Parquet,
            [0x1f, 0x8b, ..] => Self::CsvGzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::CsvZstd,
            _ => Self::Csv,
        };
        match Self::promised(file) {
            Some(promised) if promised != format => {
                Err(IngestError::Damaged { file: file.to_owned(), row: None, expected: promised.beginning() })
            }
            _ => Ok(format),
        }
    }

    /// The format that a name leaves no doubt about.
    fn promised(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "parquet" => Some(Self::Parquet),
            "gz" => Some(Self::CsvGzip),
            "zst" => Some(Self::CsvZstd),
            _ => None,
        }
    }

    fn beginning(self) -> &'static str {
        match self {
            Self::Csv => "text",
            Self::CsvGzip => "gzip, as the name says, which begins with the bytes 1f 8b",
            Self::CsvZstd => "Zstandard, as the name says, which begins with the bytes 28 b5 2f fd",
            Self::Parquet => "Parquet, as the name says, which begins with PAR1",
        }
    }
}

/// Every file that the arguments mean, sorted by path, each once, whatever the order of the arguments.
///
/// A folder stands for the files below it whose names end in `.csv`, `.csv.gz`, `.csv.zst` or `.parquet`; names that
/// begin with `_` or `.` are passed over, as Spark and editors leave them. A file that is named is taken
/// whatever its ending.
///
/// # Errors
/// When an argument matches nothing, or a folder cannot be read.
pub fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, IngestError> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        search(path, &mut found)?;
        if found.len() == before {
            return Err(IngestError::NoMatch { path: path.clone() });
        }
    }
    found.sort();
    // One file under two spellings is still one file: read twice, all its rows would be duplicates.
    let mut seen = HashSet::new();
    found.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    Ok(found)
}

/// The files in folders that [`find_files`] leaves alone because of their ending, sorted: part of a day, perhaps.
///
/// Names that begin with `_` or `.` are none of them, nor files that only accompany others (a README, checksums), nor
/// is a folder that cannot be read.
#[must_use]
pub fn passed_over(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut entered = HashSet::new();
    // What is named beside its folder is read.
    let named: HashSet<PathBuf> = paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let is_named = |path: &Path| fs::canonicalize(path).is_ok_and(|real| named.contains(&real));
    let mut folders: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    while let Some(folder) = folders.pop() {
        if !fs::canonicalize(&folder).is_ok_and(|real| entered.insert(real)) {
            continue;
        }
        for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if is_set_aside(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if !has_known_ending(&path) && !only_accompanies(&path) && !is_named(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn search(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    if path.is_dir() {
        return walk(path, &mut HashSet::new(), found);
    }
    if path.exists() {
        found.push(path.to_owned());
        return Ok(());
    }
    let no_match = || IngestError::NoMatch { path: path.to_owned() };
    let matches = glob::glob(path.to_str().ok_or_else(no_match)?).map_err(|_| no_match())?;
    for matched in matches {
        let file = matched.map_err(|e| IngestError::Io { file: e.path().to_owned(), source: e.into() })?;
        if is_set_aside(&file) {
            continue;
        }
        search_matched(file, found)?;
    }
    Ok(())
}

fn search_matched(file: PathBuf, found: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    if file.is_dir() {
        return walk(&file, &mut HashSet::new(), found);
    }
    found.push(file);
    Ok(())
}

/// Links may lead in a circle, so each folder is entered once.
fn walk(folder: &Path, entered: &mut HashSet<PathBuf>, found: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    let failed = |source| IngestError::Io { file: folder.to_owned(), source };
    if !entered.insert(fs::canonicalize(folder).map_err(failed)?) {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_set_aside(&path) {
            continue;
        }
        if path.is_dir() {
            walk(&path, entered, found)?;
        } else if has_known_ending(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_set_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'_' | b'.')))
}

fn has_known_ending(path: &Path) -> bool {
    let name = lower_case_name(path);
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn only_accompanies(path: &Path) -> bool {
    let name = lower_case_name(path);
    let stem = name.split('.').next().unwrap_or_default();
    SIDE_STEMS.contains(&stem) || SIDE_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn lower_case_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[PathBuf], folder: &Path) -> Vec<String> {
        let name = |file: &PathBuf| file.strip_prefix(folder).expect("inside").display().to_string();
        found.iter().map(name).collect()
    }

    #[test]
    fn files_folders_and_patterns_give_one_sorted_list() {
        let temporary = tempfile::tempdir().expect("folder");
        let folder = temporary.path();
        fs::create_dir_all(folder.join("day=1/_temporary")).expect("folder");
        let files = [
            "b.csv",
            "a.csv.gz",
            "c.csv.zst",
            "day=1/p.parquet",
            "odd.dat",
            "notes.txt",
            "_SUCCESS",
            ".x.csv",
        ];
        for name in
            files.into_iter().chain(["day=1/_temporary/p.parquet", "day=1/.p.parquet.crc", "z[1].csv"])
        {
            fs::write(folder.join(name), "x").expect("written");
        }
        let all = find_files(&[folder.to_owned()]).expect("found");
        assert_eq!(names(&all, folder), ["a.csv.gz", "b.csv", "c.csv.zst", "day=1/p.parquet", "z[1].csv"]);

        let mut arguments = vec![
            folder.join("odd.dat"),
            folder.join("*.csv*"),
            folder.join("day=1"),
            folder.join("day=1/../b.csv"),
            folder.join("z[1].csv"),
        ];
        let found = find_files(&arguments).expect("found");
        let expected = ["a.csv.gz", "b.csv", "c.csv.zst", "day=1/p.parquet", "odd.dat", "z[1].csv"];
        assert_eq!(names(&found, folder), expected);
        arguments.reverse();
        assert_eq!(find_files(&arguments).expect("found"), found);
    }

    #[test]
    fn an_argument_that_matches_nothing_is_named() {
        let temporary = tempfile::tempdir().expect("folder");
        fs::write(temporary.path().join("a.txt"), "x").expect("written");
        for argument in ["none.csv", "*.csv", ""] {
            let path = temporary.path().join(argument);
            let error = find_files(std::slice::from_ref(&path)).expect_err("refused").to_string();
            assert_eq!(
                error,
                format!(
                    "{}: nothing there; expected a file, a folder or a pattern with events in .csv, .csv.gz, .csv.zst or .parquet",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn files_with_another_ending_are_known_to_be_passed_over() {
        let folder = tempfile::tempdir().expect("folder");
        for name in [
            "a.csv",
            "b.csv.bz2",
            "deep/c.txt",
            "deep/d.parquet",
            "_SUCCESS",
            ".e.crc",
            "README.md",
            "readme.txt",
            "LICENSE",
            "a.csv.crc",
            "a.csv.sha256",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("made");
            fs::write(path, "x").expect("written");
        }
        let expected = ["b.csv.bz2", "deep/c.txt"].map(|name| folder.path().join(name));
        assert_eq!(passed_over(&[folder.path().to_owned()]), expected);
        assert_eq!(
            passed_over(&[folder.path().join("deep"), folder.path().to_owned()]),
            expected,
            "each once"
        );
        assert_eq!(passed_over(&[folder.path().to_owned(), expected[0].clone()]), expected[1..]);
        for alone in ["a.csv", "b.csv.bz2", "*.csv", "none"] {
            assert_eq!(passed_over(&[folder.path().join(alone)]), Vec::<PathBuf>::new(), "{alone}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_are_entered_once() {
        let temporary = tempfile::tempdir().expect("folder");
        fs::write(temporary.path().join("a.csv"), "x").expect("written");
        std::os::unix::fs::symlink(temporary.path(), temporary.path().join("again")).expect("linked");
        assert_eq!(find_files(&[temporary.path().to_owned()]).expect("found").len(), 1);
    }
}
