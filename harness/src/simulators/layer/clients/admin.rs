//! The admin of a run: keeps asking the system for the members that the faults want it to have.
//!
//! It is no client: what it asks is no part of the history. It wants a state of each replica by itself, a member or none, and asks for
//! it again and again, one request at a time: soon after an error or a deadline, and now and then after the system has said that it is
//! so, for a late request of its own may have undone it since.

use squall_checkers::history::{EntryId, ProcessId};

use super::{Action, Session, Turn};
use crate::{
    environment::Change,
    plan::{MILLISECOND, NodeId, SECOND},
};

/// Requests are numbered from here on, where neither an entry of a history nor one of its processes is: hosts carry both alike. Each is
/// a process of its own.
const FIRST: EntryId = 1 << 31;
/// After this long without an answer a request is given up, in nanoseconds.
const PATIENCE_NS: u64 = SECOND;
/// Time between a request that came to nothing and the next, in nanoseconds.
const PAUSE_NS: u64 = 200 * MILLISECOND;
/// After this long what was done is asked for again, in nanoseconds.
const AGAIN_NS: u64 = SECOND;

/// The admin.
pub(in crate::simulators::layer) struct Admin {
    /// By replica.
    seats: Vec<Seat>,
    requests: Vec<Request>,
    machines: u32,
    /// Nothing is asked from here on, in nanoseconds.
    until_ns: u64,
}

/// What the admin wants of one replica.
#[derive(Clone, Copy, Default)]
struct Seat {
    /// `None` as long as it never was to leave: it is a member.
    wanted: Option<Change>,
    /// Whether the system said that it is so.
    done: bool,
    open: Option<EntryId>,
    asked: u32,
    /// Since when it is wanted, in nanoseconds.
    since_ns: u64,
    /// When the admin acts next, in nanoseconds.
    due_ns: u64,
}

/// The system said for the first time that a replica is no member, as was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) node: NodeId,
    /// Since when that was wanted, in nanoseconds.
    pub(crate) since_ns: u64,
}

/// One request.
struct Request {
    change: Change,
    /// Since when that was wanted, in nanoseconds.
    since_ns: u64,
    /// The machine it comes from, by its index among the clients.
    client: u32,
    home: NodeId,
    open: bool,
}

impl Admin {
    pub(super) fn new(nodes: u32, machines: u32, until_ns: u64) -> Self {
        Admin { seats: vec![Seat::default(); nodes as usize], requests: Vec::new(), machines, until_ns }
    }

    /// From now on a replica shall be a member, or none. What is under way comes to its end first.
    pub(super) fn want(&mut self, change: Change, now: u64) {
        let seat = &mut self.seats[change.node().0 as usize];
        let due_ns = if seat.open.is_some() { seat.due_ns } else { now };
        *seat = Seat { wanted: Some(change), done: false, since_ns: now, due_ns, ..*seat };
    }

    /// The turn of a replica has come. Others than the last one that was scheduled are early.
    pub(super) fn turn(&mut self, node: NodeId, now: u64, actions: &mut Vec<Action>) {
        let nodes = self.seats.len() as u32;
        let seat = &mut self.seats[node.0 as usize];
        if now < seat.due_ns || now >= self.until_ns {
            return;
        }
        if let Some(open) = seat.open {
            actions.push(Action::GiveUp(open));
            return;
        }
        let Some(change) = seat.wanted else { return };
        // Who leaves is asked last.
        let home = NodeId((node.0 + 1 + seat.asked) % nodes);
        let client = (node.0 + seat.asked) % self.machines;
        let request = FIRST + self.requests.len();
        self.requests.push(Request { change, since_ns: seat.since_ns, client, home, open: true });
        seat.asked += 1;
        seat.open = Some(request);
        seat.due_ns = now + PATIENCE_NS;
        actions.push(Action::Ask(request));
        actions.push(Action::Schedule(seat.due_ns, Turn::Admin(node)));
    }

    /// A request came to its end. Whom the system says to have removed, if it had not said so before.
    pub(super) fn completed(
        &mut self,
        request: EntryId,
        done: bool,
        now: u64,
        actions: &mut Vec<Action>,
    ) -> Option<Removed> {
        let Request { change, since_ns, open, .. } = &mut self.requests[request - FIRST];
        *open = false;
        let node = change.node();
        let seat = &mut self.seats[node.0 as usize];
        // What is wanted no more was done nevertheless.
        let removed = done && matches!(change, Change::Remove(_)) && !(seat.done && seat.since_ns == *since_ns);
        let done = done && seat.wanted == Some(*change);
        seat.open = None;
        seat.done |= done;
        seat.due_ns = now + if done { AGAIN_NS } else { PAUSE_NS };
        actions.push(Action::Schedule(seat.due_ns, Turn::Admin(node)));
        removed.then_some(Removed { node, since_ns: *since_ns })
    }

    /// What a request asks for, if it is one of the admin's.
    pub(super) fn change(&self, request: EntryId) -> Option<Change> {
        Some(self.requests.get(request.checked_sub(FIRST)?)?.change)
    }

    /// Whose it is. The process does nothing else.
    pub(super) fn session(&self, request: EntryId) -> Session {
        let Request { client, home, .. } = self.requests[request - FIRST];
        Session { process: ProcessId(request as u32), client, home, serial: 1 }
    }

    /// Whether a request, or its process, is under way.
    pub(super) fn is_open(&self, request: EntryId) -> bool {
        request.checked_sub(FIRST).and_then(|i| self.requests.get(i)).is_some_and(|r| r.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const REMOVE: Change = Change::Remove(NODE);
    const ADD: Change = Change::Add(NODE);

    /// What comes of a turn: the request it asks, or gives up.
    fn turn(admin: &mut Admin, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        admin.turn(NODE, now, &mut actions);
        actions.retain(|action| !matches!(action, Action::Schedule(..)));
        actions
    }

    fn ask(admin: &mut Admin, now: u64) -> EntryId {
        let actions = turn(admin, now);
        let [Action::Ask(request)] = actions[..] else { panic!("{actions:?} at {now}") };
        request
    }

    #[test]
    fn it_asks_until_the_system_says_so_and_looks_again() {
        let mut admin = Admin::new(3, 2, 60 * SECOND);
        assert_eq!(turn(&mut admin, 0), [], "all are members");
        admin.want(REMOVE, 5);
        let first = ask(&mut admin, 5);
        assert_eq!((admin.change(first), admin.session(first).home), (Some(REMOVE), NodeId(2)));
        assert!(admin.is_open(first));
        assert_eq!(turn(&mut admin, 5 + PATIENCE_NS - 1), [], "there is time");
        assert_eq!(turn(&mut admin, 5 + PATIENCE_NS), [Action::GiveUp(first)]);
        let mut actions = Vec::new();
        assert_eq!(admin.completed(first, false, SECOND, &mut actions), None);
        assert_eq!(actions, [Action::Schedule(SECOND + PAUSE_NS, Turn::Admin(NODE))]);
        let second = ask(&mut admin, SECOND + PAUSE_NS);
        assert_eq!(admin.session(second).home, NodeId(0), "another one is asked");
        assert!(!admin.is_open(first) && admin.is_open(second));
        let removed = Some(Removed { node: NODE, since_ns: 5 });
        assert_eq!(admin.completed(second, true, 2 * SECOND, &mut actions), removed);
        assert_eq!(turn(&mut admin, 2 * SECOND + PAUSE_NS), [], "it is done");
        let third = ask(&mut admin, 3 * SECOND);
        assert_eq!(admin.completed(third, true, 3 * SECOND, &mut actions), None, "that was known");
    }

    #[test]
    fn the_opposite_waits_for_what_is_under_way_which_counts_if_it_was_done() {
        let mut admin = Admin::new(3, 2, 60 * SECOND);
        admin.want(REMOVE, 0);
        let removal = ask(&mut admin, 0);
        admin.want(ADD, 10);
        assert_eq!(turn(&mut admin, 10), []);
        let removed = Some(Removed { node: NODE, since_ns: 0 });
        assert_eq!(admin.completed(removal, true, 20, &mut Vec::new()), removed);
        let addition = ask(&mut admin, 20 + PAUSE_NS);
        assert_eq!(admin.change(addition), Some(ADD));
        assert_eq!(admin.completed(addition, true, SECOND, &mut Vec::new()), None);
        assert_eq!(turn(&mut admin, 60 * SECOND), [], "the final reads are due");
    }

    #[test]
    fn entries_of_a_history_are_none_of_its() {
        let admin = Admin::new(3, 2, SECOND);
        assert!(admin.change(7).is_none() && !admin.is_open(7) && !admin.is_open(FIRST));
    }
}
