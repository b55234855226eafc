//! What code under test sees of the world: traits to plug a store in, and the handles through which it meets time, network
//! and disk. No simulator is named here.

pub mod adapter;
pub mod checked;
pub mod collections;
pub mod content;
pub mod disk;
pub mod env;
pub mod failed;
pub mod guest;
pub mod image;
pub mod membership;
pub mod net;
pub mod node;
pub(crate) mod reactor;
pub mod select;
pub mod system;
#[cfg(feature = "tokio")]
mod tokio;
pub mod world;

pub use self::{
    checked::Checked,
    disk::{Disk, File},
    env::{Elapsed, Env, Interval, JoinHandle, Sleep},
    failed::{CertainlyFailed, Failed, Result},
    guest::{Guest, Machine},
    image::DiskImage,
    membership::Change,
    net::{Address, Listener, Socket, Stream},
    node::{Context, Node, RequestId, TimerId},
    system::{Hosting, Reply, System},
};
