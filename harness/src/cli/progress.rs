//! The progress of a campaign on stderr: one line that is written over on a terminal, a line now and then elsewhere.

use std::fmt::Write as _;
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use squall_reports::records::Signature;

use super::output::columns;
use crate::engine::campaign::{Progress, Stage, Watcher};

/// Time between two lines where they are not written over.
const SPARSE: Duration = Duration::from_secs(10);

/// A line on stderr.
pub(super) struct Bar {
    terminal: bool,
    /// When the last sparse line was written.
    told: Duration,
    drawn: bool,
}

impl Bar {
    pub(super) fn new() -> Self {
        Bar { terminal: io::stderr().is_terminal(), told: Duration::ZERO, drawn: false }
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Watcher for Bar {
    fn progress(&mut self, progress: &Progress<'_>) {
        let mut stderr = io::stderr();
        if self.terminal {
            let text: String = line(progress).chars().take(columns(&stderr).unwrap_or(80).saturating_sub(1)).collect();
            let _ = write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush());
            self.drawn = true;
        } else if progress.elapsed.saturating_sub(self.told) >= SPARSE {
            self.told = progress.elapsed;
            let _ = writeln!(stderr, "{}", line(progress));
        }
    }

    fn found(&mut self, signature: &Signature, seed: u64) {
        self.clear();
        let _ = writeln!(io::stderr(), "found {} ({}), seed {seed}", signature.anomaly, signature.checker);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(progress: &Progress<'_>) -> String {
    if let Stage::Explaining(signature) = progress.stage {
        return format!("looking closer at {} ({})", signature.anomaly, signature.checker);
    }
    let seconds = progress.elapsed.as_secs_f64();
    let ran = progress.seeds.saturating_sub(progress.seeds_before);
    let rate = if seconds > 0.0 { ran as f64 / seconds } else { 0.0 };
    let mut text =
        format!("{} of {} seeds, {}, {} failing", progress.seeds, progress.seeds_max, pace(rate), progress.failing);
    let left = progress.seeds_max.saturating_sub(progress.seeds);
    if rate > 0.0 && left > 0 {
        let seconds = (left as f64 / rate).ceil() as u64;
        let _ = write!(text, ", {} left", clock(seconds));
    }
    text
}

/// Seeds in a second; in a minute or an hour, where those take longer.
pub(super) fn pace(per_second: f64) -> String {
    let (rate, span) = match per_second {
        r if r >= 1.0 || r == 0.0 => (r, "s"),
        r if r >= 1.0 / 60.0 => (r * 60.0, "min"),
        r => (r * 3600.0, "h"),
    };
    format!("{rate:.0} seeds/{span}")
}

/// Seconds as `1:02:03`, `2:03` or `3 s`.
fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_long() {
        let progress = Progress {
            stage: Stage::Seeds,
            seeds: 150,
            seeds_before: 50,
            seeds_max: 400,
            failing: 3,
            elapsed: Duration::from_secs(2),
        };
        assert_eq!(line(&progress), "150 of 400 seeds, 50 seeds/s, 3 failing, 5 s left");
        let done = Progress { seeds: 400, ..progress };
        assert_eq!(line(&done), "400 of 400 seeds, 175 seeds/s, 3 failing");
        assert_eq!([0.0, 2.5, 0.1, 0.01].map(pace), ["0 seeds/s", "2 seeds/s", "6 seeds/min", "36 seeds/h"]);
        assert_eq!((clock(59), clock(61), clock(3723)), ("59 s".into(), "1:01".into(), "1:02:03".into()));
    }
}
