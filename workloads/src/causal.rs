//! `causal`: posts are written and replied to; who sees a reply must see the post.
//!
//! ```text
//! write(12, 7) -> nil        the post of topic 6
//! read(12) -> 7              seen by another process,
//! write(13, 8) -> nil        which replies to it
//! read(13) -> 8              a third sees the reply
//! read(12) -> 7              and then must see the post
//! ```
//!
//! Topic `t` has its post at key `2t` and its reply at key `2t + 1`. A client looks at a topic a few times and goes on to the next:
//! each time it reads the reply, then the post; where there is no post yet it writes one, and where there is a post without a
//! reply it replies. Values are unique. These are plain registers, so every store of them can be asked.

use std::collections::BTreeMap;

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{Fresh, on_each_key},
    random::Stream,
    register::RegisterWorkload,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Posts and replies.
#[derive(Clone, Copy, Debug)]
pub struct CausalWorkload;

const SETTINGS: &[Setting] = &[Setting {
    key: "looks",
    default: "4",
    summary: "how often a client looks at a topic before it goes on to the next",
}];

/// No client looks more often at one topic.
const LOOKS_MAX: u64 = 1_000_000;

impl Workload for CausalWorkload {
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
        _: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let looks = SettingsReader::new("causal", settings, SETTINGS)?.number("looks", 1..=LOOKS_MAX)?;
        Ok(Box::new(CausalClient { fresh: Fresh::new(client, clients), looks, looked: 0, at: BTreeMap::new() }))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("causal", settings, SETTINGS)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        RegisterWorkload.judges(model)
    }
}

struct CausalClient {
    fresh: Fresh,
    /// How often to look at a topic.
    looks: u64,
    /// How often it has looked at all of them together.
    looked: u64,
    /// What each of its processes is at.
    at: BTreeMap<ProcessId, Look>,
}

/// One look at a topic.
#[derive(Clone, Copy)]
struct Look {
    topic: i64,
    next: Next,
}

/// What a process does next.
#[derive(Clone, Copy)]
enum Next {
    /// Read the reply.
    ReadReply,
    /// Read the post, having seen whether there is a reply.
    ReadPost { replied: bool },
    /// Write the post.
    Post,
    /// Write the reply.
    Reply,
}

impl Client for CausalClient {
    fn next(&mut self, process: ProcessId) -> Option<Operation> {
        let topic = (self.looked / self.looks) as i64;
        let Look { topic, next } = *self.at.entry(process).or_insert(Look { topic, next: Next::ReadReply });
        let (post, reply) = (2 * topic, 2 * topic + 1);
        Some(match next {
            Next::ReadReply => Operation::read(reply),
            Next::ReadPost { .. } => Operation::read(post),
            Next::Post => Operation::write(post, self.fresh.next()),
            Next::Reply => Operation::write(reply, self.fresh.next()),
        })
    }

    fn completed(&mut self, process: ProcessId, _: &Operation, outcome: &Outcome) {
        let Some(look) = self.at.get_mut(&process) else { return };
        let next = match (outcome, look.next) {
            (Outcome::Failed(_), next) => Some(next),
            (Outcome::Unknown(_), _) | (Outcome::Ok(_), Next::Post | Next::Reply) => None,
            (Outcome::Ok(seen), Next::ReadReply) => Some(Next::ReadPost { replied: !seen.is_nil() }),
            (Outcome::Ok(Value::Nil), Next::ReadPost { .. }) => Some(Next::Post),
            (Outcome::Ok(_), Next::ReadPost { replied }) => (!replied).then_some(Next::Reply),
        };
        match next {
            Some(next) => look.next = next,
            None => {
                self.looked += 1;
                self.at.remove(&process);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing;

    /// A store that from this many operations on shows posts that are this many writes old.
    fn store(stale_from: usize) -> impl FnMut(&Operation) -> Option<Value> {
        let mut registers: BTreeMap<Value, Value> = BTreeMap::new();
        let mut done = 0;
        move |operation| {
            done += 1;
            if operation.f == "write" {
                registers.insert(operation.key.clone(), operation.args.clone());
                return Some(Value::Nil);
            }
            let is_post = operation.key.as_int()? % 2 == 0;
            let hidden =
                is_post && done >= stale_from && registers.contains_key(&Value::Int(operation.key.as_int()? + 1));
            Some(registers.get(&operation.key).filter(|_| !hidden).cloned().unwrap_or_default())
        }
    }

    #[test]
    fn who_sees_a_reply_must_see_its_post() {
        let good = testing::run(&CausalWorkload, &[], 200, store(usize::MAX));
        let golden = "read(1) read(1) read(1) read(0) read(0) read(0) write(0, 1) write(0, 2) write(0, 3) read(1)";
        assert_eq!(testing::first(&good, 10), golden, "changing what clients do breaks every stored plan");
        for promised in ["linearizable", "causal", "sessions"] {
            assert!(testing::complaints(&CausalWorkload, promised, &good).is_empty(), "{promised}");
        }
        let bad = testing::run(&CausalWorkload, &[], 200, store(100));
        let complaints = testing::complaints(&CausalWorkload, "causal", &bad);
        assert!(complaints.iter().any(|checker| *checker == "causal"), "{complaints:?}");
    }

    #[test]
    fn most_topics_are_replied_to() {
        let history = testing::run(&CausalWorkload, &[], 300, store(usize::MAX));
        let keys = |f: &'static str| {
            let of = history.entries.iter().filter(move |e| e.operation.f == *f);
            of.filter_map(|e| e.operation.key.as_int()).collect::<std::collections::BTreeSet<_>>()
        };
        let replies = keys("write").into_iter().filter(|key| key % 2 == 1).count();
        assert!(replies > 20 && replies * 3 > keys("read").len(), "{replies} replies, {} keys", keys("read").len());
    }
}
