//! What a checker hands out with its verdict, so that somebody else can check it: see [`verify`](crate::verify).

use serde::{Deserialize, Serialize};

use crate::{
    document::{self, DocumentError},
    staleness::Staleness,
    verdict::Verdict,
};

/// The version that is written. All versions up to this are read.
pub const VERSION: u32 = 1;

/// A verdict with its evidence: one order of the operations that explains the history, or operations that cannot be.
///
/// In JSON: `{"squall-certificate":1,"checker":"linearizable","model":"register","operations":2,"verdict":{…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of the format.
    #[serde(rename = "squall-certificate")]
    pub version: u32,
    /// The checker that gave the verdict.
    pub checker: String,
    /// The model that it judged by, where it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many operations the history has.
    pub operations: usize,
    /// What it said.
    pub verdict: Verdict,
    /// For `bounded-staleness`, the bounds with what shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staleness: Option<Staleness>,
}

impl Certificate {
    /// The certificate of a verdict.
    pub fn new(checker: &str, model: Option<&str>, operations: usize, verdict: Verdict) -> Self {
        Certificate {
            version: VERSION,
            checker: checker.to_owned(),
            model: model.map(str::to_owned),
            operations,
            verdict,
            staleness: None,
        }
    }

    /// The certificate as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("certificates are plain data with string keys")
    }

    /// Reads a certificate from JSON.
    ///
    /// # Errors
    /// What is wrong with it and where, or that its version is not known.
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        document::read(text, document::CERTIFICATE, VERSION)
    }
}
