//! The ledger of a campaign: reports come in any order and are entered in the order of seeds, so that the totals do not depend
//! on the number of jobs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use squall_reports::records::{FailureKind, FaultCount, SeedCounts, Signature, SignatureCount, Totals};

use super::protocol::SeedReport;
use crate::engine::{run::Class, seeds::Seeds};

/// When a campaign ends before its seeds do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// With the seed that is the so-manieth to fail, in the order of seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only seeds that fail with one of these anomalies count for that; all do when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
}

impl Stop {
    /// Whether a failure of this kind counts.
    pub fn counts(&self, signature: &Signature) -> bool {
        self.on.is_empty() || self.on.contains(&signature.anomaly)
    }
}

/// What is known of a campaign's seeds.
#[derive(Clone, Debug)]
pub struct Ledger {
    seeds: Seeds,
    stop: Stop,
    /// All seeds below this one are entered.
    next: u64,
    /// Reports that wait for an earlier seed.
    waiting: BTreeMap<u64, SeedReport>,
    /// Seeds that failed in a way that counts for the end, entered or waiting.
    ending: BTreeSet<u64>,
    /// Seeds that failed, entered or waiting.
    failing: BTreeSet<u64>,
    totals: Totals,
    signatures: BTreeMap<Signature, SignatureCount>,
    faults: BTreeMap<String, FaultCount>,
    outside: u64,
    failing_inside: u64,
    inconclusive: Option<(u64, String)>,
    cpu_us: u64,
    judging_us: u64,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(seeds: Seeds, stop: Stop) -> Self {
        Ledger {
            seeds,
            stop,
            ending: BTreeSet::new(),
            next: seeds.start,
            waiting: BTreeMap::new(),
            failing: BTreeSet::new(),
            totals: Totals::default(),
            signatures: BTreeMap::new(),
            faults: BTreeMap::new(),
            outside: 0,
            failing_inside: 0,
            inconclusive: None,
            cpu_us: 0,
            judging_us: 0,
        }
    }

    /// Takes a report in. One of a seed that is known, or lies outside the campaign, changes nothing.
    pub fn add(&mut self, report: SeedReport) {
        if !self.seeds.contains(report.seed) || report.seed < self.next || self.waiting.contains_key(&report.seed) {
            return;
        }
        if !report.signatures.is_empty() {
            self.failing.insert(report.seed);
        }
        if report.signatures.iter().any(|signature| self.stop.counts(signature)) {
            self.ending.insert(report.seed);
        }
        self.waiting.insert(report.seed, report);
        while let Some(report) = (self.next <= self.last_seed()).then(|| self.waiting.remove(&self.next)).flatten() {
            self.next += 1;
            self.enter(report);
        }
    }

    /// The last seed that counts: the end of the range, or the seed with which the campaign stops, as far as is known now.
    /// It only ever moves down, and a seed below it is never given up.
    pub fn last_seed(&self) -> u64 {
        let nth = self.stop.after.and_then(|n| self.ending.iter().nth(n.saturating_sub(1) as usize));
        nth.copied().unwrap_or(self.seeds.end - 1)
    }

    /// Whether every seed that counts is entered.
    pub fn is_complete(&self) -> bool {
        self.next > self.last_seed()
    }

    /// Enters what still waits for earlier seeds that will never come: the campaign was cut short.
    pub fn close(&mut self) {
        let last = self.last_seed();
        for (seed, report) in std::mem::take(&mut self.waiting) {
            if seed <= last {
                self.enter(report);
            }
        }
    }

    /// How many seeds have a report.
    pub fn known(&self) -> u64 {
        self.totals.seeds.run + self.waiting.len() as u64
    }

    /// How many seeds failed so far.
    pub fn failing(&self) -> u64 {
        self.failing.range(..=self.last_seed()).count() as u64
    }

    /// How many entered seeds failed inside the promise.
    pub fn failing_inside(&self) -> u64 {
        self.failing_inside
    }

    /// How many entered seeds failed under faults that the promise does not cover.
    pub fn failing_outside(&self) -> u64 {
        self.outside
    }

    /// The first entered seed of which nothing can be said, and why.
    pub fn inconclusive(&self) -> Option<(u64, &str)> {
        self.inconclusive.as_ref().map(|(seed, why)| (*seed, why.as_str()))
    }

    /// The figures of all entered seeds; the caller adds names and times.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals.clone();
        totals.signatures = self.signatures.values().cloned().collect();
        totals.signatures.sort_by_key(|s| s.first_seed);
        totals.faults = self.faults.values().cloned().collect();
        totals.cpu_ms = self.cpu_us / 1000;
        totals.checking_cpu_ms = self.judging_us / 1000;
        totals
    }

    fn enter(&mut self, report: SeedReport) {
        *counter(&mut self.totals.seeds, report.class) += 1;
        self.totals.seeds.run += 1;
        self.totals.operations.ok += report.operations.ok;
        self.totals.operations.failed += report.operations.failed;
        self.totals.operations.unknown += report.operations.unknown;
        self.totals.messages += report.messages;
        self.totals.simulated_ns += report.simulated_ns;
        self.cpu_us += report.cpu_us;
        self.judging_us += report.judging_us;
        for fault in report.faults {
            let sum = self.faults.entry(fault.kind.clone()).or_default();
            sum.kind = fault.kind;
            sum.scheduled += fault.scheduled;
            sum.inert += fault.inert;
            sum.unresolved += fault.unresolved;
        }
        if let (None, Some(why)) = (&self.inconclusive, report.inconclusive) {
            self.inconclusive = Some((report.seed, why));
        }
        match (report.signatures.is_empty(), report.inside_promise) {
            (true, _) => {}
            (false, true) => self.failing_inside += 1,
            (false, false) => self.outside += 1,
        }
        for signature in report.signatures {
            let group = self.signatures.entry(signature.clone()).or_insert(SignatureCount {
                signature,
                count: 0,
                first_seed: report.seed,
                inside_promise: false,
            });
            group.count += 1;
            group.inside_promise |= report.inside_promise;
        }
    }
}

fn counter(seeds: &mut SeedCounts, class: Class) -> &mut u64 {
    match class {
        Class::Valid => &mut seeds.valid,
        Class::Invalid => &mut seeds.invalid,
        Class::Unknown => &mut seeds.unknown,
        Class::Vacuous => &mut seeds.vacuous,
        Class::Failed(FailureKind::Panic) => &mut seeds.panic,
        Class::Failed(FailureKind::Abort) => &mut seeds.abort,
        Class::Failed(FailureKind::Hang) => &mut seeds.hang,
        Class::Failed(FailureKind::StepLimit) => &mut seeds.step_limit,
        Class::Failed(FailureKind::Memory) => &mut seeds.memory,
    }
}

#[cfg(test)]
mod tests {
    use squall_reports::records::OperationCounts;

    use super::*;

    fn report(seed: u64, anomaly: Option<&str>) -> SeedReport {
        let signature = |anomaly: &str| Signature {
            system: "s".to_owned(),
            checker: "linearizability".to_owned(),
            anomaly: anomaly.to_owned(),
        };
        SeedReport {
            seed,
            class: if anomaly.is_some() { Class::Invalid } else { Class::Valid },
            signatures: anomaly.map(signature).into_iter().collect(),
            inside_promise: true,
            inconclusive: None,
            operations: OperationCounts::default(),
            messages: 1,
            simulated_ns: 0,
            faults: vec![FaultCount { kind: "crash".to_owned(), scheduled: 2, inert: 1, unresolved: 0 }],
            cpu_us: 600,
            judging_us: 100,
        }
    }

    /// Even seeds are stale reads, every fifth is a lost write as well as its own class.
    fn of(seed: u64) -> SeedReport {
        report(
            seed,
            (seed.is_multiple_of(2)).then_some(if seed.is_multiple_of(10) { "lost-write" } else { "stale-read" }),
        )
    }

    #[test]
    fn totals_do_not_depend_on_the_order_of_arrival() {
        let seeds = Seeds { start: 3, end: 30 };
        let totals = |order: Vec<u64>, after| {
            let mut ledger = Ledger::new(seeds, Stop { after, on: Vec::new() });
            for seed in order {
                ledger.add(of(seed));
            }
            assert!(ledger.is_complete());
            ledger.totals()
        };
        for after in [None, Some(1), Some(4), Some(1000)] {
            let forward = totals((3..30).collect(), after);
            assert_eq!(forward, totals((3..30).rev().collect(), after));
            assert_eq!(forward, totals((3..30).map(|i| 3 + i * 7 % 27).collect(), after));
        }
    }

    #[test]
    fn a_campaign_stops_with_the_nth_failing_seed_in_seed_order() {
        let mut ledger = Ledger::new(Seeds { start: 0, end: 100 }, Stop { after: Some(2), on: Vec::new() });
        ledger.add(of(8));
        ledger.add(of(6));
        assert_eq!(ledger.last_seed(), 8, "two failures are known, yet earlier seeds may still fail");
        assert!(!ledger.is_complete());
        for seed in 0..3 {
            ledger.add(of(seed));
        }
        assert_eq!(ledger.last_seed(), 2);
        assert!(ledger.is_complete());
        ledger.close();
        assert_eq!((ledger.totals().seeds.run, ledger.failing()), (3, 2));
    }

    #[test]
    fn only_the_anomalies_asked_for_end_a_campaign() {
        let stop = Stop { after: Some(1), on: vec!["lost-write".to_owned()] };
        let mut ledger = Ledger::new(Seeds { start: 1, end: 100 }, stop);
        for seed in 1..50 {
            ledger.add(of(seed));
        }
        assert_eq!((ledger.last_seed(), ledger.totals().seeds.run, ledger.failing()), (10, 10, 5));
    }

    #[test]
    fn failures_are_grouped_with_their_count_and_first_seed() {
        let mut ledger = Ledger::new(Seeds { start: 1, end: 12 }, Stop::default());
        for seed in (1..12).rev() {
            ledger.add(of(seed));
            ledger.add(of(seed));
        }
        let totals = ledger.totals();
        let groups: Vec<_> =
            totals.signatures.iter().map(|s| (s.signature.anomaly.as_str(), s.count, s.first_seed)).collect();
        assert_eq!(groups, [("stale-read", 4, 2), ("lost-write", 1, 10)]);
        assert_eq!(totals.faults, [FaultCount { kind: "crash".to_owned(), scheduled: 22, inert: 11, unresolved: 0 }]);
        assert_eq!((totals.cpu_ms, totals.checking_cpu_ms), (6, 1));
    }

    #[test]
    fn a_campaign_cut_short_counts_what_it_has() {
        let mut ledger = Ledger::new(Seeds { start: 0, end: 10 }, Stop::default());
        ledger.add(of(1));
        ledger.add(of(7));
        assert_eq!((ledger.known(), ledger.totals().seeds.run), (2, 0));
        ledger.close();
        assert_eq!((ledger.known(), ledger.totals().seeds.run), (2, 2));
    }
}
