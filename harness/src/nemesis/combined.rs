//! `combined`: incidents of several kinds that belong together, each a known way to break a replicated store.

use super::{
    Nemesis, Scene, Strike,
    clock::drift,
    crash::{downtime, loss},
    scene::{magnitude, milliseconds, signed},
};
use crate::plan::{FaultKind, Loss, Shape, Stream, Target, mix};

/// Draws incidents.
pub(super) struct Combined;

/// One incident; empty when the scene does not allow it.
type Incident = fn(&Scene<'_>, &mut Stream) -> Vec<Strike>;

/// Every incident. A new one goes to the end: its place decides which packages it wins.
const INCIDENTS: &[Incident] = &[
    deposed_with_a_wrong_clock,
    crash_during_a_partition,
    crash_after_healing,
    leaders_deposed_in_a_row,
    power_loss_of_all_on_slow_disks,
    forgetful_voter_between_rivals,
    laggard_must_take_over,
    rolling_crash_over_bad_links,
    pause_with_late_messages,
    crash_while_writes_are_half_done,
    laggard_after_a_restart_of_all,
    writes_half_done_and_read_on,
];

impl Nemesis for Combined {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        // Each incident has a rank of its own, so that another one in the list takes packages over and reshuffles none.
        let coin = stream.bits();
        let mut ranked: Vec<(u64, Incident)> = (0..).map(|i| mix(coin, i)).zip(INCIDENTS.iter().copied()).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
            .into_iter()
            .map(|(_, incident)| incident(scene, stream))
            .find(|strikes| !strikes.is_empty() && strikes.iter().all(|s| scene.allows(&s.kind)))
            .unwrap_or_default()
    }
}

/// A cut of the target from its peers; clients still reach it.
fn cut(shape: Shape) -> FaultKind {
    FaultKind::Partition { shape, flap_ns: None, clients: false }
}

/// The leader, or one node by name where nobody may lead.
fn head(scene: &Scene<'_>, stream: &mut Stream) -> Target {
    let node = scene.node(stream);
    if stream.chance(2, 3) && scene.nodes > 1 { Target::Leader } else { Target::Nodes(vec![node]) }
}

/// A leader is cut off while clients still reach it, and its clock tells it that its time is not up yet.
fn deposed_with_a_wrong_clock(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let (target, lasts) = (head(scene, stream), milliseconds(stream, 1_500, 6_000));
    let offset = magnitude(stream, 100, 60_000);
    let wrong = [drift(stream), FaultKind::ClockOffset { ns: signed(stream, offset) }];
    let Some(wrong) = scene.choose(stream, wrong.into()) else { return Vec::new() };
    vec![Strike::at_once(lasts, target.clone(), wrong), Strike::at_once(lasts, target, cut(Shape::Split))]
}

/// Nodes of the side that goes on crash while others are cut off.
fn crash_during_a_partition(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let lasts = milliseconds(stream, 2_000, 6_000);
    let moment = milliseconds(stream, 200, 2_000);
    let victim = scene.one(stream);
    vec![
        Strike::at_once(lasts, scene.few(stream), cut(Shape::Split)),
        Strike::at_once(downtime(stream), victim, crash).after(moment),
    ]
}

/// The new leader crashes right after the old one is back.
fn crash_after_healing(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let lasts = milliseconds(stream, 1_500, 4_000);
    let moment = lasts + milliseconds(stream, 0, 300);
    vec![
        Strike::at_once(lasts, head(scene, stream), cut(Shape::Split)),
        Strike::at_once(downtime(stream), head(scene, stream), crash).after(moment),
    ]
}

/// Each leader is cut off in turn, the next before the last one is back.
fn leaders_deposed_in_a_row(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let shape = *stream.pick(&[Shape::Split, Shape::Inbound, Shape::Outbound]);
    let mut strikes = Vec::new();
    let mut begins = 0;
    for _ in 0..stream.between(2, 3) {
        let lasts = milliseconds(stream, 1_500, 4_000);
        strikes.push(Strike::at_once(lasts, head(scene, stream), cut(shape)).after(begins));
        begins += milliseconds(stream, 1_000, 2_500);
    }
    strikes
}

/// The power goes everywhere at once, while syncs take long.
fn power_loss_of_all_on_slow_disks(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let losses = [Loss::Lost, Loss::Torn, Loss::Reordered].map(|loss| FaultKind::Crash { loss });
    let Some(power) = scene.choose(stream, losses.into()) else { return Vec::new() };
    let lasts = milliseconds(stream, 1_000, 4_000);
    let moment = milliseconds(stream, 200, 900);
    vec![
        Strike::at_once(lasts, Target::All, FaultKind::DiskSlow { ns: magnitude(stream, 5, 200) }),
        Strike::at_once(milliseconds(stream, 10, 500), Target::All, power).after(moment),
    ]
}

/// Two candidates that do not hear each other court a voter that restarts again and again.
fn forgetful_voter_between_rivals(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    if scene.nodes < 3 {
        return Vec::new();
    }
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let voter = Target::Nodes(vec![scene.node(stream)]);
    let mut strikes = Vec::new();
    let mut begins = milliseconds(stream, 100, 500);
    for _ in 0..stream.between(3, 6) {
        let strike = Strike::at_once(milliseconds(stream, 10, 100), voter.clone(), crash.clone()).after(begins);
        begins = strike.ends_ns() + milliseconds(stream, 100, 900);
        strikes.push(strike);
    }
    strikes.insert(0, Strike::at_once(begins, voter, cut(Shape::Bridge)));
    strikes
}

/// A node misses what happens, and when it is back another one is missing.
fn laggard_must_take_over(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let nodes = scene.shuffled(stream);
    let [laggard, other, ..] = nodes.as_slice() else { return Vec::new() };
    let (away, missing) = (milliseconds(stream, 1_000, 4_000), milliseconds(stream, 1_500, 4_000));
    let moment = away + milliseconds(stream, 0, 200);
    let crash = loss(scene, stream);
    let other = if stream.chance(1, 2) { Target::Leader } else { Target::Nodes(vec![*other]) };
    let kinds: Vec<FaultKind> = [Some(cut(Shape::Split)), crash].into_iter().flatten().collect();
    let Some(first) = scene.choose(stream, kinds.clone()) else { return Vec::new() };
    let Some(second) = scene.choose(stream, kinds) else { return Vec::new() };
    vec![
        Strike::at_once(away, Target::Nodes(vec![*laggard]), first),
        Strike::at_once(missing, other, second).after(moment),
    ]
}

/// One node after the other crashes while messages are lost and late.
fn rolling_crash_over_bad_links(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let degrade = FaultKind::Degrade { permille: stream.between(10, 200) as u32, factor: stream.between(2, 15) as u32 };
    let mut strikes = Vec::new();
    let mut begins = milliseconds(stream, 100, 800);
    for node in scene.shuffled(stream) {
        let strike = Strike::at_once(downtime(stream), Target::Nodes(vec![node]), crash.clone()).after(begins);
        begins = strike.ends_ns() + milliseconds(stream, 50, 700);
        strikes.push(strike);
    }
    strikes.insert(0, Strike::at_once(begins, Target::All, degrade));
    strikes
}

/// A leader stands still while its messages, and those to it, are late: it acts on an old world and is heard late.
fn pause_with_late_messages(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let target = head(scene, stream);
    let lasts = milliseconds(stream, 1_000, 4_000);
    let late = FaultKind::Delay { max_ns: magnitude(stream, 50, 1_500) };
    vec![
        Strike::at_once(lasts + milliseconds(stream, 500, 2_000), target.clone(), late),
        Strike::at_once(lasts, target, FaultKind::Pause).after(milliseconds(stream, 0, 500)),
    ]
}

/// Most messages of a node are lost, so that some peers have its writes and others do not; then it crashes.
fn crash_while_writes_are_half_done(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let target = head(scene, stream);
    let lossy = milliseconds(stream, 300, 1_500);
    vec![
        Strike::at_once(lossy, target.clone(), FaultKind::Drop { permille: stream.between(300, 800) as u32 }),
        Strike::at_once(downtime(stream), target, crash).after(lossy),
    ]
}

/// All restart at once, and a node misses what is written next; when it is back, its old log must not win.
fn laggard_after_a_restart_of_all(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let Some(crash) = loss(scene, stream) else { return Vec::new() };
    let down = milliseconds(stream, 10, 300);
    let (moment, away) = (down + milliseconds(stream, 0, 2_500), milliseconds(stream, 1_500, 4_000));
    let laggard = Target::Nodes(vec![scene.node(stream)]);
    vec![Strike::at_once(down, Target::All, crash), Strike::at_once(away, laggard, cut(Shape::Split)).after(moment)]
}

/// One node's messages get through to some only, for a while: its writes reach few, and others read meanwhile.
fn writes_half_done_and_read_on(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let target = Target::Nodes(vec![scene.node(stream)]);
    let lasts = milliseconds(stream, 2_000, 6_000);
    let flap_ns = Some(milliseconds(stream, 3, 60));
    let lossy = [
        FaultKind::Drop { permille: stream.between(300, 800) as u32 },
        FaultKind::Delay { max_ns: magnitude(stream, 100, 1_500) },
        FaultKind::Partition { shape: Shape::Outbound, flap_ns, clients: false },
    ];
    let Some(lossy) = scene.choose(stream, lossy.into()) else { return Vec::new() };
    vec![Strike::at_once(lasts, target, lossy)]
}
