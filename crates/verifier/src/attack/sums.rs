//! Attacks on tables that add up, time by time: subtraction and linear algebra, and bounds from non-negativity.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::{
    attack::Finding,
    bounds::Bounds,
    check::hidden::{Told, covered},
    part::{Part, Time},
    places::Sums,
    release::Release,
};

#[derive(Default)]
pub(crate) struct Attack {
    solve: bool,
    withheld: u64,
    exact: u64,
    under_k: u64,
    few: u64,
    pinned: u64,
}

/// Bounds of every place of the sums at each time; none where no table has the published numbers.
pub(crate) struct ToldOfDay {
    pub(crate) sums: Option<Sums>,
    pub(crate) bounds: HashMap<Time, Vec<Bounds>>,
}

impl Attack {
    pub(crate) fn new(solve: bool) -> Self {
        Self { solve, ..Self::default() }
    }

    pub(crate) fn on(&mut self, presence: &Part, release: &Release) -> ToldOfDay {
        let Some(first) = presence.rows.values().next() else {
            return ToldOfDay { sums: None, bounds: HashMap::new() };
        };
        let sums = release.places.sums(&covered(first));
        let rows: Vec<_> = presence.rows.iter().filter(|(_, row)| covered(row) == sums.covered).collect();
        let told: Vec<Told> =
            rows.par_iter().map(|(_, row)| Told::by(row, &sums, release, self.solve)).collect();
        let mut bounds = HashMap::new();
        for ((time, _), told) in rows.into_iter().zip(told) {
            self.withheld += told.withheld.len() as u64;
            self.exact += told.algebra.columns.len() as u64;
            let Ok(of_columns) = told.bounds else { continue };
            for column in told.withheld {
                let bounds = of_columns[column];
                let under_k = bounds.most < release.k;
                self.under_k += u64::from(under_k);
                self.few += u64::from(under_k && bounds.least > 0);
                self.pinned += u64::from(bounds.pinned().is_some());
            }
            bounds.insert(*time, of_columns);
        }
        ToldOfDay { sums: Some(sums), bounds }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        let of = |attack, gets| Finding::count(attack, self.withheld, gets).without(0);
        vec![
            of("subtraction and linear algebra: withheld numbers told exactly", self.exact),
            of("bounds: withheld numbers shown to be under k", self.under_k),
            of("bounds: withheld numbers shown to be 1 to k - 1", self.few),
            of("bounds: withheld numbers that can only be one", self.pinned),
        ]
    }
}
