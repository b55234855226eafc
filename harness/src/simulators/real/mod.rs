//! The same code for real: plain tokio over loopback, in real time, all machines on one thread. No two runs are the same.
//!
//! A crash drops a machine's tasks, a fault on a link is our layer's; the disk is the simulated one, so that power can be lost.

#![expect(clippy::disallowed_types, reason = "what runs for real runs in real time")]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use squall_workloads::workload::Workload;

use super::{
    Execution, Options, PlanError,
    hosted::{Conductor, Library, Runtime},
    reactor::{self, Listener, Reader, Socket, Writer},
};
use crate::{
    environment::{System, world::LocalFuture},
    plan::Plan,
};

/// Runs a plan.
pub(super) fn run<S: System>(
    system: Arc<S>,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let machines = plan.cluster.nodes + plan.cluster.clients;
    let real = Real::new(machines).map_err(|error| PlanError::Invalid {
        what: format!("{machines} machines need a socket and a listener each on 127.0.0.1: {error}"),
    })?;
    let clock = Real { began: real.began, ..Real::default() };
    let (mut conductor, host) = Conductor::new(system, plan, workload, options, real)?;
    reactor::run(async {
        for machine in 0..conductor.machines() {
            reactor::spawn(Box::pin(host.main(machine)));
        }
        conductor.drive(&clock).await;
        Ok(conductor.finish())
    })
}

/// Plain tokio, as a host of systems.
struct Real {
    began: Instant,
    /// Each machine's own, until it takes them.
    sockets: RefCell<Vec<Option<StdSocket>>>,
    listeners: RefCell<Vec<Option<StdListener>>>,
    /// Where each machine receives datagrams, and where it accepts streams.
    addresses: Vec<(SocketAddr, SocketAddr)>,
    /// Machines by the port of their datagrams.
    machines: BTreeMap<u16, u32>,
}

impl Default for Real {
    fn default() -> Self {
        Real {
            began: Instant::now(),
            sockets: RefCell::default(),
            listeners: RefCell::default(),
            addresses: Vec::new(),
            machines: BTreeMap::new(),
        }
    }
}

impl Real {
    fn new(machines: u32) -> io::Result<Self> {
        let mut real = Real::default();
        for machine in 0..machines {
            let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            listener.set_nonblocking(true)?;
            let at = (socket.local_addr()?, listener.local_addr()?);
            real.machines.insert(at.0.port(), machine);
            real.addresses.push(at);
            real.sockets.get_mut().push(Some(socket));
            real.listeners.get_mut().push(Some(listener));
        }
        Ok(real)
    }
}

fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "a machine is started once")
}

impl Runtime for Real {
    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn sleep(&self, span_ns: u64) -> LocalFuture {
        reactor::sleep(span_ns)
    }

    fn spawn(&self, task: LocalFuture) {
        reactor::spawn(task);
    }
}

impl Library for Real {
    type Port = Socket;
    type Listener = Listener;
    type Reader = Reader;
    type Writer = Writer;

    const STEADY: bool = false;

    async fn bind(&self, machine: u32) -> io::Result<Socket> {
        let socket = self.sockets.borrow_mut()[machine as usize].take();
        Socket::from_std(socket.ok_or_else(taken)?)
    }

    fn send(&self, port: &Rc<Socket>, to: u32, bytes: &[u8], _: u64) {
        // What the machine's own buffers do not take is lost, as datagrams are.
        let _ = port.try_send_to(bytes, self.addresses[to as usize].0);
    }

    async fn receive(&self, port: &Socket, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
        loop {
            let (length, from) = port.recv_from(buffer).await?;
            // Anyone on this computer can send to a port on it.
            if let Some(machine) = self.machines.get(&from.port()) {
                return Ok((length, *machine));
            }
        }
    }

    async fn listen(&self, machine: u32) -> io::Result<Listener> {
        let listener = self.listeners.borrow_mut()[machine as usize].take();
        Listener::from_std(listener.ok_or_else(taken)?)
    }

    async fn accept(&self, listener: &Listener) -> io::Result<(Reader, Writer)> {
        Ok(listener.accept().await?.0.into_split())
    }

    async fn connect(&self, to: u32) -> io::Result<(Reader, Writer)> {
        reactor::connect(self.addresses[to as usize].1).await
    }

    async fn read(&self, reader: &mut Reader, buffer: &mut [u8]) -> io::Result<usize> {
        reactor::read(reader, buffer).await
    }

    async fn write(&self, writer: &mut Writer, bytes: &[u8]) -> io::Result<()> {
        reactor::write(writer, bytes).await
    }
}
