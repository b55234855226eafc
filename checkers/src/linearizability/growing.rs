//! Logs and sets that only grow: decided in O(n log n), for the reads fix where everything belongs.
//!
//! What a read saw is the object at one point of its life, so all that was ever seen lies on one chain, each step of which
//! contains the one before. An addition belongs right before the first step that contains it; one that certainly happened
//! and was never seen belongs after the last. What is left is whether that order agrees with real time ([`super::levels`]).

use std::collections::BTreeMap;

use super::{
    Shortcut,
    levels::{self, Contradiction, Levelled},
    problem::Problem,
};
use crate::{
    anomaly::{self, describe},
    history::History,
    model::{Effect, Model},
    operation::Name,
    partition::FixedMap,
    value::Value,
    verdict::Anomaly,
};

/// Decides the object if it only grows and every addition adds something of its own.
pub(super) fn check<M: Model>(model: &M, history: &History, key: &Value, problem: &Problem<'_>) -> Shortcut {
    let effects: Vec<Effect<'_>> =
        problem.classes.iter().map(|class| model.effect(class.operation, class.reply)).collect();
    let effect = |op: usize| effects[problem.ops[op].class as usize];
    let is_log = (0..problem.ops.len()).all(|i| matches!(effect(i), Effect::Appends(_) | Effect::Reads(_)));
    let is_set = (0..problem.ops.len()).all(|i| matches!(effect(i), Effect::Adds(_) | Effect::ReadsAll(_)));
    let is_list = (0..problem.ops.len()).all(|i| matches!(effect(i), Effect::Extends(_) | Effect::ReadsInOrder(_)));
    let placed = if is_log && model.initial_value() == Value::from("") {
        place_log(problem, effect)
    } else if is_set {
        place_set(problem, effect)
    } else if is_list {
        place_list(problem, effect)
    } else {
        None
    };
    let Some(placed) = placed else { return Shortcut::Undecided };
    let witness = Witness { history, problem, key };
    match placed {
        Err(Impossible::ThinAir(op)) => {
            let sentence = format!("{} saw something that nobody added.", witness.say(op));
            Shortcut::Illegal(witness.anomaly(anomaly::THIN_AIR_READ, vec![op], sentence))
        }
        Err(Impossible::Apart(a, b)) => {
            let sentence = format!(
                "{} and {} cannot both be: neither saw what the other saw and more.",
                witness.say(a),
                witness.say(b)
            );
            Shortcut::Illegal(witness.anomaly(anomaly::NON_LINEARIZABLE, vec![a, b], sentence))
        }
        Ok(mut levelled) => match levels::order(&mut levelled) {
            Ok(()) => Shortcut::Legal(levelled.into_iter().map(|o| problem.ops[o.op as usize].entry()).collect()),
            Err(contradiction) => Shortcut::Illegal(witness.contradiction(&levelled, contradiction)),
        },
    }
}

/// Why reads cannot lie on one chain.
enum Impossible {
    ThinAir(usize),
    Apart(usize, usize),
}

/// Additions are on odd levels, reads on even ones. `None` where this path cannot decide.
type Placed = Option<Result<Vec<Levelled>, Impossible>>;

/// The level of an addition that nobody saw.
const UNSEEN: u32 = u32::MAX;

fn levelled(problem: &Problem<'_>, op: usize, level: u32) -> Levelled {
    let o = &problem.ops[op];
    Levelled { op: op as u32, level, call: o.call, ret: o.ret }
}

/// The levels of additions, given the step of the chain that first contains each.
fn place_additions<'a>(
    problem: &Problem<'_>,
    additions: impl Iterator<Item = (usize, &'a Value)>,
    first_seen: impl Fn(&Value) -> Option<u32>,
    placed: &mut Vec<Levelled>,
) {
    for (op, added) in additions {
        match first_seen(added) {
            Some(step) => placed.push(levelled(problem, op, 2 * step - 1)),
            None if problem.ops[op].certain() => placed.push(levelled(problem, op, UNSEEN)),
            None => {}
        }
    }
}

fn place_log<'a>(problem: &Problem<'_>, effect: impl Fn(usize) -> Effect<'a>) -> Placed {
    let mut pieces: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reads: Vec<(usize, &str)> = Vec::new();
    let mut additions: Vec<(usize, &Value)> = Vec::new();
    for i in 0..problem.ops.len() {
        match effect(i) {
            Effect::Appends(value) => {
                let text = value.as_text().filter(|text| !text.is_empty())?;
                if pieces.insert(text, i).is_some() {
                    return None;
                }
                additions.push((i, value));
            }
            Effect::Reads(value) => reads.push((i, value.as_text()?)),
            _ => return None,
        }
    }
    // If no piece begins with another, a text falls into pieces in one way at most.
    let texts: Vec<&str> = pieces.keys().copied().collect();
    if texts.windows(2).any(|pair| pair[1].starts_with(pair[0])) {
        return None;
    }
    reads.sort_by_key(|(op, text)| (text.len(), *op));
    let mut placed = Vec::with_capacity(problem.ops.len());
    let mut steps: FixedMap<&str, u32> = FixedMap::default();
    let (mut whole, mut step) = ("", 0);
    for (i, &(op, text)) in reads.iter().enumerate() {
        if !text.starts_with(whole) {
            return Some(Err(Impossible::Apart(reads[i - 1].0, op)));
        }
        let mut rest = &text[whole.len()..];
        while !rest.is_empty() {
            let piece = pieces.range(..=rest).next_back().map(|(piece, _)| *piece).filter(|p| rest.starts_with(p));
            let Some(piece) = piece else { return Some(Err(Impossible::ThinAir(op))) };
            step += 1;
            if steps.insert(piece, step).is_some() {
                return Some(Err(Impossible::ThinAir(op)));
            }
            rest = &rest[piece.len()..];
        }
        whole = text;
        placed.push(levelled(problem, op, 2 * step));
    }
    let first_seen = |value: &Value| steps.get(value.as_text()?).copied();
    place_additions(problem, additions.into_iter(), first_seen, &mut placed);
    Some(Ok(placed))
}

fn place_list<'a>(problem: &Problem<'_>, effect: impl Fn(usize) -> Effect<'a>) -> Placed {
    let mut elements: FixedMap<&Value, usize> = FixedMap::default();
    let mut reads: Vec<(usize, &[Value])> = Vec::new();
    let mut additions = Vec::new();
    for i in 0..problem.ops.len() {
        match effect(i) {
            Effect::Extends(value) => {
                if elements.insert(value, i).is_some() {
                    return None;
                }
                additions.push((i, value));
            }
            Effect::ReadsInOrder(value) => reads.push((i, value.as_list()?)),
            _ => return None,
        }
    }
    reads.sort_by_key(|(op, list)| (list.len(), *op));
    let mut placed = Vec::with_capacity(problem.ops.len());
    let mut steps: FixedMap<&Value, u32> = FixedMap::default();
    let mut whole: &[Value] = &[];
    for (i, &(op, list)) in reads.iter().enumerate() {
        if !list.starts_with(whole) {
            return Some(Err(Impossible::Apart(reads[i - 1].0, op)));
        }
        for element in &list[whole.len()..] {
            let step = steps.len() as u32 + 1;
            if !elements.contains_key(element) || steps.insert(element, step).is_some() {
                return Some(Err(Impossible::ThinAir(op)));
            }
        }
        whole = list;
        placed.push(levelled(problem, op, 2 * whole.len() as u32));
    }
    place_additions(problem, additions.into_iter(), |value| steps.get(value).copied(), &mut placed);
    Some(Ok(placed))
}

fn place_set<'a>(problem: &Problem<'_>, effect: impl Fn(usize) -> Effect<'a>) -> Placed {
    let mut elements: FixedMap<&Value, usize> = FixedMap::default();
    let mut reads: Vec<(usize, Vec<&Value>)> = Vec::new();
    let mut additions = Vec::new();
    for i in 0..problem.ops.len() {
        match effect(i) {
            Effect::Adds(value) => {
                if elements.insert(value, i).is_some() {
                    return None;
                }
                additions.push((i, value));
            }
            Effect::ReadsAll(value) => {
                let mut seen: Vec<&Value> = value.as_list()?.iter().collect();
                seen.sort_unstable();
                seen.dedup();
                reads.push((i, seen));
            }
            _ => return None,
        }
    }
    reads.sort_by_key(|(op, seen)| (seen.len(), *op));
    let mut placed = Vec::with_capacity(problem.ops.len());
    let mut steps: FixedMap<&Value, u32> = FixedMap::default();
    let mut step = 0;
    for (i, (op, seen)) in reads.iter().enumerate() {
        let known = steps.len();
        let mut kept = 0;
        for &element in seen {
            if !elements.contains_key(element) {
                return Some(Err(Impossible::ThinAir(*op)));
            }
            if steps.contains_key(element) {
                kept += 1;
            }
        }
        if kept < known {
            return Some(Err(Impossible::Apart(reads[i - 1].0, *op)));
        }
        if seen.len() > known {
            step += 1;
            for &element in seen {
                steps.entry(element).or_insert(step);
            }
        }
        placed.push(levelled(problem, *op, 2 * step));
    }
    place_additions(problem, additions.into_iter(), |value| steps.get(value).copied(), &mut placed);
    Some(Ok(placed))
}

struct Witness<'p> {
    history: &'p History,
    problem: &'p Problem<'p>,
    key: &'p Value,
}

impl Witness<'_> {
    fn contradiction(&self, placed: &[Levelled], found: Contradiction) -> Anomaly {
        let Contradiction { earlier, later } = found;
        let is_read = |o: Levelled| o.level.is_multiple_of(2);
        let (first, second) = (self.say(later.op as usize), self.say(earlier.op as usize));
        let named = || vec![later.op as usize, earlier.op as usize];
        // Who shows that an addition came at its level: the first read that saw it.
        let seen_by = |o: Levelled| {
            let reads = placed.iter().filter(|r| is_read(**r) && r.level > o.level);
            reads.min_by_key(|r| (r.level, r.op)).map(|r| r.op as usize)
        };
        match (is_read(later), is_read(earlier)) {
            (true, true) => {
                let sentence = format!("{second} saw less than {first}, which had returned before it began.");
                self.anomaly(anomaly::NEW_OLD_INVERSION, named(), sentence)
            }
            (true, false) => {
                let sentence = format!("{first} returned before {second}, which it saw, was invoked.");
                self.anomaly(anomaly::FUTURE_READ, named(), sentence)
            }
            (false, true) => {
                let kind = if later.level == UNSEEN { anomaly::LOST_WRITE } else { anomaly::STALE_READ };
                let sentence = format!("{second} does not show {first}, which had been acknowledged before it began.");
                self.anomaly(kind, named(), sentence)
            }
            (false, false) => {
                let shown = seen_by(earlier);
                let by = shown.map_or(String::new(), |op| format!("{} shows ", self.say(op)));
                let sentence =
                    format!("{by}{second} without {first}, which had been acknowledged before it was invoked.");
                let operations = named().into_iter().chain(shown).collect();
                let kind = if later.level == UNSEEN { anomaly::LOST_WRITE } else { anomaly::STALE_READ };
                self.anomaly(kind, operations, sentence)
            }
        }
    }

    fn say(&self, op: usize) -> String {
        describe(&self.history.entries[self.problem.ops[op].entry()])
    }

    fn anomaly(&self, kind: Name, operations: Vec<usize>, sentence: String) -> Anomaly {
        let entries = operations.into_iter().map(|i| self.problem.ops[i].entry()).collect();
        Anomaly::new(kind, self.key.clone(), entries, sentence)
    }
}
