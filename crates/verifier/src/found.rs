//! What rules were looked at how often, and where they do not hold: `verify` makes faults of it, and attacks count it.

use std::collections::BTreeMap;

use crate::fault::Faults;

/// One rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) looked_at: u64,
    pub(crate) broken: u64,
    /// Where first.
    first: Option<String>,
}

/// Rules by what they say.
#[derive(Default)]
pub(crate) struct Found(BTreeMap<&'static str, Tally>);

impl Found {
    /// Looks at a rule once more.
    pub(crate) fn look(&mut self, rule: &'static str, broken: bool, at: impl FnOnce() -> String) {
        let tally = self.0.entry(rule).or_default();
        tally.looked_at += 1;
        if broken {
            tally.broken += 1;
            tally.first.get_or_insert_with(at);
        }
    }

    /// Takes over what another has found.
    pub(crate) fn merge(&mut self, other: Self) {
        for (rule, tally) in other.0 {
            let all = self.0.entry(rule).or_default();
            all.looked_at += tally.looked_at;
            all.broken += tally.broken;
            all.first = all.first.take().or(tally.first);
        }
    }

    /// How often these rules were looked at and broken, together.
    pub(crate) fn of(&self, rules: &[&str]) -> (u64, u64) {
        let of = rules.iter().filter_map(|rule| self.0.get(rule));
        of.fold((0, 0), |(looked_at, broken), tally| (looked_at + tally.looked_at, broken + tally.broken))
    }

    /// The broken rules as faults of a file.
    pub(crate) fn into_faults(self, file: &str, faults: &mut Faults) {
        for (rule, tally) in self.0 {
            for nth in 0..tally.broken {
                let first = if nth == 0 { tally.first.as_deref() } else { None };
                faults.add(file, rule, || first.unwrap_or_default().to_owned());
            }
        }
    }
}
