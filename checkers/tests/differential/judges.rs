//! Our verdicts beside those of others, and what the histories were like that they were given on.

use std::fmt;

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker, formats, models,
    verdict::Verdict,
    verify::{self, Verification},
};

use super::{
    generate::Sample,
    object::Object,
    peers::{porcupine, stateright},
};

/// Histories of at most this many operations are put to stateright too. Its testers try all orders.
const SMALL: usize = 6;

/// How many of a kind of history there were.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: u64,
    invalid: u64,
    unknown_outcome: u64,
    in_flight: u64,
    /// Without an answer: ours, porcupine-rs's.
    unanswered: [u64; 2],
    /// Put to stateright, and how many of these are linearizable, and not sequentially consistent.
    small: u64,
    small_valid: u64,
    small_unsequential: u64,
    /// Certificates that the verifier vouches for.
    verified: u64,
}

/// What was seen of each object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally([Counts; Object::ALL.len()]);

impl Tally {
    /// Puts one history to all judges.
    ///
    /// # Errors
    /// Who contradicts whom, with the history.
    pub(crate) fn add(&mut self, sample: &Sample) -> Result<(), String> {
        let history = sample.history();
        let wrong = |who: &str, what: &dyn fmt::Debug| {
            let history = formats::text::write(&history);
            Err(format!("{who} about this history of a {}: {what:?}\n{history}", sample.object.model()))
        };
        let counts = &mut self.0[sample.object as usize];
        counts.all += 1;
        counts.unknown_outcome += u64::from(sample.ops.iter().any(|op| op.reply.is_none()));
        counts.in_flight += u64::from(sample.in_flight() > 3);
        let Some(model) = models::model(sample.object.model()) else { return wrong("no model", &sample.object) };
        let ours = (model.build)().linearizable(&history, &Budget::default());
        let theirs = porcupine(sample);
        counts.invalid += u64::from(theirs == Some(false));
        counts.unanswered[0] += u64::from(ours.is_unknown());
        counts.unanswered[1] += u64::from(theirs.is_none());
        if theirs.is_some_and(|valid| if valid { ours.is_invalid() } else { ours.is_valid() }) {
            return wrong("porcupine-rs disagrees", &ours);
        }
        if sample.ops.len() <= SMALL {
            let (linearizable, sequential) = stateright(sample);
            counts.small += 1;
            counts.small_valid += u64::from(linearizable);
            counts.small_unsequential += u64::from(!sequential);
            if if linearizable { ours.is_invalid() } else { ours.is_valid() } {
                return wrong("stateright disagrees", &ours);
            }
            let judged = checker::checker("sequential").and_then(|entry| (entry.build)(Some(model)));
            let ours = judged.map(|checker| checker.check(&history, &Budget::default()));
            if ours.as_ref().is_none_or(|ours| if sequential { ours.is_invalid() } else { ours.is_valid() }) {
                return wrong("stateright disagrees on sequential consistency", &ours);
            }
        }
        if !matches!(ours, Verdict::Unknown { .. }) {
            let certificate = Certificate::new("linearizable", Some(model.name), history.entries.len(), ours);
            match verify::verify(&history, &certificate, &Budget::default()) {
                Verification::Verified => counts.verified += 1,
                Verification::Unverified(_) => {}
                refuted @ Verification::Refuted(_) => return wrong("the verifier disagrees", &(refuted, certificate)),
            }
        }
        Ok(())
    }

    /// Whether the histories are of all kinds, so that agreement means something; if not, what is wrong with them.
    pub(crate) fn skew(&self) -> Option<String> {
        let outside = |part: u64, of: u64, least: u64, most: u64| part * 100 < of * least || part * 100 > of * most;
        for (object, counts) in Object::ALL.iter().zip(&self.0) {
            let all = counts.all;
            let shares = [
                ("invalid", counts.invalid, 20, 80),
                ("with unknown outcomes", counts.unknown_outcome, 10, 90),
                ("with more than three in flight", counts.in_flight, 10, 90),
                ("without an answer of ours", counts.unanswered[0], 0, 10),
                ("without an answer of porcupine-rs", counts.unanswered[1], 0, 1),
                ("with a certificate that is verified", counts.verified, 90, 100),
            ];
            for (what, part, least, most) in shares {
                if all == 0 || outside(part, all, least, most) {
                    let model = object.model();
                    return Some(format!("{part} of {all} histories of a {model} are {what}, not {least}% to {most}%"));
                }
            }
        }
        None
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:15} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>9}",
            "object",
            "histories",
            "invalid",
            "unknown",
            ">3 open",
            "small",
            "valid",
            "not seq.",
            "verified",
            "no answer"
        )?;
        for (object, c) in Object::ALL.iter().zip(&self.0) {
            let share = |part: u64, of: u64| format!("{:.1}%", 100.0 * part as f64 / of.max(1) as f64);
            writeln!(
                f,
                "{:15} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>9}",
                format!("{object:?}"),
                c.all,
                share(c.invalid, c.all),
                share(c.unknown_outcome, c.all),
                share(c.in_flight, c.all),
                c.small,
                share(c.small_valid, c.small),
                share(c.small_unsequential, c.small),
                share(c.verified, c.all),
                c.unanswered[0] + c.unanswered[1],
            )?;
        }
        Ok(())
    }
}
