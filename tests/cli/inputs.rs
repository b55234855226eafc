//! Malformed and truncated files: each is told with its place, and none ends in a panic.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::common::{Folder, Ran, read};

const VALID: &str = "{\"squall-history\":1}\n";

#[test]
fn a_plan_runs_as_its_seed_does() {
    let folder = Folder::new();
    folder.run(&["plan", "single-copy", "--seed", "7", "-o", "plan.json"]).exits(0);
    let digest = |ran: Ran| ran.json()["digest"].as_str().expect("a digest").to_owned();
    let by_seed = digest(folder.run(&["run", "single-copy", "--seed", "7", "--json"]));
    let by_plan = digest(folder.run(&["run", "--plan", "plan.json", "--json"]));
    assert_eq!(by_seed, by_plan);
}

#[test]
fn the_plan_of_a_folder_is_what_runs_when_nothing_else_is_said() {
    let folder = Folder::new();
    folder.run(&["run"]).exits(2).says("neither a system nor a plan is given, and there is no `squall.toml` here");
    let plan = "system = \"single-copy\"\nseed = 7\n[[fault]]\nat = \"2s\"\nlasts = \"1s\"\nfault = \"pause\"\n";
    folder.write("squall.toml", plan);
    let ran = folder.run(&["run", "--json"]).json();
    assert_eq!((&ran["system"], &ran["seed"]), (&"single-copy".into(), &7.into()));
    assert_eq!(ran, folder.run(&["run", "--plan", "squall.toml", "--json"]).json());
    // Another seed meets the same fault.
    assert_ne!(ran["digest"], folder.run(&["run", "--seed", "8", "--json"]).json()["digest"]);
    // Whoever names a system means that one.
    assert_ne!(ran["digest"], folder.run(&["run", "single-copy", "--seed", "7", "--json"]).json()["digest"]);
}

#[test]
fn many_seeds_run_with_one_plan_by_hand() {
    let folder = Folder::new();
    let plan = "system = \"raft-rs-kv\"\nduration = \"5s\"\n[[fault]]\nat = \"1s\"\nlasts = \"1s\"\nfault = \"crash\"\nloss = \"kept\"\ntarget = \"leader\"\n";
    folder.write("plan.toml", plan);
    let campaign = ["campaign", "--plan", "plan.toml", "--seeds", "6", "--json", "--out", "out"];
    let totals = folder.run(&campaign).exits(0).json();
    assert_eq!((&totals["seeds"]["valid"], &totals["faults"][0]["scheduled"]), (&6.into(), &6.into()), "{totals}");
    // It goes on without the file.
    std::fs::remove_file(folder.path("plan.toml")).expect("it is there");
    folder.run(&["campaign", "--resume", "out"]).exits(0);
    folder.run(&["campaign", "--plan", "plan.json"]).exits(2).says("plan.json is no plan by hand");
    let options = ["campaign", "--plan", "plan.toml", "--nodes", "5"];
    folder.run(&options).exits(2).says("a plan says all there is to say");
}

#[test]
fn broken_plans_and_cases_are_told_with_their_place() {
    let folder = Folder::new();
    folder.run(&["plan", "single-copy", "--seed", "7", "-o", "plan.json"]).exits(0);
    let plan = read(&folder.path("plan.json"));
    for (name, text, said) in [
        ("empty", "", "the file is empty"),
        ("cut", &plan[..plan.len() / 2], "line"),
        ("type", &plan.replacen("\"nodes\": ", "\"nodes\": \"x", 1).replacen("\"x3", "\"x3\"", 1), "line"),
        ("version", &plan.replacen("\"squall-plan\": 1", "\"squall-plan\": 99", 1), "version 99"),
        ("system", &plan.replace("single-copy", "single-cpy"), "did you mean `single-copy`?"),
    ] {
        folder.write(name, text);
        folder.run(&["run", "--plan", name]).exits(2).says(said);
    }
    folder.write("binary", [0xFF, 0xFE, 0x00]);
    folder.run(&["run", "--plan", "binary"]).exits(2).says("binary:1:1");
    folder.run(&["run", "--plan", "missing"]).exits(2).says("cannot read missing");
    folder.run(&["replay", "plan.json"]).exits(2).says("squall-case");
    folder.run(&["replay", "cut"]).exits(2).says("line");
    folder.run(&["replay", "missing"]).exits(2).says("cannot read missing");
}

#[test]
fn histories_are_judged_and_broken_ones_told_with_their_place() {
    let folder = Folder::new();
    let check = |text: &str| {
        folder.write("history", text);
        folder.run(&["check", "history", "--model", "register"])
    };
    for text in [&format!("{VALID}{{"), "{\"squall-history\":99}\n", "[{:process 0, :type :invoke", "?? nonsense"] {
        check(text).exits(2).says("line");
    }
    // Nothing was done: that proves nothing.
    check("").exits(3);
}

#[test]
fn a_history_may_come_on_stdin_and_its_reader_may_leave() {
    let folder = Folder::new();
    let mut child = folder
        .command(&["check", "-", "--model", "register", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let history = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n\
                   {:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value nil}\n";
    stdin.write_all(history.as_bytes()).expect("it reads");
    drop(stdin);
    let ran = Ran::of(&["check", "-"], child.wait_with_output().expect("it ends")).exits(1);
    assert_eq!(ran.json()["verdict"]["verdict"], "invalid");

    let shell = format!("'{}' list systems | true", env!("CARGO_BIN_EXE_squall"));
    let output = Command::new("sh").args(["-c", &shell]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_second_opinion_agrees() {
    let folder = Folder::new();
    let history = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n";
    folder.write("history", history);
    let args = ["check", "history", "--model", "register", "--second-opinion"];
    folder.run(&args).exits(0).shows("porcupine-rs: valid");
    let args = ["check", "history", "--checker", "causal", "--second-opinion"];
    folder.run(&args).exits(2).says("no second opinion");
}

#[test]
fn transactions_are_placed_among_isolation_levels() {
    let folder = Folder::new();
    folder.write("skew", "[x==? y:=1]\n---\n[y==? x:=2]\n");
    folder.run(&["check", "skew", "--model", "rw-register", "--checker", "snapshot-isolation"]).exits(0);
    let check = ["check", "skew", "--model", "rw-register", "--checker", "serializable"];
    folder
        .run(&check)
        .exits(1)
        .shows("write-skew: T0 read")
        .shows("not serializable; at most strong-snapshot-isolation");
    folder
        .run(&["check", "skew", "--checker", "strict-serializable"])
        .exits(3)
        .shows("does not say what happened when");
    let placed = folder.run(&["check", "skew", "--strongest"]).exits(3);
    let placed =
        placed.shows("refuted  serializable").shows("write-skew: T0 read").shows("holds    snapshot-isolation");
    placed.shows("unknown  strong-snapshot-isolation").shows("does not say what happened when");
}

#[test]
fn objects_are_placed_among_all_models() {
    let folder = Folder::new();
    folder.write("stale", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2");
    folder
        .run(&["check", "stale", "--strongest"])
        .exits(0)
        .shows("4 operations on cas-register: at its strongest bounded-staleness, sequential")
        .shows("refuted  linearizable")
        .shows("the stalest read is 1ns and 1 version old");
    let placed = folder.run(&["check", "stale", "--strongest", "--json"]).exits(0).json();
    assert_eq!(placed["strongest"], serde_json::json!(["bounded-staleness", "sequential"]));
    assert_eq!(placed["staleness"]["versions"]["most"], 1);
    assert_eq!(placed["models"][0]["verdict"]["anomalies"][0]["kind"], "stale-read");
    // What cannot be is drawn, one column for each process.
    folder
        .run(&["check", "stale", "--model", "register"])
        .exits(1)
        .shows("│ process 0")
        .shows("* these together cannot be")
        .shows("not linearizable; at most bounded-staleness, sequential");
    // What the same operations refute besides is not said to be left.
    folder.write("own", "0: write[x] 1; 0: read[x] -> nil");
    folder
        .run(&["check", "own", "--model", "register"])
        .exits(1)
        .shows("not linearizable; at most bounded-staleness, monotonic-reads, monotonic-writes, writes-follow-reads");
    let bounds = folder.run(&["check", "stale", "--checker", "bounded-staleness"]).exits(0);
    let bounds = bounds.shows("the stalest read is 1ns and 1 version old").shows("is stale");
    // One read shows both bounds.
    let lines: Vec<&str> = bounds.stdout.lines().collect();
    assert_eq!((lines.len(), lines[2].matches("is stale").count()), (3, 1), "{}", bounds.stdout);
    folder.run(&["check", "stale", "--strongest", "--certificate", "proof"]).exits(2);
    folder.write("locks", "0: lock; 1: lock");
    folder.run(&["check", "locks", "--strongest"]).exits(3).shows("no model says that");
}

#[test]
fn certificates_are_verified_and_false_ones_refuted() {
    let folder = Folder::new();
    folder.write("stale", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1");
    folder.write("good", "0: write[x] 1; 1: read[x] -> 1");
    for (history, claim, exit) in [("stale", "invalid", 1), ("good", "valid", 0)] {
        folder.run(&["check", history, "--model", "register", "--certificate", "proof"]).exits(exit);
        folder.run(&["verify", history, "proof"]).exits(0).shows(&format!("verified: linearizable says {claim}"));
        folder.run(&["verify", history, "proof", "--steps", "0", "--json"]).exits(if exit == 0 { 0 } else { 3 });
    }
    let proof = read(&folder.path("proof"));
    folder.write("false", proof.replace("[0,1]", "[1,0]"));
    folder.run(&["verify", "good", "false"]).exits(1).shows("refuted");
    folder.run(&["verify", "stale", "proof"]).exits(1).shows("2 operations, but the history has 3");
}

#[test]
fn a_certificate_that_is_none_is_told_with_what_is_wrong_and_what_to_do() {
    let folder = Folder::new();
    folder.write("good", "0: write[x] 1; 1: read[x] -> 1");
    folder.run(&["check", "good", "--model", "register", "--certificate", "proof"]).exits(0);
    let proof = read(&folder.path("proof"));
    let newer = "which a newer squall wrote; this build reads version 1 help: Read it with the version of squall";
    for (text, said) in [
        ("{\"squall-certificate\":2}", newer),
        (&*proof.replace("certificate\":1", "certificate\":9"), newer),
        (&proof.replace("\"operations\":2,", ""), "line 1, column 120: missing field `operations` help: `squall check"),
        (
            &proof.replace("\"operations\":2", "\"operations\":[]"),
            "operations: invalid type: sequence, expected a whole",
        ),
        (&proof[..proof.len() / 2], "is the file cut off? help: `squall check HISTORY --certificate FILE` writes"),
        ("", "the file is empty, and no squall-certificate file"),
        ("0: write[x] 1", "this is no squall-certificate file: the member"),
        ("{\"squall-history\":1}\n{}", "but a squall-history file help: `squall check FILE` judges a history"),
    ] {
        folder.write("bad", text);
        folder.run(&["verify", "good", "bad"]).exits(2).says("bad: ").says(said);
    }
    folder.write("binary", b"{\"squall-certificate\":1,\n\"checker\":\"\xFF\"}");
    folder.run(&["verify", "good", "binary"]).exits(2).says("binary:2:12: expected text in UTF-8");
    folder.run(&["verify", "good", "."]).exits(2).says("cannot read .: it is a folder help: Name a file in it.");
    folder.run(&["verify", "good", "missing"]).exits(2).says("cannot read missing");
    // Nobody is blamed for what a model that is not known may allow.
    folder.write("model", proof.replace("\"register\"", "\"regster\""));
    folder.run(&["verify", "good", "model"]).exits(3).shows("nothing here checks `linearizable` by a model `regster`");
    folder.write("none", proof.replace("\"model\":\"register\",", ""));
    folder.run(&["verify", "good", "none"]).exits(3).shows("it names no model, by which `linearizable` judges");
}

#[test]
fn other_files_of_ours_are_told_from_histories() {
    let folder = Folder::new();
    folder.write("good", "0: write[x] 1; 1: read[x] -> 1");
    folder.run(&["check", "good", "--model", "register", "--certificate", "proof"]).exits(0);
    folder.run(&["plan", "single-copy", "--seed", "7", "-o", "plan.json"]).exits(0);
    for (file, kind, next) in [
        ("proof", "squall-certificate", "`squall verify HISTORY FILE` checks a certificate."),
        ("plan.json", "squall-plan", "`squall run --plan FILE` runs a plan."),
    ] {
        let said = format!("{file}: line 1, column 1: expected a history, found a {kind} file help: {next}");
        folder.run(&["check", file, "--model", "register"]).exits(2).says(&said);
        let said = format!("{file}: this is no squall-case file, but a {kind} file help: {next}");
        folder.run(&["replay", file]).exits(2).says(&said);
    }
    // The arguments the other way round.
    folder.run(&["verify", "proof", "good"]).exits(2).says("`squall verify HISTORY FILE` checks a certificate.");
    folder.run(&["check", ".", "--model", "register"]).exits(2).says("it is a folder");
    folder.run(&["replay", "."]).exits(2).says("it is a folder");
    folder.write("newer", "{\"squall-case\":2}");
    folder.run(&["replay", "newer"]).exits(2).says("which a newer squall wrote").says("or with a later one");
    folder.write("packed", b"\x1f\x8b\x08\x00");
    folder.run(&["check", "packed", "--model", "register"]).exits(2).says("A history is text: is this packed");
}
