//! Who is who: machines, ports, addresses.

use std::collections::BTreeSet;

use squall::{
    environment::Address,
    plan::{FaultKind, Loss, NodeId},
};

use crate::{
    run::{outcome, receive},
    stage::{GRAIN, LATENCY, PORT, ms, scene, secs},
};

#[test]
fn every_machine_knows_itself_and_the_replicas() {
    scene!(3).check(
        |m| async move {
            m.saw(m.me());
            m.saw(format!("{} {:?}", m.node_count(), m.nodes().map(|n| n.0).collect::<Vec<_>>()));
            m.saw(format!("{:?}", m.peers().map(|n| n.0).collect::<Vec<_>>()));
            m.saw(m.home());
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["n0", "3 [0, 1, 2]", "[1, 2]", "n0"]);
            assert_eq!(run.of(1), ["n1", "3 [0, 1, 2]", "[0, 2]", "n1"]);
            assert_eq!(run.of(2), ["n2", "3 [0, 1, 2]", "[0, 1]", "n2"]);
        },
    );
}

#[test]
fn a_port_is_bound_once_at_a_time_on_each_machine() {
    scene!(2).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            m.saw(outcome(m.bind(PORT)));
            drop(socket);
            m.saw(outcome(m.bind(PORT)));
            let listener = m.listen(PORT)?;
            m.saw(outcome(m.listen(PORT)));
            // Datagrams and streams have ports of their own.
            m.saw(outcome(m.bind(PORT)));
            drop(listener);
            m.saw(outcome(m.listen(PORT)));
            Ok(())
        },
        |run| {
            for n in [0, 1] {
                assert_eq!(run.of(n), ["AddrInUse", "ok", "AddrInUse", "ok", "ok"]);
            }
        },
    );
}

#[test]
fn port_0_picks_ports_that_are_free_each_time_another() {
    scene!(1).check(
        |m| async move {
            let first = m.bind(0)?;
            let taken = m.bind(first.address().port + 1)?;
            let more: Vec<_> = (0..200).map(|_| m.bind(0)).collect::<Result<_, _>>()?;
            let mut ports: BTreeSet<u16> = more.iter().map(|s| s.address().port).collect();
            ports.extend([first.address().port, taken.address().port]);
            m.saw(format!("{} of {}", first.address().node, !ports.contains(&0)));
            m.saw(ports.len());
            let listeners: Vec<_> = (0..200).map(|_| m.listen(0)).collect::<Result<_, _>>()?;
            m.saw(listeners.iter().map(|l| l.address().port).collect::<BTreeSet<_>>().len());
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["n0 of true", "202", "200"]),
    );
}

#[test]
fn a_socket_bound_to_port_0_is_reached_at_its_address() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let socket = m.bind(0)?;
                socket.send_to(m.at(1), b"who?")?;
                m.saw(receive(&socket).await?);
                return Ok(());
            }
            let socket = m.bind(PORT)?;
            let (_, from) = socket.recv_from(&mut [0; 8]).await?;
            socket.send_to(from, b"you")?;
            Ok(())
        },
        |run| run.saw_at(0, "you", 2 * LATENCY),
    );
}

#[test]
fn to_a_machine_that_does_not_exist_nothing_can_be_sent() {
    scene!(2).check(
        |m| async move {
            let nobody = Address { node: NodeId(99), port: PORT };
            m.saw(outcome(m.bind(0)?.send_to(nobody, b"?")));
            m.saw(outcome(m.connect(nobody.node, PORT).await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["NetworkUnreachable", "NetworkUnreachable"]),
    );
}

#[test]
fn a_datagram_reaches_whoever_holds_the_port_when_it_arrives() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                m.bind(0)?.send_to(m.at(1), b"hello")?;
                return Ok(());
            }
            let first = m.bind(PORT)?;
            m.until(LATENCY / 2).await;
            drop(first);
            let second = m.bind(PORT)?;
            m.saw(receive(&second).await?);
            Ok(())
        },
        |run| run.saw_at(1, "hello", LATENCY),
    );
}

#[test]
fn what_waits_in_a_closed_socket_is_gone() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                m.bind(0)?.send_to(m.at(1), b"hello")?;
                return Ok(());
            }
            let first = m.bind(PORT)?;
            m.until(LATENCY + 2 * GRAIN).await;
            drop(first);
            m.hear().await
        },
        |run| assert!(run.of(1).is_empty()),
    );
}

#[test]
fn a_machine_that_comes_back_may_have_its_ports_again() {
    scene!(2).lasting(secs(3)).fault(&[0], ms(500), ms(500), FaultKind::Crash { loss: Loss::Kept }).check(
        |m| async move {
            let (socket, listener) = (m.bind(PORT), m.listen(PORT));
            m.saw(outcome(socket.as_ref().map_err(|e| e.kind().into()).map(drop)));
            m.saw(outcome(listener.as_ref().map_err(|e| e.kind().into()).map(drop)));
            m.until(secs(3)).await;
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["ok"; 4]),
    );
}

#[test]
fn a_process_that_ended_leaves_its_ports_to_the_next() {
    scene!(1).lasting(ms(2500)).halting(3).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            m.saw("bound");
            // A supervisor starts it again a second later; the handle was not dropped with it.
            m.keep(socket);
            Ok(())
        },
        |run| assert_eq!(run.of(0).len(), 3),
    );
}
