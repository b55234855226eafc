//! `squall cross-check SYSTEM`: the same seeds on several simulators; what is found on one must be found on all, though not on the
//! same seeds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Context, Result, campaign, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            cross_check::{Side, cross_check},
            keeper::Limits,
        },
        names,
        seeds::Seeds,
        span::Span,
        spec::Spec,
    },
    exit::Exit,
    simulators::{SIMULATORS, SimulatorEntry},
};

/// Seeds shown of a longer list.
const SHOWN: usize = 8;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "`--simulator` takes several names here, with commas; without it, every deterministic one is used."
)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    system: String,
    #[command(flatten)]
    spec: spec_args::SpecArgs,
    /// The seeds: `N` for 0..N, or a half-open range `A..B`
    #[arg(long, value_name = "N|A..B", default_value = "50")]
    seeds: Seeds,
    /// Worker processes at a time for each simulator; as many as there are cores when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Real time after which a seed hangs
    #[arg(long, value_name = "WALL", default_value = "60s")]
    hang_after: Span,
    /// The result on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let simulators = simulators(args.spec.simulator())?;
    let spec = Spec { simulator: None, ..args.spec.spec(&args.system) };
    for simulator in &simulators {
        spec_args::resolve(&Spec { simulator: Some(simulator.name.to_owned()), ..spec.clone() }, context)?;
    }
    let limits = Limits { hang_after: Duration::from_nanos(args.hang_after.0.max(1)), ..Limits::default() };
    let done = AtomicU64::new(0);
    let told = |_| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(50) {
            eprintln!("{done} of {} seeds", args.seeds.count());
        }
    };
    let jobs = campaign::jobs(args.jobs);
    let sides = cross_check(&spec, &simulators, args.seeds, jobs, limits, &campaign::launch()?, &told)
        .map_err(|e| wrong(&e, ""))?;
    if args.json {
        context.output.json(&sides)?;
    } else {
        context.output.text(&show(&args.system, args.seeds, &sides))?;
    }
    Ok(exit(&sides))
}

/// Those asked for, or all that can be compared.
fn simulators(asked: Option<&str>) -> Result<Vec<&'static SimulatorEntry>> {
    let Some(asked) = asked else {
        return Ok(SIMULATORS.iter().filter(|s| s.deterministic && s.simulator.is_built()).collect());
    };
    let find = |name: &str| names::find("simulator", SIMULATORS, |s| s.name, name);
    asked.split(',').map(|name| find(name).map_err(|e| wrong(&e, spec_args::next("simulator")))).collect()
}

fn show(system: &str, seeds: Seeds, sides: &[Side]) -> String {
    let width = sides.iter().map(|s| s.simulator.len()).max().unwrap_or(0);
    let mut out = format!("{system}, seeds {seeds}\n");
    for side in sides {
        let failed = side.failed.len();
        let _ = write!(out, "  {:width$}  {} valid, {failed} failed", side.simulator, side.valid);
        if side.inconclusive > 0 {
            let _ = write!(out, ", {} inconclusive", side.inconclusive);
        }
        if SIMULATORS.iter().any(|s| s.name == side.simulator && !s.deterministic) {
            out.push_str(" (nondeterministic: another time it may be others)");
        }
        out.push('\n');
    }
    for (anomaly, found) in by_anomaly(sides) {
        let _ = writeln!(out, "{anomaly}");
        for side in sides {
            let text = found.get(side.simulator.as_str()).map_or("never".to_owned(), |seeds| list(seeds));
            let _ = writeln!(out, "  {:width$}  {text}", side.simulator);
        }
    }
    let differ = differing(sides);
    if !differ.is_empty() {
        let _ = writeln!(out, "Verdicts differ on seeds {}; histories do, so that is no defect.", list(&differ));
    }
    let (faulty, sound): (Vec<&Side>, Vec<&Side>) = sides.iter().partition(|side| !side.failed.is_empty());
    let names = |sides: &[&Side]| sides.iter().map(|s| s.simulator.as_str()).collect::<Vec<_>>().join(", ");
    let _ = match (faulty.len(), sound.len()) {
        (0, _) => writeln!(out, "Sound on all of them."),
        (_, 0) => writeln!(out, "Faulty on all of them."),
        _ => writeln!(out, "Faulty on {}, sound on {}: look closer.", names(&faulty), names(&sound)),
    };
    out
}

/// The seeds on which each kind of failure was found, by simulator.
fn by_anomaly(sides: &[Side]) -> BTreeMap<&str, BTreeMap<&str, &Vec<u64>>> {
    let mut all: BTreeMap<&str, BTreeMap<&str, &Vec<u64>>> = BTreeMap::new();
    for side in sides {
        for (anomaly, seeds) in &side.anomalies {
            all.entry(anomaly).or_default().insert(&side.simulator, seeds);
        }
    }
    all
}

/// Seeds that failed on some simulators and not on others.
fn differing(sides: &[Side]) -> Vec<u64> {
    let any: BTreeSet<u64> = sides.iter().flat_map(|side| side.failed.iter().copied()).collect();
    any.into_iter().filter(|seed| sides.iter().any(|side| side.failed.binary_search(seed).is_err())).collect()
}

fn list(seeds: &[u64]) -> String {
    let shown: Vec<String> = seeds.iter().take(SHOWN).map(u64::to_string).collect();
    let more = seeds.len().saturating_sub(SHOWN);
    shown.join(" ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

fn exit(sides: &[Side]) -> Exit {
    if sides.iter().any(|side| !side.failed.is_empty() && !side.outside) {
        Exit::Finding
    } else if sides.iter().any(|side| side.inconclusive > 0) {
        Exit::Inconclusive
    } else {
        Exit::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(simulator: &str, failed: &[u64]) -> Side {
        let anomalies = [("stale-read".to_owned(), failed.to_vec())].into();
        let anomalies = if failed.is_empty() { BTreeMap::new() } else { anomalies };
        let valid = 10 - failed.len() as u64;
        Side { simulator: simulator.to_owned(), valid, failed: failed.to_vec(), anomalies, ..Side::default() }
    }

    #[test]
    fn what_one_finds_and_another_never_does_is_said() {
        let sides = [side("native", &[1, 2]), side("turmoil", &[2, 7]), side("madsim", &[])];
        let text = show("store:bug", Seeds { start: 0, end: 10 }, &sides);
        assert!(text.contains("native   8 valid, 2 failed"), "{text}");
        assert!(text.contains("stale-read\n  native   1 2\n  turmoil  2 7\n  madsim   never"), "{text}");
        assert!(text.contains("Verdicts differ on seeds 1 2 7"), "{text}");
        assert!(text.contains("Faulty on native, turmoil, sound on madsim"), "{text}");
        assert_eq!(exit(&sides), Exit::Finding);
    }

    #[test]
    fn the_same_everywhere_is_one_line() {
        let text = show("store", Seeds { start: 0, end: 10 }, &[side("native", &[]), side("turmoil", &[])]);
        assert!(text.ends_with("Sound on all of them.\n") && !text.contains("differ"), "{text}");
    }
}
