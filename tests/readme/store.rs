use std::{cell::RefCell, collections::BTreeMap, process::ExitCode, rc::Rc};

use squall::{
    Env, Failed, Promise, Reply, Result, System,
    catalogue::SystemEntry,
    environment::{CertainlyFailed, Stream},
    plan::{FaultClass, NodeId, Tolerates},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

/// Registers in the memory of replica 0.
struct Keeper;

type Registers = Rc<RefCell<BTreeMap<Value, Value>>>;

impl System for Keeper {
    type Client = Stream; // what a process keeps between its operations

    fn promise(&self) -> Promise {
        let survives = [FaultClass::Partition, FaultClass::Drop, FaultClass::Delay, FaultClass::Pause];
        Promise::new(Interface::REGISTER, "linearizable").tolerating(Tolerates::these(&survives))
    }

    // One replica's life: from the start, and again after every crash.
    async fn serve(&self, env: Env) -> Result<()> {
        let registers = Registers::default();
        let listener = env.listen(1)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let attending = attend(stream, registers.clone());
            env.spawn(async { drop(attending.await) }); // a connection that fails is closed
        }
    }

    async fn connect(&self, env: &Env) -> Result<Stream> {
        env.connect(NodeId(0), 1).await.certainly_failed()
    }

    // `?` says that the operation may have happened.
    async fn invoke(&self, stream: &mut Stream, _: &Env, operation: &Operation) -> Result<Reply> {
        stream.write_frame(&serde_json::to_vec(operation)?).await?;
        let reply = stream.read_frame().await?.ok_or(Failed::Unknown("replica 0 hung up".into()))?;
        Ok(serde_json::from_slice(&reply)?)
    }
}

async fn attend(mut stream: Stream, registers: Registers) -> Result<()> {
    while let Some(frame) = stream.read_frame().await? {
        let Operation { f, key, args } = serde_json::from_slice(&frame)?;
        let reply = match f.as_str() {
            "read" => registers.borrow().get(&key).cloned().unwrap_or(Value::Nil),
            _ => registers.borrow_mut().insert(key, args).map_or(Value::Nil, |_| Value::Nil),
        };
        stream.write_frame(&serde_json::to_vec(&reply)?).await?;
    }
    Ok(())
}

const KEEPER: SystemEntry = SystemEntry {
    name: "keeper",
    summary: "registers in the memory of replica 0; read and write, no cas",
    workload: "register",
    settings: &[],
    defaults: &[("cas", "0")],
    bugs: &[],
    build: |_, _| Ok(Box::new(Keeper)),
};

fn main() -> ExitCode {
    squall::cli::main(&[KEEPER])
}
