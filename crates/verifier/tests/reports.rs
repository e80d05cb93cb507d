//! A release with every report passes, and whatever is changed in it is found, with a fault that says what is wrong.

mod handmade;

use handmade::{
    AREAS, CONTEXT, DWELLS, FAIR_MS, FLOWS, FREQUENCY, HOUR_MS, Handmade, MIDNIGHT_MS, OCCASIONS, PRESENCE,
    RESIDENCE, VISITORS,
};
use throng_verifier::{Fault, Gets, Means, Options, Verdict, attack, verify};

fn verdict(release: &Handmade) -> Verdict {
    let folder = tempfile::tempdir().expect("a folder");
    release.write(folder.path());
    verify(folder.path(), &Options::default()).expect("read")
}

/// Changes a good release, and expects this fault of this file.
fn finds(file: &str, fault: &str, change: impl FnOnce(&mut Handmade)) {
    let mut release = Handmade::good();
    change(&mut release);
    let faults = verdict(&release).faults;
    let found = |found: &Fault| found.file == file && found.check == fault && !found.first.is_empty();
    assert!(faults.iter().any(found), "expected `{file}: {fault}` in\n{faults:#?}");
}

#[test]
fn a_release_with_every_report_passes() {
    let verdict = verdict(&Handmade::good());
    assert_eq!(verdict.faults, []);
    assert_eq!((verdict.crossed_tables, verdict.crossed_skipped), (24 + 3, 0));
}

#[test]
fn a_release_with_some_of_the_reports_passes() {
    for left_out in [["visitors", "presence"], ["residence", "flows"], ["frequency", "occasions"]] {
        let mut release = Handmade::good();
        left_out.iter().for_each(|report| release.without(report));
        assert_eq!(verdict(&release).faults, [], "without {left_out:?}");
    }
}

#[test]
fn a_file_of_a_report_that_is_missing_is_found() {
    const FILES: &str = "the manifest lists the files that the parameters ask for";
    for file in [RESIDENCE, DWELLS, FLOWS, CONTEXT, FREQUENCY, OCCASIONS, AREAS] {
        finds(file, FILES, |release| drop(release.files.remove(file)));
    }
}

/// The rules that hold for the rows of every report.
#[test]
fn rows_that_are_missing_twice_unknown_or_small_are_found() {
    for file in [RESIDENCE, DWELLS, FLOWS, CONTEXT, FREQUENCY, OCCASIONS] {
        let twice = "no row stands twice";
        finds(file, twice, |release| {
            let rows = &mut release.file(file).rows;
            rows.push(rows[0].clone());
        });
    }
    for file in [RESIDENCE, DWELLS, FLOWS, CONTEXT, FREQUENCY] {
        finds(file, "every row's time and place are the release's", |release| {
            release.file(file).rows[0].words.insert("place", "nowhere".to_owned());
        });
        finds(file, "every row's time and place are the release's", |release| {
            release.file(file).rows[0].times.insert("period_start", 0);
        });
    }
    for file in [RESIDENCE, DWELLS, FLOWS, FREQUENCY, OCCASIONS] {
        finds(file, "every status is known", |release| {
            release.file(file).rows[0].words.insert("status", "protective".to_owned());
        });
        finds(file, "a number stands where it is published and nowhere else", |release| {
            release.file(file).rows[0].words.insert("status", "withheld".to_owned());
        });
        finds(file, "no published number is under k times the factor", |release| {
            release.file(file).rows[0].set(Some(19));
        });
        finds(file, "a whole number of devices gives every published number", |release| {
            (release.factor, release.file(file).rows[0]) = (2.0, release.file(file).rows[0].clone());
            release.file(file).rows[0].set(Some(121));
        });
    }
    for (file, class) in
        [(RESIDENCE, "residence"), (DWELLS, "dwell"), (FLOWS, "destination"), (FREQUENCY, "days")]
    {
        finds(file, "every class is known", |release| {
            release.file(file).rows[1].words.insert(class, "nothing".to_owned());
        });
    }
    finds(OCCASIONS, "every occasion, measure and class is known", |release| {
        release.file(OCCASIONS).rows[0].words.insert("occasion", "market".to_owned());
    });
    for file in [DWELLS, FREQUENCY] {
        finds(file, "every place has a row of every class", |release| {
            release.file(file).rows.remove(3);
        });
    }
    finds(OCCASIONS, "every occasion has a row of every measure and time", |release| {
        release.file(OCCASIONS).rows.remove(0);
    });
    finds(CONTEXT, "every place has a row at every time", |release| {
        drop(release.file(CONTEXT).rows.remove(0))
    });
    finds(RESIDENCE, "every place has a row at every time", |release| {
        release.file(RESIDENCE).rows.retain(|row| row.words["place"] != "3000");
    });
    const OTHER: &str = "every place with coverage, and no other, has a row of what is withheld together";
    finds(RESIDENCE, OTHER, |release| {
        release.file(RESIDENCE).rows.retain(|row| row.words["residence"] != "other");
    });
    finds(FLOWS, OTHER, |release| {
        let all = |row: &handmade::Row| row.words["place"] == "all" && row.words["destination"] == "other";
        release.file(FLOWS).rows.retain(|row| !all(row));
    });
}

#[test]
fn a_withheld_row_of_a_class_is_found() {
    const SPARSE: &str =
        "only published numbers have a row below the total, and what is withheld has one together";
    finds(RESIDENCE, SPARSE, |release| release.file(RESIDENCE).row(None, &[("residence", "FR")]).set(None));
    finds(RESIDENCE, SPARSE, |release| {
        release.file(RESIDENCE).row(None, &[("residence", "other")]).set(Some(40));
    });
    finds(FLOWS, SPARSE, |release| release.file(FLOWS).row(None, &[("destination", "2000")]).set(None));
    finds(OCCASIONS, SPARSE, |release| release.file(OCCASIONS).row(None, &[("class", "FR")]).set(None));
}

#[test]
fn coverage_that_reports_do_not_agree_on_is_found() {
    const COVERAGE: &str = "places have coverage in every report or in none";
    let covered = |row: &mut handmade::Row| row.set(None);
    for file in [RESIDENCE, DWELLS, FREQUENCY] {
        finds(file, COVERAGE, |release| release.file(file).each(&[("place", "3000")], covered));
    }
    finds(DWELLS, COVERAGE, |release| {
        let row = release.file(DWELLS).row(None, &[("place", "1000"), ("dwell", "4-8h")]);
        row.words.insert("status", "no_coverage".to_owned());
    });
    finds(OCCASIONS, "an occasion has coverage in all its rows or in none", |release| {
        let row = release.file(OCCASIONS).row(None, &[("measure", "typical")]);
        row.words.insert("status", "no_coverage".to_owned());
    });
}

#[test]
fn classes_that_leave_few_of_their_total_are_found() {
    const LEFT: &str = "a total without its published classes is nobody or at least k";
    // The classes of the postal code are 44, 60 and 140 of 244.
    finds(DWELLS, LEFT, |release| {
        release.file(DWELLS).row(None, &[("place", "1000"), ("dwell", "1-2h")]).set(Some(57));
    });
    finds(FREQUENCY, LEFT, |release| {
        release.file(FREQUENCY).row(None, &[("place", "1000"), ("days", "1")]).set(Some(243));
    });
    finds(OCCASIONS, LEFT, |release| {
        release.file(OCCASIONS).row(None, &[("class", "1-2h")]).set(Some(101));
    });
    const BELOW: &str = "nothing is published below a withheld total";
    finds(DWELLS, BELOW, |release| {
        release.file(VISITORS).each(&[("place", "1000"), ("period", "day")], |row| row.set(None));
    });
    finds(FREQUENCY, BELOW, |release| {
        release.file(FREQUENCY).row(None, &[("place", "1000"), ("days", "all")]).set(None);
    });
    const HOLDS: &str = "classes are no more than their total";
    finds(DWELLS, HOLDS, |release| {
        release.file(DWELLS).row(None, &[("place", "1000"), ("dwell", "8h+")]).set(Some(240));
    });
    finds(FREQUENCY, HOLDS, |release| {
        release.file(FREQUENCY).row(None, &[("place", "1000"), ("days", "1")]).set(Some(245));
    });
    finds(DWELLS, "classes that are all published add up to their total", |release| {
        let dwell = release.file(DWELLS);
        dwell.each(&[("place", "1000")], |row| row.set(Some(30)));
    });
}

#[test]
fn tails_of_nested_places_that_are_few_apart_are_found() {
    const TAILS: &str = "who stayed so long or came so often in a place, without those who did in a place in it, are nobody or at least k";
    finds(DWELLS, TAILS, |release| {
        // In the commune 200 stayed 8 hours, and 140 of them in this postal code.
        release.file(DWELLS).row(None, &[("place", "C0"), ("dwell", "8h+")]).set(Some(145));
    });
    finds(FREQUENCY, TAILS, |release| {
        for (place, people) in [("C0", 45), ("1000", 40)] {
            release.file(FREQUENCY).row(None, &[("place", place), ("days", "15+")]).set(Some(people));
        }
    });
    const HOLDS: &str = "who stayed so long or came so often in a place hold those who did in a place in it";
    finds(DWELLS, HOLDS, |release| {
        release.file(DWELLS).row(None, &[("place", "C0"), ("dwell", "8h+")]).set(Some(139));
    });
}

#[test]
fn visitors_of_the_window_a_few_more_than_of_a_day_are_found() {
    const WINDOW: &str =
        "visitors of the window without those of a place and period in it are nobody or at least k";
    finds(FREQUENCY, WINDOW, |release| release.file(FREQUENCY).add(&[("place", "1000"), ("days", "all")], 3));
    const HOLDS: &str = "visitors of the window hold those of a place and period in it";
    finds(FREQUENCY, HOLDS, |release| release.file(FREQUENCY).add(&[("place", "1000"), ("days", "all")], -1));
}

#[test]
fn everybody_of_residence_is_who_is_present_and_who_came() {
    const SAME: &str = "everybody is as many as in presence and in visitors";
    for measure in ["presence", "visitors"] {
        finds(RESIDENCE, SAME, |release| {
            release.file(RESIDENCE).add(&[("measure", measure), ("place", "1000"), ("residence", "all")], 1);
        });
        finds(RESIDENCE, SAME, |release| {
            let words = [("measure", measure), ("place", "1001"), ("residence", "all")];
            release.file(RESIDENCE).row(None, &words).set(None);
        });
    }
}

#[test]
fn residence_that_leaves_few_is_found() {
    let row = |measure| [("measure", measure), ("place", "1000"), ("residence", "FR")];
    // Of 244 in the postal code 170 live in the country and 50 in France: the other 24 are withheld together.
    for measure in ["presence", "visitors"] {
        finds(
            RESIDENCE,
            "a number without its published finer classes or destinations is nobody or at least k",
            |release| release.file(RESIDENCE).add(&row(measure), 10),
        );
        finds(RESIDENCE, "everybody without the finest classes is nobody or at least k", |release| {
            // Of 82 in the other postal code, 60 are of a published commune.
            let finest = [("measure", measure), ("place", "1001"), ("residence", "C0")];
            release.file(RESIDENCE).add(&finest, 3);
        });
        finds(RESIDENCE, "a number holds its published parts along either side", |release| {
            release.file(RESIDENCE).add(&row(measure), 30);
        });
        finds(RESIDENCE, "a row is the finest where it is published and nothing finer is", |release| {
            release.file(RESIDENCE).row(None, &row(measure)).finest = false;
        });
        finds(RESIDENCE, "a row is the finest where it is published and nothing finer is", |release| {
            let words = [("measure", measure), ("residence", "all")];
            release.file(RESIDENCE).row(None, &words).finest = true;
        });
        finds(
            RESIDENCE,
            "a number is published only where those one step up on either side are",
            |release| {
                let upper =
                    |row: &handmade::Row| row.words["residence"] == "BE" && row.words["place"] == "1000";
                release.file(RESIDENCE).rows.retain(|row| !upper(row) || row.words["measure"] != measure);
            },
        );
    }
    // Of those from France in the commune, all 50 are in one postal code.
    let commune = |measure| [("measure", measure), ("place", "C0"), ("residence", "FR")];
    finds(
        RESIDENCE,
        "a number without its published parts in smaller places is nobody or at least k",
        |release| release.file(RESIDENCE).add(&commune("presence"), 3),
    );
    finds(
        RESIDENCE,
        "visitors of a class in a place without those in a smaller place in it are nobody or at least k",
        |release| release.file(RESIDENCE).add(&commune("visitors"), 3),
    );
    finds(RESIDENCE, "visitors of a class in a place hold those in a smaller place in it", |release| {
        release.file(RESIDENCE).add(&commune("visitors"), -3);
    });
    finds(RESIDENCE, "a number is published only where those one step up on either side are", |release| {
        let upper = |row: &handmade::Row| row.words["residence"] == "FR" && row.words["place"] == "C0";
        release.file(RESIDENCE).rows.retain(|row| !upper(row) || row.words["measure"] != "presence");
    });
    finds(
        RESIDENCE,
        "visitors of a class hold those of it who are present at an hour of the day",
        |release| release.file(RESIDENCE).add(&row("visitors"), -1),
    );
    finds(RESIDENCE, "parts that are all published add up along either side", |release| {
        for place in ["C0", "P", "R", "BE"] {
            let words = [("measure", "presence"), ("place", place), ("residence", "C0")];
            release.file(RESIDENCE).add(&words, 40);
        }
    });
}

/// Trips of one hour, 100 in all: 60 begin in the one commune and 60 end in a postal code of the other, 22 of them the
/// same. So 2 are of neither kind, though no number less those on one side of it is under 38.
fn corner(release: &mut Handmade) {
    let flows = release.file(FLOWS);
    let hour = MIDNIGHT_MS + 2 * HOUR_MS;
    let mut add = |from: (&str, &str), to: (&str, &str), people| {
        let mut row = flows.row(Some(hour), &[("place", "1000")]).clone();
        let words =
            [("level", from.0), ("place", from.1), ("destination_level", to.0), ("destination", to.1)];
        row.words.extend(words.map(|(name, word)| (name, word.to_owned())));
        row.set(Some(people));
        flows.rows.push(row);
    };
    let from = [("all", "all"), ("country", "BE"), ("region", "R"), ("province", "P")];
    let to = [from.as_slice(), &[("commune", "C0")]].concat();
    for to in &to {
        from.iter().for_each(|from| add(*from, *to, 100));
        add(("commune", "C1"), *to, 60);
    }
    from.iter().for_each(|from| add(*from, ("postal_code", "1000"), 60));
    add(("commune", "C1"), ("postal_code", "1000"), 22);
}

#[test]
fn a_corner_that_no_side_alone_leaves_is_found() {
    const GROUP: &str = "no group of 1 to k - 1 follows from all numbers of a time by adding and subtracting";
    finds(FLOWS, GROUP, corner);
    finds(FLOWS, "a number without its published parts along both sides is nobody or at least k", corner);
    let mut release = Handmade::good();
    corner(&mut release);
    let faults = verdict(&release).faults;
    assert!(
        faults
            .iter()
            .all(|fault| !fault.check.contains("in smaller places") && !fault.check.contains("destinations")),
        "{faults:#?}"
    );
}

#[test]
fn flows_that_leave_few_are_found() {
    let of = |from, to| [("place", from), ("destination", to)];
    finds(
        FLOWS,
        "a number without its published parts in smaller places is nobody or at least k",
        |release| release.file(FLOWS).add(&of("C0", "2000"), 5),
    );
    finds(
        FLOWS,
        "a number without its published finer classes or destinations is nobody or at least k",
        |release| release.file(FLOWS).add(&of("1000", "C0"), 5),
    );
    finds(FLOWS, "a number holds its published parts along either side", |release| {
        release.file(FLOWS).add(&of("1000", "C0"), -5);
    });
    finds(FLOWS, "a number is published only where those one step up on either side are", |release| {
        let upper = |row: &handmade::Row| row.words["place"] == "1000" && row.words["destination"] == "C0";
        release.file(FLOWS).rows.retain(|row| !upper(row));
    });
    let day = [("period", "day"), ("place", "all"), ("destination", "all")];
    // In 22 hours nothing is published: what is left of the day must be 440 trips or more.
    finds(
        FLOWS,
        "trips of a day without those of its published hours are none or at least k for every other hour",
        |release| release.file(FLOWS).add(&day, 439),
    );
    finds(FLOWS, "trips of a day hold those of its hours", |release| release.file(FLOWS).add(&day, -1));
    finds(FLOWS, "a trip ends in another postal code than it begins in", |release| {
        let mut row = release.file(FLOWS).row(None, &of("1000", "1001")).clone();
        row.words.extend([("destination", "1000".to_owned())]);
        release.file(FLOWS).rows.push(row);
    });
}

#[test]
fn context_that_does_not_follow_is_found() {
    const RATE: &str = "a rate stands where its number and figure do, and follows from them";
    let row = |release: &mut Handmade, change: &dyn Fn(&mut handmade::Row)| {
        change(release.file(CONTEXT).row(None, &[("place", "1000")]));
    };
    for rate in ["visitors_per_1000", "visitors_per_km2", "presence_per_1000", "presence_per_km2"] {
        finds(CONTEXT, RATE, |release| row(release, &|row| *row.reals.get_mut(rate).expect("a rate") += 0.1));
        finds(CONTEXT, RATE, |release| row(release, &|row| assert!(row.reals.remove(rate).is_some())));
        finds(CONTEXT, RATE, |release| {
            release.file(CONTEXT).row(None, &[("place", "3000")]).reals.insert(rate, 1.0);
        });
    }
    finds(CONTEXT, "visitors are those of the report of visitors", |release| {
        row(release, &|row| *row.numbers.get_mut("visitors").expect("a number") += 1);
    });
    finds(
        CONTEXT,
        "presence is the mean of the day's instants, where all of them are published",
        |release| {
            row(release, &|row| *row.reals.get_mut("presence").expect("a number") += 0.5);
        },
    );
    finds(
        CONTEXT,
        "presence is the mean of the day's instants, where all of them are published",
        |release| {
            release.file(PRESENCE).row(Some(MIDNIGHT_MS), &[("place", "1000")]).set(None);
        },
    );
    const STATUS: &str = "a row is published where one of its numbers is, and else as visitors are";
    finds(CONTEXT, STATUS, |release| {
        row(release, &|row| drop(row.words.insert("status", "withheld".to_owned())));
    });
    finds(CONTEXT, "no published number is under k times the factor", |release| {
        row(release, &|row| *row.reals.get_mut("presence").expect("a number") = 12.5);
    });
}

#[test]
fn occasions_that_do_not_hold_together_are_found() {
    let of = |measure| [("measure", measure)];
    finds(OCCASIONS, "arrivals and departures of a step are published together or not at all", |release| {
        release.file(OCCASIONS).row(None, &of("arrivals")).set(None);
    });
    const HOLDS: &str = "visitors of an occasion hold those present, arriving and departing, and every class";
    for measure in ["presence", "arrivals", "departures"] {
        finds(OCCASIONS, HOLDS, |release| release.file(OCCASIONS).row(None, &of(measure)).set(Some(121)));
    }
    finds(OCCASIONS, "residence says of everybody what visitors do", |release| {
        release.file(OCCASIONS).row(None, &[("measure", "residence"), ("class", "all")]).set(Some(121));
    });
    finds(
        OCCASIONS,
        "visitors of an occasion without the published finer classes are nobody or at least k",
        |release| release.file(OCCASIONS).row(None, &[("class", "R")]).set(Some(55)),
    );
    finds(OCCASIONS, "everybody without the finest classes is nobody or at least k", |release| {
        release.file(OCCASIONS).row(None, &[("class", "FR")]).set(Some(45));
    });
    finds(OCCASIONS, "a number is published only where those one step up on either side are", |release| {
        release.file(OCCASIONS).rows.retain(|row| row.words["class"] != "BE");
    });
    finds(OCCASIONS, "times of an occasion lie in its window", |release| {
        let mut row = release.file(OCCASIONS).row(None, &of("presence")).clone();
        row.times.insert("at", FAIR_MS.1);
        release.file(OCCASIONS).rows.push(row);
    });
    finds(AREAS, "areas lie in places of the release", |release| {
        release.file(AREAS).rows[0].words.insert("postal_code", "9999".to_owned());
    });
    finds(AREAS, "a postal code is cut into the same parts for every occasion", |release| {
        release.file(AREAS).rows[0].numbers.insert("part", 3);
    });
    finds(AREAS, "an occasion has one window, which ends after it begins", |release| {
        release.file(AREAS).rows[0].times.insert("end", FAIR_MS.0);
    });
}

/// An area is a part of a postal code, in which 244 people are: the rest of it is told by subtraction.
#[test]
fn an_area_that_gives_a_part_of_a_postal_code_away_is_found() {
    let presence = |people| {
        move |release: &mut Handmade| {
            let occasions = release.file(OCCASIONS);
            occasions.each(&[("measure", "presence")], |row| row.set(people));
            occasions.add(&[("measure", "visitors")], 130);
            occasions.add(&[("measure", "residence"), ("class", "all")], 130);
        }
    };
    const PIECE: &str = "no part of a postal code that an occasion cuts can be shown to hold 1 to k - 1";
    finds(OCCASIONS, PIECE, presence(Some(230)));
    const TOGETHER: &str = "some table of counts has the published presence of places and occasions";
    finds(OCCASIONS, TOGETHER, presence(Some(245)));
    // With the whole postal code as its area, an occasion is the postal code.
    let whole = |release: &mut Handmade| {
        presence(None)(release);
        release.file(AREAS).rows[0].numbers.insert("parts", 1);
    };
    finds(
        OCCASIONS,
        "no withheld number follows from presence of places and occasions together by adding and subtracting",
        whole,
    );
    // Where the postal code's own number is withheld, an area that is most of it would tell what is left.
    finds(
        OCCASIONS,
        "no withheld number can be shown to be under k by presence of places and occasions together",
        |release| {
            presence(Some(230))(release);
            // Of 246 in the commune 230 are in the area, so that at most 16 are in the other postal code.
            for place in ["1000", "1001"] {
                release.file(PRESENCE).each(&[("place", place)], |row| row.set(None));
            }
            for place in ["C0", "P", "R", "BE"] {
                release.file(PRESENCE).add(&[("place", place)], -80);
            }
        },
    );
}

fn attacked(release: &Handmade) -> Vec<(&'static str, u64, u64)> {
    let folder = tempfile::tempdir().expect("a folder");
    release.write(folder.path());
    let found = attack(folder.path(), &Means::default()).expect("read");
    let count = |gets| if let Some(Gets::Count(count)) = gets { count } else { 0 };
    found.into_iter().map(|finding| (finding.attack, finding.looked_at, count(finding.gets))).collect()
}

const REPORTS: [&str; 5] = ["residence", "flows", "dwell", "frequency", "occasions"];

#[test]
fn attacks_on_classes_and_trips_get_nothing_from_a_good_release() {
    let found = attacked(&Handmade::good());
    for report in REPORTS {
        let of: Vec<_> = found.iter().filter(|(attack, ..)| attack.starts_with(report)).collect();
        assert!(!of.is_empty(), "no attack on {report}");
        for (attack, _, gets) in of {
            assert_eq!(*gets, 0, "{attack}");
        }
    }
}

#[test]
fn attacks_on_classes_and_trips_find_the_groups_that_are_left() {
    let gets = |name: &str, change: &dyn Fn(&mut Handmade)| {
        let mut release = Handmade::good();
        change(&mut release);
        let found = attacked(&release);
        let of = found.iter().find(|(attack, ..)| attack.starts_with(name));
        let (_, looked_at, gets) = of.unwrap_or_else(|| panic!("no attack `{name}`"));
        assert!(*gets > 0 && looked_at >= gets, "{name}");
    };
    let add = |file: &'static str, words: &'static [(&'static str, &'static str)], people| {
        move |release: &mut Handmade| release.file(file).add(words, people)
    };
    let french = add(RESIDENCE, &[("place", "1000"), ("residence", "FR")], 10);
    gets("residence: a class in a place without its finer classes", &french);
    let finest = add(RESIDENCE, &[("place", "1001"), ("residence", "C0")], 3);
    gets("residence: everybody in a place without its finest rows", &finest);
    // Ten of those withheld together in the postal code, where 24 were, are French instead of Dutch.
    let few = |release: &mut Handmade| {
        for place in ["1000", "C0", "P", "R", "BE"] {
            let of = |class| [("measure", "presence"), ("place", place), ("residence", class)];
            release.file(RESIDENCE).add(&of("FR"), 10);
            release.file(RESIDENCE).add(&of("NL"), -10);
        }
    };
    gets("residence: groups of 1 to k - 1 told exactly", &few);
    gets("residence: groups of 1 to k - 1 shown by bounds", &few);
    gets("flows: groups of 1 to k - 1 told exactly", &corner);
    gets("flows: trips without parts of them on both sides", &corner);
    gets("flows: groups of 1 to k - 1 shown by bounds", &corner);
    let more = add(RESIDENCE, &[("place", "C0"), ("residence", "FR")], 3);
    gets("residence: a class in a place without its places", &more);
    gets("residence: visitors of a class in a place without a place in it", &more);
    gets("flows: trips from a place", &add(FLOWS, &[("place", "C0"), ("destination", "2000")], 5));
    gets("flows: trips to a place", &add(FLOWS, &[("place", "1000"), ("destination", "C0")], 5));
    gets(
        "flows: trips of a day",
        &add(FLOWS, &[("period", "day"), ("place", "all"), ("destination", "all")], 5),
    );
    gets("dwell: visitors of a place", &add(DWELLS, &[("place", "1000"), ("dwell", "1-2h")], -3));
    gets("dwell: who stayed so long", &add(DWELLS, &[("place", "C0"), ("dwell", "8h+")], -55));
    gets("frequency: visitors of the window", &add(FREQUENCY, &[("place", "1000"), ("days", "all")], 3));
    gets("frequency: visitors of a place", &add(FREQUENCY, &[("place", "1000"), ("days", "1")], -3));
    gets("occasions: visitors of a class", &add(OCCASIONS, &[("class", "R")], -5));
    let most = |release: &mut Handmade| {
        release.file(OCCASIONS).each(&[("measure", "presence")], |row| row.set(Some(230)));
    };
    gets("occasions: parts of postal codes shown", &most);
    gets("occasions: visitors without", &add(OCCASIONS, &[("class", "1-2h")], 1));
}
