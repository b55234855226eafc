//! Each machine is a node of madsim: datagrams and streams go through its network, timers are its own.
//!
//! Its links are set to carry at once and to lose nothing: latency and loss are drawn by our layer, once. What madsim itself
//! takes for a datagram, a millisecond to send and one to receive, is taken off; less than that no datagram takes.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::madsim::{
    Config,
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::{self, Handle},
    task,
    time::TimeHandle,
};
use squall_workloads::workload::Workload;

use crate::{
    environment::{Machine, System, world::LocalFuture},
    plan::{MILLISECOND, NodeId, Plan},
    simulators::{
        Execution, Options, PlanError,
        hosted::{Conductor, Host, Library, Runtime},
        reactor::{self, Half, OtherHalf},
    },
};

/// Where machines receive datagrams and accept streams.
const PORT: u16 = 7;

thread_local! {
    /// The run's machines. What starts a node of madsim's must be `Send`, so it finds them here.
    static HOST: RefCell<Option<Host<Madsim>>> = const { RefCell::new(None) };
}

/// Runs a plan.
pub(in crate::simulators) fn run<S: System>(
    system: Arc<S>,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let mut config = Config::default();
    config.net.send_latency = Duration::ZERO..Duration::from_nanos(1);
    // In this order: the runtime draws the keys of the thread's maps, which tokio would draw from the machine.
    let runtime = runtime::Runtime::with_seed_and_config(plan.seed, config);
    reactor::seeded(plan.seed, || {
        runtime.block_on(async {
            let madsim = Madsim { time: TimeHandle::current() };
            let clock = Madsim { time: TimeHandle::current() };
            let (mut conductor, host) = Conductor::new(system, plan, workload, options, madsim)?;
            HOST.set(Some(host));
            let handle = Handle::current();
            let node = |machine| handle.create_node().ip(address(machine)).init(move || main(machine)).build();
            let nodes: Vec<_> = (0..conductor.machines()).map(node).collect();
            conductor.drive(&clock).await;
            HOST.set(None);
            let execution = conductor.finish();
            // Nodes outlive their runtime, with a note of every task they ever had: megabytes for each seed. A killed one has none.
            for node in nodes {
                handle.kill(node.id());
            }
            Ok(execution)
        })
    })
}

/// The main task of a machine's node.
async fn main(machine: u32) {
    let host = HOST.with_borrow(Clone::clone);
    if let Some(host) = host {
        host.main(machine).await;
    }
}

/// Where a machine is.
pub(super) fn address(machine: u32) -> IpAddr {
    Machine::address(NodeId(machine))
}

fn machine(address: SocketAddr) -> u32 {
    Machine::at(address.ip()).expect("machines alone send here").0
}

/// Madsim, as a host of systems.
pub(super) struct Madsim {
    pub(super) time: TimeHandle,
}

impl Runtime for Madsim {
    fn now_ns(&self) -> u64 {
        self.time.elapsed().as_nanos() as u64
    }

    fn sleep(&self, span_ns: u64) -> LocalFuture {
        Box::pin(self.time.sleep(Duration::from_nanos(span_ns)))
    }

    fn spawn(&self, future: LocalFuture) {
        drop(task::spawn_local(future));
    }
}

impl Library for Madsim {
    type Port = UdpSocket;
    type Listener = TcpListener;
    type Reader = Half<TcpStream>;
    type Writer = OtherHalf<TcpStream>;

    // Each datagram keeps its receiver for a millisecond.
    const RECEIVERS: usize = 16;
    const TRANSIT_NS: u64 = 2 * MILLISECOND;

    async fn bind(&self, _: u32) -> io::Result<UdpSocket> {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await
    }

    fn send(&self, port: &Rc<UdpSocket>, to: u32, bytes: Vec<u8>) {
        let port = port.clone();
        drop(task::spawn_local(async move {
            // A datagram that cannot be sent is lost.
            let _ = port.send_to(SocketAddr::new(address(to), PORT), &bytes).await;
        }));
    }

    async fn receive(&self, port: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
        let (length, from) = port.recv_from(buffer).await?;
        Ok((length, machine(from)))
    }

    async fn listen(&self, _: u32) -> io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(Self::Reader, Self::Writer)> {
        Ok(reactor::split(listener.accept().await?.0))
    }

    async fn connect(&self, to: u32) -> io::Result<(Self::Reader, Self::Writer)> {
        Ok(reactor::split(TcpStream::connect(SocketAddr::new(address(to), PORT)).await?))
    }

    async fn read(&self, reader: &mut Self::Reader, buffer: &mut [u8]) -> io::Result<usize> {
        reactor::read(reader, buffer).await
    }

    async fn write(&self, writer: &mut Self::Writer, bytes: &[u8]) -> io::Result<()> {
        reactor::write(writer, bytes).await
    }
}
