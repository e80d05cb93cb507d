//! `throng verify`: checks a release with nothing but the release, and none of the code that made it safe.

use std::time::Instant;

use serde_json::json;
use throng_verifier::{Fault, Options, Verdict, VerifierError};

use crate::{
    args::VerifyArgs,
    failure::Failure,
    log,
    speak::{percent, say, table, thousands},
    watch::warning,
};

/// Checks the release and says what is wrong with it.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    log::speak_as(args.log);
    let dir = args.dir.display().to_string();
    log::info("begun", &format!("{dir} is verified"), json!({ "release": dir, "solve": args.solve }));
    let start = Instant::now();
    let options = Options { solve: args.solve, ledger: args.ledger.clone() };
    let verdict = throng_verifier::verify(&args.dir, &options).map_err(failure)?;
    if verdict.faults.is_empty() {
        tell(&dir, &verdict, start.elapsed().as_secs_f64());
        return say(&good(&verdict));
    }
    if log::is_json() {
        verdict.faults.iter().for_each(tell_fault);
    }
    let rows = verdict.faults.iter().map(|Fault { file, check, times, first }| {
        vec![format!("{file}: {check}"), thousands(*times), first.clone()]
    });
    say(&table(&["fault", "times", "first"], rows).to_string())?;
    Err(Failure::faults(verdict.faults.len()))
}

/// Tells the log that no fault was found, and in how much.
fn tell(dir: &str, verdict: &Verdict, seconds: f64) {
    log::info(
        "ended",
        &format!("{dir}: no fault found"),
        json!({
            "exit_code": 0,
            "release": dir,
            "seconds": (seconds * 1_000.0).round() / 1_000.0,
            "files": verdict.files,
            "rows": verdict.rows,
            "published": verdict.published,
            "withheld": verdict.withheld,
            "tables": verdict.tables,
            "programmes_unsolved": verdict.programmes_unsolved,
        }),
    );
}

fn tell_fault(Fault { file, check, times, first }: &Fault) {
    let (text, fields) =
        (format!("{file}: {check}"), json!({ "file": file, "times": times, "first": first }));
    log::warning(&warning("fault", text, "hand nothing of this release on", fields));
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
