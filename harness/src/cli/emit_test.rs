//! `--emit-test FILE`: a case as a plain Rust test, which needs no command line.

use std::path::PathBuf;

use super::{Result, files};
use crate::plan::case::Case;

#[derive(Debug, clap::Args)]
pub(super) struct EmitArgs {
    /// Write a Rust test of the case to this file, for the `tests` folder of the store's crate; needs `--store`
    #[arg(long, value_name = "FILE", requires = "store")]
    emit_test: Option<PathBuf>,
    /// The store, as an expression of that test: `my_store::STORE`, its line of the catalogue, or `my_store::MyStore`
    #[arg(long, value_name = "EXPR", requires = "emit_test")]
    store: Option<String>,
}

impl EmitArgs {
    /// Whether a test is wanted.
    pub(super) fn wanted(&self) -> bool {
        self.emit_test.is_some()
    }

    /// Writes the test, if it is wanted.
    pub(super) fn write(&self, case: &Case) -> Result<()> {
        let Some((path, store)) = self.emit_test.as_ref().zip(self.store.as_ref()) else { return Ok(()) };
        files::write(path, &test(case, store))?;
        let name = path.file_stem().unwrap_or_default().display();
        eprintln!("The test: {} (cargo test --test {name})", path.display());
        Ok(())
    }
}

/// The test's source.
fn test(case: &Case, store: &str) -> String {
    let Case { signature, sentence, found, .. } = case;
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if sentence.is_empty() { String::new() } else { format!("//!\n//! {}\n", line(sentence)) };
    let name = function_name(&format!("{} in {} seed {}", signature.anomaly, signature.system, found.seed));
    let text = case.to_text();
    let fence = fence(&text);
    format!(
        "//! {} in {}, as squall found it: fails as long as it is there.\n{said}\n\
         #[test]\nfn {name}() {{\n    squall::replay({store}, CASE).assert_valid();\n}}\n\n\
         /// The case. `squall replay` takes it too, from a file of its own.\nconst CASE: &str = r{fence}\"{text}\"{fence};\n",
        line(&signature.anomaly),
        line(&signature.system),
    )
}

/// Words as the name of a function.
fn function_name(words: &str) -> String {
    let letters = words.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let name = letters.split('_').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("case_{name}") } else { name }
}

/// As many `#` as the text needs around it.
fn fence(text: &str) -> String {
    let mut fence = "#".to_owned();
    while text.contains(&format!("\"{fence}")) {
        fence.push('#');
    }
    fence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_fences_are_rust() {
        assert_eq!(function_name("stale-read in my-kv:no-sync seed 7"), "stale_read_in_my_kv_no_sync_seed_7");
        assert_eq!(function_name("2 much"), "case_2_much");
        assert_eq!((fence("{\"a\": 1}"), fence("x\"#y")), ("#".to_owned(), "##".to_owned()));
    }
}
