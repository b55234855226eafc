//! `squall verify HISTORY CERTIFICATE`: checks a verdict by its evidence, with code of its own.

use std::path::PathBuf;

use serde_json::json;
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    formats::Format,
    verdict::Verdict,
    verify::{self, Verification},
};

use super::{Context, Result, check, files, spec_args, wrong};
use crate::{
    engine::{names, panics},
    exit::Exit,
    plan::documents,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The history; `-` is stdin
    history: PathBuf,
    /// The certificate, as `check --certificate FILE` writes it
    certificate: PathBuf,
    /// The format of the history; found out when not given (see `list formats`)
    #[arg(long, value_name = "F")]
    format: Option<String>,
    /// Steps that a search may take before the certificate is left unverified
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// The result on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let format = args.format.as_deref().map(|name| names::find("format", &Format::ALL, |f| f.name(), name)).transpose();
    let format = format.map_err(|e| wrong(&e, spec_args::next(e.kind)))?.copied();
    let history = check::read(&args.history, format)?;
    let certificate = Certificate::from_json(&files::read_text(&args.certificate)?).map_err(|e| {
        wrong(format!("{}: {e}", args.certificate.display()), documents::instead(&e).unwrap_or_default())
    })?;
    let budget = Budget { steps: args.steps.unwrap_or(Budget::default().steps), ..Budget::default() };
    let verification = panics::catch(|| verify::verify(&history, &certificate, &budget))
        .unwrap_or_else(|message| Verification::Unverified(format!("the verifier itself failed: {message}")));
    let (word, why, exit) = match &verification {
        Verification::Verified => ("verified", None, Exit::Valid),
        Verification::Refuted(why) => ("refuted", Some(why), Exit::Finding),
        Verification::Unverified(why) => ("unverified", Some(why), Exit::Inconclusive),
    };
    let claim = claim(&certificate.verdict);
    if args.json {
        context.output.json(&json!({
            "checker": certificate.checker,
            "model": certificate.model,
            "claim": claim,
            "verification": word,
            "why": why,
        }))?;
    } else {
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        context.output.line(format!("{word}: {} says {claim}{why}", certificate.checker))?;
    }
    Ok(exit)
}

/// What the certificate says of the history.
fn claim(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid { .. } => "invalid",
        Verdict::Unknown { .. } => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_claims_nothing_says_unknown() {
        assert_eq!(claim(&Verdict::precondition("no operation succeeded")), "unknown");
    }
}
