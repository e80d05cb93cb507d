//! `throng verify` finds what is wrong with a release, and says so with exit code 4.

mod town;
mod world;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::Int64Type,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use throng_verifier::{Bounds, Incidence, bounds, recovered};
use town::{Cell, K, PRESENCE, VISITORS, encoded, forge, forge_cells, forge_manifest, plain};
use world::{Form, events, read_parquet, run, said, succeeded, throng, write_cells, write_events};

/// A release of the world that holds published, protective and empty cells.
fn release(folder: &Path) -> PathBuf {
    let cells = write_cells(folder);
    let file = write_events(folder, "day", Form::Parquet, &events(120, 11));
    let out = folder.join("release");
    succeeded(&run(&[file], &cells, &out, &[]));
    succeeded(&throng().arg("verify").arg(&out).output().expect("runs"));
    out
}

/// Rewrites the presence of the day after a change of its rows.
fn forge_presence(out: &Path, change: impl Fn(&mut Vec<Option<i64>>, &mut Vec<String>, &[String])) {
    let batches = read_parquet(&out.join(PRESENCE));
    let batch = concat_batches(&batches[0].schema(), &batches).expect("one batch");
    let text = |i: usize| -> Vec<String> {
        batch.column(i).as_string::<i32>().iter().map(|t| t.expect("text").to_owned()).collect()
    };
    let (levels, mut status) = (text(1), text(4));
    let mut people: Vec<Option<i64>> = batch.column(3).as_primitive::<Int64Type>().iter().collect();
    change(&mut people, &mut status, &levels);
    let mut columns = batch.columns().to_vec();
    columns[3] = Arc::new(people.into_iter().collect::<Int64Array>()) as ArrayRef;
    columns[4] = Arc::new(status.into_iter().map(Some).collect::<StringArray>()) as ArrayRef;
    write_batch(out, &RecordBatch::try_new(batch.schema(), columns).expect("a batch"));
}

fn write_batch(out: &Path, batch: &RecordBatch) {
    forge(out, PRESENCE, &encoded(batch));
}

/// `verify` ends with exit code 4 and names the fault.
fn finds(out: &Path, fault: &str) {
    let output = throng().arg("verify").arg(out).output().expect("runs");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains(fault), "expected `{fault}` in\n{}", said(&output));
}

fn in_a_release(test: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(&release(folder.path()));
}

#[test]
fn a_changed_a_missing_and_an_added_file_are_found() {
    in_a_release(|out| {
        let mut bytes = fs::read(out.join(PRESENCE)).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(out.join(PRESENCE), bytes).expect("written");
        finds(out, "the file is the one that was written");
        fs::remove_file(out.join(PRESENCE)).expect("removed");
        finds(out, "the file can be read");
    });
    in_a_release(|out| {
        fs::write(out.join("presence/raw.csv"), "subscriber").expect("written");
        finds(out, "the manifest lists every file");
    });
}

#[test]
fn a_release_without_a_manifest_or_with_another_schema_is_found() {
    in_a_release(|out| {
        let path = out.join("manifest.json");
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("\"schema_version\": 1", "\"schema_version\": 99")).expect("written");
        finds(out, "the schema version is known");
        fs::write(&path, "{}").expect("written");
        finds(out, "the manifest has the fields of its schema");
        fs::remove_file(&path).expect("removed");
        finds(out, "the release has a manifest");
    });
    let nowhere = throng().args(["verify", "/nowhere/at/all"]).output().expect("runs");
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn a_number_under_k_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, _, _| {
            let published = people.iter().position(Option::is_some).expect("a published number");
            people[published] = Some(14);
        });
        finds(out, "no published number is under k times the factor");
    });
}

#[test]
fn a_number_that_does_not_add_up_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, _, levels| {
            let country = (0..people.len())
                .find(|i| levels[*i] == "country" && people[*i].is_some())
                .expect("a country");
            people[country] = people[country].map(|people| people + 1);
        });
        finds(out, "places add up to their parent");
    });
}

#[test]
fn a_place_withheld_alone_is_found() {
    in_a_release(|out| {
        forge_presence(out, |people, status, levels| {
            let lone =
                (0..people.len()).find(|i| levels[*i] == "region" && people[*i].is_some()).expect("a region");
            (people[lone], status[lone]) = (None, "withheld".to_owned());
        });
        finds(out, "places do not add up to a withheld parent");
    });
}

#[test]
fn a_small_group_left_over_by_subtraction_is_found() {
    in_a_release(|out| {
        // One more person in a withheld postal code's commune would show; one fewer published next to it does.
        forge_presence(out, |people, status, levels| {
            let small = |i: &usize| levels[*i] == "postal_code" && status[*i] == "published";
            let lone = (0..people.len()).filter(small).min_by_key(|i| people[*i]).expect("a postal code");
            let parent = (0..lone).rev().find(|i| levels[*i] == "country").expect("above");
            // The country and everything between stay; the code is hidden, and what is left of it made small.
            let excess = people[lone].expect("published") - 3;
            people[lone] = None;
            status[lone] = "withheld".to_owned();
            for i in parent..lone {
                if ["country", "region", "province"].contains(&levels[i].as_str()) && people[i].is_some() {
                    people[i] = people[i].map(|people| people - excess);
                }
            }
            for i in parent..parent + levels.len().min(1_729) {
                if i < levels.len() && levels[i] == "commune" {
                    (people[i], status[i]) = (
                        None,
                        if status[i] == "no_coverage" { "no_coverage" } else { "withheld" }.to_owned(),
                    );
                }
            }
        });
        finds(out, "a place without what is published in it is nobody or at least k");
    });
}

#[test]
fn statuses_that_say_too_much_or_contradict_are_found() {
    in_a_release(|out| {
        forge_presence(out, |_, status, _| status[0] = "protective".to_owned());
        finds(out, "every status is known");
    });
    in_a_release(|out| {
        forge_presence(out, |people, _, _| {
            let withheld = people.iter().position(Option::is_none).expect("a withheld cell");
            people[withheld] = Some(0);
        });
        finds(out, "a number stands where it is published and nowhere else");
    });
}

#[test]
fn a_missing_row_is_found() {
    in_a_release(|out| {
        let batch = &read_parquet(&out.join(PRESENCE))[0];
        write_batch(out, &batch.slice(0, batch.num_rows() - 1));
        finds(out, "every place has a row at every time");
    });
}

#[test]
fn a_column_too_many_is_found() {
    in_a_release(|out| {
        let batch = &read_parquet(&out.join(PRESENCE))[0];
        write_batch(out, &batch.project(&[0, 1, 2, 3]).expect("fewer columns"));
        finds(out, "the columns are those of the report");
    });
}

/// A release of the made-up country, the truth that it was made of, and a folder for more.
fn town(seed: u64, test: impl Fn(&Path, &Path, &Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let events = town::events(1_500, seed);
    let good = town::release(folder.path(), "good", &events, K, &[]);
    let truth = town::release(folder.path(), "truth", &events, 1, &[]);
    succeeded(&throng().arg("verify").arg(&good).output().expect("runs"));
    test(&good, &truth, folder.path());
}

/// Time, period, level and place of a row.
type Key = (i64, String, String, String);

fn key(cell: &Cell) -> Key {
    (cell.at_ms, cell.period.clone(), cell.level.clone(), cell.place.clone())
}

/// The numbers of a report that are published.
fn numbers(out: &Path, part: &str) -> HashMap<Key, i64> {
    town::cells(out, part).into_iter().filter_map(|cell| Some((key(&cell), cell.people?))).collect()
}

/// The sums of one instant, and what can be known of every place in them.
struct Known {
    places: HashMap<(String, String), usize>,
    incidence: Incidence,
}

impl Known {
    /// From the places of a release alone.
    fn of(out: &Path) -> Self {
        let text = |i: usize| -> Vec<Option<String>> {
            let batches = read_parquet(&out.join("places.parquet"));
            batches
                .iter()
                .flat_map(|batch| {
                    batch
                        .column(i)
                        .as_string::<i32>()
                        .iter()
                        .map(|t| t.map(str::to_owned))
                        .collect::<Vec<_>>()
                })
                .collect()
        };
        let (levels, codes, parents) = (text(0), text(1), text(2));
        let key = |i: usize| (levels[i].clone().expect("a level"), codes[i].clone().expect("a code"));
        let places: HashMap<_, _> = (0..levels.len()).map(|i| (key(i), i)).collect();
        let up: BTreeMap<&str, &str> = [
            ("postal_code", "commune"),
            ("commune", "province"),
            ("province", "region"),
            ("region", "country"),
        ]
        .into();
        let parent =
            |i: usize| Some(places[&((*up.get(levels[i].as_deref()?)?).to_owned(), parents[i].clone()?)]);
        let atoms: Vec<usize> =
            (0..levels.len()).filter(|i| levels[*i].as_deref() == Some("postal_code")).collect();
        let mut columns = vec![Vec::new(); levels.len()];
        for (atom, place) in atoms.iter().enumerate() {
            std::iter::successors(Some(*place), |place| parent(*place))
                .for_each(|above| columns[above].push(atom));
        }
        Self { places, incidence: Incidence::new(atoms.len(), columns) }
    }

    /// Whether the presence at one time tells a withheld number, or shows it to be small.
    fn tells(&self, cells: &[&Cell]) -> bool {
        let mut known = vec![None; self.places.len()];
        for cell in cells {
            let place = self.places[&(cell.level.clone(), cell.place.clone())];
            known[place] = cell.people.map(|people| Bounds::exactly(people as u64));
        }
        let published: Vec<bool> = known.iter().map(Option::is_some).collect();
        let small = |bounds: Vec<Bounds>| {
            let withheld = bounds.iter().zip(&published).filter(|(_, published)| !**published);
            withheld.into_iter().any(|(bounds, _)| bounds.most < K as u64 || bounds.pinned().is_some())
        };
        !recovered(&self.incidence, &published).columns.is_empty()
            || bounds(&self.incidence, &known).map_or(true, small)
    }
}

/// Publish any one withheld number as it was counted, and `verify` finds it if it matters, and only then.
#[test]
fn one_more_published_number_is_found_where_it_matters() {
    town(1, |good, truth, folder| {
        let out = folder.join("forged");
        let known = Known::of(good);
        let mut dice = Pcg64Mcg::seed_from_u64(1);
        let (mut matter, mut large) = (0, 0);
        for part in [PRESENCE, VISITORS] {
            let truth: HashMap<Key, i64> = numbers(truth, part);
            let cells = town::cells(good, part);
            let can = |i: &usize| cells[*i].status == "withheld" && truth.contains_key(&key(&cells[*i]));
            let withheld: Vec<usize> = (0..cells.len()).filter(can).collect();
            for _ in 0..60 {
                let chosen = withheld[dice.random_range(0..withheld.len())];
                let number = truth[&key(&cells[chosen])];
                town::copy(good, &out);
                forge_cells(&out, part, |cells| {
                    (cells[chosen].people, cells[chosen].status) = (Some(number), "published".to_owned())
                });
                let verdict =
                    throng_verifier::verify(&out, &throng_verifier::Options::default()).expect("read");
                let forged = town::cells(&out, part);
                let tells = part == PRESENCE && {
                    let at: Vec<&Cell> =
                        forged.iter().filter(|cell| cell.at_ms == cells[chosen].at_ms).collect();
                    known.tells(&at)
                };
                let nested = nested(&out, good);
                let matters = number < K || tells || nested;
                matter += u32::from(matters);
                large += u32::from(matters && number >= K);
                assert_eq!(
                    !verdict.faults.is_empty(),
                    matters,
                    "{:?} of {number}: {:?}",
                    cells[chosen],
                    verdict.faults
                );
            }
        }
        assert!(matter >= 60 && large >= 10, "{matter} matter, {large} of them large");
    });
}

/// Whether published visitors, or those present among them, are 1 to k - 1 apart, by comparing all with all.
fn nested(out: &Path, places: &Path) -> bool {
    let known = Known::of(places);
    let holds = |larger: &Cell, smaller: &Cell| {
        let column =
            |cell: &Cell| known.incidence.column(known.places[&(cell.level.clone(), cell.place.clone())]);
        let (larger_atoms, smaller_atoms) = (column(larger), column(smaller));
        smaller_atoms.iter().all(|atom| larger_atoms.contains(atom))
    };
    let presence = town::cells(out, PRESENCE);
    let visitors = town::cells(out, VISITORS);
    let published = |cells: &[Cell]| -> Vec<Cell> {
        cells.iter().filter(|cell| cell.people.is_some()).cloned().collect()
    };
    let few = |apart: i64| (1..K).contains(&apart);
    let published_visitors = published(&visitors);
    let in_time = |larger: &Cell, at_ms: i64| {
        larger.period == "day" || (larger.at_ms..larger.at_ms + 3_600_000).contains(&at_ms)
    };
    for larger in &published_visitors {
        let number = larger.people.expect("published");
        // Where all parts of a place or day are published, whoever is in several of them, or not in all, is known.
        let covered = |cell: &&Cell| known.places.contains_key(&(cell.level.clone(), cell.place.clone()));
        let within: Vec<&Cell> = visitors
            .iter()
            .filter(covered)
            .filter(|part| (&part.period, part.at_ms) == (&larger.period, larger.at_ms))
            .filter(|part| level(part) == level(larger) + 1 && holds(larger, part))
            .collect();
        let hours: Vec<&Cell> = visitors
            .iter()
            .filter(|part| larger.period == "day" && part.period == "hour")
            .filter(|part| (&part.level, &part.place) == (&larger.level, &larger.place))
            .collect();
        for parts in [within, hours] {
            let sum: Option<i64> = parts.iter().map(|part| part.people).sum();
            let n = i64::try_from(parts.len()).expect("few");
            if n > 1 && sum.is_some_and(|sum| few(sum - number) || few(n * number - sum)) {
                return true;
            }
        }
        let smaller = published_visitors.iter().filter(|smaller| {
            (smaller.period == larger.period && smaller.at_ms == larger.at_ms)
                || (larger.period == "day" && smaller.period == "hour")
        });
        if smaller
            .into_iter()
            .any(|smaller| holds(larger, smaller) && few(number - smaller.people.expect("published")))
        {
            return true;
        }
        for present in presence
            .iter()
            .filter(|p| p.level == larger.level && p.place == larger.place && in_time(larger, p.at_ms))
        {
            match present.people {
                Some(people) if few(number - people) => return true,
                Some(_) => {}
                None => {
                    // The topmost published numbers below are those that no other published one holds.
                    let inside: Vec<&Cell> = presence
                        .iter()
                        .filter(|p| {
                            p.at_ms == present.at_ms
                                && p.people.is_some()
                                && *p != present
                                && holds(present, p)
                        })
                        .collect();
                    let topmost = inside.iter().filter(|p| {
                        !inside
                            .iter()
                            .any(|q| q != *p && holds(q, p) && !(holds(p, q) && level(p) < level(q)))
                    });
                    let below: i64 = topmost.map(|p| p.people.expect("published")).sum();
                    if below > 0 && number - below < K {
                        return true;
                    }
                }
            }
        }
    }
    false
}

fn level(cell: &Cell) -> usize {
    ["country", "region", "province", "commune", "postal_code"]
        .iter()
        .position(|level| *level == cell.level)
        .expect("a level")
}

#[test]
fn a_plain_table_is_found_and_so_is_a_lone_withheld_number() {
    town(2, |good, truth, folder| {
        let out = folder.join("plain");
        plain(truth, &out);
        finds(&out, "no withheld number can be shown to be under k");
        // A large place withheld alone follows from its parent and its neighbours.
        forge_cells(good, PRESENCE, |cells| {
            cells.iter_mut().find(|cell| cell.level == "region").expect("a region").withhold();
        });
        finds(good, "no withheld number follows from published ones by adding and subtracting");
        finds(good, "no withheld number can only be one");
    });
}

#[test]
fn nested_groups_that_are_a_few_people_apart_are_found() {
    let forged = |change: &dyn Fn(&mut Vec<Cell>), faults: &[&str]| {
        town(1, |good, _, _| {
            forge_cells(good, VISITORS, |cells| change(cells));
            faults.iter().for_each(|fault| finds(good, fault));
        });
    };
    let first = |cells: &[Cell], period: &str, level: &str| {
        let is = |cell: &Cell| cell.period == period && cell.level == level && cell.people.is_some();
        cells.iter().position(is).expect("a published cell")
    };
    forged(
        &|cells| {
            let (day, hour) = (first(cells, "day", "country"), first(cells, "hour", "country"));
            cells[day].people = cells[hour].people.map(|people| people + 3);
        },
        &["visitors of a place and period without those of a smaller one in it are nobody or at least k"],
    );
    forged(
        &|cells| {
            let (country, region) = (first(cells, "hour", "country"), first(cells, "hour", "region"));
            cells[country].people = cells[region].people.map(|people| people - 1);
        },
        &[
            "visitors of a place and period hold those of a smaller one in it",
            "visitors of a period hold those present at an instant of it",
        ],
    );
}

#[test]
fn visitors_a_few_more_than_those_present_are_found() {
    town(1, |good, _, _| {
        let present: HashMap<Key, i64> = numbers(good, PRESENCE);
        forge_cells(good, VISITORS, |cells| {
            let hour = cells
                .iter_mut()
                .find(|cell| cell.period == "hour" && cell.level == "region" && cell.people.is_some());
            let hour = hour.expect("an hour");
            let key = (hour.at_ms, String::new(), hour.level.clone(), hour.place.clone());
            hour.people = Some(present[&key] + 2);
        });
        finds(
            good,
            "visitors of a period without those present at an instant of it are nobody or at least k",
        );
    });
}

#[test]
fn numbers_that_no_count_gives_and_other_words_are_found() {
    town(1, |good, _, _| {
        // With two people a device, no number is odd.
        forge_manifest(good, |manifest| manifest["parameters"]["expansion_factor"] = 2.0.into());
        finds(good, "a whole number of devices gives every published number");
    });
    town(1, |good, _, _| {
        forge_manifest(good, |manifest| {
            let statuses = manifest["statuses"].as_object_mut().expect("statuses");
            let meaning = statuses.remove("withheld").expect("a status");
            statuses.insert("protective".to_owned(), meaning);
        });
        finds(good, "every report and status is explained");
    });
}

#[test]
fn words_beside_the_columns_are_found() {
    town(1, |good, _, _| {
        let batch = &read_parquet(&good.join(VISITORS))[0];
        let more = [("primary".to_owned(), "row 7".to_owned())].into();
        let schema = Arc::new(batch.schema().as_ref().clone().with_metadata(more));
        forge(good, VISITORS, &encoded(&batch.clone().with_schema(schema).expect("the same columns")));
        finds(good, "the file says nothing beside its columns");
    });
}

/// Rounded people are counts of devices all the same, whatever the factor.
#[test]
fn releases_with_factors_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = town::events(1_500, 3);
    for factor in ["0.3", "1.37", "2", "5.4"] {
        let good = town::release(folder.path(), factor, &events, K, &["--expansion", factor]);
        let ledger = good.parent().expect("a parent").join("ledger");
        succeeded(
            &throng()
                .arg("verify")
                .arg(&good)
                .arg("--solve")
                .arg("--ledger")
                .arg(ledger)
                .output()
                .expect("runs"),
        );
    }
}

/// `verify --ledger` takes the writer's witnesses, and finds what is wrong with them.
#[test]
fn witnesses_are_checked_and_not_believed() {
    let verify = |out: &Path| {
        let ledger = out.parent().expect("a parent").join("ledger");
        throng().arg("verify").arg(out).arg("--ledger").arg(ledger).output().expect("runs")
    };
    let forged = |fault: &str, change: &dyn Fn(&mut Vec<i64>, &[i32])| {
        town(1, |good, _, _| {
            let path = good.parent().expect("a parent").join("ledger/witnesses.parquet");
            let batches = read_parquet(&path);
            let batch = concat_batches(&batches[0].schema(), &batches).expect("one batch");
            let mut devices: Vec<i64> = batch["devices"].as_primitive::<Int64Type>().values().to_vec();
            change(&mut devices, batch["witness"].as_primitive::<arrow::datatypes::Int32Type>().values());
            let mut columns = batch.columns().to_vec();
            let at = batch.schema().index_of("devices").expect("a column");
            columns[at] = Arc::new(Int64Array::from(devices)) as ArrayRef;
            let batch = RecordBatch::try_new(batch.schema(), columns).expect("a batch");
            fs::write(&path, encoded(&batch)).expect("written");
            let output = verify(good);
            assert_eq!(output.status.code(), Some(4), "{}", said(&output));
            assert!(said(&output).contains(fault), "expected `{fault}` in\n{}", said(&output));
        });
    };
    town(1, |good, _, _| {
        let output = verify(good);
        succeeded(&output);
        assert!(said(&output).contains("100.0 % of the withheld numbers reach k"), "{}", said(&output));
        fs::remove_file(good.parent().expect("a parent").join("ledger/witnesses.parquet")).expect("removed");
        let output = verify(good);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("has no witnesses.parquet"), "{}", said(&output));
    });
    forged("a witness has the published numbers", &|devices, _| devices[0] += 1);
    forged("a witness counts no fewer than nobody", &|devices, _| devices[0] = -1);
    forged("some witness has k devices or more where a number is withheld", &|devices, witness| {
        // Every further witness says what the first does not, and now next to nothing.
        devices
            .iter_mut()
            .zip(witness)
            .filter(|(_, witness)| **witness > 0)
            .for_each(|(devices, _)| *devices = 0);
    });
}
