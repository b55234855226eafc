//! Where a simulator differs from the others. Whoever is listed here has to differ: a line that is not needed any more fails the
//! suite.

/// A fact that does not hold on some simulators.
pub(crate) struct Difference {
    /// Their names.
    simulators: &'static [&'static str],
    /// The fact: `theme::test`.
    fact: &'static str,
    /// What is so there instead.
    pub(crate) why: &'static str,
}

/// What is listed of a fact on a simulator.
pub(crate) fn find(simulator: &str, fact: &str) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|d| d.fact == fact && d.simulators.contains(&simulator))
}

const HOSTED: &[&str] = &["turmoil", "madsim"];
const MADSIM: &[&str] = &["madsim"];
const TURMOIL: &[&str] = &["turmoil"];

const fn differs(simulators: &'static [&'static str], fact: &'static str, why: &'static str) -> Difference {
    Difference { simulators, fact, why }
}

const DRAWN: &str = "madsim draws from the seed which of the tasks and messages that are due at one time comes first";

const TOKIO: &str = "turmoil hosts run on tokio, whose tasks, threads and reactor are there";

/// All of them.
const DIFFERENCES: &[Difference] = &[
    differs(MADSIM, "timers::sleeps_that_one_jump_ends_end_in_the_order_of_their_deadlines", DRAWN),
    differs(MADSIM, "datagrams::datagrams_over_a_link_of_one_latency_keep_their_order", DRAWN),
    differs(MADSIM, "pause::a_timer_due_in_a_pause_goes_off_after_it_and_a_later_one_in_time", DRAWN),
    differs(MADSIM, "pause::a_slow_machine_takes_its_time_for_each_message_one_after_the_other", DRAWN),
    differs(MADSIM, "pause::what_waits_for_a_slow_machine_is_served_at_once_when_it_is_quick_again", DRAWN),
    differs(MADSIM, "tasks::a_task_that_wakes_itself_goes_on_and_lets_others_run", DRAWN),
    differs(
        HOSTED,
        "tasks::a_wake_from_another_thread_is_counted_and_decides_nothing",
        "the library's own executor takes wakes from every thread",
    ),
    differs(MADSIM, "crash::a_process_that_spins_at_one_instant_is_stopped", "time goes on a little with each poll"),
    differs(TURMOIL, "foreign::tokios_tasks_are_pointed_to_those_of_env", TOKIO),
    differs(TURMOIL, "foreign::tokios_timers_are_pointed_to_those_of_env", TOKIO),
];
