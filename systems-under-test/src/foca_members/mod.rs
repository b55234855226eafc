//! `foca-members`: who is a member of the cluster, as the crate `foca` sees it by the protocol SWIM.
//!
//! Every replica probes others, directly and through third ones, suspects those that do not answer, and passes on what it hears
//! (Das, Gupta & Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol", DSN 2002).
//! Clients ask replicas for the members that they hold alive. A member may be held dead wrongly for a while; it learns of that,
//! takes a new identity, and is heard of again. After a restart it is known by a greater identity too, which it counts on its disk.

mod agent;

use squall::{
    Env, Promise, Reply, Result, System,
    catalogue::{Bug, SystemEntry},
    environment::{Address, Checked, Stream},
    plan::NodeId,
};
use squall_checkers::operation::{Interface, Operation};
use squall_workloads::settings::SettingsReader;

use self::agent::Agent;
use crate::{desk, journal::JournalFile};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "foca-members",
    summary: "the crate `foca`: replicas that probe each other and gossip who is alive (SWIM); clients ask them for members",
    workload: "membership",
    settings: &[],
    defaults: &[("members", "5")],
    bugs: &[
        Bug {
            name: "identity-kept",
            summary: "a member that was declared dead keeps its identity, which the others do not believe any more",
            trigger: "a member that is wrongly held dead",
            workload: None,
            nemesis: None,
            anomalies: &["live-member-held-dead"],
        },
        Bug {
            name: "no-word-to-the-dead",
            summary: "members do not talk to those that they hold dead",
            trigger: "a partition long enough for both sides to declare each other dead",
            workload: None,
            nemesis: None,
            anomalies: &["live-member-held-dead"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new("foca-members", settings, &[])?;
        let mistake = bug.map(|bug| match bug {
            "identity-kept" => Mistake::IdentityKept,
            "no-word-to-the-dead" => Mistake::NoWordToTheDead,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(FocaMembers { mistake }))
    },
};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    IdentityKept,
    NoWordToTheDead,
}

/// The system: settings only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FocaMembers {
    mistake: Option<Mistake>,
}

/// Where clients connect.
const CLIENTS: u16 = 1;
/// Where members talk to each other.
const PEERS: u16 = 2;
/// Room for the largest datagram.
const BUFFER: usize = 2_048;

impl System for FocaMembers {
    type Client = Option<Stream>;

    /// Nothing is written, and each replica has its own view until all has settled.
    fn promise(&self) -> Promise {
        Promise { durable: false, ..Promise::new(Interface::MEMBERSHIP, "eventual-accuracy") }.on(5)
    }

    async fn serve(&self, env: Env) -> Result<()> {
        // Each start leaves a record, so that the next one is known to be later.
        let (mut journal, starts) = JournalFile::open(&env).await?;
        journal.append(&[]).await?;
        let socket = env.bind(PEERS)?;
        let mut asked = desk::open(&env, CLIENTS)?;
        let mut agent = Agent::new(&env, self.mistake, starts.len() as u32 + 1);
        let mut buffer = vec![0; BUFFER];
        loop {
            for (to, data) in agent.take_out() {
                let to = Address { node: NodeId(to), port: PEERS };
                socket.send_to(to, &postcard::to_stdvec(&Checked(data))?)?;
            }
            let wait = agent.next_due().saturating_sub(env.monotonic());
            squall::select! {
                received = socket.recv_from(&mut buffer) => {
                    let (length, _) = received?;
                    if let Ok(Checked(data)) = postcard::from_bytes::<Checked<Vec<u8>>>(&buffer[..length]) {
                        agent.on_data(env.monotonic(), &data);
                    }
                }
                request = asked.recv() => {
                    let Some((operation, answer)) = request else { return Ok(()) };
                    drop(answer.send(agent.answer(&operation)));
                }
                () = env.sleep(wait) => agent.on_time(env.monotonic()),
            }
        }
    }

    async fn connect(&self, _: &Env) -> Result<Option<Stream>> {
        Ok(None)
    }

    async fn invoke(&self, session: &mut Option<Stream>, env: &Env, operation: &Operation) -> Result<Reply> {
        desk::ask(session, env, env.home(), CLIENTS, operation).await
    }
}

#[cfg(test)]
mod tests {
    use squall::{
        engine::{
            run::run_plan,
            spec::{Registry, Spec},
        },
        plan::{Fault, FaultKind, Loss, SECOND, Target},
        simulators::Options,
    };
    use squall_checkers::{history::Entry, value::Value};
    use squall_workloads::WORKLOADS;

    use crate::SYSTEMS;

    const CRASH_NS: u64 = 4 * SECOND;
    const RESTART_NS: u64 = 10 * SECOND;

    /// What was said of member 2 while it was down for six seconds, and after that: when, and whether it was held alive.
    fn said_of_the_crashed(seed: u64) -> Vec<(u64, bool)> {
        let spec = Spec { nemeses: vec!["none".to_owned()], rate: Some(400), ..Spec::of("foca-members") };
        let job = spec.resolve(&Registry { systems: SYSTEMS, workloads: WORKLOADS }).expect("names are known");
        let mut plan = job.plan(seed);
        plan.faults = vec![Fault {
            id: 1,
            begins_ns: CRASH_NS,
            lasts_ns: RESTART_NS - CRASH_NS,
            target: Target::Nodes(vec![super::NodeId(2)]),
            kind: FaultKind::Crash { loss: Loss::Kept },
        }];
        let outcome = run_plan(&job.arena.subject(), &plan, Options::default()).expect("the plan can be run");
        let entries = outcome.execution.expect("a run").history.entries;
        let said = |entry: &Entry| match entry.reply() {
            Some(Value::Bool(alive)) if entry.operation.key == Value::Int(2) => Some((entry.completed?.time(), *alive)),
            _ => None,
        };
        entries.iter().filter_map(said).collect()
    }

    #[test]
    fn a_crash_is_noticed_within_seconds_and_so_is_the_return() {
        let mut detection_ms = Vec::new();
        for seed in 0..20 {
            let said = said_of_the_crashed(seed);
            let of = |from: u64, to: u64| said.iter().filter(move |(at, _)| (from..to).contains(at));
            let first = of(CRASH_NS, RESTART_NS).find(|(_, alive)| !alive).expect("it is noticed").0;
            detection_ms.push((first - CRASH_NS) / 1_000_000);
            assert!(of(SECOND, CRASH_NS).all(|(_, alive)| *alive), "seed {seed}: nobody is held dead before");
            assert!(of(CRASH_NS + 4 * SECOND, RESTART_NS).all(|(_, alive)| !alive), "seed {seed}: all know of it");
            assert!(of(RESTART_NS + 3 * SECOND, u64::MAX).all(|(_, alive)| *alive), "seed {seed}: it is back");
        }
        detection_ms.sort_unstable();
        println!("detection: median {} ms, most {} ms", detection_ms[10], detection_ms[19]);
        assert!(detection_ms[10] < 2_000 && detection_ms[0] > 500, "{detection_ms:?}");
    }
}
