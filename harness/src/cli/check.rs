//! `squall check HISTORY`: judges a history that somebody else recorded.

use std::fmt::Write as _;
use std::{path::PathBuf, time::Duration};

use serde_json::json;
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::{self, CHECKERS},
    formats::{self, Format},
    history::History,
    lattice::{self, About},
    models::{MODELS, ModelEntry},
    operation::Name,
    verdict::{Anomaly, Verdict},
};

use super::{Context, Result, files, spec_args, strongest::Strongest, wrong};
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
    /// Judge by every model there is, of objects or of transactions: which hold, and what refutes the others
    #[arg(long, conflicts_with_all = ["checker", "certificate", "second_opinion"])]
    strongest: bool,
    /// Ask porcupine-rs too, which shares no code with our checker; for `linearizable` only
    #[arg(long)]
    second_opinion: bool,
    /// Where to write the verdict with its evidence, for `verify`
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
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
    let budget = Budget { steps: args.steps.unwrap_or(Budget::default().steps), ..Budget::default() };
    if args.strongest {
        return strongest(&read(&args.history, format)?, model, &budget, args.json, context);
    }
    let Some(checker) = (entry.build)(model) else {
        return Err(wrong(
            format!("the checker `{}` needs a model", entry.name),
            "Name one by `--model M`; `squall list models` shows all there are.",
        ));
    };
    if args.second_opinion && entry.name != LINEARIZABLE {
        return Err(wrong(
            format!("there is no second opinion on `{}`", entry.name),
            "There is one on `linearizable` only.",
        ));
    }
    let history = read(&args.history, format)?;
    let verdict = judge(&*checker, &history, &budget);
    if let Some(path) = &args.certificate {
        let by = model.filter(|_| entry.needs_model).map(|m| m.name);
        let certificate = Certificate::new(entry.name, by, history.entries.len(), verdict.clone());
        files::write(path, &format!("{}\n", certificate.to_json()))?;
    }
    let second = model.filter(|_| args.second_opinion).map(|m| second_opinion(m, &history));
    if args.json {
        context.output.json(&json!({
            "checker": entry.name,
            "model": model.map(|m| m.name),
            "operations": history.entries.len(),
            "verdict": verdict,
            "second_opinion": second,
        }))?;
    } else {
        let by = model.map(|m| format!(" ({})", m.name)).unwrap_or_default();
        context.output.text(&show(entry.name, &history, &verdict, &format!("{}{by}", entry.name)))?;
        if let Some(second) = &second {
            context.output.line(format!("porcupine-rs: {}", word(second)))?;
        }
    }
    Ok(match second {
        // One of two engines is wrong: that is for us to mend.
        Some(second) if disagree(&verdict, &second) => {
            eprintln!("squall: two checkers disagree about this history. Please report it with the history.");
            Exit::OwnBug
        }
        _ => exit(&verdict),
    })
}

fn strongest(
    history: &History,
    model: Option<&'static ModelEntry>,
    budget: &Budget,
    json: bool,
    context: &mut Context,
) -> Result {
    let placed = panics::catch(|| Strongest::new(history, model, budget)).map_err(|message| {
        wrong(format!("a checker itself failed: {message}"), "Please report it with the history.")
    })?;
    if json {
        context.output.json(&placed.json())?;
    } else {
        context.output.text(&placed.text())?;
    }
    Ok(placed.exit())
}

/// The name of the checker that a second opinion can be had on.
const LINEARIZABLE: &str = "linearizable";

/// Real time that the second opinion may take for each key.
const SECOND_OPINION_AT_MOST: Duration = Duration::from_secs(30);

fn second_opinion(model: &ModelEntry, history: &History) -> Verdict {
    panics::catch(|| (model.build)().second_opinion(history, SECOND_OPINION_AT_MOST))
        .unwrap_or_else(|message| Verdict::precondition(format!("porcupine-rs itself failed: {message}")))
}

fn disagree(one: &Verdict, other: &Verdict) -> bool {
    (one.is_valid() && other.is_invalid()) || (one.is_invalid() && other.is_valid())
}

pub(super) fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Valid { .. } => Exit::Valid,
        Verdict::Unknown { .. } => Exit::Inconclusive,
        Verdict::Invalid { .. } => Exit::Finding,
    }
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid { .. } => "valid".to_owned(),
        Verdict::Unknown { detail, .. } => format!("unknown: {detail}"),
        Verdict::Invalid { .. } => "invalid".to_owned(),
    }
}

pub(super) fn read(path: &std::path::Path, format: Option<Format>) -> Result<History> {
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

/// Where among the models a history stands that is not of this one.
fn place(about: About, checker: &str, anomalies: &[Anomaly]) -> String {
    if lattice::model(checker).is_none_or(|model| !model.about.contains(&about)) {
        return String::new();
    }
    let kinds: Vec<Name> = anomalies.iter().map(|a| a.kind.clone()).collect();
    match lattice::at_most(about, checker, &kinds)[..] {
        [] => format!("not {checker}, nor any other model\n"),
        ref left => format!("not {checker}; at most {}\n", left.join(", ")),
    }
}

fn show(checker: &str, history: &History, verdict: &Verdict, by: &str) -> String {
    let operations = history.entries.len();
    match verdict {
        Verdict::Valid { .. } => format!("valid: {operations} operations, {by}\n"),
        Verdict::Unknown { detail, .. } => format!("unknown: {operations} operations, {by}: {detail}\n"),
        Verdict::Invalid { anomalies } => {
            let mut out = format!("invalid: {operations} operations, {by}\n");
            for anomaly in anomalies {
                let _ = writeln!(out, "{}: {}", anomaly.kind, anomaly.sentence);
                for (id, entry) in anomaly.operations.iter().filter_map(|id| Some((id, history.entries.get(*id)?))) {
                    // Sentences name transactions by their number.
                    let number = if entry.operation.f == "txn" { format!("T{id}: ") } else { String::new() };
                    let reply = match &entry.outcome {
                        squall_checkers::history::Outcome::Ok(value) => format!("-> {value}"),
                        squall_checkers::history::Outcome::Failed(_) => "failed".to_owned(),
                        squall_checkers::history::Outcome::Unknown(_) => "unknown".to_owned(),
                    };
                    let _ = writeln!(out, "    {number}process {}: {} {reply}", entry.process.0, entry.operation);
                }
            }
            out.push_str(&place(About::of(history), checker, anomalies));
            out
        }
    }
}
