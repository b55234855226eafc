//! Why chains have no order: the choices that a contradiction rests on, and vertices of the circles that it closes.

use std::collections::VecDeque;

use super::{Deduction, Forced, Why};
use crate::{
    budget::Meter,
    transactions::{
        arrange::{Choice, Impossible},
        graph::{Edge, Kind},
    },
    verdict::Reason,
};

/// What a contradiction rests on.
#[derive(Default)]
pub(super) struct Ground {
    /// Choices, by their numbers.
    pub(super) choices: Vec<u32>,
    /// Vertices of circles.
    pub(super) core: Vec<u32>,
}

impl Forced<'_, '_, '_> {
    /// Neither order of two chains is possible, without any choice.
    pub(super) fn impossible(&self, choice: Choice, meter: &mut Meter) -> Result<Impossible, Reason> {
        let mut ground = Ground::default();
        self.ground(choice, &mut ground, meter)?;
        self.ground(choice.turned(), &mut ground, meter)?;
        Ok(Impossible { core: ground.core, key: choice.key })
    }

    /// Adds why this order closes a circle, if it does.
    pub(super) fn ground(&self, choice: Choice, ground: &mut Ground, meter: &mut Meter) -> Result<(), Reason> {
        let mut open = self.circle_of(choice, self.round, ground, meter)?;
        let mut seen = vec![false; self.deductions.len()];
        while let Some(number) = open.pop() {
            if std::mem::replace(&mut seen[number as usize], true) {
                continue;
            }
            let Deduction { choice, round, why } = &self.deductions[number as usize];
            match why {
                Why::Circle => open.extend(self.circle_of(choice.turned(), *round, ground, meter)?),
                Why::Chosen(level) => ground.choices.push(*level),
                Why::Failed(before) => {
                    ground.choices.extend(&before.choices);
                    ground.core.extend(&before.core);
                }
            }
        }
        Ok(())
    }

    /// Adds the vertices of a circle that this order closes with edges of earlier rounds; answers the deductions that it rests
    /// on.
    fn circle_of(
        &self,
        choice: Choice,
        round: u32,
        ground: &mut Ground,
        meter: &mut Meter,
    ) -> Result<Vec<u32>, Reason> {
        let edges: Vec<(u32, u32)> = self.all.before(choice).collect();
        let mut way = Vec::new();
        for (_, start) in &edges {
            if let Some(found) = self.way(*start, &edges, round, meter)? {
                way = found;
                break;
            }
        }
        ground.core.extend(self.bends(&way));
        let steps = way.windows(2).map(|step| (step[1], step[0]));
        Ok(steps.filter_map(|(from, to)| self.rests_on(from, to)).collect())
    }

    /// The vertices of a way, from its end, without those that it passes along a session: their order is transitive.
    fn bends<'w>(&'w self, way: &'w [u32]) -> impl Iterator<Item = u32> + 'w {
        let along = |from: u32, to: u32| {
            self.graph.leaving(from).iter().any(|edge| edge.to == to && edge.kind == Kind::SESSION)
        };
        let passes =
            move |i: &usize| i + 1 < way.len() && *i > 0 && along(way[i + 1], way[*i]) && along(way[*i], way[i - 1]);
        (0..way.len()).filter(move |i| !passes(i)).map(|i| way[i])
    }

    /// The first deduction that gives this edge, if nothing else does.
    fn rests_on(&self, from: u32, to: u32) -> Option<u32> {
        let early = self.graph.leaving(from).iter().filter(|edge| edge.to == to);
        if early.clone().any(|edge| edge.kind != Kind::FORCED) {
            return None;
        }
        let late = self.added[from as usize].iter().filter(|(end, _)| *end == to).map(|(_, number)| *number);
        early.map(|edge| edge.key).chain(late).min()
    }

    /// A shortest way by edges of earlier rounds from here to where one of these edges leads back from; its vertices from the
    /// end. Only what lies in between is looked at.
    fn way(&self, start: u32, edges: &[(u32, u32)], round: u32, meter: &mut Meter) -> Result<Option<Vec<u32>>, Reason> {
        const NOBODY: u32 = u32::MAX;
        let is_earlier = |number: u32| self.deductions[number as usize].round < round;
        let is_between = |vertex: u32| edges.iter().any(|(end, to)| *to == start && self.reach.leads(vertex, *end));
        if !is_between(start) {
            return Ok(None);
        }
        // The list is filled much faster than a step is taken.
        meter.steps(self.graph.vertices as u64 / 64)?;
        let mut came = vec![NOBODY; self.graph.vertices];
        let mut queue = VecDeque::from([start]);
        while let Some(vertex) = queue.pop_front() {
            meter.step(self.reach.bytes())?;
            if edges.contains(&(vertex, start)) {
                let mut way = vec![vertex];
                while way[way.len() - 1] != start {
                    way.push(came[way[way.len() - 1] as usize]);
                }
                return Ok(Some(way));
            }
            let certain = |e: &&Edge| e.kind != Kind::FORCED || is_earlier(e.key);
            let early = self.graph.leaving(vertex).iter().filter(certain).map(|edge| edge.to);
            let late = self.added[vertex as usize].iter().filter(|(_, number)| is_earlier(*number));
            for to in early.chain(late.map(|(to, _)| *to)) {
                if came[to as usize] == NOBODY && to != start && is_between(to) {
                    came[to as usize] = vertex;
                    queue.push_back(to);
                }
            }
        }
        Ok(None)
    }
}
