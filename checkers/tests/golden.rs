//! Good and bad histories for each checker, with where they come from, and the sentences that people read.

mod judging;

use judging::{check, judge};
use squall_checkers::{
    budget::Budget,
    checker::{CHECKERS, checker},
    formats::text,
    models::{MODELS, model},
    verdict::{Reason, Verdict},
};

#[test]
fn linearizable_registers() {
    insta::assert_snapshot!(check(&[
        (
            "linearizable",
            "Herlihy & Wing 1990, figure 1: overlapping writes may take effect in either order",
            "0: write[x] 0 @0..3; 1: write[x] 1 @1..6; 2: read[x] -> 1 @2..5; 0: read[x] -> 1 @7..8"
        ),
        ("linearizable", "a read of a value nobody wrote", "0: write[x] 1; 1: read[x] -> 7"),
        ("linearizable", "a read that returns before the write is invoked", "1: read[x] -> 1; 0: write[x] 1"),
        (
            "linearizable",
            "the write after a crash is gone",
            "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 1"
        ),
        (
            "linearizable",
            "a leader that was replaced answers from its copy",
            "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 2: read[x] -> 2"
        ),
        (
            "linearizable",
            "Lamport 1986: a regular register is not atomic",
            "0: write[x] 1; 0: write[x] 2 @2..9; 1: read[x] -> 2 @3..4; 2: read[x] -> 1 @5..6"
        ),
        (
            "linearizable",
            "two processes win the same cas",
            "0: write[x] 1; 0: cas[x] [1 2] -> true @2..5; 1: cas[x] [1 3] -> true @3..4"
        ),
        ("linearizable", "a cas on a value that is gone", "0: write[x] 1; 0: write[x] 2; 1: cas[x] [1 3] -> true"),
        ("linearizable", "a failed cas on the value that is there", "0: write[x] 1; 1: cas[x] [1 3] -> false"),
        (
            "linearizable",
            "an unknown write may take effect late",
            "0: write[x] 1 ? timeout @0..1; 1: read[x] -> nil @2..3; 1: read[x] -> 1 @4..5"
        ),
        (
            "linearizable",
            "but only once",
            "0: write[x] 1 ? timeout @0..1; 1: read[x] -> 1 @2..3; 1: write[x] 2 @4..5; 1: read[x] -> 1 @6..7"
        ),
        (
            "linearizable",
            "small values: the same write twice",
            "0: write[x] 1; 1: write[x] 2; 0: write[x] 1; 1: read[x] -> 2"
        ),
        ("linearizable", "what failed did not happen", "0: write[x] 1 ! full; 1: read[x] -> 1"),
        ("linearizable", "nothing succeeded", "0: write[x] 1 ? timeout"),
        ("linearizable register", "not an operation of the model", "0: cas[x] [1 2] -> true"),
    ]));
}

#[test]
fn linearizable_objects() {
    insta::assert_snapshot!(check(&[
        ("linearizable kv", "porcupine's tests", "0: put[k] a; 1: append[k] b; 0: get[k] -> ab"),
        ("linearizable kv", "an append is missing", "0: append[k] a; 1: append[k] b; 0: get[k] -> b"),
        ("linearizable kv", "appends shown in the wrong order", "0: append[k] a; 1: append[k] b; 0: get[k] -> ba"),
        ("linearizable mutex", "two holders", "0: acquire; 1: acquire; 0: release"),
        ("linearizable mutex", "handed over", "0: acquire; 0: release @2..5; 1: acquire @3..4"),
        ("linearizable set", "an element is missing", "0: add 1; 1: add 2; 0: read -> [2]"),
        (
            "linearizable set",
            "two reads that exclude each other",
            "0: add 1 @0..9; 1: add 2 @1..8; 2: read -> [1] @2..5; 3: read -> [2] @3..4"
        ),
        (
            "linearizable queue",
            "Herlihy & Wing 1990, figure 2: first in, first out",
            "0: enqueue x; 1: enqueue y; 1: dequeue -> y"
        ),
        (
            "linearizable queue",
            "the same, but the first enqueue is slow",
            "0: enqueue x @0..9; 1: enqueue y @1..2; 1: dequeue -> y @3..4"
        ),
        ("linearizable queue", "an element comes out twice", "0: enqueue 1; 1: dequeue -> 1; 2: dequeue -> 1"),
        ("linearizable queue", "an element from nowhere", "0: enqueue 1; 1: dequeue -> 2"),
        (
            "linearizable queue",
            "after Henzinger et al. 2013: at every moment something is in",
            "0: enqueue 1; 1: dequeue -> nil @2..9; 0: enqueue 2 @3..4; 2: dequeue -> 1 @5..6"
        ),
        (
            "linearizable queue",
            "an unknown dequeue may have taken it",
            "0: enqueue 1; 1: dequeue ? timeout; 2: enqueue 2; 3: dequeue -> 2; 3: dequeue -> nil"
        ),
        (
            "linearizable queue",
            "but not two",
            "0: enqueue 1; 1: dequeue ? timeout; 2: enqueue 2; 3: enqueue 3; 3: dequeue -> 3"
        ),
        ("linearizable stack", "last in, first out", "0: push 1; 0: push 2; 1: pop -> 2; 1: pop -> 1; 1: pop -> nil"),
        ("linearizable stack", "the lower one first", "0: push 1; 0: push 2; 1: pop -> 1"),
        (
            "linearizable stack",
            "three that do not go together, any two of which do",
            "0: push 1 @0..2; 1: push 2 @1..4; 2: push 3 @3..7; 3: pop -> 1 @5..6; 4: pop -> 2 @8..9; 5: pop -> 3 @10..11"
        ),
        (
            "linearizable priority-queue",
            "the greater one first",
            "0: insert 1; 0: insert 2; 1: extract-min -> 2; 1: extract-min -> 1"
        ),
        (
            "linearizable priority-queue",
            "the smaller one may still have been on its way",
            "0: insert 1 @0..9; 1: insert 2 @1..2; 1: extract-min -> 2 @3..4; 2: extract-min -> 1 @5..6"
        ),
        ("linearizable counter", "an addition is missing", "0: add 1; 1: add 2; 0: read -> 2"),
        (
            "linearizable counter",
            "one is still on its way",
            "0: add 1; 1: add 2 @2..9; 0: read -> 1 @3..4; 0: read -> 3 @5..6"
        ),
        ("linearizable log", "an element is missing", "0: append 1; 1: append 2; 0: read -> [2]"),
        (
            "linearizable log",
            "reads in different orders",
            "0: append 1 @0..9; 1: append 2 @1..8; 2: read -> [1 2] @2..5; 3: read -> [2] @3..4"
        ),
        (
            "linearizable multi-register",
            "a torn transaction",
            "0: txn [[write x 1] [write y 1]] -> [[write x 1] [write y 1]]; 1: txn [[read x nil] [read y nil]] -> [[read x 1] [read y nil]]"
        ),
        (
            "linearizable multi-register",
            "a register by itself that a transaction wrote",
            "0: txn [[write x 1] [write y 1]] -> [[write x 1] [write y 1]]; 1: read[x] -> nil"
        ),
        (
            "linearizable kv",
            "only the last of three keys is wrong",
            "0: append[a] x; 0: append[b] y; 0: append[c] z; 1: get[a] -> x; 1: get[b] -> y; 1: get[c] -> y"
        ),
    ]));
}

#[test]
fn sequential_consistency() {
    insta::assert_snapshot!(check(&[
        (
            "sequential register",
            "Lamport 1979: Dekker's algorithm does not exclude",
            "0: write[x] 1; 0: read[y] -> nil; 1: write[y] 1; 1: read[x] -> nil"
        ),
        (
            "sequential register",
            "Attiya & Welch 1994: stale, but in one order",
            "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2"
        ),
        (
            "sequential register",
            "concurrent writes seen in two orders",
            "0: write[x] 1; 1: write[x] 2; 2: read[x] -> 1; 2: read[x] -> 2; 3: read[x] -> 2; 3: read[x] -> 1"
        ),
        ("sequential register", "a value nobody wrote", "0: write[x] 1; 1: read[x] -> 2"),
        ("sequential register", "a read may return before the write", "1: read[x] -> 1; 0: write[x] 1"),
        (
            "sequential cas-register",
            "values need not be unique",
            "0: write[x] 1; 1: write[x] 2; 0: write[x] 1; 2: read[x] -> 2; 2: read[x] -> 1; 2: read[x] -> 2"
        ),
        ("sequential cas-register", "a failed cas", "0: write[x] 1; 0: cas[x] [1 2] -> false"),
        (
            "sequential kv",
            "appends of two processes",
            "0: append[k] a; 1: append[k] b; 0: get[k] -> a; 1: get[k] -> ba"
        ),
        ("sequential mutex", "two holders", "0: acquire; 1: acquire; 0: release"),
        ("sequential set", "an element is missing for good", "0: add 1; 0: read -> []"),
    ]));
}

#[test]
fn sessions_and_causality() {
    insta::assert_snapshot!(check(&[
        ("monotonic-reads", "Terry et al. 1994", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 2; 1: read[x] -> 1"),
        (
            "monotonic-reads",
            "each process goes forward",
            "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2; 2: read[x] -> nil"
        ),
        ("read-your-writes", "Terry et al. 1994", "0: write[x] 1; 0: read[x] -> nil"),
        ("monotonic-writes", "Terry et al. 1994", "0: write[x] 1; 0: write[y] 2; 1: read[y] -> 2; 1: read[x] -> nil"),
        (
            "writes-follow-reads",
            "a reply is seen without the question",
            "0: write[q] 1; 1: read[q] -> 1; 1: write[a] 2; 2: read[a] -> 2; 2: read[q] -> nil"
        ),
        (
            "causal",
            "the same; after Ahamad et al. 1995",
            "0: write[q] 1; 1: read[q] -> 1; 1: write[a] 2; 2: read[a] -> 2; 2: read[q] -> nil"
        ),
        ("causal", "stale reads alone are no violation", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1"),
        (
            "causal",
            "after Bouajjani et al. 2017: each process alone could explain it",
            "0: write[z] 1; 0: write[x] 1; 0: write[y] 1; 1: write[x] 2; 1: read[z] -> nil; 1: read[y] -> 1; 1: read[x] -> 2; 2: read[x] -> 2; 2: read[x] -> 1"
        ),
        (
            "causal",
            "an overwritten value",
            "0: write[x] 1; 0: write[x] 2; 0: write[y] 3; 1: read[y] -> 3; 1: read[x] -> 1"
        ),
        ("causal", "a circle", "0: read[x] -> 2; 0: write[y] 1; 1: read[y] -> 1; 1: write[x] 2"),
        (
            "causal",
            "concurrent writes seen in two orders",
            "0: write[x] 1; 1: write[x] 2; 2: read[x] -> 1; 2: read[x] -> 2; 3: read[x] -> 2; 3: read[x] -> 1"
        ),
        (
            "causal-memory",
            "Bouajjani et al. 2017, figure 3a: CM and not CCv",
            "0: write[x] 1; 0: read[x] -> 2; 1: write[x] 2; 1: read[x] -> 1"
        ),
        ("causal", "the same", "0: write[x] 1; 0: read[x] -> 2; 1: write[x] 2; 1: read[x] -> 1"),
        (
            "causal-memory",
            "figure 3b: CCv and not CM",
            "0: write[z] 1; 0: write[x] 1; 0: write[y] 1; 1: write[x] 2; 1: read[z] -> nil; 1: read[y] -> 1; 1: read[x] -> 2"
        ),
        (
            "causal",
            "the same",
            "0: write[z] 1; 0: write[x] 1; 0: write[y] 1; 1: write[x] 2; 1: read[z] -> nil; 1: read[y] -> 1; 1: read[x] -> 2"
        ),
        (
            "causal-weak",
            "figure 3c: CC, neither CM nor CCv",
            "0: write[x] 1; 1: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2"
        ),
        ("causal-memory", "the same", "0: write[x] 1; 1: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2"),
        (
            "causal-weak",
            "figure 3e: not even CC",
            "0: write[x] 1; 0: write[y] 1; 1: read[y] -> 1; 1: write[x] 2; 2: read[x] -> 2; 2: read[x] -> 1"
        ),
        (
            "pram",
            "Lipton & Sandberg 1988: each process sees the writes of another in order, but not what they rest on",
            "0: write[q] 1; 1: read[q] -> 1; 1: write[a] 2; 2: read[a] -> 2; 2: read[q] -> nil"
        ),
        (
            "pram",
            "two writes of a process seen in the wrong order",
            "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 2; 1: read[x] -> 1"
        ),
        (
            "pram",
            "two processes may see concurrent writes in two orders",
            "0: write[x] 1; 1: write[x] 2; 2: read[x] -> 1; 2: read[x] -> 2; 3: read[x] -> 2; 3: read[x] -> 1"
        ),
        (
            "sessions",
            "each guarantee may need another order of the versions",
            "0: write[x] 1; 0: read[x] -> 2; 1: write[x] 2; 2: read[x] -> 2; 2: read[x] -> 1"
        ),
        (
            "read-your-writes",
            "the same",
            "0: write[x] 1; 0: read[x] -> 2; 1: write[x] 2; 2: read[x] -> 2; 2: read[x] -> 1"
        ),
        (
            "monotonic-reads",
            "the same",
            "0: write[x] 1; 0: read[x] -> 2; 1: write[x] 2; 2: read[x] -> 2; 2: read[x] -> 1"
        ),
        ("causal", "values must be unique", "0: write[x] 1; 1: write[x] 1; 2: read[x] -> 1"),
    ]));
}

#[test]
fn after_the_faults() {
    insta::assert_snapshot!(check(&[
        (
            "durability",
            "an acknowledged write is gone",
            "0: write[x] 1; 0: write[x] 2; -- final-reads; 1: read[x] -> 1; 2: read[x] -> 1"
        ),
        (
            "durability",
            "one replica is behind, another has it",
            "0: write[x] 1; 0: write[x] 2; -- final-reads; 1: read[x] -> 1; 2: read[x] -> 2"
        ),
        (
            "durability",
            "a concurrent write may have won",
            "0: write[x] 1 @0..3; 1: write[x] 2 @1..2; -- final-reads @4; 2: read[x] -> 1 @5..6"
        ),
        (
            "durability",
            "an unknown write may arrive late",
            "0: write[x] 1 ? timeout; 1: write[x] 2; -- final-reads; 2: read[x] -> 1"
        ),
        ("durability", "an element is gone", "0: add 1; 0: add 2; -- final-reads; 1: read -> [2]"),
        (
            "durability",
            "an element that somebody removed may be gone",
            "0: add 1; 0: add 2; 1: remove 1 -> true; -- final-reads; 1: read -> [2]"
        ),
        ("durability", "no final reads", "0: write[x] 1"),
        (
            "convergence",
            "two replicas differ",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> 1; -- process 1 reads replica 1; 1: read[x] -> nil"
        ),
        (
            "convergence",
            "all agree",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> 1; -- process 2 reads replica 1; 2: read[x] -> 1"
        ),
        (
            "eventual",
            "all agree on what nobody wrote",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> 3; -- process 2 reads replica 1; 2: read[x] -> 3"
        ),
        (
            "eventual",
            "all have forgotten",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> nil; -- process 2 reads replica 1; 2: read[x] -> nil"
        ),
        (
            "eventual",
            "one of two writes wins",
            "0: write[x] 1; 1: write[x] 2; -- process 2 reads replica 0; 2: read[x] -> 1; -- process 3 reads replica 1; 3: read[x] -> 1"
        ),
        (
            "eventual",
            "a union, in any order; what was not acknowledged may be there",
            "0: add 1; 0: add 2; 1: add 3 ? timeout; -- process 2 reads replica 0; 2: read -> [1 2 3]; -- process 3 reads replica 1; 3: read -> [3 2 1]"
        ),
        (
            "eventual",
            "an element is missing everywhere",
            "0: add 1; 0: add 2; -- process 2 reads replica 0; 2: read -> [1]; -- process 3 reads replica 1; 3: read -> [1]"
        ),
        (
            "eventual",
            "an element from nowhere",
            "0: add 1; 1: add 2 ! full; -- process 2 reads replica 0; 2: read -> [1 2]; -- process 3 reads replica 1; 3: read -> [1 2]"
        ),
        (
            "eventual",
            "what was removed is gone, or was added again",
            "0: add 1; 0: add 2; 1: remove 1 -> true; 1: remove 2 -> true; 0: add 2; -- process 2 reads replica 0; 2: read -> [2]; -- process 3 reads replica 1; 3: read -> [2]"
        ),
        (
            "eventual",
            "a removal that did not find the element removes nothing",
            "0: add 1; 1: remove 1 -> false; -- process 2 reads replica 0; 2: read -> [1]; -- process 3 reads replica 1; 3: read -> [1]"
        ),
        (
            "eventual",
            "what was removed is there again",
            "0: add 1; 0: add 2; 1: remove 1 -> true; -- process 2 reads replica 0; 2: read -> [1 2]; -- process 3 reads replica 1; 3: read -> [1 2]"
        ),
        (
            "eventual",
            "a count of unknown outcome may be there",
            "0: add 5; 1: add -3; 1: add 2 ? timeout; -- process 2 reads replica 0; 2: read -> 4; -- process 3 reads replica 1; 3: read -> 4"
        ),
        (
            "eventual",
            "a count is missing",
            "0: add 5; 1: add 3; 1: add 2 ? timeout; -- process 2 reads replica 0; 2: read -> 5; -- process 3 reads replica 1; 3: read -> 5"
        ),
        (
            "eventual",
            "no silence",
            "-- process 1 reads replica 0; 1: read[x] -> nil; -- process 2 reads replica 1; 2: read[x] -> nil; 0: write[x] 1"
        ),
        (
            "eventual",
            "a replica that settles late",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> nil; 1: read[x] -> 1; -- process 2 reads replica 1; 2: read[x] -> 1"
        ),
        (
            "strong-eventual",
            "the same",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> nil; 1: read[x] -> 1; -- process 2 reads replica 1; 2: read[x] -> 1"
        ),
        (
            "strong-eventual",
            "settled",
            "0: write[x] 1; -- process 1 reads replica 0; 1: read[x] -> 1; 1: read[x] -> 1; -- process 2 reads replica 1; 2: read[x] -> 1"
        ),
        (
            "eventual-accuracy",
            "held dead for a while",
            "0: read[1] -> false; -- final-reads; 1: read[1] -> true; 1: read[2] -> true"
        ),
        (
            "eventual-accuracy",
            "held dead for good",
            "0: read[1] -> true; -- final-reads; 1: read[1] -> true; 2: read[1] -> false; 3: read[1] -> false"
        ),
        ("eventual-accuracy", "nobody was asked in the end", "0: read[1] -> false; -- final-reads"),
        ("liveness", "nobody gets on", "0: write[x] 1; -- settle; 0: read[x] ? timeout; 1: write[x] 2 ! refused"),
        ("liveness", "all is well again", "0: write[x] 1 ? timeout; -- settle; 1: read[x] -> 1"),
        ("liveness", "no such phase", "0: write[x] 1"),
        ("liveness", "nothing was asked for", "0: write[x] 1; -- settle"),
    ]));
}

#[test]
fn anomalies_are_named() {
    for (checker, history, kind) in [
        ("linearizable", "0: write[x] 1; 1: read[x] -> 7", "thin-air-read"),
        ("linearizable", "1: read[x] -> 1; 0: write[x] 1", "future-read"),
        ("linearizable", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1", "lost-write"),
        ("linearizable", "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1; 1: read[x] -> 2", "stale-read"),
        ("linearizable", "0: write[x] 1 @0..9; 1: read[x] -> 1 @1..2; 2: read[x] -> nil @3..4", "new-old-inversion"),
        ("linearizable", "0: write[x] 1; 0: write[x] 2; 1: cas[x] [1 3] -> true", "lost-update"),
        ("linearizable", "0: write[x] 1; 1: write[x] 2; 0: write[x] 1; 1: read[x] -> 2; 0: read[x] -> 1", "stale-read"),
        ("linearizable mutex", "0: acquire; 1: acquire", "double-acquire"),
    ] {
        let verdict = judge(checker, history);
        let kinds: Vec<&str> = verdict.anomalies().iter().map(|a| a.kind.as_str()).collect();
        assert_eq!(kinds, [kind], "{history}");
    }
}

#[test]
fn isolation_levels() {
    let t = |process: u32, micros: &str, shown: &str| format!("{process}: txn [{micros}] -> [{shown}]");
    let run = |txns: &[(u32, &str)]| {
        // What is read is written after a slash: `r x/1`.
        let split = |micro: &str| micro.split_once('/').map(|(asked, read)| (asked.to_owned(), read.to_owned()));
        let line = |(process, micros): &(u32, &str)| {
            let micros: Vec<&str> = micros.split(", ").collect();
            let asked = micros.iter().map(|m| split(m).map_or_else(|| format!("[{m}]"), |(a, _)| format!("[{a} nil]")));
            let shown = micros.iter().map(|m| split(m).map_or_else(|| format!("[{m}]"), |(a, r)| format!("[{a} {r}]")));
            t(*process, &asked.collect::<String>(), &shown.collect::<String>())
        };
        txns.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    let cases: Vec<(&str, &str, String)> = vec![
        (
            "snapshot-isolation",
            "Berenson et al. 1995, A5B: write skew",
            run(&[(0, "r x/nil, w y 1"), (1, "r y/nil, w x 2")]),
        ),
        ("serializable", "the same", run(&[(0, "r x/nil, w y 1"), (1, "r y/nil, w x 2")])),
        (
            "snapshot-isolation",
            "Berenson et al. 1995, P4: lost update",
            run(&[(0, "r x/nil, w x 1"), (1, "r x/nil, w x 2")]),
        ),
        ("causal", "the same: causality does not mind", run(&[(0, "r x/nil, w x 1"), (1, "r x/nil, w x 2")])),
        (
            "snapshot-isolation",
            "Sovran et al. 2011: long fork",
            run(&[(0, "w x 1"), (1, "w y 2"), (2, "r x/1, r y/nil"), (3, "r y/2, r x/nil")]),
        ),
        ("read-atomic", "Bailis et al. 2014: fractured read", run(&[(0, "w x 1, w y 1"), (1, "r x/1, r y/nil")])),
        (
            "read-committed",
            "the same, in the order that is a matter of luck",
            run(&[(0, "w x 1, w y 1"), (1, "r y/nil, r x/1")]),
        ),
        ("read-committed", "the same, the other way round", run(&[(0, "w x 1, w y 1"), (1, "r x/1, r y/nil")])),
        ("read-atomic", "a value changes between two reads", run(&[(0, "w x 1"), (1, "w x 2"), (2, "r x/1, r x/2")])),
        ("repeatable-read", "a row appears between two reads", run(&[(0, "w x 1"), (1, "r x/nil, r x/1")])),
        (
            "read-committed",
            "Adya 1999, G1a: a dirty read",
            "0: txn [[w x 1]] ! deadlock; 1: txn [[r x nil]] -> [[r x 1]]".into(),
        ),
        ("read-committed", "Adya 1999, G1b: an intermediate read", run(&[(0, "w x 1, w x 2"), (1, "r x/1")])),
        (
            "read-committed",
            "Adya 1999, G1c: circular information flow",
            run(&[(0, "w x 1, r y/2"), (1, "w y 2, r x/1")]),
        ),
        (
            "read-uncommitted",
            "elle-cli's rw-register.edn, which Elle lets pass: it draws no edge to a read of a value from nowhere",
            run(&[(0, "w x 2"), (0, "r x/3"), (0, "r x/2")]),
        ),
        ("read-committed", "its own write is gone", run(&[(0, "w x 1, r x/nil")])),
        (
            "read-uncommitted",
            "Adya 1999, G0: dirty writes",
            run(&[(0, "append x 1, append y 1"), (1, "append x 2, append y 2"), (2, "r x/[1 2], r y/[2 1]")]),
        ),
        (
            "read-uncommitted",
            "two orders of one list",
            run(&[(0, "append x 1"), (1, "append x 2"), (2, "r x/[1 2]"), (3, "r x/[2]")]),
        ),
        (
            "read-uncommitted",
            "half of a transaction, and then another",
            run(&[(0, "append x 1, append x 2"), (1, "append x 3"), (2, "r x/[1 3]")]),
        ),
        ("read-uncommitted", "an element is there twice", run(&[(0, "append x 1"), (1, "r x/[1 1]")])),
        (
            "read-committed",
            "a commit on top of an abort",
            format!("0: txn [[append x 1]] ! deadlock; {}", run(&[(1, "append x 2"), (2, "r x/[1 2]")])),
        ),
        (
            "serializable",
            "Kingsbury & Alvaro 2020, section 6: nobody saw the appends, yet they are missing",
            run(&[(0, "r x/[], append y 1"), (1, "r y/[], append x 2")]),
        ),
        (
            "snapshot-isolation",
            "write skew, which it allows, and apart from that a fractured read",
            run(&[(0, "r a/nil, w b 1"), (1, "r b/nil, w a 1"), (2, "w x 1, w y 1"), (3, "r x/1, r y/nil")]),
        ),
        ("serializable", "a stale read is no matter of serializability", run(&[(0, "w x 1"), (1, "r x/nil")])),
        ("strict-serializable", "but of strict serializability", run(&[(0, "w x 1"), (1, "r x/nil")])),
        (
            "strong-session-serializable",
            "a process does not see its own transaction",
            run(&[(0, "w x 1"), (0, "r x/nil")]),
        ),
        (
            "serializable",
            "two writes of each key that nobody read before: whichever comes first, the reader saw too little",
            run(&[(0, "w x 1, w y 1"), (1, "w x 2, w y 2"), (2, "r x/1, r y/2")]),
        ),
        (
            "strict-serializable",
            "only the order of each process is known",
            format!("%order processes; {}", run(&[(0, "w x 1")])),
        ),
        ("serializable", "values must be unique", run(&[(0, "w x 1"), (1, "w x 1"), (2, "r x/1")])),
    ];
    let cases: Vec<(&str, &str, &str)> =
        cases.iter().map(|(checker, source, h)| (*checker, *source, h.as_str())).collect();
    insta::assert_snapshot!(check(&cases));
}

#[test]
fn a_spent_budget_is_unknown() {
    // A cas needs a value that only an order of many concurrent writes can leave; there is none.
    let write = |i| format!("{i}: write[x] {} @{i}..{}\n", i % 8, 100 + i);
    let mut history: String = (0..16).map(write).collect::<Vec<_>>().concat();
    history.push_str("20: read[x] -> 1 @200..201\n21: read[x] -> 2 @202..203\n");
    let history = text::read(&history).unwrap();
    let checker = (checker("linearizable").unwrap().build)(model("cas-register")).unwrap();
    let verdict = |steps, bytes| checker.check(&history, &Budget { steps, bytes });
    assert!(matches!(verdict(50, u64::MAX), Verdict::Unknown { reason: Reason::Steps, .. }));
    assert!(matches!(verdict(u64::MAX, 500), Verdict::Unknown { reason: Reason::Memory, .. }));
    assert!(verdict(20_000_000, 1 << 30).is_invalid());
}

#[test]
fn verdicts_compose() {
    let valid = judge("linearizable", "0: write[x] 1");
    let unknown = judge("linearizable", "0: write[x] 1 ?");
    let invalid = judge("linearizable", "0: write[x] 1; 1: read[x] -> nil");
    assert!(valid.clone().worst(unknown.clone()).is_unknown());
    assert!(invalid.clone().worst(unknown.clone()).is_invalid());
    assert!(unknown.worst(invalid.clone()).is_invalid());
    assert_eq!(invalid.clone().worst(invalid).anomalies().len(), 2);
    assert!(valid.clone().worst(valid).is_valid());
}

#[test]
fn names_of_the_catalogue_are_unique_and_kebab_case() {
    let names: Vec<&str> = CHECKERS.iter().map(|c| c.name).chain(MODELS.iter().map(|m| m.name)).collect();
    for (i, name) in names.iter().enumerate() {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        assert!(!names[..i].contains(name), "{name} is there twice");
    }
    for entry in MODELS {
        assert_eq!((entry.build)().name(), entry.name);
    }
    for entry in CHECKERS {
        assert_eq!((entry.build)(MODELS.first()).map(|c| c.name().to_owned()).as_deref(), Some(entry.name));
        assert_eq!((entry.build)(None).is_none(), entry.needs_model);
    }
}
