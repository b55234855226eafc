//! Certificates, and what the verifier says to them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| squall_checkers_fuzz::certificate(bytes));
