//! The stand-in of a guest: a system that the conductor can start, kill and ask, and that passes all of it on.

use std::{panic::resume_unwind, sync::Arc};

use squall_checkers::operation::Operation;

use super::{
    lodge::{Happened, Lodge},
    session::{Errand, Mailbox},
};
use crate::{
    environment::{Change, Env, Guest, Reply, Result, System},
    plan::Promise,
};

/// The stand-in of a guest.
pub(in crate::simulators) struct StandIn<G>(pub(in crate::simulators) Arc<Lodge<G>>);

/// A process's way to its session.
pub(in crate::simulators) struct Way(Arc<Mailbox>);

impl Drop for Way {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// While it lives, so does a replica's process.
struct Life<'a, G: Guest> {
    lodge: &'a Lodge<G>,
    node: u32,
}

impl<G: Guest> Drop for Life<'_, G> {
    fn drop(&mut self) {
        self.lodge.stop(self.node);
    }
}

impl<G: Guest> System for StandIn<G> {
    type Client = Way;

    fn promise(&self) -> Promise {
        self.0.guest.promise()
    }

    async fn serve(&self, env: Env) -> Result<()> {
        let (lodge, node) = (&*self.0, env.me().0);
        lodge.start(node);
        let _life = Life { lodge, node };
        loop {
            match lodge.next(node).await {
                Happened::Observed(key, value) => env.observe(key, value),
                Happened::Ended(how) => return how,
                Happened::Panicked(payload) => resume_unwind(payload),
            }
        }
    }

    async fn connect(&self, env: &Env) -> Result<Way> {
        let way = Way(self.0.open(env.me(), env.home(), Errand::Session));
        way.0.answer().await?;
        Ok(way)
    }

    async fn invoke(&self, way: &mut Way, _: &Env, operation: &Operation) -> Result<Reply> {
        way.0.ask(operation.clone());
        way.0.answer().await
    }

    async fn reconfigure(&self, env: &Env, change: Change) -> Result<()> {
        let way = Way(self.0.open(env.me(), env.home(), Errand::Reconfigure(change)));
        way.0.answer().await.map(|_| ())
    }
}
