//! `unique-ids`: ids are generated.
//!
//! ```text
//! generate() -> 17
//! ```

use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::Asking,
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, SettingError, Settings, Workload},
};

/// Ids, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct UniqueIdsWorkload;

impl Workload for UniqueIdsWorkload {
    fn interface(&self) -> Interface {
        Interface::IDS
    }

    fn client(&self, settings: &Settings, _: u32, _: u32, _: Stream) -> Result<Box<dyn Client>, SettingError> {
        SettingsReader::new("unique-ids", settings, &[])?;
        Ok(Box::new(Asking(|| Operation::new("generate", Value::Nil, Value::Nil))))
    }

    fn final_reads(&self, settings: &Settings, _: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("unique-ids", settings, &[])?;
        Ok(Vec::new())
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        // Each id is new: that is all there is to a linearizable generator.
        if matches!(model, "linearizable" | "unique-ids") { vec![Judge::new("unique-ids")] } else { Vec::new() }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing;

    #[test]
    fn ids_are_judged() {
        let run = |again: i64| {
            let mut last = 0;
            testing::run(&UniqueIdsWorkload, &[], 100, |_| {
                last += 1;
                Some(Value::Int(if last == again { last - 1 } else { last }))
            })
        };
        assert!(testing::complaints(&UniqueIdsWorkload, "unique-ids", &run(0)).is_empty());
        assert_eq!(testing::complaints(&UniqueIdsWorkload, "unique-ids", &run(50)), ["unique-ids"]);
        assert_eq!(UniqueIdsWorkload.judges("linearizable"), UniqueIdsWorkload.judges("unique-ids"));
        assert!(UniqueIdsWorkload.judges("causal").is_empty());
    }
}
