//! Small groups in a whole release: what other programs publish, this one does not.

mod world;

use std::{collections::BTreeMap, path::Path};

use arrow::{array::AsArray, datatypes::Int64Type};
use world::{
    Event, Form, HOUR_US, MIDNIGHT_US, event, read_parquet, run, succeeded, throng, write_cells, write_events,
};

const MINUTE_US: i64 = HOUR_US / 60;

/// So many people who are seen at a cell every half hour from one minute of the day to another.
fn people(name: &str, how_many: usize, cell: &str, minutes: std::ops::Range<i64>) -> Vec<Event> {
    let ids = (0..how_many).map(|person| format!("{name}-{person}"));
    let seen = |id: String| {
        let times = minutes.clone().step_by(30);
        times.map(move |minute| event(&id, MIDNIGHT_US + minute * MINUTE_US, cell)).collect::<Vec<_>>()
    };
    ids.flat_map(seen).collect()
}

const ALL_DAY: std::ops::Range<i64> = -30..1_470;

/// The numbers of a report on its first time, or on a period's, by level and place.
type Numbers = BTreeMap<(String, String), Option<i64>>;

fn numbers(out: &Path, report: &str, row: impl Fn(i64, &str) -> bool) -> Numbers {
    let mut numbers = Numbers::new();
    for batch in read_parquet(&out.join(report).join("date=2026-10-15/part.parquet")) {
        let offset = usize::from(report == "visitors");
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let at = batch.column(0).as_primitive::<arrow::datatypes::TimestampMillisecondType>();
        let people = batch.column(offset + 3).as_primitive::<Int64Type>();
        for i in 0..batch.num_rows() {
            let period = if offset == 1 { text(1).value(i) } else { "instant" };
            if row((at.value(i) - MIDNIGHT_US / 1_000) / 60_000, period) {
                let place = (text(offset + 1).value(i).to_owned(), text(offset + 2).value(i).to_owned());
                numbers.insert(place, people.iter().nth(i).flatten());
            }
        }
    }
    numbers
}

fn of(numbers: &Numbers, level: &str, place: &str) -> Option<i64> {
    numbers[&(level.to_owned(), place.to_owned())]
}

/// A release of these events, which `verify` has nothing against.
fn release(events: &[Event], more: &[&str], look: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let cells = write_cells(folder.path());
    let file = write_events(folder.path(), "day", Form::Csv, events);
    let out = folder.path().join("release");
    succeeded(&run(&[file], &cells, &out, more));
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
    look(&out);
}

#[test]
fn two_tested_counts_are_not_subtracted() {
    // FlowKit 5258 publishes 50 - 45 = 5: forty-five in one postal code of Ghent, five in another.
    let crowds = [people("c", 40, "c-1", ALL_DAY), people("d", 40, "d-1", ALL_DAY)].concat();
    let events = [people("a", 45, "a-1", ALL_DAY), people("b", 5, "b-1", ALL_DAY), crowds].concat();
    release(&events, &[], |out| {
        for numbers in [
            numbers(out, "presence", |minute, _| minute == 600),
            numbers(out, "visitors", |minute, period| minute == 600 && period == "hour"),
            numbers(out, "visitors", |_, period| period == "day"),
        ] {
            assert_eq!(of(&numbers, "commune", "44021"), Some(50));
            assert_eq!(of(&numbers, "postal_code", "9000"), None, "50 - 45 is a group of five");
            assert_eq!(of(&numbers, "postal_code", "9030"), None);
        }
    });
}

#[test]
fn the_threshold_looks_at_devices_and_not_at_people() {
    // MultiMNO 1.0 tests k = 5 after scaling by 5.4, so that one device is published as 5.
    let events =
        [people("a", 40, "a-1", ALL_DAY), people("c", 4, "c-1", ALL_DAY), people("d", 1, "d-1", ALL_DAY)];
    release(&events.concat(), &["--k", "5", "--accept-small-k", "--expansion", "5.4"], |out| {
        for report in ["presence", "visitors"] {
            for (place, people) in numbers(out, report, |_, _| true) {
                assert!(people.is_none_or(|people| people >= 27), "{place:?} is published as {people:?}");
            }
        }
        let noon = numbers(out, "presence", |minute, _| minute == 720);
        assert_eq!(of(&noon, "country", "BE"), Some(243), "45 devices");
    });
}

#[test]
fn who_left_before_the_instant_is_no_group_of_its_own() {
    // Forty stay in a postal code; five are seen there at 10:05 and next door at 10:09, a quarter of an hour each way.
    let passing = [people("e", 5, "a-1", 605..606), people("e", 5, "b-1", 609..610)].concat();
    let staying = [people("a", 40, "a-1", ALL_DAY), people("b", 40, "b-1", ALL_DAY)].concat();
    release(&[staying, passing].concat(), &["--hold", "15min"], |out| {
        let present = numbers(out, "presence", |minute, _| minute == 615);
        let visitors = numbers(out, "visitors", |minute, period| minute == 600 && period == "hour");
        assert_eq!(of(&present, "postal_code", "9000"), Some(40));
        assert_eq!(of(&visitors, "postal_code", "9000"), None, "45 - 40 is a group of five");
    });
}

#[test]
fn an_empty_place_and_a_small_one_look_alike() {
    let crowd = [people("a", 60, "a-1", ALL_DAY), people("b", 50, "b-1", ALL_DAY)].concat();
    let few = [crowd.clone(), people("c", 3, "c-1", ALL_DAY)].concat();
    for events in [crowd, few] {
        release(&events, &[], |out| {
            let noon = numbers(out, "presence", |minute, _| minute == 720);
            assert_eq!(of(&noon, "postal_code", "9820"), None);
            assert_eq!(of(&noon, "postal_code", "9090"), None);
        });
    }
}
