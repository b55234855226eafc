//! `primary-backup-semi-sync`: an update is acknowledged when the primary and one backup have it, and sessions read where they are
//! pinned.

use squall::{
    Promise,
    catalogue::{Bug, SystemEntry},
};
use squall_checkers::operation::Interface;
use squall_workloads::settings::SettingsReader;

use crate::primary_backup::{Mistake, Mode, PrimaryBackup};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "primary-backup-semi-sync",
    summary: "a primary with one backup that has an update before it is acknowledged; reads at the session's own replica",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[Bug {
        name: "lagging-replica-promoted",
        summary: "at a failover the view service makes that replica primary whose log is the shortest",
        trigger: "a failover while one backup is behind the other",
        // In a set what is lost stays missing; a register is soon written anew.
        workload: Some("set"),
        nemesis: None,
        // The sessions that had seen what is lost are refused from then on; nobody sees it again.
        anomalies: &["lost-acknowledged-write"],
    }],
    build: |bug, settings| {
        SettingsReader::new("primary-backup-semi-sync", settings, &[])?;
        let mistake = bug.map(|_| Mistake::LaggingPromoted);
        let promise = Promise::new(Interface::REGISTER, "causal").serving(&[Interface::SET, Interface::LOG]);
        Ok(Box::new(PrimaryBackup::new(Mode::SemiSync, mistake, promise)))
    },
};
