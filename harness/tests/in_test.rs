//! Campaigns in a `#[test]`, against stores that do what stores should not: each is told with its seed.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    thread,
    time::Duration,
};

use squall::{
    Env, Failed, Promise, Reply, Result, System,
    checkers::operation::{Interface, Operation},
    engine::in_test::Campaign,
    plan::case::Case,
};
use squall_reports::records::FailureKind;

/// A store that does this, and keeps nothing.
#[derive(Clone, Copy)]
enum Odd {
    Hangs,
    Panics,
    Silent,
    Foreign,
}

impl System for Odd {
    type Client = ();

    fn promise(&self) -> Promise {
        let interface = if let Odd::Foreign = self { Interface("riddle".into()) } else { Interface::REGISTER };
        Promise { live: false, ..Promise::new(interface, "linearizable") }
    }

    async fn serve(&self, _: Env) -> Result<()> {
        match self {
            Odd::Hangs => loop {
                thread::park();
            },
            Odd::Panics => panic!("out of cheese"),
            Odd::Silent | Odd::Foreign => std::future::pending().await,
        }
    }

    async fn connect(&self, _: &Env) -> Result<()> {
        Ok(())
    }

    async fn invoke(&self, (): &mut (), _: &Env, _: &Operation) -> Result<Reply> {
        Err(Failed::Unknown("nobody answers".into()))
    }
}

fn campaign(store: Odd) -> Campaign {
    squall::campaign(store).seeds(5..8).jobs(2).nemeses(["none"])
}

/// What the test says of it.
fn said(campaign: Campaign) -> String {
    let panic = panic::catch_unwind(AssertUnwindSafe(|| campaign.assert_valid())).expect_err("it is not valid");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn a_run_that_hangs_fails_the_test() {
    let report = campaign(Odd::Hangs).hang_after(Duration::from_millis(300)).run().expect("it can be run");
    let failure = report.failure.expect("it hangs");
    let kind = failure.finding.failure.expect("no checker saw it").kind;
    assert_eq!((failure.seed, kind, failure.case), (5, FailureKind::Hang, None));
}

#[test]
fn a_panic_is_told_with_its_seed_and_place() {
    let out = tempfile::tempdir().expect("a folder");
    let said = said(campaign(Odd::Panics).out(out.path()));
    for part in ["seed 5 of 5..8 breaks the promise of `odd`", "out of cheese", "in_test.rs", "the case"] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    assert!(said.contains("SQUALL_SEEDS=5..6 cargo test"), "{said}");
}

#[test]
fn a_case_is_called_by_the_seed_that_was_found() {
    let out = tempfile::tempdir().expect("a folder");
    let report = campaign(Odd::Panics).out(out.path()).run().expect("it can be run");
    let path = report.failure.expect("it panics").case.expect("it was shrunk");
    let mut case = Case::from_text(&fs::read_to_string(path).expect("it was written")).expect("it is one");
    case.found.seed = 4711;
    let finding = squall::replay(Odd::Panics, &case.to_text()).run().expect("it can be run").expect("it panics");
    assert_eq!((finding.seed, case.plan.seed == 4711), (4711, false));
}

#[test]
fn what_proves_nothing_is_no_pass() {
    let said = said(campaign(Odd::Silent));
    assert!(said.contains("nothing can be said of seed 5 of 5..8 against `odd`"), "{said}");
}

#[test]
fn what_cannot_be_run_is_told_with_what_there_is() {
    let error = |campaign: Campaign| campaign.run().expect_err("it cannot be run").to_string();
    assert!(error(campaign(Odd::Silent).workload("regster")).contains("did you mean `register`?"));
    assert!(error(campaign(Odd::Silent).nemeses(["partitoin"])).contains("did you mean `partition`?"));
    assert!(error(campaign(Odd::Silent).set("kyes", "3")).contains("did you mean `keys`?"));
    let none = error(campaign(Odd::Foreign));
    assert!(none.contains("no workload speaks riddle") && none.contains("register"), "{none}");
    let replay = squall::replay(Odd::Silent, "{}").run().expect_err("it is no case").to_string();
    assert!(replay.contains("squall-case"), "{replay}");
}
