//! `throng attack`: how far each attack gets on a release. It reports, and does not judge.

use throng_verifier::{Finding, Gets, Means};

use crate::{
    args::AttackArgs,
    failure::Failure,
    speak::{percent, say, table, thousands},
    verify::failure,
};

/// Attacks the release and says how far each attack gets.
pub(crate) fn attack(args: &AttackArgs) -> Result<(), Failure> {
    let means = Means { truth: args.truth.clone(), other: args.other.clone(), solve: args.solve };
    let findings = throng_verifier::attack(&args.dir, &means).map_err(failure)?;
    if args.json {
        return say(&serde_json::to_string_pretty(&findings).map_err(Failure::failed)?);
    }
    let rows = findings.iter().map(|finding| {
        let Finding { attack, looked_at, gets, without } = finding;
        let said = |gets: &Option<Gets>| gets.map_or_else(|| "-".to_owned(), |gets| said(gets, *looked_at));
        vec![(*attack).to_owned(), thousands(*looked_at), said(gets), said(without)]
    });
    say(&table(&["attack", "looked at", "gets", "without the release"], rows).to_string())
}

fn said(gets: Gets, looked_at: u64) -> String {
    match gets {
        Gets::Count(count) if looked_at > 0 => {
            format!("{} ({})", thousands(count), percent(count, looked_at))
        }
        Gets::Count(_) => "-".to_owned(),
        Gets::MeanError(error) => format!("{error:.1} devices off"),
    }
}
