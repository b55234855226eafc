//! Names that people type: unknown ones are answered with the nearest that exists.

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// What kind of thing was meant: `system`, `workload`, …
    pub kind: &'static str,
    /// The name given.
    pub name: String,
    /// The nearest one there is, when it is near.
    pub nearest: Option<String>,
    /// All there are.
    pub known: Vec<String>,
}

impl std::error::Error for UnknownName {}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no {} `{}`", self.kind, self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None if self.known.is_empty() => Ok(()),
            None => write!(f, "; there are: {}", self.known.join(", ")),
        }
    }
}

/// The entry of this name.
///
/// # Errors
/// When there is none.
pub fn find<'a, T>(
    kind: &'static str,
    entries: &'a [T],
    name_of: impl Fn(&T) -> &str,
    name: &str,
) -> Result<&'a T, UnknownName> {
    entries
        .iter()
        .find(|entry| name_of(entry) == name)
        .ok_or_else(|| unknown(kind, name, entries.iter().map(|entry| name_of(entry).to_owned()).collect()))
}

/// Says that nothing has this name.
pub fn unknown(kind: &'static str, name: &str, known: Vec<String>) -> UnknownName {
    UnknownName { kind, name: name.to_owned(), nearest: nearest(name, &known), known }
}

/// Similarity below which a name is no likely misspelling of another.
const NEAR: f64 = 0.7;

fn nearest(name: &str, known: &[String]) -> Option<String> {
    let similarity = |candidate: &String| {
        let begins = !name.is_empty() && candidate.starts_with(name);
        if begins { 1.0 } else { strsim::jaro_winkler(&name.to_lowercase(), candidate) }
    };
    let nearer = |a: &&String, b: &&String| similarity(a).total_cmp(&similarity(b)).then(b.len().cmp(&a.len()));
    let best = known.iter().max_by(nearer)?;
    (similarity(best) >= NEAR).then(|| best.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        let known = ["raft-rs-kv", "raft-rs-kv-2", "quorum-register", "single-copy"];
        assert_eq!(find("system", &known, |n| n, name).expect_err("unknown").to_string(), expected);
    }

    #[test]
    fn the_nearest_name_is_offered_when_it_is_near() {
        check("raft-rs-vk", "there is no system `raft-rs-vk`; did you mean `raft-rs-kv`?");
        check("raft", "there is no system `raft`; did you mean `raft-rs-kv`?");
        check("quorum", "there is no system `quorum`; did you mean `quorum-register`?");
        check("SINGLE-COPY", "there is no system `SINGLE-COPY`; did you mean `single-copy`?");
        check("zzz", "there is no system `zzz`; there are: raft-rs-kv, raft-rs-kv-2, quorum-register, single-copy");
        check("", "there is no system ``; there are: raft-rs-kv, raft-rs-kv-2, quorum-register, single-copy");
    }
}
