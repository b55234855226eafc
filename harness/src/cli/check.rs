//! `squall check HISTORY`: judges a history that somebody else recorded.

use std::fmt::Write as _;
use std::{path::PathBuf, time::Duration};

use serde_json::json;
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::{self, CHECKERS},
    formats::{self, Format, ParseError, ReadError},
    history::{History, Order, Outcome},
    lattice::{self, About},
    models::{MODELS, ModelEntry},
    staleness::Staleness,
    strongest as placement,
    verdict::{Anomaly, Verdict},
};
use squall_reports::{
    records::{CheckerVerdict, Finding, OperationRecord, Signature},
    text::{Style, render_table},
};

use super::{Context, Result, files, spec_args, strongest, strongest::Strongest, wrong};
use crate::{
    engine::{names, panics},
    exit::Exit,
    plan::documents,
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
        return placed(&read(&args.history, format)?, model, &budget, args.json, context);
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
    // The bounds are what one asks this checker for.
    let staleness = if entry.name == strongest::STALENESS {
        panics::catch(|| strongest::measure(&history, &verdict, &budget)).unwrap_or_default()
    } else {
        None
    };
    if let Some(path) = &args.certificate {
        let by = model.filter(|_| entry.needs_model).map(|m| m.name);
        let certificate = Certificate::new(entry.name, by, history.entries.len(), verdict.clone());
        let certificate = Certificate { staleness: staleness.clone(), ..certificate };
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
            "staleness": staleness.as_ref().map(strongest::measured),
        }))?;
    } else {
        let by = model.map(|m| format!(" ({})", m.name)).unwrap_or_default();
        let style = context.output.style();
        context.output.text(&show(entry.name, model, &history, &verdict, &format!("{}{by}", entry.name), style))?;
        if let Some(staleness) = &staleness {
            context.output.line(strongest::bounds(staleness))?;
            for sentence in shown_by(staleness) {
                context.output.line(sentence)?;
            }
        }
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

fn placed(
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
    formats::read_from(files::open(path)?, format).map_err(|e| match e {
        ReadError::Io(e) => files::unreadable(path, &e),
        ReadError::Parse(e) => wrong(format!("{}: {e}", files::name(path)), next(&e, format)),
    })
}

/// What helps against the error. Another format does not where it is what the history says that is wrong.
fn next(error: &ParseError, format: Option<Format>) -> &'static str {
    match (error.instead.or_else(|| documents::use_of(error.document.as_deref()?)), format) {
        (Some(instead), _) => instead,
        (None, Some(_)) => "Is it in this format? Without `--format` it is found out.",
        (None, None) => "Name its format by `--format F`; `squall list formats` shows all there are.",
    }
}

fn judge(checker: &dyn checker::Checker, history: &History, budget: &Budget) -> Verdict {
    panics::catch(|| checker.check(history, budget))
        .unwrap_or_else(|message| Verdict::precondition(format!("the checker itself failed: {message}")))
}

/// The sentences that show the bounds. One operation may show both.
fn shown_by(staleness: &Staleness) -> Vec<&str> {
    let bounds = staleness.time_ns.iter().chain([&staleness.versions]);
    let mut sentences: Vec<&str> = bounds.filter_map(|b| Some(b.evidence.as_ref()?.sentence.as_str())).collect();
    sentences.dedup();
    sentences
}

/// Where among the models a history stands that is not of this one.
fn place(history: &History, model: Option<&ModelEntry>, checker: &str, anomalies: &[Anomaly]) -> String {
    if lattice::model(checker).is_none_or(|model| !model.about.contains(&About::of(history))) {
        return String::new();
    }
    let model = model.or_else(|| placement::object(history));
    match panics::catch(|| placement::at_most(history, checker, anomalies, model)) {
        Ok(Some(left)) if left.is_empty() => format!("not {checker}, nor any other model\n"),
        Ok(Some(left)) => format!("not {checker}; at most {}\n", left.join(", ")),
        Ok(None) | Err(_) => String::new(),
    }
}

fn show(
    checker: &str,
    model: Option<&ModelEntry>,
    history: &History,
    verdict: &Verdict,
    by: &str,
    style: Style,
) -> String {
    let operations = history.entries.len();
    match verdict {
        Verdict::Valid { .. } => format!("valid: {operations} operations, {by}\n"),
        Verdict::Unknown { detail, .. } => format!("unknown: {operations} operations, {by}: {detail}\n"),
        Verdict::Invalid { anomalies } => {
            let mut out = format!("invalid: {operations} operations, {by}\n");
            for anomaly in anomalies {
                let _ = writeln!(out, "{}: {}", anomaly.kind, anomaly.sentence);
                // Transactions are too wide for columns, and without real time no line comes before another.
                let drawn = About::of(history) == About::Objects && history.order == Order::RealTime;
                out.push_str(&if drawn { table(history, anomaly, style) } else { list(history, anomaly) });
            }
            out.push_str(&place(history, model, checker, anomalies));
            out
        }
    }
}

/// The operations of an anomaly in the columns of their processes.
fn table(history: &History, anomaly: &Anomaly, style: Style) -> String {
    let ids = || anomaly.operations.iter().filter(|id| **id < history.entries.len());
    let shown = Anomaly { operations: (0..ids().count()).collect(), ..anomaly.clone() };
    let verdict = Verdict::Invalid { anomalies: vec![shown] };
    let checker = String::new();
    let finding = Finding {
        verdicts: vec![CheckerVerdict { checker: checker.clone(), model: String::new(), verdict }],
        signature: Signature { system: String::new(), checker, anomaly: anomaly.kind.to_string() },
        operations: ids().map(|&id| OperationRecord::from(&history.entries[id])).collect(),
        ..Finding::default()
    };
    render_table(&finding, style)
}

/// The operations of an anomaly one below the other.
fn list(history: &History, anomaly: &Anomaly) -> String {
    let mut out = String::new();
    for (id, entry) in anomaly.operations.iter().filter_map(|id| Some((id, history.entries.get(*id)?))) {
        // Sentences name transactions by their number.
        let number = if entry.operation.f == "txn" { format!("T{id}: ") } else { String::new() };
        let reply = match &entry.outcome {
            Outcome::Ok(value) => format!("-> {value}"),
            Outcome::Failed(_) => "failed".to_owned(),
            Outcome::Unknown(_) => "unknown".to_owned(),
        };
        let _ = writeln!(out, "    {number}process {}: {} {reply}", entry.process.0, entry.operation);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_against_wrong_formats_only() {
        for (content, names_formats) in [
            ("hello", true),
            ("[{:type :invoke", true),
            ("[{:type :invoke, :f :read, :process :client-1}]", false),
            ("0: write[x] 1 @0..9; 0: read[x] -> 1 @1..2", false),
            ("0: write[x] 1 ?; 0: read[x] -> 1", false),
            ("{\"squall-history\":1}\nxx", false),
        ] {
            let error = formats::read(content.as_bytes(), None).expect_err("this is no history");
            let named = Format::detect(content);
            assert_eq!(next(&error, None).contains("--format"), names_formats, "{content}");
            assert_eq!(next(&error, Some(named)).contains("--format"), names_formats, "{content}");
        }
    }
}
