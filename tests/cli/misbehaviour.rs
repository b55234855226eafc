//! Systems that misbehave as programs: each is a verdict with its seed, and the campaign goes on.

use crate::common::{Folder, Ran};

/// Runs a campaign of four seeds against `misbehaving` with this bug.
fn campaign(folder: &Folder, bug: &str, options: &[&str]) -> Ran {
    let system = format!("misbehaving:{bug}");
    let args = ["campaign", &system, "--seeds", "10..14", "--jobs", "2", "--nemesis", "none", "--json", "--out", bug];
    folder.run(&[&args[..], options].concat())
}

/// All four seeds end in `class`, with a record of the first.
#[track_caller]
fn check(bug: &str, options: &[&str], class: &str, anomaly: &str) {
    let folder = Folder::new();
    let totals = campaign(&folder, bug, options).exits(1).json();
    assert_eq!((&totals["seeds"]["run"], &totals["seeds"][class]), (&4.into(), &4.into()), "{totals}");
    let group = &totals["signatures"][0];
    assert_eq!((group["signature"]["anomaly"].as_str(), group["first_seed"].as_u64()), (Some(anomaly), Some(10)));
    let findings = crate::common::read(&folder.path(bug).join("findings.jsonl"));
    let seeds: Vec<u64> = findings
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("a record")["seed"].as_u64().expect("a seed")
        })
        .collect();
    assert_eq!(seeds, [10, 11, 12, 13]);
}

#[test]
fn a_panic_is_a_verdict() {
    check("panics", &["--no-minimize"], "panic", "panic");
}

#[test]
fn an_abort_is_a_verdict() {
    check("aborts", &[], "abort", "abort");
    let folder = Folder::new();
    folder.run(&["run", "misbehaving:aborts", "--seed", "10"]).exits(1).shows("SIGABRT");
}

#[test]
fn a_hang_is_a_verdict() {
    check("never-yields", &["--hang-after", "2s"], "hang", "hang");
}

#[test]
fn spinning_at_one_instant_is_a_verdict() {
    check("spins", &["--no-minimize"], "step_limit", "step-limit");
}

#[test]
#[cfg(target_os = "linux")]
fn a_leak_is_a_verdict() {
    check("leaks", &["--memory", "256"], "memory", "memory");
}

#[test]
fn a_system_that_never_replies_is_not_valid() {
    let folder = Folder::new();
    let ran = campaign(&folder, "never-replies", &["--no-minimize"]);
    let totals = ran.json();
    assert_eq!((&totals["seeds"]["run"], &totals["seeds"]["valid"]), (&4.into(), &0.into()), "{totals}");
    assert!(ran.code == Some(1) || ran.code == Some(3), "{:?}", ran.code);
}

#[test]
fn the_doctor_tells_order_that_is_random() {
    let folder = Folder::new();
    let args = ["doctor", "misbehaving:unordered", "--seeds", "20"];
    folder.run(&args).exits(4).shows("not deterministic").shows("HashMap");
    folder.run(&["doctor", "single-copy", "--seeds", "5"]).exits(0).shows("deterministic in 5 of 5 seeds");
}

#[test]
fn the_well_behaved_twin_is_silent() {
    let folder = Folder::new();
    folder.run(&["campaign", "misbehaving", "--seeds", "10", "--out", "out"]).exits(0);
}
