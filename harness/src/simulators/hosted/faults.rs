//! Faults of a run in another runtime: what happens when one begins, beats and ends.

use squall_checkers::history::MarkKind;

use super::{conductor::Conductor, core::Event};
use crate::{
    environment::System,
    plan::{FaultKind, NodeId, mix},
    simulators::TraceKind,
};

impl<S: System> Conductor<S> {
    pub(super) fn fault_begins(&mut self, index: usize) {
        let (kind, nodes, hash) = self.core(|core| {
            core.digest(0x8 << 60 | (index as u64) << 1, 0);
            let observed = std::mem::take(&mut core.observed);
            core.faults.begin(index, &observed);
            core.observed = observed;
            let fault = core.faults.fault(index).clone();
            let nodes = core.faults.struck(index).to_vec();
            let text = fault.to_string();
            core.clients.mark(MarkKind::FaultBegins(fault.id, text.clone()), core.stamp());
            core.trace(None, || TraceKind::Fault { id: fault.id, text: format!("begins: {text}, on {nodes:?}") });
            let hash = core.faults.hash(index);
            core.network.begin(index as u32, &fault, &nodes, core.nodes, core.now, hash);
            if let Some(beat) = core.faults.beat_ns(index) {
                core.put(core.now.saturating_add(beat), Event::FaultBeats(index));
            }
            (fault.kind, nodes, hash)
        });
        for node in nodes {
            match kind {
                FaultKind::Crash { .. } | FaultKind::Wipe => self.crash(index, &kind, node, hash),
                FaultKind::BitRot { bits } => self.core(|core| {
                    for bit in 0..bits {
                        let draw = mix(mix(hash, u64::from(node.0)), u64::from(bit));
                        if let Some((file, at)) = core.machines[node.0 as usize].disk.rot(draw) {
                            core.faults.touched(index, 1);
                            let text = format!("byte {at} of {file} rots");
                            core.trace(Some(node.0), || TraceKind::Disk { text });
                        }
                    }
                }),
                _ => {}
            }
            self.refresh(node.0);
        }
    }

    /// A machine loses power, and its disk what the fault takes.
    fn crash(&mut self, index: usize, kind: &FaultKind, node: NodeId, hash: u64) {
        let was_up = self.core(|core| {
            let was_up = core.machines[node.0 as usize].up;
            core.take_down(node.0);
            core.trace(Some(node.0), || TraceKind::Process { text: "is killed".to_owned() });
            was_up
        });
        if was_up {
            self.kill(node.0, false);
        }
        self.core(|core| {
            let disk = &mut core.machines[node.0 as usize].disk;
            let lost = match kind {
                FaultKind::Crash { loss } => disk.lose_power(*loss, mix(hash, u64::from(node.0))),
                _ => {
                    disk.wipe();
                    1
                }
            };
            core.faults.touched(index, lost + u64::from(was_up));
        });
    }

    pub(super) fn fault_beats(&mut self, index: usize) {
        let Some(skip) = self.core(|core| core.faults.beat(index)) else { return };
        let nodes = self.core(|core| {
            let beat = core.faults.beat_ns(index).unwrap_or(u64::MAX);
            core.digest(0x8 << 60 | (index as u64) << 1, 2 + skip);
            core.put(core.now.saturating_add(beat), Event::FaultBeats(index));
            core.faults.struck(index).to_vec()
        });
        for node in nodes {
            if skip > 0 {
                self.core(|core| {
                    let now = core.now;
                    core.machines[node.0 as usize].clock.skip(now, skip);
                });
                self.world.borrow_mut().rearm(node.0);
            }
            self.refresh(node.0);
        }
    }

    pub(super) fn fault_ends(&mut self, index: usize) {
        let nodes = self.core(|core| {
            core.digest(0x8 << 60 | (index as u64) << 1, 1);
            let (id, text) = (core.faults.fault(index).id, core.faults.fault(index).to_string());
            core.clients.mark(MarkKind::FaultEnds(id), core.stamp());
            core.trace(None, || TraceKind::Fault { id, text: format!("ends: {text}") });
            core.faults.end(index);
            core.network.end(index as u32);
            core.faults.struck(index).to_vec()
        });
        for node in nodes {
            self.refresh(node.0);
        }
    }

    /// Brings a machine in line with what the active faults ask of it.
    fn refresh(&mut self, node: u32) {
        let (before, after) = self.core(|core| {
            let after = core.faults.condition(NodeId(node));
            let now = core.now;
            let machine = &mut core.machines[node as usize];
            let before = std::mem::replace(&mut machine.condition, after);
            machine.disk.set_full(after.disk_full);
            machine.clock.set_offset(after.offset_ns);
            if after.ppb != before.ppb {
                machine.clock.set_rate(now, after.ppb);
            }
            (before, after)
        });
        let start_again = {
            let world = &mut *self.world.borrow_mut();
            if after.ppb != before.ppb {
                world.rearm(node);
            }
            if (before.paused && !after.paused) || (before.service_ns > 0 && after.service_ns == 0) {
                for arrival in world.core.take_backlog(node) {
                    world.arrive(node, arrival);
                }
                world.resume(node);
            }
            before.down && !after.down && !world.core.machines[node as usize].up
        };
        if start_again {
            self.start(node);
        }
    }
}
