//! Faults strike machines: begin, beat and end.

use squall_checkers::history::MarkKind;

use super::{Event, Host, run::start};
use crate::{
    plan::{FaultKind, NodeId, mix},
    simulators::TraceKind,
};

#[cold]
pub(super) fn begin<H: Host>(host: &mut H, index: usize) {
    let (kind, nodes, hash) = host.core(|c| {
        c.digest(0x8 << 60 | (index as u64) << 1, 0);
        let observed = std::mem::take(&mut c.observed);
        c.faults.begin(index, &observed);
        c.observed = observed;
        let fault = c.faults.fault(index).clone();
        let nodes = c.faults.struck(index).to_vec();
        let text = fault.to_string();
        c.clients.mark(MarkKind::FaultBegins(fault.id, text.clone()), c.now);
        c.trace(None, || TraceKind::Fault { id: fault.id, text: format!("begins: {text}, on {nodes:?}") });
        let hash = c.faults.hash(index);
        c.network.begin(index as u32, &fault, &nodes, c.nodes, c.now, hash);
        if let Some(beat) = c.faults.beat_ns(index) {
            c.put(c.now + beat, Event::FaultBeats(index as u32));
        }
        (fault.kind, nodes, hash)
    });
    for node in nodes {
        match kind {
            FaultKind::Crash { .. } | FaultKind::Wipe => {
                let (was_up, was_held) = host.core(|c| {
                    let machine = &c.machines[node.0 as usize];
                    let was = (machine.up, machine.condition.down);
                    c.take_down(node.0);
                    c.trace(Some(node.0), || TraceKind::Process { text: "is killed".to_owned() });
                    was
                });
                if was_up {
                    host.stop(node.0);
                }
                host.core(|c| {
                    let disk = &mut c.machines[node.0 as usize].disk;
                    let lost = match kind {
                        FaultKind::Crash { loss } => disk.lose_power(loss, mix(hash, u64::from(node.0))),
                        _ => {
                            disk.wipe();
                            1
                        }
                    };
                    // A process that waits to be started again is struck too.
                    c.faults.touched(index, lost + u64::from(!was_held));
                });
            }
            FaultKind::BitRot { bits } => host.core(|c| {
                for bit in 0..bits {
                    let draw = mix(mix(hash, u64::from(node.0)), u64::from(bit));
                    if let Some((file, at)) = c.machines[node.0 as usize].disk.rot(draw) {
                        c.faults.touched(index, 1);
                        c.trace(Some(node.0), || TraceKind::Disk { text: format!("byte {at} of {file} rots") });
                    }
                }
            }),
            _ => {}
        }
        refresh(host, node.0);
    }
}

#[cold]
pub(super) fn beat<H: Host>(host: &mut H, index: usize) {
    let Some(skip) = host.core(|c| c.faults.beat(index)) else { return };
    let nodes = host.core(|c| {
        let beat = c.faults.beat_ns(index).unwrap_or(u64::MAX);
        c.digest(0x8 << 60 | (index as u64) << 1, 2 + skip);
        c.put(c.now.saturating_add(beat), Event::FaultBeats(index as u32));
        c.faults.struck(index).to_vec()
    });
    for node in nodes {
        if skip > 0 {
            host.core(|c| c.machines[node.0 as usize].clock.skip(c.now, skip));
            host.rearm(node.0);
        }
        refresh(host, node.0);
    }
}

#[cold]
pub(super) fn end<H: Host>(host: &mut H, index: usize) {
    let nodes = host.core(|c| {
        c.digest(0x8 << 60 | (index as u64) << 1, 1);
        let (id, text) = (c.faults.fault(index).id, c.faults.fault(index).to_string());
        c.clients.mark(MarkKind::FaultEnds(id), c.now);
        c.trace(None, || TraceKind::Fault { id, text: format!("ends: {text}") });
        c.faults.end(index);
        c.network.end(index as u32);
        c.faults.struck(index).to_vec()
    });
    for node in nodes {
        refresh(host, node.0);
        // One that goes on holding what this one lets go has an effect.
        host.core(|c| {
            let ended = c.faults.fault(index).kind.clone();
            c.faults.touched_on(node, 1, |kind| match ended {
                FaultKind::Crash { .. } | FaultKind::Wipe => matches!(kind, FaultKind::Crash { .. } | FaultKind::Wipe),
                FaultKind::Pause => matches!(kind, FaultKind::Pause),
                _ => false,
            });
        });
    }
}

/// Brings a machine in line with what the active faults ask of it.
fn refresh<H: Host>(host: &mut H, node: u32) {
    let (before, after) = host.core(|c| {
        let after = c.faults.condition(NodeId(node));
        let now = c.now;
        let machine = &mut c.machines[node as usize];
        let before = std::mem::replace(&mut machine.condition, after);
        machine.hindered = !machine.up || after.paused || after.service_ns > 0;
        machine.disk.set_full(after.disk_full);
        machine.clock.set_offset(after.offset_ns);
        if after.ppb != before.ppb {
            machine.clock.set_rate(now, after.ppb);
        }
        (before, after)
    });
    if after.ppb != before.ppb {
        host.rearm(node);
    }
    if (before.paused && !after.paused) || (before.service_ns > 0 && after.service_ns == 0) {
        for event in host.core(|c| c.take_backlog(node)) {
            host.core(|c| c.schedule(c.now, event));
        }
        host.resume(node);
    }
    let start_again = host.core(|c| before.down && !after.down && !c.machines[node as usize].up);
    if start_again {
        start(host, node);
    }
}
