//! The command line as its users meet it: the built binary, its exit codes, and the files it writes.

mod campaigns;
mod ci;
mod common;
mod inputs;
mod misbehaviour;
mod names;
