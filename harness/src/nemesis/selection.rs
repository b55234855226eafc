//! Which nemeses a campaign may use, as the command line names them.

use super::{NEMESES, NemesisEntry};

/// The nemeses that faults are drawn from.
#[derive(Clone)]
pub struct NemesisSelection {
    /// Each once, in the order of the catalogue.
    pub entries: Vec<&'static NemesisEntry>,
    /// Whether faults outside the promise are wanted too.
    pub beyond: bool,
}

/// A nemesis that is not in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no nemesis is called `{name}`; there are {}, and `all`, `beyond` and `none`", names())]
pub struct UnknownNemesis {
    /// What was asked for.
    pub name: String,
}

fn names() -> String {
    NEMESES.iter().map(|n| n.name).collect::<Vec<_>>().join(", ")
}

impl NemesisSelection {
    /// Every nemesis that is drawn from by default, within the promise.
    pub fn all() -> Self {
        NemesisSelection { entries: NEMESES.iter().filter(|n| n.by_default).collect(), beyond: false }
    }

    /// No nemesis.
    pub fn none() -> Self {
        NemesisSelection { entries: Vec::new(), beyond: false }
    }

    /// Reads names with commas between them. `all` is every nemesis that is drawn from by default; `beyond` asks for faults outside
    /// the promise, and alone for all of them; `none` adds nothing.
    pub fn parse(text: &str) -> Result<Self, UnknownNemesis> {
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
        for word in &words {
            if !matches!(*word, "all" | "beyond" | "none") && NEMESES.iter().all(|n| n.name != *word) {
                return Err(UnknownNemesis { name: (*word).to_owned() });
            }
        }
        let beyond = words.contains(&"beyond");
        let every = words.contains(&"all") || (beyond && words.iter().all(|w| *w == "beyond"));
        let entries = NEMESES.iter().filter(|n| (every && n.by_default) || words.contains(&n.name)).collect();
        Ok(NemesisSelection { entries, beyond })
    }

    /// The names, as [`NemesisSelection::parse`] reads them.
    pub fn names(&self) -> Vec<&'static str> {
        self.entries.iter().map(|e| e.name).chain(self.beyond.then_some("beyond")).collect()
    }
}

impl std::fmt::Debug for NemesisSelection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
