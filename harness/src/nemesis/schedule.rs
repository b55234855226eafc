//! The schedule of a run: swarm mixing over the nemeses, each drawing from its own streams.
//!
//! Each seed turns some nemeses off altogether and draws how much happens: runs that lack a feature reach states that runs with
//! all features hide (Groce, Zhang, Eide, Chen and Regehr, "Swarm Testing", ISSTA 2012).

use super::{NemesisEntry, NemesisSelection, Scene, Strike, scene::warm_up};
use crate::plan::{Fault, Stream, scale};

/// Of a thousand seeds, so many have a given nemesis turned on.
const ON_PERMILLE: u64 = 350;
/// Of ten seeds, so many have few faults; see [`Mood::Few`].
const FEW_OF_TEN: u64 = 3;
/// Of ten seeds, so many have many faults; see [`Mood::Many`].
const MANY_OF_TEN: u64 = 3;
/// The most faults of a seed of few faults.
const FEW_FAULTS_MAX: u64 = 3;

/// How much happens under one seed.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// At most this many faults in all.
    Few(usize),
    /// One or two packages of each nemesis that is on.
    Some,
    /// Two to four of each.
    Many,
}

impl Mood {
    fn draw(seed: u64) -> Self {
        let mut stream = Stream::named(seed, "swarm");
        let few = stream.between(1, FEW_FAULTS_MAX) as usize;
        match stream.below(10) {
            0..FEW_OF_TEN => Mood::Few(few),
            n if n < 10 - MANY_OF_TEN => Mood::Some,
            _ => Mood::Many,
        }
    }

    fn packages(self, stream: &mut Stream) -> u64 {
        match self {
            Mood::Few(_) | Mood::Some => stream.between(1, 2),
            Mood::Many => stream.between(2, 4),
        }
    }
}

/// Draws the faults of one seed, in the order of their beginnings, with ids from 1. All end by the end of the chaos phase, and
/// all lie inside the promise unless the scene goes beyond.
pub fn schedule(seed: u64, scene: &Scene<'_>, selection: &NemesisSelection) -> Vec<Fault> {
    let mood = Mood::draw(seed);
    let mut strikes = Vec::new();
    for (coin, entry) in ranked(seed, selection) {
        let on = scale(coin, 1000) < ON_PERMILLE;
        if on || strikes.is_empty() {
            strikes.extend(packages(seed, entry, mood, scene));
        }
    }
    if let Mood::Few(most) = mood {
        strikes.truncate(most);
    }
    let mut faults = number(strikes);
    if !scene.beyond {
        let outside = scene.tolerates.outside(&faults, scene.nodes);
        faults.retain(|f| !outside.contains(&f.id));
    }
    faults
}

/// The nemeses, those first that this seed is the most inclined to. Another nemesis in the catalogue changes nobody's coin.
fn ranked(seed: u64, selection: &NemesisSelection) -> Vec<(u64, &'static NemesisEntry)> {
    let coin = |entry: &NemesisEntry| Stream::named(seed, &format!("swarm/{}", entry.name)).bits();
    let mut ranked: Vec<_> = selection.entries.iter().map(|e| (coin(e), *e)).collect();
    ranked.sort_by_key(|(coin, entry)| (*coin, entry.name));
    ranked
}

fn packages(seed: u64, entry: &NemesisEntry, mood: Mood, scene: &Scene<'_>) -> Vec<Strike> {
    let mut count = Stream::named(seed, &format!("nemesis/{}", entry.name));
    let mut strikes = Vec::new();
    for i in 0..mood.packages(&mut count) {
        let mut stream = Stream::named(seed, &format!("nemesis/{}/{i}", entry.name));
        let package = entry.nemesis.package(scene, &mut stream);
        let placed = place(package, scene.chaos_ns, &mut stream).into_iter();
        strikes.extend(placed.map(|s| Strike { target: scene.reached(&s.kind, s.target), ..s }));
    }
    strikes
}

/// Moves a package to a random place in the chaos phase and cuts off what lies behind its end.
fn place(package: Vec<Strike>, chaos_ns: u64, stream: &mut Stream) -> Vec<Strike> {
    let length = package.iter().map(Strike::ends_ns).max().unwrap_or(0);
    let earliest = warm_up(chaos_ns);
    let latest = chaos_ns.saturating_sub(length).max(earliest);
    let begins = stream.between(earliest, latest);
    let cut = |strike: Strike| {
        let mut strike = strike.after(begins);
        strike.lasts_ns = strike.lasts_ns.min(chaos_ns.saturating_sub(strike.begins_ns));
        strike
    };
    package.into_iter().map(cut).filter(|s| s.lasts_ns > 0).collect()
}

fn number(mut strikes: Vec<Strike>) -> Vec<Fault> {
    strikes.sort_by_key(|s| s.begins_ns);
    (1..)
        .zip(strikes)
        .map(|(id, Strike { begins_ns, lasts_ns, target, kind })| Fault { id, begins_ns, lasts_ns, target, kind })
        .collect()
}
