//! The options that say what seeds are run against.

use std::sync::Once;

use crate::{
    engine::{
        span::{self, Span},
        spec::{Job, Spec},
    },
    plan::{Latencies, Load, Settings},
    simulators::{self, Simulator},
};

/// What seeds are run against.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SpecArgs {
    /// The workload; the system's own when not given (see `list workloads`)
    #[arg(long, value_name = "W")]
    workload: Option<String>,
    /// Faults to draw from: names with commas, `all` inside the promise, `beyond` it, or `none` (see `list nemeses`)
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    nemesis: Vec<String>,
    /// The simulator (see `list simulators`); the system's own when not given
    #[arg(long, value_name = "S")]
    simulator: Option<String>,
    /// Number of replicas
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    nodes: Option<u32>,
    /// Number of clients
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: Option<u32>,
    /// Operations per second of virtual time, of all clients together
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// `closed`: a client waits for its reply before it asks again; `open`: it does not; `bursts:EVERY,LASTS,FACTOR`: open, and
    /// at times it asks more often, as in `bursts:5s,500ms,10`
    #[arg(long, value_name = "LOAD", value_parser = span::load)]
    load: Option<Load>,
    /// One-way latency of messages: `5ms`, a range `1ms..10ms`, or a topology such as `three-continents` (see `list topologies`)
    #[arg(long, value_name = "L", value_parser = span::latency)]
    latency: Option<Latencies>,
    /// How long faults strike, in virtual time: `20s`
    #[arg(long, value_name = "SIM")]
    duration: Option<Span>,
    /// A setting of the system or the workload; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

impl SpecArgs {
    /// The spec of this system with these options.
    pub(super) fn spec(&self, system: &str) -> Spec {
        Spec {
            system: system.to_owned(),
            workload: self.workload.clone(),
            simulator: self.simulator.clone(),
            nemeses: self.nemesis.clone(),
            nodes: self.nodes,
            clients: self.clients,
            rate: self.rate,
            load: self.load,
            latency: self.latency.clone(),
            duration_ns: self.duration.map(|d| d.0),
            settings: self.settings.iter().cloned().collect::<Settings>(),
            schedule: None,
        }
    }

    /// The simulator asked for.
    pub(super) fn simulator(&self) -> Option<&str> {
        self.simulator.as_deref()
    }

    /// Refuses options that only make sense when a plan is drawn.
    pub(super) fn beside_a_plan(&self) -> super::Result<()> {
        if (Spec { simulator: None, ..self.spec("") }) == Spec::default() {
            return Ok(());
        }
        Err(super::wrong("a plan says all there is to say; only `--simulator` and seeds go with `--plan`", ""))
    }
}

/// Resolves a spec; an unknown name comes with the command that lists the known ones.
pub(super) fn resolve(spec: &Spec, context: &super::Context) -> super::Result<Job> {
    let job = spec.resolve(&context.registry).map_err(|e| {
        let kind = match &e {
            crate::engine::spec::SpecError::Name(name) => name.kind,
            _ => "",
        };
        super::wrong(&e, next(kind))
    })?;
    if job.arena.simulator.simulator == Simulator::Turmoil
        && let Some(weaker) = simulators::weaker()
    {
        static SAID: Once = Once::new();
        SAID.call_once(|| eprintln!("{weaker}"));
    }
    Ok(job)
}

/// Where to look for the names of a kind.
pub(super) fn next(kind: &str) -> &'static str {
    match kind {
        "system" => "`squall list systems` and `squall list bugs` show all there are.",
        "workload" => "`squall list workloads` shows all there are.",
        "nemesis" => "`squall list nemeses` shows all there are.",
        "simulator" => "`squall list simulators` shows all there are.",
        "checker" => "`squall list checkers` shows all there are.",
        "model" => "`squall list models` shows all there are.",
        "format" => "`squall list formats` shows all there are.",
        _ => "",
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    if key.is_empty() {
        return Err(format!("`{text}` has no key before the `=`"));
    }
    Ok((key.to_owned(), value.to_owned()))
}
