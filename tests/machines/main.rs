//! The files for CI and clusters in `docs/ci`: they can be read, use options that there are, and the one for Slurm is run.

mod slurm;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use yaml_rust2::{Yaml, YamlLoader};

#[test]
fn the_files_are_well_formed() {
    let shell = Command::new("bash").arg("-n").arg(root().join("docs/ci/slurm.sh")).output().expect("there is a shell");
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));

    let github = yaml("docs/ci/github-actions.yml").remove(0);
    let jobs = github["jobs"].as_hash().expect("jobs");
    for (name, job) in jobs {
        assert!(job["runs-on"].as_str().is_some(), "{name:?} runs nowhere");
        for step in job["steps"].as_vec().expect("steps") {
            assert_ne!(step["run"].is_badvalue(), step["uses"].is_badvalue(), "{step:?} runs or uses something");
        }
    }
    let matrix = github["jobs"]["campaign"]["strategy"]["matrix"]["shard"].as_vec().expect("shards").len();
    assert!(read("docs/ci/github-actions.yml").contains(&format!("--shard ${{{{ matrix.shard }}}}/{matrix} ")));
    assert_eq!(github["jobs"]["report"]["needs"].as_str(), Some("campaign"));

    let kubernetes = yaml("docs/ci/kubernetes.yaml");
    let [volume, job] = &kubernetes[..] else { panic!("a volume and a job") };
    assert_eq!((volume["kind"].as_str(), job["kind"].as_str()), (Some("PersistentVolumeClaim"), Some("Job")));
    assert_eq!(job["spec"]["completionMode"].as_str(), Some("Indexed"));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let shards: Option<i64> = container["env"][0]["value"].as_str().and_then(|n| n.parse().ok());
    assert_eq!(job["spec"]["completions"].as_i64(), shards);
    let script = container["command"][2].as_str().expect("a script");
    let shell = Command::new("sh").args(["-n", "-c", script]).output().expect("there is a shell");
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
}

#[test]
fn the_files_use_options_that_there_are() {
    for file in ["docs/ci/github-actions.yml", "docs/ci/slurm.sh", "docs/ci/kubernetes.yaml"] {
        let mut checked = 0;
        let text = read(file).replace("\\\n", " ");
        for line in text.lines() {
            for command in ["campaign", "report"] {
                let Some((_, rest)) = line.split_once(&format!(" {command} ")) else { continue };
                let known = options(command);
                for option in rest.split([' ', '\'']).filter(|word| word.starts_with("--")) {
                    assert!(known.contains(option), "{file}: `{command}` has no option {option}: {line}");
                    checked += 1;
                }
            }
        }
        assert!(checked >= 4, "{file} uses options");
    }
}

/// The script of the Kubernetes job, as a pod runs it: first from the start, then where another pod was lost.
#[test]
fn a_pod_runs_its_shard_and_goes_on_where_another_was_lost() {
    let script = yaml("docs/ci/kubernetes.yaml")[1]["spec"]["template"]["spec"]["containers"][0]["command"][2].clone();
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().to_str().expect("the path is UTF-8");
    let script = script.as_str().expect("a script").replace("/squall/", &format!("{folder}/"));
    let script = script.replace("my-store campaign my-store --seeds 100000", "my-store campaign single-copy --seeds 8");
    let script = script.replace("my-store", env!("CARGO_BIN_EXE_squall"));
    let pod = || {
        let output = Command::new("sh")
            .args(["-c", &script])
            .envs([("JOB_COMPLETION_INDEX", "1"), ("SHARDS", "4")])
            .output()
            .expect("there is a shell");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(pod().contains("shard 2/4 of the seeds 0..8"));
    assert!(pod().contains("goes on"));
    assert_eq!(fs::read_to_string(place.path().join("shard-2/progress.jsonl")).expect("it ran").lines().count(), 2);
}

/// The options of a subcommand.
fn options(command: &str) -> BTreeSet<String> {
    let help =
        Command::new(env!("CARGO_BIN_EXE_squall")).args([command, "--help"]).output().expect("the binary starts");
    let help = String::from_utf8(help.stdout).expect("help is text");
    help.split_whitespace().filter(|w| w.starts_with("--")).map(|w| w.trim_end_matches([',', '.']).to_owned()).collect()
}

fn yaml(file: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
