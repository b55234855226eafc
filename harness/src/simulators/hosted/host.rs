//! A machine as a host of the runtime: its main task, and the tasks that carry what comes over its wire.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use super::{
    machines::{Command, Port},
    runtime::Library,
    streams::Frame,
    tasks::{HostedTask, Kind},
    world::Hosted,
};
use crate::{
    environment::world::{LocalFuture, Place},
    simulators::layer::{
        payload::Payload,
        streams::{Segment, StreamEvent},
        world::Layered as _,
    },
};

/// The largest datagram and its header.
const BUFFER: usize = 65_536;

/// The machines of a run, for a runtime that makes a host of each.
pub(in crate::simulators) struct Host<L: Library> {
    pub(super) world: Weak<RefCell<Hosted>>,
    pub(super) library: Rc<L>,
}

impl<L: Library> Clone for Host<L> {
    fn clone(&self) -> Self {
        Host { world: self.world.clone(), library: self.library.clone() }
    }
}

impl<L: Library> Host<L> {
    /// The main task of a machine's host. It never ends by itself.
    pub(in crate::simulators) fn main(&self, machine: u32) -> impl Future<Output = ()> + use<L> {
        let host = self.clone();
        let task = self.world.upgrade().map(|world| {
            let main = Box::pin(async move {
                if let Err(error) = host.clone().serve(machine).await {
                    panic!("the wire of machine {machine}: {error}");
                }
            });
            let key = world.borrow_mut().add_task(wire(machine), Kind::Wire, main);
            HostedTask::of_wire(self.world.clone(), key, machine)
        });
        async move {
            if let Some(task) = task {
                task.await;
            }
        }
    }

    async fn serve(self, machine: u32) -> io::Result<()> {
        let port = Rc::new(self.library.bind(machine).await?);
        let send: Port = {
            let (library, port) = (self.library.clone(), port.clone());
            Rc::new(move |to, bytes, arrives_ns| library.send(&port, to, bytes, arrives_ns))
        };
        self.with(|world| world.core.doors[machine as usize].port = Some(send));
        let listener = self.library.listen(machine).await?;
        for _ in 0..L::RECEIVERS {
            self.spawn(machine, Box::pin(self.clone().receive(machine, port.clone())));
        }
        self.spawn(machine, Box::pin(self.clone().accept(machine, listener)));
        loop {
            match self.command(machine).await {
                Command::Spawn(key) => {
                    self.library.spawn(Box::pin(HostedTask::of_process(self.world.clone(), key)));
                }
                Command::Send { to, bytes, arrives_ns } => self.library.send(&port, to, &bytes, arrives_ns),
                Command::Connect { stream, serial, to } => {
                    self.spawn(machine, Box::pin(self.clone().connect(machine, stream, serial, to)));
                }
            }
        }
    }

    /// Starts a task of the wire.
    fn spawn(&self, machine: u32, future: LocalFuture) {
        let Some(world) = self.world.upgrade() else { return };
        let key = world.borrow_mut().add_task(wire(machine), Kind::Wire, future);
        self.library.spawn(Box::pin(HostedTask::of_wire(self.world.clone(), key, machine)));
    }

    /// Calls the world, if the run is not over.
    fn with<R>(&self, call: impl FnOnce(&mut Hosted) -> R) -> Option<R> {
        let world = self.world.upgrade()?;
        let mut world = world.borrow_mut();
        world.enter();
        Some(call(&mut world))
    }

    fn command(&self, machine: u32) -> impl Future<Output = Command> {
        poll_fn(move |cx| {
            let next = self.with(|world| world.core.next_command(machine, cx.waker()));
            next.flatten().map_or(Poll::Pending, Poll::Ready)
        })
    }

    async fn receive(self, machine: u32, port: Rc<L::Port>) {
        let mut buffer = vec![0; BUFFER];
        // A wire that breaks has nothing more to carry.
        while let Ok((length, from)) = self.library.receive(&port, &mut buffer).await {
            self.with(|world| world.datagram_came(machine, from, &buffer[..length]));
        }
    }

    async fn accept(self, machine: u32, listener: L::Listener) {
        while let Ok((reader, writer)) = self.library.accept(&listener).await {
            self.spawn(machine, Box::pin(self.clone().accepted(machine, reader, writer)));
        }
    }

    /// The first frame of a stream says whose it is.
    async fn accepted(self, machine: u32, mut reader: L::Reader, writer: L::Writer) {
        let Ok(Frame::Syn { stream, serial, attempt }) = self.read_frame(&mut reader).await else { return };
        self.spawn(machine, Box::pin(self.clone().write(stream, serial, 1, writer)));
        self.with(|world| world.stream_came(StreamEvent::Syn { stream, serial, attempt }));
        self.read(stream, serial, 1, reader).await;
    }

    async fn connect(self, machine: u32, stream: u32, serial: u32, to: u32) {
        match self.library.connect(to).await {
            Ok((reader, writer)) => {
                self.spawn(machine, Box::pin(self.clone().write(stream, serial, 0, writer)));
                self.read(stream, serial, 0, reader).await;
            }
            Err(_) => {
                self.with(|world| world.wire_refused(stream, serial));
            }
        }
    }

    /// Carries what comes for one end of a stream.
    async fn read(&self, stream: u32, serial: u32, to: u8, mut reader: L::Reader) {
        while let Ok(frame) = self.read_frame(&mut reader).await {
            let event = match frame {
                Frame::Syn { attempt, .. } => StreamEvent::Syn { stream, serial, attempt },
                Frame::SynAck { accepted } => StreamEvent::SynAck { stream, serial, accepted },
                Frame::Segment { number, attempt, bytes } => {
                    let payload = Payload::new(&bytes);
                    StreamEvent::Segment(Segment { stream, serial, to, number, attempt, payload })
                }
                Frame::Reset => StreamEvent::Reset { stream, serial, to },
            };
            self.with(|world| world.stream_came(event));
        }
    }

    async fn read_frame(&self, reader: &mut L::Reader) -> io::Result<Frame> {
        let mut length = [0; 4];
        self.fill(reader, &mut length).await?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.fill(reader, &mut bytes).await?;
        postcard::from_bytes(&bytes).map_err(io::Error::other)
    }

    async fn fill(&self, reader: &mut L::Reader, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let length = self.library.read(reader, buffer).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[length..];
        }
        Ok(())
    }

    /// Carries what one end of a stream sends, until the stream is no more.
    async fn write(self, stream: u32, serial: u32, from: u8, mut writer: L::Writer) {
        let next = |cx: &mut Context<'_>| {
            let next = self.with(|world| world.next_frame(stream, serial, from, cx.waker()));
            next.unwrap_or(Poll::Ready(None))
        };
        while let Some(frame) = poll_fn(next).await {
            if self.library.write(&mut writer, &frame).await.is_err() {
                self.with(|world| world.wire_broke(stream, serial));
                return;
            }
        }
    }
}

/// The place of a machine's wire: that of no process.
fn wire(machine: u32) -> Place {
    Place { machine, incarnation: u32::MAX }
}
