//! The local clock: which days a run covers, and where its instants and hours lie in absolute time.

use std::ops::Range;

use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

/// Microseconds in a second: the unit of every absolute time in Throng.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

const HOUR_US: i64 = 3_600 * MICROS_PER_SECOND;

/// The absolute time of a timestamp, in microseconds since 1970-01-01 00:00 UTC.
#[must_use]
pub fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// What can be wrong with the days or the step that a run is asked for.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The window ends before it begins.
    #[error("the window ends on {to}, before it begins on {from}; expected --to on or after --from")]
    Reversed {
        /// First day asked for.
        from: Date,
        /// Last day asked for.
        to: Date,
    },
    /// More days than personal data may be kept.
    #[error("the window from {from} to {to} has {days} days; expected at most {limit}")]
    TooLong {
        /// First day asked for.
        from: Date,
        /// Last day asked for.
        to: Date,
        /// Days between them, both counted.
        days: i64,
        /// The longest window allowed.
        limit: i64,
    },
    /// A step that would drift against the hours.
    #[error("a step of {seconds} s does not divide an hour; expected for example 5min, 15min, 30min or 1h")]
    Step {
        /// The step asked for.
        seconds: i64,
    },
    /// A date at the edge of what can be computed with.
    #[error("the date {0} is out of range; expected a year between 1900 and 9000")]
    OutOfRange(Date),
}

/// The local days `[from, to]` that a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: Date,
    to: Date,
}

impl Window {
    /// The longest window, in days: the operator's policy keeps individual data for three months.
    pub const DAYS_MAX: i64 = 92;

    /// A window of whole local days, both ends included.
    ///
    /// # Errors
    /// When it is reversed, longer than [`Window::DAYS_MAX`], or at the edge of time.
    pub fn new(from: Date, to: Date) -> Result<Self, CalendarError> {
        for date in [from, to] {
            if !(1900..=9000).contains(&date.year()) {
                return Err(CalendarError::OutOfRange(date));
            }
        }
        let days = i64::from((to - from).get_days()) + 1;
        if days < 1 {
            return Err(CalendarError::Reversed { from, to });
        }
        if days > Self::DAYS_MAX {
            return Err(CalendarError::TooLong { from, to, days, limit: Self::DAYS_MAX });
        }
        Ok(Self { from, to })
    }

    /// First day.
    #[must_use]
    pub fn from(self) -> Date {
        self.from
    }

    /// Last day.
    #[must_use]
    pub fn to(self) -> Date {
        self.to
    }
}

/// A sorted list of points in time that can be asked, fast, how many lie before another.
#[derive(Clone, Debug)]
pub struct Ticks {
    at_us: Vec<i64>,
    /// Set when all are equally far apart, which they are in every zone whose shifts are whole steps.
    step: Option<Step>,
}

/// How far ticks are apart, in microseconds, and how many there are in one.
#[derive(Clone, Copy, Debug)]
struct Step {
    us: i64,
    per_us: f64,
}

impl Ticks {
    fn new(at_us: Vec<i64>) -> Self {
        let step = at_us.get(1).map(|second| second - at_us[0]);
        let even = at_us.windows(2).all(|pair| Some(pair[1] - pair[0]) == step);
        // A date that a zone skipped has no length: two starts fall together, and there is no step.
        #[expect(clippy::cast_precision_loss, reason = "a guess that is set right")]
        let step = step.filter(|us| even && *us > 0).map(|us| Step { us, per_us: 1.0 / us as f64 });
        Self { at_us, step }
    }

    /// How many ticks lie strictly before `at_us`: the index of the first tick at or after it.
    #[inline]
    #[must_use]
    pub fn before(&self, at_us: i64) -> usize {
        let (Some(first), Some(step)) = (self.at_us.first(), self.step) else {
            return self.at_us.partition_point(|tick| *tick < at_us);
        };
        if at_us <= *first {
            return 0;
        }
        // A division, guessed by a multiplication, which costs a tenth, and set right where it is one off. No window
        // reaches half as far as 64 bits, and what is later is after all ticks.
        let since_us = at_us.min(i64::MAX / 2) - first - 1;
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a guess")]
        let guess = (since_us as f64 * step.per_us) as i64;
        let over_us = since_us - guess * step.us;
        let whole = guess + i64::from(over_us >= step.us) - i64::from(over_us < 0);
        usize::try_from(whole + 1).unwrap_or(0).min(self.at_us.len())
    }

    /// Every tick, in microseconds since 1970 UTC, ascending.
    #[must_use]
    pub fn at_us(&self) -> &[i64] {
        &self.at_us
    }
}

/// One local day.
#[derive(Clone, Debug)]
pub struct Day {
    /// Its date on the local clock.
    pub date: Date,
    /// Its local midnight, in microseconds since 1970 UTC.
    pub start_us: i64,
    /// The next local midnight.
    pub end_us: i64,
    /// Which of the calendar's instants lie in it.
    pub instants: Range<usize>,
    /// Which of the calendar's hours lie in it: 23, 24 or 25 of them.
    pub hours: Range<usize>,
}

/// A window on a local clock: its days, hours and instants in absolute time.
#[derive(Clone, Debug)]
pub struct Calendar {
    window: Window,
    zone: TimeZone,
    days: Vec<Day>,
    instants: Ticks,
    hours: Ticks,
    day_starts: Ticks,
}

impl Calendar {
    /// Lays the window on the clock of `zone`, with an instant every `step_s` seconds from each local midnight.
    ///
    /// # Errors
    /// When the step does not divide an hour, or the window cannot be placed in time.
    pub fn new(window: Window, zone: TimeZone, step_s: i64) -> Result<Self, CalendarError> {
        if step_s <= 0 || 3_600 % step_s != 0 {
            return Err(CalendarError::Step { seconds: step_s });
        }
        let (mut days, mut instants, mut hours, mut starts) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut date = window.from;
        while date <= window.to {
            let next = date.tomorrow().map_err(|_| CalendarError::OutOfRange(date))?;
            let (start_us, end_us) = (midnight_us(date, &zone)?, midnight_us(next, &zone)?);
            let (instant, hour) = (instants.len(), hours.len());
            instants.extend(steps(start_us, end_us, step_s * MICROS_PER_SECOND));
            hours.extend(steps(start_us, end_us, HOUR_US));
            starts.push(start_us);
            days.push(Day {
                date,
                start_us,
                end_us,
                instants: instant..instants.len(),
                hours: hour..hours.len(),
            });
            date = next;
        }
        let (instants, hours, day_starts) = (Ticks::new(instants), Ticks::new(hours), Ticks::new(starts));
        Ok(Self { window, zone, days, instants, hours, day_starts })
    }

    /// One of its days as a calendar of its own.
    ///
    /// # Panics
    /// When the day is none of its days.
    #[must_use]
    pub fn only(&self, day: &Day) -> Self {
        let day = self.days.iter().position(|other| other.date == day.date).expect("one of its days");
        self.slice(day, day + 1)
    }

    /// The days that have a part in a stretch of time, as a calendar of their own; the first day where none has.
    #[must_use]
    pub fn between(&self, from_us: i64, until_us: i64) -> Self {
        let last = self.days.len() - 1;
        let first = self.day_starts.before(from_us.saturating_add(1)).saturating_sub(1).min(last);
        let end = self.day_starts.before(until_us).clamp(first + 1, last + 1);
        self.slice(first, end)
    }

    /// So many of its days as a calendar of their own.
    fn slice(&self, first: usize, end: usize) -> Self {
        let days = &self.days[first..end];
        let (instants, hours) = (days[0].instants.start, days[0].hours.start);
        let part = |ticks: &Ticks, range: Range<usize>| Ticks::new(ticks.at_us[range].to_vec());
        let shifted = |range: &Range<usize>, by: usize| range.start - by..range.end - by;
        let day = |day: &Day| Day {
            instants: shifted(&day.instants, instants),
            hours: shifted(&day.hours, hours),
            ..day.clone()
        };
        let until = &days[days.len() - 1];
        Self {
            window: Window { from: days[0].date, to: until.date },
            zone: self.zone.clone(),
            days: days.iter().map(day).collect(),
            instants: part(&self.instants, instants..until.instants.end),
            hours: part(&self.hours, hours..until.hours.end),
            day_starts: Ticks::new(days.iter().map(|day| day.start_us).collect()),
        }
    }

    /// The window that was asked for.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// The time zone of the local clock.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The local days, in order.
    #[must_use]
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// The moments at which presence is counted.
    #[must_use]
    pub fn instants(&self) -> &Ticks {
        &self.instants
    }

    /// The instants of one of the days, each with its number.
    #[must_use]
    pub fn instants_of(&self, day: &Day) -> Vec<(usize, i64)> {
        day.instants.clone().map(|i| (i, self.instants.at_us[i])).collect()
    }

    /// The starts of the local hours.
    #[must_use]
    pub fn hours(&self) -> &Ticks {
        &self.hours
    }

    /// The local midnights.
    #[must_use]
    pub fn day_starts(&self) -> &Ticks {
        &self.day_starts
    }

    /// First local midnight of the window, in microseconds since 1970 UTC.
    #[must_use]
    pub fn start_us(&self) -> i64 {
        self.days[0].start_us
    }

    /// The local midnight after the window's last day.
    #[must_use]
    pub fn end_us(&self) -> i64 {
        self.days[self.days.len() - 1].end_us
    }

    /// The local midnight at which `date` begins.
    ///
    /// # Errors
    /// When the date is at the edge of time.
    pub fn midnight_us(&self, date: Date) -> Result<i64, CalendarError> {
        midnight_us(date, &self.zone)
    }
}

fn steps(start_us: i64, end_us: i64, step_us: i64) -> impl Iterator<Item = i64> {
    (0..).map(move |n| start_us + n * step_us).take_while(move |at| *at < end_us)
}

/// The first moment of a local date: midnight, or the moment to which a shift moved it.
fn midnight_us(date: Date, zone: &TimeZone) -> Result<i64, CalendarError> {
    let ambiguous = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
    // A midnight that a shift skips begins the day when the clock has jumped.
    let at = match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            before.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| CalendarError::OutOfRange(date))?
        }
        _ => ambiguous.earlier().map_err(|_| CalendarError::OutOfRange(date))?,
    };
    Ok(micros(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn brussels(from: Date, to: Date) -> Calendar {
        let zone = TimeZone::get("Europe/Brussels").expect("bundled zone");
        Calendar::new(Window::new(from, to).expect("window"), zone, 900).expect("calendar")
    }

    #[test]
    fn a_day_has_92_96_or_100_quarters() {
        for (day, instants, hours) in
            [(date(2026, 3, 29), 92, 23), (date(2026, 10, 15), 96, 24), (date(2026, 10, 25), 100, 25)]
        {
            let calendar = brussels(day, day);
            assert_eq!(calendar.instants().at_us().len(), instants);
            assert_eq!(calendar.days()[0].hours, 0..hours);
        }
    }

    #[test]
    fn ticks_count_what_lies_strictly_before() {
        let calendar = brussels(date(2026, 10, 24), date(2026, 10, 26));
        for ticks in [calendar.instants(), calendar.hours(), calendar.day_starts()] {
            for (i, at) in ticks.at_us().iter().enumerate() {
                assert_eq!(ticks.before(*at - 1), i);
                assert_eq!(ticks.before(*at), i);
                assert_eq!(ticks.before(*at + 1), i + 1);
            }
        }
        assert_eq!(calendar.hours().at_us().len(), 24 + 25 + 24);
    }

    #[test]
    fn days_of_a_calendar_are_calendars() {
        let calendar = brussels(date(2026, 10, 24), date(2026, 10, 26));
        let night = &calendar.days()[1];
        let only = calendar.only(night);
        assert_eq!(
            (only.days().len(), only.hours().at_us().len(), only.instants().at_us().len()),
            (1, 25, 100)
        );
        assert_eq!((only.start_us(), only.end_us()), (night.start_us, night.end_us));
        assert_eq!(only.days()[0].instants, 0..100);
        let two = calendar.between(night.end_us - 1, night.end_us + 1);
        assert_eq!((two.days().len(), two.days()[1].hours.clone()), (2, 25..49));
        assert_eq!(two.start_us(), night.start_us);
    }

    #[test]
    fn a_date_that_never_was_has_no_length() {
        let zone = TimeZone::get("Pacific/Apia").expect("bundled zone");
        let window = Window::new(date(2011, 12, 29), date(2011, 12, 31)).expect("window");
        let calendar = Calendar::new(window, zone, 900).expect("calendar");
        assert_eq!(calendar.days()[1].hours.len(), 0);
        let starts = calendar.day_starts();
        assert_eq!(starts.before(starts.at_us()[2] + 1), 3);
    }

    /// Dates from the first that can be written to the last, many of them at the ends of what a window may cover.
    fn dates() -> impl Strategy<Value = Date> {
        let any =
            (-9_999..=9_999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(year, month, day)| date(year, month, day));
        let near =
            |of: Date| (-100..=100_i64).prop_map(move |days| of.saturating_add(jiff::Span::new().days(days)));
        prop_oneof![
            any,
            near(Date::MIN),
            near(Date::MAX),
            near(date(1_900, 1, 1)),
            near(date(9_000, 12, 31)),
            near(date(2_026, 3, 29))
        ]
    }

    const ZONES: &[&str] = &[
        "UTC",
        "Europe/Brussels",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Australia/Lord_Howe",
    ];

    fn zones() -> impl Strategy<Value = &'static str> {
        prop::sample::select(ZONES)
    }

    proptest! {
        /// A window of any two dates is refused with a reason, or has its days, hours and instants, one after the other.
        #[test]
        fn any_window_is_refused_or_laid_out(from in dates(), days in -3..96_i64, zone in zones(), step_s in prop::sample::select(&[1_i64, 900, 3_600][..])) {
            let to = from.saturating_add(jiff::Span::new().days(days));
            let zone = TimeZone::get(zone).expect("bundled zone");
            // Steps of a second for one day alone.
            let Ok(window) = Window::new(from, if step_s == 1 { from } else { to }) else { return Ok(()) };
            let calendar = Calendar::new(window, zone, step_s).expect("a window that was not refused");
            prop_assert_eq!(calendar.days().len() as i64, i64::from((window.to() - window.from()).get_days()) + 1);
            let (mut end_us, mut hours, mut instants) = (calendar.start_us(), 0, 0);
            for day in calendar.days() {
                prop_assert!(day.start_us == end_us && day.hours.start == hours && day.instants.start == instants);
                (end_us, hours, instants) = (day.end_us, day.hours.end, day.instants.end);
            }
            prop_assert_eq!((end_us, hours, instants), (calendar.end_us(), calendar.hours().at_us().len(), calendar.instants().at_us().len()));
        }

        /// How many ticks lie before a moment, wherever in 64 bits it is.
        #[test]
        fn ticks_are_counted_to_the_ends_of_time(from in dates(), at_us in any::<i64>(), near in -2..=2_i64, which: prop::sample::Index, step_s in prop::sample::select(&[60_i64, 900, 3_600][..]), zone in zones()) {
            let Ok(window) = Window::new(from, from) else { return Ok(()) };
            let calendar = Calendar::new(window, TimeZone::get(zone).expect("bundled zone"), step_s).expect("calendar");
            for ticks in [calendar.instants(), calendar.hours(), calendar.day_starts()] {
                let all = ticks.at_us();
                let close = if all.is_empty() { 0 } else { all[which.index(all.len())] } + near;
                for at_us in [at_us, close, i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, i64::MAX / 2, i64::MAX / 2 + 1] {
                    prop_assert_eq!(ticks.before(at_us), all.iter().filter(|tick| **tick < at_us).count(), "at {}", at_us);
                }
            }
        }

        /// The part of a calendar that a stretch of time touches is there for any stretch.
        #[test]
        fn stretches_at_the_ends_of_time_have_their_days(from_us in any::<i64>(), until_us in any::<i64>(), far: bool) {
            let calendar = brussels(date(2026, 10, 24), date(2026, 10, 26));
            let near = |us: i64| calendar.start_us() + us.rem_euclid(5 * 86_400 * MICROS_PER_SECOND) - 86_400 * MICROS_PER_SECOND;
            let (from_us, until_us) = if far { (from_us, until_us) } else { (near(from_us), near(until_us)) };
            let part = calendar.between(from_us, until_us);
            prop_assert!((1..=3).contains(&part.days().len()));
            let touched = calendar.days().iter().filter(|day| day.start_us < until_us && day.end_us > from_us).count();
            prop_assert!(from_us >= until_us || touched == 0 || part.days().len() == touched);
            prop_assert_eq!(part.days()[0].instants.start, 0);
        }
    }

    #[test]
    fn a_day_of_another_calendar_is_none_of_its_days() {
        let (one, other) = (date(2026, 10, 24), date(2026, 10, 25));
        let (calendar, others) = (brussels(one, one), brussels(other, other));
        assert!(std::panic::catch_unwind(|| calendar.only(&others.days()[0])).is_err());
    }

    #[test]
    fn the_first_and_the_last_year_are_in_and_their_neighbours_out() {
        for (year, fine) in
            [(1_899, false), (1_900, true), (9_000, true), (9_001, false), (-9_999, false), (9_999, false)]
        {
            let day = date(year, 12, 31);
            assert_eq!(Window::new(day, day).is_ok(), fine, "{year}");
        }
        let day = date(2026, 1, 1);
        let last = |days| day.saturating_add(jiff::Span::new().days(days - 1));
        assert!(Window::new(day, last(Window::DAYS_MAX)).is_ok());
        assert!(matches!(
            Window::new(day, last(Window::DAYS_MAX + 1)),
            Err(CalendarError::TooLong { days: 93, .. })
        ));
        let whole = Window::new(Date::MIN, Date::MAX);
        assert!(matches!(whole, Err(CalendarError::OutOfRange(_))));
    }

    #[test]
    fn windows_and_steps_that_make_no_sense_are_refused() {
        let (a, b) = (date(2026, 10, 15), date(2026, 10, 14));
        assert!(matches!(Window::new(a, b), Err(CalendarError::Reversed { .. })));
        assert!(matches!(Window::new(date(2026, 1, 1), a), Err(CalendarError::TooLong { days: 288, .. })));
        assert!(matches!(Window::new(date(0, 1, 1), date(0, 1, 1)), Err(CalendarError::OutOfRange(_))));
        let zone = TimeZone::get("Europe/Brussels").expect("bundled zone");
        for step in [0, -900, 7 * 60, 7_200] {
            let calendar = Calendar::new(Window::new(a, a).expect("window"), zone.clone(), step);
            assert!(matches!(calendar, Err(CalendarError::Step { .. })));
        }
    }
}
