//! `squall check --strongest`: which consistency models a history is of, and what shows that it is not of the others.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};
use squall_checkers::{
    budget::Budget,
    history::History,
    lattice::About,
    models::ModelEntry,
    staleness::{self, Bound, Staleness},
    strongest::{self, Placed},
    verdict::{Reason, Verdict},
};

use super::check;
use crate::exit::Exit;

/// A history placed among the models.
pub(super) struct Strongest<'h> {
    history: &'h History,
    object: Option<&'static ModelEntry>,
    placed: Vec<Placed>,
    staleness: Option<Staleness>,
}

impl<'h> Strongest<'h> {
    /// Judges by all models. What the operations do is guessed from their names where `object` does not say it.
    pub(super) fn new(history: &'h History, object: Option<&'static ModelEntry>, budget: &Budget) -> Self {
        let about = About::of(history);
        let object = object.or_else(|| strongest::object(history).filter(|_| about == About::Objects));
        let placed = strongest::place(history, about, object, budget);
        let bounded = placed.iter().find(|p| p.model == STALENESS);
        let staleness = bounded.and_then(|p| measure(history, &p.verdict, budget));
        Strongest { history, object, placed, staleness }
    }

    /// For people: the strongest that hold first, and for each that is refuted the sentence with the fewest operations.
    pub(super) fn text(&self) -> String {
        let mut out = format!("{} operations", self.history.entries.len());
        if let Some(object) = self.object {
            let _ = write!(out, " on {}", object.name);
        }
        let _ = match strongest::holding(&self.placed)[..] {
            [] => writeln!(out, ": no model is known to hold"),
            ref holding => writeln!(out, ": at its strongest {}", holding.join(", ")),
        };
        let width = self.placed.iter().map(|p| p.model.len()).max().unwrap_or(0);
        let mut told: Vec<&str> = Vec::new();
        for Placed { model, verdict } in &self.placed {
            let _ = match verdict {
                Verdict::Valid { .. } => {
                    let bounds = self.staleness.as_ref().filter(|_| *model == STALENESS).map(bounds);
                    writeln!(out, "{}", format!("holds    {model:width$}  {}", bounds.unwrap_or_default()).trim_end())
                }
                Verdict::Unknown { detail, .. } => writeln!(out, "unknown  {model:width$}  {detail}"),
                Verdict::Invalid { anomalies } => {
                    let anomaly = &anomalies[0];
                    let first = !told.contains(&anomaly.sentence.as_str());
                    told.push(&anomaly.sentence);
                    let why = if first { format!(": {}", anomaly.sentence) } else { " as above".to_owned() };
                    writeln!(out, "refuted  {model:width$}  {}{why}", anomaly.kind)
                }
            };
        }
        out
    }

    /// The same for machines, with the operations of each anomaly.
    pub(super) fn json(&self) -> Value {
        let models: Vec<Value> =
            self.placed.iter().map(|p| json!({ "model": p.model, "verdict": p.verdict })).collect();
        json!({
            "operations": self.history.entries.len(),
            "object": self.object.map(|o| o.name),
            "strongest": strongest::holding(&self.placed),
            "staleness": self.staleness.as_ref().map(measured),
            "models": models,
        })
    }

    /// That a model is refuted is what was asked for. Only what is unknown makes the answer inconclusive.
    pub(super) fn exit(&self) -> Exit {
        let unknown = self.placed.iter().find(|p| p.verdict.is_unknown());
        unknown.map_or(Exit::Valid, |p| check::exit(&p.verdict))
    }
}

/// The model that has bounds.
pub(super) const STALENESS: &str = "bounded-staleness";

/// The bounds of a history of which the checker says this.
pub(super) fn measure(history: &History, verdict: &Verdict, budget: &Budget) -> Option<Staleness> {
    let may_be = !matches!(verdict, Verdict::Invalid { .. } | Verdict::Unknown { reason: Reason::Precondition, .. });
    if may_be { staleness::measure(history, budget).ok() } else { None }
}

/// How stale what was read is, in words.
pub(super) fn bounds(staleness: &Staleness) -> String {
    let said = |bound: &Bound, say: &dyn Fn(u64) -> String| match (bound.tightest(), bound.most) {
        (Some(tightest), _) => say(tightest),
        (None, Some(most)) => format!("between {} and {}", say(bound.least), say(most)),
        (None, None) => format!("at least {}", say(bound.least)),
    };
    let time = |ns: u64| format!("{:?}", Duration::from_nanos(ns));
    let versions = |n: u64| format!("{n} version{}", if n == 1 { "" } else { "s" });
    let mut parts: Vec<String> = staleness.time_ns.iter().map(|bound| said(bound, &time)).collect();
    parts.push(said(&staleness.versions, &versions));
    let fresh = staleness.versions.tightest() == Some(0);
    if fresh { "no read is stale".to_owned() } else { format!("the stalest read is {} old", parts.join(" and ")) }
}

/// How stale what was read is, with the evidence that no smaller bound holds.
pub(super) fn measured(staleness: &Staleness) -> Value {
    let shown = |bound: &Bound| json!({ "least": bound.least, "most": bound.most, "evidence": bound.evidence });
    json!({ "time_ns": staleness.time_ns.as_ref().map(shown), "versions": shown(&staleness.versions) })
}
