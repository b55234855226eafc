//! What must hold of every schedule.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::plan::{Fault, FaultClass, FaultKind, Reach, SECOND, Target, Tolerates};

const CHAOS_NS: u64 = 15 * SECOND;

fn everything() -> Tolerates {
    Tolerates::these(&FaultClass::ALL)
}

fn draw(seed: u64, nodes: u32, tolerates: &Tolerates, nemeses: &str) -> Vec<Fault> {
    let selection = NemesisSelection::parse(nemeses).unwrap();
    schedule(
        seed,
        &Scene { nodes, chaos_ns: CHAOS_NS, tolerates, reaches: Reach::everywhere, beyond: selection.beyond },
        &selection,
    )
}

fn text(faults: &[Fault]) -> String {
    let ms = |ns| ns / 1_000_000;
    let line = |f: &Fault| format!("{} {}+{} ms: {f}\n", f.id, ms(f.begins_ns), ms(f.lasts_ns));
    faults.iter().map(line).collect::<Vec<_>>().concat()
}

#[test]
fn the_schedule_of_a_seed_is_the_same_for_ever() {
    let seeds = [1, 2, 3, 4];
    let drawn: Vec<String> = seeds.map(|s| format!("seed {s}\n{}", text(&draw(s, 3, &everything(), "all")))).into();
    insta::assert_snapshot!(drawn.join("\n"));
}

#[test]
fn each_nemesis_alone_draws_what_it_always_drew() {
    let drawn: Vec<String> =
        NEMESES.iter().map(|n| format!("{}\n{}", n.name, text(&draw(11, 5, &everything(), n.name)))).collect();
    insta::assert_snapshot!(drawn.join("\n"));
}

#[test]
fn names_are_unique_and_in_kebab_case() {
    let names: BTreeSet<&str> = NEMESES.iter().map(|n| n.name).collect();
    assert_eq!(names.len(), NEMESES.len());
    assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
}

#[test]
fn every_kind_of_fault_and_target_appears() {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut targets: BTreeSet<&str> = BTreeSet::new();
    for fault in (0..1000).flat_map(|seed| draw(seed, 5, &everything(), "all,zones,healing,overload,limits,membership"))
    {
        *kinds.entry(fault.kind.name()).or_default() += 1;
        targets.insert(match fault.target {
            Target::All => "all",
            Target::Nodes(_) => "nodes",
            Target::Leader => "leader",
            Target::Random(_) => "random",
            Target::Minority => "minority",
            Target::Majority => "majority",
            Target::Zone { .. } => "zone",
        });
    }
    assert_eq!(kinds.len(), 24, "{kinds:?}");
    assert!(kinds.values().all(|n| *n > 20), "{kinds:?}");
    assert_eq!(targets.into_iter().collect::<Vec<_>>(), ["all", "leader", "majority", "minority", "nodes", "zone"]);
}

#[test]
fn some_seeds_have_few_faults_and_some_many_and_each_turns_some_kinds_off() {
    let sizes: Vec<usize> = (0..1000).map(|seed| draw(seed, 3, &everything(), "all").len()).collect();
    let share = |range: std::ops::Range<usize>| sizes.iter().filter(|n| range.contains(n)).count();
    assert_eq!(share(0..1), 0, "a seed without faults tests nothing");
    assert!(share(1..4) > 300, "{} seeds of few faults", share(1..4));
    assert!(share(10..60) > 200, "{} seeds of many faults", share(10..60));
    let most = (0..1000)
        .map(|seed| draw(seed, 3, &everything(), "all").iter().map(|f| f.kind.name()).collect::<BTreeSet<_>>().len())
        .max();
    assert!(most < Some(19), "no seed has every kind");
}

#[test]
fn a_nemesis_draws_the_same_beside_others() {
    let mut shared = 0;
    for seed in 0..200 {
        let alone = draw(seed, 3, &everything(), "partition");
        let beside = draw(seed, 3, &everything(), "partition,clock,pause");
        let cuts: Vec<_> = beside.iter().filter(|f| f.kind.name() == "partition").collect();
        if cuts.is_empty() || beside.len() <= 3 {
            continue; // turned off, or cut down to a few
        }
        shared += 1;
        let plain = |f: &Fault| (f.begins_ns, f.lasts_ns, f.target.clone(), f.kind.clone());
        assert_eq!(cuts.into_iter().map(plain).collect::<Vec<_>>(), alone.iter().map(plain).collect::<Vec<_>>());
    }
    assert!(shared > 20, "{shared}");
}

#[test]
fn beyond_draws_outside_the_promise_and_says_which() {
    let promise = Tolerates::these(&[FaultClass::Partition]);
    let mut seen = 0;
    for seed in 0..20 {
        let faults = draw(seed, 3, &promise, "beyond");
        let outside = promise.outside(&faults, 3);
        seen += outside.len();
        for fault in &faults {
            assert_eq!(outside.contains(&fault.id), fault.kind.name() != "partition");
        }
        assert!(promise.outside(&draw(seed, 3, &promise, "all"), 3).is_empty());
    }
    assert!(seen > 20, "{seen} faults outside");
}

#[test]
fn a_promise_of_no_faults_and_a_selection_of_none_draw_none() {
    assert!(draw(1, 3, &Tolerates::none(), "all").is_empty());
    assert!(draw(1, 3, &everything(), "none").is_empty());
}

#[test]
fn changes_of_members_are_drawn_only_where_they_are_offered() {
    for nemeses in ["membership", "membership,beyond"] {
        assert!((0..50).all(|seed| draw(seed, 3, &Tolerates::all_but(&[]), nemeses).is_empty()), "{nemeses}");
        let offered: Vec<Fault> = (0..50).flat_map(|seed| draw(seed, 3, &everything(), nemeses)).collect();
        let removals = offered.iter().filter(|f| f.kind == FaultKind::Removal).count();
        assert!(removals > 50 && removals < offered.len(), "{removals} of {}", offered.len());
        assert!((0..50).all(|seed| draw(seed, 1, &everything(), nemeses).is_empty()), "somebody has to stay");
    }
}

#[test]
fn selections_are_read_by_name() {
    let names = |text: &str| NemesisSelection::parse(text).map(|s| s.names().join(","));
    assert_eq!(names("crash, partition"), Ok("partition,crash".to_owned()));
    assert_eq!(names("pause,beyond"), Ok("pause,beyond".to_owned()));
    let by_default = NEMESES.iter().filter(|n| n.by_default).count();
    assert_eq!(NemesisSelection::parse("beyond").unwrap().entries.len(), by_default);
    assert_eq!(NemesisSelection::parse("all").unwrap().entries.len(), by_default);
    assert_eq!(NemesisSelection::parse("all,zones").unwrap().entries.len(), by_default + 1);
    assert_eq!(names("none"), Ok(String::new()));
    assert_eq!(names("crsh"), Err(UnknownNemesis { name: "crsh".to_owned() }));
}

fn promises() -> impl Strategy<Value = Tolerates> {
    (prop::sample::subsequence(FaultClass::ALL.to_vec(), 0..=FaultClass::ALL.len()), any::<bool>()).prop_map(
        |(classes, minority)| {
            let tolerates = Tolerates::these(&classes);
            if minority { tolerates.in_a_minority() } else { tolerates }
        },
    )
}

/// How many nodes may be struck at the same moment, by counting at each beginning.
fn struck_at_once(faults: &[Fault], nodes: u32) -> u32 {
    let strikes: Vec<&Fault> = faults
        .iter()
        .filter(|f| matches!(f.kind, FaultKind::Crash { .. } | FaultKind::Pause | FaultKind::Wipe | FaultKind::Removal))
        .collect();
    let at =
        |ns: u64| strikes.iter().filter(move |f| f.begins_ns <= ns && ns < f.ends_ns()).map(|f| f.target.most(nodes));
    strikes.iter().map(|f| at(f.begins_ns).sum()).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn every_fault_lies_inside_the_promise_and_the_chaos_phase(
        seed: u64, tolerates in promises(), nodes in 1_u32..8, chaos_ns in 1_u64..30 * SECOND,
    ) {
        let selection = NemesisSelection::parse("all,zones,healing,overload,limits,membership").unwrap();
        let faults = schedule(seed, &Scene { nodes, chaos_ns, tolerates: &tolerates, reaches: Reach::everywhere, beyond: false }, &selection);
        let ids: BTreeSet<u32> = faults.iter().map(|f| f.id).collect();
        prop_assert_eq!(ids.len(), faults.len());
        for fault in &faults {
            prop_assert!(tolerates.fault(&fault.kind), "{} is outside", fault);
            prop_assert!(fault.lasts_ns > 0 && fault.ends_ns() <= chaos_ns, "{} ends late", fault);
            prop_assert!(fault.target.most(nodes) > 0, "{} strikes nobody", fault);
        }
        if tolerates.minority_only {
            prop_assert!(struck_at_once(&faults, nodes) <= (nodes - 1) / 2);
        }
        prop_assert!(faults.is_sorted_by_key(|f| f.begins_ns));
    }
}

/// Partitions of anybody, drifts of all clocks at once, and nothing else.
fn partitions_and_drifts(kind: &FaultKind) -> Reach {
    match kind {
        FaultKind::Partition { .. } => Reach::Each,
        FaultKind::ClockDrift { .. } => Reach::Cluster,
        _ => Reach::Nobody,
    }
}

#[test]
fn what_cannot_be_done_is_not_drawn_even_beyond_the_promise() {
    let mut drawn = [0; 2];
    for nemeses in ["all", "beyond"] {
        let selection = NemesisSelection::parse(nemeses).unwrap();
        for seed in 0..100 {
            let (tolerates, reaches) = (&everything(), partitions_and_drifts);
            let scene = Scene { nodes: 3, chaos_ns: CHAOS_NS, tolerates, reaches, beyond: selection.beyond };
            let faults = schedule(seed, &scene, &selection);
            assert!(!faults.is_empty(), "seed {seed} tests nothing");
            for fault in faults {
                assert!(reaches(&fault.kind).meets(&fault.target, 3), "{fault}");
                drawn[usize::from(matches!(fault.kind, FaultKind::ClockDrift { .. }))] += 1;
            }
        }
    }
    assert!(drawn.iter().all(|n| *n > 30), "{drawn:?}");
}
