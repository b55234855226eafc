//! CPU time and memory, for watchdogs and progress. Nothing that a seed decides looks here.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

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
        let watch = crate::engine::stopwatch::Stopwatch::start();
        let before = cpu_time();
        let ballast = vec![1_u8; 64 << 20];
        assert!(cpu_time() > before && watch.elapsed() > Duration::ZERO);
        if cfg!(target_os = "linux") {
            assert!(resident_bytes(std::process::id()).is_some_and(|b| b > ballast.len() as u64));
        }
    }
}
