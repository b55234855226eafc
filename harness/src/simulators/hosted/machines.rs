//! The machines of a run in another runtime: what waits at their doors, and what each one's host is asked to do.

use std::{collections::VecDeque, rc::Rc, task::Waker};

use super::core::Core;
use crate::{
    environment::{
        Address,
        world::{DiskKey, Place, TaskKey, TimerKey},
    },
    simulators::layer::{disk::Sync, machine::Caller, payload::Payload, streams::StreamEvent},
};

/// Something that reaches a machine, and waits at its door while the machine stands still or is slow.
#[derive(Clone)]
pub(in crate::simulators) enum Arrival {
    Datagram { from: Address, to: Address, payload: Payload },
    Timer(TimerKey),
    Disk(DiskDone),
    Stream(StreamEvent),
}

impl Caller for Arrival {
    fn may_be_lost(&self) -> bool {
        match self {
            Arrival::Datagram { .. } => true,
            Arrival::Stream(event) => event.is_sent_again(),
            Arrival::Timer(_) | Arrival::Disk(_) => false,
        }
    }
}

/// A disk request that came to its end.
#[derive(Clone)]
pub(in crate::simulators) struct DiskDone {
    pub(super) place: Place,
    pub(super) request: DiskKey,
    pub(super) sync: Option<Sync>,
}

/// What a machine's main task is asked to do.
pub(super) enum Command {
    Spawn(TaskKey),
    Send { to: u32, bytes: Vec<u8>, arrives_ns: u64 },
    Connect { stream: u32, serial: u32, to: u32 },
}

/// Sends a datagram to a machine, to arrive there at a true time; from within the sender's own tasks.
pub(super) type Port = Rc<dyn Fn(u32, &[u8], u64)>;

/// Where a machine's host is asked for things.
#[derive(Default)]
pub(super) struct Door {
    /// Where its datagrams set out, once it is open.
    pub(super) port: Option<Port>,
    /// Tasks that were woken while the machine stood still.
    pub(super) stalled: Vec<TaskKey>,
    commands: VecDeque<Command>,
    /// The host's main task.
    main: Option<Waker>,
}

impl Core {
    /// Asks a machine's main task for something.
    pub(super) fn command(&mut self, machine: u32, command: Command) {
        let door = &mut self.doors[machine as usize];
        door.commands.push_back(command);
        if let Some(main) = door.main.take() {
            main.wake();
        }
    }

    /// What a machine's main task does next; it is woken when there is something.
    pub(super) fn next_command(&mut self, machine: u32, waker: &Waker) -> Option<Command> {
        let door = &mut self.doors[machine as usize];
        let command = door.commands.pop_front();
        if command.is_none() {
            door.main = Some(waker.clone());
        }
        command
    }
}
