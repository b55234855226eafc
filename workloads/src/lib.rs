//! Workloads: what clients do to a store under test, and which checkers judge what comes of it.

pub mod append;
pub mod bank;
pub mod causal;
pub mod counter;
pub mod growing;
pub mod list_append;
pub mod lock;
pub mod long_fork;
pub mod membership;
mod parts;
pub mod queue;
pub mod random;
pub mod register;
pub mod rw_register;
pub mod set;
pub mod settings;
pub mod transactions;
pub mod unique_ids;
pub mod workload;

use workload::WorkloadEntry;

/// Every workload.
pub const WORKLOADS: &[WorkloadEntry] = &[
    WorkloadEntry {
        name: "register",
        summary: "reads, writes and compare-and-sets of a few contended registers",
        workload: &register::RegisterWorkload,
    },
    WorkloadEntry { name: "set", summary: "elements are added to a few sets, which are read", workload: &set::SET },
    WorkloadEntry {
        name: "counter",
        summary: "a few counters are counted up and down, and read",
        workload: &counter::CounterWorkload,
    },
    WorkloadEntry {
        name: "append",
        summary: "elements are appended to a few logs, which are read whole",
        workload: &append::APPEND,
    },
    WorkloadEntry {
        name: "queue",
        summary: "elements are put into a few queues and taken out again",
        workload: &queue::QueueWorkload,
    },
    WorkloadEntry {
        name: "lock",
        summary: "processes acquire a lock and release it again",
        workload: &lock::LockWorkload,
    },
    WorkloadEntry {
        name: "bank",
        summary: "money moves between accounts, and all balances are read",
        workload: &bank::BankWorkload,
    },
    WorkloadEntry { name: "unique-ids", summary: "ids are generated", workload: &unique_ids::UniqueIdsWorkload },
    WorkloadEntry {
        name: "list-append",
        summary: "transactions read and append to a few lists",
        workload: &list_append::LIST_APPEND,
    },
    WorkloadEntry {
        name: "rw-register",
        summary: "transactions read and write a few registers",
        workload: &rw_register::RW_REGISTER,
    },
    WorkloadEntry {
        name: "long-fork",
        summary: "single keys are written once, and groups of them read together",
        workload: &long_fork::LongForkWorkload,
    },
    WorkloadEntry {
        name: "causal",
        summary: "posts are written and replied to, and a reply is read before its post",
        workload: &causal::CausalWorkload,
    },
    WorkloadEntry {
        name: "membership",
        summary: "replicas are asked which members of the cluster they hold alive",
        workload: &membership::MembershipWorkload,
    },
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static WorkloadEntry> {
    WORKLOADS.iter().find(|w| w.name == name)
}
