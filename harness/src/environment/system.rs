//! A store as ordinary async code.

use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use super::{
    env::Env,
    failed::Result,
    membership::{self, Change},
    node::Node,
};
use crate::plan::Promise;

/// What a client is told: the reply of an operation that took effect.
pub type Reply = Value;

/// A store written as ordinary async code over an [`Env`]: sockets, streams, timers, clocks, disk, tasks and randomness. It
/// runs in every simulator, and for real.
///
/// One value serves all replicas and clients of a run, and outlives their crashes: keep state in `serve`'s locals and on
/// `env.disk()`. What lives in this value, in a `static` or a `thread_local!` survives a simulated crash, which no real
/// process would.
pub trait System: Send + Sync + 'static {
    /// What one process keeps between its operations: a connection, a session token. Dropped when the process retires.
    type Client: 'static;

    /// What its clients are promised, and under which faults.
    fn promise(&self) -> Promise;

    /// The same store for clients that speak this interface, one of those it promises; `None` where it makes no difference. For
    /// stores that serve several, in which one name means several things: `read` of a register that nobody wrote replies `nil`, of
    /// a counter 0.
    fn speaking(&self, interface: &Interface) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = interface;
        None
    }

    /// Runs one replica: from the start, and again after every crash. Only `env.disk()` survives. When it returns, the process
    /// has ended; it is started again after a second, as a supervisor would.
    fn serve(&self, env: Env) -> impl Future<Output = Result<()>>;

    /// Opens one process's session. `env` is the client's machine. An error fails the process's first operation.
    fn connect(&self, env: &Env) -> impl Future<Output = Result<Self::Client>>;

    /// Does one operation. `?` on any error says that it may have happened.
    fn invoke(
        &self,
        client: &mut Self::Client,
        env: &Env,
        operation: &Operation,
    ) -> impl Future<Output = Result<Reply>>;

    /// Changes who belongs to the cluster, as an admin on the machine `env` asks. Only a system that promises so
    /// ([`Promise::changing_members`]) is asked. `Ok` says that the change is in force, whoever brought it about; after an error,
    /// and after a second without a word, when this future is dropped, the admin asks again and prefers another replica
    /// ([`Env::home`]).
    fn reconfigure(&self, env: &Env, change: Change) -> impl Future<Output = Result<()>> {
        let _ = (env, change);
        membership::refusal()
    }

    /// Shows this system to a simulator at the level it was written for. Not for authors.
    #[doc(hidden)]
    fn host<H: Hosting>(&self, hosting: H) -> H::Output
    where
        Self: Sized,
    {
        hosting.system(self)
    }
}

/// A simulator's two ways to host a store.
pub trait Hosting {
    /// What hosting one yields.
    type Output;

    /// Hosts async code.
    fn system<S: System>(self, system: &S) -> Self::Output;

    /// Hosts a sans-I/O node directly.
    fn node<N: Node>(self, node: &N) -> Self::Output;
}
