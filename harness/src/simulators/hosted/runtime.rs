//! What another runtime gives: the only thing in which the simulators that host systems differ.

use std::{future::Future, io, rc::Rc};

use crate::environment::world::LocalFuture;

/// Time and tasks. Both are asked for from within a machine's own tasks, except for the time.
pub(in crate::simulators) trait Runtime {
    /// True time since the run began, in nanoseconds, as the calling task's host has it. 0 outside of every host.
    fn now_ns(&self) -> u64;
    /// Waits so long by the runtime's own timer.
    fn sleep(&self, span_ns: u64) -> LocalFuture;
    /// Starts a task on the calling task's host.
    fn spawn(&self, task: LocalFuture);
    /// Waits for what the calling task had other threads do, so that it is done at no other time than at this one.
    fn settle(&self) {}
}

/// A wire for each machine: datagrams and streams between the runtime's own hosts.
pub(in crate::simulators) trait Library: Runtime + Sized + 'static {
    /// Where a machine sends and receives datagrams.
    type Port: 'static;
    /// Where a machine accepts streams.
    type Listener: 'static;
    /// The reading half of a stream.
    type Reader: 'static;
    /// The writing half of a stream.
    type Writer: 'static;

    /// How many tasks of a machine receive datagrams: more than one where receiving takes its time.
    const RECEIVERS: usize = 1;
    /// The longest delay that the runtime gives a datagram by itself, in nanoseconds: what is to take longer sets out later.
    const DELAY_NS_MAX: u64 = 0;
    /// Whether time stands still while a task is polled.
    const STEADY: bool = true;

    /// Opens a machine's port.
    fn bind(&self, machine: u32) -> impl Future<Output = io::Result<Self::Port>>;
    /// Sends a datagram that is to arrive at this true time. Called from within the sender's own tasks.
    fn send(&self, port: &Rc<Self::Port>, to: u32, bytes: &[u8], arrives_ns: u64);
    /// Receives a datagram; returns its length and its sender.
    fn receive(&self, port: &Self::Port, buffer: &mut [u8]) -> impl Future<Output = io::Result<(usize, u32)>>;

    /// Listens on a machine.
    fn listen(&self, machine: u32) -> impl Future<Output = io::Result<Self::Listener>>;
    /// Accepts a stream.
    fn accept(&self, listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer)>>;
    /// Opens a stream to a machine.
    fn connect(&self, to: u32) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer)>>;
    /// Reads some bytes; 0 at the end.
    fn read(&self, reader: &mut Self::Reader, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>>;
    /// Writes all bytes.
    fn write(&self, writer: &mut Self::Writer, bytes: &[u8]) -> impl Future<Output = io::Result<()>>;
}
