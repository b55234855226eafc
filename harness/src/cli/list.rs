//! `squall list KIND`: what there is.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Value, json};
use squall_checkers::{checker::CHECKERS, formats::Format, models::MODELS};
use squall_workloads::workload::Setting;

use super::{Context, Result};
use crate::{
    catalogue::SystemEntry,
    engine::{record, spec::Registry},
    exit::Exit,
    nemesis::NEMESES,
    plan::{Settings, latencies::TOPOLOGIES},
    simulators::{Habitat, SIMULATORS, SimulatorEntry},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to list
    kind: Kind,
    /// For machines: an array of objects
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Systems,
    Bugs,
    Workloads,
    Nemeses,
    Checkers,
    Models,
    Simulators,
    Topologies,
    Formats,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let items = items(args.kind, &context.registry);
    if args.json {
        context.output.json(&items)?;
    } else {
        context.output.text(&table(&items))?;
    }
    Ok(Exit::Valid)
}

fn items(kind: Kind, registry: &Registry) -> Vec<Value> {
    match kind {
        Kind::Systems => registry.systems.iter().map(system).collect(),
        Kind::Bugs => registry.systems.iter().flat_map(bugs).collect(),
        Kind::Workloads => registry
            .workloads
            .iter()
            .map(|w| {
                json!({
                    "name": w.name,
                    "summary": w.summary,
                    "interface": w.workload.interface(),
                    "settings": settings(w.workload.settings()),
                })
            })
            .collect(),
        Kind::Nemeses => NEMESES.iter().map(|n| json!({ "name": n.name, "summary": n.summary })).collect(),
        Kind::Checkers => CHECKERS
            .iter()
            .map(|c| json!({ "name": c.name, "summary": c.summary, "needs_model": c.needs_model }))
            .collect(),
        Kind::Models => MODELS.iter().map(|m| json!({ "name": m.name, "summary": m.summary })).collect(),
        Kind::Simulators => SIMULATORS.iter().map(simulator).collect(),
        Kind::Topologies => TOPOLOGIES.iter().map(|t| json!({ "name": t.name, "summary": t.summary })).collect(),
        Kind::Formats => Format::ALL.iter().map(|f| json!({ "name": f.name(), "summary": f.summary() })).collect(),
    }
}

fn system(entry: &SystemEntry) -> Value {
    let built = (entry.build)(None, &Settings::new()).ok();
    let home = built.as_ref().and_then(|system| match system.habitat() {
        Habitat::Everywhere => None,
        Habitat::Only(simulator) => Some(simulator.entry().name),
    });
    json!({
        "name": entry.name,
        "summary": entry.summary,
        "workload": entry.workload,
        "promise": built.as_ref().map(|system| record::promise(&system.promise())),
        "home": home,
        "lacks": built.and_then(|system| system.lacks()),
        "bugs": entry.bugs.iter().map(|b| b.name).collect::<Vec<_>>(),
        "settings": settings(entry.settings),
    })
}

fn simulator(entry: &SimulatorEntry) -> Value {
    let built = entry.simulator.is_built();
    json!({
        "name": entry.name,
        "summary": entry.summary,
        "deterministic": entry.deterministic,
        "ability": entry.ability,
        "guests": entry.simulator.ability_on_guests(),
        "built": built,
        "lacks": (!built).then_some(entry.needs),
    })
}

fn bugs(entry: &SystemEntry) -> Vec<Value> {
    let bug = |bug: &crate::catalogue::Bug| {
        json!({
            "system": entry.name,
            "bug": bug.name,
            "spec": format!("{}:{}", entry.name, bug.name),
            "summary": bug.summary,
            "trigger": bug.trigger,
            "shown_by": bug.workload,
            "nemesis": bug.nemesis,
            "anomalies": bug.anomalies,
        })
    };
    entry.bugs.iter().map(bug).collect()
}

fn settings(settings: &[Setting]) -> Vec<Value> {
    settings.iter().map(|s| json!({ "key": s.key, "default": s.default, "summary": s.summary })).collect()
}

/// What else there is to say of an item, and how it is called.
const LABELS: [(&str, &str); 8] = [
    ("promise", "promises: "),
    ("home", "runs on the simulator it is written for: "),
    ("trigger", "brought out by: "),
    ("shown_by", "shown by the workload "),
    ("nemesis", "brought out by the nemesis "),
    ("ability", "does: "),
    ("guests", "to code written for it: "),
    ("lacks", "not in this binary; it needs "),
];

/// A line for each item: its name (for a bug what `campaign` takes), its sentence, and what else there is to say below.
fn table(items: &[Value]) -> String {
    let name = |item: &Value| text(item, "spec").or_else(|| text(item, "name")).unwrap_or_default();
    let width = items.iter().map(|item| name(item).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for item in items {
        let _ = writeln!(out, "{:width$}  {}", name(item), text(item, "summary").unwrap_or_default());
        for (key, label) in LABELS {
            if let Some(more) = text(item, key) {
                let _ = writeln!(out, "{:width$}  {label}{more}", "");
            }
        }
        for setting in item["settings"].as_array().into_iter().flatten() {
            let of = |key| text(setting, key).unwrap_or_default();
            let _ = writeln!(out, "{:width$}  --set {}={}: {}", "", of("key"), of("default"), of("summary"));
        }
    }
    out
}

fn text(item: &Value, key: &str) -> Option<String> {
    item.get(key)?.as_str().map(str::to_owned)
}
