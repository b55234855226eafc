//! The lines of the catalogue of systems: what a crate of systems registers, and what `list` shows.

use squall_workloads::workload::{Setting, SettingError, Settings};

use crate::simulators::AnySystem;

/// Builds a system, correct or with the bug of this name.
pub type Build = fn(bug: Option<&str>, settings: &Settings) -> Result<Box<dyn AnySystem>, SettingError>;

/// A system under test, with its broken twins. One line of a `SYSTEMS` list.
#[derive(Clone, Copy)]
pub struct SystemEntry {
    /// Kebab-case name, unique.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The workload a campaign uses when not told otherwise.
    pub workload: &'static str,
    /// The settings it understands.
    pub settings: &'static [Setting],
    /// Settings of the workload used with this system unless told otherwise.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Mistakes that can be switched on, one at a time.
    pub bugs: &'static [Bug],
    /// Builds it, correct or with the bug of this name (always one of `bugs`).
    pub build: Build,
}

/// A mistake that can be switched on in a system.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Kebab-case name, unique in its system.
    pub name: &'static str,
    /// The exact mistake, in one sentence.
    pub summary: &'static str,
    /// What brings it out, for people.
    pub trigger: &'static str,
    /// The workload in which it shows, where that is not the system's own: a campaign uses it when not told otherwise.
    pub workload: Option<&'static str>,
    /// The nemesis that brings it out, where that is one of those that are drawn from only when named: a campaign draws from it when
    /// not told otherwise.
    pub nemesis: Option<&'static str>,
    /// The anomaly kinds by which it shows; a bug counts as found only when one of these is named.
    pub anomalies: &'static [&'static str],
}
