//! `primary-backup-async`: an update is acknowledged when the primary has it; a failover may lose it.

use squall::{
    Promise,
    catalogue::{Bug, SystemEntry},
};
use squall_checkers::operation::Interface;
use squall_workloads::settings::SettingsReader;

use crate::primary_backup::{Mistake, Mode, PrimaryBackup};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "primary-backup-async",
    summary: "a primary that acknowledges updates before its backups have them; reads at the session's own replica",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[Bug {
        name: "session-forgotten",
        summary: "a session reads at any replica, and none asks what it has seen before",
        trigger: "a backup that lags",
        workload: None,
        nemesis: None,
        anomalies: &[
            "non-monotonic-read",
            "unread-own-write",
            "write-before-read",
            "causally-stale-read",
            "read-of-initial",
        ],
    }],
    build: |bug, settings| {
        SettingsReader::new("primary-backup-async", settings, &[])?;
        let mistake = bug.map(|_| Mistake::SessionForgotten);
        // A session that had seen what a failover lost comes to an end: what goes on is consistent.
        let promise = Promise { durable: false, ..Promise::new(Interface::REGISTER, "causal") };
        Ok(Box::new(PrimaryBackup::new(Mode::Async, mistake, promise)))
    },
};
