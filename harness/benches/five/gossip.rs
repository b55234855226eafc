//! Push gossip: each node, every 200 ms, tells three random peers its newest rumours.

use std::time::Duration;

use squall::{
    Node,
    environment::{Context, RequestId},
    plan::{NodeId, Promise},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

const PERIOD: Duration = Duration::from_millis(200);
const FANOUT: usize = 3;
const RUMOURS_TOLD: usize = 8;
const RUMOURS_KEPT: usize = 64;

/// One node: the newest version it knows of every node, and what it heard last.
#[derive(Clone, Default)]
pub(crate) struct Gossip {
    known: Vec<u64>,
    rumours: Vec<(u32, u64)>,
}

impl Node for Gossip {
    type Message = Vec<(u32, u64)>;
    type Timer = ();

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "eventual")
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        self.known = vec![0; cx.node_count() as usize];
        let phase = cx.random_below(PERIOD.as_nanos() as u64);
        cx.set_timer(Duration::from_nanos(phase), ());
    }

    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Self>) {
        let me = cx.me().0;
        self.known[me as usize] += 1;
        self.rumours.push((me, self.known[me as usize]));
        let newest = self.rumours.len().saturating_sub(RUMOURS_TOLD);
        for _ in 0..FANOUT {
            let to = NodeId(cx.random_below(u64::from(cx.node_count())) as u32);
            cx.send(to, self.rumours[newest..].to_vec());
        }
        cx.set_timer(PERIOD, ());
    }

    fn on_message(&mut self, _: NodeId, rumours: Vec<(u32, u64)>, _: &mut Context<'_, Self>) {
        for (node, version) in rumours {
            let known = &mut self.known[node as usize];
            if *known < version {
                *known = version;
                self.rumours.push((node, version));
                if self.rumours.len() > RUMOURS_KEPT {
                    self.rumours.drain(..RUMOURS_KEPT / 2);
                }
            }
        }
    }

    fn on_request(&mut self, request: RequestId, _: Operation, cx: &mut Context<'_, Self>) {
        cx.reply(request, Ok(Value::Nil));
    }
}
