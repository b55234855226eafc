//! The simulator over madsim, and madsim's libc as a shim for others. Both need `--cfg madsim`.

#[cfg(madsim)]
mod guests;
#[cfg(madsim)]
mod host;
#[cfg(feature = "turmoil")]
pub(super) mod shim;

#[cfg(madsim)]
pub use self::guests::InMadsim;
#[cfg(madsim)]
pub(super) use self::host::run;
