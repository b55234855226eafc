//! What workloads are made of: which object an operation is for, what it does, and values that nobody else writes.

use std::collections::BTreeSet;

use squall_checkers::{history::ProcessId, operation::Operation, value::Value};

use crate::{
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError},
};

/// More keys than this are not in use at a time.
pub(crate) const KEYS_MAX: u64 = 1_000_000;
const WEIGHT_MAX: u64 = 1_000_000;

/// The setting that [`Keys`] reads: how many objects are in use at a time.
pub(crate) const fn keys_setting(default: &'static str) -> Setting {
    Setting { key: "keys", default, summary: "keys in use at a time" }
}

/// The setting that [`Keys`] reads: how much is done to an object before it is replaced.
pub(crate) const fn per_key_setting(default: &'static str, summary: &'static str) -> Setting {
    Setting { key: "elements-per-key", default, summary }
}

/// The setting that [`Keys`] reads: which object an operation is for.
pub(crate) const DISTRIBUTION: Setting = Setting {
    key: "distribution",
    default: "uniform",
    summary: "which key an operation is for: `uniform`, or `zipf` (the i-th key with weight 1/i)",
};

/// What the Zipf weights `1/i` are multiplied by, to stay among integers.
const ZIPF_SCALE: u64 = 1 << 32;

/// The objects in use, as one client sees them. Keys are integers; when a key has had its bound of changes it is replaced by the
/// key `count` further on. Clients share nothing: the bound is split among them beforehand, and each moves on when its own
/// part is spent.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    count: u64,
    /// Changes of one key, by all clients; 0: no bound.
    bound: u64,
    client: u64,
    clients: u64,
    slots: Vec<Slot>,
    /// Running sums of the slots' weights; empty when they weigh the same.
    up_to: Vec<u64>,
    /// So many of a thousand draws are the first slot, whatever it weighs.
    heat: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    generation: u64,
    /// Changes that this client made to the key of this generation.
    spent: u64,
}

impl Keys {
    /// `count` keys with a bound of changes each.
    pub(crate) fn new(count: u64, bound: u64, client: u32, clients: u32) -> Self {
        let (client, clients) = (u64::from(client), u64::from(clients.max(client + 1)));
        Keys { count, bound, client, clients, slots: vec![Slot::default(); count as usize], up_to: Vec::new(), heat: 0 }
    }

    /// The same, drawn as the setting `distribution` says.
    pub(crate) fn distributed(mut self, reader: SettingsReader<'_>) -> Result<Self, SettingError> {
        if reader.choice("distribution", &[("uniform", false), ("zipf", true)])? {
            let weights = (1..=self.count).map(|i| ZIPF_SCALE / i);
            self.up_to = weights
                .scan(0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect();
        }
        Ok(self)
    }

    /// As the settings `keys`, `elements-per-key` and `distribution` say.
    pub(crate) fn read(reader: SettingsReader<'_>, client: u32, clients: u32) -> Result<Self, SettingError> {
        let count = reader.number("keys", 1..=KEYS_MAX)?;
        let bound = reader.number("elements-per-key", 0..=u64::from(u32::MAX))?;
        Keys::new(count, bound, client, clients).distributed(reader)
    }

    /// [`Client::heat`] for a client that has these keys.
    pub(crate) fn heat(&mut self, permille: u32) -> bool {
        self.heat = permille;
        true
    }

    /// How many changes of the key in `slot` fall to this client. Over all clients this adds up to the bound.
    fn share(&self, slot: usize) -> u64 {
        let turn = (self.client + slot as u64 + self.slots[slot].generation) % self.clients;
        self.bound / self.clients + u64::from(turn < self.bound % self.clients)
    }

    /// One of the slots.
    pub(crate) fn draw(&self, stream: &mut Stream) -> usize {
        if self.heat > 0 && stream.below(1000) < u64::from(self.heat) {
            return 0;
        }
        match self.up_to.last() {
            None => stream.below(self.count) as usize,
            Some(&total) => {
                let point = stream.below(total);
                self.up_to.partition_point(|&sum| sum <= point)
            }
        }
    }

    /// Takes one of the changes that this client has on the slot's key; on a later key when there is none left, and says so.
    pub(crate) fn spend(&mut self, slot: usize) -> bool {
        let generation = self.slots[slot].generation;
        while self.bound > 0 && self.slots[slot].spent >= self.share(slot) {
            self.slots[slot] = Slot { generation: self.slots[slot].generation + 1, spent: 0 };
        }
        self.slots[slot].spent += 1;
        self.slots[slot].generation != generation
    }

    /// The key in use in a slot.
    pub(crate) fn key(&self, slot: usize) -> Value {
        Value::Int((slot as u64 + self.slots[slot].generation * self.count) as i64)
    }

    /// The slot in which this key is in use.
    pub(crate) fn slot_of(&self, key: &Value) -> Option<usize> {
        let key = key.as_int()? as u64;
        let slot = (key % self.count) as usize;
        (self.slots[slot].generation == key / self.count).then_some(slot)
    }
}

/// Numbers that no two clients share.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    client: u64,
    clients: u64,
    made: u64,
}

impl Fresh {
    pub(crate) fn new(client: u32, clients: u32) -> Self {
        Fresh { client: u64::from(client), clients: u64::from(clients.max(client + 1)), made: 0 }
    }

    pub(crate) fn next(&mut self) -> i64 {
        let value = self.made * self.clients + self.client + 1;
        self.made += 1;
        value as i64
    }
}

/// How often each kind of operation is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Weights(Vec<u64>);

impl Weights {
    /// The weights that settings of these names give, not all of them 0.
    pub(crate) fn read(reader: SettingsReader<'_>, names: &[&str]) -> Result<Self, SettingError> {
        let weights =
            names.iter().map(|name| reader.number(name, 0..=WEIGHT_MAX)).collect::<Result<Vec<u64>, SettingError>>()?;
        if weights.iter().sum::<u64>() == 0 {
            let others = names[1..].iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let verb = if names.len() > 2 { "are" } else { "is" };
            return Err(SettingError {
                key: names[0].to_owned(),
                value: "0".to_owned(),
                expected: format!("allowed when {others} {verb} 0 too: nothing would be done"),
            });
        }
        Ok(Weights(weights))
    }

    /// Whether this one of the names ever comes.
    pub(crate) fn may_draw(&self, name: usize) -> bool {
        self.0.get(name).is_some_and(|weight| *weight > 0)
    }

    /// Which of the names comes next.
    pub(crate) fn draw(&self, stream: &mut Stream) -> usize {
        let mut point = stream.below(self.0.iter().sum());
        for (i, weight) in self.0.iter().enumerate() {
            match point.checked_sub(*weight) {
                Some(rest) => point = rest,
                None => return i,
            }
        }
        unreachable!("the point lies below the sum")
    }
}

/// What is judged by a checker of that name where replicas only have to agree in the end.
pub(crate) const EVENTUAL: [&str; 2] = ["eventual", "strong-eventual"];

/// A client that never ends and does not look at replies.
pub(crate) struct Asking<F>(pub(crate) F);

impl<F: FnMut() -> Operation + Send> Client for Asking<F> {
    fn next(&mut self, _: ProcessId) -> Option<Operation> {
        Some((self.0)())
    }
}

/// The same, of operations that have keys.
pub(crate) struct AskingFor<F>(pub(crate) Keys, pub(crate) F);

impl<F: FnMut(&mut Keys) -> Operation + Send> Client for AskingFor<F> {
    fn next(&mut self, _: ProcessId) -> Option<Operation> {
        Some((self.1)(&mut self.0))
    }

    fn heat(&mut self, permille: u32) -> bool {
        self.0.heat(permille)
    }
}

/// One operation of this name on each key that was touched.
pub(crate) fn on_each_key(f: &'static str, asked: &[Operation]) -> Vec<Operation> {
    let keys: BTreeSet<&Value> = asked.iter().map(|o| &o.key).collect();
    keys.into_iter().map(|key| Operation::new(f, key.clone(), Value::Nil)).collect()
}

/// Linearizability by this model and the invariants that follow from it; the invariants alone where one of them was promised.
pub(crate) fn judges(promised: &str, model: &'static str, invariants: &[&'static str]) -> Vec<Judge> {
    let invariants = invariants.iter().copied();
    if promised == "linearizable" {
        return std::iter::once(Judge::with_model("linearizable", model)).chain(invariants.map(Judge::new)).collect();
    }
    invariants.filter(|invariant| *invariant == promised).map(Judge::new).collect()
}

/// What tests of workloads share.
#[cfg(test)]
pub(crate) mod testing {
    use squall_checkers::{
        budget::Budget,
        checker, formats,
        history::{History, Outcome, ProcessId},
        models,
        operation::{Name, Operation},
        recorder::HistoryBuilder,
        value::Value,
    };

    use crate::{
        random::Stream,
        workload::{Client, Settings, Workload},
    };

    /// What comes of `count` operations of each of three clients and the final reads when `apply` is the store, and everything
    /// happens at once. Each operation whose reply is `None` fails.
    pub(crate) fn run(
        workload: &dyn Workload,
        settings: &[(&str, &str)],
        count: usize,
        mut apply: impl FnMut(&Operation) -> Option<Value>,
    ) -> History {
        let settings: Settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let client = |c: u32| workload.client(&settings, c, 3, Stream::named(7, &format!("client/{c}"))).unwrap();
        let mut clients: Vec<Box<dyn Client>> = (0..3).map(client).collect();
        let mut recorder = HistoryBuilder::new();
        let mut asked = Vec::new();
        for turn in 0..3 * count {
            let process = ProcessId((turn % 3) as u32);
            let operation = clients[turn % 3].next(process).expect("it never ends");
            let entry = recorder.invoke(process, operation.clone(), 0);
            let outcome = apply(&operation).map_or(Outcome::Failed("".into()), Outcome::Ok);
            recorder.complete(entry, outcome.clone(), 0);
            clients[turn % 3].completed(process, &operation, &outcome);
            asked.push(operation);
        }
        for operation in workload.final_reads(&settings, &asked).unwrap() {
            let entry = recorder.invoke(ProcessId(9), operation.clone(), 0);
            recorder.complete(entry, Outcome::Ok(apply(&operation).expect("final reads succeed")), 0);
        }
        recorder.finish()
    }

    /// The first operations, as text.
    pub(crate) fn first(history: &History, count: usize) -> String {
        let shown = history.entries.iter().take(count).map(|e| e.operation.to_string());
        shown.collect::<Vec<_>>().join(" ")
    }

    /// The names of those who find fault with the history of a workload of which this was promised.
    pub(crate) fn complaints(workload: &dyn Workload, promised: &str, history: &History) -> Vec<Name> {
        let judges = workload.judges(promised);
        assert!(!judges.is_empty(), "nobody judges {promised}");
        let complains = |judge: &&crate::workload::Judge| {
            let model = judge.model.as_ref().and_then(|model| models::model(model.as_str()));
            let checker =
                checker::checker(judge.checker.as_str()).and_then(|c| (c.build)(model)).expect("in the catalogue");
            let verdict = checker.check(history, &Budget::default());
            let text = || formats::write(history, formats::Format::Text);
            assert!(!verdict.is_unknown(), "{}: {verdict:?}\n{:?}", judge.checker, text());
            verdict.is_invalid()
        };
        judges.iter().filter(complains).map(|judge| judge.checker.clone()).collect()
    }
}
