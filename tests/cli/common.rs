//! Running the binary in a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A folder that is gone with the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// A fresh one.
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the temporary folder can be written");
        path
    }

    /// The binary, about to run in it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(args).current_dir(self.0.path());
        command
    }

    /// Runs the binary in it.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(args, self.command(args).output().expect("the binary starts"))
    }
}

/// What a run of the binary came to.
pub(crate) struct Ran {
    args: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Takes over an output.
    pub(crate) fn of(args: &[&str], output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran {
            args: args.join(" "),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "squall {}\nstdout: {}\nstderr: {}", self.args, self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "a panic of ours: {}", self.stderr);
        self
    }

    /// Asserts that stderr has this text, wherever lines were wrapped.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let said = unwrapped(&self.stderr);
        assert!(said.contains(text), "squall {}\nexpected on stderr: {text}\nfound: {said}", self.args);
        self
    }

    /// Asserts that stdout has this text.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "squall {}\nexpected on stdout: {text}\nfound: {}", self.args, self.stdout);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("squall {}: {e}: {}", self.args, self.stdout))
    }
}

/// Text without the line breaks and frames of error messages.
fn unwrapped(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || "│×╰─▶├".contains(c))
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The text of a file.
#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
