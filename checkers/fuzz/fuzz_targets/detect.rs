//! A file whose format is found out.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| squall_checkers_fuzz::read(bytes, None));
