//! Who stayed at least so long, or came at least so often, in a place and in a smaller place in it.

use crate::{
    classes::{Classes, DAYS},
    found::Found,
    number::Number,
    release::Release,
};

pub(crate) const TAILS: &str = "who stayed so long or came so often in a place, without those who did in a place in it, are nobody or at least k";
const HOLDS: &str = "who stayed so long or came so often in a place hold those who did in a place in it";

/// Compares the tails of every place with those of all places around it: the classes from one up, where all of them are
/// published at both.
pub(crate) fn look(part: &Classes, release: &Release, found: &mut Found) {
    let tails: Vec<Vec<Option<Number>>> =
        (0..part.cells.len()).map(|place| of_place(part, place, release)).collect();
    for (place, smaller) in tails.iter().enumerate() {
        for above in release.places.chain(place).skip(1) {
            for (class, pair) in smaller.iter().zip(&tails[above]).enumerate() {
                let (Some(smaller), Some(larger)) = pair else { continue };
                let left = larger.without(*smaller, release);
                let at = || {
                    format!(
                        "{} and above, in {}",
                        part.said(place, class, release),
                        release.places.said(above)
                    )
                };
                found.look(TAILS, left.is_few(release.k), at);
                found.look(HOLDS, left.is_negative(), at);
            }
        }
    }
}

/// For each class, those in it and above, if all of them are published; none for the total.
fn of_place(part: &Classes, place: usize, release: &Release) -> Vec<Option<Number>> {
    let first = usize::from(part.words[0] == DAYS[0]);
    let mut tails = vec![None; part.words.len()];
    let mut tail = Number::NOBODY;
    for class in (first..part.words.len()).rev() {
        let Some(number) = Number::of_cell(part.cells[place][class], release) else { break };
        tail += number;
        tails[class] = Some(tail);
    }
    tails
}
