//! Where guests run, and which faults reach them there.

use std::sync::Arc;

use squall_workloads::workload::Workload;

use super::{AnySystem, Execution, Options, PlanError, SIMULATORS, Simulator};
use crate::plan::{FaultKind, Loss, Plan, Promise, Reach, Reaches, Shape};

/// On which simulators a system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habitat {
    /// On all of them.
    Everywhere,
    /// On this one, for whose library it is written.
    Only(Simulator),
}

impl Habitat {
    /// The simulator to use when none is asked for.
    pub fn first(self) -> Simulator {
        match self {
            Habitat::Everywhere => SIMULATORS[0].simulator,
            Habitat::Only(simulator) => simulator,
        }
    }

    /// Whom faults can strike there.
    pub fn reaches(self) -> Reaches {
        match self {
            Habitat::Everywhere => Reach::everywhere,
            Habitat::Only(simulator) => simulator.reaches_guests().unwrap_or(|_| Reach::Nobody),
        }
    }
}

impl Simulator {
    /// Whom faults can strike of a guest; `None` where there are no guests.
    pub fn reaches_guests(self) -> Option<Reaches> {
        match self {
            Simulator::Turmoil => Some(in_turmoil),
            Simulator::Madsim => Some(in_madsim),
            Simulator::Native | Simulator::NativeEnv | Simulator::Real => None,
        }
    }

    /// What can be done to guests here, for people; `None` where there are none.
    pub fn ability_on_guests(self) -> Option<String> {
        let reaches = self.reaches_guests()?;
        let names = |reach| {
            let kinds = KINDS.iter().filter(move |kind| reaches(kind) == reach);
            kinds.map(FaultKind::name).collect::<Vec<_>>().join(", ")
        };
        let (each, cluster, nobody) = (names(Reach::Each), names(Reach::Cluster), names(Reach::Nobody));
        let cluster = if cluster.is_empty() { cluster } else { format!("; to all replicas at once {cluster}") };
        Some(format!("{each}{cluster}; not {nobody}"))
    }

    /// Says so, when a system does not run here.
    pub(super) fn check_habitat(self, habitat: Habitat) -> Result<(), PlanError> {
        match habitat {
            Habitat::Only(home) if home != self => {
                Err(PlanError::Elsewhere { simulator: self.entry().name, home: home.entry().name })
            }
            _ => Ok(()),
        }
    }

    /// Says so, when a fault of the plan cannot be done to a guest here, or its links cannot be as far as the plan says.
    #[cfg_attr(not(any(feature = "turmoil", madsim)), expect(dead_code, reason = "no simulator here hosts guests"))]
    pub(super) fn check_reach(self, plan: &Plan) -> Result<(), PlanError> {
        if self == Simulator::Madsim && plan.cluster.latency.alike().is_none() {
            return Err(PlanError::Zones { simulator: self.entry().name });
        }
        let reaches = Habitat::Only(self).reaches();
        let nodes = plan.cluster.nodes;
        let Some(fault) = plan.faults.iter().find(|f| !reaches(&f.kind).meets(&f.target, nodes)) else { return Ok(()) };
        let able = able(&fault.kind);
        Err(PlanError::Unable { simulator: self.entry().name, id: fault.id, fault: fault.to_string(), able })
    }
}

/// Which simulators can do this fault, and to whom.
fn able(kind: &FaultKind) -> String {
    let names = |of: &mut dyn Iterator<Item = &str>| of.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut text = format!("{} to a system over `Env`", names(&mut SIMULATORS.iter().map(|s| s.name)));
    for (reach, whom) in [(Reach::Each, ""), (Reach::Cluster, ", and only to all replicas at once")] {
        let able = SIMULATORS.iter().filter(|s| s.simulator.reaches_guests().is_some_and(|r| r(kind) == reach));
        let able = names(&mut able.map(|s| s.name));
        if !able.is_empty() {
            text += &format!("; {able} to code written for it{whom}");
        }
    }
    text
}

/// What turmoil can do to code that uses it.
///
/// Messages are late or held for as long as the plan says, and a held datagram may be held for ever, which is to lose it; none can
/// be doubled or damaged. A host can be crashed, not made to wait. Its clocks are one clock for all hosts: the wall clock and
/// the standard library's `Instant`, which madsim's shim moves at another rate.
fn in_turmoil(kind: &FaultKind) -> Reach {
    match kind {
        FaultKind::Partition { .. }
        | FaultKind::Drop { .. }
        | FaultKind::Delay { .. }
        | FaultKind::Reorder { .. }
        | FaultKind::Degrade { .. }
        | FaultKind::Bandwidth { .. }
        | FaultKind::Burst { .. }
        | FaultKind::Crash { loss: Loss::Kept }
        | FaultKind::Wipe
        | FaultKind::Removal => Reach::Each,
        FaultKind::ClockDrift { .. } if cfg!(madsim) => Reach::Cluster,
        _ => Reach::Nobody,
    }
}

/// What madsim can do to code that uses it.
///
/// It clogs links one way and kills and pauses nodes. Latency and loss it has only for all links at once, its clock is one for all
/// nodes and for its own timers, and no message can be doubled or damaged.
fn in_madsim(kind: &FaultKind) -> Reach {
    match kind {
        FaultKind::Partition { .. }
        | FaultKind::Burst { .. }
        | FaultKind::Crash { loss: Loss::Kept }
        | FaultKind::Wipe
        | FaultKind::Removal
        | FaultKind::Pause => Reach::Each,
        FaultKind::Drop { .. } | FaultKind::Delay { .. } | FaultKind::Degrade { .. } => Reach::Cluster,
        _ => Reach::Nobody,
    }
}

/// One fault of each kind. Of crashes there is the one that every library can do: the process dies, the disk stays as it was.
const KINDS: &[FaultKind] = &[
    FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false },
    FaultKind::Drop { permille: 1 },
    FaultKind::Delay { max_ns: 1 },
    FaultKind::Duplicate { permille: 1 },
    FaultKind::Reorder { permille: 1, max_ns: 1 },
    FaultKind::Corrupt { permille: 1 },
    FaultKind::Degrade { permille: 1, factor: 1 },
    FaultKind::Bandwidth { per_second: 1, queue: 1 },
    FaultKind::Burst { factor: 1, hot_permille: 0 },
    FaultKind::Crash { loss: Loss::Kept },
    FaultKind::Wipe,
    FaultKind::Pause,
    FaultKind::Slow { service_ns: 1 },
    FaultKind::Inbox { service_ns: 1, room: 1 },
    FaultKind::Connections { limit: 1 },
    FaultKind::ClockOffset { ns: 1 },
    FaultKind::ClockDrift { ppb: 1 },
    FaultKind::ClockJumps { ns: 1, period_ns: 1 },
    FaultKind::ClockStrobe { ns: 1, period_ns: 1 },
    FaultKind::SyncError { permille: 1 },
    FaultKind::DiskFull,
    FaultKind::DiskSlow { ns: 1 },
    FaultKind::BitRot { bits: 1 },
    FaultKind::Removal,
];

/// A system that this binary was built without: it has a promise, and says what it needs.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Its name.
    pub system: &'static str,
    /// What its clients are promised.
    pub promise: Promise,
    /// Where it would run.
    pub home: Simulator,
    /// What the binary must be built with to have it.
    pub needs: &'static str,
}

impl AnySystem for Absent {
    fn promise(&self) -> Promise {
        self.promise.clone()
    }

    fn habitat(&self) -> Habitat {
        Habitat::Only(self.home)
    }

    fn lacks(&self) -> Option<&'static str> {
        Some(self.needs)
    }

    fn check(&self, _: Simulator) -> Result<(), PlanError> {
        Err(PlanError::AbsentSystem { system: self.system, needs: self.needs })
    }

    fn run(
        self: Arc<Self>,
        simulator: Simulator,
        _: &Plan,
        _: &'static dyn Workload,
        _: Options,
    ) -> Result<Execution, PlanError> {
        self.check(simulator)?;
        unreachable!("what is absent is never fine")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        nemesis::{NEMESES, NemesisSelection, Scene, schedule},
        plan::{FaultClass, SECOND, Tolerates},
    };

    #[test]
    fn every_kind_that_is_ever_drawn_is_spoken_of() {
        let scene = Scene {
            nodes: 5,
            chaos_ns: 15 * SECOND,
            tolerates: &Tolerates::these(&FaultClass::ALL),
            reaches: Reach::everywhere,
            beyond: false,
        };
        let every = NemesisSelection { entries: NEMESES.iter().collect(), beyond: false };
        let drawn = (0..500).flat_map(|seed| schedule(seed, &scene, &every));
        let drawn: BTreeSet<&str> = drawn.map(|fault| fault.kind.name()).collect();
        assert_eq!(KINDS.iter().map(FaultKind::name).collect::<BTreeSet<_>>(), drawn);
    }

    #[test]
    fn who_can_do_a_fault_is_said() {
        let said = able(&FaultKind::DiskFull);
        assert!(said.ends_with("to a system over `Env`") && said.contains("`native`"), "{said}");
        let said = able(&FaultKind::Wipe);
        assert!(said.ends_with("`turmoil`, `madsim` to code written for it"), "{said}");
        let said = able(&FaultKind::Drop { permille: 1 });
        assert!(said.contains("`turmoil` to code") && said.ends_with("to all replicas at once"), "{said}");
    }
}
