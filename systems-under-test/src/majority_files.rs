//! `majority-files`: a replicated store written as ordinary async code, and the example of how to plug one in.
//!
//! Each replica keeps versions of registers in one file. It is the clients who read from and write to majorities of replicas, as
//! in ABD (Attiya, Bar-Noy & Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 1995).

use std::{collections::BTreeMap, io::ErrorKind, rc::Rc, time::Duration};

use serde::{Deserialize, Serialize};
use squall::{
    Env, Failed, Promise, Reply, Result, System,
    catalogue::{Bug, SystemEntry},
    environment::Stream,
    plan::NodeId,
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};
use squall_workloads::settings::SettingsReader;
use tokio::sync::Mutex;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "majority-files",
    summary: "async code over streams: replicas keep registers in a file each, clients ask majorities; read and write, no cas",
    workload: "register",
    settings: &[],
    defaults: &[("cas", "0")],
    bugs: &[Bug {
        name: "ack-before-fsync",
        summary: "a replica answers when its file is written, without waiting for the disk to have it",
        trigger: "power loss at replicas that have answered",
        workload: None,
        nemesis: None,
        // A majority of files goes back to before an acknowledged write. (That a file which was not synced may not even be
        // readable, and its replica never comes back, is the same mistake but not its point: no-progress is not listed.)
        anomalies: &["lost-acknowledged-write", "lost-write", "stale-read", "new-old-inversion"],
    }],
    build: |bug, settings| {
        SettingsReader::new("majority-files", settings, &[])?;
        Ok(Box::new(MajorityFiles { ack_before_fsync: bug.is_some() }))
    },
};

/// The store: settings only. What else lived here would survive crashes that no real process survives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MajorityFiles {
    ack_before_fsync: bool,
}

const PORT: u16 = 1;
/// How long a client waits for one replica.
const PATIENCE: Duration = Duration::from_millis(200);

/// The value of a register. The larger is the newer; `writer` tells concurrent writes apart.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Version {
    number: u64,
    writer: u64,
    value: Value,
}

type Versions = BTreeMap<Value, Version>;

impl System for MajorityFiles {
    type Client = ();

    // `new` promises durability as well, and all of it under every fault but bit rot and wiped disks.
    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable")
    }

    // Runs on each replica, and again after every crash; an error ends it, and it is started again a second later.
    async fn serve(&self, env: Env) -> Result<()> {
        env.disk().sync_directory().await?; // What is read now may not be taken back later.
        let versions: Versions = match env.disk().file("versions").read().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Versions::new(),
            file => postcard::from_bytes(&file?)?,
        };
        let versions = Rc::new(Mutex::new(versions));
        let listener = env.listen(PORT)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let attending = self.attend(env.clone(), versions.clone(), stream);
            env.spawn(async { drop(attending.await) }); // A connection that fails is closed.
        }
    }

    async fn connect(&self, _: &Env) -> Result<()> {
        Ok(())
    }

    // `?` says that the operation may have happened. Nothing is tried twice: an old write could come back as a new one.
    async fn invoke(&self, (): &mut (), env: &Env, operation: &Operation) -> Result<Reply> {
        let newest = offer(env, &operation.key, &Version::default()).await?;
        let (version, reply) = match operation.f.as_str() {
            // Stored again, for a majority met later may share with this one only a replica that did not have it.
            "read" => (newest.clone(), newest.value),
            "write" => {
                let value = operation.args.clone();
                (Version { number: newest.number + 1, writer: env.random(), value }, Value::Nil)
            }
            other => return Err(Failed::No(format!("majorities give no {other}"))),
        };
        offer(env, &operation.key, &version).await?;
        Ok(reply)
    }
}

impl MajorityFiles {
    /// Serves one connection: each frame offers a version of a register, and is answered by the newest one.
    async fn attend(self, env: Env, versions: Rc<Mutex<Versions>>, mut stream: Stream) -> Result<()> {
        while let Some(frame) = stream.read_frame().await? {
            let (key, offered): (Value, Version) = postcard::from_bytes(&frame)?;
            let mut kept = versions.lock().await; // Until it is on disk: an answer vouches for what it says.
            let held = kept.get(&key).cloned().unwrap_or_default();
            if held < offered {
                let mut next = kept.clone();
                next.insert(key, offered.clone());
                self.save(&env, &next).await?;
                *kept = next;
            }
            drop(kept);
            stream.write_frame(&postcard::to_stdvec(&held.max(offered))?).await?;
        }
        Ok(())
    }

    /// Writes a file of its own, which takes the name of the old one when it is complete.
    async fn save(self, env: &Env, versions: &Versions) -> Result<()> {
        let file = env.disk().file("versions.new");
        file.set_length(0).await?;
        file.write_at(0, &postcard::to_stdvec(versions)?).await?;
        if self.ack_before_fsync {
            return Ok(env.disk().rename("versions.new", "versions").await?);
        }
        file.sync().await?;
        env.disk().rename("versions.new", "versions").await?;
        Ok(env.disk().sync_directory().await?)
    }
}

/// Offers a version to one replica after the other until a majority has answered; returns the newest among the answers.
async fn offer(env: &Env, key: &Value, version: &Version) -> Result<Version> {
    let (mut answers, mut newest) = (0, Version::default());
    for i in 0..env.node_count() {
        let replica = NodeId((env.home().0 + i) % env.node_count());
        let asking = async {
            let mut stream = env.connect(replica, PORT).await?;
            stream.write_frame(&postcard::to_stdvec(&(key, version))?).await?;
            let answer = stream.read_frame().await?.ok_or(Failed::Unknown("the replica hung up".into()))?;
            Result::<Version>::Ok(postcard::from_bytes(&answer)?)
        };
        if let Ok(Ok(answer)) = env.timeout(PATIENCE, asking).await {
            (answers, newest) = (answers + 1, newest.max(answer));
        }
        if 2 * answers > env.node_count() {
            return Ok(newest);
        }
    }
    Err(Failed::Unknown("no majority answered".into()))
}
