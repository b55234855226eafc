//! What came of a scene, for its judge.

use std::{io, time::Duration};

use squall::{
    environment::Socket,
    simulators::{Execution, TraceKind},
};
use squall_checkers::value::Value;

use crate::stage::GRAIN;

/// What came of a scene.
pub(crate) struct Run {
    pub(crate) execution: Execution,
    sightings: Vec<Sighting>,
    /// What was written on the board.
    pub(crate) board: Vec<String>,
    /// Starts and ends of processes.
    processes: Vec<String>,
}

/// Something a machine saw.
#[derive(Debug)]
struct Sighting {
    /// True time since the start of the run.
    at: Duration,
    machine: u32,
    what: String,
}

impl Run {
    pub(crate) fn new(execution: Execution, board: Vec<String>) -> Self {
        let events = execution.trace.iter().flat_map(|trace| &trace.events);
        let sightings = events.filter_map(|event| match &event.what {
            TraceKind::Observed { key, value: Value::List(seen) } if key.as_str() == "saw" => Some(Sighting {
                at: Duration::from_nanos(event.time_ns),
                machine: event.node?.0,
                what: seen.get(1)?.as_text()?.to_owned(),
            }),
            _ => None,
        });
        let sightings = sightings.collect();
        let events = execution.trace.iter().flat_map(|trace| &trace.events);
        let processes = events.filter_map(|event| match &event.what {
            TraceKind::Process { text } => Some(format!("{:?} at {} ns: {text}", event.node, event.time_ns)),
            _ => None,
        });
        let processes = processes.collect();
        Run { execution, sightings, board, processes }
    }

    /// Starts and ends of processes, for people.
    pub(crate) fn processes(&self) -> &[String] {
        &self.processes
    }

    /// All that a machine saw, in order.
    pub(crate) fn of(&self, machine: u32) -> Vec<&str> {
        self.sightings.iter().filter(|s| s.machine == machine).map(|s| s.what.as_str()).collect()
    }

    /// When a machine saw this, each time.
    pub(crate) fn times(&self, machine: u32, what: &str) -> Vec<Duration> {
        self.sightings.iter().filter(|s| s.machine == machine && s.what == what).map(|s| s.at).collect()
    }

    /// When a machine saw this, once.
    #[track_caller]
    pub(crate) fn time(&self, machine: u32, what: &str) -> Duration {
        let times = self.times(machine, what);
        assert_eq!(times.len(), 1, "how often n{machine} saw `{what}`, among {:?}", self.of(machine));
        times[0]
    }

    /// A machine saw this once, at this true time or a grain later.
    #[track_caller]
    pub(crate) fn saw_at(&self, machine: u32, what: &str, at: Duration) {
        near(self.time(machine, what), at);
    }

    /// The number that follows `label` in each of a machine's sightings that begin with it.
    #[track_caller]
    pub(crate) fn numbers(&self, machine: u32, label: &str) -> Vec<i128> {
        let rest = |what: &'_ str| what.strip_prefix(label).map(|rest| rest.trim().to_owned());
        self.of(machine)
            .into_iter()
            .filter_map(rest)
            .map(|n| n.parse().unwrap_or_else(|_| panic!("`{n}` is no number")))
            .collect()
    }
}

/// `time` is `expected`, or a grain later.
#[track_caller]
pub(crate) fn near(time: Duration, expected: Duration) {
    assert!(time >= expected && time <= expected + GRAIN, "at {time:?}, and not at {expected:?}");
}

/// The next datagram, as text.
pub(crate) async fn receive(socket: &Socket) -> io::Result<String> {
    let mut buffer = [0; 256];
    let (length, _) = socket.recv_from(&mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The kind of an error, for sightings.
pub(crate) fn outcome<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}
