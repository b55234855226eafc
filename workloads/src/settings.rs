//! Reading settings: each value is checked against what its setting accepts.

use std::ops::RangeInclusive;

use crate::workload::{Setting, SettingError, Settings};

/// Settings seen through the table of what is understood.
#[derive(Clone, Copy, Debug)]
pub struct SettingsReader<'a> {
    settings: &'a Settings,
    table: &'static [Setting],
}

impl<'a> SettingsReader<'a> {
    /// Reads `settings`, all of which must stand in `table`; `owner` names in the error who has this table.
    pub fn new(owner: &str, settings: &'a Settings, table: &'static [Setting]) -> Result<Self, SettingError> {
        if let Some((key, value)) = settings.iter().find(|(key, _)| table.iter().all(|s| s.key != key.as_str())) {
            let known: Vec<&str> = table.iter().map(|s| s.key).collect();
            let expected = match known.as_slice() {
                [] => format!("of use: `{owner}` has no settings"),
                _ => format!("of use: `{owner}` has the settings {}", known.join(", ")),
            };
            return Err(SettingError { key: key.clone(), value: value.clone(), expected });
        }
        Ok(SettingsReader { settings, table })
    }

    /// The text of a setting, or its default.
    ///
    /// # Panics
    /// When the table has no such setting.
    pub fn text(&self, key: &str) -> &'a str {
        let setting = self.table.iter().find(|s| s.key == key).expect("a setting of the table");
        self.settings.get(key).map_or(setting.default, String::as_str)
    }

    /// A whole number within `range`.
    pub fn number(&self, key: &str, range: RangeInclusive<u64>) -> Result<u64, SettingError> {
        let text = self.text(key);
        text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
            let (low, high) = range.into_inner();
            SettingError {
                key: key.to_owned(),
                value: text.to_owned(),
                expected: format!("a whole number from {low} to {high}"),
            }
        })
    }

    /// What the given word stands for.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, SettingError> {
        let text = self.text(key);
        choices.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            SettingError {
                key: key.to_owned(),
                value: text.to_owned(),
                expected: format!("one of {}", words.join(", ")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Setting] = &[
        Setting { key: "size", default: "3", summary: "how many" },
        Setting { key: "mode", default: "fast", summary: "how" },
    ];

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn defaults_stand_in_for_what_is_not_given() {
        let given = settings(&[("size", "7")]);
        let reader = SettingsReader::new("toy", &given, TABLE).unwrap();
        assert_eq!(reader.number("size", 1..=9), Ok(7));
        assert_eq!(reader.choice("mode", &[("slow", 1), ("fast", 2)]), Ok(2));
    }

    #[test]
    fn errors_say_what_is_expected() {
        let error = |pairs: &[(&str, &str)]| {
            let given = settings(pairs);
            let read = SettingsReader::new("toy", &given, TABLE)
                .and_then(|r| Ok((r.number("size", 1..=9)?, r.choice("mode", &[("slow", 1), ("fast", 2)])?)));
            read.unwrap_err().to_string()
        };
        assert_eq!(error(&[("size", "0")]), "setting `size`: `0` is not a whole number from 1 to 9");
        assert_eq!(error(&[("size", "many")]), "setting `size`: `many` is not a whole number from 1 to 9");
        assert_eq!(error(&[("mode", "odd")]), "setting `mode`: `odd` is not one of slow, fast");
        assert_eq!(error(&[("sise", "1")]), "setting `sise`: `1` is not of use: `toy` has the settings size, mode");
    }
}
