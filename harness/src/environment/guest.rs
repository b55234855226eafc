//! A store that is written for the simulator of a library, and is hosted there as it is.

use std::{
    any::{Any, TypeId},
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use squall_checkers::{
    operation::{Interface, Name, Operation},
    value::Value,
};

use super::{
    failed::Result,
    membership::{self, Change},
    system::Reply,
};
use crate::plan::{NodeId, Promise};

/// A store that already runs in the simulator of a library: over `turmoil::net` and tokio's own timers and tasks, or over madsim's.
/// Nothing of it goes through [`Env`](super::Env); the library carries its messages and runs its tasks, and the harness asks its
/// clients, crashes and restarts its machines and disturbs the network by the library's means. It runs in that simulator alone,
/// and a fault that the library cannot do to it is refused before the run.
///
/// Each method runs on a machine of its own: a host of turmoil, a node of madsim. A crash ends all tasks there; what is
/// [kept](Machine::kept) survives. As with [`System`](super::System), one value serves all machines of a run: keep no state in it.
pub trait Guest: Send + Sync + 'static {
    /// What one process keeps between its operations. Dropped on its machine when the process retires.
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

    /// Runs one replica: from the start, and again after every crash. When it returns, the process has ended, all its tasks with
    /// it; it is started again after a second.
    fn serve(&self, machine: Machine) -> impl Future<Output = Result<()>>;

    /// Opens one process's session, on the client's machine. An error fails the process's first operation.
    fn connect(&self, machine: &Machine) -> impl Future<Output = Result<Self::Client>>;

    /// Does one operation. `?` on any error says that it may have happened.
    fn invoke(
        &self,
        client: &mut Self::Client,
        machine: &Machine,
        operation: &Operation,
    ) -> impl Future<Output = Result<Reply>>;

    /// Changes who belongs to the cluster, as an admin on this machine, one of the clients', asks: see
    /// [`System::reconfigure`](super::System::reconfigure).
    fn reconfigure(&self, machine: &Machine, change: Change) -> impl Future<Output = Result<()>> {
        let _ = (machine, change);
        membership::refusal()
    }
}

/// A machine of a [`Guest`], replica or client, during one of its lives. Plain data but for [`Machine::observe`] and
/// [`Machine::kept`]; `Clone`, `Send` and `Sync`, so that it goes wherever the library's tasks go.
#[derive(Clone)]
pub struct Machine {
    me: NodeId,
    home: NodeId,
    nodes: u32,
    /// Which of its lives: what a dead process shows counts for nothing.
    life: u32,
    landlord: Arc<dyn Landlord>,
}

/// What a simulator does for the machines of a guest.
pub(crate) trait Landlord: Send + Sync {
    /// A replica shows something of its state.
    fn observe(&self, node: NodeId, life: u32, key: Name, value: Value);
    /// What a replica keeps of a type.
    fn kept(&self, node: NodeId, of: TypeId, make: &dyn Fn() -> Anything) -> Anything;
}

/// A value of any type.
pub(crate) type Anything = Arc<dyn Any + Send + Sync>;

impl Machine {
    /// A machine during one of its lives; for simulators.
    #[cfg_attr(not(any(feature = "turmoil", madsim)), expect(dead_code, reason = "no simulator here hosts guests"))]
    pub(crate) fn new(me: NodeId, home: NodeId, nodes: u32, life: u32, landlord: Arc<dyn Landlord>) -> Self {
        Machine { me, home, nodes, life, landlord }
    }

    /// This machine. Replicas are `0..node_count()`, clients come after them.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Number of replicas.
    pub fn node_count(&self) -> u32 {
        self.nodes
    }

    /// All replicas.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes).map(NodeId)
    }

    /// The replica this client should prefer; final reads ask each replica in this way. A replica's is itself.
    pub fn home(&self) -> NodeId {
        self.home
    }

    /// Where a machine is in the library's network.
    pub fn address(node: NodeId) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(NETWORK + node.0))
    }

    /// The machine at an address; `None` where there is none.
    pub fn at(address: IpAddr) -> Option<NodeId> {
        match address {
            IpAddr::V4(ip) => ip.to_bits().checked_sub(NETWORK).map(NodeId),
            IpAddr::V6(_) => None,
        }
    }

    /// Shows something of a replica's state (`role`, `term`) to fault targets, reports and traces. It never influences the
    /// system. What clients show is nothing to anybody.
    pub fn observe(&self, key: impl Into<Name>, value: impl Into<Value>) {
        self.landlord.observe(self.me, self.life, key.into(), value.into());
    }

    /// What this replica keeps through crashes, in place of a disk: made the first time and after a wipe. What is put into it is as
    /// good as synced, so put there what the store would have synced by then, and nothing else.
    pub fn kept<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let kept = self.landlord.kept(self.me, TypeId::of::<T>(), &|| Arc::new(T::default()));
        kept.downcast().expect("what is kept of a type is of that type")
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { me, home, life, .. } = self;
        f.debug_struct("Machine").field("me", me).field("home", home).field("life", life).finish_non_exhaustive()
    }
}

/// 10.0.0.1, the first machine.
const NETWORK: u32 = 0x0A00_0001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_an_address_and_no_other_has_it() {
        assert_eq!(Machine::address(NodeId(0)).to_string(), "10.0.0.1");
        assert_eq!(Machine::address(NodeId(256)).to_string(), "10.0.1.1");
        assert_eq!(Machine::at(Machine::address(NodeId(7))), Some(NodeId(7)));
        assert_eq!(Machine::at(Ipv4Addr::new(10, 0, 0, 0).into()), None);
    }
}
