//! The facts on madsim.

#![expect(clippy::disallowed_types, reason = "guests ask the machine for the time, which a seed decides here")]

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::SystemTime,
};

use ::madsim::{
    net::{TcpListener, TcpStream, UdpSocket},
    task, time,
};
use squall::{
    plan::{FaultKind, Loss},
    simulators::{AnySystem, InMadsim, Simulator},
};

use crate::{
    facts::{self, Stage},
    keeper::{Keeper, Library},
};

struct Madsim;

impl Library for Madsim {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Socket = UdpSocket;

    async fn listen(port: u16) -> io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(to: (IpAddr, u16)) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn bind(port: u16) -> io::Result<UdpSocket> {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await
    }

    async fn send(socket: &UdpSocket, to: (IpAddr, u16), bytes: &[u8]) -> io::Result<()> {
        socket.send_to(to, bytes).await.map(drop)
    }

    async fn receive(socket: &UdpSocket) -> io::Result<(Vec<u8>, (IpAddr, u16))> {
        let mut buffer = [0; 64];
        let (length, from) = socket.recv_from(&mut buffer).await?;
        Ok((buffer[..length].to_vec(), (from.ip(), from.port())))
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        drop(task::spawn_local(task));
    }

    async fn entropy() -> String {
        time::sleep(std::time::Duration::from_millis(3)).await;
        let branch = tokio::select! {
            () = async {} => 0,
            () = async {} => 1,
            () = async {} => 2,
        };
        let order: Vec<i64> = (0..8).map(|n| (n, ())).collect::<HashMap<_, _>>().into_keys().collect();
        format!("{branch} {order:?} {}", Self::wall_ms())
    }

    fn wall_ms() -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970");
        i64::try_from(since.as_millis()).expect("it is long before the end of time")
    }
}

const STAGE: Stage = Stage {
    simulator: Simulator::Madsim,
    system: || Arc::new(InMadsim::new(Keeper::<Madsim>::NEW)) as Arc<dyn AnySystem>,
};

#[test]
fn operations_take_the_latency_of_the_plan() {
    facts::operations_take_the_latency_of_the_plan(&STAGE);
}

#[test]
fn a_crash_takes_what_is_not_kept() {
    facts::a_crash_takes_what_is_not_kept(&STAGE);
}

#[test]
fn while_a_machine_is_down_nobody_answers_there() {
    facts::while_a_machine_is_down_nobody_answers_there(&STAGE);
}

#[test]
fn an_admin_asks_on_a_machine_of_the_clients() {
    facts::an_admin_asks_on_a_machine_of_the_clients(&STAGE);
}

#[test]
fn a_wipe_takes_what_is_kept() {
    facts::a_wipe_takes_what_is_kept(&STAGE);
}

#[test]
fn a_stream_stalls_in_a_partition_and_goes_on() {
    facts::a_stream_stalls_in_a_partition_and_goes_on(&STAGE);
}

#[test]
fn links_of_clients_are_cut_only_where_the_plan_says_so() {
    facts::links_of_clients_are_cut_only_where_the_plan_says_so(&STAGE);
}

#[test]
fn a_process_that_ends_by_itself_is_started_again() {
    facts::a_process_that_ends_by_itself_is_started_again(&STAGE);
}

#[test]
fn a_session_that_was_given_up_is_closed() {
    facts::a_session_that_was_given_up_is_closed(&STAGE);
}

#[test]
fn a_role_is_struck_where_it_was_shown() {
    facts::a_role_is_struck_where_it_was_shown(&STAGE);
}

#[test]
fn panics_end_the_run_and_say_what_they_said() {
    facts::panics_end_the_run_and_say_what_they_said(&STAGE);
}

#[test]
fn other_simulators_say_where_it_runs() {
    facts::other_simulators_say_where_it_runs(&STAGE);
}

#[test]
fn the_same_plan_runs_the_same_in_another_thread() {
    facts::the_same_plan_runs_the_same_in_another_thread(&STAGE);
}

#[test]
fn what_is_late_takes_longer() {
    facts::what_is_late_takes_longer(&STAGE);
}

#[test]
fn a_lost_datagram_is_lost() {
    facts::a_lost_datagram_is_lost(&STAGE);
}

#[test]
fn a_stream_loses_nothing() {
    facts::a_stream_loses_nothing(&STAGE);
}

#[test]
fn a_paused_machine_stands_still_and_goes_on() {
    facts::a_paused_machine_stands_still_and_goes_on(&STAGE);
}

#[test]
fn what_cannot_be_done_is_refused_before_the_run() {
    let kinds = [
        FaultKind::Slow { service_ns: 1 },
        FaultKind::Drop { permille: 1 },
        FaultKind::Delay { max_ns: 1 },
        FaultKind::Reorder { permille: 1, max_ns: 1 },
        FaultKind::Duplicate { permille: 1 },
        FaultKind::Corrupt { permille: 1 },
        FaultKind::Crash { loss: Loss::Lost },
        FaultKind::ClockOffset { ns: 1 },
        FaultKind::ClockDrift { ppb: 1 },
        FaultKind::SyncError { permille: 1 },
    ];
    facts::what_cannot_be_done_is_refused_before_the_run(&STAGE, &kinds);
}
