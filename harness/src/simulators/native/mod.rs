//! The native simulator.

use squall_workloads::workload::Workload;

use super::{Execution, Options, PlanError};
use crate::{
    environment::{Hosting, Node, System},
    plan::Plan,
};

/// A run on the native simulator.
pub struct Native<'a> {
    /// What shall happen.
    pub plan: &'a Plan,
    /// What the clients do.
    pub workload: &'a dyn Workload,
    /// What to do beside running.
    pub options: Options,
}

impl Hosting for Native<'_> {
    type Output = Result<Execution, PlanError>;

    fn system<S: System>(self, system: &S) -> Self::Output {
        run_system(system, self.plan, self.workload, self.options)
    }

    fn node<N: Node>(self, _node: &N) -> Self::Output {
        todo!()
    }
}

/// Runs a plan on async code.
pub fn run_system<S: System>(
    _system: &S,
    _plan: &Plan,
    _workload: &dyn Workload,
    _options: Options,
) -> Result<Execution, PlanError> {
    todo!()
}
