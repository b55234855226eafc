//! Nemeses: each draws faults of one kind from a seed; together they make up the schedule of a run.

mod clock;
mod combined;
mod crash;
mod disk;
mod healing;
mod hot_key;
mod limits;
mod membership;
mod overload;
mod packets;
mod partition;
mod pause;
mod scene;
mod schedule;
mod selection;
mod slow;
mod wipe;
mod zones;

pub use self::{
    scene::{Scene, Strike},
    schedule::schedule,
    selection::{NemesisSelection, UnknownNemesis},
};
use crate::plan::Stream;

/// Something that goes wrong, drawn from a seed.
pub trait Nemesis: Sync {
    /// Draws one package: the faults of one incident. Times count from the beginning of the incident; the schedule moves it to
    /// its place as a whole and cuts off what lies behind the end of the chaos phase.
    ///
    /// Every fault is one that the scene [allows](Scene::allows). Empty when the scene allows none of this nemesis.
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike>;
}

/// A line of the catalogue.
pub struct NemesisEntry {
    /// Kebab-case name, unique. It names the nemesis' streams: renaming it changes what every seed draws.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Whether it is drawn from where nobody names it. A new one is not: what every seed draws would change.
    pub by_default: bool,
    /// The nemesis.
    pub nemesis: &'static dyn Nemesis,
}

/// Every nemesis.
pub const NEMESES: &[NemesisEntry] = &[
    NemesisEntry {
        name: "partition",
        summary: "cut links: halves, one isolated, one-way, bridge, overlapping majorities, steady or flapping",
        by_default: true,
        nemesis: &partition::Partition,
    },
    NemesisEntry {
        name: "packets",
        summary: "messages lost, late, twice, out of order or corrupt; degraded links",
        by_default: true,
        nemesis: &packets::Packets,
    },
    NemesisEntry {
        name: "crash",
        summary: "processes die or machines lose power: once, again and again, or one after the other",
        by_default: true,
        nemesis: &crash::Crash,
    },
    NemesisEntry { name: "pause", summary: "nodes stand still and go on", by_default: true, nemesis: &pause::Pause },
    NemesisEntry { name: "slow", summary: "nodes need time for every event", by_default: true, nemesis: &slow::Slow },
    NemesisEntry {
        name: "clock",
        summary: "clocks are off, run fast or slow, jump, or flip to and fro",
        by_default: true,
        nemesis: &clock::Clock,
    },
    NemesisEntry {
        name: "disk",
        summary: "syncs fail, disks are full or slow, bits rot; power is lost while they do",
        by_default: true,
        nemesis: &disk::Disk,
    },
    NemesisEntry {
        name: "wipe",
        summary: "nodes lose their disks and start afresh",
        by_default: true,
        nemesis: &wipe::Wipe,
    },
    NemesisEntry {
        name: "combined",
        summary: "incidents of several kinds that belong together, such as a crash right after a partition heals",
        by_default: true,
        nemesis: &combined::Combined,
    },
    NemesisEntry {
        name: "zones",
        summary: "a zone of replicas fails as one: cut off, without power, standing still, far away; or one after the other (when named)",
        by_default: false,
        nemesis: &zones::Zones,
    },
    NemesisEntry {
        name: "healing",
        summary: "links and nodes that broke at once come back one after the other, in every order and direction (when named)",
        by_default: false,
        nemesis: &healing::Healing,
    },
    NemesisEntry {
        name: "overload",
        summary: "clients ask in bursts, links carry little and lose the rest, nodes need long for everything (when named)",
        by_default: false,
        nemesis: &overload::Overload,
    },
    NemesisEntry {
        name: "hot-key",
        summary: "clients ask for one key more than for all others, while nodes are slow or cut off (when named)",
        by_default: false,
        nemesis: &hot_key::HotKey,
    },
    NemesisEntry {
        name: "limits",
        summary: "inboxes are full and lose what comes, connections run out and are refused (when named)",
        by_default: false,
        nemesis: &limits::Limits,
    },
    NemesisEntry {
        name: "membership",
        summary: "nodes leave the cluster and come back, where a system offers that; others crash or are cut off meanwhile (when named)",
        by_default: false,
        nemesis: &membership::Membership,
    },
];

#[cfg(test)]
mod tests;
