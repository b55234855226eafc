//! The minimiser on every bug of the replicated stores: of what it leaves, no single fault, operation, client or node can go.
//!
//! Each bug is shrunk from its first failing seeds, as many as `SQUALL_SEEDS` says (2 without it), from seed `SQUALL_START` on (0).
//! How small they became, in how many runs, and how long that took is printed; medians are held against what is promised. For
//! figures:
//!
//!     SQUALL_SEEDS=20 cargo test --release --test minimiser -- --nocapture --test-threads 1

mod takeaway;

use std::{env, time::Duration};

use squall::{
    catalogue::SystemEntry,
    engine::{
        minimise::{self, Minimised},
        run::run_plan,
        spec::{Job, Registry, Spec, find_system},
        stopwatch::Stopwatch,
    },
    plan::{Fault, FaultKind, Operations, Plan, SECOND, Scripted, Settings, Target},
    simulators::{Habitat, Options},
};
use squall_checkers::operation::Operation;
use squall_reports::records::{Counts, Signature};
use squall_systems::SYSTEMS;
use squall_workloads::WORKLOADS;

use takeaway::one_less;

const REGISTRY: Registry = Registry { systems: SYSTEMS, workloads: WORKLOADS };

/// Seeds in which a bug must show.
const SEEDS_MAX: u64 = 100_000;

/// A failing seed, made small.
struct Small {
    seed: u64,
    signature: Signature,
    minimised: Minimised,
    took: Duration,
    /// The parts that can go although they should not.
    loose: Vec<String>,
}

/// Failing seeds of a bug from `start` on, made small.
fn shrink(spec: &str, start: u64, count: usize, mut tell: impl FnMut(&Small)) -> Vec<Small> {
    let job = Spec::of(spec).resolve(&REGISTRY).expect("the names are known");
    let (system, bug) = find_system(&REGISTRY, spec).expect("the names are known");
    let anomalies = system.bugs.iter().find(|b| Some(b.name) == bug).expect("a bug").anomalies;
    let failing = (start..start + SEEDS_MAX).filter_map(|seed| {
        let plan = job.plan(seed);
        let signatures =
            run_plan(&job.arena.subject(), &plan, Options::default()).expect("the plan can be run").signatures;
        signatures.into_iter().find(|s| anomalies.contains(&s.anomaly.as_str())).map(|signature| (plan, signature))
    });
    failing.take(count).map(|(plan, signature)| shrink_one(&job, &plan, signature)).inspect(|s| tell(s)).collect()
}

fn shrink_one(job: &Job, plan: &Plan, signature: Signature) -> Small {
    let subject = job.arena.subject();
    let watch = Stopwatch::start();
    let minimised = minimise::minimise_on(&subject, plan, &signature, minimise::DEFAULT_RUNS, &mut |_| {})
        .expect("the plan can be run")
        .expect("it fails again");
    let took = watch.elapsed();
    assert!(fails(job, &minimised.plan, &signature), "seed {}: the small plan does not fail", plan.seed);
    let loose = loose(job, &minimised.plan, &signature);
    Small { seed: plan.seed, signature, minimised, took, loose }
}

fn fails(job: &Job, plan: &Plan, signature: &Signature) -> bool {
    run_plan(&job.arena.subject(), plan, Options::default()).expect("the plan can be run").shows(signature)
}

/// The parts without which a plan still fails in the same way.
fn loose(job: &Job, plan: &Plan, signature: &Signature) -> Vec<String> {
    let less = one_less(plan).into_iter();
    less.filter(|less| fails(job, &less.plan, signature)).map(|less| less.part).collect()
}

/// The first failing seeds of a bug become small.
#[track_caller]
fn check(spec: &str) {
    let number = |name: &str, default: u64| env::var(name).map_or(default, |n| n.parse().expect(name));
    let (start, count) = (number("SQUALL_START", 0), number("SQUALL_SEEDS", 2));
    let mut trouble = Vec::new();
    println!("{spec}, {count} failing seeds from {start} on");
    let all = shrink(spec, start, count as usize, |small| {
        println!("{}", line(small));
        if !small.loose.is_empty() || !small.minimised.minimal || !has_script(small) {
            trouble.push(line(small));
        }
    });
    assert_eq!(all.len() as u64, count, "{spec} fails too rarely");
    for Measure { what, of, median_max } in MEASURES {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        println!("    {what}: median {:.4}, quartiles {:.4} and {:.4}, most {:.4}", at(2), at(1), at(3), at(4));
        if at(2) > median_max {
            trouble.push(format!("{what}: the median is above {median_max}"));
        }
    }
    assert!(trouble.is_empty(), "{spec}\n{}", trouble.join("\n"));
}

/// A test for each bug, so that they run side by side; and the list of them.
macro_rules! becomes_small {
    ($($test:ident: $spec:literal,)*) => {
        $(#[test]
        fn $test() {
            check($spec);
        })*
        const SHRUNK: &[&str] = &[$($spec),*];
    };
}

becomes_small! {
    a_stale_leader_becomes_small: "raft-rs-kv:leader-local-read",
    a_log_that_is_synced_too_late_becomes_small: "raft-rs-kv:ack-before-fsync",
    a_forgotten_vote_becomes_small: "raft-rs-kv:hard-state-not-persisted",
    members_changed_at_once_become_small: "raft-rs-kv:members-at-once",
    a_torn_read_becomes_small: "raft-rs-kv:torn-reads",
    two_primaries_become_small: "primary-backup-sync:old-primary-not-fenced",
    a_read_at_a_backup_becomes_small: "primary-backup-sync:reads-at-backups",
    a_forgotten_session_becomes_small: "primary-backup-async:session-forgotten",
    a_read_without_write_back_becomes_small: "quorum-register:read-without-write-back",
    a_tie_becomes_small: "quorum-register:tie-without-writer-id",
    a_file_that_is_synced_too_late_becomes_small: "majority-files:ack-before-fsync",
    a_tombstone_collected_early_becomes_small: "crdt-gossip:tombstones-collected-early",
    an_actor_used_again_becomes_small: "crdt-gossip:actor-reused",
    a_tie_without_an_actor_becomes_small: "crdt-gossip:tie-without-actor",
    a_commit_without_durability_becomes_small: "redb-store:no-durability",
    a_transaction_in_pieces_becomes_small: "redb-store:commit-per-write",
    an_identity_kept_becomes_small: "foca-members:identity-kept",
    a_death_nobody_tells_of_becomes_small: "foca-members:no-word-to-the-dead",
    a_leader_who_does_not_ask_becomes_small: "openraft-env:leader-local-read",
    an_entry_that_was_not_saved_becomes_small: "openraft-env:ack-before-sync",
}

/// Left out, so that the tests stay quick: looking for seeds that fail takes long. `squall campaign` and `squall minimize` are for
/// those.
const LEFT_OUT: &[&str] = &[
    "primary-backup-semi-sync:lagging-replica-promoted",
    "redb-store:failed-sync-trusted",
    "openraft-env:commit-not-saved",
];

/// The check itself: what was put into a small case can go, whichever kind of part it is.
#[test]
fn what_does_not_matter_is_seen_to_be_loose() {
    let spec = "majority-files:ack-before-fsync";
    let job = Spec::of(spec).resolve(&REGISTRY).expect("the names are known");
    let Small { minimised, signature, .. } = shrink(spec, 0, 1, |_| {}).remove(0);
    let mut plan = minimised.plan;
    let end = plan.phases.chaos_ns;
    plan.phases.chaos_ns += SECOND;
    plan.faults.push(Fault {
        id: 99,
        begins_ns: end + 1,
        lasts_ns: 1,
        target: Target::All,
        kind: FaultKind::ClockOffset { ns: 1 },
    });
    plan.cluster.clients += 1;
    let Operations::Script(script) = &mut plan.workload.operations else { panic!("no script") };
    let last = script.iter().map(|o| o.invoked_ns).max().expect("operations");
    script.push(Scripted {
        client: 0,
        process: 99,
        home: None,
        invoked_ns: last + SECOND,
        replied_ns: None,
        operation: Operation::read(99),
    });
    let (fault, operation) = ("fault 99".to_owned(), format!("operation {}", script.len() - 1));
    let client = format!("client {}", plan.cluster.clients - 1);
    let loose = loose(&job, &plan, &signature);
    assert!([fault, operation, client].iter().all(|part| loose.contains(part)), "{loose:?}");
}

/// `misbehaving` fails as a program does: there is no anomaly to keep. Code that is hosted in a library's simulator takes a second or
/// so for each run, of which it would take some hundred.
#[test]
fn every_bug_of_a_replicated_store_is_among_them() {
    let hosted = |s: &SystemEntry| {
        let built = (s.build)(None, &Settings::new()).expect("it can be built with its defaults");
        built.habitat() != Habitat::Everywhere
    };
    for system in SYSTEMS.iter().filter(|s| s.name != "misbehaving" && !hosted(s)) {
        for bug in system.bugs {
            let spec = format!("{}:{}", system.name, bug.name);
            assert!(
                SHRUNK.contains(&spec.as_str()) || LEFT_OUT.contains(&spec.as_str()),
                "{spec} has no line in tests/minimiser/main.rs"
            );
        }
    }
}

/// Something to measure of small cases, and what its median may be at most.
struct Measure {
    what: &'static str,
    of: fn(&Small) -> f64,
    median_max: f64,
}

const MEASURES: [Measure; 6] = [
    Measure { what: "faults", of: |s| s.minimised.after.faults as f64, median_max: 3.0 },
    Measure { what: "operations", of: |s| s.minimised.after.operations as f64, median_max: 8.0 },
    Measure { what: "clients", of: |s| s.minimised.after.clients as f64, median_max: f64::INFINITY },
    Measure { what: "nodes", of: |s| s.minimised.after.nodes as f64, median_max: f64::INFINITY },
    Measure { what: "runs", of: |s| s.minimised.runs as f64, median_max: f64::INFINITY },
    // Held against 10 s by people, who know how busy their machine is.
    Measure { what: "seconds", of: |s| s.took.as_secs_f64(), median_max: f64::INFINITY },
];

/// Whether its operations are written down, as far as there are any.
fn has_script(small: &Small) -> bool {
    small.minimised.frozen || small.minimised.after.operations == 0
}

fn line(small: &Small) -> String {
    let Counts { faults, operations, clients, nodes } = small.minimised.after;
    let Minimised { runs, minimal, .. } = small.minimised;
    let mut text = format!(
        "    seed {}: {} ({}), {faults} faults, {operations} operations, {clients} clients, {nodes} nodes, {runs} runs, {:.1} s",
        small.seed,
        small.signature.anomaly,
        small.signature.checker,
        small.took.as_secs_f64()
    );
    for (is, what) in [(!has_script(small), ", not frozen"), (!minimal, ", not minimal")] {
        if is {
            text += what;
        }
    }
    for part in &small.loose {
        text += &format!(", {part} CAN GO");
    }
    text
}
