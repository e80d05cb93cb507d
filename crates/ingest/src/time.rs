//! Reads the time of an event, however it is written, as microseconds since 1970 UTC.

use std::ops::Range;

use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime},
    fmt::temporal::Pieces,
    tz::{Offset, TimeZone},
};
use serde::Deserialize;
use throng_schema::MICROS_PER_SECOND;

const DAY_US: i64 = 86_400 * MICROS_PER_SECOND;

/// The first and the last moment that can be represented: the limits of jiff, with room for any offset.
const FIRST_US: i64 = -377_705_023_201 * MICROS_PER_SECOND;
const LAST_US: i64 = 253_402_207_200 * MICROS_PER_SECOND;

/// What can be written with the year 9999, in any offset, ends within so many days of the last moment.
const EDGE_US: i64 = 3 * DAY_US;

/// The unit of an integer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum EpochUnit {
    /// Seconds since 1970 UTC.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since 1970 UTC.
    #[serde(rename = "ms")]
    Millis,
    /// Microseconds since 1970 UTC.
    #[serde(rename = "us")]
    Micros,
    /// Nanoseconds since 1970 UTC.
    #[serde(rename = "ns")]
    Nanos,
}

/// Which times are of interest, and the clock by which times without a zone are read.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The zone of times that name none.
    pub zone: TimeZone,
    /// Events before this moment are `expired`.
    pub expired_before_us: i64,
    /// First moment of the window, context included.
    pub from_us: i64,
    /// First moment after it.
    pub until_us: i64,
}

/// A moment in microseconds since 1970 UTC, or that there is none, in eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Nothing stands in the field.
    pub(crate) const MISSING: Self = Self(i64::MIN);
    /// What stands in the field is no time.
    pub(crate) const MALFORMED: Self = Self(i64::MIN + 1);
    /// The last hours of the year 9999, which cannot be represented. So a session is written that has not ended.
    pub(crate) const LATER: Self = Self(i64::MAX);

    /// A moment between the years -9999 and 9999; beyond, a time is taken for malformed.
    #[inline]
    pub(crate) fn at(micros: i64) -> Self {
        if (FIRST_US..=LAST_US).contains(&micros) { Self(micros) } else { Self::beyond(micros) }
    }

    #[cold]
    fn beyond(micros: i64) -> Self {
        if (LAST_US..=LAST_US + EDGE_US).contains(&micros) { Self::LATER } else { Self::MALFORMED }
    }

    /// The same, or the last moment that can be represented if it is later.
    #[inline]
    pub(crate) fn clamped(self) -> Self {
        Self(self.0.min(LAST_US))
    }

    /// An integer time; what is finer than a microsecond is floored.
    #[inline]
    pub(crate) fn of_epoch(value: i64, unit: EpochUnit) -> Self {
        match micros_of(value, unit) {
            Some(micros) => Self::at(micros),
            None => Self::MALFORMED,
        }
    }

    #[inline]
    pub(crate) fn micros(self) -> i64 {
        self.0
    }
}

/// An integer time in microseconds, none where it overflows.
#[inline]
pub(crate) fn micros_of(value: i64, unit: EpochUnit) -> Option<i64> {
    match unit {
        EpochUnit::Seconds => value.checked_mul(MICROS_PER_SECOND),
        EpochUnit::Millis => value.checked_mul(1_000),
        EpochUnit::Micros => Some(value),
        EpochUnit::Nanos => Some(value.div_euclid(1_000)),
    }
}

/// A stretch of the local clock without doubt: one offset holds all through it.
#[derive(Clone)]
struct Stretch {
    local_us: Range<i64>,
    offset_us: i64,
}

/// Reads times, and remembers which offset holds around the last ones: asking the zone for each would cost more
/// than all the rest of a row.
pub(crate) struct TimeReader {
    zone: TimeZone,
    epoch_unit: Option<EpochUnit>,
    /// Two, so that rows to both sides of a change of the clock do not drive each other out.
    stretches: [Stretch; 2],
    /// The last date that was written in full, `2026-10-15`, and its midnight on whatever clock: the rows of a file share
    /// few dates.
    date: ([u8; 10], i64),
}

impl TimeReader {
    pub(crate) fn new(zone: TimeZone, epoch_unit: Option<EpochUnit>) -> Self {
        let none = Stretch { local_us: 0..0, offset_us: 0 };
        Self { zone, epoch_unit, stretches: [none.clone(), none], date: (*b"1970-01-01", 0) }
    }

    /// The moment at which the local clock shows this. Of two the earlier; a time that the clock skips is moved on by as much.
    #[inline]
    pub(crate) fn local(&mut self, local_us: i64) -> Moment {
        if !self.stretches[0].local_us.contains(&local_us) {
            if !self.stretches[1].local_us.contains(&local_us) {
                return self.ask_zone(local_us);
            }
            self.stretches.swap(0, 1);
        }
        Moment::at(local_us - self.stretches[0].offset_us)
    }

    #[cold]
    fn ask_zone(&mut self, local_us: i64) -> Moment {
        let Ok(shown) = Timestamp::from_microsecond(local_us) else { return Moment::beyond(local_us) };
        let ambiguous = self.zone.to_ambiguous_timestamp(Offset::UTC.to_datetime(shown));
        let in_doubt = ambiguous.is_ambiguous();
        let Ok(at) = ambiguous.compatible() else {
            return if local_us > 0 { Moment::LATER } else { Moment::MALFORMED };
        };
        if !in_doubt {
            self.stretches.swap(0, 1);
            self.stretches[0] = stretch_around(&self.zone, at);
        }
        Moment::at(at.as_microsecond())
    }

    /// A time in text: ISO 8601, or an integer where its unit is known.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) -> Moment {
        if text.is_empty() {
            return Moment::MISSING;
        }
        if let Some(written) = self.written_in_full(text) {
            return match written.offset_us {
                Some(offset_us) => Moment::at(written.local_us - offset_us),
                None => self.local(written.local_us),
            };
        }
        match (self.epoch_unit, is_integer(text)) {
            (Some(unit), true) => {
                let value = std::str::from_utf8(text).ok().and_then(|digits| digits.parse().ok());
                value.map_or(Moment::MALFORMED, |value| Moment::of_epoch(value, unit))
            }
            (None, true) => Moment::MALFORMED,
            (_, false) => {
                let read = self.text_of_any_shape(text).or_else(|| at_the_edge(text));
                read.unwrap_or(Moment::MALFORMED)
            }
        }
    }

    /// `2026-10-15T10:07:33`, with a blank for the T, a fraction, an offset: the shape that all but a few files have.
    #[inline]
    fn written_in_full(&mut self, text: &[u8]) -> Option<Written> {
        let (head, tail) = text.split_first_chunk::<19>()?;
        let marks = matches!(head[10], b'T' | b' ') && head[13] == b':' && head[16] == b':';
        if !marks {
            return None;
        }
        let (date, _) = head.split_first_chunk::<10>()?;
        if *date != self.date.0 {
            self.date = (*date, date_us(date)?);
        }
        let two = |i: usize| digits(&[head[i], head[i + 1]]);
        let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction_us, zone) = fraction(tail)?;
        let seconds = hour * 3_600 + minute * 60 + second;
        let local_us = self.date.1 + seconds * MICROS_PER_SECOND + fraction_us;
        Some(Written { local_us, offset_us: offset(zone)? })
    }

    #[cold]
    fn text_of_any_shape(&mut self, text: &[u8]) -> Option<Moment> {
        let text = std::str::from_utf8(text).ok()?;
        // A date alone, or an hour alone, is not a time; and a zone in brackets must not be passed over in silence.
        if !text.contains(':') && !text.contains(['T', 't']) {
            return None;
        }
        if text.contains('[') {
            return text.parse::<Zoned>().ok().map(|zoned| Moment::at(floor_us(zoned.timestamp())));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(Moment::at(floor_us(at)));
        }
        let shown = Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?;
        Some(self.local(floor_us(shown)))
    }
}

/// A time on the last two days of the year 9999, of which not all can be represented.
fn at_the_edge(text: &[u8]) -> Option<Moment> {
    let written = Pieces::parse(text).ok()?;
    let last_days = written.date() >= Date::MAX.yesterday().ok()? && written.time().is_some();
    last_days.then_some(Moment::LATER)
}

/// Whether a text is an integer: the question that decides if its unit must be known.
pub(crate) fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// jiff rounds towards zero, which before 1970 is up.
fn floor_us(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond().div_euclid(1_000)).unwrap_or(i64::MAX)
}

fn stretch_around(zone: &TimeZone, at: Timestamp) -> Stretch {
    let offset_us = |at: Timestamp| i64::from(zone.to_offset(at).seconds()) * MICROS_PER_SECOND;
    let step = jiff::SignedDuration::from_micros(1);
    let (here, here_us) = (offset_us(at), at.as_microsecond());
    let before = at.checked_add(step).ok().and_then(|after| zone.preceding(after).next());
    let start = before.map(|change| {
        let earlier = change.timestamp().checked_sub(step).map_or(here, offset_us);
        change.timestamp().as_microsecond() + here.max(earlier)
    });
    let end = zone.following(at).next().map(|change| {
        let later = i64::from(change.offset().seconds()) * MICROS_PER_SECOND;
        change.timestamp().as_microsecond() + here.min(later)
    });
    debug_assert!(start.is_none_or(|start| start <= here_us + here));
    // What the zone cannot be asked about must not be answered from memory.
    Stretch { local_us: start.unwrap_or(FIRST_US)..end.unwrap_or(LAST_US), offset_us: here }
}

/// A date and time as written, and the offset if one is written with it.
struct Written {
    local_us: i64,
    offset_us: Option<i64>,
}

/// The midnight of a date, in microseconds since that of 1970-01-01 on the same clock.
fn date_us(date: &[u8; 10]) -> Option<i64> {
    let two = |i: usize| digits(&[date[i], date[i + 1]]);
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let sound = date[4] == b'-'
        && date[7] == b'-'
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day);
    sound.then(|| days_since_1970(year, month, day) * DAY_US)
}

#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// The fraction of a second in microseconds, floored, and what comes after it.
#[inline]
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some(tail) = tail.strip_prefix(b".") else { return Some((0, tail)) };
    // Six digits are what most files have, where they have any.
    if let Some((six, rest)) = tail.split_first_chunk::<6>()
        && !rest.first().is_some_and(u8::is_ascii_digit)
        && let Some(micros) = digits(six)
    {
        return Some((micros, rest));
    }
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let (written, rest) = tail.split_at(length);
    let micros =
        (0..6).fold(0, |value, i| value * 10 + written.get(i).map_or(0, |byte| i64::from(byte - b'0')));
    Some((micros, rest))
}

/// The offset in microseconds, `Some(None)` where none is written, and none where it is not of the usual shapes.
#[inline]
fn offset(zone: &[u8]) -> Option<Option<i64>> {
    let (sign, hours, minutes) = match zone {
        [] => return Some(None),
        [b'Z'] => return Some(Some(0)),
        [sign, h1, h2] => (sign, digits(&[*h1, *h2])?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
            (sign, digits(&[*h1, *h2])?, digits(&[*m1, *m2])?)
        }
        _ => return None,
    };
    let offset_us = (hours * 3_600 + minutes * 60) * MICROS_PER_SECOND;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(Some(offset_us)),
        b'-' => Some(Some(-offset_us)),
        _ => None,
    }
}

#[inline]
fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar (Hinnant, `days_from_civil`).
#[inline]
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, civil::date};
    use proptest::prelude::*;

    use super::*;

    fn brussels() -> TimeReader {
        TimeReader::new(TimeZone::get("Europe/Brussels").expect("zone"), None)
    }

    fn read(text: &str) -> Moment {
        brussels().text(text.as_bytes())
    }

    fn at(utc: &str) -> Moment {
        Moment::at(floor_us(utc.parse().expect("a time")))
    }

    #[test]
    fn the_shapes_of_iso_8601_are_one_moment() {
        let expected = at("2026-10-15T08:07:33Z");
        for text in [
            "2026-10-15T10:07:33",
            "2026-10-15 10:07:33",
            "2026-10-15T10:07:33+02:00",
            "2026-10-15 10:07:33.000+0200",
            "2026-10-15T08:07:33Z",
            "2026-10-15T08:07:33z",
            "2026-10-15t08:07:33.0000000Z",
            "2026-10-15T04:07:33-04",
            "2026-10-15T13:37:33+05:30",
            "20261015T080733Z",
            "2026-10-15T10:07:33+02:00[Europe/Brussels]",
            "2026-10-15T17:07:33[Asia/Tokyo]",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read("2026-10-15T10:07"), at("2026-10-15T08:07:00Z"));
        assert_eq!(read("2026-10-15T10:07:60Z"), at("2026-10-15T10:07:59Z"), "a leap second");
    }

    #[test]
    fn what_was_read_before_changes_nothing() {
        let texts = [
            "2026-10-15T10:07:33",
            "2026-10-15 23:59:59.5Z",
            "2026-10-15T24:00:00",
            "1970-01-01T00:00:00Z",
            "2026-02-28T00:00:00",
            "2026-02-29T00:00:00",
            "2026-13-01T00:00:00",
            "2026/10/15T10:07:33",
            "9999-12-31T23:59:59Z",
            "\0\0\0\0\0\0\0\0\0\0T10:07:33",
            "",
        ];
        let mut reader = brussels();
        for first in texts {
            for second in texts {
                reader.text(first.as_bytes());
                assert_eq!(reader.text(second.as_bytes()), read(second), "{second} after {first}");
            }
        }
        assert_eq!(read(texts[9]), Moment::MALFORMED, "no date at all");
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_floored() {
        assert_eq!(read("2026-10-15T08:07:33.1234569Z"), at("2026-10-15T08:07:33.123456Z"));
        assert_eq!(read("1969-12-31T23:59:59.9999999Z").micros(), -1);
        assert_eq!(read("1969-12-31T23:59:59,9999999Z").micros(), -1, "and by the other parser");
        assert_eq!(Moment::of_epoch(-1, EpochUnit::Nanos).micros(), -1);
        assert_eq!(Moment::of_epoch(1_999, EpochUnit::Nanos).micros(), 1);
    }

    #[test]
    fn what_is_no_time_is_malformed() {
        for text in [
            "08:31.0",
            "08:31",
            "2026-10-15",
            "20261015",
            "15/10/2026 10:07:33",
            "2026-02-29T00:00:00",
            "2026-13-01T00:00:00",
            "2026-00-01T00:00:00",
            "2026-10-00T00:00:00",
            "2026-10-15T24:00:00",
            "2026-10-15T10:60:00",
            "2026-10-15T10:07:61",
            "2026-10-15T10:07:33.",
            "2026-10-15T10:07:33+2",
            "2026-10-15T10:07:33+02:60",
            "2026-10-15T10:07:33 UTC",
            "2026-10-15T10:07:33[Nowhere/Such]",
            "yesterday",
            "1792022400",
            "\u{661}",
        ] {
            assert_eq!(read(text), Moment::MALFORMED, "{text}");
        }
        assert_eq!(brussels().text(b"2026-10-15T10:07:3\xff"), Moment::MALFORMED);
        assert_eq!(read(""), Moment::MISSING);
        for unit in [EpochUnit::Seconds, EpochUnit::Millis, EpochUnit::Micros] {
            assert_eq!(Moment::of_epoch(i64::MAX, unit), Moment::MALFORMED);
            assert_eq!(Moment::of_epoch(i64::MIN, unit), Moment::MALFORMED);
        }
        let mut seconds = TimeReader::new(TimeZone::UTC, Some(EpochUnit::Seconds));
        assert_eq!(seconds.text(b"99999999999999999999"), Moment::MALFORMED);
        assert_eq!(seconds.text(b"-1").micros(), -1_000_000);
        assert_eq!(seconds.text(b"1970-01-01T00:00:01Z").micros(), 1_000_000);
    }

    #[test]
    fn the_last_hours_of_the_year_9999_are_later_than_all() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31 23:59:59.999999",
            "9999-12-31T23:59:59.999999999-23:59",
            "9999-12-31T00:00:00+01:00",
            "9999-12-31T23:59Z",
            "9999-12-31T23:59",
            "99991231T235959Z",
            "9999-12-31T23:59:59+01:00[Europe/Brussels]",
            "9999-12-31T23:59:60Z",
        ] {
            assert_eq!(read(text), Moment::LATER, "{text}");
            assert_eq!(read(text).clamped().micros(), LAST_US);
        }
        let mut new_york = TimeReader::new(TimeZone::get("America/New_York").expect("zone"), None);
        assert_eq!(new_york.text(b"9999-12-30T21:00:00"), Moment::LATER);
        assert_eq!(Moment::of_epoch(253_402_300_799, EpochUnit::Seconds), Moment::LATER);
        assert_eq!(Moment::of_epoch(253_402_300_799_999, EpochUnit::Millis), Moment::LATER);
        for text in ["9999-12-31", "9999-12-32T00:00:00Z", "9999-12-31T25:00:00Z", "10000-01-01T00:00:00Z"] {
            assert_eq!(read(text), Moment::MALFORMED, "{text}");
        }
        let last = at("9999-12-30T22:00:00Z");
        assert_eq!((last.micros(), last.clamped()), (LAST_US, last));
        assert_eq!(Moment::MISSING.clamped(), Moment::MISSING);
    }

    #[test]
    fn of_two_local_times_the_earlier_and_gaps_are_moved_on() {
        let mut reader = brussels();
        for _ in 0..2 {
            // Once before and once after the stretches to both sides are known.
            assert_eq!(reader.text(b"2026-10-25T02:30:00"), at("2026-10-25T00:30:00Z"));
            assert_eq!(reader.text(b"2026-03-29T02:30:00"), at("2026-03-29T01:30:00Z"));
            assert_eq!(reader.text(b"2026-03-29T01:59:59"), at("2026-03-29T00:59:59Z"));
            assert_eq!(reader.text(b"2026-03-29T03:00:00"), at("2026-03-29T01:00:00Z"));
            assert_eq!(reader.text(b"2026-10-25T01:59:59"), at("2026-10-24T23:59:59Z"));
            assert_eq!(reader.text(b"2026-10-25T03:00:00"), at("2026-10-25T02:00:00Z"));
        }
        let mut fixed = TimeReader::new(TimeZone::fixed(jiff::tz::offset(3)), None);
        assert_eq!(fixed.text(b"2026-10-25T03:00:00"), at("2026-10-25T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn local_times_are_those_of_jiff(seconds in prop::collection::vec(-3_000_000_000..5_000_000_000_i64, 1..40),
                                         near in 0..7_300_i64, zone in 0..4_usize) {
            let zone = ["Europe/Brussels", "America/St_Johns", "Africa/Casablanca", "Australia/Lord_Howe"][zone];
            let zone = TimeZone::get(zone).expect("zone");
            let mut reader = TimeReader::new(zone.clone(), None);
            // Some anywhere, some around the changes of one clock.
            let day = date(2026, 3, 29).at(0, 0, 0, 0).saturating_add(SignedDuration::from_hours(near * 24));
            let around = (0..48).map(|half| day.saturating_add(SignedDuration::from_mins(half * 30)));
            let anywhere = seconds.iter().map(|s| Offset::UTC.to_datetime(Timestamp::from_second(*s).expect("in range")));
            for shown in anywhere.chain(around) {
                let local_us = Offset::UTC.to_timestamp(shown).expect("in range").as_microsecond();
                let expected = zone.to_ambiguous_timestamp(shown).compatible().expect("in range").as_microsecond();
                prop_assert_eq!(reader.local(local_us).micros(), expected, "{} in {:?}", shown, zone);
            }
        }

        #[test]
        fn texts_are_those_of_jiff(micros in -60_000_000_000_000_000..250_000_000_000_000_000_i64, minutes in -1_439..1_439_i32) {
            let at = Timestamp::from_microsecond(micros).expect("in range");
            let offset = Offset::from_seconds(minutes * 60).expect("in range");
            let mut reader = TimeReader::new(TimeZone::UTC, None);
            for text in [at.to_string(), at.display_with_offset(offset).to_string(), offset.to_datetime(at).to_string()] {
                let shift = if text.len() < 27 && !text.contains(['Z', '+']) && text.matches('-').count() == 2 {
                    i64::from(minutes) * 60 * MICROS_PER_SECOND
                } else { 0 };
                prop_assert_eq!(reader.text(text.as_bytes()).micros(), micros + shift, "{}", text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[0-9T:. +Z-]{0,40}") {
            brussels().text(&bytes);
            brussels().text(text.as_bytes());
        }
    }
}
