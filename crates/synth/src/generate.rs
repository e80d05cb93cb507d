//! The whole generation as one paragraph: chunks of people, day after day, hour by hour into files.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rayon::prelude::*;

use crate::{
    antennas::Antennas,
    clock::{HOUR_US, LocalText, Waking, midnight_us},
    dice::{Dice, Purpose},
    files::{self, Names},
    folder::{self, Lists, TextFile},
    land::{CodeIx, Land},
    parameters::{Festival, Injected, Parameters, Summary, SynthError},
    person::Person,
    schedule::{self, Evening, Timeline, World},
    signalling::{Row, Signalling},
    truth::{self, Diary},
};

/// How long before the first midnight and after the last one there are events.
const CONTEXT_US: i64 = 2 * HOUR_US;
/// Rows of one chunk on one day, about: what is in memory at a time.
const CHUNK_ROWS: f64 = 3_300_000.0;
/// People of one chunk at most: their identifiers make the dictionary of a file.
const CHUNK_PEOPLE: u64 = 65_536;
/// Rows of one file, about.
const FILE_ROWS: f64 = 420_000.0;
/// People whose day one thread plans at a stretch.
const TEAM: usize = 1_024;

/// Writes a synthetic Belgium into `parameters.out`, on the threads of the current rayon pool.
///
/// `progress` is called now and then, from any thread, with the number of events written so far.
///
/// # Errors
/// When a parameter makes no sense, the folder is not empty, or a file cannot be written.
pub fn generate(parameters: &Parameters, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, SynthError> {
    parameters.check()?;
    let frame = Frame::of(parameters)?;
    let land = Land::of(&parameters.area)?;
    folder::prepare(&parameters.out)?;

    let (move_date, move_us) = frame.halfway()?;
    let antennas = Antennas::build(parameters, &land, move_date, move_us);
    write_plan(parameters, &land, &antennas)?;
    let festival = evening(parameters, &land, &frame);
    let world = World { seed: parameters.seed, land: &land, festival };
    let signalling = Signalling::new(parameters, &antennas, &land);

    let shared =
        Shared { parameters, frame: &frame, world: &world, antennas: &antennas, signalling: &signalling };
    let (mut lists, mut tally, written) =
        (Lists::create(&parameters.out)?, Tally::default(), AtomicU64::new(0));
    let told = |rows: u64| progress(written.fetch_add(rows, Ordering::Relaxed) + rows);
    for chunk in 0..shared.chunks() {
        let people = shared.people(chunk);
        lists.add(&people)?;
        tally.add(&Chunk::new(&shared, chunk, &people).run(&told)?);
    }
    let summary = Summary {
        events: tally.events,
        subscribers: parameters.subscribers,
        cells: antennas.planned() as u64,
        files: tally.files,
        opted_out: lists.finish()?,
        truth_rows: tally.truth_rows,
        injected: tally.injected,
        festival: Festival {
            postal_code: land.codes[festival.code as usize].code.to_owned(),
            start: Timestamp::from_microsecond(festival.start_us)?,
            end: Timestamp::from_microsecond(festival.end_us)?,
        },
    };
    folder::write_config(parameters, frame.last, frame.last.tomorrow()?)?;
    folder::write_readme(parameters, frame.last, &summary)?;
    Ok(summary)
}

fn write_plan(parameters: &Parameters, land: &Land, antennas: &Antennas) -> Result<(), SynthError> {
    let (path, mut text) = (parameters.out.join("cells.csv"), Vec::new());
    antennas.write(land, parameters, &mut text).map_err(folder::at(&path))?;
    let mut file = TextFile::create(path)?;
    file.write(&text)?;
    file.finish()
}

/// The first Saturday evening of the window, or else its middle one, at a code that the seed picks.
fn evening(parameters: &Parameters, land: &Land, frame: &Frame) -> Evening {
    let days = &frame.days[1..];
    let saturday = days.iter().find(|day| day.date.weekday() == jiff::civil::Weekday::Saturday);
    let day = saturday.unwrap_or(&days[(days.len() - 1) / 2]);
    let mut dice = Dice::new(parameters.seed, Purpose::Festival, u64::MAX, 0);
    let code = dice.weighted(&land.residents) as CodeIx;
    Evening { day: day.number, code, start_us: day.at(18.0 * 60.0), end_us: day.at(24.5 * 60.0) }
}

/// The days, laid on the local clock.
struct Frame {
    /// The waking days: the one before the window, then those of the window.
    days: Vec<Waking>,
    last: Date,
    zone: TimeZone,
    first_midnight_us: i64,
    local: LocalText,
}

impl Frame {
    fn of(parameters: &Parameters) -> Result<Self, SynthError> {
        let zone = TimeZone::get(&parameters.zone)
            .map_err(|source| SynthError::Zone { zone: parameters.zone.clone(), source })?;
        let eve = parameters.from.yesterday()?;
        let days = (0..=i64::from(parameters.days))
            .map(|n| Waking::of(eve.checked_add(n.days())?, &zone))
            .collect::<Result<Vec<_>, _>>()?;
        let last = days.last().map_or(eve, |day| day.date);
        let local =
            LocalText::between(days[0].dawn_us(), days[days.len() - 1].end_us() + 24 * HOUR_US, &zone)?;
        let first_midnight_us = midnight_us(parameters.from, &zone)?;
        Ok(Self { days, last, zone, first_midnight_us, local })
    }

    /// The window's first and last day, as numbers.
    fn numbers(&self) -> (i64, i64) {
        (self.days[1].number, self.days[self.days.len() - 1].number)
    }

    /// The date in the middle of the window, and its midnight.
    fn halfway(&self) -> Result<(Date, i64), SynthError> {
        let date = self.days[1 + (self.days.len() - 1) / 2].date;
        Ok((date, midnight_us(date, &self.zone)?))
    }
}

/// What every chunk needs to know.
struct Shared<'a> {
    parameters: &'a Parameters,
    frame: &'a Frame,
    world: &'a World<'a>,
    antennas: &'a Antennas,
    signalling: &'a Signalling<'a>,
}

impl Shared<'_> {
    fn chunk_people(&self) -> u64 {
        ((CHUNK_ROWS / self.parameters.events_per_day) as u64).clamp(1, CHUNK_PEOPLE)
    }

    fn chunks(&self) -> u64 {
        self.parameters.subscribers.div_ceil(self.chunk_people())
    }

    fn people(&self, chunk: u64) -> Vec<Person> {
        let start = chunk * self.chunk_people();
        let end = (start + self.chunk_people()).min(self.parameters.subscribers);
        let draw = |index| Person::draw(self.parameters, self.world.land, index as u32, self.frame.numbers());
        (start..end).into_par_iter().map(draw).collect()
    }
}

/// What has been written.
#[derive(Default)]
struct Tally {
    events: u64,
    files: u64,
    truth_rows: u64,
    injected: Injected,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.files += other.files;
        self.truth_rows += other.truth_rows;
        self.injected.add(&other.injected);
    }
}

/// Some people through all days. Chunks know nothing of each other, so memory grows neither with days nor people.
struct Chunk<'a> {
    shared: &'a Shared<'a>,
    number: u64,
    people: &'a [Person],
    /// How many files the chunk has on a date.
    parts: usize,
    /// One diary for each team.
    diaries: Vec<Diary>,
    /// Rows that reach a file only after the midnight that was last passed.
    night: Vec<Row>,
}

/// The rows of some people on one waking day, by file; the last list is for the next day.
type Sorted = Vec<Vec<Row>>;

impl<'a> Chunk<'a> {
    fn new(shared: &'a Shared<'a>, number: u64, people: &'a [Person]) -> Self {
        let rows = shared.chunk_people().min(shared.parameters.subscribers) as f64
            * shared.parameters.events_per_day;
        let parts = ((rows / FILE_ROWS) as usize).clamp(4, 8);
        let diaries = people.chunks(TEAM).map(|_| Diary::default()).collect();
        Self { shared, number, people, parts, diaries, night: Vec::new() }
    }

    fn run(mut self, told: &(dyn Fn(u64) + Sync)) -> Result<Tally, SynthError> {
        let days = &self.shared.frame.days;
        let mut tally = Tally::default();
        for (n, day) in days.iter().enumerate() {
            let from_us =
                if n == 0 { self.shared.frame.first_midnight_us - CONTEXT_US } else { day.dawn_us() };
            let mut teams = self.live(day, from_us);
            let night = std::mem::take(&mut self.night);
            teams.push(self.sort(day, night));
            self.night = teams.iter_mut().flat_map(|team| team.pop().unwrap_or_default()).collect();
            tally.add(&self.write_events(day.date, &teams, told)?);
            if self.shared.parameters.truth {
                tally.truth_rows += self.write_truth(day, n > 0)?;
            }
        }
        let last = &days[days.len() - 1];
        let context_us = last.midnight_us() + CONTEXT_US;
        let night =
            std::mem::take(&mut self.night).into_iter().filter(|row| row.at_us < context_us).collect();
        tally.add(&self.write_events(last.date.tomorrow()?, &[vec![night]], told)?);
        Ok(tally)
    }

    /// Lets everyone live a waking day, and collects the rows they cause.
    fn live(&mut self, day: &Waking, from_us: i64) -> Vec<Sorted> {
        let (shared, people, parts) = (self.shared, self.people, self.parts);
        let truth = shared.parameters.truth;
        people
            .par_chunks(TEAM)
            .zip(&mut self.diaries)
            .enumerate()
            .map(|(team, (people, diary))| {
                let mut sorted: Sorted = vec![Vec::new(); parts + 1];
                let mut line = Timeline::default();
                for (n, person) in people.iter().enumerate() {
                    let subscriber = (team * TEAM + n) as u32;
                    schedule::plan(shared.world, person, day, &mut line);
                    let mut file = |row: Row| sorted[part(day, parts, &row)].push(row);
                    shared.signalling.listen((person, subscriber), (day, from_us), &line, &mut file);
                    if truth {
                        diary.note(subscriber, &line, day.midnight_us());
                    }
                }
                sorted
            })
            .collect()
    }

    fn sort(&self, day: &Waking, rows: Vec<Row>) -> Sorted {
        let mut sorted: Sorted = vec![Vec::new(); self.parts + 1];
        for row in rows {
            sorted[part(day, self.parts, &row)].push(row);
        }
        sorted
    }

    fn write_events(
        &self,
        date: Date,
        teams: &[Sorted],
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Tally, SynthError> {
        let out = &self.shared.parameters.out;
        let folder = folder::dated(out, "events", date)?;
        let parts = teams.iter().map(Vec::len).max().unwrap_or(0);
        let tallies = (0..parts).into_par_iter().map(|part| {
            let mut rows: Vec<Row> = Vec::new();
            for team in teams {
                rows.extend_from_slice(team.get(part).map_or(&[], Vec::as_slice));
            }
            if rows.is_empty() {
                return Ok(Tally::default());
            }
            rows.sort_unstable();
            let name = self.file_name(part);
            self.write_file(&folder.join(name), &rows)?;
            told(rows.len() as u64);
            Ok(self.counted(&rows))
        });
        let tallies = tallies.collect::<Result<Vec<_>, SynthError>>()?;
        let mut tally = Tally::default();
        tallies.iter().for_each(|other| tally.add(other));
        Ok(tally)
    }

    fn file_name(&self, part: usize) -> String {
        let width = (self.shared.chunks() * self.parts as u64 - 1).max(10).ilog10() as usize + 1;
        let number = self.number * self.parts as u64 + part as u64;
        format!("part-{number:0width$}.{}", self.shared.parameters.format.extension())
    }

    fn write_file(&self, path: &std::path::Path, rows: &[Row]) -> Result<(), SynthError> {
        let names = Names {
            people: self.people,
            antennas: self.shared.antennas,
            local: &self.shared.frame.local,
            sessions: self.shared.parameters.sessions > 0.0,
        };
        files::write(path, self.shared.parameters.format, &names, rows)
    }

    fn counted(&self, rows: &[Row]) -> Tally {
        let text = self.shared.parameters.format != crate::Format::Parquet;
        let mut tally = Tally { events: rows.len() as u64, files: 1, ..Tally::default() };
        rows.iter().for_each(|row| row.marks.count(&mut tally.injected, text));
        tally
    }

    /// Writes what the diaries hold of the day, or on the eve of the window only turns their page.
    fn write_truth(&mut self, day: &Waking, inside: bool) -> Result<u64, SynthError> {
        let pages: Vec<_> = self.diaries.iter_mut().map(Diary::turn).collect();
        if !inside {
            return Ok(0);
        }
        let folder = folder::dated(&self.shared.parameters.out, "truth", day.date)?;
        let width = (self.shared.chunks() - 1).max(10).ilog10() as usize + 1;
        let name = match self.shared.chunks() {
            1 => String::from("part.parquet"),
            _ => format!("part-{:0width$}.parquet", self.number),
        };
        truth::write(&folder.join(name), self.shared.world.land, self.people, pages.into_iter().flatten())
    }
}

/// Which file of the day a row goes to; one past the last is the next day.
fn part(day: &Waking, parts: usize, row: &Row) -> usize {
    if row.marks.is_early() {
        return parts - 1;
    }
    if row.filed_us >= day.midnight_us() {
        return parts;
    }
    let start_us = day.midnight_us() - 24 * HOUR_US;
    let slot = (row.filed_us - start_us).max(0) * parts as i64 / (24 * HOUR_US);
    (slot as usize).min(parts - 1)
}
