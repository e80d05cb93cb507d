//! Tells the country of a mobile country code, the first three digits of a subscriber's home network.

use std::sync::LazyLock;

const TABLE: &str = include_str!("../data/mcc/mcc.csv");

static COUNTRIES: LazyLock<Vec<Option<&'static str>>> = LazyLock::new(|| {
    let mut countries = vec![None; 1_000];
    for line in TABLE.lines().skip(1) {
        let mut fields = line.split(',');
        let mcc = fields.next().and_then(|mcc| mcc.parse::<usize>().ok());
        if let (Some(slot), country) = (mcc.and_then(|mcc| countries.get_mut(mcc)), fields.next()) {
            *slot = country;
        }
    }
    countries
});

/// The ISO 3166-1 alpha-2 code of the country that a mobile country code (ITU-T E.212) belongs to.
///
/// Where several share a code, the one with most networks is given: 234 is `GB` (also Guernsey, Jersey, Isle of
/// Man), 310 and 311 `US` (also Guam, Puerto Rico and others), 338 `JM`, 340 `GP` (also Martinique, French Guiana),
/// 362 `CW` (also Bonaire, Sint Maarten), 425 `IL` (also Palestine), 505 `AU`, 647 `RE` (also Mayotte). Kosovo is
/// `XK`, which ISO leaves to its users. Codes that belong to no country, as 901 (satellites, aircraft, machines),
/// give none.
///
/// ```
/// assert_eq!(throng_ingest::country_of_mcc(206), Some("BE"));
/// assert_eq!(throng_ingest::country_of_mcc(901), None);
/// ```
#[must_use]
pub fn country_of_mcc(mcc: u16) -> Option<&'static str> {
    COUNTRIES.get(usize::from(mcc)).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_counts_once() {
        let known = (0..=u16::MAX).filter_map(country_of_mcc);
        assert!(known.clone().all(|c| c.len() == 2 && c.bytes().all(|b| b.is_ascii_uppercase())));
        assert_eq!(known.count(), TABLE.lines().count() - 1);
        assert_eq!(TABLE.lines().count() - 1, 232);
    }

    #[test]
    fn neighbours_of_belgium_and_shared_codes() {
        let cases =
            [(206, "BE"), (208, "FR"), (204, "NL"), (262, "DE"), (270, "LU"), (221, "XK"), (289, "GE")];
        let shared =
            [(234, "GB"), (235, "GB"), (310, "US"), (340, "GP"), (362, "CW"), (425, "IL"), (647, "RE")];
        for (mcc, country) in cases.into_iter().chain(shared) {
            assert_eq!(country_of_mcc(mcc), Some(country), "{mcc}");
        }
    }

    #[test]
    fn codes_of_no_country_and_no_codes() {
        for mcc in [0, 1, 199, 901, 902, 991, 999, 1_000, u16::MAX] {
            assert_eq!(country_of_mcc(mcc), None, "{mcc}");
        }
    }
}
