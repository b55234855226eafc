//! Who comes before whom and nothing else: enough for an order, in a quarter of the memory of a [`Graph`](super::graph::Graph).

use super::graph;

/// By vertex, those that come after it, as often as there are edges.
pub(super) struct Successors {
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Successors {
    /// `edges` tells all edges to what it is given, each time the same. O(vertices + edges).
    pub(super) fn new(vertices: usize, edges: impl Fn(&mut dyn FnMut(u32, u32))) -> Self {
        // Where the next one of each vertex is placed, one vertex further on.
        let mut starts = vec![0_u32; vertices + 2];
        edges(&mut |from, _| starts[from as usize + 2] += 1);
        for vertex in 2..starts.len() {
            starts[vertex] += starts[vertex - 1];
        }
        let mut all = vec![0; starts[vertices + 1] as usize];
        edges(&mut |from, to| {
            let place = &mut starts[from as usize + 1];
            all[*place as usize] = to;
            *place += 1;
        });
        starts.pop();
        Successors { starts, all }
    }

    pub(super) fn of(&self, vertex: u32) -> &[u32] {
        &self.all[self.starts[vertex as usize] as usize..self.starts[vertex as usize + 1] as usize]
    }

    /// By vertex, those that come before it.
    pub(super) fn reversed(&self) -> Successors {
        Successors::new(self.vertices(), |edge| {
            for from in 0..self.vertices() as u32 {
                self.of(from).iter().for_each(|&to| edge(to, from));
            }
        })
    }

    /// All vertices in an order that all edges follow, as early as they may come; `None` if there is a cycle.
    pub(super) fn sorted(&self) -> Option<Vec<u32>> {
        graph::sorted(self.vertices(), |_| (), |vertex| self.of(vertex).iter().copied())
    }

    fn vertices(&self) -> usize {
        self.starts.len() - 1
    }
}
