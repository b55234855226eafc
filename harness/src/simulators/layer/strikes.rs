//! Faults strike machines: what happens when one begins, beats and ends.

use std::collections::VecDeque;

use squall_checkers::history::MarkKind;

use super::{clients::Turn, state::State};
use crate::{
    environment::Change,
    plan::{FaultKind, NodeId, mix},
    simulators::TraceKind,
};

/// A run that faults can strike.
pub(crate) trait Struck {
    /// What waits at a machine's door.
    type Waiting;
    /// The run's state; code under test must not run while it is borrowed.
    fn state<R>(&mut self, call: impl FnOnce(&mut State<Self::Waiting>) -> R) -> R;
    /// Has [`beat`] called for a fault at this time.
    fn beat_at(&mut self, at: u64, index: u32);
    /// Has a turn of the clients or the admin come now.
    fn turn(&mut self, turn: Turn);
    /// A replica's process dies with its machine. Its incarnation has been counted up.
    fn stop(&mut self, node: u32);
    /// A replica's process starts.
    fn start(&mut self, node: u32);
    /// A machine's clocks were changed: timers are due at other times.
    fn rearm(&mut self, node: u32);
    /// A machine goes on, and takes what waited at its door.
    fn resume(&mut self, node: u32, waited: VecDeque<Self::Waiting>);
}

/// A fault begins.
#[cold]
pub(crate) fn begin(run: &mut impl Struck, index: u32) {
    let (kind, nodes, hash, beat) = run.state(|s| {
        let i = index as usize;
        s.digest(0x8 << 60 | (i as u64) << 1, 0);
        s.faults.begin(i, &s.observed);
        let fault = s.faults.fault(i).clone();
        let nodes = s.faults.struck(i).to_vec();
        let text = fault.to_string();
        s.clients.mark(MarkKind::FaultBegins(fault.id, text.clone()), s.stamp);
        s.trace(None, || TraceKind::Fault { id: fault.id, text: format!("begins: {text}, on {nodes:?}") });
        let hash = s.faults.hash(i);
        s.network.begin(index, &fault, &nodes, s.nodes, s.now, hash);
        (fault.kind, nodes, hash, s.faults.beat_ns(i).map(|beat| s.now.saturating_add(beat)))
    });
    if let Some(at) = beat {
        run.beat_at(at, index);
    }
    for node in nodes {
        match kind {
            FaultKind::Crash { .. } | FaultKind::Wipe => crash(run, index as usize, &kind, node, hash),
            FaultKind::BitRot { bits } => run.state(|s| {
                for bit in 0..bits {
                    let draw = mix(mix(hash, u64::from(node.0)), u64::from(bit));
                    if let Some((file, at)) = s.machines[node.0 as usize].disk.rot(draw) {
                        s.faults.touched(index as usize, 1);
                        s.trace(Some(node.0), || TraceKind::Disk { text: format!("byte {at} of {file} rots") });
                    }
                }
            }),
            _ => {}
        }
        refresh(run, node.0);
    }
}

/// A machine loses power, and its disk what the fault takes.
fn crash(run: &mut impl Struck, index: usize, kind: &FaultKind, node: NodeId, hash: u64) {
    let (was_up, was_held) = run.state(|s| {
        let machine = &s.machines[node.0 as usize];
        let was = (machine.up, machine.condition.down);
        s.take_down(node.0);
        s.trace(Some(node.0), || TraceKind::Process { text: "is killed".to_owned() });
        was
    });
    if was_up {
        run.stop(node.0);
    }
    run.state(|s| {
        let disk = &mut s.machines[node.0 as usize].disk;
        let lost = match kind {
            FaultKind::Crash { loss } => disk.lose_power(*loss, mix(hash, u64::from(node.0))),
            _ => {
                disk.wipe();
                1
            }
        };
        // A process that waits to be started again is struck too.
        s.faults.touched(index, lost + u64::from(!was_held));
    });
}

/// A fault beats.
#[cold]
pub(crate) fn beat(run: &mut impl Struck, index: u32) {
    let i = index as usize;
    let Some(skip) = run.state(|s| s.faults.beat(i)) else { return };
    let (nodes, next) = run.state(|s| {
        s.digest(0x8 << 60 | (i as u64) << 1, 2 + skip);
        (s.faults.struck(i).to_vec(), s.now.saturating_add(s.faults.beat_ns(i).unwrap_or(u64::MAX)))
    });
    run.beat_at(next, index);
    for node in nodes {
        if skip > 0 {
            run.state(|s| s.machines[node.0 as usize].clock.skip(s.now, skip));
            run.rearm(node.0);
        }
        refresh(run, node.0);
    }
}

/// A fault ends.
#[cold]
pub(crate) fn end(run: &mut impl Struck, index: u32) {
    let i = index as usize;
    let nodes = run.state(|s| {
        s.digest(0x8 << 60 | (i as u64) << 1, 1);
        let (id, text) = (s.faults.fault(i).id, s.faults.fault(i).to_string());
        s.clients.mark(MarkKind::FaultEnds(id), s.stamp);
        s.trace(None, || TraceKind::Fault { id, text: format!("ends: {text}") });
        s.faults.end(i);
        s.network.end(index);
        s.faults.struck(i).to_vec()
    });
    for node in nodes {
        refresh(run, node.0);
        // One that goes on holding what this one lets go has an effect.
        run.state(|s| {
            let ended = s.faults.fault(i).kind.clone();
            s.faults.touched_on(node, 1, |kind| match ended {
                FaultKind::Crash { .. } | FaultKind::Wipe => matches!(kind, FaultKind::Crash { .. } | FaultKind::Wipe),
                FaultKind::Pause => matches!(kind, FaultKind::Pause),
                FaultKind::Removal => matches!(kind, FaultKind::Removal),
                _ => false,
            });
        });
    }
}

/// Brings a machine in line with what the active faults ask of it.
fn refresh(run: &mut impl Struck, node: u32) {
    let (before, after) = run.state(|s| {
        let after = s.faults.condition(NodeId(node));
        s.clients.set_burst(node, after.burst, after.heat_permille);
        (s.machines[node as usize].set_condition(s.now, after), after)
    });
    if after.ppb != before.ppb {
        run.rearm(node);
    }
    if after.removed != before.removed {
        let change = if after.removed { Change::Remove } else { Change::Add };
        run.state(|s| s.clients.want(change(NodeId(node)), s.stamp));
        run.turn(Turn::Admin(NodeId(node)));
    }
    if (before.paused && !after.paused) || (before.service_ns > 0 && after.service_ns == 0) {
        let waited = run.state(|s| s.machines[node as usize].take_backlog());
        run.resume(node, waited);
    }
    if before.down && !after.down && run.state(|s| !s.machines[node as usize].up) {
        run.start(node);
    }
}
