//! The checker `causal`: causal convergence (`CCv`) of registers by bad patterns (Bouajjani, Enea, Guerraoui & Hamza 2017).
//!
//! What happened before what is the order of each process together with who read from whom. The history is causally
//! convergent iff none of these is there:
//!
//! * happened-before is a circle, or a read saw a value that nobody wrote;
//! * a read saw nothing although a write of its key happened before it;
//! * a read saw a write although an overwrite of that one happened before the read;
//! * the writes that reads passed over in favour of others cannot be put in one order that all agree on.
//!
//! Values that were read must have been written once.

use crate::{
    anomaly,
    budget::Budget,
    checker::{Checker, CheckerEntry},
    graph::Graph,
    history::History,
    observations::{Observations, Source},
    operation::Name,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "causal",
    summary: "What happened before is seen before, and all agree on the order of concurrent writes (CCv).",
    needs_model: false,
    build: |_| Some(Box::new(Causal)),
};

struct Causal;

impl Checker for Causal {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        match Observations::new(history) {
            Ok(seen) => Verdict::of(Judge { history, seen: &seen }.anomaly().into_iter().collect()),
            Err(verdict) => verdict,
        }
    }
}

struct Judge<'h> {
    history: &'h History,
    seen: &'h Observations,
}

impl Judge<'_> {
    fn anomaly(&self) -> Option<Anomaly> {
        let nodes = &self.seen.nodes;
        if let Some(node) = (0..nodes.len()).find(|&n| nodes[n].reads == Some(Source::ThinAir)) {
            let sentence = format!("{} saw a value that nobody wrote.", self.say(node));
            return Some(self.report(anomaly::THIN_AIR_READ, node, vec![node], sentence));
        }
        let mut happened = self.happened_before();
        if let Some(cycle) = happened.shortest_cycle() {
            let sentence = format!("{} depends on itself through what was read.", self.say(cycle[0].0));
            return Some(self.circle(anomaly::CYCLIC_CAUSALITY, &cycle, sentence));
        }
        let clocks = self.clocks(&happened);
        let last_writes = self.last_writes();
        let mut passed_over = Vec::new();
        for (reader, node) in nodes.iter().enumerate() {
            let Some(source) = node.reads else { continue };
            for (session, writes) in last_writes.iter().enumerate() {
                // The last write of this key in that session that happened before the reader.
                let known = clocks[reader][session] - usize::from(session == node.session);
                let writes = &writes[node.key];
                let Some(&write) = writes[..writes.partition_point(|(index, _)| *index < known)].last().map(|(_, w)| w)
                else {
                    continue;
                };
                match source {
                    Source::Initial => return Some(self.saw_nothing(reader, write)),
                    Source::Node(writer) if writer != write => passed_over.push((write, writer, reader)),
                    Source::Node(_) | Source::ThinAir => {}
                }
            }
        }
        for &(write, writer, reader) in &passed_over {
            let index = self.index(writer);
            if clocks[write][nodes[writer].session] > index {
                let sentence = format!(
                    "{} saw {}, although {}, which came after that, happened before it.",
                    self.say(reader),
                    self.say(writer),
                    self.say(write)
                );
                let operations = vec![reader, writer, write];
                return Some(self.report(anomaly::CAUSALLY_STALE_READ, reader, operations, sentence));
            }
        }
        for &(write, writer, reader) in &passed_over {
            happened.add(write, writer, reader);
        }
        let cycle = happened.shortest_cycle()?;
        let sentence =
            format!("What was read puts {} both before and after other writes of its key.", self.say(cycle[0].0));
        Some(self.circle(anomaly::CYCLIC_CONFLICT, &cycle, sentence))
    }

    /// The order of each process, and from each write to those who read it.
    fn happened_before(&self) -> Graph {
        let mut graph = Graph::new(self.seen.nodes.len());
        for session in &self.seen.sessions {
            for pair in session.windows(2) {
                graph.add(pair[0], pair[1], pair[1]);
            }
        }
        for (reader, node) in self.seen.nodes.iter().enumerate() {
            if let Some(Source::Node(writer)) = node.reads {
                graph.add(writer, reader, reader);
            }
        }
        graph
    }

    /// For each node and session, how many of the session's first nodes happened before it, itself included.
    fn clocks(&self, happened: &Graph) -> Vec<Vec<usize>> {
        let mut clocks = vec![vec![0; self.seen.sessions.len()]; self.seen.nodes.len()];
        for node in happened.sorted() {
            let session = self.seen.nodes[node].session;
            clocks[node][session] = self.index(node) + 1;
            let clock = clocks[node].clone();
            for next in happened.successors(node) {
                for (there, here) in clocks[next].iter_mut().zip(&clock) {
                    *there = (*there).max(*here);
                }
            }
        }
        clocks
    }

    /// By session and key: the writes, with their index in the session.
    fn last_writes(&self) -> Vec<Vec<Vec<(usize, usize)>>> {
        let mut writes = vec![vec![Vec::new(); self.seen.keys.len()]; self.seen.sessions.len()];
        for (session, nodes) in self.seen.sessions.iter().enumerate() {
            for (index, &node) in nodes.iter().enumerate() {
                if self.seen.nodes[node].writes {
                    writes[session][self.seen.nodes[node].key].push((index, node));
                }
            }
        }
        writes
    }

    /// The place of a node in its session.
    fn index(&self, node: usize) -> usize {
        let session = &self.seen.sessions[self.seen.nodes[node].session];
        session.binary_search(&node).expect("sessions hold their nodes in order")
    }

    fn saw_nothing(&self, reader: usize, write: usize) -> Anomaly {
        let (reader_said, write_said) = (self.say(reader), self.say(write));
        let sentence = format!("{reader_said} saw nothing, although {write_said} happened before it.");
        self.report(anomaly::READ_OF_INITIAL, reader, vec![reader, write], sentence)
    }

    fn circle(&self, kind: Name, cycle: &[(usize, usize)], sentence: String) -> Anomaly {
        let operations = cycle.iter().flat_map(|(from, label)| [*from, *label]).collect();
        self.report(kind, cycle[0].0, operations, sentence)
    }

    fn say(&self, node: usize) -> String {
        self.seen.say(self.history, node)
    }

    fn report(&self, kind: Name, about: usize, operations: Vec<usize>, sentence: String) -> Anomaly {
        let entries = operations.into_iter().map(|n| self.seen.nodes[n].entry).collect();
        Anomaly::new(kind, self.seen.keys[self.seen.nodes[about].key].clone(), entries, sentence)
    }
}
