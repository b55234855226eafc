//! Network handles: datagram sockets, listeners and byte streams.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use super::world::{ListenerKey, SocketKey, StreamKey, with_world, with_world_if_any};
use crate::plan::NodeId;

/// A machine and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The machine.
    pub node: NodeId,
    /// The port.
    pub port: u16,
}

/// A datagram socket. Messages may be lost, late, twice, out of order or damaged. Closed on drop.
#[derive(Debug)]
pub struct Socket {
    pub(super) key: SocketKey,
    pub(super) address: Address,
}

impl Socket {
    /// Where this socket is bound.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Sends one datagram of at most 65,507 bytes.
    #[inline]
    pub fn send_to(&self, to: Address, bytes: &[u8]) -> io::Result<()> {
        with_world(|w| w.send_to(self.key, to, bytes))
    }

    /// Receives one datagram; what does not fit into `buffer` is cut off. Returns its length and its sender.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }

    /// Polls for one datagram.
    #[inline]
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, Address)>> {
        with_world(|w| w.poll_recv_from(self.key, cx, buffer))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        with_world_if_any(|w| w.close_socket(self.key));
    }
}

/// A listener for streams. Closed on drop.
#[derive(Debug)]
pub struct Listener {
    pub(super) key: ListenerKey,
    pub(super) address: Address,
}

impl Listener {
    /// Where this listener is bound.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Accepts one stream; returns it and its peer.
    pub async fn accept(&self) -> io::Result<(Stream, Address)> {
        let (key, peer) = poll_fn(|cx| with_world(|w| w.poll_accept(self.key, cx))).await?;
        Ok((Stream { key, peer }, peer))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        with_world_if_any(|w| w.close_listener(self.key));
    }
}

/// A byte stream: ordered and reliable while it lasts. A partition stalls it, a long one breaks it, a crash of the peer resets
/// it. Closed on drop. With the feature `tokio` it is an `AsyncRead` and `AsyncWrite`.
#[derive(Debug)]
pub struct Stream {
    pub(super) key: StreamKey,
    pub(super) peer: Address,
}

impl Stream {
    /// The other end.
    pub fn peer(&self) -> Address {
        self.peer
    }

    /// Reads what is there, at least one byte unless `buffer` is empty; 0 means the peer has closed its side.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Fills the buffer. A stream that ends before is `UnexpectedEof`.
    pub async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(())
    }

    /// Writes all bytes into the stream's window; waits while it is full. What was written may still never arrive.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Reads one frame as [`Stream::write_frame`] wrote it. Frames over 16 MiB are an error. `None` when the peer closed.
    pub async fn read_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        if self.read(&mut length[..1]).await? == 0 {
            return Ok(None);
        }
        self.read_exact(&mut length[1..]).await?;
        let length = u32::from_be_bytes(length) as usize;
        if length > 1 << 24 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        let mut frame = vec![0; length];
        self.read_exact(&mut frame).await?;
        Ok(Some(frame))
    }

    /// Writes one frame: its length in four bytes, big end first, then its bytes.
    pub async fn write_frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(bytes.len() + 4);
        frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        frame.extend_from_slice(bytes);
        self.write_all(&frame).await
    }

    /// Closes this side: the peer reads to the end, then sees it.
    pub fn shutdown(&mut self) -> io::Result<()> {
        with_world(|w| w.shutdown(self.key))
    }

    /// Polls for bytes.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        with_world(|w| w.poll_read(self.key, cx, buffer))
    }

    /// Polls to write some bytes.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with_world(|w| w.poll_write(self.key, cx, bytes))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        with_world_if_any(|w| w.close_stream(self.key));
    }
}
