//! Simulators: each runs a plan against a system and yields an execution.

pub mod execution;
pub mod layer;
pub mod native;

use std::sync::Arc;

use squall_workloads::workload::Workload;

pub use self::execution::{End, Execution, FaultEffect, Statistics, Trace, TraceEvent, TraceKind};
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
    /// A fault this simulator cannot do.
    #[error("simulator `{simulator}` cannot do fault {id} ({fault}); these can: {able}")]
    Unable {
        /// The simulator.
        simulator: &'static str,
        /// The fault's id.
        id: u32,
        /// The fault.
        fault: String,
        /// The simulators that can.
        able: String,
    },
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
}

/// The simulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulator {
    /// Ours, nodes stepped directly.
    Native,
    /// Ours, everything through `Env`, nodes by the adapter.
    NativeEnv,
}

/// Every simulator.
pub const SIMULATORS: &[SimulatorEntry] = &[
    SimulatorEntry {
        name: "native",
        summary: "event-driven, virtual nanoseconds; sans-I/O nodes are stepped directly",
        simulator: Simulator::Native,
    },
    SimulatorEntry {
        name: "native-env",
        summary: "the same world, but sans-I/O nodes too run as async code over datagrams",
        simulator: Simulator::NativeEnv,
    },
];

/// A system whose type is forgotten.
pub trait AnySystem: Send + Sync {
    /// What its clients are promised.
    fn promise(&self) -> Promise;
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

    fn run(
        self: Arc<Self>,
        simulator: Simulator,
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
    ) -> Result<Execution, PlanError> {
        let execution = match simulator {
            Simulator::Native => self.host(native::Native { plan, workload, options }),
            Simulator::NativeEnv => native::run_system(&*self, plan, workload, options),
        };
        execution.map(|mut execution| {
            if let End::Panicked { message, .. } = &mut execution.end {
                advise(message);
            }
            execution
        })
    }
}
