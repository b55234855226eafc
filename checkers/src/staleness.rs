//! The checker `bounded-staleness`: how old what is read may be, by time and by versions, as the tightest bounds that hold.
//!
//! * By time (Golab, Li & Shah 2011): so many nanoseconds that the history would be linearizable had every read been invoked
//!   that much earlier.
//! * By versions (Aiyer, Alvisi & Bazzi 2005): so many that some order of the operations agrees with real time, and each read
//!   shows one of that many versions before the newest, or the newest. A cas needs the newest.
//!
//! Where times run backwards nobody can say how old a read is, and unless the history is linearizable the answer is that it is not
//! known.
//!
//! With 0 for either a history is linearizable. A larger bound allows more, so the tightest is found by doubling and halving.
//! By time each look takes as long as linearizability does; by versions it is a search.

use serde::{Deserialize, Serialize};

use crate::{
    anomaly,
    budget::Budget,
    certificate::Certificate,
    checker::{Checker, CheckerEntry},
    first_values,
    history::{EntryId, History, Moment},
    linearizability,
    model::{Effect, Model},
    models::{CasRegister, Kv},
    observations::effect,
    operation::Operation,
    value::Value,
    verdict::{Anomaly, Reason, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "bounded-staleness",
    summary: "No read is older than some bound, by time and by versions; `check` shows the tightest.",
    needs_model: false,
    build: |model| Some(first_values::known(model, BoundedStaleness)),
};

struct BoundedStaleness;

impl Checker for BoundedStaleness {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        measure(history, budget).map_or_else(|verdict| verdict, |staleness| staleness.verdict())
    }
}

/// What is known of a bound: it holds from somewhere between `least` and `most` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Nothing smaller holds.
    pub least: u64,
    /// This holds; `None` where the budget was spent before one was found.
    pub most: Option<u64>,
    /// Why nothing smaller than `least` holds; `None` for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Anomaly>,
    /// An order of the operations that shows that `most` holds. What a read shows in it is its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<EntryId>>,
}

impl Bound {
    /// The tightest bound that holds, if it is known.
    pub fn tightest(&self) -> Option<u64> {
        self.most.filter(|most| *most == self.least)
    }
}

/// How old what was read is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staleness {
    /// In nanoseconds; `None` where the history does not say when things happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<Bound>,
    /// In versions before the newest.
    pub versions: Bound,
}

impl Staleness {
    /// Valid if bounds that hold are known.
    pub fn verdict(&self) -> Verdict {
        let bounds = self.time_ns.iter().chain([&self.versions]);
        if bounds.clone().all(|bound| bound.most.is_some()) {
            return Verdict::VALID;
        }
        let least: Vec<u64> = bounds.map(|bound| bound.least).collect();
        let detail = format!("the budget of steps is spent: nothing smaller than {least:?} (ns, versions) holds");
        Verdict::Unknown { reason: Reason::Steps, detail }
    }
}

/// Each look but the first may take this part of the budget of steps.
const EACH_LOOK: u64 = 16;

/// The tightest bounds of a history of registers (read, write, cas) or strings (get, put).
///
/// ```
/// use squall_checkers::{budget::Budget, formats, staleness};
///
/// let history = formats::text::read("0: write[x] 1 @0..1; 0: write[x] 2 @2..3; 1: read[x] -> 1 @9..10").unwrap();
/// let staleness = staleness::measure(&history, &Budget::default()).unwrap();
/// assert_eq!(staleness.versions.tightest(), Some(1));
/// assert_eq!(staleness.time_ns.unwrap().tightest(), Some(6));
/// ```
///
/// # Errors
/// The verdict where no bound holds, or none can be had.
pub fn measure(history: &History, budget: &Budget) -> Result<Staleness, Verdict> {
    let names = |f: &str| history.entries.iter().any(|entry| entry.operation.f == f);
    let texts = names("get") || names("put");
    for (id, entry) in history.entries.iter().enumerate() {
        if effect(entry).is_none() && (entry.is_ok() || entry.is_unknown()) {
            let what = "is none of read, write, cas (with a reply true or false), get and put";
            return Err(Verdict::precondition(format!("operation {id}, `{}`, {what}", entry.operation)));
        }
    }
    let linearizable = |history: &History, budget: &Budget| {
        if texts {
            linearizability::check(&Kv, history, budget)
        } else {
            linearizability::check(&CasRegister, history, budget)
        }
    };
    let each = Budget { steps: budget.steps / EACH_LOOK, ..*budget };
    let first = linearizable(history, budget);
    let refuted = match first {
        Verdict::Valid { linearization } => {
            let none = || Bound { least: 0, most: Some(0), evidence: None, order: linearization.clone() };
            return Ok(Staleness { time_ns: says_when(history).then(none), versions: none() });
        }
        Verdict::Unknown { reason: Reason::Precondition | Reason::Vacuous, .. } => return Err(first),
        Verdict::Unknown { .. } => None,
        // No bound makes up for a value that nobody wrote.
        Verdict::Invalid { anomalies } if anomalies.iter().any(|a| a.kind == anomaly::THIN_AIR_READ) => {
            return Err(Verdict::of(anomalies.into_iter().filter(|a| a.kind == anomaly::THIN_AIR_READ).collect()));
        }
        Verdict::Invalid { anomalies } => anomalies.into_iter().min_by_key(|a| a.operations.len()),
    };
    if let Some(backwards) = history.runs_backwards() {
        return Err(Verdict::precondition(format!("{backwards}; how old a read is cannot be told")));
    }
    let writes = history.entries.iter().filter(|e| effect(e).is_some_and(|(_, written)| written.is_some())).count();
    let initial = if texts { Value::from("") } else { Value::Nil };
    let versions = tightest(refuted.as_ref(), writes as u64, |lag| {
        let lagging = Lagging { lag: lag as usize, initial: initial.clone() };
        let verdict = linearizability::check(&lagging, history, &each);
        because(verdict, &format!("Even if a read may lag by {lag} version{}", if lag == 1 { "" } else { "s" }), |id| {
            id
        })
    })?;
    let time_ns = says_when(history).then(|| {
        tightest(refuted.as_ref(), u64::MAX, |by_ns| {
            let (earlier, ids) = earlier(history, by_ns);
            let words = format!("Even if every read had begun {:?} earlier", std::time::Duration::from_nanos(by_ns));
            because(linearizable(&earlier, &each), &words, |id| ids[id])
        })
    });
    Ok(Staleness { time_ns: time_ns.transpose()?, versions })
}

/// The tightest bounds with what shows them, for [`verify`](crate::verify).
pub fn certify(history: &History, budget: &Budget) -> Certificate {
    let (verdict, staleness) = match measure(history, budget) {
        Ok(staleness) => (staleness.verdict(), Some(staleness)),
        Err(verdict) => (verdict, None),
    };
    Certificate { staleness, ..Certificate::new(ENTRY.name, None, history.entries.len(), verdict) }
}

/// The smallest bound that holds, up to `most`. That 0 does not is shown by `refuted`, or not known.
fn tightest(refuted: Option<&Anomaly>, most: u64, mut look: impl FnMut(u64) -> Verdict) -> Result<Bound, Verdict> {
    let evidence = refuted.cloned();
    let mut bound = Bound { least: u64::from(evidence.is_some()), most: None, evidence, order: None };
    // Bounds from here on are not known to fail.
    let mut from = 1;
    let mut at = 1;
    loop {
        match look(at) {
            Verdict::Valid { linearization } => {
                (bound.most, bound.order) = (Some(at), linearization);
                break;
            }
            Verdict::Invalid { anomalies } if at >= most => return Err(Verdict::of(anomalies)),
            Verdict::Invalid { anomalies } => (bound.least, bound.evidence) = (at + 1, anomalies.into_iter().next()),
            Verdict::Unknown { .. } if at >= most => break,
            Verdict::Unknown { .. } => {}
        }
        from = at + 1;
        at = at.saturating_mul(2).min(most.max(1));
    }
    while let Some(high) = bound.most.filter(|high| from < *high) {
        let middle = from.midpoint(high);
        match look(middle) {
            Verdict::Valid { linearization } => (bound.most, bound.order) = (Some(middle), linearization),
            Verdict::Invalid { anomalies } => {
                (bound.least, bound.evidence) = (middle + 1, anomalies.into_iter().next());
                from = middle + 1;
            }
            Verdict::Unknown { .. } => from = middle + 1,
        }
    }
    Ok(bound)
}

/// The same verdict about the operations that `original` names, with words before each sentence.
fn because(verdict: Verdict, words: &str, original: impl Fn(EntryId) -> EntryId) -> Verdict {
    let anomalies = match verdict {
        Verdict::Invalid { anomalies } => anomalies,
        Verdict::Valid { linearization: Some(order) } => {
            return Verdict::Valid { linearization: Some(order.into_iter().map(original).collect()) };
        }
        other => return other,
    };
    let anomalies = anomalies.into_iter().map(|a| {
        let operations = a.operations.into_iter().map(&original).collect();
        // That nobody wrote a value has nothing to do with its age.
        let sentence = if a.kind == anomaly::THIN_AIR_READ { a.sentence } else { format!("{words}: {}", a.sentence) };
        Anomaly::new(a.kind, a.key, operations, sentence)
    });
    Verdict::of(anomalies.collect())
}

/// Whether times tell one event from another.
fn says_when(history: &History) -> bool {
    let times = || history.entries.iter().flat_map(|e| [Some(e.invoked), e.completed]).flatten().map(Moment::time);
    times().min() != times().max()
}

/// The history with every read invoked `by_ns` earlier, and before what happened just then; and the entries that its entries were.
fn earlier(history: &History, by_ns: u64) -> (History, Vec<EntryId>) {
    // (when, whether it stays, position, entry, whether it is the completion)
    let mut events: Vec<(u64, bool, u32, EntryId, bool)> = Vec::new();
    for (id, entry) in history.entries.iter().enumerate() {
        events.push((entry.invoked.time(), true, entry.invoked.position, id, false));
        events.extend(entry.completed.map(|m| (m.time(), true, m.position, id, true)));
    }
    for (time, stays, _, id, completes) in &mut events {
        let reads = matches!(history.entries[*id].operation.f.as_str(), "read" | "get");
        if reads && !*completes {
            (*time, *stays) = (time.saturating_sub(by_ns), false);
        }
    }
    events.sort_unstable();
    let mut entries = history.entries.clone();
    let mut ids = Vec::with_capacity(entries.len());
    for (position, &(time, _, _, id, completes)) in (0..).zip(&events) {
        let moment = Moment::new(position, time);
        if completes {
            entries[id].completed = Some(moment);
        } else {
            entries[id].invoked = moment;
            ids.push(id);
        }
    }
    let entries = ids.iter().map(|&id| entries[id].clone()).collect();
    (History { entries, ..History::default() }, ids)
}

/// A register whose reads may show an old version.
#[derive(Clone, Debug)]
struct Lagging {
    /// How many versions before the newest may be shown.
    lag: usize,
    initial: Value,
}

impl Model for Lagging {
    /// The versions that a read may show, the newest last.
    type State = Vec<Value>;
    type Successors = Option<Vec<Value>>;

    fn name(&self) -> &'static str {
        "lagging-register"
    }

    fn initial(&self) -> Vec<Value> {
        vec![self.initial.clone()]
    }

    fn step(&self, state: &Vec<Value>, operation: &Operation, reply: Option<&Value>) -> Option<Vec<Value>> {
        let replaced = |value: &Value| {
            let kept = state.len().saturating_sub(self.lag);
            let mut next = state[kept..].to_vec();
            next.push(value.clone());
            next
        };
        let newest = state.last();
        match (operation.f.as_str(), &operation.args, reply) {
            ("read" | "get", _, reply) => reply.is_none_or(|value| state.contains(value)).then(|| state.clone()),
            ("cas", Value::List(args), Some(Value::Bool(false))) => (newest != args.first()).then(|| state.clone()),
            ("cas", Value::List(args), _) => args.get(1).filter(|_| newest == args.first()).map(replaced),
            (_, value, _) => Some(replaced(value)),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        let observes = matches!(operation.f.as_str(), "read" | "get")
            || (operation.f == "cas" && reply == Some(&Value::Bool(false)));
        if observes { Effect::Observes } else { Effect::Opaque }
    }

    fn heap_bytes(&self, state: &Vec<Value>) -> usize {
        size_of_val(state.as_slice())
    }
}
