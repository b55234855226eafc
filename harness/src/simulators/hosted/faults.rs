//! Faults strike a run in another runtime.

use std::collections::VecDeque;

use super::{conductor::Conductor, core::Event, machines::Arrival};
use crate::{
    environment::System,
    simulators::layer::{
        clients::Turn,
        state::{Due, State},
        strikes::Struck,
    },
};

impl<S: System> Struck for Conductor<S> {
    type Waiting = Arrival;

    fn state<R>(&mut self, call: impl FnOnce(&mut State<Arrival>) -> R) -> R {
        self.core(|core| call(core))
    }

    fn beat_at(&mut self, at: u64, index: u32) {
        self.core(|core| {
            core.put(at, Event::Due(Due::FaultBeats(index)));
        });
    }

    fn turn(&mut self, turn: Turn) {
        self.core(|core| {
            core.put(core.now, Event::Turn(turn));
        });
    }

    fn stop(&mut self, node: u32) {
        self.kill(node, false);
    }

    fn start(&mut self, node: u32) {
        self.launch(node);
    }

    fn rearm(&mut self, node: u32) {
        self.world.borrow_mut().rearm(node);
    }

    fn resume(&mut self, node: u32, waited: VecDeque<Arrival>) {
        let world = &mut *self.world.borrow_mut();
        for arrival in waited {
            world.arrive(node, arrival);
        }
        world.resume(node);
    }
}
