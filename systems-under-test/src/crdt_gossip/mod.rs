//! `crdt-gossip`: the types of the crate `crdts`, kept by replicas that tell each other their states.
//!
//! Every replica takes updates by itself, saves the state that one leaves, sends it to the others, and answers; now and then it
//! sends some of its other states too, for messages are lost. Who gets a state merges it (state-based replication: Shapiro,
//! Preguiça, Baquero & Zawirski, "Conflict-free Replicated Data Types", 2011). A replica is one actor for ever, so it must not
//! forget what it did: it answers and gossips what is on its disk. What it merged it may forget, for it will hear of that again.

mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use squall::{
    Env, Promise, Reply, Result, System,
    catalogue::{Bug, SystemEntry},
    environment::{Address, Checked, Stream},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};
use squall_workloads::{settings::SettingsReader, workload::Setting};

use self::state::{Kind, State};
use crate::{desk, journal::JournalFile};

const SETTINGS: &[Setting] = &[
    Setting { key: "set", default: "or", summary: "`or`: elements can be removed (OR-Set); `g`: they cannot (G-Set)" },
    Setting {
        key: "counter",
        default: "pn",
        summary: "`pn`: counts up and down (PN-Counter); `g`: only up (G-Counter)",
    },
];

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "crdt-gossip",
    summary: "the crate `crdts`: counters, sets and last-writer-wins registers whose replicas gossip their states and merge them",
    workload: "set",
    settings: SETTINGS,
    defaults: &[("removes", "1"), ("decrements", "1"), ("cas", "0")],
    bugs: &[
        Bug {
            name: "tombstones-collected-early",
            summary: "a replica remembers for a second what was removed, and takes an older state of another for news after that",
            trigger: "a replica that is cut off, down or slow while an element is removed",
            workload: None,
            nemesis: None,
            anomalies: &["resurrected-element"],
        },
        Bug {
            name: "actor-reused",
            summary: "a replica saves its states once a second, and after a crash goes on as the actor that it was",
            trigger: "power loss at a replica",
            workload: Some("counter"),
            nemesis: None,
            // The others take its next counts for those that they had seen already.
            anomalies: &["unexplained-state", "divergence"],
        },
        Bug {
            name: "tie-without-actor",
            summary: "of two writes with the same number each replica keeps the one that it has",
            trigger: "concurrent writes at two replicas",
            workload: Some("register"),
            nemesis: None,
            anomalies: &["divergence"],
        },
    ],
    build: |bug, settings| {
        let reader = SettingsReader::new("crdt-gossip", settings, SETTINGS)?;
        let set = reader.choice("set", &[("or", Kind::OrSet), ("g", Kind::GSet)])?;
        let counter = reader.choice("counter", &[("pn", Kind::PnCounter), ("g", Kind::GCounter)])?;
        let mistake = bug.map(|bug| match bug {
            "tombstones-collected-early" => Mistake::CollectsEarly,
            "actor-reused" => Mistake::ActorReused,
            "tie-without-actor" => Mistake::TieWithoutActor,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(CrdtGossip { set, counter, kind: set, mistake }))
    },
};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// Removals are forgotten after [`REMEMBERED_TICKS`].
    CollectsEarly,
    /// States are saved every [`SAVED_TICKS`], and not before they are shown.
    ActorReused,
    /// The markers of registers do not say who wrote.
    TieWithoutActor,
}

/// The store: settings only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrdtGossip {
    set: Kind,
    counter: Kind,
    /// What is kept under each key.
    kind: Kind,
    mistake: Option<Mistake>,
}

/// Where clients connect.
const CLIENTS: u16 = 1;
/// Where replicas gossip.
const PEERS: u16 = 2;
/// From one gossip to the next.
const TICK: Duration = Duration::from_millis(500);
/// States told in one tick at most.
const TOLD: usize = 8;
/// Room for the largest datagram.
const BUFFER: usize = 65_536;
const REMEMBERED_TICKS: u64 = 2;
const SAVED_TICKS: u64 = 2;

impl System for CrdtGossip {
    type Client = Option<Stream>;

    /// Not durable: of two concurrent writes to a register one vanishes although both were acknowledged. Of sets and counters
    /// nothing may be missing, and the model says so.
    fn promise(&self) -> Promise {
        let promise = Promise { durable: false, ..Promise::new(Interface::SET, "strong-eventual") };
        promise.serving(&[Interface::COUNTER, Interface::REGISTER])
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        let kind = match interface.0.as_str() {
            "counter" => self.counter,
            "register" => Kind::Register,
            _ => self.set,
        };
        Some(CrdtGossip { kind, ..*self })
    }

    async fn serve(&self, env: Env) -> Result<()> {
        let (journal, records) = JournalFile::open(&env).await?;
        let mut replica = Replica::new(*self, env.clone(), journal);
        for record in records {
            let (key, state) = postcard::from_bytes::<(Value, State)>(&record)?;
            replica.states.insert(key, state);
        }
        let socket = env.bind(PEERS)?;
        let mut asked = desk::open(&env, CLIENTS)?;
        let mut tick = env.interval(TICK);
        let mut buffer = vec![0; BUFFER];
        loop {
            squall::select! {
                request = asked.recv() => {
                    let Some((operation, answer)) = request else { return Ok(()) };
                    let reply = replica.answer(&operation).await?;
                    drop(answer.send(reply)); // Its client may have gone.
                }
                received = socket.recv_from(&mut buffer) => {
                    let (length, _) = received?;
                    if let Ok(Checked((key, state))) = postcard::from_bytes(&buffer[..length]) {
                        replica.merge(key, state);
                    }
                }
                () = tick.tick() => replica.on_tick().await?,
            }
            for message in replica.take_out() {
                let bytes = postcard::to_stdvec(&Checked(message))?;
                for node in env.peers() {
                    socket.send_to(Address { node, port: PEERS }, &bytes)?;
                }
            }
        }
    }

    async fn connect(&self, _: &Env) -> Result<Option<Stream>> {
        Ok(None)
    }

    /// Asks the replica at home, and no other: what a session has seen is there.
    async fn invoke(&self, session: &mut Option<Stream>, env: &Env, operation: &Operation) -> Result<Reply> {
        desk::ask(session, env, env.home(), CLIENTS, operation).await
    }
}

/// One life of one replica.
struct Replica {
    store: CrdtGossip,
    env: Env,
    journal: JournalFile,
    states: BTreeMap<Value, State>,
    /// What the others are to hear.
    out: Vec<(Value, State)>,
    /// The key after which gossip goes on.
    told: Option<Value>,
    ticks: u64,
    /// With [`Mistake::ActorReused`]: the keys that are to be saved.
    unsaved: BTreeSet<Value>,
    /// With [`Mistake::CollectsEarly`]: what was removed, and when.
    removed: BTreeMap<(Value, Value), u64>,
}

impl Replica {
    fn new(store: CrdtGossip, env: Env, journal: JournalFile) -> Self {
        Replica {
            store,
            env,
            journal,
            states: BTreeMap::new(),
            out: Vec::new(),
            told: None,
            ticks: 0,
            unsaved: BTreeSet::new(),
            removed: BTreeMap::new(),
        }
    }

    fn state(&self, key: &Value) -> State {
        self.states.get(key).cloned().unwrap_or_else(|| State::new(self.store.kind))
    }

    /// Does one operation. What it changes is on disk when this returns.
    async fn answer(&mut self, operation: &Operation) -> Result<Result<Reply, String>> {
        let mut state = self.state(&operation.key);
        if operation.f == "read" {
            return Ok(Ok(state.read()));
        }
        let before = state.clone();
        let marks = !self.store.is(Mistake::TieWithoutActor);
        let reply = state.update(self.env.me().0, marks, operation);
        if reply.is_ok() && state != before {
            if self.store.is(Mistake::ActorReused) {
                self.unsaved.insert(operation.key.clone());
            } else {
                self.journal.append(&postcard::to_stdvec(&(&operation.key, &state))?).await?;
            }
            self.bury(&operation.key, &before, &state);
            self.out.push((operation.key.clone(), state.clone()));
            self.states.insert(operation.key.clone(), state);
        }
        Ok(reply)
    }

    /// Takes over what another replica knows.
    fn merge(&mut self, key: Value, other: State) {
        let before = self.state(&key);
        if before == other {
            return;
        }
        let mut state = before.clone();
        if self.store.is(Mistake::CollectsEarly) {
            let me = self.env.me().0;
            for element in other.elements_beside(&before) {
                let removed = self.removed.get(&(key.clone(), element.clone()));
                if removed.is_none_or(|at| self.ticks - at > REMEMBERED_TICKS) {
                    state.revive(me, element);
                }
            }
        }
        state.merge(other);
        self.bury(&key, &before, &state);
        self.states.insert(key, state);
    }

    async fn on_tick(&mut self) -> Result<()> {
        self.ticks += 1;
        if self.ticks.is_multiple_of(SAVED_TICKS) {
            for key in std::mem::take(&mut self.unsaved) {
                self.journal.append(&postcard::to_stdvec(&(&key, self.state(&key)))?).await?;
            }
        }
        let after = self.states.iter().filter(|(key, _)| self.told.as_ref().is_none_or(|told| *key > told));
        let told: Vec<_> = after.take(TOLD).map(|(key, state)| (key.clone(), state.clone())).collect();
        self.told = told.last().filter(|_| told.len() == TOLD).map(|(key, _)| key.clone());
        self.out.extend(told);
        Ok(())
    }

    /// What is to be sent to all others.
    fn take_out(&mut self) -> Vec<(Value, State)> {
        std::mem::take(&mut self.out)
    }

    /// Remembers what is gone.
    fn bury(&mut self, key: &Value, before: &State, after: &State) {
        if self.store.is(Mistake::CollectsEarly) {
            let gone = before.elements_beside(after).into_iter();
            self.removed.extend(gone.map(|element| ((key.clone(), element), self.ticks)));
        }
    }
}

impl CrdtGossip {
    fn is(self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}
