//! Small directed graphs with labelled edges: is one vertex reachable from another, and what is a shortest cycle?

use std::collections::VecDeque;

/// Edges by the vertex they leave.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    edges: Vec<Vec<(usize, usize)>>,
}

impl Graph {
    pub(crate) fn new(vertices: usize) -> Self {
        Graph { edges: vec![Vec::new(); vertices] }
    }

    /// Adds an edge that `label` shows.
    pub(crate) fn add(&mut self, from: usize, to: usize, label: usize) {
        self.edges[from].push((to, label));
    }

    /// Which vertices a path of at least one edge leads to. O(edges).
    pub(crate) fn reached_from(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.edges.len()];
        let mut ready = vec![from];
        while let Some(v) = ready.pop() {
            for to in self.successors(v) {
                if !std::mem::replace(&mut reached[to], true) {
                    ready.push(to);
                }
            }
        }
        reached
    }

    /// The place of each vertex in an order that all edges follow; `None` where they make a cycle. O(edges).
    pub(crate) fn places(&self) -> Option<Vec<usize>> {
        let mut degree = vec![0_usize; self.edges.len()];
        self.edges.iter().flatten().for_each(|(to, _)| degree[*to] += 1);
        let mut sorted: Vec<usize> = (0..degree.len()).filter(|&v| degree[v] == 0).collect();
        let mut places = vec![0; degree.len()];
        let mut next = 0;
        while let Some(&v) = sorted.get(next) {
            places[v] = next;
            next += 1;
            for to in self.successors(v) {
                degree[to] -= 1;
                if degree[to] == 0 {
                    sorted.push(to);
                }
            }
        }
        (sorted.len() == degree.len()).then_some(places)
    }

    /// A cycle with as few edges as any through its first vertex, as vertices with the labels of the edges that leave them.
    /// O(edges) when there is none.
    pub(crate) fn shortest_cycle(&self) -> Option<Vec<(usize, usize)>> {
        let on_cycles = self.not_sorted();
        // Enough to be short: the first few vertices that lie on cycles.
        let cycles = on_cycles.iter().take(64).map(|&v| self.path(v, v)).filter(|path| !path.is_empty());
        cycles.min_by_key(Vec::len)
    }

    /// The vertices that `v` has edges to.
    pub(crate) fn successors(&self, v: usize) -> impl Iterator<Item = usize> {
        self.edges[v].iter().map(|(to, _)| *to)
    }

    /// The vertices that cannot be put in an order, because they lie on a cycle or between cycles.
    fn not_sorted(&self) -> Vec<usize> {
        let reversed = self.reversed();
        let mut alive = vec![true; self.edges.len()];
        // Neither vertices that nothing alive leads to, nor those that lead to nothing alive, lie on a cycle.
        for (forward, backward) in [(&self.edges, &reversed), (&reversed, &self.edges)] {
            let mut degree: Vec<usize> =
                backward.iter().map(|edges| edges.iter().filter(|(v, _)| alive[*v]).count()).collect();
            let mut ready: Vec<usize> = (0..degree.len()).filter(|&v| alive[v] && degree[v] == 0).collect();
            while let Some(v) = ready.pop() {
                alive[v] = false;
                for &(to, _) in forward[v].iter().filter(|(to, _)| alive[*to]) {
                    degree[to] -= 1;
                    if degree[to] == 0 {
                        ready.push(to);
                    }
                }
            }
        }
        (0..alive.len()).filter(|&v| alive[v]).collect()
    }

    fn reversed(&self) -> Vec<Vec<(usize, usize)>> {
        let mut reversed = vec![Vec::new(); self.edges.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for &(to, label) in edges {
                reversed[to].push((from, label));
            }
        }
        reversed
    }

    /// A shortest path with at least one edge, as the vertices it leaves with the labels of the edges it takes; empty if there
    /// is none.
    pub(crate) fn path(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut came: Vec<Option<(usize, usize)>> = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(v) = queue.pop_front() {
            for &(next, label) in &self.edges[v] {
                if came[next].is_some() {
                    continue;
                }
                came[next] = Some((v, label));
                if next == to {
                    let mut path = Vec::new();
                    let mut at = to;
                    loop {
                        let (before, label) = came[at].expect("reached through `came`");
                        path.push((before, label));
                        at = before;
                        if at == from {
                            break;
                        }
                    }
                    path.reverse();
                    return path;
                }
                queue.push_back(next);
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_cycle_is_found() {
        let mut graph = Graph::new(6);
        for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 1), (3, 4), (4, 3), (4, 5)] {
            graph.add(from, to, 10 * from + to);
        }
        assert_eq!(graph.shortest_cycle(), Some(vec![(3, 34), (4, 43)]));
        assert_eq!(graph.reached_from(3), [false, true, true, true, true, true]);
        let mut line = Graph::new(3);
        line.add(0, 1, 0);
        line.add(1, 2, 0);
        assert_eq!(line.shortest_cycle(), None);
        assert_eq!((graph.places(), line.places()), (None, Some(vec![0, 1, 2])));
    }
}
