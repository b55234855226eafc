//! The public histories of knossos, porcupine and Jepsen's etcd test, judged as their authors judged them.
//!
//! They lie outside of the repository, in `../shared/corpus` beside the workspace; without them the test says so and passes.

use std::{fs, path::Path};

use squall_checkers::{budget::Budget, formats, models, verdict::Verdict};

#[test]
fn verdicts_agree_with_the_manifest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let Ok(manifest) = fs::read_to_string(root.join("MANIFEST.json")) else {
        println!("skipped: no histories in {}", root.display());
        return;
    };
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&manifest).expect("the manifest is JSON");
    let (mut right, mut unknown, mut wrong) = (0, Vec::new(), Vec::new());
    for case in &manifest {
        let [file, expected] = ["file", "expected"].map(|field| case[field].as_str().unwrap_or_default());
        let name = match file {
            f if f.starts_with("porcupine/etcd") || f.starts_with("knossos/cas-register") => "cas-register",
            f if f.starts_with("porcupine/kv") => "kv",
            f if f.starts_with("knossos/multi-register") => "multi-register",
            f if f.starts_with("knossos/mutex") => "mutex",
            _ => continue,
        };
        let model = (models::model(name).expect("in the catalogue").build)();
        let content = fs::read(root.join(file)).expect("listed in the manifest");
        let history = formats::read(&content, None).unwrap_or_else(|error| panic!("{file}: {error}"));
        let verdict = model.linearizable(&history, &Budget::default());
        match &verdict {
            Verdict::Unknown { detail, .. } => unknown.push(format!("{file}: {detail}")),
            _ if verdict.is_valid() == (expected == "linearizable") => right += 1,
            _ => wrong.push(format!("{file}: {expected}, but {:?}", verdict.anomalies())),
        }
    }
    for case in &manifest {
        for (checker, valid) in isolation(case).into_iter().chain(invariant(case)) {
            let file = case["file"].as_str().unwrap_or_default();
            let content = fs::read(root.join(file)).expect("listed in the manifest");
            let history = formats::read(&content, None).unwrap_or_else(|error| panic!("{file}: {error}"));
            let entry = squall_checkers::checker::checker(checker).expect("in the catalogue");
            let verdict = (entry.build)(None).expect("needs no model").check(&history, &Budget::default());
            match &verdict {
                Verdict::Unknown { detail, .. } => unknown.push(format!("{file}, {checker}: {detail}")),
                _ if verdict.is_valid() == valid => right += 1,
                _ => wrong.push(format!("{file}, {checker}: {:?}", verdict.anomalies())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unknown.len() <= 2, "{}", unknown.join("\n"));
    assert!(right >= 160, "only {right} of {} files were judged", manifest.len());
}

/// The isolation levels that the manifest speaks of, and whether the history is said to be of them.
fn isolation(case: &serde_json::Value) -> Vec<(&'static str, bool)> {
    let [file, expected] = ["file", "expected"].map(|field| case[field].as_str().unwrap_or_default());
    match file {
        f if f.starts_with("awdit/") => {
            let labels = [("RC=", "read-committed"), ("RA=", "read-atomic"), ("CC=", "causal")];
            let said = labels.map(|(label, level)| (level, expected.contains(&format!("{label}yes"))));
            said.to_vec()
        }
        "isovista/dgraph_si.txt" => vec![
            ("read-committed", true),
            ("read-atomic", true),
            ("causal", false),
            ("strong-session-snapshot-isolation", false),
            ("strong-session-serializable", false),
        ],
        "elle/paper-example.edn" | "elle-cli/elle/paper-example.json" => {
            vec![("strict-serializable", false), ("snapshot-isolation", false)]
        }
        "elle-cli/elle/list-append-gh-30.edn" => vec![("serializable", false), ("snapshot-isolation", true)],
        "elle/huge-scc.edn" => {
            vec![("strong-snapshot-isolation", false), ("strict-serializable", false), ("read-committed", true)]
        }
        _ => Vec::new(),
    }
}

/// The invariant that the manifest speaks of. Nobody reads the counter of `counter.json`, so nothing is said of it.
fn invariant(case: &serde_json::Value) -> Option<(&'static str, bool)> {
    let [file, expected] = ["file", "expected"].map(|field| case[field].as_str().unwrap_or_default());
    let checker = match file.strip_prefix("elle-cli/jepsen/")?.split(['.', '-']).next()? {
        "bank" => "bank",
        "set_full" => "set-full",
        _ => return None,
    };
    Some((checker, expected == "valid"))
}
