//! The simulator over turmoil: each machine is one of its hosts, datagrams and streams go through its network, timers are its
//! tokio's.
//!
//! Its links lose nothing, and hold every message until our layer lets it go (`links`): latency and loss are drawn by our layer,
//! once. Time goes in ticks of a millisecond, in which hosts run one after the other: what is due in a tick arrives at its end,
//! and times are exact to a tick.

mod guests;
mod links;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use ::turmoil::{
    Builder,
    net::{
        TcpListener, TcpStream, UdpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sim_elapsed,
};
use squall_workloads::workload::Workload;

pub use self::guests::InTurmoil;
use self::links::{Dues, Links};
use super::{
    Execution, Options, PlanError,
    hosted::{Conductor, Library, Runtime},
    layer::clock::WALL_EPOCH_NS,
    reactor, shim,
};
use crate::{
    environment::{Machine, System, world::LocalFuture},
    plan::{MILLISECOND, NodeId, Plan},
};

/// The step in which turmoil's time goes.
const TICK: Duration = Duration::from_millis(1);
/// Where machines receive datagrams and accept streams.
const PORT: u16 = 7;
/// Datagrams and segments that turmoil keeps for a socket.
const CAPACITY: usize = 1 << 16;

/// Runs a plan.
pub(super) fn run<S: System>(
    system: Arc<S>,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let _beside = reactor::beside();
    shim::within(plan.seed, || {
        let dues = Rc::new(Dues::new(plan.cluster.nodes + plan.cluster.clients));
        let (mut conductor, host) = Conductor::new(system, plan, workload, options, Turmoil { dues: dues.clone() })?;
        let mut sim = builder(plan).build();
        for machine in 0..conductor.machines() {
            let host = host.clone();
            sim.host(address(machine), move || {
                let main = host.main(machine);
                async move {
                    main.await;
                    Ok(())
                }
            });
        }
        let mut links = Links::held(&sim, conductor.machines());
        while conductor.advance(sim.elapsed().as_nanos() as u64) {
            sim.step().expect("hosts end no simulation: their tasks' panics are caught before");
            links.carry(&sim, |sent, _, _| dues.of(sent));
            shim::advance(TICK);
        }
        drop(sim);
        Ok(conductor.finish())
    })
}

/// Turmoil, with links that carry at once and lose nothing.
fn builder(plan: &Plan) -> Builder {
    let mut builder = Builder::new();
    builder
        .rng_seed(plan.seed)
        .epoch(UNIX_EPOCH + Duration::from_nanos(WALL_EPOCH_NS))
        .tick_duration(TICK)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .udp_capacity(CAPACITY)
        .tcp_capacity(CAPACITY);
    builder
}

/// Where a machine is.
fn address(machine: u32) -> IpAddr {
    Machine::address(NodeId(machine))
}

fn machine(address: SocketAddr) -> u32 {
    Machine::at(address.ip()).expect("machines alone send here").0
}

/// Turmoil, as a host of systems.
#[derive(Default)]
struct Turmoil {
    dues: Rc<Dues>,
}

/// A machine's socket.
struct Port {
    machine: u32,
    socket: UdpSocket,
}

impl Runtime for Turmoil {
    fn now_ns(&self) -> u64 {
        sim_elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64)
    }

    fn sleep(&self, span_ns: u64) -> LocalFuture {
        reactor::sleep(span_ns)
    }

    fn spawn(&self, task: LocalFuture) {
        reactor::spawn(task);
    }

    fn settle(&self) {
        reactor::settle();
    }
}

impl Library for Turmoil {
    type Port = Port;
    type Listener = TcpListener;
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    // Turmoil goes through all that is on its links, again and again.
    const DELAY_NS_MAX: u64 = 50 * MILLISECOND;

    async fn bind(&self, machine: u32) -> io::Result<Port> {
        Ok(Port { machine, socket: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await? })
    }

    fn send(&self, port: &Rc<Port>, to: u32, bytes: &[u8], arrives_ns: u64) {
        self.dues.sends(port.machine, to, arrives_ns);
        port.socket.try_send_to(bytes, (address(to), PORT)).expect("turmoil's sockets are always writable");
    }

    async fn receive(&self, port: &Port, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
        let (length, from) = port.socket.recv_from(buffer).await?;
        Ok((length, machine(from)))
    }

    async fn listen(&self, _: u32) -> io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        Ok(listener.accept().await?.0.into_split())
    }

    async fn connect(&self, to: u32) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        Ok(TcpStream::connect((address(to), PORT)).await?.into_split())
    }

    async fn read(&self, reader: &mut OwnedReadHalf, buffer: &mut [u8]) -> io::Result<usize> {
        reactor::read(reader, buffer).await
    }

    async fn write(&self, writer: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
        reactor::write(writer, bytes).await
    }
}
