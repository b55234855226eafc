//! The native simulator: event-driven, in virtual nanoseconds, never by ticks. One run is one thread.
//!
//! Two hosts stand over one core: `node_host` steps sans-I/O nodes directly, `env_host` runs async code on a small
//! executor. Time, network, faults, clients and digest are the core's and so the same for both.

#![expect(
    clippy::inline_always,
    reason = "on the way of every event: left to the compiler, each of these is moved about"
)]

mod core;
mod env_host;
mod node_host;
mod queue;

use squall_workloads::workload::Workload;

use self::core::Core;
use super::{Execution, Options, PlanError};
use crate::{
    environment::{Hosting, Node, System},
    plan::Plan,
};

/// A run on the native simulator.
pub(super) struct Native<'a> {
    /// What shall happen.
    pub(super) plan: &'a Plan,
    /// What the clients do.
    pub(super) workload: &'static dyn Workload,
    /// What to do beside running.
    pub(super) options: Options,
}

impl Hosting for Native<'_> {
    type Output = Result<Execution, PlanError>;

    fn system<S: System>(self, system: &S) -> Self::Output {
        run_system(system, self.plan, self.workload, self.options)
    }

    fn node<N: Node>(self, node: &N) -> Self::Output {
        let core = Core::new(self.plan, self.workload, self.options)?;
        Ok(node_host::run(core, node))
    }
}

/// Runs a plan on async code.
pub(super) fn run_system<S: System>(
    system: &S,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let core = Core::new(plan, workload, options)?;
    Ok(env_host::run(core, system))
}
