//! Campaigns on CI and on many machines: shards, cases that run first, what CI systems are told, and when to stop.

use std::fs;

use serde_json::Value;

use crate::common::{Folder, read};

/// A system that fails now and then.
const SYSTEM: &str = "quorum-register:tie-without-writer-id";
/// The same without its mistake.
const SOUND: &str = "quorum-register";

fn campaign(folder: &Folder, system: &str, out: &str, options: &[&str]) -> crate::common::Ran {
    folder.run(&[&["campaign", system, "--out", out, "--jobs", "2"], options].concat())
}

/// The records of a folder, one per line.
fn findings(folder: &Folder, out: &str) -> Vec<Value> {
    let text = read(&folder.path(out).join("findings.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// The totals without what depends on the machine.
fn totals(folder: &Folder, out: &str) -> Value {
    let mut totals: Value =
        serde_json::from_str(&read(&folder.path(out).join("totals.json"))).expect("totals are JSON");
    for measured in ["wall_ms", "cpu_ms", "checking_cpu_ms"] {
        totals[measured] = 0.into();
    }
    totals
}

#[test]
fn shards_find_together_what_one_machine_finds() {
    let folder = Folder::new();
    let options = ["--seeds", "5..50", "--no-minimize"];
    campaign(&folder, SYSTEM, "one", &options).exits(1);
    for shard in ["1", "2", "3"] {
        let shard_of = format!("{shard}/3");
        let ran = campaign(&folder, SYSTEM, shard, &[&options[..], &["--shard", &shard_of]].concat());
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
        ran.says(&format!("this is shard {shard_of} of the seeds 5..50"));
    }
    folder.run(&["report", "2", "3", "1", "--out", "all"]).exits(1).shows("all seeds ran");
    assert_eq!(totals(&folder, "all"), totals(&folder, "one"));
    assert_eq!(findings(&folder, "all"), findings(&folder, "one"));
    assert!(!findings(&folder, "one").is_empty() && folder.path("all/index.html").exists());

    // One machine is missing.
    folder.run(&["report", "1", "3", "--out", "some"]).shows("seeds are missing");
    // A machine of another campaign.
    campaign(&folder, SOUND, "other", &["--seeds", "2"]).exits(0);
    folder
        .run(&["report", "1", "other", "--out", "none"])
        .exits(2)
        .says("hold different campaigns: their systems differ");
    assert!(!folder.path("none").exists());
    folder.run(&["report", "1", "--out", "all"]).exits(2).says("already holds a campaign");
    folder.run(&["report", "1", "--junit", "x"]).exits(2).says("`--out DIR` combines");
}

#[test]
fn shards_shrink_the_first_failure_as_one_machine_does_and_stop_where_it_does() {
    let folder = Folder::new();
    let options = ["--seeds", "40", "--stop-after", "2"];
    campaign(&folder, SYSTEM, "one", &options).exits(1);
    for shard in ["1/2", "2/2"] {
        campaign(&folder, SYSTEM, &shard[..1], &[&options[..], &["--shard", shard]].concat());
    }
    folder.run(&["report", "1", "2", "--out", "all"]).exits(1);
    assert_eq!(totals(&folder, "all"), totals(&folder, "one"));
    let (one, all) = (findings(&folder, "one"), findings(&folder, "all"));
    let which = |findings: &[Value]| -> Vec<_> {
        findings.iter().map(|f| (f["seed"].clone(), f["signature"].clone())).collect()
    };
    assert_eq!(which(&all), which(&one));
    assert_eq!((&all[0]["case"], &all[0]["operations"]), (&one[0]["case"], &one[0]["operations"]));
    let replay = all[0]["replay"].as_str().expect("a command").strip_prefix("squall ").expect("ours").to_owned();
    folder.run(&replay.split(' ').collect::<Vec<_>>()).exits(1).shows("It still fails");
}

#[test]
fn cases_that_failed_before_run_first_and_new_ones_join_them() {
    let folder = Folder::new();
    let options = ["--seeds", "40", "--stop-after", "1", "--regressions", "cases"];
    campaign(&folder, SYSTEM, "a", &options).exits(1).says("0 cases that failed before ran first");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder.path("cases"))
            .expect("the folder was made")
            .map(|entry| entry.expect("it can be read").file_name())
            .collect();
        names.sort();
        names
    };
    let first = names();
    assert_eq!(first.len(), 1);
    // It is known by now, and does not join again.
    campaign(&folder, SYSTEM, "b", &options).exits(1).says("1 cases that failed before ran first, 1 still fail");
    assert_eq!(names(), first);
    // Even where no seed fails.
    let few = ["--seeds", "1", "--regressions", "cases", "--junit", "junit.xml"];
    campaign(&folder, SYSTEM, "c", &few).exits(1);
    let junit = read(&folder.path("junit.xml"));
    let name = first[0].to_str().expect("names are UTF-8");
    assert!(junit.contains(&format!("name=\"case {name}\"")) && junit.contains("failures=\"1\""), "{junit}");
    // It is called by the seed that was found, whatever the seed of its plan.
    let path = folder.path("cases").join(name);
    let mut case: Value = serde_json::from_str(&read(&path)).expect("a case is JSON");
    case["found"]["seed"] = 4711.into();
    fs::write(&path, case.to_string()).expect("it can be written");
    campaign(&folder, SYSTEM, "g", &few).exits(1).shows(" · seed 4711 · ");
    // They are of another system, or mended.
    campaign(&folder, SOUND, "d", &few).exits(0).says("1 are of other systems");
    fs::write(&path, case.to_string().replace(SYSTEM, SOUND)).expect("it can be written");
    campaign(&folder, SOUND, "e", &few).exits(0).says("1 cases that failed before ran first, 0 still fail");
    folder.write("cases/other.json", "{}");
    campaign(&folder, SOUND, "f", &few).exits(2).says("other.json");
    assert!(!folder.path("f").exists());
}

#[test]
fn as_many_seeds_as_a_certainty_takes() {
    let folder = Folder::new();
    let sure = ["--until-confidence", "90%", "--bug-rate", "1/10"];
    campaign(&folder, SOUND, "a", &sure)
        .exits(0)
        .says("22 clean seeds make it 90% certain")
        .shows("22 of 22 seeds ran")
        .shows("22 clean seeds: a bug that shows in 10% of the seeds or more would have shown with 90% certainty");
    let broken = campaign(&folder, "misbehaving:panics", "b", &[&sure[..], &["--no-minimize"]].concat()).exits(1);
    broken.shows("of 22 seeds are not clean: nothing is ruled out");
    let check = |options: &[&str], said: &str| drop(campaign(&folder, SOUND, "x", options).exits(2).says(said));
    check(&["--until-confidence", "101%", "--bug-rate", "1/10"], "expected something like `99%`, `1/1000` or `0.001`");
    check(&["--until-confidence", "99%"], "--bug-rate");
    check(&["--until-confidence", "99%", "--bug-rate", "1/10", "--seeds", "5"], "cannot be used with");
    check(&["--shard", "5/4"], "expected I/N with I from 1 to N, such as `1/4`");
    check(&["--shard", "1/4", "--seeds", "2"], "no seed of 0..2 is left for shard 1/4");
    check(&["--fail-on", "pnaic"], "did you mean `panic`?");
    check(&["--fail-on", "stale-raed"], "did you mean `stale-read`?");
}

#[test]
fn a_ci_system_is_told_and_fails_on_what_it_asked_for() {
    let folder = Folder::new();
    let four = ["--seeds", "4", "--no-minimize", "--nemesis", "none"];
    let with = |options: &[&'static str]| [&four[..], options].concat();
    let panics = "misbehaving:panics";
    campaign(&folder, panics, "a", &with(&["--junit", "ci/junit.xml", "--summary", "summary.md"])).exits(1);
    let junit = read(&folder.path("ci/junit.xml"));
    assert!(junit.contains("<testsuite name=\"misbehaving:panics\" tests=\"1\" failures=\"1\""), "{junit}");
    assert!(junit.contains("name=\"execution: panic\"") && junit.contains("4 of 4 seeds, first 0"), "{junit}");
    let summary = read(&folder.path("summary.md"));
    assert!(summary.starts_with("## squall: `misbehaving:panics`: it breaks its promise\n"), "{summary}");
    assert!(summary.contains("4 panic") && summary.contains("<details>"), "{summary}");

    campaign(&folder, panics, "b", &with(&["--fail-on", "invalid,hang"])).exits(0);
    campaign(&folder, panics, "c", &with(&["--fail-on", "hang,panic"])).exits(1);
    campaign(&folder, "misbehaving:never-replies", "d", &with(&["--fail-on", "panic"])).exits(0);

    // GitHub says where a job's summary goes; other steps write there too.
    folder.write("step.md", "before\n");
    let args = ["campaign", "misbehaving", "--seeds", "2", "--out", "e"];
    let output = folder.command(&args).env("GITHUB_STEP_SUMMARY", folder.path("step.md")).output();
    assert_eq!(output.expect("the binary starts").status.code(), Some(0));
    let step = read(&folder.path("step.md"));
    assert!(step.starts_with("before\n## squall: `misbehaving`: every seed keeps the promise\n"), "{step}");
}
