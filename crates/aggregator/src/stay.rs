//! Stays: the stretches of time that one person spends in one place.

use throng_anonymiser::Sighting;
use throng_schema::{PlaceId, VersionIx};

/// A stretch of time in one postal code, half-open: `[from_us, until_us)`, in microseconds since 1970 UTC.
///
/// Or in the part of one that an occasion cuts out, or in an occasion's area: whatever `P` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay<P = PlaceId> {
    /// The postal code.
    pub place: P,
    /// Its first moment.
    pub from_us: i64,
    /// The first moment after it.
    pub until_us: i64,
}

/// The stays of one person whose sightings are in order, in order.
///
/// Each sighting stands for the time nearest to it, up to `hold_us` away. Where two follow each other within
/// twice that, the boundary between them is the middle, rounded down to the microsecond. A stay is a maximal run
/// of touching intervals in the same postal code. An interval without length (two cells at one microsecond) holds
/// no time and breaks no stay; a cell that serves no known place (`place_of` gives none) does.
///
/// They are written into `room`, and are its first ones.
#[inline]
pub fn stays<'r, P: Copy + PartialEq>(
    sightings: &[Sighting],
    hold_us: i64,
    place_of: impl Fn(VersionIx) -> Option<P>,
    room: &'r mut Vec<Stay<P>>,
) -> &'r [Stay<P>] {
    let Some(first) = sightings.first() else { return &[] };
    let (mut len, mut last, mut from_us) = (0, None::<Stay<P>>, first.at_us - hold_us);
    for (i, sighting) in sightings.iter().enumerate() {
        let next_us = sightings.get(i + 1).map(|next| next.at_us);
        let meets_us = next_us.filter(|next_us| next_us - sighting.at_us <= 2 * hold_us);
        let meets_us = meets_us.map(|next_us| middle(sighting.at_us, next_us));
        let until_us = meets_us.unwrap_or(sighting.at_us + hold_us);
        if from_us < until_us {
            last = place_of(sighting.cell).map(|place| {
                // Whether a stay goes on is as good as random: where it is written is computed, and not branched on.
                let goes_on = last.is_some_and(|last| last.place == place && last.until_us == from_us);
                let at = len - usize::from(goes_on);
                let since_us = last.filter(|_| goes_on).map_or(from_us, |last| last.from_us);
                let stay = Stay { place, from_us: since_us, until_us };
                match room.get_mut(at) {
                    Some(known) => *known = stay,
                    None => room.push(stay),
                }
                len = at + 1;
                stay
            });
        }
        from_us = meets_us.or(next_us.map(|next_us| next_us - hold_us)).unwrap_or(until_us);
    }
    &room[..len]
}

/// `floor((a + b) / 2)`; the shift rounds down before 1970 too.
fn middle(a_us: i64, b_us: i64) -> i64 {
    (a_us + b_us) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const H: i64 = 30;

    /// A sighting at a time in the postal code of this number; 9 is nowhere.
    fn stays_of(seen: &[(i64, u32)]) -> Vec<(u32, i64, i64)> {
        let sightings: Vec<_> =
            seen.iter().map(|(at_us, place)| Sighting { at_us: *at_us, cell: VersionIx(*place) }).collect();
        stays(&sightings, H, |cell| (cell.0 != 9).then_some(PlaceId(cell.0)), &mut Vec::new())
            .iter()
            .map(|stay| (stay.place.0, stay.from_us, stay.until_us))
            .collect()
    }

    #[test]
    fn an_event_stands_for_the_time_nearest_to_it() {
        assert_eq!(stays_of(&[(0, 1)]), [(1, -30, 30)]);
        assert_eq!(stays_of(&[(0, 1), (7, 2)]), [(1, -30, 3), (2, 3, 37)], "the middle rounds down");
        assert_eq!(stays_of(&[(-8, 1), (-1, 2)]), [(1, -38, -5), (2, -5, 29)], "down also before 1970");
    }

    #[test]
    fn a_gap_of_twice_the_hold_still_touches_and_a_longer_one_does_not() {
        assert_eq!(stays_of(&[(0, 1), (60, 1)]), [(1, -30, 90)]);
        assert_eq!(stays_of(&[(0, 1), (61, 1)]), [(1, -30, 30), (1, 31, 91)]);
        assert_eq!(stays_of(&[(0, 1), (60, 2)]), [(1, -30, 30), (2, 30, 90)]);
    }

    #[test]
    fn an_interval_without_length_breaks_no_stay() {
        assert_eq!(stays_of(&[(0, 1), (10, 1), (10, 2), (10, 1), (20, 1)]), [(1, -30, 50)]);
        assert_eq!(stays_of(&[(0, 1), (0, 2)]), [(1, -30, 0), (2, 0, 30)]);
        assert_eq!(stays_of(&[(0, 1), (1, 2)]), [(1, -30, 0), (2, 0, 31)], "a microsecond has no middle");
    }

    #[test]
    fn nowhere_ends_a_stay() {
        assert_eq!(stays_of(&[(0, 1), (10, 9), (20, 1)]), [(1, -30, 5), (1, 15, 50)]);
        assert_eq!(stays_of(&[(0, 9)]), []);
    }

    proptest! {
        #[test]
        fn stays_are_the_nearest_sighting_moment_by_moment(mut seen in prop::collection::vec((0..400_i64, 0..10_u32), 1..12)) {
            seen.sort_unstable();
            seen.dedup();
            let stays = stays_of(&seen);
            for pair in stays.windows(2) {
                prop_assert!(pair[0].2 < pair[1].1 || (pair[0].2 == pair[1].1 && pair[0].0 != pair[1].0));
            }
            for at in -40..450 {
                // The nearest sighting within reach.
                let reach = |(t, _): &&(i64, u32)| if at >= *t { at - t < H } else { t - at <= H };
                let nearest = seen.iter().filter(reach).min_by_key(|(t, place)| {
                    // Half-open at the middle rounded down: a later sighting wins from floor((a + b) / 2) on, that
                    // is, even where it is further away by one microsecond.
                    // Of several at one time, the first holds the time before and the last the time after.
                    let place = i64::from(*place);
                    if at < *t { (2 * (t - at) - 3, place) } else { (2 * (at - t), -place) }
                });
                let expected = nearest.map(|(_, place)| *place).filter(|place| *place != 9);
                let found: Vec<_> = stays.iter().filter(|(_, a, b)| (*a..*b).contains(&at)).map(|s| s.0).collect();
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "at {}", at);
            }
        }
    }
}
