//! `primary-backup-sync`: an update is acknowledged when all members of the view have it; who does not answer is put out of it.

use squall::{
    Promise,
    catalogue::{Bug, SystemEntry},
};
use squall_checkers::operation::Interface;
use squall_workloads::settings::SettingsReader;

use crate::{
    objects::Objects,
    primary_backup::{Mistake, Mode, PrimaryBackup},
};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "primary-backup-sync",
    summary: "a primary whose backups all have an update before it is acknowledged; a view service, the last replica, fails over",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        Bug {
            name: "old-primary-not-fenced",
            summary: "a primary that members do not answer goes on without them, and does not wait for the view service to say so",
            trigger: "a primary cut off from the others while clients reach it, until there is another",
            workload: None,
            nemesis: None,
            // Two primaries: what one of them acknowledged is gone when the other one's log replaces it, and either does not see
            // what the other did.
            anomalies: &[
                "lost-acknowledged-write",
                "lost-write",
                "lost-update",
                "stale-read",
                "new-old-inversion",
                "future-read",
                "thin-air-read",
                "non-linearizable",
            ],
        },
        Bug {
            name: "reads-at-backups",
            summary: "any replica answers reads from what it knows to be committed",
            trigger: "a backup that lags",
            workload: None,
            nemesis: None,
            anomalies: &["stale-read", "new-old-inversion"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new("primary-backup-sync", settings, &[])?;
        let mistake = bug.map(|bug| match bug {
            "old-primary-not-fenced" => Mistake::NotFenced,
            "reads-at-backups" => Mistake::ReadsAtBackups,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        let promise = Promise::new(Interface::REGISTER, "linearizable").serving(&Objects::INTERFACES);
        Ok(Box::new(PrimaryBackup::new(Mode::Sync, mistake, promise)))
    },
};
