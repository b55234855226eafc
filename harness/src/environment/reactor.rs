//! What a panic of a runtime's own functions, used in a simulation, means, and what to use in their place.

/// What panics say where code asks a runtime for what only `Env` has here, and what to use instead.
const KNOWN: &[(&str, &str)] = &[
    (
        "there is no reactor running",
        "tokio's timers, tasks, sockets and files need its reactor, and there is none in a simulation: use `env.sleep`, \
         `env.timeout` or `env.interval` for `tokio::time`, `env.spawn` for `tokio::spawn`, `env.bind`, `env.listen` and \
         `env.connect` for `tokio::net`, and `env.disk()` for `tokio::fs`; `tokio::sync` works as it is",
    ),
    (
        "no task of tokio's runs here",
        "tasks belong to the simulation: use `env.spawn`, which takes futures that are not `Send` too",
    ),
    (
        "no blocking thread of tokio's runs here",
        "nothing may block in a simulation, time would stand still: call what blocks where it is needed, with `env.compute` for \
         the time that it takes, or start it by `env.spawn`",
    ),
    (
        "timers are disabled",
        "the tokio runtime found here has no timers: use `env.sleep`, `env.timeout` or `env.interval` for `tokio::time`",
    ),
    (
        "IO is disabled",
        "the tokio runtime found here has no sockets: use `env.bind`, `env.listen` and `env.connect` for `tokio::net`",
    ),
    (
        "`spawn_local` called from outside of a `task::LocalSet`",
        "tasks belong to the simulation: use `env.spawn`, which takes futures that are not `Send` too",
    ),
    (
        "Cannot start a runtime from within a runtime",
        "code under test runs inside the simulation's executor: await the future, or start it by `env.spawn`",
    ),
    (
        "Cannot block the current thread from within a runtime",
        "nothing may block in a simulation, time would stand still: await instead",
    ),
];

/// Adds to a panic's message what to use instead, where code asked a runtime for what only `Env` has here.
pub(crate) fn advise(message: &mut String) {
    if let Some((_, advice)) = KNOWN.iter().find(|(known, _)| message.contains(known)) {
        *message += &format!(" ({advice})");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_advised_on() {
        let advised = |message: &str| {
            let mut advised = message.to_owned();
            advise(&mut advised);
            advised
        };
        assert_eq!(advised("index out of bounds"), "index out of bounds");
        let message = "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
        let advised = advised(message);
        assert!(advised.starts_with(message) && advised.contains("`env.sleep`"), "{advised}");
    }
}
