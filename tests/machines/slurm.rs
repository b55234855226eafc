//! `docs/ci/slurm.sh` on a Slurm cluster of one machine, which this test starts for itself: shards run as tasks of an array, and
//! together find what one run finds. Without Slurm it says so and is content: `apt-get install slurm-wlm` brings it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{read, root};

/// A system that fails now and then.
const SYSTEM: &str = "quorum-register:tie-without-writer-id";
const SEEDS: &str = "12";

#[test]
fn an_array_of_jobs_finds_what_one_run_finds() {
    if ["slurmctld", "slurmd", "sbatch"].iter().any(|tool| Command::new(tool).arg("-V").output().is_err()) {
        eprintln!("skipped: there is no Slurm on this machine (Debian has it in slurm-wlm)");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    let cluster = Cluster::start(place.path());
    let out = place.path().join("out");
    let log = place.path().join("task-%a.log");
    // The commands that the script's own comment shows, with fewer shards and with an end to wait for.
    let script = root().join("docs/ci/slurm.sh");
    let shown = read("docs/ci/slurm.sh");
    let shown: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("#     ")).collect();
    let [exports, submit, combine] = shown[..] else { panic!("the comment shows three commands: {shown:?}") };
    assert!(exports.starts_with("export SQUALL="), "{exports}");
    let submit = submit.replace(
        "--parsable docs/ci/slurm.sh",
        &format!("--parsable --array=1-3 --output='{}' '{}'", log.display(), script.display()),
    );
    let combine = combine.replace("sbatch ", &format!("sbatch --wait --output='{}' ", log.display()));
    let output = cluster
        .command("sh")
        .args(["-ec", &format!("{submit}\n{combine}")])
        .env("SQUALL", env!("CARGO_BIN_EXE_squall"))
        .env("SYSTEM", SYSTEM)
        .env("SEEDS", SEEDS)
        .env("OUT", &out)
        .output()
        .expect("there is a shell");
    // What was found is the exit code of the last job, which waited for the others.
    assert_eq!(output.status.code(), Some(1), "{}{}", String::from_utf8_lossy(&output.stderr), cluster.logs());

    let one = place.path().join("one");
    let campaign = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["campaign", SYSTEM, "--seeds", SEEDS, "--out"])
        .arg(&one)
        .stdout(Stdio::null())
        .status()
        .expect("the binary starts");
    assert_eq!(campaign.code(), Some(1));
    assert_eq!(found(&out.join("all")), found(&one));
    assert!(!found(&one).is_empty() && out.join("junit.xml").exists() && out.join("all/index.html").exists());
}

/// Seed and kind of each failure on record, and the case of the first.
fn found(folder: &Path) -> Vec<(u64, String, Option<String>)> {
    let text = fs::read_to_string(folder.join("findings.jsonl")).expect("a campaign's folder has findings");
    let parse = |line| -> serde_json::Value { serde_json::from_str(line).expect("a record") };
    let record = |(index, finding): (usize, serde_json::Value)| {
        let case = finding["case"].as_str().filter(|_| index == 0).map(str::to_owned);
        (finding["seed"].as_u64().expect("a seed"), finding["signature"].to_string(), case)
    };
    text.lines().map(parse).enumerate().map(record).collect()
}

/// A controller and a machine, which end with the test.
struct Cluster {
    folder: PathBuf,
    daemons: Vec<Child>,
}

impl Cluster {
    fn start(folder: &Path) -> Self {
        let folder = folder.join("slurm");
        for name in ["state", "spool"] {
            fs::create_dir_all(folder.join(name)).expect("the temporary folder can be written");
        }
        let word = |command: &mut Command| {
            let output = command.output().expect("the tool is there");
            String::from_utf8(output.stdout).expect("a word").trim().to_owned()
        };
        let host = word(Command::new("hostname").arg("-s"));
        let user = word(Command::new("id").arg("-un"));
        let (controller, machine) = free_ports();
        let place = folder.display();
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={machine}\n\
             AuthType=auth/none\nCredType=cred/none\nSlurmUser={user}\nSlurmdUser={user}\n\
             StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool\n\
             SlurmctldPidFile={place}/slurmctld.pid\nSlurmdPidFile={place}/slurmd.pid\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN\n\
             PartitionName=all Nodes={host} Default=YES State=UP\n"
        );
        fs::write(folder.join("slurm.conf"), text).expect("the temporary folder can be written");
        let mut cluster = Cluster { folder, daemons: Vec::new() };
        for (daemon, args) in [("slurmctld", &["-D", "-c"][..]), ("slurmd", &["-D", "-N", &host])] {
            let log = fs::File::create(cluster.folder.join(daemon).with_extension("log")).expect("a log");
            let mut command = cluster.command(daemon);
            command.args(args).stdout(log.try_clone().expect("a log")).stderr(log);
            cluster.daemons.push(command.spawn().expect("the daemon starts"));
        }
        cluster.wait_until_up();
        cluster
    }

    /// A command that knows this cluster and no other.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.folder.join("slurm.conf")).current_dir(&self.folder);
        command
    }

    #[expect(clippy::disallowed_methods, reason = "waits for other processes")]
    fn wait_until_up(&self) {
        for _ in 0..300 {
            let states = self.command("sinfo").args(["-h", "-o", "%T"]).output().expect("sinfo comes with sbatch");
            if states.stdout.starts_with(b"idle") {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the cluster does not come up\n{}", self.logs());
    }

    /// What the daemons and the tasks said.
    fn logs(&self) -> String {
        let above = self.folder.parent().expect("it lies in a folder");
        let files = [&self.folder, above].into_iter().flat_map(|f| fs::read_dir(f).expect("a folder that is there"));
        let paths = files.map(|file| file.expect("it can be read").path());
        let logs = paths.filter(|path| path.extension().is_some_and(|e| e == "log"));
        logs.fold(String::new(), |before, path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            format!("{before}== {}\n{text}\n", path.display())
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Two ports that nobody uses.
fn free_ports() -> (u16, u16) {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let (one, other) = (listen(), listen());
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    (port(&one), port(&other))
}
