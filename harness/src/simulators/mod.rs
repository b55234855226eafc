//! Simulators: each runs a plan against a system and yields an execution.

pub mod execution;
pub mod guests;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
mod hosted;
pub mod layer;
pub mod log;
mod madsim;
pub mod native;
#[cfg(feature = "tokio")]
mod real;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
mod tokio;
#[cfg(feature = "turmoil")]
mod turmoil;

use std::{sync::Arc, time::Duration};

#[cfg(feature = "turmoil")]
use self::madsim::shim;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
use self::tokio as reactor;
use squall_checkers::operation::Interface;
use squall_workloads::workload::Workload;

#[cfg(madsim)]
pub use self::madsim::InMadsim;
#[cfg(feature = "turmoil")]
pub use self::turmoil::InTurmoil;
pub use self::{
    execution::{End, Execution, FaultEffect, Statistics, Trace, TraceEvent, TraceKind},
    guests::{Absent, Habitat},
};
use crate::{
    environment::{System, reactor::advise},
    plan::{Plan, Promise},
};

/// A run that cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A number of the plan makes no sense.
    #[error("the plan's {what}")]
    Invalid {
        /// Which, and why.
        what: String,
    },
    /// A setting of the workload.
    #[error(transparent)]
    Setting(#[from] squall_workloads::workload::SettingError),
    /// This binary was built without the simulator.
    #[error("this binary was built without simulator `{simulator}`; it needs {needs}")]
    Absent {
        /// The simulator.
        simulator: &'static str,
        /// What it must be built with.
        needs: &'static str,
    },
    /// This binary was built without the system.
    #[error("this binary was built without system `{system}`; it needs {needs}")]
    AbsentSystem {
        /// The system.
        system: &'static str,
        /// What it must be built with.
        needs: &'static str,
    },
    /// The system is written for another simulator's library.
    #[error(
        "simulator `{simulator}` runs no code that is written for {home}, as this system is: use `--simulator {home}`"
    )]
    Elsewhere {
        /// The simulator.
        simulator: &'static str,
        /// The one it is written for.
        home: &'static str,
    },
    /// Zones of latencies of their own, where this simulator has one latency for all links.
    #[error(
        "simulator `{simulator}` has one latency for all links of code written for it, and cannot have zones: give one by `--latency`"
    )]
    Zones {
        /// The simulator.
        simulator: &'static str,
    },
    /// A fault that this simulator cannot do to code written for its library.
    #[error("simulator `{simulator}` cannot do fault {id} ({fault}) to code written for it; these can: {able}")]
    Unable {
        /// The simulator.
        simulator: &'static str,
        /// The fault's id.
        id: u32,
        /// The fault.
        fault: String,
        /// The simulators that can, and to whom.
        able: String,
    },
    /// A fault that takes what the system does not offer.
    #[error(
        "the system offers no change of its members, which fault {id} ({fault}) asks for: one that does promises it \
         (`Promise::changing_members`), and `squall list systems` names `membership` among its faults"
    )]
    NotOffered {
        /// The fault's id.
        id: u32,
        /// The fault.
        fault: String,
    },
}

impl Promise {
    /// Says so, when a fault of the plan takes what the system does not offer.
    fn check_offer(&self, plan: &Plan) -> Result<(), PlanError> {
        match plan.faults.iter().find(|fault| !self.tolerates.offers(&fault.kind)) {
            Some(fault) => Err(PlanError::NotOffered { id: fault.id, fault: fault.to_string() }),
            None => Ok(()),
        }
    }
}

/// What to do beside running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep every event.
    pub trace: bool,
}

/// A line of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatorEntry {
    /// Kebab-case name, unique.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Which one.
    pub simulator: Simulator,
    /// Whether equal plans give equal runs.
    pub deterministic: bool,
    /// What it can do, for people: faults, and how exact its times are.
    pub ability: &'static str,
    /// What a binary must be built with to have it; empty for those that are always there.
    pub needs: &'static str,
}

/// The simulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulator {
    /// Ours, nodes stepped directly.
    Native,
    /// Ours, everything through `Env`, nodes by the adapter.
    NativeEnv,
    /// Over turmoil.
    Turmoil,
    /// Over madsim.
    Madsim,
    /// Plain tokio, for real.
    Real,
}

/// What a run may take beyond its phases: open operations, final reads and the rest of a script.
const OVERTIME: Duration = Duration::from_secs(60);

impl SimulatorEntry {
    /// Real time that a run of this plan takes by its very nature.
    pub fn takes(&self, plan: &Plan) -> Duration {
        let phases = plan.phases.chaos_ns + plan.phases.settle_ns;
        if self.deterministic { Duration::ZERO } else { Duration::from_nanos(phases) + OVERTIME }
    }
}

impl Simulator {
    /// Its line of the catalogue.
    pub fn entry(self) -> &'static SimulatorEntry {
        SIMULATORS.iter().find(|entry| entry.simulator == self).expect("every simulator has a line")
    }

    /// Says so, when this binary does not have it.
    pub fn check_built(self) -> Result<(), PlanError> {
        if self.is_built() { Ok(()) } else { Err(self.absent()) }
    }

    fn absent(self) -> PlanError {
        let SimulatorEntry { name, needs, .. } = self.entry();
        PlanError::Absent { simulator: name, needs }
    }

    /// Whether this binary has it.
    pub const fn is_built(self) -> bool {
        match self {
            Simulator::Native | Simulator::NativeEnv => true,
            Simulator::Turmoil => cfg!(feature = "turmoil"),
            Simulator::Madsim => cfg!(madsim),
            Simulator::Real => cfg!(feature = "tokio"),
        }
    }
}

/// What is weaker in this binary than it could be, if anything is.
pub fn weaker() -> Option<&'static str> {
    let weak = cfg!(all(feature = "turmoil", not(all(madsim, tokio_unstable))));
    weak.then_some(
        "turmoil is deterministic here for what uses `Env` alone: `tokio::select!`, the order of a `HashMap`, `getrandom` and \
         `SystemTime` are the machine's own. `--cfg madsim --cfg tokio_unstable` in the `rustflags` of `.cargo/config.toml` make \
         them the seed's.",
    )
}

/// Every simulator.
pub const SIMULATORS: &[SimulatorEntry] = &[
    SimulatorEntry {
        name: "native",
        summary: "event-driven, virtual nanoseconds; sans-I/O nodes are stepped directly",
        simulator: Simulator::Native,
        deterministic: true,
        ability: "every fault; times exact to a nanosecond",
        needs: "",
    },
    SimulatorEntry {
        name: "native-env",
        summary: "the same world, but sans-I/O nodes too run as async code over datagrams",
        simulator: Simulator::NativeEnv,
        deterministic: true,
        ability: "every fault; times exact to a nanosecond",
        needs: "",
    },
    SimulatorEntry {
        name: "turmoil",
        summary: "over turmoil: each machine is one of its hosts, with tasks and timers of its tokio, on its network",
        simulator: Simulator::Turmoil,
        deterministic: true,
        ability: "every fault; times exact to a millisecond, a message up to two late",
        needs: "the feature `turmoil` of the crate `squall`",
    },
    SimulatorEntry {
        name: "madsim",
        summary: "over madsim: each machine is one of its nodes, with its tasks and timers, on its network",
        simulator: Simulator::Madsim,
        deterministic: true,
        ability: "every fault; times exact to a millisecond, a datagram takes at least two",
        needs: "`--cfg madsim --cfg tokio_unstable` in the `rustflags` of `.cargo/config.toml`",
    },
    SimulatorEntry {
        name: "real",
        summary: "no simulator: the same code on plain tokio over loopback, in real time; no two runs are the same",
        simulator: Simulator::Real,
        deterministic: false,
        ability: "every fault; real time, a run takes as long as its plan says",
        needs: "the feature `tokio` of the crate `squall`",
    },
];

/// A system whose type is forgotten.
pub trait AnySystem: Send + Sync {
    /// What its clients are promised.
    fn promise(&self) -> Promise;
    /// The same for clients that speak this interface, where that makes a difference.
    fn speaking(&self, interface: &Interface) -> Option<Arc<dyn AnySystem>> {
        let _ = interface;
        None
    }
    /// Where it runs.
    fn habitat(&self) -> Habitat {
        Habitat::Everywhere
    }
    /// What this binary would have to be built with to have it; `None` when it has it.
    fn lacks(&self) -> Option<&'static str> {
        None
    }
    /// Says so, when it does not run on this simulator.
    fn check(&self, simulator: Simulator) -> Result<(), PlanError> {
        simulator.check_habitat(self.habitat())
    }
    /// Runs a plan. One run per thread at a time; a fresh thread for each run is what makes it deterministic. Shared, since
    /// the tasks of some simulators' own runtimes may borrow nothing.
    fn run(
        self: Arc<Self>,
        simulator: Simulator,
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
    ) -> Result<Execution, PlanError>;
}

impl<S: System> AnySystem for S {
    fn promise(&self) -> Promise {
        System::promise(self)
    }

    fn speaking(&self, interface: &Interface) -> Option<Arc<dyn AnySystem>> {
        System::speaking(self, interface).map(|system| Arc::new(system) as Arc<dyn AnySystem>)
    }

    fn run(
        self: Arc<Self>,
        simulator: Simulator,
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
    ) -> Result<Execution, PlanError> {
        System::promise(&*self).check_offer(plan)?;
        let execution = match simulator {
            Simulator::Native => self.host(native::Native { plan, workload, options }),
            Simulator::NativeEnv => native::run_system(&*self, plan, workload, options),
            #[cfg(feature = "turmoil")]
            Simulator::Turmoil => turmoil::run(self, plan, workload, options),
            #[cfg(madsim)]
            Simulator::Madsim => madsim::run(self, plan, workload, options),
            #[cfg(feature = "tokio")]
            Simulator::Real => real::run(self, plan, workload, options),
            #[cfg(not(all(feature = "turmoil", feature = "tokio", madsim)))]
            absent => Err(absent.absent()),
        };
        execution.map(|mut execution| {
            if let End::Panicked { message, .. } = &mut execution.end {
                advise(message);
            }
            execution
        })
    }
}
