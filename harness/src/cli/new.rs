//! `squall new NAME`: a crate with a store, a test, the whole command line and a file for CI, that builds and finds its planted bug.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Context, Result, files, wrong};
use crate::exit::Exit;

/// The files, with `@name@`, `@crate@` and `@squall@` where those go.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("new/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("new/lib.rs.txt")),
    ("src/main.rs", include_str!("new/main.rs.txt")),
    ("tests/campaign.rs", include_str!("new/campaign.rs.txt")),
    (".gitignore", "/target\n/squall-out\n"),
    (".github/workflows/squall.yml", include_str!("../../../docs/ci/github-actions.yml")),
];

/// What the store is called in the file for CI.
const CI_NAME: &str = "my-store";

/// Names that are kebab-case and yet none of a crate of ours.
const TAKEN: [&str; 8] = ["squall", "test", "core", "std", "alloc", "serde-json", "build", "deps"];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the crate and of its store: lower-case words with hyphens between them
    #[arg(value_parser = name)]
    name: String,
    /// The folder for it; that of its name when not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take squall from this folder: `harness` of a checkout; that which this binary was built from when not given
    #[arg(long, value_name = "DIR", conflicts_with = "squall_git")]
    squall_path: Option<PathBuf>,
    /// Take squall from this repository, as machines of CI have to
    #[arg(long, value_name = "URL")]
    squall_git: Option<String>,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let squall = dependency(args)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(wrong(
            format!("{} is there already, and not empty", folder.display()),
            "Name another folder by `--out DIR`, or another crate.",
        ));
    }
    for (path, text) in FILES {
        let text = text
            .replace("@name@", &args.name)
            .replace("@crate@", &args.name.replace('-', "_"))
            .replace("@squall@", &squall)
            .replace(CI_NAME, &args.name);
        files::write(&folder.join(path), &text)?;
    }
    let (folder, name) = (folder.display(), &args.name);
    context.output.text(&format!(
        "The crate: {folder}\n\n    \
         cd {folder}\n    \
         cargo test     # its campaigns in a #[test]\n    \
         cargo run -- campaign {name}:no-sync     # finds its planted bug\n\n\
         Put your store in the place of the one in src/lib.rs.\n"
    ))?;
    Ok(Exit::Valid)
}

/// How the manifest names squall.
fn dependency(args: &Args) -> Result<String> {
    if let Some(url) = &args.squall_git {
        return Ok(format!("git = {url:?}"));
    }
    let given = args.squall_path.as_deref();
    let path = given.unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
    let is_ours = fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"squall\""));
    let path = path.canonicalize().ok().filter(|_| is_ours).ok_or_else(|| {
        wrong(
            format!("{} is no folder of the crate `squall`", path.display()),
            "squall is on no registry: name its folder `harness` in a checkout by `--squall-path DIR`, or its repository by \
             `--squall-git URL`.",
        )
    })?;
    Ok(format!("path = {:?}", path.display().to_string()))
}

fn name(text: &str) -> std::result::Result<String, String> {
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let kebab = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(word);
    if !kebab {
        return Err(format!(
            "`{text}` is no name for a crate; expected lower-case words with hyphens, such as `my-store`"
        ));
    }
    // A single word may be one of the language.
    if TAKEN.contains(&text) || syntax(text) {
        return Err(format!("`{text}` is taken; expected another name, such as `my-{text}`"));
    }
    Ok(text.to_owned())
}

/// Whether it is a word of the language.
fn syntax(word: &str) -> bool {
    "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl in let \
     loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe \
     unsized use virtual where while yield"
        .split(' ')
        .any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        assert_eq!(name("my-store2"), Ok("my-store2".to_owned()));
        for text in ["", "-", "My", "my_store", "2x", "a--b", "a-", "match", "squall", "a/b", "../x"] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
