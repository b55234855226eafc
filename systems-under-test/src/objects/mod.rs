//! What the stores of the zoo keep: the sequential object of each interface, as a deterministic state machine.
//!
//! A store applies updates in one order and asks for replies; what an operation means is decided here alone.

mod bank;
mod counters;
mod ids;
mod lock;
mod logs;
mod queues;
mod registers;
mod sets;
mod transactions;

use serde::{Deserialize, Serialize};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

/// A sequential object, or one per key.
trait Object {
    /// The reply of an operation that changes nothing; `None` for every other.
    fn look(&self, operation: &Operation) -> Option<Value>;

    /// Does an operation that changes something and returns its reply, or why nothing was done.
    fn update(&mut self, operation: &Operation) -> Result<Value, String>;
}

/// The objects of one interface. Equal updates in equal order leave equal objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Objects {
    Registers(registers::Registers),
    Sets(sets::Sets),
    Counters(counters::Counters),
    Logs(logs::Logs),
    Queues(queues::Queues),
    Lock(lock::Lock),
    Bank(bank::Bank),
    Ids(ids::Ids),
    Transactions(transactions::Transactions),
}

impl Objects {
    /// Every interface there are objects for.
    pub(crate) const INTERFACES: [Interface; 10] = [
        Interface::REGISTER,
        Interface::SET,
        Interface::COUNTER,
        Interface::LOG,
        Interface::QUEUE,
        Interface::MUTEX,
        Interface::BANK,
        Interface::IDS,
        Interface::LIST_APPEND,
        Interface::RW_REGISTER,
    ];

    /// The objects of an interface as they are at first.
    ///
    /// # Panics
    /// When there are none of this interface.
    pub(crate) fn of(interface: &Interface) -> Self {
        match interface.0.as_str() {
            "register" => Objects::Registers(registers::Registers::default()),
            "set" => Objects::Sets(sets::Sets::default()),
            "counter" => Objects::Counters(counters::Counters::default()),
            "log" => Objects::Logs(logs::Logs::default()),
            "queue" => Objects::Queues(queues::Queues::default()),
            "mutex" => Objects::Lock(lock::Lock::default()),
            "bank" => Objects::Bank(bank::Bank::default()),
            "ids" => Objects::Ids(ids::Ids::default()),
            "list-append" | "rw-register" => Objects::Transactions(transactions::Transactions::default()),
            other => panic!("no object speaks `{other}`"),
        }
    }

    /// The reply of an operation that changes nothing; `None` for every other.
    pub(crate) fn look(&self, operation: &Operation) -> Option<Value> {
        let object: &dyn Object = match self {
            Objects::Registers(object) => object,
            Objects::Sets(object) => object,
            Objects::Counters(object) => object,
            Objects::Logs(object) => object,
            Objects::Queues(object) => object,
            Objects::Lock(object) => object,
            Objects::Bank(object) => object,
            Objects::Ids(object) => object,
            Objects::Transactions(object) => object,
        };
        object.look(operation)
    }

    /// Does one operation and returns its reply, or why nothing was done.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Result<Value, String> {
        if let Some(reply) = self.look(operation) {
            return Ok(reply);
        }
        let object: &mut dyn Object = match self {
            Objects::Registers(object) => object,
            Objects::Sets(object) => object,
            Objects::Counters(object) => object,
            Objects::Logs(object) => object,
            Objects::Queues(object) => object,
            Objects::Lock(object) => object,
            Objects::Bank(object) => object,
            Objects::Ids(object) => object,
            Objects::Transactions(object) => object,
        };
        object.update(operation)
    }
}

impl Default for Objects {
    /// Registers: what every store of the zoo serves.
    fn default() -> Self {
        Objects::Registers(registers::Registers::default())
    }
}

/// What is said to an operation that an object does not know.
fn unknown(who: &str, known: &str, operation: &Operation) -> String {
    format!("{who} know {known}, not `{operation}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replies of a script on fresh objects: `f key args`, one operation after the other; a refusal shows as `!`.
    #[track_caller]
    pub(super) fn check(interface: &Interface, script: &[(Operation, &str)]) {
        let mut objects = Objects::of(interface);
        for (operation, expected) in script {
            let reply = objects.apply(operation);
            let said = reply.as_ref().map_or_else(|_| "!".to_owned(), ToString::to_string);
            assert_eq!(said, *expected, "{operation}: {reply:?}");
        }
    }

    #[test]
    fn there_are_objects_of_every_interface() {
        let nonsense = Operation::new("nonsense", 1, 2);
        for interface in &Objects::INTERFACES {
            let mut objects = Objects::of(interface);
            assert!(objects.apply(&nonsense).is_err(), "{interface}");
            assert_eq!(objects, Objects::of(interface), "{interface}: what is refused changes nothing");
        }
    }

    #[test]
    fn every_workload_of_a_store_finds_its_objects() {
        for workload in squall_workloads::WORKLOADS {
            let interface = workload.workload.interface();
            // Members are not kept by anybody.
            if interface == Interface::MEMBERSHIP {
                continue;
            }
            assert!(Objects::INTERFACES.contains(&interface), "{}: nothing speaks {interface}", workload.name);
        }
    }
}
