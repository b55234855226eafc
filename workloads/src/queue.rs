//! `queue`: elements are put into a few queues and taken out again.
//!
//! ```text
//! enqueue(2, 17) -> nil      dequeue(2) -> 17 | nil
//! ```
//!
//! At the end each queue is emptied, so that it shows what was lost: by more dequeues than anything was enqueued.

use std::collections::BTreeMap;

use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{AskingFor, DISTRIBUTION, Fresh, KEYS_MAX, Keys, Weights, judges, keys_setting},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Unique elements through queues.
#[derive(Clone, Copy, Debug)]
pub struct QueueWorkload;

const SETTINGS: &[Setting] = &[
    keys_setting("1"),
    DISTRIBUTION,
    Setting { key: "enqueues", default: "1", summary: "weight of enqueues in the mix" },
    Setting { key: "dequeues", default: "1", summary: "weight of dequeues in the mix" },
];

impl Workload for QueueWorkload {
    fn interface(&self) -> Interface {
        Interface::QUEUE
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
        let reader = SettingsReader::new("queue", settings, SETTINGS)?;
        let weights = Weights::read(reader, &["enqueues", "dequeues"])?;
        let keys = Keys::new(reader.number("keys", 1..=KEYS_MAX)?, 0, client, clients).distributed(reader)?;
        let mut fresh = Fresh::new(client, clients);
        Ok(Box::new(AskingFor(keys, move |keys: &mut Keys| {
            let key = keys.key(keys.draw(&mut stream));
            match weights.draw(&mut stream) {
                0 => Operation::new("enqueue", key, fresh.next()),
                _ => Operation::new("dequeue", key, Value::Nil),
            }
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("queue", settings, SETTINGS)?;
        let mut enqueued: BTreeMap<&Value, usize> = BTreeMap::new();
        for operation in asked {
            *enqueued.entry(&operation.key).or_default() += usize::from(operation.f == "enqueue");
        }
        let dequeues = |(key, n): (&Value, usize)| vec![Operation::new("dequeue", key.clone(), Value::Nil); n + 1];
        Ok(enqueued.into_iter().flat_map(dequeues).collect())
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        match model {
            // What is lost is found by the model. The invariants cannot say what dequeues of unknown outcome took.
            "linearizable" => judges(model, "queue", &["at-most-once"]),
            _ => judges(model, "queue", &["total-queue", "at-most-once", "at-least-once"]),
        }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::parts::testing;

    /// A store that hands out once more each element of which `again` says so.
    fn store(mut again: impl FnMut(i64) -> bool) -> impl FnMut(&Operation) -> Option<Value> {
        let mut queue: VecDeque<Value> = VecDeque::new();
        move |operation| match operation.f.as_str() {
            "enqueue" => {
                queue.push_back(operation.args.clone());
                Some(Value::Nil)
            }
            _ => {
                let next = queue.pop_front().unwrap_or_default();
                if next.as_int().is_some_and(&mut again) {
                    queue.push_front(next.clone());
                }
                Some(next)
            }
        }
    }

    /// True the first time that it is asked for this element.
    fn once(element: i64) -> impl FnMut(i64) -> bool {
        let mut left = 1;
        move |asked| {
            let is_it = asked == element && left > 0;
            left -= i32::from(is_it);
            is_it
        }
    }

    #[test]
    fn a_queue_is_judged() {
        let good = testing::run(&QueueWorkload, &[], 200, store(|_| false));
        let golden =
            "enqueue(0, 1) dequeue(0) enqueue(0, 3) dequeue(0) dequeue(0) dequeue(0) enqueue(0, 4) enqueue(0, 2)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&QueueWorkload, "linearizable", &good).is_empty());
        let bad = testing::run(&QueueWorkload, &[], 200, store(once(40)));
        let complaints = testing::complaints(&QueueWorkload, "linearizable", &bad);
        assert_eq!(complaints, ["linearizable", "at-most-once"]);
        assert_eq!(testing::complaints(&QueueWorkload, "total-queue", &bad), ["total-queue"]);
        assert!(testing::complaints(&QueueWorkload, "at-most-once", &good).is_empty());
    }
}
