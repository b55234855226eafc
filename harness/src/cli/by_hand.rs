//! Plans by hand: what is run, and which faults strike whom and when, in TOML.
//!
//! ```toml
//! system = "raft-rs-kv"
//! nodes = 5
//! duration = "10s"
//!
//! [[fault]]
//! at = "2s"
//! lasts = "1.5s"
//! fault = "partition"
//! shape = "split"
//! target = "leader"
//! ```
//!
//! What is not said is the system's default, as on the command line. Of faults nothing is drawn: those in the file strike, and no
//! other. A length of time is a text such as `"500ms"`; names and members are those of plan files, without their `_ns`.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, de::Error as _};
use serde_json::{Map, Value, json};
use toml::{Table, Value as Toml};

use super::{Context, files, spec_args};
use crate::{
    engine::{
        span::{self, Span},
        spec::{Job, Schedule, Spec},
    },
    plan::{Fault, Settings},
};

/// Where to look when a file is not understood.
const SEE: &str = "docs/formats.md says what such a file looks like; `squall plan` shows the names of all members.";

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByHand {
    system: String,
    #[serde(default)]
    seed: u64,
    workload: Option<String>,
    simulator: Option<String>,
    nodes: Option<u32>,
    clients: Option<u32>,
    rate: Option<u32>,
    load: Option<String>,
    latency: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    set: BTreeMap<String, Toml>,
    #[serde(default)]
    fault: Vec<Table>,
}

/// What a file says, and its seed. A simulator of the command line goes before that of the file.
pub(super) fn read(path: &Path, simulator: Option<&str>, context: &Context) -> super::Result<(Job, u64)> {
    let wrong = |e: &dyn std::fmt::Display| super::wrong(format!("{}: {e}", path.display()), SEE);
    let file: ByHand = toml::from_str(&files::read_text(path)?).map_err(|e| wrong(&e.to_string().trim_end()))?;
    let mut spec = spec(&file).map_err(|e| wrong(&e))?;
    spec.simulator = simulator.map(str::to_owned).or(spec.simulator);
    let faults = (1..).zip(&file.fault).map(|(id, table)| fault(id, table));
    let faults = faults.collect::<Result<_, String>>().map_err(|e| wrong(&e))?;
    spec.schedule = Some(Schedule { file: path.display().to_string(), faults });
    let job = spec_args::resolve(&spec, context)?;
    job.plan(file.seed).validate().map_err(|e| wrong(&e))?;
    Ok((job, file.seed))
}

/// Whether a file is one by hand.
pub(super) fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn spec(file: &ByHand) -> Result<Spec, String> {
    let said = |value: &Toml| match value {
        Toml::Integer(n) => n.to_string(),
        Toml::Boolean(b) => b.to_string(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let duration = file.duration.as_deref().map(str::parse::<Span>).transpose();
    Ok(Spec {
        system: file.system.clone(),
        workload: file.workload.clone(),
        simulator: file.simulator.clone(),
        nemeses: vec!["none".to_owned()],
        nodes: file.nodes,
        clients: file.clients,
        rate: file.rate,
        load: file.load.as_deref().map(span::load).transpose().map_err(|e| format!("load: {e}"))?,
        latency: file.latency.as_deref().map(span::latency).transpose().map_err(|e| format!("latency: {e}"))?,
        duration_ns: duration.map_err(|e| format!("duration: {e}"))?.map(|span| span.0),
        settings: file.set.iter().map(|(key, value)| (key.clone(), said(value))).collect::<Settings>(),
        schedule: None,
    })
}

/// Members whose text is no length of time.
const WORDS: [&str; 4] = ["fault", "target", "shape", "loss"];

fn fault(id: u32, table: &Table) -> Result<Fault, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("fault {id}: {e}");
    let mut members = Map::from_iter([("id".to_owned(), json!(id)), ("target".to_owned(), json!("all"))]);
    for (name, value) in table {
        let (name, value) = member(name, value).map_err(|e| wrong(&e))?;
        members.insert(name, value);
    }
    let given = members.clone();
    let fault: Fault = serde_path_to_error::deserialize(Value::Object(members)).map_err(|e| wrong(&e))?;
    // What the kind of fault does not have is passed over in silence otherwise.
    let has = serde_json::to_value(&fault).unwrap_or_default();
    match given.iter().find(|(name, value)| has.get(name).is_none() && **value != json!(false)) {
        Some((name, _)) => Err(wrong(&format!("a {} has no `{}`", fault.kind.name(), name.trim_end_matches("_ns")))),
        None => Ok(fault),
    }
}

/// A member as plan files have it.
fn member(name: &str, value: &Toml) -> Result<(String, Value), serde_json::Error> {
    let name = match name {
        "at" => "begins",
        "by" => "ns",
        other => other,
    };
    match value {
        _ if name == "target" => Ok((name.to_owned(), target(value)?)),
        Toml::String(text) if !WORDS.contains(&name) => {
            let (sign, span) = text.strip_prefix('-').map_or((1, text.as_str()), |span| (-1, span));
            let ns = span.parse::<Span>().map_err(|e| serde_json::Error::custom(format!("{name}: {e}")))?.0;
            let name = if name == "ns" || name.ends_with("_ns") { name.to_owned() } else { format!("{name}_ns") };
            let signed = i64::try_from(ns).map(|ns| sign * ns);
            Ok((name, if sign < 0 { json!(signed.unwrap_or(i64::MIN)) } else { json!(ns) }))
        }
        other => Ok((name.to_owned(), serde_json::to_value(other)?)),
    }
}

/// `"leader"`, `"n2"`, `["n0", "n2"]`, `{ random = 2 }`, `{ zone = 1, of = 3 }`.
fn target(value: &Toml) -> Result<Value, serde_json::Error> {
    let node = |value: &Toml| value.as_str()?.strip_prefix('n')?.parse::<u32>().ok();
    let value = match value {
        Toml::Array(nodes) => {
            let named: Option<Vec<u32>> = nodes.iter().map(node).collect();
            let what = || serde_json::Error::custom("target: nodes are named `n0`, `n1` and so on");
            json!({ "nodes": named.ok_or_else(what)? })
        }
        Toml::Table(table) if table.contains_key("of") => json!({ "zone": table }),
        other => node(other).map_or_else(|| serde_json::to_value(other), |node| Ok(json!({ "nodes": [node] })))?,
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of a file, or what is wrong with it.
    fn faults(text: &str) -> String {
        let file: ByHand = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return error.to_string(),
        };
        let line =
            |fault: Fault| format!("{} ms + {} ms: {fault}", fault.begins_ns / 1_000_000, fault.lasts_ns / 1_000_000);
        let read = (1..).zip(&file.fault).map(|(id, table)| fault(id, table).map(line));
        read.collect::<Result<Vec<_>, _>>().map_or_else(|e| e, |lines| lines.join("\n"))
    }

    #[track_caller]
    fn check(fault: &str, expected: &str) {
        let said = faults(&format!("system = \"store\"\n[[fault]]\nat = \"2s\"\nlasts = \"1.5s\"\n{fault}"));
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn faults_by_hand() {
        let split = "fault = 'partition'\nshape = 'split'\nflap = '20ms'\ntarget = 'leader'";
        check(split, "2000 ms + 1500 ms: partition, flapping every 20 ms of the leader");
        check("fault = 'crash'\nloss = 'kept'\ntarget = ['n0', 'n2']", "crash of n0+n2");
        check("fault = 'clock-offset'\nby = '-3s'\ntarget = 'n1'", "wall clock off by -3.0 s of n1");
        check("fault = 'slow'\nservice = '5ms'\ntarget = { zone = 1, of = 3 }", "slow, 5 ms per event of zone 1 of 3");
        check("fault = 'drop'\npermille = 50\ntarget = { random = 2 }", "loss of 5% of messages of 2 random nodes");
        check("fault = 'burst'\nfactor = 5", "burst of 5 times the load of all nodes");
    }

    #[test]
    fn what_is_no_fault_is_refused_with_its_place() {
        check("fault = 'pause'\nfactor = 5", "fault 1: a pause has no `factor`");
        check("fault = 'crush'", "fault 1: unknown variant `crush`");
        check("fault = 'delay'\nmax = 'soon'", "fault 1: max: `soon` is not a length of time");
        check("fault = 'pause'\ntarget = ['2']", "fault 1: target: nodes are named `n0`, `n1` and so on");
    }

    #[test]
    fn a_file_says_what_options_say() {
        let text = "system = \"store\"\nnodes = 5\nlatency = \"1ms..2ms\"\nduration = \"3s\"\nset = { cas = 0, values = \"small\" }";
        let spec = spec(&toml::from_str(text).expect("it is TOML")).expect("it makes sense");
        assert_eq!(
            spec.command(7),
            "squall run store --seed 7 --nemesis none --nodes 5 --latency 1ms..2ms --duration 3s --set cas=0 --set values=small"
        );
        assert!(faults("system = \"store\"\nnode = 5").contains("unknown field `node`"));
        let soon = "system = \"store\"\nduration = \"soon\"";
        assert!(
            super::spec(&toml::from_str(soon).expect("it is TOML")).is_err_and(|e| e.starts_with("duration: `soon`"))
        );
    }
}
