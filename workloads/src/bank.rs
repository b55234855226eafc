//! `bank`: money moves between accounts, and all balances are read.
//!
//! ```text
//! transfer({"amount" 3, "from" 0, "to" 4}) -> nil      read() -> {0 -3, 4 3}
//! ```
//!
//! Every account has 0 at first and may be overdrawn, so all balances always add up to 0.

use std::collections::BTreeMap;

use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{Asking, Weights},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Transfers between accounts, and reads of all balances.
#[derive(Clone, Copy, Debug)]
pub struct BankWorkload;

const SETTINGS: &[Setting] = &[
    Setting { key: "accounts", default: "5", summary: "how many accounts there are" },
    Setting { key: "amount", default: "5", summary: "what is transferred is drawn from 1 to this" },
    Setting { key: "transfers", default: "1", summary: "weight of transfers in the mix" },
    Setting { key: "reads", default: "1", summary: "weight of reads in the mix" },
];

const ACCOUNTS_MAX: u64 = 100_000;
const AMOUNT_MAX: u64 = 1_000_000;

impl Workload for BankWorkload {
    fn interface(&self) -> Interface {
        Interface::BANK
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn client(&self, settings: &Settings, _: u32, _: u32, mut stream: Stream) -> Result<Box<dyn Client>, SettingError> {
        let reader = SettingsReader::new("bank", settings, SETTINGS)?;
        let accounts = reader.number("accounts", 2..=ACCOUNTS_MAX)?;
        let amount = reader.number("amount", 1..=AMOUNT_MAX)?;
        let weights = Weights::read(reader, &["transfers", "reads"])?;
        Ok(Box::new(Asking(move || {
            if weights.draw(&mut stream) == 1 {
                return read();
            }
            let from = stream.below(accounts);
            let to = (from + stream.between(1, accounts - 1)) % accounts;
            let amount = stream.between(1, amount);
            let of =
                [("amount", amount), ("from", from), ("to", to)].map(|(k, v)| (Value::from(k), Value::Int(v as i64)));
            Operation::new("transfer", Value::Nil, BTreeMap::from(of))
        })))
    }

    fn final_reads(&self, settings: &Settings, _: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("bank", settings, SETTINGS)?;
        Ok(vec![read()])
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        match model {
            // All of these keep the sum.
            "linearizable" | "strict-serializable" | "serializable" | "snapshot-isolation" | "bank-with-overdraft" => {
                vec![Judge::new("bank-with-overdraft")]
            }
            _ => Vec::new(),
        }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

/// A read of all balances.
fn read() -> Operation {
    Operation::read(Value::Nil)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing;

    /// A store that does one half of the transfer that comes after so many.
    fn store(half: usize) -> impl FnMut(&Operation) -> Option<Value> {
        let mut balances: BTreeMap<Value, i64> = BTreeMap::new();
        let mut done = 0;
        move |operation| {
            let Value::Map(transfer) = &operation.args else {
                let balances = balances.iter().map(|(k, v)| (k.clone(), Value::Int(*v)));
                return Some(balances.collect::<BTreeMap<_, _>>().into());
            };
            let of = |name: &str| transfer[&Value::from(name)].clone();
            let amount = of("amount").as_int()?;
            assert!(of("from") != of("to") && amount > 0);
            *balances.entry(of("from")).or_default() -= amount;
            *balances.entry(of("to")).or_default() += if done == half { 0 } else { amount };
            done += 1;
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_bank_is_judged() {
        let good = testing::run(&BankWorkload, &[], 100, store(usize::MAX));
        let golden =
            r#"read() transfer({"amount" 4, "from" 3, "to" 1}) read() transfer({"amount" 3, "from" 1, "to" 4})"#;
        assert_eq!(testing::first(&good, 4), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&BankWorkload, "serializable", &good).is_empty());
        let bad = testing::run(&BankWorkload, &[], 100, store(100));
        assert_eq!(testing::complaints(&BankWorkload, "snapshot-isolation", &bad), ["bank-with-overdraft"]);
    }
}
