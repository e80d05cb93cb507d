//! Sifting: events that are no presence of a person, and SIMs that are none. Off unless asked for.

use throng_anonymiser::{Found, Sighting};
use throng_schema::{CellPlan, MICROS_PER_SECOND, Ticks};

/// What is to be sifted out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sifting {
    /// The highest speed that is possible, in km/h, and the distance in km up to which any is.
    pub speed: Option<(f64, f64)>,
    /// How soon, in microseconds, somebody who is back in a cell has not been in the one between.
    pub ping_pong_us: Option<i64>,
    /// Whether a SIM that stays in one cell and is active in every hour is a machine.
    pub machines: bool,
}

impl Sifting {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Says of one person's sightings, in order, which are taken out and why.
    ///
    /// `hours` are those in each of which a machine is active, the last of them before `until_us`.
    pub(crate) fn sift(
        &self,
        seen: &[Sighting],
        (hours, until_us): (&Ticks, i64),
        plan: &CellPlan,
        verdicts: &mut [Option<Found>],
    ) {
        if self.machines && is_machine(seen, hours, until_us) {
            verdicts.fill(Some(Found::Machine));
            return;
        }
        if let Some(within_us) = self.ping_pong_us {
            // There, away and back: nobody was away.
            for (i, three) in seen.windows(3).enumerate() {
                let [first, between, last] = three else { continue };
                let back = first.cell == last.cell && first.cell != between.cell;
                if back && last.at_us - first.at_us <= within_us && verdicts[i].is_none() {
                    verdicts[i + 1] = Some(Found::PingPong);
                }
            }
        }
        if let Some((kmh, km)) = self.speed {
            let mut last: Option<&Sighting> = None;
            for (sighting, verdict) in seen.iter().zip(verdicts) {
                if verdict.is_none() {
                    // Compared with the last event that stands, so that a single far one does not take the rest along.
                    if last.is_some_and(|last| is_too_fast(last, sighting, (kmh, km), plan)) {
                        *verdict = Some(Found::ImpossibleSpeed);
                    } else {
                        last = Some(sighting);
                    }
                }
            }
        }
    }
}

/// Whether a SIM was in one cell alone, and active in every hour.
fn is_machine(seen: &[Sighting], hours: &Ticks, until_us: i64) -> bool {
    if seen.windows(2).any(|two| two[0].cell != two[1].cell) {
        return false;
    }
    let starts = hours.at_us();
    let ends = starts.iter().skip(1).copied().chain([until_us]);
    let active = |(from_us, until_us): (&i64, i64)| {
        seen.get(seen.partition_point(|sighting| sighting.at_us < *from_us))
            .is_some_and(|sighting| sighting.at_us < until_us)
    };
    starts.iter().zip(ends).all(active)
}

fn is_too_fast(from: &Sighting, to: &Sighting, (kmh, km): (f64, f64), plan: &CellPlan) -> bool {
    let Some((a, b)) = plan.position(from.cell).zip(plan.position(to.cell)) else { return false };
    let distance_km = distance_km(a, b);
    #[expect(clippy::cast_precision_loss, reason = "days in microseconds are under 2^53")]
    let hours = (to.at_us - from.at_us) as f64 / (3_600 * MICROS_PER_SECOND) as f64;
    distance_km > km && distance_km > kmh * hours
}

/// The length of the great circle between two points in degrees, on a sphere of the Earth's mean radius (haversine).
fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    const RADIUS_KM: f64 = 6_371.009;
    let (dx, dy) = ((b.0 - a.0).to_radians(), (b.1 - a.1).to_radians());
    let h =
        (dy / 2.0).sin().powi(2) + a.1.to_radians().cos() * b.1.to_radians().cos() * (dx / 2.0).sin().powi(2);
    2.0 * RADIUS_KM * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{civil::date, tz::TimeZone};
    use throng_schema::{Calendar, CellVersion, VersionIx, Window};

    const MINUTE: i64 = 60 * MICROS_PER_SECOND;

    /// Brussels, a cell beside it, and Liège, 90 km away.
    fn plan() -> CellPlan {
        let cell = |id: &str, at| CellVersion {
            cell_id: id.as_bytes().into(),
            from_us: i64::MIN,
            until_us: i64::MAX,
            place: None,
            at: Some(at),
        };
        let cells = [("a", (4.35, 50.85)), ("b", (4.36, 50.85)), ("c", (5.57, 50.63))];
        CellPlan::new(cells.map(|(id, at)| cell(id, at)).to_vec()).expect("plan")
    }

    fn calendar() -> Calendar {
        let day = date(2026, 10, 15);
        let zone = TimeZone::get("Europe/Brussels").expect("bundled zone");
        Calendar::new(Window::new(day, day).expect("window"), zone, 900).expect("calendar")
    }

    fn sifted(sifting: Sifting, seen: &[(i64, u32)]) -> Vec<Option<Found>> {
        let calendar = calendar();
        let start_us = calendar.start_us();
        let seen: Vec<_> = seen
            .iter()
            .map(|(minute, cell)| Sighting { at_us: start_us + minute * MINUTE, cell: VersionIx(*cell) })
            .collect();
        let mut verdicts = vec![None; seen.len()];
        sifting.sift(&seen, (calendar.hours(), calendar.end_us()), &plan(), &mut verdicts);
        verdicts
    }

    #[test]
    fn nobody_travels_faster_than_is_possible() {
        let sifting = Sifting { speed: Some((300.0, 10.0)), ..Sifting::default() };
        let fast = Some(Found::ImpossibleSpeed);
        assert_eq!(sifted(sifting, &[(0, 0), (1, 2), (2, 0)]), [None, fast, None]);
        assert_eq!(sifted(sifting, &[(0, 0), (17, 2)]), [None, fast], "90 km take 18 minutes at 300 km/h");
        assert_eq!(sifted(sifting, &[(0, 0), (19, 2)]), [None, None]);
        assert_eq!(sifted(sifting, &[(0, 0), (0, 1)]), [None, None], "neighbours may both be heard");
    }

    #[test]
    fn there_and_back_at_once_is_no_move() {
        let sifting = Sifting { ping_pong_us: Some(2 * MINUTE), ..Sifting::default() };
        let pong = Some(Found::PingPong);
        assert_eq!(sifted(sifting, &[(0, 0), (1, 1), (2, 0)]), [None, pong, None]);
        assert_eq!(sifted(sifting, &[(0, 0), (1, 1), (3, 0)]), [None; 3]);
        assert_eq!(
            sifted(sifting, &[(0, 0), (1, 1), (2, 0), (2, 1), (3, 0)]),
            [None, pong, None, pong, None]
        );
    }

    #[test]
    fn who_never_moves_and_never_rests_is_a_machine() {
        let sifting = Sifting { machines: true, ..Sifting::default() };
        let every_hour: Vec<(i64, u32)> = (0..24).map(|hour| (60 * hour + 7, 1)).collect();
        assert!(sifted(sifting, &every_hour).iter().all(|verdict| *verdict == Some(Found::Machine)));
        assert!(sifted(sifting, &every_hour[1..]).iter().all(Option::is_none), "it rested for an hour");
        let mut moved = every_hour;
        moved[12].1 = 0;
        assert!(sifted(sifting, &moved).iter().all(Option::is_none));
    }
}
