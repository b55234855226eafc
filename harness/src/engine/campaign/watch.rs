//! Real time, CPU time and memory, for watchdogs, budgets and progress. Nothing that a seed decides looks here.

#![expect(clippy::disallowed_types, reason = "watchdogs, budgets and progress are about real time")]

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Real time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// CPU time that this process has used, on all threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Memory that a process holds, in bytes. `None` where the operating system has no `/proc` or the process is gone.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_forward_and_memory_is_seen() {
        let watch = Stopwatch::start();
        let before = cpu_time();
        let ballast = vec![1_u8; 64 << 20];
        assert!(cpu_time() > before && watch.elapsed() > Duration::ZERO);
        if cfg!(target_os = "linux") {
            assert!(resident_bytes(std::process::id()).is_some_and(|b| b > ballast.len() as u64));
        }
    }
}
