//! A crate outside of the workspace, as a user has it, builds against squall and runs a campaign in its own test.
//!
//! It is built as a user would: with squall's default features off, and without the flags that this repository's own
//! `.cargo/config.toml` or the environment might set; then with turmoil, and with turmoil and the flags that madsim needs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn a_users_crate_builds_and_its_campaign_finds_the_bug_and_nothing_else() {
    let user = User::new("native");
    user.tests(&[], "native");
}

/// Without the flags there is turmoil, at its weaker level; what to add for madsim is said.
#[test]
fn a_users_crate_has_turmoil_by_a_feature() {
    let user = User::new("turmoil");
    user.tests(&["--features", "turmoil"], "turmoil");
}

#[test]
fn a_users_crate_has_madsim_by_two_flags() {
    let user = User::new("madsim");
    let config = user.0.join(".cargo/config.toml");
    write(&config, "[build]\nrustflags = [\"--cfg\", \"madsim\", \"--cfg\", \"tokio_unstable\"]\n");
    let config = config.to_str().expect("the path is UTF-8");
    user.tests(&["--features", "turmoil", "--config", config], "madsim");
}

/// The folder of a user's crate.
struct User(PathBuf);

impl User {
    /// A copy of the crate among this test's own files, which depends on squall where it is and on the versions that the workspace
    /// uses: those are on this machine already.
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let from = root.join("tests/fixtures/downstream");
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("downstream").join(name);
        for file in ["src/lib.rs", "tests/campaign.rs", "tests/simulators.rs"] {
            write(&to.join(file), &read(&from.join(file)));
        }
        let manifest = read(&from.join("Cargo.toml"));
        let harness = root.join("harness");
        let harness = format!("{:?}", harness.to_str().expect("the path is UTF-8"));
        let here = manifest.replace("\"../../../harness\"", &harness);
        assert_ne!(manifest, here, "the manifest names squall's folder");
        write(&to.join("Cargo.toml"), &here);
        // Cargo takes out of the lock file what is not needed here, so it is compared with a copy of what it was.
        if write(&to.join("workspace.lock"), &read(&root.join("Cargo.lock"))) {
            write(&to.join("Cargo.lock"), &read(&root.join("Cargo.lock")));
        }
        User(to)
    }

    /// Runs its tests with these options, its campaigns on this simulator.
    fn tests(&self, options: &[&str], simulator: &str) {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--quiet", "--offline", "--manifest-path"])
            .arg(self.0.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(self.0.join("target"))
            .args(options)
            // Cargo takes its configuration from where it stands: here there is none of ours.
            .current_dir(std::env::temp_dir())
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .env("CARGO_TERM_COLOR", "never")
            .env("SIMULATOR", simulator)
            .output()
            .expect("cargo, which built this test, can be started");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        assert!(out.contains("3 passed") && out.contains("1 passed"), "its tests were run: {out}\n{err}");
    }
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
