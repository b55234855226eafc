//! `membership`: replicas are asked which members of the cluster they hold alive.
//!
//! ```text
//! read(3) -> true | false
//! ```
//!
//! Members are counted as replicas are. Each client asks its own replica; in the end every replica is asked for every member.

use squall_checkers::operation::{Interface, Operation};

use crate::{
    parts::Asking,
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Questions for members.
#[derive(Clone, Copy, Debug)]
pub struct MembershipWorkload;

const SETTINGS: &[Setting] = &[Setting {
    key: "members",
    default: "3",
    summary: "members that are asked for, from 0; no more than there are replicas",
}];

/// More than this are not asked for.
const MEMBERS_MAX: u64 = 10_000;

impl Workload for MembershipWorkload {
    fn interface(&self) -> Interface {
        Interface::MEMBERSHIP
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn client(&self, settings: &Settings, _: u32, _: u32, mut stream: Stream) -> Result<Box<dyn Client>, SettingError> {
        let members = members(settings)?;
        Ok(Box::new(Asking(move || Operation::read(stream.below(members) as i64))))
    }

    fn final_reads(&self, settings: &Settings, _: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        Ok((0..members(settings)?).map(|member| Operation::read(member as i64)).collect())
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        if model == "eventual-accuracy" { vec![Judge::new("eventual-accuracy")] } else { Vec::new() }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

fn members(settings: &Settings) -> Result<u64, SettingError> {
    SettingsReader::new("membership", settings, SETTINGS)?.number("members", 1..=MEMBERS_MAX)
}

#[cfg(test)]
mod tests {
    use squall_checkers::{
        history::{MarkKind, Outcome, Phase, ProcessId},
        recorder::HistoryBuilder,
    };

    use super::*;
    use crate::parts::testing;

    /// Questions in the midst of faults, and at the end, when member 1 is held dead or is not.
    fn history(held_dead: bool) -> squall_checkers::history::History {
        let settings: Settings = [("members".to_owned(), "4".to_owned())].into();
        let mut client = MembershipWorkload.client(&settings, 0, 1, Stream::named(7, "client/0")).expect("of use");
        let mut recorder = HistoryBuilder::new();
        let tell = |recorder: &mut HistoryBuilder, operation, alive: bool| {
            let entry = recorder.invoke(ProcessId(0), operation, 0);
            recorder.complete(entry, Outcome::Ok(alive.into()), 0);
        };
        for i in 0..20 {
            tell(&mut recorder, client.next(ProcessId(0)).expect("it never ends"), i % 3 == 0);
        }
        recorder.mark(MarkKind::Phase(Phase::FinalReads), 0);
        for operation in MembershipWorkload.final_reads(&settings, &[]).expect("of use") {
            let alive = !held_dead || operation.key.as_int() != Some(1);
            tell(&mut recorder, operation, alive);
        }
        recorder.finish()
    }

    #[test]
    fn members_are_judged() {
        assert!(testing::complaints(&MembershipWorkload, "eventual-accuracy", &history(false)).is_empty());
        let complaints = testing::complaints(&MembershipWorkload, "eventual-accuracy", &history(true));
        assert_eq!(complaints, ["eventual-accuracy"]);
    }
}
