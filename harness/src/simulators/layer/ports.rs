//! The ports of a machine.

use std::io;

use super::physics::EPHEMERAL;

/// What is bound to which port. Machines have few, so a sorted list is quicker than a tree.
#[derive(Clone, Default)]
pub(crate) struct Ports(Vec<(u16, (u32, u32))>);

impl Ports {
    /// The slot and serial number of what is bound there.
    #[inline]
    pub(crate) fn get(&self, port: u16) -> Option<(u32, u32)> {
        // Most machines have one.
        match self.0.first() {
            Some((first, what)) if *first == port => Some(*what),
            _ => self.0.binary_search_by_key(&port, |(p, _)| *p).ok().map(|place| self.0[place].1),
        }
    }

    /// Binds a port that is not bound.
    pub(crate) fn insert(&mut self, port: u16, what: (u32, u32)) {
        let place = self.0.partition_point(|(p, _)| *p < port);
        self.0.insert(place, (port, what));
    }

    /// Frees a port.
    pub(crate) fn remove(&mut self, port: u16) {
        self.0.retain(|(p, _)| *p != port);
    }

    /// Frees all ports; returns what was bound, by port.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (u32, u32)> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(_, what)| what)
    }
}

/// The ports that are given to those who do not ask for one: the next of each machine.
pub(crate) struct Ephemeral(Vec<u16>);

impl Ephemeral {
    pub(crate) fn new(machines: usize) -> Self {
        Ephemeral(vec![EPHEMERAL; machines])
    }

    /// The port asked for, or a free one when 0 is asked for.
    pub(crate) fn pick(&mut self, machine: u32, port: u16, taken: impl Fn(u16) -> bool) -> io::Result<u16> {
        match port {
            0 => self.next_free(machine, taken),
            port if taken(port) => Err(io::Error::new(io::ErrorKind::AddrInUse, format!("port {port} is taken"))),
            port => Ok(port),
        }
    }

    fn next_free(&mut self, machine: u32, taken: impl Fn(u16) -> bool) -> io::Result<u16> {
        let next = &mut self.0[machine as usize];
        for _ in EPHEMERAL..=u16::MAX {
            let port = *next;
            *next = port.checked_add(1).unwrap_or(EPHEMERAL);
            if !taken(port) {
                return Ok(port);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "every port is taken"))
    }
}
