//! Disks that work: what is written is read, what is synced survives a power loss, and nothing else has to.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use squall::{
    Result,
    plan::{FaultKind, Loss},
};

use crate::{
    run::{Run, outcome},
    stage::{Machine, Scene, ms, scene, secs},
};

/// n0 loses power at a second, for half a second.
fn with_power_loss(scene: Scene, loss: Loss) -> Scene {
    scene.lasting(secs(2)).fault(&[0], secs(1), ms(500), FaultKind::Crash { loss }).some_fault_is_inert()
}

/// What is in a file, for sightings.
pub(crate) async fn content(m: &Machine, file: &str) -> String {
    match m.disk().file(file).read().await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Hands a request to the disk, and does not wait for its end; a simulator may be done with it at once.
pub(crate) fn submit<T>(request: impl Future<Output = io::Result<T>>) {
    let _ = pin!(request).poll(&mut Context::from_waker(Waker::noop()));
}

/// The file was written, its content and its name are durable.
pub(crate) async fn durable(m: &Machine, file: &str, bytes: &[u8]) -> Result<()> {
    let file = m.disk().file(file);
    file.set_length(0).await?;
    file.write_at(0, bytes).await?;
    file.sync().await?;
    Ok(m.disk().sync_directory().await?)
}

/// `before` runs in n0's first life, the content of `f` and `g` is told in the second.
fn after_power_loss<F>(
    scene: Scene,
    loss: Loss,
    before: impl Fn(Machine) -> F + Send + Sync + 'static,
    judge: impl Fn(&Run) + Sync,
) where
    F: Future<Output = Result<()>> + 'static,
{
    let script = move |m: Machine| {
        let before = (m.life == 0).then(|| before(m.clone()));
        async move {
            if let Some(before) = before {
                return before.await;
            }
            m.saw(content(&m, "f").await);
            m.saw(content(&m, "g").await);
            Ok(())
        }
    };
    with_power_loss(scene, loss).check(script, judge);
}

#[test]
fn what_was_written_is_read_at_once() {
    scene!(1).check(
        |m| async move {
            let f = m.disk().file("f");
            m.saw(outcome(f.read().await));
            f.write_at(2, b"abc").await?;
            m.saw(format!("{:?}", f.read().await?));
            f.append(b"de").await?;
            f.write_at(3, b"X").await?;
            m.saw(content(&m, "f").await);
            m.saw(String::from_utf8_lossy(&f.read_at(3, 2).await?));
            m.saw(format!("{:?} {:?}", f.read_at(6, 99).await?, f.read_at(99, 1).await?));
            f.set_length(3).await?;
            f.set_length(5).await?;
            m.saw(format!("{:?} of {}", f.read().await?, f.length().await?));
            Ok(())
        },
        |run| {
            let expected = ["NotFound", "[0, 0, 97, 98, 99]", "\0\0aXcde", "Xc", "[101] []", "[0, 0, 97, 0, 0] of 5"];
            assert_eq!(run.of(0), expected);
        },
    );
}

#[test]
fn files_have_names_that_are_listed_in_order_changed_and_removed() {
    scene!(1).check(
        |m| async move {
            let disk = m.disk();
            for name in ["c", "a", "b"] {
                disk.file(name).append(name.as_bytes()).await?;
            }
            m.saw(format!("{:?}", disk.list().await?));
            disk.rename("c", "b").await?;
            disk.remove("a").await?;
            m.saw(format!("{:?}", disk.list().await?));
            m.saw(content(&m, "b").await);
            m.saw(outcome(disk.rename("c", "d").await));
            m.saw(outcome(disk.remove("a").await));
            m.saw(outcome(disk.file("a").length().await));
            m.saw(outcome(disk.file("a").sync().await));
            disk.file("a").append(b"anew").await?;
            m.saw(content(&m, "a").await);
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0)[..3], [r#"["a", "b", "c"]"#, r#"["b"]"#, "c"]);
            assert_eq!(run.of(0)[3..], ["NotFound", "NotFound", "NotFound", "NotFound", "anew"]);
        },
    );
}

#[test]
fn each_machine_has_a_disk_of_its_own() {
    scene!(2).check(
        |m| async move {
            m.disk().file("f").append(m.me().to_string().as_bytes()).await?;
            m.sleep(ms(100)).await;
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| assert_eq!((run.of(0), run.of(1)), (vec!["n0"], vec!["n1"])),
    );
}

#[test]
fn a_sync_takes_its_time() {
    scene!(1).check(
        |m| async move {
            let f = m.disk().file("f");
            let before = m.monotonic();
            f.append(b"x").await?;
            let written = m.monotonic();
            f.sync().await?;
            let synced = m.monotonic();
            m.saw(written >= before && synced - written > Duration::from_micros(50) && synced - before < ms(50));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["true"]),
    );
}

#[test]
fn when_only_the_process_dies_the_disk_is_as_it_was() {
    after_power_loss(
        scene!(1),
        Loss::Kept,
        |m| async move {
            m.disk().file("f").append(b"unsynced").await?;
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["unsynced", "NotFound"]),
    );
}

#[test]
fn what_only_a_dead_process_kept_is_still_unsynced() {
    let scene = scene!(1).fault(&[0], ms(300), ms(100), FaultKind::Crash { loss: Loss::Kept });
    with_power_loss(scene, Loss::Lost).check(
        |m| async move {
            if m.life == 0 {
                durable(&m, "f", b"durable").await?;
                m.disk().file("f").append(b" and more").await?;
            } else {
                m.saw(content(&m, "f").await);
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["durable and more", "durable"]),
    );
}

#[test]
fn what_was_synced_survives_a_power_loss_with_its_name() {
    for loss in [Loss::Lost, Loss::Torn, Loss::Reordered] {
        after_power_loss(
            scene!(1),
            loss,
            |m| async move { durable(&m, "f", b"durable").await },
            |run| assert_eq!(run.of(0), ["durable", "NotFound"]),
        );
    }
}

#[test]
fn what_was_not_synced_is_lost_and_older_content_is_back() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            durable(&m, "f", b"old").await?;
            m.disk().file("f").set_length(1).await?;
            m.disk().file("f").write_at(0, b"NEWER").await?;
            m.disk().file("g").append(b"new").await?;
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["old", "NotFound"]),
    );
}

#[test]
fn a_synced_file_whose_directory_was_not_synced_has_no_name_after_a_power_loss() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            m.disk().file("f").append(b"synced").await?;
            Ok(m.disk().file("f").sync().await?)
        },
        |run| assert_eq!(run.of(0), ["NotFound", "NotFound"]),
    );
}

#[test]
fn a_synced_name_whose_file_was_not_synced_is_empty_after_a_power_loss() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            m.disk().file("f").append(b"unsynced").await?;
            Ok(m.disk().sync_directory().await?)
        },
        |run| assert_eq!(run.of(0), ["", "NotFound"]),
    );
}

#[test]
fn an_unsynced_removal_and_an_unsynced_rename_are_undone_by_a_power_loss() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            durable(&m, "f", b"one").await?;
            durable(&m, "g", b"two").await?;
            m.disk().rename("f", "g").await?;
            m.disk().remove("g").await?;
            m.saw(format!("{:?}", m.disk().list().await?));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["[]", "one", "two"]),
    );
}

#[test]
fn a_synced_rename_stays() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            durable(&m, "f", b"one").await?;
            durable(&m, "g", b"two").await?;
            m.disk().rename("f", "g").await?;
            Ok(m.disk().sync_directory().await?)
        },
        |run| assert_eq!(run.of(0), ["NotFound", "one"]),
    );
}

#[test]
fn a_sync_covers_what_was_written_before_it_began_and_no_more() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            let f = m.disk().file("f");
            f.append(b"before").await?;
            m.disk().sync_directory().await?;
            let mut sync = pin!(f.sync());
            assert!(sync.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            submit(f.append(b" after"));
            sync.await?;
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["before after", "before", "NotFound"]),
    );
}

#[test]
fn a_directory_sync_covers_what_was_named_before_it_began_and_no_more() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            let disk = m.disk();
            disk.file("f").append(b"f").await?;
            disk.file("f").sync().await?;
            let mut sync = pin!(disk.sync_directory());
            assert!(sync.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            submit(disk.file("g").append(b"g"));
            sync.await?;
            disk.file("g").sync().await?;
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["f", "NotFound"]),
    );
}

#[test]
fn a_sync_that_had_not_ended_when_the_power_went_saved_nothing_for_certain() {
    let scene = scene!(1).fault(&[0], secs(1), ms(500), FaultKind::Crash { loss: Loss::Lost });
    scene.lasting(secs(2)).check(
        |m| async move {
            if m.life == 0 {
                durable(&m, "f", b"old").await?;
                m.disk().file("f").append(b" new").await?;
                m.until(secs(1) - Duration::from_nanos(10)).await;
                submit(m.disk().file("f").sync());
                return Ok(());
            }
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["old"]),
    );
}

#[test]
fn a_sync_follows_its_file_through_a_rename() {
    after_power_loss(
        scene!(1),
        Loss::Lost,
        |m| async move {
            let disk = m.disk();
            durable(&m, "g", b"old").await?;
            disk.file("new").append(b"new").await?;
            let (new, mut idle) = (disk.file("new"), Context::from_waker(Waker::noop()));
            let mut sync = pin!(new.sync());
            assert!(sync.as_mut().poll(&mut idle).is_pending());
            submit(disk.rename("new", "f"));
            sync.await?;
            Ok(disk.sync_directory().await?)
        },
        |run| assert_eq!(run.of(0), ["new", "old"]),
    );
}

#[test]
fn a_request_that_was_given_up_is_carried_out_and_one_never_begun_is_not() {
    scene!(1).check(
        |m| async move {
            submit(m.disk().file("f").append(b"given up"));
            drop(m.disk().file("g").append(b"never begun"));
            m.sleep(ms(100)).await;
            m.saw(content(&m, "f").await);
            m.saw(content(&m, "g").await);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["given up", "NotFound"]),
    );
}

#[test]
fn requests_of_one_machine_take_effect_in_the_order_of_their_beginnings() {
    scene!(1).check(
        |m| async move {
            for i in 0..10_u8 {
                submit(m.disk().file("f").append(&[b'0' + i]));
            }
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["0123456789"]),
    );
}
