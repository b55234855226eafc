//! Campaigns: the same whatever the number of jobs, whole after a kill, and honest about a folder that cannot be written.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::common::{Folder, read};

/// A system that fails now and then.
const SYSTEM: &str = "quorum-register:tie-without-writer-id";

/// The totals without what depends on the machine.
fn totals(folder: &Folder, out: &str) -> serde_json::Value {
    let mut totals: serde_json::Value =
        serde_json::from_str(&read(&folder.path(out).join("totals.json"))).expect("totals are JSON");
    for measured in ["wall_ms", "cpu_ms", "checking_cpu_ms"] {
        totals[measured] = 0.into();
    }
    totals
}

fn findings(folder: &Folder, out: &str) -> String {
    read(&folder.path(out).join("findings.jsonl"))
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_jobs() {
    let folder = Folder::new();
    for jobs in ["1", "3"] {
        let args =
            ["campaign", SYSTEM, "--seeds", "150", "--stop-after", "3", "--no-minimize", "--jobs", jobs, "--out"];
        folder.run(&[&args[..], &[&format!("out-{jobs}")]].concat()).exits(1);
    }
    assert_eq!(totals(&folder, "out-1"), totals(&folder, "out-3"));
    assert_eq!(findings(&folder, "out-1"), findings(&folder, "out-3"));
    assert!(!findings(&folder, "out-1").is_empty());
}

#[test]
fn each_kind_of_failure_has_a_page_a_first_seed_and_a_command_that_fails_again() {
    let folder = Folder::new();
    let args = ["campaign", SYSTEM, "--seeds", "150", "--stop-after", "1", "--no-minimize", "--json", "--out", "out"];
    let totals = folder.run(&args).exits(1).json();
    let first = totals["signatures"][0]["first_seed"].as_u64().expect("a seed").to_string();
    let pages: Vec<_> = fs::read_dir(folder.path("out"))
        .expect("the folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "html"))
        .collect();
    assert!(pages.iter().any(|p| p.contains(&first)) && pages.contains(&"index.html".to_owned()), "{pages:?}");
    folder
        .run(&["run", SYSTEM, "--seed", &first])
        .exits(1)
        .shows(totals["signatures"][0]["signature"]["anomaly"].as_str().expect("a name"));
    for page in &pages {
        fs::remove_file(folder.path("out").join(page)).expect("a file");
    }
    folder.run(&["report", "out"]).exits(0).shows("index.html");
    assert!(pages.iter().all(|page| folder.path("out").join(page).exists()));
}

#[test]
fn a_killed_campaign_goes_on_and_ends_as_if_it_had_not_been_killed() {
    let folder = Folder::new();
    let whole = ["campaign", SYSTEM, "--seeds", "300", "--no-minimize", "--out", "whole"];
    folder.run(&whole).exits(1);

    let args = ["campaign", SYSTEM, "--seeds", "300", "--no-minimize", "--jobs", "2", "--out", "killed"];
    let mut child = folder.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let progress = folder.path("killed/progress.jsonl");
    wait_for(&mut child, || lines(&progress) >= 30);
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    assert!(lines(&progress) < 300, "it was killed amid its work");
    // The kill may have hit the middle of a line.
    let mut text = read(&progress);
    text.push_str("{\"seed\":29");
    fs::write(&progress, text).expect("the folder can be written");
    folder.run(&["report", "killed"]).exits(0);

    folder.run(&["campaign", "--resume", "killed", "--no-minimize"]).exits(1).says("goes on");
    assert_eq!(totals(&folder, "killed"), totals(&folder, "whole"));
    assert_eq!(findings(&folder, "killed"), findings(&folder, "whole"));
}

#[test]
fn an_interrupted_campaign_tells_what_it_found() {
    let folder = Folder::new();
    let args = ["campaign", "misbehaving", "--nemesis", "none", "--seeds", "1000000", "--out", "out"];
    let mut child = folder.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let progress = folder.path("out/progress.jsonl");
    wait_for(&mut child, || lines(&progress) >= 5);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it lives");
    let ran = crate::common::Ran::of(&args, child.wait_with_output().expect("it ends"));
    let ran = ran.exits(3).says("--resume");
    assert!(ran.stdout.contains("interrupted"), "{}", ran.stdout);
    assert!(totals(&folder, "out")["seeds"]["run"].as_u64().is_some_and(|n| n >= 5));
}

#[test]
fn a_budget_ends_a_campaign() {
    let folder = Folder::new();
    let args = ["campaign", "single-copy", "--seeds", "1000000", "--budget", "300ms", "--json", "--out", "out"];
    let totals = folder.run(&args).json();
    assert_eq!(totals["ended"], "the time budget is spent");
    assert!(totals["seeds"]["run"].as_u64().is_some_and(|n| n > 0));
}

#[test]
fn folders_that_cannot_be_used_are_told() {
    let folder = Folder::new();
    folder.write("file", "");
    let campaign = |out: &str| folder.run(&["campaign", "single-copy", "--seeds", "2", "--out", out]);
    campaign("file/out").exits(2).says("cannot make the folder");
    campaign("/proc/out").exits(2).says("cannot make the folder");
    campaign("out");
    campaign("out").exits(2).says("already holds a campaign");
    folder.run(&["campaign", "--resume", "nowhere"]).exits(2).says("holds no campaign");
    folder.run(&["report", "nowhere"]).exits(2).says("holds no campaign");
    fs::write(folder.path("out/campaign.json"), "{\"version\": 99}").expect("the folder can be written");
    folder.run(&["campaign", "--resume", "out"]).exits(2).says("version 99");
    fs::write(folder.path("out/campaign.json"), "{\"version\"").expect("the folder can be written");
    folder.run(&["campaign", "--resume", "out"]).exits(2).says("campaign.json:1:");
}

/// `/dev/full` says what a full disk says.
#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_what_was_found_is_told_all_the_same() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).expect("the folder can be written");
    std::os::unix::fs::symlink("/dev/full", folder.path("out/progress.jsonl")).expect("a link");
    let args =
        ["campaign", SYSTEM, "--seeds", "150", "--stop-after", "1", "--no-minimize", "--jobs", "1", "--out", "out"];
    let ran = folder.run(&args);
    assert!(ran.stderr.contains("progress.jsonl"), "{}", ran.stderr);
    assert!(ran.code == Some(2) || ran.code == Some(1), "{:?}", ran.code);
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[expect(clippy::disallowed_methods, reason = "waits for another process")]
fn wait_for(child: &mut Child, mut ready: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if ready() {
            return;
        }
        assert!(child.try_wait().expect("a child").is_none(), "it ended too early");
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come so far within 30 s");
}

#[test]
fn a_demo_finds_shrinks_and_shows_and_its_case_replays_and_shrinks_no_further() {
    let folder = Folder::new();
    let ran = folder.run(&["demo", "--seed", "245160777"]).exits(0).shows("squall replay").shows("timeline");
    let after = |text: &str| ran.stdout.split(text).nth(1).and_then(|rest| rest.split_whitespace().next());
    let (case, seed) = (after("squall replay ").expect("a case"), after(" Seed ").expect("a seed"));
    let seed = seed.trim_end_matches(',');
    let named = format!(" · seed {seed} · ");
    assert!(ran.stdout.contains(&named), "{}", ran.stdout);
    // A plan under another seed is still the case of the seed that was found, whoever shows it.
    let text = read(&folder.path(case));
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("a case is JSON");
    assert_eq!(document["found"]["seed"].to_string(), seed);
    document["found"]["seed"] = 4711.into();
    folder.write("elsewhere.json", document.to_string());
    folder.run(&["replay", "elsewhere.json"]).exits(1).shows("It still fails").shows(" · seed 4711 · ");
    let json = folder.run(&["replay", "elsewhere.json", "--json"]).exits(1).json();
    let seeds = [&json["seed"], &json["findings"][0]["seed"], &json["plan_seed"]];
    assert_eq!(seeds, [&4711.into(), &4711.into(), &document["plan"]["seed"]]);

    folder.run(&["replay", case]).exits(1).shows("It still fails").shows(&named);
    let small = ["minimize", "elsewhere.json", "--runs", "200", "-o", "small.json"];
    folder.run(&small).exits(1).shows("small.json").shows(" · seed 4711 · ");
    folder.run(&["replay", "small.json"]).exits(1).shows("It still fails").shows(" · seed 4711 · ");
    folder.write("healthy.json", text.replace(":leader-local-read", ""));
    folder.run(&["replay", "healthy.json"]).exits(0).shows("It no longer fails");
}
