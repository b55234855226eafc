//! Where a simulator differs from the others. Whoever is listed here has to differ: a line that is not needed any more fails the
//! suite, but for fatal ones, which cannot be tried.

/// A fact that does not hold on some simulators.
pub(crate) struct Difference {
    /// Their names.
    simulators: &'static [&'static str],
    /// The fact: `theme::test`.
    fact: &'static str,
    /// What is so there instead.
    pub(crate) why: &'static str,
    /// Whether trying it ends the whole process.
    pub(crate) fatal: bool,
}

/// What is listed of a fact on a simulator.
pub(crate) fn find(simulator: &str, fact: &str) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|d| d.fact == fact && d.simulators.contains(&simulator))
}

const HOSTED: &[&str] = &["turmoil", "madsim"];
const MADSIM: &[&str] = &["madsim"];
const TURMOIL: &[&str] = &["turmoil"];

const fn differs(simulators: &'static [&'static str], fact: &'static str, why: &'static str) -> Difference {
    Difference { simulators, fact, why, fatal: false }
}

const HALF_OPEN: &str = "an accepted end that is closed, timed out or never accepted does not answer by a reset yet";
const WAITERS: &str = "of several tasks that wait at one socket or listener only the last is woken yet";
const EFFECTS: &str =
    "a fault that held only timers and tasks, or a machine already held, is not counted as an effect yet";
const DRAWN: &str = "madsim draws from the seed which of the tasks and messages that are due at one time comes first";

/// All of them.
const DIFFERENCES: &[Difference] = &[
    Difference {
        simulators: HOSTED,
        fact: "afterlife::at_a_crash_destructors_run_and_may_call_anything_to_no_effect",
        why: "a destructor that starts a task or a timer finds no reactor, panics, and takes the process with it",
        fatal: true,
    },
    Difference {
        simulators: HOSTED,
        fact: "afterlife::at_the_end_of_a_run_destructors_run_too",
        why: "a destructor that starts a task or a timer finds no reactor, panics, and takes the process with it",
        fatal: true,
    },
    differs(
        HOSTED,
        "afterlife::handles_of_a_dead_life_do_nothing_in_the_next",
        "streams, timers and tasks of a dead life still do something there",
    ),
    differs(HOSTED, "closing::a_connection_given_up_on_its_way_back_leaves_no_half_open_stream", HALF_OPEN),
    differs(HOSTED, "closing::a_question_whose_asker_has_left_is_still_accepted_and_read_to_its_end", HALF_OPEN),
    differs(HOSTED, "closing::after_a_reset_a_stream_yields_nothing_more", HALF_OPEN),
    differs(HOSTED, "closing::writing_to_an_accepted_end_that_was_closed_fails_after_a_round_trip", HALF_OPEN),
    differs(HOSTED, "streams::streams_are_accepted_in_the_order_of_their_arrival", HALF_OPEN),
    differs(
        HOSTED,
        "torn_streams::who_writes_after_the_heal_to_a_peer_that_timed_out_learns_that_the_stream_is_gone",
        HALF_OPEN,
    ),
    differs(HOSTED, "crash::a_crash_while_a_process_waits_to_be_started_again_decides_when_it_is", EFFECTS),
    differs(HOSTED, "crash::a_machine_that_two_crashes_hold_down_starts_when_the_last_ends", EFFECTS),
    differs(HOSTED, "pause::a_machine_paused_twice_goes_on_when_the_last_pause_ends", EFFECTS),
    differs(HOSTED, "pause::nothing_of_a_paused_machine_runs_and_the_others_go_on", EFFECTS),
    differs(HOSTED, "pause::the_clocks_of_a_paused_machine_go_on", EFFECTS),
    differs(HOSTED, "pause::what_a_machine_sent_before_its_pause_arrives_in_it", EFFECTS),
    differs(HOSTED, "pause::a_timer_due_in_a_pause_goes_off_after_it_and_a_later_one_in_time", EFFECTS),
    differs(HOSTED, "timers::a_jump_forward_ends_the_sleeps_it_jumps_over", EFFECTS),
    differs(HOSTED, "timers::a_sleep_that_outlasts_a_drift_feels_the_part_it_slept_under_it", EFFECTS),
    differs(TURMOIL, "timers::drifts_at_one_time_add_up", EFFECTS),
    differs(HOSTED, "timers::the_monotonic_clock_never_goes_back_whatever_befalls_it", EFFECTS),
    differs(
        HOSTED,
        "timers::sleeps_that_one_jump_ends_end_in_the_order_of_their_deadlines",
        "timers that one jump ends end in any order",
    ),
    differs(HOSTED, "datagrams::tasks_that_wait_at_one_socket_get_each_datagram_once_and_none_sleeps_on", WAITERS),
    differs(HOSTED, "streams::tasks_that_accept_at_one_listener_get_a_stream_each", WAITERS),
    differs(MADSIM, "datagrams::datagrams_over_a_link_of_one_latency_keep_their_order", DRAWN),
    differs(MADSIM, "pause::a_slow_machine_takes_its_time_for_each_message_one_after_the_other", DRAWN),
    differs(MADSIM, "pause::what_waits_for_a_slow_machine_is_served_at_once_when_it_is_quick_again", DRAWN),
    differs(MADSIM, "tasks::a_task_that_wakes_itself_goes_on_and_lets_others_run", DRAWN),
    differs(
        HOSTED,
        "tasks::a_wake_from_another_thread_is_counted_and_decides_nothing",
        "the library's own executor takes wakes from every thread",
    ),
    differs(MADSIM, "crash::a_process_that_spins_at_one_instant_is_stopped", "time goes on a little with each poll"),
    Difference {
        simulators: HOSTED,
        fact: "foreign::tokios_tasks_are_pointed_to_those_of_env",
        why: "there is a tokio, which these hosts run on or draw their choices from; a run that waits for its blocking threads \
              waits for ever",
        fatal: true,
    },
    differs(
        TURMOIL,
        "foreign::tokios_timers_are_pointed_to_those_of_env",
        "turmoil hosts run on tokio, whose reactor is there",
    ),
];
