//! Disks that fail: torn and reordered writes, failed syncs, full and slow disks, flipped bits, wiped machines.

use std::collections::BTreeSet;

use squall::plan::{FaultKind, Loss};

use crate::{
    disk::{content, durable},
    run::{near, outcome},
    stage::{Machine, Scene, ms, ns, scene, secs, simulators},
};

/// n0 writes five records of eight letters that it never syncs, into a file that has its name; then the power goes. What is left
/// of them, over many seeds.
fn left_of_five(scene: impl Fn() -> Scene, loss: Loss, judge: impl Fn(&BTreeSet<String>) + Sync) {
    let left = std::sync::Mutex::new(std::collections::BTreeMap::new());
    for seed in 0..24 {
        let runs = std::sync::atomic::AtomicUsize::new(0);
        let scene = scene().seed(seed).lasting(secs(2));
        scene.fault(&[0], secs(1), ms(500), FaultKind::Crash { loss }).some_fault_is_inert().check(
            |m| async move {
                if m.life > 0 {
                    m.saw(format!("left: {}", content(&m, "f").await.replace('\0', "-")));
                    return Ok(());
                }
                durable(&m, "f", b"").await?;
                for letter in [b'a', b'b', b'c', b'd', b'e'] {
                    m.disk().file("f").append(&[letter; 8]).await?;
                }
                Ok(())
            },
            |run| {
                let nth = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let found = run.of(0)[0].strip_prefix("left: ").expect("said so").to_owned();
                left.lock().expect("no judge panics").entry(nth).or_insert_with(BTreeSet::new).insert(found);
            },
        );
    }
    for (nth, left) in left.into_inner().expect("no judge panics") {
        println!("on {}:", simulators().nth(nth).expect("it was run on").name);
        judge(&left);
    }
}

const ALL: &str = "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee";

#[test]
fn a_torn_power_loss_leaves_a_prefix_of_what_was_not_synced() {
    left_of_five(
        || scene!(1),
        Loss::Torn,
        |left| {
            assert!(left.iter().all(|l| ALL.starts_with(l.as_str())), "{left:?}");
            assert!(left.iter().any(|l| l.len() % 8 != 0), "no write was torn: {left:?}");
            assert!(left.len() > 5, "{left:?}");
        },
    );
}

#[test]
fn a_reordering_power_loss_leaves_any_subset_of_whole_writes() {
    left_of_five(
        || scene!(1),
        Loss::Reordered,
        |left| {
            for found in left {
                let records: Vec<&[u8]> = found.as_bytes().chunks(8).collect();
                let whole = (0..).zip(&records).all(|(i, r)| **r == [b'a' + i; 8] || **r == [b'-'; 8]);
                assert!(whole, "{found}");
            }
            assert!(
                left.iter().any(|l| l.contains("-a")
                    || l.contains("-b")
                    || l.contains("-c")
                    || l.contains("-d")
                    || l.contains("-e")),
                "no later write survived an earlier one: {left:?}"
            );
            assert!(left.len() > 8, "{left:?}");
        },
    );
}

#[test]
fn a_losing_power_loss_leaves_nothing_of_what_was_not_synced() {
    left_of_five(|| scene!(1), Loss::Lost, |left| assert_eq!(left.iter().collect::<Vec<_>>(), [""]));
}

#[test]
fn a_rename_is_atomic_under_every_power_loss() {
    for loss in [Loss::Lost, Loss::Torn, Loss::Reordered] {
        for seed in 0..8 {
            let scene = scene!(1).seed(seed).lasting(secs(2));
            scene.fault(&[0], secs(1), ms(500), FaultKind::Crash { loss }).some_fault_is_inert().check(
                |m| async move {
                    if m.life > 0 {
                        m.saw(content(&m, "f").await);
                        return Ok(());
                    }
                    durable(&m, "f", b"old").await?;
                    m.disk().file("f.new").append(b"new").await?;
                    m.disk().file("f.new").sync().await?;
                    Ok(m.disk().rename("f.new", "f").await?)
                },
                |run| assert!(["old", "new"].contains(&run.of(0)[0]), "{:?}", run.of(0)),
            );
        }
    }
}

/// Syncs fail from 200 ms to 600 ms.
fn with_failing_syncs(scene: Scene) -> Scene {
    scene.lasting(secs(3)).fault(&[0], ms(200), ms(400), FaultKind::SyncError { permille: 1000 })
}

#[test]
fn a_failed_sync_says_so_and_what_it_covered_is_read_but_not_saved_by_a_later_one() {
    let scene = with_failing_syncs(scene!(1)).fault(&[0], secs(1), ms(500), FaultKind::Crash { loss: Loss::Lost });
    scene.check(
        |m| async move {
            let f = m.disk().file("f");
            if m.life > 0 {
                m.saw(content(&m, "f").await);
                return Ok(());
            }
            durable(&m, "f", b"old").await?;
            m.until(ms(300)).await;
            f.append(b" doomed").await?;
            m.saw(outcome(f.sync().await));
            m.until(ms(700)).await;
            m.saw(content(&m, "f").await);
            m.saw(outcome(f.sync().await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["Other", "old doomed", "ok", "old"]),
    );
}

#[test]
fn what_is_written_again_after_a_failed_sync_is_saved_by_the_next_one() {
    let scene = with_failing_syncs(scene!(1)).fault(&[0], secs(1), ms(500), FaultKind::Crash { loss: Loss::Lost });
    scene.check(
        |m| async move {
            let f = m.disk().file("f");
            if m.life > 0 {
                m.saw(content(&m, "f").await);
                return Ok(());
            }
            durable(&m, "f", b"old").await?;
            m.until(ms(300)).await;
            f.write_at(0, b"new").await?;
            m.saw(outcome(f.sync().await));
            m.until(ms(700)).await;
            f.write_at(0, b"new").await?;
            m.saw(outcome(f.sync().await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["Other", "ok", "new"]),
    );
}

#[test]
fn a_failed_directory_sync_leaves_its_names_to_the_next_one() {
    let scene = with_failing_syncs(scene!(1)).fault(&[0], secs(1), ms(500), FaultKind::Crash { loss: Loss::Lost });
    scene.check(
        |m| async move {
            if m.life > 0 {
                m.saw(content(&m, "f").await);
                return Ok(());
            }
            m.disk().file("f").append(b"here").await?;
            m.disk().file("f").sync().await?;
            m.until(ms(300)).await;
            m.saw(outcome(m.disk().sync_directory().await));
            m.until(ms(700)).await;
            m.saw(outcome(m.disk().sync_directory().await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["Other", "ok", "here"]),
    );
}

#[test]
fn a_share_of_syncs_fails() {
    scene!(1).fault(&[0], ms(1), ms(1999), FaultKind::SyncError { permille: 300 }).check(
        |m| async move {
            m.until(ms(10)).await;
            for _ in 0..100 {
                m.disk().file("f").append(b"x").await?;
                m.saw(outcome(m.disk().file("f").sync().await));
            }
            Ok(())
        },
        |run| {
            let failed = run.of(0).iter().filter(|what| **what == "Other").count();
            assert!((10..55).contains(&failed), "{failed} of 100");
        },
    );
}

#[test]
fn a_full_disk_refuses_writes_and_still_reads_shrinks_removes_and_syncs() {
    scene!(1).fault(&[0], ms(200), ms(400), FaultKind::DiskFull).check(
        |m| async move {
            let (disk, f) = (m.disk(), m.disk().file("f"));
            durable(&m, "f", b"old").await?;
            durable(&m, "g", b"old").await?;
            m.until(ms(300)).await;
            m.saw(outcome(f.append(b"x").await));
            m.saw(outcome(f.write_at(0, b"x").await));
            m.saw(outcome(disk.file("new").append(b"x").await));
            m.saw(outcome(f.set_length(100).await));
            m.saw(format!("{} {:?}", content(&m, "f").await, disk.list().await?));
            m.saw(outcome(f.set_length(1).await));
            m.saw(outcome(disk.remove("g").await));
            m.saw(outcome(f.sync().await));
            m.saw(outcome(disk.sync_directory().await));
            m.until(ms(700)).await;
            m.saw(outcome(f.append(b"x").await));
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0)[..4], ["StorageFull"; 4]);
            assert_eq!(run.of(0)[4], r#"old ["f", "g"]"#, "a refused write leaves nothing behind");
            assert_eq!(run.of(0)[5..], ["ok", "ok", "ok", "ok", "ok", "ox"]);
        },
    );
}

#[test]
fn a_slow_disk_takes_that_much_longer_for_every_request() {
    scene!(1).fault(&[0], ms(200), secs(1), FaultKind::DiskSlow { ns: ns(ms(100)) }).check(
        |m| async move {
            let f = m.disk().file("f");
            f.append(b"x").await?;
            m.saw("quick");
            m.until(ms(300)).await;
            f.append(b"x").await?;
            m.saw("written");
            f.sync().await?;
            m.saw("synced");
            f.read().await?;
            m.saw("read");
            Ok(())
        },
        |run| {
            run.saw_at(0, "quick", ms(0));
            run.saw_at(0, "written", ms(400));
            // A sync takes some milliseconds by itself.
            let synced = run.time(0, "synced");
            assert!(synced >= ms(500) && synced <= ms(520), "{synced:?}");
            near(run.time(0, "read"), synced + ms(100));
        },
    );
}

#[test]
fn rot_flips_as_many_stored_bits_as_it_says_and_they_stay_flipped() {
    let scene = scene!(1).fault(&[0], ms(300), ms(1), FaultKind::BitRot { bits: 5 });
    scene.fault(&[0], secs(1), ms(500), FaultKind::Crash { loss: Loss::Lost }).some_fault_is_inert().check(
        |m| async move {
            if m.life == 0 {
                durable(&m, "f", &[0; 4_096]).await?;
                m.until(ms(400)).await;
            }
            let bytes = m.disk().file("f").read().await?;
            m.saw(format!("{} {}", bytes.len(), bytes.iter().map(|b| b.count_ones()).sum::<u32>()));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["4096 5", "4096 5"]),
    );
}

#[test]
fn a_wiped_machine_comes_back_with_an_empty_disk() {
    scene!(2).fault(&[0], secs(1), ms(500), FaultKind::Wipe).check(
        |m: Machine| async move {
            if m.life == 0 {
                durable(&m, "f", b"durable").await?;
            }
            m.until(ms(900)).await;
            m.saw(format!("{:?}", m.disk().list().await?));
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), [r#"["f"]"#, "durable", "[]", "NotFound"]);
            assert_eq!(run.of(1), [r#"["f"]"#, "durable"]);
            near(run.time(0, "[]"), ms(1500));
        },
    );
}
