//! Guests of turmoil: each machine is a host of its own, whose network, timers and tasks are the guest's to use.
//!
//! Turmoil steps them; crashes and restarts are its own. Its links hold every message, and let it go when our layer says
//! (`links`), so that latency, partitions and loss mean what they mean everywhere.

use std::{
    net::{IpAddr, Ipv4Addr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use squall_checkers::operation::Interface;
use squall_workloads::workload::Workload;

use super::{
    TICK, Turmoil, address, builder,
    links::{Links, decide},
};
use crate::{
    environment::Guest,
    plan::{Plan, Promise},
    simulators::{
        AnySystem, Execution, Habitat, Options, PlanError, Simulator,
        hosted::{
            Conductor,
            guests::{Desk, Lodge, Order, StandIn},
        },
        layer::panics::message_of,
        reactor, shim,
    },
};

/// A system that is written for turmoil, to be registered as any other: `build: |_, _| Ok(Box::new(InTurmoil::new(MyStore)))`.
pub struct InTurmoil<G>(Arc<G>);

impl<G: Guest> InTurmoil<G> {
    /// A guest as a system.
    pub fn new(guest: G) -> Self {
        InTurmoil(Arc::new(guest))
    }
}

impl<G: Guest> AnySystem for InTurmoil<G> {
    fn promise(&self) -> Promise {
        self.0.promise()
    }

    fn speaking(&self, interface: &Interface) -> Option<Arc<dyn AnySystem>> {
        self.0.speaking(interface).map(|guest| Arc::new(InTurmoil::new(guest)) as Arc<dyn AnySystem>)
    }

    fn habitat(&self) -> Habitat {
        Habitat::Only(Simulator::Turmoil)
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
        shim::within(plan.seed, || run(&self.0, plan, workload, options))
    }
}

/// Where the stand-ins are: out of every machine's way.
const DESK: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254));

fn run<G: Guest>(
    guest: &Arc<G>,
    plan: &Plan,
    workload: &'static dyn Workload,
    options: Options,
) -> Result<Execution, PlanError> {
    let _alone = reactor::alone();
    let (nodes, clients) = (plan.cluster.nodes, plan.cluster.clients);
    let lodge = Lodge::new(guest.clone(), nodes, clients);
    let stand_in = Arc::new(StandIn(lodge.clone()));
    let (mut conductor, desk) = Conductor::new(stand_in, plan, workload, options, Desk(Turmoil::default()))?;
    let machines = conductor.machines();
    let mut sim = builder(plan).build();
    // The first of all hosts in each step: what is asked is asked in this step.
    sim.host(DESK, move || {
        let desk = desk.desk(machines);
        async move {
            desk.await;
            Ok(())
        }
    });
    for machine in 0..machines {
        let lodge = lodge.clone();
        sim.host(address(machine), move || {
            let main = lodge.clone().main(machine, reactor::spawn);
            async move {
                main.await;
                Ok(())
            }
        });
    }
    let mut links = Links::held(&sim, machines);
    loop {
        let now = sim.elapsed().as_nanos() as u64;
        if !conductor.advance(now) {
            break;
        }
        for order in conductor.orders(&lodge) {
            match order {
                Order::Start(node) => sim.bounce(address(node)),
                Order::Stop(node) => sim.crash(address(node)),
            }
        }
        match catch_unwind(AssertUnwindSafe(|| sim.step())) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => conductor.broke(error.to_string()),
            Err(payload) => conductor.broke(message_of(&*payload)),
        }
        links.carry(&sim, |sent, time, now| decide(&conductor, sent, time, now));
        shim::advance(drifted(conductor.drift_ppb()));
    }
    drop(sim);
    Ok(conductor.finish())
}

/// What a clock that runs so much faster shows after a step.
fn drifted(ppb: i64) -> Duration {
    let tick_ns = TICK.as_nanos() as i64;
    Duration::from_nanos((tick_ns + tick_ns.saturating_mul(ppb) / 1_000_000_000).max(0) as u64)
}
