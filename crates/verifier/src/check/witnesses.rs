//! The ledger's witnesses: other tables of counts with the same published numbers, in which withheld numbers are large.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::Range,
    path::Path,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType},
};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use throng_decoding::footer;
use throng_schema::Report;

use crate::{
    check::{Verdict, Witnesses, hidden::covered},
    error::VerifierError,
    fault::Faults,
    part::{Cell, Part, Row, Time, next, open, reader},
    places::Sums,
    release::Release,
};

const FILE: &str = "witnesses.parquet";

const COUNT: &str = "a witness counts no fewer than nobody";
const COVERAGE: &str = "a witness has devices in places of the finest level with coverage alone";
const ONCE: &str = "a witness names a place once";
const NUMBERS: &str = "a witness has the published numbers";
const REACH: &str = "some witness has k devices or more where a number is withheld";
const TIMES: &str = "witnesses are of reports that add up, at times of the release";

/// Devices of one witness in one place.
struct Entry {
    /// In milliseconds, as in the report; none where the report is not one that adds up.
    at_ms: Option<i64>,
    witness: i32,
    /// Into the names.
    place: u32,
    devices: i64,
}

/// Everything that the witnesses' file says.
pub(crate) struct Claims {
    names: Vec<(String, String)>,
    entries: Vec<Entry>,
    /// The entries of each time.
    at: HashMap<i64, Range<usize>>,
    used: usize,
    said: Witnesses,
}

impl Claims {
    pub(crate) fn read(ledger: &Path) -> Result<Self, VerifierError> {
        let path = ledger.join(FILE);
        let file = open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VerifierError::NoWitnesses(ledger.to_owned()),
            _ => VerifierError::io(&path)(error),
        })?;
        let wrong = |expected| VerifierError::Witnesses { path: path.clone(), row: None, expected };
        let metadata = footer(&file, ArrowReaderOptions::new()).map_err(VerifierError::io(&path))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            file.try_clone().map_err(VerifierError::io(&path))?,
            metadata.ok_or_else(|| wrong("a Parquet file"))?,
        );
        let mut reader = reader(builder, &file).ok_or_else(|| wrong("a Parquet file that is whole"))?;
        let mut known: HashMap<(String, String), u32> = HashMap::new();
        let (mut names, mut entries) = (Vec::new(), Vec::new());
        while let Some(batch) = next(&mut reader) {
            let batch = batch.map_err(|_| wrong("a Parquet file that is whole"))?;
            let columns = Columns::of(&batch).ok_or_else(|| {
                wrong(
                    "columns report, at, witness, level, place and devices, each of its type and never null",
                )
            })?;
            columns.read(&mut known, &mut names, &mut entries);
        }
        entries.sort_by_key(|entry: &Entry| (entry.at_ms, entry.witness));
        let mut at = HashMap::new();
        let mut start = 0;
        for group in entries.chunk_by(|a, b| a.at_ms == b.at_ms) {
            if let Some(at_ms) = group[0].at_ms {
                at.insert(at_ms, start..start + group.len());
            }
            start += group.len();
        }
        let said = Witnesses { rows: entries.len() as u64, ..Witnesses::default() };
        Ok(Self { names, entries, at, used: 0, said })
    }

    /// Checks the witnesses of every instant of a day.
    pub(crate) fn check(
        &mut self,
        part: &Part,
        release: &Release,
        faults: &mut Faults,
        verdict: &mut Verdict,
    ) {
        let Some(first) = part.rows.values().next() else { return };
        let sums = release.places.sums(&covered(first));
        let columns_of_atoms = sums.incidence.columns_of_atoms();
        let mut atom_of = vec![None; release.places.len()];
        for (atom, place) in sums.atoms.iter().enumerate() {
            atom_of[*place] = Some(atom);
        }
        let atoms: Vec<Option<usize>> = self
            .names
            .iter()
            .map(|(level, code)| release.places.find(level, code).and_then(|place| atom_of[place]))
            .collect();
        for (time, row) in part.rows.iter().filter(|(_, row)| covered(row) == sums.covered) {
            let range = self.at.get(&time.1).cloned().unwrap_or_default();
            self.used += range.len();
            let entries = &self.entries[range];
            let table = Table::new(row, &sums, &columns_of_atoms, release);
            let mut found = Found { table, faults: Vec::new(), said: &mut self.said };
            found.look(entries, &atoms);
            for (check, place) in found.faults {
                faults.add(FILE, check, || said(place, *time, release));
            }
        }
        verdict.witnesses = Some(self.said);
    }

    /// Says what was claimed of no time of the release.
    pub(crate) fn close(&self, faults: &mut Faults, verdict: &mut Verdict) {
        verdict.witnesses = Some(self.said);
        if self.used < self.entries.len() {
            let unused = self.entries.len() - self.used;
            faults.add(FILE, TIMES, || format!("{unused} rows of others"));
        }
    }
}

fn said(place: Option<usize>, time: Time, release: &Release) -> String {
    place.map_or_else(|| release.said(time), |place| release.cell_said(place, time))
}

/// The columns of a batch, found by name and of the types that they should have.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let fits = |name: &str, fits: &dyn Fn(&DataType) -> bool| {
            batch.column_by_name(name).is_some_and(|c| c.null_count() == 0 && fits(c.data_type()))
        };
        let text = |kind: &DataType| *kind == DataType::Utf8;
        let time = |kind: &DataType| matches!(kind, DataType::Timestamp(TimeUnit::Millisecond, _));
        let all = fits("report", &text)
            && fits("at", &time)
            && fits("witness", &|kind| *kind == DataType::Int32)
            && fits("level", &text)
            && fits("place", &text)
            && fits("devices", &|kind| *kind == DataType::Int64);
        all.then_some(Self(batch))
    }

    fn read(
        &self,
        known: &mut HashMap<(String, String), u32>,
        names: &mut Vec<(String, String)>,
        entries: &mut Vec<Entry>,
    ) {
        let text = |name: &str| self.0[name].as_string::<i32>();
        let (report, level, place) = (text("report"), text("level"), text("place"));
        let at = self.0["at"].as_primitive::<TimestampMillisecondType>();
        let witness = self.0["witness"].as_primitive::<Int32Type>();
        let devices = self.0["devices"].as_primitive::<Int64Type>();
        let mut last: Option<u32> = None;
        for i in 0..self.0.num_rows() {
            let is = |name: u32| {
                let (l, p): &(String, String) = &names[name as usize];
                l == level.value(i) && p == place.value(i)
            };
            let name = match last.filter(|last| is(*last)) {
                Some(last) => last,
                None => {
                    let key = (level.value(i).to_owned(), place.value(i).to_owned());
                    *known.entry(key).or_insert_with_key(|key| {
                        names.push(key.clone());
                        crate::incidence::index(names.len() - 1)
                    })
                }
            };
            last = Some(name);
            entries.push(Entry {
                at_ms: (report.value(i) == Report::Presence.as_str()).then(|| at.value(i)),
                witness: witness.value(i),
                place: name,
                devices: devices.value(i),
            });
        }
    }
}

/// One time of a report that adds up.
struct Table<'a> {
    row: &'a Row,
    sums: &'a Sums,
    columns_of_atoms: &'a [Vec<u32>],
    release: &'a Release,
}

impl<'a> Table<'a> {
    fn new(row: &'a Row, sums: &'a Sums, columns_of_atoms: &'a [Vec<u32>], release: &'a Release) -> Self {
        Self { row, sums, columns_of_atoms, release }
    }

    fn cell(&self, column: usize) -> Cell {
        self.row[self.sums.places[column]]
    }
}

/// What the witnesses of one time show.
struct Found<'a> {
    table: Table<'a>,
    /// Each with its place, if it is about one.
    faults: Vec<(&'static str, Option<usize>)>,
    said: &'a mut Witnesses,
}

/// The most of a withheld number in any witness, and whether it is 0 in one.
#[derive(Clone, Copy, Default)]
struct Reach {
    most: i64,
    zero: bool,
}

impl Found<'_> {
    /// The first witness is a whole table; each further one is that table but for the places that it names.
    ///
    /// So only the columns that hold such a place are summed again, and the work is linear in what is named.
    fn look(&mut self, entries: &[Entry], atoms: &[Option<usize>]) {
        let sums = self.table.sums;
        let mut reach = vec![Reach::default(); sums.places.len()];
        let mut base = vec![0_i64; sums.atoms.len()];
        let mut base_sums = vec![0_i64; sums.places.len()];
        let mut changes = vec![0_i64; sums.places.len()];
        let mut groups: Vec<&[Entry]> = entries.chunk_by(|a, b| a.witness == b.witness).collect();
        // A first witness that names no place is a table of nobody.
        if !entries.is_empty() && groups[0][0].witness != 0 {
            groups.insert(0, &[]);
        }
        for (nth, group) in groups.iter().enumerate() {
            self.said.tables += 1;
            let named = self.named(group, atoms);
            if nth == 0 {
                named.iter().for_each(|(atom, devices)| base[*atom] = *devices);
                for (column, sum) in base_sums.iter_mut().enumerate() {
                    let atoms = sums.incidence.column(column).iter();
                    *sum = atoms.map(|atom| base[*atom as usize]).fold(0, i64::saturating_add);
                    self.judge(column, *sum, &mut reach);
                }
                continue;
            }
            let mut touched = Vec::new();
            for (atom, devices) in named {
                for column in &self.table.columns_of_atoms[atom] {
                    touched.push(*column as usize);
                    let change = &mut changes[*column as usize];
                    *change = change.saturating_add(devices.saturating_sub(base[atom]));
                }
            }
            touched.sort_unstable();
            touched.dedup();
            for column in touched {
                let change = std::mem::take(&mut changes[column]);
                self.judge(column, base_sums[column].saturating_add(change), &mut reach);
            }
        }
        self.close(&reach);
    }

    /// The atoms that a witness names, with its devices there.
    fn named(&mut self, group: &[Entry], atoms: &[Option<usize>]) -> Vec<(usize, i64)> {
        let mut named = BTreeMap::new();
        for entry in group {
            let Some(atom) = atoms[entry.place as usize] else {
                self.faults.push((COVERAGE, None));
                continue;
            };
            let place = Some(self.table.sums.atoms[atom]);
            if entry.devices < 0 {
                self.faults.push((COUNT, place));
            }
            if named.insert(atom, entry.devices).is_some() {
                self.faults.push((ONCE, place));
            }
        }
        named.into_iter().collect()
    }

    fn judge(&mut self, column: usize, sum: i64, reach: &mut [Reach]) {
        match self.table.cell(column) {
            Cell::Published(people) => {
                let said = u64::try_from(sum).ok().map(|devices| self.table.release.factor.people(devices));
                // Without a single factor a number of devices says no number of people.
                if said != Some(None) && said != Some(Some(people)) {
                    self.faults.push((NUMBERS, Some(self.table.sums.places[column])));
                }
            }
            _ => {
                reach[column].most = reach[column].most.max(sum);
                reach[column].zero |= sum == 0;
            }
        }
    }

    fn close(&mut self, reach: &[Reach]) {
        let k = i64::try_from(self.table.release.k).unwrap_or(i64::MAX);
        for (column, reach) in reach.iter().enumerate() {
            if self.table.cell(column) != Cell::Withheld {
                continue;
            }
            self.said.reach_zero += u64::from(reach.zero);
            if reach.most >= k {
                self.said.reach_k += 1;
            } else {
                self.faults.push((REACH, Some(self.table.sums.places[column])));
            }
        }
    }
}
