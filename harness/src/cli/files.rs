//! Reading and writing the files that people name.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::wrong;
use crate::plan::file::FileError;

/// Reads a file; `-` is stdin.
pub(super) fn read(path: &Path) -> super::Result<Vec<u8>> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|e| unreadable(path, &e))
}

/// Opens a file, to be read as it comes; `-` is stdin.
pub(super) fn open(path: &Path) -> super::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// Says why a file cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> miette::Report {
    let name = name(path);
    match error.kind() {
        io::ErrorKind::IsADirectory => wrong(format!("cannot read {name}: it is a folder"), "Name a file in it."),
        _ => wrong(format!("cannot read {name}: {error}"), ""),
    }
}

/// Says why a file is no plan, or no case.
pub(super) fn no_document(path: &Path, error: &FileError) -> miette::Report {
    wrong(format!("{}: {error}", name(path)), error.instead().unwrap_or_default())
}

/// What a path is called in messages.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}

/// Reads a file that must be text.
pub(super) fn read_text(path: &Path) -> super::Result<String> {
    String::from_utf8(read(path)?).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let place = format!("{}:{line}:{column}", name(path));
        wrong(
            format!("{place}: expected text in UTF-8, found bytes that are none"),
            "Is it packed, or in another encoding?",
        )
    })
}

/// Writes a file, with the folders above it.
pub(super) fn write(path: &Path, text: &str) -> super::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text))
        .map_err(|e| wrong(format!("cannot write {}: {e}", path.display()), "Name a place that can be written."))
}
