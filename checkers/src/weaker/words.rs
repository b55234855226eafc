//! What cannot be in the view of a process, in plain words.

use super::views::{Broken, Found};
use crate::{anomaly, history::History, observations::Observations, verdict::Anomaly};

/// The anomaly that was found.
pub(super) fn anomaly(history: &History, seen: &Observations, found: &Found) -> Anomaly {
    let say = |node: u32| seen.say(history, node as usize);
    let entry = |node: u32| &history.entries[seen.nodes[node as usize].entry];
    let key = |node: u32| &seen.keys[seen.nodes[node as usize].key];
    let (kind, about, sentence) = match found.broken {
        Broken::ThinAir(reader) => {
            (anomaly::THIN_AIR_READ, Some(reader), format!("{} saw a value that nobody wrote.", say(reader)))
        }
        Broken::Circle(first) => {
            let others: Vec<String> =
                found.nodes.iter().filter(|node| **node != first).map(|node| say(*node)).collect();
            let by = if others.is_empty() { String::new() } else { format!(" by way of {}", others.join(" and ")) };
            (anomaly::CYCLIC_CAUSALITY, None, format!("{} depends on itself{by}.", say(first)))
        }
        Broken::Missed { reader, write } => {
            let sentence =
                format!("{} saw nothing of {}, although {} happened before it.", say(reader), key(reader), say(write));
            (anomaly::READ_OF_INITIAL, Some(reader), sentence)
        }
        Broken::Stale { reader, source, newer } => {
            let [read, source, newer] = [reader, source, newer].map(say);
            let sentence =
                format!("{read} saw {source}, although {newer} came after that and happened before the read.");
            (anomaly::CAUSALLY_STALE_READ, Some(reader), sentence)
        }
        Broken::MissedInView { reader, write } => {
            let sentence = format!(
                "{} saw nothing of {}, although {} comes before it by what process {} saw otherwise.",
                say(reader),
                key(reader),
                say(write),
                entry(reader).process.0
            );
            (anomaly::CYCLIC_VIEW, Some(reader), sentence)
        }
        Broken::CircleInView { reader, write, source } => {
            let [read, write, source] = [reader, write, source].map(say);
            let process = entry(reader).process.0;
            let sentence = format!(
                "Process {process} saw the writes in no one order: {read} puts {write} before {source}, which comes before it by what the process saw otherwise."
            );
            (anomaly::CYCLIC_VIEW, Some(reader), sentence)
        }
    };
    let nodes = found.nodes.iter().map(|&node| node as usize).collect();
    let operations = seen.supported(history, nodes).into_iter().map(|node| seen.nodes[node].entry).collect();
    Anomaly::new(kind, about.map(|node| key(node).clone()).unwrap_or_default(), operations, sentence)
}
