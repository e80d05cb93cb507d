//! Non-negativity: between which bounds every number must lie, by passing intervals through sums.

use std::collections::VecDeque;

use crate::incidence::{Incidence, Sum};

/// The numbers of devices that a cell may hold, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub least: u64,
    /// The most; [`Bounds::UNBOUNDED`] where nothing limits it.
    pub most: u64,
}

impl Bounds {
    /// No limit.
    pub const UNBOUNDED: u64 = u64::MAX;
    /// What is known of a cell of which nothing is known.
    pub const ANY: Self = Self { least: 0, most: Self::UNBOUNDED };

    /// One number alone.
    #[must_use]
    pub fn exactly(devices: u64) -> Self {
        Self { least: devices, most: devices }
    }

    /// The number, if it is told.
    #[must_use]
    pub fn pinned(self) -> Option<u64> {
        (self.least == self.most).then_some(self.least)
    }

    /// Both at once; its least may be above its most.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.min(other.most) }
    }
}

/// No table of counts has these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no table of counts has these numbers")]
pub struct Contradiction;

/// Each sum is looked at this often on average before what is found so far is taken: on a tree a few times do, and
/// where sums go round in circles the bounds may creep for ever.
const LOOKS_MAX: usize = 200;

/// Bounds of every column, from what is `known` of some: passes intervals through the sums until nothing changes.
///
/// Exact where every column lies within or beside every other, as places do. Elsewhere a linear programme may tell
/// more; see [`solved`](crate::solved).
///
/// # Errors
/// When no table of counts has these numbers.
///
/// # Panics
/// When `known` does not have one entry for each column.
pub fn bounds(incidence: &Incidence, known: &[Option<Bounds>]) -> Result<Vec<Bounds>, Contradiction> {
    let all = propagate(incidence, known)?;
    Ok(all[incidence.atoms()..].to_vec())
}

/// Bounds of all atoms, then of all columns.
pub(crate) fn propagate(
    incidence: &Incidence,
    known: &[Option<Bounds>],
) -> Result<Vec<Bounds>, Contradiction> {
    assert_eq!(known.len(), incidence.columns(), "one entry for each column");
    let mut bounds = vec![Bounds::ANY; incidence.atoms()];
    bounds.extend(known.iter().enumerate().map(|(column, known)| {
        let nobody = incidence.column(column).is_empty();
        let known = known.unwrap_or(Bounds::ANY);
        if nobody { known.and(Bounds::exactly(0)) } else { known }
    }));
    if bounds.iter().any(|bounds| bounds.least > bounds.most) {
        return Err(Contradiction);
    }
    let sums = incidence.sums();
    let mut sums_of: Vec<Vec<u32>> = vec![Vec::new(); incidence.variables()];
    for (i, sum) in sums.iter().enumerate() {
        for variable in sum.parts.iter().chain([&sum.whole]) {
            sums_of[*variable as usize].push(crate::incidence::index(i));
        }
    }
    let mut queue: VecDeque<u32> = (0..sums.len()).map(crate::incidence::index).collect();
    let mut queued = vec![true; sums.len()];
    let mut changed = Vec::new();
    let mut looks = sums.len().saturating_mul(LOOKS_MAX);
    while let Some(sum) = queue.pop_front().filter(|_| looks > 0) {
        looks -= 1;
        queued[sum as usize] = false;
        tighten(&sums[sum as usize], &mut bounds, &mut changed)?;
        for variable in changed.drain(..) {
            for other in &sums_of[variable as usize] {
                if *other != sum && !std::mem::replace(&mut queued[*other as usize], true) {
                    queue.push_back(*other);
                }
            }
        }
    }
    Ok(bounds)
}

/// Passes the bounds of a whole to its parts and back, until this sum alone tells no more.
fn tighten(sum: &Sum, bounds: &mut [Bounds], changed: &mut Vec<u32>) -> Result<(), Contradiction> {
    let whole = sum.whole as usize;
    let least: u64 = sum.parts.iter().map(|part| bounds[*part as usize].least).fold(0, u64::saturating_add);
    // The most of all parts, where at most one of them is unbounded.
    let (mut finite, mut unbounded) = (0_u64, 0_u32);
    for part in &sum.parts {
        match bounds[*part as usize].most {
            Bounds::UNBOUNDED => unbounded += 1,
            most => finite = finite.saturating_add(most),
        }
    }
    let most = if unbounded == 0 { finite } else { Bounds::UNBOUNDED };
    narrow(whole, Bounds { least, most }, bounds, changed)?;
    let above = bounds[whole];
    for part in &sum.parts {
        let own = bounds[*part as usize];
        let others_most = match (unbounded, own.most) {
            (0, most) => finite - most,
            (1, Bounds::UNBOUNDED) => finite,
            _ => Bounds::UNBOUNDED,
        };
        let part_least = above.least.saturating_sub(others_most);
        let part_most = match above.most {
            Bounds::UNBOUNDED => Bounds::UNBOUNDED,
            most => most.checked_sub(least - own.least).ok_or(Contradiction)?,
        };
        narrow(*part as usize, Bounds { least: part_least, most: part_most }, bounds, changed)?;
    }
    Ok(())
}

fn narrow(
    variable: usize,
    to: Bounds,
    bounds: &mut [Bounds],
    changed: &mut Vec<u32>,
) -> Result<(), Contradiction> {
    let now = bounds[variable].and(to);
    if now.least > now.most {
        return Err(Contradiction);
    }
    if now != bounds[variable] {
        bounds[variable] = now;
        changed.push(crate::incidence::index(variable));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_whole_bounds_its_parts() {
        // A whole of 50 with a part of 40: the other two share 10.
        let sets: [&[usize]; 4] = [&[0], &[1], &[2], &[0, 1, 2]];
        let incidence = Incidence::new(3, sets.iter().map(|set| set.iter().copied()));
        let known = [Some(Bounds::exactly(40)), None, None, Some(Bounds::exactly(50))];
        let found = bounds(&incidence, &known).expect("a table");
        assert_eq!(found[1..3], [Bounds { least: 0, most: 10 }; 2]);
        let known = [Some(Bounds::exactly(60)), None, None, Some(Bounds::exactly(50))];
        assert_eq!(bounds(&incidence, &known), Err(Contradiction));
    }
}
