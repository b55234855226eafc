//! `select!`: one of several, whichever is ready; among those that are, the seed chooses.

use std::{cell::Cell, collections::BTreeSet, future::ready, pin::pin, rc::Rc};

use squall::{
    Failed, Result,
    plan::{FaultKind, Loss},
    select,
    simulators::Options,
};

use crate::{
    run::{Run, receive},
    stage::{Machine, PORT, Scene, ms, scene, secs},
};

#[test]
fn the_branch_that_is_ready_first_is_taken_and_the_others_are_dropped() {
    struct Drops(Rc<Cell<u32>>);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    scene!(1).check(
        |m| async move {
            let dropped = Rc::new(Cell::new(0));
            let never = |drops: Drops| async move {
                let _drops = drops;
                std::future::pending::<u8>().await
            };
            let taken = select! {
                n = never(Drops(dropped.clone())) => u32::from(n),
                () = m.sleep(ms(100)) => {
                    // The others are gone before the handler runs.
                    dropped.get()
                }
                _ = never(Drops(dropped.clone())) => 9,
            };
            m.saw(taken);
            Ok(())
        },
        |run| run.saw_at(0, "2", ms(100)),
    );
}

#[test]
fn handlers_may_leave_the_function_and_go_on_with_the_loop_around_them() {
    async fn rounds(m: &Machine) -> Result<u32> {
        let mut round = 0;
        loop {
            round += 1;
            select! {
                biased;
                () = ready(()), if round == 1 => continue,
                error = ready(Err::<(), _>(Failed::No("as planned".to_owned()))), if round == 3 => error?,
                () = m.sleep(ms(1)) => {}
            }
            if round > 5 {
                break;
            }
        }
        Ok(round)
    }
    scene!(1).check(
        |m| async move {
            m.saw(format!("{:?}", rounds(&m).await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["Err(No(\"as planned\"))"]),
    );
}

#[test]
fn without_an_enabled_branch_it_is_else() {
    scene!(1).check(
        |m| async move {
            for open in [true, false] {
                let taken = select! {
                    n = ready(1), if open => n,
                    n = ready(2), if open && m.number() > 0 => n,
                    else => 3,
                };
                m.saw(taken);
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["1", "3"]),
    );
}

#[test]
fn without_an_enabled_branch_and_without_else_it_is_a_panic_that_says_so() {
    let script = |m: Machine| async move {
        select! { () = ready(()), if m.number() > 0 => {} }
        Ok(())
    };
    Scene::compare(&[scene!(1)], script, &[Options::default()], |runs| match &runs[0].execution.end {
        squall::simulators::End::Panicked { message, .. } => assert!(message.contains("`else`"), "{message}"),
        end => panic!("{end:?}"),
    });
}

#[test]
fn biased_takes_the_first_that_is_ready() {
    scene!(1).check(
        |m| async move {
            for _ in 0..50 {
                m.saw(select! { biased; _ = std::future::pending::<u8>() => 0, n = ready(1) => n, n = ready(2) => n });
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["1"; 50]),
    );
}

/// Takes 300 times one of three that are ready at once, some at one instant and some at different ones.
async fn choose(m: Machine) -> Result<()> {
    for i in 0..300 {
        if i % 3 == 0 {
            m.sleep(ms(1)).await;
        }
        m.saw(select! { a = ready("a") => a, b = ready("b") => b, c = ready("c") => c });
    }
    Ok(())
}

#[test]
fn among_the_ready_all_are_chosen_alike() {
    scene!(2).check(choose, |run| {
        for n in [0, 1] {
            for branch in ["a", "b", "c"] {
                let taken = run.times(n, branch).len();
                assert!((70..130).contains(&taken), "n{n} took {branch} {taken} times of 300");
            }
        }
        assert_ne!(run.of(0), run.of(1), "machines choose by themselves");
    });
}

#[test]
fn the_choice_is_the_seeds_and_not_the_threads() {
    let scenes: Vec<Scene> = [7, 7, 7, 7, 8].map(|seed| scene!(2).seed(seed)).into();
    Scene::compare(&scenes, choose, &[Options { trace: true }; 5], |runs: &[Run]| {
        assert!(
            runs[..4].iter().all(|run| run.of(0) == runs[0].of(0) && run.execution.digest == runs[0].execution.digest)
        );
        assert_ne!(runs[4].of(0), runs[0].of(0));
    });
}

#[test]
fn receiving_in_a_loop_of_selects_loses_nothing() {
    let crash = FaultKind::Crash { loss: Loss::Lost };
    scene!(2).fault(&[1], secs(1), ms(200), crash).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            if m.number() == 1 {
                for i in 0..90 {
                    if m.life > 0 {
                        return Ok(());
                    }
                    m.sleep(ms(7)).await;
                    socket.send_to(m.at(0), i.to_string().as_bytes())?;
                }
                return Ok(());
            }
            let mut slow = pin!(m.sleep(ms(300)));
            let mut over = false;
            let mut often = m.interval(ms(1));
            loop {
                select! {
                    word = receive(&socket) => m.saw(word?),
                    () = often.tick() => {}
                    () = &mut slow, if !over => {
                        over = true;
                        m.saw("slow");
                    }
                }
            }
        },
        |run| {
            let (slow, words): (Vec<&str>, Vec<&str>) = run.of(0).into_iter().partition(|what| *what == "slow");
            assert_eq!(slow.len(), 1, "a future kept over the rounds goes on");
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), 90);
            run.saw_at(0, "slow", ms(300));
        },
    );
}
