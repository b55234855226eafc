//! Each machine is a node of madsim: datagrams and streams go through its network, timers are its own.
//!
//! Its links are set to carry at once and to lose nothing: latency and loss are drawn by our layer, once. The latency of a datagram
//! is given to madsim as the datagram sets out; what madsim itself takes for it, a millisecond to send and one to receive, is
//! taken off, and less than that no datagram takes.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::madsim::{
    Config,
    net::{NetSim, TcpListener, TcpStream, UdpSocket},
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
    config.net.send_latency = exactly(0);
    // In this order: the runtime draws the keys of the thread's maps, which tokio would draw from the machine.
    let runtime = runtime::Runtime::with_seed_and_config(plan.seed, config);
    reactor::seeded(plan.seed, || {
        runtime.block_on(async {
            let (madsim, clock) = (Madsim::current(), Madsim::current());
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
    time: TimeHandle,
    net: Arc<NetSim>,
}

impl Madsim {
    /// That of the calling task.
    pub(super) fn current() -> Self {
        Madsim { time: TimeHandle::current(), net: NetSim::current() }
    }
}

/// What madsim itself takes for a datagram, in nanoseconds.
const TRANSIT_NS: u64 = 2 * MILLISECOND;

/// The range in which this latency, in nanoseconds, is the only one.
fn exactly(latency_ns: u64) -> Range<Duration> {
    Duration::from_nanos(latency_ns)..Duration::from_nanos(latency_ns.saturating_add(1))
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
    const DELAY_NS_MAX: u64 = u64::MAX;

    async fn bind(&self, _: u32) -> io::Result<UdpSocket> {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await
    }

    fn send(&self, port: &Rc<UdpSocket>, to: u32, bytes: &[u8], arrives_ns: u64) {
        let latency_ns = arrives_ns.saturating_sub(self.now_ns()).saturating_sub(TRANSIT_NS);
        let (port, net, bytes) = (port.clone(), self.net.clone(), bytes.to_vec());
        drop(task::spawn_local(async move {
            let mut sending = pin!(port.send_to(SocketAddr::new(address(to), PORT), &bytes));
            // A datagram that cannot be sent is lost.
            let _ = poll_fn(|cx| {
                // Madsim draws the latency in the last of these polls.
                net.update_config(|config| config.send_latency = exactly(latency_ns));
                let polled = sending.as_mut().poll(cx);
                net.update_config(|config| config.send_latency = exactly(0));
                polled
            })
            .await;
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
