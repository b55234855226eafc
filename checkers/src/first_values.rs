//! What checkers that judge by no model can say of registers that may begin as 0: they know registers that begin as nil or as an
//! empty text, and so nothing once it matters that this one did not.

use crate::{
    budget::Budget,
    checker::Checker,
    history::{Entry, History},
    model::Model,
    models::{ModelEntry, MultiRegister},
    operation::Operation,
    value::Value,
    verdict::Verdict,
};

/// The checker as it is to judge objects of this model, if one is named.
pub(crate) fn known(model: Option<&ModelEntry>, checker: impl Checker + 'static) -> Box<dyn Checker> {
    match model {
        Some(model) if model.name == MultiRegister.name() => Box::new(BeginsAsNil(checker)),
        _ => Box::new(checker),
    }
}

/// A checker that knows registers which begin as nil, given others.
struct BeginsAsNil<C>(C);

impl<C: Checker> Checker for BeginsAsNil<C> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        let matters = |(_, entry): &(usize, &Entry)| tells_of_zero(entry);
        match history.entries.iter().enumerate().find(matters) {
            None => self.0.check(history, budget),
            Some((id, entry)) => Verdict::precondition(format!(
                "operation {id}, `{}`, may tell that a register began as 0, and this checker knows registers that begin as nil only",
                entry.operation
            )),
        }
    }
}

/// Whether what it found may have been a 0 that nobody wrote. So may what was found instead of nil; and who knows nil takes an empty
/// text for a first value, too, which this is not.
fn tells_of_zero(entry: &Entry) -> bool {
    let tells = |value: &Value| *value == Value::Int(0) || value.as_text() == Some("");
    let Operation { f, args, .. } = &entry.operation;
    if !entry.is_ok() && !entry.is_unknown() {
        return false;
    }
    match (f.as_str(), args) {
        ("txn", Value::List(asked)) => {
            let reads = |micro: &Value| {
                micro.as_list().and_then(|m| m.first()?.as_text()).is_some_and(|f| f != "w" && f != "write")
            };
            let replied = entry.reply().and_then(Value::as_list).unwrap_or_default();
            let shown = |micro: &Value| micro.as_list().is_some_and(|m| m.get(2).is_some_and(tells));
            asked.iter().zip(replied).any(|(asked, replied)| reads(asked) && shown(replied))
        }
        // A cas that was refused found another value than nil.
        ("cas", Value::List(args)) => match args.first() {
            Some(Value::Nil) => entry.reply() == Some(&Value::Bool(false)),
            expected => expected.is_some_and(tells),
        },
        ("read" | "get", _) => entry.reply().is_some_and(tells),
        _ => false,
    }
}
