//! Which commands read and write the files that name their kind: what to say to who took one for another.

use squall_checkers::document::{DocumentError, OTHER_SQUALL};

/// A kind of file.
struct Kind {
    /// The member that says so.
    member: &'static str,
    /// What reads one.
    use_of: &'static str,
    /// What writes one.
    source: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        member: "squall-history",
        use_of: "`squall check FILE` judges a history.",
        source: "`squall list formats` shows all formats of histories.",
    },
    Kind {
        member: "squall-certificate",
        use_of: "`squall verify HISTORY FILE` checks a certificate.",
        source: "`squall check HISTORY --certificate FILE` writes a certificate.",
    },
    Kind {
        member: "squall-plan",
        use_of: "`squall run --plan FILE` runs a plan.",
        source: "`squall plan SYSTEM --seed S -o FILE` writes a plan.",
    },
    Kind {
        member: "squall-case",
        use_of: "`squall replay FILE` runs a case.",
        source: "`squall campaign` and `squall minimize` write cases.",
    },
];

fn kind(member: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.member == member)
}

/// What reads a file of this kind, in one sentence.
pub(crate) fn use_of(member: &str) -> Option<&'static str> {
    kind(member).map(|kind| kind.use_of)
}

/// What to do instead, in one sentence.
pub(crate) fn instead(error: &DocumentError) -> Option<&'static str> {
    match error {
        DocumentError::Version { found, newest, .. } if *found > u64::from(*newest) => Some(OTHER_SQUALL),
        DocumentError::Other { seems: Some(seems), .. } => use_of(seems),
        DocumentError::Empty { expected }
        | DocumentError::Syntax { expected, .. }
        | DocumentError::Truncated { expected, .. }
        | DocumentError::Other { expected, .. }
        | DocumentError::Version { expected, .. }
        | DocumentError::Malformed { expected, .. } => kind(expected).map(|kind| kind.source),
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::certificate::Certificate;

    use super::*;

    #[test]
    fn who_took_one_for_another_is_told_what_to_do() {
        for (text, said) in [
            ("{\"squall-certificate\":2}", OTHER_SQUALL),
            ("{\"squall-certificate\":0}", "`squall check HISTORY --certificate FILE` writes a certificate."),
            ("{\"squall-case\": 1}", "`squall replay FILE` runs a case."),
            ("{\"seed\":7,\"squall-plan\":9}", "`squall run --plan FILE` runs a plan."),
            ("{\"squall-history\":1}", "`squall check FILE` judges a history."),
            ("", "`squall check HISTORY --certificate FILE` writes a certificate."),
            ("[1,2", "`squall check HISTORY --certificate FILE` writes a certificate."),
        ] {
            let error = Certificate::from_json(text).expect_err(text);
            assert_eq!(instead(&error), Some(said), "{text}");
        }
    }
}
