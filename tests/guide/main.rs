//! The guide, `docs/guide.md`: every command in it is run as it stands, from an empty folder to the first finding and beyond.
//!
//! So this is also the test of what `squall new` makes, and of the tests that `--emit-test` writes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the outputs of some commands show, by how these begin.
const SHOWN: &[(&str, &[&str])] = &[
    ("squall new", &["The crate: my-store"]),
    ("cargo run -- campaign my-store --seeds", &["seeds:"]),
    (
        "cargo run -- campaign my-store:no-sync",
        &["made possible by", "run it again", "my-store replay planted/case-", "planted/index.html"],
    ),
    ("cargo run -- replay planted", &["my_store: starts registers=0", "my_store: writes key=", "It still fails"]),
    ("cargo run -- replay unsynced", &["sync-error", "cargo test --test unsynced"]),
    ("cargo test --test unsynced", &["the case of `my-store` still fails", "sync-error"]),
    ("cargo run -- doctor", &["deterministic in 5 of 5 seeds"]),
    ("cargo run -- campaign my-store --until", &["149 clean seeds: a bug that shows in 2% of the seeds or more"]),
    ("cargo run -- report", &["all seeds ran"]),
];

#[test]
fn every_command_of_the_guide_does_what_the_guide_says() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut shell = Shell::new(place.path());
    let mut shown = Vec::new();
    for (command, expected) in commands(&read("docs/guide.md")) {
        let (code, output) = shell.run(&command);
        assert_eq!(code, expected, "{command}\n{output}");
        for (begins, texts) in SHOWN.iter().filter(|(begins, _)| command.starts_with(begins)) {
            shown.push(*begins);
            for text in *texts {
                assert!(output.contains(text), "{command}\nexpected: {text}\n{output}");
            }
        }
    }
    for (begins, _) in SHOWN {
        assert!(shown.contains(begins), "the guide has no command that begins with: {begins}");
    }
}

/// The commands in the guide's blocks for the shell, with the exit codes that it expects.
fn commands(guide: &str) -> Vec<(String, i32)> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in guide.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let (command, code) = line.split_once("# exits with ").unwrap_or((line, "0"));
                found.push((command.trim().to_owned(), code.parse().expect("an exit code")));
            }
            _ => {}
        }
    }
    assert!(found.len() > 10, "the guide has commands: {found:?}");
    found
}

/// A shell in a folder, where `squall` is the binary and crates are those that are on this machine already.
struct Shell {
    here: PathBuf,
    path: std::ffi::OsString,
    target: PathBuf,
}

impl Shell {
    fn new(here: &Path) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_squall")).parent().expect("it lies in a folder").to_owned();
        let cargo = Path::new(env!("CARGO")).parent().expect("it lies in a folder").to_owned();
        let known = env::var_os("PATH").unwrap_or_default();
        let path =
            env::join_paths([binary, cargo].into_iter().chain(env::split_paths(&known))).expect("paths of tools");
        // What is built stays from test to test, and is shared with the other crates of users.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("downstream/native/target");
        Shell { here: here.to_owned(), path, target }
    }

    /// The exit code, and all that was written.
    fn run(&mut self, command: &str) -> (i32, String) {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.here.push(folder);
            // The versions that the workspace uses are on this machine already.
            fs::copy(root().join("Cargo.lock"), self.here.join("Cargo.lock")).expect("a folder that is there");
            return (0, String::new());
        }
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}; }} 2>&1")])
            .current_dir(&self.here)
            .env("PATH", &self.path)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("SQUALL_SEEDS")
            .output()
            .expect("there is a shell");
        let code = output.status.code().unwrap_or_else(|| panic!("{command}: {}", output.status));
        (code, String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}
