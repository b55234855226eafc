//! Every small history of processes that act one after the other, for models without real time.

use squall_checkers::history::History;

use crate::{orders::Letter, support::entry};

/// Calls `visit` with every history of `n` operations over the alphabet by at most three processes, one after the other in
/// real time. An unknown outcome ends its process.
pub(crate) fn every_interleaving(n: usize, alphabet: &[Letter], mut visit: impl FnMut(&History)) {
    fn extend(n: usize, alphabet: &[Letter], history: &mut History, visit: &mut impl FnMut(&History)) {
        let i = history.entries.len();
        if i == n {
            visit(history);
            return;
        }
        let fresh = history.entries.iter().map(|e| e.process.0 + 1).max().unwrap_or(0);
        for process in 0..=fresh.min(2) {
            if history.entries.iter().any(|e| e.process.0 == process && e.is_unknown()) {
                continue;
            }
            for (operation, reply) in alphabet {
                let at = (2 * i as u32, 2 * i as u32 + 1);
                history.entries.push(entry(process, operation.clone(), reply.clone(), at));
                extend(n, alphabet, history, visit);
                history.entries.pop();
            }
        }
    }
    extend(n, alphabet, &mut History::default(), &mut visit);
}
