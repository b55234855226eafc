//! The desk: where the stand-ins of a guest's machines live. It has no wires, for stand-ins send nothing.

use std::{
    future::{Future, pending},
    io,
    rc::Rc,
};

use super::super::{
    host::Host,
    runtime::{Library, Runtime},
};
use crate::environment::world::LocalFuture;

/// A runtime that has tasks and timers for the conductor, and no network.
pub(in crate::simulators) struct Desk<R>(pub(in crate::simulators) R);

impl<R: Runtime + 'static> Host<Desk<R>> {
    /// The main task of the desk: those of all stand-ins.
    pub(in crate::simulators) fn desk(&self, machines: u32) -> impl Future<Output = ()> + use<R> {
        let host = self.clone();
        async move {
            for machine in 0..machines {
                host.library.spawn(Box::pin(host.main(machine)));
            }
            pending::<()>().await;
        }
    }
}

impl<R: Runtime> Runtime for Desk<R> {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn sleep(&self, span_ns: u64) -> LocalFuture {
        self.0.sleep(span_ns)
    }

    fn spawn(&self, task: LocalFuture) {
        self.0.spawn(task);
    }
}

impl<R: Runtime + 'static> Library for Desk<R> {
    type Port = ();
    type Listener = ();
    type Reader = ();
    type Writer = ();

    async fn bind(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn send(&self, _: &Rc<()>, _: u32, _: &[u8], _: u64) {
        unreachable!("stand-ins send nothing");
    }

    async fn receive(&self, (): &(), _: &mut [u8]) -> io::Result<(usize, u32)> {
        pending().await
    }

    async fn listen(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    async fn accept(&self, (): &()) -> io::Result<((), ())> {
        pending().await
    }

    async fn connect(&self, _: u32) -> io::Result<((), ())> {
        unreachable!("stand-ins send nothing");
    }

    async fn read(&self, (): &mut (), _: &mut [u8]) -> io::Result<usize> {
        unreachable!("stand-ins have no streams");
    }

    async fn write(&self, (): &mut (), _: &[u8]) -> io::Result<()> {
        unreachable!("stand-ins have no streams");
    }
}
