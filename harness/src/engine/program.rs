//! Commands for people to run next, as this program is called.

#[cfg(feature = "cli")]
use std::ffi::{OsStr, OsString};
use std::{path::Path, sync::OnceLock};

/// How the program is called, where that is not `squall`.
static CALLED: OnceLock<String> = OnceLock::new();

/// Remembers by what first argument the program was called. Only the first call counts.
#[cfg(feature = "cli")]
pub(crate) fn called(by: Option<OsString>) {
    if let Some(by) = by {
        _ = CALLED.set(called_by(Path::new(&by)));
    }
}

/// A store of the user's is known to no other program than this, and a squall that was just built is on nobody's `PATH`. Only where it
/// lies on this machine is left out of what it prints.
#[cfg(feature = "cli")]
fn called_by(by: &Path) -> String {
    if by.is_absolute() && by.file_name() == Some(OsStr::new(OURS)) {
        return OURS.to_owned();
    }
    shell_word(&by.to_string_lossy())
}

const OURS: &str = "squall";

/// The word that calls this program in a shell.
pub fn word() -> &'static str {
    CALLED.get().map_or(OURS, String::as_str)
}

/// A command about a file or a folder: `squall replay FILE`.
pub fn about(verb: &str, path: &Path) -> String {
    format!("{} {verb} {}", word(), shell_word(&path.to_string_lossy()))
}

/// A text as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "=-_.,:/+".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn commands_call_what_was_called() {
        for (by, word) in [
            ("squall", "squall"),
            ("/somewhere/squall", "squall"),
            ("target/release/squall", "target/release/squall"),
            ("target/debug/my-store", "target/debug/my-store"),
            ("/some where/my-store", "'/some where/my-store'"),
        ] {
            assert_eq!(called_by(Path::new(by)), word);
        }
    }
}
