//! Every sans-I/O node is a system: it runs wherever async code runs, over datagrams.

use squall_checkers::operation::Operation;

use super::{
    env::Env,
    failed::Result,
    node::Node,
    system::{Hosting, Reply, System},
};
use crate::plan::Promise;

impl<N: Node> System for N {
    type Client = ();

    fn promise(&self) -> Promise {
        Node::promise(self)
    }

    async fn serve(&self, _env: Env) -> Result<()> {
        todo!()
    }

    async fn connect(&self, _env: &Env) -> Result<()> {
        Ok(())
    }

    async fn invoke(&self, (): &mut (), _env: &Env, _operation: &Operation) -> Result<Reply> {
        todo!()
    }

    fn host<H: Hosting>(&self, hosting: H) -> H::Output {
        hosting.node(self)
    }
}
