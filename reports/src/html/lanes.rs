//! Who gets a lane in the timeline: nodes and clients, capped to what one can read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{records::Finding, story};

/// Most nodes with a lane of their own.
pub(super) const NODES_MAX: usize = 16;

/// Most clients with a lane of their own.
pub(super) const CLIENTS_MAX: usize = 24;

/// Most faults side by side in the lane of one node; further ones are drawn over the last.
const LAYERS_MAX: usize = 4;

/// One fault in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    /// Its index in the finding's list.
    pub(super) fault: usize,
    /// Which of the lane's layers it is drawn in.
    pub(super) layer: usize,
}

/// The lane of a node, or of the network as a whole (`node` is `None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeLane {
    pub(super) node: Option<u32>,
    pub(super) bands: Vec<Band>,
    pub(super) layers: usize,
}

/// The lane of a client, or of a process where clients are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientLane {
    pub(super) label: String,
    /// Entry ids in the order of invocations.
    pub(super) operations: Vec<usize>,
}

/// The lanes of nodes, ascending, and how many nodes have none: those with a fault that mattered come first, then those with
/// any fault, then those that clients of the anomaly asked.
pub(super) fn node_lanes(finding: &Finding) -> (Vec<NodeLane>, usize) {
    let hit = |needed: bool| {
        finding.faults.iter().filter(move |f| f.made_possible == needed).flat_map(|f| f.nodes.iter().copied())
    };
    let asked = story::accused(finding).into_iter().filter_map(|i| finding.operations[i].node);
    let mut chosen = BTreeSet::new();
    for node in hit(true).chain(hit(false)).chain(asked).chain(0..finding.nodes) {
        if chosen.len() == NODES_MAX {
            break;
        }
        chosen.insert(node);
    }
    let everywhere = |i: &usize| finding.faults[*i].nodes.is_empty() && !finding.faults[*i].unresolved;
    let network: Vec<_> = (0..finding.faults.len()).filter(everywhere).collect();
    let mut lanes = Vec::new();
    if !network.is_empty() {
        lanes.push(node_lane(finding, None, &network));
    }
    for &node in &chosen {
        let faults: Vec<_> = (0..finding.faults.len()).filter(|&i| finding.faults[i].nodes.contains(&node)).collect();
        lanes.push(node_lane(finding, Some(node), &faults));
    }
    (lanes, (finding.nodes as usize).saturating_sub(chosen.len()))
}

/// Puts overlapping faults side by side, each in the first layer that is free when it begins.
fn node_lane(finding: &Finding, node: Option<u32>, faults: &[usize]) -> NodeLane {
    let mut order = faults.to_vec();
    order.sort_by_key(|&i| (finding.faults[i].begins_ns, i));
    let mut free_from: Vec<u64> = Vec::new();
    let bands = order
        .into_iter()
        .map(|fault| {
            let (begins, ends) = (finding.faults[fault].begins_ns, finding.faults[fault].ends_ns.unwrap_or(u64::MAX));
            let layer = match free_from.iter().position(|&f| f <= begins) {
                Some(layer) => layer,
                None if free_from.len() < LAYERS_MAX => {
                    free_from.push(0);
                    free_from.len() - 1
                }
                None => LAYERS_MAX - 1,
            };
            free_from[layer] = free_from[layer].max(ends);
            Band { fault, layer }
        })
        .collect();
    NodeLane { node, bands, layers: free_from.len().max(1) }
}

/// The lanes of clients, ascending, and how many have none: those of the anomaly come first.
pub(super) fn client_lanes(finding: &Finding) -> (Vec<ClientLane>, usize) {
    let known = finding.operations.iter().all(|o| o.client.is_some());
    let lane_of = |i: usize| {
        let operation = &finding.operations[i];
        operation.client.filter(|_| known).unwrap_or(operation.process.0)
    };
    let mut lanes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for i in 0..finding.operations.len() {
        lanes.entry(lane_of(i)).or_default().push(i);
    }
    let mut chosen: BTreeSet<_> = story::accused(finding).into_iter().map(lane_of).collect();
    for &lane in lanes.keys() {
        if chosen.len() >= CLIENTS_MAX {
            break;
        }
        chosen.insert(lane);
    }
    let hidden = lanes.len() - chosen.len();
    let word = if known { "client" } else { "process" };
    lanes.retain(|lane, _| chosen.contains(lane));
    let lanes = lanes
        .into_iter()
        .map(|(lane, operations)| ClientLane { label: format!("{word} {lane}"), operations })
        .collect();
    (lanes, hidden)
}
