//! `misbehaving`: a store that is well behaved until told otherwise, for tests of the harness itself.
//!
//! Each of its bugs is a way in which a program fails as a program, rather than as a store: the harness must report each with its
//! seed and go on.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use squall::{
    catalogue::{Bug, SystemEntry},
    environment::{Context, Node, RequestId},
    plan::{FaultClass, NodeId, Promise, Tolerates},
};
use squall_checkers::operation::{Interface, Operation};
use squall_workloads::{settings::SettingsReader, workload::Setting};

use crate::sessions::Sessions;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "misbehaving",
    summary: "registers in the memory of replica 0, which can panic, abort, hang, leak and worse: for tests of the harness",
    workload: "register",
    settings: SETTINGS,
    defaults: &[],
    bugs: &[
        bug("panics", "it panics", &["panic"]),
        bug("aborts", "it aborts its process, and with it whatever shares it", &["abort"]),
        bug("never-yields", "it never returns from a handler", &["hang"]),
        bug("spins", "a timer of no time sets itself for ever: virtual time stands still", &["step-limit"]),
        bug("leaks", "each request takes 16 MiB that are never given back", &["memory"]),
        bug("never-replies", "it hears requests and answers none", &["no-progress"]),
        bug("halts-at-start", "its process ends as soon as it starts", &["no-progress"]),
        bug("unordered", "it writes to whom a hash map with ambient keys names first; two runs of a seed differ", &[]),
    ],
    build: |bug, settings| {
        let after = SettingsReader::new("misbehaving", settings, SETTINGS)?.number("after", 0..=u64::from(u32::MAX))?;
        let how = bug.map(|bug| match bug {
            "panics" => How::Panics,
            "aborts" => How::Aborts,
            "never-yields" => How::NeverYields,
            "spins" => How::Spins,
            "leaks" => How::Leaks,
            "never-replies" => How::NeverReplies,
            "halts-at-start" => How::HaltsAtStart,
            "unordered" => How::Unordered,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(Misbehaving { how, after, served: 0, store: Sessions::default() }))
    },
};

const SETTINGS: &[Setting] = &[Setting {
    key: "after",
    default: "20",
    summary: "requests that replica 0 serves before it misbehaves; `halts-at-start` does so at once",
}];

const fn bug(name: &'static str, summary: &'static str, anomalies: &'static [&'static str]) -> Bug {
    Bug { name, summary, trigger: "none: it comes by itself", workload: None, nemesis: None, anomalies }
}

/// What one request leaks, in bytes, and the most that all of them leak: a harness without a limit of memory must live on.
const LEAK_BYTES: usize = 16 << 20;
const LEAKS_MAX: u64 = 160;

const KEEPER: NodeId = NodeId(0);

/// Registers in the memory of replica 0. It uses no disk and survives no crash.
#[derive(Clone, Debug)]
pub(crate) struct Misbehaving {
    how: Option<How>,
    /// Requests served before it misbehaves.
    after: u64,
    served: u64,
    store: Sessions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Panics,
    Aborts,
    NeverYields,
    Spins,
    Leaks,
    NeverReplies,
    HaltsAtStart,
    Unordered,
}

/// Says nothing; that it is sent is all there is to see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Nudge;

#[derive(Clone, Debug)]
pub(crate) struct AtOnce;

impl Node for Misbehaving {
    type Message = Nudge;
    type Timer = AtOnce;

    fn promise(&self) -> Promise {
        use FaultClass as C;
        let fatal = [C::Crash, C::PowerLoss, C::SyncError, C::DiskFull, C::DiskSlow, C::BitRot, C::Wipe];
        Promise::new(Interface::REGISTER, "linearizable").tolerating(Tolerates::all_but(&fatal))
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        if self.how == Some(How::HaltsAtStart) {
            cx.halt("it was told to halt at each start");
        }
    }

    fn on_message(&mut self, _: NodeId, Nudge: Nudge, _: &mut Context<'_, Self>) {}

    fn on_timer(&mut self, AtOnce: AtOnce, cx: &mut Context<'_, Self>) {
        cx.set_timer(Duration::ZERO, AtOnce);
    }

    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        if cx.me() != KEEPER {
            return cx.redirect(request, KEEPER);
        }
        self.served += 1;
        if self.served > self.after {
            self.misbehave(cx);
            if self.how == Some(How::NeverReplies) {
                return;
            }
        }
        let reply = match self.store.look(&operation) {
            Some(reply) => Some(Ok(reply)),
            None => self.store.apply(request, &operation),
        };
        if let Some(reply) = reply {
            cx.reply(request, reply);
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(300))
    }
}

impl Misbehaving {
    fn misbehave(&self, cx: &mut Context<'_, Self>) {
        match self.how {
            None | Some(How::NeverReplies | How::HaltsAtStart) => {}
            Some(How::Panics) => panic!("it was told to panic after {} requests", self.after),
            Some(How::Aborts) => std::process::abort(),
            Some(How::NeverYields) => loop {
                std::hint::spin_loop();
            },
            Some(How::Spins) => {
                cx.set_timer(Duration::ZERO, AtOnce);
            }
            Some(How::Leaks) => {
                if self.served - self.after <= LEAKS_MAX {
                    // Not zeros, which would take no memory.
                    Box::leak(vec![1_u8; LEAK_BYTES].into_boxed_slice());
                }
            }
            Some(How::Unordered) => {
                let peers: HashMap<u32, NodeId> = cx.peers().map(|peer| (peer.0, peer)).collect();
                if let Some(peer) = peers.into_values().next() {
                    cx.send(peer, Nudge);
                }
            }
        }
    }
}
