//! The same scenario as people write it for turmoil and for madsim themselves: hosts, sockets and latencies of the library, and
//! nothing of squall's. No faults, history or timeouts.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use squall::plan::{Operations, Plan, mix, scale};

use super::register::{Datagram, Replica, To, request};

const PORT: u16 = 7_000;

/// The datagrams that were received and the operations that ended.
#[derive(Clone, Default)]
struct Counts(Rc<Cell<(u64, u64)>>);

impl Counts {
    fn message(&self) {
        let (messages, operations) = self.0.get();
        self.0.set((messages + 1, operations));
    }

    fn operation(&self) {
        let (messages, operations) = self.0.get();
        self.0.set((messages + 1, operations + 1));
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
    fn spawn(task: impl Future<Output = ()> + 'static);
}

async fn replica<W: Wire>(me: u32, count: u32, counts: Counts) {
    let socket = Rc::new(W::open(PORT).await);
    let state = Rc::new(RefCell::new(Replica::new()));
    for _ in 1..W::RECEIVERS {
        W::spawn(serve(socket.clone(), state.clone(), me, count, counts.clone()));
    }
    serve(socket, state, me, count, counts).await;
}

async fn serve<W: Wire>(socket: Rc<W>, state: Rc<RefCell<Replica<SocketAddr>>>, me: u32, count: u32, counts: Counts) {
    let mut buffer = [0; 17];
    loop {
        let from = socket.receive(&mut buffer).await;
        counts.message();
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

/// Asks at about this pace, whether or not the answer has come.
async fn asker<W: Wire>(socket: Rc<W>, seed: u64, home: u32, interval_ns: u64) {
    for i in 0.. {
        W::sleep(Duration::from_nanos(interval_ns / 2 + scale(mix(seed, i), interval_ns))).await;
        socket.send(replica_at(home), request(i as i64)).await;
    }
}

/// A client: asks and listens.
async fn client<W: Wire>(seed: u64, home: u32, interval_ns: u64, counts: Counts) {
    let socket = Rc::new(W::open(PORT).await);
    for _ in 0..W::RECEIVERS {
        W::spawn(listener(socket.clone(), counts.clone()));
    }
    asker(socket, seed, home, interval_ns).await;
}

async fn listener<W: Wire>(socket: Rc<W>, counts: Counts) {
    let mut buffer = [0; 17];
    loop {
        socket.receive(&mut buffer).await;
        counts.operation();
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
    use ::turmoil::{Builder, net::UdpSocket};

    use super::{Counts, Datagram, Duration, Ipv4Addr, Plan, Rc, SocketAddr, Wire, address, interval_ns, mix, replica};

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

        fn spawn(task: impl Future<Output = ()> + 'static) {
            tokio::task::spawn_local(task);
        }
    }

    /// Returns the messages delivered and the operations completed.
    pub(in super::super) fn run(plan: &Plan) -> (u64, u64) {
        let (nodes, latency) = (plan.cluster.nodes, plan.cluster.latency);
        let mut sim = Builder::new()
            .rng_seed(plan.seed)
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_nanos(latency.min_ns))
            .max_message_latency(Duration::from_nanos(latency.max_ns))
            .udp_capacity(1 << 16)
            .build();
        let counts = Counts::default();
        for me in 0..nodes {
            let counts = counts.clone();
            sim.host(address(me), move || {
                let counts = counts.clone();
                async move {
                    replica::<UdpSocket>(me, nodes, counts).await;
                    Ok(())
                }
            });
        }
        for client in 0..plan.cluster.clients {
            let (seed, interval_ns) = (mix(plan.seed, u64::from(client)), interval_ns(plan));
            let counts = counts.clone();
            sim.host(address(nodes + client), move || {
                let counts = counts.clone();
                async move {
                    super::client::<UdpSocket>(seed, client % nodes, interval_ns, counts).await;
                    Ok(())
                }
            });
        }
        let end = Duration::from_nanos(plan.phases.chaos_ns + plan.phases.settle_ns);
        while sim.elapsed() < end {
            sim.step().expect("hosts end no simulation");
        }
        counts.0.get()
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

    use super::{Counts, Datagram, Duration, Ipv4Addr, Plan, Rc, SocketAddr, Wire, address, interval_ns, mix, replica};

    thread_local! {
        /// What starts a node of madsim's must be `Send`, so it finds the counts here.
        static COUNTS: Counts = Counts::default();
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

        fn spawn(task: impl Future<Output = ()> + 'static) {
            drop(task::spawn_local(task));
        }
    }

    /// Returns the messages delivered and the operations completed. To be called on a fresh thread.
    pub(in super::super) fn run(plan: &Plan) -> (u64, u64) {
        let (nodes, latency) = (plan.cluster.nodes, plan.cluster.latency);
        let mut config = Config::default();
        config.net.send_latency = Duration::from_nanos(latency.min_ns)..Duration::from_nanos(latency.max_ns);
        let runtime = Runtime::with_seed_and_config(plan.seed, config);
        runtime.block_on(async {
            let handle = Handle::current();
            let mut machines = Vec::new();
            for me in 0..nodes {
                let init = move || replica::<UdpSocket>(me, nodes, COUNTS.with(Clone::clone));
                machines.push(handle.create_node().ip(address(me)).init(init).build());
            }
            for client in 0..plan.cluster.clients {
                let (seed, interval_ns) = (mix(plan.seed, u64::from(client)), interval_ns(plan));
                let counts = || COUNTS.with(Clone::clone);
                let init = move || super::client::<UdpSocket>(seed, client % nodes, interval_ns, counts());
                machines.push(handle.create_node().ip(address(nodes + client)).init(init).build());
            }
            time::sleep(Duration::from_nanos(plan.phases.chaos_ns + plan.phases.settle_ns)).await;
        });
        COUNTS.with(|counts| counts.0.get())
    }
}
