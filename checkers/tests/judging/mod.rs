//! Histories in text notation, judged by name: `checker` or `checker model`.

use std::fmt::Write;

use squall_checkers::{budget::Budget, checker::checker, formats::text, models::model, verdict::Verdict};

/// The verdict on a history in text notation.
pub(crate) fn judge(name: &str, history: &str) -> Verdict {
    let (name, model_name) = name.split_once(' ').unwrap_or((name, "cas-register"));
    let checker = (checker(name).expect("in the catalogue").build)(model(model_name)).expect("given a model");
    let history = text::read(history).unwrap_or_else(|error| panic!("{history}: {error}"));
    checker.check(&history, &Budget::default())
}

/// Judges each history and describes the verdicts, one per line.
pub(crate) fn check(cases: &[(&str, &str, &str)]) -> String {
    let mut out = String::new();
    for (checker, source, history) in cases {
        let verdict = match judge(checker, history) {
            Verdict::Valid { .. } => "valid".to_owned(),
            Verdict::Unknown { detail, .. } => format!("unknown: {detail}"),
            Verdict::Invalid { anomalies } => {
                let lines = anomalies.iter().map(|a| format!("{} {:?}: {}", a.kind, a.operations, a.sentence));
                lines.collect::<Vec<_>>().join("\n    ")
            }
        };
        writeln!(out, "{checker} ({source})\n  {}\n    {verdict}", history.trim()).expect("strings take everything");
    }
    out
}
