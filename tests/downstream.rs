//! A crate outside of the workspace, as a user has it, builds against squall and runs a campaign in its own test.
//!
//! It is built as a user would: with squall's default features off, and without the flags that this repository's own
//! `.cargo/config.toml` or the environment might set.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn a_users_crate_builds_and_its_campaign_finds_the_bug_and_nothing_else() {
    let crate_folder = lay_out();
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--offline", "--manifest-path"])
        .arg(crate_folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(crate_folder.join("target"))
        // Cargo takes its configuration from where it stands: here there is none of ours.
        .current_dir(std::env::temp_dir())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .expect("cargo, which built this test, can be started");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("2 passed"), "its tests were run: {out}\n{err}");
}

/// A copy of the crate among this test's own files, which depends on squall where it is and on the versions that the workspace uses:
/// those are on this machine already.
fn lay_out() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let from = root.join("tests/fixtures/downstream");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("downstream");
    for file in ["src/lib.rs", "tests/campaign.rs"] {
        write(&to.join(file), &read(&from.join(file)));
    }
    let manifest = read(&from.join("Cargo.toml"));
    let harness = root.join("harness");
    let here = manifest.replace("\"../../../harness\"", &format!("{:?}", harness.to_str().expect("the path is UTF-8")));
    assert_ne!(manifest, here, "the manifest names squall's folder");
    write(&to.join("Cargo.toml"), &here);
    // Cargo takes out of the lock file what is not needed here, so it is compared with a copy of what it was.
    if write(&to.join("workspace.lock"), &read(&root.join("Cargo.lock"))) {
        write(&to.join("Cargo.lock"), &read(&root.join("Cargo.lock")));
    }
    to
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Writes what has changed only, so that nothing is built twice. Whether it had.
fn write(path: &Path, text: &str) -> bool {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return false;
    }
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("this folder is ours");
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    true
}
