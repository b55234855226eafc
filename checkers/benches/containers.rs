//! Queues, stacks and priority queues of a million operations, checked and verified:
//! `cargo bench -p squall-checkers --bench containers`.
//!
//! The best of three runs is taken; how the time grows from a tenth of the operations is what counts.
#![expect(clippy::disallowed_types, reason = "a benchmark measures real time")]

#[path = "../tests/generator/containers.rs"]
mod generator;
#[path = "../tests/generator/objects.rs"]
mod objects;

use std::time::{Duration, Instant};

use generator::Container;
use objects::Load;
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    history::{History, Outcome},
    models,
    verdict::Verdict,
    verify::{self, Verification},
};

fn best<T>(mut run: impl FnMut() -> T) -> (T, Duration) {
    let time = |run: &mut dyn FnMut() -> T| {
        let begin = Instant::now();
        let result = run();
        (result, begin.elapsed())
    };
    (0..3).map(|_| time(&mut run)).min_by_key(|(_, took)| *took).expect("three runs")
}

/// Exchanges what two removals replied that lie `apart` from each other, at 95% of the history.
fn disturb(history: &mut History, apart: usize) {
    let took = |id: &usize| history.entries[*id].reply().is_some_and(|reply| !reply.is_nil());
    let takes: Vec<usize> = (history.entries.len() * 19 / 20..history.entries.len()).filter(took).collect();
    let (first, second) = (takes[0], takes[apart]);
    let reply = std::mem::replace(&mut history.entries[first].outcome, Outcome::Failed(String::new()));
    history.entries[first].outcome = std::mem::replace(&mut history.entries[second].outcome, reply);
}

fn main() {
    println!("{:24} {:>10} {:>12} {:>12} {:>6}", "history", "operations", "check", "verify", "core");
    for (container, model) in
        [(Container::Queue, "queue"), (Container::Stack, "stack"), (Container::PriorityQueue, "priority-queue")]
    {
        let build = models::model(model).expect("in the catalogue").build;
        for (operations, bad) in [(100_000, false), (1_000_000, false), (1_000_000, true)] {
            let mut history = container.history(Load { operations, processes: 20, unknown_per_mille: 0 }, 520, 1);
            if bad {
                disturb(&mut history, 100);
            }
            let (verdict, check) = best(|| build().linearizable(&history, &Budget::default()));
            assert_eq!(verdict.is_invalid(), bad, "{model}");
            let core = verdict.anomalies().first().map_or(String::new(), |a| a.operations.len().to_string());
            let certificate = Certificate::new("linearizable", Some(model), operations, verdict);
            let (verified, verify) = best(|| verify::verify(&history, &certificate, &Budget::default()));
            assert_eq!(verified, Verification::Verified, "{model}");
            assert!(matches!(certificate.verdict, Verdict::Valid { .. }) != bad);
            let name = format!("{model} p20 {}", if bad { "bad" } else { "ok" });
            let [check, verify] = [check, verify].map(|t| t.as_secs_f64() * 1e3);
            println!("{name:24} {operations:>10} {check:>9.1} ms {verify:>9.1} ms {core:>6}");
        }
    }
}
