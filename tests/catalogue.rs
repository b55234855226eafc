//! The catalogue: everything there is stands in its list, under a good name, and `docs/catalogue.md` shows it as it is.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use squall::{
    catalogue::SystemEntry,
    engine::record,
    nemesis::NEMESES,
    plan::{Settings, latencies::TOPOLOGIES},
    simulators::SIMULATORS,
};
use squall_checkers::{anomaly, checker::CHECKERS, formats::Format, models::MODELS};
use squall_systems::SYSTEMS;
use squall_workloads::{
    WORKLOADS,
    workload::{Setting, SettingError},
};

/// The verdicts that squall gives itself when a run does not end well; see the exit codes in `docs/architecture.md`.
const RUN_FAILURES: &[&str] = &["panic", "abort", "hang", "step-limit", "memory"];

/// Bugs that no single run shows: only `doctor` does.
const SEEN_BY_DOCTOR: &[&str] = &["misbehaving:unordered"];

#[test]
fn every_nemesis_is_listed() {
    let listed: Vec<&str> = NEMESES.iter().map(|n| n.name).collect();
    each_file("harness/src/nemesis", &["impl Nemesis for "], |file, _| file.to_owned(), &listed, "NEMESES in mod.rs");
}

#[test]
fn every_workload_is_listed() {
    let mut listed: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
    // What `set` and `append` have in common, and `list-append` and `rw-register`.
    listed.extend(["growing", "transactions"]);
    let name = |file: &str, _: &str| file.to_owned();
    let declarations = ["impl Workload for ", ": GrowingWorkload =", ": TransactionWorkload ="];
    each_file("workloads/src", &declarations, name, &listed, "WORKLOADS in lib.rs");
}

#[test]
fn every_system_is_listed() {
    let listed: Vec<&str> = SYSTEMS.iter().map(|s| s.name).collect();
    let declaration = "SystemEntry = SystemEntry {";
    each_file("systems-under-test/src", &[declaration], |file, _| file.to_owned(), &listed, "SYSTEMS in lib.rs");
}

#[test]
fn every_checker_is_listed() {
    let listed: Vec<&str> = CHECKERS.iter().map(|c| c.name).collect();
    let name = |_: &str, entry: &str| entry.split('"').nth(1).expect("an entry begins with its name").to_owned();
    each_file("checkers/src", &["CheckerEntry = CheckerEntry {"], name, &listed, "CHECKERS in checker.rs");
}

#[test]
fn every_model_is_listed() {
    let listed: Vec<&str> = MODELS.iter().map(|m| m.name).collect();
    let name = |_: &str, rest: &str| kebab(rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
    each_file("checkers/src/models", &["\nimpl Model for "], name, &listed, "MODELS in mod.rs");
}

/// Every declaration in a file of `folder` has a name, and every name is listed; and nothing else is.
fn each_file(folder: &str, declarations: &[&str], name: impl Fn(&str, &str) -> String, listed: &[&str], list: &str) {
    let mut declared = BTreeSet::new();
    for (path, text) in sources(Path::new(folder)) {
        // A folder speaks through its mod.rs.
        let stem = if path.ends_with("mod.rs") { path.parent().unwrap_or(&path) } else { &path };
        let stem = stem.file_stem().and_then(|s| s.to_str()).expect("names are UTF-8").replace('_', "-");
        for rest in declarations.iter().flat_map(|declaration| text.split(declaration).skip(1)) {
            let name = name(&stem, rest);
            let file = path.display();
            assert!(listed.contains(&&*name), "{file}: `{name}` is missing. Add its line to {list}.");
            declared.insert(name);
        }
    }
    for name in listed {
        assert!(declared.contains(*name), "{list}: no file of {folder} is named after `{name}`, as it should be.");
    }
}

#[test]
fn names_are_unique_and_kebab_case() {
    let settings = |settings: &[Setting]| settings.iter().map(|s| s.key).collect::<Vec<_>>();
    check_names("system", SYSTEMS.iter().map(|s| s.name));
    check_names("workload", WORKLOADS.iter().map(|w| w.name));
    check_names("nemesis", NEMESES.iter().map(|n| n.name));
    check_names("checker", CHECKERS.iter().map(|c| c.name));
    check_names("model", MODELS.iter().map(|m| m.name));
    check_names("simulator", SIMULATORS.iter().map(|s| s.name));
    check_names("format", Format::ALL.iter().map(|f| f.name()));
    check_names("anomaly", anomaly::KINDS.iter().map(|(name, _)| name.as_str()));
    for system in SYSTEMS {
        check_names(&format!("bug of {}", system.name), system.bugs.iter().map(|b| b.name));
        check_names(&format!("setting of {}", system.name), settings(system.settings).into_iter());
    }
    for workload in WORKLOADS {
        check_names(&format!("setting of {}", workload.name), settings(workload.workload.settings()).into_iter());
    }
}

fn check_names<'a>(kind: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(is_kebab(name), "the {kind} `{name}` is not kebab-case: lower-case words and digits, single hyphens");
        assert!(seen.insert(name), "two of kind {kind} are called `{name}`");
    }
}

fn is_kebab(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .split('-')
            .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

#[test]
fn kebab_case_is_told_from_the_rest() {
    assert!(["a", "raft-rs-kv", "zone-3"].into_iter().all(is_kebab));
    assert!(!["", "-a", "a-", "a--b", "A", "a_b", "3d", "a b"].into_iter().any(is_kebab));
}

#[test]
fn bugs_say_by_which_known_anomalies_they_show() {
    for system in SYSTEMS {
        for bug in system.bugs {
            let name = format!("{}:{}", system.name, bug.name);
            let shows = !bug.anomalies.is_empty();
            assert_ne!(
                shows,
                SEEN_BY_DOCTOR.contains(&&*name),
                "{name}: names anomalies, or else stands in SEEN_BY_DOCTOR"
            );
            for kind in bug.anomalies {
                let known = anomaly::KINDS.iter().any(|(k, _)| k.as_str() == *kind) || RUN_FAILURES.contains(kind);
                assert!(known, "{name}: `{kind}` is no anomaly of squall_checkers::anomaly::KINDS");
            }
        }
    }
}

#[test]
fn systems_fit_what_they_name() {
    for system in SYSTEMS {
        let workload = squall_workloads::find(system.workload);
        let workload = workload.unwrap_or_else(|| panic!("{}: no workload is called {}", system.name, system.workload));
        let interfaces = promise(system, None).unwrap_or_else(|e| panic!("{}: {e}", system.name)).interfaces;
        for (key, _) in system.defaults {
            let mut served = WORKLOADS.iter().filter(|w| interfaces.contains(&w.workload.interface()));
            let known = served.any(|w| w.workload.settings().iter().any(|s| s.key == *key));
            assert!(known, "{}: no workload that it serves has a setting `{key}`", system.name);
        }
        for shows in system.bugs.iter().filter_map(|bug| bug.workload) {
            let workload = squall_workloads::find(shows).unwrap_or_else(|| panic!("no workload is called {shows}"));
            let promise = promise(system, None).unwrap_or_else(|e| panic!("{}: {e}", system.name));
            assert!(promise.interfaces.contains(&workload.workload.interface()), "{} {shows}", system.name);
        }
        for bug in [None].into_iter().chain(system.bugs.iter().map(|b| Some(b.name))) {
            let promise = promise(system, bug).unwrap_or_else(|e| panic!("{} {bug:?}: {e}", system.name));
            assert!(promise.interfaces.contains(&workload.workload.interface()), "{} {bug:?}", system.name);
            assert!(!workload.workload.judges(promise.model.as_str()).is_empty(), "nobody judges {}", system.name);
        }
    }
}

#[test]
fn the_page_of_the_catalogue_is_fresh() {
    let path = root().join("docs/catalogue.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        fs::write(&path, &page).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let found = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let differs = found.lines().zip(page.lines()).position(|(a, b)| a != b);
    assert!(
        found == page,
        "docs/catalogue.md is not what the catalogue says{}. Write it anew with\n    UPDATE_DOCS=1 cargo test --test catalogue",
        differs.map(|i| format!(", from line {} on", i + 1)).unwrap_or_default()
    );
}

/// The page, all of it.
fn page() -> String {
    let mut out = "# Catalogue\n\nEverything that `squall list` shows. This page is generated; a test keeps it fresh. \
                   Write it anew with `UPDATE_DOCS=1 cargo test --test catalogue`.\n"
        .to_owned();
    systems(&mut out);
    heading(&mut out, "Workloads", "What clients do.");
    for w in WORKLOADS {
        let _ =
            writeln!(out, "\n### `{}`\n\n{}. Interface: `{}`.", w.name, sentence(w.summary), w.workload.interface());
        settings(&mut out, w.workload.settings());
    }
    heading(&mut out, "Nemeses", "What goes wrong. Each draws incidents of its kind from a seed.");
    table(&mut out, ["nemesis", "what"], NEMESES.iter().map(|n| (n.name, n.summary)));
    heading(&mut out, "Checkers", "Who judges a history.");
    table(&mut out, ["checker", "what holds of a valid history"], CHECKERS.iter().map(|c| (c.name, c.summary)));
    heading(&mut out, "Models", "What one object does when one operation happens at a time.");
    table(&mut out, ["model", "what"], MODELS.iter().map(|m| (m.name, m.summary)));
    heading(&mut out, "Anomalies", "What can be wrong with a history, the most telling first.");
    table(&mut out, ["anomaly", "what"], anomaly::KINDS.iter().map(|(name, what)| (name.as_str(), *what)));
    heading(&mut out, "Simulators", "Where runs take place.");
    table(&mut out, ["simulator", "what"], SIMULATORS.iter().map(|s| (s.name, s.summary)));
    heading(
        &mut out,
        "Topologies",
        "How far machines are from one another (`--latency`). Replica `n` is in zone `n` modulo the number of zones.",
    );
    table(&mut out, ["topology", "one-way latencies"], TOPOLOGIES.iter().map(|t| (t.name, t.summary)));
    out
}

fn systems(out: &mut String) {
    heading(out, "Systems", "Stores under test, and the mistakes that can be switched on in them.");
    for s in SYSTEMS {
        let promise = promise(s, None).expect("a system can be built with its defaults");
        let _ = writeln!(out, "\n### `{}`\n\n{}.\n", s.name, sentence(s.summary));
        let _ = writeln!(out, "- promises: {}", record::promise(&promise));
        let _ = writeln!(out, "- replicas: {}", promise.nodes);
        let _ = writeln!(out, "- workload: `{}`{}", s.workload, defaults(s));
        settings(out, s.settings);
        if !s.bugs.is_empty() {
            out.push_str("\n| bug | the mistake | brought out by | shows as |\n| --- | --- | --- | --- |\n");
        }
        for bug in s.bugs {
            let kinds: Vec<String> = bug.anomalies.iter().map(|a| format!("`{a}`")).collect();
            let kinds = if kinds.is_empty() { "two runs that differ (`doctor`)".to_owned() } else { kinds.join(", ") };
            let said =
                |what: &str, name: Option<&str>| name.map(|name| format!("; {what} `{name}`")).unwrap_or_default();
            let shown_by = said("workload", bug.workload) + &said("nemesis", bug.nemesis);
            let (name, what, trigger) = (bug.name, cell(bug.summary), cell(bug.trigger) + &shown_by);
            let _ = writeln!(out, "| `{}:{name}` | {what} | {trigger} | {kinds} |", s.name);
        }
    }
}

fn defaults(system: &SystemEntry) -> String {
    let pairs: Vec<String> = system.defaults.iter().map(|(key, value)| format!("`{key}={value}`")).collect();
    if pairs.is_empty() { String::new() } else { format!(" with {}", pairs.join(", ")) }
}

fn settings(out: &mut String, settings: &[Setting]) {
    if !settings.is_empty() {
        out.push_str("\n| setting | default | what |\n| --- | --- | --- |\n");
    }
    for s in settings {
        let _ = writeln!(out, "| `{}` | `{}` | {} |", s.key, s.default, cell(s.summary));
    }
}

fn heading(out: &mut String, title: &str, what: &str) {
    let _ = write!(out, "\n## {title}\n\n{what}\n");
}

fn table<'a>(out: &mut String, heads: [&str; 2], rows: impl Iterator<Item = (&'a str, &'a str)>) {
    let _ = write!(out, "\n| {} | {} |\n| --- | --- |\n", heads[0], heads[1]);
    for (name, what) in rows {
        let _ = writeln!(out, "| `{name}` | {} |", cell(what));
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The text with a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn promise(system: &SystemEntry, bug: Option<&str>) -> Result<squall::Promise, SettingError> {
    Ok((system.build)(bug, &Settings::new())?.promise())
}

fn kebab(camel: &str) -> String {
    let mut out = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source below `folder`, by its path.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = folder.join(entry.expect("the folder can be read").file_name());
        if root().join(&path).is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push((path, text));
        }
    }
    found
}
