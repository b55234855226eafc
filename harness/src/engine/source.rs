//! Where a system under test comes from: its line of the catalogue, or the store itself.

use std::{any, sync::Arc};

use squall_workloads::workload::{Setting, SettingError, Settings, WorkloadEntry};

use super::{
    names::{self, UnknownName},
    spec::SpecError,
};
use crate::{
    catalogue::{Bug, SystemEntry},
    simulators::AnySystem,
};

/// What can be put to a test: a store (a [`System`](crate::System), a [`Node`](crate::Node), a guest of a simulator), or the
/// [`SystemEntry`] by which a binary registers one.
pub trait Store {
    /// Where the system comes from.
    fn source(self) -> Source;
}

impl<S: AnySystem + 'static> Store for S {
    fn source(self) -> Source {
        Source::Built { name: kebab(any::type_name::<S>()), system: Arc::new(self) }
    }
}

impl Store for SystemEntry {
    fn source(self) -> Source {
        Source::Entry(self)
    }
}

/// Where a system comes from.
#[derive(Clone)]
pub enum Source {
    /// A line of the catalogue, which builds it, correct or with a bug.
    Entry(SystemEntry),
    /// It is there already.
    Built {
        /// What it is called in cases and reports: the name of its type.
        name: String,
        /// The system.
        system: Arc<dyn AnySystem>,
    },
}

impl Source {
    /// The system's name, without a bug.
    pub fn name(&self) -> &str {
        match self {
            Source::Entry(entry) => entry.name,
            Source::Built { name, .. } => name,
        }
    }

    /// The settings that the system understands.
    pub(super) fn settings(&self) -> &'static [Setting] {
        match self {
            Source::Entry(entry) => entry.settings,
            Source::Built { .. } => &[],
        }
    }

    /// Settings of the workload used with this system unless told otherwise.
    pub(super) fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Source::Entry(entry) => entry.defaults,
            Source::Built { .. } => &[],
        }
    }

    /// The bug in `name`, `system` or `system:bug`.
    pub(super) fn bug(&self, name: &str) -> Result<Option<&'static Bug>, UnknownName> {
        let Source::Entry(entry) = self else { return Ok(None) };
        let bug = bug_of(entry, name)?;
        Ok(entry.bugs.iter().find(|b| Some(b.name) == bug))
    }

    /// The workload to use when none is named: that of the bug in `name`, `system` or `system:bug`, or the entry's own; or the
    /// first that the store serves and that somebody judges.
    pub(super) fn workload(
        &self,
        name: &str,
        workloads: &'static [WorkloadEntry],
    ) -> Result<&'static WorkloadEntry, SpecError> {
        match self {
            Source::Entry(entry) => {
                let shows = self.bug(name)?.and_then(|bug| bug.workload);
                Ok(find_workload(workloads, shows.unwrap_or(entry.workload))?)
            }
            Source::Built { name, system } => {
                let promise = system.promise();
                let fits = |w: &&WorkloadEntry| {
                    promise.interfaces.contains(&w.workload.interface())
                        && !w.workload.judges(promise.model.as_str()).is_empty()
                };
                workloads.iter().find(fits).ok_or_else(|| SpecError::NoWorkload {
                    system: name.clone(),
                    served: promise.interfaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                    model: promise.model.to_string(),
                    known: workloads.iter().map(|w| w.name).collect::<Vec<_>>().join(", "),
                })
            }
        }
    }

    /// Builds what `name` says, `system` or `system:bug`.
    pub(super) fn build(&self, name: &str, settings: &Settings) -> Result<Arc<dyn AnySystem>, SpecError> {
        match self {
            Source::Entry(entry) => Ok(build(entry, bug_of(entry, name)?, settings)?),
            // What it was called when a case was written has no say in what it is.
            Source::Built { system, .. } => Ok(system.clone()),
        }
    }
}

fn build(entry: &SystemEntry, bug: Option<&str>, settings: &Settings) -> Result<Arc<dyn AnySystem>, SettingError> {
    (entry.build)(bug, settings).map(Arc::from)
}

/// The bug that is meant by `system:bug`.
///
/// # Errors
/// When the name is another system's, or the system has no such bug.
pub(super) fn bug_of<'a>(entry: &SystemEntry, name: &'a str) -> Result<Option<&'a str>, UnknownName> {
    let (system, bug) = name.split_once(':').map_or((name, None), |(system, bug)| (system, Some(bug)));
    if system != entry.name {
        return Err(names::unknown("system", system, vec![entry.name.to_owned()]));
    }
    match bug {
        Some(bug) if entry.bugs.iter().all(|b| b.name != bug) => {
            let known = entry.bugs.iter().map(|b| format!("{system}:{}", b.name)).collect();
            Err(names::unknown("system", name, known))
        }
        _ => Ok(bug),
    }
}

/// The workload of this name.
pub(super) fn find_workload(
    workloads: &'static [WorkloadEntry],
    name: &str,
) -> Result<&'static WorkloadEntry, UnknownName> {
    names::find("workload", workloads, |w| w.name, name)
}

/// The last name of a type's path, as names of systems are written: `my_crate::MyStore<X>` is `my-store`.
fn kebab(path: &str) -> String {
    let path = path.split('<').next().unwrap_or(path);
    let name = path.rsplit("::").next().unwrap_or(path);
    let mut out = String::new();
    let mut before = None;
    for c in name.chars() {
        if c.is_uppercase() && before.is_some_and(|b: char| b.is_lowercase() || b.is_ascii_digit()) {
            out.push('-');
        }
        out.extend(if c == '_' { '-' } else { c }.to_lowercase());
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn stores_are_called_after_their_types() {
        let check = |path: &str, name: &str| assert_eq!(kebab(path), name);
        check("my_crate::MyStore", "my-store");
        check("my_crate::inner::Ledger<my_crate::Disk>", "ledger");
        check("my_crate::RaftKV2Node", "raft-kv2-node");
        check("odd_name", "odd-name");
    }
}
