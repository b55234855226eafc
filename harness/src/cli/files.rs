//! Reading and writing the files that people name.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::wrong;

/// Reads a file; `-` is stdin.
pub(super) fn read(path: &Path) -> super::Result<Vec<u8>> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|e| wrong(format!("cannot read {}: {e}", path.display()), ""))
}

/// Opens a file, to be read as it comes; `-` is stdin.
pub(super) fn open(path: &Path) -> super::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|e| wrong(format!("cannot read {}: {e}", path.display()), ""))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// Reads a file that must be text.
pub(super) fn read_text(path: &Path) -> super::Result<String> {
    String::from_utf8(read(path)?).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        wrong(format!("{}:{line}:{column}: expected text in UTF-8, found bytes that are none", path.display()), "")
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
