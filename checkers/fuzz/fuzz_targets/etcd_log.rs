//! Logs of Jepsen's etcd test.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| squall_checkers_fuzz::read(bytes, Some(squall_checkers::formats::Format::EtcdLog)));
