//! What seeds are run against, as the command line says it; and the same with every name resolved.

use std::{fmt::Write as _, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use squall_workloads::workload::{Setting, SettingError, Settings, Workload, WorkloadEntry};

use super::{
    names::{self, UnknownName},
    program::{self, shell_word},
    run::Subject,
    seeds::SeedsError,
    source::{Source, bug_of, find_workload},
    span::{self, Span},
};
use crate::{
    catalogue::SystemEntry,
    nemesis::{NEMESES, NemesisSelection},
    plan::{Fault, Latencies, Load, Plan, Promise, SECOND, Stream, draw::PlanRequest},
    simulators::{AnySystem, PlanError, SIMULATORS, SimulatorEntry},
};

/// Everything that names can be resolved to: the systems and workloads that a binary registers.
#[derive(Clone, Copy)]
pub struct Registry {
    /// The systems.
    pub systems: &'static [SystemEntry],
    /// The workloads.
    pub workloads: &'static [WorkloadEntry],
}

/// What seeds are run against. What is not given is the system's or the workload's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The system, perhaps with a bug: `raft-rs-kv:ack-before-fsync`.
    pub system: String,
    /// The workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator: Option<String>,
    /// The nemeses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nemeses: Vec<String>,
    /// Number of replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Number of clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
    /// Operations per second of virtual time, of all clients together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Whether a slow reply holds back the client's next operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// One-way latency of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latencies>,
    /// Length of the chaos phase in virtual time, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// Settings of the system and of the workload.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
    /// Faults by hand, which strike with every seed in the place of drawn ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}

/// The faults of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The file, as the command line named it. It says all that its spec says.
    pub file: String,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// A spec that cannot be resolved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpecError {
    /// A name that nothing has.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// A setting that cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A plan that cannot be drawn or run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A store for which no workload was named, and none is found.
    #[error(
        "no workload speaks {served} and judges the model `{model}` that `{system}` promises; name one of: {known}"
    )]
    NoWorkload {
        /// The system.
        system: String,
        /// What it serves.
        served: String,
        /// What it promises.
        model: String,
        /// The workloads there are.
        known: String,
    },
    /// A variable of the environment that says nothing that can be used.
    #[error("the variable {name} of the environment: {problem}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong with it, and what was expected.
        problem: SeedsError,
    },
    /// System and workload do not speak the same interface.
    #[error("`{system}` does not serve the workload `{workload}`, which speaks `{interface}`; it serves {served}")]
    Interface {
        /// The system.
        system: String,
        /// The workload.
        workload: String,
        /// What the workload speaks.
        interface: String,
        /// The workloads that the system serves.
        served: String,
    },
}

/// The live parts that a plan names: the built system, the workload, the simulator.
pub struct Arena {
    /// The system, as the command line names it.
    pub system_name: String,
    /// The system.
    pub system: Arc<dyn AnySystem>,
    /// What it promises.
    pub promise: Promise,
    /// The workload's line of the catalogue.
    pub workload: &'static WorkloadEntry,
    /// The simulator's line of the catalogue.
    pub simulator: &'static SimulatorEntry,
}

/// A resolved spec: gives the plan of each seed, and the subject to run it against.
pub struct Job {
    /// What it was resolved from.
    pub spec: Spec,
    /// Where plans run.
    pub arena: Arena,
    /// What is asked of every plan.
    pub request: PlanRequest,
}

impl Arena {
    /// The arena of a plan that is there already, such as one read from a file.
    ///
    /// # Errors
    /// When a name of the plan is unknown or a setting is of no use.
    pub fn of_plan(registry: &Registry, plan: &Plan, simulator: Option<&str>) -> Result<Self, SpecError> {
        let (entry, _) = find_system(registry, &plan.system)?;
        Arena::of_source(&Source::Entry(*entry), registry.workloads, plan, simulator)
    }

    /// The same for a plan of one system, which is at hand.
    ///
    /// # Errors
    /// As for [`Arena::of_plan`].
    pub fn of_source(
        source: &Source,
        workloads: &'static [WorkloadEntry],
        plan: &Plan,
        simulator: Option<&str>,
    ) -> Result<Self, SpecError> {
        let workload = find_workload(workloads, &plan.workload.name)?;
        Arena::new(source, workloads, &plan.system, &plan.settings, workload, simulator)
    }

    fn new(
        source: &Source,
        workloads: &'static [WorkloadEntry],
        system_name: &str,
        settings: &Settings,
        workload: &'static WorkloadEntry,
        simulator: Option<&str>,
    ) -> Result<Self, SpecError> {
        let system = source.build(system_name, settings)?;
        let simulator = match simulator {
            Some(name) => names::find("simulator", SIMULATORS, |s| s.name, name)?,
            None => system.habitat().first().entry(),
        };
        system.check(simulator.simulator)?;
        simulator.simulator.check_built()?;
        let promise = system.promise();
        let interface = workload.workload.interface();
        if !promise.interfaces.contains(&interface) {
            return Err(not_served(system_name, &promise, workload, workloads));
        }
        let system = system.speaking(&interface).unwrap_or(system);
        Ok(Arena { system_name: system_name.to_owned(), system, promise, workload, simulator })
    }

    /// What plans are run against.
    pub fn subject(&self) -> Subject<'_> {
        Subject { system: &self.system, simulator: self.simulator.simulator, workload: self.workload.workload }
    }
}

impl Job {
    /// The plan of a seed.
    pub fn plan(&self, seed: u64) -> Plan {
        let mut plan = self.request.draw(seed);
        if let Some(schedule) = &self.spec.schedule {
            plan.faults.clone_from(&schedule.faults);
        }
        plan
    }
}

impl Spec {
    /// The defaults of this system.
    pub fn of(system: impl Into<String>) -> Self {
        Spec { system: system.into(), ..Spec::default() }
    }

    /// Builds what the names stand for.
    ///
    /// # Errors
    /// When a name is unknown (the nearest is offered), a setting is of no use, or system and workload do not fit.
    pub fn resolve(&self, registry: &Registry) -> Result<Job, SpecError> {
        let (entry, _) = find_system(registry, &self.system)?;
        self.resolve_from(&Source::Entry(*entry), registry.workloads)
    }

    /// The same for one system, which is at hand.
    ///
    /// # Errors
    /// As for [`Spec::resolve`].
    pub fn resolve_from(&self, source: &Source, workloads: &'static [WorkloadEntry]) -> Result<Job, SpecError> {
        let workload = match &self.workload {
            Some(name) => find_workload(workloads, name)?,
            None => source.workload(&self.system, workloads)?,
        };
        let (system_settings, mut workload_settings) = self.split_settings(source.settings(), workload.workload)?;
        for (key, value) in source.defaults() {
            if workload.workload.settings().iter().any(|s| s.key == *key) {
                workload_settings.entry((*key).to_owned()).or_insert_with(|| (*value).to_owned());
            }
        }
        let simulator = self.simulator.as_deref();
        let arena = Arena::new(source, workloads, &self.system, &system_settings, workload, simulator)?;
        let mut request = PlanRequest::new(&*self.system, arena.promise.clone(), workload.name);
        request.reaches = arena.system.habitat().reaches();
        request.settings = system_settings;
        request.workload_settings = workload_settings;
        request.nodes = self.nodes;
        request.clients = self.clients.unwrap_or(request.clients);
        request.load = self.load.unwrap_or(request.load);
        request.latency = self.latency.clone().unwrap_or(request.latency);
        request.duration_ns = self.duration_ns.unwrap_or(request.duration_ns);
        if let Some(rate) = self.rate {
            request.interval_ns = u64::from(request.clients.max(1)) * SECOND / u64::from(rate.max(1));
        }
        let bursts = matches!(request.load, Load::Bursts(_));
        if self.rate.is_some() || self.duration_ns.is_some() || bursts {
            request.limit = operations_in(&request);
        }
        let named = source.bug(&self.system)?.and_then(|bug| bug.nemesis).map(str::to_owned);
        let nemeses = if self.nemeses.is_empty() { Vec::from_iter(named) } else { self.nemeses.clone() };
        if !nemeses.is_empty() {
            request.nemeses = parse_nemeses(&nemeses)?;
        }
        // A setting of the workload is looked at when a client is made: better now than in every run.
        workload.workload.client(&request.workload_settings, 0, 1, Stream::named(0, "settings"))?;
        Ok(Job { spec: self.clone(), arena, request })
    }

    fn split_settings(
        &self,
        of_this: &'static [Setting],
        workload: &dyn Workload,
    ) -> Result<(Settings, Settings), SpecError> {
        let has = |table: &[Setting], key: &str| table.iter().any(|s| s.key == key);
        let (mut of_system, mut of_workload) = (Settings::new(), Settings::new());
        for (key, value) in &self.settings {
            let (system, workload_too) = (has(of_this, key), has(workload.settings(), key));
            if !system && !workload_too {
                let known = of_this.iter().chain(workload.settings()).map(|s| s.key.to_owned()).collect();
                return Err(names::unknown("setting", key, known).into());
            }
            if system {
                of_system.insert(key.clone(), value.clone());
            }
            if workload_too {
                of_workload.insert(key.clone(), value.clone());
            }
        }
        Ok((of_system, of_workload))
    }

    /// The options that say the same on the command line, each with a space before it. Empty for the defaults.
    pub fn options(&self) -> String {
        let mut text = String::new();
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(text, " --{name} {value}");
            }
        };
        option("workload", self.workload.clone());
        option("simulator", self.simulator.clone());
        option("nemesis", (!self.nemeses.is_empty()).then(|| self.nemeses.join(",")));
        option("nodes", self.nodes.map(|n| n.to_string()));
        option("clients", self.clients.map(|n| n.to_string()));
        option("rate", self.rate.map(|n| n.to_string()));
        option("load", self.load.map(span::load_text));
        option("latency", self.latency.as_ref().map(span::latency_text));
        option("duration", self.duration_ns.map(|ns| Span(ns).to_string()));
        for (key, value) in &self.settings {
            option("set", Some(shell_word(&format!("{key}={value}"))));
        }
        text
    }

    /// The command that runs one seed.
    pub fn command(&self, seed: u64) -> String {
        let Some(schedule) = &self.schedule else {
            return format!("{} run {} --seed {seed}{}", program::word(), self.system, self.options());
        };
        let simulator = self.simulator.as_ref().map(|name| format!(" --simulator {name}"));
        let run = program::about("run --plan", Path::new(&schedule.file));
        format!("{run} --seed {seed}{}", simulator.unwrap_or_default())
    }
}

/// The system's line of the catalogue and the bug that is meant, of `system` or `system:bug`.
///
/// # Errors
/// When there is no such system or it has no such bug.
pub fn find_system<'a>(
    registry: &Registry,
    name: &'a str,
) -> Result<(&'static SystemEntry, Option<&'a str>), UnknownName> {
    let system = name.split(':').next().unwrap_or(name);
    let entry = names::find("system", registry.systems, |s| s.name, system)?;
    Ok((entry, bug_of(entry, name)?))
}

/// Says what the system serves instead.
fn not_served(system: &str, promise: &Promise, workload: &WorkloadEntry, workloads: &[WorkloadEntry]) -> SpecError {
    let served = workloads.iter().filter(|w| promise.interfaces.contains(&w.workload.interface()));
    let served: Vec<String> = served.map(|w| format!("`{}`", w.name)).collect();
    SpecError::Interface {
        system: system.to_owned(),
        workload: workload.name.to_owned(),
        interface: workload.workload.interface().to_string(),
        served: served.join(", "),
    }
}

fn parse_nemeses(words: &[String]) -> Result<NemesisSelection, UnknownName> {
    NemesisSelection::parse(&words.join(",")).map_err(|e| {
        let known = NEMESES.iter().map(|n| n.name).chain(["all", "beyond", "none"]).map(str::to_owned).collect();
        names::unknown("nemesis", &e.name, known)
    })
}

/// As many operations as the clients would ask for in chaos and settle phase.
fn operations_in(request: &PlanRequest) -> u32 {
    let span = request.duration_ns.saturating_add(request.settle_ns);
    let calm = span / request.interval_ns.max(1);
    let each = match request.load {
        Load::Closed | Load::Open => calm,
        Load::Bursts(bursts) => {
            let share = |n: u64| u128::from(n) * u128::from(bursts.lasts_ns) / u128::from(bursts.every_ns.max(1));
            let more = share(calm).saturating_mul(u128::from(bursts.factor));
            calm.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
        }
    };
    u32::try_from(each.saturating_mul(u64::from(request.clients))).unwrap_or(u32::MAX).max(1)
}
