//! `squall check HISTORY`: judges a history that somebody else recorded.

use std::path::PathBuf;

use serde_json::json;
use squall_checkers::{
    budget::Budget,
    checker::{self, CHECKERS},
    formats::{self, Format},
    history::History,
    models::MODELS,
    verdict::Verdict,
};

use super::{Context, Result, files, spec_args, wrong};
use crate::{
    engine::{names, panics},
    exit::Exit,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The history; `-` is stdin
    history: PathBuf,
    /// The model it is judged by (see `list models`)
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// The checker that judges it (see `list checkers`)
    #[arg(long, value_name = "C", default_value = "linearizable")]
    checker: String,
    /// The format it is in; found out when not given (see `list formats`)
    #[arg(long, value_name = "F")]
    format: Option<String>,
    /// Steps the checker may take before it says that it does not know
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// The verdict on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let unknown = |e: names::UnknownName| wrong(&e, spec_args::next(e.kind));
    let entry = names::find("checker", CHECKERS, |c| c.name, &args.checker).map_err(unknown)?;
    let model = args.model.as_deref().map(|name| names::find("model", MODELS, |m| m.name, name)).transpose();
    let model = model.map_err(unknown)?;
    let format = args.format.as_deref().map(|name| names::find("format", &Format::ALL, |f| f.name(), name)).transpose();
    let format = format.map_err(unknown)?.copied();
    let Some(checker) = (entry.build)(model) else {
        return Err(wrong(
            format!("the checker `{}` needs a model", entry.name),
            "Name one by `--model M`; `squall list models` shows all there are.",
        ));
    };
    let history = read(&args.history, format)?;
    let budget = Budget { steps: args.steps.unwrap_or(Budget::default().steps), ..Budget::default() };
    let verdict = judge(&*checker, &history, &budget);
    if args.json {
        context.output.json(&json!({
            "checker": entry.name,
            "model": model.map(|m| m.name),
            "operations": history.entries.len(),
            "verdict": verdict,
        }))?;
    } else {
        let by = model.map(|m| format!(" ({})", m.name)).unwrap_or_default();
        context.output.text(&show(&history, &verdict, &format!("{}{by}", entry.name)))?;
    }
    Ok(match verdict {
        Verdict::Valid { .. } => Exit::Valid,
        Verdict::Unknown { .. } => Exit::Inconclusive,
        Verdict::Invalid { .. } => Exit::Finding,
    })
}

fn read(path: &std::path::Path, format: Option<Format>) -> Result<History> {
    let name = if path == std::path::Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    formats::read(&files::read(path)?, format).map_err(|e| {
        let next = match format {
            Some(_) => "Is it in this format? Without `--format` it is found out.",
            None => "Name its format by `--format F`; `squall list formats` shows all there are.",
        };
        wrong(format!("{name}: {e}"), next)
    })
}

fn judge(checker: &dyn checker::Checker, history: &History, budget: &Budget) -> Verdict {
    panics::catch(|| checker.check(history, budget))
        .unwrap_or_else(|message| Verdict::precondition(format!("the checker itself failed: {message}")))
}

fn show(history: &History, verdict: &Verdict, by: &str) -> String {
    let operations = history.entries.len();
    match verdict {
        Verdict::Valid { .. } => format!("valid: {operations} operations, {by}\n"),
        Verdict::Unknown { detail, .. } => format!("unknown: {operations} operations, {by}: {detail}\n"),
        Verdict::Invalid { anomalies } => {
            let mut out = format!("invalid: {operations} operations, {by}\n");
            for anomaly in anomalies {
                out.push_str(&format!("{}: {}\n", anomaly.kind, anomaly.sentence));
                for entry in anomaly.operations.iter().filter_map(|id| history.entries.get(*id)) {
                    let reply = match &entry.outcome {
                        squall_checkers::history::Outcome::Ok(value) => format!("-> {value}"),
                        squall_checkers::history::Outcome::Failed(_) => "failed".to_owned(),
                        squall_checkers::history::Outcome::Unknown(_) => "unknown".to_owned(),
                    };
                    out.push_str(&format!("    process {}: {} {reply}\n", entry.process.0, entry.operation));
                }
            }
            out
        }
    }
}
