//! What is written is read again; what cannot be read says where and why.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common;
use squall_reports::records::{RecordError, append, read_all, read_totals, write_totals};

/// A path in a fresh folder of its own, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("records-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("findings.jsonl")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn findings_come_back_as_they_were() {
    let scratch = Scratch::new("round-trip");
    let findings = [common::stale_read(), common::lost_write(), common::panicked(), common::crowded(50, 6, 5)];
    for finding in &findings {
        append(&scratch.file(), finding).unwrap();
    }
    let text = fs::read_to_string(scratch.file()).unwrap();
    assert_eq!(text.lines().count(), findings.len());
    assert!(text.lines().all(|line| line.starts_with("{\"version\":1,")));
    assert_eq!(read_all(&scratch.file()).unwrap(), (findings.to_vec(), None));
}

#[test]
fn a_finding_looks_like_this_on_disk() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&common::stale_read()).unwrap());
}

#[test]
fn totals_come_back_as_they_were() {
    let scratch = Scratch::new("totals");
    let path = scratch.0.join("totals.json");
    let mut totals = common::totals();
    write_totals(&path, &totals).unwrap();
    totals.seeds.run += 1;
    write_totals(&path, &totals).unwrap();
    assert_eq!(read_totals(&path).unwrap(), totals);
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn derived_figures_need_a_base() {
    let totals = common::totals();
    assert!((totals.seeds_per_second().unwrap() - 10.471).abs() < 0.001);
    assert!((totals.checking_share().unwrap() - 0.131).abs() < 0.001);
    let none = squall_reports::records::Totals::default();
    assert_eq!((none.seeds_per_second(), none.checking_share()), (None, None));
}

#[test]
fn a_record_cut_off_anywhere_costs_only_itself() {
    let scratch = Scratch::new("cut");
    append(&scratch.file(), &common::panicked()).unwrap();
    let first = fs::metadata(scratch.file()).unwrap().len() as usize;
    append(&scratch.file(), &common::stale_read()).unwrap();
    let whole = fs::read(scratch.file()).unwrap();
    for cut in (first + 1..whole.len() - 1).step_by(7) {
        fs::write(scratch.file(), &whole[..cut]).unwrap();
        let (found, truncated) = read_all(&scratch.file()).unwrap();
        assert_eq!(found, [common::panicked()]);
        let truncated = truncated.unwrap();
        assert_eq!((truncated.line, truncated.bytes), (2, cut - first));

        append(&scratch.file(), &common::lost_write()).unwrap();
        assert_eq!(read_all(&scratch.file()).unwrap(), (vec![common::panicked(), common::lost_write()], None));
    }
}

#[test]
fn a_record_that_lacks_only_its_line_break_is_kept() {
    let scratch = Scratch::new("line-break");
    append(&scratch.file(), &common::stale_read()).unwrap();
    let whole = fs::read(scratch.file()).unwrap();
    fs::write(scratch.file(), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(read_all(&scratch.file()).unwrap(), (vec![common::stale_read()], None));
    append(&scratch.file(), &common::panicked()).unwrap();
    assert_eq!(read_all(&scratch.file()).unwrap().0, [common::stale_read(), common::panicked()]);
}

/// The message for a file with this text, its folder left out.
fn message(test: &str, text: &str) -> String {
    let scratch = Scratch::new(test);
    fs::write(scratch.file(), text).unwrap();
    let error = read_all(&scratch.file()).unwrap_err();
    error.to_string().replace(&format!("{}/", scratch.0.display()), "")
}

#[test]
fn errors_name_file_and_line() {
    let good = serde_json::to_string(&common::panicked()).unwrap();
    assert_eq!(
        message("version", &format!("{good}\n\n{}\n", good.replacen("\"version\":1", "\"version\":9", 1))),
        "findings.jsonl:3: this record has version 9; this build understands 1"
    );
    assert_eq!(
        message("no-version", &format!("{good}\n{{\"seed\":3}}\n")),
        "findings.jsonl:2:10: not a record of this kind: missing field `version`"
    );
    assert_eq!(
        message("middle", &format!("{}\n{good}\n", &good[..40])),
        "findings.jsonl:1:40: not a record of this kind: EOF while parsing a string"
    );
    assert_eq!(
        message("type", &format!("{}\n", good.replacen("8814413", "\"many\"", 1))),
        format!(
            "findings.jsonl:1:{}: not a record of this kind: invalid type: string \"many\", expected u64",
            good.find("8814413").unwrap() + 6
        )
    );
}

#[test]
fn a_missing_file_says_which() {
    let error = read_all(Path::new("no-such-folder/findings.jsonl")).unwrap_err();
    assert!(matches!(error, RecordError::Io { .. }));
    assert!(error.to_string().starts_with("cannot read no-such-folder/findings.jsonl: "), "{error}");
}
