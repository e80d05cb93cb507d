//! The ground truth: who was where, as intervals that neither overlap nor leave gaps.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};

use crate::{
    files::{ParquetFile, TextColumn},
    land::{ABROAD, CodeIx, Land},
    parameters::SynthError,
    person::Person,
    schedule::Timeline,
};

/// One subscriber in one postal code, from a moment until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) subscriber: u32,
    pub(crate) code: CodeIx,
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
}

/// Appends an interval, or lengthens the one before when the person simply stayed.
fn push(rows: &mut Vec<Interval>, interval: Interval) {
    match rows.last_mut() {
        Some(last)
            if (last.subscriber, last.code, last.until_us)
                == (interval.subscriber, interval.code, interval.from_us) =>
        {
            last.until_us = interval.until_us;
        }
        _ => rows.push(interval),
    }
}

/// Cuts waking days into calendar days: the night hours of one wait for the morning of the next.
#[derive(Default)]
pub(crate) struct Diary {
    /// The intervals after the last midnight, by subscriber.
    night: Vec<Interval>,
    next_night: Vec<Interval>,
    read: usize,
    today: Vec<Interval>,
}

impl Diary {
    /// Notes one person's waking day. Persons come in the order of their numbers.
    pub(crate) fn note(&mut self, subscriber: u32, line: &Timeline, midnight_us: i64) {
        while let Some(interval) = self.night.get(self.read).filter(|night| night.subscriber <= subscriber) {
            push(&mut self.today, *interval);
            self.read += 1;
        }
        for (from_us, until_us, code) in line.visits().filter(|visit| visit.2 != ABROAD) {
            if from_us < midnight_us {
                let until_us = until_us.min(midnight_us);
                push(&mut self.today, Interval { subscriber, code, from_us, until_us });
            }
            if until_us > midnight_us {
                let from_us = from_us.max(midnight_us);
                push(&mut self.next_night, Interval { subscriber, code, from_us, until_us });
            }
        }
    }

    /// The calendar day that has been noted; the night after it is kept.
    pub(crate) fn turn(&mut self) -> Vec<Interval> {
        self.night = std::mem::take(&mut self.next_night);
        self.read = 0;
        std::mem::take(&mut self.today)
    }
}

/// Writes one day's intervals of one chunk of subscribers.
pub(crate) fn write(
    path: &Path,
    land: &Land,
    people: &[Person],
    intervals: impl Iterator<Item = Interval>,
) -> Result<u64, SynthError> {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    let schema = Arc::new(Schema::new(vec![
        Field::new("subscriber_id", DataType::Utf8, false),
        Field::new("postal_code", DataType::Utf8, false),
        Field::new("start", time(), false),
        Field::new("end", time(), false),
    ]));
    let mut file: ParquetFile<File> = ParquetFile::create(path, schema.clone())?;
    let mut intervals = intervals.peekable();
    let mut written = 0;
    while intervals.peek().is_some() {
        let (mut ids, mut codes) = (TextColumn::default(), TextColumn::default());
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for interval in intervals.by_ref().take(ParquetFile::<File>::BATCH) {
            ids.push(&people[interval.subscriber as usize].imsi);
            codes.push(land.codes[interval.code as usize].code.as_bytes());
            starts.push(interval.from_us);
            ends.push(interval.until_us);
        }
        written += starts.len() as u64;
        let stamp = |times| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef;
        file.write(RecordBatch::try_new(
            schema.clone(),
            vec![ids.finish(), codes.finish(), stamp(starts), stamp(ends)],
        ))?;
    }
    file.finish()?;
    Ok(written)
}
