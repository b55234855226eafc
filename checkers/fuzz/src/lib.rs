//! What must hold of every input, however broken it is.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    formats::{self, Format},
    verify,
};

/// Bytes read as this format: an error with its place, or a history that clients can produce and that is read again as it was
/// written.
pub fn read(bytes: &[u8], format: Option<Format>) {
    let history = match formats::read(bytes, format) {
        Ok(history) => history,
        Err(error) => {
            assert!(error.line > 0 && error.column > 0, "{error}");
            return;
        }
    };
    assert_eq!(history.validate(), Ok(()));
    for format in Format::ALL {
        let Some(written) = formats::write(&history, format) else { continue };
        let again = formats::read(written.as_bytes(), Some(format));
        let again = again.unwrap_or_else(|error| panic!("{format}: {error}\n{written}"));
        assert_eq!(formats::write(&again, format).as_ref(), Some(&written), "{format}");
    }
}

/// A history in text notation, a line of `=`, and a certificate: no claim makes the verifier panic, and what it reads it
/// writes.
pub fn certificate(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (history, certificate) = text.split_once("\n===\n").unwrap_or(("0: write[x] 1; 1: read[x] -> nil", text));
    let (Ok(history), Ok(certificate)) = (formats::text::read(history), Certificate::from_json(certificate)) else {
        return;
    };
    assert_eq!(Certificate::from_json(&certificate.to_json()).as_ref(), Ok(&certificate));
    let budget = Budget { steps: 10_000, bytes: 16 << 20 };
    let certificate = Certificate { operations: history.entries.len(), ..certificate };
    let _ = verify::verify(&history, &certificate, &budget);
}
