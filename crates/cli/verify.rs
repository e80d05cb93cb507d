//! `throng verify`: checks a release with nothing but the release, and none of the code that made it safe.

use throng_verifier::{Fault, Options, Verdict, VerifierError};

use crate::{
    args::VerifyArgs,
    failure::Failure,
    speak::{percent, say, table, thousands},
};

/// Checks the release and says what is wrong with it.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let options = Options { solve: args.solve, ledger: args.ledger.clone() };
    let verdict = throng_verifier::verify(&args.dir, &options).map_err(failure)?;
    if verdict.faults.is_empty() {
        return say(&good(&verdict));
    }
    let rows = verdict.faults.iter().map(|Fault { file, check, times, first }| {
        vec![format!("{file}: {check}"), thousands(*times), first.clone()]
    });
    say(&table(&["fault", "times", "first"], rows).to_string())?;
    Err(Failure::Faults(verdict.faults.len()))
}

/// A release or ledger that cannot be looked at.
pub(crate) fn failure(error: VerifierError) -> Failure {
    Failure::failed(error)
}

/// A line for each check: what it looked at.
fn good(verdict: &Verdict) -> String {
    let Verdict { files, rows, published, tables, withheld, atoms, .. } = verdict;
    let [files, rows, published, tables, hidden, atoms] =
        [files, rows, published, tables, withheld, atoms].map(|n| thousands(*n));
    let mut lines =
        vec![format!("verified  {files} files, {rows} rows, {published} published numbers: no fault found")];
    if let Some((least, most)) = verdict.ranks {
        let [least, most] = [least, most].map(thousands);
        lines.push(format!(
            "sums      {tables} tables of {atoms} places at the finest level: published numbers add up"
        ));
        lines.push(format!(
            "algebra   {hidden} withheld numbers, rank {least} to {most}: none follows by adding and subtracting"
        ));
        lines.push(format!(
            "bounds    {hidden} withheld numbers: each may be k or more, and more than one number"
        ));
    }
    if let Some(programmes) = verdict.programmes {
        let unsolved = match verdict.programmes_unsolved {
            0 => String::new(),
            unsolved => format!(", {} of them left unsolved", thousands(unsolved)),
        };
        lines.push(format!("solved    {} linear programmes{unsolved}", thousands(programmes)));
    }
    if verdict.pairs_of_visitors > 0 {
        lines.push(format!(
            "nested    {} pairs of visitors, {} of visitors and those present: differences are nobody or k and more",
            thousands(verdict.pairs_of_visitors),
            thousands(verdict.pairs_of_presence)
        ));
    }
    if verdict.crossed_tables + verdict.crossed_skipped > 0 {
        lines.push(format!(
            "crossed   tables by residence and of trips: no remainder of 1 to k - 1 on either side or both; {} by algebra \
             too, {} too wide for it",
            thousands(verdict.crossed_tables),
            thousands(verdict.crossed_skipped)
        ));
    }
    if let Some(witnesses) = verdict.witnesses {
        lines.push(format!(
            "witnesses {} tables in {} rows: {} of the withheld numbers reach k, {} reach zero",
            thousands(witnesses.tables),
            thousands(witnesses.rows),
            percent(witnesses.reach_k, *withheld),
            percent(witnesses.reach_zero, *withheld)
        ));
    }
    lines.join("\n")
}
