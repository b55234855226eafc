//! `register`: reads, writes and compare-and-sets of a few contended registers.
//!
//! ```text
//! read(3) -> 17 | nil      write(3, 18) -> nil      cas(3, 18, 19) -> true | false
//! ```
//!
//! Keys are integers. There are `keys` of them in use at a time; a key that has had its bound of writes is replaced by the key
//! `keys` further on, so that the history of no single key grows without end. Clients share nothing: the bound is split among
//! them beforehand, and each moves on when its own part is spent.

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{DISTRIBUTION, EVENTUAL, Fresh, KEYS_MAX, Keys, Weights, on_each_key},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Reads, writes and compare-and-sets of keyed registers.
#[derive(Clone, Copy, Debug)]
pub struct RegisterWorkload;

const SETTINGS: &[Setting] = &[
    Setting { key: "keys", default: "3", summary: "keys in use at a time" },
    DISTRIBUTION,
    Setting {
        key: "writes-per-key",
        default: "120",
        summary: "writes and cas after which a key is replaced by a fresh one; 0: never",
    },
    Setting {
        key: "values",
        default: "unique",
        summary: "`unique`: no value is written twice; `small`: five values are written again and again",
    },
    Setting { key: "reads", default: "10", summary: "weight of reads in the mix" },
    Setting { key: "writes", default: "7", summary: "weight of writes in the mix" },
    Setting { key: "cas", default: "3", summary: "weight of compare-and-sets in the mix; 0 for stores that have none" },
];

/// Values written when they are not unique: `1..=SMALL_VALUES`.
const SMALL_VALUES: u64 = 5;
/// One cas in this many expects the value before the last one known: it should fail.
const STALE_CAS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Unique,
    Small,
}

/// The settings, read.
#[derive(Clone, Debug)]
struct Mix {
    keys: u64,
    writes_per_key: u64,
    values: Values,
    /// Of reads, writes and cas.
    weights: Weights,
}

impl Mix {
    fn read(settings: &Settings) -> Result<Self, SettingError> {
        let reader = SettingsReader::new("register", settings, SETTINGS)?;
        Ok(Mix {
            keys: reader.number("keys", 1..=KEYS_MAX)?,
            writes_per_key: reader.number("writes-per-key", 0..=u64::from(u32::MAX))?,
            values: reader.choice("values", &[("unique", Values::Unique), ("small", Values::Small)])?,
            weights: Weights::read(reader, &["reads", "writes", "cas"])?,
        })
    }
}

impl Workload for RegisterWorkload {
    fn interface(&self) -> Interface {
        Interface::REGISTER
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let mix = Mix::read(settings)?;
        let reader = SettingsReader::new("register", settings, SETTINGS)?;
        let slots = vec![Slot::default(); mix.keys as usize];
        let keys = Keys::new(mix.keys, mix.writes_per_key, client, clients).distributed(reader)?;
        Ok(Box::new(RegisterClient { mix, keys, fresh: Fresh::new(client, clients), stream, slots }))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        Mix::read(settings)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        const SESSIONS: [&str; 4] = ["monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads"];
        match model {
            "linearizable" => vec![Judge::with_model("linearizable", "cas-register")],
            "causal" => std::iter::once("causal").chain(SESSIONS).map(Judge::new).collect(),
            "sessions" => SESSIONS.into_iter().map(Judge::new).collect(),
            _ => SESSIONS.into_iter().chain(EVENTUAL).filter(|s| *s == model).map(Judge::new).collect(),
        }
    }
}

/// What one client knows of one of the keys in use.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// The last value that this client read or wrote.
    last: Option<Value>,
    /// The one before it.
    before: Option<Value>,
}

struct RegisterClient {
    mix: Mix,
    keys: Keys,
    fresh: Fresh,
    stream: Stream,
    slots: Vec<Slot>,
}

impl RegisterClient {
    fn fresh_value(&mut self) -> Value {
        Value::Int(match self.mix.values {
            Values::Unique => self.fresh.next(),
            Values::Small => self.stream.between(1, SMALL_VALUES) as i64,
        })
    }

    /// The value a cas expects: the last one known, now and then the one before; `None` when none is known.
    fn expected(&mut self, slot: usize) -> Option<Value> {
        let stale = self.stream.chance(1, STALE_CAS);
        let slot = &self.slots[slot];
        if stale { slot.before.clone().or_else(|| slot.last.clone()) } else { slot.last.clone() }
    }
}

impl Client for RegisterClient {
    fn next(&mut self, _: ProcessId) -> Option<Operation> {
        let slot = self.keys.draw(&mut self.stream);
        let kind = self.mix.weights.draw(&mut self.stream);
        if kind == 0 {
            return Some(Operation::read(self.keys.key(slot)));
        }
        if self.keys.spend(slot) {
            self.slots[slot] = Slot::default();
        }
        if kind == 1 {
            let value = self.fresh_value();
            return Some(Operation::write(self.keys.key(slot), value));
        }
        Some(match self.expected(slot) {
            Some(expected) => {
                let new = self.fresh_value();
                Operation::cas(self.keys.key(slot), expected, new)
            }
            None => Operation::read(self.keys.key(slot)), // a cas needs a value to expect
        })
    }

    fn heat(&mut self, permille: u32) -> bool {
        self.keys.heat(permille)
    }

    fn completed(&mut self, _: ProcessId, operation: &Operation, outcome: &Outcome) {
        let Outcome::Ok(reply) = outcome else { return };
        let value = match (operation.f.as_str(), reply) {
            ("read", value) => value.clone(),
            ("write", _) => operation.args.clone(),
            ("cas", Value::Bool(true)) => operation.args.as_list().map_or(Value::Nil, |args| args[1].clone()),
            _ => return,
        };
        let Some(slot) = self.keys.slot_of(&operation.key) else { return };
        let slot = &mut self.slots[slot];
        if !value.is_nil() && slot.last.as_ref() != Some(&value) {
            slot.before = slot.last.replace(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    /// The first `count` operations of each of `clients` clients, each answered as a store with one copy would.
    fn run(seed: u64, pairs: &[(&str, &str)], clients: u32, count: usize) -> Vec<Operation> {
        let mut all = Vec::new();
        let mut store: BTreeMap<Value, Value> = BTreeMap::new();
        let mut running: Vec<Box<dyn Client>> = (0..clients)
            .map(|c| {
                let stream = Stream::named(seed, &format!("client/{c}"));
                RegisterWorkload.client(&settings(pairs), c, clients, stream).unwrap()
            })
            .collect();
        for _ in 0..count {
            for (i, client) in running.iter_mut().enumerate() {
                let process = ProcessId(i as u32);
                let operation = client.next(process).expect("this workload never ends");
                let held = store.get(&operation.key).cloned().unwrap_or_default();
                let reply = match operation.f.as_str() {
                    "read" => held,
                    "write" => {
                        store.insert(operation.key.clone(), operation.args.clone());
                        Value::Nil
                    }
                    _ => {
                        let args = operation.args.as_list().unwrap();
                        if held == args[0] {
                            store.insert(operation.key.clone(), args[1].clone());
                        }
                        Value::Bool(held == args[0])
                    }
                };
                client.completed(process, &operation, &Outcome::Ok(reply));
                all.push(operation);
            }
        }
        all
    }

    fn written(operation: &Operation) -> Option<&Value> {
        match operation.f.as_str() {
            "write" => Some(&operation.args),
            "cas" => Some(&operation.args.as_list().unwrap()[1]),
            _ => None,
        }
    }

    fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
        let mut counts = BTreeMap::new();
        for item in items {
            *counts.entry(item).or_default() += 1;
        }
        counts
    }

    #[test]
    fn the_first_operations_of_a_seed_are_the_same_for_ever() {
        let text: Vec<String> = run(7, &[], 2, 6).iter().map(ToString::to_string).collect();
        let golden = "read(2) write(0, 2) write(1, 1) write(2, 4) read(1) read(2) write(2, 3) write(1, 6) write(2, 5) read(1) \
                      cas(1, 1, 7) read(0)";
        assert_eq!(text.join(" "), golden, "changing the draws breaks every stored plan");
    }

    #[test]
    fn no_key_is_written_more_often_than_its_bound() {
        for (bound, clients) in [(1, 1), (1, 3), (7, 3), (10, 5), (40, 4)] {
            let bound_text = bound.to_string();
            let operations = run(1, &[("writes-per-key", &bound_text), ("keys", "2")], clients, 300);
            let writes = count(operations.iter().filter(|o| written(o).is_some()).map(|o| &o.key));
            assert!(writes.values().all(|n| *n <= bound), "bound {bound}, {clients} clients: {writes:?}");
            assert!(writes.len() > 2, "fresh keys are taken");
        }
    }

    #[test]
    fn without_a_bound_the_keys_stay() {
        let operations = run(1, &[("writes-per-key", "0"), ("keys", "2")], 3, 500);
        let keys: BTreeSet<&Value> = operations.iter().map(|o| &o.key).collect();
        assert_eq!(keys.into_iter().cloned().collect::<Vec<_>>(), [Value::Int(0), Value::Int(1)]);
    }

    #[test]
    fn unique_values_are_written_once_and_small_ones_often() {
        let unique = count(run(3, &[], 5, 200).iter().filter_map(written).cloned());
        assert!(unique.values().all(|n| *n == 1));
        let small = count(run(3, &[("values", "small")], 5, 200).iter().filter_map(written).cloned());
        assert_eq!(small.into_keys().collect::<Vec<_>>(), (1..=5).map(Value::Int).collect::<Vec<_>>());
    }

    #[test]
    fn the_mix_follows_the_weights() {
        let kinds = |pairs: &[(&str, &str)]| {
            let operations = run(5, pairs, 5, 400);
            let n = |f: &str| operations.iter().filter(|o| o.f == *f).count();
            (n("read"), n("write"), n("cas"))
        };
        let (reads, writes, cas) = kinds(&[]);
        assert!((950..1100).contains(&reads) && (620..780).contains(&writes) && (230..370).contains(&cas));
        assert_eq!(kinds(&[("cas", "0")]).2, 0);
        assert_eq!(kinds(&[("reads", "0"), ("cas", "0")]), (0, 2000, 0));
    }

    #[test]
    fn most_cas_succeed_in_a_quiet_store_and_some_do_not() {
        let operations = run(5, &[("keys", "1"), ("writes-per-key", "0")], 1, 2000);
        let mut held = Value::Nil;
        let (mut good, mut bad) = (0, 0);
        for operation in &operations {
            match operation.args.as_list() {
                Some(args) if args[0] == held => {
                    good += 1;
                    held = args[1].clone();
                }
                Some(_) => bad += 1,
                None if operation.f == "write" => held = operation.args.clone(),
                None => {}
            }
        }
        assert!(good > 4 * bad && bad > 10, "{good} good, {bad} bad");
    }

    #[test]
    fn zipf_prefers_the_first_keys() {
        let keys = |distribution| {
            let operations = run(2, &[("keys", "4"), ("distribution", distribution), ("writes-per-key", "0")], 4, 600);
            count(operations.into_iter().map(|o| o.key)).into_values().collect::<Vec<_>>()
        };
        let uniform = keys("uniform");
        assert!(uniform.iter().all(|n| (520..680).contains(n)), "{uniform:?}");
        let zipf = keys("zipf"); // 48 : 24 : 16 : 12 of 100
        assert!((1080..1230).contains(&zipf[0]) && (520..640).contains(&zipf[1]), "{zipf:?}");
        assert!(zipf[2] > zipf[3] && zipf[3] > 200, "{zipf:?}");
    }

    #[test]
    fn heat_is_for_one_key_and_ends() {
        let settings = settings(&[("keys", "8"), ("writes-per-key", "0")]);
        let mut client = RegisterWorkload.client(&settings, 0, 1, Stream::named(9, "client/0")).unwrap();
        let mut share = |permille| {
            assert!(client.heat(permille));
            (0..2000).filter(|_| client.next(ProcessId(0)).unwrap().key == Value::Int(0)).count()
        };
        assert!((200..300).contains(&share(0)), "an eighth in calm");
        assert!((1250..1370).contains(&share(600)), "and an eighth of what is left over");
        assert_eq!(share(1000), 2000);
        assert!((200..300).contains(&share(0)), "as before");
    }

    #[test]
    fn taking_a_client_away_leaves_the_draws_of_the_others() {
        let first = |clients: u32| {
            let stream = Stream::named(9, "client/0");
            let mut client = RegisterWorkload.client(&settings(&[("values", "small")]), 0, clients, stream).unwrap();
            (0..20).map(|_| client.next(ProcessId(0)).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(first(2), first(5));
    }

    #[test]
    fn the_final_reads_are_of_what_was_touched() {
        let asked = [Operation::write(4, 1), Operation::read(1), Operation::write(4, 2)];
        let reads = RegisterWorkload.final_reads(&Settings::new(), &asked).unwrap();
        assert_eq!(reads, [Operation::read(1), Operation::read(4)]);
    }

    #[test]
    fn nothing_to_do_is_an_error() {
        let none = settings(&[("reads", "0"), ("writes", "0"), ("cas", "0")]);
        let error = RegisterWorkload.final_reads(&none, &[]).unwrap_err();
        assert_eq!(error.key, "reads");
    }

    #[test]
    fn judges_follow_the_model() {
        let names = |model| RegisterWorkload.judges(model).into_iter().map(|j| j.checker).collect::<Vec<_>>();
        assert_eq!(names("linearizable"), ["linearizable"]);
        assert_eq!(names("causal").len(), 5);
        assert_eq!(names("read-your-writes"), ["read-your-writes"]);
        assert_eq!(names("strong-eventual"), ["strong-eventual"]);
        assert!(names("serializable").is_empty());
    }
}
