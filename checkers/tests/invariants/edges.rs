//! Where an invariant begins to be broken, case by case, and what it does not judge. The verifier agrees.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    formats::text,
    verdict::{Reason, Verdict},
    verify::{self, Verification},
};

use crate::judging;

/// What is judged by when it happened is not judged where nobody knows when.
#[test]
fn a_history_without_real_time_says_nothing_of_the_end() {
    for (name, history) in [
        ("durability", "0: write[x] 1; 1: write[x] 2; -- final-reads; 2: read[x] -> 1"),
        ("liveness", "-- settle; 0: write[x] 1 ? timeout"),
        ("convergence", REPLICAS_DIFFER),
        ("eventual", REPLICAS_DIFFER),
        ("strong-eventual", REPLICAS_DIFFER),
    ] {
        assert!(judging::judge(name, history).is_invalid(), "{name}");
        let verdict = judging::judge(name, &format!("%order processes\n{history}"));
        let Verdict::Unknown { reason, detail } = &verdict else { panic!("{name}: {verdict:?}") };
        assert_eq!(*reason, Reason::Precondition, "{name}");
        assert!(detail.contains("does not say what happened when"), "{name}: {detail}");
    }
}

const REPLICAS_DIFFER: &str = "0: write[x] 1; -- process 1 reads replica 0; -- process 2 reads replica 1; \
    1: read[x] -> 1; 2: read[x] -> nil";

/// Each history is judged, and the verifier vouches for what is said of it, and not for the opposite.
fn judged(cases: &[(&str, &str, &str)]) {
    for (name, expected, history) in cases {
        let verdict = judging::judge(name, history);
        let found = match &verdict {
            Verdict::Valid { .. } => "valid",
            Verdict::Unknown { reason: Reason::Precondition, detail } => detail,
            Verdict::Unknown { .. } => "vacuous",
            Verdict::Invalid { anomalies } => anomalies[0].kind.as_str(),
        };
        // A reason is named in part.
        assert!(found.contains(expected), "{name}: {history}: {expected}, but {verdict:?}");
        let history = text::read(history).unwrap();
        let verify = |verdict: Verdict| {
            let certificate = Certificate::new(name, None, history.entries.len(), verdict);
            verify::verify(&history, &certificate, &Budget::default())
        };
        if !verdict.is_unknown() {
            assert_eq!(verify(verdict.clone()), Verification::Verified, "{name}: {expected}");
        }
        if !verdict.is_valid() {
            assert_ne!(verify(Verdict::VALID), Verification::Verified, "{name}: {expected}");
        }
    }
}

#[test]
fn an_element_is_lost_with_the_last_read_of_a_replica_that_had_it() {
    judged(&[
        ("set-full", "lost-element", "0: add 1; 1: read -> [1]; 1: read -> []"),
        ("set-full", "lost-element", "0: add 1; -- final-reads; 1: read -> [1]; 1: read -> []"),
        ("set-full", "lost-element", "0: add 1; -- final-reads; 2: read -> []; 1: read -> [1]; 1: read -> []"),
        ("set-full", "lost-element", "0: add 1; 1: read -> [1]; -- final-reads; 1: read -> []; 2: read -> []"),
        ("set-full", "lost-element", "0: add 1 ? late; -- final-reads; 1: read -> [1]; 1: read -> []; 2: add 2"),
        // Two processes that read one replica.
        (
            "set-full",
            "lost-element",
            "0: add 1; -- final-reads; -- process 1 reads replica 0; -- process 2 reads replica 0; 1: read -> [1]; 2: read -> []",
        ),
        // Another replica has it still.
        ("set-full", "valid", "0: add 1; -- final-reads; 1: read -> [1]; 2: read -> []"),
        ("set-full", "valid", "0: add 1; -- final-reads; 1: read -> [1]; 2: read -> [1]; 1: read -> []"),
        (
            "set-full",
            "valid",
            "0: add 1; -- final-reads; -- process 1 reads replica 0; 1: read -> [1]; -- process 1 reads replica 1; 1: read -> []",
        ),
        // Who showed it may have been read last.
        (
            "set-full",
            "valid",
            "0: add 1; -- final-reads; -- process 1 reads replica 0; -- process 2 reads replica 0; 1: read -> [1] @10..13; 2: read -> [] @11..12; 3: read -> [] @14..15",
        ),
        ("set-full", "valid", "0: add 1; -- final-reads; 1: read -> []; 1: read -> [1]"),
    ]);
}

#[test]
fn a_removal_excuses_what_it_may_have_removed() {
    let replicas = "-- process 1 reads replica 0; -- process 2 reads replica 1; 1: read -> []; 2: read -> []";
    for (excused, updates) in [
        (true, "0: add 1; 0: remove 1 -> true"),
        (true, "0: add 1; 0: remove 1"),
        (true, "0: add 1; 0: remove 1 ? late"),
        (false, "0: add 1; 0: remove 1 ! full"),
        (false, "0: add 1; 0: remove 1 -> false"),
        (false, "0: add 1; 0: remove 1 -> true; 0: add 1"),
        (false, "0: remove 1; 0: add 1"),
        // It may take effect at any time.
        (true, "3: remove 1 ? late; 0: add 1"),
        (true, "0: add 1; 3: remove 1 @10..13; 0: add 1 @11..12"),
        (true, "0: add 1 @10..13; 3: remove 1 -> true @11..12"),
    ] {
        let gone = |kind| if excused { "valid" } else { kind };
        judged(&[
            ("set-full", gone("lost-element"), &format!("{updates}; 1: read -> []")),
            ("set-full", gone("lost-element"), &format!("{updates}; -- final-reads; 1: read -> []")),
            ("durability", gone("lost-acknowledged-write"), &format!("{updates}; -- final-reads; 1: read -> []")),
            ("eventual", gone("unexplained-state"), &format!("{updates}; {replicas}")),
        ]);
    }
    judged(&[
        // Shown, so it was added; but if before the removal, that may have come late.
        ("set-full", "valid", "0: add 1 ? late; 2: remove 1; 1: add 1 ? late; 3: read -> [1]; 3: read -> []; 3: add 2"),
        ("set-full", "lost-element", "2: remove 1; 0: add 1 ? late; 3: read -> [1]; 3: read -> []; 3: add 2"),
    ]);
}

#[test]
fn a_final_read_of_what_nobody_wrote_says_nothing() {
    let unknown = "operation 2, `read(\"x\")`, shows a value that nobody wrote";
    let writes = "0: write[x] 1; 0: write[x] 2; -- final-reads";
    judged(&[
        ("durability", unknown, &format!("{writes}; 1: read[x] -> 77")),
        ("durability", unknown, &format!("{writes}; 1: read[x] -> 77; 2: read[x] -> 1")),
        ("durability", "valid", &format!("{writes}; 1: read[x] -> 77; 2: read[x] -> 2")),
        ("durability", "lost-acknowledged-write", &format!("{writes}; 2: read[x] -> 1")),
        // What is certain of another key stays certain.
        (
            "durability",
            "lost-acknowledged-write",
            &format!("0: write[y] 1; {writes}; 1: read[x] -> 77; 2: read[y] -> nil"),
        ),
        ("durability", "nobody wrote", "0: write[x] 1; 0: write[x] 2 ! full; -- final-reads; 1: read[x] -> 2"),
        ("durability", "valid", "0: write[x] 1; 2: write[x] 2 ? late; -- final-reads; 1: read[x] -> 2"),
    ]);
}

#[test]
fn replicas_that_show_no_elements_explain_nothing() {
    let shown = |last: &str| {
        format!(
            "0: add 1; -- process 1 reads replica 0; -- process 2 reads replica 1; 1: read -> {last}; 2: read -> {last}"
        )
    };
    judged(&[
        ("convergence", "valid", &shown("a")),
        ("eventual", "operation 1, a read, shows no elements", &shown("a")),
        ("eventual", "divergence", &format!("{}; 2: read -> b", shown("a"))),
        ("eventual", "operation 3, a read, shows no integer", &format!("{}; 1: read -> a; 2: read -> a", shown("1"))),
    ]);
}

#[test]
fn replies_that_nobody_understands_are_named() {
    judged(&[
        ("log-order", r#"operation 1, `poll("p")`, replied ["a"],"#, "0: send[p] a -> 0; 1: poll[p] -> [a]"),
        (
            "log-order",
            r#"operation 1, `poll("p")`, replied [[0 "a"] "b"],"#,
            "0: send[p] a -> 0; 1: poll[p] -> [[0 a] b]",
        ),
        ("log-order", r#"operation 1, `poll("p")`, replied nil,"#, "0: send[p] a -> 0; 1: poll[p]"),
        ("log-order", r#"operation 0, `send("p", "a")`, replied "b","#, "0: send[p] a -> b; 1: poll[p] -> [[0 a]]"),
        ("log-order", r#"operation 0, `send([["send" "p" "a"]])`"#, "0: send [[send p a]] -> [[send p [0 b]]]"),
        (
            "log-order",
            r#"operation 0, `txn([["poll"] ["send" "p" "a"]])`"#,
            "0: txn [[poll] [send p a]] -> [[poll {}]]",
        ),
        ("log-order", r#"operation 0, `poll([["poll"]])`"#, "0: poll [[poll]] -> [[poll {p [a]}]]"),
        ("log-order", "operation 0, `poll()`", "0: poll -> [[send p a]]"),
        // An offset may be left out, and a poll may show nothing.
        ("log-order", "valid", "0: send[p] a; 1: poll[p] -> []; 1: poll[p] -> [[0 a]]"),
        ("log-order", "valid", "0: send [[send p a]] -> [[send p a]]; 1: poll [[poll]] -> [[poll {p [[0 a]]}]]"),
        ("log-order", "valid", "0: send[p] a -> 0; 1: poll[p] ? late; 2: send [[send p b]] ? late"),
        ("fencing-tokens", r#"operation 1, `acquire()`, replied "a","#, "0: acquire -> 1; 1: acquire -> a"),
        ("mutual-exclusion", r#"operation 1, `acquire()`, replied "a","#, "0: acquire -> 1; 1: acquire -> a"),
        ("mutual-exclusion", "operation 1, `acquire()`, replied false,", "0: acquire -> true; 1: acquire -> false"),
        ("fencing-tokens", "operation 1, `acquire()`, replied false,", "0: acquire -> 1; 1: acquire -> false"),
        ("mutual-exclusion", "double-acquire", "0: acquire -> true; 1: acquire -> true"),
        ("unique-ids", "operation 0, a generate, replied no id", "0: generate; 1: generate"),
        ("total-queue", r#"operation 1, `drain()`, replied "a","#, "0: enqueue 1; 1: drain -> a; 1: dequeue -> 1"),
        ("at-most-once", r#"operation 1, `drain()`, replied "a","#, "0: enqueue 1; 1: drain -> a; 1: dequeue -> 1"),
    ]);
}
