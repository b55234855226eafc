//! Unknown names, wrong usage, and the lists of what there is.

use crate::common::Folder;

#[test]
fn unknown_names_offer_the_nearest() {
    let folder = Folder::new();
    let check = |args: &[&str], said: &str| drop(folder.run(args).exits(2).says(said));
    check(&["campaign", "raft-rs-vk"], "did you mean `raft-rs-kv`?");
    check(&["campaign", "quorum-register:tie-without-writer"], "did you mean `quorum-register:tie-without-writer-id`?");
    check(&["run", "single-copy", "--seed", "1", "--workload", "regster"], "did you mean `register`?");
    check(&["run", "single-copy", "--seed", "1", "--nemesis", "partitoin"], "did you mean `partition`?");
    check(&["run", "single-copy", "--seed", "1", "--simulator", "nativ"], "did you mean `native`?");
    check(&["run", "single-copy", "--seed", "1", "--set", "kyes=3"], "did you mean `keys`?");
    check(&["doctor", "single-cpy"], "did you mean `single-copy`?");
    check(&["check", "-", "--model", "registre"], "did you mean `register`?");
    check(&["check", "-", "--model", "register", "--checker", "linearisable"], "did you mean `linearizable`?");
    check(&["check", "-", "--model", "register", "--format", "json"], "did you mean `jsonl`?");
}

#[test]
fn wrong_usage_is_told_with_what_was_expected() {
    let folder = Folder::new();
    let check = |args: &[&str], said: &str| drop(folder.run(args).exits(2).says(said));
    check(&["campaign"], "required");
    check(&["campaign", "single-copy", "--seeds", "9..3"], "empty range");
    check(&["campaign", "single-copy", "--budget", "5 days"], "not a length of time");
    check(&["campaign", "single-copy", "--latency", "9ms..1ms"], "begins with the longer time");
    check(&["campaign", "single-copy", "--set", "keys"], "not KEY=VALUE");
    check(&["campaign", "single-copy", "--set", "keys=many"], "keys");
    check(&["run", "single-copy"], "--seed");
    check(&["check", "-"], "needs a model");
    check(&["frobnicate"], "unrecognized subcommand");
}

#[test]
fn lists_are_for_people_and_machines() {
    let folder = Folder::new();
    for kind in ["systems", "bugs", "workloads", "nemeses", "checkers", "models", "simulators", "formats"] {
        let items = folder.run(&["list", kind, "--json"]).exits(0).json();
        let items = items.as_array().expect("an array").clone();
        let people = folder.run(&["list", kind]).exits(0).stdout;
        assert!(!items.is_empty(), "{kind}");
        for item in items {
            let name = item.get("spec").or(item.get("name")).and_then(|n| n.as_str()).expect("a name");
            assert!(people.contains(name) && item["summary"].as_str().is_some_and(|s| !s.is_empty()), "{kind}: {name}");
        }
    }
}

#[test]
fn the_spec_of_every_bug_is_what_a_campaign_takes() {
    let folder = Folder::new();
    for bug in folder.run(&["list", "bugs", "--json"]).exits(0).json().as_array().expect("an array") {
        let (spec, system) = (bug["spec"].as_str().expect("a spec"), bug["system"].as_str().expect("a system"));
        assert_eq!(spec, format!("{system}:{}", bug["bug"].as_str().expect("a bug")));
        let planned = folder.run(&["plan", spec, "--seed", "1"]);
        // A system that this binary lacks says what would bring it.
        if !planned.stderr.contains("this binary was built without") {
            planned.exits(0).shows(spec);
        }
    }
}
