//! What a primary makes of answers.

use squall_checkers::{history::ProcessId, operation::Interface};

use super::*;
use crate::objects::Objects;

const CLIENT: u32 = 3;

/// Primary of two, in epoch 1, with this on its disk.
fn primary(saved: Vec<Saved>) -> Replica {
    let objects = Objects::of(&Interface::REGISTER);
    let mut replica = Replica::new(Setup { mode: Mode::Sync, mistake: None, objects }, 0, 2, saved);
    let view = View { epoch: 1, primary: 0, members: vec![0, 1] };
    replica.on_message(address(2), Message::Announce { view, confirmed: true });
    replica
}

/// The last round that it sent to the other.
fn round(replica: &mut Replica) -> Round {
    let sent = replica.take_out().into_iter().filter_map(|(_, message)| match message {
        Message::Append { round, .. } => Some(round),
        _ => None,
    });
    sent.max().expect("it sends")
}

/// The other has all there is, and has heard of this round.
fn answer(replica: &mut Replica, round: Round) {
    let length = replica.log.length();
    replica.on_message(address(1), Message::Appended { epoch: 1, matched: Some(length), length, round });
}

#[test]
fn an_answer_to_an_earlier_life_in_the_same_epoch_confirms_no_read() {
    let mut before = primary(Vec::new());
    (0..50).for_each(|_| before.on_tick());
    let saved = before.unsaved().expect("its first entry");
    let late = round(&mut before);

    let mut after = primary(vec![saved]);
    let first = round(&mut after);
    answer(&mut after, first);
    let id = RequestId { process: ProcessId(0), serial: 1 };
    let read = Message::Request { id, seen: Position::default(), operation: Operation::read(0) };
    after.on_message(address(CLIENT), read);
    let replies = |replica: &mut Replica| {
        replica.take_out().into_iter().filter(|(_, message)| matches!(message, Message::Reply { .. })).count()
    };
    answer(&mut after, late);
    assert_eq!(replies(&mut after), 0, "another may be primary by now");
    let number = first.number + 1;
    answer(&mut after, Round { number, ..first });
    assert_eq!(replies(&mut after), 1);
}
