//! Strings that are replaced and added to, as states of a search: of what a string may hold only that matters which some read
//! shows, or the beginning of it.
//!
//! All other contents are one state, from which nothing but a replacement leads back. What is read and not held yet must either
//! begin with what is held, or with what replaces that in time; so most wrong turns end at once.

use super::{automaton::Automaton, problem::Problem};
use crate::{
    model::{Effect, Model},
    partition::FixedMap,
    value::Value,
};

/// What an operation of a class does.
#[derive(Clone, Copy, Debug)]
enum Does<'p> {
    Shows(&'p str),
    Holds(&'p str),
    Adds(&'p str),
    /// It reads, and what is not known.
    Nothing,
}

/// A string. State 0 is the empty one.
pub(super) struct TextAutomaton<'p> {
    classes: Vec<Does<'p>>,
    /// All that is read, sorted.
    shown: Vec<&'p str>,
    /// What is held: a beginning of something that is read, or else nothing that is known.
    states: Vec<Option<&'p str>>,
    ids: FixedMap<Option<&'p str>, u32>,
    steps: FixedMap<(u32, u32), u32>,
}

impl<'p> TextAutomaton<'p> {
    /// `None` where something else is done than to read, replace and add to a text that is empty at first.
    pub(super) fn new<M: Model>(model: &'p M, problem: &'p Problem<'p>) -> Option<Self> {
        let does = |class: &'p super::problem::Class<'p>| {
            Some(match model.effect(class.operation, class.reply) {
                Effect::Reads(value) => Does::Shows(value.as_text()?),
                Effect::Writes(value) => Does::Holds(value.as_text()?),
                Effect::Appends(value) => Does::Adds(value.as_text()?),
                Effect::Observes if class.reply.is_none() => Does::Nothing,
                _ => return None,
            })
        };
        let classes: Vec<Does<'p>> = problem.classes.iter().map(does).collect::<Option<_>>()?;
        if model.initial_value() != Value::from("") {
            return None;
        }
        let mut shown: Vec<&str> = problem
            .ops
            .iter()
            .filter_map(|op| if let Does::Shows(text) = classes[op.class as usize] { Some(text) } else { None })
            .collect();
        shown.sort_unstable();
        shown.dedup();
        let ids = [(Some(""), 0)].into_iter().collect();
        Some(TextAutomaton { classes, shown, states: vec![Some("")], ids, steps: FixedMap::default() })
    }

    /// The state in which this is held.
    fn holding(&mut self, text: &str) -> u32 {
        let at = self.shown.partition_point(|shown| *shown < text);
        let known = self.shown.get(at).filter(|shown| shown.starts_with(text)).map(|shown| &shown[..text.len()]);
        let next = self.states.len() as u32;
        let id = *self.ids.entry(if text.is_empty() { Some("") } else { known }).or_insert(next);
        if id == next {
            self.states.push(known);
        }
        id
    }
}

impl Automaton for TextAutomaton<'_> {
    fn initial(&self) -> u32 {
        0
    }

    fn step(&mut self, state: u32, class: u32, successors: &mut Vec<u32>) {
        let next = match (self.states[state as usize], self.classes[class as usize]) {
            (held, Does::Shows(text)) => (held == Some(text)).then_some(state),
            (_, Does::Nothing) | (None, Does::Adds(_)) => Some(state),
            (held, does) => match self.steps.get(&(state, class)) {
                Some(next) => Some(*next),
                None => {
                    let next = match (held, does) {
                        (Some(held), Does::Adds(text)) => self.holding(&[held, text].concat()),
                        (_, Does::Holds(text)) => self.holding(text),
                        _ => unreachable!("all else was matched before"),
                    };
                    self.steps.insert((state, class), next);
                    Some(next)
                }
            },
        };
        successors.extend(next);
    }

    fn is_cut_off(&self, state: u32, class: u32) -> bool {
        match self.classes[class as usize] {
            Does::Shows(text) => self.states[state as usize].is_none_or(|held| !text.starts_with(held)),
            _ => false,
        }
    }

    fn leads_back(&self, by: u32, class: u32) -> bool {
        match (self.classes[by as usize], self.classes[class as usize]) {
            (Does::Holds(held), Does::Shows(text)) => text.starts_with(held),
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        self.states.len() * 64 + self.steps.len() * 32
    }
}

#[cfg(test)]
mod tests {
    use crate::{budget::Budget, formats::text, linearizability, models::Kv};

    fn is_valid(history: &str) -> bool {
        linearizability::check(&Kv, &text::read(history).unwrap(), &Budget::default()).is_valid()
    }

    #[test]
    fn what_nobody_reads_may_come_in_any_order() {
        let puts = "0: put[k] a; 1: append[k] b @2..9; 2: append[k] c @3..8; 3: append[k] d @4..7; 0: put[k] e @10..11";
        assert!(is_valid(&format!("{puts}; 0: append[k] f; 1: get[k] -> ef")));
        assert!(!is_valid(&format!("{puts}; 0: append[k] f; 1: get[k] -> abf")));
    }

    #[test]
    fn a_replacement_in_time_leads_back() {
        let begun = "0: append[k] a @0..1; 1: put[k] b @2..9";
        assert!(is_valid(&format!("{begun}; 2: append[k] x @3..4; 3: get[k] -> b @5..6")));
        assert!(!is_valid(&format!("{begun}; 2: append[k] x @10..11; 3: get[k] -> ax @12..13")));
        assert!(is_valid(&format!("{begun}; 2: append[k] x @3..6; 3: get[k] -> bx @4..7")));
        assert!(is_valid(&format!("{begun}; 2: get[k] -> a @3..4; 3: get[k] -> b @5..6")));
        assert!(!is_valid(&format!("{begun}; 2: get[k] -> b @3..4; 3: get[k] -> a @5..6")));
    }
}
