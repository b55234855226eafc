//! Changes of members: what an admin asks, of whom and when, and what of it counts.

use squall::{
    Failed, Result,
    environment::{Address, Change},
    plan::FaultKind,
    simulators::{Options, PlanError},
};

use crate::{
    run::receive,
    stage::{LATENCY, Machine, PORT, ms, scene, secs, simulators},
};

/// Replicas say what they are asked, and agree.
async fn agreeable(m: Machine) -> Result<()> {
    let socket = m.bind(PORT)?;
    let mut buffer = [0; 64];
    loop {
        let (length, admin) = socket.recv_from(&mut buffer).await?;
        m.saw(String::from_utf8_lossy(&buffer[..length]));
        socket.send_to(admin, b"so be it")?;
    }
}

/// An admin asks the replica that it prefers, and believes any answer.
async fn over_the_network(admin: Machine, change: Change) -> Result<()> {
    let socket = admin.bind(0)?;
    socket.send_to(Address { node: admin.home(), port: PORT }, change.to_string().as_bytes())?;
    receive(&socket).await?;
    Ok(())
}

#[test]
fn the_target_is_removed_as_the_fault_begins_and_added_as_it_ends() {
    scene!(3).fault(&[1], ms(500), ms(800), FaultKind::Removal).members(over_the_network).check(agreeable, |run| {
        run.saw_at(2, "remove n1", ms(500) + LATENCY);
        run.saw_at(0, "add n1", ms(1_300) + LATENCY);
        assert_eq!((run.of(0).len(), run.of(1).len(), run.of(2).len()), (1, 0, 1));
        assert_eq!(run.execution.faults[0].effects, 1);
        assert!(run.execution.history.entries.is_empty(), "clients asked nothing");
    });
}

#[test]
fn each_of_several_is_asked_for_by_itself() {
    scene!(3).fault(&[0, 1], ms(500), ms(800), FaultKind::Removal).members(over_the_network).check(agreeable, |run| {
        run.saw_at(1, "remove n0", ms(500) + LATENCY);
        run.saw_at(2, "remove n1", ms(500) + LATENCY);
        run.saw_at(2, "add n0", ms(1_300) + LATENCY);
        run.saw_at(0, "add n1", ms(1_300) + LATENCY);
        assert_eq!(run.execution.faults[0].effects, 2);
    });
}

#[test]
fn a_request_that_is_lost_is_given_up_after_a_second_and_another_replica_is_asked() {
    scene!(3)
        .lasting(secs(4))
        .fault(&[1], ms(500), secs(2), FaultKind::Removal)
        .fault(&[2], ms(400), ms(600), FaultKind::Drop { permille: 1000 })
        .members(over_the_network)
        .check(agreeable, |run| {
            run.saw_at(0, "remove n1", ms(1_700) + LATENCY);
            assert!(run.times(2, "remove n1").is_empty());
            run.saw_at(1, "add n1", ms(2_500) + LATENCY);
        });
}

#[test]
fn what_is_refused_is_asked_again_of_one_replica_after_the_other_and_has_no_effect() {
    let refused = |admin: Machine, change: Change| async move {
        admin.board(format!("{change} by {}", admin.home()));
        Err(Failed::No("all shall stay".to_owned()))
    };
    let scene = scene!(3).fault(&[1], ms(500), ms(700), FaultKind::Removal).some_fault_is_inert();
    scene.members(refused).check(
        |_| async { Ok(()) },
        |run| {
            let removals = ["remove n1 by n2", "remove n1 by n0", "remove n1 by n1", "remove n1 by n2"];
            assert_eq!(run.board[..4], removals);
            assert_eq!(run.board[4..], ["add n1 by n0", "add n1 by n1", "add n1 by n2", "add n1 by n0"]);
            assert_eq!(run.execution.faults[0].effects, 0);
        },
    );
}

#[test]
fn what_was_done_is_asked_for_again_every_second_until_the_end() {
    scene!(3).lasting(secs(4)).fault(&[1], ms(500), ms(800), FaultKind::Removal).members(over_the_network).check(
        agreeable,
        |run| {
            // A late request of the admin's own may have undone it.
            let again = |n: u64| ms(1_300) + LATENCY + n as u32 * (secs(1) + 2 * LATENCY);
            for (n, replica) in (0..).zip([0, 1, 2]) {
                run.saw_at(replica, "add n1", again(n));
            }
            assert_eq!(run.execution.faults[0].effects, 1, "what was known counts once");
        },
    );
}

#[test]
fn while_one_of_two_removals_lasts_the_target_stays_away() {
    scene!(3)
        .lasting(secs(4))
        .fault(&[1], ms(500), ms(800), FaultKind::Removal)
        .fault(&[1], ms(1_000), ms(1_200), FaultKind::Removal)
        .members(over_the_network)
        .check(agreeable, |run| {
            let first = (0..3).flat_map(|replica| run.times(replica, "add n1")).min();
            crate::run::near(first.expect("it is added"), ms(2_200) + LATENCY);
        });
}

#[test]
fn a_system_that_offers_no_change_of_members_is_not_asked_for_one() {
    let scene = scene!(3).fault(&[1], ms(500), ms(800), FaultKind::Removal);
    for entry in simulators() {
        let said = scene.refused(entry.simulator, Options::default());
        assert_eq!(said, PlanError::NotOffered { id: 0, fault: "removal of n1".to_owned() }, "{}", entry.name);
    }
    let said = scene.refused(squall::simulators::Simulator::Native, Options::default()).to_string();
    assert!(said.contains("fault 0 (removal of n1)") && said.contains("squall list systems"), "{said}");
}
