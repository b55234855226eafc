//! The checker `linearizable`: every operation seems to happen at one instant between invocation and completion.

use std::sync::Arc;

use crate::{
    budget::Budget,
    checker::{Checker, CheckerEntry},
    history::History,
    models::AnyModel,
    verdict::Verdict,
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "linearizable",
    summary: "Every operation seems to happen at one instant between its invocation and its completion.",
    needs_model: true,
    build: |model| Some(Box::new(Linearizable::new((model?.build)()))),
};

/// Linearizability with respect to a model; see [`crate::linearizability`].
pub struct Linearizable {
    model: Arc<dyn AnyModel>,
}

impl Linearizable {
    /// The checker for this model.
    pub fn new(model: Arc<dyn AnyModel>) -> Self {
        Linearizable { model }
    }
}

impl Checker for Linearizable {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        self.model.linearizable(history, budget)
    }
}
