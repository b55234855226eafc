//! Who gets a lane in the timeline: nodes and clients, capped to what one can read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    records::{FaultRecord, Finding},
    story,
};

/// Most nodes with a lane of their own.
pub(super) const NODES_MAX: usize = 16;

/// Most clients with a lane of their own.
pub(super) const CLIENTS_MAX: usize = 24;

/// Most faults or operations side by side in one lane; further ones are drawn over the last.
const LAYERS_MAX: usize = 4;

/// One fault or operation in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    /// Its index in the finding's list.
    pub(super) index: usize,
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
    /// In the order of invocations. Those of one client overlap: it goes on under a new process while an outcome is unknown.
    pub(super) bands: Vec<Band>,
    pub(super) layers: usize,
}

/// The nodes that get a lane, ascending, and how many get none: those with a fault that mattered come first, then those with
/// any fault, then those that the operations of the anomaly asked.
pub(super) fn chosen_nodes(finding: &Finding) -> (BTreeSet<u32>, usize) {
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
    let hidden = (finding.nodes as usize).saturating_sub(chosen.len());
    (chosen, hidden)
}

/// The lanes of these nodes with the faults that `shown` lets through; before them one for faults of the whole network.
pub(super) fn node_lanes(
    finding: &Finding,
    nodes: &BTreeSet<u32>,
    shown: impl Fn(&FaultRecord) -> bool,
) -> Vec<NodeLane> {
    let faults: Vec<_> = (0..finding.faults.len()).filter(|&i| shown(&finding.faults[i])).collect();
    let pick = |wanted: &dyn Fn(&FaultRecord) -> bool| -> Vec<usize> {
        faults.iter().copied().filter(|&i| wanted(&finding.faults[i])).collect()
    };
    let everywhere = pick(&|fault| fault.nodes.is_empty() && !fault.unresolved);
    let network = (!everywhere.is_empty()).then(|| node_lane(finding, None, &everywhere));
    let of_nodes = nodes.iter().map(|&n| node_lane(finding, Some(n), &pick(&|fault| fault.nodes.contains(&n))));
    network.into_iter().chain(of_nodes).collect()
}

fn node_lane(finding: &Finding, node: Option<u32>, faults: &[usize]) -> NodeLane {
    let spans = faults.iter().map(|&i| {
        let fault = &finding.faults[i];
        (fault.begins_ns, fault.ends_ns.unwrap_or(u64::MAX), i)
    });
    let (bands, layers) = side_by_side(spans.collect());
    NodeLane { node, bands, layers }
}

/// Puts what overlaps side by side, each in the first layer that is free when it begins: (begin, end, index). Returns the number
/// of layers too.
fn side_by_side(mut spans: Vec<(u64, u64, usize)>) -> (Vec<Band>, usize) {
    spans.sort_by_key(|&(begins, _, index)| (begins, index));
    let mut free_from: Vec<u64> = Vec::new();
    let bands = spans.into_iter().map(|(begins, ends, index)| {
        let layer = match free_from.iter().position(|&f| f <= begins) {
            Some(layer) => layer,
            None if free_from.len() < LAYERS_MAX => {
                free_from.push(0);
                free_from.len() - 1
            }
            None => LAYERS_MAX - 1,
        };
        free_from[layer] = free_from[layer].max(ends);
        Band { index, layer }
    });
    let bands = bands.collect();
    (bands, free_from.len().max(1))
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
        .map(|(lane, operations)| {
            let spans = operations.into_iter().map(|i| {
                let operation = &finding.operations[i];
                (operation.invoked.time(), operation.completed.unwrap_or(operation.invoked).time(), i)
            });
            let (bands, layers) = side_by_side(spans.collect());
            ClientLane { label: format!("{word} {lane}"), bands, layers }
        })
        .collect();
    (lanes, hidden)
}

#[cfg(test)]
mod tests {
    use squall_checkers::{
        history::{Moment, Outcome, ProcessId},
        operation::Operation,
        value::Value,
    };

    use super::*;
    use crate::records::OperationRecord;

    fn fault(begins_ns: u64, ends_ns: Option<u64>) -> FaultRecord {
        FaultRecord { nodes: vec![1], begins_ns, ends_ns, ..FaultRecord::default() }
    }

    /// The layers of the faults of node 1, in the order in which they begin.
    fn layers(faults: Vec<FaultRecord>) -> Vec<usize> {
        let finding = Finding { nodes: 3, faults, ..Finding::default() };
        let lanes = node_lanes(&finding, &chosen_nodes(&finding).0, |_| true);
        assert_eq!(lanes.iter().map(|l| l.node).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
        lanes[1].bands.iter().map(|b| b.layer).collect()
    }

    #[test]
    fn overlapping_faults_lie_side_by_side() {
        assert_eq!(layers(vec![fault(0, Some(5)), fault(5, Some(9))]), [0, 0]);
        assert_eq!(layers(vec![fault(0, Some(5)), fault(4, Some(9)), fault(6, None), fault(7, Some(8))]), [0, 1, 0, 2]);
        assert_eq!(layers(vec![fault(0, None); 6]), [0, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn what_a_client_asks_while_an_outcome_is_unknown_lies_beside_it() {
        let operation = |process, from, to| OperationRecord {
            process: ProcessId(process),
            client: Some(0),
            node: None,
            operation: Operation::read(1),
            invoked: Moment::new(0, from),
            completed: Some(Moment::new(0, to)),
            outcome: Outcome::Ok(Value::Nil),
        };
        let operations = vec![operation(0, 10, 90), operation(1, 20, 30), operation(2, 40, 50), operation(0, 91, 95)];
        let finding = Finding { operations, ..Finding::default() };
        let (lanes, hidden) = client_lanes(&finding);
        assert_eq!((lanes.len(), hidden, lanes[0].layers), (1, 0, 2));
        assert_eq!(lanes[0].bands.iter().map(|b| b.layer).collect::<Vec<_>>(), [0, 1, 1, 0]);
    }

    #[test]
    fn a_fault_of_no_node_belongs_to_the_network_unless_it_found_nobody() {
        let everywhere = FaultRecord { nodes: vec![], ..fault(0, None) };
        let nobody = FaultRecord { unresolved: true, ..everywhere.clone() };
        let finding = Finding { nodes: 1, faults: vec![nobody, everywhere], ..Finding::default() };
        let lanes = node_lanes(&finding, &chosen_nodes(&finding).0, |_| true);
        assert_eq!(lanes[0], NodeLane { node: None, bands: vec![Band { index: 1, layer: 0 }], layers: 1 });
        assert!(lanes[1].bands.is_empty());
    }

    #[test]
    fn nodes_with_faults_come_before_others() {
        let mut finding = Finding { nodes: 500, faults: vec![fault(0, None)], ..Finding::default() };
        finding.faults[0].nodes = vec![499, 7];
        let (chosen, hidden) = chosen_nodes(&finding);
        assert!(chosen.contains(&499) && chosen.contains(&7));
        assert_eq!((chosen.len(), hidden), (NODES_MAX, 500 - NODES_MAX));
    }
}
