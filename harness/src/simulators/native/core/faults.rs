//! Faults strike a native run.

use std::collections::VecDeque;

use super::{Event, Host, run::start};
use crate::simulators::layer::{
    clients::Turn,
    state::{Due, State},
    strikes::Struck,
};

/// A run while a fault strikes it.
pub(super) struct Blow<'a, H>(pub(super) &'a mut H);

impl<H: Host> Struck for Blow<'_, H> {
    type Waiting = H::Own;

    fn state<R>(&mut self, call: impl FnOnce(&mut State<H::Own>) -> R) -> R {
        self.0.core(|c| call(&mut c.state))
    }

    fn beat_at(&mut self, at: u64, index: u32) {
        self.0.core(|c| c.put(at, Event::Due(Due::FaultBeats(index))));
    }

    fn turn(&mut self, turn: Turn) {
        self.0.core(|c| c.put(c.now, Event::Turn(turn)));
    }

    fn stop(&mut self, node: u32) {
        self.0.stop(node);
    }

    fn start(&mut self, node: u32) {
        start(self.0, node);
    }

    fn rearm(&mut self, node: u32) {
        self.0.rearm(node);
    }

    fn resume(&mut self, node: u32, waited: VecDeque<H::Own>) {
        self.0.core(|c| {
            let now = c.now;
            for event in waited {
                c.schedule(now, event);
            }
        });
        self.0.resume(node);
    }
}
