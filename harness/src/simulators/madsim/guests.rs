//! Guests of madsim: each machine is a node of its own, whose network, timers and tasks are the guest's to use.
//!
//! Madsim kills, restarts and pauses nodes, clogs links, and draws every latency and loss itself: those are the same for all links.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::madsim::{
    Config,
    net::NetSim,
    runtime::{self, Handle, NodeHandle},
    task,
    time::TimeHandle,
};
use squall_workloads::workload::Workload;

use super::host::{Madsim, address};
use crate::{
    environment::{Guest, world::LocalFuture},
    plan::{FaultKind, Latency, Plan, Promise},
    simulators::{
        AnySystem, Execution, Habitat, Options, PlanError, Simulator,
        hosted::{
            Conductor,
            guests::{Desk, Lodge, Order, StandIn},
        },
        layer::panics::message_of,
        reactor,
    },
};

/// A system that is written for madsim, to be registered as any other: `build: |_, _| Ok(Box::new(InMadsim::new(MyStore)))`.
pub struct InMadsim<G>(Arc<G>);

impl<G: Guest> InMadsim<G> {
    /// A guest as a system.
    pub fn new(guest: G) -> Self {
        InMadsim(Arc::new(guest))
    }
}

impl<G: Guest> AnySystem for InMadsim<G> {
    fn promise(&self) -> Promise {
        self.0.promise()
    }

    fn habitat(&self) -> Habitat {
        Habitat::Only(Simulator::Madsim)
    }

    fn run(
        self: Arc<Self>,
        simulator: Simulator,
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
    ) -> Result<Execution, PlanError> {
        self.check(simulator)?;
        simulator.check_reach(plan)?;
        self.0.promise().check_offer(plan)?;
        // In this order: the runtime draws the keys of the thread's maps, which tokio would draw from the machine.
        let mut config = Config::default();
        Weather::fair(plan).ask(&mut config.net);
        let runtime = runtime::Runtime::with_seed_and_config(plan.seed, config);
        reactor::seeded(plan.seed, || run(runtime, &self.0, plan, workload, options))
    }
}

/// The main task of a machine.
type Main = dyn Fn(u32) -> LocalFuture;

thread_local! {
    /// That of the run. What starts a node of madsim's must be `Send`, so it finds it here.
    static MAIN: RefCell<Option<Rc<Main>>> = const { RefCell::new(None) };
}

/// The main task of a machine's node.
async fn main(machine: u32) {
    if let Some(main) = MAIN.with_borrow(Clone::clone) {
        main(machine).await;
    }
}

/// How long what happens waits to be done: faults and operations are looked at so often.
const TICK: Duration = Duration::from_millis(1);

fn run<G: Guest>(
    runtime: runtime::Runtime,
    guest: &Arc<G>,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let lodge = Lodge::new(guest.clone(), plan.cluster.nodes, plan.cluster.clients);
    let (conductor, nodes) = runtime.block_on(async {
        let stand_in = Arc::new(StandIn(lodge.clone()));
        let madsim = Madsim::current();
        let (conductor, desk) = Conductor::new(stand_in, plan, workload, options, Desk(madsim))?;
        drop(task::spawn_local(desk.desk(conductor.machines())));
        let lodge = lodge.clone();
        MAIN.set(Some(Rc::new(move |machine| {
            let spawn = |session| drop(task::spawn_local(session));
            Box::pin(lodge.clone().main(machine, spawn))
        })));
        let handle = Handle::current();
        let node = |machine| handle.create_node().ip(address(machine)).init(move || main(machine)).build();
        let nodes: Vec<NodeHandle> = (0..conductor.machines()).map(node).collect();
        Ok::<_, PlanError>((conductor, nodes))
    })?;
    let links = Links::new(plan, &nodes);
    let conductor = RefCell::new(conductor);
    let driving = drive(&conductor, &lodge, links);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(driving))) {
        conductor.borrow().broke(message_of(&*payload));
    }
    MAIN.set(None);
    drop(runtime);
    Ok(conductor.into_inner().finish())
}

/// Does what is due, tick by tick, to the end of the run.
async fn drive<G: Guest>(conductor: &RefCell<Conductor<StandIn<G>>>, lodge: &Lodge<G>, mut links: Links<'_>) {
    let (time, handle) = (TimeHandle::current(), Handle::current());
    let mut paused = vec![false; links.plan.cluster.nodes as usize];
    loop {
        let now = time.elapsed().as_nanos() as u64;
        if !conductor.borrow_mut().advance(now) {
            return;
        }
        let orders = conductor.borrow().orders(lodge);
        for order in orders {
            match order {
                Order::Start(node) => {
                    handle.restart(links.nodes[node as usize].id());
                    paused[node as usize] = false;
                }
                Order::Stop(node) => {
                    handle.kill(links.nodes[node as usize].id());
                    // The node's tasks go when madsim comes to them, and its ports with them.
                    time.sleep(TICK).await;
                }
            }
        }
        for ((paused, node), machine) in paused.iter_mut().zip(links.nodes).zip(0..) {
            let pauses = conductor.borrow().pauses(machine);
            if pauses && !*paused {
                handle.pause(node.id());
                conductor.borrow().paused(machine);
            } else if *paused && !pauses {
                handle.resume(node.id());
            }
            *paused = pauses;
        }
        links.refresh(now, &conductor.borrow());
        time.sleep(TICK).await;
    }
}

/// Madsim's network, as the plan wants it.
struct Links<'a> {
    plan: &'a Plan,
    nodes: &'a [NodeHandle],
    /// The links that are clogged.
    clogged: BTreeSet<(u32, u32)>,
    weather: Weather,
    /// Messages that madsim has carried so far.
    carried: u64,
}

/// How it is on all links alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Weather {
    latency: Latency,
    /// Of a thousand messages, so many arrive.
    arrive: u32,
}

impl<'a> Links<'a> {
    fn new(plan: &'a Plan, nodes: &'a [NodeHandle]) -> Self {
        Links { plan, nodes, clogged: BTreeSet::new(), weather: Weather::fair(plan), carried: 0 }
    }

    fn refresh<G: Guest>(&mut self, now: u64, conductor: &Conductor<StandIn<G>>) {
        let net = NetSim::current();
        for (from, a) in (0..).zip(self.nodes) {
            for (to, b) in (0..).zip(self.nodes) {
                match conductor.cut(from, to) {
                    Some(fault) if self.clogged.insert((from, to)) => {
                        net.clog_link(a.id(), b.id());
                        // Madsim does not tell what would have gone over the link.
                        conductor.touched(fault, 1);
                    }
                    None if self.clogged.remove(&(from, to)) => net.unclog_link(a.id(), b.id()),
                    _ => {}
                }
            }
        }
        let fair = Weather::fair(self.plan);
        let active = || (0..).zip(&self.plan.faults).filter(|(_, f)| f.begins_ns <= now && now < f.ends_ns());
        let weather = active().fold(fair, |weather, (_, fault)| weather.under(&fault.kind));
        // What madsim carried; what it lost it does not count.
        let carried = net.stat().msg_count;
        let mut count = carried - std::mem::replace(&mut self.carried, carried);
        if weather != self.weather {
            net.update_config(|config| weather.ask(config));
            self.weather = weather;
            count += 1;
        }
        for (index, fault) in active() {
            if fair.under(&fault.kind) != fair {
                conductor.touched(index, count);
            }
        }
    }
}

impl Weather {
    /// Without a fault.
    fn fair(plan: &Plan) -> Self {
        Weather { latency: plan.cluster.latency.alike().expect("zones are refused before the run"), arrive: 1000 }
    }

    /// The same with this fault on all links.
    fn under(mut self, kind: &FaultKind) -> Self {
        let Weather { latency, arrive } = &mut self;
        match kind {
            FaultKind::Drop { permille } => *arrive = *arrive * (1000 - permille) / 1000,
            FaultKind::Delay { max_ns } => latency.max_ns = latency.max_ns.saturating_add(*max_ns),
            FaultKind::Degrade { permille, factor } => {
                *arrive = *arrive * (1000 - permille) / 1000;
                latency.min_ns = latency.min_ns.saturating_mul(u64::from(*factor));
                latency.max_ns = latency.max_ns.saturating_mul(u64::from(*factor));
            }
            _ => {}
        }
        self
    }

    fn ask(self, config: &mut ::madsim::net::Config) {
        let Latency { min_ns, max_ns } = self.latency;
        config.packet_loss_rate = f64::from(1000 - self.arrive) / 1000.0;
        config.send_latency = Duration::from_nanos(min_ns)..Duration::from_nanos(max_ns.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MILLISECOND;

    #[test]
    fn faults_on_all_links_add_up() {
        let fair = Weather { latency: Latency { min_ns: MILLISECOND, max_ns: 2 * MILLISECOND }, arrive: 1000 };
        assert_eq!(fair.under(&FaultKind::Pause), fair);
        let worse =
            fair.under(&FaultKind::Degrade { permille: 500, factor: 3 }).under(&FaultKind::Drop { permille: 500 });
        let worse = worse.under(&FaultKind::Delay { max_ns: MILLISECOND });
        assert_eq!(
            worse,
            Weather { latency: Latency { min_ns: 3 * MILLISECOND, max_ns: 7 * MILLISECOND }, arrive: 250 }
        );
    }
}
