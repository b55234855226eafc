//! A small store over a library's own network, tasks and timers, which says what happens to it.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    marker::PhantomData,
    net::IpAddr,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use squall::{
    Failed, Promise, Reply, Result,
    environment::{CertainlyFailed, Change, Guest, Machine},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

/// What the store uses of a library.
pub(crate) trait Library: Send + Sync + 'static {
    type Listener: 'static;
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    type Socket: 'static;

    fn listen(port: u16) -> impl Future<Output = io::Result<Self::Listener>>;
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;
    fn connect(to: (IpAddr, u16)) -> impl Future<Output = io::Result<Self::Stream>>;
    fn bind(port: u16) -> impl Future<Output = io::Result<Self::Socket>>;
    fn send(socket: &Self::Socket, to: (IpAddr, u16), bytes: &[u8]) -> impl Future<Output = io::Result<()>>;
    fn receive(socket: &Self::Socket) -> impl Future<Output = io::Result<(Vec<u8>, (IpAddr, u16))>>;
    fn spawn(task: impl Future<Output = ()> + 'static);
    /// What the machine would decide for itself: the time, the order of a map, random bits, which branch is taken.
    fn entropy() -> impl Future<Output = String>;
    /// The wall clock, in milliseconds.
    fn wall_ms() -> i64;
}

const PORT: u16 = 80;

/// The store. Each replica is one of its own.
pub(crate) struct Keeper<L>(PhantomData<fn() -> L>);

impl<L> Keeper<L> {
    pub(crate) const NEW: Self = Keeper(PhantomData);
}

type Registers = Mutex<BTreeMap<Value, Value>>;

/// What one life of a replica has.
struct Life {
    kept: Arc<Registers>,
    forgotten: Registers,
    sessions: AtomicI64,
    /// What its main task is told to do.
    main: mpsc::UnboundedSender<&'static str>,
}

impl<L: Library> Guest for Keeper<L> {
    type Client = L::Stream;

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable").changing_members()
    }

    async fn serve(&self, machine: Machine) -> Result<()> {
        let (main, mut told) = mpsc::unbounded_channel();
        let life =
            Rc::new(Life { kept: machine.kept(), forgotten: Registers::default(), sessions: AtomicI64::new(0), main });
        let listener = L::listen(PORT).await?;
        let socket = Rc::new(L::bind(PORT).await?);
        let echoing = socket.clone();
        L::spawn(async move {
            while let Ok((bytes, from)) = L::receive(&echoing).await {
                drop(L::send(&echoing, from, &bytes).await);
            }
        });
        let attending = life.clone();
        L::spawn(async move {
            while let Ok(stream) = L::accept(&listener).await {
                let (life, machine) = (attending.clone(), machine.clone());
                L::spawn(async move {
                    life.sessions.fetch_add(1, Ordering::Relaxed);
                    drop(life.attend::<L>(&machine, stream).await);
                    life.sessions.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        match told.recv().await {
            Some("end") => Err(Failed::Unknown("told to end".to_owned())),
            Some(why) => panic!("{why} in serve"),
            None => Ok(()),
        }
    }

    async fn connect(&self, machine: &Machine) -> Result<L::Stream> {
        L::connect((Machine::address(machine.home()), PORT)).await.certainly_failed()
    }

    async fn invoke(&self, stream: &mut L::Stream, machine: &Machine, operation: &Operation) -> Result<Reply> {
        match operation.f.as_str() {
            "ping" => {
                let socket = L::bind(0).await?;
                L::send(&socket, (Machine::address(machine.home()), PORT), b"ping").await?;
                Ok(Value::from(String::from_utf8(L::receive(&socket).await?.0)?))
            }
            "panic-in-invoke" => panic!("panic in invoke"),
            "entropy" => Ok(Value::from(L::entropy().await)),
            _ => {
                write(stream, operation).await?;
                Ok(read(stream).await?)
            }
        }
    }

    /// Who is asked writes down whose word it was about, as a negative number where that one left.
    async fn reconfigure(&self, machine: &Machine, change: Change) -> Result<()> {
        let mut stream = self.connect(machine).await?;
        let number = i64::from(change.node().0) + 1;
        let written = if matches!(change, Change::Add(_)) { number } else { -number };
        write(&mut stream, &Operation::new("write", 1, written)).await?;
        read::<Value>(&mut stream).await?;
        Ok(())
    }
}

impl Life {
    async fn attend<L: Library>(&self, machine: &Machine, mut stream: L::Stream) -> Result<()> {
        loop {
            let operation: Operation = read(&mut stream).await?;
            let Operation { f, key, args } = operation;
            let lock = |registers: &Registers| registers.lock().expect("nobody panics with it").clone();
            let reply = match f.as_str() {
                "read" => lock(&self.kept).get(&key).cloned().unwrap_or_default(),
                "recall" => lock(&self.forgotten).get(&key).cloned().unwrap_or_default(),
                "write" => self.kept.lock().expect("nobody panics with it").insert(key, args).unwrap_or_default(),
                "remember" => {
                    self.forgotten.lock().expect("nobody panics with it").insert(key, args).unwrap_or_default()
                }
                "show" => {
                    machine.observe("role", args);
                    Value::Nil
                }
                "sessions" => Value::Int(self.sessions.load(Ordering::Relaxed)),
                "wall" => Value::Int(L::wall_ms()),
                "panic-in-task" => panic!("panic in a task"),
                "end" | "panic" => {
                    let _ = self.main.send(if f == "end" { "end" } else { "panic" });
                    Value::Nil
                }
                // Nobody ever answers, but whoever asked may hang up.
                _ => Value::Int(stream.read_u8().await?.into()),
            };
            write(&mut stream, &reply).await?;
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), what: &impl serde::Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(what)?;
    stream.write_u32(u32::try_from(bytes.len())?).await?;
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

async fn read<T: serde::de::DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> Result<T> {
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}
