//! Orders of chains that follow from what is certain, as the other order would close a circle: to a fixed point (Cobra, Tan et al.
//! 2020; Biswas & Enea 2019 saturate in the same manner). Where some stay open, one is chosen at a time and what follows is
//! drawn again; a contradiction says which choice to take back (conflict-directed backjumping, Prosser 1993).

use self::ground::Ground;
use super::{
    arrange::{Arrangement, Choice, Impossible, tidy},
    graph::{Builder, Graph, Kind},
    reach::Reach,
};
use crate::{budget::Meter, history::Order, verdict::Reason};

mod ground;

/// The first of two chains comes first.
struct Deduction {
    choice: Choice,
    /// It follows from edges of earlier rounds.
    round: u32,
    why: Why,
}

/// What a deduction follows from.
enum Why {
    /// The other order would close a circle.
    Circle,
    /// Nothing: it was the choice of this number, from 1.
    Chosen(u32),
    /// The other order was chosen, and led to a contradiction that rests on this besides.
    Failed(Ground),
}

/// What there was when a choice was made.
struct Level {
    choice: usize,
    deductions: usize,
    edges: usize,
    decided: usize,
    round: u32,
}

/// Orders of chains being found out.
pub(super) struct Forced<'r, 'a, 'h> {
    all: &'r Arrangement<'a, 'h>,
    /// What is certain, with all that follows from it without a choice.
    graph: Graph,
    reach: Reach,
    deductions: Vec<Deduction>,
    round: u32,
    /// The pairs of chains that were open then, and which of them have an order now; by transaction, those whose head it is.
    open: Vec<Choice>,
    is_decided: Vec<bool>,
    decided: Vec<u32>,
    of_head: Vec<Vec<u32>>,
    /// Edges that came since, with their deductions; and all edges backwards.
    added: Vec<Vec<(u32, u32)>>,
    edges: Vec<(u32, u32)>,
    entering: Vec<Vec<u32>>,
    levels: Vec<Level>,
    /// Pairs that may follow from what is known, and whether a pair is one of them.
    pending: Vec<u32>,
    is_pending: Vec<bool>,
}

/// An order of all vertices in which no chains are torn, or why there is none. `sorted` is an order that all edges of `graph`
/// follow. An error says how many pairs of chains had an order.
///
/// Without choices, and there are few, this takes O(vertices · edges / 64 + pairs of chains) for each of some rounds, and a bit
/// for each two vertices.
pub(super) fn order(
    all: &Arrangement<'_, '_>,
    graph: &Graph,
    sorted: Vec<u32>,
    meter: &mut Meter,
) -> Result<Result<Vec<u32>, Impossible>, (Reason, usize)> {
    let mut forced = match Forced::new(all, graph, sorted, meter).map_err(|reason| (reason, 0))? {
        Ok(forced) => forced,
        Err(impossible) => return Ok(Err(impossible)),
    };
    let chosen = forced.choose(meter).map_err(|reason| (reason, forced.deductions.len()))?;
    Ok(chosen.map(|()| forced.sorted()))
}

impl<'r, 'a, 'h> Forced<'r, 'a, 'h> {
    /// All that follows without a choice.
    fn new(
        all: &'r Arrangement<'a, 'h>,
        graph: &Graph,
        mut sorted: Vec<u32>,
        meter: &mut Meter,
    ) -> Result<Result<Self, Impossible>, Reason> {
        let mut forced = Forced {
            all,
            graph: graph.clone(),
            reach: Reach::new(graph, &sorted),
            deductions: Vec::new(),
            round: 0,
            open: all.choices().collect(),
            is_decided: Vec::new(),
            decided: Vec::new(),
            of_head: Vec::new(),
            added: vec![Vec::new(); graph.vertices],
            edges: Vec::new(),
            entering: Vec::new(),
            levels: Vec::new(),
            pending: Vec::new(),
            is_pending: Vec::new(),
        };
        loop {
            // A pair is looked at much faster than a step is taken.
            meter.steps((forced.open.len() / 8 + graph.vertices) as u64)?;
            let known = forced.deductions.len();
            let mut torn = None;
            let mut open = std::mem::take(&mut forced.open);
            open.retain(|&choice| match (forced.closes(choice), forced.closes(choice.turned())) {
                (false, false) => true,
                (true, true) => {
                    torn.get_or_insert(choice);
                    true
                }
                (closes, _) => {
                    let choice = if closes { choice.turned() } else { choice };
                    forced.deductions.push(Deduction { choice, round: forced.round, why: Why::Circle });
                    false
                }
            });
            forced.open = open;
            if let Some(choice) = torn {
                return forced.impossible(choice, meter).map(Err);
            }
            if known == forced.deductions.len() {
                forced.prepare(&sorted);
                return Ok(Ok(forced));
            }
            let mut builder = Builder::split(graph.vertices, graph.txns);
            forced.graph.edges().iter().for_each(|e| builder.add(e.from, e.to, e.kind, e.key));
            for (number, deduction) in (0..).zip(&forced.deductions).skip(known) {
                for (from, to) in all.before(deduction.choice).filter(|(from, to)| !forced.reach.leads(*from, *to)) {
                    builder.add(from, to, Kind::FORCED, number);
                }
            }
            forced.round += 1;
            let next = builder.build();
            match next.sorted() {
                Some(next_sorted) => sorted = next_sorted,
                None => return forced.circle(known, meter).map(Err),
            }
            forced.graph = next;
            forced.reach = Reach::new(&forced.graph, &sorted);
        }
    }

    /// What was forced in the last round contradicts itself: draws it again one by one.
    fn circle(&mut self, known: usize, meter: &mut Meter) -> Result<Impossible, Reason> {
        let last: Vec<Deduction> = self.deductions.drain(known..).collect();
        self.enter();
        for deduction in last {
            if self.closes(deduction.choice) {
                return self.impossible(deduction.choice, meter);
            }
            self.deduce(deduction.choice, Why::Circle);
        }
        unreachable!("a graph that cannot be sorted has a circle")
    }

    /// Edges backwards.
    fn enter(&mut self) {
        self.entering = vec![Vec::new(); self.graph.vertices];
        self.graph.edges().iter().for_each(|edge| self.entering[edge.to as usize].push(edge.from));
        self.of_head = vec![Vec::new(); self.graph.vertices];
    }

    /// Gets ready for choices, those first that come first, the likelier order first.
    fn prepare(&mut self, sorted: &[u32]) {
        self.enter();
        let all = self.all;
        let places = match all.known.all.history.order {
            Order::RealTime => places(sorted),
            Order::Processes => depths(&self.graph, sorted),
        };
        let place = |choice: Choice| all.heads(choice).map(|head| places[all.isolation.begin(head) as usize]);
        let mut open = std::mem::take(&mut self.open);
        for choice in &mut open {
            let [one, other] = place(*choice);
            if other < one {
                *choice = choice.turned();
            }
        }
        open.sort_by_key(|choice| place(*choice)[1]);
        for (number, &choice) in (0..).zip(&open) {
            for head in self.all.heads(choice) {
                self.of_head[head as usize].push(number);
            }
        }
        self.is_decided = vec![false; open.len()];
        self.is_pending = vec![false; open.len()];
        self.open = open;
    }

    /// Whether this order closes a circle.
    fn closes(&self, choice: Choice) -> bool {
        self.all.before(choice).any(|(from, to)| self.reach.leads(to, from))
    }

    /// Decides all pairs that are open.
    fn choose(&mut self, meter: &mut Meter) -> Result<Result<(), Impossible>, Reason> {
        let mut next = 0;
        loop {
            while let Some(pair) = self.pending.pop() {
                self.is_pending[pair as usize] = false;
                if self.is_decided[pair as usize] {
                    continue;
                }
                meter.step(self.reach.bytes())?;
                let choice = self.open[pair as usize];
                match (self.closes(choice), self.closes(choice.turned())) {
                    (false, false) => {}
                    (true, true) => {
                        let mut ground = Ground::default();
                        self.ground(choice, &mut ground, meter)?;
                        self.ground(choice.turned(), &mut ground, meter)?;
                        if let Err(impossible) = self.go_back(ground, choice.key, meter)? {
                            return Ok(Err(impossible));
                        }
                        next = 0;
                    }
                    (closes, _) => {
                        self.decide(pair);
                        self.deduce(if closes { choice.turned() } else { choice }, Why::Circle);
                    }
                }
            }
            let Some(pair) = (next..self.open.len()).find(|pair| !self.is_decided[*pair]) else { return Ok(Ok(())) };
            next = pair;
            self.levels.push(Level {
                choice: pair,
                deductions: self.deductions.len(),
                edges: self.edges.len(),
                decided: self.decided.len(),
                round: self.round,
            });
            self.reach.mark();
            self.decide(pair as u32);
            self.deduce(self.open[pair], Why::Chosen(self.levels.len() as u32));
        }
    }

    fn decide(&mut self, pair: u32) {
        self.is_decided[pair as usize] = true;
        self.decided.push(pair);
    }

    /// Takes an order that closes no circle for true.
    fn deduce(&mut self, choice: Choice, why: Why) {
        let number = self.deductions.len() as u32;
        self.deductions.push(Deduction { choice, round: self.round, why });
        self.round += 1;
        let all = self.all;
        for (from, to) in all.before(choice) {
            if self.reach.leads(from, to) {
                continue;
            }
            self.added[from as usize].push((to, number));
            self.entering[to as usize].push(from);
            self.edges.push((from, to));
            let mut learning = vec![from];
            while let Some(vertex) = learning.pop() {
                if self.reach.join(vertex, to) {
                    learning.extend(&self.entering[vertex as usize]);
                    let of_head = &self.of_head[all.isolation.txn(vertex) as usize];
                    let is_pending = &mut self.is_pending;
                    let new = of_head.iter().filter(|pair| !std::mem::replace(&mut is_pending[**pair as usize], true));
                    self.pending.extend(new);
                }
            }
        }
    }

    /// Takes back the last choice that a contradiction rests on; its other order is true then.
    fn go_back(
        &mut self,
        mut ground: Ground,
        mut key: u32,
        meter: &mut Meter,
    ) -> Result<Result<(), Impossible>, Reason> {
        loop {
            tidy(&mut ground.choices);
            tidy(&mut ground.core);
            let Some(last) = ground.choices.pop() else { return Ok(Err(Impossible { core: ground.core, key })) };
            let mut level = self.levels.pop().expect("the choice was made");
            self.reach.restore();
            while self.levels.len() >= last as usize {
                level = self.levels.pop().expect("it is longer");
                self.reach.restore();
            }
            self.deductions.truncate(level.deductions);
            self.round = level.round;
            for (from, to) in self.edges.drain(level.edges..).rev() {
                self.added[from as usize].pop();
                self.entering[to as usize].pop();
            }
            for pair in self.decided.drain(level.decided..) {
                self.is_decided[pair as usize] = false;
                if !std::mem::replace(&mut self.is_pending[pair as usize], true) {
                    self.pending.push(pair);
                }
            }
            let choice = self.open[level.choice].turned();
            key = choice.key;
            if self.closes(choice) {
                self.ground(choice, &mut ground, meter)?;
                continue;
            }
            self.decide(level.choice as u32);
            self.deduce(choice, Why::Failed(ground));
            return Ok(Ok(()));
        }
    }

    /// An order that all edges follow.
    fn sorted(&self) -> Vec<u32> {
        let mut builder = Builder::split(self.graph.vertices, self.graph.txns);
        self.graph.edges().iter().for_each(|e| builder.add(e.from, e.to, e.kind, e.key));
        self.edges.iter().for_each(|(from, to)| builder.add(*from, *to, Kind::FORCED, 0));
        builder.build().sorted().expect("no edge that closes a circle was added")
    }
}

/// By vertex, where it stands.
pub(super) fn places(sorted: &[u32]) -> Vec<u32> {
    let mut places = vec![0; sorted.len()];
    (0..).zip(sorted).for_each(|(place, vertex)| places[*vertex as usize] = place);
    places
}

/// By vertex, how many must at least come before it, one after the other.
fn depths(graph: &Graph, sorted: &[u32]) -> Vec<u32> {
    let mut depths = vec![0; graph.vertices];
    for &vertex in sorted {
        let next = depths[vertex as usize] + u32::from((vertex as usize) < graph.txns);
        for edge in graph.leaving(vertex) {
            let depth = &mut depths[edge.to as usize];
            *depth = next.max(*depth);
        }
    }
    depths
}
