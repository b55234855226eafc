//! The exit codes of the command line, in one list.

use std::process::ExitCode;

/// What the command ends with. Ordered: of two, the greater is the worse, and the worst wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: all valid; a `demo` that found its violation; a `replay` that no longer fails.
    #[default]
    Valid,
    /// 3: inconclusive: unknown, or vacuous.
    Inconclusive,
    /// 2: wrong usage, or an environment that does not let us work.
    Usage,
    /// 1: a finding inside the promise: anomaly, lost acknowledged write, no progress, panic, crash, hang, memory.
    Finding,
    /// 4: the system under test is not deterministic.
    Nondeterminism,
    /// 70: a bug of our own.
    OwnBug,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Valid => 0,
            Exit::Finding => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Nondeterminism => 4,
            Exit::OwnBug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_worst_wins_in_the_order_of_the_list() {
        let order = [70, 4, 1, 2, 3, 0];
        let mut exits =
            [Exit::Valid, Exit::Finding, Exit::Usage, Exit::Inconclusive, Exit::Nondeterminism, Exit::OwnBug];
        exits.sort_by(|a, b| b.cmp(a));
        assert_eq!(exits.map(Exit::code), order);
    }
}
