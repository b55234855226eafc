//! The ports of a machine.

/// What is bound to which port. Machines have few, so a sorted list is quicker than a tree.
#[derive(Clone, Default)]
pub(super) struct Ports(Vec<(u16, (u32, u32))>);

impl Ports {
    /// The slot and serial number of what is bound there.
    #[inline]
    pub(super) fn get(&self, port: u16) -> Option<(u32, u32)> {
        // Most machines have one.
        match self.0.first() {
            Some((first, what)) if *first == port => Some(*what),
            _ => self.0.binary_search_by_key(&port, |(p, _)| *p).ok().map(|place| self.0[place].1),
        }
    }

    /// Binds a port that is not bound.
    pub(super) fn insert(&mut self, port: u16, what: (u32, u32)) {
        let place = self.0.partition_point(|(p, _)| *p < port);
        self.0.insert(place, (port, what));
    }

    /// Frees a port.
    pub(super) fn remove(&mut self, port: u16) {
        self.0.retain(|(p, _)| *p != port);
    }

    /// Frees all ports; returns what was bound, by port.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u32, u32)> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(_, what)| what)
    }
}
