//! `counter`: a few counters are counted up and down, and read.
//!
//! ```text
//! add(1, 3) -> nil      add(1, -2) -> nil      read(1) -> 1
//! ```

use squall_checkers::operation::{Interface, Operation};

use crate::{
    parts::{AskingFor, DISTRIBUTION, EVENTUAL, KEYS_MAX, Keys, Weights, judges, keys_setting, on_each_key},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Additions to counters, and reads.
#[derive(Clone, Copy, Debug)]
pub struct CounterWorkload;

const SETTINGS: &[Setting] = &[
    keys_setting("3"),
    DISTRIBUTION,
    Setting { key: "amount", default: "1", summary: "what is added is drawn from 1 to this" },
    Setting { key: "increments", default: "3", summary: "weight of additions in the mix" },
    Setting { key: "decrements", default: "0", summary: "weight of subtractions in the mix" },
    Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
];

/// More than this is not added at once.
const AMOUNT_MAX: u64 = 1_000_000;

impl Workload for CounterWorkload {
    fn interface(&self) -> Interface {
        Interface::COUNTER
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        mut stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let reader = SettingsReader::new("counter", settings, SETTINGS)?;
        let weights = Weights::read(reader, &["increments", "decrements", "reads"])?;
        let amount = reader.number("amount", 1..=AMOUNT_MAX)?;
        let keys = Keys::new(reader.number("keys", 1..=KEYS_MAX)?, 0, client, clients).distributed(reader)?;
        Ok(Box::new(AskingFor(keys, move |keys: &mut Keys| {
            let key = keys.key(keys.draw(&mut stream));
            let sign = match weights.draw(&mut stream) {
                0 => 1,
                1 => -1,
                _ => return Operation::read(key),
            };
            Operation::new("add", key, sign * stream.between(1, amount) as i64)
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("counter", settings, SETTINGS)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        match model {
            "linearizable" => judges(model, "counter", &["counter-bounds"]),
            _ => judges(model, "counter", &[&["counter-bounds"][..], &EVENTUAL].concat()),
        }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_checkers::value::Value;

    use super::*;
    use crate::parts::testing;

    /// A store that counts twice each time it adds on top of this.
    fn store(twice_at: i64) -> impl FnMut(&Operation) -> Option<Value> {
        let mut counters: BTreeMap<Value, i64> = BTreeMap::new();
        move |operation| {
            let count = counters.entry(operation.key.clone()).or_default();
            let Some(n) = operation.args.as_int() else { return Some(Value::Int(*count)) };
            *count += if *count == twice_at { 2 * n } else { n };
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_counter_is_judged() {
        let settings = [("amount", "5"), ("decrements", "1")];
        let good = testing::run(&CounterWorkload, &settings, 200, store(i64::MAX));
        let golden = "add(2, 2) read(0) add(2, 1) add(2, 1) read(2) add(2, 2) read(2) add(2, 3)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&CounterWorkload, "linearizable", &good).is_empty());
        let bad = testing::run(&CounterWorkload, &[], 200, store(20));
        assert_eq!(testing::complaints(&CounterWorkload, "linearizable", &bad), ["linearizable", "counter-bounds"]);
    }
}
