//! The same scenario as people write it for turmoil and for madsim themselves: hosts, sockets and latencies of the library, and
//! nothing of squall's. No faults. Clients do what a test of a store needs of them: each operation is given up after a timeout,
//! its answer is known to be its own (it has a socket to itself), and what was asked and answered when is written down.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use squall::plan::{Operations, Plan, mix, scale};

use super::register::{Datagram, Replica, To, request};

const PORT: u16 = 7_000;

/// The datagrams that were received, and the operations that were asked.
#[derive(Clone, Default)]
struct Notes(Rc<(Cell<u64>, RefCell<Vec<Asked>>)>);

/// An operation.
#[expect(dead_code, reason = "a test would read it to judge the store")]
struct Asked {
    client: u32,
    value: i64,
    invoked: Duration,
    answered: Option<Duration>,
}

impl Notes {
    fn message(&self) {
        self.0.0.set(self.0.0.get() + 1);
    }

    fn asks(&self, client: u32, value: i64, now: Duration) -> usize {
        let mut asked = self.0.1.borrow_mut();
        asked.push(Asked { client, value, invoked: now, answered: None });
        asked.len() - 1
    }

    fn answered(&self, operation: usize, now: Duration) {
        self.0.1.borrow_mut()[operation].answered = Some(now);
    }

    /// The messages delivered and the operations completed.
    fn figures(&self) -> (u64, u64) {
        let asked = self.0.1.borrow();
        (self.0.0.get(), asked.iter().filter(|asked| asked.answered.is_some()).count() as u64)
    }
}

fn address(machine: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0001 + machine))
}

fn replica_at(machine: u32) -> SocketAddr {
    (address(machine), PORT).into()
}

/// What both libraries' sockets have.
trait Wire: Sized + 'static {
    /// How many tasks receive at one socket: more than one where the library has each datagram take its time there.
    const RECEIVERS: usize;

    async fn open(port: u16) -> Self;
    async fn receive(&self, buffer: &mut Datagram) -> SocketAddr;
    /// Sends without waiting, as `self` may be sending already.
    async fn send(self: &Rc<Self>, to: SocketAddr, datagram: Datagram);
    async fn sleep(span: Duration);
    /// `None` when it takes longer.
    async fn within<T>(span: Duration, what: impl Future<Output = T>) -> Option<T>;
    /// Since the run began.
    fn now() -> Duration;
    fn spawn(task: impl Future<Output = ()> + 'static);
}

async fn replica<W: Wire>(me: u32, count: u32, notes: Notes) {
    let socket = Rc::new(W::open(PORT).await);
    let state = Rc::new(RefCell::new(Replica::new()));
    for _ in 1..W::RECEIVERS {
        W::spawn(serve(socket.clone(), state.clone(), me, count, notes.clone()));
    }
    serve(socket, state, me, count, notes).await;
}

async fn serve<W: Wire>(socket: Rc<W>, state: Rc<RefCell<Replica<SocketAddr>>>, me: u32, count: u32, notes: Notes) {
    let mut buffer = [0; 17];
    loop {
        let from = socket.receive(&mut buffer).await;
        notes.message();
        let answer = state.borrow_mut().take(from, &buffer, count);
        match answer {
            Some((To::Peers, datagram)) => {
                for peer in (0..count).filter(|peer| *peer != me) {
                    socket.send(replica_at(peer), datagram).await;
                }
            }
            Some((To::One(to), datagram)) => socket.send(to, datagram).await,
            None => {}
        }
    }
}

/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A client: asks at about this pace, whether or not the last answer has come.
async fn client<W: Wire>(seed: u64, me: u32, home: u32, interval_ns: u64, notes: Notes) {
    // Sockets that wait for no answer.
    let idle = Rc::new(RefCell::new(Vec::<Rc<W>>::new()));
    for i in 0.. {
        W::sleep(Duration::from_nanos(interval_ns / 2 + scale(mix(seed, i), interval_ns))).await;
        let free = idle.borrow_mut().pop();
        let socket = match free {
            Some(socket) => socket,
            None => Rc::new(W::open(0).await),
        };
        W::spawn(ask(socket, idle.clone(), me, home, i as i64, notes.clone()));
    }
}

/// An operation. Only a socket that got its answer is used again.
async fn ask<W: Wire>(socket: Rc<W>, idle: Rc<RefCell<Vec<Rc<W>>>>, me: u32, home: u32, value: i64, notes: Notes) {
    let operation = notes.asks(me, value, W::now());
    socket.send(replica_at(home), request(value)).await;
    let mut buffer = [0; 17];
    if W::within(TIMEOUT, socket.receive(&mut buffer)).await.is_some() {
        notes.message();
        notes.answered(operation, W::now());
        idle.borrow_mut().push(socket);
    }
}

fn interval_ns(plan: &Plan) -> u64 {
    match plan.workload.operations {
        Operations::Generated { interval_ns, .. } => interval_ns,
        Operations::Script(_) => unreachable!("bench plans are generated"),
    }
}

#[cfg(feature = "turmoil")]
pub(super) mod in_turmoil {
    use ::turmoil::{Builder, net::UdpSocket, sim_elapsed};

    use super::{Datagram, Duration, Ipv4Addr, Notes, Plan, Rc, SocketAddr, Wire, address, interval_ns, mix, replica};

    impl Wire for UdpSocket {
        const RECEIVERS: usize = 1;

        async fn open(port: u16) -> Self {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await.expect("a free port")
        }

        async fn receive(&self, buffer: &mut Datagram) -> SocketAddr {
            self.recv_from(buffer).await.expect("an open socket").1
        }

        async fn send(self: &Rc<Self>, to: SocketAddr, datagram: Datagram) {
            self.send_to(&datagram, to).await.expect("an open socket");
        }

        async fn sleep(span: Duration) {
            tokio::time::sleep(span).await;
        }

        async fn within<T>(span: Duration, what: impl Future<Output = T>) -> Option<T> {
            tokio::time::timeout(span, what).await.ok()
        }

        fn now() -> Duration {
            sim_elapsed().expect("hosts are in a simulation")
        }

        fn spawn(task: impl Future<Output = ()> + 'static) {
            tokio::task::spawn_local(task);
        }
    }

    /// Returns the messages delivered and the operations completed.
    pub(in super::super) fn run(plan: &Plan) -> (u64, u64) {
        let (nodes, latency) = (plan.cluster.nodes, plan.cluster.latency.alike().expect("all links are alike"));
        let mut sim = Builder::new()
            .rng_seed(plan.seed)
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_nanos(latency.min_ns))
            .max_message_latency(Duration::from_nanos(latency.max_ns))
            .udp_capacity(1 << 16)
            .build();
        // Of the latencies between those two, as the plan has them, the mean is in the middle.
        sim.set_message_latency_curve(1.2);
        let notes = Notes::default();
        for me in 0..nodes {
            let notes = notes.clone();
            sim.host(address(me), move || {
                let notes = notes.clone();
                async move {
                    replica::<UdpSocket>(me, nodes, notes).await;
                    Ok(())
                }
            });
        }
        for client in 0..plan.cluster.clients {
            let (seed, interval_ns) = (mix(plan.seed, u64::from(client)), interval_ns(plan));
            let notes = notes.clone();
            sim.host(address(nodes + client), move || {
                let notes = notes.clone();
                async move {
                    super::client::<UdpSocket>(seed, client, client % nodes, interval_ns, notes).await;
                    Ok(())
                }
            });
        }
        let end = Duration::from_nanos(plan.phases.chaos_ns + plan.phases.settle_ns);
        while sim.elapsed() < end {
            sim.step().expect("hosts end no simulation");
        }
        notes.figures()
    }
}

#[cfg(madsim)]
pub(super) mod in_madsim {
    use ::madsim::{
        Config,
        net::UdpSocket,
        runtime::{Handle, Runtime},
        task, time,
    };

    use super::{Datagram, Duration, Ipv4Addr, Notes, Plan, Rc, SocketAddr, Wire, address, interval_ns, mix, replica};

    thread_local! {
        /// What starts a node of madsim's must be `Send`, so it finds the notes here.
        static NOTES: Notes = Notes::default();
    }

    impl Wire for UdpSocket {
        const RECEIVERS: usize = 16;

        async fn open(port: u16) -> Self {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await.expect("a free port")
        }

        async fn receive(&self, buffer: &mut Datagram) -> SocketAddr {
            self.recv_from(buffer).await.expect("an open socket").1
        }

        async fn send(self: &Rc<Self>, to: SocketAddr, datagram: Datagram) {
            let socket = self.clone();
            // It takes a millisecond, in which the next is to set out.
            Self::spawn(async move { socket.send_to(to, &datagram).await.expect("an open socket") });
        }

        async fn sleep(span: Duration) {
            time::sleep(span).await;
        }

        async fn within<T>(span: Duration, what: impl Future<Output = T>) -> Option<T> {
            time::timeout(span, what).await.ok()
        }

        fn now() -> Duration {
            time::TimeHandle::current().elapsed()
        }

        fn spawn(task: impl Future<Output = ()> + 'static) {
            drop(task::spawn_local(task));
        }
    }

    /// Returns the messages delivered and the operations completed. To be called on a fresh thread.
    pub(in super::super) fn run(plan: &Plan) -> (u64, u64) {
        let (nodes, latency) = (plan.cluster.nodes, plan.cluster.latency.alike().expect("all links are alike"));
        let mut config = Config::default();
        config.net.send_latency = Duration::from_nanos(latency.min_ns)..Duration::from_nanos(latency.max_ns);
        let runtime = Runtime::with_seed_and_config(plan.seed, config);
        runtime.block_on(async {
            let handle = Handle::current();
            let mut machines = Vec::new();
            for me in 0..nodes {
                let init = move || replica::<UdpSocket>(me, nodes, NOTES.with(Clone::clone));
                machines.push(handle.create_node().ip(address(me)).init(init).build());
            }
            for client in 0..plan.cluster.clients {
                let (seed, interval_ns) = (mix(plan.seed, u64::from(client)), interval_ns(plan));
                let notes = || NOTES.with(Clone::clone);
                let init = move || super::client::<UdpSocket>(seed, client, client % nodes, interval_ns, notes());
                machines.push(handle.create_node().ip(address(nodes + client)).init(init).build());
            }
            time::sleep(Duration::from_nanos(plan.phases.chaos_ns + plan.phases.settle_ns)).await;
        });
        NOTES.with(Notes::figures)
    }
}
