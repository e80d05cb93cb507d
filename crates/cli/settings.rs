//! The settings that only the config has, and what each means once it is checked.

use anyhow::anyhow;
use jiff::SignedDuration;
use serde::Deserialize;
use throng_anonymiser::{Algorithm, OptOutHash, UnknownAlgorithm};
use throng_schema::{MICROS_PER_SECOND, Report};

use crate::{config::seconds, failure::Failure};

/// Above this nobody travels on the ground, and who flies has the phone off.
const MAX_SPEED_KMH: f64 = 300.0;

/// Cells nearer than this may serve one spot, so that a change between them is no journey.
const MIN_DISTANCE_KM: f64 = 10.0;

/// `[opt_out_hash]`: how the list of opt-outs was hashed. The salt is a secret, so this cannot be printed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HashSettings {
    algorithm: AlgorithmName,
    #[serde(default)]
    salt_before: String,
    #[serde(default)]
    salt_after: String,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct AlgorithmName(Algorithm);

impl TryFrom<String> for AlgorithmName {
    type Error = UnknownAlgorithm;

    fn try_from(name: String) -> Result<Self, UnknownAlgorithm> {
        name.parse().map(Self)
    }
}

impl HashSettings {
    pub(crate) fn into_hash(self) -> OptOutHash {
        OptOutHash::new(self.algorithm.0, self.salt_before, self.salt_after)
    }
}

/// `[cleaning]`: which rows tell of no journey, though each is sound by itself.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CleaningSettings {
    speed: Option<bool>,
    max_speed_kmh: Option<f64>,
    min_distance_km: Option<f64>,
    ping_pong: Option<SignedDuration>,
}

/// Which rows the crowd takes for no journey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cleaning {
    /// The speed above which a row is `impossible_speed`; none if that is not asked.
    pub(crate) max_speed_kmh: Option<f64>,
    /// The distance up to which no speed is impossible.
    pub(crate) min_distance_km: f64,
    /// How soon a row is back where the one before the last was, to make the last `ping_pong`; none if that is not
    /// asked.
    pub(crate) ping_pong_us: Option<i64>,
}

impl CleaningSettings {
    pub(crate) fn checked(&self) -> Result<Cleaning, Failure> {
        let above = |name: &str, given: Option<f64>, least: f64| match given {
            Some(number) if !(number.is_finite() && number >= least) => Err(Failure::usage(anyhow!(
                "[cleaning] {name} is {number}; expected a number of {least} or more"
            ))),
            given => Ok(given),
        };
        let max_speed_kmh = above("max_speed_kmh", self.max_speed_kmh, 1.0)?;
        let min_distance_km = above("min_distance_km", self.min_distance_km, 0.0)?.unwrap_or(MIN_DISTANCE_KM);
        let max_speed_kmh = match self.speed {
            Some(true) => Some(max_speed_kmh.unwrap_or(MAX_SPEED_KMH)),
            Some(false) => None,
            None => max_speed_kmh,
        };
        let ping_pong =
            self.ping_pong.map(|within| seconds("[cleaning] ping_pong", Some(within), 0)).transpose()?;
        Ok(Cleaning {
            max_speed_kmh,
            min_distance_km,
            ping_pong_us: ping_pong.map(|s| s * MICROS_PER_SECOND),
        })
    }
}

impl Cleaning {
    /// What the manifest says of it.
    pub(crate) fn parameters(self) -> throng_schema::Cleaning {
        throng_schema::Cleaning {
            max_speed_kmh: self.max_speed_kmh,
            min_distance_km: self.max_speed_kmh.map(|_| self.min_distance_km),
            ping_pong_s: self.ping_pong_us.map(|us| us / MICROS_PER_SECOND),
        }
    }
}

/// The beginnings of identifiers by which machines are known. They are parts of identifiers, so no error repeats one.
pub(crate) fn machine_prefixes(prefixes: Vec<String>) -> Result<Vec<String>, Failure> {
    let good = |prefix: &String| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_graphic());
    match prefixes.iter().position(|prefix| !good(prefix)) {
        Some(bad) => Err(Failure::usage(anyhow!(
            "machine_prefixes, number {}: expected one or more ASCII characters without blanks, such as digits",
            bad + 1
        ))),
        None => Ok(prefixes),
    }
}

/// The names of further columns of the census, which must differ from each other and from those of the report.
pub(crate) fn census_columns(names: Vec<String>) -> Result<Vec<String>, Failure> {
    let known = throng_schema::arrow_schema(Report::Context, "UTC");
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() || names[..i].contains(name) || known.field_with_name(name).is_ok() {
            return Err(Failure::usage(anyhow!(
                "census_columns, number {}: expected a name that no other column of the report context has",
                i + 1
            )));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaning(text: &str) -> Result<Cleaning, String> {
        let settings: CleaningSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.checked().map_err(|failure| failure.to_string())
    }

    #[test]
    fn cleaning_is_off_until_it_is_asked_for() {
        let off = cleaning("").expect("fine");
        assert_eq!(off, Cleaning { max_speed_kmh: None, min_distance_km: 10.0, ping_pong_us: None });
        assert!(off.parameters() == throng_schema::Cleaning::default());
        let usual = cleaning("speed = true").expect("fine");
        assert_eq!((usual.max_speed_kmh, usual.parameters().min_distance_km), (Some(300.0), Some(10.0)));
        let set = cleaning("max_speed_kmh = 400\nmin_distance_km = 2.5\nping_pong = \"2min\"").expect("fine");
        let minutes = Some(120 * MICROS_PER_SECOND);
        assert_eq!(set, Cleaning { max_speed_kmh: Some(400.0), min_distance_km: 2.5, ping_pong_us: minutes });
        assert_eq!(set.parameters().ping_pong_s, Some(120));
        assert!(
            cleaning("speed = false\nmax_speed_kmh = 400").expect("fine").parameters()
                == throng_schema::Cleaning::default()
        );
    }

    #[test]
    fn cleaning_that_cannot_be_meant_is_refused() {
        let cases = [
            ("max_speed_kmh = 0", "[cleaning] max_speed_kmh is 0; expected a number of 1 or more"),
            ("max_speed_kmh = nan", "[cleaning] max_speed_kmh is NaN; expected a number of 1 or more"),
            ("min_distance_km = -1", "[cleaning] min_distance_km is -1; expected a number of 0 or more"),
            (
                "ping_pong = \"0s\"",
                "[cleaning] ping_pong is no positive number of whole seconds; expected for example 15min",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(cleaning(text).expect_err("refused"), expected);
        }
    }

    #[test]
    fn no_refusal_repeats_a_salt_or_a_prefix() {
        let hash = |text: &str| toml::from_str::<HashSettings>(text).map(HashSettings::into_hash);
        let read = hash("algorithm = \"sha1\"\nsalt_after = \"s3cret\"").map(|hash| hash.algorithm());
        assert_eq!(read.ok(), Some(Algorithm::Sha1));
        let error = hash("algorithm = \"s3cret\"").err().expect("refused");
        assert_eq!(error.message(), "no algorithm of that name; expected sha256, sha1, md5 or blake3");
        let prefixes = |list: &[&str]| machine_prefixes(list.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(prefixes(&["2060190", "901"]).ok().map(|list| list.len()), Some(2));
        for bad in ["", "20 6", "20\u{e9}"] {
            let error = prefixes(&["901", bad]).expect_err("refused").to_string();
            let expected = "expected one or more ASCII characters without blanks, such as digits";
            assert_eq!(error, format!("machine_prefixes, number 2: {expected}"));
        }
    }

    #[test]
    fn further_columns_of_the_census_have_names_of_their_own() {
        let columns = |list: &[&str]| census_columns(list.iter().map(|one| (*one).to_owned()).collect());
        assert!(columns(&["jobs", "rooms"]).is_ok());
        for bad in [&["jobs", "jobs"], &["jobs", "population"], &["jobs", "place"], &["jobs", ""]] {
            let error = columns(bad).expect_err("refused").to_string();
            let expected = "expected a name that no other column of the report context has";
            assert_eq!(error, format!("census_columns, number 2: {expected}"));
        }
    }
}
