//! The floors of the house, read from manifests and sources: who may use whom, and who may look at the real world.

mod code;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use code::{first_segments, line_of, strip, words};

/// A crate of the workspace. Each uses crates of lower floors only.
struct Floor {
    folder: &'static str,
    package: &'static str,
}

/// From the ground up.
const FLOORS: &[Floor] = &[
    Floor { folder: "checkers", package: "squall-checkers" },
    Floor { folder: "workloads", package: "squall-workloads" },
    Floor { folder: "reports", package: "squall-reports" },
    Floor { folder: "harness", package: "squall" },
    Floor { folder: "systems-under-test", package: "squall-systems" },
    Floor { folder: ".", package: "squall-cli" },
];

/// The modules of `harness/src`, from the ground up. Modules of one row may use each other.
const HARNESS: &[&[&str]] =
    &[&["plan", "nemesis", "exit"], &["environment"], &["simulators"], &["catalogue"], &["engine"], &["cli"]];

/// Runtimes that are named in one module each, `harness/src/simulators/<runtime>`.
const RUNTIMES: &[&str] = &["tokio", "turmoil", "madsim"];

/// Where else a runtime is named: its traits, for our own types.
const TRAITS: &[(&str, &str)] = &[("harness/src/environment/tokio.rs", "tokio::io")];

/// What a system of the zoo may use of a runtime: what needs no reactor, no timer and no thread of it.
const HARMLESS: &[&str] = &["tokio::sync"];

/// Systems that are written for a library, and run in its simulator as they are.
const GUESTS: &[(&str, &[&str])] = &[
    ("systems-under-test/src/openraft_kv/", &["tokio", "turmoil"]),
    ("systems-under-test/src/madsim_etcd/", &["madsim"]),
];

/// What a run must not look at, and what to use in its place.
const AMBIENT: &[(&str, &str)] = &[
    ("Instant", "use the virtual clocks of the environment"),
    ("SystemTime", "use the virtual clocks of the environment"),
    ("thread::sleep", "virtual time never waits: use `env.sleep` or a timer"),
    ("RandomState", "name a fixed hasher, such as foldhash's `FixedState`"),
    ("HashMap", "use a `BTreeMap`; or, with a fixed hasher and never iterated, add the file to EXCEPTIONS"),
    ("HashSet", "use a `BTreeSet`; or, with a fixed hasher and never iterated, add the file to EXCEPTIONS"),
];

/// Who may look all the same, and why. A line that is not needed any more fails the test too.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("checkers/src/linearizability/search.rs", "HashSet", "a fixed hasher, asked for members and never iterated"),
    ("checkers/src/partition.rs", "HashMap", "a fixed hasher, asked for members and never iterated"),
    ("checkers/src/recorder.rs", "HashMap", "a fixed hasher, asked for members and never iterated"),
    ("checkers/src/weaker/interleave.rs", "HashSet", "a fixed hasher, asked for members and never iterated"),
    ("harness/src/cli/campaign.rs", "RandomState", "the random start of `--fresh`, drawn once and printed"),
    ("harness/src/environment/collections.rs", "HashMap", "an alias with a fixed hasher, for authors of systems"),
    ("harness/src/environment/collections.rs", "HashSet", "an alias with a fixed hasher, for authors of systems"),
    ("harness/src/engine/campaign/folder.rs", "thread::sleep", "waits for the lock of a folder, outside of every run"),
    ("harness/src/engine/stopwatch.rs", "Instant", "watchdogs, budgets and progress, outside of every run"),
    ("harness/src/simulators/real/mod.rs", "Instant", "runs in real time, and says so"),
    ("systems-under-test/src/openraft_env/runtime.rs", "Instant", "openraft's word for the machine's own clock"),
    ("systems-under-test/src/openraft_kv/runtime.rs", "Instant", "a guest's, by tokio's clock, which turmoil sets"),
    ("systems-under-test/src/misbehaving.rs", "HashMap", "the mistake of its bug `unordered`"),
];

#[test]
fn manifests_name_lower_floors_only() {
    let mut broken = Vec::new();
    for (floor, of) in FLOORS.iter().enumerate() {
        let path = Path::new(of.folder).join("Cargo.toml");
        broken.extend(broken_dependencies(floor, &path, &read(&path)));
    }
    report(&broken);
}

#[test]
fn sources_name_lower_floors_only() {
    let mut broken = Vec::new();
    for (floor, of) in FLOORS.iter().enumerate() {
        for (path, code) in sources(of.folder) {
            broken.extend(broken_crate_paths(floor, &path, &code));
        }
    }
    report(&broken);
}

#[test]
fn modules_of_the_harness_use_lower_ones_only() {
    let mut broken = Vec::new();
    for (path, code) in sources("harness") {
        broken.extend(broken_module_paths(&path, &code));
    }
    report(&broken);
}

#[test]
fn every_module_of_the_harness_has_a_floor() {
    let mut broken = Vec::new();
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("harness/src")).expect("the harness has sources") {
        let name = entry.expect("the folder can be read").path();
        let name = name.file_stem().and_then(|n| n.to_str()).expect("names are UTF-8").to_owned();
        if name != "lib" && rank(&name).is_none() {
            broken.push(format!(
                "harness/src/{name}: has no floor. Put it in its row of HARNESS in tests/floors/main.rs."
            ));
        }
        found.push(name);
    }
    for name in HARNESS.concat() {
        if !found.iter().any(|n| n == name) {
            broken.push(format!("harness/src/{name}: is gone. Take it out of HARNESS in tests/floors/main.rs."));
        }
    }
    report(&broken);
}

#[test]
fn runtimes_are_named_in_one_module_each() {
    let mut broken = Vec::new();
    for of in FLOORS {
        for (path, code) in sources(of.folder) {
            broken.extend(broken_runtimes(&path, &code));
        }
    }
    report(&broken);
}

#[test]
fn only_the_listed_files_look_at_the_real_world() {
    let mut broken = Vec::new();
    let mut looked = Vec::new();
    for of in FLOORS {
        for (path, code) in sources(of.folder) {
            for (line, what, instead) in ambient(&code) {
                looked.push((path.clone(), what));
                if EXCEPTIONS.iter().all(|(file, word, _)| *file != path || *word != what) {
                    broken
                        .push(format!("{path}:{line}: `{what}`, where a seed decides everything. Instead, {instead}."));
                }
            }
        }
    }
    for (file, word, reason) in EXCEPTIONS {
        assert!(!reason.is_empty(), "{file}: an exception without a reason");
        if !looked.iter().any(|(path, what)| path == file && what == word) {
            broken.push(format!(
                "{file}: has no `{word}` any more. Take its line out of EXCEPTIONS in tests/floors/main.rs."
            ));
        }
    }
    report(&broken);
}

/// The rules themselves, on sources that break them.
#[test]
fn each_rule_sees_what_breaks_it() {
    let code = "use crate::{plan::X, engine::{run, judge}, // crate::cli\n    cli};\nlet s = \"crate::cli\"; super::super::cli::f();";
    let broken = broken_module_paths("harness/src/simulators/native/core.rs", &strip(code));
    assert_eq!(broken.len(), 2, "{broken:#?}");
    assert!(
        broken[0].starts_with("harness/src/simulators/native/core.rs:1: `simulators` uses `engine`"),
        "{broken:#?}"
    );
    assert!(broken[1].starts_with("harness/src/simulators/native/core.rs:2: `simulators` uses `cli`"), "{broken:#?}");
    let broken = broken_module_paths("harness/src/plan/file.rs", "use super::super::simulators;");
    assert_eq!(broken.len(), 1, "{broken:#?}");

    let manifest = "[package]\nname = \"squall-checkers\"\n[dependencies]\nserde = \"1\"\n[dev-dependencies]\nsquall.workspace = true\n";
    let broken = broken_dependencies(0, Path::new("checkers/Cargo.toml"), manifest);
    assert_eq!(broken.len(), 1, "{broken:#?}");
    assert!(broken[0].starts_with("checkers/Cargo.toml:6: `squall-checkers` depends on `squall`"), "{broken:#?}");

    let code = "use squall_checkers::x;\nuse squall::engine;\nuse other::squall::x;";
    assert_eq!(broken_crate_paths(2, "reports/src/lib.rs", code).len(), 1);
    assert_eq!(broken_crate_paths(4, "systems-under-test/src/lib.rs", code).len(), 0);

    assert_eq!(broken_runtimes("harness/src/engine/run.rs", "tokio::spawn(f)").len(), 1);
    assert_eq!(broken_runtimes("harness/src/simulators/tokio.rs", "tokio::spawn(f)").len(), 0);
    assert_eq!(broken_runtimes("harness/src/environment/tokio.rs", "use ::tokio::io::AsyncRead;").len(), 0);
    assert_eq!(broken_runtimes("harness/src/environment/tokio.rs", "use ::tokio::{io, time};").len(), 1);
    assert_eq!(broken_runtimes("systems-under-test/src/x.rs", "use tokio::sync::Mutex;").len(), 0);
    assert_eq!(broken_runtimes("systems-under-test/src/x.rs", "use tokio::{sync, time};").len(), 1);

    let code = "// Instant\nlet a = 'I'; fn f<'a>(x: &'a str) { \"HashMap\"; r#\"SystemTime\"#; }\nInstant::now(); MyInstant::now();";
    assert_eq!(
        ambient(&strip(code)).iter().map(|(line, what, _)| (*line, *what)).collect::<Vec<_>>(),
        [(3, "Instant")]
    );
}

fn broken_dependencies(floor: usize, path: &Path, manifest: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut section = "";
    for (i, line) in manifest.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end().trim_end_matches(']');
            continue;
        }
        if !section.ends_with("dependencies") || section.starts_with("workspace") {
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if let Some(other) = FLOORS.iter().position(|f| f.package == name)
            && other >= floor
        {
            let package = FLOORS[floor].package;
            broken.push(format!(
                "{}:{}: `{package}` depends on `{name}`, which is no lower floor. {}",
                path.display(),
                i + 1,
                floors()
            ));
        }
    }
    broken
}

fn broken_crate_paths(floor: usize, path: &str, code: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for of in &FLOORS[floor + 1..] {
        let name = of.package.replace('-', "_");
        for at in words(code, &name) {
            if code[at + name.len()..].starts_with("::") && !code[..at].ends_with("::") {
                let line = line_of(code, at);
                let package = FLOORS[floor].package;
                broken.push(format!("{path}:{line}: `{package}` uses `{name}`, which is no lower floor. {}", floors()));
            }
        }
    }
    broken
}

fn broken_module_paths(path: &str, code: &str) -> Vec<String> {
    let inside = path.strip_prefix("harness/src/").expect("a path of the harness");
    let modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').filter(|m| *m != "mod" && *m != "lib").collect();
    // What stands in lib.rs speaks of all.
    let Some(floor) = modules.first().and_then(|m| rank(m)) else { return Vec::new() };
    let mut used = Vec::new();
    for at in words(code, "crate") {
        if let Some(rest) = code[at..].strip_prefix("crate::") {
            used.extend(first_segments(rest).into_iter().map(|(offset, name)| (at + 7 + offset, name)));
        }
    }
    let climb = "super::".repeat(modules.len());
    for at in words(code, "super") {
        if !code[..at].ends_with("::")
            && let Some(rest) = code[at..].strip_prefix(&climb)
            && !rest.starts_with("super")
        {
            used.extend(first_segments(rest).into_iter().map(|(offset, name)| (at + climb.len() + offset, name)));
        }
    }
    used.sort_unstable();
    used.into_iter()
        .filter(|(_, name)| rank(name).is_some_and(|other| other > floor))
        .map(|(at, name)| {
            format!(
                "{path}:{}: `{}` uses `{name}`, which stands above it. In the harness the order is {}; move what is used \
                 down, or pass it in.",
                line_of(code, at),
                modules[0],
                HARNESS.iter().map(|row| row.join(" = ")).collect::<Vec<_>>().join(" <- ")
            )
        })
        .collect()
}

fn broken_runtimes(path: &str, code: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for runtime in RUNTIMES {
        let home = format!("harness/src/simulators/{runtime}");
        // Where such a module is declared, its name means the module.
        let declared = path.starts_with("harness/src/simulators/") && code.contains(&format!("mod {runtime};"));
        let guest = GUESTS.iter().any(|(file, of)| path.starts_with(file) && of.contains(runtime));
        if declared || guest || path == format!("{home}.rs") || path.starts_with(&format!("{home}/")) {
            continue;
        }
        for at in words(code, runtime) {
            let Some(rest) = code[at + runtime.len()..].strip_prefix("::") else { continue };
            let harmless = path.starts_with("systems-under-test/")
                && first_segments(rest)
                    .iter()
                    .all(|(_, name)| HARMLESS.contains(&format!("{runtime}::{name}").as_str()));
            let traits = TRAITS.iter().any(|(file, of)| {
                *file == path && first_segments(rest).iter().all(|(_, name)| *of == format!("{runtime}::{name}"))
            });
            if !harmless && !traits {
                broken.push(format!(
                    "{path}:{}: names `{runtime}`. Only {home} does; systems may use {}, and `Env` for all else.",
                    line_of(code, at),
                    HARMLESS.join(", ")
                ));
            }
        }
    }
    broken
}

/// Line, what is looked at, and what to do instead.
fn ambient(code: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    for (what, instead) in AMBIENT {
        found.extend(words(code, what).map(|at| (line_of(code, at), *what, *instead)));
    }
    found
}

/// The floor of a module of the harness.
fn rank(module: &str) -> Option<usize> {
    HARNESS.iter().position(|row| row.contains(&module))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The code of every file below `folder/src`, with its path from the root, in order.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut open = vec![Path::new(folder).join("src")];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if root().join(&path).is_dir() {
            let entries = fs::read_dir(root().join(&path)).expect("the folder can be read");
            open.extend(entries.map(|e| path.join(e.expect("the folder can be read").file_name())));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.to_str().expect("paths are UTF-8").trim_start_matches("./").to_owned();
            found.push((name, strip(&read(&path))));
        }
    }
    assert!(!found.is_empty(), "{folder}/src has no sources");
    found.sort();
    found
}

fn floors() -> String {
    let mut text = "The floors, from the ground up:".to_owned();
    for floor in FLOORS {
        let _ = write!(text, " {}", floor.package);
    }
    text + "; move what is used down, or turn the dependency around."
}

#[track_caller]
fn report(broken: &[String]) {
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
}
