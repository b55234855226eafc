//! What must hold of every input, however broken it is.

use squall_checkers::{
    anomaly,
    budget::Budget,
    certificate::Certificate,
    checker::{CHECKERS, CheckerEntry},
    formats::{self, Format},
    history::{Entry, History},
    models::{MODELS, ModelEntry},
    staleness,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

mod draw;

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

/// Enough for what is fuzzed, and soon spent.
const LITTLE: Budget = Budget { steps: 20_000, bytes: 16 << 20 };

/// A history, in text notation or drawn from the bytes: no checker panics, what it says and shows the verifier does not refute,
/// and it vouches for nothing that contradicts it.
pub fn judge(bytes: &[u8]) {
    let history = match std::str::from_utf8(bytes).map(formats::text::read) {
        Ok(Ok(history)) => history,
        _ => draw::history(bytes),
    };
    assert_eq!(history.validate(), Ok(()));
    for entry in CHECKERS {
        if entry.needs_model {
            MODELS.iter().for_each(|model| certify(entry, Some(model), &history));
        } else {
            certify(entry, None, &history);
        }
    }
}

fn certify(entry: &CheckerEntry, model: Option<&ModelEntry>, history: &History) {
    let Some(checker) = (entry.build)(model) else { return };
    let operations = history.entries.len();
    let of = |verdict: Verdict| Certificate::new(entry.name, model.map(|m| m.name), operations, verdict);
    let certificate = match entry.name {
        "bounded-staleness" => staleness::certify(history, &LITTLE),
        _ => of(checker.check(history, &LITTLE)),
    };
    let happened = |e: &Entry| e.is_ok() || e.is_unknown();
    let everything: Vec<usize> = (0..operations).filter(|&id| happened(&history.entries[id])).collect();
    let opposite = match certificate.verdict {
        Verdict::Unknown { .. } => return,
        Verdict::Invalid { .. } => of(Verdict::Valid { linearization: Some(everything) }),
        Verdict::Valid { .. } => {
            let anomaly = |kind| Anomaly::new(kind, Value::Nil, everything.clone(), String::new());
            of(Verdict::of(anomaly::KINDS.iter().map(|(kind, _)| anomaly(kind.clone())).collect()))
        }
    };
    let shown = || format!("{certificate:?}\n{}", formats::text::write(history));
    let verification = verify::verify(history, &certificate, &LITTLE);
    assert!(!matches!(verification, Verification::Refuted(_)), "{verification:?}: {}", shown());
    let vouched = verify::verify(history, &opposite, &LITTLE) == Verification::Verified;
    assert!(!vouched, "the verifier vouches for the opposite: {}", shown());
}
