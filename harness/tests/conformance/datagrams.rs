//! Datagrams: late, lost, twice, out of order or damaged as the plan says, and not otherwise.

use std::{collections::BTreeSet, time::Duration};

use squall::plan::{FaultKind, Shape};

use crate::{
    run::{Run, near, outcome, receive},
    stage::{LATENCY, Machine, PORT, Scene, ms, ns, scene, secs},
};

/// n0 sends so many numbered datagrams to n1, one every so often from the start; n1 tells of each.
async fn count_up(m: Machine, count: u32, every: Duration) -> squall::Result<()> {
    if m.number() == 1 {
        return m.hear().await;
    }
    let socket = m.bind(PORT)?;
    for i in 0..count {
        m.until(every * (i + 1)).await;
        m.saw(format!("sent {i}"));
        socket.send_to(m.at(1), i.to_string().as_bytes())?;
    }
    Ok(())
}

/// A fault on n1 from the fourth to the eighth of twelve datagrams, one each 100 ms.
fn with_fault(scene: Scene, kind: FaultKind) -> Scene {
    scene.lasting(secs(2)).fault(&[1], ms(350), ms(500), kind)
}

/// The numbers that n1 got.
fn got(run: &Run) -> Vec<i128> {
    run.numbers(1, "")
}

#[test]
fn a_datagram_arrives_once_and_whole_after_the_links_latency_with_its_senders_address() {
    scene!(3).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            match m.number() {
                0 => {
                    m.until(ms(100)).await;
                    socket.send_to(m.at(2), b"\0hello\xFF")?;
                }
                _ => loop {
                    let mut buffer = [1; 64];
                    let (length, from) = socket.recv_from(&mut buffer).await?;
                    m.saw(format!("{:?} from {}:{}", &buffer[..length], from.node, from.port));
                },
            }
            Ok(())
        },
        |run| {
            run.saw_at(2, "[0, 104, 101, 108, 108, 111, 255] from n0:7", ms(100) + LATENCY);
            assert_eq!(run.of(2).len(), 1);
            assert!(run.of(1).is_empty(), "nobody else got it");
        },
    );
}

#[test]
fn datagrams_over_a_link_of_one_latency_keep_their_order() {
    scene!(2).check(
        |m| async move {
            if m.number() == 1 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            for i in 0..100 {
                socket.send_to(m.at(1), i.to_string().as_bytes())?;
            }
            Ok(())
        },
        |run| assert_eq!(got(run), (0..100).collect::<Vec<_>>()),
    );
}

#[test]
fn datagrams_that_set_out_one_after_the_other_over_a_link_of_one_latency_keep_their_order() {
    scene!(2).check(
        |m| count_up(m, 100, ms(2)),
        |run| {
            assert_eq!(got(run), (0..100).collect::<Vec<_>>());
            near(run.time(1, "50"), ms(102) + LATENCY);
        },
    );
}

#[test]
fn a_link_is_as_long_as_the_zones_of_its_ends_are_apart() {
    scene!(3).zones(&[&[ms(10), ms(40)], &[ms(70), ms(20)]]).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            m.until(ms(100)).await;
            for to in (0..3).filter(|to| *to != m.number()) {
                socket.send_to(m.at(to), b"hello")?;
            }
            loop {
                let (_, from) = socket.recv_from(&mut [0; 8]).await?;
                m.saw(format!("hello of {}", from.node));
            }
        },
        |run| {
            run.saw_at(2, "hello of n0", ms(110));
            run.saw_at(1, "hello of n2", ms(140));
            run.saw_at(2, "hello of n1", ms(170));
        },
    );
}

#[test]
fn datagrams_over_a_link_of_many_latencies_overtake_each_other_and_all_arrive_in_its_range() {
    scene!(2).latency(ms(10), ms(60)).check(
        |m| count_up(m, 100, ms(10)),
        |run| {
            let got = got(run);
            assert_eq!(got.iter().copied().collect::<BTreeSet<_>>(), (0..100).collect());
            assert_eq!(got.len(), 100);
            assert!(!got.is_sorted(), "none overtook another");
            let late = |i: i128| run.time(1, &i.to_string()) - run.time(0, &format!("sent {i}"));
            let lates: Vec<Duration> = (0..100).map(late).collect();
            assert!(lates.iter().all(|late| (ms(10)..=ms(65)).contains(late)), "{lates:?}");
            assert!(lates.iter().any(|late| *late < ms(30)) && lates.iter().any(|late| *late > ms(40)), "{lates:?}");
        },
    );
}

#[test]
fn under_total_loss_nothing_arrives_and_before_and_after_it_all_does() {
    with_fault(scene!(2), FaultKind::Drop { permille: 1000 })
        .check(|m| count_up(m, 12, ms(100)), |run| assert_eq!(got(run), [0, 1, 2, 8, 9, 10, 11]));
}

#[test]
fn partial_loss_loses_some_and_the_rest_arrives_once_in_order() {
    scene!(2).fault(&[0], ms(1), ms(1999), FaultKind::Drop { permille: 300 }).lasting(secs(2)).check(
        |m| count_up(m, 180, ms(10)),
        |run| {
            let got = got(run);
            assert!((90..160).contains(&got.len()), "{} of 180 arrived", got.len());
            assert!(got.windows(2).all(|w| w[0] < w[1]), "{got:?}");
        },
    );
}

#[test]
fn a_duplicated_datagram_arrives_exactly_twice() {
    with_fault(scene!(2), FaultKind::Duplicate { permille: 1000 }).check(
        |m| count_up(m, 12, ms(100)),
        |run| assert_eq!(got(run), [0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11]),
    );
}

#[test]
fn a_delayed_datagram_is_late_by_no_more_than_the_fault_says() {
    with_fault(scene!(2), FaultKind::Delay { max_ns: ns(ms(90)) }).check(
        |m| count_up(m, 12, ms(100)),
        |run| {
            assert_eq!(got(run), (0..12).collect::<Vec<_>>());
            let late = |i: u32| run.time(1, &i.to_string()) - ms(100) * (i + 1);
            (0..3).chain(8..12).for_each(|i| near(late(i), LATENCY));
            assert!((3..8).all(|i| (LATENCY..=LATENCY + ms(95)).contains(&late(i))));
            assert!((3..8).any(|i| late(i) > LATENCY + ms(10)), "none was late");
        },
    );
}

#[test]
fn a_narrow_link_carries_datagrams_at_a_distance_and_loses_what_finds_its_queue_full() {
    // One each seventh of a second, and one more may wait: the eighth comes too soon.
    let seventh = Duration::from_secs(1) / 7;
    with_fault(scene!(2), FaultKind::Bandwidth { per_second: 7, queue: 1 }).check(
        |m| count_up(m, 12, ms(100)),
        |run| {
            assert_eq!(got(run), [0, 1, 2, 3, 4, 5, 8, 6, 9, 10, 11]);
            for (i, sevenths) in [(3, 1), (4, 2), (5, 3), (6, 4)] {
                near(run.time(1, &i.to_string()), ms(400) + seventh * sevenths + LATENCY);
            }
        },
    );
}

#[test]
fn reordering_lets_later_datagrams_overtake_and_loses_none() {
    let kind = FaultKind::Reorder { permille: 500, max_ns: ns(ms(100)) };
    scene!(2).fault(&[0], ms(1), ms(1900), kind).check(
        |m| count_up(m, 100, ms(10)),
        |run| {
            let mut got = got(run);
            assert!(!got.is_sorted(), "none overtook another");
            got.sort_unstable();
            assert_eq!(got, (0..100).collect::<Vec<_>>());
        },
    );
}

#[test]
fn a_damaged_datagram_differs_in_some_bits_and_in_nothing_else() {
    scene!(2).fault(&[0], ms(50), ms(100), FaultKind::Corrupt { permille: 1000 }).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            if m.number() == 0 {
                for at in [100, 200] {
                    m.until(ms(at)).await;
                    socket.send_to(m.at(1), &[0; 64])?;
                }
                return Ok(());
            }
            loop {
                let mut buffer = [0; 128];
                let (length, from) = socket.recv_from(&mut buffer).await?;
                let flipped: u32 = buffer.iter().map(|byte| byte.count_ones()).sum();
                m.saw(format!("{length} bytes from {}:{}", from.node, from.port));
                m.saw(format!("flipped {flipped}"));
            }
        },
        |run| {
            assert_eq!(run.times(1, "64 bytes from n0:7").len(), 2);
            let flipped = run.numbers(1, "flipped");
            assert!((1..64).contains(&flipped[0]) && flipped[1] == 0, "{flipped:?}");
        },
    );
}

/// Each of n0, n1, n2 calls both others in the fault and after it, and tells whom it heard when.
fn who_hears_whom(scene: Scene, shape: Shape, in_fault: [&'static [&'static str]; 3]) {
    scene.fault(&[0], ms(100), ms(200), FaultKind::Partition { shape, flap_ns: None, clients: false }).check(
        |m| async move {
            let (socket, other) = (m.bind(PORT)?, m.clone());
            m.spawn(async move {
                let voice = other.bind(PORT + 1).expect("the port is free");
                for (at, word) in [(150, "cut"), (500, "healed")] {
                    other.until(ms(at)).await;
                    for peer in other.peers() {
                        let text = format!("{word}:{}", other.me());
                        voice.send_to(other.at(peer.0), text.as_bytes()).expect("sending never waits");
                    }
                }
            });
            m.hear_on(&socket).await
        },
        |run| {
            for (n, heard) in (0..).zip(in_fault) {
                let mut cut: Vec<&str> = run.of(n).into_iter().filter_map(|s| s.strip_prefix("cut:")).collect();
                cut.sort_unstable();
                assert_eq!(cut, heard, "n{n} hears in the fault");
                assert_eq!(run.of(n).iter().filter(|s| s.starts_with("healed:")).count(), 2, "n{n} after it");
            }
        },
    );
}

#[test]
fn a_split_cuts_both_ways_and_leaves_the_rest_together() {
    who_hears_whom(scene!(3), Shape::Split, [&[], &["n2"], &["n1"]]);
}

#[test]
fn a_machine_cut_inbound_speaks_and_does_not_hear() {
    who_hears_whom(scene!(3), Shape::Inbound, [&[], &["n0", "n2"], &["n0", "n1"]]);
}

#[test]
fn a_machine_cut_outbound_hears_and_does_not_speak() {
    who_hears_whom(scene!(3), Shape::Outbound, [&["n1", "n2"], &["n2"], &["n1"]]);
}

#[test]
fn a_bridge_reaches_both_halves() {
    who_hears_whom(scene!(3), Shape::Bridge, [&["n1", "n2"], &["n0"], &["n0"]]);
}

#[test]
fn what_was_sent_into_a_partition_does_not_arrive_after_it() {
    let kind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    with_fault(scene!(2), kind)
        .check(|m| count_up(m, 12, ms(100)), |run| assert_eq!(got(run), [0, 1, 2, 8, 9, 10, 11]));
}

#[test]
fn what_was_on_its_way_when_a_partition_began_arrives() {
    let kind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    scene!(2)
        .latency(ms(100), ms(100))
        .fault(&[1], ms(150), ms(300), kind)
        .some_fault_is_inert()
        .check(|m| count_up(m, 1, ms(100)), |run| run.saw_at(1, "0", ms(200)));
}

#[test]
fn a_flapping_partition_opens_and_closes_by_its_half_period() {
    let kind = FaultKind::Partition { shape: Shape::Split, flap_ns: Some(ns(ms(200))), clients: false };
    scene!(2).fault(&[0], ms(50), ms(800), kind).check(
        // Sent at 100, 200, …: cut from 50 to 250 and from 450 to 650.
        |m| count_up(m, 9, ms(100)),
        |run| assert_eq!(got(run), [2, 3, 6, 7, 8]),
    );
}

#[test]
fn two_faults_on_one_link_both_have_their_say() {
    let scene = scene!(2).fault(&[0], ms(1), ms(900), FaultKind::Duplicate { permille: 1000 });
    scene
        .fault(&[1], ms(450), ms(900), FaultKind::Drop { permille: 1000 })
        .check(|m| count_up(m, 16, ms(100)), |run| assert_eq!(got(run), [0, 0, 1, 1, 2, 2, 3, 3, 13, 14, 15]));
}

#[test]
fn a_datagram_to_a_port_that_nobody_bound_is_lost_and_its_sender_is_not_told() {
    scene!(2).check(
        |m| async move {
            if m.number() == 1 {
                // Bound too late.
                m.until(ms(500)).await;
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            m.saw(outcome(socket.send_to(m.at(1), b"early")));
            m.until(ms(600)).await;
            m.saw(outcome(socket.send_to(m.at(1), b"late")));
            m.hear_on(&socket).await
        },
        |run| {
            assert_eq!(run.of(0), ["ok", "ok"]);
            assert_eq!(run.of(1), ["late"]);
        },
    );
}

#[test]
fn an_empty_datagram_arrives_as_an_empty_datagram() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                m.bind(PORT)?.send_to(m.at(1), b"")?;
                return Ok(());
            }
            m.hear().await
        },
        |run| run.saw_at(1, "", LATENCY),
    );
}

#[test]
fn the_largest_datagram_arrives_whole_and_one_byte_more_is_an_error() {
    scene!(2).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            if m.number() == 0 {
                let bytes: Vec<u8> = (0..65_508_u32).map(|i| (i % 251) as u8).collect();
                m.saw(outcome(socket.send_to(m.at(1), &bytes)));
                m.saw(outcome(socket.send_to(m.at(1), &bytes[..65_507])));
                return Ok(());
            }
            loop {
                let mut buffer = vec![0; 70_000];
                let (length, _) = socket.recv_from(&mut buffer).await?;
                let whole = (0..).zip(&buffer[..length]).all(|(i, byte)| i % 251 == u32::from(*byte));
                m.saw(format!("{length} bytes, whole: {whole}"));
            }
        },
        |run| {
            assert_eq!(run.of(0), ["InvalidInput", "ok"]);
            assert_eq!(run.of(1), ["65507 bytes, whole: true"]);
        },
    );
}

#[test]
fn what_does_not_fit_into_the_buffer_is_cut_off_and_gone() {
    scene!(2).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            if m.number() == 0 {
                socket.send_to(m.at(1), b"a long one")?;
                // Datagrams that set out together need not arrive in order.
                m.sleep(ms(50)).await;
                socket.send_to(m.at(1), b"next")?;
                return Ok(());
            }
            loop {
                let mut buffer = [0; 6];
                let (length, _) = socket.recv_from(&mut buffer).await?;
                m.saw(String::from_utf8_lossy(&buffer[..length]));
            }
        },
        |run| assert_eq!(run.of(1), ["a long", "next"]),
    );
}

#[test]
fn a_machine_reaches_itself_through_every_fault_of_the_network() {
    let cut = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: true };
    let scene = scene!(2).fault(&[0], ms(1), ms(1000), cut).some_fault_is_inert();
    scene.fault(&[0], ms(1), ms(1000), FaultKind::Drop { permille: 1000 }).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            m.until(ms(100)).await;
            socket.send_to(m.at(m.number()), b"me")?;
            m.hear_on(&socket).await
        },
        |run| {
            run.saw_at(0, "me", ms(100));
            run.saw_at(1, "me", ms(100));
        },
    );
}

#[test]
fn a_datagram_outlives_the_socket_that_sent_it_and_the_process_too() {
    scene!(2).fault(&[0], ms(110), ms(50), FaultKind::Crash { loss: squall::plan::Loss::Lost }).check(
        |m| async move {
            if m.number() == 1 {
                return m.hear().await;
            }
            if m.life == 0 {
                m.bind(PORT)?.send_to(m.at(1), b"of a closed socket")?;
                m.until(ms(100)).await;
                m.bind(PORT)?.send_to(m.at(1), b"of a dead process")?;
            }
            Ok(())
        },
        |run| {
            run.saw_at(1, "of a closed socket", LATENCY);
            run.saw_at(1, "of a dead process", ms(100) + LATENCY);
        },
    );
}

#[test]
fn giving_up_a_receive_loses_no_datagram() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                return count_up(m, 100, ms(7)).await;
            }
            let socket = m.bind(PORT)?;
            loop {
                // Given up again and again, also at the very moment of an arrival.
                if let Ok(received) = m.timeout(ms(1), receive(&socket)).await {
                    m.saw(received?);
                }
            }
        },
        |run| assert_eq!(got(run), (0..100).collect::<Vec<_>>()),
    );
}

#[test]
fn tasks_that_wait_at_one_socket_get_each_datagram_once_and_none_sleeps_on() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                return count_up(m, 3, ms(50)).await;
            }
            let socket = std::rc::Rc::new(m.bind(PORT)?);
            for _ in 0..3 {
                let (socket, m2) = (socket.clone(), m.clone());
                // Each takes one datagram and leaves.
                m.spawn(async move { m2.saw(receive(&socket).await.expect("the socket is bound")) });
            }
            m.until(secs(1)).await;
            drop(socket);
            Ok(())
        },
        |run| assert_eq!(got(run), [0, 1, 2]),
    );
}
