//! What the README and the pages in `docs/` say: the example compiles and does what they say of it, commands and files exist.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use squall::{
    engine::{
        run::{Class, run_plan},
        spec::{Registry, Spec},
    },
    simulators::Options,
};
use squall_workloads::WORKLOADS;

// The store as a user's binary has it, `main` and all.
include!("store.rs");

const REGISTRY: Registry = Registry { systems: &[KEEPER], workloads: WORKLOADS };

#[test]
fn the_readme_shows_the_store_of_this_test() {
    let block = format!("```rust\n{}```\n", read("tests/readme/store.rs"));
    assert!(read("README.md").contains(&block), "README.md does not show tests/readme/store.rs as it is");
}

#[test]
fn the_store_keeps_its_promise() {
    let classes = classes(&[]);
    assert!(classes.iter().all(|c| *c == Class::Valid), "{classes:?}");
}

#[test]
fn a_crash_that_nobody_promised_to_survive_breaks_the_store() {
    let classes = classes(&["crash", "beyond"]);
    assert!(classes.contains(&Class::Invalid), "{classes:?}");
}

/// What came of the first seeds.
fn classes(nemeses: &[&str]) -> Vec<Class> {
    let nemeses = nemeses.iter().map(|n| (*n).to_owned()).collect();
    let job = Spec { nemeses, ..Spec::of("keeper") }.resolve(&REGISTRY).expect("the names are known");
    let run = |seed| run_plan(&job.arena.subject(), &job.plan(seed), Options::default()).expect("the plan can be run");
    (0..30).map(|seed| run(seed).class()).collect()
}

#[test]
fn the_table_of_commands_is_that_of_the_binary() {
    let help = Command::new(env!("CARGO_BIN_EXE_squall")).arg("--help").output().expect("the binary starts");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let commands = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    // A summary that was wrapped goes on further in.
    let commands: Vec<String> = commands.filter(|l| !l.starts_with("    ")).map(names).collect();
    let readme = read("README.md");
    let table: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `squall "))
        .map(|row| row.split([' ', '`']).next().unwrap_or_default().to_owned())
        .collect();
    assert!(!commands.is_empty(), "no commands in: {help}");
    assert_eq!(table, commands, "the README's table of commands, and those of `squall --help`");
}

#[test]
fn links_lead_somewhere() {
    let mut pages = vec![PathBuf::from("README.md"), "CONTRIBUTING.md".into(), "CHANGELOG.md".into()];
    let docs = fs::read_dir(root().join("docs")).expect("there are docs");
    let docs = docs.map(|page| Path::new("docs").join(page.expect("docs can be read").file_name()));
    pages.extend(docs.filter(|page| page.extension().is_some_and(|e| e == "md")));
    let mut followed = 0;
    for page in pages {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let file = link.split('#').next().unwrap_or(link);
            let target = root().join(&page).parent().expect("a page lies in a folder").join(file);
            assert!(target.exists(), "{}: the link `{link}` leads nowhere", page.display());
            followed += 1;
        }
    }
    assert!(followed > 0, "no page has a link");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
