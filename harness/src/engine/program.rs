//! Commands for people to run next, as this program is called.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    sync::OnceLock,
};

/// How the program is called that carries the systems in the catalogue, where that is not `squall` itself.
static CALLED: OnceLock<String> = OnceLock::new();

/// Remembers by what first argument the program was called: a store of the user's is known to no other. Only the first call counts.
#[cfg(feature = "cli")]
pub(crate) fn called(by: Option<OsString>) {
    let Some(by) = by else { return };
    let is_ours = Path::new(&by).file_name() == Some(OsStr::new(OURS));
    _ = CALLED.set(if is_ours { OURS.to_owned() } else { shell_word(&by.to_string_lossy()) });
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
