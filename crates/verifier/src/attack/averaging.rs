//! Averaging over time: a small group that stays is guessed from what is left of its parent, at every time again.

use crate::{
    attack::{Finding, sums::ToldOfDay, truth::Truth},
    bounds::Bounds,
    part::{Cell, Part, Row},
    release::Release,
};

/// What is summed of one place over the times at which it is withheld.
#[derive(Clone, Default)]
struct Watched {
    times: u64,
    withheld: u64,
    /// Times with a guess and a truth.
    judged: u64,
    truth: f64,
    share: f64,
    middle: f64,
}

pub(crate) struct Attack {
    places: Vec<Watched>,
    k: u64,
}

impl Attack {
    pub(crate) fn new(release: &Release) -> Self {
        Self { places: vec![Watched::default(); release.places.len()], k: release.k }
    }

    pub(crate) fn on(&mut self, presence: &Part, told: &ToldOfDay, truth: &Truth, release: &Release) {
        let Some(sums) = &told.sums else { return };
        for (time, row) in &presence.rows {
            let Some(bounds) = told.bounds.get(time) else { continue };
            let shares = Shares::of(row, release);
            for (column, place) in sums.places.iter().enumerate() {
                let watched = &mut self.places[*place];
                watched.times += 1;
                if row[*place] != Cell::Withheld {
                    continue;
                }
                watched.withheld += 1;
                let (Some(truth), Some(share)) =
                    (truth.devices(*time, *place), shares.guess(*place, release))
                else {
                    continue;
                };
                watched.judged += 1;
                watched.truth += real(truth);
                watched.share += share;
                watched.middle += middle(bounds[column], share);
            }
        }
    }

    pub(crate) fn findings(&self, judged: bool) -> Vec<Finding> {
        const SHARE: &str =
            "averaging: a small group's usual number, from its share of what is left of its parent";
        const MIDDLE: &str = "averaging: the same, from the middle of its bounds";
        let often = |watched: &&Watched| 2 * watched.withheld > watched.times;
        let stays: Vec<&Watched> = self.places.iter().filter(often).collect();
        if !judged {
            let looked_at = stays.len() as u64;
            return [SHARE, MIDDLE]
                .map(|attack| Finding { attack, looked_at, gets: None, without: None })
                .into();
        }
        let mean = |watched: &Watched, sum: f64| sum / real(watched.judged);
        let small: Vec<&Watched> = stays
            .into_iter()
            .filter(|watched| watched.judged > 0)
            .filter(|watched| (0.5..real(self.k)).contains(&mean(watched, watched.truth)))
            .collect();
        let errors = |guess: &dyn Fn(&Watched) -> f64| -> Vec<f64> {
            small.iter().map(|watched| (guess(watched) - mean(watched, watched.truth)).abs()).collect()
        };
        // Who has no release says the same of every group: at best the number in the middle of all.
        let usual = middle_of(small.iter().map(|watched| mean(watched, watched.truth)).collect());
        let blind = errors(&|_| usual);
        vec![
            Finding::errors(SHARE, &errors(&|watched| mean(watched, watched.share)), &blind),
            Finding::errors(MIDDLE, &errors(&|watched| mean(watched, watched.middle)), &blind),
        ]
    }
}

/// The number in the middle, which is off by least from all of them together.
pub(crate) fn middle_of(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// What is left of each published place without what is published in it, spread evenly over the finest places left.
struct Shares<'a> {
    row: &'a Row,
    /// Devices published below a place, as the topmost numbers say.
    known: Vec<f64>,
    /// Finest places below it that no published place holds.
    hidden: Vec<f64>,
}

impl<'a> Shares<'a> {
    fn of(row: &'a Row, release: &Release) -> Self {
        let places = &release.places;
        let mut shares = Self { row, known: vec![0.0; row.len()], hidden: vec![0.0; row.len()] };
        for place in 0..row.len() {
            let Some(devices) = devices(row[place], release) else {
                if row[place] == Cell::Withheld
                    && places.children[place].iter().all(|c| row[*c] == Cell::NoCoverage)
                {
                    shares.add(place, release, |shares, above| shares.hidden[above] += 1.0);
                }
                continue;
            };
            shares.add(place, release, |shares, above| shares.known[above] += devices);
        }
        shares
    }

    /// Adds something to a place that is withheld, and to its parents, up to the first that is published.
    fn add(&mut self, place: usize, release: &Release, add: impl Fn(&mut Self, usize)) {
        if self.row[place] == Cell::Withheld {
            add(self, place);
        }
        for above in release.places.chain(place).skip(1) {
            add(self, above);
            if self.row[above].people().is_some() {
                return;
            }
        }
    }

    /// An even share of what is left of the nearest published place above.
    fn guess(&self, place: usize, release: &Release) -> Option<f64> {
        let above = release.places.chain(place).skip(1).find(|above| self.row[*above].people().is_some())?;
        let left = (devices(self.row[above], release)? - self.known[above]).max(0.0);
        Some(self.known[place] + left * self.hidden[place] / self.hidden[above])
    }
}

/// Published devices, about.
fn devices(cell: Cell, release: &Release) -> Option<f64> {
    let Bounds { least, most } = release.factor.devices(cell.people()?)?;
    Some((real(least) + real(most)) / 2.0)
}

/// The middle of bounds; a share where they are open.
fn middle(bounds: Bounds, share: f64) -> f64 {
    if bounds.most == Bounds::UNBOUNDED { share } else { (real(bounds.least) + real(bounds.most)) / 2.0 }
}

#[expect(clippy::cast_precision_loss, reason = "devices are under 2^53")]
pub(crate) fn real(devices: u64) -> f64 {
    devices as f64
}
