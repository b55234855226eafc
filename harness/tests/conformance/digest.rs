//! The digest: equal for equal runs, on any thread, and different for others.

use squall::{
    plan::{FaultKind, Shape},
    simulators::Options,
};

use crate::{
    run::Run,
    stage::{Machine, PORT, Scene, ms, scene, secs},
    streams::{answer, call},
};

const BARE: Options = Options { trace: false };
const TRACED: Options = Options { trace: true };

/// Machines that do a little of everything, by their own random draws.
async fn busy(m: Machine) -> squall::Result<()> {
    let socket = m.bind(PORT)?;
    let (listener, m2) = (m.listen(PORT)?, m.clone());
    m.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Ok(Some(frame)) = stream.read_frame().await {
                m2.saw(format!("frame of {}", frame.len()));
            }
        }
    });
    let peer = squall::plan::NodeId((m.number() + 1) % m.node_count());
    for i in 0..20 {
        m.sleep(ms(m.random_below(50))).await;
        socket.send_to(m.at(peer.0), &m.random().to_le_bytes())?;
        let mut buffer = [0; 8];
        if let Ok(received) = m.timeout(ms(20), socket.recv_from(&mut buffer)).await {
            received?;
            m.saw(format!("{buffer:?}"));
        }
        let file = m.disk().file(format!("f{}", i % 3));
        file.append(&buffer).await?;
        if m.random_below(3) == 0 {
            file.sync().await?;
        }
        if let Ok(Ok(mut stream)) = m.timeout(ms(100), m.connect(peer, PORT)).await {
            let _ = stream.write_frame(&vec![7; m.random_below(300) as usize]).await;
        }
    }
    Ok(())
}

/// `busy` under faults.
fn scene_of(scene: Scene, seed: u64) -> Scene {
    let cut = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    let scene = scene.seed(seed).latency(ms(1), ms(30)).lasting(secs(3));
    scene
        .fault(&[0], ms(200), ms(300), cut)
        .fault(&[1], ms(600), ms(300), FaultKind::Crash { loss: squall::plan::Loss::Torn })
        .fault(&[2], ms(100), ms(900), FaultKind::Drop { permille: 200 })
}

fn same(a: &Run, b: &Run) -> bool {
    let (a, b) = (&a.execution, &b.execution);
    a.digest == b.digest
        && a.history == b.history
        && a.statistics == b.statistics
        && a.faults == b.faults
        && a.end == b.end
}

#[test]
fn the_same_plan_gives_the_same_run_on_every_thread() {
    let variants: Vec<_> = (0..6).map(|_| scene_of(scene!(3), 7)).collect();
    Scene::compare(&variants, busy, &[TRACED; 6], |runs| {
        assert!(runs[0].of(0).len() > 5, "the machines did something");
        assert!(runs.iter().all(|run| same(run, &runs[0])));
        assert!(runs.iter().all(|run| run.execution.trace == runs[0].execution.trace));
    });
}

#[test]
fn a_trace_changes_nothing() {
    let variants: Vec<_> = (0..2).map(|_| scene_of(scene!(3), 7)).collect();
    Scene::compare(&variants, busy, &[TRACED, BARE], |runs| {
        assert!(runs[0].execution.trace.is_some() && runs[1].execution.trace.is_none());
        assert!(same(&runs[0], &runs[1]));
    });
}

#[test]
fn every_seed_gives_another_run() {
    let variants: Vec<_> = (0..6).map(|seed| scene_of(scene!(3), seed)).collect();
    Scene::compare(&variants, busy, &[BARE; 6], |runs| {
        let mut digests: Vec<u64> = runs.iter().map(|run| run.execution.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 6);
    });
}

/// Two runs that differ in one word have different digests.
fn tells_apart<F>(word: impl Fn(Machine) -> F + Send + Sync + 'static, scene: impl Fn() -> Scene)
where
    F: Future<Output = squall::Result<()>> + 'static,
{
    let variants = ["yes", "yes", "no!"].map(|word| scene().word(word));
    Scene::compare(&variants, word, &[BARE; 3], |runs| {
        assert_eq!(runs[0].execution.digest, runs[1].execution.digest);
        assert_ne!(runs[0].execution.digest, runs[2].execution.digest);
    });
}

#[test]
fn what_a_datagram_says_is_in_the_digest() {
    let say = |m: Machine| async move {
        if m.number() == 1 {
            return m.hear().await;
        }
        Ok(m.bind(PORT)?.send_to(m.at(1), m.word.as_bytes())?)
    };
    tells_apart(say, || scene!(2));
}

#[test]
fn what_a_stream_says_is_in_the_digest() {
    let say = |m: Machine| async move {
        if m.number() == 1 {
            answer(&m).await?.read(&mut [0; 8]).await?;
            return Ok(());
        }
        Ok(call(&m).await?.write_all(m.word.as_bytes()).await?)
    };
    tells_apart(say, || scene!(2));
}

#[test]
fn when_a_timer_goes_off_is_in_the_digest() {
    let sleep = |m: Machine| async move {
        m.sleep(ms(if m.word == "yes" { 100 } else { 200 })).await;
        Ok(())
    };
    tells_apart(sleep, || scene!(1));
}

#[test]
fn machines_draw_from_sources_of_their_own_that_the_seed_decides() {
    let variants = [1, 1, 2].map(|seed| scene!(2).seed(seed));
    let draws = |m: Machine| async move {
        m.saw(m.random());
        m.saw((0..1_000).all(|_| m.random_below(6) < 6));
        Ok(())
    };
    Scene::compare(&variants, draws, &[TRACED; 3], |runs| {
        assert_eq!((runs[0].of(0), runs[0].of(1)), (runs[1].of(0), runs[1].of(1)));
        assert_ne!(runs[0].of(0), runs[0].of(1));
        assert_ne!(runs[0].of(0), runs[2].of(0));
        assert!(runs.iter().all(|run| run.of(0)[1] == "true"));
    });
}
