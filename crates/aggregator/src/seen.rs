//! How many events a day has, and of how many devices: totals for the ledger, counted beside the reports.

use std::sync::atomic::{AtomicU64, Ordering};

use throng_anonymiser::Sighting;
use throng_schema::Day;

/// What one thread has seen, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Lane {
    events: AtomicU64,
    devices: AtomicU64,
}

/// Totals of a day, to which every thread adds. Sums of integers, so neither threads nor passes matter.
pub(crate) struct Seen(Vec<Lane>);

impl Seen {
    pub(crate) fn nobody() -> Self {
        Self((0..rayon::current_num_threads().max(1)).map(|_| Lane::default()).collect())
    }

    /// Adds one person: the events that lie in the day itself, whatever is in the context around it.
    pub(crate) fn add(&self, sightings: &[Sighting], day: &Day) {
        let before = |at_us: i64| sightings.partition_point(|seen| seen.at_us < at_us);
        let events = before(day.end_us) - before(day.start_us);
        if events > 0 {
            let lane = &self.0[rayon::current_thread_index().unwrap_or_default() % self.0.len()];
            lane.events.fetch_add(events as u64, Ordering::Relaxed);
            lane.devices.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events, and devices with any.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&Lane) -> &AtomicU64| self.0.iter().map(|l| of(l).load(Ordering::Relaxed)).sum();
        (sum(|lane| &lane.events), sum(|lane| &lane.devices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{civil::date, tz::TimeZone};
    use throng_schema::{Calendar, VersionIx, Window};

    #[test]
    fn what_lies_around_the_day_is_not_of_it() {
        let (first, last) = (date(2026, 10, 15), date(2026, 10, 15));
        let window = Window::new(first, last).expect("a window");
        let calendar = Calendar::new(window, TimeZone::UTC, 900).expect("a calendar");
        let day = &calendar.days()[0];
        let at = |at_us: i64| Sighting { at_us, cell: VersionIx(0) };
        let seen = Seen::nobody();
        seen.add(&[at(day.start_us - 1), at(day.start_us), at(day.end_us - 1), at(day.end_us)], day);
        seen.add(&[at(day.start_us - 1), at(day.end_us)], day);
        seen.add(&[at(day.start_us)], day);
        assert_eq!(seen.totals(), (3, 2));
    }
}
