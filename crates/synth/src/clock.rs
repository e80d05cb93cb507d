//! The local clock of one waking day: from four in the morning to four the next.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use throng_schema::micros;

use crate::parameters::SynthError;

/// The hour at which a waking day begins: nearly everyone is asleep, and no clock is being changed.
const DAWN: i8 = 4;

pub(crate) const MINUTE_US: i64 = 60_000_000;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;

/// One waking day. Hours may be longer or shorter than sixty minutes when the clocks change.
pub(crate) struct Waking {
    pub(crate) date: Date,
    /// Days since 1970: the name of the day in every draw.
    pub(crate) number: i64,
    pub(crate) weekend: bool,
    /// The absolute time of each full local hour, from dawn to dawn.
    hours_us: [i64; 25],
}

impl Waking {
    pub(crate) fn of(date: Date, zone: &TimeZone) -> Result<Self, SynthError> {
        let next = date.tomorrow()?;
        let mut hours_us = [0; 25];
        for (i, hour) in hours_us.iter_mut().enumerate() {
            let h = DAWN + i as i8;
            let at = if h < 24 { date.at(h, 0, 0, 0) } else { next.at(h - 24, 0, 0, 0) };
            *hour = micros(at.to_zoned(zone.clone())?.timestamp());
        }
        let number = i64::from((date - Date::constant(1970, 1, 1)).get_days());
        let weekend = date.weekday().to_monday_zero_offset() >= 5;
        Ok(Self { date, number, weekend, hours_us })
    }

    pub(crate) fn dawn_us(&self) -> i64 {
        self.hours_us[0]
    }

    pub(crate) fn end_us(&self) -> i64 {
        self.hours_us[24]
    }

    /// The local midnight within it, which ends its date.
    pub(crate) fn midnight_us(&self) -> i64 {
        self.hours_us[(24 - DAWN) as usize]
    }

    /// The absolute time of a local one, in minutes since its date began; past 1,440 is the next morning.
    pub(crate) fn at(&self, minute: f64) -> i64 {
        let since_dawn = (minute - 60.0 * f64::from(DAWN)).clamp(0.0, 1_439.9);
        let hour = (since_dawn / 60.0) as usize;
        let (start, end) = (self.hours_us[hour], self.hours_us[hour + 1]);
        start + ((since_dawn / 60.0 - hour as f64) * (end - start) as f64) as i64
    }

    /// The hours of the day: the hour's number on the clock, its start and its end.
    pub(crate) fn hours(&self) -> impl Iterator<Item = (usize, i64, i64)> {
        self.hours_us.windows(2).enumerate().map(|(i, pair)| ((i + DAWN as usize) % 24, pair[0], pair[1]))
    }
}

/// The local midnight at which a date begins.
pub(crate) fn midnight_us(date: Date, zone: &TimeZone) -> Result<i64, SynthError> {
    Ok(micros(date.to_zoned(zone.clone())?.timestamp()))
}

/// Writes absolute times as local ISO-8601 text, with the offset from UTC.
#[derive(Clone)]
pub(crate) struct LocalText {
    /// From when on which offset holds, in microseconds since 1970 and seconds east.
    offsets: Vec<(i64, i64)>,
    day: i64,
    day_text: [u8; 10],
}

impl LocalText {
    /// Good for the times between two moments.
    pub(crate) fn between(from_us: i64, to_us: i64, zone: &TimeZone) -> Result<Self, SynthError> {
        let (from, to) = (Timestamp::from_microsecond(from_us)?, Timestamp::from_microsecond(to_us)?);
        let mut offsets = vec![(i64::MIN, i64::from(zone.to_offset(from).seconds()))];
        let changes = zone.following(from).take_while(|change| change.timestamp() <= to);
        offsets.extend(changes.map(|c| (micros(c.timestamp()), i64::from(c.offset().seconds()))));
        Ok(Self { offsets, day: i64::MIN, day_text: *b"1970-01-01" })
    }

    fn offset_s(&self, at_us: i64) -> i64 {
        self.offsets[self.offsets.partition_point(|(from, _)| *from <= at_us) - 1].1
    }

    /// Appends for example `2026-10-15T08:31:05.250000+02:00`.
    pub(crate) fn write(&mut self, at_us: i64, text: &mut Vec<u8>) {
        let offset_s = self.offset_s(at_us);
        let local_us = at_us + offset_s * 1_000_000;
        let (day, in_day_us) = (local_us.div_euclid(86_400_000_000), local_us.rem_euclid(86_400_000_000));
        if day != self.day {
            self.turn_to(day);
        }
        let (second, micro) = (in_day_us / 1_000_000, in_day_us % 1_000_000);
        let mut field = *b"T00:00:00.000000+00:00";
        two_digits(&mut field[1..], second / 3_600);
        two_digits(&mut field[4..], second / 60 % 60);
        two_digits(&mut field[7..], second % 60);
        two_digits(&mut field[10..], micro / 10_000);
        two_digits(&mut field[12..], micro / 100 % 100);
        two_digits(&mut field[14..], micro % 100);
        field[16] = if offset_s < 0 { b'-' } else { b'+' };
        two_digits(&mut field[17..], offset_s.abs() / 3_600);
        two_digits(&mut field[20..], offset_s.abs() / 60 % 60);
        text.extend_from_slice(&self.day_text);
        text.extend_from_slice(&field);
    }

    /// Appends what a spreadsheet leaves of a timestamp that it takes for minutes and seconds: `31:05.2`.
    pub(crate) fn write_mangled(&self, at_us: i64, text: &mut Vec<u8>) {
        let local_us = at_us + self.offset_s(at_us) * 1_000_000;
        let second = local_us.rem_euclid(HOUR_US) / 1_000_000;
        let mut field = *b"00:00.0";
        two_digits(&mut field[0..], second / 60);
        two_digits(&mut field[3..], second % 60);
        field[6] = b'0' + (local_us.rem_euclid(1_000_000) / 100_000) as u8;
        text.extend_from_slice(&field);
    }

    fn turn_to(&mut self, day: i64) {
        self.day = day;
        let days = jiff::Span::new().try_days(day);
        if let Ok(date) = days.and_then(|days| Date::constant(1970, 1, 1).checked_add(days)) {
            let year = i64::from(date.year());
            two_digits(&mut self.day_text[0..], year / 100);
            two_digits(&mut self.day_text[2..], year % 100);
            two_digits(&mut self.day_text[5..], i64::from(date.month()));
            two_digits(&mut self.day_text[8..], i64::from(date.day()));
        }
    }
}

fn two_digits(text: &mut [u8], number: i64) {
    text[0] = b'0' + (number / 10) as u8;
    text[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn brussels() -> TimeZone {
        TimeZone::get("Europe/Brussels").expect("bundled zone")
    }

    #[test]
    fn a_waking_day_may_have_23_or_25_hours() {
        for (day, hours) in [(date(2026, 3, 28), 23), (date(2026, 10, 15), 24), (date(2026, 10, 24), 25)] {
            let waking = Waking::of(day, &brussels()).expect("day");
            assert_eq!(waking.end_us() - waking.dawn_us(), hours * HOUR_US);
            assert!(waking.hours().all(|(_, start, end)| start <= end));
        }
    }

    #[test]
    fn local_text_agrees_with_the_calendar() {
        let zone = brussels();
        let from_us = midnight_us(date(2026, 10, 24), &zone).expect("midnight");
        let mut text = LocalText::between(from_us, from_us + 96 * HOUR_US, &zone).expect("zone");
        for n in 0..3 * 97 {
            let at_us = from_us + n * 20 * MINUTE_US + 12_345;
            let mut written = Vec::new();
            text.write(at_us, &mut written);
            let written = String::from_utf8(written).expect("text");
            let read: Timestamp = written.parse().expect("ISO-8601");
            assert_eq!(micros(read), at_us, "{written}");
        }
    }
}
