//! Plume's transactions.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| squall_checkers_fuzz::read(bytes, Some(squall_checkers::formats::Format::Plume)));
