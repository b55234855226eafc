//! Code of other libraries: tokio's synchronisation and I/O helpers work, its reactor is asked for in vain.

use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use squall::simulators::{End, Options};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::codec::{Framed, LinesCodec};

use crate::{
    stage::{Machine, Scene, ms, scene, secs},
    streams::{answer, call},
};

#[test]
fn tokios_channels_and_locks_work_between_tasks() {
    scene!(1).check(
        |m| async move {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
            let lock = Rc::new(tokio::sync::Mutex::new(0));
            for i in 0..5_u64 {
                let (sender, lock, m2) = (sender.clone(), lock.clone(), m.clone());
                m.spawn(async move {
                    m2.sleep(ms(30 * i)).await;
                    let mut held = lock.lock().await;
                    m2.sleep(ms(50)).await;
                    *held += 1;
                    sender.send((i, *held)).await.expect("the receiver waits");
                });
            }
            drop(sender);
            while let Some((task, count)) = receiver.recv().await {
                m.saw(format!("{task}: {count}"));
            }
            m.saw("all are done");
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["0: 1", "1: 2", "2: 3", "3: 4", "4: 5", "all are done"]),
    );
}

#[test]
fn a_stream_is_read_and_written_by_tokios_helpers() {
    scene!(2).lasting(secs(5)).check(
        |m| async move {
            if m.number() == 0 {
                let (reader, mut writer) = tokio::io::split(call(&m).await?);
                let m2 = m.clone();
                m.spawn(async move {
                    let mut lines = BufReader::new(reader).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        m2.saw(format!("line of {}", line.len()));
                    }
                    m2.saw("end");
                });
                writer.write_all(b"short\n").await?;
                writer.write_all(&vec![b'x'; 150_000]).await?;
                writer.write_u8(b'\n').await?;
                writer.flush().await?;
                writer.shutdown().await?;
                return Ok(());
            }
            let (mut reader, mut writer) = tokio::io::split(answer(&m).await?);
            m.saw(tokio::io::copy(&mut reader, &mut writer).await?);
            Ok(())
        },
        |run| {
            assert_eq!(run.of(1), ["150007"]);
            assert_eq!(run.of(0), ["line of 5", "line of 150000", "end"]);
        },
    );
}

#[test]
fn a_stream_is_framed_by_a_codec() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut framed = Framed::new(call(&m).await?, LinesCodec::new());
                for word in ["one", "two", "three"] {
                    framed.send(word).await?;
                }
                return Ok(());
            }
            let mut framed = Framed::new(answer(&m).await?, LinesCodec::new());
            while let Some(line) = framed.next().await {
                m.saw(line?);
            }
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["one", "two", "three"]),
    );
}

#[test]
fn reading_by_tokios_helpers_ends_where_the_stream_breaks() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                AsyncWriteExt::write_all(&mut stream, b"unread").await?;
                let mut all = Vec::new();
                let read = AsyncReadExt::read_to_end(&mut stream, &mut all).await;
                m.saw(format!("{:?}", read.map_err(|e| e.kind())));
                return Ok(());
            }
            let stream = answer(&m).await?;
            m.until(ms(300)).await;
            drop(stream);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["Err(ConnectionReset)"]),
    );
}

/// A system that asks tokio's reactor for something panics, and the panic says what to use instead.
fn asked_in_vain(scene: Scene, instead: &str) {
    let ask = |m: Machine| async move {
        m.until(ms(100)).await;
        match m.word {
            "sleep" => tokio::time::sleep(ms(1)).await,
            "timeout" => drop(tokio::time::timeout(ms(1), std::future::pending::<()>()).await),
            "interval" => drop(tokio::time::interval(ms(1)).tick().await),
            "spawn" => drop(tokio::spawn(async {})),
            "spawn-blocking" => drop(tokio::task::spawn_blocking(|| ()).await),
            "spawn-local" => drop(tokio::task::spawn_local(async {})),
            other => unreachable!("no test asks for {other}"),
        }
        Ok(())
    };
    Scene::compare(&[scene], ask, &[Options::default()], |runs| match &runs[0].execution.end {
        End::Panicked { message, .. } => assert!(message.contains(instead), "{message}"),
        end => panic!("{end:?}"),
    });
}

#[test]
fn what_blocks_is_done_by_tokios_threads_at_once_or_pointed_to_env() {
    let block = |m: Machine| async move {
        for i in 0..3 {
            m.until(ms(100 * (i + 1))).await;
            let (m2, asked) = (m.clone(), tokio::task::spawn_blocking(move || 7 * i));
            m.spawn(async move { m2.saw("another task") });
            m.saw(asked.await.map_err(std::io::Error::other)?);
        }
        Ok(())
    };
    // Twice: when a thread is done must not hang on the machine.
    Scene::compare(&[scene!(1), scene!(1)], block, &[Options { trace: true }; 2], |runs| {
        assert_eq!(runs[0].execution.digest, runs[1].execution.digest);
        match &runs[0].execution.end {
            End::Panicked { message, .. } => assert!(message.contains("`env.spawn`"), "{message}"),
            end => assert_eq!((end, runs[0].of(0).len()), (&End::Completed, 6), "{:?}", runs[0].of(0)),
        }
    });
}

#[test]
fn tokios_timers_are_pointed_to_those_of_env() {
    asked_in_vain(scene!(1).word("sleep"), "`env.sleep`");
    asked_in_vain(scene!(1).word("timeout"), "`env.timeout`");
    asked_in_vain(scene!(1).word("interval"), "`env.interval`");
}

#[test]
fn tokios_tasks_are_pointed_to_those_of_env() {
    asked_in_vain(scene!(1).word("spawn"), "`env.spawn`");
    asked_in_vain(scene!(1).word("spawn-blocking"), "`env.spawn`");
    asked_in_vain(scene!(1).word("spawn-local"), "`env.spawn`");
}
